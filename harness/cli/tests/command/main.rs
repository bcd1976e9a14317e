//! The command as a user meets it: real processes, real faults, real files.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

mod bad_input;
mod foreign;
mod live;
mod live_inputs;
mod replay;
mod simulated;
mod stream;
mod support;
mod torture;

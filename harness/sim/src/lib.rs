//! The simulated world: the same protocol cores as in the live one, in virtual time. A run is a pure function of
//! its Plan: the same Plan gives the same history, byte for byte, on any machine.
//!
//! ```text
//!            ┌───────────── queue: events by virtual time ─────────────┐
//!            ▼                                                         │
//!   deliver, wake, synced ──► node or client ──► effects ──► gate ──► network, disk, timers
//!   fault begins, ends    ──► faults                           │
//!   phase                 ──► phases                           └────► witness: digest, invariants,
//!                                                                     moments, history
//! ```
//!
//! [`simulator`] gives a world for a system; it runs one plan after the other and keeps its memory between them,
//! and it turns seeds into plans ([`Simulator::draw`]). [`hunt`] judges what they show.

mod client;
mod clock;
mod digest;
mod disk;
mod event;
mod faults;
#[cfg(test)]
mod forgetting;
pub mod hunt;
mod keys;
mod milestones;
mod network;
mod node;
mod phases;
mod prompt;
mod queue;
mod remote;
mod repeats;
mod search;
pub mod shrink;
mod sim;
mod simulator;
mod stage;
mod states;
pub mod story;
pub mod tape;
mod timers;
mod witness;

pub use milestones::{MILESTONES, OUT_OF_REACH, out_of_reach};
pub use queue::QueueKind;
pub use remote::Remote;
pub use search::Wishes;
pub use sim::{Outcome, Sink};
pub use simulator::{DEMANDS, Run, SimError, Simulator, run, simulator};
pub use witness::{Checks, Counts};

//! The inputs of the cores of a run, written down by whoever drives them, and run again.
//!
//! ```text
//!  node n0 ──► nodes/n0/inputs.log ─┐
//!  node n1 ──► nodes/n1/inputs.log ─┼─ merged by time ──► the cores once more ──► the same effects?
//!  clients ──► clients-inputs.log ──┘
//! ```
//! [`quorate_world::inputs`] says what stands in these files. Each input reaches the kernel, with one write,
//! before any effect of its step is released; so `kill -9` can cut off only what has caused nothing, and the
//! digest of a core's last step.
//!
//! Each file says of which run it is and whose, and the footer of the history how long each was at the end and what
//! its digest is. So a file that was exchanged, changed or cut off is found out.

mod again;
mod ends;
mod log;
mod milestones;
mod recorded;
mod seal;

pub use again::{ReexecuteError, Reexecuted, account, milestones, reexecute};
pub use ends::HowCut;
pub(crate) use log::{InputLog, LogError, SharedInputs};
pub(crate) use seal::{run_id, seal};

/// The name of a node's file, in its folder.
pub(crate) const INPUTS: &str = "inputs.log";
/// The name of the clients' file, in the run's folder.
pub(crate) const CLIENT_INPUTS: &str = "clients-inputs.log";

//! What happens to the cores of a run, written down so that each can be run again exactly as it ran.
//!
//! Time, sockets and disks decide in which order real processes take their inputs, so that their plan alone
//! does not bring a run back. But a core is a pure function of its inputs: whoever has these has everything.
//!
//! ```text
//!   log of a node, or of all clients
//! ┌────────┬───────┬───────┬────────┬─────┬───────┬─────┬───────┬─ ─ ─
//! │ title  │ Start │ Found │ Found  │ Did │ Input │ Did │ Input │  …
//! └────────┴───────┴───────┴────────┴─────┴───────┴─────┴───────┴─ ─ ─
//!            a life begins, with      what the     each input before its step,
//!            what is on its disk      start did    a digest of its effects after it
//! ```
//! Each of these is framed as a record of a write-ahead log is ([`quorate_systems::wal`]): its length and two
//! checksums. An input is written before any effect of its step is released, the digest with the next entry at
//! the latest. So a kill can cut off the input of a step that has caused nothing, or keep back the digest of a
//! core's last step; whatever else is missing or wrong is damage, and is named with its place. The title says of
//! which run the log is, and whose; entries are numbered.

mod account;
mod digest;
mod entry;
mod plan;
mod reader;
mod reexecute;
#[cfg(test)]
mod tests;

pub use account::{Account, Accountant, Passage, Told};
pub use digest::{Digest, of_client_step, of_refusal, of_step};
pub use entry::{
    Entry, Owner, RunId, Title, append, begin, client_input, client_start, input, start,
};
pub use plan::{Cut, Down, Syncs, ends_nodes};
pub use reader::{BadLog, Reader};
pub use reexecute::{Found, LifeCut, Log, Mismatch, Reexecution, Step, What, reexecute};

//! State machine replication (Schneider 1990), whatever protocol replicates the log: requests and their numbers, the
//! log as a replica holds it, the machine that executes it, snapshots, and the arithmetic of leases.
//!
//! The state is the store of [`crate::kv`] with the table of clients, so that a request takes effect once, in
//! however many slots it stands.

mod describe;
mod digest;
mod lease;
mod log;
mod machine;
mod queue;
mod relay;
mod request;
mod slot;

pub use digest::Chain;
pub use lease::Lease;
pub use machine::{Session, Snapshot};
pub use request::{Request, RequestNumber};
pub use slot::Slot;

pub(crate) use describe::{Short, command_field, request_field, request_identity};
pub(crate) use digest::{digest, mix};
pub(crate) use lease::{Confirmed, Grant, PPM, Rounds, later};
pub(crate) use log::{Log, Place};
pub(crate) use machine::{Executed, Machine, Standing, is_read};
pub(crate) use queue::Queue;
pub(crate) use relay::Relay;

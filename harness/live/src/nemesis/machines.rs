//! What the nemesis needs of the nodes.

use std::future::Future;

use quorate_systems::contract::Lie;

use crate::cluster::{Exit, Trouble};
use crate::protocol::{Control, DiskMode, Ready, Status};

/// The node processes of a run, as far as faults are concerned.
///
/// All that takes long enough to notice is bounded by the implementation and ends in [`Trouble`].
pub(crate) trait Machines: Send + Sync + 'static {
    /// How many nodes there are.
    fn count(&self) -> u16;

    /// Starts a node that is down, and waits until it serves and is again as wrong as it is to be.
    fn start_node(&self, node: u16) -> impl Future<Output = Result<Ready, Trouble>> + Send;

    /// As [`Machines::start_node`], where the node may refuse to start from its disk.
    fn try_start(&self, node: u16) -> impl Future<Output = Result<Started, Trouble>> + Send;

    /// Kills a node; it is gone when this returns. What it wrote survives.
    fn kill(&self, node: u16) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Kills a node so that it loses what it has not synced.
    fn lose_power(&self, node: u16) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Stops a node's process where it stands; it does not run any more when this returns.
    fn pause(&self, node: u16) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Lets a stopped node go on.
    fn resume(&self, node: u16) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Tells a node what to do; how it stands then.
    fn order(
        &self,
        node: u16,
        what: Control,
    ) -> impl Future<Output = Result<Status, Trouble>> + Send;

    /// Makes a node's disk bad. The node will end with `code` when it writes next.
    fn break_disk(
        &self,
        node: u16,
        mode: DiskMode,
        code: i32,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Makes the disk of a node that did not end of it good again.
    fn mend_disk(&self, node: u16) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Waits until a node's process has ended, and says how.
    fn ended(&self, node: u16) -> impl Future<Output = Option<Exit>> + Send;

    /// Whether a node's process is there, running or stopped.
    fn lives(&self, node: u16) -> bool;

    /// How often a node that lives has booted.
    fn incarnation(&self, node: u16) -> Option<u64>;

    /// Makes a node's clock wrong, or right again with 0 and 1 000 000; after a restart as well.
    fn set_clock(
        &self,
        node: u16,
        offset_ms: i64,
        rate_ppm: u32,
    ) -> impl Future<Output = Result<Status, Trouble>> + Send;

    /// Makes a node lie, or stop lying; after a restart as well.
    fn set_lie(
        &self,
        node: u16,
        lie: Option<Lie>,
    ) -> impl Future<Output = Result<Status, Trouble>> + Send;

    /// Flips one bit of a record on the disk of a node that is down; where, or `None` if it has none yet.
    fn flip_bit(&self, node: u16) -> Result<Option<String>, Trouble>;

    /// Puts the flipped bit right, if there is one.
    fn flip_back(&self, node: u16) -> Result<(), Trouble>;
}

/// How the start of a node ended, where both ends are possible.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Started {
    /// It serves.
    Up(Ready),
    /// It refuses to start from its disk.
    Refused(Exit),
}

//! Options, and the checks that refuse what cannot work.

use alloc::format;

use super::vocabulary::VOCABULARY;
use crate::contract::{ConfigError, Micros, NodeId, Options};
use crate::mutant::Mutants;
use crate::options::{number, refuse_unknown};

/// Checked options of a cluster of servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many servers there are.
    pub nodes: u16,
    /// So many slots may be open at once, proposed and not yet ordered.
    pub window: u64,
    /// So many slots are executed from one snapshot to the next.
    pub snapshot_every: u64,
    /// How long there may be something to do without anything being done before the next view is attempted.
    pub progress: Micros,
    /// The planted bug, if any.
    pub mutants: Mutants,
}

impl Config {
    /// How many servers are more than half.
    pub fn majority(&self) -> u32 {
        self.accepts() + 1
    }

    /// How many Accepts of distinct non-leaders order a Proposal: with the leader they are a majority.
    pub fn accepts(&self) -> u32 {
        u32::from(self.nodes / 2)
    }

    /// All servers.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes).map(NodeId)
    }
}

/// More servers would be no better, and a set of them has a bound.
const NODES_MAX: u16 = 16;
/// A data list has every open slot in one message.
const WINDOW_MAX: u64 = 512;
/// A data list has every slot since the last snapshot in one message.
const SNAPSHOT_EVERY_MAX: u64 = 2_048;
/// Below that, a view would be given up before it is installed; nobody wants to wait longer.
const PROGRESS_MS: (u64, u64) = (50, 10_000);

/// Reads and checks options for a cluster of `nodes`.
pub(super) fn configure(
    nodes: u16,
    options: &Options,
    mutants: Mutants,
) -> Result<Config, ConfigError> {
    refuse_unknown(&VOCABULARY, options)?;
    if nodes == 0 || nodes > NODES_MAX {
        return Err(ConfigError::Impossible(format!(
            "{nodes} nodes: Paxos for System Builders runs on 1 to {NODES_MAX} nodes"
        )));
    }
    let window = number(options, "window", (1, WINDOW_MAX))?.unwrap_or(16);
    let snapshot_every = number(options, "snapshot_every", (1, SNAPSHOT_EVERY_MAX))?;
    let snapshot_every = snapshot_every.unwrap_or(256);
    let progress_ms = number(options, "progress_ms", PROGRESS_MS)?.unwrap_or(300);
    let progress = Micros::from_millis(progress_ms);
    Ok(Config { nodes, window, snapshot_every, progress, mutants })
}

//! Options, and the checks that refuse what cannot work.

use alloc::format;
use alloc::string::String;

use super::vocabulary::VOCABULARY;
use crate::contract::{ConfigError, Micros, NodeId, Options};
use crate::mutant::Mutants;
use crate::options::{number, refuse_unknown};
use crate::smr::{Lease, PPM};

/// Checked options of a cluster of Multi-Paxos replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many nodes there are; each is proposer, acceptor and learner.
    pub nodes: u16,
    /// How a read is answered.
    pub reads: Reads,
    /// So many slots may be open at once, proposed and not yet decided.
    pub window: u64,
    /// So many slots are executed from one snapshot to the next.
    pub snapshot_every: u64,
    /// The planted bug, if any.
    pub mutants: Mutants,
}

impl Config {
    /// How many nodes are more than half.
    pub fn majority(&self) -> u32 {
        u32::from(self.nodes / 2 + 1)
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes).map(NodeId)
    }

    /// The lease that a leader may hold, where reads need one.
    pub fn lease(&self) -> Option<Lease> {
        match self.reads {
            Reads::Lease(lease) => Some(lease),
            Reads::Log | Reads::ReadIndex => None,
        }
    }
}

/// How a read is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// As a write is: through a slot of the log.
    Log,
    /// From the leader's state, once a round of heartbeats that began after the read came has confirmed
    /// that it leads.
    ReadIndex,
    /// From the leader's state at once, while it holds a lease; otherwise as by read-index.
    Lease(Lease),
}

/// More nodes would be no better, and a set of them has a bound.
const NODES_MAX: u16 = 16;
/// A promise reports every open slot in one message.
const WINDOW_MAX: u64 = 1_024;
/// A promise reports every slot since the last snapshot in one message.
const SNAPSHOT_EVERY_MAX: u64 = 4_096;
/// A minute without a leader after each restart is as much as anybody can want.
const LEASE_MS_MAX: u64 = 60_000;

const WINDOW: u64 = 16;
const SNAPSHOT_EVERY: u64 = 256;
const LEASE_MS: u64 = 300;
const DRIFT_PPM: u64 = 10_000;

/// Reads and checks options for a cluster of `nodes`.
pub(super) fn configure(
    nodes: u16,
    options: &Options,
    mutants: Mutants,
) -> Result<Config, ConfigError> {
    refuse_unknown(&VOCABULARY, options)?;
    if nodes == 0 || nodes > NODES_MAX {
        return Err(ConfigError::Impossible(format!(
            "{nodes} nodes: Multi-Paxos runs on 1 to {NODES_MAX} nodes"
        )));
    }
    let length_ms = number(options, "lease_ms", (1, LEASE_MS_MAX))?;
    let drift_ppm = number(options, "drift_ppm", (0, PPM - 1))?;
    let lease = Lease {
        length: Micros::from_millis(length_ms.unwrap_or(LEASE_MS)),
        drift_ppm: drift_ppm.unwrap_or(DRIFT_PPM),
    };
    let reads = match options.get("reads").map_or("log", String::as_str) {
        "log" => Reads::Log,
        "read-index" => Reads::ReadIndex,
        "lease" => Reads::Lease(lease),
        value => {
            return Err(ConfigError::BadValue {
                name: "reads",
                value: value.into(),
                expected: "one of log, read-index, lease".into(),
            });
        }
    };
    if !matches!(reads, Reads::Lease(_)) && (length_ms.is_some() || drift_ppm.is_some()) {
        return Err(ConfigError::Impossible(
            "options `lease_ms` and `drift_ppm` are for reads=lease".into(),
        ));
    }
    let window = number(options, "window", (1, WINDOW_MAX))?.unwrap_or(WINDOW);
    let snapshot_every = number(options, "snapshot_every", (1, SNAPSHOT_EVERY_MAX))?;
    let snapshot_every = snapshot_every.unwrap_or(SNAPSHOT_EVERY);
    Ok(Config { nodes, reads, window, snapshot_every, mutants })
}

//! What is asked of a system.

use serde::{Deserialize, Serialize};

use crate::NODES_DEFAULT;

/// A mix of operations and its controls. The operations themselves follow from this and the plan's seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workload {
    /// Which operations there are.
    pub kind: WorkloadKind,
    /// How many clients act at once.
    pub clients: u32,
    /// Invocations a second over all clients, at most; 0: as fast as answers come.
    pub rate_per_s: u32,
    /// How many keys are in use at once. The clients are dealt out to them in turn; a key has at most
    /// ⌈clients / keys⌉ clients.
    pub keys: u32,
    /// A key that has seen this many invocations is left and a new one begun, so that each key's history
    /// stays checkable.
    pub operations_per_key: u32,
    /// How many of a hundred operations are reads.
    pub read_percent: u8,
    /// What is written.
    pub values: ValueChoice,
}

impl Workload {
    /// The workload for a cluster of this size when nothing else is asked for: three clients a node.
    pub fn for_nodes(nodes: u16) -> Self {
        Self {
            kind: WorkloadKind::Register,
            clients: 3 * u32::from(nodes),
            rate_per_s: 200,
            keys: 3,
            operations_per_key: 300,
            read_percent: 50,
            values: ValueChoice::Unique,
        }
    }
}

impl Default for Workload {
    fn default() -> Self {
        Self::for_nodes(NODES_DEFAULT)
    }
}

/// The kinds of workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadKind {
    /// Reads and writes of independent registers.
    Register,
    /// Proposals to independent instances of consensus, and reads of what is decided.
    Consensus,
}

impl WorkloadKind {
    /// Every kind.
    pub const ALL: &[Self] = &[Self::Register, Self::Consensus];

    /// Its name in plans and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Consensus => "consensus",
        }
    }

    /// How many operations a key sees before it is left for a new one, where nothing else is asked for.
    pub const fn operations_per_key(self) -> u32 {
        match self {
            Self::Register => 300,
            // Once something is decided there is little left to see.
            Self::Consensus => 30,
        }
    }

    /// The functions that a system must support for it, by the names that histories give them.
    pub const fn functions(self) -> &'static [&'static str] {
        match self {
            Self::Register => &["read", "write"],
            Self::Consensus => &["read", "propose"],
        }
    }

    /// What it asks, in a few words.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Register => "reads and writes of independent registers",
            Self::Consensus => "proposals to write-once registers, and reads of what is decided",
        }
    }
}

/// Where written values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueChoice {
    /// No value is written twice in a run.
    Unique,
    /// Each is drawn from 0 … 4.
    Few,
}

impl ValueChoice {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::Unique, Self::Few];

    /// Its name in plans and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unique => "unique",
            Self::Few => "few",
        }
    }
}

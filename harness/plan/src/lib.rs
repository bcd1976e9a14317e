//! The vocabulary of a run: everything that can vary in it is in its [`Plan`], and a Plan is plain data.

mod endpoint;
mod fault;
mod vocabulary;
mod workload;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use endpoint::{BadEndpoint, Endpoint};
pub use fault::{Disk, Fault, FaultClass, Grudge, PartitionShape, PlannedFault};
pub use vocabulary::Vocabulary;
pub use workload::{ValueChoice, Workload, WorkloadKind};

/// All that a World needs to run a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The name of the test: the folder of its runs in the store. Letters, digits, `-`, `_`, `.`.
    pub name: String,
    /// The seed that everything not written here is drawn from: operations, message fates, entropy.
    pub seed: u64,
    /// Where it runs.
    pub world: WorldKind,
    /// What is tested.
    pub system: SystemPlan,
    /// What is asked of it.
    pub workload: Workload,
    /// How long things take.
    pub durations: Durations,
    /// Fault classes of which each must bite at least once for the run to mean anything.
    pub fault_classes: Vec<FaultClass>,
    /// Faults with their times, in order of `at_ms`.
    pub faults: Vec<PlannedFault>,
}

/// Which World a Plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorldKind {
    /// Real processes, real time.
    Live,
}

/// The system under test and its shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemPlan {
    /// Its name, as in its vocabulary.
    pub kind: String,
    /// How many replicas: 1 to [`NODES_MAX`].
    pub nodes: u16,
    /// Options by name, as its vocabulary lists them; absent ones have their default.
    pub options: BTreeMap<String, String>,
}

/// The lengths of a run, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Durations {
    /// From the first operation until all faults are healed.
    pub time_limit_ms: u64,
    /// An operation that takes longer ends as `info` (a read: `fail`).
    pub operation_timeout_ms: u64,
    /// For the reads of every key after healing: the longest that this phase may take.
    pub final_reads_ms: u64,
}

/// More replicas than this make start-up checks that enumerate quorums too slow.
pub const NODES_MAX: u16 = 12;

/// More clients than this is a mistake in a flag rather than a test.
pub const CLIENTS_MAX: u32 = 1_000;

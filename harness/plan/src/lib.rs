//! The vocabulary of a run: everything that can vary in it is in its [`Plan`], and a Plan is plain data.

mod classes;
mod describe;
mod draw;
mod endpoint;
mod fault;
mod generator;
mod grudge;
mod schedule;
pub mod seed;
mod validate;
mod vocabulary;
mod workload;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use classes::{FaultChoice, FaultsError, UnknownFaultClass};
pub use describe::names;
pub use endpoint::{BadEndpoint, Endpoint};
pub use fault::{Disk, Fault, FaultClass, Grudge, PartitionShape, PlannedFault};
pub use generator::{FEW_VALUES, Generator, PlannedOperation};
pub use schedule::{FaultRequest, faults};
pub use validate::PlanError;
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
    #[serde(default)]
    pub workload: Workload,
    /// How long things take.
    #[serde(default)]
    pub durations: Durations,
    /// Fault classes of which each must bite at least once for the run to mean anything.
    #[serde(default)]
    pub fault_classes: Vec<FaultClass>,
    /// Faults with their times, in order of `at_ms`.
    #[serde(default)]
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
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl WorldKind {
    /// Every World.
    pub const ALL: &[Self] = &[Self::Live];

    /// Its name in plans and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
        }
    }
}

/// The lengths of a run, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Durations {
    /// From the first operation until all faults are healed.
    pub time_limit_ms: u64,
    /// An operation that takes longer ends as `info` (a read: `fail`).
    pub operation_timeout_ms: u64,
    /// For the reads of every key after healing: the longest that this phase may take.
    pub final_reads_ms: u64,
}

impl Default for Durations {
    fn default() -> Self {
        Self { time_limit_ms: 30_000, operation_timeout_ms: 1_000, final_reads_ms: 10_000 }
    }
}

/// How many replicas a cluster has when nothing else is asked for.
pub const NODES_DEFAULT: u16 = 5;

/// The lies that [`Fault::Byzantine`] knows.
pub const LIES: &[&str] = &["wrong-value", "wrong-timestamp", "silent"];

/// More replicas than this make start-up checks that enumerate quorums too slow.
pub const NODES_MAX: u16 = 12;

/// More clients than this is a mistake in a flag rather than a test.
pub const CLIENTS_MAX: u32 = 1_000;

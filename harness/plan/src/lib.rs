//! The vocabulary of a run: everything that can vary in it is in its [`Plan`], and a Plan is plain data.

mod campaign;
mod classes;
mod describe;
mod draw;
mod endpoint;
mod fault;
mod generator;
mod grudge;
mod moment;
mod part;
mod rule;
mod schedule;
mod script;
pub mod seed;
mod shows;
mod text;
mod trace;
mod validate;
mod vocabulary;
mod weather;
mod workload;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use campaign::{BadShard, Deal, Dealt, LIVE_EACH, Shard};
pub use classes::{Bearing, FaultChoice, FaultsError, UnknownFaultClass};
pub use describe::names;
pub use endpoint::{BadEndpoint, Endpoint};
pub use fault::{Disk, Fault, FaultClass, Grudge, PartitionShape, PlannedFault, RIGHT_RATE_PPM};
pub use generator::{FEW_VALUES, Generator, PlannedOperation};
pub use grudge::two_sides;
pub use moment::{MessageMatch, Moment, NodeMatch, ObservationMatch, OperationMatch};
pub use part::Part;
pub use rule::{Act, Rule};
pub use schedule::{FaultRequest, faults};
pub use script::{Function, Script, ScriptedOperation, ScriptedPart};
pub use shows::Shows;
pub use text::{ReadError, from_json, from_toml, read_toml, to_toml};
pub use trace::{TraceEntry, TraceStep};
pub use validate::{PlanError, check_names};
pub use vocabulary::{Kind, Vocabulary};
pub use weather::{Delay, Weather};
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
    /// What it is believed to come to; a plan that goes beyond what the system promises must say.
    #[serde(default, skip_serializing_if = "Expectation::is_valid")]
    pub expect: Expectation,
    /// What is asked of it.
    #[serde(default)]
    pub workload: Workload,
    /// Clients whose operations are written out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scripts: Vec<Script>,
    /// How long things take.
    #[serde(default)]
    pub durations: Durations,
    /// The background of delay and loss. Absent: a simulated run has [`Weather::default`], a live one what
    /// its machine brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weather: Option<Weather>,
    /// Fault classes of which each must bite at least once for the run to mean anything.
    #[serde(default)]
    pub fault_classes: Vec<FaultClass>,
    /// Faults with their times, in order of `at_ms`.
    #[serde(default)]
    pub faults: Vec<PlannedFault>,
    /// What becomes of single messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Explicit deliveries and wakes, in order of their times. Only the simulator can follow them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<TraceEntry>,
    /// How a simulated run ends: who must suffice for liveness, and within what time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<Liveness>,
    /// What a run of it was seen to show, where it is kept for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows: Option<Shows>,
}

impl Plan {
    /// A plan in which nothing goes wrong, with the default of everything that has one.
    pub fn new(name: &str, seed: u64, world: WorldKind, system: SystemPlan) -> Self {
        Self {
            name: name.to_owned(),
            seed,
            world,
            expect: Expectation::Valid,
            workload: Workload::for_nodes(system.nodes),
            system,
            scripts: Vec::new(),
            durations: Durations::default(),
            weather: None,
            fault_classes: Vec::new(),
            faults: Vec::new(),
            rules: Vec::new(),
            trace: Vec::new(),
            liveness: None,
            shows: None,
        }
    }
}

/// The second phase of a simulated run. At the time limit the core is healed: its nodes are up, its clocks
/// and disks are right, and the links among core nodes and all clients are good. Everything else stays as
/// broken as it is. Then all is healed, and everything must come together again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Liveness {
    /// The nodes that must suffice; all of them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core: Option<BTreeSet<u16>>,
    /// Within so much virtual time after the healing, in milliseconds, every operation that is open or begun
    /// then must be complete.
    pub bound_ms: u64,
}

/// What the author of a plan believes that it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// Nothing breaks: whatever does is a bug.
    #[default]
    Valid,
    /// Harm, since more goes wrong than the system promises to bear: a control for the harness.
    Invalid,
}

impl Expectation {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    const fn is_valid(&self) -> bool {
        matches!(self, Self::Valid)
    }
}

/// Which World a Plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorldKind {
    /// Real processes, real time.
    Live,
    /// Virtual time: a pure function of the Plan.
    Sim,
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
    pub const ALL: &[Self] = &[Self::Live, Self::Sim];

    /// Its name in plans and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Sim => "sim",
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
    /// For the reads of every key after healing: the longest that this phase may take. It ends as soon as all is read.
    /// By default it suffices for the longest back-off of any system, and for liars that lead one after the other.
    pub final_reads_ms: u64,
}

impl Default for Durations {
    fn default() -> Self {
        Self { time_limit_ms: 30_000, operation_timeout_ms: 1_000, final_reads_ms: 30_000 }
    }
}

/// The end of a simulated run writes values from here on, so that they are told from all others. Those that liars
/// make up are still greater.
pub const CLOSING_VALUES: u64 = 900_000_000_000;

/// The greatest value that a script may write: greater ones would be taken for what nobody asked for.
pub const VALUE_MAX: u64 = CLOSING_VALUES - 1;

/// How many replicas a cluster has when nothing else is asked for.
pub const NODES_DEFAULT: u16 = 5;

/// The lies that [`Fault::Byzantine`] knows. Which of them make sense is the system's to say.
pub const LIES: &[&str] = &[
    "wrong-value",
    "wrong-timestamp",
    "silent",
    "equivocate",
    "replay",
    "lie-to-clients",
    TWINS,
    "slow",
    "starve",
    "forge-request",
    "mutate",
    "false-checkpoint",
    "omit-certificates",
    "invent-certificates",
];

/// The lie of a node that lives twice. One process cannot tell it: the live world has no second copy of a replica.
pub const TWINS: &str = "twins";

/// The lies that [`Fault::ByzantineClients`] knows. Which of them make sense is the system's to say.
pub const CLIENT_LIES: &[&str] = &["equivocate", "spoil-authenticator"];

/// More replicas than this make start-up checks that enumerate quorums too slow.
pub const NODES_MAX: u16 = 12;

/// More clients than this is a mistake in a flag rather than a test.
pub const CLIENTS_MAX: u32 = 1_000;

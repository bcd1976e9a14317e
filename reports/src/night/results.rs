//! What a campaign came to, as data: what `results.json` holds, and what its page is made from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All that is known of a campaign. Apart from [`Results::times`] and what real processes do it follows from the
/// campaign alone, and does not depend on the number of threads or shards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// The program and its version.
    pub program: String,
    /// How all of it is judged: `valid`, `invalid`, `unknown`, `broken`.
    pub verdict: String,
    /// Why, in one sentence, without a full stop.
    pub sentence: String,
    /// What was asked for, as the campaign file has it: names with their values.
    pub campaign: BTreeMap<String, String>,
    /// Runs by system, world and workload, in this order.
    pub cells: Vec<Cell>,
    /// What failed, each signature once.
    pub failures: Vec<Failure>,
    /// All runs that failed, by world, system and demand.
    pub classes: Vec<FailureClass>,
    /// Why runs came to no verdict.
    pub unknowns: Vec<Reason>,
    /// Runs that broke the harness.
    pub broken: Vec<Reason>,
    /// How often faults bit.
    pub faults: Vec<FaultCoverage>,
    /// What the protocols came to in simulated runs.
    pub milestones: Vec<SystemMilestones>,
    /// When, and how long: the only part that differs when the same simulated campaign is run again.
    pub times: Times,
}

/// Runs of one system in one world with one workload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// The system.
    pub system: String,
    /// The world.
    pub world: String,
    /// The workload.
    pub workload: String,
    /// Runs by how they ended.
    pub runs: Verdicts,
    /// Operations that were done.
    pub ok: u64,
    /// Operations that certainly were not done.
    pub fail: u64,
    /// Operations of which nobody knows.
    pub info: u64,
    /// Events of the simulated world; of histories in the live one.
    pub events: u64,
    /// Virtual time, in microseconds.
    pub virtual_us: u64,
}

/// Runs by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdicts {
    /// Nothing is wrong.
    pub valid: u64,
    /// Something is.
    pub invalid: u64,
    /// Nobody can tell.
    pub unknown: u64,
    /// The harness failed: no verdict.
    pub broken: u64,
}

impl Verdicts {
    /// All of them.
    pub const fn total(self) -> u64 {
        self.valid + self.invalid + self.unknown + self.broken
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            valid: self.valid + other.valid,
            invalid: self.invalid + other.invalid,
            unknown: self.unknown + other.unknown,
            broken: self.broken + other.broken,
        }
    }
}

impl Results {
    /// All runs.
    pub fn runs(&self) -> Verdicts {
        self.cells.iter().fold(Verdicts::default(), |sum, cell| sum.plus(cell.runs))
    }

    /// The runs of one world.
    pub fn runs_in(&self, world: &str) -> Verdicts {
        let own = self.cells.iter().filter(|cell| cell.world == world);
        own.fold(Verdicts::default(), |sum, cell| sum.plus(cell.runs))
    }
}

/// A failure by its signature: the system, the demand that is broken, and the shape of the shrunk plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Its name, also that of its folder in `failures/`.
    pub signature: String,
    /// The system.
    pub system: String,
    /// The demand that is broken.
    pub demand: String,
    /// The shape in words; empty where nothing was shrunk.
    pub shape: String,
    /// What is wrong, in one sentence, without a full stop.
    pub sentence: String,
    /// What leads to it, step by step.
    pub steps: Vec<String>,
    /// The runs that were shrunk to it, or to something with more, by their numbers.
    pub runs: Vec<u64>,
    /// The world of the first of them.
    pub world: String,
    /// The seed of the plan of the first of them.
    pub seed: u64,
    /// How large its plan was; empty where nothing was shrunk.
    pub before: String,
    /// How large it is now.
    pub after: String,
    /// Nothing makes it smaller; or shrinking was stopped before that.
    pub is_complete: bool,
}

/// Runs that broke one demand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureClass {
    /// The world.
    pub world: String,
    /// The system.
    pub system: String,
    /// The workload of the first of them.
    pub workload: String,
    /// The demand.
    pub demand: String,
    /// How many runs broke it.
    pub runs: u64,
    /// How many of these are among the failures: the others are counted only.
    pub examined: u64,
}

/// Why runs came to no verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The world.
    pub world: String,
    /// The reason, with `…` for the numbers and names in it.
    pub reason: String,
    /// How many runs.
    pub runs: u64,
    /// The first of them, by their numbers, with the folders in which they are kept.
    pub first: BTreeMap<u64, String>,
}

/// How often faults of a class bit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultCoverage {
    /// The world.
    pub world: String,
    /// The class.
    pub class: String,
    /// Faults that began.
    pub begun: u64,
    /// Of these, faults that were seen to do something.
    pub bitten: u64,
    /// Faults that could not be carried out.
    pub skipped: u64,
    /// Runs in which one bit.
    pub runs: u64,
}

/// How often the milestones of a system were reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemMilestones {
    /// The system.
    pub system: String,
    /// How many simulated runs it had.
    pub runs: u64,
    /// How many live runs it had.
    #[serde(default)]
    pub live_runs: u64,
    /// All that there are, those of the world behind those of the system.
    pub places: Vec<Place>,
}

/// A milestone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// What has happened there.
    pub what: String,
    /// It is one of the simulated world, not of the protocol.
    pub is_of_world: bool,
    /// How often it was reached in simulated runs.
    pub times: u64,
    /// In how many of them.
    pub runs: u64,
    /// How often it was reached in live runs.
    #[serde(default)]
    pub live_times: u64,
    /// In how many of them.
    #[serde(default)]
    pub live_runs: u64,
    /// Why no simulated run can reach it, if none can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beyond: Option<String>,
}

impl Place {
    /// Whether any run reached it.
    pub const fn is_reached(&self) -> bool {
        self.times + self.live_times > 0
    }
}

/// When, and how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// When it began, in UTC.
    pub began: String,
    /// How it ended: `finished`, `stopped` before its time, or it is `running`.
    pub state: String,
    /// How long it went on, in milliseconds.
    pub elapsed_ms: u64,
    /// How long single runs took, in microseconds, by system, world and workload as in [`Results::cells`].
    pub spent_us: Vec<u64>,
}

impl Times {
    /// Whether it goes on, or was killed.
    pub fn is_running(&self) -> bool {
        self.state == "running"
    }

    /// How long it went on, in seconds.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn seconds(&self) -> f64 {
        self.elapsed_ms as f64 / 1e3
    }
}

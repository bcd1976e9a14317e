//! From a plan that fails to a small one that fails in the same way, which reads as a story.
//!
//! ```text
//!   plan ──► fewer faults ──► scripts instead of drawn operations, fewer of them ──► fewer nodes, plainer options
//!                                                                                          │
//!   rules for the messages that matter ◄── calm weather, with a rule for every message ◄───┘
//!      │
//!      └──► every part: without it, plainer, or anchored to what happens ──► again, until nothing goes any more
//! ```
//!
//! A candidate counts if a run of it breaks the same demand, by name, as the run of the first plan did: the demand
//! that is broken first after the first operation has begun, else linearizability. So a plan that is refused,
//! for what it says or because it goes beyond what the system promises, never counts. A failure that shows while
//! there are faults is better than one that shows only in what clients do at the end of every run: once there is
//! a plan with the first kind, only that kind counts. Everything follows from the
//! plan and the mutant: the same plan is shrunk to the same one, unless it is stopped before.
//!
//! Where a candidate fails no more a few other seeds are tried: fates are drawn from what a message is, so
//! that most of them stay when something is taken out, but not all.

mod calm;
mod cost;
mod ddmin;
mod judge;
mod operations;
mod parts;
mod rename;
mod rules;
mod scale;
mod shape;

use std::collections::BTreeMap;

use quorate_plan::{Plan, WorldKind};
use quorate_systems::mutant::Mutants;
use quorate_world::registry::{self, UnknownSystem};

pub use cost::Size;
pub use shape::Shape;

use crate::digest::Digest;
use crate::simulator::SimError;
use crate::tape::Tape;
use judge::{Broken, Judge, When};

/// What there is after shrinking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The smallest plan that was found.
    pub plan: Plan,
    /// The demand that it breaks, as the first plan did.
    pub demand: String,
    /// How many plans were run.
    pub tries: u64,
    /// The sizes of the first plan.
    pub before: Size,
    /// The sizes of the smallest.
    pub after: Size,
    /// Nothing that is known to be tried makes it smaller; otherwise it was stopped before that.
    pub is_complete: bool,
}

/// How far shrinking is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being tried.
    pub pass: &'static str,
    /// How many plans were run.
    pub tries: u64,
    /// The sizes of the smallest plan that was found.
    pub size: Size,
}

/// Why nothing was shrunk.
#[derive(Debug, thiserror::Error)]
pub enum ShrinkError {
    /// There is no such system.
    #[error(transparent)]
    System(#[from] UnknownSystem),
    /// The plan cannot be run.
    #[error(transparent)]
    Sim(#[from] SimError),
    /// A run of it breaks another demand than it is to break.
    #[error("a simulated run of the plan breaks {broken}, and not what it is to break")]
    AnotherDemand {
        /// What it breaks.
        broken: String,
    },
    /// A run of it breaks nothing.
    #[error("a simulated run of the plan breaks nothing, so there is nothing to shrink")]
    NothingBroken,
}

/// Which failure of a plan is shrunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Whatever a run of it breaks first.
    Any,
    /// This demand must be what it breaks first.
    Demand(String),
    /// None is known: it is wrong if a run breaks anything.
    Nothing,
}

impl Wanted {
    fn is(&self, broken: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Demand(demand) => demand == broken,
            Self::Nothing => false,
        }
    }
}

/// Shrinks a plan whose run fails as it is wanted to. `watch` is told how far it is before each run, and says whether to
/// go on.
pub fn shrink(
    plan: &Plan,
    mutants: Mutants,
    wanted: &Wanted,
    watch: &mut dyn FnMut(&Progress) -> bool,
) -> Result<Shrunk, ShrinkError> {
    let kind = registry::find(&plan.system.kind)?;
    let mut judge = Judge::new(kind, mutants);
    let plan = Plan { world: WorldKind::Sim, ..plan.clone() };
    let Broken { demand, when } = judge.broken(&plan)?.ok_or(ShrinkError::NothingBroken)?;
    if !wanted.is(&demand) {
        return Err(ShrinkError::AnotherDemand { broken: demand });
    }
    let drawn = judge.tape(&plan)?.operations.iter().filter(|done| !done.is_late).count() as u64;
    let before = Size::of(&plan, drawn);
    let mut work = Work {
        judge,
        demand,
        when,
        drawn,
        best: (cost::cost(&plan), plan.clone()),
        current: plan,
        tries: 0,
        pass: "",
        known: BTreeMap::new(),
        is_stopped: false,
        watch,
    };
    work.go();
    let Work { judge: _, demand, best: (_, plan), tries, is_stopped, .. } = work;
    let after = Size::of(&plan, drawn);
    Ok(Shrunk { plan, demand, tries, before, after, is_complete: !is_stopped })
}

/// The demand that a simulated run of this plan breaks, as [`shrink`] would have it; nothing if it breaks nothing.
pub fn breaks(plan: &Plan, mutants: Mutants) -> Result<Option<String>, ShrinkError> {
    let kind = registry::find(&plan.system.kind)?;
    let broken = Judge::new(kind, mutants).broken(plan)?;
    Ok(broken.map(|Broken { demand, when: _ }| demand))
}

/// Shrinking that goes on.
struct Work<'a> {
    judge: Judge,
    /// What must be broken.
    demand: String,
    /// In which part of the run.
    when: When,
    drawn: u64,
    /// The smallest plan, with its cost.
    best: (u64, Plan),
    /// The plan that is worked on: it fails as well.
    current: Plan,
    tries: u64,
    pass: &'static str,
    /// What came of plans that were tried.
    known: BTreeMap<String, bool>,
    is_stopped: bool,
    watch: &'a mut dyn FnMut(&Progress) -> bool,
}

/// More outcomes than this are not remembered.
const KNOWN_MAX: usize = 200_000;
/// Rounds of all passes: each makes the plan smaller, so that there are few.
const ROUNDS_MAX: usize = 20;

/// Seeds that are tried for the plan without any fault.
const SEEDS_WITHOUT_FAULTS: u64 = 200;

impl Work<'_> {
    /// From several beginnings: each may end where nothing goes any more, and the smallest end counts.
    fn go(&mut self) {
        let first = self.current.clone();
        self.pass("faults", Self::drop_faults);
        self.pass("operations", Self::write_scripts);
        self.as_far_as_it_goes();
        self.current = first.clone();
        self.pass("operations", Self::write_scripts);
        self.as_far_as_it_goes();
        if !first.faults.is_empty() {
            let bare = Plan { faults: Vec::new(), fault_classes: Vec::new(), ..first.clone() };
            self.pass = "no faults";
            if self.fails(&bare)
                || other_seeds(&bare, SEEDS_WITHOUT_FAULTS).any(|plan| self.take(&plan))
            {
                self.pass("operations", Self::write_scripts);
                self.as_far_as_it_goes();
            }
        }
        self.current = first;
        self.pass = "bare scripts";
        if self.bare_scripts() {
            self.as_far_as_it_goes();
        }
    }

    /// Makes the present plan as small as it goes.
    fn as_far_as_it_goes(&mut self) {
        for _ in 0..2 {
            self.pass("operations", Self::drop_operations);
            self.pass("faults", Self::drop_faults);
            self.pass("nodes", Self::fewer_nodes);
            self.pass("options", Self::plainer_options);
        }
        self.pass("weather", Self::calm_weather);
        self.pass("operations", Self::write_scripts);
        self.round_after_round();
        if self.when == When::Late {
            self.pass("operations", Self::bring_forward);
            if self.when == When::Early {
                self.round_after_round();
            }
        }
    }

    fn round_after_round(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let before = cost::cost(&self.current);
            self.pass("trace", Self::drop_trace);
            self.pass("rules", Self::drop_rules);
            self.pass("operations", Self::drop_operations);
            self.pass("faults", Self::drop_faults);
            self.pass("faults", Self::plainer_faults);
            self.pass("nodes", Self::fewer_nodes);
            self.pass("options", Self::plainer_options);
            self.pass("weather", Self::calm_weather);
            self.pass("faults", Self::faults_to_rules);
            self.pass("rules", Self::plainer_rules);
            self.pass("rules", Self::merge_rules);
            self.pass("operations", Self::plainer_operations);
            self.pass("times", Self::plainer_times);
            if self.is_stopped || cost::cost(&self.current) >= before {
                break;
            }
        }
    }

    fn pass(&mut self, name: &'static str, job: impl FnOnce(&mut Self)) {
        self.pass = name;
        if !self.is_stopped {
            job(self);
        }
    }

    /// Whether a run of this plan breaks what must be broken.
    fn fails(&mut self, plan: &Plan) -> bool {
        if self.is_stopped {
            return false;
        }
        let key = fingerprint(plan);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let size = Size::of(&self.best.1, self.drawn);
        let progress = Progress { pass: self.pass, tries: self.tries, size };
        if !(self.watch)(&progress) {
            self.is_stopped = true;
            return false;
        }
        self.tries += 1;
        let fails = self.breaks_it(plan);
        if self.known.len() < KNOWN_MAX {
            self.known.insert(key, fails);
        }
        fails
    }

    fn breaks_it(&mut self, plan: &Plan) -> bool {
        if self.when == When::Early {
            return self.judge.breaks_early(plan, &self.demand).unwrap_or_default();
        }
        let broken = self.judge.broken(plan).unwrap_or_default();
        let Some(broken) = broken.filter(|broken| broken.demand == self.demand) else {
            return false;
        };
        if self.when == When::Late && broken.when == When::Early {
            // From here on nothing else counts: what is known may be of no use.
            self.when = When::Early;
            self.known.clear();
            self.best = (cost::cost(plan), plan.clone());
        }
        broken.when == self.when
    }

    /// Goes on with this plan, which fails.
    fn accept(&mut self, plan: Plan) {
        let cost = cost::cost(&plan);
        if cost < self.best.0 {
            self.best = (cost, plan.clone());
        }
        self.current = plan;
    }

    /// Goes on with this plan if it fails.
    fn take(&mut self, plan: &Plan) -> bool {
        let fails = self.fails(plan);
        if fails {
            self.accept(plan.clone());
        }
        fails
    }

    /// Goes on with this plan if it is smaller and fails.
    fn improve(&mut self, plan: &Plan) -> bool {
        cost::cost(plan) < cost::cost(&self.current) && self.take(plan)
    }

    /// As [`Self::improve`], with one of so many other seeds if need be.
    fn improve_with_seeds(&mut self, plan: &Plan, seeds: u64) -> bool {
        if self.improve(plan) {
            return true;
        }
        // A seed must not be what makes it larger.
        let room = cost::cost(plan) + 64 < cost::cost(&self.current);
        room && other_seeds(plan, seeds).any(|plan| self.improve(&plan))
    }

    /// All that happens in the run of the present plan.
    fn tape(&mut self) -> Tape {
        if self.is_stopped {
            return Tape::default();
        }
        let plan = self.current.clone();
        self.judge.tape(&plan).unwrap_or_default()
    }
}

/// The same plan with other seeds: small ones, which are easy to read.
fn other_seeds(plan: &Plan, count: u64) -> impl Iterator<Item = Plan> {
    let seeds = (1..=count).filter(|seed| *seed != plan.seed);
    seeds.map(|seed| Plan { seed, ..plan.clone() })
}

fn fingerprint(plan: &Plan) -> String {
    let text = serde_json::to_string(plan).expect("a plan is plain data");
    let mut digest = Digest::new();
    digest.value(&text.as_str());
    digest.to_hex()
}

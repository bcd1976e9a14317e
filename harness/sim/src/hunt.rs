//! Looking for what is wrong: seed after seed, each drawn, run and judged.

use quorate_checkers::history::{Builder, History, Time, Violation, What, operations};
use quorate_checkers::linearizability::Budget;
use quorate_checkers::model;
use quorate_checkers::verdict::Verdict;
use quorate_plan::{Expectation, Plan};
use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;

pub use quorate_checkers::judge::LINEARIZABILITY;

use crate::queue::QueueKind;
use crate::sim::Outcome;
use crate::simulator::{SimError, Simulator, push, simulator};
use crate::witness::{Checks, Counts};

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The demand that was broken first, by its name: an invariant (`Q-I3`), `liveness`, `no-panic`, or
    /// [`LINEARIZABILITY`].
    pub found: Option<String>,
    /// A demand that was broken before anybody asked for anything: what is wrong with a configuration as such. It
    /// needs no search, and does not count as found.
    pub at_start: Option<String>,
    /// The checker could not decide within its budget.
    pub undecided: bool,
    /// Whether what is planted made any difference: the run differs from the one without it.
    pub reached: bool,
    /// Which kind of search it was.
    pub search: &'static str,
    /// How many events there were, in the run with the mutant.
    pub steps: u64,
    /// How much virtual time passed, in microseconds.
    pub virtual_us: u64,
    /// How often each milestone was reached.
    pub milestones: Counts,
}

/// What came of one plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// As [`Tried::found`].
    pub found: Option<String>,
    /// As [`Tried::at_start`].
    pub at_start: Option<String>,
    /// As [`Tried::undecided`].
    pub undecided: bool,
    /// What else there is to say of the run.
    pub outcome: Outcome,
}

/// Draws, runs and judges seeds, one after the other. What it finds depends on the seed and the mutant alone.
pub struct Hunter {
    simulator: Box<dyn Simulator>,
    budget: Budget,
    checks: Checks,
    /// So many nodes more may lie than the system bears.
    beyond: u16,
}

impl Hunter {
    /// A hunter for a system.
    pub fn new(kind: SystemKind) -> Self {
        Self::with_queue(kind, QueueKind::default())
    }

    /// As [`Self::new`], in a world with a queue of this kind.
    pub fn with_queue(kind: SystemKind, queue: QueueKind) -> Self {
        Self { simulator: simulator(kind, queue), budget: BUDGET, checks: Checks::ALL, beyond: 0 }
    }

    /// As [`Self::new`], but without the invariants: it judges by what clients see, as a test from outside would,
    /// and by liveness.
    pub fn from_outside(kind: SystemKind) -> Self {
        Self { checks: Checks { digest: true, invariants: false }, ..Self::new(kind) }
    }

    /// A negative control: so many nodes more may lie than the system bears, and harm must be found, since nothing is
    /// promised then. That an operation does not end is no harm.
    #[must_use]
    pub fn beyond(self, liars: u16) -> Self {
        Self { beyond: liars, ..self }
    }

    /// The plan of a seed.
    pub fn plan(&mut self, seed: u64) -> Plan {
        self.simulator.draw_beyond(seed, self.beyond)
    }

    /// Runs a seed and judges it.
    pub fn try_seed(&mut self, seed: u64, mutants: Mutants) -> Result<Tried, SimError> {
        let plan = self.plan(seed);
        let mut tried = self.try_plan(&plan, mutants)?;
        if self.beyond > 0 {
            let is_beyond = plan.expect == Expectation::Invalid;
            tried.found = tried.found.filter(|demand| is_beyond && demand != Violation::LIVENESS);
        }
        Ok(tried)
    }

    /// As [`Simulator::watch_states`].
    pub fn watch_states(&mut self, reached: fn(u64)) {
        self.simulator.watch_states(reached);
    }

    /// Runs a plan that [`Plan::validate`] accepts and judges it.
    pub fn try_plan(&mut self, plan: &Plan, mutants: Mutants) -> Result<Tried, SimError> {
        let Judged { found, at_start, undecided, outcome } = self.judge_plan(plan, mutants)?;
        let reached = mutants != Mutants::NONE && self.differs(plan, &outcome.digest.digest)?;
        Ok(Tried {
            found,
            at_start,
            undecided,
            reached,
            search: plan.weather.map_or("calm", |weather| weather.delay.search()),
            steps: outcome.digest.steps,
            virtual_us: outcome.virtual_us,
            milestones: outcome.milestones,
        })
    }

    /// As [`Self::try_plan`], without asking whether what is planted made any difference.
    pub fn judge_plan(&mut self, plan: &Plan, mutants: Mutants) -> Result<Judged, SimError> {
        let mut history = Builder::new();
        let (mut first, mut at_start, mut has_begun) = (None, None, false);
        let mut sink = |time: Time, what: What| {
            match &what {
                What::Invoke(_) => has_begun = true,
                What::Violation(violation) if has_begun && first.is_none() => {
                    first = Some(violation.demand.clone());
                }
                What::Violation(violation) if !has_begun => {
                    at_start = Some(violation.demand.clone());
                }
                What::Violation(_)
                | What::Ok(_)
                | What::Fail(_)
                | What::Info(_)
                | What::Nemesis(_) => {}
            }
            push(&mut history, time, what)
        };
        let outcome = self.simulator.run(plan, mutants, self.checks, &mut sink)?;
        let order =
            if first.is_none() { self.judge(plan, &history.finish()) } else { Verdict::Valid };
        let found = match order {
            Verdict::Invalid => Some(LINEARIZABILITY.to_owned()),
            Verdict::Valid | Verdict::Unknown => first,
        };
        Ok(Judged { found, at_start, undecided: order == Verdict::Unknown, outcome })
    }

    fn judge(&self, plan: &Plan, history: &History) -> Verdict {
        model_of(plan).check(&operations(history), self.budget).verdict
    }

    /// Whether the correct system gives another run.
    fn differs(&mut self, plan: &Plan, digest: &str) -> Result<bool, SimError> {
        let checks = Checks { digest: true, invariants: false };
        let correct = self.simulator.run(plan, Mutants::NONE, checks, &mut |_, _| Ok(()))?;
        Ok(correct.digest.digest != digest)
    }
}

/// What the operations of a plan must satisfy.
pub(crate) fn model_of(plan: &Plan) -> &'static dyn model::AnyModel {
    model::by_name(plan.workload.kind.model()).expect("every workload has a model")
}

/// What judging one small history may cost: hundreds of times what it does.
pub(crate) const BUDGET: Budget =
    Budget { time: std::time::Duration::from_secs(5), memory_bytes: 256 << 20 };

/// The seeds of one try of a campaign: no two tries share any.
pub fn seeds_of(base: u64, subject: u64, attempt: u64) -> impl Iterator<Item = u64> {
    let first = base
        .wrapping_add(subject.wrapping_mul(1 << 48))
        .wrapping_add(attempt.wrapping_mul(1 << 40));
    (0..).map(move |n| first.wrapping_add(n))
}

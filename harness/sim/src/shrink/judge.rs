//! Whether a plan fails in the way that is looked for.

use quorate_checkers::history::{Builder, History, Nemesis, Time, What, operations};
use quorate_checkers::verdict::Verdict;
use quorate_plan::Plan;
use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;

use crate::hunt::{BUDGET, LINEARIZABILITY, model_of};
use crate::queue::QueueKind;
use crate::simulator::{SimError, Simulator, simulator};
use crate::tape::{Detail, Tape};
use crate::witness::Checks;

/// Runs plans of one system and names what they break.
pub(super) struct Judge {
    simulator: Box<dyn Simulator>,
    mutants: Mutants,
}

impl Judge {
    pub(super) fn new(kind: SystemKind, mutants: Mutants) -> Self {
        Self { simulator: simulator(kind, QueueKind::default()), mutants }
    }

    /// What a run of this plan breaks first after the first operation has begun, else linearizability, else what
    /// was broken from the start. Nothing if it breaks nothing, or if that cannot be decided.
    pub(super) fn broken(&mut self, plan: &Plan) -> Result<Option<Broken>, SimError> {
        let Seen { first, at_start, history, healed } = self.run(plan, false)?;
        if let Some((demand, is_late)) = first {
            let when = if is_late { When::Late } else { When::Early };
            return Ok(Some(Broken { demand, when }));
        }
        match Self::order(plan, &history) {
            Verdict::Invalid => {
                let before = healed.and_then(|healed| prefix(&history, healed));
                let is_late =
                    before.is_some_and(|before| Self::order(plan, &before) != Verdict::Invalid);
                let when = if is_late { When::Late } else { When::Early };
                Ok(Some(Broken { demand: LINEARIZABILITY.to_owned(), when }))
            }
            Verdict::Valid => Ok(at_start.map(|demand| Broken { demand, when: When::AtStart })),
            Verdict::Unknown => Ok(None),
        }
    }

    /// Whether a run of this plan breaks this demand before faults stop coming. Most runs that do not are over sooner
    /// than [`Self::broken`] would know.
    pub(super) fn breaks_early(&mut self, plan: &Plan, demand: &str) -> Result<bool, SimError> {
        let Seen { first, history, .. } = self.run(plan, true)?;
        if let Some((first, _)) = first {
            return Ok(first == demand);
        }
        if demand != LINEARIZABILITY || Self::order(plan, &history) != Verdict::Invalid {
            return Ok(false);
        }
        // Whatever is broken later would be named instead.
        let is_it = |broken: Broken| broken.demand == demand && broken.when == When::Early;
        Ok(self.broken(plan)?.is_some_and(is_it))
    }

    /// Runs a plan to its end, to the first violation, or until faults stop coming.
    fn run(&mut self, plan: &Plan, until_healed: bool) -> Result<Seen, SimError> {
        plan.validate()?;
        let mut history = Builder::new();
        let (mut first, mut at_start, mut has_begun) = (None, None, false);
        let (mut healed, mut is_enough) = (None, false);
        let mut sink = |time: Time, what: What| {
            match &what {
                What::Invoke(_) => has_begun = true,
                What::Violation(violation) if has_begun => {
                    first = Some((violation.demand.clone(), healed.is_some()));
                    is_enough = true;
                }
                What::Violation(violation) => at_start = Some(violation.demand.clone()),
                What::Nemesis(nemesis) if nemesis.kind == Nemesis::HEALING => {
                    healed = Some(history.history().len());
                    is_enough |= until_healed;
                }
                What::Ok(_) | What::Fail(_) | What::Info(_) | What::Nemesis(_) => {}
            }
            if is_enough {
                return Err(ENOUGH.to_owned());
            }
            history.push(time, what).map(|_| ()).map_err(|error| error.to_string())
        };
        let checks = Checks { digest: false, invariants: true };
        let ran = self.simulator.run(plan, self.mutants, checks, &mut sink);
        if !is_enough {
            ran?;
        }
        Ok(Seen { first, at_start, history: history.finish(), healed })
    }

    fn order(plan: &Plan, history: &History) -> Verdict {
        model_of(plan).check(&operations(history), BUDGET).verdict
    }

    /// All that happens in a run of this plan.
    pub(super) fn tape(&mut self, plan: &Plan) -> Result<Tape, SimError> {
        let checks = Checks { digest: false, invariants: true };
        let ran =
            self.simulator
                .run_taped(plan, self.mutants, checks, Detail::Messages, &mut |_, _| Ok(()));
        ran.map(|(_, tape)| tape)
    }
}

/// What a plan breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// The demand, by its name.
    pub(super) demand: String,
    /// In which part of the run.
    pub(super) when: When,
}

/// In which part of a run something is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Before the first operation: it is wrong with the configuration as such.
    AtStart,
    /// While there are faults.
    Early,
    /// Once they have stopped coming, by what clients do to see how all has ended.
    Late,
}

/// What was seen of a run.
struct Seen {
    /// The first violation after the first operation had begun, and whether faults had stopped coming.
    first: Option<(String, bool)>,
    /// A violation before that.
    at_start: Option<String>,
    history: History,
    /// How many events there were when faults stopped coming.
    healed: Option<u64>,
}

/// The first so many events.
fn prefix(history: &History, len: u64) -> Option<History> {
    let len = usize::try_from(len).ok()?;
    History::new(history.events().iter().take(len).cloned().collect()).ok()
}

const ENOUGH: &str = "enough was seen";

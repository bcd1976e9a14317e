//! Whether a plan fails in the way that is looked for.

use quorate_checkers::history::{Builder, Time, What, operations};
use quorate_checkers::linearizability::Budget;
use quorate_checkers::model::{self, AnyModel};
use quorate_checkers::verdict::Verdict;
use quorate_plan::Plan;
use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;

use crate::hunt::LINEARIZABILITY;
use crate::queue::QueueKind;
use crate::simulator::{SimError, Simulator, simulator};
use crate::tape::Tape;
use crate::witness::Checks;

/// Runs plans of one system and names what they break.
pub(super) struct Judge {
    simulator: Box<dyn Simulator>,
    model: &'static dyn AnyModel,
    mutants: Mutants,
}

/// What judging one small history may cost: thousands of times what it does.
const BUDGET: Budget = Budget { time: std::time::Duration::from_secs(5), memory_bytes: 256 << 20 };

impl Judge {
    pub(super) fn new(kind: SystemKind, mutants: Mutants) -> Self {
        let [workload, ..] = kind.vocabulary().workloads else {
            unreachable!("a system serves something")
        };
        let model = model::by_name(workload).expect("every workload has a model");
        Self { simulator: simulator(kind, QueueKind::default()), model, mutants }
    }

    /// The demand that a run of this plan breaks, by its name: the first one that is broken after the first
    /// operation has begun, else linearizability, else one that was broken from the start. Nothing if it breaks none,
    /// or if that cannot be decided.
    pub(super) fn broken(&mut self, plan: &Plan) -> Result<Option<String>, SimError> {
        plan.validate()?;
        let mut history = Builder::new();
        let (mut first, mut at_start, mut has_begun) = (None, None, false);
        let mut sink = |time: Time, what: What| {
            match &what {
                What::Invoke(_) => has_begun = true,
                What::Violation(violation) if has_begun => {
                    first = Some(violation.demand.clone());
                    // What comes after it does not matter.
                    return Err(ENOUGH.to_owned());
                }
                What::Violation(violation) => at_start = Some(violation.demand.clone()),
                What::Ok(_) | What::Fail(_) | What::Info(_) | What::Nemesis(_) => {}
            }
            history.push(time, what).map(|_| ()).map_err(|error| error.to_string())
        };
        let checks = Checks { digest: false, invariants: true };
        let ran = self.simulator.run(plan, self.mutants, checks, &mut sink);
        if first.is_some() {
            return Ok(first);
        }
        ran?;
        let order = self.model.check(&operations(&history.finish()), BUDGET).verdict;
        Ok(match order {
            Verdict::Invalid => Some(LINEARIZABILITY.to_owned()),
            Verdict::Valid => at_start,
            Verdict::Unknown => None,
        })
    }

    /// All that happens in a run of this plan.
    pub(super) fn tape(&mut self, plan: &Plan) -> Result<Tape, SimError> {
        let checks = Checks { digest: false, invariants: true };
        let ran = self.simulator.run_taped(plan, self.mutants, checks, &mut |_, _| Ok(()));
        ran.map(|(_, tape)| tape)
    }
}

const ENOUGH: &str = "enough was seen";

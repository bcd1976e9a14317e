//! All checkers on one history: what `run`, `check` and `report` have in common, so that they
//! agree.

#[cfg(test)]
mod tests;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::history::{Event, History, Operation, What, operations};
use crate::linearizability::{Budget, Linearizability};
use crate::model::{self, AnyModel};
use crate::statistics::{Statistics, statistics};
use crate::vacuity::{Vacuity, unplanned, vacuity};
use crate::verdict::Verdict;
use crate::violations::{Found, Violations, violations};

/// What a history is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demands {
    /// The name of a [`model`].
    pub model: String,
    /// Fault classes (`partition`, `kill`) of which each must have had a fault that did something.
    pub fault_classes: Vec<String>,
    /// What the judgement may cost.
    pub budget: Budget,
}

/// The judgement of a history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// The gravest of all.
    pub verdict: Verdict,
    /// Why it is not valid: the gravest first, one sentence each, without a full stop. Of an invalid history
    /// not what else it lacks: that is in `vacuity`.
    pub sentences: Vec<String>,
    /// Whether there is an order of the operations that the model allows.
    pub linearizability: Linearizability,
    /// What was found while the run went on.
    pub violations: Violations,
    /// Whether enough happened.
    pub vacuity: Vacuity,
    /// The numbers.
    pub statistics: Statistics,
    /// How long it took, in nanoseconds: the only field that differs when the same history is
    /// judged again.
    pub check_ns: u64,
}

/// The demand that there is an order of the operations that the model allows, among the names of demands.
pub const LINEARIZABILITY: &str = "linearizability";

/// Judges a history. A checker that fails makes its part unknown.
pub fn judge(history: &History, demands: &Demands) -> Results {
    let begun = Instant::now();
    let operations = operations(history);
    let model = model::by_name(&demands.model);
    let linearizability = judge_order(model, &operations, demands);
    let violations = violations(history);
    let functions = model.map_or(&[] as &[&str], AnyModel::functions);
    let vacuity = vacuity(history, &operations, functions, &demands.fault_classes);
    let statistics = statistics(history.duration_ns(), &operations);
    let is_broken = violations.verdict.max(linearizability.verdict) == Verdict::Invalid;
    // What is certainly broken needs no more to have happened: such a run may well end early.
    let doubts = if is_broken { unplanned(history) } else { vacuity.sentences.clone() };
    let mut parts = [
        (violations.verdict, violations.sentences()),
        (linearizability.verdict, linearizability.sentences()),
        (vacuity.verdict, doubts),
    ];
    // The order among equals stays.
    parts.sort_by_key(|(verdict, _)| std::cmp::Reverse(*verdict));
    let verdict = parts.iter().map(|(verdict, _)| *verdict).max().unwrap_or(Verdict::Unknown);
    let sentences = parts.into_iter().flat_map(|(_, sentences)| sentences).collect();
    let check_ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    Results { verdict, sentences, linearizability, violations, vacuity, statistics, check_ns }
}

impl Results {
    /// The demand that is broken first, by its name: the first violation after somebody had asked for something,
    /// else [`LINEARIZABILITY`], else a violation before that. Nothing where nothing is broken.
    pub fn breaks(&self, history: &History) -> Option<&str> {
        let is_invoke = |event: &&Event| matches!(event.what, What::Invoke(_));
        let asked = history.events().iter().find(is_invoke);
        let is_early = |found: &&Found| match (asked, found.violation.happened) {
            (None, _) => true,
            (Some(asked), Some(happened)) => happened < asked.time,
            (Some(asked), None) => found.index < asked.index,
        };
        let (early, late): (Vec<&Found>, Vec<&Found>) =
            self.violations.found.iter().partition(is_early);
        let order = (self.linearizability.verdict == Verdict::Invalid).then_some(LINEARIZABILITY);
        let late = late.first().map(|found| found.violation.demand.as_str());
        let early = early.first().map(|found| found.violation.demand.as_str());
        late.or(order).or(early)
    }
}

fn judge_order(
    model: Option<&'static dyn AnyModel>,
    operations: &[Operation],
    demands: &Demands,
) -> Linearizability {
    let undecided = |why: String| Linearizability {
        verdict: Verdict::Unknown,
        model: demands.model.clone(),
        malformed: Some(why),
        keys: Vec::new(),
    };
    let Some(model) = model else {
        let known: Vec<&str> = model::ALL.iter().map(|model| model.name()).collect();
        let (name, known) = (&demands.model, known.join(", "));
        return undecided(format!("no model is named `{name}`; there are: {known}"));
    };
    catch_unwind(AssertUnwindSafe(|| model.check(operations, demands.budget))).unwrap_or_else(
        |panic| undecided(format!("the checker failed: {}", panic_message(panic.as_ref()))),
    )
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

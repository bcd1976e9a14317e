//! Models that are judged without a search: what an object of this kind can have seen follows from a few numbers.

use std::collections::BTreeMap;

use super::{AnyModel, Malformed};
use crate::explain::{Counterexample, Involved};
use crate::history::{Key, Operation, Outcome, Value};
use crate::linearizability::{Budget, Finding, KeyOrder, KeyResult, Linearizability, OrderStep};
use crate::verdict::Verdict;

/// A model whose operations on one key are judged at a glance. It is an [`AnyModel`] by way of [`Monitored`].
pub(super) trait Monitor: Sync {
    /// Its name, as in the header of a history.
    const NAME: &'static str;
    /// One sentence, for lists.
    const SUMMARY: &'static str;
    /// The functions that a meaningful history has successes of.
    const FUNCTIONS: &'static [&'static str];

    /// What is wrong with the operations on one key, which are in order of invocation; nothing if nothing is. The
    /// error says that one of them has no meaning.
    fn judge<'a>(&self, operations: &[&'a Operation]) -> Result<Option<Wrong<'a>>, Malformed>;

    /// An order of the operations on one key that nothing is wrong with. The default has none: what is checked may be
    /// less than an order.
    fn order(&self, operations: &[&Operation]) -> Option<Vec<OrderStep>> {
        let _ = operations;
        None
    }
}

/// Operations that cannot all have happened.
#[derive(Debug)]
pub(super) struct Wrong<'a> {
    /// The one that is to blame.
    pub(super) accused: &'a Operation,
    /// The others.
    pub(super) others: Vec<&'a Operation>,
    /// Why they cannot: one sentence without a full stop.
    pub(super) sentence: String,
}

/// A monitor as a model.
#[derive(Clone, Copy, Debug)]
pub struct Monitored<M>(pub(super) M);

impl<M: Monitor> AnyModel for Monitored<M> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn summary(&self) -> &'static str {
        M::SUMMARY
    }

    fn functions(&self) -> &'static [&'static str] {
        M::FUNCTIONS
    }

    fn check(&self, operations: &[Operation], _budget: Budget) -> Linearizability {
        let by_key = by_key(operations);
        let judge = |(key, all): (&Option<Key>, &Vec<&Operation>)| {
            let finding = match self.0.judge(all)? {
                None => Finding::Valid,
                Some(wrong) => Finding::Invalid { counterexample: counterexample(*key, &wrong) },
            };
            Ok(KeyResult { key: *key, operations: all.len() as u64, nodes: 0, finding })
        };
        let model = M::NAME.to_owned();
        let keys: Result<Vec<KeyResult>, Malformed> = by_key.iter().map(judge).collect();
        match keys {
            Ok(keys) => {
                let verdicts = keys.iter().map(|result| result.finding.verdict());
                let verdict = verdicts.max().unwrap_or(Verdict::Valid);
                Linearizability { verdict, model, malformed: None, keys }
            }
            Err(malformed) => {
                let malformed = Some(malformed.to_string());
                Linearizability { verdict: Verdict::Unknown, model, malformed, keys: Vec::new() }
            }
        }
    }

    fn orders(&self, operations: &[Operation], _budget: Budget) -> Vec<KeyOrder> {
        let order = |(key, all): (&Option<Key>, &Vec<&Operation>)| {
            let without = || format!("the model `{}` is judged without an order", M::NAME);
            KeyOrder::of(*key, all, self.0.order(all).ok_or_else(without))
        };
        by_key(operations).iter().map(order).collect()
    }

    fn describe(&self, operation: &Operation) -> String {
        describe(operation)
    }
}

fn by_key(operations: &[Operation]) -> BTreeMap<Option<Key>, Vec<&Operation>> {
    let mut by_key: BTreeMap<Option<Key>, Vec<&Operation>> = BTreeMap::new();
    for operation in operations {
        by_key.entry(operation.key).or_default().push(operation);
    }
    by_key
}

/// An operation in a few words (`add 5`, `read -> [1, 2]`).
pub(super) fn describe(operation: &Operation) -> String {
    match (operation.f.as_str(), &operation.outcome) {
        ("read", Outcome::Ok(value)) => format!("read -> {value}"),
        ("read", Outcome::Fail | Outcome::Info | Outcome::Pending) => "read".to_owned(),
        (f, _) => format!("{f} {}", operation.input),
    }
}

fn counterexample(key: Option<Key>, wrong: &Wrong<'_>) -> Counterexample {
    let mut operations: Vec<&Operation> = wrong.others.clone();
    operations.push(wrong.accused);
    operations.sort_by_key(|operation| operation.invoke);
    operations.dedup_by_key(|operation| operation.invoke);
    let involved = |operation: &&Operation| Involved {
        operation: Operation::clone(operation),
        text: describe(operation),
    };
    Counterexample {
        key,
        operations: operations.iter().map(involved).collect(),
        accused: wrong.accused.invoke,
        sentence: wrong.sentence.clone(),
        before: Vec::new(),
    }
}

/// The refusal of an operation that a model has no meaning for.
pub(super) fn malformed(operation: &Operation, problem: String) -> Malformed {
    Malformed { index: operation.invoke, problem }
}

/// A read takes nothing.
pub(super) fn takes_nothing(read: &Operation) -> Result<(), Malformed> {
    if read.input == Value::Nil {
        return Ok(());
    }
    let problem = format!("`read` takes no argument, not {}; expected null", read.input);
    Err(malformed(read, problem))
}

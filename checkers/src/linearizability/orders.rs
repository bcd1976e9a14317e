//! An order of the operations on each key, to be shown.
//!
//! It is made anew, also where a verdict was found without one, and each is followed step by step before it is shown.

use serde::{Deserialize, Serialize};

use super::search::is_legal;
use super::{Found, Purses, Task, by_key, decide, undecided};
use crate::history::{Key, Operation};
use crate::linearizability::Budget;
use crate::model::Model;

/// An order of the operations on a key, or on several that operations join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyOrder {
    /// The key; absent for the operations that have none. Of several the least.
    pub key: Option<Key>,
    /// The operations, in an order that the model allows and that keeps to real time; absent if none can be shown.
    pub order: Option<Vec<OrderStep>>,
    /// Why no order can be shown.
    pub why: Option<String>,
    /// Operations that are not in it, by the indices of their invocations: they failed, need not have happened, or say
    /// nothing.
    pub left_out: Vec<u64>,
}

/// An operation in an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderStep {
    /// The index of its invocation.
    pub operation: u64,
    /// In a few words (`write 5`).
    pub text: String,
    /// What the object holds afterwards, in words.
    pub holds: String,
}

/// An order for each key, as far as there is one and it is found.
pub fn orders<M: Model>(model: &M, operations: &[Operation], budget: Budget) -> Vec<KeyOrder> {
    let by_key = by_key(model, operations);
    let purses = Purses::new(budget, by_key.len(), 1);
    let order = |(key, all): (&Option<Key>, &Vec<&Operation>)| {
        let found = match Task::new(model, all.iter().copied()) {
            Err(malformed) => Err(malformed.to_string()),
            Ok(task) => {
                let (outcome, _) = purses.deciding.spend(|limits| decide(model, &task, limits));
                match outcome.found {
                    Found::Order => steps(model, &task, &outcome.order),
                    Found::NoOrder => Err("there is no order".to_owned()),
                    Found::Stopped(stop) => Err(undecided(model, &task, &outcome, stop)),
                }
            }
        };
        KeyOrder::of(*key, all, found)
    };
    by_key.iter().map(order).collect()
}

impl KeyOrder {
    /// What was found, and what of all operations is not in it.
    pub(crate) fn of(
        key: Option<Key>,
        all: &[&Operation],
        found: Result<Vec<OrderStep>, String>,
    ) -> Self {
        let (order, why) = match found {
            Ok(steps) => (Some(steps), None),
            Err(why) => (None, Some(why)),
        };
        let shown: rustc_hash::FxHashSet<u64> =
            order.iter().flatten().map(|step| step.operation).collect();
        let all = all.iter().map(|operation| operation.invoke);
        let left_out = match order {
            Some(_) => all.filter(|invoke| !shown.contains(invoke)).collect(),
            None => Vec::new(),
        };
        Self { key, order, why, left_out }
    }
}

/// Follows an order and writes down what it leads to.
fn steps<M: Model>(
    model: &M,
    task: &Task<'_, M>,
    order: &[usize],
) -> Result<Vec<OrderStep>, String> {
    const WRONG: &str = "the order that was found is none: please report this history";
    if !is_legal(model, task, order) {
        return Err(WRONG.to_owned());
    }
    let mut state = model.initial();
    let mut steps = Vec::with_capacity(order.len());
    for &place in order {
        let member = task.operations.get(place).zip(task.ops.get(place)).ok_or(WRONG)?;
        state = model.step(&state, member.1).ok_or(WRONG)?;
        steps.push(OrderStep {
            operation: member.0.invoke,
            text: model.describe(member.0),
            holds: model.describe_state(&state),
        });
    }
    Ok(steps)
}

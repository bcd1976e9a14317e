//! What would have been possible without the operation that is accused.

use serde::{Deserialize, Serialize};

use crate::linearizability::Task;
use crate::model::Model;

/// An order of some operations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PossibleOrder {
    /// The operations, by the indices of their invocations.
    pub operations: Vec<u64>,
    /// What the object holds after them, in words.
    pub holds: String,
}

/// Some legal orders of the set without the one that was invoked at `accused`, each with another
/// end.
pub(super) fn possible_orders<M: Model>(
    model: &M,
    set: &Task<'_, M>,
    accused: u64,
) -> Vec<PossibleOrder> {
    let others = set.filtered(|member| member.operation.invoke != accused);
    if others.len() > OPERATIONS_MAX {
        return Vec::new();
    }
    let mut orders =
        Orders { model, task: &others, order: Vec::new(), found: Vec::new(), steps: 0 };
    orders.extend(&model.initial());
    orders.found
}

struct Orders<'t, 'a, M: Model> {
    model: &'t M,
    task: &'t Task<'a, M>,
    /// Places in the task.
    order: Vec<usize>,
    found: Vec<PossibleOrder>,
    steps: u64,
}

impl<M: Model> Orders<'_, '_, M> {
    /// Tries all orders that begin with the present one; no deeper than there are operations.
    fn extend(&mut self, state: &M::State) {
        self.steps += 1;
        if self.found.len() >= ORDERS_MAX || self.steps > STEPS_MAX {
            return;
        }
        let left: Vec<usize> =
            (0..self.task.len()).filter(|place| !self.order.contains(place)).collect();
        let is_needed = |&place: &usize| self.end(place).is_some();
        if !left.iter().any(is_needed) {
            self.keep(state);
            return;
        }
        let first_end = left.iter().filter_map(|&place| self.end(place)).min().unwrap_or(u64::MAX);
        for place in left {
            let begun = self.task.operations.get(place).map_or(u64::MAX, |o| o.invoke);
            let Some(op) = self.task.ops.get(place).filter(|_| begun < first_end) else { continue };
            if let Some(next) = self.model.step(state, op) {
                self.order.push(place);
                self.extend(&next);
                self.order.pop();
            }
        }
    }

    fn keep(&mut self, state: &M::State) {
        let holds = self.model.describe_state(state);
        if self.found.iter().all(|order| order.holds != holds) {
            let operations = &self.task.operations;
            let named = |&place: &usize| operations.get(place).map(|operation| operation.invoke);
            let operations = self.order.iter().filter_map(named).collect();
            self.found.push(PossibleOrder { operations, holds });
        }
    }

    fn end(&self, place: usize) -> Option<u64> {
        self.task.operations.get(place)?.definite_end()
    }
}

/// Orders of more operations help nobody to understand, and are too many.
const OPERATIONS_MAX: usize = 10;

/// More orders are not read.
const ORDERS_MAX: usize = 3;

/// Bounds the time that is spent on orders with the same end.
const STEPS_MAX: u64 = 100_000;

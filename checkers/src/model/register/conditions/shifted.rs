//! Δ-atomicity: the operations are linearizable if each read may have begun by Δ earlier than it did (Golab, Li and Shah,
//! Analyzing consistency properties for fun and profit, 2011).

use super::super::{Dialect, RegisterOp, Registers};
use super::has_order;
use crate::history::{Operation, Outcome, Time};
use crate::linearizability::Task;

/// The smallest Δ in nanoseconds, if there is one and it is found. The operations are not linearizable. Nothing where
/// the history does not tell when things happened.
pub(super) fn least_ns<D: Dialect>(
    model: &Registers<D>,
    task: &Task<'_, Registers<D>>,
) -> Option<u64> {
    let span_ns = told_span_ns(&task.operations)?;
    let is_enough = |ns: u64| {
        let operations = shifted(task, ns);
        has_order(model, &Task::new(model, &operations).ok()?)
    };
    // Everything that was read has begun before everything else if that does not suffice.
    let mut enough = span_ns.checked_add(1)?;
    if !is_enough(enough)? {
        return None;
    }
    let mut too_little = 0;
    while enough - too_little > 1 {
        let middle = u64::midpoint(enough, too_little);
        if is_enough(middle)? {
            enough = middle;
        } else {
            too_little = middle;
        }
    }
    Some(enough)
}

/// How long all of it took, if times are told and go forward.
fn told_span_ns(operations: &[&Operation]) -> Option<u64> {
    let mut moments: Vec<(u64, Time)> = Vec::new();
    for operation in operations {
        moments.push((operation.invoke, operation.invoked_at));
        moments.extend(operation.definite_end().zip(operation.completed_at));
    }
    moments.sort_unstable();
    let goes_forward = moments.iter().zip(moments.iter().skip(1)).all(|(a, b)| a.1 <= b.1);
    let (first, last) = (moments.first()?.1.0, moments.last()?.1.0);
    (goes_forward && last > first).then_some(last - first)
}

/// The operations as if each read had begun by `ns` earlier.
fn shifted<D: Dialect>(task: &Task<'_, Registers<D>>, ns: u64) -> Vec<Operation> {
    // By time; what was moved comes first of what has the same time, and all else stays in its order.
    let mut moments: Vec<((i128, bool, u64), usize, bool)> = Vec::new();
    for (place, member) in task.members().enumerate() {
        let operation = member.operation;
        let begun = i128::from(operation.invoked_at.0);
        let moment = match member.op {
            RegisterOp::Read(_) => (begun - i128::from(ns), false, operation.invoke),
            RegisterOp::Write(_) | RegisterOp::Cas(_) | RegisterOp::Refused(_) => {
                (begun, true, operation.invoke)
            }
        };
        moments.push((moment, place, true));
        if let (Some(end), Some(ended)) = (operation.definite_end(), operation.completed_at) {
            moments.push(((i128::from(ended.0), true, end), place, false));
        }
    }
    moments.sort_unstable();
    let mut operations: Vec<Operation> = task.operations.iter().copied().cloned().collect();
    for (index, (_, place, is_begin)) in (0..).zip(moments) {
        let Some(operation) = operations.get_mut(place) else { continue };
        if is_begin {
            operation.invoke = index;
        } else {
            operation.complete = Some(index);
        }
    }
    // Others are open for ever.
    for operation in operations.iter_mut().filter(|operation| !operation.is_ok()) {
        operation.outcome = Outcome::Pending;
        operation.complete = None;
    }
    operations.sort_by_key(|operation| operation.invoke);
    operations
}

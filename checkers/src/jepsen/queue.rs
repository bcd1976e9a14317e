//! A queue: operations `enqueue` with an element, `dequeue`, which returns one, and `drain`, which returns a list of them.
//!
//! As `jepsen.checker/queue` with an unordered queue: every element that comes out was put in before, and comes out no more
//! often than it was put in. Every `enqueue` that did not fail is taken to have happened when it began; only a `dequeue` that
//! is ok is taken to have happened, when it ended. Stricter: Jepsen takes failed ones to have happened as well, and does not
//! look at `drain`. A `dequeue` that returns nothing says that the queue was empty, and is not judged. The order in which
//! elements come out is not judged either.

use std::collections::BTreeMap;

use super::{Report, Undecided, is_failed, list, of, result, unfit};
use crate::history::{Operation, Value};

pub(super) fn check(operations: &[Operation], report: &mut Report) -> Result<(), Undecided> {
    // Puts by when they began, takes by when they ended.
    let mut events: Vec<(u64, bool, &Value)> = Vec::new();
    for operation in of(operations, "enqueue").filter(|operation| !is_failed(operation)) {
        events.push((operation.invoke, true, &operation.input));
    }
    report.count("enqueued", events.len());
    let puts = events.len();
    for (element, complete) in taken(operations)? {
        events.push((complete, false, element));
    }
    report.count("dequeued", events.len() - puts);
    events.sort_by_key(|(index, ..)| *index);
    let mut inside: BTreeMap<&Value, u64> = BTreeMap::new();
    for (index, is_put, element) in events {
        let count = inside.entry(element).or_default();
        if is_put {
            *count += 1;
        } else if let Some(rest) = count.checked_sub(1) {
            *count = rest;
        } else {
            report.violation("unexpected", || {
                format!(
                    "{element} came out at index {index}, more often than it had been put in until then"
                )
            });
        }
    }
    Ok(())
}

/// What came out, with the end of the operation that took it.
pub(super) fn taken(operations: &[Operation]) -> Result<Vec<(&Value, u64)>, Undecided> {
    let mut taken = Vec::new();
    for operation in of(operations, "dequeue") {
        taken.extend(result(operation).filter(|(element, _)| **element != Value::Nil));
    }
    for operation in of(operations, "drain") {
        if let Some((value, complete)) = result(operation) {
            let drained = list(value).ok_or_else(|| unfit(operation, value, "a list"))?;
            taken.extend(drained.iter().map(|element| (element, complete)));
        }
    }
    Ok(taken)
}

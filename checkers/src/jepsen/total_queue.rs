//! A queue that is emptied at the end: operations as for the checker `queue`.
//!
//! As `jepsen.checker/total-queue`: every element whose `enqueue` is ok comes out (else it is lost), and whatever comes out
//! was put in (else it is unexpected). One that comes out more often than it was put in is a duplicate, which is counted and
//! allowed, as there: queues that deliver at least once do that. Stricter: an element of which every `enqueue` failed must
//! not come out. More careful: a `dequeue` or `drain` of which nobody knows may have taken elements with it. Where as many
//! are lost as such could have taken, the verdict is unknown; Jepsen's is invalid, or an exception.

use std::collections::BTreeMap;

use super::queue::taken;
use super::{Report, Undecided, is_failed, of, result};
use crate::history::{Operation, Outcome, Value};

/// How often each element went in and out.
#[derive(Clone, Copy, Debug, Default)]
struct Passages {
    /// Attempts to put it in that did not fail.
    possible: u64,
    failed: u64,
    acknowledged: u64,
    out: u64,
}

pub(super) fn check(operations: &[Operation], report: &mut Report) -> Result<(), Undecided> {
    let passages = passages(operations)?;
    let sum = |of: fn(&Passages) -> u64| passages.values().map(of).sum::<u64>();
    let sums = [
        ("attempts", sum(|passages| passages.possible + passages.failed)),
        ("acknowledged", sum(|passages| passages.acknowledged)),
        ("dequeued", sum(|passages| passages.out)),
        ("recovered", sum(|p| p.out.min(p.possible).saturating_sub(p.acknowledged))),
    ];
    for (name, sum) in sums {
        report.counts.insert(name.to_owned(), sum);
    }
    for (element, passages) in &passages {
        judge(element, passages, report);
    }
    let lost: Vec<(&Value, u64)> = passages
        .iter()
        .map(|(element, passages)| (*element, passages.acknowledged.saturating_sub(passages.out)))
        .filter(|(_, lost)| *lost > 0)
        .collect();
    let count: u64 = lost.iter().map(|(_, lost)| lost).sum();
    report.counts.insert("missing".to_owned(), count);
    if count > 0 && may_have_taken(operations).is_none_or(|may| may >= count) {
        return Err(format!(
            "{count} elements did not come out, and operations of which nobody knows what they did may have taken them"
        ));
    }
    for (element, _) in lost {
        report.violation("lost", || format!("{element} was put in, and never came out"));
    }
    Ok(())
}

fn passages(operations: &[Operation]) -> Result<BTreeMap<&Value, Passages>, Undecided> {
    let mut passages: BTreeMap<&Value, Passages> = BTreeMap::new();
    for operation in of(operations, "enqueue") {
        let passages = passages.entry(&operation.input).or_default();
        passages.possible += u64::from(!is_failed(operation));
        passages.failed += u64::from(is_failed(operation));
        passages.acknowledged += u64::from(result(operation).is_some());
    }
    for (element, _) in taken(operations)? {
        passages.entry(element).or_default().out += 1;
    }
    Ok(passages)
}

fn judge(element: &Value, passages: &Passages, report: &mut Report) {
    match *passages {
        Passages { out: 0, .. } => {}
        Passages { possible: 0, failed: 0, .. } => report
            .violation("unexpected", || format!("{element} came out, which nobody had put in")),
        Passages { possible: 0, .. } => report.violation("aborted", || {
            format!("{element} came out, although putting it in had failed")
        }),
        Passages { possible, out, .. } if out > possible => report.note("duplicate", || {
            format!("{element} came out {out} times, and was put in {possible} times at most")
        }),
        Passages { .. } => {}
    }
}

/// How many elements operations of which nobody knows may have taken; nothing where there is no bound.
fn may_have_taken(operations: &[Operation]) -> Option<u64> {
    let is_open =
        |operation: &&Operation| matches!(operation.outcome, Outcome::Info | Outcome::Pending);
    let drains = of(operations, "drain").filter(is_open).count();
    let dequeues = of(operations, "dequeue").filter(is_open).count() as u64;
    (drains == 0).then_some(dequeues)
}

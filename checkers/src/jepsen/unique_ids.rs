//! Ids that must differ: operations `generate`, each of which returns one.
//!
//! As `jepsen.checker/unique-ids`.

use std::collections::BTreeMap;

use super::{Report, of, result};
use crate::history::Operation;

pub(super) fn check(operations: &[Operation], report: &mut Report) {
    let mut first = BTreeMap::new();
    let (mut attempts, mut acknowledged) = (0, 0);
    for operation in of(operations, "generate") {
        attempts += 1;
        let Some((id, _)) = result(operation) else { continue };
        acknowledged += 1;
        let other = *first.entry(id).or_insert(operation.invoke);
        if other != operation.invoke {
            report.violation("duplicate", || {
                format!("{id} was given at index {other} and again at index {}", operation.invoke)
            });
        }
    }
    report.count("attempts", attempts);
    report.count("acknowledged", acknowledged);
}

//! What the two checkers of sets have in common: what was added, and what one read may hold.

use std::collections::{BTreeMap, BTreeSet};

use super::{Report, Undecided, is_failed, list, of, result, unfit};
use crate::history::{Operation, Value};

/// All additions of one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Added {
    /// The beginning of the first that did not fail.
    pub(super) begun: Option<u64>,
    /// The end of the first that is ok.
    pub(super) done: Option<u64>,
}

/// By element.
pub(super) type Additions<'a> = BTreeMap<&'a Value, Added>;

/// A read that is ok.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read<'a> {
    pub(super) operation: &'a Operation,
    pub(super) complete: u64,
    pub(super) elements: &'a [Value],
}

pub(super) fn additions<'a>(operations: &'a [Operation], report: &mut Report) -> Additions<'a> {
    let mut additions = Additions::new();
    let mut attempts = 0;
    for operation in of(operations, "add").chain(of(operations, "append")) {
        attempts += 1;
        let added = additions.entry(&operation.input).or_insert(Added { begun: None, done: None });
        if !is_failed(operation) {
            added.begun = Some(added.begun.map_or(operation.invoke, |b| b.min(operation.invoke)));
        }
        if let Some((_, complete)) = result(operation) {
            added.done = Some(added.done.map_or(complete, |done| done.min(complete)));
        }
    }
    report.count("attempts", attempts);
    report.count("acknowledged", additions.values().filter(|added| added.done.is_some()).count());
    additions
}

/// All reads that are ok, in the order in which they ended.
pub(super) fn reads(operations: &[Operation]) -> Result<Vec<Read<'_>>, Undecided> {
    let mut reads = Vec::new();
    for operation in of(operations, "read") {
        let Some((value, complete)) = result(operation) else { continue };
        let elements = list(value).ok_or_else(|| unfit(operation, value, "a list of elements"))?;
        reads.push(Read { operation, complete, elements });
    }
    reads.sort_by_key(|read| read.complete);
    Ok(reads)
}

/// Whether all that a read holds can be there, once.
pub(super) fn judge_elements<'a>(
    read: &Read<'a>,
    additions: &Additions<'_>,
    report: &mut Report,
) -> BTreeSet<&'a Value> {
    let at = read.operation.invoke;
    let mut seen = BTreeSet::new();
    for element in read.elements {
        if !seen.insert(element) {
            report.violation("duplicate", || {
                format!("the read at index {at} returned {element} more than once")
            });
        }
    }
    for element in &seen {
        match additions.get(*element) {
            None => report.violation("unexpected", || {
                format!("the read at index {at} returned {element}, which nobody added")
            }),
            Some(Added { begun: None, .. }) => report.violation("aborted", || {
                format!("the read at index {at} returned {element}, although adding it had failed")
            }),
            Some(Added { begun: Some(begun), .. }) if *begun > read.complete => {
                report.violation("unexpected", || {
                    format!(
                        "the read at index {at} returned {element}, which was added only later, at index {begun}"
                    )
                });
            }
            Some(_) => {}
        }
    }
    seen
}

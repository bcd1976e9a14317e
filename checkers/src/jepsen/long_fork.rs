//! Long forks: two writes that are seen in one order by one reader, and in the other by another.
//!
//! An operation is a list of parts. One that consists of reads alone (`[["r", key, value], …]`) looks at several keys at once;
//! one of a single write (`[["w", key, value]]`) sets a key that had nothing. Each key is written once.
//!
//! As `jepsen.tests.long-fork`: of two reads of the same keys one has everything that the other has. Reads of other keys
//! are compared among themselves; no group size is asked for. It takes time linear in the reads, but for sorting;
//! Jepsen's compares all pairs. Unknown, as there, if a key is written twice or read with two values.

use std::collections::BTreeMap;

use super::{Report, Undecided, is_failed, list, result, unfit};
use crate::history::{Operation, Value};

/// A read: its keys, and the values of those that had one.
struct Read<'a> {
    operation: &'a Operation,
    /// By the place of the key among the sorted keys.
    present: Vec<usize>,
}

pub(super) fn check(operations: &[Operation], report: &mut Report) -> Result<(), Undecided> {
    each_key_is_written_once(operations)?;
    let groups = groups(operations)?;
    let all = || groups.iter().flat_map(|(keys, reads)| reads.iter().map(move |read| (keys, read)));
    report.count("reads", all().count());
    report.count("early-reads", all().filter(|(_, read)| read.present.is_empty()).count());
    let late = all().filter(|(keys, read)| read.present.len() == keys.len()).count();
    report.count("late-reads", late);
    for (keys, mut reads) in groups {
        reads.sort_by_key(|read| read.present.len());
        // Each holds all that the one before it holds, or those two are a fork.
        for pair in reads.windows(2) {
            let [fewer, more] = pair else { continue };
            let is_in_more = |place: &&usize| more.present.binary_search(place).is_ok();
            let missing = fewer.present.iter().find(|place| !is_in_more(place));
            if let Some(missing) = missing {
                let other = more.present.iter().find(|p| fewer.present.binary_search(p).is_err());
                let name = |place: Option<&usize>| {
                    place.and_then(|place| keys.get(*place)).map(ToString::to_string)
                };
                report.violation("fork", || {
                    format!(
                        "the read at index {} has key {} and not key {}, the one at index {} the other way round",
                        fewer.operation.invoke,
                        name(Some(missing)).unwrap_or_default(),
                        name(other).unwrap_or_default(),
                        more.operation.invoke
                    )
                });
            }
        }
    }
    Ok(())
}

fn each_key_is_written_once(operations: &[Operation]) -> Result<(), Undecided> {
    let mut first = BTreeMap::new();
    for operation in operations.iter().filter(|operation| !is_failed(operation)) {
        let parts = parts(operation, &operation.input).unwrap_or_default();
        let [(Part::Write, key, _)] = *parts.as_slice() else { continue };
        if let Some(other) = first.insert(key, operation.invoke) {
            return Err(format!(
                "key {key} is written at index {other} and again at index {}; each key is written once",
                operation.invoke
            ));
        }
    }
    Ok(())
}

type Groups<'a> = BTreeMap<Vec<&'a Value>, Vec<Read<'a>>>;

/// The reads that are ok, by their keys.
fn groups(operations: &[Operation]) -> Result<Groups<'_>, Undecided> {
    let mut groups = Groups::new();
    let mut values: BTreeMap<&Value, &Value> = BTreeMap::new();
    for operation in operations {
        let Some((value, _)) = result(operation) else { continue };
        let mut parts = parts(operation, value)?;
        if parts.is_empty() || parts.iter().any(|(part, ..)| *part == Part::Write) {
            continue;
        }
        parts.sort_by_key(|(_, key, _)| *key);
        let mut present = Vec::new();
        for (place, (_, key, seen)) in parts.iter().enumerate() {
            if **seen != Value::Nil {
                present.push(place);
                let other = *values.entry(key).or_insert(seen);
                if other != *seen {
                    return Err(format!(
                        "key {key} is read as {other} and, at index {}, as {seen}; each key is written once",
                        operation.invoke
                    ));
                }
            }
        }
        let keys = parts.iter().map(|(_, key, _)| *key).collect();
        groups.entry(keys).or_default().push(Read { operation, present });
    }
    Ok(groups)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Read,
    Write,
}

fn parts<'a>(
    operation: &Operation,
    value: &'a Value,
) -> Result<Vec<(Part, &'a Value, &'a Value)>, Undecided> {
    const PARTS: &str = "a list of parts, each [\"r\", key, value] or [\"w\", key, value]";
    let part = |part: &'a Value| match list(part) {
        Some([Value::Text(word), key, value]) if word == "r" => Some((Part::Read, key, value)),
        Some([Value::Text(word), key, value]) if word == "w" => Some((Part::Write, key, value)),
        _ => None,
    };
    let parts = list(value).and_then(|parts| parts.iter().map(part).collect());
    parts.ok_or_else(|| unfit(operation, value, PARTS))
}

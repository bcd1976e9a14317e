//! A set, by all of its reads: operations `add` (or `append`) with an element, and `read`, which returns a list of elements.
//!
//! As `jepsen.checker/set-full`. An element is *known* from the end of its addition or of the first read that has it. It
//! is *lost* if the last read that has it began before some read that does not, which began after it was known; *stable*
//! if every read from some point on has it; else it was *never read*. A stable element is *stale* if a read that began
//! after it was known does not have it, which is a violation only where the set is to be linearizable. Unknown if no
//! element is stable.
//!
//! Stricter: Jepsen's test for duplicates can never find any (`(< v 1)`), ours does. A read must not have an element that
//! nobody added, that is added only after its end, or of which every addition failed. Real time goes by the order of
//! events, not by clocks. It takes time linear in the sizes of the reads; Jepsen's takes elements times reads.

use std::collections::{BTreeMap, BTreeSet};

use super::elements::{Added, Additions, Read, additions, judge_elements, reads};
use super::{Report, Undecided};
use crate::history::{Operation, Value};

/// When reads had an element.
#[derive(Clone, Copy, Debug, Default)]
struct Sightings {
    /// When the first read with it ended.
    first_end: Option<u64>,
    /// When the last read with it began.
    present: Option<u64>,
    /// When the last read without it began.
    absent: Option<u64>,
}

pub(super) fn check(
    operations: &[Operation],
    is_linearizable: bool,
    report: &mut Report,
) -> Result<(), Undecided> {
    let additions = additions(operations, report);
    let reads = reads(operations)?;
    report.count("reads", reads.len());
    let sightings = sightings(&reads, &additions, report);
    let (mut stable, mut never_read) = (0, 0);
    for (element, seen) in &sightings {
        let done = additions.get(element).and_then(|added| added.done);
        let known = done.into_iter().chain(seen.first_end).min();
        let missed = seen.absent.zip(known).filter(|(absent, known)| known < absent);
        let is_stable = seen.present.is_some() && seen.absent < seen.present;
        match missed {
            Some((absent, known)) if is_stable => {
                stable += 1;
                let sentence = || {
                    format!(
                        "{element} was there by index {known}, the read at index {absent} does not have it, and later ones do"
                    )
                };
                if is_linearizable {
                    report.violation("stale", sentence);
                } else {
                    report.note("stale", sentence);
                }
            }
            None if is_stable => stable += 1,
            Some((absent, known)) => report.violation("lost", || {
                format!(
                    "{element} was there by index {known}, and is not in the read at index {absent} or any later one"
                )
            }),
            None => never_read += 1,
        }
    }
    report.count("stable", stable);
    report.count("never-read", never_read);
    if stable == 0 && !report.has_violations() {
        return Err("no element was seen to stay, so there is nothing to judge by".to_owned());
    }
    Ok(())
}

fn sightings<'a>(
    reads: &[Read<'a>],
    additions: &Additions<'a>,
    report: &mut Report,
) -> BTreeMap<&'a Value, Sightings> {
    let mut sightings: BTreeMap<&Value, Sightings> = additions
        .iter()
        .filter(|(_, added)| **added != Added { begun: None, done: None })
        .map(|(element, _)| (*element, Sightings::default()))
        .collect();
    let mut seen: Vec<(u64, BTreeSet<&Value>)> = Vec::with_capacity(reads.len());
    for read in reads {
        let elements = judge_elements(read, additions, report);
        for element in &elements {
            if let Some(sighting) = sightings.get_mut(element) {
                sighting.first_end.get_or_insert(read.complete);
                sighting.present = sighting.present.max(Some(read.operation.invoke));
            }
        }
        seen.push((read.operation.invoke, elements));
    }
    // From the last read back: who is in all of them so far need not be looked for again.
    seen.sort_by_key(|(invoke, _)| std::cmp::Reverse(*invoke));
    let mut never_missed: Vec<&Value> = sightings.keys().copied().collect();
    for (invoke, elements) in seen {
        never_missed.retain(|element| {
            let is_there = elements.contains(element);
            if let Some(sighting) = sightings.get_mut(element).filter(|_| !is_there) {
                sighting.absent = Some(invoke);
            }
            is_there
        });
    }
    sightings
}

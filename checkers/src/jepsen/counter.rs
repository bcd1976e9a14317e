//! A counter that begins at 0: operations `add` with a number, and `read`.
//!
//! As `jepsen.checker/counter`: a read lies between the sum of all additions that are ok and ended before it began, and the sum
//! of all that did not fail and began before it ended. More general: a negative number may be added as well; Jepsen's checker
//! refuses that. Without a read there is nothing to object to, as there.

use std::collections::BTreeMap;

use super::{Report, Undecided, int, is_failed, of, result, unfit};
use crate::history::Operation;

/// What happens to the bounds.
#[derive(Clone, Copy, Debug)]
enum Event<'a> {
    /// An addition may have happened from here on.
    Possible(i128),
    /// It has happened by here.
    Certain(i128),
    ReadBegins(usize),
    ReadEnds(usize, &'a Operation, i128),
}

/// What was added until some point, up and down apart.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    up: i128,
    down: i128,
}

impl Sums {
    fn add(&mut self, amount: i128) {
        self.up += amount.max(0);
        self.down += amount.min(0);
    }
}

pub(super) fn check(operations: &[Operation], report: &mut Report) -> Result<(), Undecided> {
    let mut events = events(operations, report)?;
    events.sort_by_key(|(index, _)| *index);
    let (mut possible, mut certain) = (Sums::default(), Sums::default());
    let mut begun: BTreeMap<usize, Sums> = BTreeMap::new();
    for (_, event) in events {
        match event {
            Event::Possible(amount) => possible.add(amount),
            Event::Certain(amount) => certain.add(amount),
            Event::ReadBegins(read) => {
                begun.insert(read, certain);
            }
            // What was certain when it began is in it, and what was possible when it ended may be.
            Event::ReadEnds(read, operation, seen) => {
                let certain = begun.remove(&read).unwrap_or_default();
                let (low, high) = (certain.up + possible.down, possible.up + certain.down);
                if seen < low || seen > high {
                    report.violation("out-of-bounds", || {
                        format!(
                            "the read at index {} returned {seen}, and the counter was between {low} and {high}",
                            operation.invoke
                        )
                    });
                }
            }
        }
    }
    Ok(())
}

fn events<'a>(
    operations: &'a [Operation],
    report: &mut Report,
) -> Result<Vec<(u64, Event<'a>)>, Undecided> {
    let mut events = Vec::new();
    let (mut additions, mut reads) = (0, 0);
    for operation in of(operations, "add").filter(|operation| !is_failed(operation)) {
        additions += 1;
        let amount = int(&operation.input);
        let amount = amount.ok_or_else(|| unfit(operation, &operation.input, "an integer"))?;
        events.push((operation.invoke, Event::Possible(amount.into())));
        if let Some((_, complete)) = result(operation) {
            events.push((complete, Event::Certain(amount.into())));
        }
    }
    for operation in of(operations, "read") {
        let Some((value, complete)) = result(operation) else { continue };
        let seen = int(value).ok_or_else(|| unfit(operation, value, "an integer"))?;
        events.push((operation.invoke, Event::ReadBegins(reads)));
        events.push((complete, Event::ReadEnds(reads, operation, seen.into())));
        reads += 1;
    }
    report.count("additions", additions);
    report.count("reads", reads);
    Ok(events)
}

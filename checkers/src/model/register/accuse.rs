//! Says why operations on a register cannot be ordered.

use super::{Content, RegisterOp, is_refused};
use crate::history::{Operation, Outcome, Value};
use crate::model::{Case, Member, describe};

/// The first reason that applies, if any does. Each is true of every history that it is said of.
pub(super) fn sentence(initial: &Content, case: &Case<'_, RegisterOp>) -> Option<String> {
    let Member { operation, op } = case.accused;
    let index = operation.invoke;
    if let Some(expected) = op.refuses() {
        let since = held_since(initial, case, expected)?;
        let what = describe(operation);
        return Some(format!(
            "{what} was refused at index {index}, but the register held {expected} then, {since}"
        ));
    }
    let found = op.finds()?;
    let is_read = matches!(op, RegisterOp::Read(_));
    let finder = Finder { case, accused: operation, found, is_initial: found == initial, is_read };
    let why = finder
        .never_written()
        .or_else(|| finder.overwritten())
        .or_else(|| finder.seen_newer())
        .or_else(|| finder.shown_overwritten())
        .or_else(|| finder.overwritten_after_a_read())
        .or_else(|| finder.taken_away())?;
    let did = if is_read { "read" } else { "found" };
    Some(format!("{did} {found} at index {index}, {why}"))
}

/// From when on the register certainly held `expected` when the accused found something else.
fn held_since(
    initial: &Content,
    case: &Case<'_, RegisterOp>,
    expected: &Content,
) -> Option<String> {
    let accused = case.accused.operation;
    let changes = || case.set.iter().filter(|member| member.op.leaves().is_some());
    let is_other = |member: &&Member<'_, RegisterOp>| member.op.leaves() != Some(expected);
    // Every other change is either before this one, or after the accused.
    let is_last = |from: Option<&Operation>| {
        changes().filter(is_other).all(|other| {
            precedes(accused, other.operation)
                || from.is_some_and(|from| precedes(other.operation, from))
        })
    };
    if expected == initial && is_last(None) {
        return Some("from the beginning on".to_owned());
    }
    let mut producers = changes().filter(|member| !is_other(member));
    let from = producers.find(|producer| {
        precedes(producer.operation, accused) && is_last(Some(producer.operation))
    })?;
    Some(format!("from the {} at index {} on", written(from.operation), from.operation.invoke))
}

/// Someone who found a content and cannot be placed, and the reasons that are looked for.
struct Finder<'a> {
    case: &'a Case<'a, RegisterOp>,
    accused: &'a Operation,
    found: &'a Content,
    /// Whether the content was there at first.
    is_initial: bool,
    is_read: bool,
}

impl Finder<'_> {
    /// Nobody wrote the value, or not in time.
    fn never_written(&self) -> Option<String> {
        if self.is_initial {
            return None;
        }
        let (ended, found) = (self.accused.complete?, self.found);
        let others = self.case.all.iter().copied().filter(|o| o.invoke != self.accused.invoke);
        let writes = others.filter(|other| was_to_leave(other).as_ref() == Some(found));
        let (failed, possible): (Vec<&Operation>, Vec<&Operation>) =
            writes.partition(|write| write.outcome == Outcome::Fail || is_refused(write));
        if possible.iter().any(|write| write.invoke < ended) {
            return None;
        }
        let that = if self.is_read { "that read" } else { "that" };
        Some(match (failed.as_slice(), possible.as_slice()) {
            ([], []) => format!("but nobody ever wrote {found}"),
            ([write], []) => {
                format!("but the {} at index {} had failed", written(write), write.invoke)
            }
            (_, []) => format!("but every write of {found} had failed"),
            ([], [next, ..]) => format!(
                "but the {} began only after {that} had ended, at index {}",
                written(next),
                next.invoke
            ),
            (_, [_, ..]) => {
                format!(
                    "but every write of {found} had failed, or began only after {that} had ended"
                )
            }
        })
    }

    /// After each write of the value came another one, which ended before this began.
    fn overwritten(&self) -> Option<String> {
        let overwrites = |change: &Member<'_, RegisterOp>| {
            change.op.leaves() != Some(self.found) && precedes(change.operation, self.accused)
        };
        // The last one is the one that overwrote most.
        let last =
            self.changes().filter(overwrites).max_by_key(|change| change.operation.invoke)?;
        if !self.producers().all(|producer| precedes(producer, last.operation)) {
            return None;
        }
        let by = format!("{} at index {}", written(last.operation), last.operation.invoke);
        let mut producers = self.producers();
        match (self.is_initial, producers.next(), producers.next()) {
            (true, None, _) => Some(format!("but the {by} had ended before it began")),
            (false, None, _) => None,
            (false, Some(producer), None) => Some(format!(
                "but the {} at index {} had been overwritten before it began, by the {by}",
                written(producer),
                producer.invoke
            )),
            _ => Some(format!(
                "but every write of {} had been overwritten before it began, at last by the {by}",
                self.found
            )),
        }
    }

    /// Somebody who was there earlier found what was written later.
    fn seen_newer(&self) -> Option<String> {
        let newer = self.newer().find(|other| precedes(other.operation, self.accused))?;
        let index = newer.operation.invoke;
        Some(match newer.op {
            RegisterOp::Read(value) => {
                format!("after the read of {value} at index {index} had already seen a newer value")
            }
            _ => format!(
                "after the {} at index {index} had already found a newer value",
                describe(newer.operation)
            ),
        })
    }

    /// Somebody found what was written later, and that write had ended before this began.
    fn shown_overwritten(&self) -> Option<String> {
        let writer = |value: &Content| {
            let leaves = |change: &Member<'_, RegisterOp>| change.op.leaves() == Some(value);
            let mut writes = self.changes().filter(leaves);
            let have_ended =
                self.changes().filter(leaves).all(|w| precedes(w.operation, self.accused));
            writes.next().filter(|_| have_ended)
        };
        let (shows, value, by) = self.newer().find_map(|shows| {
            let value = shows.op.finds()?;
            Some((shows, value, writer(value)?))
        })?;
        let shows = match shows.op {
            RegisterOp::Read(_) => format!("read of {value} at index {}", shows.operation.invoke),
            _ => format!("{} at index {}", describe(shows.operation), shows.operation.invoke),
        };
        Some(format!(
            "but the {} at index {} had overwritten {} before that, as the {shows} shows",
            written(by.operation),
            by.operation.invoke,
            self.found,
        ))
    }

    /// Those who found another content, when this one was certainly gone for ever: each write of this one had ended when
    /// they began, or it was written only once, and had been found by somebody who ended before that.
    fn newer(&self) -> impl Iterator<Item = Member<'_, RegisterOp>> {
        self.finders().filter(|other| {
            let had_been_found = || {
                self.is_there_once()
                    && self.finders().any(|finder| {
                        finder.op.finds() == Some(self.found)
                            && precedes(finder.operation, other.operation)
                    })
            };
            let had_ended = self.producers().all(|producer| precedes(producer, other.operation));
            other.op.finds() != Some(self.found) && (had_ended || had_been_found())
        })
    }

    /// The value was found, then another one was written, and then it was found again.
    fn overwritten_after_a_read(&self) -> Option<String> {
        if !self.is_there_once() {
            return None;
        }
        let by_after = |first: &Operation| {
            self.changes().find(|change| {
                change.op.leaves() != Some(self.found)
                    && precedes(first, change.operation)
                    && precedes(change.operation, self.accused)
            })
        };
        let (first, by) = self
            .finders()
            .filter(|finder| finder.op.finds() == Some(self.found))
            .find_map(|first| Some((first, by_after(first.operation)?)))?;
        let did = if matches!(first.op, RegisterOp::Read(_)) { "read" } else { "found" };
        Some(format!(
            "but {}, which had been {did} at index {} before, was overwritten before it began, by \
             the {} at index {}",
            self.found,
            first.operation.invoke,
            written(by.operation),
            by.operation.invoke
        ))
    }

    /// Two took away what was there once.
    fn taken_away(&self) -> Option<String> {
        let takes = |member: &Member<'_, RegisterOp>| {
            member.op.finds() == Some(self.found) && member.op.leaves().is_some()
        };
        if !self.is_there_once() || !takes(&self.case.accused) {
            return None;
        }
        let other = self
            .finders()
            .find(|other| takes(other) && other.operation.invoke != self.accused.invoke)?;
        Some(format!(
            "but {} was there only once, and the {} at index {} took it away",
            self.found,
            describe(other.operation),
            other.operation.invoke
        ))
    }

    /// Whether the content was there from some time on, at most until some other time, and never again.
    fn is_there_once(&self) -> bool {
        self.producers().count() + usize::from(self.is_initial) == 1
    }

    fn changes(&self) -> impl Iterator<Item = Member<'_, RegisterOp>> {
        self.case.set.iter().copied().filter(|member| member.op.leaves().is_some())
    }

    /// Those that certainly found something.
    fn finders(&self) -> impl Iterator<Item = Member<'_, RegisterOp>> {
        let has_found = |member: &Member<'_, RegisterOp>| {
            member.op.finds().is_some() && member.operation.is_ok()
        };
        self.case.set.iter().copied().filter(has_found)
    }

    fn producers(&self) -> impl Iterator<Item = &Operation> {
        let produces = |member: &Member<'_, RegisterOp>| member.op.leaves() == Some(self.found);
        self.case.set.iter().filter(move |member| produces(member)).map(|member| member.operation)
    }
}

/// What an operation leaves in the register if it happens, whatever became of it; nothing if that is what it finds.
fn was_to_leave(operation: &Operation) -> Option<Content> {
    match (operation.f.as_str(), &operation.input) {
        ("write", value) => Some(Content::of(value)),
        ("delete", _) => Some(Content::Nil),
        ("cas", Value::List(pair)) => match pair.as_slice() {
            [expected, new] if expected != new => Some(Content::of(new)),
            _ => None,
        },
        _ => None,
    }
}

/// Whether `first` had certainly taken effect before `second` began.
fn precedes(first: &Operation, second: &Operation) -> bool {
    first.definite_end().is_some_and(|end| end < second.invoke)
}

fn written(change: &Operation) -> String {
    if change.f == "write" { format!("write of {}", change.input) } else { describe(change) }
}

//! Says why reads and writes cannot be ordered.

use super::{Content, RegisterOp, content_read, name};
use crate::history::{Operation, Outcome, Value};
use crate::model::{Case, Member};

/// The first reason that applies, if any does. Each is true of every history that it is said of.
pub(super) fn sentence(case: &Case<'_, RegisterOp>) -> Option<String> {
    let RegisterOp::Read(seen) = *case.accused.op else { return None };
    let reader = Reader { case, read: case.accused.operation, seen };
    let why = reader
        .never_written()
        .or_else(|| reader.overwritten())
        .or_else(|| reader.seen_newer())
        .or_else(|| reader.shown_overwritten())
        .or_else(|| reader.overwritten_after_a_read())?;
    Some(format!("read {} at index {}, {why}", name(seen), case.accused.operation.invoke))
}

/// A read that cannot be placed, and the reasons that are looked for.
struct Reader<'a> {
    case: &'a Case<'a, RegisterOp>,
    read: &'a Operation,
    seen: Content,
}

impl Reader<'_> {
    /// Nobody wrote the value, or not in time.
    fn never_written(&self) -> Option<String> {
        let value = self.seen?;
        let writes: Vec<&Operation> = self
            .case
            .all
            .iter()
            .copied()
            .filter(|other| other.f == "write" && other.input == Value::Int(value))
            .collect();
        let ended = self.read.complete?;
        let (failed, possible): (Vec<&Operation>, Vec<&Operation>) =
            writes.into_iter().partition(|write| write.outcome == Outcome::Fail);
        if possible.iter().any(|write| write.invoke < ended) {
            return None;
        }
        Some(match (failed.as_slice(), possible.as_slice()) {
            ([], []) => format!("but nobody ever wrote {value}"),
            ([write], []) => {
                format!("but the write of {value} at index {} had failed", write.invoke)
            }
            (_, []) => format!("but every write of {value} had failed"),
            ([], [next, ..]) => format!(
                "but the write of {value} began only after that read had ended, at index {}",
                next.invoke
            ),
            (_, [_, ..]) => {
                format!(
                    "but every write of {value} had failed, or began only after that read had ended"
                )
            }
        })
    }

    /// After each write of the value came another one, which ended before the read began.
    fn overwritten(&self) -> Option<String> {
        let Some(value) = self.seen else {
            let write = self.writes().find(|write| precedes(write.operation, self.read))?;
            return Some(format!(
                "but the {} at index {} had ended before it began",
                written(write),
                write.operation.invoke
            ));
        };
        let overwrites = |write: &Member<'_, RegisterOp>| {
            *write.op != RegisterOp::Write(value) && precedes(write.operation, self.read)
        };
        // The last one is the one that overwrote most.
        let last = self.writes().filter(overwrites).max_by_key(|write| write.operation.invoke)?;
        let mut producers = self.producers();
        if !self.producers().all(|producer| precedes(producer, last.operation)) {
            return None;
        }
        let by = format!("{} at index {}", written(last), last.operation.invoke);
        Some(match (producers.next(), producers.next()) {
            (Some(producer), None) => format!(
                "but the write of {value} at index {} had been overwritten before it began, by the \
                 {by}",
                producer.invoke
            ),
            _ => format!(
                "but every write of {value} had been overwritten before it began, at last by the \
                 {by}"
            ),
        })
    }

    /// An earlier read saw what was written later.
    fn seen_newer(&self) -> Option<String> {
        let (newer, value) = self.newer_reads().find(|(other, _)| precedes(other, self.read))?;
        Some(format!(
            "after the read of {} at index {} had already seen a newer value",
            name(value),
            newer.invoke
        ))
    }

    /// Some read saw what was written later, and that write had ended before this read began.
    fn shown_overwritten(&self) -> Option<String> {
        let writer = |value: Content| {
            let of_value = |write: &Member<'_, RegisterOp>| {
                value.is_some_and(|value| *write.op == RegisterOp::Write(value))
            };
            let mut writes = self.writes().filter(of_value);
            let all_ended =
                self.writes().filter(of_value).all(|w| precedes(w.operation, self.read));
            writes.next().filter(|_| all_ended)
        };
        let (shows, by) =
            self.newer_reads().find_map(|(shows, value)| Some((shows, writer(value)?)))?;
        Some(format!(
            "but the {} at index {} had overwritten {} before that, as the read of {} at index {} \
             shows",
            written(by),
            by.operation.invoke,
            name(self.seen),
            by.operation.input,
            shows.invoke
        ))
    }

    /// Reads of other values that were certainly written later: each write of this one had ended
    /// when the other read began, or its only write had been seen by a read that ended before that.
    fn newer_reads(&self) -> impl Iterator<Item = (&Operation, Content)> {
        self.reads().filter(|&(other, value)| {
            let had_been_read = || {
                self.producers().count() == 1
                    && self.reads().any(|(read, seen)| seen == self.seen && precedes(read, other))
            };
            let had_ended = self.producers().all(|producer| precedes(producer, other));
            value != self.seen && (had_ended || had_been_read())
        })
    }

    /// The value was read, then another one was written, and then it was read again.
    fn overwritten_after_a_read(&self) -> Option<String> {
        if self.producers().count() != 1 {
            return None;
        }
        let by_after = |first: &Operation| {
            self.writes().find(|write| {
                precedes(first, write.operation) && precedes(write.operation, self.read)
            })
        };
        let (first, by) = self
            .reads()
            .filter(|&(_, seen)| seen == self.seen)
            .find_map(|(first, _)| Some((first, by_after(first)?)))?;
        Some(format!(
            "but {}, which had been read at index {} before, was overwritten before it began, by \
             the {} at index {}",
            name(self.seen),
            first.invoke,
            written(by),
            by.operation.invoke
        ))
    }

    fn writes(&self) -> impl Iterator<Item = Member<'_, RegisterOp>> {
        self.case.set.iter().copied().filter(|member| matches!(member.op, RegisterOp::Write(_)))
    }

    fn reads(&self) -> impl Iterator<Item = (&Operation, Content)> {
        self.case
            .set
            .iter()
            .filter_map(|member| Some((member.operation, content_read(*member.op)?)))
    }

    fn producers(&self) -> impl Iterator<Item = &Operation> {
        let produces = |member: &Member<'_, RegisterOp>| {
            self.seen.is_some_and(|value| *member.op == RegisterOp::Write(value))
        };
        self.case.set.iter().filter(move |member| produces(member)).map(|member| member.operation)
    }
}

/// Whether `first` had certainly taken effect before `second` began.
fn precedes(first: &Operation, second: &Operation) -> bool {
    first.definite_end().is_some_and(|end| end < second.invoke)
}

fn written(write: Member<'_, RegisterOp>) -> String {
    format!("write of {}", write.operation.input)
}

//! A register: `read` returns what the last `write` wrote.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Case, Lookahead, Malformed, Member, Model};
use crate::history::{Operation, Outcome, Value};

/// A register that holds nothing at first.
#[derive(Clone, Copy, Debug)]
pub struct Register;

/// What a register holds: `None` before the first write.
type Content = Option<i64>;

/// An operation on a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegisterOp {
    /// It returned this.
    Read(Content),
    /// It wrote this, if it happened.
    Write(i64),
}

impl Model for Register {
    type State = Content;
    type Op = RegisterOp;
    type Lookahead = Orphans;

    const NAME: &'static str = "register";
    const SUMMARY: &'static str =
        "independent registers: `read` returns what the last `write` wrote";
    const FUNCTIONS: &'static [&'static str] = &["read", "write"];

    fn initial(&self) -> Content {
        None
    }

    fn parse(&self, operation: &Operation) -> Result<Option<RegisterOp>, Malformed> {
        match operation.f.as_str() {
            "read" => parse_read(operation),
            "write" => parse_write(operation).map(Some),
            other => Err(Malformed {
                index: operation.invoke,
                problem: format!(
                    "the model `register` has no function `{other}`; expected `read` or `write`"
                ),
            }),
        }
    }

    fn step(&self, state: &Content, op: &RegisterOp) -> Option<Content> {
        match *op {
            RegisterOp::Read(seen) => (seen == *state).then_some(*state),
            RegisterOp::Write(value) => Some(Some(value)),
        }
    }

    fn is_read_only(&self, op: &RegisterOp) -> bool {
        matches!(op, RegisterOp::Read(_))
    }

    fn depends(&self, observer: &RegisterOp, cause: &RegisterOp) -> bool {
        matches!((observer, cause), (RegisterOp::Read(Some(seen)), RegisterOp::Write(written))
            if seen == written)
    }

    fn unobserved(&self, ops: &[RegisterOp]) -> Vec<bool> {
        let seen: FxHashSet<i64> = ops.iter().filter_map(|op| content_read(*op)?).collect();
        let is_unobserved = |op: &RegisterOp| match op {
            RegisterOp::Read(_) => true,
            RegisterOp::Write(value) => !seen.contains(value),
        };
        ops.iter().map(is_unobserved).collect()
    }

    fn lookahead(&self, ops: &[RegisterOp]) -> Orphans {
        Orphans::new(ops)
    }

    fn describe(&self, operation: &Operation) -> String {
        match &operation.outcome {
            Outcome::Ok(value) if operation.f == "read" => format!("read -> {value}"),
            Outcome::Ok(_) | Outcome::Fail | Outcome::Info | Outcome::Pending
                if operation.f == "read" =>
            {
                "read".to_owned()
            }
            Outcome::Ok(_) | Outcome::Fail | Outcome::Info | Outcome::Pending => {
                format!("{} {}", operation.f, operation.input)
            }
        }
    }

    fn describe_state(&self, state: &Content) -> String {
        name(*state)
    }

    fn accuse(&self, case: &Case<'_, RegisterOp>) -> Option<String> {
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
}

fn parse_read(operation: &Operation) -> Result<Option<RegisterOp>, Malformed> {
    if operation.input != Value::Nil {
        return Err(Malformed {
            index: operation.invoke,
            problem: format!("`read` takes no argument, not {}; expected null", operation.input),
        });
    }
    match &operation.outcome {
        Outcome::Ok(Value::Nil) => Ok(Some(RegisterOp::Read(None))),
        Outcome::Ok(Value::Int(value)) => Ok(Some(RegisterOp::Read(Some(*value)))),
        Outcome::Ok(other @ (Value::Text(_) | Value::List(_))) => Err(Malformed {
            index: operation.complete.unwrap_or(operation.invoke),
            problem: format!("`read` returns {other}; expected an integer or null"),
        }),
        Outcome::Fail | Outcome::Info | Outcome::Pending => Ok(None),
    }
}

fn parse_write(operation: &Operation) -> Result<RegisterOp, Malformed> {
    let Value::Int(value) = operation.input else {
        return Err(Malformed {
            index: operation.invoke,
            problem: format!("`write` is given {}; expected an integer", operation.input),
        });
    };
    Ok(RegisterOp::Write(value))
}

fn content_read(op: RegisterOp) -> Option<Content> {
    match op {
        RegisterOp::Read(seen) => Some(seen),
        RegisterOp::Write(_) => None,
    }
}

fn name(content: Content) -> String {
    content.map_or_else(|| "nil".to_owned(), |value| value.to_string())
}

/// Counts orphans: values that somebody still has to read while nobody is left to write them. One at most,
/// the value that the register holds, is no dead end.
#[derive(Debug)]
pub struct Orphans {
    /// Which value each operation reads or writes.
    values: Vec<(usize, Kind)>,
    ids: FxHashMap<Content, usize>,
    /// By value: reads and writes that are not yet ordered.
    left: Vec<Left>,
    count: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Read,
    Write,
}

#[derive(Clone, Copy, Debug, Default)]
struct Left {
    reads: usize,
    writes: usize,
}

impl Left {
    fn is_orphan(self) -> bool {
        self.reads > 0 && self.writes == 0
    }
}

impl Orphans {
    fn new(ops: &[RegisterOp]) -> Self {
        let mut orphans =
            Self { values: Vec::new(), ids: FxHashMap::default(), left: Vec::new(), count: 0 };
        for op in ops {
            let (content, kind) = match *op {
                RegisterOp::Read(seen) => (seen, Kind::Read),
                RegisterOp::Write(value) => (Some(value), Kind::Write),
            };
            let id = *orphans.ids.entry(content).or_insert(orphans.left.len());
            if id == orphans.left.len() {
                orphans.left.push(Left::default());
            }
            orphans.values.push((id, kind));
        }
        for op in 0..ops.len() {
            orphans.put_back(op);
        }
        orphans
    }

    fn change(&mut self, op: usize, change: impl Fn(&mut usize)) {
        let &(id, kind) = self.values.get(op).expect("every operation has its value");
        let left = self.left.get_mut(id).expect("every value has its counts");
        let before = left.is_orphan();
        match kind {
            Kind::Read => change(&mut left.reads),
            Kind::Write => change(&mut left.writes),
        }
        match (before, left.is_orphan()) {
            (false, true) => self.count += 1,
            (true, false) => self.count -= 1,
            (false, false) | (true, true) => {}
        }
    }
}

impl Lookahead<Content> for Orphans {
    fn take(&mut self, op: usize) {
        self.change(op, |count| *count -= 1);
    }

    fn put_back(&mut self, op: usize) {
        self.change(op, |count| *count += 1);
    }

    fn is_doomed(&self, state: &Content) -> bool {
        let held = self.ids.get(state).and_then(|&id| self.left.get(id));
        let tolerated = usize::from(held.is_some_and(|left| left.is_orphan()));
        self.count > tolerated
    }
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
        let overwriter = |producer: &Operation| {
            self.writes().filter(|write| *write.op != RegisterOp::Write(value)).find(|write| {
                precedes(producer, write.operation) && precedes(write.operation, self.read)
            })
        };
        let producers: Vec<&Operation> = self.producers().collect();
        let overwriters: Vec<Member<'_, RegisterOp>> =
            producers.iter().map(|producer| overwriter(producer)).collect::<Option<_>>()?;
        match (producers.as_slice(), overwriters.as_slice()) {
            ([producer], [by]) => Some(format!(
                "but the write of {value} at index {} had been overwritten before it began, by the {} \
                 at index {}",
                producer.invoke,
                written(*by),
                by.operation.invoke
            )),
            _ => Some(format!("but every write of {value} had been overwritten before it began")),
        }
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
            "but the {} at index {} had overwritten {} before that, as the read of {} at index {} shows",
            written(by),
            by.operation.invoke,
            name(self.seen),
            by.operation.input,
            shows.invoke
        ))
    }

    /// Reads of other values that were certainly written later: each write of this one had ended when the
    /// other read began, or its only write had been seen by a read that ended before that.
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
            "but {}, which had been read at index {} before, was overwritten before it began, by the \
             {} at index {}",
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

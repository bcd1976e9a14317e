//! The checkers that Jepsen has beside linearizability: folds over a history that are linear and know what a workload
//! promises.
//!
//! They go by the checkers of `jepsen.checker`, `jepsen.tests.bank` and `jepsen.tests.long-fork`, and take any operations,
//! of whatever system. The code is our own. Each module says where its verdict differs from Jepsen's.
//!
//! In general:
//!
//! - What failed did not happen. If its effect is seen, that is a violation. (Jepsen's sets and queues count failed
//!   attempts among those that may have happened.)
//! - What an operation was asked for, and what came of it, must have the form that the checker knows, and every operation
//!   a function that it knows. Else the verdict is unknown, with the operation that does not fit. (Jepsen's pass over
//!   functions that they do not know.)
//! - A map is a list of pairs: `{0 10, 1 20}` is `[[0, 10], [1, 20]]`.

mod bank;
mod counter;
mod elements;
mod long_fork;
mod queue;
mod report;
mod set;
mod set_full;
#[cfg(test)]
mod tests;
mod total_queue;
mod unique_ids;

use std::collections::BTreeMap;
use std::fmt;

use crate::history::{Key, Operation, Outcome, Value};

pub use report::{Problem, Report};

/// One of the checkers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checker {
    /// Whatever was added is in the last read, and nothing else.
    Set,
    /// The same for all reads: no element is there and then gone for good.
    SetFull {
        /// Whether an element that was added must be in every read that begins afterwards.
        is_linearizable: bool,
    },
    /// Whatever comes out of a queue was put into it.
    Queue,
    /// The same, and whatever was put in comes out.
    TotalQueue,
    /// A counter is between what was certainly added and what may have been.
    Counter,
    /// No two ids are the same.
    UniqueIds,
    /// Transfers between accounts change no total.
    Bank(BankOptions),
    /// Reads of several keys agree on what was written first.
    LongFork,
}

/// What a bank promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct BankOptions {
    /// What all accounts hold together; that of the first read where it is not given.
    pub total: Option<i64>,
    /// Whether an account may hold less than nothing.
    pub may_be_negative: bool,
}

impl Checker {
    /// All, each as strict as it is by itself.
    pub const ALL: [Self; 8] = [
        Self::Set,
        Self::SetFull { is_linearizable: false },
        Self::Queue,
        Self::TotalQueue,
        Self::Counter,
        Self::UniqueIds,
        Self::Bank(BankOptions { total: None, may_be_negative: false }),
        Self::LongFork,
    ];

    /// Its name (`set-full`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::SetFull { .. } => "set-full",
            Self::Queue => "queue",
            Self::TotalQueue => "total-queue",
            Self::Counter => "counter",
            Self::UniqueIds => "unique-ids",
            Self::Bank(_) => "bank",
            Self::LongFork => "long-fork",
        }
    }

    /// The one with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|checker| checker.name() == name)
    }

    /// The functions that it knows; nothing where it goes by what operations consist of.
    pub const fn functions(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Set | Self::SetFull { .. } => Some(&["add", "append", "read"]),
            Self::Queue | Self::TotalQueue => Some(&["enqueue", "dequeue", "drain"]),
            Self::Counter => Some(&["add", "read"]),
            Self::UniqueIds => Some(&["generate"]),
            Self::Bank(_) => Some(&["read", "transfer"]),
            Self::LongFork => None,
        }
    }

    /// Judges operations, those on different keys apart.
    pub fn check_by_key(self, operations: &[Operation]) -> Vec<(Option<Key>, Report)> {
        let mut by_key: BTreeMap<Option<Key>, Vec<Operation>> = BTreeMap::new();
        for operation in operations {
            by_key.entry(operation.key).or_default().push(operation.clone());
        }
        if by_key.is_empty() {
            by_key.insert(None, Vec::new());
        }
        by_key.into_iter().map(|(key, operations)| (key, self.check(&operations))).collect()
    }

    /// Judges the operations on one object, in the order of their invocations.
    pub fn check(self, operations: &[Operation]) -> Report {
        let mut report = Report::new(self.name());
        let outcome = self.knows(operations).and_then(|()| self.judge(operations, &mut report));
        report.finish(outcome)
    }

    /// Whether it knows all functions.
    fn knows(self, operations: &[Operation]) -> Result<(), Undecided> {
        let Some(functions) = self.functions() else { return Ok(()) };
        let other = operations.iter().find(|operation| !functions.contains(&operation.f.as_str()));
        other.map_or(Ok(()), |other| {
            Err(format!(
                "the checker `{}` knows no function `{}`, which stands at index {}; it knows {}",
                self.name(),
                other.f,
                other.invoke,
                functions.join(", ")
            ))
        })
    }

    fn judge(self, operations: &[Operation], report: &mut Report) -> Result<(), Undecided> {
        match self {
            Self::Set => set::check(operations, report),
            Self::SetFull { is_linearizable } => {
                set_full::check(operations, is_linearizable, report)
            }
            Self::Queue => queue::check(operations, report),
            Self::TotalQueue => total_queue::check(operations, report),
            Self::Counter => counter::check(operations, report),
            Self::UniqueIds => {
                unique_ids::check(operations, report);
                Ok(())
            }
            Self::Bank(options) => bank::check(operations, options, report),
            Self::LongFork => long_fork::check(operations, report),
        }
    }
}

/// Why nothing can be said: a sentence without a full stop.
type Undecided = String;

/// The operations of a function.
fn of<'a>(operations: &'a [Operation], f: &'static str) -> impl Iterator<Item = &'a Operation> {
    operations.iter().filter(move |operation| operation.f == f)
}

/// What an operation returned, if it is ok, and when.
fn result(operation: &Operation) -> Option<(&Value, u64)> {
    match (&operation.outcome, operation.complete) {
        (Outcome::Ok(value), Some(complete)) => Some((value, complete)),
        _ => None,
    }
}

fn list(value: &Value) -> Option<&[Value]> {
    match value {
        Value::List(values) => Some(values),
        Value::Nil | Value::Int(_) | Value::Text(_) => None,
    }
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Nil | Value::Text(_) | Value::List(_) => None,
    }
}

/// Has failed: it did not happen and never will.
fn is_failed(operation: &Operation) -> bool {
    operation.outcome == Outcome::Fail
}

/// Why an operation cannot be judged.
fn unfit(operation: &Operation, value: &impl fmt::Display, expected: &str) -> Undecided {
    format!("`{}` at index {} has {value}; expected {expected}", operation.f, operation.invoke)
}

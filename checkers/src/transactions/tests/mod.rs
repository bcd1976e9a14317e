//! Anomalies by hand, and histories at random against brute force.

mod anomalies;
mod brute;
mod differential;
mod operations;
mod random;

use super::{Consistency, Fate, Micro, Report, Transaction, check};
use crate::history::{ProcessId, Value};

/// A transaction that owns what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) process: u64,
    pub(super) invoke: u64,
    pub(super) complete: Option<u64>,
    pub(super) fate: Fate,
    pub(super) micros: Vec<Part>,
}

/// A part that owns its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Append(Value, Value),
    Read(Value, Vec<Value>),
}

impl Part {
    fn lent(&self) -> Micro<'_> {
        match self {
            Self::Append(key, element) => Micro::Append { key, element },
            Self::Read(key, seen) => Micro::Read { key, seen },
        }
    }
}

impl Owned {
    pub(super) fn lent(&self) -> Transaction<'_> {
        Transaction {
            process: ProcessId(self.process),
            invoke: self.invoke,
            complete: self.complete,
            fate: self.fate,
            micros: self.micros.iter().map(Part::lent).collect(),
        }
    }
}

pub(super) fn judge(history: &[Owned], consistency: Consistency) -> Report {
    let lent: Vec<Transaction<'_>> = history.iter().map(Owned::lent).collect();
    check(&lent, consistency)
}

/// A history with a line for each transaction: where it begins and ends (`0-3`), `ok`, `fail` or `info`, who if that
/// matters (`p1`), and its parts: `ax1` appends 1 to x, `rx1,2` reads [1, 2] in x, `rx` reads nothing there.
pub(super) fn history(text: &str) -> Vec<Owned> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    (100..).zip(lines).map(|(own, line)| transaction(own, line)).collect()
}

fn transaction(own: u64, line: &str) -> Owned {
    let mut words = line.split_whitespace().peekable();
    let (invoke, complete) = words.next().unwrap().split_once('-').unwrap();
    let fate = match words.next().unwrap() {
        "ok" => Fate::Ok,
        "fail" => Fate::Failed,
        "info" => Fate::Unknown,
        other => panic!("{other}"),
    };
    let process = words.next_if(|word| word.starts_with('p'));
    Owned {
        process: process.map_or(own, |word| word[1..].parse().unwrap()),
        invoke: invoke.parse().unwrap(),
        complete: complete.parse().ok(),
        fate,
        micros: words.map(part).collect(),
    }
}

fn part(word: &str) -> Part {
    let (what, rest) = word.split_at(2);
    let key = Value::Text(what[1..].to_owned());
    let number = |text: &str| Value::Int(text.parse().unwrap());
    if what.starts_with('a') {
        Part::Append(key, number(rest))
    } else {
        Part::Read(key, rest.split(',').filter(|text| !text.is_empty()).map(number).collect())
    }
}

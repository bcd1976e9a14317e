//! The record of a run: what clients asked and were told, and what the nemesis did, in the order in
//! which it happened; and the file that it is kept in.
//!
//! A history file is JSON, one object a line: a header with the whole plan, the events as they
//! happened, a footer with their count, digest and verdict.

mod ledger;
mod line;
mod operations;
mod reader;
#[cfg(test)]
mod tests;
mod value;
mod writer;

use std::fmt;

use serde::{Deserialize, Serialize};
pub use smol_str::SmolStr;

pub use ledger::{Inconsistency, Named};
pub use line::BadLine;
pub use operations::{Operation, Outcome, Pairs, Part, operations};
pub use reader::{Damage, Footer, HistoryFile, Problem, ReadError, Reader, read};
pub use value::Value;
pub use writer::{WriteError, Writer};

use ledger::Ledger;

/// What a run is, as far as its file tells before anything happens in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The program that recorded it, with its version (`quorate 0.1.0`).
    pub program: String,
    /// When it began, in UTC (`2026-11-23T21:47:02Z`).
    pub started: String,
    /// The planted bug that was on.
    pub mutant: Option<String>,
    /// The sequential model that it is to be judged by.
    pub model: String,
    /// The whole plan.
    pub plan: serde_json::Value,
}

/// Events of which each can follow the ones before it: indices count from 0, time does not go back,
/// every completion has its invocation, a process does one thing at a time.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct History {
    events: Vec<Event>,
}

impl History {
    /// Checks a list of events.
    pub fn new(events: Vec<Event>) -> Result<Self, Inconsistency> {
        let mut ledger = Ledger::default();
        for event in &events {
            ledger.admit(event)?;
        }
        Ok(Self { events })
    }

    /// All events in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// How many events there are.
    pub fn len(&self) -> u64 {
        self.events.len() as u64
    }

    /// From the beginning of the run to the last event, in nanoseconds.
    pub fn duration_ns(&self) -> u64 {
        self.events.last().map_or(0, |event| event.time.0)
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

/// Makes a [`History`] event by event, with all checks.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    history: History,
    ledger: Ledger,
}

impl Builder {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what happened under the next index. A time before the last one is raised to it.
    pub fn push(&mut self, time: Time, what: What) -> Result<&Event, Inconsistency> {
        let time = time.max(self.ledger.now());
        self.admit(Event { index: self.ledger.next(), time, what })
    }

    /// Adds an event that has its index and time already.
    pub fn admit(&mut self, event: Event) -> Result<&Event, Inconsistency> {
        self.ledger.admit(&event)?;
        self.history.events.push(event);
        Ok(self.history.events.last().expect("it was just pushed"))
    }

    /// What was added so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The history.
    pub fn finish(self) -> History {
        self.history
    }
}

/// Nanoseconds since the run began, on the recorder's clock.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Time(pub u64);

/// Who acts in a history: one sequential thread of operations. A process whose operation ended as
/// `info` goes on under a new id, higher by the number of clients, so `id % clients` is the client.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct ProcessId(pub u64);

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

/// The object that an operation is on; operations on different keys are independent.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Key(pub u64);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the history, counted from 0 without gaps. This order is the real-time order.
    pub index: u64,
    /// When, for people and plots; never decreases.
    pub time: Time,
    /// What.
    pub what: What,
}

/// What an [`Event`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A process asks.
    Invoke(Step),
    /// It was done, with this result in `value`.
    Ok(Step),
    /// It was not done and never will be.
    Fail(Step),
    /// Nobody knows: it may have happened, or may still happen at any time.
    Info(Step),
    /// The nemesis did something.
    Nemesis(Nemesis),
    /// Something that must always hold does not.
    Violation(Violation),
}

/// One half of an operation: its invocation or its completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who.
    pub process: ProcessId,
    /// The function (`read`, `write`).
    pub f: SmolStr,
    /// On what; absent for operations on the whole object.
    pub key: Option<Key>,
    /// Argument in an invocation, result in a completion.
    pub value: Value,
    /// Why it failed or is unknown.
    pub error: Option<String>,
}

/// A fault that begins, ends, or could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nemesis {
    /// Ties the end to the beginning: unique per fault in a run.
    pub fault: u32,
    /// The fault class (`partition`, `kill`).
    pub kind: String,
    /// Which half this is.
    pub phase: NemesisPhase,
    /// Nodes and clients that it is aimed at (`n0`, `c3`).
    pub targets: Vec<String>,
    /// What exactly, in one line (`halves: n0 n1 c0 | n2 n3 n4 c1`).
    pub what: String,
    /// In the end event: how often it was seen to bite (messages dropped, processes gone). 0 in the
    /// beginning.
    pub bites: u64,
}

impl Nemesis {
    /// The kind of an event that is no fault: a node ended by itself, which nobody had made it do.
    pub const DEATH: &str = "death";
    /// The kind of an event that is no fault: something else did not go as it must, such as a fault
    /// that could not be healed.
    pub const TROUBLE: &str = "trouble";
    /// The kind of an event that is no fault: faults stop coming, and from here on what is broken is put right.
    /// What clients do afterwards shows how all has ended; it is not what was tested.
    pub const HEALING: &str = "healing";

    /// The event that tells of healing; `fault` is its number among all that the nemesis does.
    pub fn healing(fault: u32) -> Self {
        Self {
            fault,
            kind: Self::HEALING.to_owned(),
            phase: NemesisPhase::Begin,
            targets: Vec::new(),
            what: "faults stop coming, and what is broken is put right".to_owned(),
            bites: 0,
        }
    }

    /// Whether it is a fault.
    pub fn is_fault(&self) -> bool {
        ![Self::DEATH, Self::TROUBLE, Self::HEALING].contains(&self.kind.as_str())
    }

    /// Whether nobody had made it happen on purpose: no run with such an event is valid.
    pub fn is_unplanned(&self) -> bool {
        [Self::DEATH, Self::TROUBLE].contains(&self.kind.as_str())
    }
}

/// Something that must hold, whatever the clients saw, and does not: an invariant over what the replicas tell
/// of themselves, or liveness after healing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    /// What was demanded, by its short name (`Q-I3`, `liveness`).
    pub demand: String,
    /// Whose doing it is, as far as that can be said (`n0`, `c3`).
    pub targets: Vec<String>,
    /// What was seen, in one sentence without a full stop.
    pub what: String,
    /// When it happened, where it was found out later than that: nanoseconds since the run began, as the times of
    /// events are.
    pub happened: Option<Time>,
}

impl Violation {
    /// The demand that pending operations complete and replicas answer once everything is healed.
    pub const LIVENESS: &str = "liveness";
}

/// What a simulated run was, in one number: equal for equal plans, on every machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunDigest {
    /// How many events of the world there were: deliveries, wakes, syncs, faults.
    pub steps: u64,
    /// A rolling digest over all of them, in hexadecimal.
    pub digest: String,
}

/// A file beside the history as it was when the run was over and nobody wrote to it any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Its name, from the folder of the run on (`nodes/n0/inputs.log`).
    pub file: String,
    /// How long it is.
    pub bytes: u64,
    /// The BLAKE3 hash of it, in hexadecimal.
    pub digest: String,
}

/// Which part of a fault's life an event marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NemesisPhase {
    /// It is in force from here on.
    Begin,
    /// It is healed from here on.
    End,
    /// It could not be carried out; `what` says why.
    Skipped,
}

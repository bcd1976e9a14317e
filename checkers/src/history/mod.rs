//! The record of a run: what clients asked and were told, and what the nemesis did, in the order in which
//! it happened.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Nanoseconds since the run began, on the recorder's clock.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Time(pub u64);

/// Who acts in a history: one sequential thread of operations. A process whose operation ended as `info`
/// goes on under a new id, higher by the number of clients, so `id % clients` is the client.
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

/// An argument or a result: what JSON can say of numbers, texts and lists. Written as plain JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Value {
    /// Nothing: the initial value of a register, the argument of a read.
    #[default]
    Nil,
    /// A number.
    Int(i64),
    /// A text.
    Text(String),
    /// Several values.
    List(Vec<Value>),
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
}

/// One half of an operation: its invocation or its completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who.
    pub process: ProcessId,
    /// The function (`read`, `write`).
    pub f: String,
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

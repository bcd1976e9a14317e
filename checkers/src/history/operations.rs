//! Invocations and their completions, paired.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::{Event, History, Key, ProcessId, SmolStr, Step, Time, Value, What};

/// An invocation and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The index of its invocation, by which it is named.
    pub invoke: u64,
    /// The index of its completion; absent if and only if it is [`Outcome::Pending`].
    pub complete: Option<u64>,
    /// Who.
    pub process: ProcessId,
    /// The function.
    pub f: SmolStr,
    /// On what.
    pub key: Option<Key>,
    /// The argument.
    pub input: Value,
    /// What became of it.
    pub outcome: Outcome,
    /// When it was invoked.
    pub invoked_at: Time,
    /// When it completed; absent if and only if it is [`Outcome::Pending`].
    pub completed_at: Option<Time>,
    /// Why it failed or is unknown.
    pub error: Option<String>,
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done, with this result.
    Ok(Value),
    /// It was not done and never will be.
    Fail,
    /// Nobody knows: it may have happened, or may still happen at any time.
    Info,
    /// Nothing was heard of it before the history ended; like [`Outcome::Info`].
    Pending,
}

impl Operation {
    /// Whether it certainly happened.
    pub fn is_ok(&self) -> bool {
        matches!(self.outcome, Outcome::Ok(_))
    }

    /// The index before which it took effect if it did; absent if that may be at any time, or
    /// never.
    pub fn definite_end(&self) -> Option<u64> {
        if self.is_ok() { self.complete } else { None }
    }

    /// As it was known before it ended.
    #[must_use]
    pub fn pending(self) -> Self {
        let outcome = Outcome::Pending;
        Self { outcome, complete: None, completed_at: None, error: None, ..self }
    }
}

/// The operations of a history in the order of their invocations.
pub fn operations(history: &History) -> Vec<Operation> {
    let mut operations: Vec<Operation> = Vec::new();
    // Where in the list each process has its operation that is in flight.
    let mut in_flight: FxHashMap<ProcessId, usize> = FxHashMap::default();
    for event in history.events() {
        match &event.what {
            What::Invoke(step) => {
                in_flight.insert(step.process, operations.len());
                operations.push(invoked(event, step));
            }
            What::Ok(step) | What::Fail(step) | What::Info(step) => {
                let operation = in_flight
                    .remove(&step.process)
                    .and_then(|place| operations.get_mut(place))
                    .expect("a history has no completion without its invocation");
                complete(operation, event, step);
            }
            What::Nemesis(_) | What::Violation(_) => {}
        }
    }
    operations
}

/// Pairs invocations and completions while a history goes on.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    in_flight: FxHashMap<ProcessId, Operation>,
}

/// What an event is of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// It begins.
    Begun(Operation),
    /// It has ended.
    Ended(Operation),
}

impl Pairs {
    /// What the next event of the history is of an operation; nothing if it is of none.
    pub fn take(&mut self, event: &Event) -> Option<Part> {
        match &event.what {
            What::Invoke(step) => {
                let operation = invoked(event, step);
                self.in_flight.insert(step.process, operation.clone());
                Some(Part::Begun(operation))
            }
            What::Ok(step) | What::Fail(step) | What::Info(step) => {
                let mut operation = self.in_flight.remove(&step.process)?;
                complete(&mut operation, event, step);
                Some(Part::Ended(operation))
            }
            What::Nemesis(_) | What::Violation(_) => None,
        }
    }
}

fn complete(operation: &mut Operation, event: &Event, step: &Step) {
    operation.complete = Some(event.index);
    operation.completed_at = Some(event.time);
    operation.outcome = match &event.what {
        What::Ok(_) => Outcome::Ok(step.value.clone()),
        What::Fail(_) => Outcome::Fail,
        _ => Outcome::Info,
    };
    operation.error.clone_from(&step.error);
}

fn invoked(event: &Event, step: &Step) -> Operation {
    Operation {
        invoke: event.index,
        complete: None,
        process: step.process,
        f: step.f.clone(),
        key: step.key,
        input: step.value.clone(),
        outcome: Outcome::Pending,
        invoked_at: event.time,
        completed_at: None,
        error: None,
    }
}

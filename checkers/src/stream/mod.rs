//! Linearizability while a history goes on, in memory that its length does not matter for.
//!
//! Operations are handed over as they begin and end; what is kept is what is open, what cannot be decided before the end of
//! something that is open, and the last few operations of each key, to explain a violation. What happened before is kept as
//! what it may have led to (`frontier`). The verdict on a whole history stays that of [`crate::linearizability`], which
//! looks ahead and has fewer limits; this one says as soon as it is certain that there is no order any more.
//!
//! It never says invalid where there is an order, nor valid where there is none. Where one of the [`Limits`] is reached, the
//! key is unknown from there on.

mod carried;
mod configurations;
mod frontier;
mod partition;
mod position;
mod referee;
#[cfg(test)]
pub(crate) mod tests;
mod violation;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::history::{Key, Operation};
use crate::model::Model;
use crate::verdict::Verdict;

pub use referee::Referee;
pub use violation::Violation;

use partition::{Ended, Partition};

/// Whoever feeds a stream from a file tells how far it is whenever there were so many events more.
pub const PROGRESS_EVENTS: usize = 1 << 16;

/// What one key may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So many configurations may be possible at once: states, with what of the open operations has been done.
    pub configurations: usize,
    /// So many beginnings and ends of operations may wait for the end of one that is open. Then it counts as one without a
    /// known end.
    pub window: usize,
}

impl Default for Limits {
    /// Some megabytes for a key that needs them all.
    fn default() -> Self {
        Self { configurations: 1 << 13, window: 1 << 14 }
    }
}

impl Limits {
    /// How often configurations may be compared when an operation ends.
    fn work(self) -> u64 {
        self.configurations as u64 * 256
    }
}

/// What was found, when the history has ended or was left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Streamed {
    /// Whether there is an order of all that was handed over.
    pub verdict: Verdict,
    /// The model that it was judged by.
    pub model: String,
    /// An operation that the model has no meaning for: nothing was judged from there on.
    pub malformed: Option<String>,
    /// The violation that was found first: nothing was judged from there on.
    pub violation: Option<Violation>,
    /// Keys that were not judged to the end, in order.
    pub unknown: Vec<Undecided>,
    /// How many operations were handed over.
    pub operations: u64,
    /// How many keys they are on. Where a model joins keys, they count as one.
    pub keys: u64,
    /// The most operations that were kept at once.
    pub held_most: u64,
    /// The most configurations that one key had.
    pub configurations_most: u64,
}

/// A key that is not known to be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undecided {
    /// Which; absent for operations without a key.
    pub key: Option<Key>,
    /// What was too much, and where.
    pub reason: String,
}

impl Undecided {
    /// The key and the reason.
    pub fn sentence(&self) -> String {
        format!("{}{}", on(self.key), self.reason)
    }
}

fn on(key: Option<Key>) -> String {
    key.map_or_else(String::new, |key| format!("key {key}: "))
}

impl Streamed {
    /// What is not valid, one sentence each.
    pub fn sentences(&self) -> Vec<String> {
        let claim = crate::linearizability::Linearizability::CLAIM;
        let violated = self
            .violation
            .iter()
            .map(|found| format!("{claim}{}{}", on(found.key), found.sentence));
        let unknown = self.unknown.iter().map(Undecided::sentence);
        violated.chain(self.malformed.iter().cloned()).chain(unknown).collect()
    }
}

/// A [`Stream`] whose model is hidden.
pub trait AnyStream {
    /// An operation begins. Indices grow from event to event; what becomes of it is not looked at.
    fn invoke(&mut self, operation: Operation);
    /// An operation has ended that had begun.
    fn complete(&mut self, operation: Operation);
    /// Looks for violations that are certain but were not noticed yet because something is still open.
    fn look(&mut self);
    /// The first violation, once there is one.
    fn violation(&self) -> Option<&Violation>;
    /// The keys that are not followed any more, and why.
    fn undecided(&self) -> Vec<Undecided>;
    /// Whether the verdict stands already: nothing that is handed over now is looked at.
    fn is_over(&self) -> bool;
    /// What is known if nothing more comes.
    fn finish(&mut self) -> Streamed;
}

/// Judges operations as they come.
pub struct Stream<'m, M: Model> {
    model: &'m M,
    limits: Limits,
    /// Between these is what [`Stream::stride`] may be.
    strides: (u64, u64),
    partitions: BTreeMap<Option<Key>, State<'m, M>>,
    violation: Option<Violation>,
    malformed: Option<String>,
    /// The index of the last event.
    now: u64,
    operations: u64,
    held: usize,
    held_most: usize,
    configurations_most: usize,
}

/// How it stands with a partition.
enum State<'m, M: Model> {
    Followed(Box<Partition<'m, M>>),
    /// It was given up for this reason.
    Left(String),
}

impl<'m, M: Model> Stream<'m, M> {
    /// Nothing has happened.
    pub fn new(model: &'m M, limits: Limits) -> Self {
        Self {
            model,
            limits,
            strides: (STRIDE_MIN, STRIDE_MAX),
            partitions: BTreeMap::new(),
            violation: None,
            malformed: None,
            now: 0,
            operations: 0,
            held: 0,
            held_most: 0,
            configurations_most: 0,
        }
    }

    /// The key by which an operation finds its partition. Where operations can join keys, all are in one.
    fn key(operation: &Operation) -> Option<Key> {
        operation.key.filter(|_| !M::JOINS_KEYS)
    }

    /// Keeps so many decided moments of each key, whatever the number of keys.
    #[cfg(test)]
    fn with_stride(self, stride: u64) -> Self {
        Self { strides: (stride, stride), ..self }
    }

    /// How many decided moments each key keeps: fewer where there are many keys.
    fn stride(&self) -> u64 {
        let share = KEPT_MOMENTS / self.partitions.len().max(1) as u64;
        let (least, most) = self.strides;
        share.clamp(least, most)
    }

    /// Has the partition of this key do something, if it is followed.
    fn on(
        &mut self,
        key: Option<Key>,
        act: impl FnOnce(&mut Partition<'m, M>) -> Result<(), Ended>,
    ) {
        let Some(State::Followed(partition)) = self.partitions.get_mut(&key) else { return };
        let (before, _) = partition.held();
        let ended = act(partition);
        let (after, configurations) = partition.held();
        self.held = (self.held + after).saturating_sub(before);
        self.held_most = self.held_most.max(self.held);
        self.configurations_most = self.configurations_most.max(configurations);
        match ended {
            Ok(()) => {}
            Err(Ended::Invalid(found)) => {
                // Of several that are found at once, the one that was certain first.
                if self.violation.as_ref().is_none_or(|known| found.certain_at < known.certain_at) {
                    self.violation = Some(*found);
                }
            }
            Err(Ended::Malformed(malformed)) => self.malformed = Some(malformed.to_string()),
            Err(Ended::Unknown(why)) => {
                self.held = self.held.saturating_sub(after);
                self.partitions.insert(key, State::Left(why));
            }
        }
    }

    fn on_each(&mut self, act: impl Fn(&mut Partition<'m, M>) -> Result<(), Ended>) {
        let keys: Vec<Option<Key>> = self.partitions.keys().copied().collect();
        for key in keys {
            self.on(key, &act);
        }
    }
}

impl<M: Model> AnyStream for Stream<'_, M> {
    fn invoke(&mut self, operation: Operation) {
        if self.is_over() {
            return;
        }
        self.now = operation.invoke;
        self.operations += 1;
        let key = Self::key(&operation);
        let (model, limits) = (self.model, self.limits);
        self.partitions
            .entry(key)
            .or_insert_with(|| State::Followed(Box::new(Partition::new(model, key, limits))));
        self.on(key, |partition| {
            partition.invoke(operation);
            Ok(())
        });
    }

    fn complete(&mut self, operation: Operation) {
        if self.is_over() {
            return;
        }
        self.now = operation.complete.unwrap_or(self.now);
        let (key, stride) = (Self::key(&operation), self.stride());
        self.on(key, |partition| partition.complete(operation, stride));
    }

    fn look(&mut self) {
        if !self.is_over() {
            let now = self.now;
            self.on_each(
                |partition| {
                    if partition.undecided() == 0 { Ok(()) } else { partition.look(now) }
                },
            );
        }
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn undecided(&self) -> Vec<Undecided> {
        let left = |(key, state): (&Option<Key>, &State<'_, M>)| match state {
            State::Followed(_) => None,
            State::Left(reason) => Some(Undecided { key: *key, reason: reason.clone() }),
        };
        self.partitions.iter().filter_map(left).collect()
    }

    fn is_over(&self) -> bool {
        self.violation.is_some() || self.malformed.is_some()
    }

    fn finish(&mut self) -> Streamed {
        if !self.is_over() {
            let now = self.now;
            self.on_each(|partition| partition.finish(now));
        }
        let unknown = self.undecided();
        let verdict = if self.violation.is_some() {
            Verdict::Invalid
        } else if self.malformed.is_some() || !unknown.is_empty() {
            Verdict::Unknown
        } else {
            Verdict::Valid
        };
        Streamed {
            verdict,
            model: M::NAME.to_owned(),
            malformed: self.malformed.clone(),
            violation: self.violation.clone(),
            unknown,
            operations: self.operations,
            keys: self.partitions.len() as u64,
            held_most: self.held_most as u64,
            configurations_most: self.configurations_most as u64,
        }
    }
}

/// So many decided moments are kept of all keys together, but of each one at least, and at most, so many.
const KEPT_MOMENTS: u64 = 1 << 16;
const STRIDE_MIN: u64 = 16;
const STRIDE_MAX: u64 = 256;

//! What acknowledgements are about: they name a question, and the question named the pair.

use quorate_systems::contract::Key;
use quorate_systems::quorum::{OpId, Party, Timestamp};

/// The pairs of the updates sent last, and the last step of a change.
#[derive(Debug)]
pub(super) struct Asked {
    /// Each at a place that follows from its question, where it replaces what was there.
    updates: Vec<Option<Update>>,
    /// The places that are taken, in the order of their first use.
    taken: Vec<usize>,
    /// Administrators take turns, and each asks one question after the other.
    change: Option<(OpId, Change)>,
}

/// What an administrator asks servers to make durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// That they are in this configuration.
    Configure(u32),
    /// These pairs, or newer ones.
    Install(Vec<(Key, Timestamp)>),
}

#[derive(Clone, Copy, Debug)]
struct Update {
    op: OpId,
    key: Key,
    ts: Timestamp,
}

const UPDATES: u64 = 512;

impl Asked {
    pub(super) fn new() -> Self {
        Self { updates: (0..UPDATES).map(|_| None).collect(), taken: Vec::new(), change: None }
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self) {
        // A run that asks little leaves little to clear.
        for place in self.taken.drain(..) {
            if let Some(update) = self.updates.get_mut(place) {
                *update = None;
            }
        }
        self.change = None;
    }

    /// Somebody was asked to store `ts`.
    pub(super) fn note(&mut self, op: OpId, key: Key, ts: Timestamp) {
        let number = place(op);
        let place = self.updates.get_mut(number).expect("a place in the table");
        if place.is_none() {
            self.taken.push(number);
        }
        *place = Some(Update { op, key, ts });
    }

    /// What was to be stored under `key`; none if it is no longer known.
    pub(super) fn recall(&self, op: OpId, key: Key) -> Option<Timestamp> {
        let update = self.updates.get(place(op)).copied().flatten()?;
        (update.op == op && update.key == key).then_some(update.ts)
    }

    /// An administrator asked for a step of a change: the same of each server.
    pub(super) fn note_change(&mut self, op: OpId, change: impl FnOnce() -> Change) {
        if self.change.as_ref().is_none_or(|(of, _)| *of != op) {
            self.change = Some((op, change()));
        }
    }

    /// The step of a change that this question asked for; none if it is no longer known.
    pub(super) fn recall_change(&self, op: OpId) -> Option<&Change> {
        self.change.as_ref().filter(|(of, _)| *of == op).map(|(_, change)| change)
    }
}

/// Few operations of each party are open at once, and they have consecutive numbers.
fn place(op: OpId) -> usize {
    let party = match op.party {
        Party::Client(client) => u64::from(client.0),
        Party::Node(node) => u64::from(node.0),
    };
    let spread = op.seq.wrapping_add(party.wrapping_mul(37));
    usize::try_from(spread % UPDATES).expect("a small number")
}

//! What acknowledgements are about: they name a question, and the question named the pair.

use quorate_systems::contract::Key;
use quorate_systems::quorum::{OpId, Party, Timestamp};

/// The pairs of the updates sent last.
#[derive(Debug)]
pub(super) struct Asked {
    /// Each at a place that follows from its question, where it replaces what was there.
    updates: Vec<Option<Update>>,
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
        Self { updates: (0..UPDATES).map(|_| None).collect() }
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self) {
        self.updates.fill(None);
    }

    /// Somebody was asked to store `ts`.
    pub(super) fn note(&mut self, op: OpId, key: Key, ts: Timestamp) {
        let place = self.updates.get_mut(place(op)).expect("a place in the table");
        *place = Some(Update { op, key, ts });
    }

    /// What was to be stored under `key`; none if it is no longer known.
    pub(super) fn recall(&self, op: OpId, key: Key) -> Option<Timestamp> {
        let update = self.updates.get(place(op)).copied().flatten()?;
        (update.op == op && update.key == key).then_some(update.ts)
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

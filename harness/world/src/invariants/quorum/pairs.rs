//! Which value has which timestamp, for one key.

use std::cmp::Ordering;

use quorate_systems::contract::Value;
use quorate_systems::quorum::Timestamp;

use crate::invariants::Who;

/// The pairs with the highest timestamps that were seen under one key.
#[derive(Debug)]
pub(super) struct Pairs {
    /// Ascending by timestamp; at most [`PAIRS_MAX`].
    known: Vec<Known>,
    /// Nothing at or below this is remembered for certain.
    floor: Timestamp,
}

/// One pair, and who was the first to show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    ts: Timestamp,
    /// What was written.
    pub(super) value: Option<Value>,
    /// Who stored or chose it first.
    pub(super) by: Who,
}

/// What is known of a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// This is its value.
    Known(Known),
    /// Nobody ever used it.
    Unused,
    /// It is too old to say.
    Forgotten,
}

/// As many concurrent and recent writes of one key as can matter; half of them go when it is full.
pub(super) const PAIRS_MAX: usize = 64;

impl Default for Pairs {
    fn default() -> Self {
        Self { known: Vec::new(), floor: Timestamp::ZERO }
    }
}

impl Pairs {
    /// As new, with the memory that it has.
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.floor = Timestamp::ZERO;
    }

    /// Notes that `by` showed `value` with `ts`; gives what it was first, if that was another value.
    pub(super) fn note(&mut self, ts: Timestamp, value: Option<Value>, by: Who) -> Option<Known> {
        let place = match self.find(ts) {
            Ok(known) => return (known.value != value).then_some(known),
            Err(place) => place,
        };
        if ts <= self.floor {
            return None;
        }
        if self.known.capacity() == 0 {
            self.known.reserve_exact(PAIRS_MAX);
        }
        self.known.insert(place, Known { ts, value, by });
        if self.known.len() == PAIRS_MAX {
            let mut dropped = self.known.drain(..PAIRS_MAX / 2);
            self.floor = dropped.next_back().expect("half of many is some").ts;
        }
        None
    }

    /// What is known of `ts`.
    pub(super) fn recall(&self, ts: Timestamp) -> Memory {
        match self.find(ts) {
            Ok(known) => Memory::Known(known),
            Err(_) if ts <= self.floor => Memory::Forgotten,
            Err(_) => Memory::Unused,
        }
    }

    /// The pair with `ts`, or where it would stand. Most are asked about while they are the newest.
    fn find(&self, ts: Timestamp) -> Result<Known, usize> {
        for (place, known) in self.known.iter().enumerate().rev() {
            match known.ts.cmp(&ts) {
                Ordering::Equal => return Ok(*known),
                Ordering::Less => return Err(place + 1),
                Ordering::Greater => {}
            }
        }
        Err(0)
    }
}

#[cfg(test)]
mod tests {
    use quorate_systems::contract::{ClientId, NodeId};
    use quorate_systems::quorum::Party;

    use super::*;

    fn ts(t: u64) -> Timestamp {
        Timestamp { t, writer: Party::Client(ClientId(0)), incarnation: 1, op: t }
    }

    fn by(node: u16) -> Who {
        Who::Node(NodeId(node))
    }

    #[test]
    fn the_first_value_of_a_timestamp_is_kept_in_whatever_order_they_come() {
        let mut pairs = Pairs::default();
        for t in [3, 1, 2] {
            assert_eq!(pairs.note(ts(t), Some(Value(t)), by(0)), None);
        }
        for t in 1..=3 {
            assert_eq!(pairs.note(ts(t), Some(Value(t)), by(1)), None);
            let first = pairs.note(ts(t), Some(Value(9)), by(1)).unwrap();
            assert_eq!((first.value, first.by), (Some(Value(t)), by(0)));
        }
        assert_eq!(pairs.recall(ts(4)), Memory::Unused);
    }

    #[test]
    fn the_lowest_are_forgotten_and_never_taken_for_unused() {
        let mut pairs = Pairs::default();
        let many = PAIRS_MAX as u64 * 3;
        for t in 1..=many {
            assert_eq!(pairs.note(ts(t), Some(Value(t)), by(0)), None);
            assert!(pairs.known.len() < PAIRS_MAX);
        }
        assert_eq!(pairs.recall(ts(1)), Memory::Forgotten);
        assert_eq!(pairs.note(ts(1), Some(Value(9)), by(0)), None, "nothing is made up");
        assert_eq!(pairs.recall(ts(1)), Memory::Forgotten);
        assert!(matches!(pairs.recall(ts(many)), Memory::Known(_)));
        assert_eq!(pairs.recall(ts(many + 1)), Memory::Unused);
    }
}

//! What a search has seen: which operations were ordered, and the state that they led to.

use std::hash::Hash;

use rustc_hash::{FxHashMap, FxHashSet};

/// Remembers pairs of a set of operations and a state.
#[derive(Debug)]
pub(super) struct Memo<State> {
    states: FxHashMap<State, u32>,
    set: Set,
}

/// How the set of operations is kept.
#[derive(Debug)]
enum Set {
    /// As the exclusive or of one random number for each: constant time for each change, and 16
    /// bytes for each pair. Two pairs could look the same, which would wrongly skip one of them; so
    /// a search that found no order must be confirmed with [`Set::Exact`].
    Fingerprint { now: u128, seen: FxHashSet<u128> },
    /// As one bit for each.
    Exact { now: Vec<u64>, seen: FxHashSet<(Box<[u64]>, u32)> },
}

/// Whether a memo may confuse two pairs, with a chance of about one in 2^128.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    Fingerprint,
    Exact,
}

impl<State: Clone + Eq + Hash> Memo<State> {
    pub(super) fn new(precision: Precision, ops: usize) -> Self {
        let set = match precision {
            Precision::Fingerprint => Set::Fingerprint { now: 0, seen: FxHashSet::default() },
            Precision::Exact => {
                Set::Exact { now: vec![0; ops.div_ceil(64)], seen: FxHashSet::default() }
            }
        };
        Self { states: FxHashMap::default(), set }
    }

    /// Adds an operation to the set, or takes it out.
    pub(super) fn toggle(&mut self, op: usize) {
        match &mut self.set {
            Set::Fingerprint { now, .. } => *now ^= random(op as u64, OPERATIONS),
            Set::Exact { now, .. } => {
                let word = now.get_mut(op / 64).expect("there is a bit for every operation");
                *word ^= 1 << (op % 64);
            }
        }
    }

    /// Remembers the set with `state`; false if it was seen before.
    pub(super) fn insert(&mut self, state: &State) -> bool {
        let fresh = u32::try_from(self.states.len()).expect("fewer than 2^32 states");
        let state = if let Some(&known) = self.states.get(state) {
            known
        } else {
            self.states.insert(state.clone(), fresh);
            fresh
        };
        match &mut self.set {
            Set::Fingerprint { now, seen } => seen.insert(*now ^ random(u64::from(state), STATES)),
            Set::Exact { now, seen } => seen.insert((now.clone().into_boxed_slice(), state)),
        }
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> u64 {
        let (entries, each) = match &self.set {
            // One byte of control for each place of the table.
            Set::Fingerprint { seen, .. } => (seen.capacity(), 17),
            Set::Exact { now, seen } => (seen.capacity(), 8 * now.len() + 41),
        };
        let states = self.states.capacity() * (size_of::<State>() + 9);
        (entries * each + states) as u64
    }
}

/// The `number`th of a fixed list of random numbers; no two lists share one.
fn random(number: u64, list: u64) -> u128 {
    let high = scramble(scramble(number ^ list));
    let low = scramble(high ^ number.rotate_left(32) ^ !list);
    (u128::from(high) << 64) | u128::from(low)
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014).
fn scramble(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Tell the lists of random numbers apart.
const OPERATIONS: u64 = 0x6f70_6572_6174_696f;
const STATES: u64 = 0x7374_6174_6573_0000;

#[cfg(test)]
mod tests {
    use super::*;

    // A search for an order of register operations would not notice: after all reads that fit, the
    // next operation is a write, whatever the register holds.
    #[test]
    fn the_same_operations_with_another_state_are_not_the_same() {
        for precision in [Precision::Fingerprint, Precision::Exact] {
            let mut memo = Memo::new(precision, 130);
            assert!(memo.insert(&'a'));
            assert!(memo.insert(&'b'));
            assert!(!memo.insert(&'a'), "{precision:?}");
            memo.toggle(129);
            assert!(memo.insert(&'a'));
            memo.toggle(0);
            assert!(memo.insert(&'a'));
            memo.toggle(129);
            assert!(memo.insert(&'a'), "{precision:?}");
            memo.toggle(0);
            assert!(!memo.insert(&'b'), "{precision:?}");
        }
    }

    #[test]
    fn what_is_remembered_is_counted() {
        for precision in [Precision::Fingerprint, Precision::Exact] {
            let mut memo = Memo::new(precision, 64);
            for state in 0..10_000 {
                memo.insert(&state);
            }
            assert!(memo.bytes() > 10_000 * 16, "{precision:?}");
        }
    }
}

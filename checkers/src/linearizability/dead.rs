//! Dead ends: which operations had been ordered there, and the state that they had led to.

use rustc_hash::FxHashSet;

/// Remembers pairs of a set of operations and a state from which nothing leads to an order. That is so whatever is tried
/// first, so searches with different preferences share it.
#[derive(Debug)]
pub(super) enum DeadEnds {
    /// 16 bytes for each pair. Two pairs could look the same, which would wrongly skip one of them; so a search that
    /// found no order must be confirmed with [`DeadEnds::Exact`].
    Fingerprints(FxHashSet<u128>),
    /// One bit for each operation.
    Exact(FxHashSet<(Box<[u64]>, u32)>),
}

/// Whether a memory may confuse two pairs, with a chance of about one in 2^128.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    Fingerprint,
    Exact,
}

/// A set of operations, as [`DeadEnds`] of the same precision take it.
#[derive(Clone, Debug)]
pub(super) enum Ordered {
    /// The exclusive or of one random number for each: constant time for each change.
    Fingerprint(u128),
    /// One bit for each.
    Exact(Vec<u64>),
}

impl Ordered {
    /// None of `ops` operations.
    pub(super) fn nothing(precision: Precision, ops: usize) -> Self {
        match precision {
            Precision::Fingerprint => Self::Fingerprint(0),
            Precision::Exact => Self::Exact(vec![0; ops.div_ceil(64)]),
        }
    }

    /// Adds an operation to the set, or takes it out.
    pub(super) fn toggle(&mut self, op: u32) {
        match self {
            Self::Fingerprint(now) => *now ^= random(u64::from(op), OPERATIONS),
            Self::Exact(now) => {
                let word = now.get_mut(op as usize / 64).expect("there is a bit for each");
                *word ^= 1 << (op % 64);
            }
        }
    }
}

impl DeadEnds {
    pub(super) fn new(precision: Precision) -> Self {
        match precision {
            Precision::Fingerprint => Self::Fingerprints(FxHashSet::default()),
            Precision::Exact => Self::Exact(FxHashSet::default()),
        }
    }

    /// Whether nothing leads on from here.
    pub(super) fn has(&self, ordered: &Ordered, state: u32) -> bool {
        match (self, ordered) {
            (Self::Fingerprints(all), Ordered::Fingerprint(now)) => {
                !all.is_empty() && all.contains(&with_state(*now, state))
            }
            (Self::Exact(all), Ordered::Exact(now)) => {
                !all.is_empty() && all.contains(&(now.clone().into_boxed_slice(), state))
            }
            (Self::Fingerprints(_), Ordered::Exact(_))
            | (Self::Exact(_), Ordered::Fingerprint(_)) => false,
        }
    }

    /// Remembers that nothing leads on from here.
    pub(super) fn add(&mut self, ordered: &Ordered, state: u32) {
        match (self, ordered) {
            (Self::Fingerprints(all), Ordered::Fingerprint(now)) => {
                all.insert(with_state(*now, state));
            }
            (Self::Exact(all), Ordered::Exact(now)) => {
                all.insert((now.clone().into_boxed_slice(), state));
            }
            (Self::Fingerprints(_), Ordered::Exact(_))
            | (Self::Exact(_), Ordered::Fingerprint(_)) => {}
        }
    }

    /// About how much memory it takes, for `ops` operations, or will take when one more is added.
    pub(super) fn bytes(&self, ops: usize) -> u64 {
        let (len, capacity) = match self {
            Self::Fingerprints(all) => (all.len(), all.capacity()),
            Self::Exact(all) => (all.len(), all.capacity()),
        };
        // A table that is full is copied to one of twice its size. There is a byte of control for each place, and an
        // eighth of the places stays free.
        let places = if len == capacity { 3 * capacity } else { capacity };
        let bytes = match self {
            Self::Fingerprints(_) => places * 17 * 8 / 7,
            Self::Exact(_) => places * 25 * 8 / 7 + len * (ops.div_ceil(64) * 8 + 16),
        };
        bytes as u64
    }
}

fn with_state(ordered: u128, state: u32) -> u128 {
    ordered ^ random(u64::from(state), STATES)
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

    #[test]
    fn the_same_operations_with_another_state_are_not_the_same() {
        for precision in [Precision::Fingerprint, Precision::Exact] {
            let mut dead = DeadEnds::new(precision);
            let mut ordered = Ordered::nothing(precision, 130);
            dead.add(&ordered, 0);
            assert!(dead.has(&ordered, 0), "{precision:?}");
            assert!(!dead.has(&ordered, 1), "{precision:?}");
            ordered.toggle(129);
            assert!(!dead.has(&ordered, 0), "{precision:?}");
            ordered.toggle(0);
            dead.add(&ordered, 1);
            ordered.toggle(129);
            assert!(!dead.has(&ordered, 1), "{precision:?}");
            ordered.toggle(129);
            assert!(dead.has(&ordered, 1), "{precision:?}");
        }
    }

    #[test]
    fn what_is_remembered_is_counted() {
        for precision in [Precision::Fingerprint, Precision::Exact] {
            let mut dead = DeadEnds::new(precision);
            let ordered = Ordered::nothing(precision, 64);
            for state in 0..10_000 {
                dead.add(&ordered, state);
            }
            assert!(dead.bytes(64) > 10_000 * 16, "{precision:?}");
        }
    }
}

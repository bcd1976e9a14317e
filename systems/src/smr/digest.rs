//! Hashes that say the same on every machine: of entries, and of all that was executed.

use core::fmt;
use core::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::slot::Slot;

/// A hash of all of a thing: equal ones have equal hashes, on every machine.
pub(crate) fn digest(thing: &impl Hash) -> u64 {
    let mut folded = Fold(0x243F_6A88_85A3_08D3);
    thing.hash(&mut folded);
    folded.finish()
}

/// Stands for everything that was executed up to a slot: two replicas whose chains are equal at a slot have
/// executed the same history.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Chain(pub u64);

impl Chain {
    /// The chain after the entry with this digest was executed from `slot`.
    #[must_use]
    pub fn after(self, slot: Slot, entry: u64) -> Self {
        Self(mix(mix(self.0, slot.0), entry))
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Spreads `word` over the state: a multiplication by an odd constant and a shift, twice.
pub(crate) const fn mix(state: u64, word: u64) -> u64 {
    let z = (state ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (z ^ (z >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// A hasher that says the same on every machine: numbers are taken as they are, not as their bytes.
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.write_u64(bytes.len() as u64);
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }

    fn write_u16(&mut self, word: u16) {
        self.write_u64(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        // Without the constant, zeros at the beginning would leave no trace.
        self.0 = mix(self.0.wrapping_add(0x9E37_79B9_7F4A_7C15), word);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word.cast_unsigned() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_tells_order_and_slots() {
        let chain = |entries: [(u64, u64); 2]| {
            entries.into_iter().fold(Chain::default(), |chain, (slot, entry)| {
                chain.after(Slot(slot), digest(&entry))
            })
        };
        assert_eq!(chain([(1, 7), (2, 8)]), chain([(1, 7), (2, 8)]));
        assert_ne!(chain([(1, 7), (2, 8)]), chain([(1, 8), (2, 7)]));
        assert_ne!(chain([(1, 7), (2, 8)]), chain([(1, 7), (3, 8)]));
    }
}

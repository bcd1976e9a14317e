//! What is decided slot by slot: requests of clients, and nothing in particular.

use core::fmt;
use core::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::ballot::Slot;
use crate::contract::{ClientId, Command, Incarnation};

/// Counts a client's requests: higher with each, restarts of the client included.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct RequestNumber {
    /// Which life of the client.
    pub incarnation: Incarnation,
    /// Which of its operations in that life, counted from 1.
    pub seq: u64,
}

impl fmt::Display for RequestNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.incarnation.0, self.seq)
    }
}

/// One operation of one client, as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// Whose.
    pub client: ClientId,
    /// Which of that client's.
    pub number: RequestNumber,
    /// What it asks for.
    pub command: Command,
}

/// What a slot can hold: PROTOCOLS A2.2 calls it the slot's command.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Entry {
    /// Nothing: it fills a hole that an earlier leader left, so that the slots after it can be executed.
    Noop,
    /// A client's request.
    Request(Request),
}

impl Entry {
    /// The request in it.
    pub fn request(&self) -> Option<&Request> {
        match self {
            Self::Noop => None,
            Self::Request(request) => Some(request),
        }
    }

    /// A hash of all of it: equal entries have equal ones, on every machine.
    pub fn digest(&self) -> u64 {
        let mut folded = Fold(0x243F_6A88_85A3_08D3);
        self.hash(&mut folded);
        folded.finish()
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noop => f.write_str("NOOP"),
            Self::Request(Request { client, number, command }) => {
                write!(f, "{client}.{number} {command}")
            }
        }
    }
}

/// Stands for everything that was executed up to a slot: two replicas whose chains are equal at a slot have
/// executed the same history.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Chain(pub u64);

impl Chain {
    /// The chain after the entry with this [`Entry::digest`] was executed from `slot`.
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
    use crate::contract::{Key, Value};

    fn write(client: u32, seq: u64, value: u64) -> Entry {
        Entry::Request(Request {
            client: ClientId(client),
            number: RequestNumber { incarnation: Incarnation(1), seq },
            command: Command::Write { key: Key(1), value: Value(value) },
        })
    }

    #[test]
    fn a_digest_changes_with_every_part_of_an_entry_and_with_nothing_else() {
        let entries = [
            Entry::Noop,
            write(0, 1, 1),
            write(1, 1, 1),
            write(0, 2, 1),
            write(0, 1, 2),
            write(0, 0, 0),
        ];
        for (place, one) in entries.iter().enumerate() {
            for (other_place, other) in entries.iter().enumerate() {
                assert_eq!(one.digest() == other.digest(), place == other_place, "{one} {other}");
            }
        }
    }

    #[test]
    fn a_chain_tells_order_and_slots() {
        let (one, two) = (write(0, 1, 1), write(0, 2, 2));
        let chain = |entries: [(u64, &Entry); 2]| {
            entries.into_iter().fold(Chain::default(), |chain, (slot, entry)| {
                chain.after(Slot(slot), entry.digest())
            })
        };
        assert_eq!(chain([(1, &one), (2, &two)]), chain([(1, &one), (2, &two)]));
        assert_ne!(chain([(1, &one), (2, &two)]), chain([(1, &two), (2, &one)]));
        assert_ne!(chain([(1, &one), (2, &two)]), chain([(1, &one), (3, &two)]));
    }
}

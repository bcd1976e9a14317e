//! A rolling digest over every event of a run.
//!
//! It is no cryptographic hash: it has to notice any difference between two runs that should be equal, at a
//! few nanoseconds an event. Two lanes of 64 bits take every word; all arithmetic is on `u64`, and lengths and
//! discriminants are widened to it, so that the digest is the same on every machine.

use std::hash::{Hash, Hasher};

/// The digest so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest {
    a: u64,
    b: u64,
}

const A: u64 = 0x9E37_79B9_7F4A_7C15;
const B: u64 = 0xD6E8_FEB8_6659_FD93;

impl Digest {
    /// Of nothing.
    pub(crate) const fn new() -> Self {
        Self { a: A, b: B }
    }

    /// Takes one word.
    #[inline]
    pub(crate) const fn word(&mut self, word: u64) {
        self.a = (self.a ^ word).wrapping_mul(A).rotate_left(29);
        self.b = (self.b.rotate_left(23) ^ word).wrapping_mul(B);
    }

    /// Takes a value by what it hashes of itself.
    #[inline]
    pub(crate) fn value(&mut self, value: &impl Hash) {
        value.hash(self);
    }

    /// Thirty-two hexadecimal digits.
    pub(crate) fn to_hex(self) -> String {
        let finish = |lane: u64| {
            let z = (lane ^ (lane >> 32)).wrapping_mul(A);
            (z ^ (z >> 29)).wrapping_mul(B) ^ z >> 32
        };
        format!("{:016x}{:016x}", finish(self.a), finish(self.b ^ self.a.rotate_left(32)))
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        self.a ^ self.b
    }

    fn write(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.word(u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn write_u8(&mut self, word: u8) {
        self.word(u64::from(word));
    }

    #[inline]
    fn write_u16(&mut self, word: u16) {
        self.word(u64::from(word));
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.word(u64::from(word));
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.word(word);
    }

    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.word(word as u64);
    }

    #[inline]
    fn write_isize(&mut self, word: isize) {
        self.word((word as i64).cast_unsigned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[u64]) -> String {
        let mut digest = Digest::new();
        for word in words {
            digest.word(*word);
        }
        digest.to_hex()
    }

    #[test]
    fn every_word_and_their_order_matter() {
        let digests = [
            of(&[]),
            of(&[0]),
            of(&[0, 0]),
            of(&[1, 2]),
            of(&[2, 1]),
            of(&[1, 2, 0]),
            of(&[1 << 63, 2]),
        ];
        for (place, digest) in digests.iter().enumerate() {
            assert!(!digests[..place].contains(digest), "{digest}");
            assert_eq!(digest.len(), 32);
        }
    }

    #[test]
    fn a_digest_is_the_same_on_every_machine() {
        let mut digest = Digest::new();
        digest.value(&(1_u8, Some(7_u64), 3_usize));
        digest.value(&vec![1_u8, 2, 3]);
        assert_eq!(digest.to_hex(), GOLDEN);
    }

    const GOLDEN: &str = "1524d244f27307c58419f02225f0caf3";
}

//! Digests that nobody can find a second text for.

use core::fmt;

use serde::{Deserialize, Serialize};

/// SHA-256 of a batch or of a snapshot.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Stands for the NULL request, whose execution changes nothing. No batch has it.
    pub const NULL: Self = Self([0; 32]);

    /// The first eight bytes as a number: enough to tell those of one run apart, for people and for rules.
    pub fn short(&self) -> u64 {
        let mut word = [0; 8];
        word.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        u64::from_be_bytes(word)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NULL {
            f.write_str("NULL")
        } else {
            write!(f, "{:08x}", self.short() >> 32)
        }
    }
}

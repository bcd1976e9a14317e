//! What tests of streams need: streams at random, and what seeds show.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Target;

/// `SplitMix64` (Steele, Lea, Flood 2014).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn stream(&mut self) -> Vec<u8> {
        (0..2 + self.next() % 380).map(|_| self.next().to_le_bytes()[7]).collect()
    }
}

/// Which of so many random streams shows that something is wrong; and that a stream shows it once more, alone.
pub(super) fn finding(run: impl Fn(&[u8])) -> Option<usize> {
    let mut draw = Draw(1);
    let shows = |bytes: &[u8]| catch_unwind(AssertUnwindSafe(|| run(bytes))).is_err();
    (0..3_000).find(|_| {
        let bytes = draw.stream();
        let found = shows(&bytes);
        assert!(!found || shows(&bytes), "found, and not again");
        found
    })
}

/// What the seeds of a target show, all together.
pub(super) fn shown(target: &Target) -> String {
    (target.seeds)().iter().map(|seed| (target.show)(&seed.bytes)).collect()
}

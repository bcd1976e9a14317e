//! Streams of random bytes: little of what a fuzzer finds, and at once.

use quorate_fuzz::TARGETS;

/// `SplitMix64` (Steele, Lea, Flood 2014).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[test]
fn random_streams_show_nothing_that_is_wrong() {
    let count = std::env::var("STREAMS").map_or(2_000, |count| count.parse().unwrap());
    for target in TARGETS.iter().filter(|target| target.name.ends_with("_stream")) {
        let mut draw = Draw(1);
        for round in 0..count {
            let length = 2 + draw.next() % 380;
            let bytes: Vec<u8> = (0..length).map(|_| (draw.next() >> 56) as u8).collect();
            let body = target.body;
            if std::panic::catch_unwind(|| body(&bytes)).is_err() {
                panic!("{} {round}: {}", target.name, (target.show)(&bytes));
            }
        }
    }
}

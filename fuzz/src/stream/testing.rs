//! What tests of streams need: streams at random, and what seeds show.

use std::panic::{AssertUnwindSafe, catch_unwind};

use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};

use crate::{Seed, Target};

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
    let shows = |bytes: &[u8]| shows(&run, bytes);
    (0..3_000).find(|_| {
        let bytes = draw.stream();
        let found = shows(&bytes);
        assert!(!found || shows(&bytes), "found, and not again");
        found
    })
}

fn shows(run: impl Fn(&[u8]), bytes: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| run(bytes))).is_err()
}

/// Whether one of these seeds, or of so many random streams, shows that something is wrong.
pub(super) fn finds(seeds: &[Seed], run: impl Fn(&[u8])) -> bool {
    seeds.iter().any(|seed| shows(&run, &seed.bytes)) || finding(&run).is_some()
}

/// Demands that every planted bug of a system is found: `of_clients` by streams of a client, all others by streams of a
/// replica.
pub(super) fn demand_all_found(
    kind: SystemKind,
    of_clients: &[Mutant],
    replica_finds: impl Fn(Mutants) -> bool,
    client_finds: impl Fn(Mutants) -> bool,
) {
    let is_found = |mutant: &Mutant| {
        let planted = Mutants(Some(*mutant));
        if of_clients.contains(mutant) { client_finds(planted) } else { replica_finds(planted) }
    };
    let missed: Vec<Mutant> = kind.mutants().filter(|mutant| !is_found(mutant)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

/// Demands that the seeds of a target show all of this, and nothing that is wrong.
pub(super) fn demand_shown(target: &Target, words: &[&str]) {
    let shown = shown(target);
    for word in words {
        assert!(shown.contains(word), "{word} in\n{shown}");
    }
    assert!(!shown.contains("wrong:"), "{shown}");
}

/// What the seeds of a target show, all together.
fn shown(target: &Target) -> String {
    (target.seeds)().iter().map(|seed| (target.show)(&seed.bytes)).collect()
}

//! Chance without sequence: every draw is a hash of what it is for.
//!
//! A draw depends on a seed, a purpose and the identity of the thing that it decides about, and on nothing
//! else: no draw moves because another one was added or taken away, so that removing one fault from a plan
//! leaves the fate of most messages alone. Only integers are used, which are the same on every machine.

/// 64 uniform bits for one decision.
///
/// `purpose` names the kind of decision (`"loss"`, `"timer"`), so that two kinds of decision about the same
/// thing are independent; `parts` says about what (sender, receiver, attempt). `["ab"]` and `["a", "b"]`
/// cannot be confused: lengths are hashed as well.
pub fn draw(seed: u64, purpose: &str, parts: &[u64]) -> u64 {
    let mut state = absorb(0, seed);
    state = absorb(state, purpose.len() as u64);
    for byte in purpose.bytes() {
        state = absorb(state, u64::from(byte));
    }
    state = absorb(state, parts.len() as u64);
    parts.iter().fold(state, |state, part| absorb(state, *part))
}

/// Whether something that happens `per_mille` times in a thousand happens by this draw.
pub fn chance_per_mille(draw: u64, per_mille: u16) -> bool {
    scale(draw, 1_000) < u64::from(per_mille)
}

/// A number from `min` to `max`, both included, by this draw.
pub fn between(draw: u64, min: u64, max: u64) -> u64 {
    assert!(min <= max, "an empty range");
    match (max - min).checked_add(1) {
        Some(count) => min + scale(draw, count),
        None => draw,
    }
}

/// A number below `count`, by this draw: its place among all draws, to the scale of `count`.
fn scale(draw: u64, count: u64) -> u64 {
    let product = u128::from(draw) * u128::from(count);
    u64::try_from(product >> 64).expect("a product of two u64 is below 2^128")
}

/// One round: `SplitMix64` (Steele, Lea, Flood 2014) over the state so far and one more word.
fn absorb(state: u64, word: u64) -> u64 {
    let mut z = (state ^ word).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn draws_are_the_same_on_every_machine() {
        // The first is `SplitMix64`'s own first output for the seed 0, then hashed on with two zero lengths.
        assert_eq!(absorb(0, 0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(draw(0, "", &[]), GOLDEN_EMPTY);
        assert_eq!(draw(7, "loss", &[1, 2, 3]), GOLDEN_LOSS);
    }

    #[test]
    fn every_part_of_the_key_matters() {
        let draws = [
            draw(1, "loss", &[1, 2]),
            draw(2, "loss", &[1, 2]),
            draw(1, "lost", &[1, 2]),
            draw(1, "loss", &[2, 1]),
            draw(1, "loss", &[1, 2, 0]),
            draw(1, "loss", &[1]),
            draw(1, "los", &[u64::from(b's'), 1, 2]),
        ];
        assert_eq!(draws.iter().collect::<BTreeSet<_>>().len(), draws.len());
    }

    #[test]
    fn a_chance_comes_as_often_as_it_says() {
        for per_mille in [0, 1, 250, 999, 1_000] {
            let hits = (0..100_000)
                .filter(|n| chance_per_mille(draw(3, "chance", &[*n]), per_mille))
                .count();
            let expected = usize::from(per_mille) * 100;
            assert!(hits.abs_diff(expected) <= 500, "{hits} of 100000 at {per_mille} per mille");
        }
        assert!(!chance_per_mille(0, 0));
        assert!(chance_per_mille(u64::MAX, 1_000));
    }

    #[test]
    fn a_range_is_hit_everywhere_and_never_left() {
        let drawn: BTreeSet<_> =
            (0..1_000).map(|n| between(draw(5, "range", &[n]), 10, 14)).collect();
        assert_eq!(drawn, BTreeSet::from([10, 11, 12, 13, 14]));
        assert_eq!(between(u64::MAX, 9, 9), 9);
        assert_eq!(between(u64::MAX, 0, u64::MAX), u64::MAX);
        assert_eq!(between(u64::MAX, 5, u64::MAX), u64::MAX);
        assert_eq!(between(0, 5, u64::MAX), 5);
    }

    const GOLDEN_EMPTY: u64 = 0x2382_75BC_38FC_BE91;
    const GOLDEN_LOSS: u64 = 0x3808_539E_B863_4828;
}

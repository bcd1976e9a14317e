//! Chance without sequence: every draw is a hash of what it is for.
//!
//! A draw depends on a seed, a purpose and the identity of the thing that it decides about, and on nothing
//! else: no draw moves because another one was added or taken away, so that removing one fault from a plan
//! leaves the fate of most messages alone. Only integers are used, which are the same on every machine.

use quorate_plan::Delay;

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

/// A seed and a purpose, hashed once for many draws: the draws of [`draw`] without the cost of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose(u64);

impl Purpose {
    /// Draws for `purpose` from `seed`.
    pub fn new(seed: u64, purpose: &str) -> Self {
        Self(draw(seed, purpose, &[]))
    }

    /// Draws that follow from an earlier one.
    #[inline]
    pub const fn of(draw: u64) -> Self {
        Self(draw)
    }

    /// 64 uniform bits for the decision about these parts.
    #[inline]
    pub fn draw<const N: usize>(self, parts: [u64; N]) -> u64 {
        parts.into_iter().fold(self.0, absorb)
    }
}

/// How long a message takes, in microseconds. `draw` is the message's own; `link_draw` is the same for all
/// messages of a link for as long as its rank does not change.
pub fn delay_us(delay: &Delay, draw: u64, link_draw: u64) -> u64 {
    match *delay {
        Delay::Constant { us } => us,
        Delay::Uniform { min_us, max_us } => between(draw, min_us, max_us),
        Delay::Exponential { mean_us } => exponential(draw, mean_us),
        Delay::Priorities { base_us, ranks, changes: _ } => {
            let rank = between(link_draw, 0, u64::from(ranks.max(1)) - 1);
            (base_us << rank) + between(draw, 0, base_us / 4)
        }
    }
}

/// An exponential delay with this mean, at most sixteen times as long. With `u = m / 2^k` and `m` between a
/// half and one, `-ln u` is `k ln 2` and a rest that is nearly linear in `m`.
fn exponential(draw: u64, mean_us: u64) -> u64 {
    const LN_2: u64 = 45_426;
    const ONE: u64 = 1 << 16;
    let zeros = u64::from(draw.leading_zeros());
    // The sixteen bits after the first one: 0 for m = 1/2, nearly 1 for m = 1.
    let fraction = (draw << (zeros.min(47) + 1)) >> 48;
    let logarithm = zeros * LN_2 + LN_2 * (ONE - fraction) / ONE;
    let us = u128::from(mean_us) * u128::from(logarithm.min(16 * ONE)) / u128::from(ONE);
    u64::try_from(us).unwrap_or(u64::MAX)
}

/// The shortest delay that the weather can give, in microseconds.
pub fn shortest_us(delay: &Delay) -> u64 {
    match *delay {
        Delay::Constant { us } => us,
        Delay::Uniform { min_us, .. } => min_us,
        Delay::Exponential { mean_us } => mean_us / 16,
        Delay::Priorities { base_us, .. } => base_us,
    }
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

    #[test]
    fn exponential_delays_have_their_mean_and_their_bound() {
        let delay = Delay::Exponential { mean_us: 10_000 };
        let purpose = Purpose::new(3, "delay");
        let all: Vec<u64> = (0..100_000).map(|n| delay_us(&delay, purpose.draw([n]), 0)).collect();
        let mean = all.iter().sum::<u64>() / 100_000;
        assert!((9_500..10_900).contains(&mean), "{mean}");
        let below = all.iter().filter(|us| **us < 6_931).count();
        assert!((48_000..52_000).contains(&below), "half of them are below the median: {below}");
        assert!(all.iter().all(|us| *us <= 160_000));
        assert_eq!(delay_us(&delay, 0, 0), 160_000);
    }

    #[test]
    fn ranks_are_powers_of_two() {
        let delay = Delay::Priorities { base_us: 1_000, ranks: 4, changes: 0 };
        let ranks: BTreeSet<_> = (0..100)
            .map(|link| delay_us(&delay, 0, Purpose::new(1, "link").draw([link])))
            .collect();
        assert_eq!(ranks, BTreeSet::from([1_000, 2_000, 4_000, 8_000]));
    }

    const GOLDEN_EMPTY: u64 = 0x2382_75BC_38FC_BE91;
    const GOLDEN_LOSS: u64 = 0x3808_539E_B863_4828;
}

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

/// How long a message takes, in microseconds, by a draw of its own, and for [`Delay::Priorities`] by one of its
/// link, `rank_draw`, that stays until the link's rank changes.
pub fn delay_us(delay: &Delay, draw: u64, rank_draw: u64) -> u64 {
    match *delay {
        Delay::Constant { us } => us,
        Delay::Uniform { min_us, max_us } => between(draw, min_us, max_us.max(min_us)),
        Delay::Exponential { mean_us } => exponential(draw, mean_us),
        Delay::Priorities { base_us, ranks, changes: _ } => {
            let rank = between(rank_draw, 0, u64::from(ranks.max(1)) - 1);
            base_us.saturating_mul(1 << rank.min(63))
        }
    }
}

/// A memoryless time with this mean, and sixteen times as much at most: −ln(u) for an even u from 0 to 1, in
/// units of the mean. Integers only: the logarithm to the base 2 is the place of the highest bit, and behind
/// the point a parabola that is off by less than 0.01.
fn exponential(draw: u64, mean: u64) -> u64 {
    /// ln 2, and the parabola's height, as 32-bit fractions.
    const LN_2: u64 = 2_977_044_472;
    const BEND: u64 = 1_474_592_440;
    const MEANS_MAX: u64 = 16;
    let zeros = u64::from(draw.leading_zeros()).min(63);
    let behind = ((draw << zeros) << 1) >> 32;
    let bend = (((behind * ((1 << 32) - behind)) >> 32) * BEND) >> 32;
    let log = ((zeros + 1) << 32) - (behind + bend).min(1 << 32);
    let time = (u128::from(log) * u128::from(LN_2) * u128::from(mean)) >> 64;
    u64::try_from(time).unwrap_or(u64::MAX).min(mean.saturating_mul(MEANS_MAX))
}

/// A number below `count`, by this draw: its place among all draws, to the scale of `count`.
fn scale(draw: u64, count: u64) -> u64 {
    let product = u128::from(draw) * u128::from(count);
    u64::try_from(product >> 64).expect("a product of two u64 is below 2^128")
}

/// One round: `SplitMix64` (Steele, Lea, Flood 2014) over the state so far and one more word.
pub(crate) fn absorb(state: u64, word: u64) -> u64 {
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
    fn delays_are_within_their_bounds_and_have_their_mean() {
        let delays = |delay: Delay| {
            (0..20_000)
                .map(move |n| delay_us(&delay, draw(1, "delay", &[n]), draw(1, "rank", &[n])))
        };
        assert!(delays(Delay::Constant { us: 7 }).all(|us| us == 7));
        let uniform: BTreeSet<_> = delays(Delay::Uniform { min_us: 3, max_us: 5 }).collect();
        assert_eq!(uniform, BTreeSet::from([3, 4, 5]));
        let ranked: BTreeSet<_> =
            delays(Delay::Priorities { base_us: 100, ranks: 4, changes: 0 }).collect();
        assert_eq!(ranked, BTreeSet::from([100, 200, 400, 800]));
        let exponential = Delay::Exponential { mean_us: 10_000 };
        let mean = delays(exponential).sum::<u64>() / 20_000;
        assert!((9_700..10_300).contains(&mean), "{mean}");
        // One in e takes longer than the mean, one in e² longer than twice the mean.
        let longer = |than| delays(exponential).filter(|us| *us > than).count();
        assert!((7_100..7_600).contains(&longer(10_000)), "{}", longer(10_000));
        assert!((2_500..2_900).contains(&longer(20_000)), "{}", longer(20_000));
        for extreme in [0, 1, u64::MAX, u64::MAX / 2, u64::MAX / 2 + 1] {
            assert!(delay_us(&exponential, extreme, 0) <= 160_000);
        }
        assert_eq!(delay_us(&exponential, u64::MAX, 0), 0);
    }

    const GOLDEN_EMPTY: u64 = 0x2382_75BC_38FC_BE91;
    const GOLDEN_LOSS: u64 = 0x3808_539E_B863_4828;
}

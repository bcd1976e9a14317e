//! A campaign: many runs, each a pure function of the campaign's seed and the run's number.

use std::fmt;
use std::str::FromStr;

use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::WorldKind;
use crate::seed::{Seed, Stream};

/// How the runs of a campaign are dealt out to worlds and systems.
///
/// Of a campaign in both worlds one in [`LIVE_EACH`] runs is live: those cost a hundred times as much and more. Within
/// a world every system has its turn before any has another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deal {
    /// The seed of the campaign.
    pub seed: u64,
    /// The worlds that take part; one at least.
    pub worlds: Vec<WorldKind>,
    /// How many systems take part; one at least.
    pub systems: usize,
}

/// Where a run has its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dealt {
    /// Where it runs.
    pub world: WorldKind,
    /// Which of the systems it has.
    pub system: usize,
    /// What its plan is drawn from.
    pub seed: u64,
}

/// One in so many runs is live, where there are both worlds.
pub const LIVE_EACH: u64 = 100;

/// Seeds of plans are below this: a TOML number holds them, and a person can still read them out.
const PLAN_SEED_MAX: u64 = 1_000_000_000_000;

impl Deal {
    /// The place of a run.
    pub fn run(&self, index: u64) -> Dealt {
        let (world, nth) = self.world(index);
        let mut rng = Seed(self.seed).stream(Stream::CampaignRun { index });
        Dealt { world, system: self.system(world, nth), seed: rng.random_range(0..PLAN_SEED_MAX) }
    }

    /// In which world a run is, and how many of that world come before it.
    pub fn world(&self, index: u64) -> (WorldKind, u64) {
        let [first, ..] = self.worlds.as_slice() else { return (WorldKind::Sim, index) };
        if self.worlds.iter().all(|world| world == first) {
            return (*first, index);
        }
        let (block, place) = (index / LIVE_EACH, index % LIVE_EACH);
        let live =
            Seed(self.seed).stream(Stream::CampaignLive { block }).random_range(0..LIVE_EACH);
        match place.cmp(&live) {
            std::cmp::Ordering::Equal => (WorldKind::Live, block),
            std::cmp::Ordering::Less => (WorldKind::Sim, block * (LIVE_EACH - 1) + place),
            std::cmp::Ordering::Greater => (WorldKind::Sim, block * (LIVE_EACH - 1) + place - 1),
        }
    }

    /// Which system the nth run of a world has.
    fn system(&self, world: WorldKind, nth: u64) -> usize {
        let count = self.systems.max(1) as u64;
        let (round, turn) = (nth / count, nth % count);
        let mut order: Vec<usize> = (0..self.systems.max(1)).collect();
        let is_live = world == WorldKind::Live;
        order.shuffle(&mut Seed(self.seed).stream(Stream::CampaignRound { is_live, round }));
        let turn = usize::try_from(turn).unwrap_or_default();
        order.get(turn).copied().unwrap_or_default()
    }
}

/// A part of a campaign: the runs whose numbers leave the remainder `number` when they are divided by `of`. All
/// parts together are the campaign, and no two share a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// Which part, counted from 0.
    pub number: u64,
    /// How many parts there are.
    pub of: u64,
}

impl Shard {
    /// All of a campaign.
    pub const WHOLE: Self = Self { number: 0, of: 1 };

    /// Whether it has this run.
    pub const fn has(self, index: u64) -> bool {
        index % self.of == self.number
    }

    /// The numbers of its runs.
    pub fn indices(self) -> impl Iterator<Item = u64> {
        (0..).map(move |nth| self.number + nth * self.of)
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl TryFrom<String> for Shard {
    type Error = BadShard;

    fn try_from(text: String) -> Result<Self, BadShard> {
        text.parse()
    }
}

impl FromStr for Shard {
    type Err = BadShard;

    fn from_str(text: &str) -> Result<Self, BadShard> {
        let bad = || BadShard { text: text.to_owned() };
        let (number, of) = text.split_once('/').ok_or_else(bad)?;
        let (number, of) =
            (number.trim().parse().map_err(|_| bad())?, of.trim().parse().map_err(|_| bad())?);
        if number >= of { Err(bad()) } else { Ok(Self { number, of }) }
    }
}

/// A text that names no part of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` names no shard; allowed are i/n with i from 0 to n - 1, such as 0/4, 1/4, 2/4 and 3/4"
)]
pub struct BadShard {
    /// The text.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn deal(worlds: &[WorldKind]) -> Deal {
        Deal { seed: 7, worlds: worlds.to_vec(), systems: 3 }
    }

    #[test]
    fn shards_share_no_run_and_are_together_all_of_them() {
        let of = |number| Shard { number, of: 3 };
        let mut all: Vec<u64> = (0..3).flat_map(|number| of(number).indices().take(10)).collect();
        all.sort_unstable();
        assert_eq!(all, (0..30).collect::<Vec<u64>>());
        assert!((0..30).all(|index| (0..3).filter(|number| of(*number).has(index)).count() == 1));
        assert_eq!("1/3".parse(), Ok(of(1)));
        for bad in ["3/3", "1", "0/0", "a/2", "-1/2", ""] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }

    #[test]
    fn one_in_a_hundred_runs_is_live_and_the_others_are_counted_apart() {
        let deal = deal(WorldKind::ALL);
        let places: Vec<(WorldKind, u64)> = (0..500).map(|index| deal.world(index)).collect();
        let nth = |world| -> Vec<u64> {
            places.iter().filter(|place| place.0 == world).map(|place| place.1).collect()
        };
        assert_eq!(nth(WorldKind::Live), (0..5).collect::<Vec<u64>>());
        assert_eq!(nth(WorldKind::Sim), (0..495).collect::<Vec<u64>>());
    }

    #[test]
    fn every_system_has_its_turn_before_any_has_another() {
        let deal = deal(&[WorldKind::Sim]);
        let dealt: Vec<usize> = (0..30).map(|index| deal.run(index).system).collect();
        for round in dealt.chunks(3) {
            assert_eq!(round.iter().collect::<BTreeSet<_>>().len(), 3);
        }
        assert!(dealt.chunks(3).any(|round| round != [0, 1, 2]), "not always in the same order");
    }

    #[test]
    fn a_run_follows_from_the_seed_and_its_number_alone() {
        let deal = deal(&[WorldKind::Sim]);
        assert_eq!(deal.run(11), deal.run(11));
        assert_ne!(deal.run(11).seed, deal.run(12).seed);
        assert_ne!(deal.run(11).seed, Deal { seed: 8, ..deal.clone() }.run(11).seed);
    }
}

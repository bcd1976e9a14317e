//! The weather of a plan on real links: what happens to every message while nothing in particular goes wrong.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use quorate_plan::{Delay, Endpoint, Weather};
use quorate_world::weather;
use tokio::time::Instant;

use super::rules::{Bite, Passage, Seen, number};

/// The weather of one run. A message's share of it is drawn from the run's seed, its link and kind, and how
/// many of that kind there were on that link.
#[derive(Debug)]
pub(super) struct Background {
    weather: Weather,
    began: Instant,
    /// When the ranks of a node's links change, and which node's.
    changes: Vec<(Duration, Endpoint)>,
    seen: Mutex<Seen>,
}

impl Background {
    /// The weather of a run of so many nodes that begins now and goes on for so long.
    pub(super) fn new(seed: u64, weather: Weather, time_limit: Duration, nodes: u16) -> Self {
        let count = match weather.delay {
            Delay::Priorities { changes, .. } => changes,
            Delay::Constant { .. } | Delay::Uniform { .. } | Delay::Exponential { .. } => 0,
        };
        let limit_us = u64::try_from(time_limit.as_micros()).unwrap_or(u64::MAX);
        let change = |n: u8| {
            let draw = |purpose| weather::draw(seed, purpose, &[u64::from(n)]);
            let at = Duration::from_micros(weather::between(draw("change at"), 0, limit_us));
            let last = u64::from(nodes.saturating_sub(1));
            let node = weather::between(draw("change of"), 0, last);
            (at, Endpoint::Node(u16::try_from(node).unwrap_or_default()))
        };
        let changes = (0..count).map(change).collect();
        Self { weather, began: Instant::now(), changes, seen: Mutex::default() }
    }

    /// Adds the weather's share to `passage`; `false` if the message is lost.
    pub(super) fn apply(
        &self,
        seed: u64,
        passage: &mut Passage,
        from: Endpoint,
        to: Endpoint,
        kind: &str,
    ) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).count(from, to, kind);
        let of_kind = weather::draw(seed, kind, &[]);
        let draw = |purpose| weather::draw(of_kind, purpose, &[number(from), number(to), seen]);
        if weather::chance_per_mille(draw("weather loss"), self.weather.loss_per_mille) {
            return false;
        }
        let rank = self.rank_draw(seed, from, to);
        let journey = |purpose| {
            Duration::from_micros(weather::delay_us(&self.weather.delay, draw(purpose), rank))
        };
        passage.journey += journey("weather delay");
        if weather::chance_per_mille(draw("weather copy"), self.weather.duplicate_per_mille) {
            passage.copies.push((journey("weather copy delay"), Bite::default()));
        }
        true
    }

    /// Stays for a link until the ranks of one of its ends change.
    fn rank_draw(&self, seed: u64, from: Endpoint, to: Endpoint) -> u64 {
        let gone = self.began.elapsed();
        let changes = self.changes.iter();
        let passed = changes.filter(|(at, node)| *at <= gone && (*node == from || *node == to));
        let epoch = u64::try_from(passed.count()).unwrap_or(u64::MAX);
        weather::draw(seed, "weather rank", &[number(from), number(to), epoch])
    }
}

//! The timers of one core.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_systems::contract::{Micros, TimerId};
use quorate_world::weather;
use tokio::time::Instant;

/// Which timers are set, and when they fire: somewhere in their range, by a draw.
#[derive(Debug)]
pub(super) struct Timers {
    seed: u64,
    count: u64,
    set: BTreeMap<TimerId, Instant>,
}

impl Timers {
    /// None set; times will be drawn from `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, count: 0, set: BTreeMap::new() }
    }

    /// Sets a timer, or sets it anew.
    pub(super) fn set(&mut self, now: Instant, id: TimerId, min: Micros, max: Micros) {
        self.count += 1;
        let draw = weather::draw(self.seed, "timer", &[id.0, self.count]);
        let wait = weather::between(draw, min.0, max.0);
        self.set.insert(id, now + Duration::from_micros(wait));
    }

    /// Forgets a timer.
    pub(super) fn cancel(&mut self, id: TimerId) {
        self.set.remove(&id);
    }

    /// When the next timer fires.
    pub(super) fn next(&self) -> Option<Instant> {
        self.set.values().min().copied()
    }

    /// Takes out a timer that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<TimerId> {
        let (id, _) = self.set.iter().filter(|(_, at)| **at <= now).min_by_key(|(_, at)| **at)?;
        let id = *id;
        self.set.remove(&id);
        Some(id)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: TimerId = TimerId(1);
    const TWO: TimerId = TimerId(2);

    #[test]
    fn a_timer_fires_within_its_range_and_once() {
        let now = Instant::now();
        let mut timers = Timers::new(7);
        timers.set(now, ONE, Micros(1_000), Micros(3_000));
        let due = timers.next().unwrap();
        assert!(due >= now + Duration::from_millis(1) && due <= now + Duration::from_millis(3));
        assert_eq!(timers.take_due(now), None, "too early");
        assert_eq!(timers.take_due(due), Some(ONE));
        assert_eq!(timers.take_due(due), None);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn setting_a_timer_again_replaces_it() {
        let now = Instant::now();
        let mut timers = Timers::new(7);
        timers.set(now, ONE, Micros(10), Micros(10));
        timers.set(now, TWO, Micros(20), Micros(20));
        timers.set(now, ONE, Micros(30), Micros(30));
        let late = now + Duration::from_secs(1);
        assert_eq!(timers.take_due(late), Some(TWO));
        assert_eq!(timers.take_due(late), Some(ONE));
        assert_eq!(timers.take_due(late), None);
    }

    #[test]
    fn a_cancelled_timer_does_not_fire() {
        let now = Instant::now();
        let mut timers = Timers::new(7);
        timers.set(now, ONE, Micros(10), Micros(10));
        timers.cancel(ONE);
        assert_eq!(timers.next(), None);
    }
}

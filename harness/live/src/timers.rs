//! The timers of one core, by its own clock.

use std::collections::{BTreeMap, BTreeSet};

use quorate_systems::contract::{LocalTime, Micros, TimerId};
use quorate_world::weather;

/// Which timers are set, and when they fire.
#[derive(Debug)]
pub(crate) struct Timers {
    seed: u64,
    /// How often any timer was set: the key of the next draw.
    count: u64,
    by_id: BTreeMap<TimerId, LocalTime>,
    /// The same, by time.
    by_time: BTreeSet<(LocalTime, TimerId)>,
}

impl Timers {
    /// No timer; times are drawn from `seed`.
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, count: 0, by_id: BTreeMap::new(), by_time: BTreeSet::new() }
    }

    /// Sets or replaces a timer, to fire at a time drawn from `min` to `max` after `now`.
    pub(crate) fn set(&mut self, now: LocalTime, id: TimerId, min: Micros, max: Micros) {
        self.cancel(id);
        self.count += 1;
        let draw = weather::draw(self.seed, "timer", &[id.0, self.count]);
        let after = weather::between(draw, min.0, max.0);
        let at = LocalTime(now.0.saturating_add(after));
        self.by_id.insert(id, at);
        self.by_time.insert((at, id));
        assert_eq!(self.by_id.len(), self.by_time.len());
    }

    /// Forgets a timer, if it is set.
    pub(crate) fn cancel(&mut self, id: TimerId) {
        if let Some(at) = self.by_id.remove(&id) {
            self.by_time.remove(&(at, id));
        }
    }

    /// When the next one fires.
    pub(crate) fn next(&self) -> Option<LocalTime> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes out the timer that has been due longest.
    pub(crate) fn pop_due(&mut self, now: LocalTime) -> Option<TimerId> {
        let (at, id) = *self.by_time.first().filter(|(at, _)| *at <= now)?;
        self.by_time.remove(&(at, id));
        self.by_id.remove(&id);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: TimerId = TimerId(1);
    const B: TimerId = TimerId(2);

    fn set(timers: &mut Timers, now: u64, id: TimerId, after: u64) {
        timers.set(LocalTime(now), id, Micros(after), Micros(after));
    }

    #[test]
    fn timers_fire_in_order_of_time_and_once() {
        let mut timers = Timers::new(1);
        set(&mut timers, 0, A, 20);
        set(&mut timers, 0, B, 10);
        assert_eq!(timers.next(), Some(LocalTime(10)));
        assert_eq!(timers.pop_due(LocalTime(9)), None);
        assert_eq!(timers.pop_due(LocalTime(30)), Some(B));
        assert_eq!(timers.pop_due(LocalTime(30)), Some(A));
        assert_eq!(timers.pop_due(LocalTime(30)), None);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn setting_again_replaces_and_cancelling_forgets() {
        let mut timers = Timers::new(1);
        set(&mut timers, 0, A, 10);
        set(&mut timers, 5, A, 10);
        assert_eq!(timers.next(), Some(LocalTime(15)));
        timers.cancel(A);
        timers.cancel(B);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_timer_fires_within_its_bounds_and_not_always_at_the_same_place() {
        let mut timers = Timers::new(1);
        let drawn: BTreeSet<_> = (0..100)
            .map(|_| {
                timers.set(LocalTime(100), A, Micros(50), Micros(60));
                timers.next().unwrap()
            })
            .collect();
        assert!(drawn.iter().all(|at| (150..=160).contains(&at.0)));
        assert!(drawn.len() > 5, "{drawn:?}");
    }
}

//! The timers of one core, by its own clock.

use quorate_systems::contract::{LocalTime, TimerId};

/// Which timers are set, and when they fire. A core has few at a time.
#[derive(Debug, Default)]
pub(crate) struct Timers(Vec<(TimerId, LocalTime)>);

impl Timers {
    /// Sets or replaces a timer.
    #[inline]
    pub(crate) fn set(&mut self, id: TimerId, at: LocalTime) {
        match self.0.iter_mut().find(|(other, _)| *other == id) {
            Some(timer) => timer.1 = at,
            None => self.0.push((id, at)),
        }
    }

    /// Whether a timer is set.
    pub(crate) fn is_set(&self, id: TimerId) -> bool {
        self.0.iter().any(|(other, _)| *other == id)
    }

    /// Forgets a timer, if it is set.
    #[inline]
    pub(crate) fn cancel(&mut self, id: TimerId) -> bool {
        let place = self.0.iter().position(|(other, _)| *other == id);
        place.map(|place| self.0.swap_remove(place)).is_some()
    }

    /// When the next one fires.
    #[inline]
    pub(crate) fn next(&self) -> Option<LocalTime> {
        self.0.iter().map(|(_, at)| *at).min()
    }

    /// Takes out the timer that has been due longest; of equal ones the one with the lowest number.
    pub(crate) fn pop_due(&mut self, now: LocalTime) -> Option<TimerId> {
        let due = self.0.iter().filter(|(_, at)| *at <= now);
        let (id, _) = due.min_by_key(|(id, at)| (*at, *id)).copied()?;
        self.cancel(id);
        Some(id)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_the_order_of_their_times_and_each_once() {
        let mut timers = Timers::default();
        timers.set(TimerId(2), LocalTime(30));
        timers.set(TimerId(1), LocalTime(20));
        timers.set(TimerId(3), LocalTime(20));
        timers.set(TimerId(2), LocalTime(10));
        assert_eq!(timers.next(), Some(LocalTime(10)));
        assert_eq!(timers.pop_due(LocalTime(5)), None);
        assert_eq!(timers.pop_due(LocalTime(25)), Some(TimerId(2)));
        assert_eq!(timers.pop_due(LocalTime(25)), Some(TimerId(1)));
        assert!(timers.cancel(TimerId(3)));
        assert!(!timers.cancel(TimerId(3)));
        assert_eq!(timers.pop_due(LocalTime(25)), None);
    }
}

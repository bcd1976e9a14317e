//! A clock that can be wrong.

use quorate_plan::RIGHT_RATE_PPM;
use quorate_systems::contract::LocalTime;

/// What one node or client takes for the time: it goes at some rate, may jump, and never shows an earlier time
/// than before within one life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Virtual time at which the present rate began.
    since: u64,
    /// What the clock would show then, if it could go back.
    raw: u64,
    /// The jump that it has made, in microseconds, until it is taken back.
    jump: i64,
    /// Millionths of the right speed.
    rate_ppm: u32,
    /// The latest that it has shown.
    shown: u64,
}

impl Clock {
    /// A right clock that begins at 0 at this virtual time.
    pub(crate) const fn new(now: u64) -> Self {
        Self { since: now, raw: 0, jump: 0, rate_ppm: RIGHT_RATE_PPM, shown: 0 }
    }

    /// What it shows.
    #[inline]
    pub(crate) fn show(&mut self, now: u64) -> LocalTime {
        self.shown = self.shown.max(self.raw_at(now));
        LocalTime(self.shown)
    }

    /// From now on it goes at this rate, after a jump.
    pub(crate) fn set(&mut self, now: u64, offset_us: i64, rate_ppm: u32) {
        let before = self.raw_at(now);
        self.raw = before.saturating_add_signed(offset_us);
        self.jump = self.jump.saturating_add_unsigned(self.raw.saturating_sub(before));
        self.jump = self.jump.saturating_sub_unsigned(before.saturating_sub(self.raw));
        self.since = now;
        self.rate_ppm = rate_ppm;
    }

    /// From now on it goes at the right speed again, and its jumps are taken back, but for what it has shown
    /// already. What it has won or lost by its speed stays: a clock that never jumped does not do so now.
    ///
    /// One that has shown a later time goes on from there: standing still until the right time has caught up
    /// would keep its timers from firing after everything is healed.
    pub(crate) fn set_right(&mut self, now: u64) {
        let back = self.jump.saturating_neg();
        self.raw = self.raw_at(now).saturating_add_signed(back).max(self.shown);
        self.jump = 0;
        self.since = now;
        self.rate_ppm = RIGHT_RATE_PPM;
    }

    /// The first virtual time, not before `now`, at which it will show `local`.
    pub(crate) fn when(&self, now: u64, local: LocalTime) -> u64 {
        if local.0 <= self.shown {
            return now;
        }
        let ahead = u128::from(local.0.saturating_sub(self.raw)) * u128::from(RIGHT_RATE_PPM);
        let us = ahead.div_ceil(u128::from(self.rate_ppm.max(1)));
        self.since.saturating_add(u64::try_from(us).unwrap_or(u64::MAX)).max(now)
    }

    #[inline]
    fn raw_at(&self, now: u64) -> u64 {
        let elapsed = now - self.since;
        if self.rate_ppm == RIGHT_RATE_PPM {
            return self.raw + elapsed;
        }
        let us = u128::from(elapsed) * u128::from(self.rate_ppm) / u128::from(RIGHT_RATE_PPM);
        self.raw.saturating_add(u64::try_from(us).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_clock_counts_from_its_beginning() {
        let mut clock = Clock::new(100);
        assert_eq!(clock.show(100), LocalTime(0));
        assert_eq!(clock.show(350), LocalTime(250));
        assert_eq!(clock.when(350, LocalTime(300)), 400);
        assert_eq!(clock.when(350, LocalTime(10)), 350, "it is past");
    }

    #[test]
    fn a_fast_clock_reaches_a_time_sooner() {
        let mut clock = Clock::new(0);
        clock.set(1_000, 0, 2_000_000);
        assert_eq!(clock.when(1_000, LocalTime(3_000)), 2_000);
        assert_eq!(clock.show(2_000), LocalTime(3_000));
    }

    #[test]
    fn after_a_jump_back_a_clock_stands_still_until_it_has_caught_up() {
        let mut clock = Clock::new(0);
        assert_eq!(clock.show(1_000), LocalTime(1_000));
        clock.set(1_000, -400, RIGHT_RATE_PPM);
        assert_eq!(clock.show(1_200), LocalTime(1_000));
        assert_eq!(clock.when(1_200, LocalTime(1_100)), 1_500);
        assert_eq!(clock.show(1_500), LocalTime(1_100));
    }

    #[test]
    fn a_clock_that_was_far_ahead_goes_on_from_there_once_it_is_right() {
        let mut clock = Clock::new(0);
        clock.set(1_000, 3_600_000_000, RIGHT_RATE_PPM);
        let ahead = clock.show(2_000);
        clock.set_right(2_000);
        assert_eq!(clock.show(2_500), LocalTime(ahead.0 + 500));
        assert_eq!(clock.when(2_500, LocalTime(ahead.0 + 700)), 2_700);
    }

    #[test]
    fn a_clock_that_was_slow_keeps_what_it_lost_and_one_that_jumped_back_catches_up() {
        let mut clock = Clock::new(0);
        clock.set(1_000, 0, 500_000);
        assert_eq!(clock.show(2_000), LocalTime(1_500));
        clock.set_right(2_000);
        assert_eq!(clock.show(2_000), LocalTime(1_500), "it does not jump");
        assert_eq!(clock.show(3_000), LocalTime(2_500));
        clock.set(3_000, -400, RIGHT_RATE_PPM);
        clock.set_right(3_100);
        assert_eq!(clock.show(3_100), LocalTime(2_600));
        clock.set(3_100, -9_999, RIGHT_RATE_PPM);
        clock.set_right(3_200);
        assert_eq!(clock.show(3_200), LocalTime(2_700), "no clock goes below 0");
    }

    #[test]
    fn what_is_waited_for_is_shown_when_it_has_come() {
        for rate in [1, 333_333, 999_999, 1_000_001, 7_654_321] {
            let mut clock = Clock::new(7);
            clock.set(50, 12_345, rate);
            for local in [20_000, 77_777, 1_234_567] {
                let at = clock.when(50, LocalTime(local));
                assert!(clock.show(at).0 >= local, "{rate} {local}");
            }
        }
    }
}

//! A node's own clock, which can be made to go wrong.

use std::time::{Duration, Instant};

use quorate_plan::RIGHT_RATE_PPM;
use quorate_systems::contract::LocalTime;

/// How far ahead a wake is planned at most; a slow clock is then asked again.
const WAKE_MAX: Duration = Duration::from_hours(1);

/// Microseconds since the node's boot, plus whatever is wrong with them; never goes back.
#[derive(Debug)]
pub(super) struct Clock {
    /// When the clock was last set, by the right time.
    set_at: Instant,
    /// What it began to count from then: below zero after a jump back beyond the boot.
    set_to: i128,
    /// The jump that is part of that, in microseconds.
    jump: i128,
    rate_ppm: u32,
    /// The latest time that anybody was told.
    shown: LocalTime,
}

impl Clock {
    /// A clock that is right and shows 0 at `boot`.
    pub(super) const fn new(boot: Instant) -> Self {
        Self { set_at: boot, set_to: 0, jump: 0, rate_ppm: RIGHT_RATE_PPM, shown: LocalTime(0) }
    }

    /// Lets it jump by `offset_ms`, in place of the jump before, and go on at `rate_ppm` millionths of the
    /// right speed. What it has won or lost by its speed stays: without a jump it goes on from where it is.
    pub(super) fn set(&mut self, real: Instant, offset_ms: i64, rate_ppm: u32) {
        self.show(real);
        let jump = i128::from(offset_ms) * 1_000;
        self.set_to = self.own(real) - self.jump + jump;
        self.jump = jump;
        self.set_at = real;
        self.rate_ppm = rate_ppm;
    }

    /// What it shows at `real`. After a jump back it stands still until it has caught up.
    pub(super) fn show(&mut self, real: Instant) -> LocalTime {
        let own = u64::try_from(self.own(real)).unwrap_or(0);
        self.shown = self.shown.max(LocalTime(own));
        self.shown
    }

    /// What it would show if it could go back.
    fn own(&self, real: Instant) -> i128 {
        let gone =
            micros(self.set_at, real) * i128::from(self.rate_ppm) / i128::from(RIGHT_RATE_PPM);
        self.set_to + gone
    }

    /// When it is worth looking whether the clock shows `local`, as things stand: not later than it does,
    /// or an hour from `real`.
    pub(super) fn wake(&self, real: Instant, local: LocalTime) -> Instant {
        let latest = real + WAKE_MAX;
        if self.shown >= local {
            return real;
        }
        let missing = i128::from(local.0) - self.set_to;
        if self.rate_ppm == 0 && missing > 0 {
            return latest;
        }
        let rate = i128::from(self.rate_ppm.max(1));
        let gone = (missing.max(0) * i128::from(RIGHT_RATE_PPM)).div_euclid(rate) + 1;
        let gone = Duration::from_micros(u64::try_from(gone).unwrap_or(u64::MAX));
        self.set_at.checked_add(gone).map_or(latest, |at| at.clamp(real, latest))
    }
}

fn micros(from: Instant, to: Instant) -> i128 {
    i128::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> (Clock, impl Fn(u64) -> Instant) {
        let boot = Instant::now();
        (Clock::new(boot), move |millis| boot + Duration::from_millis(millis))
    }

    fn millis(millis: u64) -> LocalTime {
        LocalTime(millis * 1_000)
    }

    #[test]
    fn it_counts_microseconds_from_the_boot() {
        let (mut clock, at) = clock();
        assert_eq!(clock.show(at(0)), millis(0));
        assert_eq!(clock.show(at(1_500)), millis(1_500));
    }

    #[test]
    fn it_jumps_ahead_and_goes_at_its_own_rate() {
        let (mut clock, at) = clock();
        clock.set(at(1_000), 5_000, 2_000_000);
        assert_eq!(clock.show(at(1_000)), millis(6_000));
        assert_eq!(clock.show(at(2_000)), millis(8_000));
    }

    #[test]
    fn after_a_jump_back_it_stands_still_until_it_has_caught_up() {
        let (mut clock, at) = clock();
        clock.set(at(1_000), -400, 1_000_000);
        assert_eq!(clock.show(at(1_001)), millis(1_000));
        assert_eq!(clock.show(at(1_400)), millis(1_000));
        assert_eq!(clock.show(at(1_500)), millis(1_100));
    }

    #[test]
    fn a_jump_back_beyond_the_boot_is_no_trouble() {
        let (mut clock, at) = clock();
        clock.set(at(10), -1_000, 1_000_000);
        assert_eq!(clock.show(at(500)), millis(10));
        assert_eq!(clock.show(at(1_500)), millis(500));
    }

    #[test]
    fn put_right_again_it_shows_the_right_time_once_that_is_past_what_it_showed() {
        let (mut clock, at) = clock();
        clock.set(at(1_000), 2_000, 1_000_000);
        assert_eq!(clock.show(at(2_000)), millis(4_000));
        clock.set(at(2_000), 0, 1_000_000);
        assert_eq!(clock.show(at(3_000)), millis(4_000));
        assert_eq!(clock.show(at(5_000)), millis(5_000));
    }

    #[test]
    fn a_clock_that_was_slow_keeps_what_it_lost() {
        let (mut clock, at) = clock();
        clock.set(at(1_000), 0, 500_000);
        assert_eq!(clock.show(at(2_000)), millis(1_500));
        clock.set(at(2_000), 0, 1_000_000);
        assert_eq!(clock.show(at(2_001)), millis(1_501), "it does not jump");
    }

    #[test]
    fn a_wake_comes_when_the_clock_shows_the_time_and_not_much_later() {
        for (offset_ms, rate_ppm) in
            [(0, 1_000_000), (700, 1_000_000), (-700, 1_000_000), (0, 333_333), (0, 3_000_001)]
        {
            let (mut clock, at) = clock();
            clock.set(at(1_000), offset_ms, rate_ppm);
            let wanted = LocalTime(clock.show(at(1_100)).0 + 250_000);
            let wake = clock.wake(at(1_100), wanted);
            assert!(clock.show(wake.checked_sub(Duration::from_micros(10)).unwrap()) < wanted);
            assert!(clock.show(wake) >= wanted);
        }
    }

    #[test]
    fn a_stopped_clock_is_looked_at_again_within_the_hour() {
        let (mut clock, at) = clock();
        clock.set(at(1_000), 0, 0);
        assert_eq!(clock.show(at(9_000)), millis(1_000));
        assert_eq!(clock.wake(at(9_000), millis(1_001)), at(9_000) + WAKE_MAX);
        assert_eq!(clock.wake(at(9_000), millis(1_000)), at(9_000));
    }
}

//! When a client acts next.

use std::time::Duration;

use quorate_world::weather;
use tokio::time::Instant;

/// The times at which one of several clients invokes operations, so that all of them together keep to a
/// rate. The distances are drawn, evenly around their mean: clients in step would never meet in other ways.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    seed: u64,
    client: u32,
    /// The mean distance of one client's operations, in microseconds; 0: without pause.
    mean_us: u64,
    count: u64,
    next: Instant,
}

impl Pace {
    /// The pace of `client`, one of `clients` that make `rate_per_s` operations a second together (0: as
    /// fast as answers come), from `began` on.
    pub(super) fn new(
        seed: u64,
        client: u32,
        clients: u32,
        rate_per_s: u32,
        began: Instant,
    ) -> Self {
        let mean_us = (u64::from(clients) * 1_000_000).checked_div(u64::from(rate_per_s));
        let mut pace = Self { seed, client, mean_us: mean_us.unwrap_or(0), count: 0, next: began };
        pace.next = began + pace.distance();
        pace
    }

    /// When the next operation is due. Time that an operation took too long is not made up for.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// An operation is invoked now.
    pub(super) fn invoked(&mut self, now: Instant) {
        let from =
            if self.next + Duration::from_micros(self.mean_us) < now { now } else { self.next };
        self.next = from + self.distance();
    }

    fn distance(&mut self) -> Duration {
        self.count += 1;
        let draw = weather::draw(self.seed, "pace", &[u64::from(self.client), self.count]);
        Duration::from_micros(weather::between(draw, 0, 2 * self.mean_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_clients_together_keep_to_the_rate() {
        let began = Instant::now();
        let mut invoked = 0;
        for client in 0..15 {
            let mut pace = Pace::new(3, client, 15, 300, began);
            while pace.next() < began + Duration::from_secs(10) {
                invoked += 1;
                pace.invoked(pace.next());
            }
        }
        assert!((2_800..3_200).contains(&invoked), "{invoked} instead of 3000");
    }

    #[test]
    fn without_a_rate_the_next_operation_is_due_at_once() {
        let began = Instant::now();
        let mut pace = Pace::new(3, 0, 5, 0, began);
        pace.invoked(began);
        assert_eq!(pace.next(), began);
    }

    #[test]
    fn a_slow_operation_is_not_followed_by_a_burst() {
        let began = Instant::now();
        let mut pace = Pace::new(3, 0, 1, 100, began);
        let late = began + Duration::from_secs(5);
        pace.invoked(late);
        assert!(pace.next() >= late);
    }
}

//! When a client acts next.

use crate::weather::{self, Purpose};

/// The times at which one of several clients invokes operations, so that all of them together keep to a rate.
/// Distances are drawn, evenly around their mean: clients in step would never meet in other ways. Times are
/// microseconds since the first operation.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    purpose: Purpose,
    client: u32,
    /// The mean distance of one client's operations; 0: without pause.
    mean_us: u64,
    count: u64,
    next_us: u64,
}

impl Pace {
    /// The pace of `client`, one of `clients` that make `rate_per_s` operations a second together (0: as fast
    /// as answers come).
    pub fn new(seed: u64, client: u32, clients: u32, rate_per_s: u32) -> Self {
        let mean_us = (u64::from(clients) * 1_000_000).checked_div(u64::from(rate_per_s));
        let purpose = Purpose::new(seed, "pace");
        let mean_us = mean_us.unwrap_or(0);
        let mut pace = Self { purpose, client, mean_us, count: 0, next_us: 0 };
        pace.next_us = pace.distance_us();
        pace
    }

    /// When the next operation is due.
    #[inline]
    pub const fn next_us(&self) -> u64 {
        self.next_us
    }

    /// An operation is invoked now. Time that one took too long is not made up for: it would be a burst.
    pub fn invoked(&mut self, now_us: u64) {
        let is_late = self.next_us + self.mean_us < now_us;
        let from_us = if is_late { now_us } else { self.next_us };
        self.next_us = from_us + self.distance_us();
    }

    fn distance_us(&mut self) -> u64 {
        self.count += 1;
        let draw = self.purpose.draw([u64::from(self.client), self.count]);
        weather::between(draw, 0, 2 * self.mean_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    #[test]
    fn all_clients_together_keep_to_the_rate() {
        let mut invoked = 0;
        for client in 0..15 {
            let mut pace = Pace::new(3, client, 15, 300);
            while pace.next_us() < 10 * SECOND_US {
                invoked += 1;
                pace.invoked(pace.next_us());
            }
        }
        assert!((2_800..3_200).contains(&invoked), "{invoked} instead of 3000");
    }

    #[test]
    fn without_a_rate_the_next_operation_is_due_at_once() {
        let mut pace = Pace::new(3, 0, 5, 0);
        pace.invoked(0);
        assert_eq!(pace.next_us(), 0);
    }

    #[test]
    fn a_slow_operation_is_not_followed_by_a_burst() {
        let mut pace = Pace::new(3, 0, 1, 100);
        let late = 5 * SECOND_US;
        pace.invoked(late);
        assert!(pace.next_us() >= late);
    }
}

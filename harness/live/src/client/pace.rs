//! A client's pace in real time.

use std::time::Duration;

use tokio::time::Instant;

/// A [`quorate_world::pace::Pace`] that began at some instant.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    began: Instant,
    drawn: quorate_world::pace::Pace,
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
        let drawn = quorate_world::pace::Pace::new(seed, client, clients, rate_per_s);
        Self { began, drawn }
    }

    /// When the next operation is due.
    pub(super) fn next(&self) -> Instant {
        self.began + Duration::from_micros(self.drawn.next_us())
    }

    /// An operation is invoked now.
    pub(super) fn invoked(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.began).as_micros();
        self.drawn.invoked(u64::try_from(since).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_counts_from_its_beginning() {
        let began = Instant::now();
        let mut pace = Pace::new(3, 0, 1, 100, began);
        assert!(pace.next() >= began);
        let late = began + Duration::from_secs(5);
        pace.invoked(late);
        assert!((late..late + Duration::from_millis(20)).contains(&pace.next()));
    }
}

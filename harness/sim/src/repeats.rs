//! How often the same thing has happened before: what tells equal messages apart.

/// Counts by key, in a fixed amount of memory: a key that falls on another's place pushes it out. So a message
/// that is repeated much later may be counted as new; [`window`] sees to it that its fate is another one all
/// the same.
#[derive(Debug)]
pub(crate) struct Repeats {
    entries: Vec<Seen>,
    /// Entries of earlier runs count for nothing.
    run: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    key: u64,
    count: u32,
    run: u32,
}

/// A power of two.
const ENTRIES: usize = 2_048;

impl Repeats {
    pub(crate) fn new() -> Self {
        Self { entries: vec![Seen::default(); ENTRIES], run: 0 }
    }

    /// Forgets everything, without touching its memory.
    pub(crate) fn reset(&mut self) {
        self.run = self.run.wrapping_add(1);
        if self.run == 0 {
            self.entries.fill(Seen::default());
            self.run = 1;
        }
    }

    /// How often `key`, which must be well spread, was asked about before.
    #[inline]
    pub(crate) fn count(&mut self, key: u64) -> u64 {
        let place = (key >> 40) as usize % ENTRIES;
        let Some(seen) = self.entries.get_mut(place) else { return 0 };
        if seen.run == self.run && seen.key == key {
            seen.count = seen.count.wrapping_add(1);
        } else {
            *seen = Seen { key, count: 0, run: self.run };
        }
        u64::from(seen.count)
    }
}

/// The part of a run that a time belongs to, about four seconds each: part of the key of a message's fate.
/// Otherwise one that is lost, pushed out of the counts, and repeated could be lost for ever.
#[inline]
pub(crate) const fn window(now: u64) -> u64 {
    now >> 22
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_up_and_a_new_run_begins_anew() {
        let mut repeats = Repeats::new();
        repeats.reset();
        let key = |n: u64| n << 40;
        assert_eq!(
            [repeats.count(key(1)), repeats.count(key(1)), repeats.count(key(2))],
            [0, 1, 0]
        );
        repeats.reset();
        assert_eq!(repeats.count(key(1)), 0);
    }

    #[test]
    fn keys_that_fall_together_push_each_other_out() {
        let mut repeats = Repeats::new();
        repeats.reset();
        let counts: Vec<u64> = [5, 5, 6, 5].into_iter().map(|key| repeats.count(key)).collect();
        assert_eq!(counts, [0, 1, 0, 0]);
    }
}

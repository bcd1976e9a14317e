//! What clients have asked for.

/// A set of digests, with a bound.
#[derive(Debug)]
pub(super) struct Submitted {
    /// A table of a power of two places, at most half of them full: each digest stands in its own place or in the
    /// first free one after it. 0 is none.
    table: Vec<u64>,
    count: usize,
    /// Whether a digest was forgotten.
    is_partial: bool,
}

const TABLE_MIN: usize = 256;
const TABLE_MAX: usize = 131_072;
/// Of one run for the next: to wipe more takes longer than to grow again, and most runs need less.
const TABLE_KEPT: usize = 2_048;

impl Submitted {
    pub(super) fn new() -> Self {
        Self { table: vec![0; TABLE_MIN], count: 0, is_partial: false }
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self) {
        self.table.truncate(TABLE_KEPT);
        self.table.fill(0);
        self.count = 0;
        self.is_partial = false;
    }

    /// A client asks for this.
    pub(super) fn insert(&mut self, digest: u64) {
        let place = self.place(digest);
        if self.table.get(place) == Some(&digest) {
            return;
        }
        if 2 * self.count >= self.table.len() {
            if self.table.len() == TABLE_MAX {
                // All of them: half of them would take no longer to fill.
                self.table.fill(0);
                self.count = 0;
                self.is_partial = true;
            } else {
                self.grow();
            }
        }
        self.enter(digest);
    }

    /// Whether no client has asked for this, for certain.
    pub(super) fn lacks(&self, digest: u64) -> bool {
        !self.is_partial && self.table.get(self.place(digest)) != Some(&digest)
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.table);
        self.table = vec![0; 2 * old.len()];
        self.count = 0;
        old.into_iter().filter(|digest| *digest != 0).for_each(|digest| self.enter(digest));
    }

    fn enter(&mut self, digest: u64) {
        let place = self.place(digest);
        if let Some(place) = self.table.get_mut(place) {
            *place = digest;
            self.count += 1;
        }
    }

    /// Where a digest stands, or would.
    fn place(&self, digest: u64) -> usize {
        let mask = self.table.len() - 1;
        let own = usize::try_from(digest & mask as u64).unwrap_or(0);
        let mut place = own;
        while self.table.get(place).is_some_and(|known| *known != 0 && *known != digest) {
            place = (place + 1) & mask;
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_submitted_is_known_and_nothing_else() {
        let mut submitted = Submitted::new();
        // Many that would like to stand in one place.
        let digests = || (1..=2_000).map(|digest| digest << 20 | 0xFF);
        digests().for_each(|digest| submitted.insert(digest));
        digests().for_each(|digest| submitted.insert(digest));
        assert_eq!(submitted.count, 2_000);
        assert!(digests().all(|digest| !submitted.lacks(digest)));
        assert!(submitted.lacks(0xFF) && submitted.lacks(2_001 << 20 | 0xFF));
        submitted.reset();
        assert!(digests().all(|digest| submitted.lacks(digest)));
    }

    #[test]
    fn where_more_is_submitted_than_can_be_remembered_nothing_is_missed() {
        let mut submitted = Submitted::new();
        for digest in 1..=TABLE_MAX as u64 / 2 {
            submitted.insert(digest);
        }
        assert!(submitted.lacks(u64::MAX));
        submitted.insert(TABLE_MAX as u64);
        assert!(!submitted.lacks(u64::MAX) && !submitted.lacks(1));
        assert_eq!(submitted.table.len(), TABLE_MAX);
        submitted.reset();
        assert!(submitted.lacks(1));
    }
}

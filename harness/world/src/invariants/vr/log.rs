//! A replica's log, as it is told.

use std::collections::VecDeque;

use quorate_systems::smr::Slot;
use quorate_systems::vr::View;

/// The entries after `base`, each by the view in which it was assigned and its digest. What is before them
/// stands in a checkpoint, or with the replicas that execute, or is forgotten: no more than [`LOG_MAX`] entries
/// are remembered.
#[derive(Debug, Default)]
pub(super) struct Log {
    base: Slot,
    entries: VecDeque<(View, u64)>,
}

const LOG_MAX: usize = 4_096;

impl Log {
    /// What is before the first entry that is known.
    pub(super) fn base(&self) -> Slot {
        self.base
    }

    /// The last op-number.
    pub(super) fn last(&self) -> Slot {
        self.base.plus(self.entries.len() as u64)
    }

    /// The entry at `op`, if it is known.
    pub(super) fn get(&self, op: Slot) -> Option<(View, u64)> {
        let index = usize::try_from(op.since(self.base).checked_sub(1)?).ok()?;
        self.entries.get(index).copied()
    }

    /// One entry more, at the end.
    pub(super) fn push(&mut self, entry: (View, u64)) {
        if self.entries.len() == LOG_MAX {
            self.entries.pop_front();
            self.base = self.base.next();
        }
        self.entries.push_back(entry);
    }

    /// Nothing is left of what comes after `op`.
    pub(super) fn cut(&mut self, op: Slot) {
        let kept = usize::try_from(op.since(self.base)).unwrap_or(usize::MAX);
        self.entries.truncate(kept);
    }

    /// All up to `op` stands elsewhere.
    pub(super) fn release(&mut self, op: Slot) {
        let gone = usize::try_from(op.since(self.base)).unwrap_or(usize::MAX);
        self.entries.drain(..gone.min(self.entries.len()));
        self.base = self.base.max(op);
    }

    /// After `after` it has these entries and no others. What it lacks before that stands elsewhere.
    pub(super) fn adopt(&mut self, after: Slot, entries: impl Iterator<Item = (View, u64)>) {
        self.cut(after);
        if after > self.last() {
            self.release(after);
        }
        let known = usize::try_from(self.base.since(after)).unwrap_or(usize::MAX);
        entries.skip(known).for_each(|entry| self.push(entry));
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self) {
        self.base = Slot::ZERO;
        self.entries.clear();
    }

    /// As another is.
    pub(super) fn copy(&mut self, other: &Self) {
        self.base = other.base;
        self.entries.clone_from(&other.entries);
    }

    /// The first op-number that both know and that stands for different entries in them, or that only `other`
    /// has.
    pub(super) fn first_lacking(&self, other: &Self) -> Option<Slot> {
        let first = self.base.max(other.base).next();
        first.through(other.last()).find(|op| self.get(*op) != other.get(*op))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(after: u64, digests: &[u64]) -> Log {
        let mut log = Log::default();
        log.adopt(Slot(after), digests.iter().map(|digest| (View::FIRST, *digest)));
        log
    }

    #[test]
    fn what_is_adopted_stands_after_what_there_was() {
        let mut log = log(0, &[1, 2, 3]);
        log.adopt(Slot(1), [(View::FIRST, 7)].into_iter());
        assert_eq!((log.last(), log.get(Slot(2))), (Slot(2), Some((View::FIRST, 7))));
        log.release(Slot(1));
        log.adopt(Slot::ZERO, [4, 5, 6].map(|digest| (View::FIRST, digest)).into_iter());
        assert_eq!((log.base(), log.last(), log.get(Slot(1))), (Slot(1), Slot(3), None));
        assert_eq!(log.get(Slot(2)), Some((View::FIRST, 5)));
        log.adopt(Slot(9), [(View::FIRST, 8)].into_iter());
        assert_eq!((log.base(), log.last()), (Slot(9), Slot(10)));
        log.cut(Slot(3));
        assert_eq!((log.base(), log.last()), (Slot(9), Slot(9)));
    }

    #[test]
    fn the_first_entries_are_forgotten_when_there_are_too_many() {
        let mut log = Log::default();
        for digest in 1..=LOG_MAX as u64 + 2 {
            log.push((View::FIRST, digest));
        }
        assert_eq!((log.base(), log.last()), (Slot(2), Slot(LOG_MAX as u64 + 2)));
        assert_eq!(log.get(Slot(3)), Some((View::FIRST, 3)));
        assert_eq!(log.get(Slot(2)), None);
    }

    #[test]
    fn what_one_log_lacks_of_another_is_found() {
        let one = log(0, &[1, 2, 3]);
        assert_eq!(one.first_lacking(&log(0, &[1, 2])), None);
        assert_eq!(log(0, &[1, 2]).first_lacking(&one), Some(Slot(3)));
        assert_eq!(one.first_lacking(&log(1, &[9, 3])), Some(Slot(2)));
        assert_eq!(log(3, &[]).first_lacking(&one), None);
    }
}

//! What a replica knows of each sequence number after its last stable checkpoint.

use std::collections::VecDeque;

use quorate_systems::pbft::{Digest, View};
use quorate_systems::smr::Slot;

/// The sequence numbers after `base`. Of those more than [`LOG_MAX`] after it nothing is remembered.
#[derive(Debug, Default)]
pub(super) struct Log {
    base: Slot,
    cells: VecDeque<Cell>,
}

const LOG_MAX: u64 = 4_096;

/// One sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    /// What was pre-prepared in the last view in which anything was.
    pub(super) accepted: Option<(View, Digest)>,
    /// A NEW-VIEW says so, and nothing else: its batch may be lacking.
    pub(super) is_of_new_view: bool,
    /// What was prepared in the last view in which anything was.
    pub(super) prepared: Option<(View, Digest)>,
    /// What is committed.
    pub(super) committed: Option<Digest>,
}

impl Log {
    /// The last sequence number of which anything is known.
    pub(super) fn last(&self) -> Slot {
        self.base.plus(self.cells.len() as u64)
    }

    /// What is known of `seq`: nothing where it is before the base, or after the last.
    pub(super) fn get(&self, seq: Slot) -> Cell {
        let index = self.index(seq);
        index.and_then(|index| self.cells.get(index)).copied().unwrap_or_default()
    }

    /// What is known after the base, with its sequence numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Cell)> {
        (1..).map(|nth| self.base.plus(nth)).zip(&self.cells)
    }

    /// It is pre-prepared in this view; an earlier view's stays behind a later one's.
    pub(super) fn accept(&mut self, view: View, seq: Slot, digest: Digest) {
        if let Some(cell) = self.cell(seq)
            && replace(&mut cell.accepted, view, digest)
        {
            cell.is_of_new_view = false;
        }
    }

    /// The same, as the NEW-VIEW of this view has it.
    pub(super) fn take_up(&mut self, view: View, seq: Slot, digest: Digest) {
        if let Some(cell) = self.cell(seq)
            && replace(&mut cell.accepted, view, digest)
        {
            cell.is_of_new_view = true;
        }
    }

    /// It is prepared in this view; an earlier view's stays behind a later one's.
    pub(super) fn prepare(&mut self, view: View, seq: Slot, digest: Digest) {
        if let Some(cell) = self.cell(seq) {
            replace(&mut cell.prepared, view, digest);
        }
    }

    /// It is committed.
    pub(super) fn commit(&mut self, seq: Slot, digest: Digest) {
        if let Some(cell) = self.cell(seq) {
            cell.committed = Some(digest);
        }
    }

    /// All up to `seq` stands in a checkpoint.
    pub(super) fn release(&mut self, seq: Slot) {
        let gone = usize::try_from(seq.since(self.base)).unwrap_or(usize::MAX);
        self.cells.drain(..gone.min(self.cells.len()));
        self.base = self.base.max(seq);
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self) {
        self.base = Slot::ZERO;
        self.cells.clear();
    }

    /// As another is.
    pub(super) fn copy(&mut self, other: &Self) {
        self.base = other.base;
        self.cells.clone_from(&other.cells);
    }

    fn index(&self, seq: Slot) -> Option<usize> {
        usize::try_from(seq.since(self.base).checked_sub(1)?).ok()
    }

    fn cell(&mut self, seq: Slot) -> Option<&mut Cell> {
        if seq.since(self.base) > LOG_MAX {
            return None;
        }
        let index = self.index(seq)?;
        if index >= self.cells.len() {
            self.cells.resize(index + 1, Cell::default());
        }
        self.cells.get_mut(index)
    }
}

/// Whether it takes the place of what was known.
fn replace(known: &mut Option<(View, Digest)>, view: View, digest: Digest) -> bool {
    let is_later = known.is_none_or(|(before, _)| before <= view);
    if is_later {
        *known = Some((view, digest));
    }
    is_later
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Digest = Digest([1; 32]);
    const TWO: Digest = Digest([2; 32]);

    #[test]
    fn of_each_sequence_number_the_last_view_is_known() {
        let mut log = Log::default();
        log.accept(View(1), Slot(2), ONE);
        log.accept(View(0), Slot(2), TWO);
        log.prepare(View(1), Slot(2), ONE);
        log.commit(Slot(3), TWO);
        let cell = log.get(Slot(2));
        assert_eq!((cell.accepted, cell.prepared), (Some((View(1), ONE)), cell.accepted));
        assert_eq!((log.last(), log.get(Slot(1))), (Slot(3), Cell::default()));
        log.accept(View(2), Slot(2), TWO);
        assert_eq!(log.get(Slot(2)).accepted, Some((View(2), TWO)));
        log.release(Slot(2));
        assert_eq!((log.get(Slot(2)), log.last()), (Cell::default(), Slot(3)));
        let committed = log.iter().map(|(seq, cell)| (seq, cell.committed));
        assert_eq!(committed.collect::<Vec<_>>(), [(Slot(3), Some(TWO))]);
        log.release(Slot(9));
        assert_eq!((log.last(), log.iter().count()), (Slot(9), 0));
    }

    #[test]
    fn what_is_far_after_the_base_is_not_remembered() {
        let mut log = Log::default();
        log.accept(View(0), Slot(LOG_MAX + 1), ONE);
        log.commit(Slot(1 << 40), ONE);
        assert_eq!(log.last(), Slot::ZERO);
        log.accept(View(0), Slot(LOG_MAX), ONE);
        assert_eq!(log.last(), Slot(LOG_MAX));
    }
}

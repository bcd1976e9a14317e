//! What is remembered of each op-number.

use std::collections::VecDeque;

use quorate_systems::contract::NodeId;
use quorate_systems::smr::Slot;
use quorate_systems::vr::View;

use crate::invariants::executed::Executed;

/// The op-numbers in use: the last [`PLACES_MAX`] of them. Those before them are forgotten as later ones come
/// into use.
#[derive(Debug)]
pub(super) struct Places {
    /// The first of them.
    first: Slot,
    ops: VecDeque<Place>,
    /// The last op-number that was acknowledged.
    pub(super) acknowledged: Slot,
}

const PLACES_MAX: usize = 4_096;

/// One op-number, over all replicas.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// Which entry it stands for in the log of each view; the lowest are forgotten first.
    values: [Option<Valued>; VALUES_MAX],
    /// The entry that was committed first, and by whom.
    pub(super) committed: Option<(u64, NodeId)>,
    /// The entry that was acknowledged in the lowest view.
    pub(super) acknowledged: Option<(View, u64)>,
    /// What replicas made of it.
    pub(super) executed: Executed,
}

/// In so many views an entry is remembered for each op-number.
const VALUES_MAX: usize = 4;

/// What stands for an op-number in the log of one view.
#[derive(Clone, Copy, Debug)]
pub(super) struct Valued {
    pub(super) view: View,
    pub(super) entry: u64,
    /// Who said so first.
    pub(super) by: NodeId,
}

impl Places {
    pub(super) const fn new() -> Self {
        Self { first: Slot(1), ops: VecDeque::new(), acknowledged: Slot::ZERO }
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self) {
        self.first = Slot(1);
        self.ops.clear();
        self.acknowledged = Slot::ZERO;
    }

    /// What is remembered of `op`; nothing where it is forgotten.
    pub(super) fn get(&mut self, op: Slot) -> Option<&mut Place> {
        if self.index(op).is_none() {
            self.extend(op)?;
        }
        let index = self.index(op)?;
        self.ops.get_mut(index)
    }

    /// As [`Self::get`], and nothing where nothing was ever said of it.
    pub(super) fn look(&self, op: Slot) -> Option<&Place> {
        self.ops.get(self.index(op)?)
    }

    /// The op-numbers after `after` that were acknowledged and are not forgotten.
    pub(super) fn acknowledged_after(&self, after: Slot) -> impl Iterator<Item = Slot> + use<> {
        after.next().max(self.first).through(self.acknowledged)
    }

    fn index(&self, op: Slot) -> Option<usize> {
        let index = usize::try_from(op.0.checked_sub(self.first.0)?).ok()?;
        (index < self.ops.len()).then_some(index)
    }

    fn last(&self) -> Slot {
        Slot(self.first.0 - 1).plus(self.ops.len() as u64)
    }

    /// Brings all op-numbers up to `op` into use, and forgets as many as must be.
    fn extend(&mut self, op: Slot) -> Option<()> {
        if op < self.first {
            return None;
        }
        if op.since(self.last()) >= PLACES_MAX as u64 {
            self.ops.clear();
            self.first = op;
        }
        while self.last() < op {
            if self.ops.len() == PLACES_MAX {
                self.ops.pop_front();
                self.first = self.first.next();
            }
            self.ops.push_back(Place::default());
        }
        Some(())
    }
}

impl Place {
    /// In the log of `view`, somebody says, it stands for `entry`: what was said first, where that is another.
    pub(super) fn value(&mut self, view: View, entry: u64, by: NodeId) -> Option<Valued> {
        if let Some(known) = self.values.iter().flatten().find(|valued| valued.view == view) {
            return Some(*known).filter(|known| known.entry != entry);
        }
        let lowest = self.values.iter_mut().min_by_key(|valued| valued.map(|v| v.view))?;
        if lowest.is_none_or(|lowest| lowest.view < view) {
            *lowest = Some(Valued { view, entry, by });
        }
        None
    }

    /// The entry that it stands for in the log of `view`, if that is known.
    pub(super) fn valued(&self, view: View) -> Option<u64> {
        let known = self.values.iter().flatten().find(|valued| valued.view == view);
        known.map(|valued| valued.entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(number: u64) -> View {
        View { epoch: 0, number }
    }

    #[test]
    fn the_first_op_numbers_are_forgotten_when_there_are_too_many() {
        let mut places = Places::new();
        places.get(Slot(1)).unwrap().committed = Some((7, NodeId(0)));
        places.get(Slot(PLACES_MAX as u64)).unwrap();
        assert!(places.look(Slot(1)).unwrap().committed.is_some());
        places.get(Slot(PLACES_MAX as u64 + 1)).unwrap();
        assert!(places.get(Slot(1)).is_none() && places.get(Slot::ZERO).is_none());
        places.acknowledged = Slot(3);
        assert_eq!(places.acknowledged_after(Slot::ZERO).collect::<Vec<_>>(), [Slot(2), Slot(3)]);
        let far = Slot(1 << 40);
        places.get(far).unwrap();
        assert_eq!((places.first, places.last()), (far, far));
    }

    #[test]
    fn the_lowest_views_of_an_op_number_are_forgotten_first() {
        let mut place = Place::default();
        for number in 1..=VALUES_MAX as u64 {
            assert!(place.value(view(2 * number), number, NodeId(0)).is_none());
        }
        assert!(place.value(view(1), 9, NodeId(0)).is_none());
        assert_eq!((place.valued(view(1)), place.valued(view(2))), (None, Some(1)));
        assert_eq!(place.value(view(4), 9, NodeId(1)).map(|known| known.entry), Some(2));
        assert!(place.value(view(99), 9, NodeId(0)).is_none());
        assert_eq!((place.valued(view(2)), place.valued(view(99))), (None, Some(9)));
    }
}

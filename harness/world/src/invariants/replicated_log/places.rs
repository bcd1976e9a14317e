//! What is remembered of each slot.

use std::collections::VecDeque;

use quorate_systems::contract::NodeId;
use quorate_systems::paxos::Ballot;
use quorate_systems::smr::Slot;

use super::Who;
use super::nodes::Deed;
use crate::invariants::executed::Executed;

/// The slots in use: the last [`PLACES_MAX`] of them. Those before them are forgotten as later ones come into use.
#[derive(Debug)]
pub(super) struct Places {
    nodes: usize,
    /// The slot of the first place.
    first: Slot,
    slots: VecDeque<Place>,
    /// What each node holds there: as many to each place as there are nodes.
    held: VecDeque<Held>,
}

const PLACES_MAX: usize = 4_096;

/// One slot, over all nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// Which entry each ballot stands for here; empty places have no ballot. The lowest are forgotten first.
    values: [Valued; VALUES_MAX],
    /// The entry that was decided first, and who said so.
    pub(super) decided: Option<(u64, Who)>,
    /// Whether a majority was seen to hold it.
    pub(super) is_held: bool,
    /// What replicas made of it.
    pub(super) executed: Executed,
}

/// In so many ballots an entry is remembered for each slot.
const VALUES_MAX: usize = 4;

/// What was proposed in one slot and ballot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Valued {
    pub(super) ballot: Ballot,
    /// The entry, and who said so first; nothing yet where this was just made.
    pub(super) entry: Option<(u64, Who)>,
    /// Whether its proposal was judged.
    pub(super) is_judged: bool,
}

/// What one node holds in one slot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    /// For good.
    pub(super) durable: Holding,
    /// What it has asked to be stored, durable or not; while it comes up, what was found so far.
    pub(super) asked: Holding,
}

/// What records come to in one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holding {
    /// In which ballot it accepted last.
    pub(super) ballot: Ballot,
    /// What.
    pub(super) entry: u64,
    /// Whether there is a record that the slot is decided.
    pub(super) is_decided: bool,
}

impl Holding {
    /// One record more, of this slot.
    pub(super) fn add(&mut self, deed: Deed) {
        match deed {
            Deed::Accepted { ballot, entry, .. } => {
                self.ballot = ballot;
                self.entry = entry;
            }
            Deed::Decided { .. } => self.is_decided = true,
            Deed::Promised(_) | Deed::Snapshot { .. } => {}
        }
    }

    /// Whether `other` tells nothing of the slot that this does not.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let has_any = self.is_decided || !self.ballot.is_zero();
        (self.is_decided || self.ballot >= other.ballot) && (has_any || !other.is_decided)
    }
}

impl Places {
    pub(super) fn new(nodes: u16) -> Self {
        Self {
            nodes: usize::from(nodes),
            first: Slot(1),
            slots: VecDeque::new(),
            held: VecDeque::new(),
        }
    }

    /// As new, for so many nodes, with the memory that it has.
    pub(super) fn reset(&mut self, nodes: u16) {
        self.nodes = usize::from(nodes);
        self.first = Slot(1);
        self.slots.clear();
        self.held.clear();
    }

    /// What is remembered of `slot`; nothing where it is forgotten.
    pub(super) fn get(&mut self, slot: Slot) -> Option<&mut Place> {
        let index = self.index(slot)?;
        self.slots.get_mut(index)
    }

    /// What `node` holds in `slot`; nothing where that is forgotten, or where there is no such node.
    pub(super) fn held(&mut self, slot: Slot, node: NodeId) -> Option<&mut Held> {
        let index = self.index(slot)?;
        let node = Some(usize::from(node.0)).filter(|node| *node < self.nodes)?;
        self.held.get_mut(index * self.nodes + node)
    }

    /// What each node holds in `slot`, in the order of the nodes; nothing where that is forgotten.
    pub(super) fn holders(&self, slot: Slot) -> Option<impl Iterator<Item = &Held>> {
        let index = self.known(slot)?;
        Some(self.held.range(index * self.nodes..(index + 1) * self.nodes))
    }

    /// As [`Self::get`], and nothing where nothing was ever said of the slot.
    pub(super) fn look(&self, slot: Slot) -> Option<&Place> {
        self.slots.get(self.known(slot)?)
    }

    /// Each slot with what `node` holds there, in order.
    pub(super) fn of(&mut self, node: NodeId) -> impl Iterator<Item = (Slot, &mut Held)> {
        let slots = (self.first.0..).map(Slot);
        slots.zip(self.held.iter_mut().skip(usize::from(node.0)).step_by(self.nodes.max(1)))
    }

    /// The last slot of which anything was said.
    pub(super) fn last(&self) -> Slot {
        Slot(self.first.0 - 1).plus(self.slots.len() as u64)
    }

    fn known(&self, slot: Slot) -> Option<usize> {
        let index = usize::try_from(slot.0.checked_sub(self.first.0)?).ok()?;
        (index < self.slots.len()).then_some(index)
    }

    #[inline]
    fn index(&mut self, slot: Slot) -> Option<usize> {
        if let Some(index) = self.known(slot) {
            return Some(index);
        }
        self.extend(slot)?;
        self.known(slot)
    }

    /// Brings all slots up to `slot` into use, and forgets as many as must be.
    fn extend(&mut self, slot: Slot) -> Option<()> {
        if slot < self.first {
            return None;
        }
        if slot.since(self.last()) >= PLACES_MAX as u64 {
            self.slots.clear();
            self.held.clear();
            self.first = slot;
        }
        while self.last() < slot {
            if self.slots.len() == PLACES_MAX {
                self.slots.pop_front();
                self.held.drain(..self.nodes);
                self.first = self.first.next();
            }
            self.slots.push_back(Place::default());
            self.held.extend(std::iter::repeat_n(Held::default(), self.nodes));
        }
        Some(())
    }
}

impl Place {
    /// What `ballot` stands for here; nothing where that is forgotten, or will be.
    pub(super) fn value(&mut self, ballot: Ballot) -> Option<&mut Valued> {
        if let Some(place) = self.values.iter().position(|valued| valued.ballot == ballot) {
            return self.values.get_mut(place);
        }
        let lowest = self.values.iter_mut().min_by_key(|valued| valued.ballot)?;
        if lowest.ballot > ballot {
            return None;
        }
        *lowest = Valued { ballot, ..Valued::default() };
        Some(lowest)
    }
}

#[cfg(test)]
mod tests {
    use quorate_systems::contract::Incarnation;

    use super::*;

    fn ballot(round: u64) -> Ballot {
        Ballot { round, node: NodeId(0), incarnation: Incarnation(1) }
    }

    #[test]
    fn the_first_slots_are_forgotten_when_there_are_too_many() {
        let mut places = Places::new(2);
        places.held(Slot(1), NodeId(1)).unwrap().durable.entry = 7;
        places.get(Slot(PLACES_MAX as u64)).unwrap();
        assert_eq!(places.held(Slot(1), NodeId(1)).unwrap().durable.entry, 7);
        places.held(Slot(2), NodeId(0)).unwrap().durable.entry = 8;
        places.get(Slot(PLACES_MAX as u64 + 1)).unwrap();
        assert!(places.get(Slot(1)).is_none());
        assert_eq!((places.first, places.last()), (Slot(2), Slot(PLACES_MAX as u64 + 1)));
        assert_eq!(places.held(Slot(2), NodeId(0)).unwrap().durable.entry, 8);
        assert!(places.held(Slot(2), NodeId(2)).is_none());
        let far = Slot(1 << 40);
        places.get(far).unwrap();
        assert_eq!((places.first, places.last()), (far, far));
    }

    #[test]
    fn the_lowest_ballots_of_a_slot_are_forgotten_first() {
        let mut place = Place::default();
        for round in 1..=VALUES_MAX as u64 + 1 {
            place.value(ballot(round)).unwrap().is_judged = true;
        }
        assert!(place.value(ballot(1)).is_none());
        assert!(place.value(ballot(2)).unwrap().is_judged);
    }
}

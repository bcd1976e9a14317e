//! The replicated log as one replica holds it: from its snapshot on, where the protocol allows it with holes.
//!
//! `B` is what numbers attempts to lead, ballots or views; its default stands before every attempt. `E` is what
//! stands in a slot.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::Hash;

use super::digest::digest;
use super::slot::Slot;

/// So many entries are told at once.
const ENTRIES_MAX: u64 = 128;

/// What is held in one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place<B, E> {
    /// The highest ballot in which the entry was accepted here; the default where it was only learned.
    pub(crate) ballot: B,
    /// The entry that was accepted in that ballot or, once the slot is decided, the one that is decided.
    pub(crate) entry: E,
    /// Its digest, kept since it is told of several times.
    pub(crate) digest: u64,
    /// Whether this entry is known to be decided.
    pub(crate) is_decided: bool,
}

impl<B, E: Hash> Place<B, E> {
    fn new(ballot: B, entry: E, is_decided: bool) -> Self {
        Self { ballot, digest: digest(&entry), entry, is_decided }
    }
}

/// ```text
///   … truncated … │ decided without a hole │ decided, accepted, or nothing │
///               base                    commit                           last
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Log<B, E> {
    /// The slot before the first place.
    base: Slot,
    /// Every slot up to it is known to be decided.
    commit: Slot,
    places: VecDeque<Option<Place<B, E>>>,
}

impl<B, E> Default for Log<B, E> {
    fn default() -> Self {
        Self { base: Slot::ZERO, commit: Slot::ZERO, places: VecDeque::new() }
    }
}

impl<B: Copy + Ord + Default, E: Clone + Eq + Hash> Log<B, E> {
    /// The last slot that is only in the snapshot.
    pub(crate) fn base(&self) -> Slot {
        self.base
    }

    /// The commit index: every slot up to it is known to be decided.
    pub(crate) fn commit(&self) -> Slot {
        self.commit
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&Place<B, E>> {
        let index = usize::try_from(slot.since(self.base).checked_sub(1)?).ok()?;
        self.places.get(index)?.as_ref()
    }

    pub(crate) fn is_decided(&self, slot: Slot) -> bool {
        slot <= self.commit || self.get(slot).is_some_and(|place| place.is_decided)
    }

    /// The last slot of which there may be something to say.
    pub(crate) fn last(&self) -> Slot {
        self.base.plus(self.places.len() as u64)
    }

    /// Whether an entry was accepted in this slot and ballot.
    pub(crate) fn has_accepted(&self, slot: Slot, ballot: B) -> bool {
        self.get(slot).is_some_and(|place| place.ballot == ballot)
    }

    /// What is held from `from` on, in order.
    pub(crate) fn suffix(&self, from: Slot) -> impl Iterator<Item = (Slot, &Place<B, E>)> {
        let skipped = from.since(self.base).saturating_sub(1);
        let first = self.base.plus(skipped).next();
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let places = self.places.iter().skip(skipped);
        places.zip(first.0..).filter_map(|(place, slot)| Some((Slot(slot), place.as_ref()?)))
    }

    /// The entries from `from` on that are decided without a gap, and no more than a message may have.
    pub(crate) fn decided_from(&self, from: Slot) -> Vec<E> {
        let last = self.commit.min(from.plus(ENTRIES_MAX - 1));
        let held = self.suffix(from).take_while(|(slot, _)| *slot <= last);
        held.map(|(_, place)| place.entry.clone()).collect()
    }

    /// Accepts an entry. What is decided stays: an entry that is proposed for a decided slot is the decided
    /// one.
    pub(crate) fn accept(&mut self, slot: Slot, ballot: B, entry: E) {
        match self.place(slot) {
            Some(Some(place)) if place.is_decided => place.ballot = ballot,
            Some(place) => *place = Some(Place::new(ballot, entry, false)),
            None => {}
        }
        self.assert_invariants();
    }

    /// The entry that was accepted here is decided. False where that was known.
    pub(crate) fn decide(&mut self, slot: Slot) -> bool {
        match self.place(slot) {
            Some(Some(place)) if !place.is_decided => place.is_decided = true,
            Some(_) | None => return false,
        }
        self.advance();
        true
    }

    /// `entry` is decided, whatever was accepted here.
    pub(crate) fn settle(&mut self, slot: Slot, entry: E) {
        match self.place(slot) {
            Some(Some(place)) if place.is_decided => {}
            Some(Some(place)) if place.entry == entry => place.is_decided = true,
            Some(place) => *place = Some(Place::new(B::default(), entry, true)),
            None => {}
        }
        self.advance();
    }

    /// A snapshot tells of all slots up to `index`.
    pub(crate) fn truncate(&mut self, index: Slot) {
        let gone = index.since(self.base);
        let held =
            usize::try_from(gone).map_or(self.places.len(), |gone| gone.min(self.places.len()));
        self.places.drain(..held);
        self.base = self.base.max(index);
        self.commit = self.commit.max(index);
        self.advance();
    }

    /// Puts an entry behind the last; its digest comes back.
    pub(crate) fn push(&mut self, ballot: B, entry: E) -> u64 {
        let place = Place::new(ballot, entry, false);
        let digest = place.digest;
        self.places.push_back(Some(place));
        digest
    }

    /// Drops what stands behind `last`, of which nothing is decided.
    pub(crate) fn cut(&mut self, last: Slot) {
        let held = usize::try_from(last.since(self.base)).unwrap_or(usize::MAX);
        self.places.truncate(held);
        self.assert_invariants();
    }

    /// A log without holes: all up to `commit` is decided, and nothing behind it. Bounded by what is held.
    pub(crate) fn set_commit(&mut self, commit: Slot) {
        let commit = commit.clamp(self.base, self.last());
        for slot in self.commit.min(commit).next().through(self.commit.max(commit)) {
            if let Some(Some(place)) = self.place(slot) {
                place.is_decided = slot <= commit;
            }
        }
        self.commit = commit;
    }

    /// Nothing is held, and a snapshot tells of all slots up to `index`.
    pub(crate) fn restart(&mut self, index: Slot) {
        self.places.clear();
        (self.base, self.commit) = (index, index);
    }

    fn advance(&mut self) {
        while self.get(self.commit.next()).is_some_and(|place| place.is_decided) {
            self.commit = self.commit.next();
        }
        self.assert_invariants();
    }

    /// The place of a slot, made if need be; none of what is truncated.
    fn place(&mut self, slot: Slot) -> Option<&mut Option<Place<B, E>>> {
        let index = usize::try_from(slot.since(self.base).checked_sub(1)?).ok()?;
        if index >= self.places.len() {
            self.places.resize(index + 1, None);
        }
        self.places.get_mut(index)
    }

    fn assert_invariants(&self) {
        assert!(self.base <= self.commit, "what is truncated is decided");
        assert!(self.commit <= self.last(), "what is decided and not truncated is held");
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::contract::{ClientId, Command, Incarnation, Key, NodeId};
    use crate::paxos::{Ballot, Entry};
    use crate::smr::{Request, RequestNumber};

    fn ballot(round: u64) -> Ballot {
        Ballot { round, node: NodeId(0), incarnation: Incarnation(1) }
    }

    fn entry(seq: u64) -> Entry {
        Entry::Request(Request {
            client: ClientId(0),
            number: RequestNumber { incarnation: Incarnation(1), seq },
            command: Command::Read { key: Key(0) },
        })
    }

    fn slots(log: &Log<Ballot, Entry>, from: u64) -> Vec<u64> {
        log.suffix(Slot(from)).map(|(slot, _)| slot.0).collect()
    }

    #[test]
    fn the_commit_index_stops_before_a_hole_and_passes_it_once_it_is_filled() {
        let mut log = Log::<Ballot, Entry>::default();
        for slot in [1, 3] {
            log.accept(Slot(slot), ballot(1), entry(slot));
            assert!(log.decide(Slot(slot)));
        }
        assert_eq!(log.commit(), Slot(1));
        assert!(log.is_decided(Slot(3)) && !log.is_decided(Slot(2)));
        log.settle(Slot(2), Entry::Noop);
        assert_eq!(log.commit(), Slot(3));
        assert!(!log.decide(Slot(2)), "that was known");
    }

    #[test]
    fn nothing_is_decided_where_nothing_is_held() {
        let mut log = Log::<Ballot, Entry>::default();
        assert!(!log.decide(Slot(1)));
        assert_eq!(log.commit(), Slot::ZERO);
    }

    #[test]
    fn a_higher_ballot_replaces_what_was_accepted_and_nothing_replaces_what_is_decided() {
        let mut log = Log::<Ballot, Entry>::default();
        log.accept(Slot(1), ballot(1), entry(1));
        log.accept(Slot(1), ballot(2), entry(2));
        assert_eq!(log.get(Slot(1)).unwrap().entry, entry(2));
        log.settle(Slot(1), entry(3));
        assert_eq!(log.get(Slot(1)).unwrap().entry, entry(3));
        assert_eq!(log.get(Slot(1)).unwrap().ballot, Ballot::ZERO);
        log.accept(Slot(1), ballot(3), entry(3));
        assert!(log.has_accepted(Slot(1), ballot(3)) && log.is_decided(Slot(1)));
    }

    #[test]
    fn the_suffix_names_slots_with_and_without_a_truncated_prefix() {
        let mut log = Log::<Ballot, Entry>::default();
        for slot in [1, 2, 4] {
            log.accept(Slot(slot), ballot(1), entry(slot));
        }
        assert_eq!(slots(&log, 0), [1, 2, 4]);
        assert_eq!(slots(&log, 2), [2, 4]);
        assert_eq!(slots(&log, 9), [] as [u64; 0]);
        log.decide(Slot(1));
        log.truncate(Slot(1));
        assert_eq!(slots(&log, 1), [2, 4]);
        assert_eq!(slots(&log, 3), [4]);
        assert!(log.get(Slot(1)).is_none() && log.is_decided(Slot(1)));
        log.accept(Slot(1), ballot(2), entry(9));
        assert_eq!(slots(&log, 1), [2, 4]);
    }

    #[test]
    fn a_log_without_holes_is_cut_and_committed_by_numbers() {
        let mut log = Log::<Ballot, Entry>::default();
        for slot in 1..=4 {
            log.push(ballot(1), entry(slot));
        }
        log.set_commit(Slot(2));
        assert!(log.is_decided(Slot(2)) && !log.is_decided(Slot(3)));
        log.cut(Slot(3));
        log.set_commit(Slot(9));
        assert_eq!((log.commit(), log.last()), (Slot(3), Slot(3)));
        log.push(ballot(2), entry(9));
        assert!(log.has_accepted(Slot(4), ballot(2)) && !log.is_decided(Slot(4)));
        log.restart(Slot(7));
        assert_eq!((log.base(), log.commit(), log.last()), (Slot(7), Slot(7), Slot(7)));
    }

    #[test]
    fn a_snapshot_beyond_the_log_leaves_nothing_of_it() {
        let mut log = Log::<Ballot, Entry>::default();
        log.accept(Slot(1), ballot(1), entry(1));
        log.truncate(Slot(7));
        assert_eq!((log.base(), log.commit()), (Slot(7), Slot(7)));
        assert_eq!(slots(&log, 1), [] as [u64; 0]);
        log.accept(Slot(9), ballot(1), entry(9));
        log.settle(Slot(8), entry(8));
        log.decide(Slot(9));
        assert_eq!(log.commit(), Slot(9));
    }
}

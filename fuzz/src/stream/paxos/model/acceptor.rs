//! An acceptor: one promise for all slots, and what it holds in each. Nothing leaves before what it speaks of is
//! durable.

use quorate_systems::paxos::{Ballot, Entry, Promise, Record};
use quorate_systems::smr::Slot;

use super::{Spread, is_below, slots_from};

/// What is on its disk, or on the way there.
#[derive(Clone, Debug)]
pub(super) struct Acceptor {
    pub(super) promised: Ballot,
    /// With this ticket the promise is durable.
    promised_by: u64,
    /// Slots up to here are in the snapshot, and nowhere else.
    pub(super) base: Slot,
    based_by: u64,
    held: Vec<Held>,
    /// How many records it has asked for in this life.
    pub(super) tickets: u64,
}

/// What it holds in one slot.
#[derive(Clone, Debug)]
struct Held {
    slot: Slot,
    ballot: Ballot,
    entry: Entry,
    is_decided: bool,
    ticket: u64,
}

impl Default for Acceptor {
    fn default() -> Self {
        let base = Slot(0);
        let promised = Ballot::ZERO;
        Self { promised, promised_by: 0, base, based_by: 0, held: Vec::new(), tickets: 0 }
    }
}

impl Acceptor {
    /// From these records.
    pub(super) fn recovered(records: &[Record]) -> Self {
        let mut acceptor = Self::default();
        for record in records {
            acceptor.recover(record);
        }
        acceptor
    }

    /// Takes over a record from disk.
    pub(super) fn recover(&mut self, record: &Record) {
        self.take(record, 0);
    }

    fn take(&mut self, record: &Record, ticket: u64) {
        match record {
            Record::Promised { ballot } => self.promise(*ballot, ticket),
            Record::Accepted { slot, ballot, entry } => {
                self.promise(*ballot, ticket);
                let new = Held {
                    slot: *slot,
                    ballot: *ballot,
                    entry: entry.clone(),
                    is_decided: false,
                    ticket,
                };
                match self.held_mut(*slot) {
                    // What is decided stays.
                    Some(held) if held.is_decided => {
                        held.ballot = *ballot;
                        held.ticket = ticket;
                    }
                    Some(held) => *held = new,
                    None => self.hold(new),
                }
            }
            Record::Decided { slot, entry } => {
                let new = Held {
                    slot: *slot,
                    ballot: Ballot::ZERO,
                    entry: entry.clone(),
                    is_decided: true,
                    ticket,
                };
                match self.held_mut(*slot) {
                    Some(held) if held.is_decided || held.entry == *entry => {
                        held.is_decided = true;
                    }
                    Some(held) => *held = new,
                    None => self.hold(new),
                }
            }
            Record::Snapshot { snapshot } => {
                self.base = self.base.max(snapshot.index);
                self.based_by = ticket;
                let base = self.base;
                self.held.retain(|held| held.slot > base);
            }
        }
    }

    fn promise(&mut self, ballot: Ballot, ticket: u64) {
        if is_below(self.promised, ballot) {
            self.promised = ballot;
            self.promised_by = ticket;
        }
    }

    fn hold(&mut self, held: Held) {
        if held.slot > self.base {
            self.held.push(held);
        }
    }

    fn held(&self, slot: Slot) -> Option<&Held> {
        self.held.iter().find(|held| held.slot == slot)
    }

    fn held_mut(&mut self, slot: Slot) -> Option<&mut Held> {
        self.held.iter_mut().find(|held| held.slot == slot)
    }

    pub(super) fn is_decided(&self, slot: Slot) -> bool {
        slot <= self.base || self.held(slot).is_some_and(|held| held.is_decided)
    }

    pub(super) fn commit(&self) -> Slot {
        let mut commit = self.base;
        while self.is_decided(Slot(commit.0 + 1)) {
            commit = Slot(commit.0 + 1);
        }
        commit
    }

    /// A checkpoint may forget that something is decided, and nothing else.
    ///
    /// # Panics
    /// Where it has.
    pub(super) fn assert_kept(&self, found: &Self) {
        assert!(
            (self.promised, self.base) == (found.promised, found.base),
            "of {self:?} a checkpoint keeps {found:?}"
        );
        for held in &self.held {
            // Where two are said to be decided in one slot, which there cannot be, it may be the other one.
            let is_kept = found.held(held.slot).is_some_and(|kept| {
                kept.ballot == held.ballot || kept.is_decided || held.is_decided
            });
            assert!(is_kept, "of {held:?} a checkpoint keeps {found:?}");
        }
    }

    /// A record is on its way to the disk.
    ///
    /// # Panics
    /// Where it must not be.
    pub(super) fn has_persisted(&mut self, record: &Record) {
        match record {
            Record::Promised { ballot } => {
                assert!(is_below(self.promised, *ballot), "{ballot} is promised: {self:?}");
            }
            Record::Accepted { slot, ballot, .. } => {
                assert!(!is_below(*ballot, self.promised), "{slot} in {ballot}: {self:?}");
                assert!(*slot > self.base, "{slot} is in the snapshot: {self:?}");
                let before = self.held(*slot).map(|held| held.ballot);
                assert!(before != Some(*ballot), "{slot} in {ballot}, again: {self:?}");
            }
            Record::Decided { slot, .. } => assert!(!self.is_decided(*slot), "{slot}: {self:?}"),
            Record::Snapshot { snapshot } => {
                let index = snapshot.index;
                assert!(index > self.base, "a snapshot of {index}: {self:?}");
            }
        }
        self.tickets += 1;
        self.take(record, self.tickets);
    }

    /// What was accepted here in this ballot is decided.
    ///
    /// # Panics
    /// Where something else, or nothing, was.
    pub(super) fn decide(&mut self, slot: Slot, ballot: Ballot, entry: u64) {
        let held = self.held_mut(slot);
        let is_this = |held: &&mut Held| held.ballot == ballot && held.entry.digest() == entry;
        match held.filter(is_this) {
            Some(held) => held.is_decided = true,
            None => panic!("{slot} is decided in {ballot}, and it holds other things: {self:?}"),
        }
    }

    /// This is decided here. Where it holds something else, a record follows.
    pub(super) fn settle_equal(&mut self, slot: Slot, entry: &Entry) {
        if let Some(held) = self.held_mut(slot)
            && held.entry == *entry
        {
            held.is_decided = true;
        }
    }

    /// All that it holds from `first` on, and that it is durable: what a promise must say.
    ///
    /// # Panics
    /// Where it says something else.
    pub(super) fn judge_promise(&self, ballot: Ballot, first: Slot, promise: &Promise, after: u64) {
        assert!(ballot == self.promised, "{ballot} is answered: {self:?}");
        assert!(promise.snapshot == self.base, "{promise:?}: {self:?}");
        let mut held: Vec<&Held> = self.held.iter().filter(|held| held.slot >= first).collect();
        held.sort_by_key(|held| held.slot);
        assert!(held.len() == promise.reports.len(), "from {first}, {promise:?}: {self:?}");
        for (held, report) in held.iter().zip(&promise.reports) {
            let is_right = (held.slot, held.ballot, held.is_decided)
                == (report.slot, report.ballot, report.is_decided)
                && held.entry == report.entry;
            assert!(is_right, "{report:?}, and it holds {held:?}");
        }
        let tickets = held.iter().map(|held| held.ticket);
        let needed = tickets.chain([self.promised_by, self.based_by]).max().unwrap_or(0);
        assert!(after >= needed, "a promise waits for {after}, and {needed} is the least");
    }

    /// # Panics
    /// Where nothing higher is promised.
    pub(super) fn judge_refusal(&self, ballot: Ballot, promised: Ballot) {
        let is_right = promised == self.promised && is_below(ballot, promised);
        assert!(is_right, "{ballot} is refused for {promised}: {self:?}");
    }

    /// # Panics
    /// Where that was not accepted in this ballot, or is not known to be durable by then.
    pub(super) fn judge_acceptance(
        &self,
        (ballot, slot, promised): (Ballot, Slot, Ballot),
        after: u64,
    ) {
        assert!(promised == self.promised && !is_below(promised, ballot), "{promised}: {self:?}");
        let needed = if slot <= self.base {
            self.based_by.max(self.promised_by)
        } else {
            let held = self.held(slot).filter(|held| held.ballot == ballot);
            held.unwrap_or_else(|| panic!("{slot} is not accepted in {ballot}: {self:?}")).ticket
        };
        assert!(after >= needed, "{slot} in {ballot} waits for {after}, {needed} is the least");
    }

    /// # Panics
    /// Where one of these is not known to be decided.
    pub(super) fn judge_entries(&self, first: Slot, entries: &[Entry]) {
        for (slot, entry) in slots_from(first).zip(entries) {
            let held = self.held(slot).filter(|held| held.is_decided && held.entry == *entry);
            assert!(held.is_some(), "{entry} is not known to be decided in {slot}: {self:?}");
        }
    }

    pub(super) fn add_to(&self, state: &mut Spread) {
        state.add(self.promised.round.min(5));
        state.add(self.base.0.min(3));
        for slot in 1..=3 {
            let held = self.held(Slot(self.base.0 + slot));
            state.add(held.map_or(0, |held| 1 + u64::from(held.is_decided)));
            state.add(u64::from(held.is_some_and(|held| held.ballot == self.promised)));
        }
    }
}

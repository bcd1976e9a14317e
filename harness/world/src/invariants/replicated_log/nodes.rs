//! What is remembered of one node besides what it holds in single slots.

use std::collections::VecDeque;

use quorate_systems::contract::{Incarnation, Ticket};
use quorate_systems::paxos::Ballot;
use quorate_systems::smr::{Chain, Slot};

/// One node, over all its lives.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) standing: Standing,
    /// Which life it is in.
    pub(super) incarnation: Incarnation,
    /// What its disk holds for good.
    pub(super) durable: Disk,
    /// What it has asked to be stored, durable or not; while it comes up, what was found so far.
    pub(super) asked: Disk,
    /// The highest ballot that it has told anybody that it promised, or accepted in.
    pub(super) told: Ballot,
    /// The last slot that it has executed in its present life.
    pub(super) applied: Slot,
    /// The last ballot that it has begun in its present life.
    pub(super) begun: Ballot,
    /// The ballot of another that it has used last: said once, and not again with every message.
    pub(super) usurped: Ballot,
    /// Everything up to this ticket of its present life is durable.
    synced: Ticket,
    /// What it has asked to be stored and is not durable, by ticket.
    unsynced: VecDeque<(Ticket, Deed)>,
}

/// How a node is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// By all that it does.
    Judged,
    /// It comes up: what its disk holds is being told. If it has to refuse, no sign of life follows.
    Recovering,
}

/// What records on a disk come to, of all slots together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Disk {
    /// The highest ballot promised, or accepted in.
    pub(super) promised: Ballot,
    /// The slot up to which its snapshot reaches.
    pub(super) snapshot: Slot,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::invariants) enum Deed {
    /// Nothing below this ballot is accepted.
    Promised(Ballot),
    /// The entry of this digest was accepted.
    Accepted {
        /// Where.
        slot: Slot,
        /// In which ballot.
        ballot: Ballot,
        /// What.
        entry: u64,
    },
    /// The entry of this digest is decided.
    Decided {
        /// Where.
        slot: Slot,
        /// What.
        entry: u64,
    },
    /// This history stands for all slots up to one.
    Snapshot {
        /// The last of them.
        index: Slot,
        /// The history.
        chain: Chain,
    },
}

/// With more unsynced records than these at one node, nothing is judged any more.
const UNSYNCED_MAX: usize = 16_384;

impl Disk {
    /// One record more.
    pub(super) fn add(&mut self, deed: Deed) {
        match deed {
            Deed::Promised(ballot) | Deed::Accepted { ballot, .. } => {
                self.promised = self.promised.max(ballot);
            }
            Deed::Decided { .. } => {}
            Deed::Snapshot { index, .. } => self.snapshot = self.snapshot.max(index),
        }
    }
}

impl Node {
    pub(super) const fn new() -> Self {
        Self {
            standing: Standing::Judged,
            incarnation: Incarnation(1),
            durable: Disk { promised: Ballot::ZERO, snapshot: Slot::ZERO },
            asked: Disk { promised: Ballot::ZERO, snapshot: Slot::ZERO },
            told: Ballot::ZERO,
            applied: Slot::ZERO,
            begun: Ballot::ZERO,
            usurped: Ballot::ZERO,
            synced: Ticket(0),
            unsynced: VecDeque::new(),
        }
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self) {
        let mut unsynced = std::mem::take(&mut self.unsynced);
        unsynced.clear();
        *self = Self { unsynced, ..Self::new() };
    }

    /// A life begins: what was not durable may be gone.
    pub(super) fn start(&mut self, incarnation: Incarnation) {
        self.standing = Standing::Recovering;
        self.incarnation = incarnation;
        self.asked = Disk::default();
        self.begun = Ballot::ZERO;
        self.synced = Ticket(0);
        self.unsynced.clear();
    }

    /// It asked for something to be made durable. False where that is more than can be remembered.
    pub(super) fn persist(&mut self, ticket: Ticket, deed: Deed) -> bool {
        self.unsynced.push_back((ticket, deed));
        self.unsynced.len() <= UNSYNCED_MAX
    }

    /// Everything up to `ticket` is durable; what that is comes out of [`Self::next_durable`].
    pub(super) fn advance(&mut self, ticket: Ticket) {
        self.synced = self.synced.max(ticket);
    }

    /// Takes the next record that has become durable.
    pub(super) fn next_durable(&mut self) -> Option<Deed> {
        let (_, deed) = self.unsynced.pop_front_if(|(ticket, _)| *ticket <= self.synced)?;
        Some(deed)
    }

    /// Whether something waits for its disk.
    pub(super) fn is_syncing(&self) -> bool {
        !self.unsynced.is_empty()
    }
}

//! What is remembered of one node besides what it has promised and accepted.

use std::collections::VecDeque;

use quorate_systems::contract::{Incarnation, Key, Ticket};
use quorate_systems::paxos_single::{Accepted, Ballot};

/// One node, over all its lives.
#[derive(Debug)]
pub(super) struct Node {
    /// How it is judged.
    pub(super) standing: Standing,
    /// Which life it is in.
    pub(super) incarnation: u64,
    /// Everything up to this ticket of its present life is durable.
    durable: Ticket,
    /// What it has asked to be stored and is not durable, by ticket.
    unsynced: VecDeque<(Ticket, Key, Deed)>,
}

/// How a node is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// By all that it does.
    Judged,
    /// It comes up: what its disk holds is being told. If it has to refuse, no sign of life follows.
    Recovering,
    /// Not before its next start: what its disk holds cannot be told.
    Lost,
    /// Never again.
    Lying,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// A promise.
    Promised(Ballot),
    /// An acceptance.
    Accepted(Accepted),
}

/// A node with more unsynced records is lost sight of until its next start.
const UNSYNCED_MAX: usize = 4_096;

impl Node {
    pub(super) const fn new() -> Self {
        Self {
            standing: Standing::Judged,
            incarnation: 1,
            durable: Ticket(0),
            unsynced: VecDeque::new(),
        }
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self) {
        self.start(Incarnation(1));
        self.standing = Standing::Judged;
    }

    /// A life begins: what was not durable may be gone.
    pub(super) fn start(&mut self, incarnation: Incarnation) {
        self.standing = Standing::Recovering;
        self.incarnation = incarnation.0;
        self.durable = Ticket(0);
        self.unsynced.clear();
    }

    /// It asked for something to be made durable.
    pub(super) fn persist(&mut self, ticket: Ticket, key: Key, deed: Deed) {
        if self.unsynced.len() == UNSYNCED_MAX {
            self.unsynced.clear();
            self.standing = Standing::Lost;
            return;
        }
        self.unsynced.push_back((ticket, key, deed));
    }

    /// Everything up to `ticket` is durable; what that is comes out of [`Self::next_durable`].
    pub(super) fn advance(&mut self, ticket: Ticket) {
        self.durable = self.durable.max(ticket);
    }

    /// Takes the next record that has become durable.
    pub(super) fn next_durable(&mut self) -> Option<(Key, Deed)> {
        let (_, key, deed) = self.unsynced.pop_front_if(|(ticket, ..)| *ticket <= self.durable)?;
        Some((key, deed))
    }

    /// Whether something waits for its disk.
    pub(super) fn is_syncing(&self) -> bool {
        !self.unsynced.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_unsynced_records_than_can_be_remembered_make_a_node_lost_until_it_starts() {
        let mut node = Node::new();
        let deed = Deed::Promised(super::super::tests::ballot(1, 0));
        for ticket in 0..UNSYNCED_MAX as u64 {
            node.persist(Ticket(ticket + 1), Key(0), deed);
            assert_eq!(node.standing, Standing::Judged);
        }
        node.persist(Ticket(5_000), Key(0), deed);
        assert_eq!(node.standing, Standing::Lost);
        node.start(Incarnation(2));
        assert_eq!(node.standing, Standing::Recovering);
        assert!(!node.is_syncing());
    }
}

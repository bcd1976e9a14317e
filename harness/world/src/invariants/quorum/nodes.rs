//! What is remembered of one node besides what it stores.

use std::collections::VecDeque;

use quorate_systems::contract::{Key, Ticket};
use quorate_systems::quorum::{Timestamp, WriteId};

/// One node, over all its lives.
#[derive(Debug)]
pub(super) struct Node {
    /// How it is judged.
    pub(super) standing: Standing,
    /// Everything up to this ticket of its present life is durable.
    durable: Ticket,
    /// What it has asked to be stored and is not durable, by ticket.
    unsynced: VecDeque<Unsynced>,
    /// The newest configuration that is on its disk.
    configuration: u32,
    /// Those that are not durable yet, by ticket.
    coming: VecDeque<(Ticket, u32)>,
    votes: Vec<Vote>,
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

/// A pair that waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsynced {
    /// The ticket of its record.
    pub(super) ticket: Ticket,
    /// Under which key.
    pub(super) key: Key,
    /// Its timestamp.
    pub(super) ts: Timestamp,
    /// Whether the record says that it replaces what was stored before.
    pub(super) replaces: bool,
}

/// A node with more unsynced pairs, or configurations, is lost sight of until its next start.
const UNSYNCED_MAX: usize = 4_096;

/// A place for one vote on a lock write.
#[derive(Clone, Copy, Debug)]
struct Vote {
    /// The write and the clock voted with; none if the place is free.
    given: Option<(WriteId, u64)>,
    /// Its record's ticket in this life; 0: durable before.
    ticket: Ticket,
    /// Whether another vote was forgotten here.
    has_forgotten: bool,
}

const VOTES: u64 = 64;
const NO_VOTE: Vote = Vote { given: None, ticket: Ticket(0), has_forgotten: false };

impl Node {
    pub(super) const fn new() -> Self {
        Self {
            standing: Standing::Judged,
            durable: Ticket(0),
            unsynced: VecDeque::new(),
            configuration: 0,
            coming: VecDeque::new(),
            votes: Vec::new(),
        }
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self) {
        self.standing = Standing::Judged;
        self.durable = Ticket(0);
        self.unsynced.clear();
        self.configuration = 0;
        self.coming.clear();
        self.votes.clear();
    }

    /// A life begins: what was not durable may be gone.
    pub(super) fn start(&mut self) {
        self.standing = Standing::Recovering;
        self.unsynced.clear();
        self.configuration = 0;
        self.coming.clear();
        for vote in &mut self.votes {
            if vote.ticket > self.durable {
                vote.given = None;
            }
            vote.ticket = Ticket(0);
        }
        self.durable = Ticket(0);
    }

    /// It asked for a pair to be made durable.
    pub(super) fn persist(&mut self, unsynced: Unsynced) {
        if self.unsynced.len() == UNSYNCED_MAX {
            self.unsynced.clear();
            self.standing = Standing::Lost;
            return;
        }
        self.unsynced.push_back(unsynced);
    }

    /// It asked for its configuration to be made durable, or (ticket 0) that was found on its disk.
    pub(super) fn configure(&mut self, id: u32, ticket: Ticket) {
        if self.coming.len() == UNSYNCED_MAX {
            self.coming.clear();
            self.standing = Standing::Lost;
            return;
        }
        self.coming.push_back((ticket, id));
        self.settle_configurations();
    }

    /// Whether what is on its disk is certainly older than this configuration.
    pub(super) fn lacks_configuration(&self, id: u32) -> bool {
        self.configuration < id
    }

    /// The newest configuration that is on its disk, and how many pairs are not.
    pub(super) fn stand(&self) -> (u32, usize) {
        (self.configuration, self.unsynced.len())
    }

    /// All up to `ticket` is durable; what pairs that are comes out of [`Self::next_durable`].
    pub(super) fn advance(&mut self, ticket: Ticket) {
        self.durable = self.durable.max(ticket);
        self.settle_configurations();
    }

    fn settle_configurations(&mut self) {
        while let Some((_, id)) = self.coming.pop_front_if(|(ticket, _)| *ticket <= self.durable) {
            self.configuration = self.configuration.max(id);
        }
    }

    /// Takes the next pair that has become durable.
    pub(super) fn next_durable(&mut self) -> Option<Unsynced> {
        self.unsynced.pop_front_if(|next| next.ticket <= self.durable)
    }

    /// It asked for a vote to be made durable, or (ticket 0) a vote was found on its disk.
    pub(super) fn vote(&mut self, write: WriteId, t: u64, ticket: Ticket) {
        if self.votes.is_empty() {
            self.votes.resize(usize::try_from(VOTES).expect("a small number"), NO_VOTE);
        }
        let vote = self.votes.get_mut(vote_place(write)).expect("a place in the table");
        vote.has_forgotten |= vote.given.is_some_and(|(other, _)| other != write);
        vote.given = Some((write, t));
        vote.ticket = ticket;
    }

    /// Whether its vote with clock `t` is certainly not durable.
    pub(super) fn lacks_vote(&self, write: WriteId, t: u64) -> bool {
        let vote = self.votes.get(vote_place(write)).unwrap_or(&NO_VOTE);
        match vote.given {
            Some((given, clock)) if given == write => clock != t || vote.ticket > self.durable,
            Some(_) | None => !vote.has_forgotten,
        }
    }
}

fn vote_place(write: WriteId) -> usize {
    let spread = write.number.wrapping_add(u64::from(write.initiator.0).wrapping_mul(17));
    usize::try_from(spread % VOTES).expect("a small number")
}

#[cfg(test)]
mod tests {
    use quorate_systems::contract::NodeId;

    use super::*;

    fn write(number: u64) -> WriteId {
        WriteId { initiator: NodeId(0), incarnation: 1, number }
    }

    #[test]
    fn a_vote_is_lacking_until_its_record_is_durable_and_again_when_a_crash_takes_it() {
        let mut node = Node::new();
        assert!(node.lacks_vote(write(1), 5));
        node.vote(write(1), 5, Ticket(1));
        assert!(node.lacks_vote(write(1), 5));
        node.advance(Ticket(1));
        assert!(!node.lacks_vote(write(1), 5));
        assert!(node.lacks_vote(write(1), 6), "with another clock");
        node.vote(write(2), 6, Ticket(2));
        node.start();
        assert!(!node.lacks_vote(write(1), 5));
        assert!(node.lacks_vote(write(2), 6));
        node.vote(write(2), 6, Ticket(0));
        assert!(!node.lacks_vote(write(2), 6), "the crash had kept it");
    }

    #[test]
    fn a_vote_that_may_have_been_forgotten_is_not_missed() {
        let mut node = Node::new();
        node.vote(write(1), 5, Ticket(1));
        node.advance(Ticket(1));
        node.vote(write(1 + VOTES), 6, Ticket(2));
        assert!(!node.lacks_vote(write(1), 5));
        node.start();
        assert!(!node.lacks_vote(write(1), 5));
        assert!(!node.lacks_vote(write(1 + VOTES), 6));
    }

    #[test]
    fn more_unsynced_pairs_than_can_be_remembered_make_a_node_lost_until_it_starts() {
        let mut node = Node::new();
        let unsynced =
            Unsynced { ticket: Ticket(1), key: Key(0), ts: Timestamp::ZERO, replaces: true };
        for _ in 0..UNSYNCED_MAX {
            node.persist(unsynced);
            assert_eq!(node.standing, Standing::Judged);
        }
        node.persist(unsynced);
        assert_eq!(node.standing, Standing::Lost);
        node.start();
        assert_eq!(node.standing, Standing::Recovering);
    }
}

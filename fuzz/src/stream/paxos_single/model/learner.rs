//! A learner: decided is what a majority has accepted with one number.

use quorate_systems::contract::{Key, NodeId};
use quorate_systems::paxos_single::{Accepted, Message, PaxosSingle};

use super::{Group, Spread};
use crate::stream::expected::bit;
use crate::stream::{Expected, To};

/// What it knows, in memory only.
#[derive(Clone, Debug, Default)]
pub(in crate::stream::paxos_single) struct Learner {
    known: Vec<(Key, Accepted)>,
    open: Vec<Open>,
}

/// An instance of which it has heard, and not enough.
#[derive(Clone, Debug)]
struct Open {
    key: Key,
    /// Who has said that he has accepted what.
    votes: Vec<(NodeId, Accepted)>,
    /// How often the others were asked since the last vote.
    asked: u32,
}

/// Others are asked so often.
const ASKS_MAX: u32 = 4;

impl Learner {
    /// What is decided, as far as it knows.
    pub(in crate::stream::paxos_single) fn known(&self, key: Key) -> Option<Accepted> {
        self.known.iter().find(|(of, _)| *of == key).map(|(_, decided)| *decided)
    }

    pub(super) fn lacks(&self, key: Key) -> bool {
        self.known(key).is_none()
    }

    pub(super) fn learn(&mut self, key: Key, decided: Accepted) {
        self.open.retain(|open| open.key != key);
        if self.lacks(key) {
            self.known.push((key, decided));
        }
    }

    /// Whether a timer must be set: to ask others.
    pub(super) fn is_asking(&self) -> bool {
        self.open.iter().any(|open| open.asked < ASKS_MAX)
    }

    /// An acceptor has accepted this; whether that decides it.
    pub(super) fn on_vote(
        &mut self,
        group: Group,
        from: NodeId,
        (key, vote): (Key, Accepted),
    ) -> bool {
        if !self.lacks(key) || group.acceptors & bit(from) == 0 {
            return false;
        }
        if !self.open.iter().any(|open| open.key == key) {
            self.open.push(Open { key, votes: Vec::new(), asked: 0 });
        }
        let Some(open) = self.open.iter_mut().find(|open| open.key == key) else { return false };
        open.asked = 0;
        open.votes.push((from, vote));
        let alike = open.votes.iter().filter(|(_, other)| *other == vote);
        group.is_majority(alike.fold(0, |set, (node, _)| set | bit(*node)))
    }

    pub(super) fn on_timer(&mut self, others: u64, expected: &mut Expected<PaxosSingle>) {
        for open in self.open.iter_mut().filter(|open| open.asked < ASKS_MAX) {
            open.asked += 1;
            expected.message(To::Nodes(others), Message::Learn { key: open.key }, 0);
        }
    }

    pub(super) fn add_to(&self, state: &mut Spread) {
        state.add(self.known.len().min(3) as u64);
        for open in self.open.iter().take(2) {
            state.add(open.votes.len().min(5) as u64);
            state.add(open.asked.into());
        }
    }
}

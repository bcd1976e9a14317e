//! A proposer at work on one instance: its number, and the value that it must take.

use quorate_systems::contract::{Key, NodeId, Value};
use quorate_systems::parties::Party;
use quorate_systems::paxos_single::{Accepted, Ballot, Message, PaxosSingle};

use super::{Group, ROUND_MAX, Spread, higher, is_above};
use crate::stream::expected::bit;
use crate::stream::{Expected, To};

/// The numbers of one life of a proposer: each round is above those that it has used and seen.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    party: Party,
    incarnation: u64,
    rounds: Vec<(Key, u64)>,
}

impl Numbers {
    pub(super) const fn new(party: Party, incarnation: u64) -> Self {
        Self { party, incarnation, rounds: Vec::new() }
    }

    fn next(&mut self, key: Key, seen: u64) -> Ballot {
        let used = self.rounds.iter().filter(|(of, _)| *of == key).map(|(_, round)| *round).max();
        let round = 1 + used.unwrap_or(0).max(seen);
        self.rounds.push((key, round));
        Ballot { round, proposer: self.party, incarnation: self.incarnation }
    }
}

/// A proposal, or a read: a proposal without a value of its own.
#[derive(Clone, Debug)]
pub(super) struct Proposal {
    pub(super) key: Key,
    pub(super) wish: Option<Value>,
    pub(super) n: Ballot,
    pub(super) stage: Stage,
    seen: u64,
    /// How often its question was repeated.
    pub(super) repeats: u32,
}

#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Who has promised, and had accepted what.
    Prepare(Vec<(NodeId, Option<Accepted>)>),
    /// Who has accepted this.
    Accept(Accepted, u64),
    /// Outbid, and waiting.
    Waiting,
}

/// What an answer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Nothing yet.
    Open,
    /// A read found that nothing was decided.
    Nothing,
    /// This is decided.
    Decided(Accepted),
}

/// Without an answer that helps it is given up after so many repeats; and once it has come to so many, it waits as
/// long as it ever does.
pub(super) const REPEATS_MAX: u32 = 12;
pub(super) const REPEATS_OLD: u32 = 2;

impl Proposal {
    pub(super) fn begin(
        group: Group,
        numbers: &mut Numbers,
        (key, wish, seen): (Key, Option<Value>, u64),
        expected: &mut Expected<PaxosSingle>,
    ) -> Self {
        let n = numbers.next(key, seen);
        let proposal = Self { key, wish, n, stage: Stage::Prepare(Vec::new()), seen, repeats: 0 };
        proposal.send(group, expected);
        proposal
    }

    /// Whoever has not answered the present question is asked it.
    fn send(&self, group: Group, expected: &mut Expected<PaxosSingle>) {
        let Self { key, n, .. } = *self;
        let (question, answered) = match &self.stage {
            Stage::Prepare(_) => (Message::Prepare { key, n }, self.promisers()),
            Stage::Accept(Accepted { n, value }, voters) => {
                (Message::Accept { key, n: *n, value: *value }, *voters)
            }
            Stage::Waiting => return,
        };
        expected.message(To::Nodes(group.acceptors & !answered), question, 0);
    }

    fn promisers(&self) -> u64 {
        match &self.stage {
            Stage::Prepare(promises) => promises.iter().fold(0, |set, (node, _)| set | bit(*node)),
            Stage::Accept(..) | Stage::Waiting => 0,
        }
    }

    fn bid_again(
        &mut self,
        group: Group,
        numbers: &mut Numbers,
        expected: &mut Expected<PaxosSingle>,
    ) {
        self.n = numbers.next(self.key, self.seen);
        self.stage = Stage::Prepare(Vec::new());
        self.repeats = 0;
        self.send(group, expected);
    }

    pub(super) fn on_timer(
        &mut self,
        group: Group,
        numbers: &mut Numbers,
        expected: &mut Expected<PaxosSingle>,
    ) {
        self.repeats += 1;
        match self.stage {
            Stage::Waiting => self.bid_again(group, numbers, expected),
            Stage::Prepare(_) | Stage::Accept(..) => self.send(group, expected),
        }
    }

    /// Takes an answer about its instance.
    pub(super) fn on_answer(
        &mut self,
        group: Group,
        numbers: &mut Numbers,
        (from, message): (NodeId, &Message),
        expected: &mut Expected<PaxosSingle>,
    ) -> Taken {
        if group.acceptors & bit(from) == 0 {
            return Taken::Open;
        }
        match (message, &mut self.stage) {
            (Message::PrepareOk { n, accepted, .. }, Stage::Prepare(promises))
                if *n == self.n && accepted.is_none_or(|told| told.n.round <= ROUND_MAX) =>
            {
                promises.push((from, *accepted));
                self.choose(group, expected)
            }
            (Message::AcceptOk { n, .. }, Stage::Accept(proposal, voters)) if *n == proposal.n => {
                *voters |= bit(from);
                let is_decided = group.is_majority(*voters);
                if is_decided { Taken::Decided(*proposal) } else { Taken::Open }
            }
            (Message::Nack { n, np, .. }, Stage::Prepare(_) | Stage::Accept(..))
                if *n == self.n && is_above(*np, Some(*n)) && np.round <= ROUND_MAX =>
            {
                self.seen = self.seen.max(np.round);
                self.stage = Stage::Waiting;
                if !group.backs_off {
                    self.bid_again(group, numbers, expected);
                }
                Taken::Open
            }
            _ => Taken::Open,
        }
    }

    /// Once a majority has promised this number: the value with the highest number of all that they were told, the
    /// own one only where they told none.
    fn choose(&mut self, group: Group, expected: &mut Expected<PaxosSingle>) -> Taken {
        let Stage::Prepare(promises) = &self.stage else { return Taken::Open };
        if !group.is_majority(self.promisers()) {
            return Taken::Open;
        }
        let told = promises.iter().map(|(_, accepted)| *accepted).fold(None, higher);
        let Some(value) = told.map(|told| told.value).or(self.wish) else { return Taken::Nothing };
        self.stage = Stage::Accept(Accepted { n: self.n, value }, 0);
        self.repeats = 0;
        self.send(group, expected);
        Taken::Open
    }

    pub(super) fn add_to(&self, state: &mut Spread) {
        state.add(self.n.round.min(5));
        state.add(u64::from(self.wish.is_some()));
        match &self.stage {
            Stage::Prepare(_) => state.add(self.promisers()),
            Stage::Accept(Accepted { value, .. }, voters) => {
                state.add(64 + u64::from(self.wish == Some(*value)));
                state.add(*voters);
            }
            Stage::Waiting => state.add(128),
        }
    }
}

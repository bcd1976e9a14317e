//! A node that proposes for clients: one proposal at a time in each instance, that of the first who asks.

use quorate_systems::contract::{ClientId, Key, NodeId, Outcome, Value};
use quorate_systems::parties::Party;
use quorate_systems::paxos_single::{Ballot, Message, PaxosSingle, RequestId};

use super::proposal::{Numbers, Proposal, REPEATS_MAX, REPEATS_OLD, Taken};
use super::{Group, Spread, outcome};
use crate::stream::{Expected, To};

#[derive(Clone, Debug)]
pub(in crate::stream::paxos_single) struct Desk {
    pub(super) incarnation: u64,
    numbers: Numbers,
    pub(super) open: Vec<Open>,
    /// How many proposals this life has begun.
    begun: u64,
}

/// One instance, and who waits for it.
#[derive(Clone, Debug)]
pub(super) struct Open {
    proposal: Proposal,
    timer: u64,
    askers: Vec<Asker>,
}

/// Who asks, and for what: a read wishes for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) client: ClientId,
    pub(super) id: RequestId,
    pub(super) wish: Option<Value>,
}

impl Asker {
    /// It is told what is decided.
    pub(super) fn answer(self, value: Value, expected: &mut Expected<PaxosSingle>) {
        let answer = Message::Answer { id: self.id, outcome: outcome(self.wish, value) };
        expected.message(To::Client(self.client), answer, 0);
    }
}

/// The timers of proposals are numbered from here.
const FIRST_TIMER: u64 = 16;

impl Desk {
    pub(super) const fn new(party: Party, incarnation: u64) -> Self {
        let numbers = Numbers::new(party, incarnation);
        Self { incarnation, numbers, open: Vec::new(), begun: 0 }
    }

    /// The number that its proposal under `key` has now.
    pub(in crate::stream::paxos_single) fn number(&self, key: Key) -> Option<Ballot> {
        let open = self.open.iter().find(|open| open.proposal.key == key);
        open.map(|open| open.proposal.n)
    }

    fn place(&self, key: Key) -> Option<usize> {
        self.open.iter().position(|open| open.proposal.key == key)
    }

    pub(super) fn on_asker(
        &mut self,
        group: Group,
        (key, seen): (Key, u64),
        asker: Asker,
        expected: &mut Expected<PaxosSingle>,
    ) {
        let Some(open) = self.open.iter_mut().find(|open| open.proposal.key == key) else {
            return self.begin(group, (key, seen), vec![asker], expected);
        };
        open.proposal.repeats = open.proposal.repeats.min(REPEATS_OLD);
        if !open.askers.contains(&asker) {
            open.askers.push(asker);
        }
    }

    fn begin(
        &mut self,
        group: Group,
        (key, seen): (Key, u64),
        askers: Vec<Asker>,
        expected: &mut Expected<PaxosSingle>,
    ) {
        let Some(first) = askers.first() else { return };
        let timer = FIRST_TIMER + self.begun;
        self.begun += 1;
        let what = (key, first.wish, seen);
        let proposal = Proposal::begin(group, &mut self.numbers, what, expected);
        self.open.push(Open { proposal, timer, askers });
    }

    /// An acceptor answers; `seen` is the round that this node's own acceptor has promised.
    pub(super) fn on_answer(
        &mut self,
        group: Group,
        (from, seen): (NodeId, u64),
        message: &Message,
        expected: &mut Expected<PaxosSingle>,
    ) -> Taken {
        let (Message::PrepareOk { key, .. }
        | Message::AcceptOk { key, .. }
        | Message::Nack { key, .. }) = *message
        else {
            return Taken::Open;
        };
        let Some(open) = self.open.iter_mut().find(|open| open.proposal.key == key) else {
            return Taken::Open;
        };
        let said = (from, message);
        let taken = open.proposal.on_answer(group, &mut self.numbers, said, expected);
        if taken == Taken::Nothing {
            // Of those who asked later this says nothing: the next one's proposal begins.
            let mut askers = self.close(key);
            let Asker { client, id, .. } = askers.remove(0);
            let outcome = Outcome::Read(None);
            expected.message(To::Client(client), Message::Answer { id, outcome }, 0);
            self.begin(group, (key, seen), askers, expected);
        }
        taken
    }

    /// It is known what is decided: all who wait are told.
    pub(super) fn finish(&mut self, key: Key, value: Value, expected: &mut Expected<PaxosSingle>) {
        self.close(key).into_iter().for_each(|asker| asker.answer(value, expected));
    }

    fn close(&mut self, key: Key) -> Vec<Asker> {
        let place = self.place(key);
        place.map(|place| self.open.remove(place).askers).unwrap_or_default()
    }

    pub(super) fn on_timer(
        &mut self,
        group: Group,
        timer: u64,
        expected: &mut Expected<PaxosSingle>,
    ) {
        let Some(open) = self.open.iter_mut().find(|open| open.timer == timer) else { return };
        if open.proposal.repeats < REPEATS_MAX {
            return open.proposal.on_timer(group, &mut self.numbers, expected);
        }
        let key = open.proposal.key;
        self.close(key);
    }

    pub(super) fn add_to(&self, state: &mut Spread) {
        state.add(self.open.len().min(3) as u64);
        for open in self.open.iter().take(2) {
            open.proposal.add_to(state);
            state.add(open.askers.len().min(3) as u64);
        }
    }
}

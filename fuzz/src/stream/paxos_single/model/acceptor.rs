//! An acceptor: what it has promised and accepted, and what it must say of that. Nothing leaves before what it speaks
//! of is durable.

use quorate_systems::contract::Key;
use quorate_systems::parties::Party;
use quorate_systems::paxos_single::{Accepted, Ballot, Message, PaxosSingle, Record};

use super::{ROUND_MAX, Spread, is_above, to};
use crate::stream::{Expected, To};

/// All instances of which it has heard.
#[derive(Clone, Debug, Default)]
pub(in crate::stream::paxos_single) struct Acceptor {
    slots: Vec<Slot>,
    /// How many records it has asked for in this life.
    tickets: u64,
}

/// One instance.
#[derive(Clone, Debug)]
struct Slot {
    key: Key,
    /// What it has promised.
    np: Option<Ballot>,
    /// What it has accepted: `(na, va)`.
    accepted: Option<Accepted>,
    /// With this ticket all of that is durable.
    ticket: u64,
}

impl Acceptor {
    fn slot(&mut self, key: Key) -> &mut Slot {
        let place = self.slots.iter().position(|slot| slot.key == key);
        let place = place.unwrap_or_else(|| {
            self.slots.push(Slot { key, np: None, accepted: None, ticket: 0 });
            self.slots.len() - 1
        });
        self.slots.get_mut(place).expect("it is there")
    }

    /// The number that it has promised.
    pub(in crate::stream::paxos_single) fn np(&self, key: Key) -> Option<Ballot> {
        self.slots.iter().find(|slot| slot.key == key)?.np
    }

    /// What it has accepted.
    pub(in crate::stream::paxos_single) fn accepted(&self, key: Key) -> Option<Accepted> {
        self.slots.iter().find(|slot| slot.key == key)?.accepted
    }

    /// The round that it has promised.
    pub(super) fn round(&self, key: Key) -> u64 {
        self.np(key).map_or(0, |np| np.round)
    }

    /// Takes over a record from disk; they come in the order in which they were written.
    pub(super) fn recover(&mut self, record: &Record) {
        let (key, n, value) = match *record {
            Record::Promised { key, n } => (key, n, None),
            Record::Accepted { key, n, value } => (key, n, Some(value)),
        };
        let slot = self.slot(key);
        slot.np = Some(n);
        if let Some(value) = value {
            slot.accepted = Some(Accepted { n, value });
        }
    }

    pub(super) fn on_prepare(
        &mut self,
        from: Party,
        (key, n): (Key, Ballot),
        expected: &mut Expected<PaxosSingle>,
    ) {
        if n.round > ROUND_MAX {
            return;
        }
        let next = self.tickets + 1;
        let slot = self.slot(key);
        if let Some(np) = slot.np.filter(|np| !is_above(n, Some(*np)) && *np != n) {
            return expected.message(to(from), Message::Nack { key, n, np }, slot.ticket);
        }
        let is_new = slot.np != Some(n);
        if is_new {
            slot.np = Some(n);
            slot.ticket = next;
            expected.record(Record::Promised { key, n });
        }
        let promise = Message::PrepareOk { key, n, accepted: slot.accepted };
        expected.message(to(from), promise, slot.ticket);
        self.tickets += u64::from(is_new);
    }

    /// The proposer and every learner are told.
    pub(super) fn on_accept(
        &mut self,
        learners: u64,
        from: Party,
        (key, proposal): (Key, Accepted),
        expected: &mut Expected<PaxosSingle>,
    ) {
        let Accepted { n, value } = proposal;
        if n.round > ROUND_MAX {
            return;
        }
        let next = self.tickets + 1;
        let slot = self.slot(key);
        if let Some(np) = slot.np.filter(|np| !is_above(n, Some(*np)) && *np != n) {
            return expected.message(to(from), Message::Nack { key, n, np }, slot.ticket);
        }
        let is_new = slot.accepted != Some(proposal);
        if is_new {
            slot.np = Some(n);
            slot.accepted = Some(proposal);
            slot.ticket = next;
            expected.record(Record::Accepted { key, n, value });
        }
        let ticket = slot.ticket;
        self.tickets += u64::from(is_new);
        let told = Message::AcceptOk { key, n, value };
        match to(from) {
            To::Nodes(proposer) => expected.message(To::Nodes(learners | proposer), told, ticket),
            client => {
                expected.message(To::Nodes(learners), told.clone(), ticket);
                expected.message(client, told, ticket);
            }
        }
    }

    pub(super) fn add_to(&self, state: &mut Spread) {
        for slot in self.slots.iter().take(2) {
            let na = slot.accepted.map_or(0, |accepted| accepted.n.round);
            state.add(slot.np.map_or(0, |np| np.round.min(5)));
            state.add(na.min(5));
            state.add(u64::from(
                slot.np.map(|np| np.proposer) == slot.accepted.map(|a| a.n.proposer),
            ));
        }
    }
}

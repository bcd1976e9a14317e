//! What a replica stores, and the server's half of query and update.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Quorum;
use super::byzantine;
use super::construction::{Construction, Quorums};
use super::message::{Message, Observation, OpId, Record};
use super::stamp::{Pair, Party, Timestamp};
use crate::contract::{After, Key, NodeId, Outbox, PublicKeys, Ticket};
use crate::mutant::{Mutant, Mutants};

/// The pairs of one replica.
#[derive(Debug)]
pub(super) struct Server {
    me: NodeId,
    mutants: Mutants,
    stored: BTreeMap<Key, Stored>,
}

/// What is stored under a key, and the ticket with which that is durable.
#[derive(Debug)]
struct Stored {
    pair: Pair,
    ticket: Ticket,
}

/// Durable since before this incarnation began.
pub(super) const DURABLE: Ticket = Ticket(0);

impl Server {
    pub(super) fn new(me: NodeId, mutants: Mutants) -> Self {
        Self { me, mutants, stored: BTreeMap::new() }
    }

    /// What is stored under `key`, and the ticket that it waits for.
    pub(super) fn get(&self, key: Key) -> (Pair, Ticket) {
        match self.stored.get(&key) {
            Some(stored) => (stored.pair.clone(), stored.ticket),
            None => (Pair::INITIAL, DURABLE),
        }
    }

    /// Takes over a pair from disk.
    pub(super) fn recover(&mut self, key: Key, pair: Pair) {
        if pair.ts > self.get(key).0.ts {
            self.stored.insert(key, Stored { pair, ticket: DURABLE });
        }
    }

    /// Stores what the record with `ticket` makes durable.
    pub(super) fn put(&mut self, key: Key, pair: Pair, ticket: Ticket, out: &mut Outbox<Quorum>) {
        let is_newer = pair.ts > self.get(key).0.ts;
        assert!(is_newer || self.mutants != Mutants::NONE, "a stored timestamp only grows");
        let Pair { ts, value, .. } = pair;
        out.observe(Observation::Stored { key, ts, value, ticket: ticket.0 });
        self.stored.insert(key, Stored { pair, ticket });
    }

    /// Answers with what is durable: the answer waits for this key's own last record, and for no other.
    pub(super) fn on_query(&self, op: OpId, key: Key, out: &mut Outbox<Quorum>) {
        let (pair, ticket) = self.get(key);
        respond(op.party, Message::QueryOk { op, key, pair }, ticket, out);
    }

    /// Stores what is newer, and acknowledges in any case, once that is durable.
    pub(super) fn on_update(
        &mut self,
        op: OpId,
        (key, pair): (Key, Pair),
        (quorums, public): (&Quorums, &PublicKeys),
        out: &mut Outbox<Quorum>,
    ) {
        if pair.ts.t > Timestamp::T_MAX {
            return out.ignore("UPDATE with an impossible timestamp");
        }
        let is_own = op.party == Party::Node(self.me);
        let is_newer = pair.ts > self.get(key).0.ts;
        if is_newer || (is_own && self.mutants.deviates(Mutant::Q04)) {
            let signed = matches!(quorums.construction(), Construction::Dissemination { .. });
            if signed && !byzantine::is_proven(public, key, &pair) {
                return out.ignore("UPDATE with a pair that nobody signed");
            }
            let ticket = out.persist(Record::Stored { key, pair: pair.clone() });
            self.put(key, pair, ticket, out);
        }
        let ticket = self.acknowledge(op, key, DURABLE, out);
        respond(op.party, Message::UpdateOk { op, key }, ticket, out);
    }

    /// Tells that what is stored under `key` is acknowledged; gives what the acknowledgement waits for,
    /// which is `known` at least.
    pub(super) fn acknowledge(
        &self,
        op: OpId,
        key: Key,
        known: Ticket,
        out: &mut Outbox<Quorum>,
    ) -> Ticket {
        let (Pair { ts, .. }, stored) = self.get(key);
        let ticket = stored.max(known);
        out.observe(Observation::Acknowledged { op, key, ts, ticket: ticket.0 });
        if self.mutants.deviates(Mutant::Q06) { DURABLE } else { ticket }
    }

    /// Records from which the same pairs come back.
    pub(super) fn checkpoint(&self) -> Vec<Record> {
        self.stored
            .iter()
            .map(|(key, stored)| Record::Stored { key: *key, pair: stored.pair.clone() })
            .collect()
    }
}

/// Sends `message` to whoever asked, once `ticket` is durable.
pub(super) fn respond(to: Party, message: Message, ticket: Ticket, out: &mut Outbox<Quorum>) {
    match to {
        Party::Client(client) => out.reply_after(after(ticket), client, message),
        Party::Node(node) => out.send_after(after(ticket), node, message),
    }
}

/// Waits for `ticket`, if it is of this incarnation.
pub(super) fn after(ticket: Ticket) -> After {
    if ticket == DURABLE { After::Nothing } else { After::Ticket(ticket) }
}

//! What a replica stores, and the server's half of query and update.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Quorum;
use super::byzantine;
use super::configuration::Configuration;
use super::construction::{Construction, Quorums};
use super::message::{Message, Observation, OpId, Phase, Record};
use super::stamp::{Pair, Timestamp};
use crate::contract::{After, Key, NodeId, Outbox, PublicKeys, Ticket};
use crate::mutant::{Mutant, Mutants};
use crate::parties::Party;

/// The pairs of one replica, and the configuration in which it answers.
#[derive(Debug)]
pub(super) struct Server {
    me: NodeId,
    mutants: Mutants,
    stored: BTreeMap<Key, Stored>,
    configuration: Configuration,
    /// With it that is durable; nothing that the server says in it leaves before.
    configured: Ticket,
}

/// What is stored under a key, and the ticket with which that is durable.
#[derive(Debug)]
struct Stored {
    pair: Pair,
    ticket: Ticket,
}

/// Durable since before this incarnation began.
pub(super) const DURABLE: Ticket = Ticket(0);

/// So many pairs fit into one message: some tens of kilobytes.
const PAGE: usize = 256;

/// A milestone, as the vocabulary lists it.
const TOLD: &str = "told-by-coordinator";

impl Server {
    /// Empty, and in this configuration.
    pub(super) fn new(me: NodeId, mutants: Mutants, configuration: Configuration) -> Self {
        Self { me, mutants, stored: BTreeMap::new(), configuration, configured: DURABLE }
    }

    /// The configuration in which it answers.
    pub(super) fn configuration(&self) -> &Configuration {
        &self.configuration
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
        let ticket = ticket.max(self.configured);
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
        let ticket = stored.max(known).max(self.configured);
        out.observe(Observation::Acknowledged { op, key, ts, ticket: ticket.0 });
        if self.mutants.deviates(Mutant::Q06) { DURABLE } else { ticket }
    }

    /// Whether a question for `configuration` may be answered; if not, says which one this server is in.
    pub(super) fn admits(&self, op: OpId, configuration: u32, out: &mut Outbox<Quorum>) -> bool {
        let is_admitted = configuration == self.configuration.id;
        if !is_admitted {
            self.refuse(op, out);
        }
        is_admitted
    }

    fn refuse(&self, op: OpId, out: &mut Outbox<Quorum>) {
        let configuration = Box::new(self.configuration.clone());
        respond(op.party, Message::WrongConfig { op, configuration }, self.configured, out);
    }

    /// Takes over a configuration from disk.
    pub(super) fn recover_configuration(&mut self, configuration: &Configuration) {
        if configuration.id > self.configuration.id {
            self.configuration = configuration.clone();
        }
    }

    /// Goes over to a newer configuration, which is sound. The administrator is told when that is durable;
    /// a coordinator repeats its question anyway.
    pub(super) fn on_configure(
        &mut self,
        op: OpId,
        configuration: Box<Configuration>,
        out: &mut Outbox<Quorum>,
    ) {
        if configuration.id > self.configuration.id {
            self.configuration = (*configuration).clone();
            self.configured =
                out.persist(Record::Configured { configuration: configuration.clone() });
            let ticket = self.configured.0;
            out.observe(Observation::Configured { configuration, ticket });
            if op.phase != Phase::Change {
                out.mark(TOLD);
            }
        } else if *configuration != self.configuration {
            return self.refuse(op, out);
        }
        if op.phase == Phase::Change {
            respond(op.party, Message::ConfigureOk { op }, self.configured, out);
        }
    }

    /// Tells the administrator, once all is durable, what is stored from a key on, as much as a message
    /// holds.
    pub(super) fn on_fetch(&self, op: OpId, from: Key, out: &mut Outbox<Quorum>) {
        let mut rest = self.stored.range(from..);
        let mut ticket = self.configured;
        let mut pairs = Vec::new();
        for (key, stored) in rest.by_ref().take(PAGE) {
            ticket = ticket.max(stored.ticket);
            pairs.push((*key, stored.pair.clone()));
        }
        let next = rest.next().map(|(key, _)| *key);
        respond(op.party, Message::FetchOk { op, pairs, next }, ticket, out);
    }

    /// Stores what is newer of what the administrator brings, and acknowledges once all that is durable.
    pub(super) fn on_install(
        &mut self,
        op: OpId,
        pairs: Vec<(Key, Pair)>,
        out: &mut Outbox<Quorum>,
    ) {
        if pairs.iter().any(|(_, pair)| pair.ts.t > Timestamp::T_MAX) {
            return out.ignore("INSTALL with an impossible timestamp");
        }
        let mut waits_for = self.configured;
        for (key, pair) in pairs {
            if pair.ts > self.get(key).0.ts {
                let ticket = out.persist(Record::Stored { key, pair: pair.clone() });
                self.put(key, pair, ticket, out);
            }
            waits_for = self.acknowledge(op, key, waits_for, out);
        }
        respond(op.party, Message::InstallOk { op }, waits_for, out);
    }

    /// Records from which the same pairs come back, in the same configuration.
    pub(super) fn checkpoint(&self) -> Vec<Record> {
        let configuration = (self.configuration.id > 0)
            .then(|| Record::Configured { configuration: Box::new(self.configuration.clone()) });
        let stored = self.stored.iter();
        let pairs =
            stored.map(|(key, stored)| Record::Stored { key: *key, pair: stored.pair.clone() });
        configuration.into_iter().chain(pairs).collect()
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

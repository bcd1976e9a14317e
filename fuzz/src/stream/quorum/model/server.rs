//! What a server stores, and what it must say of that. Nothing leaves before what it speaks of is durable.

use quorate_systems::contract::Key;
use quorate_systems::quorum::{
    Configuration, Construction, Message, OpId, Pair, Party, Phase, Quorum, Record, Stage,
    Timestamp,
};

use super::{Tickets, quorums};
use crate::stream::quorum::signed;
use crate::stream::{Expected, To};

/// So many pairs fit into an answer to FETCH.
const PAGE: usize = 256;

/// The pairs, and the configuration.
#[derive(Clone, Debug)]
pub(in crate::stream::quorum) struct Server {
    nodes: u16,
    is_signed: bool,
    initial: Configuration,
    /// By key, each with the ticket that it waits for.
    pub(in crate::stream::quorum) stored: Vec<(Key, Pair, u64)>,
    pub(in crate::stream::quorum) configuration: Configuration,
    configured: u64,
}

impl Server {
    pub(super) fn new(nodes: u16, initial: Configuration) -> Self {
        let is_signed = match &initial.stage {
            Stage::Stable(form) | Stage::Joint(form, _) => {
                matches!(form.construction, Construction::Dissemination { .. })
            }
        };
        let configuration = initial.clone();
        Self { nodes, is_signed, initial, stored: Vec::new(), configuration, configured: 0 }
    }

    pub(super) fn initial(&self) -> &Configuration {
        &self.initial
    }

    /// Nothing is stored.
    pub(super) fn clear(&mut self) {
        self.stored.clear();
        if self.configuration.id != self.initial.id {
            self.configuration.clone_from(&self.initial);
        }
        self.configured = 0;
    }

    /// What a record on disk says of the pairs and the configuration.
    pub(super) fn recover(&mut self, record: &Record) {
        match record {
            Record::Stored { key, pair } | Record::Committed { key, pair } => {
                if pair.ts > self.ts(*key) {
                    self.put(*key, pair.clone(), 0);
                }
            }
            Record::Configured { configuration } => {
                self.configuration.clone_from(configuration);
            }
            Record::Pending { .. }
            | Record::Aborted { .. }
            | Record::Refused { .. }
            | Record::Finished { .. }
            | Record::Clock { .. }
            | Record::Decided { .. }
            | Record::Forgotten { .. } => {}
        }
    }

    pub(in crate::stream::quorum) fn ts(&self, key: Key) -> Timestamp {
        self.find(key).map_or(Timestamp::ZERO, |(pair, _)| pair.ts)
    }

    fn find(&self, key: Key) -> Option<(&Pair, u64)> {
        let found = self.stored.iter().find(|(of, ..)| *of == key);
        found.map(|(_, pair, ticket)| (pair, *ticket))
    }

    /// What an answer about `key` waits for.
    pub(super) fn covers(&self, key: Key) -> u64 {
        self.find(key).map_or(0, |(_, ticket)| ticket).max(self.configured)
    }

    pub(super) fn put(&mut self, key: Key, pair: Pair, ticket: u64) {
        match self.stored.iter_mut().find(|(of, ..)| *of == key) {
            Some(place) => *place = (key, pair, ticket),
            None => self.stored.push((key, pair, ticket)),
        }
    }

    /// Whether a question is for the present configuration; if not, its sender is told which that is.
    pub(super) fn admits(
        &self,
        op: OpId,
        configuration: u32,
        expected: &mut Expected<Quorum>,
    ) -> bool {
        if configuration != self.configuration.id {
            self.refuse(op, expected);
        }
        configuration == self.configuration.id
    }

    fn refuse(&self, op: OpId, expected: &mut Expected<Quorum>) {
        let configuration = Box::new(self.configuration.clone());
        let wrong = Message::WrongConfig { op, configuration };
        expected.message(to(op.party), wrong, self.configured);
    }

    pub(super) fn on_query(&self, op: OpId, key: Key, expected: &mut Expected<Quorum>) {
        let pair = self.find(key).map_or(Pair::INITIAL, |(pair, _)| pair.clone());
        expected.message(to(op.party), Message::QueryOk { op, key, pair }, self.covers(key));
    }

    pub(super) fn on_update(
        &mut self,
        (op, key, pair): (OpId, Key, &Pair),
        tickets: &mut Tickets,
        expected: &mut Expected<Quorum>,
    ) {
        if pair.ts.t > Timestamp::T_MAX {
            return;
        }
        if pair.ts > self.ts(key) {
            if self.is_signed && !signed::is_proven(key, pair) {
                return;
            }
            self.store(key, pair, tickets, expected);
        }
        expected.message(to(op.party), Message::UpdateOk { op, key }, self.covers(key));
    }

    fn store(
        &mut self,
        key: Key,
        pair: &Pair,
        tickets: &mut Tickets,
        expected: &mut Expected<Quorum>,
    ) {
        let ticket = tickets.take();
        expected.record(Record::Stored { key, pair: pair.clone() });
        self.put(key, pair.clone(), ticket);
    }

    pub(super) fn on_configure(
        &mut self,
        op: OpId,
        configuration: &Configuration,
        tickets: &mut Tickets,
        expected: &mut Expected<Quorum>,
    ) {
        if !quorums::is_sound(configuration, self.nodes) {
            return;
        }
        if configuration.id > self.configuration.id {
            self.configuration.clone_from(configuration);
            self.configured = tickets.take();
            let configuration = Box::new(configuration.clone());
            expected.record(Record::Configured { configuration });
        } else if *configuration != self.configuration {
            return self.refuse(op, expected);
        }
        // A coordinator asks its question again, and wants no answer to this.
        if op.phase == Phase::Change {
            expected.message(to(op.party), Message::ConfigureOk { op }, self.configured);
        }
    }

    pub(super) fn on_fetch(&self, op: OpId, from: Key, expected: &mut Expected<Quorum>) {
        let mut rest: Vec<_> = self.stored.iter().filter(|(key, ..)| *key >= from).collect();
        rest.sort_by_key(|(key, ..)| *key);
        let next = rest.get(PAGE).map(|(key, ..)| *key);
        rest.truncate(PAGE);
        let ticket = rest.iter().map(|(_, _, ticket)| *ticket).max().unwrap_or(0);
        let pairs = rest.iter().map(|(key, pair, _)| (*key, pair.clone())).collect();
        let answer = Message::FetchOk { op, pairs, next };
        expected.message(to(op.party), answer, ticket.max(self.configured));
    }

    pub(super) fn on_install(
        &mut self,
        op: OpId,
        pairs: &[(Key, Pair)],
        tickets: &mut Tickets,
        expected: &mut Expected<Quorum>,
    ) {
        if pairs.iter().any(|(_, pair)| pair.ts.t > Timestamp::T_MAX) {
            return;
        }
        let mut after = self.configured;
        for (key, pair) in pairs {
            if pair.ts > self.ts(*key) {
                self.store(*key, pair, tickets, expected);
            }
            after = after.max(self.covers(*key));
        }
        expected.message(to(op.party), Message::InstallOk { op }, after);
    }
}

/// Whoever asked.
pub(super) fn to(party: Party) -> To {
    match party {
        Party::Client(client) => To::Client(client),
        Party::Node(node) => To::node(node),
    }
}

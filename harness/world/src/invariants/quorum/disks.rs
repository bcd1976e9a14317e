//! What is durable at each node: it never goes back (Q-I1), and nobody is told of what is not (Q-I8).
//!
//! The image of a disk is what was found on it at the last start and what has become durable since, and never
//! what a node has in memory only.

use quorate_systems::contract::{Describe, Key, NodeId, Ticket};
use quorate_systems::quorum::{Message, Record, Timestamp};

use super::asked::Change;
use super::nodes::{Node, Standing, Unsynced};
use super::{Q_I1, Q_I8, QuorumInvariants, show_pair};
use crate::invariants::{Broken, Who};

impl QuorumInvariants {
    /// A node comes up: what was not durable may be gone, and what its disk holds will be told.
    pub(super) fn on_started(&mut self, node: NodeId) {
        let Some(state) = self.node(node) else { return };
        if state.standing == Standing::Lying {
            return;
        }
        state.start();
        for (_, slot) in self.keys.used() {
            if let Some(image) = slot.image(node) {
                image.found = Timestamp::ZERO;
            }
        }
    }

    pub(super) fn on_found(&mut self, node: NodeId, record: &Record, broken: &mut Vec<Broken>) {
        let Some(state) = self.node(node) else { return };
        if state.standing == Standing::Lying {
            return;
        }
        match record {
            Record::Stored { key, pair } | Record::Committed { key, pair } => {
                let Some(slot) = self.keys.known(*key) else {
                    // Remembering all keys of a long run here would push out those in use.
                    return self.keys.miss(*key);
                };
                if let Some(image) = slot.image(node) {
                    image.found = image.found.max(pair.ts);
                }
                self.note_pair(Who::Node(node), (*key, pair.ts, pair.value), broken);
            }
            Record::Pending { write, t, .. } => state.vote(*write, *t, Ticket(0)),
            Record::Configured { configuration } => {
                state.configure(configuration.id, Ticket(0));
                self.configurations.note(configuration);
            }
            Record::Aborted { .. }
            | Record::Refused { .. }
            | Record::Finished { .. }
            | Record::Clock { .. }
            | Record::Decided { .. }
            | Record::Forgotten { .. } => {}
        }
    }

    /// The node shows its first sign of life: all that its disk holds was told.
    pub(super) fn end_recovery(&mut self, node: NodeId, broken: &mut Vec<Broken>) {
        let Some(state) = self.node(node) else { return };
        state.standing = Standing::Judged;
        for (key, slot) in self.keys.used() {
            let Some(image) = slot.image(node) else { continue };
            let before = image.durable.max(image.told);
            let found = image.found;
            image.durable = found;
            // Said once, and not again with every answer.
            image.told = image.told.min(found);
            if found < before {
                let found = show_pair(&slot.pairs, found);
                let before = show_pair(&slot.pairs, before);
                let what = format!(
                    "{node} restarts with {found} under k{}, and had {before} on its disk before",
                    key.0
                );
                broken.push(Broken { invariant: Q_I1, by: vec![Who::Node(node)], what });
            }
        }
    }

    pub(super) fn on_persisted(
        &mut self,
        (node, ticket): (NodeId, Ticket),
        record: &Record,
        broken: &mut Vec<Broken>,
    ) {
        let by = Who::Node(node);
        match record {
            Record::Stored { key, pair } => {
                self.note_pair(by, (*key, pair.ts, pair.value), broken);
                self.wait(node, Unsynced { ticket, key: *key, ts: pair.ts, replaces: true });
            }
            Record::Committed { key, pair } => {
                self.note_pair(by, (*key, pair.ts, pair.value), broken);
                // Of a write that something newer has overtaken, too: then nothing is replaced.
                self.wait(node, Unsynced { ticket, key: *key, ts: pair.ts, replaces: false });
            }
            Record::Pending { write, t, .. } => {
                if let Some(state) = self.node(node) {
                    state.vote(*write, *t, ticket);
                }
            }
            Record::Configured { configuration } => {
                if let Some(state) = self.node(node) {
                    state.configure(configuration.id, ticket);
                }
            }
            // The fates of lock writes are observed, with those that need no record.
            Record::Aborted { .. }
            | Record::Refused { .. }
            | Record::Finished { .. }
            | Record::Clock { .. }
            | Record::Decided { .. }
            | Record::Forgotten { .. } => {}
        }
    }

    fn wait(&mut self, node: NodeId, unsynced: Unsynced) {
        if let Some(state) = self.node(node) {
            state.persist(unsynced);
        }
    }

    pub(super) fn on_durable(&mut self, node: NodeId, ticket: Ticket, broken: &mut Vec<Broken>) {
        if let Some(state) = self.node(node) {
            state.advance(ticket);
        }
        while let Some(unsynced) = self.node(node).and_then(Node::next_durable) {
            self.settle(node, unsynced, broken);
        }
    }

    /// A pair has become durable.
    fn settle(&mut self, node: NodeId, unsynced: Unsynced, broken: &mut Vec<Broken>) {
        let Unsynced { ticket: _, key, ts, replaces } = unsynced;
        let Some(slot) = self.keys.known(key) else { return };
        let Some(image) = slot.image(node) else { return };
        let before = image.durable;
        image.durable = before.max(ts);
        if replaces && ts < before {
            let (ts, before) = (show_pair(&slot.pairs, ts), show_pair(&slot.pairs, before));
            let what = format!("{node} replaces {before} under k{} by the older {ts}", key.0);
            broken.push(Broken { invariant: Q_I1, by: vec![Who::Node(node)], what });
        }
    }

    /// A server's answer: what it says is stored must be durable.
    pub(super) fn on_answer(
        &mut self,
        node: NodeId,
        to: Who,
        message: &Message,
        broken: &mut Vec<Broken>,
    ) {
        let told = match message {
            Message::UpdateOk { op, key } => self.asked.recall(*op, *key).map(|ts| (*key, ts)),
            Message::CommitOk { op: _, write } => self.writes.recall(*write),
            Message::QueryOk { op: _, key, pair } => {
                self.on_report(node, (*key, pair.ts), broken);
                Some((*key, pair.ts))
            }
            Message::Ok { write, t } => {
                if self.node(node).is_some_and(|state| state.lacks_vote(*write, *t)) {
                    let what = format!(
                        "{node} sends OK with clock {t} for lock write {write} to {to} before its \
                         vote is durable"
                    );
                    broken.push(Broken { invariant: Q_I8, by: vec![Who::Node(node)], what });
                }
                None
            }
            Message::Request { .. }
            | Message::Answer { .. }
            | Message::WrongIncarnation { .. }
            | Message::Query { .. }
            | Message::Update { .. }
            | Message::Propose { .. }
            | Message::No { .. }
            | Message::Commit { .. }
            | Message::Abort { .. }
            | Message::Terminate { .. }
            // An administrator's matter.
            | Message::WrongConfig { .. }
            | Message::Configure { .. }
            | Message::ConfigureOk { .. }
            | Message::Fetch { .. }
            | Message::FetchOk { .. }
            | Message::Install { .. }
            | Message::InstallOk { .. } => None,
        };
        if let Some(told) = told {
            self.require_durable((node, to), message.kind(), told, broken);
        }
    }

    /// A node says that it holds `ts` under `key`, or something newer.
    fn require_durable(
        &mut self,
        (node, to): (NodeId, Who),
        kind: &str,
        (key, ts): (Key, Timestamp),
        broken: &mut Vec<Broken>,
    ) {
        let slot = self.keys.slot(key);
        let is_partial = slot.is_partial;
        let Some(image) = slot.image(node) else { return };
        let durable = image.durable;
        if durable < ts && !is_partial {
            let (told, holds) = (show_pair(&slot.pairs, ts), show_pair(&slot.pairs, durable));
            let what = format!(
                "{node} sends {kind} to {to} for {told} under k{}, and its disk holds {holds}",
                key.0
            );
            broken.push(Broken { invariant: Q_I8, by: vec![Who::Node(node)], what });
        }
    }

    /// A server's part in a change of the configuration: that is durable as well. Of keys that are forgotten
    /// there is nothing to say, and what passes by must not push out those in use.
    pub(super) fn on_change_answer(
        &mut self,
        (node, to): (NodeId, Who),
        message: &Message,
        broken: &mut Vec<Broken>,
    ) {
        match message {
            Message::WrongConfig { op: _, configuration } => {
                self.require_configuration((node, to), message.kind(), configuration.id, broken);
            }
            Message::ConfigureOk { op } => {
                if let Some(Change::Configure(id)) = self.asked.recall_change(*op) {
                    self.require_configuration((node, to), message.kind(), *id, broken);
                }
            }
            Message::FetchOk { op: _, pairs, next: _ } => {
                for (key, pair) in pairs {
                    if self.keys.known(*key).is_some() {
                        self.on_report(node, (*key, pair.ts), broken);
                        let told = (*key, pair.ts);
                        self.require_durable((node, to), message.kind(), told, broken);
                    }
                }
            }
            Message::InstallOk { op } => {
                let Some(Change::Install(pairs)) = self.asked.recall_change(*op) else { return };
                for told in pairs.clone() {
                    if self.keys.known(told.0).is_some() {
                        self.require_durable((node, to), message.kind(), told, broken);
                    }
                }
            }
            Message::Request { .. }
            | Message::Answer { .. }
            | Message::WrongIncarnation { .. }
            | Message::Query { .. }
            | Message::QueryOk { .. }
            | Message::Update { .. }
            | Message::UpdateOk { .. }
            | Message::Propose { .. }
            | Message::Ok { .. }
            | Message::No { .. }
            | Message::Commit { .. }
            | Message::CommitOk { .. }
            | Message::Abort { .. }
            | Message::Terminate { .. }
            | Message::Configure { .. }
            | Message::Fetch { .. }
            | Message::Install { .. } => {}
        }
    }

    /// A node says that it is in configuration `id`: no crash may take it back to an older one.
    fn require_configuration(
        &mut self,
        (node, to): (NodeId, Who),
        kind: &str,
        id: u32,
        broken: &mut Vec<Broken>,
    ) {
        if self.node(node).is_some_and(|state| state.lacks_configuration(id)) {
            let what = format!(
                "{node} sends {kind} to {to} for configuration {id} before that is on its disk"
            );
            broken.push(Broken { invariant: Q_I8, by: vec![Who::Node(node)], what });
        }
    }

    /// A server says what it stores.
    fn on_report(&mut self, node: NodeId, (key, ts): (Key, Timestamp), broken: &mut Vec<Broken>) {
        let slot = self.keys.slot(key);
        let Some(image) = slot.image(node) else { return };
        let before = image.told;
        image.told = before.max(ts);
        if ts < before {
            let (ts, before) = (show_pair(&slot.pairs, ts), show_pair(&slot.pairs, before));
            let what =
                format!("{node} reports {ts} under k{}, and reported {before} before", key.0);
            broken.push(Broken { invariant: Q_I1, by: vec![Who::Node(node)], what });
        }
    }
}

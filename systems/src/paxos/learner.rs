//! The learner: what is decided, its execution in order, catching up, snapshots.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Paxos;
use super::ballot::Ballot;
use super::entry::Entry;
use super::message::{Message, Observation, Record};
use super::replica::{FETCH, PaxosReplica, Role};
use crate::contract::{After, ClientId, Micros, NodeId, Outbox};
use crate::mutant::Mutant;
use crate::smr::{Executed, Machine, RequestNumber, Slot, Snapshot};

/// How long a gap may be the work of messages that overtook each other.
const GAP_SPAN: (Micros, Micros) = (Micros(20_000), Micros(40_000));
/// How long an answer may take before another node is asked.
const PATIENCE: (Micros, Micros) = (Micros(80_000), Micros(120_000));
/// Entries further beyond the present commit index than this are of no use yet.
const AHEAD_MAX: u64 = 8_192;

impl PaxosReplica {
    /// Takes a leader's commit index. It speaks of the leader's entries: one that was accepted in another
    /// ballot may be another one, and must be asked for.
    pub(super) fn learn(&mut self, ballot: Ballot, commit: Slot, out: &mut Outbox<Paxos>) {
        if commit <= self.log.commit() {
            return;
        }
        self.heard_commit = self.heard_commit.max(commit);
        let mut is_foreign = false;
        for slot in self.log.commit().next().through(commit.min(self.log.last())) {
            let Some(place) = self.log.get(slot).filter(|place| !place.is_decided) else {
                continue;
            };
            if place.ballot == ballot || self.config.mutants.deviates(Mutant::P28) {
                let entry = place.digest;
                out.observe(Observation::Learned { slot, entry, ballot: Some(ballot) });
                self.log.decide(slot);
            } else {
                is_foreign = true;
            }
        }
        if is_foreign && !self.is_fetching {
            out.mark("foreign-entry");
        }
        self.execute_decided(out);
        self.progress(out);
        self.fetch_if_behind(out);
    }

    /// Executes what is decided, in the order of slots. A leader answers the clients.
    pub(super) fn execute_decided(&mut self, out: &mut Outbox<Paxos>) {
        while let Some(slot) = self.executable() {
            let Some(place) = self.log.get(slot) else { break };
            let executed = self.machine.execute(slot, place.digest, place.entry.request());
            let request = place.entry.request().map(|request| (request.client, request.number));
            out.observe(Observation::Executed {
                slot,
                chain: self.machine.chain(),
                request,
                is_first: matches!(executed, Executed::Fresh(_)),
            });
            let outcome = match executed {
                Executed::Fresh(outcome) => Some(outcome),
                Executed::Again(outcome) => {
                    out.mark("ordered-twice");
                    Some(outcome)
                }
                Executed::Noop | Executed::Overtaken => None,
            };
            if let Some((client, number)) = request
                && self.is_answering(client, number)
                && let Some(outcome) = outcome
            {
                // A majority has it on disk: no crash takes that back.
                let reply = Message::Reply { number, outcome };
                out.reply_after(After::Nothing, client, reply);
            }
            self.snapshot_if_due(out);
        }
    }

    /// A request was executed: whether its client is answered from here, by its leader or by whom it asked.
    fn is_answering(&mut self, client: ClientId, number: RequestNumber) -> bool {
        let is_relayed = self.relay.executed(client, number);
        if let Role::Leader(leader) = &mut self.role {
            leader.executed(client, number);
            return true;
        }
        is_relayed
    }

    /// The next slot to execute: the one after the last, once it is decided.
    fn executable(&self) -> Option<Slot> {
        let next = self.machine.applied().next();
        if self.config.mutants.deviates(Mutant::P14) {
            let decided = self.log.suffix(next).find(|(_, place)| place.is_decided);
            return decided.map(|(slot, _)| slot);
        }
        (next <= self.log.commit()).then_some(next)
    }

    fn snapshot_if_due(&mut self, out: &mut Outbox<Paxos>) {
        if self.machine.applied().since(self.snapshot.index) < self.config.snapshot_every {
            return;
        }
        *self.snapshot = self.machine.snapshot();
        out.persist(Record::Snapshot { snapshot: self.snapshot.clone() });
        let Snapshot { index, chain, .. } = *self.snapshot;
        self.log.truncate(index);
        let ticket = out.last_ticket().0;
        out.observe(Observation::SnapshotTaken { index, chain, ticket });
    }

    /// `entry` is decided, as another node told.
    pub(super) fn settle(&mut self, slot: Slot, entry: Entry, out: &mut Outbox<Paxos>) {
        if self.log.is_decided(slot) {
            return;
        }
        out.observe(Observation::Learned { slot, entry: entry.digest(), ballot: None });
        if self.log.get(slot).is_none_or(|place| place.entry != entry) {
            out.persist(Record::Decided { slot, entry: entry.clone() });
        }
        self.log.settle(slot, entry);
    }

    /// Asks for what is missing, but not at once: it may be on its way.
    fn fetch_if_behind(&mut self, out: &mut Outbox<Paxos>) {
        if self.log.commit() < self.heard_commit && !self.is_fetching {
            self.is_fetching = true;
            out.set_timer(FETCH, GAP_SPAN.0, GAP_SPAN.1);
        }
    }

    pub(super) fn on_fetch_timer(&mut self, out: &mut Outbox<Paxos>) {
        self.is_fetching = false;
        if self.log.commit() >= self.heard_commit {
            return;
        }
        let Some(node) = self.fetch_from() else { return };
        self.unanswered = self.unanswered.saturating_add(1);
        self.fetch(node, out);
    }

    fn fetch(&mut self, node: NodeId, out: &mut Outbox<Paxos>) {
        let from = self.log.commit().next();
        out.send_after(After::Nothing, node, Message::Fetch { from });
        self.is_fetching = true;
        out.set_timer(FETCH, PATIENCE.0, PATIENCE.1);
    }

    /// Whom to ask: the leader first, then one after the other.
    fn fetch_from(&self) -> Option<NodeId> {
        let leader = self.leader.map(|ballot| ballot.node).filter(|node| *node != self.me);
        if let (0, Some(leader)) = (self.unanswered, leader) {
            return Some(leader);
        }
        let others = u32::from(self.config.nodes.checked_sub(1)?);
        let place = usize::try_from(self.unanswered.checked_rem(others)?).ok()?;
        self.others().nth(place)
    }

    pub(super) fn on_fetch(&mut self, node: NodeId, from: Slot, out: &mut Outbox<Paxos>) {
        if from <= self.log.base() {
            let snapshot = self.snapshot.clone();
            return out.send_after(After::Nothing, node, Message::Snapshot { snapshot });
        }
        let entries = self.log.decided_from(from);
        if entries.is_empty() {
            return out.ignore("FETCH of what is not known to be decided");
        }
        out.send_after(After::Nothing, node, Message::FetchOk { from, entries });
    }

    pub(super) fn on_fetch_ok(
        &mut self,
        node: NodeId,
        from: Slot,
        entries: Vec<Entry>,
        out: &mut Outbox<Paxos>,
    ) {
        let commit = self.log.commit();
        let last = from.plus(entries.len() as u64);
        if last.since(commit) > AHEAD_MAX {
            return out.ignore("FETCH_OK too far beyond what is known");
        }
        for (slot, entry) in (from.0..).map(Slot).zip(entries) {
            self.settle(slot, entry, out);
        }
        self.execute_decided(out);
        if self.log.commit() == commit {
            return out.ignore("FETCH_OK with nothing new");
        }
        out.mark("caught-up");
        self.on_news(node, out);
    }

    pub(super) fn on_snapshot(&mut self, snapshot: Box<Snapshot>, out: &mut Outbox<Paxos>) {
        let Snapshot { index, chain, .. } = *snapshot;
        if index <= self.log.commit().max(self.machine.applied()) {
            return out.ignore("SNAPSHOT of what is executed");
        }
        if index > Slot::LAST {
            return out.ignore("SNAPSHOT of more than there can be");
        }
        out.persist(Record::Snapshot { snapshot: snapshot.clone() });
        let ticket = out.last_ticket().0;
        out.observe(Observation::SnapshotInstalled { index, chain, ticket });
        out.mark("snapshot-installed");
        self.machine = Machine::new((*snapshot).clone());
        self.snapshot = snapshot;
        self.log.truncate(index);
        self.execute_decided(out);
        self.unanswered = 0;
        self.fetch_if_behind(out);
        self.lead_if_ready(out);
        self.progress(out);
    }

    /// Another node had what was missing. There may be more of it.
    fn on_news(&mut self, node: NodeId, out: &mut Outbox<Paxos>) {
        self.unanswered = 0;
        if self.log.commit() < self.heard_commit {
            self.fetch(node, out);
        }
        self.lead_if_ready(out);
        self.progress(out);
    }
}

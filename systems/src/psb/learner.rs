//! Execution in order, snapshots, and the reconciliation of those who are behind.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Psb;
use super::message::{Message, Observation, Record};
use super::replica::{FETCH, PsbReplica};
use crate::contract::{After, Micros, NodeId, Outbox};
use crate::mutant::Mutant;
use crate::paxos::Entry;
use crate::smr::{Executed, Machine, Slot, Snapshot};

/// How long a gap may be the work of messages that overtook each other.
const GAP_SPAN: (Micros, Micros) = (Micros(20_000), Micros(40_000));
/// How long an answer may take before another server is asked.
const PATIENCE: (Micros, Micros) = (Micros(80_000), Micros(120_000));
/// Entries further beyond the present `Local_Aru` than this are of no use yet.
const AHEAD_MAX: u64 = 4_096;

impl PsbReplica {
    /// Executes what is ordered, in the order of slots: `Advance_Aru`.
    pub(super) fn execute_ordered(&mut self, out: &mut Outbox<Psb>) {
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
            if let Some((client, number)) = request {
                self.settle_pending(client, number, outcome, out);
            }
            self.progress.is_made = true;
            self.fruitless = 0;
            self.snapshot_if_due(out);
        }
    }

    /// The next slot to execute: the one after the last, once it is ordered.
    fn executable(&self) -> Option<Slot> {
        let next = self.machine.applied().next();
        if self.config.mutants.deviates(Mutant::P14) {
            let ordered = self.log.suffix(next).find(|(_, place)| place.is_decided);
            return ordered.map(|(slot, _)| slot);
        }
        (next <= self.log.commit()).then_some(next)
    }

    fn snapshot_if_due(&mut self, out: &mut Outbox<Psb>) {
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

    /// `entry` is ordered, as another server told.
    pub(super) fn settle(&mut self, slot: Slot, entry: Entry, out: &mut Outbox<Psb>) {
        if self.log.is_decided(slot) {
            return;
        }
        out.observe(Observation::Learned { slot, entry: entry.digest() });
        if self.log.get(slot).is_none_or(|place| place.entry != entry) {
            out.persist(Record::Ordered { slot, entry: entry.clone() });
        }
        self.log.settle(slot, entry);
        self.accepts.remove(&slot);
    }

    /// Another server has executed all slots up to `aru`.
    pub(super) fn hear(&mut self, aru: Slot, from: NodeId, out: &mut Outbox<Psb>) {
        if aru > self.heard.0 && aru <= Slot::LAST {
            self.heard = (aru, from);
        }
        self.fetch_if_behind(out);
    }

    /// Asks for what is missing, but not at once: it may be on its way.
    fn fetch_if_behind(&mut self, out: &mut Outbox<Psb>) {
        if self.log.commit() < self.heard.0 && !self.is_fetching {
            self.is_fetching = true;
            out.set_timer(FETCH, GAP_SPAN.0, GAP_SPAN.1);
        }
    }

    pub(super) fn on_fetch_timer(&mut self, out: &mut Outbox<Psb>) {
        self.is_fetching = false;
        if self.log.commit() >= self.heard.0 {
            return;
        }
        let Some(node) = self.fetch_from() else { return };
        self.unanswered = self.unanswered.saturating_add(1);
        self.fetch(node, out);
    }

    fn fetch(&mut self, node: NodeId, out: &mut Outbox<Psb>) {
        let from = self.log.commit().next();
        out.send_after(After::Nothing, node, Message::Fetch { from });
        self.is_fetching = true;
        out.set_timer(FETCH, PATIENCE.0, PATIENCE.1);
    }

    /// Whom to ask: who said so first, then one after the other.
    fn fetch_from(&self) -> Option<NodeId> {
        if self.unanswered == 0 && self.heard.1 != self.me {
            return Some(self.heard.1);
        }
        let others = u32::from(self.config.nodes.checked_sub(1)?);
        let place = usize::try_from(self.unanswered.checked_rem(others)?).ok()?;
        self.others().nth(place)
    }

    pub(super) fn on_fetch(&mut self, node: NodeId, from: Slot, out: &mut Outbox<Psb>) {
        if from <= self.log.base() {
            let snapshot = self.snapshot.clone();
            return out.send_after(After::Nothing, node, Message::Snapshot { snapshot });
        }
        let entries = self.log.decided_from(from);
        if entries.is_empty() {
            return out.ignore("Fetch of what is not known to be ordered");
        }
        out.send_after(After::Nothing, node, Message::FetchOk { from, entries });
    }

    pub(super) fn on_fetch_ok(
        &mut self,
        node: NodeId,
        from: Slot,
        entries: Vec<Entry>,
        out: &mut Outbox<Psb>,
    ) {
        let commit = self.log.commit();
        let last = from.plus(entries.len() as u64);
        if last.since(commit) > AHEAD_MAX {
            return out.ignore("Fetch_OK too far beyond what is known");
        }
        for (slot, entry) in (from.0..).map(Slot).zip(entries) {
            self.settle(slot, entry, out);
        }
        self.execute_ordered(out);
        if self.log.commit() == commit {
            return out.ignore("Fetch_OK with nothing new");
        }
        out.mark("caught-up");
        self.on_news(node, out);
    }

    pub(super) fn on_snapshot(&mut self, snapshot: Box<Snapshot>, out: &mut Outbox<Psb>) {
        let Snapshot { index, chain, .. } = *snapshot;
        if index <= self.log.commit().max(self.machine.applied()) {
            return out.ignore("Snapshot of what is executed");
        }
        if index > Slot::LAST {
            return out.ignore("Snapshot of more than there can be");
        }
        out.persist(Record::Snapshot { snapshot: snapshot.clone() });
        let ticket = out.last_ticket().0;
        out.observe(Observation::SnapshotInstalled { index, chain, ticket });
        out.mark("snapshot-installed");
        self.machine = Machine::new((*snapshot).clone());
        self.snapshot = snapshot;
        self.log.truncate(index);
        self.accepts = self.accepts.split_off(&index.next());
        self.progress.is_made = true;
        self.reply_from_table(out);
        self.execute_ordered(out);
        self.unanswered = 0;
        self.fetch_if_behind(out);
        self.lead_if_ready(out);
        self.send_proposals(out);
    }

    /// Another server had what was missing. There may be more of it.
    fn on_news(&mut self, node: NodeId, out: &mut Outbox<Psb>) {
        self.unanswered = 0;
        if self.log.commit() < self.heard.0 {
            self.fetch(node, out);
        }
        self.lead_if_ready(out);
        self.send_proposals(out);
    }
}

//! Global ordering: every server accepts the leader's Proposals, tells all, and counts what it is told.

use super::Psb;
use super::message::{Message, Observation, Record};
use super::replica::PsbReplica;
use super::tally::Accepts;
use super::view::View;
use crate::contract::{NodeId, Outbox};
use crate::mutant::Mutant;
use crate::paxos::Entry;
use crate::smr::Slot;

/// A slot that lies further beyond the snapshot is not taken: a data list must fit into one message. Whoever
/// is that far behind must catch up first.
const SPAN_MAX: u64 = 4_096;

impl PsbReplica {
    /// Accepts, durably before it tells anybody. A Proposal of a later view than the installed one proves
    /// that its view is installed. One that comes again is answered again, to the leader only.
    pub(super) fn on_proposal(
        &mut self,
        view: View,
        slot: Slot,
        entry: Entry,
        out: &mut Outbox<Psb>,
    ) {
        let leader = view.leader(self.config.nodes);
        if view < self.installed {
            out.mark("late-proposal");
            self.tell_view(leader, out);
            return out.ignore("Proposal of an earlier view");
        }
        if leader == self.me {
            return self.order_if_ready(slot, out);
        }
        self.follow(view, out);
        if slot.since(self.log.base()) > SPAN_MAX {
            return out.ignore("Proposal too far beyond the snapshot");
        }
        let digest = entry.digest();
        let accept = Message::Accept { view, slot, entry: digest };
        if slot <= self.log.base() || self.log.has_accepted(slot, view) {
            // The snapshot stands for the entry.
            return out.send(leader, accept);
        }
        self.accept(slot, view, entry, out);
        for node in self.config.nodes() {
            out.send(node, accept.clone());
        }
        self.order_if_ready(slot, out);
    }

    /// Accepts, durably: also what this server proposes itself.
    pub(super) fn accept(&mut self, slot: Slot, view: View, entry: Entry, out: &mut Outbox<Psb>) {
        if !self.config.mutants.deviates(Mutant::P03) {
            out.persist(Record::Accepted { slot, view, entry: entry.clone() });
        }
        self.log.accept(slot, view, entry);
        let entry = self.log.get(slot).map_or(0, |place| place.digest);
        let ticket = out.last_ticket().0;
        out.observe(Observation::Accepted { view, slot, entry, ticket });
    }

    /// Counts an Accept. One that has overtaken its Proposal is kept: it says what it is about.
    pub(super) fn on_accept(
        &mut self,
        from: NodeId,
        view: View,
        slot: Slot,
        entry: u64,
        out: &mut Outbox<Psb>,
    ) {
        if from == view.leader(self.config.nodes) {
            return out.ignore("Accept of a leader, whose Proposal has counted");
        }
        if view < self.installed {
            return out.ignore("Accept of an earlier view");
        }
        self.follow(view, out);
        if self.log.is_decided(slot) {
            return out.ignore("Accept for a slot that is ordered");
        }
        if slot.since(self.log.base()) > SPAN_MAX {
            return out.ignore("Accept too far beyond the snapshot");
        }
        let none = Accepts::none(view, entry);
        let accepts = self.accepts.entry(slot).or_insert(none);
        if !accepts.add(from, view, entry, self.config.mutants) {
            return out.ignore("Accept of another Proposal");
        }
        self.order_if_ready(slot, out);
    }

    /// A slot is ordered by the Proposal and the Accepts of enough distinct non-leaders, all of one view and
    /// about one entry.
    fn order_if_ready(&mut self, slot: Slot, out: &mut Outbox<Psb>) {
        let Some(place) = self.log.get(slot).filter(|place| !place.is_decided) else { return };
        let (view, entry) = (place.ballot, place.digest);
        if view != self.installed {
            return;
        }
        let accepts = self.accepts.get(&slot).copied();
        let accepts = accepts.filter(|accepts| (accepts.view, accepts.entry) == (view, entry));
        let tally = accepts.unwrap_or(Accepts::none(view, entry)).tally;
        let needed =
            if self.config.mutants.deviates(Mutant::P16) { 0 } else { self.config.accepts() };
        if tally.count() < needed {
            return;
        }
        self.log.decide(slot);
        self.accepts.remove(&slot);
        let mut voters = tally.voters();
        voters.insert(view.leader(self.config.nodes));
        out.observe(Observation::Decided { view, slot, entry, voters });
        self.go_back(out);
        self.execute_ordered(out);
        self.send_proposals(out);
    }
}

//! The Prepare phase: the leader of a view that is about to be installed learns what earlier ones have left.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry as Found;
use core::mem;

use super::Psb;
use super::election::Election;
use super::leader::Leader;
use super::message::{DataList, Message, Observation, Report};
use super::replica::{PsbReplica, RETRANSMIT, State};
use super::tally::Tally;
use super::view::View;
use crate::contract::{After, ClientId, Micros, NodeId, Outbox};
use crate::mutant::{Mutant, Mutants};
use crate::paxos::Entry;
use crate::smr::{Request, RequestNumber, Slot};

/// What the leader has been told.
#[derive(Debug)]
pub(super) struct Preparing {
    /// The last slot that it had executed when it began: it asks about those after it.
    aru: Slot,
    /// Who has sent `Prepare_OK`.
    tally: Tally,
    /// In each slot that anybody holds something of: what is ordered, or the Proposal of the latest view.
    found: BTreeMap<Slot, Report>,
    /// The highest snapshot that anybody has, and who. Of the slots that it stands for nothing is reported.
    snapshot: (Slot, NodeId),
}

/// No history goes on further beyond its snapshot: what a server takes has a lower bound of its own.
const REACH_MAX: u64 = 32_768;

/// How long to wait for `Prepare_OK` before asking again.
const PATIENCE: (Micros, Micros) = (Micros(80_000), Micros(120_000));

impl PsbReplica {
    /// Installs the view that it leads, durably before anybody hears of it, and asks all servers, itself
    /// included, for what they hold: `Shift_to_Prepare_Phase` of the paper.
    pub(super) fn shift_to_prepare(&mut self, view: View, out: &mut Outbox<Psb>) {
        assert!(self.leads(view), "a view is prepared by its leader");
        self.raise(view, out);
        let aru = self.log.commit();
        self.state = State::LeaderElection(Election::to_prepare(Preparing {
            aru,
            tally: Tally::default(),
            found: BTreeMap::new(),
            snapshot: (Slot::ZERO, self.me),
        }));
        out.send(self.me, Message::Prepare { view, aru });
        self.repeat_prepare(out);
    }

    /// Asks everybody who has not answered, and for the snapshot that is still missing.
    pub(super) fn repeat_prepare(&mut self, out: &mut Outbox<Psb>) {
        let view = self.installed;
        let Some(Preparing { aru, tally, .. }) = self.preparing() else { return };
        let (aru, tally) = (*aru, *tally);
        for node in self.others().filter(|node| !tally.voters().contains(*node)) {
            out.send(node, Message::Prepare { view, aru });
        }
        if self.config.nodes > 1 {
            out.set_timer(RETRANSMIT, PATIENCE.0, PATIENCE.1);
        }
        self.fetch_snapshot(out);
    }

    fn preparing(&mut self) -> Option<&mut Preparing> {
        match &mut self.state {
            State::LeaderElection(Election { preparing, .. }) => preparing.as_deref_mut(),
            State::RegLeader(_) | State::RegNonleader => None,
        }
    }

    /// Installs the leader's view, durably before it answers, and tells what it holds. A Prepare that comes
    /// again is answered again.
    pub(super) fn on_prepare(&mut self, view: View, aru: Slot, out: &mut Outbox<Psb>) {
        let leader = view.leader(self.config.nodes);
        if leader == self.me {
            // Held back until the view was durable: it is used now, and in no later life again.
            out.observe(Observation::BallotUsed { view, from: aru.next() });
        }
        if view < self.installed {
            self.tell_view(leader, out);
            return out.ignore("Prepare of an earlier view");
        }
        if !self.config.mutants.deviates(Mutant::P19) {
            self.shift_to(view, out);
        }
        let data = Box::new(self.data_list(aru));
        out.send(leader, Message::PrepareOk { view, data });
    }

    /// All that this server holds above `aru`.
    fn data_list(&self, aru: Slot) -> DataList {
        let is_left_out =
            |is_ordered: bool| is_ordered && self.config.mutants.deviates(Mutant::P13);
        let held = self.log.suffix(aru.next());
        let reports =
            held.filter(|(_, place)| !is_left_out(place.is_decided)).map(|(slot, place)| Report {
                slot,
                view: place.ballot,
                entry: place.entry.clone(),
                is_ordered: place.is_decided,
            });
        DataList { snapshot: self.log.base(), reports: reports.collect() }
    }

    pub(super) fn on_prepare_ok(
        &mut self,
        from: NodeId,
        view: View,
        data: DataList,
        out: &mut Outbox<Psb>,
    ) {
        let (me, mutants) = (self.me, self.config.mutants);
        let is_current = view == self.installed;
        let Some(preparing) = self.preparing().filter(|_| is_current) else {
            return out.ignore("Prepare_OK for a view that is not being prepared");
        };
        let reach = data.snapshot.plus(REACH_MAX);
        if data.reports.iter().any(|report| report.slot > reach) {
            return out.ignore("Prepare_OK with slots too far beyond its snapshot");
        }
        if data.snapshot > preparing.snapshot.0 {
            preparing.snapshot = (data.snapshot, from);
        }
        for report in data.reports {
            if from == me || report.is_ordered || !mutants.deviates(Mutant::P05) {
                preparing.apply(report, mutants);
            }
        }
        preparing.tally.add(from, mutants);
        self.fetch_snapshot(out);
        self.lead_if_ready(out);
    }

    /// What a snapshot stands for is not reported: the leader must have it before it can propose anything.
    fn fetch_snapshot(&mut self, out: &mut Outbox<Psb>) {
        let (needed, from) = (self.config.majority(), self.log.commit().next());
        let Some(Preparing { tally, snapshot: (index, holder), .. }) = self.preparing() else {
            return;
        };
        if tally.count() >= needed && *index >= from {
            out.send_after(After::Nothing, *holder, Message::Fetch { from });
        }
    }

    /// Leads once a majority has answered, itself included, and every slot is accounted for.
    pub(super) fn lead_if_ready(&mut self, out: &mut Outbox<Psb>) {
        let (me, needed, commit) = (self.me, self.config.majority(), self.log.commit());
        let State::LeaderElection(Election { preparing, .. }) = &mut self.state else { return };
        let is_ready = |preparing: &Preparing| {
            preparing.tally.count() >= needed
                && preparing.tally.voters().contains(me)
                && preparing.snapshot.0 <= commit
        };
        if let Some(preparing) = preparing.take_if(|preparing| is_ready(preparing)) {
            self.lead(*preparing, out);
        }
    }

    /// `REG_LEADER` begins: installs what is ordered and proposes again, in its own view, all that was
    /// proposed, with NOOP in the holes between; new updates come after that.
    fn lead(&mut self, preparing: Preparing, out: &mut Outbox<Psb>) {
        let view = self.installed;
        let Preparing { tally, mut found, .. } = preparing;
        for (slot, report) in found.extract_if(.., |_, report| report.is_ordered) {
            self.settle(slot, report.entry, out);
        }
        let adopted = found.last_key_value().map_or(Slot::ZERO, |(slot, _)| *slot);
        let adopted = adopted.max(self.log.last());
        // Until it leads, it answers no client: what is executed here was ordered by others.
        self.execute_ordered(out);
        let commit = self.log.commit();
        out.observe(Observation::Elected { view, voters: tally.voters(), commit, adopted });
        out.mark("elected");
        out.cancel_timer(RETRANSMIT);
        self.progress.is_made = true;
        self.state = State::RegLeader(Leader::new(adopted));
        self.remove_bound(&found);
        for slot in commit.next().through(adopted) {
            if !self.log.is_decided(slot) {
                self.adopt(slot, found.remove(&slot), out);
            }
        }
        self.enqueue_pending();
        self.send_proposals(out);
    }

    /// What waits for a slot and was found in one needs no other: `Remove_Bound_Updates_From_Queue`.
    fn remove_bound(&mut self, found: &BTreeMap<Slot, Report>) {
        let mut bound: BTreeMap<ClientId, RequestNumber> = BTreeMap::new();
        for Request { client, number, .. } in found.values().filter_map(|r| r.entry.request()) {
            let known = bound.entry(*client).or_insert(*number);
            *known = *number.max(known);
        }
        self.queue.remove_bound(&bound);
    }

    fn adopt(&mut self, slot: Slot, found: Option<Report>, out: &mut Outbox<Psb>) {
        if let Some(Report { view, entry, .. }) = found {
            out.mark("adopted");
            self.propose(slot, &entry, Some(view), out);
        } else {
            out.mark("hole-filled");
            self.propose(slot, &Entry::Noop, None, out);
        }
    }
}

impl Preparing {
    /// Keeps what is ordered, or the Proposal of the latest view.
    fn apply(&mut self, report: Report, mutants: Mutants) {
        match self.found.entry(report.slot) {
            Found::Vacant(place) => {
                place.insert(report);
            }
            Found::Occupied(mut place) => {
                let held = place.get();
                let is_later = report.view > held.view && !mutants.deviates(Mutant::P06);
                if !held.is_ordered && (report.is_ordered || is_later) {
                    let _earlier = mem::replace(place.get_mut(), report);
                }
            }
        }
    }
}

//! Phase 1: one ballot for all slots.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry as Found;
use core::mem;

use super::Paxos;
use super::ballot::Ballot;
use super::entry::Entry;
use super::leader::Leader;
use super::message::{Message, Observation, Promise, Report};
use super::replica::{ELECTION, PaxosReplica, RETRANSMIT, Role};
use super::tally::Tally;
use crate::contract::{After, Micros, NodeId, Outbox};
use crate::mutant::{Mutant, Mutants};
use crate::smr::Slot;

/// A candidate, and what it has been told.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) ballot: Ballot,
    /// The first slot that it asks about.
    from: Slot,
    /// Who has promised.
    tally: Tally,
    /// In each slot that anybody reported: what is decided, or what was accepted in the highest ballot.
    found: BTreeMap<Slot, Report>,
    /// The highest snapshot that anybody has, and who. Of the slots that it stands for nothing is reported.
    snapshot: (Slot, NodeId),
}

/// No log goes on further beyond its snapshot: what an acceptor takes has a bound of its own, which is lower.
const REACH_MAX: u64 = 32_768;

/// How long to wait for promises before asking again.
const PATIENCE: (Micros, Micros) = (Micros(80_000), Micros(120_000));

impl PaxosReplica {
    /// Phase 1a: asks for promises for a ballot higher than any it has heard of.
    pub(super) fn campaign(&mut self, out: &mut Outbox<Paxos>) {
        let ballot = self.promised.max(self.highest).next(self.me, self.incarnation);
        if ballot <= self.promised {
            out.ignore("no ballot is higher than what is promised");
            return self.set_election_timer(out);
        }
        let from = self.log.commit().next();
        self.highest = ballot;
        out.observe(Observation::BallotUsed { ballot, from });
        self.promise(ballot, out);
        self.fruitless = self.fruitless.saturating_add(1);
        self.role = Role::Candidate(Candidate {
            ballot,
            from,
            tally: Tally::default(),
            found: BTreeMap::new(),
            snapshot: (Slot::ZERO, self.me),
        });
        let promise = Box::new(self.report(from));
        out.send(self.me, Message::P1b { ballot, promise });
        self.set_election_timer(out);
        self.repeat_p1a(out);
    }

    /// Asks everybody who has not promised, and for the snapshot that is still missing. The ballot is of
    /// this life only: nothing must be durable before it is told.
    pub(super) fn repeat_p1a(&mut self, out: &mut Outbox<Paxos>) {
        let Role::Candidate(candidate) = &self.role else { return };
        let Candidate { ballot, from, tally, .. } = *candidate;
        let silent = self.others().filter(|node| !tally.voters().contains(*node));
        for node in silent {
            out.send_after(After::Nothing, node, Message::P1a { ballot, from });
        }
        out.set_timer(RETRANSMIT, PATIENCE.0, PATIENCE.1);
        if tally.count() >= self.config.majority() {
            self.fetch_snapshot(out);
        }
    }

    pub(super) fn on_p1b(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        promise: Promise,
        out: &mut Outbox<Paxos>,
    ) {
        let mutants = self.config.mutants;
        let candidate = match &mut self.role {
            Role::Candidate(candidate) if candidate.ballot == ballot => candidate,
            Role::Candidate(_) | Role::Leader(_) | Role::Follower => {
                return out.ignore("P1B for a ballot that is not in phase 1");
            }
        };
        let reach = promise.snapshot.plus(REACH_MAX);
        if promise.reports.iter().any(|report| report.slot > reach) {
            return out.ignore("P1B with slots too far beyond its snapshot");
        }
        if promise.snapshot > candidate.snapshot.0 {
            candidate.snapshot = (promise.snapshot, from);
        }
        for report in promise.reports {
            if from == self.me || report.is_decided || !mutants.deviates(Mutant::P05) {
                candidate.merge(report, mutants);
            }
        }
        candidate.tally.add(from, mutants);
        if candidate.tally.count() < self.config.majority() {
            return;
        }
        self.fetch_snapshot(out);
        self.lead_if_ready(out);
    }

    /// What a snapshot stands for is not reported: the candidate must have it before it can propose anything.
    fn fetch_snapshot(&mut self, out: &mut Outbox<Paxos>) {
        let Role::Candidate(candidate) = &self.role else { return };
        let (index, holder) = candidate.snapshot;
        let from = self.log.commit().next();
        if index >= from {
            out.send_after(After::Nothing, holder, Message::Fetch { from });
        }
    }

    /// Leads once a majority has promised and every slot is accounted for.
    pub(super) fn lead_if_ready(&mut self, out: &mut Outbox<Paxos>) {
        let is_ready = match &self.role {
            Role::Candidate(candidate) => {
                candidate.tally.count() >= self.config.majority()
                    && candidate.snapshot.0 <= self.log.commit()
            }
            Role::Follower | Role::Leader(_) => false,
        };
        if is_ready && let Role::Candidate(candidate) = mem::replace(&mut self.role, Role::Follower)
        {
            self.lead(candidate, out);
        }
    }

    /// A2.2, phase 1: installs what is decided, and proposes again, in its own ballot, what was accepted;
    /// new requests come after that.
    fn lead(&mut self, candidate: Candidate, out: &mut Outbox<Paxos>) {
        let Candidate { ballot, tally, mut found, .. } = candidate;
        let decided = found.extract_if(.., |_, report| report.is_decided);
        for (slot, report) in decided.collect::<BTreeMap<_, _>>() {
            found.entry(slot).or_insert_with(|| report.clone());
            self.settle(slot, report.entry, out);
        }
        self.execute_decided(out);
        let commit = self.log.commit();
        let adopted = found.last_key_value().map_or(commit, |(slot, _)| commit.max(*slot));
        out.observe(Observation::Elected { ballot, voters: tally.voters(), commit, adopted });
        out.mark("elected");
        out.cancel_timer(ELECTION);
        self.fruitless = 0;
        self.leader = Some(ballot);
        self.role = Role::Leader(Box::new(Leader::new(ballot, adopted)));
        self.on_heartbeat_timer(out);
        for slot in commit.next().through(adopted) {
            if !self.log.is_decided(slot) {
                self.adopt(slot, found.remove(&slot), out);
            }
        }
        self.progress(out);
    }

    fn adopt(&mut self, slot: Slot, found: Option<Report>, out: &mut Outbox<Paxos>) {
        if let Some(Report { ballot, entry, .. }) = found {
            out.mark("adopted");
            self.propose(slot, entry, Some(ballot), out);
        } else {
            out.mark("hole-filled");
            self.propose(slot, Entry::Noop, None, out);
        }
    }

    /// A candidate or leader learns that a higher ballot has been promised.
    pub(super) fn on_nack(&mut self, ballot: Ballot, promised: Ballot, out: &mut Outbox<Paxos>) {
        self.highest = self.highest.max(promised);
        if self.own_ballot() != Some(ballot) || promised <= ballot {
            return out.ignore("NACK for a ballot that is not its own");
        }
        if matches!(self.role, Role::Leader(_)) {
            out.mark("leader-deposed");
        }
        self.step_down(out);
    }
}

impl Candidate {
    /// Keeps what is decided, or was accepted in the highest ballot.
    fn merge(&mut self, report: Report, mutants: Mutants) {
        match self.found.entry(report.slot) {
            Found::Vacant(place) => {
                place.insert(report);
            }
            Found::Occupied(mut place) => {
                let held = place.get();
                let is_higher = report.ballot > held.ballot && !mutants.deviates(Mutant::P06);
                if !held.is_decided && (report.is_decided || is_higher) {
                    place.insert(report);
                }
            }
        }
    }
}

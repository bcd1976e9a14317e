//! The acceptor: promises, acceptances, leases.

use alloc::boxed::Box;

use super::Paxos;
use super::ballot::Ballot;
use super::entry::Entry;
use super::message::{Message, Observation, Promise, Record, Report};
use super::replica::{PaxosReplica, Role};
use crate::contract::{After, Outbox};
use crate::mutant::Mutant;
use crate::smr::{Slot, later};

/// A slot that lies further beyond the snapshot is not taken: what is reported in one promise must fit into
/// one message. Whoever is that far behind must catch up first.
const SPAN_MAX: u64 = 8_192;

impl PaxosReplica {
    /// Phase 1b: promises unless something higher is promised, and reports. A P1A that comes again is
    /// answered again.
    pub(super) fn on_p1a(&mut self, ballot: Ballot, from: Slot, out: &mut Outbox<Paxos>) {
        self.highest = self.highest.max(ballot);
        if self.grant.withholds_from(ballot.node, self.now).is_some() {
            out.mark("vote-withheld");
            return out.ignore("P1A while another node has a lease");
        }
        if ballot < self.promised {
            let promised = self.promised;
            return out.send(ballot.node, Message::Nack { ballot, promised });
        }
        if ballot > self.promised {
            self.promise(ballot, out);
        }
        let promise = Box::new(self.report(from));
        out.send(ballot.node, Message::P1b { ballot, promise });
    }

    /// Promises a higher ballot, durably, and gives up a lower one of its own.
    pub(super) fn promise(&mut self, ballot: Ballot, out: &mut Outbox<Paxos>) {
        assert!(ballot > self.promised, "a promise never goes down");
        self.promised = ballot;
        if !self.config.mutants.deviates(Mutant::P02) {
            out.persist(Record::Promised { ballot });
        }
        out.observe(Observation::Promised { ballot, ticket: out.last_ticket().0 });
        self.yield_to_higher(out);
    }

    /// What a promise says of the slots from `from` on.
    pub(super) fn report(&self, from: Slot) -> Promise {
        let first = if self.config.mutants.deviates(Mutant::P13) {
            from.max(self.log.commit().next())
        } else {
            from
        };
        let reports = self.log.suffix(first).map(|(slot, place)| Report {
            slot,
            ballot: place.ballot,
            entry: place.entry.clone(),
            is_decided: place.is_decided,
        });
        Promise { snapshot: self.log.base(), reports: reports.collect() }
    }

    /// Phase 2b: accepts unless something higher is promised. The answer names the ballot that it answers,
    /// and says whether it was accepted.
    pub(super) fn on_p2a(
        &mut self,
        ballot: Ballot,
        (slot, entry): (Slot, Entry),
        commit: Slot,
        out: &mut Outbox<Paxos>,
    ) {
        if ballot < self.promised {
            out.mark("late-proposal");
            return self.refuse_p2a(ballot, slot, out);
        }
        self.follow(ballot, out);
        if slot.since(self.log.base()) > SPAN_MAX {
            self.learn(ballot, commit, out);
            return out.ignore("P2A too far beyond the snapshot");
        }
        if slot <= self.log.base() {
            // The snapshot stands for the entry. As an acceptance, this is a promise nevertheless.
            if ballot > self.promised {
                self.promise(ballot, out);
            }
        } else if !self.log.has_accepted(slot, ballot) {
            self.accept(slot, ballot, entry, out);
        }
        let promised = self.promised;
        out.send(ballot.node, Message::P2b { ballot, slot, ok: true, promised });
        self.learn(ballot, commit, out);
    }

    fn refuse_p2a(&mut self, ballot: Ballot, slot: Slot, out: &mut Outbox<Paxos>) {
        let promised = self.promised;
        let answer = if self.config.mutants.deviates(Mutant::P12) {
            Message::P2b { ballot: promised, slot, ok: true, promised }
        } else {
            Message::P2b { ballot, slot, ok: false, promised }
        };
        out.send(ballot.node, answer);
    }

    /// Accepts, durably: also what this node proposes itself.
    pub(super) fn accept(
        &mut self,
        slot: Slot,
        ballot: Ballot,
        entry: Entry,
        out: &mut Outbox<Paxos>,
    ) {
        if !self.config.mutants.deviates(Mutant::P03) {
            out.persist(Record::Accepted { slot, ballot, entry: entry.clone() });
        }
        self.enter(slot, ballot, entry);
        let entry = self.log.get(slot).map_or(0, |place| place.digest);
        let ticket = out.last_ticket().0;
        out.observe(Observation::Accepted { ballot, slot, entry, ticket });
    }

    /// Enters an acceptance, new or found on disk. It is a promise as well: without that, an older ballot
    /// could be accepted over it.
    pub(super) fn enter(&mut self, slot: Slot, ballot: Ballot, entry: Entry) {
        if !self.config.mutants.deviates(Mutant::P01) {
            self.promised = self.promised.max(ballot);
        }
        self.log.accept(slot, ballot, entry);
    }

    /// A leader is heard. The answer says no more than that nothing higher was promised when this came,
    /// which a crash does not take back; a lease that it grants is kept over a crash by promising nothing
    /// after a restart.
    pub(super) fn on_heartbeat(
        &mut self,
        ballot: Ballot,
        round: u64,
        commit: Slot,
        out: &mut Outbox<Paxos>,
    ) {
        if ballot < self.promised {
            let promised = self.promised;
            return out.send(ballot.node, Message::Nack { ballot, promised });
        }
        self.follow(ballot, out);
        if let Some(lease) = self.config.lease() {
            let span = lease.granted();
            self.grant.extend(ballot.node, later(self.now, span));
            out.observe(Observation::LeaseGranted { ballot, round, micros: span.0 });
        }
        out.send_after(After::Nothing, ballot.node, Message::HeartbeatOk { ballot, round });
        self.learn(ballot, commit, out);
    }

    /// Whoever sends P2As or heartbeats in a ballot leads it.
    fn follow(&mut self, ballot: Ballot, out: &mut Outbox<Paxos>) {
        assert!(ballot >= self.promised, "only a leader that may still decide is followed");
        self.highest = self.highest.max(ballot);
        if self.own_ballot() == Some(ballot) {
            return;
        }
        self.yield_to_higher(out);
        self.leader = Some(ballot);
        self.is_leader_heard = true;
        self.fruitless = 0;
    }

    /// A ballot of its own is worth nothing once there is a higher one.
    fn yield_to_higher(&mut self, out: &mut Outbox<Paxos>) {
        if matches!(self.role, Role::Leader(_)) {
            out.mark("leader-deposed");
        }
        self.step_down(out);
    }
}

//! The replica core: proposer, acceptor, learner and state machine in one node.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::Paxos;
use super::ballot::Ballot;
use super::candidate::Candidate;
use super::entry::Entry;
use super::leader::Leader;
use super::message::{Message, Observation, Record};
use super::options::Config;
use crate::contract::{
    ClientId, Incarnation, Input, LocalTime, Micros, NodeId, Outbox, Recovered, Replica, Start,
    StartError, TimerId,
};
use crate::mutant::Mutant;
use crate::smr::{Grant, Log, Machine, Relay, Request, Slot, Snapshot, later};

/// One node of the replicated state machine.
#[derive(Debug)]
pub struct PaxosReplica {
    pub(super) me: NodeId,
    pub(super) incarnation: Incarnation,
    pub(super) config: Config,
    /// The local clock at the present step.
    pub(super) now: LocalTime,
    pub(super) role: Role,
    /// As acceptor: nothing below is accepted, in any slot.
    pub(super) promised: Ballot,
    /// As acceptor: to whom it has granted a lease.
    pub(super) grant: Grant,
    /// As acceptor and learner: what it accepted, and what it knows to be decided.
    pub(super) log: Log<Ballot, Entry>,
    /// As learner: the state after all slots executed so far.
    pub(super) machine: Machine,
    /// As learner: the state that stands for the slots no longer in the log.
    pub(super) snapshot: Box<Snapshot>,
    /// As learner: every slot up to it is decided, as some leader said.
    pub(super) heard_commit: Slot,
    /// As learner: whether the timer runs that asks for decided entries.
    pub(super) is_fetching: bool,
    /// As learner: how often it has asked without an answer.
    pub(super) unanswered: u32,
    /// As whom clients ask that do not reach the leader.
    pub(super) relay: Relay,
    /// The highest ballot it has heard of.
    pub(super) highest: Ballot,
    /// The ballot of the leader it last heard from.
    pub(super) leader: Option<Ballot>,
    /// Whether it has heard from a leader since the election timer was set.
    pub(super) is_leader_heard: bool,
    /// How many ballots in a row it has tried in vain.
    pub(super) fruitless: u32,
}

/// What a node does as proposer.
#[derive(Debug)]
pub(super) enum Role {
    /// Nothing: another leads, or nobody does.
    Follower,
    /// It runs phase 1.
    Candidate(Candidate),
    /// It runs phase 2.
    Leader(Box<Leader>),
}

/// Fires when no leader was heard.
pub(super) const ELECTION: TimerId = TimerId(0);
/// The leader's: begin the next round of heartbeats.
pub(super) const HEARTBEAT: TimerId = TimerId(1);
/// The proposer's: send again what was not answered.
pub(super) const RETRANSMIT: TimerId = TimerId(2);
/// The learner's: ask for decided entries.
pub(super) const FETCH: TimerId = TimerId(3);

/// How long nobody leads before a follower tries to. A wide span: two that try at once hinder each other.
const ELECTION_SPAN: (Micros, Micros) = (Micros(300_000), Micros(600_000));
/// So often may that span double for whoever tries in vain.
const DOUBLINGS_MAX: u32 = 2;

impl Replica<Paxos> for PaxosReplica {
    fn start(start: Start<Paxos>, out: &mut Outbox<Paxos>) -> Result<Self, StartError> {
        let Start { me, incarnation, config, now, records, .. } = start;
        // An earlier life may have granted a lease, and nothing of that is on disk.
        let grant = match config.lease() {
            Some(lease) if incarnation > Incarnation(1) => {
                Grant::unknown(later(now, lease.granted()))
            }
            Some(_) | None => Grant::default(),
        };
        let mut replica = Self {
            me,
            incarnation,
            config,
            now,
            role: Role::Follower,
            promised: Ballot::ZERO,
            grant,
            log: Log::default(),
            machine: Machine::default(),
            snapshot: Box::default(),
            heard_commit: Slot::ZERO,
            is_fetching: false,
            unanswered: 0,
            relay: Relay::default(),
            highest: Ballot::ZERO,
            leader: None,
            is_leader_heard: false,
            fruitless: 0,
        };
        for record in records {
            match record {
                Recovered::Intact(record) => replica.recover(record),
                Recovered::Corrupt { .. } if replica.config.mutants.deviates(Mutant::P26) => break,
                // What it said may have made a majority: without it, the majority may be none.
                Recovered::Corrupt { place } => return Err(StartError::CorruptRecord { place }),
            }
        }
        replica.machine = Machine::new((*replica.snapshot).clone());
        replica.execute_decided(out);
        replica.set_election_timer(out);
        replica.assert_invariants();
        Ok(replica)
    }

    fn step(&mut self, now: LocalTime, input: Input<Message>, out: &mut Outbox<Paxos>) {
        self.now = now;
        match input {
            Input::Message { from, message } => self.on_message(from, message, out),
            Input::Request { client, message } => self.on_client_message(client, message, out),
            // Nothing is done on durability but to send what waited for it.
            Input::Persisted(_) => {}
            Input::Timer(id) => self.on_timer(id, out),
        }
        self.assert_invariants();
    }

    fn checkpoint(&self) -> Vec<Record> {
        let mut records = Vec::new();
        if self.snapshot.index > Slot::ZERO {
            records.push(Record::Snapshot { snapshot: self.snapshot.clone() });
        }
        for (slot, place) in self.log.suffix(Slot::ZERO) {
            let entry = place.entry.clone();
            records.push(match place.ballot {
                Ballot::ZERO => Record::Decided { slot, entry },
                ballot => Record::Accepted { slot, ballot, entry },
            });
        }
        if !self.promised.is_zero() {
            records.push(Record::Promised { ballot: self.promised });
        }
        records
    }
}

impl PaxosReplica {
    fn recover(&mut self, record: Record) {
        match record {
            Record::Promised { ballot } => self.promised = self.promised.max(ballot),
            Record::Accepted { slot, ballot, entry } => self.enter(slot, ballot, entry),
            Record::Decided { slot, entry } => self.log.settle(slot, entry),
            Record::Snapshot { snapshot } => {
                self.log.truncate(snapshot.index);
                self.snapshot = snapshot;
            }
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, out: &mut Outbox<Paxos>) {
        match message {
            Message::P1a { ballot, from: first } if ballot.node == from => {
                self.on_p1a(ballot, first, out);
            }
            Message::Relay { client, number, command } => {
                self.on_relay(Request { client, number, command }, out);
            }
            Message::P1b { ballot, promise } => self.on_p1b(from, ballot, *promise, out),
            Message::Nack { ballot, promised } => self.on_nack(ballot, promised, out),
            Message::P2a { ballot, slot, entry, commit } if ballot.node == from => {
                self.on_p2a(ballot, (slot, entry), commit, out);
            }
            Message::P2b { ballot, slot, ok: true, promised: _ } => {
                self.on_p2b(from, ballot, slot, out);
            }
            Message::P2b { ballot, slot: _, ok: false, promised } => {
                self.on_nack(ballot, promised, out);
            }
            Message::Heartbeat { ballot, round, commit } if ballot.node == from => {
                self.on_heartbeat(ballot, round, commit, out);
            }
            Message::HeartbeatOk { ballot, round } => {
                self.on_heartbeat_ok(from, ballot, round, out);
            }
            Message::Fetch { from: first } => self.on_fetch(from, first, out),
            Message::FetchOk { from: first, entries } => {
                self.on_fetch_ok(from, first, entries, out);
            }
            Message::Snapshot { snapshot } => self.on_snapshot(snapshot, out),
            Message::P1a { .. } | Message::P2a { .. } | Message::Heartbeat { .. } => {
                out.ignore("a ballot that is not the sender's");
            }
            Message::Request { .. } | Message::Reply { .. } | Message::Redirect { .. } => {
                out.ignore("not for a node");
            }
        }
    }

    fn on_client_message(&mut self, client: ClientId, message: Message, out: &mut Outbox<Paxos>) {
        match message {
            Message::Request { number, command } => self.on_request(client, number, command, out),
            Message::Reply { .. }
            | Message::Redirect { .. }
            | Message::Relay { .. }
            | Message::P1a { .. }
            | Message::P1b { .. }
            | Message::Nack { .. }
            | Message::P2a { .. }
            | Message::P2b { .. }
            | Message::Heartbeat { .. }
            | Message::HeartbeatOk { .. }
            | Message::Fetch { .. }
            | Message::FetchOk { .. }
            | Message::Snapshot { .. } => out.ignore("not from a client"),
        }
    }

    fn on_timer(&mut self, id: TimerId, out: &mut Outbox<Paxos>) {
        match id {
            ELECTION => self.on_election_timer(out),
            HEARTBEAT => self.on_heartbeat_timer(out),
            RETRANSMIT => self.on_retransmit_timer(out),
            FETCH => self.on_fetch_timer(out),
            _ => out.ignore("timer without a meaning"),
        }
    }

    /// A leader that was heard gets another span: that is cheaper than to set the timer anew with each of
    /// its messages.
    fn on_election_timer(&mut self, out: &mut Outbox<Paxos>) {
        if matches!(self.role, Role::Leader(_)) {
            return out.ignore("election timer of a leader");
        }
        if self.is_leader_heard {
            return self.set_election_timer(out);
        }
        // Its own promise would break the lease that it has granted.
        if let Some(left) = self.grant.withholds_from(self.me, self.now) {
            let (min, max) = ELECTION_SPAN;
            return out.set_timer(ELECTION, left, Micros(left.0 + (max.0 - min.0)));
        }
        self.campaign(out);
    }

    /// Waits for a leader to be heard: the longer, the more ballots were tried in vain.
    pub(super) fn set_election_timer(&mut self, out: &mut Outbox<Paxos>) {
        self.is_leader_heard = false;
        let factor = 1 << self.fruitless.min(DOUBLINGS_MAX);
        let (min, max) = ELECTION_SPAN;
        out.set_timer(ELECTION, min, Micros(max.0 * factor));
    }

    fn on_retransmit_timer(&mut self, out: &mut Outbox<Paxos>) {
        match self.role {
            Role::Follower => out.ignore("nothing to send again"),
            Role::Candidate(_) => self.repeat_p1a(out),
            Role::Leader(_) => self.repeat_p2a(out),
        }
    }

    /// Gives up the ballot of its own, if it has one.
    pub(super) fn step_down(&mut self, out: &mut Outbox<Paxos>) {
        let ballot = match mem::replace(&mut self.role, Role::Follower) {
            Role::Follower => return,
            Role::Candidate(candidate) => candidate.ballot,
            Role::Leader(leader) => {
                out.cancel_timer(HEARTBEAT);
                let successor = (self.highest > leader.ballot).then_some(self.highest.node);
                leader.dismiss(successor, out);
                leader.ballot
            }
        };
        out.observe(Observation::SteppedDown { ballot });
        out.cancel_timer(RETRANSMIT);
        self.set_election_timer(out);
    }

    /// The ballot that it tries, or leads in.
    pub(super) fn own_ballot(&self) -> Option<Ballot> {
        match &self.role {
            Role::Follower => None,
            Role::Candidate(candidate) => Some(candidate.ballot),
            Role::Leader(leader) => Some(leader.ballot),
        }
    }

    /// All nodes but this one.
    pub(super) fn others(&self) -> impl Iterator<Item = NodeId> + use<> {
        let me = self.me;
        self.config.nodes().filter(move |node| *node != me)
    }

    fn assert_invariants(&self) {
        assert!(self.log.base() == self.snapshot.index, "a snapshot stands for what is truncated");
        assert!(self.machine.applied() >= self.log.commit(), "what is decided is executed");
        match &self.role {
            Role::Follower => {}
            Role::Candidate(Candidate { ballot, .. }) => {
                assert!(*ballot == self.promised, "a candidate has promised its own ballot");
            }
            Role::Leader(leader) => {
                assert!(leader.ballot == self.promised, "a leader has promised its own ballot");
                leader.assert_invariants(self.log.commit());
            }
        }
    }
}

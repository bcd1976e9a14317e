//! Reads without the log: by a round that confirms the leader, or by its lease.

use super::Paxos;
use super::ballot::Ballot;
use super::message::{Message, Observation};
use super::replica::{PaxosReplica, Role};
use crate::contract::{After, ClientId, Command, NodeId, Outbox};
use crate::mutant::Mutant;
use crate::smr::{Confirmed, RequestNumber, Slot, later};

/// A read that waits until a round has confirmed that its leader led after the read came.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) client: ClientId,
    pub(super) number: RequestNumber,
    command: Command,
    /// This round, or a later one.
    round: u64,
    /// All that was answered before the read came stands in slots up to here.
    index: Slot,
}

impl Read {
    pub(super) fn new(client: ClientId, number: RequestNumber, command: Command) -> Self {
        Self { client, number, command, round: 0, index: Slot::ZERO }
    }
}

/// So many reads may wait. A client has one open at a time, and asks again for what is dropped.
const READS_MAX: usize = 1_024;

impl PaxosReplica {
    /// Answers a read at once if a lease allows it; otherwise it waits for a round that begins after now.
    pub(super) fn on_read(&mut self, mut read: Read, out: &mut Outbox<Paxos>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let is_current = self.machine.applied() >= leader.adopted;
        let is_leased = is_current && leader.rounds.holds_lease(self.now);
        if is_leased {
            return self.serve(&read, true, out);
        }
        if leader.reads.len() >= READS_MAX {
            return out.ignore("REQUEST while too many reads wait");
        }
        leader.reads.retain(|waiting| waiting.client != read.client);
        read.round = leader.rounds.started() + 1;
        read.index = self.log.commit().max(leader.adopted);
        leader.reads.push_back(read);
        self.begin_read_round(out);
    }

    /// Begins a round for reads that wait, one at a time: those that come meanwhile share the next.
    fn begin_read_round(&mut self, out: &mut Outbox<Paxos>) {
        let Role::Leader(leader) = &self.role else { return };
        let started = leader.rounds.started();
        let rounds = &leader.rounds;
        let is_under_way = leader
            .reads
            .iter()
            .any(|read| read.round <= started && !rounds.has_confirmed(read.round));
        let is_needed = leader.reads.iter().any(|read| read.round > started);
        if is_needed && !is_under_way {
            self.begin_round(out);
        }
    }

    /// Sends a heartbeat to everybody, and counts the leader's own answer.
    pub(super) fn begin_round(&mut self, out: &mut Outbox<Paxos>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let ballot = leader.ballot;
        let round = leader.rounds.start(self.now);
        let commit = self.log.commit();
        for node in self.others() {
            out.send_after(After::Nothing, node, Message::Heartbeat { ballot, round, commit });
        }
        self.on_heartbeat_ok(self.me, ballot, round, out);
    }

    pub(super) fn on_heartbeat_ok(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        round: u64,
        out: &mut Outbox<Paxos>,
    ) {
        let leader = match &mut self.role {
            Role::Leader(leader) if leader.ballot == ballot => leader,
            Role::Leader(_) | Role::Candidate(_) | Role::Follower => {
                return out.ignore("HEARTBEAT_OK for a ballot that is not in phase 2");
            }
        };
        let (majority, mutants) = (self.config.majority(), self.config.mutants);
        let confirmed = leader.rounds.answer(round, |tally| {
            tally.add(from, mutants);
            tally.count() >= majority
        });
        let Some(Confirmed { round, sent, tally }) = confirmed else { return };
        leader.silent = 0;
        if let Some(lease) = self.config.lease() {
            leader.rounds.extend_lease(if mutants.deviates(Mutant::P21) {
                later(self.now, lease.length)
            } else {
                later(sent, lease.held())
            });
        }
        let left = leader.rounds.lease_left(self.now);
        if left.0 > 0 {
            let (micros, voters) = (left.0, tally.voters());
            out.observe(Observation::LeaseTaken { ballot, round, micros, voters });
        }
        self.serve_reads(out);
    }

    /// Answers the reads whose round is confirmed and whose slots are executed.
    pub(super) fn serve_reads(&mut self, out: &mut Outbox<Paxos>) {
        let applied = self.machine.applied();
        loop {
            let Role::Leader(leader) = &mut self.role else { return };
            let rounds = &leader.rounds;
            let is_ready = |read: &Read| rounds.has_confirmed(read.round) && read.index <= applied;
            let Some(place) = leader.reads.iter().position(is_ready) else { break };
            let Some(read) = leader.reads.remove(place) else { break };
            self.serve(&read, false, out);
        }
        self.begin_read_round(out);
    }

    pub(super) fn serve(&mut self, read: &Read, by_lease: bool, out: &mut Outbox<Paxos>) {
        let Role::Leader(leader) = &self.role else { return };
        let Some(outcome) = self.machine.look(&read.command) else { return };
        let (ballot, applied) = (leader.ballot, self.machine.applied());
        out.mark(if by_lease { "lease-read" } else { "round-read" });
        out.observe(Observation::ReadServed { ballot, applied, by_lease });
        let reply = Message::Reply { number: read.number, outcome };
        out.reply_after(After::Nothing, read.client, reply);
    }
}

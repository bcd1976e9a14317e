//! The invariants of Multi-Paxos: what its nodes do, in the words of a replicated log.

#[cfg(test)]
mod tests;

use quorate_systems::contract::{ClientId, NodeId};
use quorate_systems::paxos::{Config, Entry, Message, Observation, Paxos, Record, Report};
use quorate_systems::smr::Request;

use super::replicated_log::{
    Deed, P_I1, P_I2, P_I3, P_I4, P_I5, P_I6, P_I7, P_I8, P_I9, P_I10, P_I11, P_I12, ReplicatedLog,
    Replicates, Reported,
};
use super::{Broken, Invariants, Seen, Watched};

impl Watched for Paxos {
    type Invariants = PaxosInvariants;
}

/// P-I1 to P-I12, with what they must remember.
#[derive(Debug)]
pub struct PaxosInvariants {
    log: ReplicatedLog,
}

impl Invariants<Paxos> for PaxosInvariants {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        (
            P_I1,
            "what an acceptor has promised never gets lower, it accepts nothing below it, and \
             keeps both over restarts",
        ),
        (P_I2, "an acceptor has promised the ballot that it accepts in"),
        (P_I3, "there is one entry for each slot and ballot"),
        (P_I4, "a ballot is used by one life of one node"),
        (
            P_I5,
            "a proposal stands on a majority of promises for its ballot, and has the entry of the \
             highest ballot among what they told of its slot, or a submitted one or NOOP where \
             they told none",
        ),
        (P_I6, "one entry is decided in each slot"),
        (P_I7, "what is decided was submitted by a client, or is NOOP"),
        (P_I8, "a replica executes slot after slot, and all replicas the same history"),
        (P_I9, "a request takes effect in one slot, the same at every replica"),
        (P_I10, "no promise and no acceptance leaves an acceptor before it is durable"),
        (
            P_I11,
            "when an entry is known to be decided in a slot, a majority holds it durably, accepted \
             in that ballot or a higher one, or decided, or in a snapshot",
        ),
        (
            P_I12,
            "no read is answered by the lease of a ballot once another node leads in a higher one",
        ),
    ];

    fn new(config: &Config) -> Self {
        Self { log: ReplicatedLog::new(config.nodes) }
    }

    fn reset(&mut self, config: &Config) {
        self.log.reset(config.nodes);
    }

    fn see(&mut self, seen: &Seen<'_, Paxos>, broken: &mut Vec<Broken>) {
        self.log.see(seen, broken);
    }

    fn progress(&self) -> u64 {
        self.log.progress()
    }
}

impl Replicates for Paxos {
    fn submitted(client: ClientId, message: &Message) -> Option<u64> {
        let Message::Request { number, command } = message else { return None };
        let (number, command) = (*number, command.clone());
        Some(Entry::Request(Request { client, number, command }).digest())
    }

    fn deed(_log: &ReplicatedLog, record: &Record) -> Option<Deed> {
        Some(match record {
            Record::Promised { ballot } => Deed::Promised(*ballot),
            Record::Accepted { slot, ballot, entry } => {
                Deed::Accepted { slot: *slot, ballot: *ballot, entry: entry.digest() }
            }
            Record::Decided { slot, entry } => Deed::Decided { slot: *slot, entry: entry.digest() },
            Record::Snapshot { snapshot } => {
                Deed::Snapshot { index: snapshot.index, chain: snapshot.chain }
            }
        })
    }

    fn sent(log: &mut ReplicatedLog, by: NodeId, message: &Message, broken: &mut Vec<Broken>) {
        match message {
            Message::P1a { ballot, .. } | Message::Heartbeat { ballot, .. } => {
                log.uses(by, *ballot, broken);
            }
            Message::P1b { ballot, promise } => {
                let reports = promise.reports.iter().map(reported);
                log.promise_sent(by, *ballot, promise.snapshot, reports, broken);
            }
            Message::P2a { ballot, slot, entry, commit: _ } => {
                log.proposed(by, (*slot, *ballot), entry.digest(), broken);
            }
            Message::P2b { ballot, slot, ok: true, promised } => {
                log.acceptance_sent(by, (*slot, *ballot), Some(*promised), broken);
            }
            Message::P2b { ok: false, .. }
            | Message::Request { .. }
            | Message::Reply { .. }
            | Message::Redirect { .. }
            | Message::Relay { .. }
            | Message::Nack { .. }
            | Message::HeartbeatOk { .. }
            | Message::Fetch { .. }
            | Message::FetchOk { .. }
            | Message::Snapshot { .. } => {}
        }
    }

    fn observed(
        log: &mut ReplicatedLog,
        by: NodeId,
        observation: &Observation,
        broken: &mut Vec<Broken>,
    ) {
        match *observation {
            Observation::BallotUsed { ballot, from } => log.begun(by, ballot, from, broken),
            Observation::Elected { ballot, voters, commit: _, adopted: _ } => {
                log.elected(by, ballot, voters, broken);
            }
            Observation::Proposed { ballot, slot, entry, adopted: _ } => {
                log.proposed(by, (slot, ballot), entry, broken);
            }
            Observation::Decided { ballot, slot, entry, voters } => {
                log.decided(by, (slot, ballot), entry, voters, broken);
            }
            // The leader may know it from an earlier ballot than its own.
            Observation::Learned { slot, entry, ballot: _ } => log.learned(by, slot, entry, broken),
            Observation::Executed { slot, chain, request, is_first } => {
                log.executed(by, (slot, chain), request, is_first, broken);
            }
            Observation::SnapshotTaken { index, chain, ticket: _ }
            | Observation::SnapshotInstalled { index, chain, ticket: _ } => {
                log.snapshot(by, index, chain, broken);
            }
            Observation::LeaseTaken { ballot, .. } => log.leased(ballot),
            Observation::ReadServed { ballot, applied: _, by_lease: true } => {
                log.read_by_lease(by, ballot, broken);
            }
            // What acceptors do is seen by their records, and by what they send.
            Observation::Promised { .. }
            | Observation::Accepted { .. }
            | Observation::LeaseGranted { .. }
            | Observation::ReadServed { by_lease: false, .. }
            | Observation::SteppedDown { .. } => {}
        }
    }
}

fn reported(report: &Report) -> Reported {
    Reported {
        slot: report.slot,
        ballot: report.ballot,
        entry: report.entry.digest(),
        is_decided: report.is_decided,
    }
}

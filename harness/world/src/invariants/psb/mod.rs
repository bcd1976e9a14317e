//! The invariants of Paxos for System Builders: what its servers do, in the words of a replicated log. A view
//! is a ballot that belongs to a server, and to no life of it: to install it is to promise it.

#[cfg(test)]
mod tests;

use quorate_systems::contract::{ClientId, Incarnation, NodeId};
use quorate_systems::paxos::{Ballot, Entry};
use quorate_systems::psb::{Config, Message, Observation, Psb, Record, Report, View};

use super::replicated_log::{
    Deed, P_I1, P_I3, P_I4, P_I5, P_I6, P_I7, P_I8, P_I9, P_I10, P_I11, ReplicatedLog, Replicates,
    Reported,
};
use super::{Broken, Invariants, Seen, Watched};

impl Watched for Psb {
    type Invariants = PsbInvariants;
}

/// P-I1, P-I3 to P-I11, with what they must remember. P-I2 has nothing to look at: what a server accepts in is
/// the view that it has installed, and P-I1 sees both; and there are no leases.
#[derive(Debug)]
pub struct PsbInvariants {
    log: ReplicatedLog,
}

impl Invariants<Psb> for PsbInvariants {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        (
            P_I1,
            "no server goes back to a view before one that it has installed, or accepts in one, \
             restarts included",
        ),
        (P_I3, "there is one entry for each slot and view"),
        (P_I4, "a view is led by its leader"),
        (
            P_I5,
            "a Proposal stands on a majority that installed its view, and has the entry of the \
             latest view among what they told of its slot, or a submitted one or NOOP where they \
             told none",
        ),
        (P_I6, "one entry is ordered in each slot"),
        (P_I7, "what is ordered was submitted by a client, or is NOOP"),
        (P_I8, "a server executes slot after slot, and all servers the same history"),
        (P_I9, "an update takes effect in one slot, the same at every server"),
        (P_I10, "no Prepare_OK, Proposal or Accept leaves a server before it is durable"),
        (
            P_I11,
            "when an entry is known to be ordered in a slot, a majority holds it durably, accepted \
             in that view or a later one, or ordered, or in a snapshot",
        ),
    ];

    fn new(config: &Config) -> Self {
        Self { log: ReplicatedLog::new(config.nodes) }
    }

    fn reset(&mut self, config: &Config) {
        self.log.reset(config.nodes);
    }

    fn see(&mut self, seen: &Seen<'_, Psb>, broken: &mut Vec<Broken>) {
        self.log.see(seen, broken);
    }

    fn progress(&self) -> u64 {
        self.log.progress()
    }
}

impl Replicates for Psb {
    fn submitted(_client: ClientId, message: &Message) -> Option<u64> {
        let Message::ClientUpdate { update } = message else { return None };
        Some(Entry::Request(update.clone()).digest())
    }

    fn deed(log: &ReplicatedLog, record: &Record) -> Option<Deed> {
        Some(match record {
            Record::Installed { view } => Deed::Promised(ballot(log.nodes(), *view)),
            Record::Accepted { slot, view, entry } => Deed::Accepted {
                slot: *slot,
                ballot: ballot(log.nodes(), *view),
                entry: entry.digest(),
            },
            Record::Ordered { slot, entry } => Deed::Decided { slot: *slot, entry: entry.digest() },
            Record::Pending { update: _ } => return None,
            Record::Snapshot { snapshot } => {
                Deed::Snapshot { index: snapshot.index, chain: snapshot.chain }
            }
        })
    }

    fn sent(log: &mut ReplicatedLog, by: NodeId, message: &Message, broken: &mut Vec<Broken>) {
        match message {
            Message::Prepare { view, aru: _ } => {
                let ballot = ballot(log.nodes(), *view);
                log.uses(by, ballot, broken);
            }
            Message::PrepareOk { view, data } => {
                let ballot = ballot(log.nodes(), *view);
                let nodes = log.nodes();
                let reports = data.reports.iter().map(|report| reported(nodes, report));
                log.promise_sent(by, ballot, data.snapshot, reports, broken);
            }
            Message::Proposal { view, slot, entry } => {
                let ballot = ballot(log.nodes(), *view);
                log.proposed(by, (*slot, ballot), entry.digest(), broken);
                // Whoever proposes has accepted, and counts.
                log.acceptance_sent(by, (*slot, ballot), None, broken);
            }
            Message::Accept { view, slot, entry: _ } => {
                let ballot = ballot(log.nodes(), *view);
                log.acceptance_sent(by, (*slot, ballot), None, broken);
            }
            Message::ClientUpdate { .. }
            | Message::Reply { .. }
            | Message::ViewChange { .. }
            | Message::VcProof { .. }
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
            Observation::BallotUsed { view, from } => {
                let ballot = ballot(log.nodes(), view);
                log.begun(by, ballot, from, broken);
            }
            Observation::Elected { view, voters, commit: _, adopted: _ } => {
                let ballot = ballot(log.nodes(), view);
                log.elected(by, ballot, voters, broken);
            }
            Observation::Proposed { view, slot, entry, adopted: _ } => {
                let ballot = ballot(log.nodes(), view);
                log.proposed(by, (slot, ballot), entry, broken);
            }
            Observation::Decided { view, slot, entry, voters } => {
                let ballot = ballot(log.nodes(), view);
                log.decided(by, (slot, ballot), entry, voters, broken);
            }
            Observation::Learned { slot, entry } => log.learned(by, slot, entry, broken),
            Observation::Executed { slot, chain, request, is_first } => {
                log.executed(by, (slot, chain), request, is_first, broken);
            }
            Observation::SnapshotTaken { index, chain, ticket: _ }
            | Observation::SnapshotInstalled { index, chain, ticket: _ } => {
                log.snapshot(by, index, chain, broken);
            }
            // What servers install and accept is seen by their records, and by what they send.
            Observation::Promised { .. }
            | Observation::Accepted { .. }
            | Observation::SteppedDown { .. } => {}
        }
    }
}

fn ballot(nodes: u16, view: View) -> Ballot {
    Ballot { round: view.0, node: view.leader(nodes), incarnation: Incarnation(0) }
}

fn reported(nodes: u16, report: &Report) -> Reported {
    Reported {
        slot: report.slot,
        ballot: ballot(nodes, report.view),
        entry: report.entry.digest(),
        is_decided: report.is_ordered,
    }
}

//! What is durable at each acceptor: a promise is for good (P-I1), to accept is to promise (P-I2), and nobody is
//! told of what is not durable (P-I10).
//!
//! The image of a disk is what was found on it at the last start and what has become durable since, and never
//! what a node has in memory only.

use quorate_systems::contract::{Incarnation, NodeId, Ticket};
use quorate_systems::paxos::Ballot;
use quorate_systems::smr::Slot;

use super::attempts::Reported;
use super::nodes::{Deed, Disk, Node, Standing};
use super::places::Holding;
use super::{P_I1, P_I2, P_I10, ReplicatedLog, Who, name};
use crate::invariants::Broken;

impl ReplicatedLog {
    /// A node comes up: what was not durable may be gone, and what its disk holds will be told.
    pub(in crate::invariants) fn started(&mut self, by: NodeId, incarnation: Incarnation) {
        if self.is_blind {
            return;
        }
        let Some(node) = self.node(by) else { return };
        node.start(incarnation);
        for (_, held) in self.places.of(by) {
            held.asked = Holding::default();
        }
    }

    /// A record was on its disk.
    pub(in crate::invariants) fn found(&mut self, by: NodeId, deed: Deed) {
        if !self.is_blind {
            self.ask(by, deed);
        }
    }

    /// The node shows its first sign of life: all that its disk holds was told.
    pub(super) fn end_recovery(&mut self, by: NodeId, broken: &mut Vec<Broken>) {
        let Some(node) = self.node(by) else { return };
        node.standing = Standing::Judged;
        let Disk { promised, snapshot } = std::mem::replace(&mut node.durable, node.asked);
        let found = node.asked;
        let had = promised.max(node.told);
        // Said once, and not again with every answer.
        node.told = node.told.min(found.promised);
        node.applied = found.snapshot;
        let mut lost = None;
        for (slot, held) in self.places.of(by) {
            let before = std::mem::replace(&mut held.durable, held.asked);
            if slot > found.snapshot && !held.asked.covers(&before) {
                lost = lost.or(Some(slot));
            }
        }
        let by = Who::Node(by);
        let what = if found.promised < had {
            let promised = name(found.promised);
            format!("{by} restarts with promise {promised}, and had promised {}", name(had))
        } else if let Some(slot) = lost {
            format!("{by} restarts without what it held in {slot}")
        } else if found.snapshot < snapshot {
            format!("{by} restarts without its snapshot up to {snapshot}")
        } else {
            return;
        };
        broken.push(Broken { invariant: P_I1, by: vec![by], what });
    }

    /// A node asked for a record to be made durable.
    pub(in crate::invariants) fn persisted(
        &mut self,
        by: NodeId,
        ticket: Ticket,
        deed: Deed,
        broken: &mut Vec<Broken>,
    ) {
        self.ask(by, deed);
        match deed {
            Deed::Accepted { slot, ballot, entry } => {
                self.valued(by, (slot, ballot), entry, broken);
            }
            Deed::Decided { slot, entry } => self.known(by, slot, entry, broken),
            Deed::Promised(_) | Deed::Snapshot { .. } => {}
        }
        let Some(node) = self.node(by) else { return };
        let is_remembered = node.persist(ticket, deed);
        self.is_blind |= !is_remembered;
    }

    fn ask(&mut self, by: NodeId, deed: Deed) {
        let Some(node) = self.node(by) else { return };
        node.asked.add(deed);
        if let Deed::Accepted { slot, .. } | Deed::Decided { slot, .. } = deed
            && let Some(held) = self.places.held(slot, by)
        {
            held.asked.add(deed);
        }
    }

    /// All that a node asked for up to this ticket is durable.
    pub(in crate::invariants) fn durable(
        &mut self,
        by: NodeId,
        ticket: Ticket,
        broken: &mut Vec<Broken>,
    ) {
        let Some(node) = self.node(by) else { return };
        node.advance(ticket);
        while let Some(deed) = self.node(by).and_then(Node::next_durable) {
            self.durable_deed(by, deed, broken);
        }
    }

    fn durable_deed(&mut self, by: NodeId, deed: Deed, broken: &mut Vec<Broken>) {
        let Some(node) = self.node(by) else { return };
        let promised = node.durable.promised;
        node.durable.add(deed);
        let (does, ballot) = match deed {
            Deed::Promised(ballot) => ("promises", ballot),
            Deed::Accepted { slot, ballot, .. } => {
                if let Some(held) = self.places.held(slot, by) {
                    held.durable.add(deed);
                }
                ("accepts in", ballot)
            }
            Deed::Decided { slot, .. } => {
                if let Some(held) = self.places.held(slot, by) {
                    held.durable.add(deed);
                }
                return;
            }
            Deed::Snapshot { .. } => return,
        };
        if promised > ballot {
            let (ballot, promised) = (name(ballot), name(promised));
            let what = format!("{by} {does} {ballot}, and had promised {promised}");
            broken.push(Broken { invariant: P_I1, by: vec![Who::Node(by)], what });
        }
    }

    /// An acceptor promises, and reports. Its snapshot reaches up to `snapshot`.
    pub(in crate::invariants) fn promise_sent(
        &mut self,
        by: NodeId,
        ballot: Ballot,
        snapshot: Slot,
        reports: impl Iterator<Item = Reported>,
        broken: &mut Vec<Broken>,
    ) {
        self.told(by, "promises", ballot, broken);
        let Some(node) = self.node(by) else { return };
        let disk = node.durable;
        if disk.promised < ballot {
            let (ballot, holds) = (name(ballot), name(disk.promised));
            let what = format!("{by} promises {ballot}, and its disk holds {holds}");
            broken.push(Broken { invariant: P_I10, by: vec![Who::Node(by)], what });
        } else if disk.snapshot < snapshot {
            let what = format!(
                "{by} tells of a snapshot up to {snapshot}, and its disk holds one up to {}",
                disk.snapshot
            );
            broken.push(Broken { invariant: P_I10, by: vec![Who::Node(by)], what });
        }
        if let Some(attempt) = self.attempts.get(ballot) {
            attempt.promise(by, snapshot);
        }
        for report in reports {
            if let Some(attempt) = self.attempts.get(ballot) {
                attempt.report(by, report);
            }
            self.reported(by, report, broken);
        }
    }

    fn reported(&mut self, by: NodeId, report: Reported, broken: &mut Vec<Broken>) {
        let Reported { slot, ballot, entry, is_decided } = report;
        if is_decided {
            self.known(by, slot, entry, broken);
        }
        if !ballot.is_zero() {
            self.valued(by, (slot, ballot), entry, broken);
            self.require_accepted(by, slot, ballot, broken);
        }
    }

    /// An acceptor has accepted, and says in passing what it has promised.
    pub(in crate::invariants) fn acceptance_sent(
        &mut self,
        by: NodeId,
        (slot, ballot): (Slot, Ballot),
        promised: Option<Ballot>,
        broken: &mut Vec<Broken>,
    ) {
        self.told(by, "accepts in", ballot, broken);
        if let Some(promised) = promised.filter(|promised| *promised < ballot) {
            let (ballot, promised) = (name(ballot), name(promised));
            let what = format!("{by} accepts in {ballot}, and has promised {promised}");
            broken.push(Broken { invariant: P_I2, by: vec![Who::Node(by)], what });
        }
        self.require_accepted(by, slot, ballot, broken);
    }

    /// P-I1: what an acceptor tells never goes down.
    fn told(&mut self, by: NodeId, does: &str, ballot: Ballot, broken: &mut Vec<Broken>) {
        let Some(node) = self.node(by) else { return };
        if ballot >= node.told {
            node.told = ballot;
            return;
        }
        let (ballot, told) = (name(ballot), name(node.told));
        let what = format!("{by} {does} {ballot}, and had told that it promised {told}");
        broken.push(Broken { invariant: P_I1, by: vec![Who::Node(by)], what });
    }

    /// P-I10: who tells that it has accepted holds that durably.
    fn require_accepted(
        &mut self,
        by: NodeId,
        slot: Slot,
        ballot: Ballot,
        broken: &mut Vec<Broken>,
    ) {
        let Some(node) = self.nodes.get(usize::from(by.0)) else { return };
        let disk = node.durable;
        let holds = if slot <= disk.snapshot {
            // As an acceptance, this is a promise nevertheless.
            disk.promised
        } else {
            let Some(held) = self.places.held(slot, by) else { return };
            held.durable.ballot
        };
        if holds < ballot {
            let (ballot, holds) = (name(ballot), name(holds));
            let what = format!(
                "{by} tells that it accepted {slot} in {ballot}, and its disk holds {holds}"
            );
            broken.push(Broken { invariant: P_I10, by: vec![Who::Node(by)], what });
        }
    }
}

//! What replicas hold durably: it is found again (V-I1).
//!
//! The image of a disk is what was found on it at the last start and what has become durable since, and never
//! what a node has in memory only.

use quorate_systems::contract::{Incarnation, NodeId, Ticket};
use quorate_systems::smr::Slot;
use quorate_systems::vr::{Persistence, Record, Status, View};

use super::nodes::{Deed, Node, Standing};
use super::{V_I1, VrInvariants, broke};
use crate::invariants::Broken;

impl VrInvariants {
    /// A node comes up: what was not durable may be gone, and what its disk holds will be told.
    pub(super) fn started(&mut self, by: NodeId, incarnation: Incarnation) {
        if self.is_blind {
            return;
        }
        let acknowledged = self.places.acknowledged;
        if let Some(node) = self.node(by) {
            node.start(incarnation);
            node.acknowledged = acknowledged;
        }
    }

    /// A record was on its disk.
    pub(super) fn found(&mut self, by: NodeId, record: &Record) {
        if !self.is_blind
            && let Some(node) = self.node(by)
        {
            node.found.add(&Deed::from(record));
        }
    }

    /// The node shows its first sign of life: all that its disk holds was told.
    pub(super) fn end_start(&mut self, by: NodeId, broken: &mut Vec<Broken>) {
        let persistence = self.persistence;
        let Some(node) = self.node(by) else { return };
        node.standing = Standing::Judged;
        let missing = lost(node, persistence);
        std::mem::swap(&mut node.disk, &mut node.found);
        match persistence {
            Persistence::Durable => {
                node.memory.load(&node.disk);
                let (view, last) = (node.memory.log_view, node.memory.log.last());
                node.reach.raise(view, last);
                node.ever.raise(view, last);
            }
            Persistence::DurableView => node.memory.view = node.disk.view,
            Persistence::CrashVector | Persistence::Paper => {}
        }
        if persistence.is_diskless() && node.incarnation > Incarnation(1) {
            node.recovering = Some(node.acknowledged);
            node.memory.status = Status::Recovering;
        }
        if let Some(missing) = missing {
            broken.push(broke(V_I1, by, format!("{by} restarts {missing}")));
        }
    }

    /// A node asked for a record to be made durable.
    pub(super) fn persisted(
        &mut self,
        by: NodeId,
        ticket: Ticket,
        record: &Record,
        broken: &mut Vec<Broken>,
    ) {
        let Some(by) = self.judged(by, broken) else { return };
        match record {
            Record::Prepared { view, op, entry, commit: _ } => {
                self.valued_in_memory(by, (*view, *op), entry.digest(), broken);
            }
            Record::Epoch { view, op, new, .. } => self.agree(by, (*view, *op), *new, broken),
            Record::View { .. }
            | Record::Adopted { .. }
            | Record::Checkpoint { .. }
            | Record::Held { .. } => {}
        }
        let Some(node) = self.node(by) else { return };
        let is_remembered = node.persist(ticket, Deed::from(record));
        self.is_blind |= !is_remembered;
    }

    /// All that a node asked for up to this ticket is durable.
    pub(super) fn durable(&mut self, by: NodeId, ticket: Ticket, broken: &mut Vec<Broken>) {
        let Some(by) = self.judged(by, broken) else { return };
        let is_durable = self.is_durable();
        let Some(node) = self.node(by) else { return };
        node.advance(ticket);
        while let Some(node) = self.node(by)
            && let Some(deed) = node.next_durable()
        {
            node.disk.add(&deed);
            if is_durable && let Some((view, op)) = reached(node, &deed) {
                node.ever.raise(view, op);
            }
            self.valued_on_disk(by, &deed, broken);
        }
    }
}

/// In which view this record made the log reach how far, if it did.
fn reached(node: &Node, deed: &Deed) -> Option<(View, Slot)> {
    match deed {
        Deed::Prepared { op, entry: (view, _), .. } => {
            Some((node.disk.last_normal.max(*view), *op))
        }
        Deed::Adopted { view, .. } => Some((*view, node.disk.log.last())),
        Deed::Epoch { view, op, is_normal: true, .. } => Some((*view, *op)),
        // What all have who execute, a witness needs not have itself.
        Deed::Held(op) => Some((node.disk.last_normal, *op)),
        Deed::Epoch { is_normal: false, .. } | Deed::Left(_) | Deed::Checkpoint(_) => None,
    }
}

/// What a disk does not hold any more that it held durably.
fn lost(node: &Node, persistence: Persistence) -> Option<String> {
    let (found, had) = (&node.found, &node.disk);
    if persistence == Persistence::DurableView {
        let is_lower = found.view < had.view;
        return is_lower.then(|| format!("in {}, and had left all below {}", found.view, had.view));
    }
    if persistence.is_diskless() {
        return None;
    }
    if found.view < had.view {
        return Some(format!("in {}, and had left all below {}", found.view, had.view));
    }
    if found.last_normal < had.last_normal {
        let (found, had) = (found.last_normal, had.last_normal);
        return Some(format!("with a log of {found}, and had one of {had}"));
    }
    if found.commit < had.commit {
        let (found, had) = (found.commit, had.commit);
        return Some(format!("with commit-number {found}, and had {had}"));
    }
    // A later log may have come to its disk, and nobody was told that it is durable.
    if found.last_normal == had.last_normal
        && let Some(op) = found.log.first_lacking(&had.log)
    {
        return Some(format!("without what it held of {op}"));
    }
    None
}

//! What replicas know, going by what they make durable, and that they find it again (B-I7, B-I9).
//!
//! The image of a disk is what was found on it at the last start and what has become durable since, and never what a
//! node has in memory only.

use quorate_systems::contract::{NodeId, Ticket};
use quorate_systems::pbft::{Digest, Record, View};
use quorate_systems::smr::Slot;

use super::nodes::{Deed, Node};
use super::{B_I7, B_I9, PbftInvariants, broke};
use crate::invariants::Broken;

impl PbftInvariants {
    /// A node comes up: what was not durable may be gone, and what its disk holds will be told.
    pub(super) fn started(&mut self, by: NodeId) {
        if let Some(node) = self.node(by) {
            node.start();
        }
    }

    /// A record was on its disk.
    pub(super) fn found(&mut self, by: NodeId, record: &Record) {
        if self.is_blind || !self.correct.contains(by) {
            return;
        }
        let deed = Deed::from(record);
        self.is_durable(by, &deed);
        if let Some(node) = self.node(by) {
            node.found.add(&deed);
        }
    }

    /// The node shows its first sign of life: all that its disk holds was told.
    pub(super) fn end_start(&mut self, by: NodeId, broken: &mut Vec<Broken>) {
        let places = &self.places;
        let has_voted = |at: At| places.has_voted(at, by);
        let Some(node) = self.nodes.get_mut(usize::from(by.0)) else { return };
        let missing = lost(node, has_voted);
        node.come_up();
        if let Some((invariant, missing)) = missing {
            broken.push(broke(invariant, by, format!("{by} restarts {missing}")));
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
        match record {
            Record::ViewLeft { view } => self.leaves(by, *view, broken),
            Record::ViewEntered { new_view, by: author, proof: _ } => {
                self.enters(by, *author, new_view, broken);
            }
            Record::PrePrepared { view, seq, digest, batch, proof: _ } => {
                self.accepts(by, (*view, *seq, *digest), broken);
                self.batch_of(by, *seq, *digest, batch, broken);
            }
            Record::Prepared { view, seq, digest, votes: _ } => {
                self.certifies(by, (*view, *seq, *digest), broken);
            }
            Record::Committed { seq, digest } => self.settles(by, None, *seq, *digest, broken),
            Record::Stable { certificate, snapshot } => {
                self.stores_stable(by, certificate, snapshot, broken);
            }
            Record::Fetched { batch: _ } => {}
        }
        let Some(node) = self.node(by) else { return };
        let deed = Deed::from(record);
        node.memory.add(&deed);
        let is_remembered = node.persist(ticket, deed);
        self.is_blind |= !is_remembered;
    }

    /// All that a node asked for up to this ticket is durable.
    pub(super) fn durable(&mut self, by: NodeId, ticket: Ticket) {
        while let Some(node) = self.node(by)
            && let Some(deed) = node.next_durable(ticket)
        {
            node.disk.add(&deed);
            self.is_durable(by, &deed);
        }
    }
}

/// A digest at a sequence number of a view.
type At = (View, Slot, Digest);

/// What a disk does not hold any more that it held durably, and what demands it. What a view began with that is over is
/// nothing to those who had not voted for it: they may have lacked its batch.
fn lost(node: &Node, has_voted: impl Fn(At) -> bool) -> Option<(&'static str, String)> {
    let (found, had) = (&node.found, &node.disk);
    if found.view < had.view {
        let (found, had) = (found.view, had.view);
        return Some((B_I9, format!("in {found}, and had left all below {had}")));
    }
    if found.stable < had.stable {
        let (found, had) = (found.stable, had.stable);
        return Some((B_I7, format!("with its stable checkpoint at {found}, and had it at {had}")));
    }
    let mut known = had.log.iter().filter(|(seq, _)| *seq > found.stable);
    known.find_map(|(seq, cell)| {
        let again = found.log.get(seq);
        let counts = |(view, digest): &(View, Digest)| {
            let is_over = cell.is_of_new_view && *view < found.entered;
            !is_over || has_voted((*view, seq, *digest))
        };
        let what = if is_lost(again.accepted, cell.accepted.filter(counts)) {
            "pre-prepared"
        } else if is_lost(again.prepared, cell.prepared) {
            "prepared"
        } else if cell.committed.is_some() && again.committed != cell.committed {
            "committed"
        } else {
            return None;
        };
        Some((B_I7, format!("without {seq}, which was {what}")))
    })
}

/// Whether something of a later view has not taken its place.
fn is_lost(again: Option<(View, Digest)>, had: Option<(View, Digest)>) -> bool {
    match (again, had) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(again), Some(had)) => again.0 < had.0 || (again.0 == had.0 && again.1 != had.1),
    }
}

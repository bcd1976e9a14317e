//! Checkpoints: the same state at all (B-I3), told once (B-I8), and stable where a quorum has it (B-I7).

use std::sync::Arc;

use quorate_systems::contract::NodeId;
use quorate_systems::parties::NodeSet;
use quorate_systems::pbft::{Certificate, Digest};
use quorate_systems::smr::{Chain, Slot, Snapshot};

use super::{B_I3, B_I5, B_I7, B_I8, PbftInvariants, both_broke, broke};
use crate::invariants::Broken;

impl PbftInvariants {
    /// A replica has this state after `seq`.
    pub(super) fn took_state(
        &mut self,
        by: NodeId,
        seq: Slot,
        digest: Digest,
        broken: &mut Vec<Broken>,
    ) {
        if self.places.lacking_state(seq, digest, NodeSet::of(by)).is_empty() {
            return;
        }
        let Some(place) = self.places.get(seq) else { return };
        let other = place
            .other_states(digest)
            .find_map(|(other, nodes)| nodes.iter().next().map(|first| (other, first)));
        if let Some((other, first)) = other {
            let what = format!("the state after {seq} is {digest} at {by}, and {other} at {first}");
            broken.push(both_broke(B_I3, first, by, what));
        }
        place.learn_state(digest, by);
    }

    /// A CHECKPOINT left.
    pub(super) fn tells_state(
        &mut self,
        by: NodeId,
        seq: Slot,
        digest: Digest,
        broken: &mut Vec<Broken>,
    ) {
        let other = self
            .places
            .look(seq)
            .and_then(|place| place.other_states(digest).find(|(_, nodes)| nodes.contains(by)));
        if let Some((other, _)) = other {
            let what = format!("{by} sends a CHECKPOINT for {seq} as {digest}, and had {other}");
            broken.push(broke(B_I8, by, what));
            return;
        }
        self.took_state(by, seq, digest, broken);
    }

    /// A replica writes down that a checkpoint is stable, and discards what is before it.
    pub(super) fn stores_stable(
        &mut self,
        by: NodeId,
        certificate: &Certificate,
        snapshot: &Snapshot,
        broken: &mut Vec<Broken>,
    ) {
        let Certificate { seq, .. } = certificate;
        let before = self.node(by).map_or(Slot::ZERO, |node| node.memory.stable);
        let objection = if *seq < before {
            Some(format!("its stable checkpoint back to {seq} from {before}"))
        } else if snapshot.index != *seq {
            Some(format!("its stable checkpoint to {seq} with the state after {}", snapshot.index))
        } else {
            let objection = self.objects_to_stable(certificate);
            objection.map(|why| format!("its stable checkpoint to {why}"))
        };
        if let Some(why) = objection {
            broken.push(broke(B_I7, by, format!("{by} moves {why}")));
        }
        self.history(by, snapshot.index, snapshot.chain, broken);
    }

    /// A checkpoint is stable at a replica, by the CHECKPOINTs of `voters`. What it has written down of that is judged
    /// by itself.
    pub(super) fn stable(
        &mut self,
        by: NodeId,
        (seq, digest): (Slot, Digest),
        voters: NodeSet,
        broken: &mut Vec<Broken>,
    ) {
        let is_known = self.node(by).is_some_and(|node| node.memory.stable >= seq);
        let silent = self.places.lacking_state(seq, digest, voters.intersection(self.correct));
        let why = if !self.rules.is_quorum(voters) {
            "no quorum".to_owned()
        } else if !silent.is_empty() {
            format!("and {silent} did not say so")
        } else if !is_known {
            "and does not write that down".to_owned()
        } else {
            return;
        };
        let what = format!("{by} takes {seq} for stable by {voters}, {why}");
        broken.push(broke(B_I7, by, what));
    }

    /// A replica took over another's state.
    pub(super) fn installed(
        &mut self,
        by: NodeId,
        (seq, digest, chain): (Slot, Digest, Chain),
        broken: &mut Vec<Broken>,
    ) {
        self.history(by, seq, chain, broken);
        self.took_state(by, seq, digest, broken);
        let Some(node) = self.node(by) else { return };
        let executed = std::mem::replace(&mut node.executed, seq);
        if executed > seq {
            let what = format!("{by} goes back to the state after {seq} from {executed}");
            broken.push(broke(B_I3, by, what));
        }
    }

    /// A STABLE left.
    pub(super) fn shows_stable(
        &mut self,
        by: NodeId,
        certificate: &Certificate,
        broken: &mut Vec<Broken>,
    ) {
        if let Some(why) = self.objects_to_stable(certificate) {
            let what = format!("{by} shows a stable checkpoint {why}");
            broken.push(broke(B_I5, by, what));
        }
    }

    /// A STATE left, with the state after `index`.
    pub(super) fn shows_state(
        &mut self,
        by: NodeId,
        certificate: &Arc<Certificate>,
        index: Slot,
        broken: &mut Vec<Broken>,
    ) {
        self.shows_stable(by, certificate, broken);
        let seq = certificate.seq;
        if index != seq {
            let what = format!("{by} shows the state after {index} as that after {seq}");
            broken.push(broke(B_I5, by, what));
        }
    }
}

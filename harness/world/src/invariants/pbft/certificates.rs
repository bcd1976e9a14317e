//! Certificates: so many have said so, and those of them who are correct really have (B-I5). What they come to is one
//! digest for each view (B-I1), and one for all views once it is committed (B-I2).

use quorate_systems::contract::NodeId;
use quorate_systems::parties::NodeSet;
use quorate_systems::pbft::{Certificate, Digest, Prepared, View};
use quorate_systems::smr::Slot;

use super::places::{Ballot, Committed};
use super::{B_I1, B_I2, B_I5, PbftInvariants, both_broke, broke};
use crate::invariants::Broken;

impl PbftInvariants {
    /// A batch is prepared at a replica, by the PRE-PREPARE and the PREPAREs of `voters`.
    pub(super) fn prepared(
        &mut self,
        by: NodeId,
        at: (View, Slot, Digest),
        voters: NodeSet,
        broken: &mut Vec<Broken>,
    ) {
        let (view, seq, digest) = at;
        let primary = self.rules.primary(view);
        let silent = || {
            let correct = voters.intersection(self.correct).without(NodeSet::of(by));
            self.places.lacking(at, Ballot::who_prepare, correct)
        };
        let objection = if !self.rules.is_quorum(voters) {
            Some("no quorum".to_owned())
        } else if !voters.contains(primary) {
            Some(format!("without its primary {primary}"))
        } else {
            unsaid(silent())
        };
        if let Some(why) = objection {
            let what = format!("{by} takes {seq} of {view} for prepared by {voters}, {why}");
            broken.push(broke(B_I5, by, what));
        }
        let Some(place) = self.places.get(seq) else { return };
        // What it has prepared itself in an earlier life may have been in its memory only.
        let other = place.ballots().find_map(|other| {
            let is_rival = other.view == view && other.digest != digest;
            let first = other.prepared.without(NodeSet::of(by)).iter().next()?;
            is_rival.then_some((other.digest, first))
        });
        if let Some((other, first)) = other {
            let what = format!(
                "{seq} of {view} is prepared as {digest} at {by}, and as {other} at {first}"
            );
            broken.push(both_broke(B_I1, first, by, what));
        }
        if let Some(Committed { view: Some(earlier), digest: other, by: first }) = place.committed
            && other != digest
            && view > earlier
        {
            let what = format!(
                "{seq} of {view} is prepared as {digest} at {by}, and is committed as {other} at \
                 {first} since {earlier}"
            );
            broken.push(both_broke(B_I2, first, by, what));
        }
        if let Some(ballot) = place.vote(view, digest) {
            ballot.prepared.insert(by);
        }
    }

    /// A batch is committed-local at a replica, by the COMMITs of `voters`.
    pub(super) fn committed(
        &mut self,
        by: NodeId,
        at: (View, Slot, Digest),
        voters: NodeSet,
        broken: &mut Vec<Broken>,
    ) {
        let (view, seq, digest) = at;
        let Some(node) = self.nodes.get(usize::from(by.0)) else { return };
        let memory = &node.memory;
        let is_prepared = seq <= memory.stable
            || memory.log.get(seq).prepared.is_some_and(|known| known == (view, digest));
        let silent = || {
            let correct = voters.intersection(self.correct).without(NodeSet::of(by));
            self.places.lacking(at, Ballot::who_commit, correct)
        };
        let objection = if !self.rules.is_quorum(voters) {
            Some("no quorum".to_owned())
        } else if !is_prepared {
            Some("and it is not prepared there".to_owned())
        } else {
            unsaid(silent())
        };
        if let Some(why) = objection {
            let what = format!("{by} takes {seq} of {view} for committed by {voters}, {why}");
            broken.push(broke(B_I5, by, what));
        }
        self.settles(by, Some(view), seq, digest, broken);
    }

    /// A replica takes a batch for committed, since `voters` say so.
    pub(super) fn learned(
        &mut self,
        by: NodeId,
        (seq, digest): (Slot, Digest),
        voters: NodeSet,
        broken: &mut Vec<Broken>,
    ) {
        let correct = voters.intersection(self.correct).without(NodeSet::of(by));
        let place = self.places.look(seq);
        let committed = place.and_then(|place| place.committed);
        let silent = match (place, committed) {
            // That another is committed is judged by itself.
            (_, Some(known)) if known.digest != digest => NodeSet::EMPTY,
            (Some(place), _) => correct.without(place.told),
            (None, _) => NodeSet::EMPTY,
        };
        let objection = if voters.len() < self.rules.weak {
            Some("who may all lie".to_owned())
        } else {
            unsaid(silent)
        };
        if let Some(why) = objection {
            let what = format!("{by} learns from {voters} that {seq} is committed, {why}");
            broken.push(broke(B_I5, by, what));
        }
        self.settles(by, None, seq, digest, broken);
    }

    /// A replica tells others that a batch is committed.
    pub(super) fn tells_committed(
        &mut self,
        by: NodeId,
        seq: Slot,
        digest: Digest,
        broken: &mut Vec<Broken>,
    ) {
        let Some(node) = self.nodes.get(usize::from(by.0)) else { return };
        let known = node.memory.log.get(seq).committed;
        if seq > node.memory.stable && known.is_none() {
            let what = format!("{by} says that {seq} is committed, and it is not there");
            broken.push(broke(B_I2, by, what));
        }
        self.settles(by, None, seq, digest, broken);
        if let Some(place) = self.places.get(seq) {
            place.told.insert(by);
        }
    }

    /// B-I2: at a replica this is committed.
    pub(super) fn settles(
        &mut self,
        by: NodeId,
        view: Option<View>,
        seq: Slot,
        digest: Digest,
        broken: &mut Vec<Broken>,
    ) {
        let known = self.node(by).map(|node| node.memory.log.get(seq).committed);
        let Some(place) = self.places.get(seq) else { return };
        let committed = place.committed.get_or_insert(Committed { view, digest, by });
        if committed.digest == digest {
            committed.view = match (committed.view, view) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        } else if known != Some(Some(digest)) {
            // Said once, and not with everything that follows from it.
            let (other, first) = (committed.digest, committed.by);
            let what = format!("{seq} is committed as {digest} at {by}, and as {other} at {first}");
            broken.push(both_broke(B_I2, first, by, what));
        }
        if let Some(node) = self.node(by) {
            node.memory.log.commit(seq, digest);
        }
    }

    /// What speaks against a certificate of a stable checkpoint.
    pub(super) fn objects_to_stable(&self, certificate: &Certificate) -> Option<String> {
        let Certificate { seq, digest, votes } = certificate;
        if *seq == Slot::ZERO {
            return None;
        }
        let voters: NodeSet = votes.iter().map(|vote| vote.by).collect();
        if !self.rules.is_quorum(voters) {
            return Some(format!("{seq} by {voters}, no quorum"));
        }
        let correct = voters.intersection(self.correct);
        let silent = self.places.lacking_state(*seq, *digest, correct);
        unsaid(silent).map(|why| format!("{seq} by {voters}, {why}"))
    }

    /// What speaks against the proof that a batch is prepared.
    pub(super) fn objects_to_prepared(&self, prepared: &Prepared) -> Option<String> {
        let Prepared { view, seq, digest, votes } = prepared;
        // With MACs there is none.
        if !self.rules.is_signed {
            return None;
        }
        let primary = self.rules.primary(*view);
        let voters: NodeSet = votes.iter().map(|vote| vote.by).collect();
        let objection = if !self.rules.is_quorum(voters) {
            Some("no quorum".to_owned())
        } else if !voters.contains(primary) {
            Some(format!("without its primary {primary}"))
        } else {
            let at = (*view, *seq, *digest);
            let correct = voters.intersection(self.correct);
            unsaid(self.places.lacking(at, Ballot::who_prepare, correct))
        };
        objection.map(|why| format!("{seq} of {view} by {voters}, {why}"))
    }
}

/// That these have not said what is taken for theirs.
fn unsaid(silent: NodeSet) -> Option<String> {
    (!silent.is_empty()).then(|| format!("and {silent} did not say so"))
}

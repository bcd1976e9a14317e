//! Checkpoints: what lets replicas forget (`PBFT OSDI'99 §4.3`).

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Pbft;
use super::digest::Digest;
use super::log::votes;
use super::message::{Body, Certificate, Observation, Record, Vote};
use super::proof::Proof;
use super::replica::PbftReplica;
use crate::contract::{NodeId, Outbox};
use crate::mutant::Mutant;
use crate::parties::NodeSet;
use crate::smr::{Slot, Snapshot};

/// Checkpoints that are not known to be stable.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    /// Its own.
    own: BTreeMap<Slot, Own>,
    /// What each replica says of those between the watermarks.
    votes: BTreeMap<Slot, BTreeMap<NodeId, (Digest, Proof)>>,
    /// The last of each replica's that lies beyond.
    beyond: BTreeMap<NodeId, Slot>,
}

#[derive(Debug)]
struct Own {
    digest: Digest,
    snapshot: Arc<Snapshot>,
}

impl Checkpoints {
    /// What is stable now needs no votes any more.
    fn forget(&mut self, seq: Slot) {
        self.own = self.own.split_off(&seq.next());
        self.votes = self.votes.split_off(&seq.next());
        self.beyond.retain(|_, said| *said > seq);
    }

    /// The votes for one state at `seq`, if so many say the same; and which state that is.
    fn agreed(&self, seq: Slot, quorum: u32) -> Option<(Digest, Vec<Vote>)> {
        let said = self.votes.get(&seq)?;
        let quorum = usize::try_from(quorum).unwrap_or(usize::MAX);
        said.values().map(|(digest, _)| *digest).find_map(|digest| {
            let equal = said.iter().filter(|(_, (other, _))| *other == digest);
            let votes = votes(equal.map(|(node, (_, proof))| (*node, proof)).take(quorum));
            (votes.len() >= quorum).then_some((digest, votes))
        })
    }

    /// Whether so many others speak of checkpoints beyond its window, or of one that is stable and not its own yet.
    pub(super) fn are_others_ahead(&self, weak: u32, quorum: u32) -> bool {
        let weak = usize::try_from(weak).unwrap_or(usize::MAX);
        let is_agreed = |seq: &Slot| self.agreed(*seq, quorum).is_some();
        self.beyond.len() >= weak || self.votes.keys().any(is_agreed)
    }
}

impl PbftReplica {
    pub(super) fn take_checkpoint_if_due(&mut self, out: &mut Outbox<Pbft>) {
        let seq = self.executed();
        if !seq.0.is_multiple_of(self.config.checkpoint_every) || seq <= self.stable.seq {
            return;
        }
        let snapshot = Arc::new(self.machine.snapshot());
        let digest = self.keys.snapshot_digest(&snapshot);
        self.checkpoints.own.insert(seq, Own { digest, snapshot });
        out.observe(Observation::CheckpointTaken { seq, digest });
        self.tell_all(&Body::Checkpoint { seq, digest }, out);
        if self.config.mutants.deviates(Mutant::B20) {
            self.log.discard(seq);
            let (voters, ticket) = (NodeSet::of(self.me), out.last_ticket().0);
            out.observe(Observation::CheckpointStable { seq, digest, voters, ticket });
        }
    }

    /// Tells another again of its states after this checkpoint, which are not stable yet.
    pub(super) fn repeat_checkpoints(&self, to: NodeId, after: Slot, out: &mut Outbox<Pbft>) {
        for (seq, Own { digest, .. }) in self.checkpoints.own.range(after.next()..) {
            self.tell(to, Body::Checkpoint { seq: *seq, digest: *digest }, out);
        }
    }

    pub(super) fn on_checkpoint(
        &mut self,
        from: NodeId,
        seq: Slot,
        (digest, proof): (Digest, Proof),
        out: &mut Outbox<Pbft>,
    ) {
        if !seq.0.is_multiple_of(self.config.checkpoint_every) || seq > Slot::LAST {
            return out.ignore("CHECKPOINT where there is none");
        }
        if seq > self.log.low().plus(self.config.window()) {
            let said = self.checkpoints.beyond.entry(from).or_default();
            *said = seq.max(*said);
            return out.ignore("CHECKPOINT beyond the high watermark");
        }
        let said = self.checkpoints.votes.entry(seq).or_default();
        if said.get(&from).is_some_and(|(held, _)| *held != digest) {
            out.mark("equivocation-seen");
            return out.ignore("CHECKPOINT against an earlier one of its sender");
        }
        said.insert(from, (digest, proof));
        self.stabilise(seq, out);
    }

    /// `PBFT OSDI'99 §4.3`: a quorum says the same of its state, and so does the replica.
    fn stabilise(&mut self, seq: Slot, out: &mut Outbox<Pbft>) {
        let Some((digest, votes)) = self.checkpoints.agreed(seq, self.config.quorum()) else {
            return;
        };
        self.adopt_stable(&Arc::new(Certificate { seq, digest, votes }), out);
    }

    /// A checkpoint is stable. False if the replica is not that far, and needs somebody's state.
    pub(super) fn adopt_stable(
        &mut self,
        certificate: &Arc<Certificate>,
        out: &mut Outbox<Pbft>,
    ) -> bool {
        if certificate.seq <= self.stable.seq {
            return true;
        }
        let own = self.checkpoints.own.get(&certificate.seq);
        let Some(own) = own.filter(|own| own.digest == certificate.digest) else { return false };
        let snapshot = own.snapshot.clone();
        self.settle_at(certificate.clone(), snapshot, out);
        self.take_up_proposals(out);
        self.propose_queued(out);
        true
    }

    /// All up to a stable checkpoint is in this state: what was held for it is discarded.
    pub(super) fn settle_at(
        &mut self,
        certificate: Arc<Certificate>,
        snapshot: Arc<Snapshot>,
        out: &mut Outbox<Pbft>,
    ) {
        let (seq, digest) = (certificate.seq, certificate.digest);
        let voters: NodeSet = certificate.votes.iter().map(|vote| vote.by).collect();
        self.log.truncate(seq);
        self.checkpoints.forget(seq);
        self.stable = certificate.clone();
        self.stable_state = snapshot.clone();
        self.skip_stable();
        let ticket = out.persist(Record::Stable { certificate, snapshot }).0;
        out.observe(Observation::CheckpointStable { seq, digest, voters, ticket });
    }
}

//! Batches and states, of which a replica knows the digest.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Pbft;
use super::certificates::is_stable;
use super::digest::Digest;
use super::message::{Batch, Body, Certificate, Message, Observation, Record};
use super::proof::Proof;
use super::replica::PbftReplica;
use crate::contract::{NodeId, Outbox};
use crate::smr::{Machine, Slot, Snapshot};

impl PbftReplica {
    /// Asks for a batch: `first`, who should have it, or whose turn it is.
    pub(super) fn want(&mut self, digest: Digest, first: Option<NodeId>, out: &mut Outbox<Pbft>) {
        if !self.catching.wanted.insert(digest) {
            return;
        }
        let others: Vec<NodeId> = self.others().collect();
        if let Some(node) = first.or_else(|| self.whose_turn(&others)) {
            self.tell(node, Body::Fetch { digest }, out);
        }
    }

    pub(super) fn whose_turn(&self, candidates: &[NodeId]) -> Option<NodeId> {
        // Not all begin with the same one.
        let turn = usize::from(self.catching.turn.wrapping_add(self.me.0));
        candidates.get(turn.checked_rem(candidates.len())?).copied()
    }

    pub(super) fn on_fetch(&self, from: NodeId, digest: Digest, out: &mut Outbox<Pbft>) {
        match self.log.batch(digest) {
            Some(batch) => {
                let body = Body::Fetched { batch: batch.clone() };
                out.send(from, Message { body, proof: Proof::Itself });
            }
            None => out.ignore("FETCH of what is not here"),
        }
    }

    pub(super) fn on_fetched(&mut self, batch: Arc<Batch>, out: &mut Outbox<Pbft>) {
        if self.catching.wanted.is_empty() {
            return out.ignore("FETCHED when nothing is wanted");
        }
        let digest = self.keys.batch_digest(&batch);
        if !self.catching.wanted.remove(&digest) {
            return out.ignore("FETCHED of what is not wanted");
        }
        out.mark("batch-fetched");
        self.log.hold(digest, batch.clone());
        out.persist(Record::Fetched { batch });
        self.vouch_for(digest, out);
        self.execute_committed(true, out);
        self.begin_view_if_agreed(out);
    }

    /// A batch is here: it has what it accepted wherever that is this one, however it came.
    pub(super) fn vouch_for(&mut self, digest: Digest, out: &mut Outbox<Pbft>) {
        for seq in self.unvouched(digest) {
            self.vouch(seq, out);
        }
    }

    /// Where it has accepted this batch without having it.
    fn unvouched(&self, digest: Digest) -> Vec<Slot> {
        let lacking = self.log.places().filter(|(_, place)| {
            let accepted = place.accepted_in(self.view);
            accepted.is_some_and(|accepted| accepted.digest == digest && !accepted.is_vouched)
        });
        lacking.map(|(seq, _)| seq).collect()
    }

    /// Answers for a batch wherever it is accepted, without a word, if it has it.
    pub(super) fn recover_vouched(&mut self, digest: Digest) {
        if self.log.batch(digest).is_none() {
            return;
        }
        let is_remembered = self.remembers_vouched();
        for seq in self.unvouched(digest) {
            self.log.place(seq).vouch(is_remembered);
        }
    }

    /// Asks for the state at a stable checkpoint that it has not got to.
    pub(super) fn ask_for_state(&mut self, certificate: Arc<Certificate>, out: &mut Outbox<Pbft>) {
        let asked = self.catching.transfer.as_ref().map_or(Slot::ZERO, |asked| asked.seq);
        if certificate.seq > self.executed().max(asked) {
            self.catching.transfer = Some(certificate);
            self.ask_signer(out);
        }
    }

    /// Asks one of those who have signed that they have it.
    pub(super) fn ask_signer(&mut self, out: &mut Outbox<Pbft>) {
        let executed = self.executed();
        // It may have got there by itself.
        self.catching.transfer.take_if(|asked| asked.seq <= executed);
        let Some(asked) = &self.catching.transfer else { return };
        let signers = asked.votes.iter().map(|vote| vote.by).filter(|node| *node != self.me);
        let signers: Vec<NodeId> = signers.collect();
        let seq = asked.seq;
        if let Some(node) = self.whose_turn(&signers) {
            self.tell(node, Body::GetState { seq }, out);
        }
    }

    pub(super) fn on_get_state(&self, from: NodeId, seq: Slot, out: &mut Outbox<Pbft>) {
        if self.stable.seq < seq || self.stable.seq == Slot::ZERO {
            return out.ignore("GETSTATE of a checkpoint that is not stable here");
        }
        let (certificate, snapshot) = (self.stable.clone(), self.stable_state.clone());
        let body = Body::State { certificate, snapshot };
        out.send(from, Message { body, proof: Proof::Itself });
    }

    /// The state that a certificate speaks of takes the place of its own, which is older.
    pub(super) fn on_state(
        &mut self,
        certificate: Arc<Certificate>,
        snapshot: Arc<Snapshot>,
        out: &mut Outbox<Pbft>,
    ) {
        if self.catching.transfer.is_none() {
            return out.ignore("STATE that is not asked for");
        }
        if certificate.seq <= self.executed() || snapshot.index != certificate.seq {
            return out.ignore("STATE that is no news");
        }
        let is_proven = is_stable(&self.keys, &self.config, &certificate)
            && self.keys.snapshot_digest(&snapshot) == certificate.digest;
        if !is_proven {
            return out.ignore("STATE other than its certificate says");
        }
        out.mark("state-installed");
        let (seq, digest, chain) = (certificate.seq, certificate.digest, snapshot.chain);
        self.machine = Machine::new((*snapshot).clone());
        self.settle_at(certificate, snapshot, out);
        out.observe(Observation::StateInstalled { seq, digest, chain });
        self.roll_back();
        self.catching.transfer.take_if(|asked| asked.seq <= seq);
        self.forget_served(out);
        self.take_up_proposals(out);
        self.execute_committed(true, out);
        self.begin_view_if_agreed(out);
    }
}

//! The normal case (`PBFT OSDI'99 §4.2`).
//!
//! ```text
//!   primary ── PRE-PREPARE ──► backups ── PREPARE ──► all ── COMMIT ──► all
//! ```
//!
//! A vote counts once it is durable: what a replica says to itself waits for that as what it says to others does.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Pbft;
use super::digest::Digest;
use super::log::{Accepted, Assignment, Cast, Counted, Place, Votes, votes};
use super::message::{Batch, Body, Observation, Prepared, Record, Vote};
use super::options::Authentication;
use super::proof::Proof;
use super::replica::PbftReplica;
use super::view::View;
use crate::contract::{NodeId, Outbox};
use crate::mutant::Mutant;
use crate::parties::NodeSet;
use crate::smr::Slot;

impl PbftReplica {
    /// `PBFT OSDI'99 §4.2`: a backup accepts a PRE-PREPARE in its view from the primary, between the watermarks, whose
    /// requests are authentic, unless it has accepted another.
    pub(super) fn on_pre_prepare(
        &mut self,
        from: NodeId,
        assignment: Assignment,
        batch: Arc<Batch>,
        proof: Proof,
        out: &mut Outbox<Pbft>,
    ) {
        let Assignment { view, seq, digest } = assignment;
        if from != self.config.primary(view) || from == self.me {
            return out.ignore("PRE-PREPARE not from the primary");
        }
        if view > self.view || !self.is_active {
            self.catching.hint();
            return out.ignore("PRE-PREPARE of a view that has not begun here");
        }
        if !self.may_accept(assignment, out) {
            return;
        }
        if digest != self.keys.batch_digest(&batch) {
            return out.ignore("PRE-PREPARE of another batch than its digest says");
        }
        if !self.are_requests_authentic(&batch) {
            out.mark("forged-request");
            return out.ignore("PRE-PREPARE with a request that its client did not make");
        }
        self.log.hold(digest, batch.clone());
        let record = Record::PrePrepared { view, seq, digest, batch, proof: proof.clone() };
        self.log.place(seq).accept(view, digest, proof);
        let ticket = out.persist(record).0;
        out.observe(Observation::PrePrepared { view, seq, digest, ticket });
        self.vouch_for(digest, out);
    }

    /// Whether nothing that is known here speaks against an assignment of its view.
    fn may_accept(
        &self,
        Assignment { view, seq, digest }: Assignment,
        out: &mut Outbox<Pbft>,
    ) -> bool {
        let Some(place) = self.log.get(seq) else { return true };
        if let Some(accepted) = place.accepted_in(view) {
            if accepted.digest == digest {
                // What its view began with, and has come: its batch was lacking.
                return true;
            }
            out.mark("equivocation-seen");
            if !self.config.mutants.deviates(Mutant::B06) {
                out.ignore("PRE-PREPARE against one that was accepted");
                return false;
            }
        }
        if place.committed.is_some_and(|committed| committed != digest) {
            out.ignore("PRE-PREPARE against what is committed");
            return false;
        }
        true
    }

    fn are_requests_authentic(&self, batch: &Batch) -> bool {
        let is_good = |signed| self.keys.is_request_authentic(signed);
        batch.0.iter().all(|signed| !signed.is_read_only && is_good(signed))
    }

    /// It has what it accepted at `seq`, and says so: as a backup by a PREPARE.
    pub(super) fn vouch(&mut self, seq: Slot, out: &mut Outbox<Pbft>) {
        let is_remembered = self.remembers_vouched();
        let place = self.log.place(seq);
        place.vouch(is_remembered);
        let Some(accepted) = place.accepted_in(self.view) else { return };
        let (view, digest) = (accepted.view, accepted.digest);
        if self.config.primary(view) != self.me {
            self.tell_all(&Body::Prepare { view, seq, digest }, out);
        } else if self.is_alone() {
            return self.tell(self.me, Body::Prepare { view, seq, digest }, out);
        }
        self.prepare_if_agreed(seq, out);
    }

    /// Whether a primary needs nobody else. It hears of its own PRE-PREPARE, which is durable then, from nobody but itself.
    fn is_alone(&self) -> bool {
        self.config.quorum() == 1
    }

    /// Whether Q is needed: certificates prove P otherwise.
    pub(super) fn remembers_vouched(&self) -> bool {
        self.config.authentication == Authentication::Hmac
    }

    /// Whether a sequence number can be spoken of: it lies between the watermarks.
    pub(super) fn is_in_window(&self, seq: Slot) -> bool {
        let low = self.log.low();
        let is_below_high =
            seq <= low.plus(self.config.window()) || self.config.mutants.deviates(Mutant::B18);
        seq > low && is_below_high
    }

    /// Why a message of a view and sequence number need not be verified.
    pub(super) fn needless_vote(
        &self,
        view: View,
        seq: Slot,
        is_done: impl FnOnce(&Place) -> bool,
    ) -> Option<&'static str> {
        if view < self.view {
            return Some("of a view that was left");
        }
        if !self.is_in_window(seq) {
            return Some("not between the watermarks");
        }
        let is_done = view == self.view && self.log.get(seq).is_some_and(is_done);
        is_done.then_some("of a place where it is not needed any more")
    }

    pub(super) fn on_prepare(
        &mut self,
        from: NodeId,
        seq: Slot,
        vote: Cast,
        out: &mut Outbox<Pbft>,
    ) {
        if from == self.me && self.is_alone() {
            return self.prepare_if_agreed(seq, out);
        }
        if !self.config.counts_prepare(vote.view, from) {
            return out.ignore("PREPARE of the primary");
        }
        if self.is_left(vote.view, out) {
            return;
        }
        let counted = self.log.place(seq).prepares.cast(from, self.config.nodes, vote);
        if self.is_counted(counted, out) {
            self.prepare_if_agreed(seq, out);
        }
    }

    pub(super) fn on_commit(
        &mut self,
        from: NodeId,
        seq: Slot,
        vote: Cast,
        out: &mut Outbox<Pbft>,
    ) {
        if self.is_left(vote.view, out) {
            return;
        }
        let counted = self.log.place(seq).commits.cast(from, self.config.nodes, vote);
        if self.is_counted(counted, out) {
            self.commit_if_agreed(seq, out);
        }
    }

    /// Votes of views to come are kept for the time when those have begun.
    fn is_left(&mut self, view: View, out: &mut Outbox<Pbft>) -> bool {
        if view > self.view {
            self.catching.hint();
        }
        let is_left = view < self.view;
        if is_left {
            out.ignore("of a view that was left");
        }
        is_left
    }

    #[expect(clippy::unused_self, reason = "it is one of the steps of taking a vote")]
    fn is_counted(&self, counted: Counted, out: &mut Outbox<Pbft>) -> bool {
        match counted {
            Counted::New => return true,
            Counted::Known => out.ignore("vote that is known"),
            Counted::Contradicts => {
                out.mark("equivocation-seen");
                out.ignore("vote against an earlier one of its sender");
            }
        }
        false
    }

    /// Those who have voted for what is accepted here.
    fn voters<'a>(
        &self,
        votes: &'a Votes,
        view: View,
        digest: Digest,
    ) -> impl Iterator<Item = (NodeId, &'a Proof)> + use<'a> {
        let digest = (!self.config.mutants.deviates(Mutant::B05)).then_some(digest);
        votes.of(view, digest)
    }

    /// `PBFT OSDI'99 §4.2`: prepared(m, v, n, i) is true once what is accepted has the PREPAREs of Q - 1 backups. The
    /// primary is none (F-B1).
    pub(super) fn prepare_if_agreed(&mut self, seq: Slot, out: &mut Outbox<Pbft>) {
        let view = self.view;
        let Some(place) = self.log.get(seq) else { return };
        let Some(accepted) = place.accepted_in(view).filter(|accepted| accepted.is_vouched) else {
            return;
        };
        let digest = accepted.digest;
        if !self.is_active || place.prepared_in(view).is_some_and(|known| known.digest == digest) {
            return;
        }
        let Some((voters, shown)) = self.who_prepared(place, accepted) else { return };
        let claim = Prepared { view, seq, digest, votes: shown.clone() };
        self.log.place(seq).prepared = Some(claim);
        let ticket = out.persist(Record::Prepared { view, seq, digest, votes: shown }).0;
        out.observe(Observation::Prepared { view, seq, digest, voters, ticket });
        self.tell_all(&Body::Commit { view, seq, digest }, out);
        self.execute_ahead(out);
        self.commit_if_agreed(seq, out);
    }

    /// The primary and the Q - 1 backups by whom it is prepared, with what proves that to others.
    fn who_prepared(&self, place: &Place, accepted: &Accepted) -> Option<(NodeSet, Vec<Vote>)> {
        let needed = usize::try_from(self.config.quorum() - 1).unwrap_or(usize::MAX);
        let taken = self.voters(&place.prepares, accepted.view, accepted.digest).take(needed);
        let taken: Vec<(NodeId, &Proof)> = taken.collect();
        if taken.len() < needed {
            return None;
        }
        let primary = (self.config.primary(accepted.view), &accepted.proof);
        let all = core::iter::once(primary).chain(taken);
        let voters = all.clone().map(|(node, _)| node).collect();
        match self.config.authentication {
            Authentication::Signatures => Some((voters, votes(all))),
            // MACs would prove nothing to anybody else.
            Authentication::Hmac => Some((voters, Vec::new())),
        }
    }

    /// `PBFT OSDI'99 §4.2`: committed-local(m, v, n, i) is true once it is prepared and has the COMMITs of a quorum.
    fn commit_if_agreed(&mut self, seq: Slot, out: &mut Outbox<Pbft>) {
        let view = self.view;
        let Some(place) = self.log.get(seq) else { return };
        let Some(digest) = place.prepared_in(view).map(|prepared| prepared.digest) else { return };
        if !self.is_active || place.committed.is_some() {
            return;
        }
        let commits = self.voters(&place.commits, view, digest);
        let voters: NodeSet = commits.map(|(node, _)| node).collect();
        if voters.len() < self.config.quorum() {
            return;
        }
        self.log.place(seq).committed = Some(digest);
        out.persist(Record::Committed { seq, digest });
        out.observe(Observation::Committed { view, seq, digest, voters });
        self.execute_committed(true, out);
    }

    pub(super) fn recover_accepted(&mut self, assignment: Assignment, proof: Proof) {
        let Assignment { view, seq, digest } = assignment;
        if seq <= self.log.low() {
            return;
        }
        let is_remembered = self.remembers_vouched();
        let place = self.log.place(seq);
        if place.accepted.as_ref().is_none_or(|accepted| accepted.view <= view) {
            place.accept(view, digest, proof);
            place.vouch(is_remembered);
        } else if is_remembered {
            place.remember(view, digest);
        }
    }

    pub(super) fn recover_prepared(&mut self, assignment: Assignment, votes: Vec<Vote>) {
        let Assignment { view, seq, digest } = assignment;
        if seq > self.log.low() {
            self.log.place(seq).prepared = Some(Prepared { view, seq, digest, votes });
        }
    }

    /// A new life counts its own votes anew; the others' it must be told again.
    pub(super) fn repeat_votes_to_itself(&mut self, out: &mut Outbox<Pbft>) {
        let places: Vec<Slot> = self.log.places().map(|(seq, _)| seq).collect();
        for seq in places {
            self.repeat_votes(self.me, seq, out);
        }
    }

    /// Says to `to` again what it has said of one sequence number in its view.
    pub(super) fn repeat_votes(&self, to: NodeId, seq: Slot, out: &mut Outbox<Pbft>) {
        let (view, leads) = (self.view, self.primary.is_some());
        let Some(place) = self.log.get(seq) else { return };
        let Some(accepted) = place.accepted_in(view).filter(|accepted| accepted.is_vouched) else {
            return;
        };
        let digest = accepted.digest;
        if !leads || (to == self.me && self.is_alone()) {
            self.tell(to, Body::Prepare { view, seq, digest }, out);
        } else if to != self.me
            && let Some(batch) = self.log.batch(digest).cloned()
        {
            self.tell(to, Body::PrePrepare { view, seq, digest, batch }, out);
        }
        if let Some(prepared) = place.prepared_in(view) {
            let digest = prepared.digest;
            self.tell(to, Body::Commit { view, seq, digest }, out);
        }
    }
}

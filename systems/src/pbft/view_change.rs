//! View changes (`PBFT OSDI'99 §4.4`).
//!
//! ```text
//!   a request waits for too long, or f + 1 others have left:
//!       ── VIEW-CHANGE: what is prepared here ──► all      it takes part in no lower view any more
//!   new primary, with a quorum of these:
//!       ── NEW-VIEW: all of these, and what follows ──► all
//! ```

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Pbft;
use super::certificates::{
    Decision, decide, is_new_view_valid, is_view_change_valid, view_changes_needed,
};
use super::digest::Digest;
use super::message::{
    Batch, Body, Certificate, Message, NewView, Observation, Proposal, Record, SignedViewChange,
    ViewChange,
};
use super::options::Authentication;
use super::proof::Proof;
use super::replica::{Beginning, PbftReplica, VIEW};
use super::view::View;
use crate::contract::{NodeId, Outbox};
use crate::mutant::Mutant;
use crate::parties::{NodeSet, Party};
use crate::smr::Slot;

/// Who wants which view.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// The last VIEW-CHANGE of each replica, its own among them once that is durable.
    votes: BTreeMap<NodeId, SignedViewChange>,
    /// Its own, to be sent again.
    own: Option<Message>,
    /// Whether the timer for the beginning of its view runs.
    is_timed: bool,
    /// How often it has asked for its view again.
    repeats: u32,
}

impl Change {
    /// Who has left all views below this one.
    fn left_for(&self, view: View) -> usize {
        self.votes.values().filter(|vote| vote.body.view >= view).count()
    }
}

impl PbftReplica {
    /// A request, or the beginning of a view, was waited for long enough.
    pub(super) fn on_view_timer(&mut self, out: &mut Outbox<Pbft>) {
        if self.is_active && self.patience.awaited.is_none() {
            return out.ignore("view timer while nothing is awaited");
        }
        if self.view >= View::LAST {
            return out.ignore("there are no more views");
        }
        if self.primary.is_some() {
            out.mark("primary-gave-up");
        }
        self.leave_for(self.view.next(), out);
    }

    /// Takes part in no lower view any more, and wants this one.
    fn leave_for(&mut self, view: View, out: &mut Outbox<Pbft>) {
        assert!(view > self.view, "nobody goes back");
        let is_first = self.view == View::FIRST && self.is_active;
        self.patience.view_is_left(is_first);
        self.view = view;
        self.is_active = false;
        self.primary = None;
        self.roll_back();
        let ticket = out.persist(Record::ViewLeft { view }).0;
        self.observe_left(ticket, out);
        out.cancel_timer(VIEW);
        self.change.votes.retain(|_, vote| vote.body.view >= view);
        self.change.is_timed = false;
        self.ask_for_view(out);
        if self.config.mutants.deviates(Mutant::B26) {
            self.patience.starts_anew();
            self.change.is_timed = true;
            self.set_view_timer(out);
        }
    }

    /// `PBFT OSDI'99 §4.4`: multicasts a VIEW-CHANGE.
    pub(super) fn ask_for_view(&mut self, out: &mut Outbox<Pbft>) {
        let body = Body::ViewChange(Arc::new(self.view_change()));
        let proof = self.keys.prove(Party::Node(self.me), &body);
        let message = Message { body, proof };
        for node in self.config.nodes() {
            out.send(node, message.clone());
        }
        self.change.own = Some(message);
        self.change.repeats = 0;
    }

    fn view_change(&self) -> ViewChange {
        let is_proven = self.config.authentication == Authentication::Signatures;
        let tells_nothing = self.config.mutants.deviates(Mutant::B12);
        ViewChange {
            view: self.view,
            stable: (*self.stable).clone(),
            prepared: if tells_nothing { Vec::new() } else { self.log.prepared() },
            pre_prepared: if is_proven { Vec::new() } else { self.log.vouched() },
        }
    }

    /// Its VIEW-CHANGE may have been lost: it says it again, less and less often, since it may be a long one.
    pub(super) fn ask_for_view_again(&mut self, out: &mut Outbox<Pbft>) {
        const OFTEN: u32 = 16;
        self.change.repeats = self.change.repeats.saturating_add(1);
        let repeats = self.change.repeats;
        if repeats.is_power_of_two() || repeats.is_multiple_of(OFTEN) {
            for node in self.others() {
                self.tell_own_view_change(node, out);
            }
        }
    }

    pub(super) fn tell_own_view_change(&self, to: NodeId, out: &mut Outbox<Pbft>) {
        if let Some(message) = &self.change.own {
            out.send(to, message.clone());
        }
    }

    /// Why a VIEW-CHANGE need not be verified.
    pub(super) fn needless_view_change(
        &self,
        from: NodeId,
        view_change: &ViewChange,
    ) -> Option<&'static str> {
        let view = view_change.view;
        if view > View::LAST {
            return Some("VIEW-CHANGE for a view that there cannot be");
        }
        if view < self.view || (view == self.view && self.is_active) {
            return Some("VIEW-CHANGE for a view that has begun, or was left");
        }
        let held = self.change.votes.get(&from);
        held.is_some_and(|held| held.body.view >= view).then_some("VIEW-CHANGE that is known")
    }

    pub(super) fn on_view_change(&mut self, signed: SignedViewChange, out: &mut Outbox<Pbft>) {
        let by = signed.by;
        if !is_view_change_valid(&self.keys, &self.config, &signed.body) {
            out.mark("invalid-view-change");
            return out.ignore("VIEW-CHANGE that is not valid");
        }
        self.change.votes.insert(by, signed);
        self.join_if_wanted(out);
        if self.is_active {
            return;
        }
        let quorum = usize::try_from(self.config.quorum()).unwrap_or(usize::MAX);
        // Who has gone on to a later view has left the lower ones, too.
        if !self.change.is_timed && self.change.left_for(self.view) >= quorum {
            self.change.is_timed = true;
            self.set_view_timer(out);
        }
        self.begin_view_if_agreed(out);
    }

    /// `PBFT OSDI'99 §4.5.2`: f + 1 others have left for later views, so that one correct replica has. The smallest of
    /// these views is the next.
    fn join_if_wanted(&mut self, out: &mut Outbox<Pbft>) {
        let others = self.change.votes.iter().filter(|(node, _)| **node != self.me);
        let views = others.map(|(_, vote)| vote.body.view).filter(|view| *view > self.view);
        let views: Vec<View> = views.collect();
        let weak = usize::try_from(self.config.weak()).unwrap_or(usize::MAX);
        if views.len() < weak {
            return;
        }
        if let Some(view) = views.into_iter().min() {
            out.mark("view-change-joined");
            self.leave_for(view, out);
        }
    }

    /// The new primary begins its view, once it has what that takes: the VIEW-CHANGEs of a quorum, its own among them,
    /// from which it follows what may be committed; the state at the last stable checkpoint; and all batches.
    pub(super) fn begin_view_if_agreed(&mut self, out: &mut Outbox<Pbft>) {
        if self.is_active || self.config.primary(self.view) != self.me {
            return;
        }
        let votes = self.change.votes.values().filter(|vote| vote.body.view == self.view);
        let votes: Vec<SignedViewChange> = votes.cloned().collect();
        let needed = usize::try_from(view_changes_needed(&self.config)).unwrap_or(usize::MAX);
        if votes.len() < needed || !votes.iter().any(|vote| vote.by == self.me) {
            return;
        }
        let Some(Decision { stable, proposals }) = decide(&self.config, &votes) else {
            out.mark("view-change-undecided");
            return;
        };
        if self.reaches(Arc::new(stable), out) && self.has_batches(&votes, &proposals, out) {
            self.begin_view(votes, &proposals, out);
        }
    }

    /// Whether it has the state at a stable checkpoint, or a later one; it asks for it otherwise.
    fn reaches(&mut self, stable: Arc<Certificate>, out: &mut Outbox<Pbft>) -> bool {
        self.adopt_stable(&stable, out) || {
            self.ask_for_state(stable, out);
            false
        }
    }

    /// Whether it has all batches of a new view; it asks those for them otherwise at whom they are prepared.
    fn has_batches(
        &mut self,
        votes: &[SignedViewChange],
        proposals: &[(Slot, Digest)],
        out: &mut Outbox<Pbft>,
    ) -> bool {
        let lacking = proposals.iter().map(|(_, digest)| *digest);
        let lacking: Vec<Digest> =
            lacking.filter(|digest| self.log.batch(*digest).is_none()).collect();
        for digest in &lacking {
            let has = |vote: &&SignedViewChange| {
                vote.by != self.me && vote.body.prepared.iter().any(|claim| claim.digest == *digest)
            };
            let holders: Vec<NodeId> = votes.iter().filter(has).map(|vote| vote.by).collect();
            self.want(*digest, self.whose_turn(&holders), out);
        }
        lacking.is_empty()
    }

    fn begin_view(
        &mut self,
        votes: Vec<SignedViewChange>,
        proposals: &[(Slot, Digest)],
        out: &mut Outbox<Pbft>,
    ) {
        let proposals = proposals.iter().map(|&(seq, digest)| self.proposal(seq, digest));
        let proposals = proposals.collect();
        let new_view = Arc::new(NewView { view: self.view, votes, proposals });
        let body = Body::NewView(new_view.clone());
        let proof = self.keys.prove(Party::Node(self.me), &body);
        let message = Message { body, proof: proof.clone() };
        self.enter(new_view, proof, out);
        for node in self.others() {
            out.send(node, message.clone());
        }
        self.ask_primary_anew(out);
    }

    /// An element of O: with signatures it is the PRE-PREPARE, but for the batch.
    fn proposal(&self, seq: Slot, digest: Digest) -> Proposal {
        let proof = match self.config.authentication {
            Authentication::Signatures => {
                let (view, batch) = (self.view, Arc::<Batch>::default());
                let body = Body::PrePrepare { view, seq, digest, batch };
                Some(self.keys.prove(Party::Node(self.me), &body))
            }
            Authentication::Hmac => None,
        };
        Proposal { seq, digest, proof }
    }

    /// Why a NEW-VIEW need not be verified.
    pub(super) fn needless_new_view(&self, view: View) -> Option<&'static str> {
        let is_needless = view < self.view || (view == self.view && self.is_active);
        is_needless.then_some("NEW-VIEW of a view that has begun, or was left")
    }

    pub(super) fn on_new_view(
        &mut self,
        new_view: Arc<NewView>,
        proof: Proof,
        out: &mut Outbox<Pbft>,
    ) {
        let primary = self.config.primary(new_view.view);
        if primary == self.me {
            return out.ignore("NEW-VIEW of an earlier life");
        }
        if !is_new_view_valid(&self.keys, &self.config, primary, &new_view) {
            out.mark("invalid-new-view");
            return out.ignore("NEW-VIEW that is not valid");
        }
        self.enter(new_view, proof, out);
        self.ask_primary_anew(out);
    }

    /// Its view begins.
    fn enter(&mut self, new_view: Arc<NewView>, proof: Proof, out: &mut Outbox<Pbft>) {
        let (view, by) = (new_view.view, self.config.primary(new_view.view));
        if view > self.view {
            self.patience.view_is_left(false);
        }
        self.view = view;
        self.is_active = true;
        self.change.votes.retain(|_, vote| vote.body.view > view);
        self.change.own = None;
        self.change.is_timed = false;
        out.cancel_timer(VIEW);
        self.patience.awaited = None;
        self.primary = None;
        self.roll_back();
        let voters: NodeSet = new_view.votes.iter().map(|vote| vote.by).collect();
        let record = Record::ViewEntered { new_view: new_view.clone(), by, proof: proof.clone() };
        let ticket = out.persist(record).0;
        out.observe(Observation::ViewEntered { view, voters, ticket });
        self.mark_proposals(&new_view, out);
        let stable = new_view.votes.iter().map(|vote| &vote.body.stable);
        let stable = stable.max_by_key(|stable| stable.seq).cloned().map(Arc::new);
        self.beginning = Some(Box::new(Beginning { new_view, by, proof }));
        if let Some(stable) = stable {
            self.reaches(stable, out);
        }
        self.take_up_proposals(out);
        if by == self.me {
            self.lead();
        }
    }

    #[expect(clippy::unused_self, reason = "milestones are no business of a message")]
    fn mark_proposals(&self, new_view: &NewView, out: &mut Outbox<Pbft>) {
        for Proposal { digest, .. } in &new_view.proposals {
            let is_null = *digest == Digest::NULL;
            out.mark(if is_null { "null-proposed" } else { "prepared-carried-over" });
        }
    }

    /// Accepts what its view began with, and says so as of any PRE-PREPARE. What is executed is voted on again, and not
    /// executed again.
    pub(super) fn take_up_proposals(&mut self, out: &mut Outbox<Pbft>) {
        let (view, ticket) = (self.view, out.last_ticket().0);
        let accepted = self.accept_proposals();
        for (seq, digest) in &accepted {
            out.observe(Observation::PrePrepared { view, seq: *seq, digest: *digest, ticket });
        }
        for (seq, digest) in accepted {
            if self.log.batch(digest).is_some() {
                self.vouch(seq, out);
            } else {
                // Its primary had all before the view could begin.
                self.want(digest, Some(self.config.primary(view)), out);
            }
        }
    }

    /// Accepts those of its view's first proposals that lie between the watermarks, and tells which are new.
    pub(super) fn accept_proposals(&mut self) -> Vec<(Slot, Digest)> {
        let view = self.view;
        let begun = self.beginning.as_deref().filter(|begun| begun.new_view.view == view);
        let Some(new_view) = begun.map(|begun| begun.new_view.clone()) else { return Vec::new() };
        let mut accepted = Vec::new();
        for Proposal { seq, digest, proof } in &new_view.proposals {
            let is_known =
                self.log.get(*seq).is_some_and(|place| place.accepted_in(view).is_some());
            if is_known || !self.is_in_window(*seq) {
                continue;
            }
            let proof = proof.clone().unwrap_or(Proof::Itself);
            self.log.place(*seq).accept(view, *digest, proof);
            accepted.push((*seq, *digest));
        }
        accepted
    }

    /// As [`Self::take_up_proposals`], without a word.
    pub(super) fn recover_proposals(&mut self) {
        for (_, digest) in self.accept_proposals() {
            self.recover_vouched(digest);
        }
    }
}

//! Lies about what binds the next view, as somebody who votes for it and as its primary.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::super::authentication::Said;
use super::super::certificates::decide;
use super::super::digest::Digest;
use super::super::message::{
    Body, Certificate, NewView, PrePrepared, Prepared, Proposal, SignedViewChange, ViewChange, Vote,
};
use super::super::options::Authentication;
use super::super::proof::Proof;
use super::super::view::View;
use super::{Tongue, just};
use crate::contract::NodeId;
use crate::lies::Draws;
use crate::parties::{NodeSet, Party};
use crate::smr::Slot;

impl Tongue<'_> {
    /// Certificates of its own are left out, or what follows from those of others.
    pub(super) fn omit(&self) -> Option<Vec<Body>> {
        match &self.truth.body {
            Body::ViewChange(view_change) => {
                just(Body::ViewChange(Arc::new(self.without_certificates(view_change))))
            }
            Body::NewView(new_view) => {
                let less = match self.story(new_view.view.0).below(4) {
                    0 => self.with_own_word_changed(new_view)?,
                    1 => self.with_proposals(new_view, |place, proposal| {
                        (place > 0).then_some(proposal)
                    }),
                    2 => NewView {
                        votes: new_view.votes.iter().skip(1).cloned().collect(),
                        ..(**new_view).clone()
                    },
                    _ => self.with_proposals(new_view, |_, (seq, _)| Some((seq, Digest::NULL))),
                };
                just(Body::NewView(Arc::new(less)))
            }
            Body::Request(_)
            | Body::Reply { .. }
            | Body::PrePrepare { .. }
            | Body::Prepare { .. }
            | Body::Commit { .. }
            | Body::Checkpoint { .. }
            | Body::Status { .. }
            | Body::Committed { .. }
            | Body::Stable(_)
            | Body::Fetch { .. }
            | Body::Fetched { .. }
            | Body::GetState { .. }
            | Body::State { .. } => None,
        }
    }

    /// With none of them, or only some; the same for all who are told so.
    fn without_certificates(&self, view_change: &ViewChange) -> ViewChange {
        let mut draws = self.story(view_change.view.0);
        let mut less = view_change.clone();
        let is_all = draws.one_in(2);
        less.prepared.retain(|_| !is_all && draws.one_in(2));
        less.pre_prepared.retain(|_| !is_all && draws.one_in(2));
        if is_all && less.stable.seq <= Slot(self.config.window()) && draws.one_in(2) {
            less.stable = Certificate::default();
        }
        less
    }

    /// The NEW-VIEW that would follow if the liar, its primary, had nothing to show: all in it is as it must be.
    fn with_own_word_changed(&self, new_view: &NewView) -> Option<NewView> {
        let me = self.node()?;
        let changed = |vote: &SignedViewChange| {
            if vote.by != me {
                return vote.clone();
            }
            let bare = ViewChange {
                prepared: Vec::new(),
                pre_prepared: Vec::new(),
                ..(*vote.body).clone()
            };
            self.own_view_change(me, bare)
        };
        self.new_view(new_view.view, new_view.votes.iter().map(changed).collect())
    }

    /// Another NEW-VIEW for the same view, as it must be: from other VIEW-CHANGEs, of all that were heard.
    pub(super) fn another_new_view(&self, new_view: &NewView) -> Option<Vec<Body>> {
        let mut votes: Vec<SignedViewChange> = new_view.votes.clone();
        for (from, message) in self.heard.of_kind("VIEW-CHANGE") {
            if let (Party::Node(by), Body::ViewChange(body)) = (from, &message.body)
                && body.view == new_view.view
            {
                let (by, body, proof) = (*by, Arc::clone(body), message.proof.clone());
                votes.retain(|vote| vote.by != by);
                votes.push(SignedViewChange { by, body, proof });
            }
        }
        let count = usize::try_from(self.config.quorum()).unwrap_or(usize::MAX);
        let spare = votes.len().saturating_sub(count);
        // Those that the first one begins with are left out, as far as there are others.
        votes.drain(..spare);
        let other = self.new_view(new_view.view, votes);
        let other = match other {
            Some(other) if other != *new_view => Some(other),
            Some(_) | None => self.with_own_word_changed(new_view),
        };
        just(Body::NewView(Arc::new(other?)))
    }

    /// What follows from these.
    fn new_view(&self, view: View, votes: Vec<SignedViewChange>) -> Option<NewView> {
        let proposals = decide(self.config, &votes)?.proposals;
        let proposals = proposals.into_iter().map(|place| self.proposed(view, place)).collect();
        Some(NewView { view, votes, proposals })
    }

    fn with_proposals(
        &self,
        new_view: &NewView,
        change: impl Fn(usize, (Slot, Digest)) -> Option<(Slot, Digest)>,
    ) -> NewView {
        let NewView { view, votes, proposals } = new_view;
        let places = proposals.iter().map(|proposal| (proposal.seq, proposal.digest)).enumerate();
        let changed = places.filter_map(|(place, proposal)| change(place, proposal));
        let proposals = changed.map(|place| self.proposed(*view, place)).collect();
        NewView { view: *view, votes: votes.clone(), proposals }
    }

    fn proposed(&self, view: View, (seq, digest): (Slot, Digest)) -> Proposal {
        let proof = match self.config.authentication {
            Authentication::Signatures => {
                Some(self.keys.sign(&Said::PrePrepare { view, seq, digest }))
            }
            Authentication::Hmac => None,
        };
        Proposal { seq, digest, proof }
    }

    fn own_view_change(&self, by: NodeId, body: ViewChange) -> SignedViewChange {
        let proof = self.keys.sign(&Said::ViewChange(&body));
        SignedViewChange { by, body: Arc::new(body), proof }
    }

    /// Claims without certificates, or with such as no one else has signed.
    pub(super) fn invent(&self) -> Option<Vec<Body>> {
        match &self.truth.body {
            Body::ViewChange(view_change) => {
                let mut draws = self.story(view_change.view.0);
                let more = self.with_a_claim(view_change, &mut draws)?;
                just(Body::ViewChange(Arc::new(more)))
            }
            Body::NewView(new_view) => {
                let mut draws = self.story(new_view.view.0);
                let other = self.with_inventions(new_view, &mut draws);
                just(Body::NewView(Arc::new(other)))
            }
            Body::Stable(certificate) => {
                let mut draws = self.draws();
                let seq = certificate.seq.plus(self.config.checkpoint_every);
                let digest = self.other_digest(certificate.digest, &mut draws);
                let word = self.keys.sign(&Said::Checkpoint { seq, digest });
                let votes = self.in_the_name_of_all(&word);
                just(Body::Stable(Arc::new(Certificate { seq, digest, votes })))
            }
            Body::Commit { view, seq, digest } => {
                let mut draws = self.draws();
                let digest = self.other_digest(*digest, &mut draws);
                let invented = Body::Commit { view: *view, seq: seq.next(), digest };
                Some(vec![self.truth.body.clone(), invented])
            }
            Body::Committed { seq, digest } => {
                let mut draws = self.draws();
                let digest = self.other_digest(*digest, &mut draws);
                Some(vec![self.truth.body.clone(), Body::Committed { seq: seq.next(), digest }])
            }
            Body::Request(_)
            | Body::Reply { .. }
            | Body::PrePrepare { .. }
            | Body::Prepare { .. }
            | Body::Checkpoint { .. }
            | Body::Status { .. }
            | Body::Fetch { .. }
            | Body::Fetched { .. }
            | Body::GetState { .. }
            | Body::State { .. } => None,
        }
    }

    /// It claims that something else was prepared at one of its places, or the one after them.
    fn with_a_claim(&self, view_change: &ViewChange, draws: &mut Draws) -> Option<ViewChange> {
        let view = View(view_change.view.0.checked_sub(1)?);
        let mut more = view_change.clone();
        let last = more.prepared.last().map_or(more.stable.seq, |claim| claim.seq);
        let places = more.prepared.iter().map(|claim| claim.seq).chain([last.next()]);
        let seq = draws.of(places)?;
        let known = more.prepared.iter().find(|claim| claim.seq == seq).map(|claim| claim.digest);
        let digest = self.other_digest(known.unwrap_or_default(), draws);
        let votes = match self.config.authentication {
            Authentication::Signatures => self.certificate(view, seq, digest),
            Authentication::Hmac => Vec::new(),
        };
        more.prepared.retain(|claim| claim.seq != seq);
        more.prepared.push(Prepared { view, seq, digest, votes });
        more.prepared.sort_by_key(|claim| claim.seq);
        if self.config.authentication == Authentication::Hmac {
            more.pre_prepared.retain(|claim| (claim.seq, claim.digest) != (seq, digest));
            more.pre_prepared.push(PrePrepared { seq, digest, view });
            more.pre_prepared.sort_by_key(|claim| (claim.seq, claim.digest));
        }
        Some(more)
    }

    /// Votes in everybody's name, with the liar's own signature: it has no other.
    fn certificate(&self, view: View, seq: Slot, digest: Digest) -> Vec<Vote> {
        let primary = self.config.primary(view);
        let proposal = self.keys.sign(&Said::PrePrepare { view, seq, digest });
        let prepare = self.keys.sign(&Said::Prepare { view, seq, digest });
        let others = self.in_the_name_of_all(&prepare).into_iter();
        let others = others.filter(|vote| vote.by != primary);
        let count = usize::try_from(self.config.quorum()).unwrap_or(usize::MAX);
        [Vote { by: primary, proof: proposal }].into_iter().chain(others).take(count).collect()
    }

    fn in_the_name_of_all(&self, word: &Proof) -> Vec<Vote> {
        self.config.nodes().map(|by| Vote { by, proof: word.clone() }).collect()
    }

    /// Proposals that follow from nothing, or votes of replicas that did not vote.
    fn with_inventions(&self, new_view: &NewView, draws: &mut Draws) -> NewView {
        let NewView { view, ref votes, ref proposals } = *new_view;
        let mut other = new_view.clone();
        match draws.below(3) {
            0 => {
                let invented = |than: Digest| self.other_digest(than, &mut self.story(view.0));
                other =
                    self.with_proposals(new_view, |_, (seq, digest)| Some((seq, invented(digest))));
            }
            1 => {
                let stable = votes.iter().map(|vote| vote.body.stable.seq).max();
                let last = proposals.last().map(|proposal| proposal.seq).or(stable);
                let digest = self.other_digest(Digest::NULL, draws);
                let place = (last.unwrap_or_default().next(), digest);
                other.proposals.push(self.proposed(view, place));
            }
            _ => {
                let voters: NodeSet = votes.iter().map(|vote| vote.by).collect();
                let missing = self.config.nodes().filter(|node| !voters.contains(*node));
                let bare = ViewChange {
                    view,
                    stable: Certificate::default(),
                    prepared: Vec::new(),
                    pre_prepared: Vec::new(),
                };
                let forged: Vec<_> =
                    missing.map(|node| self.own_view_change(node, bare.clone())).collect();
                // They take the places of others who had something to show.
                let kept = votes.len().saturating_sub(forged.len());
                other.votes.truncate(kept);
                other.votes.extend(forged);
            }
        }
        other
    }
}

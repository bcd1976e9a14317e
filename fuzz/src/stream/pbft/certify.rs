//! Certificates out of a few bytes: true ones, and such as a liar would try.

use std::sync::Arc;

use quorate_systems::contract::NodeId;
use quorate_systems::parties::{NodeSet, Party};
use quorate_systems::pbft::{
    Authentication, Body, Certificate, Digest, NewView, PrePrepared, Prepared, Proof, Proposal,
    Said, SignedViewChange, View, ViewChange, Vote, decide,
};
use quorate_systems::smr::{Slot, Snapshot};

use super::forge::Forger;
use super::model::quorum;

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// One vote less than there must be.
    VoteShort,
    /// One vote is in the name of somebody else.
    VoteForged,
    /// One vote stands there twice.
    VoteTwice,
    /// What it says follows from nothing.
    Unfounded,
    /// Something is left out.
    Omits,
    /// Something is out of its bounds.
    OutOfBounds,
    /// Something is out of order.
    OutOfOrder,
}

const FLAWS: [Flaw; 16] = [
    Flaw::None,
    Flaw::None,
    Flaw::None,
    Flaw::None,
    Flaw::None,
    Flaw::None,
    Flaw::None,
    Flaw::None,
    Flaw::None,
    Flaw::VoteShort,
    Flaw::VoteForged,
    Flaw::VoteTwice,
    Flaw::Unfounded,
    Flaw::Omits,
    Flaw::OutOfBounds,
    Flaw::OutOfOrder,
];

impl Forger<'_> {
    /// What is wrong with what `by` says: nothing, unless it lies.
    pub(super) fn flaw(&self, by: NodeId) -> Flaw {
        if self.lies(by) { self.any_flaw() } else { Flaw::None }
    }

    /// The same for what anybody may show, since it proves itself.
    fn any_flaw(&self) -> Flaw {
        FLAWS.get(usize::from(self.dice.kind >> 4)).copied().unwrap_or(Flaw::None)
    }

    /// Everybody but the core's own replica.
    fn others(&self) -> NodeSet {
        let all = NodeSet::all(self.kit().config.nodes);
        self.scope.me.map_or(all, |me| all.without(NodeSet::of(me)))
    }

    /// So many votes of these, as far as there are so many.
    fn votes(&self, by: NodeSet, count: usize, said: &Said<'_>, flaw: Flaw) -> Vec<Vote> {
        let count = count - usize::from(flaw == Flaw::VoteShort && count > 0);
        let sign = |by: NodeId| Vote { by, proof: self.kit().of_node(by).sign(said) };
        let mut votes: Vec<Vote> = by.iter().take(count).map(sign).collect();
        match (flaw, votes.as_mut_slice()) {
            (Flaw::VoteForged, [first, .., last]) => last.proof = first.proof.clone(),
            (Flaw::VoteTwice, [first, .., last]) => *last = first.clone(),
            _ => {}
        }
        votes
    }

    /// That a checkpoint is stable.
    pub(super) fn certificate(&self, seq: Slot, flaw: Flaw) -> Certificate {
        let own = self.node().map(|node| node.stable.clone());
        if let Some(own) = own.filter(|own| own.seq == seq && flaw == Flaw::None) {
            return (*own).clone();
        }
        if seq == Slot::ZERO && flaw == Flaw::None {
            return Certificate::default();
        }
        let digest = match flaw {
            Flaw::Unfounded => Digest([1; 32]),
            _ => self.state_digest(seq),
        };
        let said = Said::Checkpoint { seq, digest };
        let votes = self.votes(self.others(), quorum(&self.kit().config), &said, flaw);
        Certificate { seq, digest, votes }
    }

    /// Of the state that those who do not lie have after a checkpoint.
    pub(super) fn state_digest(&self, seq: Slot) -> Digest {
        let own = self.node().and_then(|node| node.checkpoints.get(&seq).copied());
        let ready = self.kit().state(seq).map(|(digest, _)| *digest);
        own.or(ready).unwrap_or_default()
    }

    /// The state at a checkpoint, or something else.
    pub(super) fn state(&self, seq: Slot) -> Body {
        let flaw = self.any_flaw();
        let certificate = Arc::new(self.certificate(seq, flaw));
        let known = self.kit().state(seq).map(|(_, snapshot)| snapshot.clone());
        let mut snapshot = known.unwrap_or_default();
        if matches!(flaw, Flaw::Omits | Flaw::OutOfBounds) {
            let index = if flaw == Flaw::OutOfBounds { seq.next() } else { seq };
            snapshot = Arc::new(Snapshot { index, ..Snapshot::default() });
        }
        Body::State { certificate, snapshot }
    }

    /// A checkpoint near to where the replica is.
    pub(super) fn checkpoint_seq(&self) -> Slot {
        let every = self.kit().config.checkpoint_every;
        let executed = self.node().map_or(0, |node| node.executed().0);
        let low = self.node().map_or(0, |node| node.stable.seq.0);
        let last = executed / every * every;
        Slot(match self.dice.data & 7 {
            0..=2 => last.saturating_add(every),
            3 => last,
            4 => last.saturating_add(2 * every),
            5 => low.saturating_add(3 * every),
            6 => last.saturating_add(1),
            _ => low,
        })
    }

    /// That this was prepared, as far as it can be shown; nothing where it cannot.
    fn claim(&self, (view, seq, digest): (View, Slot, Digest), flaw: Flaw) -> Option<Prepared> {
        let config = &self.kit().config;
        if config.authentication == Authentication::Hmac {
            return Some(Prepared { view, seq, digest, votes: Vec::new() });
        }
        let primary = view.primary(config.nodes);
        let proposed = if Some(primary) == self.scope.me {
            self.own_vote((view, seq, digest))?
        } else {
            let said = Said::PrePrepare { view, seq, digest };
            Vote { by: primary, proof: self.kit().of_node(primary).sign(&said) }
        };
        let needed = quorum(config) - 1;
        let takers = self.others().without(NodeSet::of(primary));
        let mut taken = self.votes(takers, needed, &Said::Prepare { view, seq, digest }, flaw);
        if taken.len() < needed && flaw == Flaw::None {
            taken.push(self.own_vote((view, seq, digest)).filter(|vote| vote.by != primary)?);
        }
        let votes = [vec![proposed], taken].concat();
        Some(Prepared { view, seq, digest, votes })
    }

    /// What the core's own replica said of this lately, for all to see.
    fn own_vote(&self, at: (View, Slot, Digest)) -> Option<Vote> {
        let by = self.scope.me?;
        let proof_of = |place: u8| -> Option<Proof> {
            let message = &self.scope.said.get(place)?.message;
            let said = match message.body {
                Body::PrePrepare { view, seq, digest, .. }
                | Body::Prepare { view, seq, digest } => (view, seq, digest),
                _ => return None,
            };
            (said == at).then(|| message.proof.clone())
        };
        (0..8).find_map(proof_of).map(|proof| Vote { by, proof })
    }

    /// Somebody has left all lower views.
    pub(super) fn view_change(&self, by: NodeId, view: View) -> ViewChange {
        let flaw = self.flaw(by);
        let every = self.kit().config.checkpoint_every;
        let low = self.node().map_or(Slot::ZERO, |node| node.stable.seq);
        let stable = match self.dice.data >> 6 {
            0 | 1 => low,
            2 => Slot(low.0.saturating_add(every)),
            _ => Slot::ZERO,
        };
        let stable =
            self.certificate(stable, if flaw == Flaw::Unfounded { Flaw::None } else { flaw });
        let mut prepared = Vec::new();
        let mut pre_prepared = Vec::new();
        let first = if flaw == Flaw::OutOfBounds { stable.seq } else { stable.seq.next() };
        let reach = first.plus(2.min(2 * every - 1));
        for (place, seq) in (0_u8..).zip(first.through(reach)) {
            let word = self.dice.name.rotate_right(u32::from(place) * 2 + u32::from(by.0));
            if word & 1 == 0 || view.0 == 0 {
                continue;
            }
            let back = if flaw == Flaw::OutOfBounds { 0 } else { 1 + u64::from(word >> 1 & 1) };
            let claimed = View(view.0.saturating_sub(back));
            let digest = self.claimed_digest(by, claimed, seq, word);
            if self.kit().config.authentication == Authentication::Hmac {
                pre_prepared.push(PrePrepared { seq, digest, view: claimed });
            }
            prepared.extend(self.claim((claimed, seq, digest), flaw));
        }
        if flaw == Flaw::OutOfOrder {
            prepared.reverse();
            pre_prepared.reverse();
        }
        if flaw == Flaw::Omits {
            pre_prepared.clear();
        }
        ViewChange { view, stable, prepared, pre_prepared }
    }

    /// What was prepared, by those who do not lie; a liar may claim something else, too.
    fn claimed_digest(&self, by: NodeId, view: View, seq: Slot, word: u8) -> Digest {
        let agreed = self.agreed(view, seq);
        let other = word & 0b1100 == 0b1100 && self.lies(by);
        if other { self.kit().batch(seq, 1).0 } else { agreed }
    }

    fn signed_view_change(&self, by: NodeId, body: ViewChange) -> SignedViewChange {
        let proof = self.kit().of_node(by).sign(&Said::ViewChange(&body));
        SignedViewChange { by, body: Arc::new(body), proof }
    }

    /// The core's own VIEW-CHANGE for this view, if it has said one lately.
    fn own_view_change(&self, view: View) -> Option<SignedViewChange> {
        let by = self.scope.me?;
        let said = (0..8).filter_map(|place| self.scope.said.get(place));
        let mut wanted = said.filter_map(|said| match &said.message.body {
            Body::ViewChange(body) if body.view == view => {
                Some((body.clone(), said.message.proof.clone()))
            }
            _ => None,
        });
        let (body, proof) = wanted.next()?;
        Some(SignedViewChange { by, body, proof })
    }

    /// A view begins.
    pub(super) fn new_view(&self, by: NodeId, view: View) -> NewView {
        let flaw = self.flaw(by);
        let mut votes: Vec<SignedViewChange> = self.own_view_change(view).into_iter().collect();
        // Others than the liar may still want it for what it is.
        for node in self.others().iter() {
            let dice = crate::stream::Dice { kind: self.dice.kind & 0xf, ..self.dice };
            let honest = Forger { scope: self.scope, dice };
            votes.push(self.signed_view_change(node, honest.view_change(node, view)));
        }
        votes.sort_unstable_by_key(|vote| vote.by);
        let needed = quorum(&self.kit().config);
        let turn = usize::from(self.dice.name & 3).min(votes.len().saturating_sub(1));
        votes.rotate_left(turn);
        votes.truncate(needed - usize::from(flaw == Flaw::VoteShort && needed > 0));
        match (flaw, votes.as_mut_slice()) {
            (Flaw::VoteForged, [first, .., last]) => last.proof = first.proof.clone(),
            (Flaw::VoteTwice, [first, .., last]) => *last = first.clone(),
            _ => {}
        }
        let decision = decide(&self.kit().config, &votes);
        let mut proposed = decision.map_or_else(Vec::new, |decision| decision.proposals);
        self.distort(&mut proposed, flaw);
        let proposals =
            proposed.into_iter().map(|(seq, digest)| self.element(by, view, (seq, digest)));
        NewView { view, proposals: proposals.collect(), votes }
    }

    /// What a liar proposes in place of what follows.
    fn distort(&self, proposed: &mut Vec<(Slot, Digest)>, flaw: Flaw) {
        match flaw {
            Flaw::Unfounded => match proposed.first_mut() {
                Some((seq, digest)) => *digest = self.kit().batch(*seq, 1).0,
                None => proposed.push((Slot(1), Digest::NULL)),
            },
            Flaw::Omits => drop(proposed.pop()),
            Flaw::OutOfBounds => {
                let last = proposed.last().map_or(Slot::ZERO, |(seq, _)| *seq);
                proposed.push((last.next(), Digest::NULL));
            }
            Flaw::OutOfOrder => proposed.reverse(),
            Flaw::None | Flaw::VoteShort | Flaw::VoteForged | Flaw::VoteTwice => {}
        }
    }

    fn element(&self, by: NodeId, view: View, (seq, digest): (Slot, Digest)) -> Proposal {
        let is_signed = self.kit().config.authentication == Authentication::Signatures;
        let said = Said::PrePrepare { view, seq, digest };
        let keys = self.kit().keys_of(Party::Node(by));
        Proposal { seq, digest, proof: is_signed.then(|| keys.sign(&said)) }
    }
}

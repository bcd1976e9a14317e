//! Small changes of what is true, in value or in time: what `ByzzFuzz` calls small-scope mutations (Winter, Buse, de Graaf,
//! von Gleissenthall, Kulahcioglu Ozkan, "Randomized Testing of Byzantine Fault Tolerant Algorithms", OOPSLA 2023). One field
//! is off by one, or an earlier message is said again: most of what is farther from the truth is refused at once.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::super::digest::Digest;
use super::super::message::{Body, NewView, ViewChange};
use super::super::view::View;
use super::Tongue;
use crate::contract::{Describe, Outcome};
use crate::lies::Draws;
use crate::smr::Slot;

/// One in so many messages stays as it is.
const TRUE_ONE_IN: u64 = 2;

impl Tongue<'_> {
    /// Something close to the truth, in its place or beside it; now and then nothing at all.
    pub(super) fn mutate(&self) -> Option<Vec<Body>> {
        let mut draws = self.draws();
        if draws.one_in(TRUE_ONE_IN) {
            return None;
        }
        let truth = self.truth.body.clone();
        match draws.below(8) {
            0 => Some(Vec::new()),
            1 | 2 => Some(vec![self.earlier(&mut draws)?]),
            3 => Some(vec![truth, self.earlier(&mut draws)?]),
            4 => Some(vec![truth.clone(), self.changed(truth, &mut draws)?]),
            _ => Some(vec![self.changed(truth, &mut draws)?]),
        }
    }

    /// An earlier message, its own or another's, as what it says now: of the same kind more often than not.
    fn earlier(&self, draws: &mut Draws) -> Option<Body> {
        let kind = self.truth.kind();
        let is_alike = !draws.one_in(4);
        let known = self.said.all().chain(self.heard.all());
        let known = known.filter(|(_, message)| !is_alike || message.kind() == kind);
        // What answers one client is no answer to another, and to nobody else.
        let fits = known.filter(|(to, message)| match message.body {
            Body::Reply { .. } => *to == self.to,
            _ => !self.is_to_client(),
        });
        draws.of(fits).map(|(_, message)| message.body.clone())
    }

    /// One field is off by one, or taken from another message.
    fn changed(&self, mut body: Body, draws: &mut Draws) -> Option<Body> {
        let change = draws.below(4);
        match &mut body {
            Body::Prepare { view, seq, digest } | Body::Commit { view, seq, digest } => {
                let (view, seq, digest) = self.near((*view, *seq, *digest), change, draws);
                body = match draws.below(3) {
                    0 => Body::Prepare { view, seq, digest },
                    1 => Body::Commit { view, seq, digest },
                    _ if matches!(body, Body::Prepare { .. }) => {
                        Body::Prepare { view, seq, digest }
                    }
                    _ => Body::Commit { view, seq, digest },
                };
            }
            Body::PrePrepare { view, seq, digest, batch } => {
                if change == 3 {
                    *batch = self.other_batch(*view, *seq, batch)?;
                    *digest = self.keys.batch_digest(batch);
                } else {
                    (*view, *seq, *digest) = self.near((*view, *seq, *digest), change, draws);
                }
            }
            Body::Checkpoint { seq, digest } | Body::Committed { seq, digest } => {
                let near = self.near((View::FIRST, *seq, *digest), 1 + change % 2, draws);
                (_, *seq, *digest) = near;
            }
            Body::Reply { view, number, outcome, .. } => match change {
                0 => *view = View(off_by_one(view.0, draws)),
                1 => number.seq = off_by_one(number.seq, draws),
                _ => *outcome = self.earlier_outcome(draws)?,
            },
            Body::ViewChange(view_change) => self.change_vote(Arc::make_mut(view_change), draws),
            Body::NewView(new_view) => self.change_view(Arc::make_mut(new_view), draws),
            Body::Status { view, is_active, stable, executed } => match change {
                0 => *view = View(off_by_one(view.0, draws)),
                1 => *is_active = !*is_active,
                2 => *stable = Slot(off_by_one(stable.0, draws)),
                _ => *executed = Slot(off_by_one(executed.0, draws)),
            },
            Body::Stable(certificate) | Body::State { certificate, .. } => {
                let certificate = Arc::make_mut(certificate);
                match change {
                    0 => certificate.seq = Slot(off_by_one(certificate.seq.0, draws)),
                    1 => certificate.digest = self.other_digest(certificate.digest, draws),
                    _ => drop(certificate.votes.pop()),
                }
            }
            Body::Fetch { digest } => *digest = self.other_digest(*digest, draws),
            Body::GetState { seq } => *seq = Slot(off_by_one(seq.0, draws)),
            Body::Request(_) | Body::Fetched { .. } => return self.earlier(draws),
        }
        Some(body)
    }

    /// A place and digest of which one thing is another.
    fn near(
        &self,
        (view, seq, digest): (View, Slot, Digest),
        change: u64,
        draws: &mut Draws,
    ) -> (View, Slot, Digest) {
        match change {
            0 => (View(off_by_one(view.0, draws)), seq, digest),
            1 => (view, Slot(off_by_one(seq.0, draws)), digest),
            _ => (view, seq, self.other_digest(digest, draws)),
        }
    }

    /// What an earlier REPLY said, if it can be an answer here.
    fn earlier_outcome(&self, draws: &mut Draws) -> Option<Outcome> {
        let Body::Reply { outcome: ref truth, .. } = self.truth.body else { return None };
        let earlier = self.said.of_kind("REPLY").iter();
        let outcomes = earlier.filter_map(|(_, message)| match &message.body {
            Body::Reply { outcome, .. } if is_alike(outcome, truth) => Some(outcome),
            _ => None,
        });
        draws.of(outcomes).cloned()
    }

    fn change_vote(&self, view_change: &mut ViewChange, draws: &mut Draws) {
        let count = view_change.prepared.len() as u64;
        let place = usize::try_from(draws.below(count)).unwrap_or_default();
        match (draws.below(5), view_change.prepared.get_mut(place)) {
            (0, Some(_)) => drop(view_change.prepared.remove(place)),
            (1, Some(claim)) => claim.view = View(off_by_one(claim.view.0, draws)),
            (2, Some(claim)) => claim.digest = self.other_digest(claim.digest, draws),
            (3, Some(claim)) => claim.seq = Slot(off_by_one(claim.seq.0, draws)),
            (_, _) => view_change.view = View(off_by_one(view_change.view.0, draws)),
        }
    }

    fn change_view(&self, new_view: &mut NewView, draws: &mut Draws) {
        let count = new_view.proposals.len() as u64;
        let place = usize::try_from(draws.below(count)).unwrap_or_default();
        match (draws.below(4), new_view.proposals.get_mut(place)) {
            (0, Some(_)) => drop(new_view.proposals.remove(place)),
            (1, Some(proposal)) => proposal.digest = self.other_digest(proposal.digest, draws),
            (2, _) => drop(new_view.votes.pop()),
            (_, _) => new_view.view = View(off_by_one(new_view.view.0, draws)),
        }
    }
}

/// Whether one can stand where the other does, whatever was asked.
fn is_alike(one: &Outcome, other: &Outcome) -> bool {
    match (one, other) {
        // Their parts would have to be compared.
        (Outcome::Transaction(_), _) | (_, Outcome::Transaction(_)) => one == other,
        (one, other) => core::mem::discriminant(one) == core::mem::discriminant(other),
    }
}

fn off_by_one(number: u64, draws: &mut Draws) -> u64 {
    if draws.one_in(2) { number.saturating_add(1) } else { number.saturating_sub(1) }
}

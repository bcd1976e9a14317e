//! Lies about outcomes, votes and states.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::super::digest::Digest;
use super::super::message::{Batch, Body, Certificate};
use super::super::view::View;
use super::{Tongue, just, made_up, place};
use crate::contract::{Command, FORGED_VALUES, Key, Outcome, Value};
use crate::lies::Draws;
use crate::smr::{Slot, Snapshot};

/// A sequence number that no log comes to.
const FAR: u64 = 1 << 62;

impl Tongue<'_> {
    /// Clients are told of values that nobody wrote; replicas get votes for what nobody has proposed.
    pub(super) fn wrong_value(&self) -> Option<Vec<Body>> {
        let mut draws = self.draws();
        let wrong = |than: Digest, draws: &mut Draws| made_up(than, draws);
        match self.truth.body {
            Body::Reply { .. } => self.wrong_outcome(),
            Body::Prepare { view, seq, digest } => {
                just(Body::Prepare { view, seq, digest: wrong(digest, &mut draws) })
            }
            Body::Commit { view, seq, digest } => {
                just(Body::Commit { view, seq, digest: wrong(digest, &mut draws) })
            }
            Body::Committed { seq, digest } => {
                just(Body::Committed { seq, digest: wrong(digest, &mut draws) })
            }
            Body::Fetched { .. } => just(Body::Fetched { batch: Arc::new(Batch::default()) }),
            Body::Request(_)
            | Body::PrePrepare { .. }
            | Body::Checkpoint { .. }
            | Body::ViewChange(_)
            | Body::NewView(_)
            | Body::Status { .. }
            | Body::Stable(_)
            | Body::Fetch { .. }
            | Body::GetState { .. }
            | Body::State { .. } => None,
        }
    }

    /// Clients are told of values that nobody wrote.
    pub(super) fn wrong_outcome(&self) -> Option<Vec<Body>> {
        let Body::Reply { view, number, ref outcome, how } = self.truth.body else { return None };
        let outcome = forged(outcome, &mut self.draws());
        just(Body::Reply { view, number, outcome, how })
    }

    /// Views and sequence numbers that are far off.
    pub(super) fn leap(&self) -> Option<Vec<Body>> {
        let mut draws = self.draws();
        let distances = [1, 2, self.config.checkpoint_every, self.config.window() + 1, FAR];
        let by = draws.of(distances).unwrap_or(FAR);
        let mut body = self.truth.body.clone();
        match &mut body {
            // The same for all, or nobody would take it.
            Body::PrePrepare { view, seq, .. } => {
                let by = self.story(place(*view, *seq)).of(distances).unwrap_or(FAR);
                *seq = seq.plus(by);
            }
            Body::Prepare { seq, .. }
            | Body::Commit { seq, .. }
            | Body::Checkpoint { seq, .. }
            | Body::Committed { seq, .. }
            | Body::GetState { seq } => *seq = seq.plus(by),
            Body::Reply { view, .. } => *view = View(view.0.saturating_add(by)),
            Body::ViewChange(view_change) => {
                let view = &mut Arc::make_mut(view_change).view;
                let by = self.story(view.0).of([1, 2, 3, FAR]).unwrap_or(1);
                *view = View(view.0.saturating_add(by));
            }
            Body::NewView(new_view) => {
                let view = &mut Arc::make_mut(new_view).view;
                *view = View(view.0.saturating_add(u64::from(self.config.nodes)));
            }
            Body::Status { view, stable, executed, .. } => {
                if draws.one_in(2) {
                    *view = View(view.0.saturating_add(by));
                }
                (*stable, *executed) = (stable.plus(by), executed.plus(by));
            }
            Body::Stable(certificate) | Body::State { certificate, .. } => {
                let seq = &mut Arc::make_mut(certificate).seq;
                *seq = seq.plus(by);
            }
            Body::Request(_) | Body::Fetch { .. } | Body::Fetched { .. } => return None,
        }
        just(body)
    }

    /// Some are told one thing and others another, and each that its own votes are shared.
    pub(super) fn equivocate(&self) -> Option<Vec<Body>> {
        match self.truth.body {
            Body::PrePrepare { view, seq, ref batch, .. } => self.two_proposals(view, seq, batch),
            Body::Prepare { view, seq, digest } => {
                let digest = self.vote_of_receiver(view, seq).unwrap_or(digest);
                Some(votes(view, seq, digest).into())
            }
            Body::Commit { view, seq, digest } => {
                let digest = self.vote_of_receiver(view, seq).unwrap_or(digest);
                just(Body::Commit { view, seq, digest })
            }
            Body::Reply { number, .. } if self.hears_other(number.seq) => self.wrong_outcome(),
            Body::Checkpoint { seq, .. } if self.hears_other(seq.0) => self.false_checkpoint(),
            Body::ViewChange(ref view_change) if self.hears_other(view_change.view.0) => {
                self.omit()
            }
            Body::NewView(ref new_view) if self.hears_other(new_view.view.0) => {
                self.another_new_view(new_view)
            }
            Body::Status { .. } => self.as_an_accomplice(),
            Body::Request(_)
            | Body::Reply { .. }
            | Body::Checkpoint { .. }
            | Body::ViewChange(_)
            | Body::NewView(_)
            | Body::Committed { .. }
            | Body::Stable(_)
            | Body::Fetch { .. }
            | Body::Fetched { .. }
            | Body::GetState { .. }
            | Body::State { .. } => None,
        }
    }

    /// As primary: one batch for some, another one for others, both for a few; and with it all the votes that a liar has.
    fn two_proposals(&self, view: View, seq: Slot, batch: &Arc<Batch>) -> Option<Vec<Body>> {
        let other = self.other_batch(view, seq, batch)?;
        let stories = if self.draws().one_in(4) {
            vec![Arc::clone(batch), other]
        } else if self.hears_other(place(view, seq)) {
            vec![other]
        } else {
            vec![Arc::clone(batch)]
        };
        let mut said = Vec::new();
        for batch in stories {
            let digest = self.keys.batch_digest(&batch);
            said.push(Body::PrePrepare { view, seq, digest, batch });
            said.extend(votes(view, seq, digest));
        }
        Some(said)
    }

    /// What the receiver has voted for at this place, if that was heard.
    fn vote_of_receiver(&self, view: View, seq: Slot) -> Option<Digest> {
        let heard = self.heard.of_kind("PREPARE").iter().rev();
        heard.filter(|(from, _)| *from == self.to).find_map(|(_, message)| match message.body {
            Body::Prepare { view: of, seq: at, digest } if (of, at) == (view, seq) => Some(digest),
            _ => None,
        })
    }

    /// The truth, and votes for whatever the receiver has voted for lately.
    fn as_an_accomplice(&self) -> Option<Vec<Body>> {
        let heard = self.heard.of_kind("PREPARE").iter();
        let vote = self.draws().of(heard.filter(|(from, _)| *from == self.to));
        let (_, message) = vote?;
        let Body::Prepare { view, seq, digest } = message.body else { return None };
        let mut said = vec![self.truth.body.clone()];
        said.extend(votes(view, seq, digest));
        Some(said)
    }

    /// States that are not its own.
    pub(super) fn false_checkpoint(&self) -> Option<Vec<Body>> {
        let mut draws = self.draws();
        match self.truth.body {
            Body::Checkpoint { seq, digest } => {
                let ahead = seq.plus(self.config.checkpoint_every);
                let wrong = made_up(digest, &mut self.story(seq.0));
                let said = if draws.one_in(4) { digest } else { wrong };
                let mut said = vec![Body::Checkpoint { seq, digest: said }];
                if draws.one_in(2) {
                    said.push(Body::Checkpoint { seq: ahead, digest: wrong });
                }
                Some(said)
            }
            Body::Committed { seq, digest } => {
                just(Body::Committed { seq, digest: self.other_digest(digest, &mut draws) })
            }
            Body::Stable(ref certificate) => {
                let Certificate { seq, digest, ref votes } = **certificate;
                let seq = seq.plus(self.config.checkpoint_every);
                let digest = self.other_digest(digest, &mut draws);
                let certificate = Certificate { seq, digest, votes: votes.clone() };
                just(Body::Stable(Arc::new(certificate)))
            }
            Body::State { ref certificate, ref snapshot } => {
                let certificate = Arc::clone(certificate);
                let snapshot = Arc::new(falsified(snapshot, &mut draws));
                just(Body::State { certificate, snapshot })
            }
            Body::Request(_)
            | Body::Reply { .. }
            | Body::PrePrepare { .. }
            | Body::Prepare { .. }
            | Body::Commit { .. }
            | Body::ViewChange(_)
            | Body::NewView(_)
            | Body::Status { .. }
            | Body::Fetch { .. }
            | Body::Fetched { .. }
            | Body::GetState { .. } => None,
        }
    }
}

/// All that a liar can vote for this. From a primary the first counts with nobody who knows the rules (F-B1).
const fn votes(view: View, seq: Slot, digest: Digest) -> [Body; 2] {
    [Body::Prepare { view, seq, digest }, Body::Commit { view, seq, digest }]
}

/// A state in which something is stored that nobody wrote.
fn falsified(snapshot: &Snapshot, draws: &mut Draws) -> Snapshot {
    let mut snapshot = snapshot.clone();
    let (key, value) = (Key(draws.below(4)), forged_value(draws));
    // A list takes no value; then it is true after all.
    snapshot.store.apply(&Command::Write { key, value });
    snapshot
}

/// A value that nobody wrote.
pub(super) fn forged_value(draws: &mut Draws) -> Value {
    Value(FORGED_VALUES + draws.below(FORGED_VALUES))
}

/// Another outcome that a request of the same kind can have.
fn forged(outcome: &Outcome, draws: &mut Draws) -> Outcome {
    match outcome {
        Outcome::Read(_) => Outcome::Read(Some(forged_value(draws))),
        Outcome::List(_) => Outcome::List(vec![forged_value(draws)]),
        Outcome::Decided(_) => Outcome::Decided(forged_value(draws)),
        Outcome::Swapped => Outcome::NotSwapped(Some(forged_value(draws))),
        Outcome::NotSwapped(_) => Outcome::Swapped,
        Outcome::Transaction(parts) => {
            Outcome::Transaction(parts.iter().map(|part| forged_part(part, draws)).collect())
        }
        Outcome::Written
        | Outcome::Reconfigured
        | Outcome::Failed(_)
        | Outcome::Unknown(_)
        | Outcome::Appended
        | Outcome::Deleted
        | Outcome::Added => Outcome::Failed(String::from("it says so")),
    }
}

/// What one part of a transaction that was done may have seen.
fn forged_part(part: &Outcome, draws: &mut Draws) -> Outcome {
    match part {
        Outcome::Read(_) | Outcome::List(_) => forged(part, draws),
        Outcome::Decided(_)
        | Outcome::Swapped
        | Outcome::NotSwapped(_)
        | Outcome::Transaction(_)
        | Outcome::Written
        | Outcome::Reconfigured
        | Outcome::Failed(_)
        | Outcome::Unknown(_)
        | Outcome::Appended
        | Outcome::Deleted
        | Outcome::Added => part.clone(),
    }
}

//! Lies about what clients ask for.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::super::message::{Batch, Body, SignedRequest};
use super::super::view::View;
use super::votes::forged_value;
use super::{Tongue, just, place};
use crate::contract::{ClientId, Command, Incarnation, Key};
use crate::lies::Draws;
use crate::smr::{Request, RequestNumber, Slot};

impl Tongue<'_> {
    /// Another batch for the same place, all of whose requests their clients made: one that was heard of, or the same ones
    /// in another order, or twice. The same for all who hear of it.
    pub(super) fn other_batch(
        &self,
        view: View,
        seq: Slot,
        batch: &Arc<Batch>,
    ) -> Option<Arc<Batch>> {
        let mut draws = self.story(place(view, seq));
        let is_other = draws.one_in(2);
        let other = self.genuine_request(batch, &mut draws).filter(|_| is_other);
        let other = match other {
            Some(request) => Batch(vec![request]),
            None => turned(batch),
        };
        (other != **batch).then(|| Arc::new(other))
    }

    /// A request that a client made and that is not in this batch.
    fn genuine_request(&self, batch: &Batch, draws: &mut Draws) -> Option<SignedRequest> {
        let heard = self.heard.of_kind("REQUEST").iter();
        let requests = heard.filter_map(|(_, message)| match &message.body {
            Body::Request(signed) if !signed.is_read_only => Some(signed),
            _ => None,
        });
        draws
            .of(requests.filter(|signed| !batch.0.contains(signed)))
            .map(|signed| (**signed).clone())
    }

    /// Requests that no client made, as primary; as somebody who takes itself for one; or passed on to the real one.
    pub(super) fn forge(&self) -> Option<Vec<Body>> {
        match self.truth.body {
            Body::PrePrepare { view, seq, ref batch, .. } => {
                let mut draws = self.story(place(view, seq));
                let mut batch = (**batch).clone();
                let forged = self.forged_request(batch.0.first(), &mut draws);
                // Beside the others, or in their place.
                if draws.one_in(2) {
                    batch.0.clear();
                }
                batch.0.push(forged);
                just(self.proposal(view, seq, batch))
            }
            Body::Prepare { view, seq, .. } if self.story(place(view, seq)).one_in(2) => {
                let seq = seq.next();
                let mut draws = self.story(place(view, seq));
                let known = self.genuine_request(&Batch::default(), &mut draws);
                let forged = self.forged_request(known.as_ref(), &mut draws);
                let own = self.proposal(view, seq, Batch(vec![forged]));
                Some(vec![self.truth.body.clone(), own])
            }
            Body::Request(ref signed) if !self.is_to_client() => {
                let forged = self.forged_request(Some(signed), &mut self.draws());
                just(Body::Request(Arc::new(forged)))
            }
            Body::Fetched { ref batch } => {
                let forged = self.forged_request(batch.0.first(), &mut self.draws());
                just(Body::Fetched { batch: Arc::new(Batch(vec![forged])) })
            }
            Body::Request(_)
            | Body::Reply { .. }
            | Body::Prepare { .. }
            | Body::Commit { .. }
            | Body::Checkpoint { .. }
            | Body::ViewChange(_)
            | Body::NewView(_)
            | Body::Status { .. }
            | Body::Committed { .. }
            | Body::Stable(_)
            | Body::Fetch { .. }
            | Body::GetState { .. }
            | Body::State { .. } => None,
        }
    }

    fn proposal(&self, view: View, seq: Slot, batch: Batch) -> Body {
        let digest = self.keys.batch_digest(&batch);
        Body::PrePrepare { view, seq, digest, batch: Arc::new(batch) }
    }

    /// A request like this one, which its client did not make: with another command, under its signature or the liar's
    /// own; that number, or the next.
    fn forged_request(&self, like: Option<&SignedRequest>, draws: &mut Draws) -> SignedRequest {
        let mut request = like.map_or_else(first_request, |like| like.request.clone());
        let key = request.command.keys().next().unwrap_or(Key(0));
        request.command = Command::Write { key, value: forged_value(draws) };
        if draws.one_in(2) {
            request.number.seq = request.number.seq.saturating_add(1);
        }
        let own = self.keys.sign_request(request, false);
        match like {
            Some(like) if draws.one_in(2) => SignedRequest {
                signature: like.signature.clone(),
                authenticator: like.authenticator.clone(),
                ..own
            },
            Some(_) | None => own,
        }
    }
}

fn first_request() -> Request {
    let number = RequestNumber { incarnation: Incarnation(1), seq: 1 };
    Request { client: ClientId(0), number, command: Command::Read { key: Key(0) } }
}

/// The other order; of a single request, twice the same. What it is made from is made from it in the same way, so that
/// liars who hear only one of both know the other.
fn turned(batch: &Batch) -> Batch {
    match batch.0.as_slice() {
        [only] => Batch(vec![only.clone(), only.clone()]),
        [one, other] if one == other => Batch(vec![one.clone()]),
        several => Batch(several.iter().rev().cloned().collect()),
    }
}

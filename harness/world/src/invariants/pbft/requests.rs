//! Requests: their clients sent them, each takes effect once, and those of a client in order (B-I4).

use std::collections::VecDeque;
use std::sync::Arc;

use quorate_systems::contract::{ClientId, NodeId};
use quorate_systems::pbft::{Batch, Digest, SignedRequest};
use quorate_systems::smr::{Request, RequestNumber, Slot};

use super::answers::Answers;
use super::{B_I4, PbftInvariants, broke};
use crate::invariants::Broken;

/// Each client's last requests.
#[derive(Debug)]
pub(super) struct Requests {
    clients: Vec<Client>,
}

/// Of clients from here on nothing is remembered.
const CLIENTS_MAX: usize = 1_024;
/// Of each client so many requests are, those with the highest numbers.
const REQUESTS_MAX: usize = 32;
/// Of a client that sends many under one number, so many are.
const SAME_NUMBER_MAX: usize = 4;

/// Ascending by their numbers.
#[derive(Debug, Default)]
struct Client {
    known: VecDeque<Known>,
    /// Whether others with lower numbers are forgotten.
    is_partial: bool,
}

/// One request number of a client.
#[derive(Debug)]
pub(super) struct Known {
    number: RequestNumber,
    /// What the client sent under it.
    sent: Vec<Arc<SignedRequest>>,
    /// Where it took effect first.
    pub(super) effect: Option<Slot>,
    /// What came of it.
    pub(super) answers: Answers,
}

impl Requests {
    pub(super) const fn new() -> Self {
        Self { clients: Vec::new() }
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self) {
        for client in &mut self.clients {
            client.known.clear();
            client.is_partial = false;
        }
    }

    /// A client sent a request.
    pub(super) fn asked(&mut self, by: ClientId, request: &Arc<SignedRequest>) {
        // It signs for nobody else.
        if request.request.client != by {
            return;
        }
        let Some(known) = self.get(by, request.request.number) else { return };
        let same = |sent: &Arc<SignedRequest>| {
            Arc::ptr_eq(sent, request) || sent.request == request.request
        };
        if known.sent.len() <= SAME_NUMBER_MAX && !known.sent.iter().any(same) {
            known.sent.push(request.clone());
        }
    }

    /// Whether a client has certainly never sent this.
    fn is_invented(&mut self, request: &Request) -> bool {
        let Some(known) = self.get(request.client, request.number) else { return false };
        known.sent.len() <= SAME_NUMBER_MAX
            && !known.sent.iter().any(|sent| sent.request == *request)
    }

    /// A request takes effect for the first time at some replica: what is wrong with that.
    pub(super) fn takes_effect(
        &mut self,
        client: ClientId,
        number: RequestNumber,
        seq: Slot,
    ) -> Option<String> {
        let known = self.get(client, number)?;
        let earlier = *known.effect.get_or_insert(seq);
        if earlier != seq {
            return Some(format!(
                "request {number} of {client} takes effect in {seq}, and in {earlier}"
            ));
        }
        let all = &self.clients.get(usize::try_from(client.0).ok()?)?.known;
        let other = all.iter().find(|other| {
            other.effect.is_some_and(|at| {
                (other.number < number && at > seq) || (other.number > number && at < seq)
            })
        })?;
        let (other, at) = (other.number, other.effect?);
        Some(format!("request {number} of {client} takes effect in {seq}, and {other} in {at}"))
    }

    /// What is remembered of a request; nothing where it is forgotten.
    pub(super) fn get(&mut self, client: ClientId, number: RequestNumber) -> Option<&mut Known> {
        let client = usize::try_from(client.0).ok().filter(|client| *client < CLIENTS_MAX)?;
        if client >= self.clients.len() {
            self.clients.resize_with(client + 1, Client::default);
        }
        let Client { known, is_partial } = self.clients.get_mut(client)?;
        let mut place = known.partition_point(|earlier| earlier.number < number);
        if known.get(place).is_none_or(|same| same.number != number) {
            if place == 0 && *is_partial {
                return None;
            }
            if known.len() == REQUESTS_MAX {
                *is_partial = true;
                place = place.checked_sub(1)?;
                known.pop_front();
            }
            known.insert(place, Known::new(number));
        }
        known.get_mut(place)
    }
}

impl Known {
    fn new(number: RequestNumber) -> Self {
        Self { number, sent: Vec::new(), effect: None, answers: Answers::default() }
    }
}

impl PbftInvariants {
    /// A correct replica accepts a batch: it has looked at every request in it.
    pub(super) fn batch_of(
        &mut self,
        by: NodeId,
        seq: Slot,
        digest: Digest,
        batch: &Arc<Batch>,
        broken: &mut Vec<Broken>,
    ) {
        let Some(place) = self.places.get(seq) else { return };
        if let Some(known) = place.batch(digest) {
            if !Arc::ptr_eq(known, batch) && known != batch {
                let what = format!("{digest} of {seq} is another batch at {by} than it was before");
                broken.push(broke(B_I4, by, what));
            }
            return;
        }
        place.learn_batch(digest, batch);
        if batch.0.is_empty() != (digest == Digest::NULL) {
            let what = format!("{by} accepts {} requests as {digest} in {seq}", batch.0.len());
            broken.push(broke(B_I4, by, what));
        }
        let invented = batch.0.iter().find(|signed| self.requests.is_invented(&signed.request));
        if let Some(SignedRequest { request: Request { client, number, command }, .. }) = invented {
            let what = format!(
                "{by} accepts request {number} of {client} in {seq}, to {command}, and {client} did \
                 not send that"
            );
            broken.push(broke(B_I4, by, what));
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_systems::contract::Incarnation;

    use super::*;

    #[test]
    fn the_earliest_requests_of_a_client_are_forgotten_first() {
        let mut requests = Requests::new();
        let number = |seq| RequestNumber { incarnation: Incarnation(1), seq };
        let mut at = |seq, slot| requests.takes_effect(ClientId(3), number(seq), Slot(slot));
        for seq in 1..=REQUESTS_MAX as u64 {
            assert_eq!(at(2 * seq, 100 + seq), None);
        }
        let twice = "request 1.2 of c3 takes effect in s7, and in s101";
        assert_eq!(at(2, 7).as_deref(), Some(twice));
        let order = "request 1.3 of c3 takes effect in s300, and 1.4 in s102";
        assert_eq!(at(3, 300).as_deref(), Some(order));
        assert_eq!(at(2, 7), None, "it is forgotten");
        assert_eq!(at(1, 7), None);
        let twice = "request 1.4 of c3 takes effect in s7, and in s102";
        assert_eq!(at(4, 7).as_deref(), Some(twice));
        assert!(requests.get(ClientId(u32::MAX), number(1)).is_none());
    }
}

//! What a replica does as primary of its view: requests become batches, and batches get sequence numbers.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Pbft;
use super::log::Assignment;
use super::message::{Batch, Body, Observation, Record, SignedRequest};
use super::replica::PbftReplica;
use crate::contract::{ClientId, Outbox};
use crate::parties::Party;
use crate::smr::{Queue, RequestNumber, Slot, Standing};

/// What a replica does while it leads.
#[derive(Debug, Default)]
pub(super) struct Primary {
    /// The last sequence number that it has given away.
    last: Slot,
    /// What waits for one.
    queue: Queue<Arc<SignedRequest>>,
    /// The last request of each client that waits, or has a sequence number and is not executed.
    under_way: BTreeMap<ClientId, RequestNumber>,
}

/// So many PRE-PREPAREs are sent again at once: with the first of them committed, the rest follows.
const REPEATS_MAX: usize = 16;

impl PbftReplica {
    /// Leads its view from now on, in which it may have given sequence numbers away before.
    pub(super) fn lead(&mut self) {
        let view = self.view;
        let in_view =
            |seq: &Slot| self.log.get(*seq).is_some_and(|place| place.accepted_in(view).is_some());
        let given = self.log.places().rev().map(|(seq, _)| seq).find(in_view);
        let begun = self.beginning.as_deref().filter(|beginning| beginning.new_view.view == view);
        let proposed = begun.map_or(Slot::ZERO, |beginning| beginning.new_view.last());
        let last = given.unwrap_or_default().max(proposed).max(self.stable.seq);
        let mut under_way: BTreeMap<ClientId, RequestNumber> = BTreeMap::new();
        for (_, place) in self.log.after(self.executed()) {
            let accepted = place.accepted_in(view).map(|accepted| accepted.digest);
            let Some(batch) = accepted.and_then(|digest| self.log.batch(digest)) else { continue };
            for signed in &batch.0 {
                // A later one may stand before an earlier one.
                let number = signed.request.number;
                let last = under_way.entry(signed.request.client).or_insert(number);
                *last = number.max(*last);
            }
        }
        self.primary = Some(Box::new(Primary { last, queue: Queue::default(), under_way }));
    }

    /// What is stable has its sequence number from somebody: from a later primary, where it was not this one.
    pub(super) fn skip_stable(&mut self) {
        let stable = self.stable.seq;
        if let Some(primary) = &mut self.primary {
            primary.last = primary.last.max(stable);
        }
    }

    /// A request waits for its sequence number.
    pub(super) fn enqueue(&mut self, signed: Arc<SignedRequest>, out: &mut Outbox<Pbft>) {
        let (client, number) = (signed.request.client, signed.request.number);
        if self.is_under_way(&signed) {
            return out.ignore("REQUEST that is on its way");
        }
        let Some(primary) = &mut self.primary else { return };
        if !primary.queue.push(client, signed) {
            return out.ignore("REQUEST while too many wait");
        }
        primary.under_way.insert(client, number);
        self.propose_queued(out);
    }

    /// Whether a request, or a later one of its client, waits or has a sequence number.
    pub(super) fn is_under_way(&self, signed: &SignedRequest) -> bool {
        let (client, number) = (signed.request.client, signed.request.number);
        let known = self.primary.as_ref().and_then(|primary| primary.under_way.get(&client));
        known.is_some_and(|known| *known >= number)
    }

    /// Gives what waits sequence numbers, as far as there is room: what comes while there is none shares the next.
    pub(super) fn propose_queued(&mut self, out: &mut Outbox<Pbft>) {
        while let Some(seq) = self.next_seq() {
            let batch = self.next_batch();
            if batch.0.is_empty() {
                return;
            }
            self.propose(seq, batch, out);
        }
        if self.has_queue() {
            out.mark("requests-queued");
        }
    }

    /// Whether requests wait for sequence numbers.
    pub(super) fn has_queue(&self) -> bool {
        self.primary.as_ref().is_some_and(|primary| !primary.queue.is_empty())
    }

    /// The next sequence number, if there is room for it and something to give it to.
    fn next_seq(&self) -> Option<Slot> {
        let primary = self.primary.as_ref().filter(|primary| !primary.queue.is_empty())?;
        let seq = primary.last.next();
        let has_room = seq.since(self.executed()) <= self.config.in_flight;
        (has_room && seq <= self.log.low().plus(self.config.window())).then_some(seq)
    }

    fn next_batch(&mut self) -> Batch {
        let most = self.config.batch;
        let mut requests = Vec::new();
        while requests.len() < most {
            let next = self.primary.as_mut().and_then(|primary| primary.queue.pop());
            let Some(signed) = next else { break };
            let (client, number) = (signed.request.client, signed.request.number);
            // It may have been executed from a sequence number that an earlier primary gave it.
            if self.standing(client, number) == Standing::New {
                requests.push(Arc::unwrap_or_clone(signed));
            }
        }
        Batch(requests)
    }

    /// Assigns a sequence number, and accepts that: the PRE-PREPARE stands for the primary's own vote.
    fn propose(&mut self, seq: Slot, batch: Batch, out: &mut Outbox<Pbft>) {
        let view = self.view;
        let digest = self.keys.batch_digest(&batch);
        let batch = Arc::new(batch);
        if let Some(primary) = &mut self.primary {
            primary.last = seq;
        }
        let body = Body::PrePrepare { view, seq, digest, batch: batch.clone() };
        let proof = self.keys.prove(Party::Node(self.me), &body);
        self.log.hold(digest, batch.clone());
        self.log.place(seq).accept(view, digest, proof.clone());
        let ticket = out.persist(Record::PrePrepared { view, seq, digest, batch, proof }).0;
        out.observe(Observation::PrePrepared { view, seq, digest, ticket });
        self.tell_others(&body, out);
        self.vouch(seq, out);
    }

    /// A request was executed: it is under way no more.
    pub(super) fn is_done(&mut self, client: ClientId, number: RequestNumber) {
        if let Some(primary) = &mut self.primary
            && primary.under_way.get(&client).is_some_and(|known| *known <= number)
        {
            primary.under_way.remove(&client);
        }
    }

    /// A PRE-PREPARE that nobody got is one that nobody asks for.
    pub(super) fn propose_again(&self, out: &mut Outbox<Pbft>) {
        if self.primary.is_none() {
            return;
        }
        let view = self.view;
        let open = self.log.after(self.executed()).filter(|(_, place)| place.committed.is_none());
        for (seq, place) in open.take(REPEATS_MAX) {
            let digest = place.accepted_in(view).map(|accepted| accepted.digest);
            let Some(Assignment { view, seq, digest }) =
                digest.map(|digest| Assignment { view, seq, digest })
            else {
                continue;
            };
            if let Some(batch) = self.log.batch(digest).cloned() {
                self.tell_others(&Body::PrePrepare { view, seq, digest, batch }, out);
            }
        }
    }
}

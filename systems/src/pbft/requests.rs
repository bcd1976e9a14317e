//! Requests, and how long their execution may take (`PBFT OSDI'99 §4.1, §4.4`).

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::Pbft;
use super::message::{Body, How, Message, SignedRequest};
use super::proof::Proof;
use super::replica::{PbftReplica, VIEW};
use crate::contract::{ClientId, Micros, Outbox};
use crate::parties::Party;
use crate::smr::{RequestNumber, Standing};

/// Whom a replica waits with, and how long it does.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// The last request of each client that asked the replica itself, until it is executed.
    waiting: BTreeMap<ClientId, Waiting>,
    /// How many requests came.
    came: u64,
    /// The client whose request the timer of its view runs for.
    pub(super) awaited: Option<ClientId>,
    /// How often the time is doubled.
    doublings: u32,
    /// Whether anything was executed since its view began.
    has_got_on: bool,
}

#[derive(Debug)]
struct Waiting {
    signed: Arc<SignedRequest>,
    /// Which in the order of those that came. A client that gives up and asks for something else keeps its place: who
    /// is starved is starved of all that it asks for.
    place: u64,
}

/// So often may the time be doubled.
const DOUBLINGS_MAX: u32 = 4;

impl Patience {
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What is waited for, the oldest first.
    fn in_order(&self) -> alloc::vec::Vec<Arc<SignedRequest>> {
        let mut waiting: alloc::vec::Vec<&Waiting> = self.waiting.values().collect();
        waiting.sort_unstable_by_key(|waiting| waiting.place);
        waiting.into_iter().map(|waiting| waiting.signed.clone()).collect()
    }

    fn wait_for(&mut self, signed: Arc<SignedRequest>) {
        self.came += 1;
        let place = self.came;
        let client = signed.request.client;
        match self.waiting.get_mut(&client) {
            Some(waiting) if waiting.signed.request.number < signed.request.number => {
                waiting.signed = signed;
            }
            Some(_) => {}
            None => drop(self.waiting.insert(client, Waiting { signed, place })),
        }
    }

    /// Something was executed in its view: it has the time that it needs.
    pub(super) fn view_gets_on(&mut self) {
        self.has_got_on = true;
        self.starts_anew();
    }

    /// Waits as long as at first.
    pub(super) fn starts_anew(&mut self) {
        self.doublings = 0;
    }

    /// Its view is left. A view in which nothing was executed may have had too little time.
    pub(super) fn view_is_left(&mut self, is_first: bool) {
        self.awaited = None;
        if !self.has_got_on && !is_first {
            self.doublings = DOUBLINGS_MAX.min(self.doublings + 1);
        }
        self.has_got_on = false;
    }
}

impl PbftReplica {
    /// A client asks, or a backup passes on what a client asked it.
    pub(super) fn on_request(
        &mut self,
        from: Party,
        signed: Arc<SignedRequest>,
        out: &mut Outbox<Pbft>,
    ) {
        let (client, number) = (signed.request.client, signed.request.number);
        if !self.is_made_by_its_client(from, &signed) {
            return out.ignore("REQUEST that its client did not make");
        }
        if signed.is_read_only {
            return self.on_read(signed, out);
        }
        match self.standing(client, number) {
            Standing::Old => return out.ignore("REQUEST that was overtaken"),
            Standing::Executed(outcome) => {
                let outcome = outcome.clone();
                return self.reply(client, number, outcome, How::Committed, out);
            }
            Standing::New => {}
        }
        match from {
            Party::Client(_) => self.wait_with(signed, out),
            Party::Node(_) if self.primary.is_some() => self.enqueue(signed, out),
            Party::Node(_) => out.ignore("REQUEST passed on to a replica that does not lead"),
        }
    }

    fn is_made_by_its_client(&self, from: Party, signed: &SignedRequest) -> bool {
        match from {
            Party::Client(client) => self.keys.is_direct_request_authentic(client, signed),
            Party::Node(_) => self.keys.is_request_authentic(signed),
        }
    }

    /// `PBFT OSDI'99 §4.4`: a backup that a client asks waits with it for the primary, and not for ever.
    ///
    /// Unlike the paper: so does a primary that is asked again. Of 2f + 1 correct replicas f may have executed the request,
    /// and wait for nothing; some may have left the view. Those who are left are f + 1, whom the others follow into the
    /// next view, only if the primary is one of them.
    fn wait_with(&mut self, signed: Arc<SignedRequest>, out: &mut Outbox<Pbft>) {
        if self.primary.is_some() && !self.is_under_way(&signed) {
            return self.enqueue(signed, out);
        }
        self.patience.wait_for(signed.clone());
        if !self.is_active {
            return out.ignore("REQUEST while no view has begun");
        }
        if self.primary.is_none() {
            self.pass_on(signed, out);
        }
        self.wait_for_oldest(out);
    }

    fn pass_on(&self, signed: Arc<SignedRequest>, out: &mut Outbox<Pbft>) {
        let message = Message { body: Body::Request(signed), proof: Proof::Itself };
        out.send(self.config.primary(self.view), message);
    }

    /// In a view that has just begun: its primary may know nothing of what is waited for.
    pub(super) fn ask_primary_anew(&mut self, out: &mut Outbox<Pbft>) {
        for signed in self.patience.in_order() {
            if self.primary.is_some() {
                self.enqueue(signed, out);
            } else {
                self.pass_on(signed, out);
            }
        }
        self.wait_for_oldest(out);
    }

    /// The timer runs for the request that has waited for the longest, until that one is executed: were it set anew
    /// with every other, a primary could starve one client for ever.
    pub(super) fn wait_for_oldest(&mut self, out: &mut Outbox<Pbft>) {
        if !self.is_active || self.patience.awaited.is_some() {
            return;
        }
        let waiting = self.patience.waiting.iter();
        let oldest = waiting.min_by_key(|(_, waiting)| waiting.place).map(|(client, _)| *client);
        if oldest.is_some() {
            self.patience.awaited = oldest;
            self.set_view_timer(out);
        }
    }

    /// A request of this client was executed: nobody waits for it, or for an earlier one, any more.
    pub(super) fn is_served(
        &mut self,
        client: ClientId,
        number: RequestNumber,
        out: &mut Outbox<Pbft>,
    ) {
        let is_over = |waiting: &Waiting| waiting.signed.request.number <= number;
        if !self.patience.waiting.get(&client).is_some_and(is_over) {
            return;
        }
        self.patience.waiting.remove(&client);
        if self.patience.awaited == Some(client) {
            self.patience.awaited = None;
            out.cancel_timer(VIEW);
        }
    }

    /// Another's state has come in place of its own: with it, some of what was waited for.
    pub(super) fn forget_served(&mut self, out: &mut Outbox<Pbft>) {
        let numbers =
            |(client, waiting): (&ClientId, &Waiting)| (*client, waiting.signed.request.number);
        let waiting: alloc::vec::Vec<_> = self.patience.waiting.iter().map(numbers).collect();
        for (client, number) in waiting {
            if self.machine.standing(client, number) != Standing::New {
                self.is_served(client, number, out);
            }
        }
    }

    /// Sets the timer for its view: for a request to be executed in it, or for it to begin.
    pub(super) fn set_view_timer(&mut self, out: &mut Outbox<Pbft>) {
        let least = self.config.timeout.0 << self.patience.doublings;
        out.set_timer(VIEW, Micros(least), Micros(least + least / 4));
    }
}

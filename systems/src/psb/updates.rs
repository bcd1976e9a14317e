//! Updates of clients: a server that accepts one is responsible for it until it is executed.

use super::Psb;
use super::election::Election;
use super::message::{Message, Record};
use super::replica::{PsbReplica, State, UPDATE};
use crate::contract::{After, ClientId, Micros, NodeId, Outbox, Outcome};
use crate::smr::{Request, RequestNumber, Standing};

/// An update that this server is responsible for.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) update: Request,
    /// Whether it was pending already when the Update timer was set.
    is_old: bool,
}

impl Pending {
    pub(super) fn new(update: Request) -> Self {
        Self { update, is_old: false }
    }
}

/// For so many clients at once is a server responsible; the others ask again.
const PENDING_MAX: usize = 1_024;
/// How long an update may be pending before it is forwarded again.
const PATIENCE: (Micros, Micros) = (Micros(100_000), Micros(150_000));

impl PsbReplica {
    /// A client's update: answered from the table if it was executed, otherwise made durable and seen to.
    pub(super) fn on_client_update(&mut self, update: Request, out: &mut Outbox<Psb>) {
        let (client, number) = (update.client, update.number);
        match self.machine.standing(client, number) {
            Standing::Old => return out.ignore("Client_Update before the client's last"),
            Standing::Executed(outcome) => {
                out.mark("told-again");
                let reply = Message::Reply { number, outcome: outcome.clone() };
                return out.reply_after(After::Nothing, client, reply);
            }
            Standing::New => {}
        }
        match self.pending.get(&client) {
            Some(pending) if pending.update.number >= number => {
                return out.ignore("Client_Update that is pending");
            }
            None if self.pending.len() >= PENDING_MAX => {
                return out.ignore("Client_Update while too many are pending");
            }
            Some(_) | None => {}
        }
        out.persist(Record::Pending { update: update.clone() });
        self.pending.insert(client, Pending::new(update.clone()));
        self.set_update_timer(out);
        match &self.state {
            State::LeaderElection(_) => {}
            State::RegLeader(_) => self.order(update, out),
            State::RegNonleader => self.forward(update, out),
        }
    }

    /// Another server is responsible for this update, and takes this one for the leader.
    pub(super) fn on_forwarded_update(
        &mut self,
        from: NodeId,
        update: Request,
        out: &mut Outbox<Psb>,
    ) {
        match &self.state {
            State::RegLeader(_) => self.order(update, out),
            State::LeaderElection(Election { preparing: Some(_), .. }) => {
                if let Err(why) = self.enqueue(update) {
                    out.ignore(why);
                }
            }
            State::LeaderElection(Election { preparing: None, .. }) | State::RegNonleader => {
                self.tell_view(from, out);
                out.ignore("Client_Update for a leader");
            }
        }
    }

    /// The leader has an update ordered.
    fn order(&mut self, update: Request, out: &mut Outbox<Psb>) {
        match self.enqueue(update) {
            Ok(()) => self.send_proposals(out),
            Err(why) => out.ignore(why),
        }
    }

    /// An update is pending, durably, before anybody else hears of it.
    fn forward(&self, update: Request, out: &mut Outbox<Psb>) {
        let leader = self.installed.leader(self.config.nodes);
        out.send(leader, Message::ClientUpdate { update });
    }

    /// A leader is there: it gets all that is pending here.
    pub(super) fn forward_pending(&self, out: &mut Outbox<Psb>) {
        for pending in self.pending.values() {
            self.forward(pending.update.clone(), out);
        }
    }

    /// This server leads: what is pending here gets in line, unless it has a slot.
    pub(super) fn enqueue_pending(&mut self) {
        let mut pending = core::mem::take(&mut self.pending);
        for Pending { update, .. } in pending.values() {
            // Whatever does not get in line is on its way, or sent again by the Update timer.
            let _refused = self.enqueue(update.clone());
        }
        self.pending.append(&mut pending);
    }

    /// The Update timer runs while anything is pending.
    pub(super) fn set_update_timer(&mut self, out: &mut Outbox<Psb>) {
        if !self.is_resending && !self.pending.is_empty() {
            self.is_resending = true;
            out.set_timer(UPDATE, PATIENCE.0, PATIENCE.1);
        }
    }

    /// Sees again to what has been pending for long. It serves all updates: a timer of its own for each would
    /// cost more than it is worth.
    pub(super) fn on_update_timer(&mut self, out: &mut Outbox<Psb>) {
        self.is_resending = false;
        self.set_update_timer(out);
        let old = self.pending.values().filter(|pending| pending.is_old);
        let old: alloc::vec::Vec<Request> = old.map(|pending| pending.update.clone()).collect();
        self.pending.values_mut().for_each(|pending| pending.is_old = true);
        for update in old {
            match &self.state {
                State::LeaderElection(_) => {}
                State::RegLeader(_) => self.order(update, out),
                State::RegNonleader => {
                    out.mark("forwarded-again");
                    self.forward(update, out);
                }
            }
        }
    }

    /// The state was replaced by another server's: what is pending may have been executed there.
    pub(super) fn reply_from_table(&mut self, out: &mut Outbox<Psb>) {
        let machine = &self.machine;
        self.pending.retain(|client, Pending { update, .. }| {
            match machine.standing(*client, update.number) {
                Standing::New => return true,
                Standing::Old => {}
                Standing::Executed(outcome) => {
                    let (number, outcome) = (update.number, outcome.clone());
                    out.reply_after(After::Nothing, *client, Message::Reply { number, outcome });
                }
            }
            false
        });
    }

    /// An update was executed. Whoever is responsible for it replies; what its client had asked before is
    /// worth nothing now.
    pub(super) fn settle_pending(
        &mut self,
        client: ClientId,
        number: RequestNumber,
        outcome: Option<Outcome>,
        out: &mut Outbox<Psb>,
    ) {
        self.queue.executed(client, number);
        let Some(pending) = self.pending.get(&client) else { return };
        let pending = pending.update.number;
        if pending > number {
            return;
        }
        self.pending.remove(&client);
        if let (true, Some(outcome)) = (pending == number, outcome) {
            // A majority has it on disk: no crash takes that back.
            out.reply_after(After::Nothing, client, Message::Reply { number, outcome });
        }
    }
}

//! Clients that do not reach the leader, though the node that they ask does.
//!
//! ```text
//!   client ── REQUEST ──► node ── RELAY ──► leader ── P2A ──► node ── REPLY ──► client
//! ```
//!
//! Whoever asks a node that does not lead is told who does. One that comes again, and has not had a request
//! executed meanwhile, has not been answered there: the node asks the leader for it, and answers once it has
//! executed the request itself. A relayed read goes through the log, since only that comes by the node.

use alloc::collections::BTreeMap;

use super::Paxos;
use super::entry::{Request, RequestNumber};
use super::machine::Standing;
use super::message::Message;
use super::replica::{PaxosReplica, Role};
use crate::contract::{After, ClientId, Outbox};

/// The last request of each client that asked, until it is executed.
#[derive(Debug, Default)]
pub(super) struct Relay(BTreeMap<ClientId, Asked>);

#[derive(Clone, Copy, Debug)]
struct Asked {
    number: RequestNumber,
    /// Whether the leader was asked for it, so that the client waits for an answer from here.
    is_relayed: bool,
}

/// So many clients are remembered. Whoever is forgotten is sent to the leader once more.
const CLIENTS_MAX: usize = 1_024;

impl Relay {
    /// Whether a client asks again: the same as before, or something else in place of what it has given up.
    fn ask(&mut self, client: ClientId, number: RequestNumber) -> bool {
        if let Some(asked) = self.0.get_mut(&client) {
            *asked = Asked { number, is_relayed: true };
            return true;
        }
        if self.0.len() >= CLIENTS_MAX {
            self.0.pop_first();
        }
        self.0.insert(client, Asked { number, is_relayed: false });
        false
    }

    /// A request was executed: whether its client waits for an answer from here.
    pub(super) fn executed(&mut self, client: ClientId, number: RequestNumber) -> bool {
        let Some(asked) = self.0.get(&client).copied() else { return false };
        if asked.number > number {
            return false;
        }
        self.0.remove(&client);
        asked.is_relayed && asked.number == number
    }
}

impl PaxosReplica {
    /// A request that comes to a node that does not lead.
    pub(super) fn on_request_elsewhere(&mut self, request: Request, out: &mut Outbox<Paxos>) {
        let Request { client, number, .. } = request;
        if let Standing::Executed(outcome) = self.machine.standing(client, number) {
            // What is executed is decided, whoever leads.
            let reply = Message::Reply { number, outcome: outcome.clone() };
            return out.reply_after(After::Nothing, client, reply);
        }
        let leader = self.leader.map(|ballot| ballot.node).filter(|node| *node != self.me);
        if self.relay.ask(client, number)
            && let Some(leader) = leader
        {
            out.mark("relayed");
            let Request { command, .. } = request;
            let relay = Message::Relay { client, number, command };
            out.send_after(After::Nothing, leader, relay);
        }
        out.reply_after(After::Nothing, client, Message::Redirect { number, leader });
    }

    /// A request that another node passes on.
    pub(super) fn on_relay(&mut self, request: Request, out: &mut Outbox<Paxos>) {
        if !matches!(self.role, Role::Leader(_)) {
            return out.ignore("RELAY to a node that does not lead");
        }
        match self.machine.standing(request.client, request.number) {
            Standing::New => self.enqueue(request, out),
            // Whoever passed it on will execute it as well.
            Standing::Executed(_) | Standing::Old => out.ignore("RELAY of what was executed"),
        }
    }
}

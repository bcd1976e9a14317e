//! Clients that do not reach the leader, though the node that they ask does.
//!
//! ```text
//!   client ── REQUEST ──► node ── RELAY ──► leader ── P2A ──► node ── REPLY ──► client
//! ```
//!
//! Whoever asks a node that does not lead is told who does. One that comes again, and has not had a request
//! executed meanwhile, has not been answered there: the node asks the leader for it, and answers once it has
//! executed the request itself. A relayed read goes through the log, since only that comes by the node.

use super::Paxos;
use super::message::Message;
use super::replica::{PaxosReplica, Role};
use crate::contract::{After, Outbox};
use crate::smr::{Request, Standing};

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

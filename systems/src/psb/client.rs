//! The client core: it asks one server, which is responsible for its update, and another one when no answer
//! comes.
//!
//! It never says that an operation failed: whoever was asked may still have it ordered. What is not answered
//! ends when the driver gives it up.

use alloc::vec::Vec;

use super::Psb;
use super::message::Message;
use super::options::Config;
use crate::contract::{
    Client, ClientEffect, ClientId, ClientInput, ClientStart, Command, Ignored, Incarnation,
    LocalTime, Micros, NodeId, Outcome, TimerId,
};
use crate::smr::{Request, RequestNumber};

type Effects = Vec<ClientEffect<Psb>>;

/// A client of the replicated state machine.
#[derive(Debug)]
pub struct PsbClient {
    me: ClientId,
    config: Config,
    incarnation: Incarnation,
    /// Counts this life's operations, given up or not.
    seq: u64,
    open: Option<Open>,
    /// The server that it asks.
    node: NodeId,
}

/// The operation that is under way.
#[derive(Debug)]
struct Open {
    command: Command,
    /// How often its timer has gone off.
    resent: u32,
}

/// The only timer: ask another server.
const RESEND: TimerId = TimerId(0);

impl Client<Psb> for PsbClient {
    fn start(start: ClientStart<Psb>) -> Self {
        let ClientStart { me, incarnation, config, .. } = start;
        let node = u16::try_from(me.0 % u32::from(config.nodes)).map_or(NodeId(0), NodeId);
        Self { me, config, incarnation, seq: 0, open: None, node }
    }

    fn step(&mut self, _now: LocalTime, input: ClientInput<Message>, out: &mut Effects) {
        match input {
            ClientInput::Invoke(command) => self.invoke(command, out),
            ClientInput::Reconfigure(_) => {
                let why = "Paxos for System Builders keeps its members and options while it runs";
                out.push(ClientEffect::Complete(Outcome::Failed(why.into())));
            }
            ClientInput::Message { from, message } => self.on_message(from, message, out),
            ClientInput::Timer(_) => self.on_timer(out),
            ClientInput::GiveUp => {
                // Whoever did not answer may be cut off.
                self.node = self.next_node();
                self.open = None;
                out.push(ClientEffect::CancelTimer { id: RESEND });
            }
        }
    }
}

impl PsbClient {
    fn invoke(&mut self, command: Command, out: &mut Effects) {
        assert!(self.open.is_none(), "the driver invokes one operation at a time");
        self.seq += 1;
        self.open = Some(Open { command, resent: 0 });
        self.ask(out);
    }

    fn on_message(&mut self, from: NodeId, message: Message, out: &mut Effects) {
        match message {
            Message::Reply { number, outcome } => {
                if number != self.number() || self.open.take().is_none() {
                    return ignore("Reply to another update", out);
                }
                self.node = from;
                out.push(ClientEffect::CancelTimer { id: RESEND });
                out.push(ClientEffect::Complete(outcome));
            }
            Message::ClientUpdate { .. }
            | Message::ViewChange { .. }
            | Message::VcProof { .. }
            | Message::Prepare { .. }
            | Message::PrepareOk { .. }
            | Message::Proposal { .. }
            | Message::Accept { .. }
            | Message::Fetch { .. }
            | Message::FetchOk { .. }
            | Message::Snapshot { .. } => ignore("not for a client", out),
        }
    }

    /// The server that was asked may be dead, or cut off: another one takes the same update over.
    fn on_timer(&mut self, out: &mut Effects) {
        let Some(open) = &mut self.open else {
            return ignore("timer without an operation", out);
        };
        open.resent = open.resent.saturating_add(1);
        self.node = self.next_node();
        self.ask(out);
    }

    fn ask(&mut self, out: &mut Effects) {
        let Some(Open { command, resent }) = &self.open else { return };
        let (client, number, command) = (self.me, self.number(), command.clone());
        let message = Message::ClientUpdate { update: Request { client, number, command } };
        let (min, max) = patience(*resent);
        out.push(ClientEffect::Send { to: self.node, message });
        out.push(ClientEffect::SetTimer { id: RESEND, min, max });
    }

    fn number(&self) -> RequestNumber {
        RequestNumber { incarnation: self.incarnation, seq: self.seq }
    }

    fn next_node(&self) -> NodeId {
        NodeId((self.node.0 + 1) % self.config.nodes)
    }
}

/// How long to wait for an answer before asking another server: growing, up to half a second.
fn patience(resent: u32) -> (Micros, Micros) {
    let factor = 1 << resent.min(2);
    (Micros((100_000 * factor).min(300_000)), Micros((200_000 * factor).min(500_000)))
}

fn ignore(why: &'static str, out: &mut Effects) {
    out.push(ClientEffect::Ignore(Ignored(why)));
}

//! The client core: it asks whom it takes for the leader, and goes on asking until it is answered.
//!
//! It never says that an operation failed. A refusal proves nothing: a copy of the request may still reach
//! a node that has become leader meanwhile. What is not answered ends when the driver gives it up.

use alloc::vec::Vec;

use super::Paxos;
use super::message::Message;
use super::options::Config;
use crate::contract::{
    Client, ClientEffect, ClientInput, ClientStart, Command, Ignored, Incarnation, LocalTime,
    Micros, NodeId, Outcome, TimerId,
};
use crate::smr::RequestNumber;

type Effects = Vec<ClientEffect<Paxos>>;

/// A client of the replicated state machine.
#[derive(Debug)]
pub struct PaxosClient {
    config: Config,
    incarnation: Incarnation,
    /// Counts this life's operations, given up or not.
    seq: u64,
    open: Option<Open>,
    /// Whom it takes for the leader.
    node: NodeId,
    /// Whom it asked last without being sent there: the nodes take turns in that.
    turn: NodeId,
}

/// The operation that is under way.
#[derive(Debug)]
struct Open {
    command: Command,
    /// How often its timer has gone off.
    resent: u32,
    /// How many redirections it may still follow before the timer goes off: two nodes that both take the
    /// other for the leader would have it go back and forth.
    redirects_left: u16,
}

/// The only timer: ask again, and another node.
const RESEND: TimerId = TimerId(0);

impl Client<Paxos> for PaxosClient {
    fn start(start: ClientStart<Paxos>) -> Self {
        let ClientStart { me, incarnation, config, .. } = start;
        let node = u16::try_from(me.0 % u32::from(config.nodes)).map_or(NodeId(0), NodeId);
        Self { config, incarnation, seq: 0, open: None, node, turn: node }
    }

    fn step(&mut self, _now: LocalTime, input: ClientInput<Message>, out: &mut Effects) {
        match input {
            ClientInput::Invoke(command) => self.invoke(command, out),
            ClientInput::Reconfigure(_) => {
                let why = "Multi-Paxos keeps its members and options while it runs";
                out.push(ClientEffect::Complete(Outcome::Failed(why.into())));
            }
            ClientInput::Message { from, message } => self.on_message(from, message, out),
            ClientInput::Timer(_) => self.on_timer(out),
            ClientInput::GiveUp => {
                // Whoever did not answer may be cut off.
                self.take_turn();
                self.open = None;
                out.push(ClientEffect::CancelTimer { id: RESEND });
            }
        }
    }
}

impl PaxosClient {
    fn invoke(&mut self, command: Command, out: &mut Effects) {
        assert!(self.open.is_none(), "the driver invokes one operation at a time");
        self.seq += 1;
        let redirects_left = self.config.nodes;
        self.open = Some(Open { command, resent: 0, redirects_left });
        self.ask(out);
    }

    fn on_message(&mut self, from: NodeId, message: Message, out: &mut Effects) {
        let number = self.number();
        match message {
            Message::Reply { number: answered, outcome } => {
                if answered != number || self.open.take().is_none() {
                    return ignore("REPLY to another request", out);
                }
                self.node = from;
                out.push(ClientEffect::CancelTimer { id: RESEND });
                out.push(ClientEffect::Complete(outcome));
            }
            Message::Redirect { number: answered, leader } => {
                if answered != number {
                    return ignore("REDIRECT of another request", out);
                }
                self.on_redirect(from, leader, out);
            }
            Message::Request { .. }
            | Message::Relay { .. }
            | Message::P1a { .. }
            | Message::P1b { .. }
            | Message::Nack { .. }
            | Message::P2a { .. }
            | Message::P2b { .. }
            | Message::Heartbeat { .. }
            | Message::HeartbeatOk { .. }
            | Message::Fetch { .. }
            | Message::FetchOk { .. }
            | Message::Snapshot { .. } => ignore("not for a client", out),
        }
    }

    /// Whoever was asked names another, who is asked at once; where it names nobody, the timer decides.
    fn on_redirect(&mut self, from: NodeId, leader: Option<NodeId>, out: &mut Effects) {
        let nodes = self.config.nodes;
        let (Some(open), Some(leader)) = (&mut self.open, leader) else {
            return ignore("REDIRECT to nobody, or for nothing", out);
        };
        if from != self.node || leader.0 >= nodes || open.redirects_left == 0 {
            return ignore("REDIRECT that is not followed", out);
        }
        open.redirects_left -= 1;
        self.node = leader;
        self.ask(out);
    }

    fn on_timer(&mut self, out: &mut Effects) {
        let redirects = self.config.nodes;
        let Some(open) = &mut self.open else {
            return ignore("timer without an operation", out);
        };
        open.resent = open.resent.saturating_add(1);
        open.redirects_left = redirects;
        self.take_turn();
        self.ask(out);
    }

    fn ask(&mut self, out: &mut Effects) {
        let Some(Open { command, resent, .. }) = &self.open else { return };
        let message = Message::Request { number: self.number(), command: command.clone() };
        let (min, max) = patience(*resent);
        out.push(ClientEffect::Send { to: self.node, message });
        out.push(ClientEffect::SetTimer { id: RESEND, min, max });
    }

    fn number(&self) -> RequestNumber {
        RequestNumber { incarnation: self.incarnation, seq: self.seq }
    }

    /// Turns to the next node, which knows a way to the leader perhaps, where this client has none.
    fn take_turn(&mut self) {
        self.turn = NodeId((self.turn.0 + 1) % self.config.nodes);
        self.node = self.turn;
    }
}

/// How long to wait for an answer before asking another node: growing, up to half a second.
fn patience(resent: u32) -> (Micros, Micros) {
    let factor = 1 << resent.min(2);
    (Micros((100_000 * factor).min(300_000)), Micros((200_000 * factor).min(500_000)))
}

fn ignore(why: &'static str, out: &mut Effects) {
    out.push(ClientEffect::Ignore(Ignored(why)));
}

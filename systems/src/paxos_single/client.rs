//! The client core: proposes itself, or asks a node to.

use alloc::vec::Vec;

use super::PaxosSingle;
use super::ballot::Numbers;
use super::message::{Accepted, Message, Observation, RequestId};
use super::options::{Config, Seat};
use super::port::Port;
use super::proposer::{Progress, Proposal, patience};
use crate::contract::{
    Client, ClientEffect, ClientInput, ClientStart, Command, Key, LocalTime, NodeId, Outcome,
    TimerId, Value,
};
use crate::parties::Party;

type Effects = Vec<ClientEffect<PaxosSingle>>;

/// A client of single-decree Paxos.
#[derive(Debug)]
pub struct PaxosSingleClient {
    config: Config,
    numbers: Numbers,
    incarnation: u64,
    /// Counts this life's operations.
    seq: u64,
    open: Open,
    /// Whom to ask next, where nodes propose.
    node: NodeId,
}

#[derive(Debug)]
enum Open {
    Nothing,
    /// A proposal, or a read, that this client runs.
    Running {
        proposal: Proposal,
        wish: Option<Value>,
    },
    /// One that a node runs.
    Asking {
        command: Command,
        resent: u32,
    },
}

/// The only timer: send again.
const RESEND: TimerId = TimerId(0);

/// What one node left unanswered so often is put to the next.
const RESENDS_MAX: u32 = 2;

impl Client<PaxosSingle> for PaxosSingleClient {
    fn start(start: ClientStart<PaxosSingle>) -> Self {
        let ClientStart { me, incarnation, config, .. } = start;
        let node = u16::try_from(me.0 % u32::from(config.nodes)).expect("below a number of nodes");
        let numbers = Numbers::new(Party::Client(me), incarnation.0);
        let incarnation = incarnation.0;
        Self { config, numbers, incarnation, seq: 0, open: Open::Nothing, node: NodeId(node) }
    }

    fn step(&mut self, _now: LocalTime, input: ClientInput<Message>, out: &mut Effects) {
        match input {
            ClientInput::Invoke(command) => self.invoke(command, out),
            ClientInput::Reconfigure(_) => {
                let why = "who accepts and who learns cannot change while the system runs";
                out.push(ClientEffect::Complete(Outcome::Failed(why.into())));
            }
            ClientInput::Message { from, message } => self.on_message(from, &message, out),
            ClientInput::Timer(_) => self.on_timer(out),
            ClientInput::GiveUp => self.give_up(out),
        }
    }
}

impl PaxosSingleClient {
    fn invoke(&mut self, command: Command, out: &mut Effects) {
        assert!(matches!(self.open, Open::Nothing), "the driver invokes one operation at a time");
        self.seq += 1;
        let (key, wish) = match command {
            Command::Propose { key, value } => (key, Some(value)),
            Command::Read { key } => (key, None),
            Command::Write { .. }
            | Command::Cas { .. }
            | Command::Append { .. }
            | Command::Delete { .. }
            | Command::Add { .. }
            | Command::Transaction(_) => {
                let why = "what is written once is proposed";
                return out.push(ClientEffect::Complete(Outcome::Failed(why.into())));
            }
        };
        if let Some(value) = wish {
            out.observe(Observation::Submitted { key, value });
        }
        match self.config.proposer {
            Seat::Client => self.propose(key, wish, out),
            Seat::Node => {
                self.open = Open::Asking { command, resent: 0 };
                self.ask(out);
            }
        }
    }

    fn propose(&mut self, key: Key, wish: Option<Value>, out: &mut Effects) {
        let numbers = &mut self.numbers;
        let proposal = Proposal::begin(&self.config, numbers, (key, wish), (0, RESEND), out);
        self.open = Open::Running { proposal, wish };
    }

    fn on_message(&mut self, from: NodeId, message: &Message, out: &mut Effects) {
        match (&mut self.open, message) {
            (Open::Nothing, _) => out.ignore("answer after the operation"),
            (
                Open::Running { proposal, wish },
                Message::PrepareOk { key, .. }
                | Message::AcceptOk { key, .. }
                | Message::Nack { key, .. },
            ) => {
                if *key != proposal.key() {
                    return out.ignore("answer to another operation");
                }
                let (key, wish) = (*key, *wish);
                let core = (&self.config, &mut self.numbers);
                match proposal.on_message(core, from, message, out) {
                    Progress::Ignored(why) => out.ignore(why),
                    Progress::Waiting => {}
                    Progress::Nothing => self.complete(Outcome::Read(None), out),
                    Progress::Decided(Accepted { n, value }, acceptors) => {
                        out.observe(Observation::Decided { key, n, value, acceptors });
                        self.complete(outcome(wish, value), out);
                    }
                }
            }
            (Open::Asking { .. }, Message::Answer { id, outcome }) => {
                if *id != self.request_id() {
                    return out.ignore("ANSWER to another request");
                }
                self.complete(outcome.clone(), out);
            }
            (Open::Running { .. } | Open::Asking { .. }, _) => out.ignore("not an answer"),
        }
    }

    fn on_timer(&mut self, out: &mut Effects) {
        match &mut self.open {
            Open::Nothing => out.ignore("timer without an operation"),
            Open::Running { proposal, .. } => {
                proposal.on_timer((&self.config, &mut self.numbers), out);
            }
            Open::Asking { resent, .. } => {
                *resent += 1;
                if *resent > RESENDS_MAX {
                    *resent = 0;
                    self.node = next_node(self.node, self.config.nodes);
                }
                self.ask(out);
            }
        }
    }

    fn give_up(&mut self, out: &mut Effects) {
        if matches!(self.open, Open::Asking { .. }) {
            self.node = next_node(self.node, self.config.nodes);
        }
        self.open = Open::Nothing;
        out.push(ClientEffect::CancelTimer { id: RESEND });
    }

    fn complete(&mut self, outcome: Outcome, out: &mut Effects) {
        self.open = Open::Nothing;
        out.push(ClientEffect::CancelTimer { id: RESEND });
        out.push(ClientEffect::Complete(outcome));
    }

    /// Sends the open request. It may be run by several nodes: what is decided once is decided for all.
    fn ask(&mut self, out: &mut Effects) {
        let Open::Asking { command, resent } = &self.open else { return };
        let message = Message::Request { id: self.request_id(), command: command.clone() };
        let span = patience(*resent);
        out.send(self.node, message);
        out.set_timer(RESEND, span);
    }

    const fn request_id(&self) -> RequestId {
        RequestId { incarnation: self.incarnation, seq: self.seq }
    }
}

/// How an operation ends when this is decided.
const fn outcome(wish: Option<Value>, decided: Value) -> Outcome {
    match wish {
        Some(_) => Outcome::Decided(decided),
        None => Outcome::Read(Some(decided)),
    }
}

fn next_node(node: NodeId, nodes: u16) -> NodeId {
    NodeId((node.0 + 1) % nodes)
}

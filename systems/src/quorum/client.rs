//! The client core: runs operations itself, or asks a node to.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Quorum;
use super::access::Access;
use super::change::Change;
use super::coordinator::{Desk, Operation, Port, Progress, patience};
use super::message::{Message, RequestId};
use super::options::Seat;
use crate::contract::{
    Client, ClientEffect, ClientInput, ClientStart, Command, LocalTime, NodeId, Options, Outcome,
    TimerId,
};
use crate::parties::Party;

type Effects = Vec<ClientEffect<Quorum>>;

/// A client of the registers.
#[derive(Debug)]
pub struct QuorumClient {
    desk: Desk,
    /// Counts this life's operations: no two share a timestamp, given up or not.
    seq: u64,
    open: Open,
    /// Whom to ask next, where nodes run the operations.
    node: NodeId,
    /// The latest incarnation that each node has told.
    learned: BTreeMap<NodeId, u64>,
}

#[derive(Debug)]
enum Open {
    Nothing,
    /// An operation that this client runs.
    Running(Operation),
    /// A change of the configuration, which this client administers.
    Changing(Box<Change>),
    /// An operation that a node runs.
    Asking {
        command: Access,
        bound: Option<u64>,
        resent: u32,
    },
}

/// The only timer: send again.
const RESEND: TimerId = TimerId(0);

/// A read that one node left unanswered so often is put to the next.
const READ_RESENDS_MAX: u32 = 2;

impl Client<Quorum> for QuorumClient {
    fn start(start: ClientStart<Quorum>) -> Self {
        let node = u16::try_from(start.me.0 % u32::from(start.config.nodes))
            .expect("below the number of nodes");
        let desk = Desk::new(
            Party::Client(start.me),
            start.incarnation.0,
            (start.config, start.keys),
            start.entropy,
        );
        Self { desk, seq: 0, open: Open::Nothing, node: NodeId(node), learned: BTreeMap::new() }
    }

    fn step(&mut self, _now: LocalTime, input: ClientInput<Message>, out: &mut Effects) {
        match input {
            ClientInput::Invoke(command) => self.invoke(&command, out),
            ClientInput::Reconfigure(options) => self.reconfigure(&options, out),
            ClientInput::Message { from, message } => self.on_message(from, message, out),
            ClientInput::Timer(_) => self.on_timer(out),
            ClientInput::GiveUp => self.give_up(out),
        }
    }
}

impl QuorumClient {
    fn invoke(&mut self, command: &Command, out: &mut Effects) {
        assert!(matches!(self.open, Open::Nothing), "the driver invokes one operation at a time");
        let Some(command) = Access::of(command) else {
            return self.complete(Outcome::Failed("registers only read and write".into()), out);
        };
        self.seq += 1;
        match self.desk.config.coordinator {
            Seat::Client => {
                let operation = Operation::begin(&mut self.desk, self.seq, command, RESEND, out);
                self.open = Open::Running(operation);
            }
            Seat::Node => {
                let bound = self.learned.get(&self.node).copied();
                self.open = Open::Asking { command, bound, resent: 0 };
                self.ask(out);
            }
        }
    }

    fn reconfigure(&mut self, options: &Options, out: &mut Effects) {
        assert!(matches!(self.open, Open::Nothing), "the driver asks for one change at a time");
        self.seq += 1;
        match Change::begin(&self.desk, self.seq, options, RESEND, out) {
            Ok(change) => self.open = Open::Changing(Box::new(change)),
            Err(outcome) => self.complete(outcome, out),
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, out: &mut Effects) {
        match (&mut self.open, message) {
            (Open::Nothing, _) => out.ignore("answer after the operation"),
            (Open::Changing(change), message) => {
                let progress = change.on_message(&mut self.desk, from, message, out);
                self.proceed(progress, out);
            }
            (Open::Running(operation), message) => {
                let progress = operation.on_message(&mut self.desk, from, message, out);
                self.proceed(progress, out);
            }
            (Open::Asking { .. }, Message::Answer { id, outcome }) => {
                if from != self.node || Some(id) != self.request_id() {
                    return out.ignore("ANSWER to another request");
                }
                if matches!(outcome, Outcome::Failed(_) | Outcome::Unknown(_)) {
                    // It reaches no quorum perhaps, and would not reach one for the next request either.
                    self.node = next_node(self.node, self.desk.config.nodes);
                }
                self.complete(outcome, out);
            }
            (Open::Asking { .. }, Message::WrongIncarnation { id, incarnation }) => {
                self.on_wrong_incarnation(from, id, incarnation, out);
            }
            (Open::Asking { .. }, _) => out.ignore("not an answer to a request"),
        }
    }

    fn proceed(&mut self, progress: Progress, out: &mut Effects) {
        match progress {
            Progress::Ignored(why) => out.ignore(why),
            Progress::Waiting => {}
            Progress::Done(outcome) => self.complete(outcome, out),
        }
    }

    /// The node's present life has not run the request. An earlier life may have, if the request named it:
    /// only a read, which changes nothing, may then be asked again.
    fn on_wrong_incarnation(
        &mut self,
        from: NodeId,
        id: RequestId,
        incarnation: u64,
        out: &mut Effects,
    ) {
        let learned = self.learned.entry(from).or_insert(incarnation);
        *learned = incarnation.max(*learned);
        let incarnation = *learned;
        if from != self.node || Some(id) != self.request_id() {
            return out.ignore("WRONG_INCARNATION for another request");
        }
        match &mut self.open {
            Open::Asking { command: Access::Write { .. }, bound: Some(_), .. } => {
                self.complete(Outcome::Unknown("the node restarted".into()), out);
            }
            Open::Asking { bound, .. } => {
                *bound = Some(incarnation);
                self.ask(out);
            }
            Open::Nothing | Open::Running(_) | Open::Changing(_) => {
                out.ignore("no request is open");
            }
        }
    }

    fn on_timer(&mut self, out: &mut Effects) {
        match &mut self.open {
            Open::Nothing => out.ignore("timer without an operation"),
            Open::Running(operation) => operation.on_timer(&mut self.desk, out),
            Open::Changing(change) => change.on_timer(&self.desk, out),
            Open::Asking { command: Access::Read { .. }, bound, resent }
                if *resent >= READ_RESENDS_MAX =>
            {
                self.node = next_node(self.node, self.desk.config.nodes);
                *bound = self.learned.get(&self.node).copied();
                *resent = 0;
                self.ask(out);
            }
            Open::Asking { resent, .. } => {
                *resent += 1;
                self.ask(out);
            }
        }
    }

    fn give_up(&mut self, out: &mut Effects) {
        if matches!(self.open, Open::Asking { .. }) {
            self.node = next_node(self.node, self.desk.config.nodes);
        }
        self.open = Open::Nothing;
        out.push(ClientEffect::CancelTimer { id: RESEND });
    }

    fn complete(&mut self, outcome: Outcome, out: &mut Effects) {
        self.open = Open::Nothing;
        out.push(ClientEffect::CancelTimer { id: RESEND });
        out.push(ClientEffect::Complete(outcome));
    }

    /// Sends the open request, always to the same node until it is moved on purpose.
    fn ask(&mut self, out: &mut Effects) {
        let (Open::Asking { command, resent, .. }, Some(id)) = (&self.open, self.request_id())
        else {
            return;
        };
        let message = Message::Request { id, command: command.clone() };
        let (min, max) = patience(*resent);
        out.send(self.node, message);
        out.set_timer(RESEND, min, max);
    }

    fn request_id(&self) -> Option<RequestId> {
        match self.open {
            Open::Asking { bound, .. } => {
                Some(RequestId { incarnation: self.desk.incarnation, seq: self.seq, bound })
            }
            Open::Nothing | Open::Running(_) | Open::Changing(_) => None,
        }
    }
}

fn next_node(node: NodeId, nodes: u16) -> NodeId {
    NodeId((node.0 + 1) % nodes)
}

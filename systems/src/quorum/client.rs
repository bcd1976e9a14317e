//! The client core.

use alloc::vec::Vec;

use super::Quorum;
use super::coordinator::{Desk, Operation, Progress};
use super::draw::Draw;
use super::message::Message;
use super::stamp::Party;
use crate::contract::{
    Client, ClientEffect, ClientInput, ClientStart, Command, Ignored, LocalTime, NodeId, TimerId,
};

/// A client of the registers.
#[derive(Debug)]
pub struct QuorumClient {
    desk: Desk,
    seq: u64,
    open: Option<Operation>,
}

const RESEND: TimerId = TimerId(0);

impl Client<Quorum> for QuorumClient {
    fn start(start: ClientStart<Quorum>) -> Self {
        let desk = Desk {
            party: Party::Client(start.me),
            incarnation: start.incarnation.0,
            config: start.config,
            keys: start.keys,
            draw: Draw::new(start.entropy),
        };
        Self { desk, seq: 0, open: None }
    }

    fn step(
        &mut self,
        _now: LocalTime,
        input: ClientInput<Message>,
        out: &mut Vec<ClientEffect<Quorum>>,
    ) {
        match input {
            ClientInput::Invoke(command) => self.invoke(command, out),
            ClientInput::Message { from, message } => self.on_message(from, message, out),
            ClientInput::Timer(_) => match &mut self.open {
                Some(operation) => operation.on_timer(&mut self.desk, out),
                None => out.push(ClientEffect::Ignore(Ignored("timer without an operation"))),
            },
            ClientInput::GiveUp => {
                self.open = None;
                out.push(ClientEffect::CancelTimer { id: RESEND });
            }
        }
    }
}

impl QuorumClient {
    fn invoke(&mut self, command: Command, out: &mut Vec<ClientEffect<Quorum>>) {
        assert!(self.open.is_none(), "the driver invokes one operation at a time");
        self.seq += 1;
        self.open = Some(Operation::begin(&mut self.desk, self.seq, command, RESEND, out));
    }

    fn on_message(&mut self, from: NodeId, message: Message, out: &mut Vec<ClientEffect<Quorum>>) {
        let Some(operation) = &mut self.open else {
            return out.push(ClientEffect::Ignore(Ignored("an answer after the operation")));
        };
        match operation.on_message(&mut self.desk, from, message, out) {
            Progress::Ignored(why) => out.push(ClientEffect::Ignore(Ignored(why))),
            Progress::Waiting => {}
            Progress::Done(outcome) => {
                self.open = None;
                out.push(ClientEffect::CancelTimer { id: RESEND });
                out.push(ClientEffect::Complete(outcome));
            }
        }
    }
}

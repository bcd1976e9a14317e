//! Where a proposer's effects go: a client's or a node's.

use alloc::vec::Vec;

use super::PaxosSingle;
use super::message::{Message, Observation};
use crate::contract::{After, ClientEffect, Ignored, Micros, Milestone, NodeId, Outbox, TimerId};

/// What a proposer wants done, whoever it is.
pub(super) trait Port {
    fn send(&mut self, to: NodeId, message: Message);
    fn set_timer(&mut self, id: TimerId, span: (Micros, Micros));
    fn observe(&mut self, observation: Observation);
    fn mark(&mut self, name: &'static str);
    fn ignore(&mut self, why: &'static str);
}

impl Port for Vec<ClientEffect<PaxosSingle>> {
    fn send(&mut self, to: NodeId, message: Message) {
        self.push(ClientEffect::Send { to, message });
    }

    fn set_timer(&mut self, id: TimerId, (min, max): (Micros, Micros)) {
        assert!(min <= max);
        self.push(ClientEffect::SetTimer { id, min, max });
    }

    fn observe(&mut self, observation: Observation) {
        self.push(ClientEffect::Observe(observation));
    }

    fn mark(&mut self, name: &'static str) {
        self.push(ClientEffect::Mark(Milestone(name)));
    }

    fn ignore(&mut self, why: &'static str) {
        self.push(ClientEffect::Ignore(Ignored(why)));
    }
}

impl Port for Outbox<PaxosSingle> {
    fn send(&mut self, to: NodeId, message: Message) {
        // A proposer keeps nothing on disk: its life makes its numbers unique, and that is durable.
        self.send_after(After::Nothing, to, message);
    }

    fn set_timer(&mut self, id: TimerId, (min, max): (Micros, Micros)) {
        Self::set_timer(self, id, min, max);
    }

    fn observe(&mut self, observation: Observation) {
        Self::observe(self, observation);
    }

    fn mark(&mut self, name: &'static str) {
        Self::mark(self, name);
    }

    fn ignore(&mut self, why: &'static str) {
        Self::ignore(self, why);
    }
}

//! Messages out of a few bytes: near to what is promised and decided, and sometimes just wrong.

use std::collections::BTreeMap;

use quorate_systems::contract::{
    ClientId, Command, Incarnation, Key, NodeId, Outcome, System as _, Value,
};
use quorate_systems::kv::Store;
use quorate_systems::paxos::{Ballot, Entry, Message, Paxos, Promise, Report};
use quorate_systems::smr::{Chain, Request, RequestNumber, Slot, Snapshot};
use quorate_world::invariants::Who;

use super::model::Node;
use crate::commands::{Choice, command};
use crate::stream::{CLIENTS, Dice, Scope};

/// What is forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    P1a,
    P2a,
    Heartbeat,
    Fetch,
    FetchOk,
    Snapshot,
    P1b,
    P2b,
    HeartbeatOk,
    Nack,
    Relay,
}

/// How often each.
pub(super) const KINDS: [Kind; 16] = [
    Kind::Request,
    Kind::P1a,
    Kind::P2a,
    Kind::Heartbeat,
    Kind::Fetch,
    Kind::FetchOk,
    Kind::Snapshot,
    Kind::P2a,
    Kind::P2a,
    Kind::Relay,
    Kind::Heartbeat,
    Kind::Request,
    Kind::P1b,
    Kind::P2b,
    Kind::Nack,
    Kind::HeartbeatOk,
];

/// Where a number is to be odd, it is one of these.
const FAR: [u64; 4] = [1 << 48, (1 << 48) + 1, u64::MAX, u64::MAX - 1];

/// Something new.
pub(super) fn forge(scope: &Scope<'_, Paxos>, dice: Dice) -> (Who, Message) {
    let forger = Forger { scope, dice };
    let kind = KINDS.get(usize::from(dice.kind % 16)).copied().unwrap_or(Kind::P2a);
    if kind == Kind::Request {
        return (Who::Client(forger.dice.client()), forger.request());
    }
    let Some(node) = forger.scope.other_node(forger.dice) else {
        return (Who::Client(forger.dice.client()), forger.request());
    };
    let ballot = forger.ballot(node);
    // Who leads in a ballot is who speaks in it; rarely not.
    let is_leaders = matches!(kind, Kind::P1a | Kind::P2a | Kind::Heartbeat);
    let is_stray = dice.who >> 5 == 7 || Some(ballot.node) == scope.me;
    let from = if is_leaders && !is_stray { ballot.node } else { node };
    (Who::Node(from), forger.message(kind, ballot))
}

/// An answer of some node to what the core has said, or what follows from it.
pub(super) fn answer(scope: &Scope<'_, Paxos>, said: &Message, dice: Dice) -> Option<Message> {
    let forger = Forger { scope, dice };
    let is_refused = dice.kind % 8 == 7;
    Some(match *said {
        Message::P1a { ballot, .. } | Message::Heartbeat { ballot, .. } if is_refused => {
            Message::Nack { ballot, promised: forger.above(ballot) }
        }
        Message::P1a { ballot, from } => {
            Message::P1b { ballot, promise: Box::new(forger.promise(ballot, from)) }
        }
        Message::P2a { ballot, slot, .. } => {
            let promised = if is_refused { forger.above(ballot) } else { ballot };
            Message::P2b { ballot, slot, ok: !is_refused, promised }
        }
        Message::Heartbeat { ballot, round, .. } => Message::HeartbeatOk { ballot, round },
        Message::Fetch { from } if is_refused => forger.snapshot(from),
        Message::Fetch { from } => forger.entries(from),
        // The candidate goes on as leader.
        Message::P1b { ballot, .. } => forger.message(Kind::P2a, ballot),
        Message::P2b { ballot, slot, .. } => {
            Message::Heartbeat { ballot, round: scope.serial, commit: slot }
        }
        Message::Nack { promised, .. } => forger.message(Kind::P1a, forger.above(promised)),
        Message::Request { number, ref command } => forger.answer_to_request(number, command),
        Message::HeartbeatOk { .. }
        | Message::FetchOk { .. }
        | Message::Snapshot { .. }
        | Message::Reply { .. }
        | Message::Redirect { .. }
        | Message::Relay { .. } => return None,
    })
}

/// Changes one field.
pub(super) fn change(scope: &Scope<'_, Paxos>, message: &mut Message, dice: Dice) {
    let forger = Forger { scope, dice };
    match dice.kind % 5 {
        0 => {
            if let Some(ballot) = ballot_of(message) {
                ballot.round = near(dice.time, ballot.round);
            }
        }
        1 => {
            if let Some(slot) = slot_of(message) {
                slot.0 = near(dice.time, slot.0);
            }
        }
        2 => match message {
            Message::P2a { entry, .. } => *entry = forger.entry(),
            Message::P1b { ballot, promise } => {
                **promise = forger.promise(*ballot, Slot(1));
            }
            Message::P2b { ok, .. } => *ok = !*ok,
            _ => {}
        },
        3 => match message {
            Message::P2a { commit, .. } | Message::Heartbeat { commit, .. } => {
                commit.0 = near(dice.time, commit.0);
            }
            Message::Request { number, .. } => number.seq = near(dice.time, number.seq),
            _ => {}
        },
        _ => {
            if let Some(ballot) = ballot_of(message) {
                ballot.incarnation.0 = near(dice.time, ballot.incarnation.0);
            }
        }
    }
}

/// A number near another one: mostly the next, sometimes far away.
fn near(byte: u8, base: u64) -> u64 {
    match byte & 7 {
        0 | 1 => base.saturating_add(1),
        2 => base,
        3 => base.saturating_sub(1),
        4 => base.saturating_add(2),
        5 => 1,
        6 => 0,
        _ if byte >> 3 & 3 == 3 => FAR.get(usize::from(byte >> 5 & 3)).copied().unwrap_or(0),
        _ => base.saturating_add(3),
    }
}

/// A scope, and what is left to chance.
struct Forger<'a> {
    scope: &'a Scope<'a, Paxos>,
    dice: Dice,
}

impl Forger<'_> {
    fn node_model(&self) -> Option<&Node> {
        self.scope.model.node()
    }

    fn promised(&self) -> Ballot {
        self.node_model().map_or(Ballot::ZERO, Node::promised)
    }

    fn commit(&self) -> Slot {
        self.node_model().map_or(Slot(0), Node::commit)
    }

    /// A ballot of this node near to what is promised; or just that.
    fn ballot(&self, node: NodeId) -> Ballot {
        let promised = self.promised();
        if self.dice.time >> 5 & 4 != 0 && !promised.is_zero() {
            return promised;
        }
        let incarnation = Incarnation(1 + u64::from(self.dice.name >> 5 == 7));
        Ballot { round: near(self.dice.time, promised.round), node, incarnation }
    }

    /// Mostly above this one.
    fn above(&self, ballot: Ballot) -> Ballot {
        let node = self.scope.other_node(self.dice).unwrap_or(ballot.node);
        let incarnation = Incarnation(1);
        Ballot { round: near(self.dice.time, ballot.round), node, incarnation }
    }

    /// One of the slots behind what is decided; sometimes another.
    fn slot(&self) -> Slot {
        let commit = self.commit();
        match self.dice.data & 7 {
            0..=3 => Slot(commit.0 + 1),
            4 => Slot(commit.0 + 2),
            5 => Slot(commit.0 + 3),
            6 => commit,
            _ => Slot(near(self.dice.data >> 3, self.node_model().map_or(0, |node| node.base().0))),
        }
    }

    fn value(&self) -> Value {
        Value(1 + u64::from(self.dice.data & 3))
    }

    fn number(&self) -> RequestNumber {
        let seq = 1 + u64::from(self.dice.name & 7);
        RequestNumber { incarnation: Incarnation(1 + u64::from(self.dice.name >> 5 == 7)), seq }
    }

    fn command(&self) -> Command {
        let functions = Paxos::functions(&self.scope.cluster.config);
        let Dice { name, time, data, .. } = self.dice;
        command(functions, Choice { function: name >> 3, data: data >> 3, parts: time })
    }

    fn request(&self) -> Message {
        // A client counts on.
        let back = u64::from(self.dice.time & 3 == 3);
        let number = RequestNumber { seq: self.scope.serial - back, ..self.number() };
        Message::Request { number, command: self.command() }
    }

    fn entry(&self) -> Entry {
        if self.dice.name & 7 == 7 {
            return Entry::Noop;
        }
        let client = ClientId(u32::from(self.dice.name >> 1) % CLIENTS);
        Entry::Request(Request { client, number: self.number(), command: self.command() })
    }

    /// What some acceptor holds in a few slots from here on.
    fn promise(&self, ballot: Ballot, first: Slot) -> Promise {
        let Dice { name, time, data, .. } = self.dice;
        let first = Slot(first.0.saturating_add(u64::from(data >> 2 & 1)));
        let report = |place: u8| Report {
            slot: Slot(first.0.saturating_add(place.into())),
            ballot: Ballot {
                round: (u64::from(time >> (2 * place)) & 3).min(ballot.round),
                node: NodeId(u16::from(time & 1)),
                incarnation: Incarnation(1),
            },
            entry: Forger { dice: Dice { name: name.wrapping_add(place), ..self.dice }, ..*self }
                .entry(),
            is_decided: time >> 6 == 3,
        };
        let reports = (0..data & 3).map(report).collect();
        let snapshot = if data >> 5 == 7 { first } else { Slot(0) };
        Promise { snapshot, reports }
    }

    fn entries(&self, from: Slot) -> Message {
        let second = Forger { dice: Dice { data: !self.dice.data, ..self.dice }, ..*self }.entry();
        let count = 1 + usize::from(self.dice.kind & 1);
        let entries = [self.entry(), second].into_iter().take(count).collect();
        Message::FetchOk { from, entries }
    }

    fn snapshot(&self, from: Slot) -> Message {
        let index = Slot(near(self.dice.time, from.0));
        let chain = Chain(self.dice.data.into());
        let (store, clients) = (Store::new(), BTreeMap::new());
        Message::Snapshot { snapshot: Box::new(Snapshot { index, chain, store, clients }) }
    }

    /// Of the node that a client has asked: of the right kind, or it sends elsewhere.
    fn answer_to_request(&self, number: RequestNumber, command: &Command) -> Message {
        let seq =
            if self.dice.name >> 5 == 7 { near(self.dice.name, number.seq) } else { number.seq };
        let number = RequestNumber { seq, ..number };
        if self.dice.kind % 4 == 3 {
            let leader = (self.dice.data & 7 != 7).then_some(NodeId(u16::from(self.dice.data % 6)));
            return Message::Redirect { number, leader };
        }
        let mut store = Store::new();
        if command.is_read() {
            store.apply(&Command::Write { key: Key(0), value: self.value() });
        }
        Message::Reply { number, outcome: store.apply(command) }
    }

    fn message(&self, kind: Kind, ballot: Ballot) -> Message {
        let slot = self.slot();
        let commit = match self.dice.data >> 6 {
            0 => Slot(0),
            1 => self.commit(),
            2 => Slot(slot.0.saturating_sub(1)),
            _ => slot,
        };
        match kind {
            Kind::Request => self.request(),
            Kind::P1a => {
                let from = if self.dice.data & 8 == 0 { slot } else { Slot(1) };
                Message::P1a { ballot, from }
            }
            Kind::P2a => Message::P2a { ballot, slot, entry: self.entry(), commit },
            Kind::Heartbeat => Message::Heartbeat { ballot, round: self.scope.serial, commit },
            Kind::Fetch => Message::Fetch { from: slot },
            Kind::FetchOk => self.entries(slot),
            Kind::Snapshot => self.snapshot(slot),
            Kind::P1b => Message::P1b { ballot, promise: Box::new(self.promise(ballot, Slot(1))) },
            Kind::P2b => {
                let ok = self.dice.name & 8 == 0;
                Message::P2b { ballot, slot, ok, promised: self.above(ballot) }
            }
            Kind::HeartbeatOk => Message::HeartbeatOk { ballot, round: self.dice.data.into() },
            Kind::Nack => Message::Nack { ballot, promised: self.above(ballot) },
            // Rarely what no node is told.
            Kind::Relay if self.dice.time == u8::MAX => {
                Message::Reply { number: self.number(), outcome: Outcome::Written }
            }
            Kind::Relay => {
                let (client, command) = (self.dice.client(), self.command());
                Message::Relay { client, number: self.number(), command }
            }
        }
    }
}

fn ballot_of(message: &mut Message) -> Option<&mut Ballot> {
    match message {
        Message::P1a { ballot, .. }
        | Message::P1b { ballot, .. }
        | Message::Nack { ballot, .. }
        | Message::P2a { ballot, .. }
        | Message::P2b { ballot, .. }
        | Message::Heartbeat { ballot, .. }
        | Message::HeartbeatOk { ballot, .. } => Some(ballot),
        Message::Request { .. }
        | Message::Reply { .. }
        | Message::Redirect { .. }
        | Message::Relay { .. }
        | Message::Fetch { .. }
        | Message::FetchOk { .. }
        | Message::Snapshot { .. } => None,
    }
}

fn slot_of(message: &mut Message) -> Option<&mut Slot> {
    match message {
        Message::P1a { from: slot, .. }
        | Message::P2a { slot, .. }
        | Message::P2b { slot, .. }
        | Message::Fetch { from: slot }
        | Message::FetchOk { from: slot, .. } => Some(slot),
        Message::Snapshot { snapshot } => Some(&mut snapshot.index),
        Message::Request { .. }
        | Message::Reply { .. }
        | Message::Redirect { .. }
        | Message::Relay { .. }
        | Message::P1b { .. }
        | Message::Nack { .. }
        | Message::Heartbeat { .. }
        | Message::HeartbeatOk { .. } => None,
    }
}

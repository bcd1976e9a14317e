//! Messages out of a few bytes: near to what has been said and accepted, and sometimes just wrong.

use quorate_systems::contract::{Command, Key, Outcome, Value};
use quorate_systems::parties::Party;
use quorate_systems::paxos_single::{Accepted, Ballot, Message, PaxosSingle, RequestId};
use quorate_world::invariants::Who;

use super::model::Node;
use crate::commands::{Choice, command};
use crate::stream::{Dice, Scope, step};

/// What is forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Prepare,
    Accept,
    PrepareOk,
    AcceptOk,
    Nack,
    Learn,
    Decided,
    Answer,
}

/// How often each.
pub(super) const KINDS: [Kind; 16] = [
    Kind::Request,
    Kind::Prepare,
    Kind::Accept,
    Kind::AcceptOk,
    Kind::Learn,
    Kind::Decided,
    Kind::PrepareOk,
    Kind::Nack,
    Kind::Prepare,
    Kind::Accept,
    Kind::Request,
    Kind::AcceptOk,
    Kind::Prepare,
    Kind::Accept,
    Kind::Request,
    Kind::Answer,
];

/// Where a number is to be odd, it is one of these.
const FAR: [u64; 4] = [Ballot::ROUND_MAX, Ballot::ROUND_MAX + 1, u64::MAX, Ballot::ROUND_MAX - 1];

/// Something new.
pub(super) fn forge(scope: &Scope<'_, PaxosSingle>, dice: Dice) -> (Who, Message) {
    let kind = KINDS.get(usize::from(dice.kind % 16)).copied().unwrap_or(Kind::Prepare);
    let forger = Forger { scope, dice };
    let from = match kind {
        Kind::Request => Who::Client(forger.dice.client()),
        // What a node alone says.
        Kind::PrepareOk
        | Kind::AcceptOk
        | Kind::Nack
        | Kind::Learn
        | Kind::Decided
        | Kind::Answer => forger
            .scope
            .other_node(forger.dice)
            .map_or(Who::Client(forger.dice.client()), Who::Node),
        Kind::Prepare | Kind::Accept => forger.scope.sender(forger.dice),
    };
    (from, forger.message(kind, from))
}

/// An answer of `from` to what the core has said, or what follows from it.
pub(super) fn answer(
    scope: &Scope<'_, PaxosSingle>,
    said: &Message,
    dice: Dice,
) -> Option<Message> {
    let forger = Forger { scope, dice };
    let is_refused = dice.kind % 8 == 7;
    Some(match *said {
        Message::Prepare { key, n } | Message::Accept { key, n, .. } if is_refused => {
            Message::Nack { key, n, np: forger.above(n) }
        }
        Message::Prepare { key, n } => {
            Message::PrepareOk { key, n, accepted: forger.accepted(key) }
        }
        Message::Accept { key, n, value } => {
            let value = if dice.kind % 8 == 6 { forger.value() } else { value };
            Message::AcceptOk { key, n, value }
        }
        // The proposer goes on.
        Message::PrepareOk { key, n, accepted } => {
            let value = accepted.map_or(forger.value(), |accepted| accepted.value);
            Message::Accept { key, n, value }
        }
        Message::Nack { key, np, .. } => Message::Prepare { key, n: forger.above(np) },
        Message::AcceptOk { key, n, value } if is_refused => Message::Decided { key, n, value },
        // Another acceptor has accepted the same.
        Message::AcceptOk { key, n, value } => Message::AcceptOk { key, n, value },
        Message::Learn { key } => Message::Decided {
            key,
            n: forger.ballot(key, forger.dice.party()),
            value: forger.value(),
        },
        Message::Request { id, ref command } => forger.answer_to_request(id, command),
        Message::Answer { .. } | Message::Decided { .. } => return None,
    })
}

/// Changes one field.
pub(super) fn change(scope: &Scope<'_, PaxosSingle>, message: &mut Message, dice: Dice) {
    let forger = Forger { scope, dice };
    match dice.kind % 6 {
        0 => {
            if let Some(key) = key_of(message) {
                *key = Key(key.0 ^ 1);
            }
        }
        1 => {
            if let Some(value) = value_of(message) {
                *value = forger.value();
            }
        }
        2 => {
            if let Some(n) = number_of(message) {
                n.round = near(dice.time, n.round);
            }
        }
        3 => {
            if let Some(n) = number_of(message) {
                n.proposer = forger.dice.party();
            }
        }
        4 => {
            if let Some(n) = number_of(message) {
                n.incarnation = near(dice.time, n.incarnation);
            }
        }
        _ => match message {
            Message::PrepareOk { key, accepted, .. } => *accepted = forger.accepted(*key),
            Message::Nack { n, np, .. } => *np = forger.above(*n),
            Message::Request { id, .. } | Message::Answer { id, .. } => {
                id.seq = near(dice.time, id.seq);
            }
            _ => {}
        },
    }
}

/// A number near another one.
fn near(byte: u8, base: u64) -> u64 {
    step::near(byte, base, &FAR)
}

/// A scope, and what is left to chance.
struct Forger<'a> {
    scope: &'a Scope<'a, PaxosSingle>,
    dice: Dice,
}

impl Forger<'_> {
    fn node_model(&self) -> Option<&Node> {
        self.scope.model.node()
    }

    fn key(&self) -> Key {
        Key(u64::from(self.dice.data >> 2 & 3 == 3))
    }

    fn value(&self) -> Value {
        Value(1 + u64::from(self.dice.data & 3))
    }

    /// A number of this proposer near to what is promised; or one that is known, whoever's it is.
    fn ballot(&self, key: Key, proposer: Party) -> Ballot {
        let node = self.node_model();
        let np = node.and_then(|node| node.acceptor.np(key));
        let known = match self.dice.time >> 5 {
            4 => np,
            5 => node.and_then(|node| node.acceptor.accepted(key)).map(|accepted| accepted.n),
            6 => node.and_then(|node| node.desk.number(key)),
            _ => None,
        };
        let is_anybody = self.dice.time >> 5 == 7;
        let proposer = if is_anybody { self.dice.party() } else { proposer };
        let incarnation = 1 + u64::from(self.dice.name >> 2 & 7 == 7);
        let round = near(self.dice.time, np.map_or(0, |np| np.round));
        known.unwrap_or(Ballot { round, proposer, incarnation })
    }

    /// Mostly above this one.
    fn above(&self, n: Ballot) -> Ballot {
        Ballot { round: near(self.dice.time, n.round), proposer: self.dice.party(), incarnation: 1 }
    }

    /// What some acceptor has accepted: nothing, or with one of a few numbers.
    fn accepted(&self, key: Key) -> Option<Accepted> {
        if self.dice.data >> 6 == 0 {
            return None;
        }
        let n = Ballot {
            round: near(self.dice.time, u64::from(self.dice.data >> 4 & 3)),
            proposer: self.dice.party(),
            incarnation: 1,
        };
        let own = self.node_model().and_then(|node| node.acceptor.accepted(key));
        let fresh = Accepted { n, value: self.value() };
        Some(own.filter(|_| self.dice.data >> 6 == 1).unwrap_or(fresh))
    }

    fn request_id(&self) -> RequestId {
        let back = u64::from(self.dice.name & 3 == 3);
        let incarnation = 1 + u64::from(self.dice.name >> 2 & 7 == 7);
        RequestId { incarnation, seq: self.scope.serial - back }
    }

    /// Of the node that a client has asked: of the right kind.
    fn answer_to_request(&self, id: RequestId, command: &Command) -> Message {
        let outcome = match (command, self.dice.kind % 4) {
            (Command::Read { .. }, 0) => Outcome::Read(None),
            (Command::Read { .. }, _) => Outcome::Read(Some(self.value())),
            _ => Outcome::Decided(self.value()),
        };
        let seq = if self.dice.name >> 5 == 7 { near(self.dice.name, id.seq) } else { id.seq };
        Message::Answer { id: RequestId { seq, ..id }, outcome }
    }

    /// Mostly what the system is for; sometimes what it does not do.
    fn command(&self) -> Command {
        const OTHERS: &[&str] = &["write", "cas", "append", "delete", "add", "txn"];
        let Dice { name, time, data, .. } = self.dice;
        let functions = if time == u8::MAX { OTHERS } else { &["propose", "propose", "read"] };
        let data = u8::from(self.key().0 == 1) | (data & 3) << 1;
        command(functions, Choice { function: time, data, parts: name })
    }

    fn message(&self, kind: Kind, from: Who) -> Message {
        let key = self.key();
        let party = match from {
            Who::Node(node) => Party::Node(node),
            Who::Client(client) => Party::Client(client),
        };
        let (n, value) = (self.ballot(key, party), self.value());
        match kind {
            Kind::Request => Message::Request { id: self.request_id(), command: self.command() },
            Kind::Prepare => Message::Prepare { key, n },
            Kind::Accept => Message::Accept { key, n, value },
            Kind::PrepareOk => Message::PrepareOk { key, n, accepted: self.accepted(key) },
            Kind::AcceptOk => Message::AcceptOk { key, n, value },
            Kind::Nack => Message::Nack { key, n, np: self.above(n) },
            Kind::Learn => Message::Learn { key },
            Kind::Decided => Message::Decided { key, n, value },
            Kind::Answer => {
                let outcome = Outcome::Decided(value);
                Message::Answer { id: self.request_id(), outcome }
            }
        }
    }
}

fn key_of(message: &mut Message) -> Option<&mut Key> {
    match message {
        Message::Prepare { key, .. }
        | Message::PrepareOk { key, .. }
        | Message::Accept { key, .. }
        | Message::AcceptOk { key, .. }
        | Message::Nack { key, .. }
        | Message::Learn { key }
        | Message::Decided { key, .. }
        | Message::Request {
            command: Command::Propose { key, .. } | Command::Read { key }, ..
        } => Some(key),
        Message::Request { .. } | Message::Answer { .. } => None,
    }
}

fn value_of(message: &mut Message) -> Option<&mut Value> {
    match message {
        Message::Accept { value, .. }
        | Message::AcceptOk { value, .. }
        | Message::Decided { value, .. }
        | Message::Request { command: Command::Propose { value, .. }, .. } => Some(value),
        Message::PrepareOk { accepted, .. } => accepted.as_mut().map(|told| &mut told.value),
        Message::Request { .. }
        | Message::Answer { .. }
        | Message::Prepare { .. }
        | Message::Nack { .. }
        | Message::Learn { .. } => None,
    }
}

fn number_of(message: &mut Message) -> Option<&mut Ballot> {
    match message {
        Message::Prepare { n, .. }
        | Message::PrepareOk { n, .. }
        | Message::Accept { n, .. }
        | Message::AcceptOk { n, .. }
        | Message::Nack { n, .. }
        | Message::Decided { n, .. } => Some(n),
        Message::Request { .. } | Message::Answer { .. } | Message::Learn { .. } => None,
    }
}

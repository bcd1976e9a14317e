//! What messages and observations show of themselves to rules and to the weather.

use core::fmt;

use super::ballot::Ballot;
use super::message::{Message, Observation, RequestId};
use crate::contract::{Command, Describe, Identify, Key, Outcome, Value};
use crate::parties::Party;

/// The number in the field `name` of a message.
pub(super) fn message_field(message: &Message, name: &str) -> Option<u64> {
    match message {
        Message::Request { id, command } => match name {
            "seq" => Some(id.seq),
            _ => command_field(command, name),
        },
        Message::Answer { id, outcome } => match (name, outcome) {
            ("seq", _) => Some(id.seq),
            ("value", Outcome::Read(value)) => value.map(|value| value.0),
            ("value", Outcome::Decided(value)) => Some(value.0),
            _ => None,
        },
        Message::Prepare { key, n } => numbered(*key, n, name),
        Message::PrepareOk { key, n, accepted } => match name {
            "value" => accepted.map(|accepted| accepted.value.0),
            "accepted" => accepted.map(|accepted| accepted.n.round),
            _ => numbered(*key, n, name),
        },
        Message::Accept { key, n, value }
        | Message::AcceptOk { key, n, value }
        | Message::Decided { key, n, value } => valued(*key, n, *value, name),
        Message::Nack { key, n, np } => match name {
            "promised" => Some(np.round),
            _ => numbered(*key, n, name),
        },
        Message::Learn { key } => (name == "key").then_some(key.0),
    }
}

fn command_field(command: &Command, name: &str) -> Option<u64> {
    match (name, command) {
        ("key", Command::Read { key } | Command::Propose { key, .. }) => Some(key.0),
        ("value", Command::Propose { value, .. }) => Some(value.0),
        _ => None,
    }
}

fn numbered(key: Key, n: &Ballot, name: &str) -> Option<u64> {
    match name {
        "key" => Some(key.0),
        "round" => Some(n.round),
        "node" => Some(n.place()),
        _ => None,
    }
}

fn valued(key: Key, n: &Ballot, value: Value, name: &str) -> Option<u64> {
    if name == "value" { Some(value.0) } else { numbered(key, n, name) }
}

impl Describe for Observation {
    fn kind(&self) -> &'static str {
        match self {
            Self::Submitted { .. } => "submitted",
            Self::Promised { .. } => "promised",
            Self::Accepted { .. } => "accepted",
            Self::Proposed { .. } => "proposed",
            Self::Decided { .. } => "decided",
        }
    }

    fn field(&self, name: &str) -> Option<u64> {
        match self {
            Self::Submitted { key, value } => match name {
                "key" => Some(key.0),
                "value" => Some(value.0),
                _ => None,
            },
            Self::Promised { key, n, accepted: _, ticket: _ } => numbered(*key, n, name),
            Self::Accepted { key, n, value, np: _, ticket: _ }
            | Self::Proposed { key, n, value, promisers: _ }
            | Self::Decided { key, n, value, acceptors: _ } => valued(*key, n, *value, name),
        }
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind())?;
        match self {
            Self::Submitted { key, value } => write!(f, "k{} = {}", key.0, value.0),
            Self::Promised { key, n, accepted: _, ticket } => {
                write!(f, "k{} {n} #{ticket}", key.0)
            }
            Self::Accepted { key, n, value, np, ticket } => {
                write!(f, "k{} = {} @{n} np {np} #{ticket}", key.0, value.0)
            }
            Self::Proposed { key, n, value, promisers } => {
                write!(f, "k{} = {} @{n} on {promisers}", key.0, value.0)
            }
            Self::Decided { key, n, value, acceptors } => {
                write!(f, "k{} = {} @{n} by {acceptors}", key.0, value.0)
            }
        }
    }
}

impl Identify for Message {
    fn identity(&self) -> u64 {
        match self {
            Self::Request { id, .. } => request(1, id),
            Self::Answer { id, .. } => request(2, id),
            Self::Prepare { key, n } => bid(3, *key, n),
            Self::PrepareOk { key, n, accepted: _ } => bid(4, *key, n),
            Self::Accept { key, n, value: _ } => bid(5, *key, n),
            Self::AcceptOk { key, n, value: _ } => bid(6, *key, n),
            Self::Nack { key, n, np: _ } => bid(7, *key, n),
            Self::Learn { key } => mix(8, key.0),
            Self::Decided { key, n: _, value: _ } => mix(9, key.0),
        }
    }
}

fn request(kind: u64, id: &RequestId) -> u64 {
    mix(mix(kind, id.incarnation), id.seq)
}

fn bid(kind: u64, key: Key, n: &Ballot) -> u64 {
    let party = match n.proposer {
        Party::Client(client) => u64::from(client.0),
        Party::Node(node) => 1 << 32 | u64::from(node.0),
    };
    mix(mix(mix(kind, key.0), n.round), n.incarnation << 33 ^ party)
}

/// Spreads `word` over the state: a multiplication by an odd constant and a shift, twice.
const fn mix(state: u64, word: u64) -> u64 {
    let z = (state ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (z ^ (z >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

//! What messages and observations show of themselves to rules and to the weather.

use core::fmt;

use super::access::Access;
use super::message::{Message, Observation, OpId, Phase, RequestId, WriteId};
use super::stamp::{Pair, Timestamp};
use crate::contract::{Describe, Identify, Key, Outcome, Value};
use crate::parties::Party;

/// The number in the field `name` of a message.
pub(super) fn message_field(message: &Message, name: &str) -> Option<u64> {
    match message {
        Message::Request { id, command } => {
            command_field(command, name).or_else(|| (name == "seq").then_some(id.seq))
        }
        Message::Answer { id, outcome } => match (name, outcome) {
            ("seq", _) => Some(id.seq),
            ("value", Outcome::Read(value)) => value.map(|value| value.0),
            _ => None,
        },
        Message::WrongIncarnation { id, incarnation } => match name {
            "seq" => Some(id.seq),
            "incarnation" => Some(*incarnation),
            _ => None,
        },
        Message::Query { op, key, configuration } => match name {
            "key" => Some(key.0),
            _ => configuration_field(*configuration, name).or_else(|| op_field(op, name)),
        },
        Message::UpdateOk { op, key } => {
            op_field(op, name).or_else(|| (name == "key").then_some(key.0))
        }
        Message::Update { op, key, pair, configuration } => match name {
            "key" => Some(key.0),
            _ => configuration_field(*configuration, name)
                .or_else(|| op_field(op, name))
                .or_else(|| pair_field(pair, name)),
        },
        Message::QueryOk { op, key, pair } | Message::Commit { op, key, pair, below: _ } => {
            op_field(op, name)
                .or_else(|| (name == "key").then_some(key.0))
                .or_else(|| pair_field(pair, name))
        }
        Message::Propose { write, key, value, below: _ } => match name {
            "key" => Some(key.0),
            "value" => Some(value.0),
            _ => write_field(write, name),
        },
        Message::Ok { write, t } => match name {
            "t" => Some(*t),
            _ => write_field(write, name),
        },
        Message::CommitOk { op: _, write }
        | Message::No { write }
        | Message::Abort { write }
        | Message::Terminate { write } => write_field(write, name),
        Message::WrongConfig { op, configuration } | Message::Configure { op, configuration } => {
            configuration_field(configuration.id, name).or_else(|| op_field(op, name))
        }
        Message::Fetch { op, configuration, from } => match name {
            "key" => Some(from.0),
            _ => configuration_field(*configuration, name).or_else(|| op_field(op, name)),
        },
        Message::Install { op, configuration, pairs: _ } => {
            configuration_field(*configuration, name).or_else(|| op_field(op, name))
        }
        Message::FetchOk { op, .. } | Message::ConfigureOk { op } | Message::InstallOk { op } => {
            op_field(op, name)
        }
    }
}

fn command_field(command: &Access, name: &str) -> Option<u64> {
    match (name, command) {
        ("key", Access::Read { key } | Access::Write { key, .. }) => Some(key.0),
        ("value", Access::Write { value, .. }) => Some(value.0),
        _ => None,
    }
}

fn op_field(op: &OpId, name: &str) -> Option<u64> {
    match name {
        "seq" => Some(op.seq),
        "attempt" => Some(u64::from(op.attempt)),
        _ => None,
    }
}

fn configuration_field(id: u32, name: &str) -> Option<u64> {
    (name == "configuration").then_some(u64::from(id))
}

fn pair_field(pair: &Pair, name: &str) -> Option<u64> {
    match name {
        "t" => Some(pair.ts.t),
        "value" => pair.value.map(|value| value.0),
        _ => None,
    }
}

fn write_field(write: &WriteId, name: &str) -> Option<u64> {
    match name {
        "initiator" => Some(u64::from(write.initiator.0)),
        "number" => Some(write.number),
        _ => None,
    }
}

impl Describe for Observation {
    fn kind(&self) -> &'static str {
        match self {
            Self::Stored { .. } => "stored",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Chosen { .. } => "chosen",
            Self::Completed { .. } => "completed",
            Self::Voted { .. } => "voted",
            Self::Refused { .. } => "refused",
            Self::Decided { .. } => "decided",
            Self::Committed { .. } => "committed",
            Self::Aborted { .. } => "aborted",
            Self::Configured { .. } => "configured",
            Self::Adopted { .. } => "adopted",
        }
    }

    fn field(&self, name: &str) -> Option<u64> {
        match self {
            Self::Stored { key, ts, value, ticket: _ } => match name {
                "key" => Some(key.0),
                "t" => Some(ts.t),
                "value" => value.map(|value| value.0),
                _ => None,
            },
            Self::Acknowledged { op, key, ts, ticket: _ } => match name {
                "key" => Some(key.0),
                "t" => Some(ts.t),
                _ => op_field(op, name),
            },
            Self::Chosen { op, key, ts, value, vouchers: _ } => {
                choice_field(op, *key, ts, *value, name)
            }
            Self::Completed { op, key, ts, value, holders: _, configuration } => {
                configuration_field(*configuration, name)
                    .or_else(|| choice_field(op, *key, ts, *value, name))
            }
            Self::Voted { write, key, t } => match name {
                "key" => Some(key.0),
                "t" => Some(*t),
                _ => write_field(write, name),
            },
            Self::Decided { write, ts, .. } | Self::Committed { write, ts } => match name {
                "t" => Some(ts.t),
                _ => write_field(write, name),
            },
            Self::Refused { write } | Self::Aborted { write } => write_field(write, name),
            Self::Configured { configuration, ticket: _ } => {
                configuration_field(configuration.id, name)
            }
            Self::Adopted { configuration, servers: _ } => {
                configuration_field(*configuration, name)
            }
        }
    }
}

fn choice_field(
    op: &OpId,
    key: Key,
    ts: &Timestamp,
    value: Option<Value>,
    name: &str,
) -> Option<u64> {
    match name {
        "key" => Some(key.0),
        "t" => Some(ts.t),
        "value" => value.map(|value| value.0),
        _ => op_field(op, name),
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind())?;
        let pair =
            |value: &Option<Value>, ts: &Timestamp| Pair { ts: *ts, value: *value, proof: None };
        match self {
            Self::Stored { key, ts, value, ticket } => {
                write!(f, "k{} = {} #{ticket}", key.0, pair(value, ts))
            }
            Self::Acknowledged { op, key, ts, ticket } => {
                write!(f, "{op} k{} @{ts} #{ticket}", key.0)
            }
            Self::Chosen { op, key, ts, value, vouchers } => {
                write!(f, "{op} k{} = {} by {vouchers}", key.0, pair(value, ts))
            }
            Self::Completed { op, key, ts, value, holders, configuration } => {
                write!(
                    f,
                    "{op} k{} = {} at {holders} config {configuration}",
                    key.0,
                    pair(value, ts)
                )
            }
            Self::Voted { write, key, t } => write!(f, "{write} k{} t={t}", key.0),
            Self::Decided { write, ts, voters } => write!(f, "{write} @{ts} by {voters}"),
            Self::Committed { write, ts } => write!(f, "{write} @{ts}"),
            Self::Refused { write } | Self::Aborted { write } => write!(f, "{write}"),
            Self::Configured { configuration, ticket } => write!(f, "{configuration} #{ticket}"),
            Self::Adopted { configuration, servers } => {
                write!(f, "config {configuration} at {servers}")
            }
        }
    }
}

impl Identify for Message {
    fn identity(&self) -> u64 {
        match self {
            Self::Request { id, .. } => request(1, id),
            Self::Answer { id, .. } => request(2, id),
            Self::WrongIncarnation { id, .. } => request(3, id),
            Self::Query { op, .. } => operation(4, op),
            Self::QueryOk { op, .. } => operation(5, op),
            Self::Update { op, .. } => operation(6, op),
            Self::UpdateOk { op, .. } => operation(7, op),
            Self::Propose { write, .. } => lock_write(8, write),
            Self::Ok { write, .. } => lock_write(9, write),
            Self::No { write } => lock_write(10, write),
            Self::Commit { op, .. } => operation(11, op),
            Self::CommitOk { op, .. } => operation(12, op),
            Self::Abort { write } => lock_write(13, write),
            Self::Terminate { write } => lock_write(14, write),
            Self::WrongConfig { op, .. } => operation(15, op),
            Self::Configure { op, .. } => operation(16, op),
            Self::ConfigureOk { op } => operation(17, op),
            Self::Fetch { op, .. } => operation(18, op),
            Self::FetchOk { op, .. } => operation(19, op),
            Self::Install { op, .. } => operation(20, op),
            Self::InstallOk { op } => operation(21, op),
        }
    }
}

fn request(kind: u64, id: &RequestId) -> u64 {
    mix(mix(kind, id.incarnation), id.seq)
}

fn operation(kind: u64, op: &OpId) -> u64 {
    let party = match op.party {
        Party::Client(client) => u64::from(client.0),
        Party::Node(node) => 1 << 32 | u64::from(node.0),
    };
    let phase = match op.phase {
        Phase::Query => 0,
        Phase::Update => 1,
        Phase::Commit => 2,
        Phase::Change => 3,
    };
    let what = mix(mix(kind << 8 | phase, party), op.seq);
    mix(what, op.incarnation << 32 | u64::from(op.attempt))
}

fn lock_write(kind: u64, write: &WriteId) -> u64 {
    mix(mix(kind << 16 | u64::from(write.initiator.0), write.incarnation), write.number)
}

/// Spreads `word` over the state: a multiplication by an odd constant and a shift, twice.
const fn mix(state: u64, word: u64) -> u64 {
    let z = (state ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (z ^ (z >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

//! What messages and observations show of themselves to rules and to the weather.

use core::fmt;

use super::ballot::Ballot;
use super::message::{Message, Observation};
use crate::contract::{Describe, Identify, Outcome};
use crate::smr::{Chain, Short, Slot, command_field, mix, request_field, request_identity};

/// The number in the field `name` of a message. A ballot's are `ballot`, its round, and `leader`, its node.
pub(super) fn message_field(message: &Message, name: &str) -> Option<u64> {
    let ballot = ballot_of(message).and_then(|ballot| ballot_field(ballot, name));
    ballot.or_else(|| match (message, name) {
        (
            Message::Request { number, .. }
            | Message::Reply { number, .. }
            | Message::Redirect { number, .. }
            | Message::Relay { number, .. },
            "seq",
        ) => Some(number.seq),
        (Message::Relay { client, .. }, "client") => Some(u64::from(client.0)),
        (Message::Request { command, .. } | Message::Relay { command, .. }, _) => {
            command_field(command, name)
        }
        (Message::Reply { outcome: Outcome::Read(value), .. }, "value") => {
            value.map(|value| value.0)
        }
        (Message::Redirect { leader, .. }, "leader") => leader.map(|leader| u64::from(leader.0)),
        (Message::P2b { ok, .. }, "ok") => Some(u64::from(*ok)),
        (Message::P2b { promised, .. } | Message::Nack { promised, .. }, "promised") => {
            Some(promised.round)
        }
        (Message::P2a { commit, .. } | Message::Heartbeat { commit, .. }, "commit") => {
            Some(commit.0)
        }
        (Message::Heartbeat { round, .. } | Message::HeartbeatOk { round, .. }, "round") => {
            Some(*round)
        }
        (_, "slot") => slot_of(message).map(|slot| slot.0),
        (Message::P2a { entry, .. }, _) => request_field(entry.request()?, name),
        _ => None,
    })
}

/// The ballot that a message belongs to.
fn ballot_of(message: &Message) -> Option<Ballot> {
    match message {
        Message::P1a { ballot, .. }
        | Message::P1b { ballot, .. }
        | Message::Nack { ballot, .. }
        | Message::P2a { ballot, .. }
        | Message::P2b { ballot, .. }
        | Message::Heartbeat { ballot, .. }
        | Message::HeartbeatOk { ballot, .. } => Some(*ballot),
        Message::Request { .. }
        | Message::Reply { .. }
        | Message::Redirect { .. }
        | Message::Relay { .. }
        | Message::Fetch { .. }
        | Message::FetchOk { .. }
        | Message::Snapshot { .. } => None,
    }
}

/// The slot that a message is about, or the first of several.
fn slot_of(message: &Message) -> Option<Slot> {
    match message {
        Message::P2a { slot, .. } | Message::P2b { slot, .. } => Some(*slot),
        Message::P1a { from, .. } | Message::Fetch { from } | Message::FetchOk { from, .. } => {
            Some(*from)
        }
        Message::Snapshot { snapshot } => Some(snapshot.index),
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

fn ballot_field(ballot: Ballot, name: &str) -> Option<u64> {
    match name {
        "ballot" => Some(ballot.round),
        "leader" => Some(u64::from(ballot.node.0)),
        _ => None,
    }
}

impl Describe for Observation {
    fn kind(&self) -> &'static str {
        match self {
            Self::BallotUsed { .. } => "ballot-used",
            Self::Promised { .. } => "promised",
            Self::Elected { .. } => "elected",
            Self::Proposed { .. } => "proposed",
            Self::Accepted { .. } => "accepted",
            Self::Decided { .. } => "decided",
            Self::Learned { .. } => "learned",
            Self::Executed { .. } => "executed",
            Self::SnapshotTaken { .. } => "snapshot-taken",
            Self::SnapshotInstalled { .. } => "snapshot-installed",
            Self::LeaseGranted { .. } => "lease-granted",
            Self::LeaseTaken { .. } => "lease-taken",
            Self::ReadServed { .. } => "read-served",
            Self::SteppedDown { .. } => "stepped-down",
        }
    }

    fn field(&self, name: &str) -> Option<u64> {
        let ballot = match self {
            Self::BallotUsed { ballot, .. }
            | Self::Promised { ballot, .. }
            | Self::Elected { ballot, .. }
            | Self::Proposed { ballot, .. }
            | Self::Accepted { ballot, .. }
            | Self::Decided { ballot, .. }
            | Self::LeaseGranted { ballot, .. }
            | Self::LeaseTaken { ballot, .. }
            | Self::ReadServed { ballot, .. }
            | Self::SteppedDown { ballot } => Some(*ballot),
            Self::Learned { ballot, .. } => *ballot,
            Self::Executed { .. } | Self::SnapshotTaken { .. } | Self::SnapshotInstalled { .. } => {
                None
            }
        };
        let slot = match self {
            Self::BallotUsed { from: slot, .. }
            | Self::Elected { commit: slot, .. }
            | Self::Proposed { slot, .. }
            | Self::Accepted { slot, .. }
            | Self::Decided { slot, .. }
            | Self::Learned { slot, .. }
            | Self::Executed { slot, .. }
            | Self::SnapshotTaken { index: slot, .. }
            | Self::SnapshotInstalled { index: slot, .. }
            | Self::ReadServed { applied: slot, .. } => Some(*slot),
            Self::Promised { .. }
            | Self::LeaseGranted { .. }
            | Self::LeaseTaken { .. }
            | Self::SteppedDown { .. } => None,
        };
        match name {
            "slot" => slot.map(|slot| slot.0),
            _ => ballot.and_then(|ballot| ballot_field(ballot, name)),
        }
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind())?;
        match self {
            Self::BallotUsed { ballot, from } => write!(f, "{ballot} from {from}"),
            Self::Promised { ballot, ticket } => write!(f, "{ballot} #{ticket}"),
            Self::Elected { ballot, voters, commit, adopted } => {
                write!(f, "{ballot} by {voters} commit {commit} adopted {adopted}")
            }
            Self::Proposed { ballot, slot, entry, adopted } => {
                write!(f, "{ballot} {slot} {}", Short(*entry))?;
                adopted.map_or(Ok(()), |adopted| write!(f, " adopted from {adopted}"))
            }
            Self::Accepted { ballot, slot, entry, ticket } => {
                write!(f, "{ballot} {slot} {} #{ticket}", Short(*entry))
            }
            Self::Decided { ballot, slot, entry, voters } => {
                write!(f, "{ballot} {slot} {} by {voters}", Short(*entry))
            }
            Self::Learned { slot, entry, ballot } => {
                write!(f, "{slot} {}", Short(*entry))?;
                ballot.map_or(Ok(()), |ballot| write!(f, " from {ballot}"))
            }
            Self::Executed { slot, chain, request, is_first } => {
                write!(f, "{slot}")?;
                if let Some((client, number)) = request {
                    write!(f, " {client}.{number}{}", if *is_first { "" } else { " not again" })?;
                }
                write!(f, " {}", Short(chain.0))
            }
            Self::SnapshotTaken { index, chain: Chain(chain), ticket }
            | Self::SnapshotInstalled { index, chain: Chain(chain), ticket } => {
                write!(f, "{index} {} #{ticket}", Short(*chain))
            }
            Self::LeaseGranted { ballot, round, micros } => {
                write!(f, "{ballot} round {round} for {micros} us")
            }
            Self::LeaseTaken { ballot, round, micros, voters } => {
                write!(f, "{ballot} round {round} for {micros} us by {voters}")
            }
            Self::ReadServed { ballot, applied, by_lease } => {
                write!(f, "{ballot} at {applied} by {}", if *by_lease { "lease" } else { "round" })
            }
            Self::SteppedDown { ballot } => write!(f, "{ballot}"),
        }
    }
}

impl Identify for Message {
    fn identity(&self) -> u64 {
        match self {
            Self::Request { number, .. } => request_identity(1, *number),
            Self::Reply { number, .. } => request_identity(2, *number),
            Self::Redirect { number, .. } => request_identity(3, *number),
            Self::P1a { ballot, .. } => proposal(4, *ballot, 0),
            Self::P1b { ballot, .. } => proposal(5, *ballot, 0),
            Self::Nack { ballot, .. } => proposal(6, *ballot, 0),
            Self::P2a { ballot, slot, .. } => proposal(7, *ballot, slot.0),
            Self::P2b { ballot, slot, .. } => proposal(8, *ballot, slot.0),
            Self::Heartbeat { ballot, round, .. } => proposal(9, *ballot, *round),
            Self::HeartbeatOk { ballot, round } => proposal(10, *ballot, *round),
            Self::Fetch { from } => mix(11, from.0),
            Self::FetchOk { from, .. } => mix(12, from.0),
            Self::Snapshot { snapshot } => mix(13, snapshot.index.0),
            Self::Relay { client, number, .. } => {
                mix(request_identity(14, *number), client.0.into())
            }
        }
    }
}

fn proposal(kind: u64, ballot: Ballot, place: u64) -> u64 {
    let whose = mix(kind << 16 | u64::from(ballot.node.0), ballot.incarnation.0);
    mix(mix(whose, ballot.round), place)
}

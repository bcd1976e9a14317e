//! What messages and observations show of themselves to rules and to the weather.

use core::fmt;

use super::message::{Message, Observation};
use super::view::View;
use crate::contract::{Describe, Identify, Outcome};
use crate::smr::{Chain, Request, Short, Slot, mix, request_field, request_identity};

/// The number in the field `name` of a message. `slot` is the sequence number; of a `VC_Proof` or Prepare the
/// sender's `Local_Aru`.
pub(super) fn message_field(message: &Message, name: &str) -> Option<u64> {
    match name {
        "view" => view_of(message).map(|view| view.0),
        "slot" => slot_of(message).map(|slot| slot.0),
        _ => match message {
            Message::ClientUpdate { update } => request_field(update, name),
            Message::Proposal { entry, .. } => request_field(entry.request()?, name),
            Message::Reply { number, .. } if name == "seq" => Some(number.seq),
            Message::Reply { outcome: Outcome::Read(value), .. } if name == "value" => {
                value.map(|value| value.0)
            }
            Message::Reply { .. }
            | Message::ViewChange { .. }
            | Message::VcProof { .. }
            | Message::Prepare { .. }
            | Message::PrepareOk { .. }
            | Message::Accept { .. }
            | Message::Fetch { .. }
            | Message::FetchOk { .. }
            | Message::Snapshot { .. } => None,
        },
    }
}

/// The view that a message belongs to.
pub(super) fn view_of(message: &Message) -> Option<View> {
    match message {
        Message::ViewChange { attempted: view }
        | Message::VcProof { installed: view, .. }
        | Message::Prepare { view, .. }
        | Message::PrepareOk { view, .. }
        | Message::Proposal { view, .. }
        | Message::Accept { view, .. } => Some(*view),
        Message::ClientUpdate { .. }
        | Message::Reply { .. }
        | Message::Fetch { .. }
        | Message::FetchOk { .. }
        | Message::Snapshot { .. } => None,
    }
}

/// The slot that a message is about, or the first of several.
fn slot_of(message: &Message) -> Option<Slot> {
    match message {
        Message::VcProof { aru: slot, .. }
        | Message::Prepare { aru: slot, .. }
        | Message::Proposal { slot, .. }
        | Message::Accept { slot, .. }
        | Message::Fetch { from: slot }
        | Message::FetchOk { from: slot, .. } => Some(*slot),
        Message::Snapshot { snapshot } => Some(snapshot.index),
        Message::ClientUpdate { .. }
        | Message::Reply { .. }
        | Message::ViewChange { .. }
        | Message::PrepareOk { .. } => None,
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
            Self::SteppedDown { .. } => "stepped-down",
        }
    }

    fn field(&self, name: &str) -> Option<u64> {
        let view = match self {
            Self::BallotUsed { view, .. }
            | Self::Promised { view, .. }
            | Self::Elected { view, .. }
            | Self::Proposed { view, .. }
            | Self::Accepted { view, .. }
            | Self::Decided { view, .. }
            | Self::SteppedDown { view } => Some(*view),
            Self::Learned { .. }
            | Self::Executed { .. }
            | Self::SnapshotTaken { .. }
            | Self::SnapshotInstalled { .. } => None,
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
            | Self::SnapshotInstalled { index: slot, .. } => Some(*slot),
            Self::Promised { .. } | Self::SteppedDown { .. } => None,
        };
        match name {
            "view" => view.map(|view| view.0),
            "slot" => slot.map(|slot| slot.0),
            _ => None,
        }
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind())?;
        match self {
            Self::BallotUsed { view, from } => write!(f, "{view} from {from}"),
            Self::Promised { view, ticket } => write!(f, "{view} #{ticket}"),
            Self::Elected { view, voters, commit, adopted } => {
                write!(f, "{view} by {voters} commit {commit} adopted {adopted}")
            }
            Self::Proposed { view, slot, entry, adopted } => {
                write!(f, "{view} {slot} {}", Short(*entry))?;
                adopted.map_or(Ok(()), |adopted| write!(f, " adopted from {adopted}"))
            }
            Self::Accepted { view, slot, entry, ticket } => {
                write!(f, "{view} {slot} {} #{ticket}", Short(*entry))
            }
            Self::Decided { view, slot, entry, voters } => {
                write!(f, "{view} {slot} {} by {voters}", Short(*entry))
            }
            Self::Learned { slot, entry } => write!(f, "{slot} {}", Short(*entry)),
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
            Self::SteppedDown { view } => write!(f, "{view}"),
        }
    }
}

impl Identify for Message {
    fn identity(&self) -> u64 {
        match self {
            Self::ClientUpdate { update: Request { client, number, .. } } => {
                request_identity(1 << 32 | u64::from(client.0), *number)
            }
            Self::Reply { number, .. } => request_identity(2, *number),
            Self::ViewChange { attempted } => proposal(3, *attempted, Slot::ZERO),
            Self::VcProof { installed, aru } => proposal(4, *installed, *aru),
            Self::Prepare { view, .. } => proposal(5, *view, Slot::ZERO),
            Self::PrepareOk { view, .. } => proposal(6, *view, Slot::ZERO),
            Self::Proposal { view, slot, .. } => proposal(7, *view, *slot),
            Self::Accept { view, slot, .. } => proposal(8, *view, *slot),
            Self::Fetch { from } => mix(9, from.0),
            Self::FetchOk { from, .. } => mix(10, from.0),
            Self::Snapshot { snapshot } => mix(11, snapshot.index.0),
        }
    }
}

fn proposal(kind: u64, view: View, slot: Slot) -> u64 {
    mix(mix(kind, view.0), slot.0)
}

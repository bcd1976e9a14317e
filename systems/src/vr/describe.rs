//! What messages and observations show of themselves to rules and to the weather.

use core::fmt;

use super::entry::Entry;
use super::message::{Message, Observation, Status};
use super::view::View;
use crate::contract::{Describe, Identify, Outcome};
use crate::smr::{RequestNumber, Short, Slot, command_field, mix, request_field, request_identity};

/// The number in the field `name` of a message. A view's are `view`, its number, and `epoch`.
pub(super) fn message_field(message: &Message, name: &str) -> Option<u64> {
    match name {
        "view" => view_of(message).map(|view| view.number),
        "epoch" => epoch_of(message),
        "seq" => number_of(message).map(|number| number.seq),
        "op" => op_of(message).map(|op| op.0),
        "commit" => commit_of(message).map(|commit| commit.0),
        _ => own_field(message, name),
    }
}

/// A field that few have.
fn own_field(message: &Message, name: &str) -> Option<u64> {
    match (message, name) {
        (Message::Relay { client, .. } | Message::RelayReply { client, .. }, "client") => {
            Some(u64::from(client.0))
        }
        (Message::Request { command, .. } | Message::Relay { command, .. }, _) => {
            command_field(command, name)
        }
        (Message::Reply { outcome: Outcome::Read(value), .. }, "value") => value.map(|v| v.0),
        (Message::Reply { is_committed, .. }, "committed") => Some(u64::from(*is_committed)),
        (Message::Prepare { entry: Entry::Request(request), .. }, _) => {
            request_field(request, name)
        }
        (Message::Commit { round, .. } | Message::CommitOk { round, .. }, "round") => Some(*round),
        (Message::StartViewChange { has_left, .. }, "left") => Some(u64::from(*has_left)),
        (Message::DoViewChange { last_normal, .. }, "last_normal") => Some(last_normal.number),
        (Message::GetState { is_joining, .. }, "joining") => Some(u64::from(*is_joining)),
        _ => None,
    }
}

/// The view that a message belongs to.
pub(super) fn view_of(message: &Message) -> Option<View> {
    match message {
        Message::Reply { view, .. }
        | Message::Redirect { view, .. }
        | Message::NewEpoch { view, .. }
        | Message::Prepare { view, .. }
        | Message::PrepareOk { view, .. }
        | Message::Commit { view, .. }
        | Message::CommitOk { view, .. }
        | Message::StartViewChange { view, .. }
        | Message::DoViewChange { view, .. }
        | Message::StartView { view, .. }
        | Message::GetStartView { view }
        | Message::Recovery { view, .. }
        | Message::RecoveryResponse { view, .. }
        | Message::GetState { view, .. }
        | Message::NewState { view, .. }
        | Message::StartEpoch { view, .. } => Some(*view),
        Message::Request { .. }
        | Message::Reconfiguration { .. }
        | Message::Relay { .. }
        | Message::RelayReply { .. }
        | Message::GetCheckpoint { .. }
        | Message::Checkpoint { .. }
        | Message::EpochStarted { .. } => None,
    }
}

fn epoch_of(message: &Message) -> Option<u64> {
    match message {
        Message::Request { epoch, .. }
        | Message::Reconfiguration { epoch, .. }
        | Message::EpochStarted { epoch } => Some(*epoch),
        _ => view_of(message).map(|view| view.epoch),
    }
}

fn number_of(message: &Message) -> Option<RequestNumber> {
    match message {
        Message::Request { number, .. }
        | Message::Reconfiguration { number, .. }
        | Message::Reply { number, .. }
        | Message::Redirect { number, .. }
        | Message::NewEpoch { number, .. }
        | Message::Relay { number, .. }
        | Message::RelayReply { number, .. } => Some(*number),
        Message::Prepare { entry, .. } => Some(entry.asked().1),
        _ => None,
    }
}

/// The op-number that a message is about: the last one of a log.
fn op_of(message: &Message) -> Option<Slot> {
    match message {
        Message::Reply { op, .. }
        | Message::Prepare { op, .. }
        | Message::PrepareOk { op, .. }
        | Message::GetState { op, .. }
        | Message::GetCheckpoint { op }
        | Message::StartEpoch { op, .. } => Some(*op),
        Message::DoViewChange { state, .. }
        | Message::StartView { state, .. }
        | Message::NewState { state, .. }
        | Message::RecoveryResponse { state: Some(state), .. } => Some(state.log.last()),
        Message::Checkpoint { snapshot } => Some(snapshot.index),
        _ => None,
    }
}

fn commit_of(message: &Message) -> Option<Slot> {
    match message {
        Message::Prepare { commit, .. } | Message::Commit { commit, .. } => Some(*commit),
        Message::DoViewChange { state, .. }
        | Message::StartView { state, .. }
        | Message::NewState { state, .. }
        | Message::RecoveryResponse { state: Some(state), .. } => Some(state.commit),
        _ => None,
    }
}

impl Status {
    /// Its name, as people read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::ViewChange => "view-change",
            Self::Recovering => "recovering",
            Self::StateTransfer => "state-transfer",
            Self::Transitioning => "transitioning",
            Self::Outside => "outside",
        }
    }
}

impl Describe for Observation {
    fn kind(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Appended { .. } => "appended",
            Self::Adopted { .. } => "adopted",
            Self::ViewStarted { .. } => "view-started",
            Self::Committed { .. } => "committed",
            Self::Learned { .. } => "learned",
            Self::Executed { .. } => "executed",
            Self::CheckpointTaken { .. } => "checkpoint-taken",
            Self::CheckpointInstalled { .. } => "checkpoint-installed",
            Self::Released { .. } => "released",
            Self::LeaseGranted { .. } => "lease-granted",
            Self::LeaseTaken { .. } => "lease-taken",
            Self::ReadServed { .. } => "read-served",
            Self::EpochEnded { .. } => "epoch-ended",
            Self::Accepted { .. } => "accepted",
        }
    }

    fn field(&self, name: &str) -> Option<u64> {
        let view = match self {
            Self::Status { view, .. }
            | Self::Appended { view, .. }
            | Self::Adopted { view, .. }
            | Self::ViewStarted { view, .. }
            | Self::Committed { view, .. }
            | Self::Learned { view, .. }
            | Self::LeaseGranted { view, .. }
            | Self::LeaseTaken { view, .. }
            | Self::ReadServed { view, .. }
            | Self::EpochEnded { view, .. }
            | Self::Accepted { view, .. } => Some(*view),
            Self::Executed { .. }
            | Self::CheckpointTaken { .. }
            | Self::CheckpointInstalled { .. }
            | Self::Released { .. } => None,
        };
        let op = match self {
            Self::Appended { op, .. }
            | Self::Committed { op, .. }
            | Self::Learned { commit: op, .. }
            | Self::Executed { op, .. }
            | Self::CheckpointTaken { index: op, .. }
            | Self::CheckpointInstalled { index: op, .. }
            | Self::Released { op }
            | Self::ReadServed { applied: op, .. }
            | Self::EpochEnded { op, .. }
            | Self::Accepted { op, .. } => Some(*op),
            Self::Adopted { after, entries, .. } => Some(after.plus(entries.len() as u64)),
            Self::Status { .. }
            | Self::ViewStarted { .. }
            | Self::LeaseGranted { .. }
            | Self::LeaseTaken { .. } => None,
        };
        match name {
            "view" => view.map(|view| view.number),
            "epoch" => view.map(|view| view.epoch),
            "op" => op.map(|op| op.0),
            _ => None,
        }
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind())?;
        match self {
            Self::Status { status, view, last_normal } => {
                write!(f, "{} in {view} last normal {last_normal}", status.name())
            }
            Self::Appended { view, op, entry, ticket } => {
                write!(f, "{view} {op} {} #{ticket}", Short(*entry))
            }
            Self::Adopted { view, after, entries, commit, ticket } => {
                write!(f, "{view} {} after {after} commit {commit} #{ticket}", entries.len())
            }
            Self::ViewStarted { view, voters } => write!(f, "{view} by {voters}"),
            Self::Committed { view, op, voters } => write!(f, "{view} {op} by {voters}"),
            Self::Learned { view, commit } => write!(f, "{view} commit {commit}"),
            Self::Executed { op, chain, request: (client, number), is_first } => {
                let again = if *is_first { "" } else { " not again" };
                write!(f, "{op} {client}.{number}{again} {}", Short(chain.0))
            }
            Self::CheckpointTaken { index, chain, ticket }
            | Self::CheckpointInstalled { index, chain, ticket } => {
                write!(f, "{index} {} #{ticket}", Short(chain.0))
            }
            Self::Released { op } => write!(f, "{op}"),
            Self::LeaseGranted { view, round, micros } => {
                write!(f, "{view} round {round} for {micros} us")
            }
            Self::LeaseTaken { view, round, micros, voters } => {
                write!(f, "{view} round {round} for {micros} us by {voters}")
            }
            Self::ReadServed { view, applied } => write!(f, "{view} at {applied}"),
            Self::EpochEnded { view, op, new } => write!(f, "{op} then {view} of {new}"),
            Self::Accepted { view, op, number, replicas } => {
                write!(f, "{number} {view} {op} by {replicas}")
            }
        }
    }
}

impl Identify for Message {
    fn identity(&self) -> u64 {
        match self {
            Self::Request { number, .. } => request_identity(1, *number),
            Self::Reconfiguration { number, .. } => request_identity(2, *number),
            Self::Reply { number, .. } => request_identity(3, *number),
            Self::Redirect { number, .. } => request_identity(4, *number),
            Self::NewEpoch { number, .. } => request_identity(5, *number),
            Self::Relay { client, number, .. } => {
                mix(request_identity(6, *number), client.0.into())
            }
            Self::Prepare { view, op, .. } => in_view(7, *view, op.0),
            Self::PrepareOk { view, op } => in_view(8, *view, op.0),
            Self::Commit { view, round, .. } => in_view(9, *view, *round),
            Self::CommitOk { view, round } => in_view(10, *view, *round),
            Self::StartViewChange { view, has_left, .. } => {
                in_view(11, *view, u64::from(*has_left))
            }
            Self::DoViewChange { view, .. } => in_view(12, *view, 0),
            Self::StartView { view, .. } => in_view(13, *view, 0),
            Self::GetStartView { view } => in_view(14, *view, 0),
            Self::Recovery { view, .. } => in_view(15, *view, 0),
            Self::RecoveryResponse { view, .. } => in_view(16, *view, 0),
            Self::GetState { view, op, .. } => in_view(17, *view, op.0),
            Self::NewState { view, .. } => in_view(18, *view, 0),
            Self::GetCheckpoint { op } => mix(19, op.0),
            Self::Checkpoint { snapshot } => mix(20, snapshot.index.0),
            Self::StartEpoch { view, .. } => in_view(21, *view, 0),
            Self::EpochStarted { epoch } => mix(22, *epoch),
            Self::RelayReply { client, number, .. } => {
                mix(request_identity(23, *number), client.0.into())
            }
        }
    }
}

fn in_view(kind: u64, view: View, place: u64) -> u64 {
    mix(mix(mix(kind, view.epoch), view.number), place)
}

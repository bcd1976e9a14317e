//! What travels, what is made durable, and what is told of it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::crashes::CrashVector;
use super::describe;
use super::entry::{Entry, Suffix};
use super::view::{Members, View};
use crate::contract::{ClientId, Command, Describe, Outcome};
use crate::parties::NodeSet;
use crate::smr::{Chain, RequestNumber, Slot, Snapshot};

/// What a replica tells of its log to whom needs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct State {
    /// The end of its log; what is before it stands in its checkpoint. A witness has neither, and every replica that
    /// executes has all before it.
    pub log: Suffix,
    /// Its commit-number.
    pub commit: Slot,
    /// With witnesses: up to here every replica that executes has all entries, durably; they are committed.
    pub held: Slot,
}

/// Whatever travels between nodes, and between nodes and clients. An op-number is called `op`.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Message {
    /// A client that knows of this epoch asks for `command`.
    Request { epoch: u64, number: RequestNumber, command: Command },
    /// The administrator asks for other replicas in the next epoch, as the last request of this one.
    Reconfiguration { epoch: u64, number: RequestNumber, members: Members },
    /// The request ended so. If it is not `is_committed`, the sender has it and all before it in its log of this
    /// view, at `op`, and the client must hear the same from f others.
    Reply { view: View, op: Slot, number: RequestNumber, outcome: Outcome, is_committed: bool },
    /// The sender does not lead; its view is this.
    Redirect { number: RequestNumber, view: View },
    /// The client's epoch is over; these are the replicas of the sender's.
    NewEpoch { number: RequestNumber, view: View, members: Members },
    /// `client` asked the sender again and again: it seems not to reach the receiver, which leads.
    Relay { client: ClientId, number: RequestNumber, command: Command },
    /// A request that the receiver passed on ended so. It is told to who does not execute.
    RelayReply { client: ClientId, number: RequestNumber, outcome: Outcome },
    /// Append `entry` as `op`. All up to `commit` is committed.
    Prepare { view: View, op: Slot, entry: Entry, commit: Slot, held: Slot },
    /// The sender has all up to `op` in its log of this view.
    PrepareOk { view: View, op: Slot },
    /// The sender leads, and all up to `commit` is committed.
    Commit { view: View, round: u64, commit: Slot, held: Slot },
    /// When this round reached the sender, it was in this view. With leases it grants one.
    CommitOk { view: View, round: u64 },
    /// The sender wants this view to begin. If it `has_left` its own for it, it takes part in no lower one.
    StartViewChange { view: View, has_left: bool, crashes: CrashVector },
    /// The sender has left all lower views, was last in status normal in `last_normal`, and this is its log.
    DoViewChange { view: View, last_normal: View, state: Box<State>, crashes: CrashVector },
    /// The view begins with this log.
    StartView { view: View, state: Box<State>, crashes: CrashVector },
    /// With what log did this view begin?
    GetStartView { view: View },
    /// The sender has forgotten everything, but perhaps in which view it was.
    Recovery { nonce: u64, view: View, crashes: CrashVector },
    /// The sender is in status normal in this view. The primary tells its log.
    RecoveryResponse { nonce: u64, view: View, state: Option<Box<State>>, crashes: CrashVector },
    /// What is the log of this view, or of a later one, after `op`? If it `is_joining` the epoch, what is committed is
    /// enough.
    GetState { view: View, op: Slot, nonce: u64, is_joining: bool },
    /// This is, of `view`.
    NewState { view: View, nonce: u64, state: Box<State> },
    /// What state do all committed requests up to `op`, or further, come to?
    GetCheckpoint { op: Slot },
    /// They come to this.
    Checkpoint { snapshot: Box<Snapshot> },
    /// The epoch of `view` begins, after the RECONFIGURATION that was `assigned` the op-number `op` in that view, with the
    /// replicas `new` in place of `old`.
    StartEpoch { view: View, assigned: View, op: Slot, old: Members, new: Members },
    /// The sender has begun with this epoch.
    EpochStarted { epoch: u64 },
}

impl Describe for Message {
    fn kind(&self) -> &'static str {
        match self {
            Self::Request { .. } => "REQUEST",
            Self::Reconfiguration { .. } => "RECONFIGURATION",
            Self::Reply { .. } => "REPLY",
            Self::Redirect { .. } => "REDIRECT",
            Self::NewEpoch { .. } => "NEWEPOCH",
            Self::Relay { .. } => "RELAY",
            Self::RelayReply { .. } => "RELAYREPLY",
            Self::Prepare { .. } => "PREPARE",
            Self::PrepareOk { .. } => "PREPAREOK",
            Self::Commit { .. } => "COMMIT",
            Self::CommitOk { .. } => "COMMIT_OK",
            Self::StartViewChange { .. } => "STARTVIEWCHANGE",
            Self::DoViewChange { .. } => "DOVIEWCHANGE",
            Self::StartView { .. } => "STARTVIEW",
            Self::GetStartView { .. } => "GETSTARTVIEW",
            Self::Recovery { .. } => "RECOVERY",
            Self::RecoveryResponse { .. } => "RECOVERYRESPONSE",
            Self::GetState { .. } => "GETSTATE",
            Self::NewState { .. } => "NEWSTATE",
            Self::GetCheckpoint { .. } => "GETCHECKPOINT",
            Self::Checkpoint { .. } => "CHECKPOINT",
            Self::StartEpoch { .. } => "STARTEPOCH",
            Self::EpochStarted { .. } => "EPOCHSTARTED",
        }
    }

    fn field(&self, name: &str) -> Option<u64> {
        describe::message_field(self, name)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log {} commit {}", self.log, self.commit)?;
        if self.held > Slot::ZERO { write!(f, " held {}", self.held) } else { Ok(()) }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind())?;
        match self {
            Self::Request { epoch, number, command } => {
                write!(f, "{number} {command}")?;
                if *epoch > 0 { write!(f, " epoch {epoch}") } else { Ok(()) }
            }
            Self::Reconfiguration { epoch, number, members } => {
                write!(f, "{number} members := {members} epoch {epoch}")
            }
            Self::Reply { view, op, number, outcome, is_committed } => {
                let how = if *is_committed { "committed" } else { "prepared" };
                write!(f, "{number} {outcome} {view} {op} {how}")
            }
            Self::Redirect { number, view } => write!(f, "{number} to {view}"),
            Self::NewEpoch { number, view, members } => write!(f, "{number} {view} of {members}"),
            Self::Relay { client, number, command } => write!(f, "{client}.{number} {command}"),
            Self::RelayReply { client, number, outcome } => {
                write!(f, "{client}.{number} {outcome}")
            }
            Self::Prepare { view, op, entry, commit, held } => {
                write!(f, "{view} {op} {entry} commit {commit}")?;
                if *held > Slot::ZERO { write!(f, " held {held}") } else { Ok(()) }
            }
            Self::PrepareOk { view, op } => write!(f, "{view} {op}"),
            Self::Commit { view, round, commit, held } => {
                write!(f, "{view} round {round} commit {commit}")?;
                if *held > Slot::ZERO { write!(f, " held {held}") } else { Ok(()) }
            }
            Self::CommitOk { view, round } => write!(f, "{view} round {round}"),
            Self::StartViewChange { view, has_left, crashes } => {
                write!(f, "{view}{}", if *has_left { " left" } else { "" })?;
                with_crashes(f, crashes)
            }
            Self::DoViewChange { view, last_normal, state, crashes } => {
                write!(f, "{view} last normal {last_normal} {state}")?;
                with_crashes(f, crashes)
            }
            Self::StartView { view, state, crashes } => {
                write!(f, "{view} {state}")?;
                with_crashes(f, crashes)
            }
            Self::GetStartView { view } => write!(f, "{view}"),
            Self::Recovery { nonce, view, crashes } => {
                write!(f, "{nonce:x} {view}")?;
                with_crashes(f, crashes)
            }
            Self::RecoveryResponse { nonce, view, state, crashes } => {
                write!(f, "{nonce:x} {view}")?;
                if let Some(state) = state {
                    write!(f, " {state}")?;
                }
                with_crashes(f, crashes)
            }
            Self::GetState { view, op, nonce, is_joining } => {
                let joining = if *is_joining { " to join" } else { "" };
                write!(f, "{nonce:x} {view} after {op}{joining}")
            }
            Self::NewState { view, nonce, state } => write!(f, "{nonce:x} {view} {state}"),
            Self::GetCheckpoint { op } => write!(f, "{op}"),
            Self::Checkpoint { snapshot } => write!(f, "{} {}", snapshot.index, snapshot.chain),
            Self::StartEpoch { view, assigned, op, old, new } => {
                write!(f, "{view} after {op} of {assigned} {new} in place of {old}")
            }
            Self::EpochStarted { epoch } => write!(f, "e{epoch}"),
        }
    }
}

fn with_crashes(f: &mut fmt::Formatter<'_>, crashes: &CrashVector) -> fmt::Result {
    if crashes.is_empty() { Ok(()) } else { write!(f, " crashes {crashes}") }
}

/// What a replica makes durable, as far as its `persistence` goes. Replaying them in order gives its durable state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Record {
    /// It has left all lower views.
    View { view: View },
    /// The next entry of its log. All up to `commit` is committed.
    Prepared { view: View, op: Slot, entry: Entry, commit: Slot },
    /// It is in status normal in `view`, and this is its log after the snapshot, or after what its log has before the
    /// suffix: nothing else of it remains.
    Adopted { view: View, state: Box<State>, snapshot: Option<Box<Snapshot>> },
    /// All up to the snapshot's op-number is committed, and this is what came of it.
    Checkpoint { snapshot: Box<Snapshot> },
    /// A witness: everybody who executes has all up to here, so that it need not.
    Held { op: Slot },
    /// The epoch of `view` follows the RECONFIGURATION that was `assigned` `op` in that view, with the replicas `new` in
    /// place of `old`. The replica `has_executed` all up to there, or not yet; whether it `is_normal` in it.
    Epoch {
        view: View,
        assigned: View,
        op: Slot,
        old: Members,
        new: Members,
        has_executed: bool,
        is_normal: bool,
    },
}

/// What a replica does at present: `VRR §4.1`, and what state transfer and epochs add to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// It takes part in its view.
    Normal,
    /// It has left its last view, and the next has not begun.
    ViewChange,
    /// It has forgotten everything.
    Recovering,
    /// It lacks entries, of its view or a later one, and acknowledges nothing until it has them.
    StateTransfer,
    /// Its epoch begins, and it lacks what was before it.
    Transitioning,
    /// It is not a replica of its epoch.
    Outside,
}

/// What a core tells of its transitions; the invariants are stated over these. `entry` is the entry's
/// [`Entry::digest`], `ticket` the last record that must be durable before anybody may be told.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Observation {
    /// A replica has another status, or view: this is what it has now.
    Status { status: Status, view: View, last_normal: View },
    /// A replica appended an entry of its view to its log.
    Appended { view: View, op: Slot, entry: u64, ticket: u64 },
    /// A replica is in status normal in `view`, and its log has, after `after`, these entries and no others, each with
    /// the view in which it was assigned; before `after` it has what it had, or what its checkpoint stands for.
    Adopted { view: View, after: Slot, entries: Vec<(View, u64)>, commit: Slot, ticket: u64 },
    /// A primary begins its view: these have left lower ones.
    ViewStarted { view: View, voters: NodeSet },
    /// A primary knows that all up to `op` is prepared at `voters`, a quorum.
    Committed { view: View, op: Slot, voters: NodeSet },
    /// A replica learned the commit-number.
    Learned { view: View, commit: Slot },
    /// A replica executed a committed entry. `chain` stands for all that it has executed; `request` is who and which,
    /// and `is_first` says whether that took effect now.
    Executed { op: Slot, chain: Chain, request: (ClientId, RequestNumber), is_first: bool },
    /// A replica put its own state in place of the log up to `index`.
    CheckpointTaken { index: Slot, chain: Chain, ticket: u64 },
    /// A replica took over another's state.
    CheckpointInstalled { index: Slot, chain: Chain, ticket: u64 },
    /// A witness dropped the log up to `op`, which everybody who executes has.
    Released { op: Slot },
    /// A replica will vote for no other node's view for `micros` of its own clock.
    LeaseGranted { view: View, round: u64, micros: u64 },
    /// A primary holds a lease for `micros` more of its own clock, granted by `voters`.
    LeaseTaken { view: View, round: u64, micros: u64, voters: NodeSet },
    /// A primary answers a read without the log, from its state after all up to `applied`.
    ReadServed { view: View, applied: Slot },
    /// A replica's epoch is over: `op` was the last of it, and `new` are the replicas of the next, which begins with
    /// `view`.
    EpochEnded { view: View, op: Slot, new: Members },
    /// A client takes a request for done, since `replicas` say that they have prepared it as `op` of `view`.
    Accepted { view: View, op: Slot, number: RequestNumber, replicas: NodeSet },
}

// A message is copied several times on its way: it should be small enough to be copied without a call.
const _: () = assert!(size_of::<Message>() <= 128);

//! What travels, what is made durable, and what is told of it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::ballot::Ballot;
use super::describe;
use super::entry::Entry;
use crate::contract::{ClientId, Command, Describe, NodeId, Outcome};
use crate::parties::NodeSet;
use crate::smr::{Chain, RequestNumber, Slot, Snapshot};

/// What an acceptor reports of one slot in its promise.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Report {
    /// The slot.
    pub slot: Slot,
    /// In which ballot it accepted the entry; [`Ballot::ZERO`] where it only learned it.
    pub ballot: Ballot,
    /// The entry.
    pub entry: Entry,
    /// Whether it knows that this entry is decided.
    pub is_decided: bool,
}

/// What an acceptor reports with its promise: all that it holds from the slot on that it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Promise {
    /// Slots up to here are decided and no longer in its log: only its snapshot tells of them.
    pub snapshot: Slot,
    /// Every other slot that it has accepted or learned something in.
    pub reports: Vec<Report>,
}

/// Whatever travels between nodes, and between nodes and clients.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Message {
    /// A client asks for `command`.
    Request { number: RequestNumber, command: Command },
    /// It was executed, once, and ended so.
    Reply { number: RequestNumber, outcome: Outcome },
    /// The sender does not lead; as far as it knows, `leader` does.
    Redirect { number: RequestNumber, leader: Option<NodeId> },
    /// `client` asked the sender again and again: it seems not to reach the receiver, which leads.
    Relay { client: ClientId, number: RequestNumber, command: Command },
    /// Phase 1: promise `ballot` in all slots, and report those from `from` on.
    P1a { ballot: Ballot, from: Slot },
    /// The sender will accept nothing below `ballot`, and reports, durably.
    P1b { ballot: Ballot, promise: Box<Promise> },
    /// `ballot` is too low: the sender has promised `promised`.
    Nack { ballot: Ballot, promised: Ballot },
    /// Phase 2: accept `entry` in `slot`. All slots up to `commit` are decided.
    P2a { ballot: Ballot, slot: Slot, entry: Entry, commit: Slot },
    /// The answer to the P2A of this ballot and slot: accepted, durably, if `ok`; refused if not, since the
    /// sender has promised `promised`.
    P2b { ballot: Ballot, slot: Slot, ok: bool, promised: Ballot },
    /// The sender leads in `ballot`; all slots up to `commit` are decided.
    Heartbeat { ballot: Ballot, round: u64, commit: Slot },
    /// The sender had promised nothing above `ballot` when this round of heartbeats reached it. With leases
    /// it grants one.
    HeartbeatOk { ballot: Ballot, round: u64 },
    /// Which entries are decided from `from` on?
    Fetch { from: Slot },
    /// These, one slot after the other.
    FetchOk { from: Slot, entries: Vec<Entry> },
    /// The state after all slots up to its index, in place of entries that are gone.
    Snapshot { snapshot: Box<Snapshot> },
}

impl Describe for Message {
    fn kind(&self) -> &'static str {
        match self {
            Self::Request { .. } => "REQUEST",
            Self::Reply { .. } => "REPLY",
            Self::Redirect { .. } => "REDIRECT",
            Self::Relay { .. } => "RELAY",
            Self::P1a { .. } => "P1A",
            Self::P1b { .. } => "P1B",
            Self::Nack { .. } => "NACK",
            Self::P2a { .. } => "P2A",
            Self::P2b { .. } => "P2B",
            Self::Heartbeat { .. } => "HEARTBEAT",
            Self::HeartbeatOk { .. } => "HEARTBEAT_OK",
            Self::Fetch { .. } => "FETCH",
            Self::FetchOk { .. } => "FETCH_OK",
            Self::Snapshot { .. } => "SNAPSHOT",
        }
    }

    fn field(&self, name: &str) -> Option<u64> {
        describe::message_field(self, name)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind())?;
        match self {
            Self::Request { number, command } => write!(f, "{number} {command}"),
            Self::Reply { number, outcome } => write!(f, "{number} {outcome}"),
            Self::Redirect { number, leader: Some(leader) } => write!(f, "{number} to {leader}"),
            Self::Redirect { number, leader: None } => write!(f, "{number} to nobody"),
            Self::Relay { client, number, command } => write!(f, "{client}.{number} {command}"),
            Self::P1a { ballot, from } => write!(f, "{ballot} from {from}"),
            Self::P1b { ballot, promise } => {
                write!(f, "{ballot}")?;
                if promise.snapshot > Slot::ZERO {
                    write!(f, " snapshot {}", promise.snapshot)?;
                }
                for Report { slot, ballot, entry, is_decided } in &promise.reports {
                    match is_decided {
                        true => write!(f, ", {slot} decided {entry}")?,
                        false => write!(f, ", {slot} accepted {ballot} {entry}")?,
                    }
                }
                Ok(())
            }
            Self::Nack { ballot, promised } => write!(f, "{ballot} promised {promised}"),
            Self::P2a { ballot, slot, entry, commit } => {
                write!(f, "{ballot} {slot} {entry} commit {commit}")
            }
            Self::P2b { ballot, slot, ok: true, promised: _ } => write!(f, "{ballot} {slot} ok"),
            Self::P2b { ballot, slot, ok: false, promised } => {
                write!(f, "{ballot} {slot} refused, promised {promised}")
            }
            Self::Heartbeat { ballot, round, commit } => {
                write!(f, "{ballot} round {round} commit {commit}")
            }
            Self::HeartbeatOk { ballot, round } => write!(f, "{ballot} round {round}"),
            Self::Fetch { from } => write!(f, "from {from}"),
            Self::FetchOk { from, entries } => {
                write!(f, "from {from} {} entries", entries.len())
            }
            Self::Snapshot { snapshot } => write!(f, "{} {}", snapshot.index, snapshot.chain),
        }
    }
}

/// What a replica makes durable. Replaying them in order gives its durable state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Record {
    /// This acceptor accepts nothing below `ballot`, in any slot.
    Promised { ballot: Ballot },
    /// It accepted `entry` in `slot`, which is a promise of `ballot` too.
    Accepted { slot: Slot, ballot: Ballot, entry: Entry },
    /// `slot` is decided, as another node told.
    Decided { slot: Slot, entry: Entry },
    /// All slots up to the snapshot's are decided, and this is what came of them.
    Snapshot { snapshot: Box<Snapshot> },
}

/// What a core tells of its transitions; the invariants are stated over these. `entry` is the entry's
/// [`Entry::digest`], `ticket` the last record that must be durable before anybody may be told.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Observation {
    /// A candidate begins phase 1 with `ballot`, for the slots from `from` on.
    BallotUsed { ballot: Ballot, from: Slot },
    /// An acceptor promised.
    Promised { ballot: Ballot, ticket: u64 },
    /// A candidate leads: `voters` promised. It has executed all slots up to `commit`, and found entries up
    /// to `adopted`.
    Elected { ballot: Ballot, voters: NodeSet, commit: Slot, adopted: Slot },
    /// A leader proposes: the entry that was found accepted in the ballot `adopted`, or its own.
    Proposed { ballot: Ballot, slot: Slot, entry: u64, adopted: Option<Ballot> },
    /// An acceptor accepted.
    Accepted { ballot: Ballot, slot: Slot, entry: u64, ticket: u64 },
    /// A leader knows that `voters`, a majority, accepted in its ballot.
    Decided { ballot: Ballot, slot: Slot, entry: u64, voters: NodeSet },
    /// A replica learned what is decided: from the commit index of `ballot`, or by asking where that is none.
    Learned { slot: Slot, entry: u64, ballot: Option<Ballot> },
    /// A replica executed a slot. `chain` stands for all that it has executed; `request` is who and which,
    /// where the slot holds a request, and `is_first` says whether that took effect now.
    Executed {
        slot: Slot,
        chain: Chain,
        request: Option<(ClientId, RequestNumber)>,
        is_first: bool,
    },
    /// A replica put its own state in place of the log up to `index`.
    SnapshotTaken { index: Slot, chain: Chain, ticket: u64 },
    /// A replica took over another's state.
    SnapshotInstalled { index: Slot, chain: Chain, ticket: u64 },
    /// An acceptor will not promise another node's ballot for `micros` of its own clock.
    LeaseGranted { ballot: Ballot, round: u64, micros: u64 },
    /// A leader holds a lease for `micros` more of its own clock, granted by `voters`.
    LeaseTaken { ballot: Ballot, round: u64, micros: u64, voters: NodeSet },
    /// A leader answers a read without the log, from its state after the slots up to `applied`; by its
    /// lease, or by a round that confirmed it.
    ReadServed { ballot: Ballot, applied: Slot, by_lease: bool },
    /// A leader or candidate has given up `ballot`.
    SteppedDown { ballot: Ballot },
}

// A message is copied several times on its way: it should be small enough to be copied without a call.
const _: () = assert!(size_of::<Message>() <= 128);

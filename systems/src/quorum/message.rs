//! What travels, and what is made durable.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::access::Access;
use super::configuration::Configuration;
use super::describe;
use super::stamp::{Pair, Timestamp};
use crate::contract::{Describe, Key, NodeId, Outcome, Value};
use crate::parties::{NodeSet, Party};

/// Which part of an operation a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Asking what is stored.
    Query,
    /// Storing a pair.
    Update,
    /// Telling the members of a lock write its final timestamp.
    Commit,
    /// Changing the configuration.
    Change,
}

/// Ties an answer to its question: unique per question of a cluster's whole life, repeats aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OpId {
    /// Who asks.
    pub party: Party,
    /// Which life of it.
    pub incarnation: u64,
    /// Which of its operations in that life.
    pub seq: u64,
    /// Which part of it.
    pub phase: Phase,
    /// Counts the fresh starts of the operation's phases, from 0: a phase keeps the number of the one
    /// before, and a repeated message its own.
    pub attempt: u32,
}

impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            Phase::Query => 'q',
            Phase::Update => 'u',
            Phase::Commit => 'c',
            Phase::Change => 'r',
        };
        write!(f, "{}.{}.{}{phase}{}", self.party, self.incarnation, self.seq, self.attempt)
    }
}

/// A lock write: who runs it, and which of its operations it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WriteId {
    /// The node that runs it.
    pub initiator: NodeId,
    /// Which life of that node.
    pub incarnation: u64,
    /// Which of its operations in that life.
    pub number: u64,
}

impl WriteId {
    /// The lock write whose outcome has the timestamp `ts`; none for what no node initiated.
    pub fn of(ts: Timestamp) -> Option<Self> {
        match ts.writer {
            Party::Node(initiator) => {
                Some(Self { initiator, incarnation: ts.incarnation, number: ts.op })
            }
            Party::Client(_) => None,
        }
    }

    /// The final timestamp of this write when `t` is the highest proposed clock. Unlike the slides, ties
    /// between clocks go to the write and not to the member that proposed: as unique, and it names the
    /// write.
    pub fn timestamp(self, t: u64) -> Timestamp {
        Timestamp {
            t,
            writer: Party::Node(self.initiator),
            incarnation: self.incarnation,
            op: self.number,
        }
    }
}

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.initiator, self.incarnation, self.number)
    }
}

/// Ties a node's answer to a client's request: the client's life, its operation, and the life of the
/// node that the request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId {
    /// Which life of the client.
    pub incarnation: u64,
    /// Which of its operations in that life.
    pub seq: u64,
    /// The node's incarnation, if the client knows it. A node remembers requests in memory only, so it
    /// must not take one that an earlier life of it may have carried out.
    pub bound: Option<u64>,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bound {
            Some(bound) => write!(f, "{}.{}/{bound}", self.incarnation, self.seq),
            None => write!(f, "{}.{}/?", self.incarnation, self.seq),
        }
    }
}

/// Whatever travels between nodes, and between nodes and clients.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Message {
    /// A client asks a node to run an operation for it.
    Request { id: RequestId, command: Access },
    /// It was run, and ended so.
    Answer { id: RequestId, outcome: Outcome },
    /// It was not run: it is not bound to this life of the node.
    WrongIncarnation { id: RequestId, incarnation: u64 },
    /// What is stored under `key`? Asked of servers in this configuration.
    Query { op: OpId, key: Key, configuration: u32 },
    /// This is, durably.
    QueryOk { op: OpId, key: Key, pair: Pair },
    /// Store `pair` if it is newer than what is stored. Asked of servers in this configuration.
    Update { op: OpId, key: Key, pair: Pair, configuration: u32 },
    /// That pair or a newer one is stored, durably.
    UpdateOk { op: OpId, key: Key },
    /// Vote on a lock write. Every write of this initiator before `below` is finished for good: it was
    /// acknowledged by all whom it was proposed to, or it will never be committed.
    Propose { write: WriteId, key: Key, value: Value, below: WriteId },
    /// The sender votes for it; its timestamp must be at least `t`.
    Ok { write: WriteId, t: u64 },
    /// The sender has never voted for it and never will.
    No { write: WriteId },
    /// The lock write that `pair.ts` names is decided.
    Commit { op: OpId, key: Key, pair: Pair, below: Option<Box<WriteId>> },
    /// The sender has stored `write` or something newer, durably.
    CommitOk { op: OpId, write: WriteId },
    /// The lock write will never be committed.
    Abort { write: WriteId },
    /// How did this lock write end? The sender has voted for it and heard no more.
    Terminate { write: WriteId },
    /// Not done: the sender is, durably, in this configuration, and the question was for another.
    WrongConfig { op: OpId, configuration: Box<Configuration> },
    /// Go over to this configuration, unless you are in a newer one.
    Configure { op: OpId, configuration: Box<Configuration> },
    /// The sender is in the configuration that it was told, durably.
    ConfigureOk { op: OpId },
    /// Which pairs are stored from key `from` on? Asked of servers in this configuration.
    Fetch { op: OpId, configuration: u32, from: Key },
    /// These are, durably; under keys from `next` on there may be more.
    FetchOk { op: OpId, pairs: Vec<(Key, Pair)>, next: Option<Key> },
    /// Store each of these pairs that is newer than what is stored. Asked of servers in this configuration.
    Install { op: OpId, configuration: u32, pairs: Vec<(Key, Pair)> },
    /// Those pairs or newer ones are stored, durably.
    InstallOk { op: OpId },
}

impl Describe for Message {
    fn kind(&self) -> &'static str {
        match self {
            Self::Request { .. } => "REQUEST",
            Self::Answer { .. } => "ANSWER",
            Self::WrongIncarnation { .. } => "WRONG_INCARNATION",
            Self::Query { .. } => "QUERY",
            Self::QueryOk { .. } => "QUERY_OK",
            Self::Update { .. } => "UPDATE",
            Self::UpdateOk { .. } => "UPDATE_OK",
            Self::Propose { .. } => "PROPOSE",
            Self::Ok { .. } => "OK",
            Self::No { .. } => "NO",
            Self::Commit { .. } => "COMMIT",
            Self::CommitOk { .. } => "COMMIT_OK",
            Self::Abort { .. } => "ABORT",
            Self::Terminate { .. } => "TERMINATE",
            Self::WrongConfig { .. } => "WRONG_CONFIG",
            Self::Configure { .. } => "CONFIGURE",
            Self::ConfigureOk { .. } => "CONFIGURE_OK",
            Self::Fetch { .. } => "FETCH",
            Self::FetchOk { .. } => "FETCH_OK",
            Self::Install { .. } => "INSTALL",
            Self::InstallOk { .. } => "INSTALL_OK",
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
            Self::Request { id, command } => write!(f, "{id} {command}"),
            Self::Answer { id, outcome } => write!(f, "{id} {outcome}"),
            Self::WrongIncarnation { id, incarnation } => write!(f, "{id} not {incarnation}"),
            Self::Query { op, key, configuration } => {
                write!(f, "{op} k{} config {configuration}", key.0)
            }
            Self::UpdateOk { op, key } => write!(f, "{op} k{}", key.0),
            Self::Update { op, key, pair, configuration } => {
                write!(f, "{op} k{} = {pair} config {configuration}", key.0)
            }
            Self::QueryOk { op, key, pair } | Self::Commit { op, key, pair, below: _ } => {
                write!(f, "{op} k{} = {pair}", key.0)
            }
            Self::Propose { write, key, value, below: _ } => {
                write!(f, "{write} k{} := {}", key.0, value.0)
            }
            Self::Ok { write, t } => write!(f, "{write} t={t}"),
            Self::CommitOk { op, write } => write!(f, "{op} {write}"),
            Self::No { write } | Self::Abort { write } | Self::Terminate { write } => {
                write!(f, "{write}")
            }
            Self::WrongConfig { op, configuration } | Self::Configure { op, configuration } => {
                write!(f, "{op} {configuration}")
            }
            Self::ConfigureOk { op } | Self::InstallOk { op } => write!(f, "{op}"),
            Self::Fetch { op, configuration, from } => {
                write!(f, "{op} from k{} config {configuration}", from.0)
            }
            Self::FetchOk { op, pairs, next: Some(next) } => {
                write!(f, "{op} {} pairs below k{}", pairs.len(), next.0)
            }
            Self::FetchOk { op, pairs, next: None } => write!(f, "{op} {} pairs", pairs.len()),
            Self::Install { op, configuration, pairs } => {
                write!(f, "{op} {} pairs config {configuration}", pairs.len())
            }
        }
    }
}

/// What a replica makes durable. Replaying them in order gives its durable state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Record {
    /// `pair` is stored under `key`.
    Stored { key: Key, pair: Pair },
    /// Lock: this member voted for `write` with clock `t`.
    Pending { write: WriteId, key: Key, value: Value, t: u64 },
    /// Lock: the write is committed; its pair is stored unless a newer one is.
    Committed { key: Key, pair: Pair },
    /// Lock: the write will never be committed.
    Aborted { write: WriteId },
    /// Lock: this member will never vote for the write.
    Refused { write: WriteId },
    /// Lock: all writes of this initiator before `below` are finished for good.
    Finished { below: WriteId },
    /// Lock: no vote of this member has had a higher clock.
    Clock { t: u64 },
    /// Lock, at the initiator: the decision to commit, and whom the write was proposed to.
    Decided { key: Key, pair: Pair, asked: NodeSet },
    /// Lock, at the initiator: everybody that was asked has acknowledged the commit.
    Forgotten { write: WriteId },
    /// The server is in this configuration from here on.
    Configured { configuration: Box<Configuration> },
}

/// What a core tells of its transitions; the invariants are stated over these.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Observation {
    /// A server stored a pair; it is durable with `ticket`.
    Stored { key: Key, ts: Timestamp, value: Option<Value>, ticket: u64 },
    /// A server acknowledges that it stores `ts` or newer; the acknowledgement waits for `ticket`.
    Acknowledged { op: OpId, key: Key, ts: Timestamp, ticket: u64 },
    /// A coordinator chose this pair to return or to write, from what `vouchers` reported.
    Chosen { op: OpId, key: Key, ts: Timestamp, value: Option<Value>, vouchers: NodeSet },
    /// A coordinator's operation is complete: each of `holders` said, in this configuration, that it stores
    /// `ts` or newer.
    Completed {
        op: OpId,
        key: Key,
        ts: Timestamp,
        value: Option<Value>,
        holders: NodeSet,
        configuration: u32,
    },
    /// Lock: a member voted for a write.
    Voted { write: WriteId, key: Key, t: u64 },
    /// Lock: a member will never vote for a write.
    Refused { write: WriteId },
    /// Lock: the initiator decided to commit, with the votes of `voters`.
    Decided { write: WriteId, ts: Timestamp, voters: NodeSet },
    /// Lock: a member took over the commit.
    Committed { write: WriteId, ts: Timestamp },
    /// Lock: a member or the initiator knows that the write will never be committed.
    Aborted { write: WriteId },
    /// A server is in this configuration from here on; what it says so waits for `ticket`.
    Configured { configuration: Box<Configuration>, ticket: u64 },
    /// An administrator was told by each of `servers` that it is in this configuration, durably: they meet
    /// every quorum of the one before.
    Adopted { configuration: u32, servers: NodeSet },
}

// A message is copied several times on its way: it should be small enough to be copied without a call.
const _: () = assert!(size_of::<Message>() <= 128);

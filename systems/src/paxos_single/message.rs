//! What travels, and what is made durable.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::ballot::Ballot;
use super::describe;
use crate::contract::{Command, Describe, Key, Outcome, Value};
use crate::parties::NodeSet;

/// Ties a node's answer to a client's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId {
    /// Which life of the client.
    pub incarnation: u64,
    /// Which of its operations in that life.
    pub seq: u64,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.incarnation, self.seq)
    }
}

/// What an acceptor has accepted last: `(na, va)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Accepted {
    /// The number of the proposal, `na`.
    pub n: Ballot,
    /// Its value, `va`.
    pub value: Value,
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} @{}", self.value.0, self.n)
    }
}

/// Whatever travels between nodes, and between nodes and clients. Each key is an instance of its own.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Message {
    /// A client asks a node to propose for it, or to read what is decided.
    Request { id: RequestId, command: Command },
    /// It was done, and ended so.
    Answer { id: RequestId, outcome: Outcome },
    /// Promise to accept nothing below `n`, and tell what you have accepted.
    Prepare { key: Key, n: Ballot },
    /// Promised, durably; this was accepted before, durably.
    PrepareOk { key: Key, n: Ballot, accepted: Option<Accepted> },
    /// Accept `value` at `n`.
    Accept { key: Key, n: Ballot, value: Value },
    /// Accepted, durably.
    AcceptOk { key: Key, n: Ballot, value: Value },
    /// Not done at `n`: the sender has promised, or accepted, `np`.
    Nack { key: Key, n: Ballot, np: Ballot },
    /// What is decided?
    Learn { key: Key },
    /// This is: a majority has accepted it at `n`.
    Decided { key: Key, n: Ballot, value: Value },
}

impl Describe for Message {
    fn kind(&self) -> &'static str {
        match self {
            Self::Request { .. } => "REQUEST",
            Self::Answer { .. } => "ANSWER",
            Self::Prepare { .. } => "PREPARE",
            Self::PrepareOk { .. } => "PREPARE_OK",
            Self::Accept { .. } => "ACCEPT",
            Self::AcceptOk { .. } => "ACCEPT_OK",
            Self::Nack { .. } => "NACK",
            Self::Learn { .. } => "LEARN",
            Self::Decided { .. } => "DECIDED",
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
            Self::Prepare { key, n } => write!(f, "k{} {n}", key.0),
            Self::PrepareOk { key, n, accepted: Some(accepted) } => {
                write!(f, "k{} {n} has {accepted}", key.0)
            }
            Self::PrepareOk { key, n, accepted: None } => write!(f, "k{} {n} has nothing", key.0),
            Self::Accept { key, n, value }
            | Self::AcceptOk { key, n, value }
            | Self::Decided { key, n, value } => write!(f, "k{} = {} @{n}", key.0, value.0),
            Self::Nack { key, n, np } => write!(f, "k{} {n} promised {np}", key.0),
            Self::Learn { key } => write!(f, "k{}", key.0),
        }
    }
}

/// What an acceptor makes durable. Replaying them in order gives its durable state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Record {
    /// Nothing below `n` will be accepted.
    Promised { key: Key, n: Ballot },
    /// `value` is accepted at `n`.
    Accepted { key: Key, n: Ballot, value: Value },
}

/// What a core tells of its transitions; the invariants are stated over these.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Observation {
    /// A client was asked to propose a value.
    Submitted { key: Key, value: Value },
    /// An acceptor promised `n`, and had accepted this before; the promise is durable with `ticket`.
    Promised { key: Key, n: Ballot, accepted: Option<Accepted>, ticket: u64 },
    /// An acceptor accepted a value, and now has promised `np`; that is durable with `ticket`.
    Accepted { key: Key, n: Ballot, value: Value, np: Ballot, ticket: u64 },
    /// A proposer begins phase 2 with this value, on the promises of these acceptors.
    Proposed { key: Key, n: Ballot, value: Value, promisers: NodeSet },
    /// Somebody knows that the value is decided: these acceptors have accepted it at `n`.
    Decided { key: Key, n: Ballot, value: Value, acceptors: NodeSet },
}

// A message is copied several times on its way: it should be small enough to be copied without a call.
const _: () = assert!(size_of::<Message>() <= 128);

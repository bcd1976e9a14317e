//! The entries of a log, and how they are written.

use std::fmt;

use quorate_systems::contract::{
    ClientInput, ClientStart, Incarnation, Input, Keyring, Lie, LocalTime, NodeId, Recovered,
    Start, System,
};
use quorate_systems::wal::{self, EncodeError};
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use crate::invariants::Who;

/// What the first record of every log says before all else: what it is, and in which format.
const FORMAT: &str = "quorate inputs 2";

/// Which run a log is of, and whose in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Title {
    /// The run.
    pub run: RunId,
    /// Whose cores take in what stands in the log.
    pub of: Owner,
}

/// What tells a run from others, as the header of its history has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunId {
    /// When it began, in UTC (`2026-11-23T21:47:02Z`).
    pub started: String,
    /// The BLAKE3 hash of its plan, in hexadecimal.
    pub plan: String,
}

/// Who takes in what stands in one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// One node, in all its lives.
    Node(NodeId),
    /// All clients, the administrator among them.
    Clients,
}

impl Owner {
    /// Whether entries about this core belong into the log.
    pub fn is_of(self, who: Who) -> bool {
        match (self, who) {
            (Self::Node(own), Who::Node(node)) => own == node,
            (Self::Clients, Who::Client(_)) => true,
            (Self::Node(_), Who::Client(_)) | (Self::Clients, Who::Node(_)) => false,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => Who::Node(*node).fmt(f),
            Self::Clients => f.write_str("the clients"),
        }
    }
}

/// The first record of a log.
#[derive(Serialize, Deserialize)]
struct Heading {
    format: String,
    title: Title,
}

/// Every other record: the entries of a log are numbered from 1, so that none can be missing unnoticed.
#[derive(Serialize, Deserialize)]
pub(super) struct Numbered<E> {
    pub(super) number: u64,
    pub(super) entry: E,
}

/// One entry. What belongs to a system stands in it as encoded bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A core comes up. What was on its disk follows.
    Start {
        /// Whose.
        who: Who,
        /// When: nanoseconds on a clock that all logs of a run share.
        t: u64,
        /// Which life of it.
        incarnation: Incarnation,
        /// The randomness that it is given.
        entropy: u64,
        /// The local clock.
        now: LocalTime,
        /// What it can sign with, and verify.
        keys: Keyring,
        /// How many entries follow, [`Entry::Found`] or [`Entry::Corrupt`], before it has all that it starts
        /// from.
        records: u64,
    },
    /// A record on its disk.
    Found {
        /// Whose.
        who: Who,
        /// Its bytes.
        record: Vec<u8>,
    },
    /// A record on its disk that cannot be read back.
    Corrupt {
        /// Whose.
        who: Who,
        /// Where, for people.
        place: String,
    },
    /// A core is about to take an input.
    Input {
        /// Whose.
        who: Who,
        /// When, as in [`Entry::Start`].
        t: u64,
        /// The local clock.
        now: LocalTime,
        /// The bytes of the input.
        input: Vec<u8>,
    },
    /// What the core's last step, or its start, came to.
    Did {
        /// Whose.
        who: Who,
        /// Of its effects, or of its refusal to start.
        effects: Digest,
    },
    /// The node, or the client, is told to lie from here on, or no more; its core stays honest.
    Lies {
        /// Whose.
        who: Who,
        /// When, as in [`Entry::Start`].
        t: u64,
        /// How.
        lie: Option<Lie>,
    },
}

impl Entry {
    /// Whose core it is about.
    pub const fn who(&self) -> Who {
        match self {
            Self::Start { who, .. }
            | Self::Found { who, .. }
            | Self::Corrupt { who, .. }
            | Self::Input { who, .. }
            | Self::Did { who, .. }
            | Self::Lies { who, .. } => *who,
        }
    }

    /// When it was written, where it says so.
    pub const fn time(&self) -> Option<u64> {
        match self {
            Self::Start { t, .. } | Self::Input { t, .. } | Self::Lies { t, .. } => Some(*t),
            Self::Found { .. } | Self::Corrupt { .. } | Self::Did { .. } => None,
        }
    }
}

/// Adds to a new log what every log begins with.
pub fn begin(log: &mut Vec<u8>, title: &Title) -> Result<(), EncodeError> {
    wal::append(log, &Heading { format: FORMAT.to_owned(), title: title.clone() })
}

/// Adds an entry to a log, in which it has this number: the first has 1.
pub fn append(log: &mut Vec<u8>, number: u64, entry: &Entry) -> Result<(), EncodeError> {
    wal::append(log, &Numbered { number, entry })
}

/// What the first record of a log says, if this is one, and of this format.
pub(super) fn title(payload: &[u8]) -> Option<Title> {
    let Heading { format, title } = wal::decode(payload)?;
    (format == FORMAT).then_some(title)
}

/// A replica is about to start at `t`.
pub fn start<S: System>(t: u64, start: &Start<S>) -> Vec<Entry> {
    let who = Who::Node(start.me);
    let first = Entry::Start {
        who,
        t,
        incarnation: start.incarnation,
        entropy: start.entropy,
        now: start.now,
        keys: start.keys.clone(),
        records: start.records.len() as u64,
    };
    let records = start.records.iter().map(|record| match record {
        Recovered::Intact(record) => Entry::Found { who, record: bytes(record) },
        Recovered::Corrupt { place } => Entry::Corrupt { who, place: place.clone() },
    });
    std::iter::once(first).chain(records).collect()
}

/// A client is about to start at `t`.
pub fn client_start<S: System>(t: u64, start: &ClientStart<S>) -> Entry {
    Entry::Start {
        who: Who::Client(start.me),
        t,
        incarnation: start.incarnation,
        entropy: start.entropy,
        now: LocalTime(0),
        keys: start.keys.clone(),
        records: 0,
    }
}

/// A replica is about to take an input at `t`.
pub fn input<M: Serialize>(who: Who, t: u64, now: LocalTime, input: &Input<M>) -> Entry {
    Entry::Input { who, t, now, input: bytes(input) }
}

/// A client is about to take an input at `t`.
pub fn client_input<M: Serialize>(
    who: Who,
    t: u64,
    now: LocalTime,
    input: &ClientInput<M>,
) -> Entry {
    Entry::Input { who, t, now, input: bytes(input) }
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("inputs and records can be written")
}

//! The entries of a log, and how they are written.

use quorate_systems::contract::{
    ClientInput, ClientStart, Incarnation, Input, Keyring, Lie, LocalTime, Recovered, Start, System,
};
use quorate_systems::wal::{self, EncodeError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use crate::invariants::Who;

/// What the first record of every log says: what it is, and in which format.
pub(super) const FORMAT: &str = "quorate inputs 1";

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
    /// The node is told to lie from here on, or no more; its core stays honest.
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
pub fn begin(log: &mut Vec<u8>) -> Result<(), EncodeError> {
    wal::append(log, &FORMAT)
}

/// Adds an entry to a log.
pub fn append(log: &mut Vec<u8>, entry: &Entry) -> Result<(), EncodeError> {
    wal::append(log, entry)
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

/// What [`bytes`] wrote, all of it.
pub(super) fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    wal::decode(bytes)
}

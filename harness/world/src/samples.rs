//! Things to test with.

use std::fmt;

use quorate_plan::Endpoint;
use quorate_systems::contract::{ClientId, Describe, Key, Value};
use quorate_systems::quorum::{Message, OpId, Pair, Party, Phase, Record, Timestamp};

/// A message that differs from all others with another number.
pub(crate) fn message(number: u64) -> Message {
    Message::Query { op: question(number), key: Key(0), configuration: 0 }
}

/// An answer that differs from all others with another number.
pub(crate) fn answer(number: u64) -> Message {
    let pair =
        Pair { ts: Timestamp { t: 1, ..Timestamp::ZERO }, value: Some(Value(7)), proof: None };
    Message::QueryOk { op: question(number), key: Key(0), pair }
}

fn question(number: u64) -> OpId {
    let party = Party::Client(ClientId(0));
    OpId { party, incarnation: 1, seq: number, phase: Phase::Query, attempt: 0 }
}

/// Some record.
pub(crate) fn record() -> Record {
    Record::Clock { t: 1 }
}

pub(crate) const N0: Endpoint = Endpoint::Node(0);
pub(crate) const N1: Endpoint = Endpoint::Node(1);
pub(crate) const C0: Endpoint = Endpoint::Client(0);
pub(crate) const C1: Endpoint = Endpoint::Client(1);

/// A message or an observation with one field, `key`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) kind: &'static str,
    pub(crate) key: Option<u64>,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Describe for Said {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn field(&self, name: &str) -> Option<u64> {
        self.key.filter(|_| name == "key")
    }
}

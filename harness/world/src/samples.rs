//! Things to test with.

use quorate_systems::contract::{ClientId, Key, Value};
use quorate_systems::quorum::{Message, OpId, Pair, Party, Phase, Record, Timestamp};

/// A message that differs from all others with another number.
pub(crate) fn message(number: u64) -> Message {
    Message::Query { op: question(number), key: Key(0) }
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

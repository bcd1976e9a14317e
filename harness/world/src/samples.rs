//! Things to test with.

use quorate_systems::contract::{ClientId, Key};
use quorate_systems::quorum::{Message, OpId, Party, Phase, Record};

/// A message that differs from all others with another number.
pub(crate) fn message(number: u64) -> Message {
    let party = Party::Client(ClientId(0));
    let op = OpId { party, incarnation: 1, seq: number, phase: Phase::Query, attempt: 0 };
    Message::Query { op, key: Key(0), configuration: 0 }
}

/// Some record.
pub(crate) fn record() -> Record {
    Record::Clock { t: 1 }
}

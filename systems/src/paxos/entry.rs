//! What is decided slot by slot: requests of clients, and nothing in particular.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::smr::{Request, digest};

/// What a slot can hold: PROTOCOLS A2.2 calls it the slot's command.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Entry {
    /// Nothing: it fills a hole that an earlier leader left, so that the slots after it can be executed.
    Noop,
    /// A client's request.
    Request(Request),
}

impl Entry {
    /// The request in it.
    pub fn request(&self) -> Option<&Request> {
        match self {
            Self::Noop => None,
            Self::Request(request) => Some(request),
        }
    }

    /// A hash of all of it: equal entries have equal ones, on every machine.
    pub fn digest(&self) -> u64 {
        digest(self)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noop => f.write_str("NOOP"),
            Self::Request(Request { client, number, command }) => {
                write!(f, "{client}.{number} {command}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{ClientId, Command, Incarnation, Key, Value};
    use crate::smr::RequestNumber;

    fn write(client: u32, seq: u64, value: u64) -> Entry {
        Entry::Request(Request {
            client: ClientId(client),
            number: RequestNumber { incarnation: Incarnation(1), seq },
            command: Command::Write { key: Key(1), value: Value(value) },
        })
    }

    #[test]
    fn a_digest_changes_with_every_part_of_an_entry_and_with_nothing_else() {
        let entries = [
            Entry::Noop,
            write(0, 1, 1),
            write(1, 1, 1),
            write(0, 2, 1),
            write(0, 1, 2),
            write(0, 0, 0),
        ];
        for (place, one) in entries.iter().enumerate() {
            for (other_place, other) in entries.iter().enumerate() {
                assert_eq!(one.digest() == other.digest(), place == other_place, "{one} {other}");
            }
        }
    }
}

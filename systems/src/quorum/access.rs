//! What a register can be asked.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::{Command, Key, Value};

/// An operation on a register: the commands that registers know. As bytes it is the [`Command`] that it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the command")]
pub enum Access {
    /// The present value of `key`.
    Read { key: Key },
    /// Make `value` the value of `key`.
    Write { key: Key, value: Value },
}

impl Access {
    /// The functions that there are.
    pub const FUNCTIONS: &'static [&'static str] = &["read", "write"];

    /// The operation that a command asks for; none for what no register can do.
    pub const fn of(command: &Command) -> Option<Self> {
        match command {
            Command::Read { key } => Some(Self::Read { key: *key }),
            Command::Write { key, value } => Some(Self::Write { key: *key, value: *value }),
            Command::Cas { .. }
            | Command::Append { .. }
            | Command::Delete { .. }
            | Command::Add { .. }
            | Command::Propose { .. }
            | Command::Transaction(_) => None,
        }
    }

    /// Which register it is on.
    pub const fn key(&self) -> Key {
        match self {
            Self::Read { key } | Self::Write { key, .. } => *key,
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { key } => write!(f, "read k{}", key.0),
            Self::Write { key, value } => write!(f, "write k{} := {}", key.0, value.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_travels_as_the_command_that_it_is() {
        let (key, value) = (Key(7), Value(300));
        for command in [Command::Read { key }, Command::Write { key, value }] {
            let access = Access::of(&command).unwrap();
            assert!(Access::FUNCTIONS.contains(&command.function()));
            assert_eq!(
                postcard::to_allocvec(&access).unwrap(),
                postcard::to_allocvec(&command).unwrap()
            );
            assert_eq!(access.key(), key);
            assert_eq!(alloc::format!("{access}"), alloc::format!("{command}"));
        }
    }

    #[test]
    fn a_register_does_nothing_else() {
        let (key, value) = (Key(7), Value(3));
        let others = [
            Command::Cas { key, expected: value, value },
            Command::Append { key, value },
            Command::Delete { key },
            Command::Add { key, value },
            Command::Propose { key, value },
            Command::Transaction(alloc::vec![Command::Read { key }]),
        ];
        for command in others {
            assert_eq!(Access::of(&command), None);
            assert!(!Access::FUNCTIONS.contains(&command.function()));
        }
    }
}

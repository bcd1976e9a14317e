//! What clients ask for, and how that ends.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::{Key, Value};

/// What a client asks for. A system supports some of the functions; it is asked for no others
/// ([`System::functions`](crate::contract::System::functions)).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Command {
    /// The present value of `key`.
    Read {
        /// Which variable.
        key: Key,
    },
    /// Make `value` the value of `key`.
    Write {
        /// Which variable.
        key: Key,
        /// Its new value.
        value: Value,
    },
    /// Make `value` the value of `key` if that is `expected` now.
    Cas {
        /// Which variable.
        key: Key,
        /// What it must hold.
        expected: Value,
        /// Its new value then.
        value: Value,
    },
    /// Put `value` at the end of the list under `key`, which is empty at first.
    Append {
        /// Which variable.
        key: Key,
        /// The new element.
        value: Value,
    },
    /// Put `key` back to its initial state.
    Delete {
        /// Which variable.
        key: Key,
    },
    /// Add `value` to the number under `key`, which is 0 at first.
    Add {
        /// Which variable.
        key: Key,
        /// How much.
        value: Value,
    },
    /// Make `value` the decision of instance `key`, if nothing is decided yet.
    Propose {
        /// Which instance.
        key: Key,
        /// What is proposed.
        value: Value,
    },
    /// All of these at once, in this order, or none of them: at least one and at most
    /// [`Command::PARTS_MAX`], none of which is a transaction.
    Transaction(Vec<Command>),
}

impl Command {
    /// A transaction has at most so many parts.
    pub const PARTS_MAX: usize = 16;

    /// The function that it calls, by its name in plans and histories.
    pub const fn function(&self) -> &'static str {
        match self {
            Self::Read { .. } => "read",
            Self::Write { .. } => "write",
            Self::Cas { .. } => "cas",
            Self::Append { .. } => "append",
            Self::Delete { .. } => "delete",
            Self::Add { .. } => "add",
            Self::Propose { .. } => "propose",
            Self::Transaction(_) => "txn",
        }
    }

    /// The variable that it is on; none for a transaction, whose parts have theirs.
    pub const fn key(&self) -> Option<Key> {
        match self {
            Self::Read { key }
            | Self::Write { key, .. }
            | Self::Cas { key, .. }
            | Self::Append { key, .. }
            | Self::Delete { key }
            | Self::Add { key, .. }
            | Self::Propose { key, .. } => Some(*key),
            Self::Transaction(_) => None,
        }
    }

    /// What it writes, appends, adds or proposes; of a compare-and-set the new value. None for what does neither, and
    /// for a transaction.
    pub const fn value(&self) -> Option<Value> {
        match self {
            Self::Write { value, .. }
            | Self::Cas { value, .. }
            | Self::Append { value, .. }
            | Self::Add { value, .. }
            | Self::Propose { value, .. } => Some(*value),
            Self::Read { .. } | Self::Delete { .. } | Self::Transaction(_) => None,
        }
    }

    /// The commands of which it consists: itself, or the parts of a transaction.
    pub const fn parts(&self) -> &[Self] {
        match self {
            Self::Transaction(parts) => parts.as_slice(),
            Self::Read { .. }
            | Self::Write { .. }
            | Self::Cas { .. }
            | Self::Append { .. }
            | Self::Delete { .. }
            | Self::Add { .. }
            | Self::Propose { .. } => core::slice::from_ref(self),
        }
    }

    /// Every variable that it is on, as often as it names it.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.parts().iter().filter_map(Self::key)
    }

    /// Whether it changes nothing, whatever is stored.
    pub fn is_read(&self) -> bool {
        self.parts().iter().all(|part| matches!(part, Self::Read { .. }))
    }

    /// Whether `outcome` can be the end of it.
    pub fn is_answered_by(&self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (_, Outcome::Failed(_) | Outcome::Unknown(_))
            | (Self::Read { .. }, Outcome::Read(_) | Outcome::List(_))
            | (Self::Write { .. }, Outcome::Written)
            | (Self::Cas { .. }, Outcome::Swapped | Outcome::NotSwapped(_))
            | (Self::Append { .. }, Outcome::Appended)
            | (Self::Delete { .. }, Outcome::Deleted)
            | (Self::Add { .. }, Outcome::Added)
            | (Self::Propose { .. }, Outcome::Decided(_)) => true,
            (Self::Transaction(parts), Outcome::Transaction(outcomes)) => {
                // What is done is done as a whole.
                let is_done = |(part, outcome): (&Self, &Outcome)| {
                    outcome.is_done() && part.is_answered_by(outcome)
                };
                parts.len() == outcomes.len() && parts.iter().zip(outcomes).all(is_done)
            }
            (
                Self::Read { .. }
                | Self::Write { .. }
                | Self::Cas { .. }
                | Self::Append { .. }
                | Self::Delete { .. }
                | Self::Add { .. }
                | Self::Propose { .. }
                | Self::Transaction(_),
                Outcome::Read(_)
                | Outcome::Written
                | Outcome::Decided(_)
                | Outcome::Reconfigured
                | Outcome::Swapped
                | Outcome::NotSwapped(_)
                | Outcome::Appended
                | Outcome::Deleted
                | Outcome::Added
                | Outcome::List(_)
                | Outcome::Transaction(_),
            ) => false,
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { key } => write!(f, "read k{}", key.0),
            Self::Write { key, value } => write!(f, "write k{} := {}", key.0, value.0),
            Self::Cas { key, expected, value } => {
                write!(f, "cas k{} {} -> {}", key.0, expected.0, value.0)
            }
            Self::Append { key, value } => write!(f, "append k{} {}", key.0, value.0),
            Self::Delete { key } => write!(f, "delete k{}", key.0),
            Self::Add { key, value } => write!(f, "add k{} {}", key.0, value.0),
            Self::Propose { key, value } => write!(f, "propose k{} = {}", key.0, value.0),
            Self::Transaction(parts) => {
                f.write_str("txn [")?;
                separated(f, parts, |f, part| write!(f, "{part}"))?;
                f.write_str("]")
            }
        }
    }
}

/// Writes all of a list, with commas between them.
fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    list: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (place, one) in list.iter().enumerate() {
        if place > 0 {
            f.write_str(", ")?;
        }
        write(f, one)?;
    }
    Ok(())
}

/// How an operation ended, as far as its client can know.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// A read happened and saw this; `None` is the initial state.
    Read(Option<Value>),
    /// A write took effect.
    Written,
    /// A proposal ended: this is decided, proposed by whomever.
    Decided(Value),
    /// The system has changed to the options that were asked for.
    Reconfigured,
    /// It did not take effect and never will; the reason in a few words.
    Failed(String),
    /// It may or may not have taken effect, now or later; the reason in a few words.
    Unknown(String),
    /// A compare-and-set found what it expected, and took effect.
    Swapped,
    /// A compare-and-set found this number (`None` in the initial state) and not what it expected: it did not
    /// take effect and never will.
    NotSwapped(Option<Value>),
    /// An append took effect.
    Appended,
    /// A delete took effect.
    Deleted,
    /// An addition took effect.
    Added,
    /// A read happened and saw this list.
    List(Vec<Value>),
    /// A transaction took effect: how each of its parts ended.
    Transaction(Vec<Outcome>),
}

impl Outcome {
    /// Whether it certainly happened.
    pub const fn is_done(&self) -> bool {
        match self {
            Self::Read(_)
            | Self::Written
            | Self::Reconfigured
            | Self::Swapped
            | Self::Appended
            | Self::Deleted
            | Self::Added
            | Self::Decided(_)
            | Self::List(_)
            | Self::Transaction(_) => true,
            Self::Failed(_) | Self::Unknown(_) | Self::NotSwapped(_) => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(Some(value)) => write!(f, "read {}", value.0),
            Self::Read(None) => f.write_str("read nil"),
            Self::Written => f.write_str("written"),
            Self::Decided(value) => write!(f, "decided {}", value.0),
            Self::Reconfigured => f.write_str("reconfigured"),
            Self::Failed(why) => write!(f, "failed: {why}"),
            Self::Unknown(why) => write!(f, "unknown: {why}"),
            Self::Swapped => f.write_str("swapped"),
            Self::NotSwapped(Some(value)) => write!(f, "not swapped: {}", value.0),
            Self::NotSwapped(None) => f.write_str("not swapped: nil"),
            Self::Appended => f.write_str("appended"),
            Self::Deleted => f.write_str("deleted"),
            Self::Added => f.write_str("added"),
            Self::List(values) => {
                f.write_str("read [")?;
                separated(f, values, |f, value| write!(f, "{}", value.0))?;
                f.write_str("]")
            }
            Self::Transaction(outcomes) => {
                f.write_str("done [")?;
                separated(f, outcomes, |f, outcome| write!(f, "{outcome}"))?;
                f.write_str("]")
            }
        }
    }
}

//! The key-value store that a state machine is replicated for: what each command does when commands happen one
//! after another (Schneider 1990: deterministic, so equal logs give equal stores).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::{Command, Key, Outcome, Value};

/// What is stored under each key. Keys in their initial state are not there, so equal stores are equal as bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Store {
    contents: BTreeMap<Key, Content>,
}

/// What a key holds once somebody has changed it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Content {
    /// What was written, or added up.
    Number(Value),
    /// What was appended, in that order; never empty.
    List(Vec<Value>),
}

/// How a change is taken back, where a later part of its transaction is refused.
enum Undo {
    /// There was nothing to take back.
    Nothing,
    /// The key held this.
    Restore(Key, Option<Content>),
    /// The list was one element shorter.
    Shorten(Key),
}

/// Why a command is refused. It follows from the command and the store alone.
enum Refusal {
    /// It needs a number.
    HoldsList(Key),
    /// It needs a list.
    HoldsNumber(Key),
    /// A compare-and-set found something else than `expected`.
    HoldsOther { key: Key, held: Option<Value>, expected: Value },
    /// The sum is out of bounds.
    TooGreat(Key),
    /// No system should have let it in.
    Malformed(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HoldsList(key) => write!(f, "key {} holds a list", key.0),
            Self::HoldsNumber(key) => write!(f, "key {} holds a number", key.0),
            Self::HoldsOther { key, held: Some(held), expected } => {
                write!(f, "key {} holds {}, not {}", key.0, held.0, expected.0)
            }
            Self::HoldsOther { key, held: None, expected } => {
                write!(f, "key {} holds nothing, not {}", key.0, expected.0)
            }
            Self::TooGreat(key) => write!(f, "the sum under key {} would be too great", key.0),
            Self::Malformed(why) => f.write_str(why),
        }
    }
}

/// Whether a transaction has as many parts as it may.
fn is_bounded(parts: &[Command]) -> bool {
    (1..=Command::PARTS_MAX).contains(&parts.len())
}

impl Store {
    /// Nothing is stored.
    pub const fn new() -> Self {
        Self { contents: BTreeMap::new() }
    }

    /// Carries a command out. One that is refused (a compare-and-set that finds another value, an append to a
    /// number, a transaction of which any part is refused) changes nothing.
    ///
    /// A write replaces a list; all else that needs a number refuses one. The outcome is never `Unknown`.
    pub fn apply(&mut self, command: &Command) -> Outcome {
        let done = match command {
            Command::Transaction(parts) => self.apply_all(parts),
            single @ (Command::Read { .. }
            | Command::Write { .. }
            | Command::Cas { .. }
            | Command::Append { .. }
            | Command::Delete { .. }
            | Command::Add { .. }
            | Command::Propose { .. }) => match self.apply_one(single) {
                Ok((outcome, _)) => Ok(outcome),
                Err(Refusal::HoldsOther { held, .. }) => Ok(Outcome::NotSwapped(held)),
                Err(refusal) => Err(Outcome::Failed(refusal.to_string())),
            },
        };
        done.unwrap_or_else(|refused| refused)
    }

    /// Carries out a command that changes nothing, a read or a transaction of reads, without a change; nothing for
    /// any other command, and for a transaction that [`Store::apply`] refuses.
    pub fn look(&self, command: &Command) -> Option<Outcome> {
        let read = |part: &Command| match part {
            Command::Read { key } => Some(self.read(*key)),
            Command::Write { .. }
            | Command::Cas { .. }
            | Command::Append { .. }
            | Command::Delete { .. }
            | Command::Add { .. }
            | Command::Propose { .. }
            | Command::Transaction(_) => None,
        };
        match command {
            Command::Transaction(parts) if is_bounded(parts) => {
                parts.iter().map(read).collect::<Option<Vec<_>>>().map(Outcome::Transaction)
            }
            single => read(single),
        }
    }

    /// What a key holds; nothing in its initial state.
    pub fn get(&self, key: Key) -> Option<&Content> {
        self.contents.get(&key)
    }

    /// How many keys are not in their initial state.
    pub fn len(&self) -> usize {
        self.contents.len()
    }

    /// Whether every key is in its initial state.
    pub fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }

    /// A number that tells stores apart: equal for equal ones, on every machine. It looks at everything that is
    /// stored.
    pub fn digest(&self) -> u64 {
        let mut digest = Digest(0);
        for (key, content) in &self.contents {
            digest.add(key.0);
            match content {
                Content::Number(value) => {
                    digest.add(0);
                    digest.add(value.0);
                }
                Content::List(values) => {
                    digest.add(values.len() as u64);
                    for value in values {
                        digest.add(value.0);
                    }
                }
            }
        }
        digest.0
    }

    fn apply_all(&mut self, parts: &[Command]) -> Result<Outcome, Outcome> {
        let refuse = |why: &str| Outcome::Failed(why.into());
        if !is_bounded(parts) {
            return Err(refuse("a transaction has 1 to 16 parts"));
        }
        let mut outcomes = Vec::with_capacity(parts.len());
        let mut undo = Vec::with_capacity(parts.len());
        for (place, part) in parts.iter().enumerate() {
            match self.apply_one(part) {
                Ok((outcome, step)) => {
                    outcomes.push(outcome);
                    undo.push(step);
                }
                Err(refusal) => {
                    undo.into_iter().rev().for_each(|step| self.take_back(step));
                    return Err(refuse(&format!("part {}: {refusal}", place + 1)));
                }
            }
        }
        Ok(Outcome::Transaction(outcomes))
    }

    fn apply_one(&mut self, command: &Command) -> Result<(Outcome, Undo), Refusal> {
        match command {
            Command::Read { key } => Ok((self.read(*key), Undo::Nothing)),
            Command::Write { key, value } => {
                let before = self.contents.insert(*key, Content::Number(*value));
                Ok((Outcome::Written, Undo::Restore(*key, before)))
            }
            Command::Cas { key, expected, value } => {
                let held = self.number(*key)?;
                if held != Some(*expected) {
                    return Err(Refusal::HoldsOther { key: *key, held, expected: *expected });
                }
                let before = self.contents.insert(*key, Content::Number(*value));
                Ok((Outcome::Swapped, Undo::Restore(*key, before)))
            }
            Command::Append { key, value } => Ok((Outcome::Appended, self.append(*key, *value)?)),
            Command::Delete { key } => {
                let before = self.contents.remove(key);
                Ok((Outcome::Deleted, Undo::Restore(*key, before)))
            }
            Command::Add { key, value } => {
                let sum = self.number(*key)?.unwrap_or_default().0.checked_add(value.0);
                let sum = Value(sum.ok_or(Refusal::TooGreat(*key))?);
                let before = self.contents.insert(*key, Content::Number(sum));
                Ok((Outcome::Added, Undo::Restore(*key, before)))
            }
            Command::Propose { .. } => Err(Refusal::Malformed("a store decides nothing")),
            Command::Transaction(_) => {
                Err(Refusal::Malformed("a transaction within a transaction"))
            }
        }
    }

    fn read(&self, key: Key) -> Outcome {
        match self.contents.get(&key) {
            None => Outcome::Read(None),
            Some(Content::Number(value)) => Outcome::Read(Some(*value)),
            Some(Content::List(values)) => Outcome::List(values.clone()),
        }
    }

    fn number(&self, key: Key) -> Result<Option<Value>, Refusal> {
        match self.contents.get(&key) {
            None => Ok(None),
            Some(Content::Number(value)) => Ok(Some(*value)),
            Some(Content::List(_)) => Err(Refusal::HoldsList(key)),
        }
    }

    fn append(&mut self, key: Key, value: Value) -> Result<Undo, Refusal> {
        let content = self.contents.entry(key).or_insert(Content::List(Vec::new()));
        match content {
            Content::Number(_) => Err(Refusal::HoldsNumber(key)),
            Content::List(values) => {
                values.push(value);
                Ok(Undo::Shorten(key))
            }
        }
    }

    fn take_back(&mut self, step: Undo) {
        match step {
            Undo::Nothing => {}
            Undo::Restore(key, Some(content)) => {
                self.contents.insert(key, content);
            }
            Undo::Restore(key, None) => {
                self.contents.remove(&key);
            }
            Undo::Shorten(key) => {
                let Some(Content::List(values)) = self.contents.get_mut(&key) else { return };
                values.pop();
                if values.is_empty() {
                    self.contents.remove(&key);
                }
            }
        }
    }
}

/// Numbers, taken in one after the other: the finalizer of `SplitMix64` (Steele, Lea, Flood 2014) over what was before.
struct Digest(u64);

impl Digest {
    fn add(&mut self, number: u64) {
        let mut mixed = (self.0 ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = self.0.rotate_left(23) ^ mixed ^ (mixed >> 31);
    }
}

#[cfg(test)]
mod tests;

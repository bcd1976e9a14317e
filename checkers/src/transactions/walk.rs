//! One transaction by itself: what it saw of others, and whether it saw its own.

use rustc_hash::FxHashMap;

use super::table::KeyId;
use super::{Micro, Transaction};
use crate::history::Value;

/// What a read tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight<'a> {
    /// The state that others had left, seen before any append of its own.
    Others(&'a [Value]),
    /// A state that ends with its own appends.
    Own(&'a [Value]),
    /// Something that its own reads and appends rule out.
    Contradiction(Contradiction<'a>),
}

/// A read that its own transaction rules out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contradiction<'a> {
    /// The list.
    pub(super) key: &'a Value,
    /// What it returned.
    pub(super) seen: &'a [Value],
    /// What it had read there before, if it had.
    pub(super) before: Option<&'a [Value]>,
    /// How much it had appended there since then.
    pub(super) appended: usize,
}

/// What a transaction knows of a key at some point.
#[derive(Debug, Default)]
struct Known<'a> {
    /// What its last read returned.
    seen: Option<&'a [Value]>,
    /// What it appended since then.
    appended: Vec<&'a Value>,
    /// Whether it appended anything to it yet.
    is_changed: bool,
}

/// Goes through transactions one after the other.
#[derive(Debug, Default)]
pub(super) struct Walk<'a> {
    known: FxHashMap<KeyId, Known<'a>>,
}

impl<'a> Walk<'a> {
    /// Calls `told` for each key that a transaction read, with what the read tells. A read that returns what the last one
    /// did tells nothing new.
    pub(super) fn through(
        &mut self,
        transaction: &Transaction<'a>,
        key_id: impl Fn(&'a Value) -> KeyId,
        mut told: impl FnMut(KeyId, Sight<'a>),
    ) {
        self.known.clear();
        for micro in &transaction.micros {
            match *micro {
                Micro::Append { key, element } => {
                    let known = self.known.entry(key_id(key)).or_default();
                    known.appended.push(element);
                    known.is_changed = true;
                }
                Micro::Read { key, seen } => {
                    let id = key_id(key);
                    let known = self.known.entry(id).or_default();
                    if !known.agrees(seen) {
                        let Known { seen: before, appended, .. } = known;
                        let (before, appended) = (*before, appended.len());
                        let contradiction = Contradiction { key, seen, before, appended };
                        told(id, Sight::Contradiction(contradiction));
                        continue;
                    }
                    if known.is_changed {
                        told(id, Sight::Own(seen));
                    } else if known.seen.is_none() {
                        told(id, Sight::Others(seen));
                    }
                    known.seen = Some(seen);
                    known.appended.clear();
                }
            }
        }
    }
}

impl Known<'_> {
    /// Whether a read can return this: what was seen before and then what was appended, or what others left and then
    /// what was appended.
    fn agrees(&self, list: &[Value]) -> bool {
        let Some(rest) = list.len().checked_sub(self.appended.len()) else { return false };
        let (others, own) = list.split_at(rest);
        self.seen.is_none_or(|seen| seen == others) && own.iter().eq(self.appended.iter().copied())
    }
}

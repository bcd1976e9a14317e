//! A foreign history as the checkers take one: operations with plain values, keys with numbers.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Datum, History, Operation, Outcome, Unjudged};
use crate::history::{self, Key, ProcessId, Time, Value};

/// The operations of a foreign history. Indices are the places of events in it, from 0.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// In order of invocation.
    pub operations: Vec<history::Operation>,
    /// The keys that could not keep their names, with these.
    pub renamed: Vec<(Key, Datum)>,
}

/// Takes the operations of the clients as the checkers know operations. With `is_keyed`, each value is a pair of a key
/// and the value, as `jepsen.independent` has it; the error names one that is none.
pub fn recorded(history: &History, is_keyed: bool) -> Result<Recorded, Unjudged> {
    let mut keys = Keys::default();
    let operations = history.operations().map(|operation| keys.recorded(&operation, is_keyed));
    let operations = operations.collect::<Result<Vec<history::Operation>, Unjudged>>()?;
    Ok(Recorded { operations, renamed: keys.renamed })
}

fn as_recorded(
    operation: &Operation<'_>,
    key: Option<Key>,
    input: &Datum,
    outcome: history::Outcome,
) -> history::Operation {
    // What the invocation of a read has for a value is no argument.
    let is_read = ["read", "get"].contains(&operation.f());
    let (invoke, invoked) = operation.invoke;
    let time = |time: Option<i64>| Time(time.unwrap_or_default().max(0).unsigned_abs());
    history::Operation {
        invoke: invoke as u64,
        complete: operation.complete.map(|(place, _)| place as u64),
        process: ProcessId(operation.process),
        f: operation.f().into(),
        key,
        input: if is_read { Value::Nil } else { value(input) },
        outcome,
        invoked_at: time(invoked.time),
        completed_at: operation.complete.map(|(_, end)| time(end.time)),
        error: operation.complete.and_then(|(_, end)| Some(end.error.as_ref()?.to_string())),
    }
}

/// Nothing if it is none of a pair where there must be one.
fn outcome(operation: &Operation<'_>, is_keyed: bool) -> Option<history::Outcome> {
    Some(match operation.outcome() {
        Outcome::Ok(result) if is_keyed => history::Outcome::Ok(value(pair(result)?.1)),
        Outcome::Ok(result) => history::Outcome::Ok(value(result)),
        Outcome::Fail(_) => history::Outcome::Fail,
        Outcome::Unknown if operation.complete.is_some() => history::Outcome::Info,
        Outcome::Unknown => history::Outcome::Pending,
    })
}

fn pair(datum: &Datum) -> Option<(&Datum, &Datum)> {
    match datum.items()? {
        [key, value] => Some((key, value)),
        _ => None,
    }
}

/// A datum as a value. Names are texts, sets and lists are lists, a map is a list of pairs, and what is behind a tag
/// counts without it. Truths, characters and numbers with a fraction become the texts that EDN has for them.
pub fn value(datum: &Datum) -> Value {
    match datum {
        Datum::Nil => Value::Nil,
        Datum::Int(number) => Value::Int(*number),
        Datum::Text(text) | Datum::Keyword(text) | Datum::Symbol(text) => {
            Value::Text(text.to_string())
        }
        Datum::Vector(items) | Datum::List(items) | Datum::Set(items) => {
            Value::List(items.iter().map(value).collect())
        }
        Datum::Map(entries) => {
            // JSON has only texts for keys.
            let name = |key: &Datum| key.as_whole().map_or_else(|| value(key), Value::Int);
            let entry = |(key, held): &(Datum, Datum)| Value::List(vec![name(key), value(held)]);
            Value::List(entries.iter().map(entry).collect())
        }
        Datum::Tagged(tagged) => value(&tagged.1),
        Datum::Bool(_) | Datum::Float(_) | Datum::Char(_) => Value::Text(datum.to_string()),
    }
}

/// The numbers of keys: a key that is a number keeps it unless another one has it.
#[derive(Debug, Default)]
pub(super) struct Keys {
    numbers: FxHashMap<Datum, Key>,
    taken: FxHashSet<u64>,
    /// All numbers below are taken.
    free: u64,
    pub(super) renamed: Vec<(Key, Datum)>,
}

impl Keys {
    /// An operation as the checkers know it; an error if it is not keyed as it must be.
    pub(super) fn recorded(
        &mut self,
        operation: &Operation<'_>,
        is_keyed: bool,
    ) -> Result<history::Operation, Unjudged> {
        let line = operation.line();
        let (key, input) = match (operation.key(), is_keyed) {
            (None, true) => pair(operation.input()).ok_or(Unjudged::NoPair { line })?,
            (Some(_), true) => return Err(Unjudged::HasKey { line }),
            (key, false) => (key.unwrap_or(&Datum::Nil), operation.input()),
        };
        let has_key = is_keyed || operation.key().is_some();
        let key = has_key.then(|| self.number(key));
        let outcome = outcome(operation, is_keyed).ok_or(Unjudged::NoPair { line })?;
        Ok(as_recorded(operation, key, input, outcome))
    }

    fn number(&mut self, key: &Datum) -> Key {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let own = key.as_whole().and_then(|number| u64::try_from(number).ok());
        let own = own.filter(|number| !self.taken.contains(number));
        let number = own.unwrap_or_else(|| {
            while self.taken.contains(&self.free) {
                self.free += 1;
            }
            self.free
        });
        self.taken.insert(number);
        self.numbers.insert(key.clone(), Key(number));
        if own.is_none() {
            self.renamed.push((Key(number), key.clone()));
        }
        Key(number)
    }
}

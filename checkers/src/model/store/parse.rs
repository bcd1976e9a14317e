//! What recorded operations mean, model by model.

use super::{Content, Dialect, List, Micro, StoreOp, result};
use crate::history::{Key, Operation, Outcome, Value};
use crate::model::Malformed;

/// `read`, `append`.
#[derive(Clone, Copy, Debug)]
pub struct AppendLists;

/// `txn`, and what its parts can be by themselves.
#[derive(Clone, Copy, Debug)]
pub struct KvTransactions;

impl Dialect for AppendLists {
    const NAME: &'static str = "append-list";
    const SUMMARY: &'static str =
        "independent lists: `append` puts an element at the end, `read` returns them all";
    const FUNCTIONS: &'static [&'static str] = &["read", "append"];

    fn parse(operation: &Operation) -> Result<Option<StoreOp>, Malformed> {
        if !["read", "append"].contains(&operation.f.as_str()) {
            return Err(no_function::<Self>(operation, "`read` or `append`"));
        }
        single(operation, 0, Seen::List)
    }
}

impl Dialect for KvTransactions {
    const NAME: &'static str = "kv-txn";
    const SUMMARY: &'static str = "a map of registers and lists: each `txn` does its parts (`r`, `w`, `append`, `cas`, \
         `delete`) at once";
    const FUNCTIONS: &'static [&'static str] = &["txn"];
    const JOINS_KEYS: bool = true;

    fn parse(operation: &Operation) -> Result<Option<StoreOp>, Malformed> {
        match operation.f.as_str() {
            "txn" => transaction(operation),
            "read" | "write" | "cas" | "append" | "delete" => {
                let key = operation.key.ok_or_else(|| Malformed {
                    index: operation.invoke,
                    problem: format!("`{}` has no key", operation.f),
                })?;
                single(operation, key.0, Seen::Any)
            }
            _ => Err(no_function::<Self>(
                operation,
                "`txn`, `read`, `write`, `cas`, `append` or `delete`",
            )),
        }
    }

    /// All that a transaction names: what happens to one of them may depend on what happens to another.
    fn keys(operation: &Operation) -> Vec<Key> {
        if operation.f != "txn" {
            return operation.key.into_iter().collect();
        }
        let parts = items(&operation.input).unwrap_or_default().iter();
        parts.filter_map(|part| Some(Key(triple(part)?.1.cast_unsigned()))).collect()
    }
}

fn no_function<D: Dialect>(operation: &Operation, expected: &str) -> Malformed {
    let problem =
        format!("the model `{}` has no function `{}`; expected {expected}", D::NAME, operation.f);
    Malformed { index: operation.invoke, problem }
}

/// What a read may return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    List,
    Any,
}

impl Seen {
    const fn name(self) -> &'static str {
        match self {
            Self::List => "a list of integers or null",
            Self::Any => "an integer, a list of integers or null",
        }
    }

    fn read(self, value: &Value) -> Option<Content> {
        match (value, self) {
            (Value::Nil, _) => Some(Content::Nil),
            (Value::Int(value), Self::Any) => Some(Content::Int(*value)),
            (Value::List(values), _) => {
                let list = values.iter().map(int).collect::<Option<List>>()?;
                // A list that nobody appended to is nothing.
                Some(if list.is_empty() { Content::Nil } else { Content::List(list) })
            }
            (Value::Int(_) | Value::Text(_), _) => None,
        }
    }
}

/// An operation on one key.
fn single(operation: &Operation, key: u64, seen: Seen) -> Result<Option<StoreOp>, Malformed> {
    let is_certain = operation.is_ok();
    let bad = |problem: String| Malformed { index: operation.invoke, problem };
    let micro = match operation.f.as_str() {
        "read" if operation.input != Value::Nil => {
            let given = &operation.input;
            return Err(bad(format!("`read` takes no argument, not {given}; expected null")));
        }
        "read" => match result(operation) {
            None => return Ok(None),
            Some(value) => {
                let content = seen.read(value).ok_or_else(|| Malformed {
                    index: operation.complete.unwrap_or(operation.invoke),
                    problem: format!("`read` returns {value}; expected {}", seen.name()),
                })?;
                Micro::Read(Some(content))
            }
        },
        f => change(f, &operation.input).map_err(bad)?,
    };
    Ok(Some(StoreOp { parts: vec![(key, micro)], is_certain }))
}

/// What changes a key; `f` by its name in operations, or in parts of transactions.
fn change(f: &str, argument: &Value) -> Result<Micro, String> {
    match (f, argument) {
        ("write" | "w", Value::Int(value)) => Ok(Micro::Write(*value)),
        ("append", Value::Int(value)) => Ok(Micro::Append(*value)),
        ("delete", Value::Nil) => Ok(Micro::Delete),
        ("cas", Value::List(pair)) => match pair.as_slice() {
            [Value::Int(expected), Value::Int(new)] => Ok(Micro::Cas(*expected, *new)),
            _ => Err(format!("`cas` is given {argument}; expected [expected, new], two integers")),
        },
        ("cas", _) => {
            Err(format!("`cas` is given {argument}; expected [expected, new], two integers"))
        }
        ("delete", _) => Err(format!("`delete` takes no argument, not {argument}; expected null")),
        ("write" | "w" | "append", _) => {
            Err(format!("`{f}` is given {argument}; expected an integer"))
        }
        _ => Err(format!(
            "a transaction has no part `{f}`; expected `r`, `w`, `append`, `cas` or `delete`"
        )),
    }
}

/// A transaction. Its completion repeats its parts, with what its reads saw.
fn transaction(operation: &Operation) -> Result<Option<StoreOp>, Malformed> {
    const PARTS: &str = "expected a list of parts, each [word, key, argument]";
    let bad = |problem: String| Malformed { index: operation.invoke, problem };
    let asked = items(&operation.input)
        .ok_or_else(|| bad(format!("`txn` is given {}; {PARTS}", operation.input)))?;
    let told = result(operation).map(|value| items(value).unwrap_or_default());
    let is_told = |told: &[Value]| told.len() == asked.len();
    if let Some(value) = result(operation).filter(|_| !told.is_some_and(is_told)) {
        return Err(Malformed {
            index: operation.complete.unwrap_or(operation.invoke),
            problem: format!("`txn` returns {value}; expected its {} parts", asked.len()),
        });
    }
    let mut parts = Vec::with_capacity(asked.len());
    for (place, part) in asked.iter().enumerate() {
        let (word, key, argument) =
            triple(part).ok_or_else(|| bad(format!("`txn` has the part {part}; {PARTS}")))?;
        let answer = told.and_then(|told| told.get(place));
        let micro = match (word, answer) {
            ("r", None) => Micro::Read(None),
            ("r", Some(answer)) => Micro::Read(Some(seen(part, answer).map_err(bad)?)),
            (f, _) => change(f, argument).map_err(bad)?,
        };
        parts.push((key.cast_unsigned(), micro));
    }
    let is_certain = operation.is_ok();
    let is_seen = is_certain || parts.iter().any(|(_, micro)| !micro.is_read());
    Ok(is_seen.then_some(StoreOp { parts, is_certain }))
}

/// What an operation was to change, whatever became of it, by the key as it is recorded.
pub(super) fn changes(operation: &Operation) -> Vec<(Option<u64>, Micro)> {
    if operation.f != "txn" {
        let micro = change(&operation.f, &operation.input).ok();
        return micro.map(|micro| (operation.key.map(|key| key.0), micro)).into_iter().collect();
    }
    let parts = items(&operation.input).unwrap_or_default().iter().filter_map(triple);
    let changes = parts.filter_map(|(word, key, argument)| {
        Some((Some(key.cast_unsigned()), change(word, argument).ok()?))
    });
    changes.collect()
}

/// What the read `asked` saw, from its completion.
fn seen(asked: &Value, told: &Value) -> Result<Content, String> {
    let same = triple(asked).zip(triple(told)).filter(|(a, b)| (a.0, a.1) == (b.0, b.1));
    let content = same.and_then(|(_, (_, _, value))| Seen::Any.read(value));
    content.ok_or_else(|| {
        format!("the part {asked} returns {told}; expected the same with {}", Seen::Any.name())
    })
}

fn items(value: &Value) -> Option<&[Value]> {
    match value {
        Value::List(values) => Some(values),
        Value::Nil | Value::Int(_) | Value::Text(_) => None,
    }
}

/// `[word, key, value]`.
fn triple(part: &Value) -> Option<(&str, i64, &Value)> {
    match items(part)? {
        [Value::Text(word), Value::Int(key), value] => Some((word, *key, value)),
        _ => None,
    }
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(value) => Some(*value),
        Value::Nil | Value::Text(_) | Value::List(_) => None,
    }
}

/// An operation in a few words (`cas 1 -> 2`, `read -> [1, 2]`, `txn r 1 -> 5, append 2 3`).
pub(in crate::model) fn describe(operation: &Operation) -> String {
    match (operation.f.as_str(), &operation.input, &operation.outcome) {
        ("read", _, Outcome::Ok(value)) => format!("read -> {value}"),
        ("read" | "delete", _, _) => operation.f.to_string(),
        ("txn", Value::List(asked), _) => {
            let told = result(operation).and_then(items).unwrap_or_default();
            let part = |(place, part): (usize, &Value)| part_text(part, told.get(place));
            let parts: Vec<String> = asked.iter().enumerate().map(part).collect();
            format!("txn {}", parts.join(", "))
        }
        ("cas", Value::List(pair), _) => match pair.as_slice() {
            [expected, new] => format!("cas {expected} -> {new}"),
            _ => format!("cas {}", operation.input),
        },
        (f, input, _) => format!("{f} {input}"),
    }
}

fn part_text(part: &Value, told: Option<&Value>) -> String {
    match (triple(part), told.and_then(triple)) {
        (Some(("r", key, _)), Some((_, _, seen))) => format!("r {key} -> {seen}"),
        (Some((word @ ("r" | "delete"), key, _)), _) => format!("{word} {key}"),
        (Some((word, key, argument)), _) => format!("{word} {key} {argument}"),
        (None, _) => part.to_string(),
    }
}

//! Transactions out of recorded operations.

use std::collections::BTreeMap;

use super::{Consistency, Counts, Fate, Micro, Report, Transaction, check};
use crate::history::{Key, Operation, Outcome, Value};
use crate::verdict::Verdict;

/// Judges recorded operations. Each is one transaction: a list of parts `["append", key, element]` and `["r", key, list]`,
/// whatever its function is called, or, where it is on a key, an `append` or a `read` by itself. The completion of one that
/// is ok repeats its parts, with what its reads saw. Where an operation does not fit, the verdict is unknown.
pub fn check_operations(operations: &[Operation], consistency: Consistency) -> Report {
    let keys = keys(operations);
    let transactions: Result<Vec<Transaction<'_>>, String> =
        operations.iter().map(|operation| transaction(operation, &keys)).collect();
    match transactions {
        Ok(transactions) => check(&transactions, consistency),
        Err(why) => Report {
            verdict: Verdict::Unknown,
            consistency,
            undecided: Some(why),
            findings: Vec::new(),
            counts: Counts { transactions: operations.len() as u64, ..Counts::default() },
        },
    }
}

/// What operations are on, as values.
type Keys = BTreeMap<Key, Value>;

fn keys(operations: &[Operation]) -> Keys {
    let keys = operations.iter().filter_map(|operation| operation.key);
    keys.map(|key| (key, Value::Int(key.0.cast_signed()))).collect()
}

fn transaction<'a>(operation: &'a Operation, keys: &'a Keys) -> Result<Transaction<'a>, String> {
    let key = operation.key.and_then(|key| keys.get(&key));
    let micros = match (operation.f.as_str(), key) {
        ("append", Some(key)) => vec![Micro::Append { key, element: &operation.input }],
        ("read", Some(key)) => vec![Micro::Read { key, seen: seen(operation, result(operation))? }],
        _ => micros(operation)?,
    };
    Ok(Transaction {
        process: operation.process,
        invoke: operation.invoke,
        complete: operation.complete,
        fate: match operation.outcome {
            Outcome::Ok(_) => Fate::Ok,
            Outcome::Fail => Fate::Failed,
            Outcome::Info | Outcome::Pending => Fate::Unknown,
        },
        micros,
    })
}

fn micros(operation: &Operation) -> Result<Vec<Micro<'_>>, String> {
    let asked = parts(operation, &operation.input)?;
    let told = match &operation.outcome {
        Outcome::Ok(value) => Some(parts(operation, value)?),
        Outcome::Fail | Outcome::Info | Outcome::Pending => None,
    };
    if let Some(told) = told.filter(|told| told.len() != asked.len()) {
        let (told, asked) = (told.len(), asked.len());
        return Err(unfit(operation, &format!("{told} parts in its completion, not {asked}")));
    }
    let told = |place: usize| told.and_then(|told| told.get(place));
    asked.iter().enumerate().map(|(place, asked)| micro(operation, asked, told(place))).collect()
}

/// One part, as it was asked for, and as the completion of an operation that is ok repeats it.
fn micro<'a>(
    operation: &Operation,
    asked: &'a Value,
    told: Option<&'a Value>,
) -> Result<Micro<'a>, String> {
    let (word, key, value) = triple(operation, asked)?;
    let told = told.map(|told| triple(operation, told)).transpose()?;
    if told.is_some_and(|told| (told.0, told.1) != (word, key)) {
        return Err(unfit(operation, &format!("other parts in its completion than {asked}")));
    }
    let told = told.map(|(_, _, value)| value);
    match word {
        "append" if told.is_some_and(|told| told != value) => {
            Err(unfit(operation, &format!("another append in its completion than {asked}")))
        }
        "append" => Ok(Micro::Append { key, element: value }),
        "r" => Ok(Micro::Read { key, seen: seen(operation, told)? }),
        _ => Err(unfit(operation, &format!("the part {asked}"))),
    }
}

fn parts<'a>(operation: &Operation, value: &'a Value) -> Result<&'a [Value], String> {
    list(value).ok_or_else(|| unfit(operation, &value.to_string()))
}

fn triple<'a>(
    operation: &Operation,
    part: &'a Value,
) -> Result<(&'a str, &'a Value, &'a Value), String> {
    match list(part) {
        Some([Value::Text(word), key, value]) => Ok((word, key, value)),
        _ => Err(unfit(operation, &format!("the part {part}"))),
    }
}

/// What a read returned. A list that nobody appended to is nothing.
fn seen<'a>(operation: &Operation, value: Option<&'a Value>) -> Result<&'a [Value], String> {
    match value {
        None | Some(Value::Nil) => Ok(&[]),
        Some(value) => {
            list(value).ok_or_else(|| unfit(operation, &format!("{value} as what a read returned")))
        }
    }
}

fn result(operation: &Operation) -> Option<&Value> {
    match &operation.outcome {
        Outcome::Ok(value) => Some(value),
        Outcome::Fail | Outcome::Info | Outcome::Pending => None,
    }
}

fn list(value: &Value) -> Option<&[Value]> {
    match value {
        Value::List(values) => Some(values),
        Value::Nil | Value::Int(_) | Value::Text(_) => None,
    }
}

fn unfit(operation: &Operation, what: &str) -> String {
    format!(
        "the operation at index {} has {what}; expected a list of parts, each [\"append\", key, element] or [\"r\", key, \
         list]",
        operation.invoke
    )
}

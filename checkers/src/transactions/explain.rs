//! Findings in words.

use super::findings::Example;
use super::record::{Key, Read, Recorded};
use super::table::{KeyId, TransactionId};
use super::{Fate, Micro, Transaction};
use crate::history::Value;

/// A list, with its middle left out where it is long.
pub(super) fn list(values: &[Value]) -> String {
    const ENDS: usize = 6;
    let text =
        |values: &[Value]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match values.len().checked_sub(2 * ENDS + 1) {
        Some(more @ 1..) => {
            let (begin, rest) = values.split_at(ENDS);
            let (_, end) = rest.split_at(rest.len() - ENDS);
            format!("[{}, … {} more …, {}]", text(begin), more + 1, text(end))
        }
        Some(0) | None => format!("[{}]", text(values)),
    }
}

/// A transaction in one line (`index 4-5, p1: append x 3, r y -> [1, 2]`).
pub(super) fn line(transaction: &Transaction<'_>) -> String {
    let micro = |micro: &Micro<'_>| match *micro {
        Micro::Append { key, element } => format!("append {key} {element}"),
        Micro::Read { key, seen } if transaction.fate == Fate::Ok => {
            format!("r {key} -> {}", list(seen))
        }
        Micro::Read { key, .. } => format!("r {key}"),
    };
    let micros: Vec<String> = transaction.micros.iter().map(micro).collect();
    let end = match (transaction.fate, transaction.complete) {
        (Fate::Ok | Fate::Failed, Some(complete)) => format!("-{complete}"),
        _ => "-?".to_owned(),
    };
    let failed = if transaction.fate == Fate::Failed { ", failed" } else { "" };
    let Transaction { invoke, process, .. } = transaction;
    format!("index {invoke}{end}, {process}{failed}: {}", micros.join(", "))
}

/// A finding about these transactions, with a line for each.
pub(super) fn example(
    recorded: &Recorded<'_>,
    sentence: String,
    about: &[TransactionId],
) -> Example {
    let transactions = about.iter().map(|id| recorded.transaction(*id));
    Example {
        sentence,
        lines: transactions.clone().map(line).collect(),
        transactions: transactions.map(|transaction| transaction.invoke).collect(),
    }
}

/// Somebody who read a list at least up to this place.
pub(super) fn reader(recorded: &Recorded<'_>, key: KeyId, place: u32) -> TransactionId {
    let is_one = |read: &&Read| read.key == key && read.length > place;
    let outside = recorded.reads.iter().map(|(_, read)| read).find(is_one);
    let reader = outside.map(|read| read.transaction).or(recorded.keys[key].reader);
    reader.expect("a key with versions was read")
}

/// The first so many elements of a key.
pub(super) fn state(recorded: &Recorded<'_>, key: KeyId, length: u32) -> String {
    list(recorded.keys[key].longest.get(..length as usize).unwrap_or_default())
}

pub(super) fn incompatible(
    recorded: &Recorded<'_>,
    key: KeyId,
    id: TransactionId,
    seen: &[Value],
) -> Example {
    let key = &recorded.keys[key];
    let other = key.reader.expect("it differs from what somebody read");
    let sentence = format!(
        "{} was read as {} at index {} and as {} at index {}, and neither begins with the other",
        key.name,
        list(key.longest),
        recorded.transaction(other).invoke,
        list(seen),
        recorded.transaction(id).invoke
    );
    example(recorded, sentence, &[other, id])
}

pub(super) fn garbage(recorded: &Recorded<'_>, key: KeyId, place: u32, element: &Value) -> Example {
    let reader = reader(recorded, key, place);
    let sentence = format!(
        "the transaction at index {} read {element} in {}, which nobody appended there",
        recorded.transaction(reader).invoke,
        recorded.keys[key].name
    );
    example(recorded, sentence, &[reader])
}

pub(super) fn duplicate(recorded: &Recorded<'_>, key: KeyId, element: &Value) -> Example {
    let Key { name, longest, reader, .. } = &recorded.keys[key];
    let reader = reader.expect("a key with versions was read");
    let sentence = format!(
        "the transaction at index {} read {element} twice in {name}: {}",
        recorded.transaction(reader).invoke,
        list(longest)
    );
    example(recorded, sentence, &[reader])
}

//! Anomalies that show in single reads and versions, without a graph.

use super::findings::{Example, Findings};
use super::record::{Append, Read, Recorded};
use super::table::{AppendId, Id, KeyId, TransactionId};
use super::{Anomaly, Fate, explain};

/// Looks for all of them.
pub(super) fn look(recorded: &Recorded<'_>, findings: &mut Findings) {
    for key in recorded.keys.ids() {
        for (place, append) in (0..).zip(&recorded.keys[key].order) {
            if let Some(append) = *append {
                version(recorded, key, place, append, findings);
            }
        }
    }
    for (_, read) in recorded.reads.iter() {
        intermediate(recorded, read, findings);
        future(recorded, read, findings);
    }
    lost_updates(recorded, findings);
}

/// What a version itself tells: who appended it, and what stands before it.
fn version(recorded: &Recorded<'_>, key: KeyId, place: u32, id: AppendId, findings: &mut Findings) {
    let append = &recorded.appends[id];
    if recorded.transaction(append.transaction).fate == Fate::Failed {
        findings.add(Anomaly::AbortedRead, || aborted(recorded, key, place, append));
        return;
    }
    let Some(before) = neighbour(recorded, append, id.number().checked_sub(1)) else { return };
    if before.place.is_none_or(|before| before + 1 != place) {
        findings.add(Anomaly::TornAppend, || torn(recorded, append, before));
    }
}

/// A read that ends within what another transaction appended.
fn intermediate(recorded: &Recorded<'_>, read: &Read, findings: &mut Findings) {
    let last = read.length.checked_sub(1).map(|last| last as usize);
    let order = &recorded.keys[read.key].order;
    let Some(id) = last.and_then(|last| *order.get(last)?) else { return };
    let append = &recorded.appends[id];
    let is_own = append.transaction == read.transaction;
    if is_own || recorded.transaction(append.transaction).fate == Fate::Failed {
        return;
    }
    let is_missing = |after: &&Append<'_>| after.place.is_none_or(|place| place >= read.length);
    let after = neighbour(recorded, append, id.number().checked_add(1));
    if let Some(after) = after.filter(is_missing) {
        findings.add(Anomaly::IntermediateRead, || {
            let (reader, writer) = (read.transaction, append.transaction);
            let sentence = format!(
                "{} read {} in {} without {}, which {} appended to it as well",
                at(recorded, reader),
                append.element,
                recorded.keys[read.key].name,
                after.element,
                at(recorded, writer)
            );
            example(recorded, sentence, &[reader, writer])
        });
    }
}

/// A read of what its own transaction appended only later.
fn future(recorded: &Recorded<'_>, read: &Read, findings: &mut Findings) {
    let own = recorded.appends_to(read.transaction, read.key);
    let is_seen = |append: &&Append<'_>| append.place.is_some_and(|place| place < read.length);
    if let Some(append) = own.iter().find(is_seen) {
        findings.add(Anomaly::FutureRead, || {
            let sentence = format!(
                "{} read {} in {} before it appended it itself",
                at(recorded, read.transaction),
                append.element,
                recorded.keys[read.key].name
            );
            example(recorded, sentence, &[read.transaction])
        });
    }
}

/// States of a key that more than one transaction read and then appended to.
fn lost_updates(recorded: &Recorded<'_>, findings: &mut Findings) {
    let is_update = |read: &&Read| !recorded.appends_to(read.transaction, read.key).is_empty();
    let reads = recorded.reads.iter().map(|(_, read)| read).filter(is_update);
    let mut updates: Vec<_> = reads.map(|read| (read.key, read.length, read.transaction)).collect();
    updates.sort_unstable();
    for same in updates.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
        if let [(key, length, first), (_, _, second), ..] = *same {
            findings.add(Anomaly::LostUpdate, || {
                let sentence = format!(
                    "{} and {} both read {} in {} and then appended to it",
                    at(recorded, first),
                    at(recorded, second),
                    explain::state(recorded, key, length),
                    recorded.keys[key].name
                );
                example(recorded, sentence, &[first, second])
            });
        }
    }
}

/// The append with this number, if it is of the same transaction and key.
fn neighbour<'r, 'a>(
    recorded: &'r Recorded<'a>,
    append: &Append<'a>,
    number: Option<u32>,
) -> Option<&'r Append<'a>> {
    let number = number.filter(|number| *number < recorded.appends.count())?;
    let other = &recorded.appends[AppendId::new(number)];
    (other.transaction == append.transaction && other.key == append.key).then_some(other)
}

fn aborted(recorded: &Recorded<'_>, key: KeyId, place: u32, append: &Append<'_>) -> Example {
    let (reader, writer) = (explain::reader(recorded, key, place), append.transaction);
    let sentence = format!(
        "{} read {} in {}, which {} had appended, and that one failed",
        at(recorded, reader),
        append.element,
        recorded.keys[key].name,
        at(recorded, writer)
    );
    example(recorded, sentence, &[reader, writer])
}

fn torn(recorded: &Recorded<'_>, append: &Append<'_>, before: &Append<'_>) -> Example {
    let key = &recorded.keys[append.key];
    let sentence = format!(
        "{} appended {} to {} right after {}, and in {} it does not stand right after it",
        at(recorded, append.transaction),
        append.element,
        key.name,
        before.element,
        explain::list(key.longest)
    );
    let reader = explain::reader(recorded, append.key, append.place.unwrap_or_default());
    example(recorded, sentence, &[append.transaction, reader])
}

fn at(recorded: &Recorded<'_>, id: TransactionId) -> String {
    format!("the transaction at index {}", recorded.transaction(id).invoke)
}

fn example(recorded: &Recorded<'_>, sentence: String, about: &[TransactionId]) -> Example {
    explain::example(recorded, sentence, about)
}

//! Operations out of a few numbers: what clients are asked for, whatever the system.

use quorate_plan::{Workload, WorkloadKind};
use quorate_systems::contract::{Command, Key, Value};
use quorate_systems::vocabulary::Vocabulary;

/// What is left to chance in an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Choice {
    /// Which of the system's functions, modulo how many it has.
    pub(crate) function: u8,
    /// Of two keys, by the lowest bit; of four values, by the next two; what a compare-and-set expects, by the two
    /// behind those.
    pub(crate) data: u8,
    /// What a transaction consists of: its length by the lowest bit, its parts by those behind.
    pub(crate) parts: u8,
}

/// An operation that a system with these functions can be asked for.
pub(crate) fn command(functions: &[&str], choice: Choice) -> Command {
    let function = place(functions, choice.function).unwrap_or("read");
    if function != "txn" {
        return single(function, choice.data);
    }
    let parts: Vec<&str> = functions.iter().copied().filter(|name| *name != "txn").collect();
    let count = 1 + (choice.parts & 1);
    let part = |nth: u8| {
        let function = place(&parts, (choice.parts >> 1).wrapping_add(nth * 3)).unwrap_or("read");
        single(function, choice.data.wrapping_add(nth))
    };
    Command::Transaction((0..count).map(part).collect())
}

/// The choice that comes nearest to a command: its function, and the first key and value that it names.
pub(crate) fn choice_of(functions: &[&str], command: &Command) -> Choice {
    let function = functions.iter().position(|name| *name == command.function()).unwrap_or(0);
    let byte = |number: u64| u8::try_from(number & 3).unwrap_or(0);
    let key = command.keys().next().map_or(0, |key| key.0);
    let value = command.value().map_or(0, |value| value.0);
    let data = byte(key & 1) | byte(value) << 1;
    Choice { function: u8::try_from(function).unwrap_or(0), data, parts: 0 }
}

fn place<'a>(names: &[&'a str], which: u8) -> Option<&'a str> {
    let place = usize::from(which).checked_rem(names.len())?;
    names.get(place).copied()
}

fn single(function: &str, data: u8) -> Command {
    let value = Value(1 + u64::from(data >> 1 & 3));
    let expected = Value(1 + u64::from(data >> 3 & 3));
    on_key(function, Key(u64::from(data & 1)), expected, value)
}

/// The call of a function on one key; a transaction of a change and a read.
pub(crate) fn call(functions: &[&str], function: &str, key: Key, value: Value) -> Command {
    if function != "txn" {
        return on_key(function, key, value, value);
    }
    let change = functions.iter().find(|name| **name != "read" && **name != "txn");
    let change = on_key(change.copied().unwrap_or("read"), key, value, value);
    Command::Transaction(vec![change, Command::Read { key }])
}

fn on_key(function: &str, key: Key, expected: Value, value: Value) -> Command {
    match function {
        "write" => Command::Write { key, value },
        "cas" => Command::Cas { key, expected, value },
        "append" => Command::Append { key, value },
        "delete" => Command::Delete { key },
        "add" => Command::Add { key, value },
        "propose" => Command::Propose { key, value },
        _ => Command::Read { key },
    }
}

/// The workloads that a system can serve, in the order in which it lists them.
pub(crate) fn workloads(vocabulary: &Vocabulary) -> impl Iterator<Item = WorkloadKind> {
    let named = |name: &&str| WorkloadKind::ALL.iter().find(|kind| kind.name() == *name).copied();
    vocabulary.workloads.iter().filter_map(named)
}

/// What a system is asked for where nothing else is wanted.
pub(crate) fn workload(vocabulary: &Vocabulary) -> Workload {
    let kind = workloads(vocabulary).next().unwrap_or(WorkloadKind::Register);
    Workload { kind, ..Workload::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[&str] = &["read", "write", "cas", "append", "delete", "add", "propose", "txn"];

    #[test]
    fn every_function_is_asked_for_by_its_place_and_found_again() {
        for (function, name) in (0..).zip(ALL) {
            let asked = command(ALL, Choice { function, data: 0b11, parts: 0b101 });
            assert_eq!(asked.function(), *name);
            assert!(!asked.parts().is_empty());
            let again = command(ALL, Choice { parts: 0b101, ..choice_of(ALL, &asked) });
            assert_eq!(again.function(), *name);
            assert_eq!(again.keys().next(), asked.keys().next());
        }
    }

    #[test]
    fn the_parts_of_a_transaction_are_no_transactions() {
        for parts in 0..=u8::MAX {
            let asked = command(ALL, Choice { function: 7, data: parts, parts });
            assert!(asked.parts().iter().all(|part| part.function() != "txn"), "{asked}");
        }
    }
}

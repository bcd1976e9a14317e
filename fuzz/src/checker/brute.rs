//! Linearizability by its definition (Herlihy and Wing 1990): all orders are tried.
//!
//! Nothing here is taken from the checker, and nothing is clever: operations of all keys are ordered together, on
//! registers that hold nothing at first.

use std::collections::BTreeMap;

use quorate_checkers::history::{Key, Operation, Outcome, Value};

/// Registers by key; what is not there holds nothing.
type Registers = BTreeMap<Option<Key>, Value>;

/// Whether there is an order of the operations that keeps to real time, has all that were done, any of the writes of
/// which nobody knows, and in which every read returns what was last written.
pub(super) fn is_legal(operations: &[Operation]) -> bool {
    let mut left: Vec<&Operation> = operations.iter().filter(|o| may_have_happened(o)).collect();
    some_order_works(&mut left, &Registers::new())
}

/// Failed operations have not happened; and whether a read that returned nothing has, nobody can tell.
fn may_have_happened(operation: &Operation) -> bool {
    match operation.outcome {
        Outcome::Ok(_) => true,
        Outcome::Fail => false,
        Outcome::Info | Outcome::Pending => operation.f == "write",
    }
}

fn must_have_happened(operation: &Operation) -> bool {
    matches!(operation.outcome, Outcome::Ok(_))
}

fn some_order_works(left: &mut Vec<&Operation>, registers: &Registers) -> bool {
    if !left.iter().any(|operation| must_have_happened(operation)) {
        return true;
    }
    for place in 0..left.len() {
        let next = left.remove(place);
        let is_first = !left.iter().any(|other| ended_before(other, next));
        let works = is_first
            && after(registers, next).is_some_and(|registers| some_order_works(left, &registers));
        left.insert(place, next);
        if works {
            return true;
        }
    }
    false
}

/// Whether `first` was done before `second` was asked for.
fn ended_before(first: &Operation, second: &Operation) -> bool {
    must_have_happened(first) && first.complete.is_some_and(|end| end < second.invoke)
}

/// What the registers hold after an operation; nothing if it cannot have had its result.
fn after(registers: &Registers, operation: &Operation) -> Option<Registers> {
    let mut registers = registers.clone();
    if operation.f == "write" {
        registers.insert(operation.key, operation.input.clone());
        return Some(registers);
    }
    let held = registers.get(&operation.key).cloned().unwrap_or_default();
    match &operation.outcome {
        Outcome::Ok(seen) => (*seen == held).then_some(registers),
        Outcome::Fail | Outcome::Info | Outcome::Pending => None,
    }
}

/// A set without an operation and, if it is a write, without the reads that return what it wrote.
pub(super) fn without(set: &[Operation], gone: &Operation) -> Vec<Operation> {
    let saw_it = |other: &Operation| {
        gone.f == "write" && other.f == "read" && other.outcome == Outcome::Ok(gone.input.clone())
    };
    let stays = |other: &&Operation| other.invoke != gone.invoke && !saw_it(other);
    set.iter().filter(stays).cloned().collect()
}

/// What the register holds after operations of a set in this order, by the indices of their invocations; or why they
/// cannot have happened in it.
pub(super) fn follow(set: &[Operation], order: &[u64]) -> Result<String, String> {
    let mut left: Vec<&Operation> = set.iter().filter(|o| may_have_happened(o)).collect();
    let mut registers = Registers::new();
    for index in order {
        let place = left.iter().position(|operation| operation.invoke == *index);
        let next = left.remove(place.ok_or(format!("{index} is none of them, or was before"))?);
        if left.iter().any(|other| ended_before(other, next)) {
            return Err(format!("{index} comes too early"));
        }
        registers = after(&registers, next).ok_or(format!("{index} had another result"))?;
    }
    if left.iter().any(|operation| must_have_happened(operation)) {
        return Err("some are missing".to_owned());
    }
    let held = registers.into_values().next().unwrap_or_default();
    Ok(held.to_string())
}

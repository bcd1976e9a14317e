//! Linearizability by its definition (Herlihy and Wing 1990): all orders are tried.
//!
//! Nothing here is taken from the checker, and nothing is clever: operations of all keys are ordered together, on
//! registers that hold nothing at first.

use std::collections::BTreeMap;

use quorate_checkers::history::{Key, Operation, Outcome, Value};

/// Whether there is an order of the operations that keeps to real time, has all that were done, any of the writes of
/// which nobody knows, and in which every read returns what was last written.
pub(super) fn is_legal(operations: &[Operation]) -> bool {
    let mut left: Vec<Event<'_>> = operations.iter().filter_map(Event::of).collect();
    some_order_works(&mut left, &mut Registers::default())
}

/// An operation that was done, or may have been.
#[derive(Clone, Copy)]
struct Event<'a> {
    key: Option<Key>,
    begun: u64,
    /// Nothing if nobody knows: it may have happened at any time, or never.
    ended: Option<u64>,
    act: Act<'a>,
}

#[derive(Clone, Copy)]
enum Act<'a> {
    Write(&'a Value),
    Read(&'a Value),
}

impl<'a> Event<'a> {
    /// Failed operations have not happened; and whether a read that returned nothing has, nobody can tell.
    fn of(operation: &'a Operation) -> Option<Self> {
        let is_write = operation.f == "write";
        let (ended, act) = match &operation.outcome {
            Outcome::Ok(_) if is_write => (operation.complete, Act::Write(&operation.input)),
            Outcome::Ok(seen) => (operation.complete, Act::Read(seen)),
            Outcome::Info | Outcome::Pending if is_write => (None, Act::Write(&operation.input)),
            Outcome::Fail | Outcome::Info | Outcome::Pending => return None,
        };
        Some(Self { key: operation.key, begun: operation.invoke, ended, act })
    }

    /// Whether it was over before the other one began.
    fn is_before(&self, other: &Self) -> bool {
        self.ended.is_some_and(|ended| ended < other.begun)
    }
}

/// What was written last to each key; nothing at first.
#[derive(Default)]
struct Registers<'a>(BTreeMap<Option<Key>, &'a Value>);

impl<'a> Registers<'a> {
    /// Lets an operation happen, and hands back what its register held before; nothing if it cannot have had its result.
    fn happen(&mut self, event: &Event<'a>) -> Option<&'a Value> {
        let before = self.0.get(&event.key).copied().unwrap_or(&Value::Nil);
        match event.act {
            Act::Write(value) => {
                self.0.insert(event.key, value);
                Some(before)
            }
            Act::Read(seen) => (seen == before).then_some(before),
        }
    }

    fn put_back(&mut self, key: Option<Key>, before: &'a Value) {
        self.0.insert(key, before);
    }
}

fn some_order_works<'a>(left: &mut Vec<Event<'a>>, registers: &mut Registers<'a>) -> bool {
    if left.iter().all(|event| event.ended.is_none()) {
        return true;
    }
    for place in 0..left.len() {
        let next = left.remove(place);
        let is_first = !left.iter().any(|other| other.is_before(&next));
        if let Some(before) = is_first.then(|| registers.happen(&next)).flatten() {
            let works = some_order_works(left, registers);
            registers.put_back(next.key, before);
            if works {
                return true;
            }
        }
        left.insert(place, next);
    }
    false
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
    let mut left: Vec<Event<'_>> = set.iter().filter_map(Event::of).collect();
    let mut registers = Registers::default();
    for index in order {
        let place = left.iter().position(|event| event.begun == *index);
        let next = left.remove(place.ok_or(format!("{index} is none of them, or was before"))?);
        if left.iter().any(|other| other.is_before(&next)) {
            return Err(format!("{index} comes too early"));
        }
        registers.happen(&next).ok_or(format!("{index} had another result"))?;
    }
    if left.iter().any(|event| event.ended.is_some()) {
        return Err("some are missing".to_owned());
    }
    let held = registers.0.into_values().next().unwrap_or(&Value::Nil);
    Ok(held.to_string())
}

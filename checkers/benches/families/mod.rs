//! Histories of one busy object, by family: of a container (`containers`), or of a register: clients without think time, half of the operations reads.
//!
//! A name says what there is in it: `u` unique written values, `f` five values, `k` five values and 30 % compare-and-set
//! (refused ones did not happen); then `b` for one stale
//! read half way, and `p3` or `p10` for so many percent of operations that nobody knows the end of.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a generator for people who measure, of small numbers"
)]

mod containers;

use std::str::FromStr;

use quorate_checkers::history::{Key, Operation, Outcome, ProcessId, Time, Value};

/// The history of a family with so many clients and operations, the same each time, and the model that it is judged by.
pub(crate) fn drawn(
    name: &str,
    clients: usize,
    operations: usize,
) -> Result<(&'static str, Vec<Operation>), String> {
    if let Ok(family) = name.parse::<containers::Family>() {
        return Ok((family.model(), family.history(clients, operations)));
    }
    let family: Family = name.parse()?;
    Ok((family.model(), family.history(clients, operations)))
}

/// What a history is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Family {
    values: Values,
    has_stale_read: bool,
    crashed_percent: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    Unique,
    Few,
    Swapped,
}

impl FromStr for Family {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let (kinds, crashed) = name.split_once('p').unwrap_or((name, "0"));
        let (first, rest) = kinds.split_at_checked(1).unwrap_or((kinds, ""));
        let values = match first {
            "u" => Values::Unique,
            "f" => Values::Few,
            "k" => Values::Swapped,
            _ => return Err(format!("no family is named `{name}`; expected u, f or k first")),
        };
        if !["", "b"].contains(&rest) {
            return Err(format!("the family `{name}` has `{rest}`; expected b, or nothing"));
        }
        let crashed_percent =
            crashed.parse().map_err(|_| format!("`{crashed}` is no percentage"))?;
        Ok(Self { values, has_stale_read: rest == "b", crashed_percent })
    }
}

impl Family {
    /// The model that it is judged by.
    fn model(self) -> &'static str {
        match self.values {
            Values::Unique | Values::Few => "register",
            Values::Swapped => "cas-register",
        }
    }

    /// So many operations of so many clients, the same each time.
    fn history(self, clients: usize, operations: usize) -> Vec<Operation> {
        let mut world = World {
            family: self,
            rolls: Rolls::new(),
            operations: Vec::with_capacity(operations),
            stale_at: if self.has_stale_read { operations / 2 } else { usize::MAX },
            attempts: 500,
            past: vec![None],
            clients: Vec::new(),
            index: 0,
        };
        for process in 0..clients as u64 {
            world.clients.push(Client { process, busy: None });
        }
        world.run(operations);
        world.operations
    }
}

struct World {
    family: Family,
    rolls: Rolls,
    operations: Vec<Operation>,
    /// A read that began with this many operations or later returns what was there long ago, once.
    stale_at: usize,
    /// So many reads are tried before the history is left without a stale one.
    attempts: usize,
    /// What the register has held, the present value last.
    past: Vec<Option<i64>>,
    clients: Vec<Client>,
    index: u64,
}

struct Client {
    process: u64,
    /// The place of its operation, how many values the register had held when that began, and what came of it.
    busy: Option<(usize, usize, Option<Outcome>)>,
}

impl World {
    fn run(&mut self, operations: usize) {
        for place in 0..self.clients.len() {
            self.invoke(place, operations);
        }
        while self.clients.iter().any(|client| client.busy.is_some()) {
            let place = self.rolls.below(self.clients.len() as u64) as usize;
            match self.clients[place].busy.take() {
                None => {}
                Some((at, held, None)) => {
                    let outcome = self.effect(at);
                    self.clients[place].busy = Some((at, held, Some(outcome)));
                }
                Some((at, held, Some(outcome))) => {
                    let stale = self.stale(at, held);
                    self.complete(place, at, stale.unwrap_or(outcome));
                    self.invoke(place, operations);
                }
            }
        }
    }

    fn invoke(&mut self, place: usize, operations: usize) {
        let at = self.operations.len();
        if at >= operations {
            return;
        }
        let written = match self.family.values {
            Values::Unique => at as i64,
            Values::Few | Values::Swapped => self.rolls.below(5) as i64,
        };
        let swaps = self.family.values == Values::Swapped;
        let (f, input) = match self.rolls.below(100) {
            0..50 => ("read", Value::Nil),
            50..80 if swaps => {
                let expected = self.rolls.below(5) as i64;
                ("cas", Value::List(vec![Value::Int(expected), Value::Int(written)]))
            }
            _ => ("write", Value::Int(written)),
        };
        self.operations.push(Operation {
            invoke: self.index,
            complete: None,
            process: ProcessId(self.clients[place].process),
            f: f.into(),
            key: Some(Key(0)),
            input,
            outcome: Outcome::Pending,
            invoked_at: Time(self.index * 1_000),
            completed_at: None,
            error: None,
        });
        self.clients[place].busy = Some((at, self.past.len(), None));
        self.index += 1;
    }

    fn effect(&mut self, at: usize) -> Outcome {
        let now = self.past.last().copied().flatten();
        match self.operations[at].input.clone() {
            Value::Nil => Outcome::Ok(now.map_or(Value::Nil, Value::Int)),
            Value::Int(written) => {
                self.past.push(Some(written));
                Outcome::Ok(Value::Int(written))
            }
            Value::List(pair) => {
                let found = now.map_or(Value::Nil, Value::Int);
                if pair[0] != found {
                    return Outcome::Fail;
                }
                if let Value::Int(written) = pair[1] {
                    self.past.push(Some(written));
                }
                Outcome::Ok(Value::List(pair))
            }
            Value::Text(text) => panic!("{text:?} is never written"),
        }
    }

    /// A value that was not there since the read began, and that nobody can have written meanwhile.
    fn stale(&mut self, at: usize, held: usize) -> Option<Outcome> {
        let is_read = self.operations[at].input == Value::Nil;
        if at < self.stale_at || self.attempts == 0 || !is_read {
            return None;
        }
        self.attempts -= 1;
        let began = self.operations[at].invoke;
        let seen = self.past.get(held - 1..)?;
        let is_overlapping =
            |other: &&Operation| other.definite_end().is_none_or(|end| end > began);
        let meanwhile: Vec<&Operation> = self.operations.iter().filter(is_overlapping).collect();
        let is_written = |value: i64| {
            meanwhile.iter().any(|other| match &other.input {
                Value::Int(written) => *written == value,
                Value::List(pair) => pair[1] == Value::Int(value),
                Value::Nil | Value::Text(_) => false,
            })
        };
        // Whoever wrote what came next has ended as well.
        let long_ago = held.saturating_sub(3 * self.clients.len());
        let mut before = self.past.iter().take(long_ago).rev().flatten().copied();
        let stale = before.find(|value| !seen.contains(&Some(*value)) && !is_written(*value))?;
        self.stale_at = usize::MAX;
        Some(Outcome::Ok(Value::Int(stale)))
    }

    fn complete(&mut self, place: usize, at: usize, outcome: Outcome) {
        let is_crashed = self.rolls.below(100) < self.family.crashed_percent;
        if is_crashed {
            self.clients[place].process += self.clients.len() as u64;
        }
        let operation = &mut self.operations[at];
        operation.complete = Some(self.index);
        operation.completed_at = Some(Time(self.index * 1_000));
        operation.outcome = if is_crashed { Outcome::Info } else { outcome };
        self.index += 1;
    }
}

/// The same numbers each time: xorshift64* (Marsaglia 2003).
struct Rolls(u64);

impl Rolls {
    fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }
}

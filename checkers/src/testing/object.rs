//! Objects as a person would write them.

use std::collections::BTreeMap;

use super::orders::have_order;
use crate::history::{Operation, Outcome, Value};

/// An object that histories are of: the name of its model, and what differs between histories of runs and others.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) model: &'static str,
    /// What each key holds at first.
    pub(crate) initial: Value,
    /// Values are of other kinds than numbers too, and a `cas` that is refused was done, and answers with this.
    pub(crate) refusal: Option<Value>,
}

/// What keys hold.
pub(super) type State = BTreeMap<u64, Value>;

impl Object {
    /// As histories of runs have it.
    pub(crate) fn of(model: &'static str) -> Self {
        let initial = match model {
            "kv" => Value::Text(String::new()),
            "lease" => list(&[0, 0]),
            _ => Value::Nil,
        };
        Self { model, initial, refusal: None }
    }

    /// All that can come of an operation: what keys hold afterwards, and what is answered. Nothing where it is refused
    /// and not done.
    pub(super) fn outcomes(
        &self,
        state: &State,
        f: &str,
        key: Option<u64>,
        argument: &Value,
    ) -> Vec<(State, Value)> {
        if self.model == "multi-register" {
            return vec![self.of_registers(state, f, argument)];
        }
        let (true, Value::List(parts)) = (f == "txn", argument) else {
            return self.done(state, f, key.unwrap(), argument);
        };
        let mut after = state.clone();
        let mut results = Vec::new();
        for part in parts {
            let Value::List(part) = part else { panic!("{part}") };
            let [Value::Text(word), Value::Int(key), argument] = part.as_slice() else { panic!() };
            let mut done = self.done(&after, word, key.cast_unsigned(), argument).into_iter();
            let Some((next, result)) = done.next() else { return Vec::new() };
            after = next;
            results.push(triple(word, *key, result));
        }
        vec![(after, Value::List(results))]
    }

    /// All that can come of one thing done to one key; what a read sees, else the argument.
    fn done(&self, state: &State, f: &str, key: u64, argument: &Value) -> Vec<(State, Value)> {
        let held = state.get(&key).unwrap_or(&self.initial);
        let results: Vec<(Value, Value)> = match self.model {
            "unordered-queue" => bag(held, f, argument),
            "lease" => lease(held, f, argument),
            _ => self.one(held, f, argument).into_iter().collect(),
        };
        let put = |(after, result): (Value, Value)| {
            let mut state = state.clone();
            state.insert(key, after);
            (state, result)
        };
        results.into_iter().map(put).collect()
    }

    fn one(&self, held: &Value, f: &str, argument: &Value) -> Option<(Value, Value)> {
        let after = match (f, held, argument) {
            ("read" | "r" | "get", _, _) => return Some((held.clone(), held.clone())),
            ("write" | "w" | "put", _, _) | ("add", Value::Nil, _) => argument.clone(),
            ("delete", _, _) | ("release", Value::Int(_), _) => Value::Nil,
            ("cas", _, Value::List(pair)) if pair[0] == *held => pair[1].clone(),
            ("cas", _, _) => return self.refusal.clone().map(|refusal| (held.clone(), refusal)),
            ("append", Value::Nil, _) => Value::List(vec![argument.clone()]),
            ("append", Value::List(values), _) => {
                Value::List([values.as_slice(), std::slice::from_ref(argument)].concat())
            }
            ("append", Value::Text(held), Value::Text(end)) => Value::Text(format!("{held}{end}")),
            ("add", Value::Int(sum), Value::Int(amount)) => Value::Int(sum + amount),
            ("acquire", Value::Nil, _) => Value::Int(1),
            ("enqueue" | "push" | "insert", _, _) => {
                let mut elements = elements(held);
                let at = match f {
                    "enqueue" => elements.len(),
                    "push" => 0,
                    _ => {
                        elements.iter().position(|other| other > argument).unwrap_or(elements.len())
                    }
                };
                elements.insert(at, argument.clone());
                Value::List(elements)
            }
            ("dequeue" | "pop" | "extract", _, _) => {
                let mut elements = elements(held);
                let taken = if elements.is_empty() { Value::Nil } else { elements.remove(0) };
                return Some((Value::List(elements), taken));
            }
            _ => return None,
        };
        Some((after, argument.clone()))
    }

    /// Several registers at once.
    fn of_registers(&self, state: &State, f: &str, argument: &Value) -> (State, Value) {
        let mut after = state.clone();
        let mut seen = Vec::new();
        for part in elements(argument) {
            let Value::List(part) = part else { panic!("{part}") };
            let (word, key, value) = match part.as_slice() {
                [Value::Text(word), Value::Int(key), value] => (word.as_str(), *key, value),
                [Value::Int(key), value] => (f, *key, value),
                _ => panic!("{part:?}"),
            };
            let held = after.get(&key.cast_unsigned()).unwrap_or(&self.initial).clone();
            let told = if word == "read" { held } else { value.clone() };
            after.insert(key.cast_unsigned(), told.clone());
            let pair = vec![Value::Int(key), told];
            let name = (f == "txn").then(|| Value::Text(word.to_owned()));
            seen.push(Value::List(name.into_iter().chain(pair).collect()));
        }
        (after, Value::List(seen))
    }

    /// Whether what was returned is what would have been.
    fn is_alike(&self, told: &Value, right: &Value) -> bool {
        let nothing = match self.model {
            "counter" => Value::Int(0),
            _ => Value::Nil,
        };
        let plain = |value: &Value| match value {
            Value::Nil => nothing.clone(),
            Value::List(values) if values.is_empty() => nothing.clone(),
            Value::List(values) if self.model == "set" => {
                let mut values = values.clone();
                values.sort();
                Value::List(values)
            }
            other => other.clone(),
        };
        plain(told) == plain(right)
    }
}

/// A container that gives any of its elements.
fn bag(held: &Value, f: &str, argument: &Value) -> Vec<(Value, Value)> {
    let mut elements = elements(held);
    if f == "enqueue" {
        elements.push(argument.clone());
        elements.sort();
        return vec![(Value::List(elements), argument.clone())];
    }
    if elements.is_empty() {
        return vec![(held.clone(), Value::Nil)];
    }
    let without = |place: usize| {
        let mut rest = elements.clone();
        let taken = rest.remove(place);
        (Value::List(rest), taken)
    };
    (0..elements.len()).map(without).collect()
}

/// A lease with its holder, 0 if there is none, and the token that was given last.
fn lease(held: &Value, f: &str, holder: &Value) -> Vec<(Value, Value)> {
    let Value::List(parts) = held else { panic!("{held}") };
    let [Value::Int(now), Value::Int(token)] = parts[..] else { panic!("{held}") };
    let Value::Int(holder) = *holder else { panic!("{holder}") };
    match f {
        "acquire" if now == 0 => (token + 1..=TOKEN_MAX)
            .map(|token| (list(&[holder, token]), list(&[holder, token])))
            .collect(),
        "renew" if now == holder => vec![(held.clone(), held.clone())],
        "release" | "expire" if now == holder => vec![(list(&[0, token]), Value::Int(holder))],
        _ => Vec::new(),
    }
}

/// As many tokens as small histories have, and some more.
const TOKEN_MAX: i64 = 10;

fn elements(held: &Value) -> Vec<Value> {
    if let Value::List(elements) = held { elements.clone() } else { Vec::new() }
}

pub(super) fn list(values: &[i64]) -> Value {
    Value::List(values.iter().copied().map(Value::Int).collect())
}

pub(super) fn triple(word: &str, key: i64, value: Value) -> Value {
    Value::List(vec![Value::Text(word.to_owned()), Value::Int(key), value])
}

/// Whether there is an order of operations on this object.
pub(crate) fn has_order(object: &Object, all: &[Operation]) -> bool {
    have_order(all, &State::new(), |state, operation| {
        let key = operation.key.map(|key| key.0);
        // What invoked a read of several registers names them only in its result.
        let argument = match (object.model, operation.f.as_str(), &operation.outcome) {
            ("multi-register", "read", Outcome::Ok(seen)) => seen,
            _ => &operation.input,
        };
        let fits = |right: &Value| match &operation.outcome {
            Outcome::Ok(told) => object.is_alike(told, right),
            Outcome::Fail | Outcome::Info | Outcome::Pending => true,
        };
        let outcomes = object.outcomes(state, &operation.f, key, argument).into_iter();
        outcomes.filter(|(_, right)| fits(right)).map(|(after, _)| after).collect()
    })
}

//! What keys hold, and linearizability by its definition (Herlihy and Wing 1990): all orders are tried.
//!
//! Nothing here is taken from the checker, and nothing is clever.

use std::collections::BTreeMap;

use quorate_checkers::history::{Operation, Outcome, Value};

/// What every key holds; nothing at first.
#[derive(Clone, Default)]
pub(super) struct Object(BTreeMap<i64, Value>);

impl Object {
    /// Lets an operation happen as a whole, and hands back what its completion tells; nothing if it cannot happen.
    pub(super) fn happen(&mut self, f: &str, key: Option<i64>, argument: &Value) -> Option<Value> {
        if f != "txn" {
            return self.happen_once(f, key?, argument);
        }
        let mut copy = self.clone();
        let told = parts(argument).into_iter().map(|(word, key, argument)| {
            let told = copy.happen_once(word, key, argument)?;
            Some(part(word, key, told))
        });
        let told = Value::List(told.collect::<Option<Vec<Value>>>()?);
        *self = copy;
        Some(told)
    }

    fn happen_once(&mut self, f: &str, key: i64, argument: &Value) -> Option<Value> {
        let held = self.0.get(&key).cloned().unwrap_or_default();
        let after = match (f, held, argument) {
            ("read" | "r", held, _) => return Some(held),
            ("write" | "w", _, value) | ("add", Value::Nil, value) => value.clone(),
            ("delete", _, _) => Value::Nil,
            ("cas", held, Value::List(pair)) => match pair.as_slice() {
                [expected, new] if *expected == held => new.clone(),
                _ => return None,
            },
            ("append", Value::Nil, value) => Value::List(vec![value.clone()]),
            ("append", Value::List(mut values), value) => {
                values.push(value.clone());
                Value::List(values)
            }
            ("add", Value::Int(sum), Value::Int(amount)) => Value::Int(sum + amount),
            _ => return None,
        };
        self.0.insert(key, after);
        Some(argument.clone())
    }
}

/// A part of a transaction.
pub(super) fn part(word: &str, key: i64, value: Value) -> Value {
    Value::List(vec![Value::Text(word.to_owned()), Value::Int(key), value])
}

fn parts(argument: &Value) -> Vec<(&str, i64, &Value)> {
    let Value::List(parts) = argument else { return Vec::new() };
    parts.iter().filter_map(of_part).collect()
}

/// A part's function, key and value.
fn of_part(part: &Value) -> Option<(&str, i64, &Value)> {
    let Value::List(items) = part else { return None };
    match items.as_slice() {
        [Value::Text(word), Value::Int(key), value] => Some((word, *key, value)),
        _ => None,
    }
}

/// Whether there is an order of the operations that keeps to real time, has all that were done and any of those of which
/// nobody knows, and in which each returns what it did.
pub(super) fn has_order(model: &str, operations: &[Operation]) -> bool {
    let mut left: Vec<&Operation> =
        operations.iter().filter(|operation| operation.outcome != Outcome::Fail).collect();
    some_order_works(model, &mut left, &Object::default())
}

fn some_order_works(model: &str, left: &mut Vec<&Operation>, object: &Object) -> bool {
    if left.iter().all(|operation| operation.definite_end().is_none()) {
        return true;
    }
    for place in 0..left.len() {
        let next = left.remove(place);
        let is_first =
            !left.iter().any(|other| other.definite_end().is_some_and(|end| end < next.invoke));
        let mut after = object.clone();
        let key = next.key.map(|key| key.0.cast_signed());
        let told = if is_first { after.happen(&next.f, key, &next.input) } else { None };
        let fits = told.is_some_and(|told| match &next.outcome {
            Outcome::Ok(value) => plain(model, value) == plain(model, &told),
            Outcome::Fail | Outcome::Info | Outcome::Pending => true,
        });
        let works = fits && some_order_works(model, left, &after);
        left.insert(place, next);
        if works {
            return true;
        }
    }
    false
}

/// A value as the model sees it: a set has no order, an empty list is nothing, and a counter begins at 0.
fn plain(model: &str, value: &Value) -> Value {
    match value {
        Value::Nil if model == "counter" => Value::Int(0),
        Value::List(values) if values.is_empty() => Value::Nil,
        Value::List(values) if model == "set" => {
            let mut values = values.clone();
            values.sort();
            Value::List(values)
        }
        Value::List(values) => {
            Value::List(values.iter().map(|value| plain(model, value)).collect())
        }
        Value::Nil | Value::Int(_) | Value::Text(_) => value.clone(),
    }
}

//! The models for histories of other programs against all orders, tried one by one, on random histories of a real object.

use quorate_checkers::history::{Operation, Outcome, ProcessId, Time, Value};
use quorate_checkers::linearizability::{Budget, check};
use quorate_checkers::model::{Cell, Kv};
use quorate_checkers::verdict::Verdict;

/// An object as a person would write it: what it holds afterwards, and what it answers. `refused` answers a `cas`.
type Object = fn(held: &Value, f: &str, input: &Value) -> (Value, Value);

fn refused() -> Value {
    Value::Text(Cell::REFUSED.to_owned())
}

fn cell(held: &Value, f: &str, input: &Value) -> (Value, Value) {
    match (f, input) {
        ("read", _) => (held.clone(), held.clone()),
        ("write", value) => (value.clone(), Value::Nil),
        ("cas", Value::List(pair)) if pair[0] == *held => (pair[1].clone(), Value::Nil),
        ("cas", _) => (held.clone(), refused()),
        _ => panic!("{f}"),
    }
}

fn kv(held: &Value, f: &str, input: &Value) -> (Value, Value) {
    match (f, held, input) {
        ("get", _, _) => (held.clone(), held.clone()),
        ("put", _, _) => (input.clone(), Value::Nil),
        ("append", Value::Text(held), Value::Text(end)) => {
            (Value::Text(format!("{held}{end}")), Value::Nil)
        }
        _ => panic!("{f} {held}"),
    }
}

/// Random numbers, always the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn cell_operation(&mut self) -> (&'static str, Value) {
        let value = |dice: &mut Self| match dice.below(4) {
            0 => Value::Nil,
            number => Value::Int(number.cast_signed()),
        };
        match self.below(3) {
            0 => ("read", Value::Nil),
            1 => ("write", value(self)),
            _ => ("cas", Value::List(vec![value(self), value(self)])),
        }
    }

    fn kv_operation(&mut self) -> (&'static str, Value) {
        let piece = ["a", "b", "ab", ""][usize::try_from(self.below(4)).unwrap()];
        match self.below(5) {
            0 | 1 => ("get", Value::Nil),
            2 => ("put", Value::Text(piece.to_owned())),
            _ => ("append", Value::Text(piece.to_owned())),
        }
    }
}

/// A history of up to three processes on a real object, in which one answer in eight is another one's.
fn random(
    dice: &mut Dice,
    object: Object,
    initial: &Value,
    operation: fn(&mut Dice) -> (&'static str, Value),
) -> Vec<Operation> {
    let mut held = initial.clone();
    let mut operations: Vec<Operation> = Vec::new();
    let mut open: [Option<usize>; 3] = [None; 3];
    let count = 3 + usize::try_from(dice.below(5)).unwrap();
    for index in 0..40 {
        let process = usize::try_from(dice.below(3)).unwrap();
        let Some(place) = open[process].take() else {
            if operations.len() < count {
                let (f, input) = operation(dice);
                open[process] = Some(operations.len());
                operations.push(begun(index, process as u64, f, input));
            }
            continue;
        };
        let done = &mut operations[place];
        let (after, answer) = object(&held, &done.f, &done.input);
        if dice.chance(15) {
            if dice.chance(50) {
                held = after;
            }
            done.outcome = Outcome::Info;
        } else if dice.chance(5) {
            done.outcome = Outcome::Fail;
        } else {
            held = after;
            done.outcome = Outcome::Ok(answer);
        }
        done.complete = Some(index);
    }
    let answers: Vec<Outcome> =
        operations.iter().filter(|o| o.is_ok()).map(|o| o.outcome.clone()).collect();
    for operation in operations.iter_mut().filter(|operation| operation.is_ok()) {
        let other = usize::try_from(dice.below(answers.len() as u64)).unwrap();
        let is_answer = |f: &str, outcome: &Outcome| match f {
            "cas" => [Outcome::Ok(Value::Nil), Outcome::Ok(refused())].contains(outcome),
            "get" => matches!(outcome, Outcome::Ok(Value::Text(_))),
            f => f == "read" && *outcome != Outcome::Ok(refused()),
        };
        if dice.chance(12) && is_answer(&operation.f, &answers[other]) {
            operation.outcome = answers[other].clone();
        }
    }
    operations
}

fn begun(index: u64, process: u64, f: &str, input: Value) -> Operation {
    Operation {
        invoke: index,
        complete: None,
        process: ProcessId(process),
        f: f.to_owned(),
        key: None,
        input,
        outcome: Outcome::Pending,
        invoked_at: Time(index),
        completed_at: None,
        error: None,
    }
}

/// Whether the rest can follow: whatever failed is left out, and what is unknown may be.
fn has_order(held: &Value, rest: &[&Operation], object: Object) -> bool {
    let first_end = rest.iter().filter_map(|operation| operation.definite_end()).min();
    let Some(first_end) = first_end else { return true };
    rest.iter().enumerate().filter(|(_, next)| next.invoke < first_end).any(|(place, next)| {
        let others = [&rest[..place], &rest[place + 1..]].concat();
        let (after, answer) = object(held, &next.f, &next.input);
        let agrees = match &next.outcome {
            Outcome::Ok(told) => *told == answer,
            _ => true,
        };
        agrees && has_order(&after, &others, object)
    })
}

fn agree(
    object: Object,
    initial: &Value,
    operation: fn(&mut Dice) -> (&'static str, Value),
    verdict: impl Fn(&[Operation]) -> Verdict,
) {
    let mut dice = Dice(7);
    let mut counts = [0, 0];
    for _ in 0..3_000 {
        let operations = random(&mut dice, object, initial, operation);
        let rest: Vec<&Operation> =
            operations.iter().filter(|operation| operation.outcome != Outcome::Fail).collect();
        let is_legal = has_order(initial, &rest, object);
        let expected = if is_legal { Verdict::Valid } else { Verdict::Invalid };
        assert_eq!(verdict(&operations), expected, "{operations:#?}");
        counts[usize::from(is_legal)] += 1;
    }
    assert!(counts.iter().all(|count| *count > 300), "{counts:?}");
}

#[test]
fn a_cell_is_judged_as_by_all_orders() {
    for initial in [Value::Nil, Value::Int(1)] {
        let model = Cell { initial: initial.clone(), is_nil_read_wildcard: false };
        let verdict =
            |operations: &[Operation]| check(&model, operations, Budget::default()).verdict;
        agree(cell, &initial, Dice::cell_operation, verdict);
    }
}

#[test]
fn a_text_is_judged_as_by_all_orders() {
    for initial in ["", "ab"] {
        let model = Kv { initial: initial.to_owned(), is_nil_read_wildcard: false };
        let verdict =
            |operations: &[Operation]| check(&model, operations, Budget::default()).verdict;
        agree(kv, &Value::Text(initial.to_owned()), Dice::kv_operation, verdict);
    }
}

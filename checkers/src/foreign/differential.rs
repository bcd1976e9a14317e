//! The models for histories of other programs against all orders, tried one by one, on random histories of a real object.

use crate::history::{Operation, Outcome, ProcessId, Time, Value};
use crate::linearizability::{Budget, check};
use crate::model::{Cell, Kv, Model};
use crate::stream::tests::disagreement;
use crate::testing::Dice;
use crate::verdict::Verdict;

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

fn cell_operation(dice: &mut Dice) -> (&'static str, Value) {
    let value = |dice: &mut Dice| {
        dice.pick(&[None, Some(1), Some(2), Some(3)]).map_or(Value::Nil, Value::Int)
    };
    match dice.below(3) {
        0 => ("read", Value::Nil),
        1 => ("write", value(dice)),
        _ => ("cas", Value::List(vec![value(dice), value(dice)])),
    }
}

fn kv_operation(dice: &mut Dice) -> (&'static str, Value) {
    let piece = Value::Text(dice.pick(&["a", "b", "ab", "c", ""]).to_owned());
    match dice.below(6) {
        0..3 => ("get", Value::Nil),
        3 => ("put", piece),
        _ => ("append", piece),
    }
}

/// A history of up to three processes on a real object, in which many an answer is that to another one.
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
        if dice.chance(10) {
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
        if dice.chance(40) && is_answer(&operation.f, &answers[other]) {
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
    model: &(impl Model + Sync),
) {
    let mut dice = Dice::new(7);
    let mut counts = [0, 0];
    for number in 0..1_000 {
        let operations = random(&mut dice, object, initial, operation);
        let rest: Vec<&Operation> =
            operations.iter().filter(|operation| operation.outcome != Outcome::Fail).collect();
        let is_legal = has_order(initial, &rest, object);
        let expected = if is_legal { Verdict::Valid } else { Verdict::Invalid };
        let verdict = check(model, &operations, Budget::default()).verdict;
        assert_eq!(verdict, expected, "{operations:#?}");
        let has_order = |all: &[Operation]| {
            let rest = all.iter().filter(|operation| operation.outcome != Outcome::Fail);
            has_order(initial, &rest.collect::<Vec<_>>(), object)
        };
        if number % 8 == 0 {
            assert_eq!(disagreement(model, &operations, has_order), None, "{operations:#?}");
        }
        counts[usize::from(is_legal)] += 1;
    }
    assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
}

#[test]
fn a_cell_is_judged_as_by_all_orders() {
    for initial in [Value::Nil, Value::Int(1)] {
        let model = Cell { initial: initial.clone(), is_nil_read_wildcard: false };
        agree(cell, &initial, cell_operation, &model);
    }
}

#[test]
fn a_text_is_judged_as_by_all_orders() {
    for initial in ["", "ab"] {
        let model = Kv { initial: initial.to_owned(), is_nil_read_wildcard: false };
        agree(kv, &Value::Text(initial.to_owned()), kv_operation, &model);
    }
}

//! Sets of elements against all orders tried one by one, on random small histories of three elements.

use std::collections::BTreeSet;

use super::ElementSet;
use crate::history::{Key, Operation, Outcome, ProcessId, Time, Value};
use crate::linearizability::{Budget, Linearizability};
use crate::model::AnyModel;
use crate::model::differential::{from, histories};
use crate::rules::{Rule, without};
use crate::testing::{Dice, Even, have_order};
use crate::verdict::Verdict;

/// Does it, and says what it tells.
fn done(elements: &mut BTreeSet<i64>, f: &str, element: i64) -> bool {
    match f {
        "add" => elements.insert(element),
        "remove" => elements.remove(&element),
        _ => elements.contains(&element),
    }
}

/// A history of a set that now and then says something wrong, and whether it has an order.
fn drawn(seed: u64) -> (Vec<Operation>, bool) {
    let mut dice = Dice::new(seed);
    let reach = dice.pick(&[15, 30, 60, 120]);
    let wrong_percent = dice.pick(&[0, 10, 30, 60]);
    let unknown_percent = dice.pick(&[0, 0, 15, 30]);
    let silent_percent = dice.pick(&[0, 0, 30]);
    let count = 2 + dice.below(7);
    let mut elements = BTreeSet::new();
    let mut events = Vec::new();
    let mut all: Vec<Operation> = Vec::new();
    for place in 0..count {
        let f = dice.pick(&["add", "remove", "contains"]);
        let element = dice.below(3).cast_signed();
        let told = done(&mut elements, f, element) != dice.chance(wrong_percent);
        let result = match f {
            "add" | "remove" if dice.chance(silent_percent) => Value::Int(element),
            _ => Value::Text(told.to_string()),
        };
        let outcome = match dice.below(100) {
            roll if roll < unknown_percent => Outcome::Info,
            99 => Outcome::Fail,
            _ => Outcome::Ok(result),
        };
        let moment = 1_000 + 10 * place;
        events.push((moment - dice.below(reach), place, false));
        events.push((moment + 1 + dice.below(reach), place, true));
        all.push(Operation {
            invoke: 0,
            complete: None,
            process: ProcessId(place),
            f: f.into(),
            key: Some(Key(7)),
            input: Value::Int(element),
            outcome,
            invoked_at: Time(0),
            completed_at: Some(Time(0)),
            error: None,
        });
    }
    events.sort_unstable();
    for (index, (_, place, is_end)) in (0..).zip(events) {
        let operation = &mut all[usize::try_from(place).unwrap()];
        if is_end {
            operation.complete = Some(index);
        } else {
            operation.invoke = index;
        }
    }
    all.sort_by_key(|operation| operation.invoke);
    let expected = has_order(&all);
    (all, expected)
}

/// Whether there is an order.
fn has_order(all: &[Operation]) -> bool {
    have_order(all, &BTreeSet::new(), |elements, operation| {
        let mut after = elements.clone();
        let Value::Int(element) = operation.input else { panic!("{operation:?}") };
        let told = done(&mut after, &operation.f, element);
        let fits = match &operation.outcome {
            Outcome::Ok(Value::Text(text)) => *text == told.to_string(),
            _ => true,
        };
        fits.then_some(after).into_iter().collect()
    })
}

fn judged(all: &[Operation]) -> Linearizability {
    ElementSet.check(all, Budget::default())
}

#[test]
fn sets_of_elements_are_judged_as_all_orders_say() {
    let mut even = Even::after(from());
    for _ in 0..histories() {
        let (all, expected) = even.next(drawn);
        let result = judged(&all);
        let seed = even.seed;
        let verdict = if expected { Verdict::Valid } else { Verdict::Invalid };
        assert_eq!(result.verdict, verdict, "seed {seed}: {:?} {all:#?}", result.sentences());
        for counterexample in result.counterexamples() {
            let shown: Vec<Operation> =
                counterexample.operations.iter().map(|shown| shown.operation.clone()).collect();
            assert!(!has_order(&shown), "seed {seed}: {counterexample:#?}");
            assert!(shown.iter().all(|shown| all.contains(shown)), "as they were recorded");
        }
    }
    println!("{} legal, {} not, seeds to {}", even.legal, even.illegal, even.seed);
}

#[test]
fn every_rule_is_needed() {
    for rule in [Rule::FoundIsThere, Rule::MissedIsAbsent, Rule::ElementsApart] {
        let mut even = Even::after(0);
        let is_caught = (0..2_000).any(|_| {
            let (all, expected) = even.next(drawn);
            let verdict = without(Some(rule), || judged(&all).verdict);
            verdict != if expected { Verdict::Valid } else { Verdict::Invalid }
        });
        assert!(is_caught, "{rule:?}");
    }
}

/// Operations one after another on set 7: a function, its element and its result, as JSON.
fn one_by_one(steps: &[(&str, i64, &str)]) -> Vec<Operation> {
    let operation = |(place, (f, element, result)): (u64, &(&str, i64, &str))| Operation {
        invoke: 2 * place,
        complete: Some(2 * place + 1),
        process: ProcessId(0),
        f: (*f).into(),
        key: Some(Key(7)),
        input: Value::Int(*element),
        outcome: Outcome::Ok(serde_json::from_str(result).unwrap()),
        invoked_at: Time(0),
        completed_at: Some(Time(0)),
        error: None,
    };
    (0..).zip(steps).map(operation).collect()
}

#[test]
fn an_element_comes_and_goes() {
    let yes = r#""true""#;
    let no = r#""false""#;
    let begin = [("contains", 1, no), ("add", 1, yes), ("add", 1, no), ("add", 2, "2")];
    let rest = [("contains", 2, yes), ("remove", 1, yes), ("remove", 1, no), ("add", 1, "null")];
    let all = one_by_one(&[begin, rest].concat());
    let result = judged(&all);
    assert_eq!(result.verdict, Verdict::Valid);
    let [key] = result.keys.as_slice() else { panic!("{result:?}") };
    assert_eq!((key.key, key.operations), (Some(Key(7)), 8));
}

#[test]
fn what_is_wrong_with_an_element_is_said_without_the_others() {
    let yes = r#""true""#;
    let all = one_by_one(&[("add", 1, yes), ("contains", 1, yes), ("contains", 2, yes)]);
    let result = judged(&all);
    assert_eq!(
        result.sentences(),
        ["not linearizable: key 7: contains 2 -> true at index 4, but nobody ever added it"]
    );
    let twice = judged(&one_by_one(&[("add", 2, "2"), ("add", 1, yes), ("add", 1, yes)]));
    let shown: Vec<&str> = twice
        .counterexamples()
        .flat_map(|counterexample| &counterexample.operations)
        .map(|involved| involved.text.as_str())
        .collect();
    assert_eq!(shown, ["add 1 -> true", "add 1 -> true"]);
}

#[test]
fn what_has_no_meaning_is_named() {
    for (f, result, expected) in [
        ("write", "null", "index 0: the model `element-set` has no function `write`"),
        ("contains", "1", "index 1: `contains` returns 1; expected \"true\" or \"false\""),
        ("add", "7", "index 1: `add` returns 7; expected \"true\" or \"false\""),
    ] {
        let result = judged(&one_by_one(&[(f, 1, result)]));
        assert_eq!(result.verdict, Verdict::Unknown);
        let said = result.malformed.unwrap();
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn the_order_that_is_shown_of_a_set_is_one() {
    let mut shown = 0;
    for seed in 0..2_000 {
        let (all, expected) = drawn(seed);
        let orders = ElementSet.orders(&all, Budget::default());
        let [order] = orders.as_slice() else { panic!("seed {seed}: {orders:?}") };
        assert_eq!(order.key, Some(Key(7)));
        assert_eq!((order.order.is_some(), order.why.is_none()), (expected, expected), "{seed}");
        let (mut elements, mut latest, mut left) = (BTreeSet::new(), 0, all.clone());
        for step in order.order.iter().flatten() {
            shown += 1;
            let place = left.iter().position(|operation| operation.invoke == step.operation);
            let operation = left.remove(place.expect("each comes once"));
            let Value::Int(element) = operation.input else { panic!("{operation:?}") };
            latest = operation.invoke.max(latest);
            assert!(operation.definite_end().is_none_or(|end| end > latest), "seed {seed}");
            let told = Value::Text(done(&mut elements, &operation.f, element).to_string());
            let is_silent = operation.outcome == Outcome::Ok(Value::Int(element));
            let is_right = operation.outcome == Outcome::Ok(told);
            assert!(is_right || is_silent || !operation.is_ok(), "seed {seed}: {order:?}");
            let not = if elements.contains(&element) { "" } else { "not " };
            assert_eq!(step.holds, format!("{element} {not}there"));
        }
        assert!(!expected || left.iter().all(|operation| !operation.is_ok()), "seed {seed}");
    }
    assert!(shown > 2_000, "{shown}");
}

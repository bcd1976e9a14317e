//! The checker against brute force.

mod brute;
mod claims;
mod recording;

use quorate_checkers::explain::{Counterexample, timeline};
use quorate_checkers::history::{History, Key, Operation, operations};
use quorate_checkers::linearizability::{Budget, Finding, KeyResult, Linearizability, check};
use quorate_checkers::model::Register;
use quorate_checkers::verdict::Verdict;

use self::recording::{Honesty, record};
use crate::{Seed, Target};

/// A small history is judged as by trying all orders; what is said of one without an order is true; and what a real
/// register answered is never invalid.
///
/// The first byte says whether the register is real; each other one is what a client does next.
pub const TARGET: Target = Target {
    name: "checker",
    about: "Small histories: judged as by trying all orders; explanations are true; real registers are never invalid.",
    body,
    seeds,
    show,
};

/// Of more operations on several keys not all orders are tried at once, but those of each key.
const TOGETHER_MAX: usize = 6;

fn body(input: &[u8]) {
    let (history, honesty) = record(input);
    let all = operations(&history);
    let judged = check(&Register::new(), &all, Budget::default());
    assert_eq!(judged.malformed, None);
    let is_legal =
        judged.keys.iter().map(|result| judge_key(result, &all)).fold(true, |a, b| a & b);
    let verdict = if is_legal { Verdict::Valid } else { Verdict::Invalid };
    assert_eq!(judged.verdict, verdict, "{}", text_of(&history, &judged));
    if all.len() <= TOGETHER_MAX {
        assert_eq!(brute::is_legal(&all), is_legal, "keys are not independent");
    }
    match honesty {
        Honesty::Register => assert!(is_legal, "{}", text_of(&history, &judged)),
        Honesty::Anything => {}
    }
}

/// Whether the operations of a key have a legal order, as the checker must have found.
fn judge_key(result: &KeyResult, all: &[Operation]) -> bool {
    let of_key = of_key(result.key, all);
    assert_eq!(result.operations, of_key.len() as u64);
    let is_legal = brute::is_legal(&of_key);
    match &result.finding {
        Finding::Valid => assert!(is_legal, "said to be valid: {of_key:#?}"),
        Finding::Invalid { counterexample } => {
            assert!(!is_legal, "said to be invalid: {of_key:#?}");
            check_counterexample(counterexample, &of_key);
        }
        Finding::Unknown { reason } => panic!("{reason}: {of_key:#?}"),
    }
    is_legal
}

fn of_key(key: Option<Key>, all: &[Operation]) -> Vec<Operation> {
    all.iter().filter(|operation| operation.key == key).cloned().collect()
}

/// What a counterexample shows must be so: it is part of the history, has no order and nothing too much, what would have
/// been possible without the accused was possible, and its sentence is true.
fn check_counterexample(shown: &Counterexample, of_key: &[Operation]) {
    let set: Vec<Operation> =
        shown.operations.iter().map(|involved| involved.operation.clone()).collect();
    assert!(set.iter().all(|operation| of_key.contains(operation)), "made up: {shown:#?}");
    assert!(!brute::is_legal(&set), "it has an order: {shown:#?}");
    for left_out in &set {
        let rest = brute::without(&set, left_out);
        assert!(brute::is_legal(&rest), "{} is too much: {shown:#?}", left_out.invoke);
    }
    let accused = set.iter().find(|operation| operation.invoke == shown.accused);
    let accused = accused.expect("the accused is one of them");
    let others = brute::without(&set, accused);
    assert!(!shown.before.is_empty(), "something was possible before: {shown:#?}");
    for order in &shown.before {
        let held = brute::follow(&others, &order.operations);
        assert_eq!(held.as_ref(), Ok(&order.holds), "{order:?} of {shown:#?}");
    }
    if let Err(claim) = claims::check(&shown.sentence, accused, of_key) {
        panic!("{:?} is not true: {claim}: {of_key:#?}", shown.sentence);
    }
    for width in [0, 70, 100] {
        let picture = timeline(shown, width);
        assert_eq!(picture.lines().count(), set.len(), "{picture}");
        assert!(picture.lines().all(|line| line.chars().count() <= width.max(70)), "{picture}");
    }
}

fn text_of(history: &History, judged: &Linearizability) -> String {
    let events: Vec<String> = history.events().iter().map(ToString::to_string).collect();
    let events = events.join("\n");
    let pictures: String = judged.counterexamples().map(|shown| timeline(shown, 100)).collect();
    format!("{:?}, {:?}\n{events}\n{pictures}", judged.verdict, judged.sentences())
}

fn seeds() -> Vec<Seed> {
    recording::seeds()
}

fn show(input: &[u8]) -> String {
    let (history, honesty) = record(input);
    let judged = check(&Register::new(), &operations(&history), Budget::default());
    format!("{honesty:?}: {}", text_of(&history, &judged))
}

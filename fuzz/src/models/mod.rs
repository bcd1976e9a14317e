//! The models beyond registers against brute force.

mod object;
mod recording;

use quorate_checkers::explain::{Counterexample, timeline};
use quorate_checkers::history::{History, Operation, operations};
use quorate_checkers::linearizability::{Budget, Linearizability};
use quorate_checkers::model::by_name;
use quorate_checkers::verdict::Verdict;

use self::recording::record;
use crate::{Seed, Target};

/// A small history of compare-and-set registers, lists, transactions, sets or counters is judged as by trying all orders;
/// operations that are shown not to have an order have none; and what a real object answered is never invalid.
///
/// The first byte says which model, and whether the object is real; each other one is what a client does next.
pub const TARGET: Target = Target {
    name: "models",
    about: "Small histories of every model but the register: judged as by trying all orders; real objects are never invalid.",
    body,
    seeds,
    show,
};

fn body(input: &[u8]) {
    let recorded = record(input);
    let all = operations(&recorded.history);
    let judged = judge(recorded.model, &all);
    let text = || text_of(&recorded.history, &judged);
    assert_eq!(judged.malformed, None, "{}", text());
    let is_legal = object::has_order(recorded.model, &all);
    match judged.verdict {
        // Whether sums of some additions fit is not asked.
        Verdict::Valid => assert!(is_legal || recorded.model == "counter", "{}", text()),
        Verdict::Invalid => assert!(!is_legal, "{}", text()),
        Verdict::Unknown => panic!("{}", text()),
    }
    for shown in judged.counterexamples() {
        check_counterexample(recorded.model, shown, &all);
    }
    assert!(is_legal || !recorded.is_real, "what is real has an order: {}", text());
}

fn judge(model: &str, all: &[Operation]) -> Linearizability {
    by_name(model).expect("the models of this target exist").check(all, Budget::default())
}

/// What is shown is part of the history, and where an order was searched it has none by itself.
fn check_counterexample(model: &str, shown: &Counterexample, all: &[Operation]) {
    let set: Vec<Operation> =
        shown.operations.iter().map(|involved| involved.operation.clone()).collect();
    assert!(set.iter().all(|operation| all.contains(operation)), "made up: {shown:#?}");
    assert!(set.iter().any(|operation| operation.invoke == shown.accused), "{shown:#?}");
    assert!(!shown.sentence.is_empty() && !shown.sentence.ends_with('.'), "{shown:#?}");
    let is_searched = !["set", "counter"].contains(&model);
    assert!(!is_searched || !object::has_order(model, &set), "it has an order: {shown:#?}");
    let picture = timeline(shown, 100);
    assert_eq!(picture.lines().count(), set.len(), "{picture}");
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
    let recorded = record(input);
    let judged = judge(recorded.model, &operations(&recorded.history));
    let what = if recorded.is_real { "real" } else { "anything" };
    format!("{}, {what}: {}", recorded.model, text_of(&recorded.history, &judged))
}

//! The model against a judgement by brute force, and what is said of each violation.

use std::fmt::Write as _;

use super::*;
use crate::history::{History, operations};
use crate::linearizability::{Budget, check};
use crate::model::differential::{from, histories};
use crate::stream::tests::disagreement;
use crate::testing::{Dice, have_order, script};
use crate::verdict::Verdict;

/// Whether the operations have a legal order, by trying all.
fn is_legal_by_brute_force(all: &[Operation]) -> bool {
    have_order(all, &None, |decision: &Decision, next| {
        let after = match (next.f.as_str(), &next.input) {
            ("propose", Value::Int(value)) => Some(decision.unwrap_or(*value)),
            _ => *decision,
        };
        let result = after.map_or(Value::Nil, Value::Int);
        let fits = match &next.outcome {
            Outcome::Ok(told) => *told == result,
            Outcome::Fail => false,
            Outcome::Info | Outcome::Pending => next.f == "propose",
        };
        fits.then_some(after).into_iter().collect()
    })
}

/// A few clients that propose few values; what they are told is mostly right.
fn random_script(dice: &mut Dice) -> String {
    let mut words = String::new();
    let mut busy = [None::<bool>; 3];
    let decided = 1 + dice.below(2);
    for _ in 0..4 + dice.below(10) {
        let process = dice.pick(&[0, 1, 2]);
        match busy[process] {
            None => {
                let is_read = dice.chance(40);
                busy[process] = Some(is_read);
                let what = if is_read { "r".to_owned() } else { format!("p{}", 1 + dice.below(3)) };
                write!(words, "{process}:{what} ").unwrap();
            }
            Some(is_read) => {
                let told = if dice.chance(80) { decided } else { 1 + dice.below(3) };
                let result = match dice.below(10) {
                    0..4 if is_read => "ok=nil".to_owned(),
                    4 => "fail".to_owned(),
                    _ => format!("ok={told}"),
                };
                busy[process] = None;
                write!(words, "{process}:{result} ").unwrap();
            }
        }
    }
    words
}

fn verdict(history: &History) -> Verdict {
    check(&Consensus, &operations(history), Budget::default()).verdict
}

#[test]
fn the_search_agrees_with_brute_force_on_random_histories() {
    let (mut legal, mut illegal) = (0, 0);
    for seed in from()..from() + histories().max(12_000) {
        let words = random_script(&mut Dice::new(seed));
        let history = script(&words);
        let expected = is_legal_by_brute_force(&operations(&history));
        assert_eq!(verdict(&history) == Verdict::Valid, expected, "{words}");
        if seed % 8 == 0 {
            let wrong = disagreement(&Consensus, &operations(&history), is_legal_by_brute_force);
            assert_eq!(wrong, None, "{words}");
        }
        if expected {
            legal += 1;
        } else {
            illegal += 1;
        }
    }
    assert!(legal > 1_000 && illegal > 1_000, "{legal} legal, {illegal} illegal");
}

#[test]
fn every_violation_has_a_sentence_of_its_own() {
    let mut illegal = 0;
    for seed in 0..4_000 {
        let words = random_script(&mut Dice::new(seed));
        let all = operations(&script(&words));
        if is_legal_by_brute_force(&all) {
            continue;
        }
        illegal += 1;
        let sentence = sentence(&words);
        assert!(!sentence.starts_with("no order"), "{words}: {sentence}");
    }
    assert!(illegal > 300, "{illegal}");
}

/// What is said of this history.
fn sentence(words: &str) -> String {
    let judged = check(&Consensus, &operations(&script(words)), Budget::default());
    judged.counterexamples().next().expect("the history has no order").sentence.clone()
}

#[test]
fn two_decisions_are_named() {
    assert_eq!(
        sentence("0:p1 0:ok=1 1:p2 1:ok=2"),
        "the proposal of 2 at index 2 was told 2, and the proposal of 1 at index 0 was told 1: two \
         values are decided"
    );
    assert_eq!(
        sentence("0:p1 1:p2 0:ok=1 2:r 2:ok=2"),
        "read 2 at index 3, and the proposal of 1 at index 0 was told 1: two values are decided"
    );
}

#[test]
fn a_decision_that_nobody_proposed_is_named() {
    assert_eq!(
        sentence("0:p1 0:ok=3"),
        "the proposal of 1 at index 0 was told 3, but nobody ever proposed 3"
    );
    assert_eq!(
        sentence("0:p3 0:fail 1:r 1:ok=3"),
        "read 3 at index 2, but every proposal of 3 had failed"
    );
    assert_eq!(
        sentence("1:r 1:ok=3 0:p3 0:ok=3"),
        "read 3 at index 0, but 3 was proposed only after that had ended, at index 2"
    );
}

#[test]
fn a_decision_that_is_taken_back_is_named() {
    assert_eq!(
        sentence("0:p1 0:ok=1 1:r 1:ok=nil"),
        "read nil at index 2, but before it began, the proposal of 1 at index 0 was told 1"
    );
}

#[test]
fn what_is_right_is_right() {
    for words in [
        "0:p1 1:p2 0:ok=2 1:ok=2 2:r 2:ok=2",
        "0:p1 1:r 1:ok=nil 0:ok=1",
        "0:p1 0:info 1:r 1:ok=nil 1:r 1:ok=1 2:p2 2:ok=1",
        "0:p1 0:info 2:p2 2:ok=2",
    ] {
        assert_eq!(verdict(&script(words)), Verdict::Valid, "{words}");
    }
}

#[test]
fn what_is_no_consensus_is_refused() {
    for words in ["0:w1 0:ok", "0:p1 0:ok=nil"] {
        let history = script(words);
        let results = check(&Consensus, &operations(&history), Budget::default());
        assert_ne!(results.verdict, Verdict::Valid, "{words}");
    }
}

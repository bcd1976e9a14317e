//! Tests of the search: against a judgement by brute force, and of each rule where it could be
//! wrong.

use std::time::{Duration, Instant};

use super::*;
use crate::history::{History, operations};
use crate::model::{Content, Lookahead, Model, Register};
use crate::testing::{Dice, Shape, is_legal_by_brute_force, random_history, script};

fn verdict(history: &History) -> Verdict {
    check(&Register::new(), &operations(history), Budget::default()).verdict
}

#[track_caller]
fn assert_verdict(words: &str, expected: Verdict) {
    let history = script(words);
    let is_legal = is_legal_by_brute_force(&operations(&history));
    assert_eq!(is_legal, expected == Verdict::Valid, "the test itself is wrong about {words}");
    assert_eq!(verdict(&history), expected, "{words}");
}

fn small_shape(dice: &mut Dice) -> Shape {
    Shape {
        processes: 2 + dice.below(4),
        operations: 2 + dice.below(8),
        is_unique: dice.chance(50),
        fail_percent: dice.pick(&[0, 0, 10]),
        info_percent: dice.pick(&[0, 10, 40]),
        wrong_percent: dice.pick(&[0, 30, 60]),
    }
}

fn unlimited() -> Limits {
    let deadline = Instant::now() + Duration::from_mins(1);
    Limits { deadline, memory_bytes: 1 << 30, nodes: u64::MAX }
}

/// All ways to search, with both preferences by way of few nodes.
fn found_by_all_methods(history: &History) -> bool {
    let operations = operations(history);
    let task = Task::new(&Register::new(), &operations).unwrap();
    let limits = unlimited();
    let found = [Method::Fast, Method::Exact, Method::Plain].map(|method| {
        match search(&Register::new(), &task, method, limits).found {
            Found::Order => true,
            Found::NoOrder => false,
            Found::Stopped(stop) => panic!("{stop:?}"),
        }
    });
    assert!(
        found.iter().all(|&each| each == found[0]),
        "methods differ: {found:?} for {history:?}"
    );
    found[0]
}

#[test]
fn the_search_agrees_with_brute_force_on_random_histories() {
    let (mut legal, mut illegal) = (0, 0);
    for seed in 0..24_000 {
        let mut dice = Dice::new(seed);
        let shape = small_shape(&mut dice);
        let history = random_history(&mut dice, shape);
        let expected = is_legal_by_brute_force(&operations(&history));
        assert_eq!(found_by_all_methods(&history), expected, "seed {seed}: {history:?}");
        if expected {
            legal += 1;
        } else {
            illegal += 1;
        }
    }
    assert!(legal > 4_000 && illegal > 4_000, "{legal} legal, {illegal} illegal");
}

#[test]
fn suspicions_are_right_and_find_every_violation_of_unique_values() {
    let (mut refuted, mut missed) = (0, 0);
    for seed in 0..24_000 {
        let mut dice = Dice::new(seed);
        let shape = small_shape(&mut dice);
        let history = random_history(&mut dice, shape);
        let all = operations(&history);
        let is_legal = is_legal_by_brute_force(&all);
        let task = Task::new(&Register::new(), &all).unwrap();
        // Values from nowhere are left to the search, which sees them before it begins.
        let is_doomed = Register::new().lookahead(&task.ops, &task.spans).is_doomed(&Content::Nil);
        let part = task.refuted(&Register::new(), unlimited());
        assert!(part.is_none() || !is_legal, "seed {seed}: {history:?}");
        if !is_legal {
            refuted += u32::from(part.is_some());
            missed += u32::from(part.is_none() && !is_doomed);
            let is_found = part.is_some() || is_doomed;
            assert!(is_found || !shape.is_unique, "seed {seed}: {history:?}");
        }
    }
    assert!(refuted > 500 && missed * 3 < refuted, "{refuted} refuted, {missed} missed");
}

#[test]
fn a_write_of_the_value_that_is_there_is_not_taken_at_once() {
    // Trap 1: when 1 is there, process 1's write of 1 must be kept for after the write of 2.
    assert_verdict("0:w1 0:ok 1:w1 2:w2 2:ok 0:r 0:ok=1 1:ok", Verdict::Valid);
    assert_verdict("0:w1 0:ok 2:w2 2:ok 0:r 0:ok=1", Verdict::Invalid);
}

#[test]
fn an_unknown_write_that_is_read_may_have_happened_at_any_time() {
    // Trap 3 as far as it concerns registers: only what nobody reads is dropped.
    assert_verdict("0:w1 0:info 1:w2 1:ok 1:r 1:ok=1", Verdict::Valid);
    assert_verdict("0:w1 0:info 1:r 1:ok=1 1:r 1:ok=nil", Verdict::Invalid);
    assert_verdict("0:w1 0:info 1:w2 1:ok 1:r 1:ok=1 1:r 1:ok=2 1:r 1:ok=1", Verdict::Invalid);
    assert_verdict("0:w1 1:w2 1:ok 1:r 1:ok=1", Verdict::Valid);
}

#[test]
fn an_unknown_write_that_nobody_reads_need_not_have_happened() {
    assert_verdict("0:w1 0:info 1:r 1:ok=nil 2:w3 1:r 1:ok=nil", Verdict::Valid);
}

#[test]
fn a_failed_write_must_not_be_read() {
    // Trap 5: what failed is removed and not observed.
    assert_verdict("0:w1 0:fail 1:r 1:ok=1", Verdict::Invalid);
    assert_verdict("0:w1 0:fail 1:r 1:ok=nil", Verdict::Valid);
}

#[test]
fn reads_without_an_answer_forbid_nothing() {
    assert_verdict("0:w1 0:ok 1:r 1:fail 2:r 2:info 3:r 0:r 0:ok=1", Verdict::Valid);
}

#[test]
fn nil_is_the_initial_value_and_not_any_value() {
    assert_verdict("0:r 0:ok=nil", Verdict::Valid);
    assert_verdict("0:w1 0:ok 0:r 0:ok=nil", Verdict::Invalid);
}

#[test]
fn an_empty_history_has_an_order() {
    // Trap 7.
    assert_verdict("", Verdict::Valid);
    assert_verdict("0:w1", Verdict::Valid);
    assert_verdict("0:r 0:fail", Verdict::Valid);
}

#[test]
fn equal_writes_are_exchanged_only_if_both_have_begun() {
    assert_verdict("0:w1 1:w2 1:ok 1:r 1:ok=1 1:w1 2:w2 2:ok 2:r 2:ok=1 1:ok 0:ok", Verdict::Valid);
    assert_verdict("0:w1 0:ok 1:w2 1:ok 1:r 1:ok=1 2:w1 2:ok", Verdict::Invalid);
}

#[test]
fn keys_are_judged_alone() {
    let mut words = operations(&script("0:w1 0:ok 0:r 0:ok=nil"));
    words[1].key = Some(Key(1));
    let judged = check(&Register::new(), &words, Budget::default());
    assert_eq!(judged.verdict, Verdict::Valid);
    assert_eq!(judged.keys.len(), 2);
}

#[test]
fn the_same_history_takes_the_same_way_each_time() {
    let mut dice = Dice::new(7);
    let shape = Shape { operations: 200, processes: 8, ..small_shape(&mut dice) };
    let history = random_history(&mut dice, shape);
    let first = check(&Register::new(), &operations(&history), Budget::default());
    assert_eq!(first, check(&Register::new(), &operations(&history), Budget::default()));
}

#[test]
fn a_thousand_operations_of_twenty_busy_clients_need_few_nodes() {
    for is_unique in [false, true] {
        for (info_percent, wrong_percent) in [(0, 0), (5, 0), (0, 1), (5, 1)] {
            let mut dice = Dice::new(11);
            let shape = Shape {
                processes: 20,
                operations: 1_000,
                is_unique,
                fail_percent: 0,
                info_percent,
                wrong_percent,
            };
            let history = random_history(&mut dice, shape);
            let judged = check(&Register::new(), &operations(&history), Budget::default());
            assert_ne!(judged.verdict, Verdict::Unknown, "{shape:?}");
            // With few values, a wrong read can be right by accident.
            let is_wrong = is_unique && wrong_percent > 0;
            assert!(!is_wrong || judged.verdict == Verdict::Invalid, "{shape:?}");
            assert!(wrong_percent > 0 || judged.verdict == Verdict::Valid, "{shape:?}");
            let nodes: u64 = judged.keys.iter().map(|result| result.nodes).sum();
            assert!(nodes < 10_000, "{nodes} nodes for {shape:?}");
        }
    }
}

#[test]
fn a_budget_that_does_not_suffice_ends_in_unknown_with_the_reason() {
    let mut dice = Dice::new(7);
    let shape = Shape {
        operations: 200,
        is_unique: false,
        wrong_percent: 0,
        fail_percent: 0,
        ..small_shape(&mut dice)
    };
    let history = random_history(&mut dice, shape);
    let budgets = [
        (Budget { time: Duration::ZERO, ..Budget::default() }, "the time budget ran out"),
        (Budget { memory_bytes: 0, ..Budget::default() }, "the memory budget ran out"),
    ];
    for (budget, words) in budgets {
        let judged = check(&Register::new(), &operations(&history), budget);
        assert_eq!(judged.verdict, Verdict::Unknown);
        let sentences = judged.sentences();
        assert!(
            sentences[0].starts_with("key 0: ") && sentences[0].contains(words),
            "{sentences:?}"
        );
    }
}

#[test]
fn an_operation_that_the_model_does_not_know_makes_the_verdict_unknown() {
    let mut operations = operations(&script("0:w1 0:ok 1:r 1:ok=1"));
    operations[1].f = "cas".into();
    let judged = check(&Register::new(), &operations, Budget::default());
    assert_eq!(judged.verdict, Verdict::Unknown);
    assert_eq!(
        judged.sentences(),
        ["index 2: the model `register` has no function `cas`; expected `read` or `write`"]
    );
}

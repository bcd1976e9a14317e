//! Tests of explanations: each is minimal, still a violation, and says why.

use super::*;
use crate::history::{History, operations};
use crate::linearizability::{Budget, check};
use crate::model::Register;
use crate::testing::{Dice, Shape, is_legal_by_brute_force, random_history, script};

fn counterexample(history: &History) -> Counterexample {
    let judged = check(&Register::new(), &operations(history), Budget::default());
    judged.counterexamples().next().expect("the history has no order").clone()
}

#[track_caller]
fn assert_sentence(words: &str, sentence: &str) -> Counterexample {
    let found = counterexample(&script(words));
    assert_eq!(found.sentence, sentence, "{}", timeline(&found, 100));
    found
}

#[test]
fn a_value_from_nowhere_is_named() {
    let found = assert_sentence(
        "0:w1 0:ok 1:r 1:ok=1 1:r 1:ok=5",
        "read 5 at index 4, but nobody ever wrote 5",
    );
    assert_eq!(found.operations.len(), 1);
}

#[test]
fn a_read_of_a_failed_write_is_named() {
    assert_sentence(
        "0:w5 0:fail 1:r 1:ok=5",
        "read 5 at index 2, but the write of 5 at index 0 had failed",
    );
}

#[test]
fn a_read_of_writes_that_failed_or_came_too_late_is_named() {
    assert_sentence(
        "0:w5 0:fail 0:w5 0:fail 1:r 1:ok=5",
        "read 5 at index 4, but every write of 5 had failed",
    );
    assert_sentence(
        "0:w5 0:fail 1:r 1:ok=5 0:w5 0:ok",
        "read 5 at index 2, but every write of 5 had failed, or began only after that read had \
         ended",
    );
}

#[test]
fn a_read_before_the_write_is_named() {
    assert_sentence(
        "1:r 1:ok=5 0:w5 0:ok",
        "read 5 at index 0, but the write of 5 began only after that read had ended, at index 2",
    );
}

#[test]
fn an_overwritten_value_is_named() {
    let found = assert_sentence(
        "0:w3 0:ok 1:w4 1:ok 2:r 2:ok=4 3:w9 2:r 2:ok=3 3:ok",
        "read 3 at index 7, but the write of 3 at index 0 had been overwritten before it began, by \
         the write of 4 at index 2",
    );
    assert_eq!(found.operations.len(), 3);
    assert_eq!(found.accused, 7);
    let expected = PossibleOrder { operations: vec![0, 2], holds: "4".to_owned() };
    assert_eq!(found.before, [expected]);
}

#[test]
fn a_value_overwritten_each_time_is_named() {
    assert_sentence(
        "0:w3 0:ok 1:w4 1:ok 0:w3 0:ok 1:w5 1:ok 2:r 2:ok=3",
        "read 3 at index 8, but every write of 3 had been overwritten before it began, at last by \
         the write of 5 at index 6",
    );
}

#[test]
fn a_nil_after_a_write_is_named() {
    assert_sentence(
        "0:w3 0:ok 2:r 2:ok=nil",
        "read nil at index 2, but the write of 3 at index 0 had ended before it began",
    );
}

#[test]
fn a_read_that_goes_back_in_time_is_named() {
    // The write of 2 is never finished: one read sees it, a later one does not.
    assert_sentence(
        "0:w1 0:ok 1:w2 2:r 2:ok=2 3:r 3:ok=1",
        "read 1 at index 5, after the read of 2 at index 3 had already seen a newer value",
    );
    assert_sentence(
        "1:w2 2:r 2:ok=2 3:r 3:ok=nil",
        "read nil at index 3, after the read of 2 at index 1 had already seen a newer value",
    );
    assert_sentence(
        "0:w1 1:w2 2:r 2:ok=1 2:r 2:ok=2 3:r 3:ok=1",
        "read 1 at index 6, after the read of 2 at index 4 had already seen a newer value",
    );
}

#[test]
fn a_write_that_is_shown_to_be_later_is_named() {
    assert_sentence(
        "0:w1 1:w2 1:ok 2:r 0:ok 3:r 2:ok=1 3:ok=2",
        "read 2 at index 5, but the write of 1 at index 0 had overwritten 2 before that, as the \
         read of 1 at index 3 shows",
    );
}

#[test]
fn the_read_that_there_is_a_reason_against_is_accused() {
    let found = assert_sentence(
        "0:w1 2:r 1:w2 2:ok=1 1:ok 3:r 4:r 3:ok=1 4:ok=2 0:ok",
        "read 1 at index 5, but the write of 2 at index 2 had overwritten 1 before that, as the \
         read of 2 at index 6 shows",
    );
    assert_eq!(found.accused, 5);
}

#[test]
fn a_read_value_that_is_overwritten_is_named() {
    assert_sentence(
        "0:w1 2:r 2:ok=1 1:w2 1:ok 2:r 2:ok=1",
        "read 1 at index 5, but 1, which had been read at index 1 before, was overwritten before \
         it began, by the write of 2 at index 3",
    );
}

#[test]
fn what_cannot_be_said_shortly_is_still_said() {
    // Two values are each read twice, in turn: every write is unique and still in flight.
    let found = counterexample(&script("0:w1 1:w2 2:r 3:r 3:ok=1 4:r 4:ok=2 5:r 5:ok=1 2:ok=2"));
    assert!(
        !found.sentence.is_empty() && found.sentence.starts_with("read 1"),
        "{}",
        found.sentence
    );
    let found = plain_sentence(&found.operations, found.accused, &found.before);
    assert!(found.starts_with("no order of these"), "{found}");
    assert!(found.contains("write 1 (from index 0 on, perhaps)"), "{found}");
}

/// What may be left out: an operation, and if it is a write, the reads of its value.
fn without(operations: &[Operation], place: usize) -> Vec<Operation> {
    use crate::history::{Outcome, Value};
    let gone = &operations[place];
    let depends = |other: &Operation| {
        gone.f == "write"
            && gone.input != Value::Nil
            && other.outcome == Outcome::Ok(gone.input.clone())
            && other.f == "read"
    };
    let stays = |other: &&Operation| other.invoke != gone.invoke && !depends(other);
    operations.iter().filter(stays).cloned().collect()
}

#[test]
fn every_explanation_is_a_violation_and_minimal() {
    let (mut illegal, mut unexplained) = (0, 0);
    for seed in 0..4_000 {
        let mut dice = Dice::new(seed);
        let shape = Shape {
            processes: 2 + dice.below(5),
            operations: 8 + dice.below(30),
            is_unique: dice.chance(50),
            fail_percent: dice.pick(&[0, 5]),
            info_percent: dice.pick(&[0, 10]),
            wrong_percent: 10,
        };
        let history = random_history(&mut dice, shape);
        let judged = check(&Register::new(), &operations(&history), Budget::default());
        for found in judged.counterexamples() {
            illegal += 1;
            unexplained += u32::from(found.sentence.starts_with("no order of these"));
            let set: Vec<Operation> =
                found.operations.iter().map(|i| i.operation.clone()).collect();
            assert!(!is_legal_by_brute_force(&set), "seed {seed}: {found:?}");
            for place in 0..set.len() {
                let rest = without(&set, place);
                assert!(is_legal_by_brute_force(&rest), "seed {seed}: {place} of {found:?}");
            }
            assert!(found.operations.iter().any(|i| i.operation.invoke == found.accused));
        }
    }
    assert!(illegal > 1_500, "{illegal}");
    assert!(
        unexplained * 100 < illegal,
        "{unexplained} of {illegal} have no sentence of their own"
    );
}

#[test]
fn a_timeline_shows_who_did_what_when() {
    let found = counterexample(&script("0:w1 0:ok 1:w2 2:r 2:ok=2 3:r 3:ok=1"));
    assert_eq!(
        timeline(&found, 70),
        "  p0  write 1    |---|                          ok\n  \
         p1  write 2             |------------------>  no answer\n  \
         p2  read -> 2                |---|            ok\n  \
         p3  read -> 1                         |----|  ok <- cannot be placed\n"
    );
}

#[test]
fn a_timeline_keeps_to_its_width() {
    for seed in 0..300 {
        let mut dice = Dice::new(seed);
        let shape = Shape {
            processes: 6,
            operations: 30,
            is_unique: false,
            fail_percent: 0,
            info_percent: 20,
            wrong_percent: 30,
        };
        let history = random_history(&mut dice, shape);
        let judged = check(&Register::new(), &operations(&history), Budget::default());
        for found in judged.counterexamples() {
            for width in [0, 70, 80, 200] {
                let text = timeline(found, width);
                assert!(text.lines().all(|line| line.chars().count() <= width.max(70)), "{text}");
                assert_eq!(text.lines().count(), found.operations.len());
            }
        }
    }
}

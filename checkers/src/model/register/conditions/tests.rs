//! Each condition against its definition, on small random histories; and by hand.

use super::super::{Content, Register};
use super::*;
use crate::history::{Outcome, Time, operations};
use crate::testing::{Dice, Shape, is_legal_by_brute_force, random_history, script};

/// Whether some order of the operations suits: which may come first of those that are left, and whether a read may
/// return what it did after these writes.
fn some_order(
    left: &[&Operation],
    written: &mut Vec<Content>,
    may_be_next: &dyn Fn(&Operation, &[&Operation]) -> bool,
    fits: &dyn Fn(&Content, &[Content]) -> bool,
) -> bool {
    if left.iter().all(|operation| !operation.is_ok()) {
        return true;
    }
    (0..left.len()).any(|place| {
        let mut rest = left.to_vec();
        let next = rest.remove(place);
        if !may_be_next(next, &rest) {
            return false;
        }
        if next.f == "write" {
            written.push(Content::of(&next.input));
            let is_possible = some_order(&rest, written, may_be_next, fits);
            written.pop();
            return is_possible;
        }
        let Outcome::Ok(seen) = &next.outcome else { return false };
        fits(&Content::of(seen), written) && some_order(&rest, written, may_be_next, fits)
    })
}

/// Whether none of the others had ended before it began.
fn in_real_time(next: &Operation, others: &[&Operation]) -> bool {
    !others.iter().any(|other| other.definite_end().is_some_and(|end| end < next.invoke))
}

fn is_recent(depth: usize) -> impl Fn(&Content, &[Content]) -> bool {
    move |seen, written| {
        let all: Vec<&Content> = std::iter::once(&Content::Nil).chain(written).collect();
        all.iter().rev().take(depth).any(|content| *content == seen)
    }
}

fn possible(all: &[Operation]) -> Vec<&Operation> {
    let may_have = |operation: &&Operation| {
        operation.is_ok() || (operation.outcome != Outcome::Fail && operation.f == "write")
    };
    all.iter().filter(may_have).collect()
}

fn is_sequential(all: &[Operation]) -> bool {
    let in_own_order = |next: &Operation, others: &[&Operation]| {
        !others.iter().any(|other| {
            other.process == next.process && other.is_ok() && other.invoke < next.invoke
        })
    };
    some_order(&possible(all), &mut Vec::new(), &in_own_order, &is_recent(1))
}

fn least_depth(all: &[Operation]) -> Option<usize> {
    (2..=8).find(|depth| {
        some_order(&possible(all), &mut Vec::new(), &in_real_time, &is_recent(*depth))
    })
}

/// Each read by itself among all writes.
fn is_regular(all: &[Operation]) -> bool {
    let writes: Vec<&Operation> = possible(all).into_iter().filter(|o| o.f == "write").collect();
    all.iter().filter(|operation| operation.is_ok() && operation.f == "read").all(|read| {
        let some: Vec<&Operation> = writes.iter().copied().chain([read]).collect();
        some_order(&some, &mut Vec::new(), &in_real_time, &is_recent(1))
    })
}

/// The least by which reads must be earlier: the times are indices in thousands, and what ends at a time comes after
/// what is moved there.
fn least_shift(all: &[Operation]) -> Option<u64> {
    let all = possible(all);
    (1..=40).map(|places| places * 1_000).find(|ns| {
        let in_shifted_time = |next: &Operation, others: &[&Operation]| {
            let earlier = if next.f == "read" { *ns } else { 0 };
            let begin = i128::from(next.invoked_at.0) - i128::from(earlier);
            !others.iter().any(|other| {
                let end = other.definite_end().and(other.completed_at);
                end.is_some_and(|Time(end)| i128::from(end) < begin)
            })
        };
        some_order(&all, &mut Vec::new(), &in_shifted_time, &is_recent(1))
    })
}

#[test]
fn each_condition_is_as_it_is_defined() {
    let mut counts = [[0; 2]; 4];
    let mut seed = 0;
    while counts.iter().flatten().any(|count| *count < 20) {
        seed += 1;
        assert!(seed < 20_000, "{counts:?}");
        let mut dice = Dice::new(seed);
        let shape = Shape {
            processes: 2 + dice.below(3),
            operations: 3 + dice.below(4),
            is_unique: dice.chance(50),
            fail_percent: 5,
            info_percent: 10,
            wrong_percent: 60,
        };
        let all = operations(&random_history(&mut dice, shape));
        if is_legal_by_brute_force(&all) {
            continue;
        }
        let model = Register::new();
        let task = Task::new(&model, &all).unwrap();
        let is_sequential = is_sequential(&all);
        assert_eq!(sequential::holds(&model, &task), Some(is_sequential), "{all:#?}");
        let is_regular = is_regular(&all);
        assert_eq!(regular(&model, &task).holds, is_regular, "{all:#?}");
        let depth = least_depth(&all);
        assert_eq!(recent::least(&model, &task), depth.map(|depth| (depth, true)), "{all:#?}");
        let shift = least_shift(&all);
        assert_eq!(shifted::least_ns(&model, &task), shift, "{all:#?}");
        let found = [is_sequential, is_regular, depth.is_some(), shift.is_some()];
        for (counts, holds) in counts.iter_mut().zip(found) {
            counts[usize::from(holds)] += 1;
        }
    }
}

fn said(words: &str) -> Vec<String> {
    let all = operations(&script(words));
    let all: Vec<&Operation> = all.iter().collect();
    let conditions = conditions(&Register::new(), &all);
    conditions.into_iter().map(|condition| condition.text).collect()
}

#[test]
fn a_stale_read_of_another_client_is_sequential_and_two_atomic() {
    let said = said("0:w1 0:ok 0:w2 0:ok 1:r 1:ok=1");
    assert!(said[0].starts_with("sequentially consistent:"), "{said:?}");
    assert!(said[1].starts_with("not regular:"), "{said:?}");
    assert_eq!(said[2], "2-atomic: each read returned one of the last 2 values, and no fewer");
    // It began at 4 µs, and the second write at 2 µs and ended at 3 µs.
    assert!(said[3].starts_with("Δ-atomic with Δ = 0.000001 s"), "{said:?}");
}

#[test]
fn values_that_change_places_are_regular_and_no_more() {
    let said = said("0:w1 1:r 1:ok=1 1:r 1:ok=nil 0:ok");
    assert!(said[0].starts_with("not sequentially consistent"), "{said:?}");
    assert!(said[1].starts_with("regular:"), "{said:?}");
}

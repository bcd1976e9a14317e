//! The monitors against all orders tried one by one, on random small histories of elements that are put in once; and with
//! each rule switched off.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Container, ContainerOp, Discipline, Fifo, Least, Lifo};
use crate::history::{Key, Operation, Outcome, ProcessId, Time, Value};
use crate::linearizability::{Budget, Limits, Task, check};
use crate::model::Model;
use crate::model::differential::{from, histories};
use crate::rules::{Rule, without};
use crate::testing::{Dice, Even, Object, has_order};
use crate::verdict::Verdict;

/// How a history is drawn.
struct Odds {
    /// How far calls and returns are from the moment of the effect.
    reach: u64,
    /// How often an operation returns something else than it should.
    wrong_percent: u64,
    /// How often nobody knows how one ended.
    unknown_percent: u64,
    failed_percent: u64,
}

/// A small history of a container in which every element is put in once, and whether it has an order.
fn drawn<D: Discipline>(seed: u64) -> (Vec<Operation>, bool) {
    let mut dice = Dice::new(seed);
    let odds = Odds {
        reach: dice.pick(&[15, 30, 60, 120]),
        wrong_percent: dice.pick(&[0, 10, 30, 60]),
        unknown_percent: dice.pick(&[0, 0, 15, 30]),
        failed_percent: dice.pick(&[0, 0, 5]),
    };
    let count = 2 + dice.below(8);
    let all = history::<D>(&mut dice, count, &odds);
    let expected = has_order(&Object::of(D::NAME), &all);
    (all, expected)
}

/// The history of a container in which every element is put in once.
fn history<D: Discipline>(dice: &mut Dice, count: u64, odds: &Odds) -> Vec<Operation> {
    let ops = happened::<D>(dice, count, odds);
    let mut events: Vec<(u64, u64, usize, bool)> = Vec::new();
    for (place, moment) in (0..ops.len()).zip((10_000..).step_by(10)) {
        // At the same moment either may come first.
        let (call, end) = (moment - dice.below(odds.reach), moment + 1 + dice.below(odds.reach));
        events.push((call, dice.below(100), place, false));
        events.push((end, dice.below(100), place, true));
    }
    events.sort_unstable();
    let mut spans = vec![(0, 0); ops.len()];
    for (index, (.., place, is_end)) in (0..).zip(events) {
        *if is_end { &mut spans[place].1 } else { &mut spans[place].0 } = index;
    }
    let mut all: Vec<Operation> =
        ops.into_iter().zip(spans).map(|(op, span)| operation::<D>(dice, odds, op, span)).collect();
    all.sort_by_key(|operation| operation.invoke);
    all
}

/// What was done in order, with what was returned then.
fn happened<D: Discipline>(dice: &mut Dice, count: u64, odds: &Odds) -> Vec<ContainerOp> {
    let mut elements = VecDeque::new();
    let mut left: Vec<i64> = (1..=count.cast_signed()).collect();
    let puts_percent = dice.pick(&[40, 50, 65]);
    let mut done = Vec::new();
    for _ in 0..count {
        if dice.chance(puts_percent) {
            let place = usize::try_from(dice.below(left.len() as u64)).unwrap();
            let element = left.swap_remove(place);
            D::put(&mut elements, element);
            done.push(ContainerOp::Put(element));
        } else {
            done.push(elements.pop_front().map_or(ContainerOp::FoundNothing, ContainerOp::Took));
        }
    }
    for place in 0..done.len() {
        if !dice.chance(odds.wrong_percent) || matches!(done[place], ContainerOp::Put(_)) {
            continue;
        }
        let others: Vec<usize> =
            (0..done.len()).filter(|&other| !matches!(done[other], ContainerOp::Put(_))).collect();
        match dice.below(5) {
            0 => done[place] = ContainerOp::FoundNothing,
            1 => done[place] = ContainerOp::Took(1 + dice.below(count).cast_signed()),
            _ => done.swap(place, dice.pick(&others)),
        }
    }
    done
}

fn operation<D: Discipline>(
    dice: &mut Dice,
    odds: &Odds,
    op: ContainerOp,
    (invoke, complete): (u64, u64),
) -> Operation {
    let [put, take] = *D::FUNCTIONS;
    let (f, input, result) = match op {
        ContainerOp::Put(element) => (put, Value::Int(element), Value::Int(element)),
        ContainerOp::Took(element) => (take, Value::Nil, Value::Int(element)),
        ContainerOp::FoundNothing | ContainerOp::TookUnknown => (take, Value::Nil, Value::Nil),
    };
    let outcome = match dice.below(100) {
        roll if roll < odds.unknown_percent => Outcome::Info,
        roll if roll >= 100 - odds.failed_percent => Outcome::Fail,
        _ => Outcome::Ok(result),
    };
    Operation {
        invoke,
        complete: Some(complete),
        process: ProcessId(invoke),
        f: f.into(),
        key: Some(Key(0)),
        input,
        outcome,
        invoked_at: Time(invoke),
        completed_at: Some(Time(complete)),
        error: None,
    }
}

/// What a monitor says wrongly, or cannot say though it should.
fn disagreement<D: Discipline>(all: &[Operation], expected: bool) -> Option<&'static str> {
    let model = Container::<D>::new();
    let limits = Limits {
        deadline: Instant::now() + Duration::from_mins(10),
        memory_bytes: 1 << 30,
        nodes: u64::MAX,
    };
    let task = Task::new(&model, all).expect("what is drawn has a meaning");
    let is_exact = !task.ops.contains(&ContainerOp::TookUnknown);
    let is_ordered = task.guessed(&model).is_some();
    let is_refuted = task.refuted(&model, limits).is_some();
    let is_doomed = model.lookahead(&task.ops, &task.spans).is_refuted;
    match (expected, is_ordered, is_refuted, is_doomed) {
        (false, true, ..) => Some("an order that is none"),
        (true, _, true, _) | (true, _, _, true) => Some("the refutation of an order"),
        (true, false, ..) if is_exact => Some("no order"),
        (false, _, false, _) | (false, _, _, false) if is_exact => Some("no refutation"),
        _ => None,
    }
}

fn agrees<D: Discipline>() {
    let mut even = Even::after(from());
    for _ in 0..histories() {
        let (all, expected) = even.next(drawn::<D>);
        let found = disagreement::<D>(&all, expected);
        let seed = even.seed;
        assert_eq!(found, None, "{}, seed {seed}, order {expected}: {all:#?}", D::NAME);
        let verdict = if expected { Verdict::Valid } else { Verdict::Invalid };
        let judged = check(&Container::<D>::new(), &all, Budget::default());
        assert_eq!(judged.verdict, verdict, "{}, seed {seed}: {all:#?}", D::NAME);
    }
    println!("{}: {} legal, {} not, seeds to {}", D::NAME, even.legal, even.illegal, even.seed);
}

#[test]
fn queues_of_unique_elements_are_judged_exactly() {
    agrees::<Fifo>();
}

#[test]
fn stacks_of_unique_elements_are_judged_exactly() {
    agrees::<Lifo>();
}

#[test]
fn priority_queues_of_unique_elements_are_judged_exactly() {
    agrees::<Least>();
}

/// Whether the suite sees that a rule is not there.
fn is_needed<D: Discipline>(rule: Rule) -> bool {
    let mut even = Even::after(0);
    (0..4_000).any(|_| {
        let (all, expected) = even.next(drawn::<D>);
        without(Some(rule), || disagreement::<D>(&all, expected)).is_some()
    })
}

#[test]
fn every_rule_is_needed() {
    for rule in [
        Rule::TakenIsPut,
        Rule::TakenOnce,
        Rule::TakenLater,
        Rule::EmptyWhenEmpty,
        Rule::UnknownTakes,
    ] {
        assert!(is_needed::<Fifo>(rule), "queue: {rule:?}");
        assert!(is_needed::<Lifo>(rule), "stack: {rule:?}");
        assert!(is_needed::<Least>(rule), "priority queue: {rule:?}");
    }
    assert!(is_needed::<Fifo>(Rule::NotOvertaken));
    assert!(is_needed::<Lifo>(Rule::BottomIsFirst));
    assert!(is_needed::<Lifo>(Rule::BottomIsLast));
    assert!(is_needed::<Least>(Rule::Least));
}

/// What is said of lines like `0 push 5` (process 0 asks), `0 ok 5`, `0 fail`.
fn said(model: &str, lines: &[&str]) -> String {
    crate::model::tests::sentence(model, lines)
}

#[test]
fn what_is_wrong_with_a_container_is_said() {
    for (model, lines, expected) in [
        (
            "queue",
            &["0 enqueue 1", "0 ok", "0 enqueue 2", "0 ok", "0 dequeue", "0 ok 2"][..],
            "dequeue -> 2 at index 4, but the enqueue of 1 had ended at index 1, before that of 2 began, and 1 was \
             still there",
        ),
        (
            "stack",
            &["0 push 1", "0 ok", "0 push 2", "0 ok", "0 pop", "0 ok 1", "0 pop", "0 ok 2"],
            "pop -> 1 at index 4, but the push of 2 had ended at index 3, after that of 1, and 2 was still \
             there",
        ),
        (
            "priority-queue",
            &["0 insert 1", "0 ok", "0 insert 2", "0 ok", "0 extract", "0 ok 2"],
            "extract -> 2 at index 4, but the insert of 1 had ended at index 1, and 1 was still there",
        ),
        (
            "queue",
            &["0 enqueue 1", "0 ok", "0 dequeue", "0 ok null", "0 dequeue", "0 ok 1"],
            "dequeue -> nil at index 2, but the enqueue of 1 had ended at index 1, and 1 was still there",
        ),
        ("stack", &["0 pop", "0 ok 1"], "pop -> 1 at index 0, but nobody ever did `push 1`"),
        (
            "stack",
            &["0 push 1", "0 fail", "0 pop", "0 ok 1"],
            "pop -> 1 at index 2, but the push of 1 at index 0 had failed",
        ),
        (
            "queue",
            &["0 dequeue", "0 ok 1", "0 enqueue 1", "0 ok"],
            "dequeue -> 1 at index 0, but the enqueue of 1 began only after that had ended, at index 2",
        ),
        (
            "queue",
            &["0 enqueue 1", "0 ok", "0 dequeue", "0 ok 1", "0 dequeue", "0 ok 1"],
            "dequeue -> 1 at index 4, but 1 was put in only once, and was taken at index 2 as well",
        ),
    ] {
        assert_eq!(said(model, lines), expected);
    }
}

/// Whether histories of many clients are decided, in either way, without a search.
fn needs_no_search<D: Discipline>() {
    let mut verdicts = Vec::new();
    for seed in 0..6 {
        let wrong_percent = u64::from(seed % 2 == 1);
        let odds = Odds { reach: 500, wrong_percent, unknown_percent: 0, failed_percent: 0 };
        let all = history::<D>(&mut Dice::new(seed), 2_000, &odds);
        let judged = check(&Container::<D>::new(), &all, Budget::default());
        let nodes: u64 = judged.keys.iter().map(|key| key.nodes).sum();
        assert_eq!(nodes, 0, "{}, seed {seed}", D::NAME);
        for counterexample in judged.counterexamples() {
            let shown = counterexample.operations.len();
            assert!(shown <= 12, "{}, seed {seed}: shown by {shown}", D::NAME);
        }
        verdicts.push(judged.verdict);
    }
    let [right, wrong] = [Verdict::Valid, Verdict::Invalid];
    assert_eq!(verdicts, [right, wrong, right, wrong, right, wrong], "{}", D::NAME);
}

#[test]
fn long_histories_of_many_clients_need_no_search() {
    needs_no_search::<Fifo>();
    needs_no_search::<Lifo>();
    needs_no_search::<Least>();
}

/// Whether histories in which some operations have no known end are ordered without a search.
fn crashed_ones_need_no_search<D: Discipline>() {
    for seed in 0..4 {
        let odds = Odds { reach: 100, wrong_percent: 0, unknown_percent: 3, failed_percent: 0 };
        let all = history::<D>(&mut Dice::new(seed), 2_000, &odds);
        let judged = check(&Container::<D>::new(), &all, Budget::default());
        let nodes: u64 = judged.keys.iter().map(|key| key.nodes).sum();
        assert_eq!((judged.verdict, nodes), (Verdict::Valid, 0), "{}, seed {seed}", D::NAME);
    }
}

#[test]
fn long_histories_with_operations_without_a_known_end_need_no_search() {
    crashed_ones_need_no_search::<Fifo>();
    crashed_ones_need_no_search::<Lifo>();
    crashed_ones_need_no_search::<Least>();
}

/// Two takes without a known end: the first of them must have taken 2, whose put began later than that of 1.
#[test]
fn what_is_due_first_was_taken_by_whoever_began_first() {
    let queue = [
        "0 enqueue 1",
        "1 enqueue 2",
        "1 ok",
        "1 enqueue 3",
        "1 ok",
        "2 dequeue",
        "3 dequeue",
        "3 ok 3",
        "0 ok",
        "1 enqueue 4",
        "1 ok",
        "4 dequeue",
        "3 dequeue",
        "3 ok 4",
    ];
    let stack = [
        "0 push 5", "0 ok", "1 push 1", "2 push 4", "2 ok", "2 push 2", "2 ok", "3 pop", "2 pop",
        "2 ok 4", "1 ok", "4 pop", "2 pop", "2 ok 5",
    ];
    needs_no_guessing::<Fifo>(&queue);
    needs_no_guessing::<Lifo>(&stack);
}

fn needs_no_guessing<D: Discipline>(lines: &[&str]) {
    let all = crate::model::tests::hand(lines);
    let judged = check(&Container::<D>::new(), &all, Budget::default());
    let nodes: u64 = judged.keys.iter().map(|key| key.nodes).sum();
    assert_eq!((judged.verdict, nodes), (Verdict::Valid, 0), "{lines:?}");
}

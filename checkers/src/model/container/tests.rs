//! The monitors against all orders tried one by one, on random small histories of elements that are put in once; and with
//! each rule switched off.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Container, ContainerOp, Discipline, Fifo, Least, Lifo};
use crate::model::rules::{Rule, without};
use rustc_hash::FxHashSet;

use crate::history::{Key, Operation, Outcome, ProcessId, Time, Value};
use crate::linearizability::{Budget, Limits, Task, check};
use crate::model::Model;
use crate::model::differential::{from, histories};
use crate::testing::Dice;
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

/// A small history of a container in which every element is put in once.
fn drawn<D: Discipline>(seed: u64) -> Vec<Operation> {
    let mut dice = Dice::new(seed);
    let odds = Odds {
        reach: dice.pick(&[15, 30, 60, 120]),
        wrong_percent: dice.pick(&[0, 10, 30, 60]),
        unknown_percent: dice.pick(&[0, 0, 15, 30]),
        failed_percent: dice.pick(&[0, 0, 5]),
    };
    let count = 2 + dice.below(8);
    history::<D>(&mut dice, count, &odds)
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
        f: f.to_owned(),
        key: Some(Key(0)),
        input,
        outcome,
        invoked_at: Time(invoke),
        completed_at: Some(Time(complete)),
        error: None,
    }
}

/// Whether there is an order, straight from the definition (Herlihy and Wing 1990).
fn has_order(name: &str, all: &[Operation]) -> bool {
    let may_have: Vec<&Operation> = all.iter().filter(|o| o.outcome != Outcome::Fail).collect();
    let left = (1_u32 << may_have.len()) - 1;
    can_finish(name, &may_have, left, &[], &mut FxHashSet::default())
}

fn can_finish(
    name: &str,
    all: &[&Operation],
    left: u32,
    elements: &[i64],
    dead: &mut FxHashSet<(u32, Vec<i64>)>,
) -> bool {
    let is_left = |place: usize| left & (1 << place) != 0;
    if (0..all.len()).all(|place| !is_left(place) || !all[place].is_ok()) {
        return true;
    }
    if dead.contains(&(left, elements.to_vec())) {
        return false;
    }
    for (place, operation) in all.iter().enumerate().filter(|(place, _)| is_left(*place)) {
        let precedes =
            |other: usize| all[other].definite_end().is_some_and(|end| end < operation.invoke);
        if (0..all.len()).any(|other| is_left(other) && precedes(other)) {
            continue;
        }
        let mut after = elements.to_vec();
        let result = if let Value::Int(element) = operation.input {
            let at = match name {
                "queue" => after.len(),
                "stack" => 0,
                _ => after.iter().filter(|other| **other < element).count(),
            };
            after.insert(at, element);
            Value::Int(element)
        } else if after.is_empty() {
            Value::Nil
        } else {
            Value::Int(after.remove(0))
        };
        let fits = !operation.is_ok() || operation.outcome == Outcome::Ok(result);
        if fits && can_finish(name, all, left & !(1 << place), &after, dead) {
            return true;
        }
    }
    dead.insert((left, elements.to_vec()));
    false
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
    let spans: Vec<_> = task.members().map(|member| member.span()).collect();
    let is_doomed = model.lookahead(&task.ops, &spans).is_refuted;
    match (expected, is_ordered, is_refuted, is_doomed) {
        (false, true, ..) => Some("an order that is none"),
        (true, _, true, _) | (true, _, _, true) => Some("the refutation of an order"),
        (true, false, ..) if is_exact => Some("no order"),
        (false, _, false, _) | (false, _, _, false) if is_exact => Some("no refutation"),
        _ => None,
    }
}

/// The next history of either kind, as many of the one as of the other.
struct Even {
    seed: u64,
    legal: u64,
    illegal: u64,
}

impl Even {
    fn next<D: Discipline>(&mut self) -> (Vec<Operation>, bool) {
        loop {
            self.seed += 1;
            let all = drawn::<D>(self.seed);
            let expected = has_order(D::NAME, &all);
            if if expected { self.legal <= self.illegal } else { self.illegal <= self.legal } {
                *if expected { &mut self.legal } else { &mut self.illegal } += 1;
                return (all, expected);
            }
        }
    }
}

fn agrees<D: Discipline>() {
    let mut drawn = Even { seed: from(), legal: 0, illegal: 0 };
    for _ in 0..histories() {
        let (all, expected) = drawn.next::<D>();
        let found = disagreement::<D>(&all, expected);
        let seed = drawn.seed;
        assert_eq!(found, None, "{}, seed {seed}, order {expected}: {all:#?}", D::NAME);
        let verdict = if expected { Verdict::Valid } else { Verdict::Invalid };
        let judged = check(&Container::<D>::new(), &all, Budget::default());
        assert_eq!(judged.verdict, verdict, "{}, seed {seed}: {all:#?}", D::NAME);
    }
    println!("{}: {} legal, {} not, seeds to {}", D::NAME, drawn.legal, drawn.illegal, drawn.seed);
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
    let mut drawn = Even { seed: 0, legal: 0, illegal: 0 };
    (0..4_000).any(|_| {
        let (all, expected) = drawn.next::<D>();
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

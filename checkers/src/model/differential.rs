//! Every model, every rule and every way to search, against all orders tried one by one, on random small histories.
//!
//! `QUORATE_DIFFERENTIAL=1000000 cargo test --release -p quorate-checkers differential` draws so many for each model.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::{
    AppendList, Bag, CasRegister, Kv, KvTransaction, Lease, Lookahead, Malformed, Model,
    MultiRegister, Mutex, PriorityQueue, Queue, REFUSED, Register, Span, Stack, by_name,
};
use crate::history::{Operation, Value};
use crate::linearizability::{
    Budget, Found, Limits, Method, Preference, Stop, Task, Turns, check, orders, search,
    search_in_turns,
};
use crate::rules::{Rule, without};
use crate::stream::tests::disagreement as stream_disagreement;
use crate::testing::{Dice, Even, Object, Size, World, has_order};
use crate::verdict::Verdict;

/// How many histories are drawn for each model.
pub(super) fn histories() -> u64 {
    let asked = std::env::var("QUORATE_DIFFERENTIAL").ok();
    asked.map_or(2_000, |text| text.parse().expect("QUORATE_DIFFERENTIAL is a number"))
}

/// The seed before the first one: `QUORATE_DIFFERENTIAL_FROM=1000000` draws others than a run before did.
pub(super) fn from() -> u64 {
    let asked = std::env::var("QUORATE_DIFFERENTIAL_FROM").ok();
    asked.map_or(0, |text| text.parse().expect("QUORATE_DIFFERENTIAL_FROM is a number"))
}

/// A random history, and whether it has an order.
fn drawn(object: &Object, seed: u64) -> (Vec<Operation>, bool) {
    let mut dice = Dice::new(seed);
    let size = Size {
        processes: 2 + dice.below(3),
        operations: 2 + dice.below(6),
        wrong_percent: dice.pick(&[0, 10, 40, 40]),
        info_percent: dice.pick(&[0, 15, 30]),
        deletes_lists: dice.chance(50),
    };
    let all = World::history(&mut dice, object, size);
    let expected = has_order(object, &all);
    (all, expected)
}

/// The first part that does not agree with what is expected.
fn disagreement<M: Model + Sync>(model: &M, all: &[Operation], expected: bool) -> Option<String> {
    let deadline = Instant::now() + Duration::from_mins(10);
    let limits = Limits { deadline, memory_bytes: 1 << 30, nodes: u64::MAX };
    let task = Task::new(model, all).expect("what is drawn has a meaning");
    if task.guessed(model).is_some() && !expected {
        return Some("the guess".to_owned());
    }
    if expected && task.refuted(model, limits).is_some() {
        return Some("the suspicion".to_owned());
    }
    for method in [Method::Fast, Method::Exact, Method::Plain] {
        for first in [Preference::Goal, Preference::Call] {
            // Of turns so short, a search is stopped and goes on all the time.
            for nodes in [1, 1_000_000] {
                let turns = Turns { first, nodes };
                let found = search_in_turns(model, &task, method, turns, limits).found;
                if found != if expected { Found::Order } else { Found::NoOrder } {
                    return Some("the search".to_owned());
                }
            }
        }
    }
    if expected && !is_replayed(model, all) {
        return Some("the order that is shown".to_owned());
    }
    let verdict = if expected { Verdict::Valid } else { Verdict::Invalid };
    let judged = check(model, all, Budget::default()).verdict;
    (judged != verdict).then(|| "the verdict".to_owned())
}

/// Whether the order that is shown of each key is one: each operation fits, in a state as it is told, none is before one
/// that had ended before it began, and those that are left out need not have happened.
fn is_replayed<M: Model>(model: &M, all: &[Operation]) -> bool {
    let shown = orders(model, all, Budget::default());
    let mut left: BTreeMap<u64, &Operation> = all.iter().map(|o| (o.invoke, o)).collect();
    for key in &shown {
        let Some(steps) = &key.order else { return false };
        let mut state = model.initial();
        let mut latest_call = 0;
        for step in steps {
            let Some(operation) = left.remove(&step.operation) else { return false };
            latest_call = latest_call.max(operation.invoke);
            let op = model.parse(operation).ok().flatten();
            let Some(after) = op.and_then(|op| model.step(&state, &op)) else { return false };
            let is_late = operation.definite_end().is_some_and(|end| end < latest_call);
            if is_late || model.describe_state(&after) != step.holds {
                return false;
            }
            state = after;
        }
        if key.left_out.iter().any(|left_out| !left.contains_key(left_out)) {
            return false;
        }
    }
    left.values().all(|operation| !operation.is_ok() || matches!(model.parse(operation), Ok(None)))
}

/// What a stream says wrongly.
fn wrong_stream<M: Model>(model: &M, object: &Object, all: &[Operation]) -> Option<String> {
    let wrong = stream_disagreement(model, all, |part| has_order(object, part))?;
    Some(format!("the stream: {wrong}"))
}

/// A history is judged as a stream in several ways, at each of its moments: not each of them is.
const STREAMED_EACH: u64 = 8;

fn all_agree<M: Model + Sync>(model: &M) {
    all_agree_on(model, &Object::of(M::NAME));
}

fn all_agree_on<M: Model + Sync>(model: &M, object: &Object) {
    let mut even = Even::after(from());
    for _ in 0..histories() {
        let (all, expected) = even.next(|seed| drawn(object, seed));
        let seed = even.seed;
        let streamed = || wrong_stream(model, object, &all);
        let wrong = disagreement(model, &all, expected)
            .or_else(|| seed.is_multiple_of(STREAMED_EACH).then(streamed).flatten());
        if let Some(part) = wrong {
            panic!("{}, seed {seed}: {part} says no to {expected} of {all:#?}", M::NAME);
        }
    }
}

#[test]
fn registers_agree_with_all_orders() {
    all_agree(&Register::new());
}

#[test]
fn registers_with_compare_and_set_agree_with_all_orders() {
    all_agree(&CasRegister::new());
}

#[test]
fn lists_agree_with_all_orders() {
    all_agree(&AppendList::new());
}

#[test]
fn transactions_agree_with_all_orders() {
    all_agree(&KvTransaction::new());
}

#[test]
fn queues_agree_with_all_orders() {
    all_agree(&Queue::new());
}

#[test]
fn stacks_agree_with_all_orders() {
    all_agree(&Stack::new());
}

#[test]
fn priority_queues_agree_with_all_orders() {
    all_agree(&PriorityQueue::new());
}

#[test]
fn locks_agree_with_all_orders() {
    all_agree(&Mutex);
}

#[test]
fn unordered_queues_agree_with_all_orders() {
    all_agree(&Bag);
}

#[test]
fn leases_agree_with_all_orders() {
    all_agree(&Lease);
}

#[test]
fn several_registers_agree_with_all_orders() {
    all_agree(&MultiRegister::of_nothing());
}

#[test]
fn registers_of_other_programs_agree_with_all_orders() {
    for initial in [Value::Nil, Value::Int(1)] {
        let model = CasRegister::holding(&initial);
        let refusal = Some(Value::Text(REFUSED.to_owned()));
        all_agree_on(&model, &Object { initial, refusal, ..Object::of("cas-register") });
    }
}

#[test]
fn texts_agree_with_all_orders() {
    for initial in ["", "ab"] {
        let model = Kv { initial: initial.to_owned(), is_nil_read_wildcard: false };
        let initial = Value::Text(initial.to_owned());
        all_agree_on(&model, &Object { initial, ..Object::of("kv") });
    }
}

/// A model that needs no search; one that is not exact accuses less than it might.
fn monitor_agrees(name: &'static str, is_exact: bool) {
    let (model, object) = (by_name(name).unwrap(), Object::of(name));
    let mut even = Even::after(from());
    for _ in 0..histories() {
        let (all, expected) = even.next(|seed| drawn(&object, seed));
        let agrees = match model.check(&all, Budget::default()).verdict {
            Verdict::Valid => expected || !is_exact,
            Verdict::Invalid => !expected,
            Verdict::Unknown => false,
        };
        assert!(agrees, "{name}, seed {}: it says no to {expected} of {all:#?}", even.seed);
    }
}

#[test]
fn sets_agree_with_all_orders() {
    monitor_agrees("set", true);
}

#[test]
fn counters_accuse_nobody_falsely() {
    monitor_agrees("counter", false);
}

/// One thing that a model says wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutation {
    /// Nobody depends on anything.
    ForgetsUnknown,
    /// What it sees coming is not undone when the search goes back.
    NeverPutsBack,
    /// Operations must take effect as soon as they begin.
    Hurries,
    /// All operations change nothing.
    ChangesNothing,
    /// Every operation is suspect by itself.
    SuspectsAll,
    /// All operations overwrite everything.
    OverwritesAll,
}

/// A model with a mutation.
struct Mutated<M>(M, Mutation);

struct MutatedLookahead<L>(L, Mutation);

impl<M: Model> Model for Mutated<M> {
    type State = M::State;
    type Op = M::Op;
    type Lookahead = MutatedLookahead<M::Lookahead>;

    const NAME: &'static str = M::NAME;
    const SUMMARY: &'static str = M::SUMMARY;
    const FUNCTIONS: &'static [&'static str] = M::FUNCTIONS;

    fn initial(&self) -> M::State {
        self.0.initial()
    }

    fn parse(&self, operation: &Operation) -> Result<Option<M::Op>, Malformed> {
        self.0.parse(operation)
    }

    fn step(&self, state: &M::State, op: &M::Op) -> Option<M::State> {
        self.0.step(state, op)
    }

    fn is_read_only(&self, op: &M::Op) -> bool {
        self.1 == Mutation::ChangesNothing || self.0.is_read_only(op)
    }

    fn sets_state(&self, op: &M::Op) -> bool {
        self.1 == Mutation::OverwritesAll || self.0.sets_state(op)
    }

    fn overwrites(&self, op: &M::Op) -> bool {
        self.1 == Mutation::OverwritesAll || self.0.overwrites(op)
    }

    fn depends(&self, observer: &M::Op, cause: &M::Op) -> bool {
        self.0.depends(observer, cause)
    }

    fn unobserved(&self, ops: &[M::Op]) -> Vec<bool> {
        match self.1 {
            Mutation::ForgetsUnknown => vec![true; ops.len()],
            _ => self.0.unobserved(ops),
        }
    }

    fn suspects(&self, ops: &[M::Op], spans: &[Span]) -> Vec<Vec<usize>> {
        match self.1 {
            Mutation::SuspectsAll => (0..ops.len()).map(|place| vec![place]).collect(),
            _ => self.0.suspects(ops, spans),
        }
    }

    fn lookahead(&self, ops: &[M::Op], spans: &[Span]) -> Self::Lookahead {
        let mut spans = spans.to_vec();
        if self.1 == Mutation::Hurries {
            for span in &mut spans {
                span.end = span.end.map(|_| span.call);
            }
        }
        MutatedLookahead(self.0.lookahead(ops, &spans), self.1)
    }

    fn describe_state(&self, state: &M::State) -> String {
        self.0.describe_state(state)
    }
}

impl<S, L: Lookahead<S>> Lookahead<S> for MutatedLookahead<L> {
    fn take(&mut self, op: usize) {
        self.0.take(op);
    }

    fn put_back(&mut self, op: usize) {
        if self.1 != Mutation::NeverPutsBack {
            self.0.put_back(op);
        }
    }

    fn forbids(&mut self, op: usize) -> bool {
        self.0.forbids(op)
    }

    fn is_at_ease(&self, op: usize) -> bool {
        self.0.is_at_ease(op)
    }

    fn is_past_caring(&self) -> bool {
        self.0.is_past_caring()
    }

    fn is_doomed(&self, state: &S) -> bool {
        self.0.is_doomed(state)
    }
}

/// Whether the suite sees the mutation: by a verdict, or by an assertion of the search.
fn is_caught<M: Model + Sync>(model: impl Fn() -> M, mutation: Mutation) -> bool {
    let (mutated, object) = (Mutated(model(), mutation), Object::of(M::NAME));
    (0..2_000).any(|seed| {
        let (all, expected) = drawn(&object, seed);
        let wrong = || {
            disagreement(&mutated, &all, expected).or_else(|| wrong_stream(&mutated, &object, &all))
        };
        let found = catch_unwind(AssertUnwindSafe(wrong));
        !matches!(found, Ok(None))
    })
}

#[test]
fn the_suite_sees_what_a_model_says_wrongly() {
    for mutation in [
        Mutation::ForgetsUnknown,
        Mutation::NeverPutsBack,
        Mutation::Hurries,
        Mutation::ChangesNothing,
        Mutation::SuspectsAll,
    ] {
        assert!(is_caught(Register::new, mutation), "register: {mutation:?}");
        assert!(is_caught(CasRegister::new, mutation), "cas-register: {mutation:?}");
    }
    assert!(is_caught(CasRegister::new, Mutation::OverwritesAll));
    for mutation in [Mutation::ForgetsUnknown, Mutation::ChangesNothing, Mutation::OverwritesAll] {
        assert!(is_caught(Queue::new, mutation), "queue: {mutation:?}");
        assert!(is_caught(|| Mutex, mutation), "mutex: {mutation:?}");
    }
}

/// Whether the suite sees that a rule of the search or of the stream is not kept: by a verdict, or by an assertion.
fn is_missed<M: Model + Sync>(model: &M, rule: Rule, mut seeds: Range<u64>) -> bool {
    let object = Object::of(M::NAME);
    seeds.any(|seed| {
        let (all, expected) = drawn(&object, seed);
        let wrong =
            || disagreement(model, &all, expected).or_else(|| wrong_stream(model, &object, &all));
        let found = catch_unwind(AssertUnwindSafe(|| without(Some(rule), wrong)));
        !matches!(found, Ok(None))
    })
}

#[test]
fn the_suite_sees_when_a_rule_is_not_kept() {
    let rules = [
        Rule::RealTime,
        Rule::ChangesNothingEver,
        Rule::EqualsEndFirst,
        Rule::DeadByOperations,
        Rule::DeadByState,
        Rule::PutsBack,
        Rule::AllThatEnded,
        Rule::FailedIsOut,
        Rule::UnobservedOnly,
        Rule::WantedStays,
        Rule::MadeAgain,
        Rule::SeenAnyhow,
        Rule::AppendedFirst,
        Rule::ObservesOnly,
        Rule::OverwrittenUnseen,
        Rule::LaterIfFixed,
        Rule::CrashedOnce,
        Rule::AllowsAll,
        Rule::DoneAtEnd,
    ];
    // A few of each model first: most rules are missed at once by some of them.
    let is_seen = |rule: Rule| {
        [0..100, 100..2_000].into_iter().any(|seeds| {
            is_missed(&Register::new(), rule, seeds.clone())
                || is_missed(&Mutex, rule, seeds.clone())
                || is_missed(&CasRegister::new(), rule, seeds.clone())
                || is_missed(&Queue::new(), rule, seeds.clone())
                || is_missed(&Kv::default(), rule, seeds)
        })
    };
    let unseen: Vec<Rule> = rules.into_iter().filter(|rule| !is_seen(*rule)).collect();
    assert!(unseen.is_empty(), "nobody would notice: {unseen:?}");
}

/// How many nodes it takes to search histories of a register, of which none takes more than some; and what was found.
fn nodes_without(rule: Option<Rule>) -> (u64, Vec<Found>) {
    let (mut nodes, mut found) = (0, Vec::new());
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let size = Size {
            processes: 6,
            operations: 30,
            wrong_percent: dice.pick(&[0, 10]),
            info_percent: dice.pick(&[0, 15]),
            deletes_lists: false,
        };
        let all = World::history(&mut dice, &Object::of("cas-register"), size);
        let model = CasRegister::new();
        let task = Task::new(&model, &all).expect("what is drawn has a meaning");
        let deadline = Instant::now() + Duration::from_mins(10);
        let limits = Limits { deadline, memory_bytes: 1 << 30, nodes: 1 << 14 };
        let outcome = without(rule, || search(&model, &task, Method::Fast, limits));
        nodes += outcome.nodes;
        found.push(outcome.found);
    }
    (nodes, found)
}

#[test]
fn each_rule_that_only_spares_work_does_so_and_changes_no_verdict() {
    let (nodes, found) = nodes_without(None);
    for rule in [Rule::ReadsAtOnce, Rule::EqualsAreOne, Rule::Remembers, Rule::LooksAhead] {
        let (nodes_without, found_without) = nodes_without(Some(rule));
        assert!(nodes_without > nodes, "{rule:?}: {nodes_without} nodes and {nodes}");
        let is_same = |(one, other): (&Found, &Found)| {
            one == other || [one, other].contains(&&Found::Stopped(Stop::Nodes))
        };
        assert!(found.iter().zip(&found_without).all(is_same), "{rule:?}");
    }
}

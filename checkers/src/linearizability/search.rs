//! The search for an order: Wing and Gong 1993, with the memory of Lowe 2017, and rules that spare
//! it work.
//!
//! Depth first and without recursion. At each node it takes operations that change nothing and fit,
//! at once: an order that has such an operation later stays legal when it is moved here. Then it
//! chooses one of the operations that have begun and that no operation not yet ordered precedes.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::budget::{Limits, Stop};
use super::list::{Entry, List};
use super::memo::{Memo, Precision};
use super::task::Task;
use crate::model::{Lookahead, Model};

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// An order, as places in the task. It may leave out operations that need not have happened.
    Order(Vec<usize>),
    /// There is none.
    NoOrder,
    /// Not decided.
    Stopped(Stop),
}

/// What a search found, and at what cost.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) found: Found,
    /// How many choices it had to make.
    pub(crate) nodes: u64,
    /// How many operations were ordered at best.
    pub(crate) best: usize,
}

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// With all rules and a memory of fingerprints. That there is no order must be confirmed.
    Fast,
    /// With all rules and an exact memory.
    Exact,
    /// With an exact memory and nothing else, for few operations: what confirms the rules.
    Plain,
}

/// Which operation is tried first. Neither wins everywhere: the first one is lost when operations
/// that nobody waits for can be put off for ever, the second one when many clients wait for each
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Preference {
    /// The one that makes the operation possible that must end next; then the one that ends first.
    Goal,
    /// The one that began first.
    Call,
}

/// Searches with both preferences in turn, each time with twice the nodes: deterministic, and never
/// far from the better one.
pub(crate) fn search<M: Model>(
    model: &M,
    task: &Task<'_, M>,
    method: Method,
    limits: Limits,
) -> Outcome {
    let (mut share, mut nodes, mut best) = (NODES_FIRST, 0, 0);
    let mut preference = Preference::Goal;
    loop {
        let mut search = Search::new(model, task, method, preference);
        let rest = limits.nodes.saturating_sub(nodes);
        let found = search.run(Limits { nodes: share.min(rest), ..limits });
        nodes += search.nodes;
        best = best.max(search.best);
        match found {
            Found::Stopped(Stop::Nodes) if nodes < limits.nodes => {}
            Found::Order(order) => {
                verify(model, task, &order);
                return Outcome { found: Found::Order(order), nodes, best };
            }
            Found::NoOrder | Found::Stopped(_) => return Outcome { found, nodes, best },
        }
        preference = match preference {
            Preference::Goal => Preference::Call,
            Preference::Call => {
                share *= 2;
                Preference::Goal
            }
        };
    }
}

/// A search stops after so many nodes the first time.
const NODES_FIRST: u64 = 1 << 12;

/// The clock and the memory are looked at once in so many nodes.
const NODES_PER_POLL: u64 = 1 << 12;

struct Search<'a, M: Model> {
    model: &'a M,
    ops: &'a [M::Op],
    spans: Vec<(u64, Option<u64>)>,
    /// By operation: equal operations have equal classes.
    classes: Vec<usize>,
    has_rules: bool,
    preference: Preference,

    list: List,
    memo: Memo<M::State>,
    lookahead: M::Lookahead,
    state: M::State,
    /// The order so far, each with the state before it.
    trail: Vec<(usize, M::State)>,
    /// Operations that must still be ordered.
    needed: usize,
    /// Nodes on the way whose candidates are not all tried.
    choices: Vec<Choice>,
    /// The candidates of all choices.
    candidates: Vec<usize>,

    nodes: u64,
    best: usize,
}

/// A node where there is more than one way to go.
struct Choice {
    /// The length of the trail there.
    trail: usize,
    /// Where its candidates begin; they end where the next choice's begin.
    first: usize,
    /// The next one to try.
    next: usize,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, task: &'a Task<'_, M>, method: Method, preference: Preference) -> Self {
        let spans = task.spans();
        let precision = match method {
            Method::Fast => Precision::Fingerprint,
            Method::Exact | Method::Plain => Precision::Exact,
        };
        Self {
            model,
            ops: &task.ops,
            classes: classes(&task.ops),
            has_rules: method != Method::Plain,
            preference,
            list: List::new(&spans),
            memo: Memo::new(precision, task.len()),
            lookahead: model.lookahead(&task.ops),
            state: model.initial(),
            trail: Vec::new(),
            needed: spans.iter().filter(|(_, end)| end.is_some()).count(),
            choices: Vec::new(),
            candidates: Vec::new(),
            nodes: 0,
            best: 0,
            spans,
        }
    }

    fn run(&mut self, limits: Limits) -> Found {
        if self.has_rules && self.lookahead.is_doomed(&self.state) {
            return Found::NoOrder;
        }
        loop {
            if self.has_rules {
                while self.take_read_only() {}
            }
            self.best = self.best.max(self.trail.len());
            if self.needed == 0 {
                return Found::Order(self.trail.iter().map(|&(op, _)| op).collect());
            }
            if let Some(stop) = self.exceeded(limits) {
                return Found::Stopped(stop);
            }
            self.nodes += 1;
            if self.memo.insert(&self.state) {
                self.offer_candidates();
            }
            if !self.advance() {
                return Found::NoOrder;
            }
        }
    }

    fn exceeded(&self, limits: Limits) -> Option<Stop> {
        if self.nodes >= limits.nodes {
            return Some(Stop::Nodes);
        }
        if !self.nodes.is_multiple_of(NODES_PER_POLL) {
            return None;
        }
        let trail = self.trail.capacity() * size_of::<(usize, M::State)>();
        let candidates = self.candidates.capacity() * size_of::<usize>();
        limits.exceeded(self.memo.bytes() + (trail + candidates) as u64)
    }

    /// Takes one operation that is possible now and changes nothing in any state, if there is one.
    fn take_read_only(&mut self) -> bool {
        let fits = |&op: &usize| {
            let op = self.op(op);
            self.model.is_read_only(op) && self.model.step(&self.state, op).is_some()
        };
        let found = self.window().find(fits);
        if let Some(op) = found {
            let state = self.state.clone();
            self.take(op, state);
        }
        found.is_some()
    }

    /// The operations that may come next: those called before the first return.
    fn window(&self) -> impl Iterator<Item = usize> {
        self.list.iter().map_while(|entry| match entry {
            Entry::Call(op) => Some(op),
            Entry::Head | Entry::Return(_) | Entry::Tail => None,
        })
    }

    fn offer_candidates(&mut self) {
        let first = self.candidates.len();
        let mut window: Vec<usize> =
            if self.has_rules { self.representatives() } else { self.window().collect() };
        if self.has_rules && self.preference == Preference::Goal {
            let goal = self.goal();
            window.sort_by_cached_key(|&op| (!self.serves(op, goal), self.end(op), op));
        }
        self.candidates.extend(window);
        self.choices.push(Choice { trail: self.trail.len(), first, next: first });
    }

    /// Of operations that are equal, result included, the one that ends first: an order that has
    /// another one of them here stays legal when the two are exchanged. What changes nothing and
    /// does not fit is left out.
    fn representatives(&self) -> Vec<usize> {
        let mut best: BTreeMap<usize, usize> = BTreeMap::new();
        for op in self.window().filter(|&op| !self.model.is_read_only(self.op(op))) {
            let class = *self.classes.get(op).expect("every operation has a class");
            let representative = best.entry(class).or_insert(op);
            if self.end(op) < self.end(*representative) {
                *representative = op;
            }
        }
        let mut representatives: Vec<usize> = best.into_values().collect();
        representatives.sort_unstable();
        representatives
    }

    /// The operation that must end next.
    fn goal(&self) -> Option<usize> {
        self.list.iter().find_map(|entry| match entry {
            Entry::Return(op) => Some(op),
            Entry::Head | Entry::Call(_) | Entry::Tail => None,
        })
    }

    /// Whether `op` is the goal, or makes it possible.
    fn serves(&self, op: usize, goal: Option<usize>) -> bool {
        let Some(goal) = goal else { return false };
        if op == goal {
            return true;
        }
        let after = self.model.step(&self.state, self.op(op));
        after.is_some_and(|state| self.model.step(&state, self.op(goal)).is_some())
    }

    /// Goes back to the last choice that has an untried candidate, and takes that; false if there
    /// is none.
    fn advance(&mut self) -> bool {
        while let Some(choice) = self.choices.last_mut() {
            let (trail, first) = (choice.trail, choice.first);
            let next = choice.next;
            choice.next += 1;
            self.undo_to(trail);
            let Some(&op) = self.candidates.get(next) else {
                self.candidates.truncate(first);
                self.choices.pop();
                continue;
            };
            if self.try_take(op) {
                return true;
            }
        }
        false
    }

    fn try_take(&mut self, op: usize) -> bool {
        let Some(state) = self.model.step(&self.state, self.op(op)) else { return false };
        self.take(op, state);
        if self.has_rules && self.lookahead.is_doomed(&self.state) {
            self.undo_to(self.trail.len() - 1);
            return false;
        }
        true
    }

    fn take(&mut self, op: usize, after: M::State) {
        let before = std::mem::replace(&mut self.state, after);
        self.trail.push((op, before));
        self.list.lift(op);
        self.memo.toggle(op);
        self.lookahead.take(op);
        self.needed -= usize::from(self.is_needed(op));
    }

    fn undo_to(&mut self, length: usize) {
        while self.trail.len() > length {
            let Some((op, before)) = self.trail.pop() else { return };
            self.state = before;
            self.list.unlift(op);
            self.memo.toggle(op);
            self.lookahead.put_back(op);
            self.needed += usize::from(self.is_needed(op));
        }
    }

    fn op(&self, op: usize) -> &'a M::Op {
        self.ops.get(op).expect("operations are named by their places")
    }

    fn is_needed(&self, op: usize) -> bool {
        self.spans.get(op).is_some_and(|(_, end)| end.is_some())
    }

    /// When it must have happened, at the latest.
    fn end(&self, op: usize) -> u64 {
        self.spans.get(op).and_then(|&(_, end)| end).unwrap_or(u64::MAX)
    }
}

/// Gives equal operations equal numbers.
fn classes<Op: Clone + Eq + std::hash::Hash>(ops: &[Op]) -> Vec<usize> {
    let mut known: FxHashMap<&Op, usize> = FxHashMap::default();
    ops.iter()
        .map(|op| {
            let fresh = known.len();
            *known.entry(op).or_insert(fresh)
        })
        .collect()
}

/// A valid verdict rests on this and not on the search: the order is legal for the model, keeps to
/// real time, and has every operation that must be in it.
fn verify<M: Model>(model: &M, task: &Task<'_, M>, order: &[usize]) {
    let mut state = model.initial();
    let mut latest_call = 0;
    let mut is_left = vec![true; task.len()];
    for &place in order {
        let operation = task.operations.get(place).expect("the order names operations");
        let op = task.ops.get(place).expect("every operation has a meaning");
        state =
            model.step(&state, op).expect("each operation of the order is possible in its turn");
        // None may have ended before one that was ordered earlier was called.
        latest_call = latest_call.max(operation.invoke);
        assert!(operation.definite_end().is_none_or(|end| latest_call <= end), "real time is kept");
        let left = is_left.get_mut(place).expect("the order names operations");
        assert!(std::mem::take(left), "no operation is ordered twice");
    }
    let complete = task.operations.iter().zip(&is_left).all(|(o, left)| !left || !o.is_ok());
    assert!(complete, "every operation that happened is in the order");
}

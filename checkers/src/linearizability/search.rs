//! The search for an order: Wing and Gong 1993, with the memory of Lowe 2017, and rules that spare
//! it work.
//!
//! Depth first and without recursion. At each node it takes operations that change nothing and fit,
//! at once: an order that has such an operation later stays legal when it is moved here. Then it
//! chooses one of the operations that have begun and that no operation not yet ordered precedes.

use super::budget::{Limits, Stop};
use super::dead::{DeadEnds, Ordered, Precision};
use super::list::{Entry, List, NEVER};
use super::steps::Steps;
use super::task::Task;
use crate::model::{Lookahead, Model};
use crate::rules::{Rule, holds};

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is an order. It may leave out operations that need not have happened.
    Order,
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
    /// The operation that had to be ordered next there and could not be, as a place, if the search came to that.
    pub(crate) stuck: Option<usize>,
    /// The order that was found, as places; empty if none was.
    pub(crate) order: Vec<usize>,
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

impl Method {
    fn precision(self) -> Precision {
        match self {
            Self::Fast => Precision::Fingerprint,
            Self::Exact | Self::Plain => Precision::Exact,
        }
    }
}

/// Which operation is tried first. Neither wins everywhere: the first one is lost when operations
/// that nobody waits for can be put off for ever, the second one when many clients wait for each
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preference {
    /// The one that makes the operation possible that must end next; then the one that ends first.
    Goal,
    /// The one that began first.
    Call,
}

impl Preference {
    fn other(self) -> Self {
        match self {
            Self::Goal => Self::Call,
            Self::Call => Self::Goal,
        }
    }
}

/// How two searches with different preferences take turns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turns {
    /// Who begins.
    pub(crate) first: Preference,
    /// How many nodes the first turns have; then twice as many, and so on.
    pub(crate) nodes: u64,
}

/// Searches with both preferences in turn, each time with twice the nodes, and each goes on where it was: deterministic,
/// and never far from the better one. What one finds to lead nowhere the other one does not try.
pub(crate) fn search<M: Model>(
    model: &M,
    task: &Task<'_, M>,
    method: Method,
    limits: Limits,
) -> Outcome {
    let turns = Turns { first: Preference::Goal, nodes: NODES_FIRST + task.len() as u64 };
    search_in_turns(model, task, method, turns, limits)
}

/// As [`search`], with other turns.
pub(crate) fn search_in_turns<M: Model>(
    model: &M,
    task: &Task<'_, M>,
    method: Method,
    turns: Turns,
    limits: Limits,
) -> Outcome {
    let mut common = Common::new(model, task, method);
    let mut first = Search::new(model, task, &mut common, method, turns.first);
    let mut second = None;
    let mut share = turns.nodes;
    loop {
        let (found, finder) = match common.turn(&mut first, share, limits) {
            Found::Stopped(Stop::Nodes) if common.nodes < limits.nodes => {
                let second = second.get_or_insert_with(|| {
                    Search::new(model, task, &mut common, method, turns.first.other())
                });
                (common.turn(second, share, limits), &*second)
            }
            found => (found, &first),
        };
        let Common { nodes, best, stuck, .. } = common;
        let stuck = stuck.map(|op| op as usize);
        match found {
            Found::Stopped(Stop::Nodes) if nodes < limits.nodes => share *= 2,
            Found::Order => {
                let order = finder.order();
                debug_assert!(is_legal(model, task, &order), "what was found is no order");
                return Outcome { found, nodes, best, stuck, order };
            }
            Found::NoOrder | Found::Stopped(_) => {
                return Outcome { found, nodes, best, stuck, order: Vec::new() };
            }
        }
    }
}

/// A search stops after so many nodes, and one for each operation, the first time.
const NODES_FIRST: u64 = 1 << 12;

/// The clock is looked at once in so many nodes.
const NODES_PER_POLL: u64 = 1 << 8;

/// What searches with different preferences share.
struct Common<'a, M: Model> {
    model: &'a M,
    task: &'a Task<'a, M>,
    steps: Steps<'a, M>,
    dead: DeadEnds,
    nodes: u64,
    best: usize,
    /// What had to come next where so many were ordered, and could not.
    stuck: Option<u32>,
    /// What searches take that do not have their turn.
    idle_bytes: u64,
}

impl<'a, M: Model> Common<'a, M> {
    fn new(model: &'a M, task: &'a Task<'a, M>, method: Method) -> Self {
        let steps = Steps::new(model, &task.ops);
        let dead = DeadEnds::new(method.precision());
        Self { model, task, steps, dead, nodes: 0, best: 0, stuck: None, idle_bytes: 0 }
    }

    /// Lets a search go on for `share` nodes.
    fn turn(&mut self, search: &mut Search<M>, share: u64, limits: Limits) -> Found {
        let until = self.nodes.saturating_add(share).min(limits.nodes);
        self.idle_bytes = self.idle_bytes.saturating_sub(search.bytes());
        let found = search.run(self, Limits { nodes: until, ..limits });
        self.idle_bytes += search.bytes();
        if found == Found::Order {
            let order: Vec<usize> = search.trail.iter().map(|&(op, _)| op as usize).collect();
            assert!(is_legal(self.model, self.task, &order), "what was found is an order");
        }
        found
    }

    fn exceeded(&self, limits: Limits, search: &Search<M>) -> Option<Stop> {
        if self.nodes >= limits.nodes {
            return Some(Stop::Nodes);
        }
        let dead = self.dead.bytes(self.steps.op_count());
        let bytes = self.steps.bytes() + dead + search.bytes() + self.idle_bytes;
        if bytes > limits.memory_bytes {
            return Some(Stop::Memory);
        }
        let is_time = self.nodes.is_multiple_of(NODES_PER_POLL) && limits.is_late();
        is_time.then_some(Stop::Time)
    }
}

/// Stands for all states where none of them matters.
const ANY_STATE: u32 = u32::MAX;

/// One way through the orders.
struct Search<M: Model> {
    has_rules: bool,
    preference: Preference,
    list: List,
    ordered: Ordered,
    lookahead: M::Lookahead,
    state: u32,
    /// The order so far, each with the state before it.
    trail: Vec<(u32, u32)>,
    /// Operations that must still be ordered.
    needed: usize,
    /// Nodes on the way, each with the candidate that was tried there last.
    choices: Vec<Choice>,
    /// By class: which of the operations that may come next stands for it, and in which round that was found.
    standing: Vec<(u64, u32)>,
    round: u64,
    /// The operations that may come next, without those that change nothing.
    window: Vec<u32>,
    is_begun: bool,
}

/// A node where one of several ways was taken.
struct Choice {
    /// The length of the trail there.
    trail: u32,
    /// The candidate that was tried last.
    last: Rank,
}

/// The order in which candidates are tried: those that serve the goal, then those that end first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_idle: bool,
    end: u32,
    op: u32,
}

impl<M: Model> Search<M> {
    fn new(
        model: &M,
        task: &Task<'_, M>,
        common: &mut Common<'_, M>,
        method: Method,
        preference: Preference,
    ) -> Self {
        let spans = &task.spans;
        Self {
            has_rules: method != Method::Plain,
            preference,
            list: List::new(spans),
            ordered: Ordered::nothing(method.precision(), task.len()),
            lookahead: model.lookahead(&task.ops, spans),
            state: common.steps.initial(),
            trail: Vec::with_capacity(task.len()),
            needed: spans.iter().filter(|span| span.end.is_some()).count(),
            choices: Vec::new(),
            standing: vec![(0, 0); common.steps.class_count()],
            round: 0,
            window: Vec::new(),
            is_begun: false,
        }
    }

    /// Goes on until it has found something or stops.
    fn run(&mut self, common: &mut Common<'_, M>, limits: Limits) -> Found {
        // A search that has stopped stands at a node that it has not looked at.
        if !std::mem::replace(&mut self.is_begun, true) {
            if self.is_doomed(common) {
                return Found::NoOrder;
            }
            self.take_at_once(common);
        }
        loop {
            common.best = common.best.max(self.trail.len());
            if self.needed == 0 || (self.needed == 1 && !holds(Rule::AllThatEnded)) {
                return Found::Order;
            }
            if let Some(stop) = common.exceeded(limits, self) {
                return Found::Stopped(stop);
            }
            common.nodes += 1;
            let is_dead =
                holds(Rule::Remembers) && common.dead.has(&self.ordered, self.remembered_state());
            let went = !is_dead && self.choose(common, None);
            if !went && self.trail.len() == common.best {
                common.stuck = self.goal();
            }
            if !went && !self.go_back(common) {
                return Found::NoOrder;
            }
            self.take_at_once(common);
        }
    }

    /// The order so far, as places.
    fn order(&self) -> Vec<usize> {
        self.trail.iter().map(|&(op, _)| op as usize).collect()
    }

    fn bytes(&self) -> u64 {
        let choices = self.choices.capacity() * size_of::<Choice>();
        let trail = self.trail.capacity() * size_of::<(u32, u32)>();
        let standing = self.standing.capacity() * size_of::<(u64, u32)>();
        self.list.bytes() + (choices + trail + standing) as u64
    }

    /// Takes all operations that are possible now and change nothing in any state, and those that are in nobody's way.
    fn take_at_once(&mut self, common: &mut Common<'_, M>) {
        if !self.has_rules || !holds(Rule::ReadsAtOnce) {
            return;
        }
        let mut before = List::HEAD;
        loop {
            let place = self.list.after(before);
            let Entry::Call(op) = self.list.entry(place) else { return };
            let is_unchanged = |steps: &mut Steps<'_, M>| {
                steps.is_read_only(op) || steps.after(self.state, op) == Some(self.state)
            };
            let changes_nothing = if holds(Rule::ChangesNothingEver) {
                common.steps.is_read_only(op)
            } else {
                is_unchanged(&mut common.steps)
            };
            let after = if changes_nothing {
                Some(self.state).filter(|state| common.steps.is_possible(*state, op))
            } else if holds(Rule::LooksAhead) && self.lookahead.is_at_ease(op as usize) {
                common.steps.after(self.state, op)
            } else {
                None
            };
            match after {
                // What follows now is after the one before it: its own return may have stood next.
                Some(after) => self.take(op, after),
                None => before = place,
            }
        }
    }

    /// Takes the best candidate after `last`; false if there is none. Where it is tried first, the node becomes a choice.
    fn choose(&mut self, common: &mut Common<'_, M>, last: Option<Rank>) -> bool {
        let trail = u32::try_from(self.trail.len()).expect("fewer than 2^32 operations");
        self.look_around(common);
        let goal = self.goal();
        let mut last = last;
        while let Some(rank) = self.best_after(common, goal, last) {
            if self.try_take(common, rank.op) {
                self.choices.push(Choice { trail, last: rank });
                return true;
            }
            last = Some(rank);
        }
        common.dead.add(&self.ordered, self.remembered_state());
        false
    }

    /// Goes back to the last choice that has another candidate, and takes that; false if there is none.
    fn go_back(&mut self, common: &mut Common<'_, M>) -> bool {
        while let Some(Choice { trail, last }) = self.choices.pop() {
            self.undo_to(trail as usize);
            if self.choose(common, Some(last)) {
                return true;
            }
        }
        false
    }

    /// Finds the operations that may come next: those called before the first return. Of operations that are equal,
    /// result included, only the one that ends first: an order that has another one of them here stays legal when the
    /// two are exchanged. What changes nothing and does not fit is left out.
    fn look_around(&mut self, common: &Common<'_, M>) {
        self.window.clear();
        self.round += 1;
        let mut place = self.list.after(List::HEAD);
        loop {
            let op = match self.list.entry(place) {
                Entry::Call(op) => op,
                Entry::Return(_) if !holds(Rule::RealTime) => {
                    place = self.list.after(place);
                    continue;
                }
                Entry::Return(_) | Entry::Edge => break,
            };
            place = self.list.after(place);
            if !self.has_rules {
                self.window.push(op);
                continue;
            }
            let is_read = common.steps.is_read_only(op) && holds(Rule::ReadsAtOnce);
            if is_read || (holds(Rule::LooksAhead) && self.lookahead.forbids(op as usize)) {
                continue;
            }
            if !holds(Rule::EqualsAreOne) {
                self.window.push(op);
                continue;
            }
            let class = common.steps.class(op) as usize;
            let standing = self.standing.get_mut(class).expect("every class has its place");
            if standing.0 != self.round {
                *standing = (self.round, op);
                self.window.push(op);
            } else if (self.list.end(op) < self.list.end(standing.1)) == holds(Rule::EqualsEndFirst)
            {
                standing.1 = op;
            }
        }
        if self.has_rules && holds(Rule::EqualsAreOne) {
            for op in &mut self.window {
                let class = common.steps.class(*op) as usize;
                *op = self.standing.get(class).map_or(*op, |standing| standing.1);
            }
        }
    }

    /// The candidate with the lowest rank above `last`.
    fn best_after(
        &self,
        common: &mut Common<'_, M>,
        goal: Option<u32>,
        last: Option<Rank>,
    ) -> Option<Rank> {
        let mut best: Option<Rank> = None;
        // What is the only one need not be ranked.
        let goal = goal.filter(|_| self.window.len() > 1);
        for &op in &self.window {
            let (end, is_call) = match self.preference {
                Preference::Goal if self.has_rules => (self.list.end(op), false),
                Preference::Goal | Preference::Call => (0, true),
            };
            let idle = Rank { is_idle: true, end, op };
            let busy = Rank { is_idle: false, end, op };
            // What cannot be the best is not asked whether it serves.
            if last.is_some_and(|last| idle <= last) || best.is_some_and(|best| busy >= best) {
                continue;
            }
            let is_idle = !is_call && !self.serves(common, op, goal);
            let rank = Rank { is_idle, end, op };
            if last.is_none_or(|last| rank > last) && best.is_none_or(|best| rank < best) {
                best = Some(rank);
            }
        }
        best
    }

    /// The operation that must end next.
    fn goal(&self) -> Option<u32> {
        let mut place = self.list.after(List::HEAD);
        loop {
            match self.list.entry(place) {
                Entry::Call(_) => place = self.list.after(place),
                Entry::Return(op) => return Some(op),
                Entry::Edge => return None,
            }
        }
    }

    /// Whether `op` is the goal, or makes it possible.
    fn serves(&self, common: &mut Common<'_, M>, op: u32, goal: Option<u32>) -> bool {
        let Some(goal) = goal else { return false };
        if op == goal {
            return true;
        }
        if !common.steps.depends(goal, op) {
            return false;
        }
        let after = common.steps.after(self.state, op);
        after.is_some_and(|state| common.steps.is_possible(state, goal))
    }

    fn try_take(&mut self, common: &mut Common<'_, M>, op: u32) -> bool {
        let Some(state) = common.steps.after(self.state, op) else { return false };
        self.take(op, state);
        if self.is_doomed(common) {
            self.undo_to(self.trail.len() - 1);
            return false;
        }
        true
    }

    /// Whether it is seen already that this leads nowhere.
    fn is_doomed(&self, common: &Common<'_, M>) -> bool {
        self.has_rules
            && holds(Rule::LooksAhead)
            && self.lookahead.is_doomed(common.steps.state(self.state))
    }

    fn take(&mut self, op: u32, after: u32) {
        let before = std::mem::replace(&mut self.state, after);
        self.trail.push((op, before));
        self.list.lift(op);
        self.mark(op);
        self.lookahead.take(op as usize);
        self.needed -= usize::from(self.list.end(op) != NEVER);
    }

    /// Adds the operation to those that are ordered, or takes it out.
    fn mark(&mut self, op: u32) {
        if holds(Rule::DeadByOperations) {
            self.ordered.toggle(op);
        }
    }

    /// The state, as dead ends are remembered with it.
    fn remembered_state(&self) -> u32 {
        let is_any = self.has_rules && holds(Rule::LooksAhead) && self.lookahead.is_past_caring();
        if is_any || !holds(Rule::DeadByState) { ANY_STATE } else { self.state }
    }

    fn undo_to(&mut self, length: usize) {
        while self.trail.len() > length {
            let Some((op, before)) = self.trail.pop() else { return };
            self.state = before;
            self.list.unlift(op);
            self.mark(op);
            if holds(Rule::PutsBack) {
                self.lookahead.put_back(op as usize);
            }
            self.needed += usize::from(self.list.end(op) != NEVER);
        }
    }
}

/// Whether an order is legal for the model, keeps to real time, and has every operation that must be in it. A valid
/// verdict rests on this and not on how the order was found.
pub(super) fn is_legal<M: Model>(model: &M, task: &Task<'_, M>, order: &[usize]) -> bool {
    let mut state = model.initial();
    let mut latest_call = 0;
    let mut is_left = vec![true; task.len()];
    for &place in order {
        let (Some(span), Some(op)) = (task.spans.get(place), task.ops.get(place)) else {
            return false;
        };
        let is_possible = if model.is_read_only(op) {
            model.is_possible(&state, op)
        } else {
            model.apply(&mut state, op)
        };
        // None may have ended before one that was ordered earlier was called.
        latest_call = latest_call.max(span.call);
        let is_late = span.end.is_some_and(|end| end < latest_call);
        let is_first = is_left.get_mut(place).is_some_and(std::mem::take);
        if is_late || !is_first || !is_possible {
            return false;
        }
    }
    task.spans.iter().zip(&is_left).all(|(span, left)| !left || span.end.is_none())
}

//! One way of a search through the orders: where it stands, where it goes next, and how it goes back.

use super::budget::Limits;
use super::dead::Ordered;
use super::list::{Entry, List, NEVER};
use super::search::{Common, Found, Method, Preference};
use super::steps::Steps;
use super::task::Task;
use crate::model::{Lookahead, Model};
use crate::rules::{Rule, holds};

/// Stands for all states where none of them matters.
const ANY_STATE: u32 = u32::MAX;

/// One way through the orders.
pub(super) struct Search<M: Model> {
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
    pub(super) fn new(
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
    pub(super) fn run(&mut self, common: &mut Common<'_, M>, limits: Limits) -> Found {
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
    pub(super) fn order(&self) -> Vec<usize> {
        self.trail.iter().map(|&(op, _)| op as usize).collect()
    }

    pub(super) fn bytes(&self) -> u64 {
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

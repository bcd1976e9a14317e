//! The search for an order: Wing and Gong 1993, with the memory of Lowe 2017, and rules that spare
//! it work.
//!
//! Depth first and without recursion. At each node it takes operations that change nothing and fit,
//! or that are in nobody's way, at once: an order that has such an operation later stays legal when
//! it is moved here. Then it chooses one of the operations that have begun and that no operation not
//! yet ordered precedes.

use super::budget::{Limits, Stop};
use super::dead::{DeadEnds, Precision};
use super::steps::Steps;
use super::task::Task;
use super::way::Search;
use crate::model::Model;

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
    pub(super) fn precision(self) -> Precision {
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
pub(super) struct Common<'a, M: Model> {
    model: &'a M,
    task: &'a Task<'a, M>,
    pub(super) steps: Steps<'a, M>,
    pub(super) dead: DeadEnds,
    pub(super) nodes: u64,
    pub(super) best: usize,
    /// What had to come next where so many were ordered, and could not.
    pub(super) stuck: Option<u32>,
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
            let order = search.order();
            assert!(is_legal(self.model, self.task, &order), "what was found is an order");
        }
        found
    }

    pub(super) fn exceeded(&self, limits: Limits, search: &Search<M>) -> Option<Stop> {
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

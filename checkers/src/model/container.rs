//! Things that elements are put into and taken out of: queues, stacks, priority queues.
//!
//! They differ in which element is taken, and in the names of their functions, and in nothing else.
//!
//! Where every element is put in at most once, each has a monitor that decides in O(n log n) and without a search
//! (`fifo`, `lifo`, `least`). It is exact if no operation that takes has an unknown result: then there is an order if and
//! only if it makes one. With such operations it still refutes, and makes orders, but may do neither: then an order is
//! searched. What it makes is checked by the model, and what it refutes is a small part of the history that is judged
//! again by itself; `trace` says what becomes of operations that failed or whose end nobody knows, and of elements that
//! are put in more than once.

mod accuse;
mod cover;
mod dues;
mod fifo;
mod least;
mod least_tree;
mod lifo;
#[cfg(test)]
mod tests;
mod trace;

use std::collections::VecDeque;
use std::marker::PhantomData;

use rustc_hash::FxHashSet;

use super::{Case, Lookahead, Malformed, Model, Span};
use crate::history::{Operation, Outcome, Value};
use accuse::Order;
use dues::Due;
use trace::{Arranged, Trace};

/// Independent containers, empty at first. `D` says which element is taken.
#[derive(Clone, Copy, Debug)]
pub struct Container<D>(PhantomData<D>);

impl<D> Container<D> {
    /// The model.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<D> Default for Container<D> {
    fn default() -> Self {
        Self::new()
    }
}

/// What was put in first is taken first.
pub type Queue = Container<Fifo>;
/// What was put in last is taken first.
pub type Stack = Container<Lifo>;
/// The least is taken first.
pub type PriorityQueue = Container<Least>;

/// Which element is taken, and what that is called.
pub trait Discipline: Sync {
    /// Its name, as in the header of a history.
    const NAME: &'static str;
    /// One sentence, for lists.
    const SUMMARY: &'static str;
    /// What puts an element in, and what takes one out.
    const FUNCTIONS: &'static [&'static str; 2];
    /// Which of several elements is taken.
    const ORDER: Order;

    /// Puts an element where it will be taken from the front in its turn.
    fn put(elements: &mut VecDeque<i64>, element: i64);

    /// An order of elements that are put in once, if there is one, or what proves that there is none. The default
    /// cannot tell.
    fn arrange(trace: &Trace) -> Arranged {
        let _ = trace;
        Err(Vec::new())
    }

    /// Elements that nobody is known to have taken and somebody must have, if there is an order, each with the last
    /// moment for that. The default knows of none.
    fn dues(trace: &Trace) -> Vec<Due> {
        let _ = trace;
        Vec::new()
    }
}

/// See [`Queue`].
#[derive(Clone, Copy, Debug)]
pub struct Fifo;

impl Discipline for Fifo {
    const NAME: &'static str = "queue";
    const SUMMARY: &'static str = "independent queues: `dequeue` takes what was `enqueue`d first of what is there, or finds \
         nothing";
    const FUNCTIONS: &'static [&'static str; 2] = &["enqueue", "dequeue"];
    const ORDER: Order = Order::Age;

    fn put(elements: &mut VecDeque<i64>, element: i64) {
        elements.push_back(element);
    }

    fn arrange(trace: &Trace) -> Arranged {
        fifo::arrange(trace)
    }

    fn dues(trace: &Trace) -> Vec<Due> {
        dues::of_queue(trace)
    }
}

/// See [`Stack`].
#[derive(Clone, Copy, Debug)]
pub struct Lifo;

impl Discipline for Lifo {
    const NAME: &'static str = "stack";
    const SUMMARY: &'static str =
        "independent stacks: `pop` takes what was `push`ed last of what is there, or finds nothing";
    const FUNCTIONS: &'static [&'static str; 2] = &["push", "pop"];
    const ORDER: Order = Order::Youth;

    fn put(elements: &mut VecDeque<i64>, element: i64) {
        elements.push_front(element);
    }

    fn arrange(trace: &Trace) -> Arranged {
        lifo::arrange(trace)
    }

    fn dues(trace: &Trace) -> Vec<Due> {
        dues::of_stack(trace)
    }
}

/// See [`PriorityQueue`].
#[derive(Clone, Copy, Debug)]
pub struct Least;

impl Discipline for Least {
    const NAME: &'static str = "priority-queue";
    const SUMMARY: &'static str = "independent priority queues: `extract` takes the least of what was `insert`ed and is \
         there, or finds nothing";
    const FUNCTIONS: &'static [&'static str; 2] = &["insert", "extract"];
    const ORDER: Order = Order::Size;

    fn put(elements: &mut VecDeque<i64>, element: i64) {
        elements.insert(elements.partition_point(|other| *other < element), element);
    }

    fn arrange(trace: &Trace) -> Arranged {
        least::arrange(trace)
    }

    fn dues(trace: &Trace) -> Vec<Due> {
        dues::of_least(trace)
    }
}

/// An operation on a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContainerOp {
    /// It put this in, if it happened.
    Put(i64),
    /// It took this.
    Took(i64),
    /// It found nothing there.
    FoundNothing,
    /// It took something that nobody was told, if it happened.
    TookUnknown,
}

impl<D: Discipline> Model for Container<D> {
    type State = VecDeque<i64>;
    type Op = ContainerOp;
    type Lookahead = Foregone;

    const NAME: &'static str = D::NAME;
    const SUMMARY: &'static str = D::SUMMARY;
    const FUNCTIONS: &'static [&'static str] = D::FUNCTIONS;

    fn initial(&self) -> VecDeque<i64> {
        VecDeque::new()
    }

    fn parse(&self, operation: &Operation) -> Result<Option<ContainerOp>, Malformed> {
        let [put, take] = *D::FUNCTIONS;
        let bad = |problem: String| Malformed { index: operation.invoke, problem };
        match (operation.f.as_str(), &operation.input) {
            (f, Value::Int(element)) if f == put => Ok(Some(ContainerOp::Put(*element))),
            (f, other) if f == put => {
                Err(bad(format!("`{put}` is given {other}; expected an integer")))
            }
            (f, Value::Nil) if f == take => taken(operation, take).map(Some),
            (f, other) if f == take => {
                Err(bad(format!("`{take}` takes no argument, not {other}; expected null")))
            }
            (f, _) => {
                let name = D::NAME;
                Err(bad(format!(
                    "the model `{name}` has no function `{f}`; expected `{put}` or `{take}`"
                )))
            }
        }
    }

    fn step(&self, elements: &VecDeque<i64>, op: &ContainerOp) -> Option<VecDeque<i64>> {
        if !self.is_possible(elements, op) {
            return None;
        }
        let mut after = elements.clone();
        self.apply(&mut after, op).then_some(after)
    }

    fn apply(&self, elements: &mut VecDeque<i64>, op: &ContainerOp) -> bool {
        if !self.is_possible(elements, op) {
            return false;
        }
        match *op {
            ContainerOp::Put(element) => D::put(elements, element),
            ContainerOp::Took(_) | ContainerOp::TookUnknown => {
                elements.pop_front();
            }
            ContainerOp::FoundNothing => {}
        }
        true
    }

    fn is_possible(&self, elements: &VecDeque<i64>, op: &ContainerOp) -> bool {
        match *op {
            ContainerOp::Put(_) | ContainerOp::TookUnknown => true,
            ContainerOp::Took(element) => elements.front() == Some(&element),
            ContainerOp::FoundNothing => elements.is_empty(),
        }
    }

    fn state_bytes(&self, elements: &VecDeque<i64>) -> usize {
        size_of_val(elements) + elements.capacity() * size_of::<i64>()
    }

    fn is_read_only(&self, op: &ContainerOp) -> bool {
        *op == ContainerOp::FoundNothing
    }

    /// An element may go with all that is done to it: the others stay in their order. What nobody was told may have
    /// been any of them.
    fn depends(&self, observer: &ContainerOp, cause: &ContainerOp) -> bool {
        match (*observer, *cause) {
            (_, ContainerOp::TookUnknown) | (ContainerOp::TookUnknown, _) => true,
            (ContainerOp::Took(taken), ContainerOp::Put(put))
            | (ContainerOp::Put(put), ContainerOp::Took(taken)) => taken == put,
            (
                ContainerOp::Put(_) | ContainerOp::Took(_) | ContainerOp::FoundNothing,
                ContainerOp::Put(_) | ContainerOp::Took(_) | ContainerOp::FoundNothing,
            ) => false,
        }
    }

    fn unobserved(&self, ops: &[ContainerOp]) -> Vec<bool> {
        let taken: FxHashSet<i64> = ops
            .iter()
            .filter_map(|op| match op {
                ContainerOp::Took(element) => Some(*element),
                ContainerOp::Put(_) | ContainerOp::FoundNothing | ContainerOp::TookUnknown => None,
            })
            .collect();
        // Who took something that nobody was told may go as well, if it was this.
        let is_unobserved = |op: &ContainerOp| match op {
            ContainerOp::Put(element) => !taken.contains(element),
            ContainerOp::Took(_) | ContainerOp::FoundNothing | ContainerOp::TookUnknown => false,
        };
        ops.iter().map(is_unobserved).collect()
    }

    fn guess(&self, ops: &[ContainerOp], spans: &[Span]) -> Option<Vec<usize>> {
        Trace::new(ops, spans).order::<D>()
    }

    fn suspects(&self, ops: &[ContainerOp], spans: &[Span]) -> Vec<Vec<usize>> {
        Trace::new(ops, spans).refutations::<D>()
    }

    fn lookahead(&self, ops: &[ContainerOp], spans: &[Span]) -> Foregone {
        Foregone { is_refuted: !Trace::new(ops, spans).refutations::<D>().is_empty() }
    }

    fn describe(&self, operation: &Operation) -> String {
        let Operation { f, input, .. } = operation;
        match &operation.outcome {
            _ if *input != Value::Nil => format!("{f} {input}"),
            Outcome::Ok(taken) => format!("{f} -> {taken}"),
            Outcome::Fail | Outcome::Info | Outcome::Pending => f.to_string(),
        }
    }

    fn describe_state(&self, elements: &VecDeque<i64>) -> String {
        Value::List(elements.iter().copied().map(Value::Int).collect()).to_string()
    }

    fn accuse(&self, case: &Case<'_, ContainerOp>) -> Option<String> {
        accuse::sentence::<D>(case)
    }
}

/// Knows before a search begins whether it is in vain.
#[derive(Clone, Copy, Debug)]
pub struct Foregone {
    is_refuted: bool,
}

impl Lookahead<VecDeque<i64>> for Foregone {
    fn take(&mut self, _: usize) {}
    fn put_back(&mut self, _: usize) {}
    fn is_doomed(&self, _: &VecDeque<i64>) -> bool {
        self.is_refuted
    }
}

fn taken(operation: &Operation, take: &str) -> Result<ContainerOp, Malformed> {
    match &operation.outcome {
        Outcome::Ok(Value::Int(element)) => Ok(ContainerOp::Took(*element)),
        Outcome::Ok(Value::Nil) => Ok(ContainerOp::FoundNothing),
        Outcome::Ok(other @ (Value::Text(_) | Value::List(_))) => Err(Malformed {
            index: operation.complete.unwrap_or(operation.invoke),
            problem: format!("`{take}` returns {other}; expected an integer or null"),
        }),
        Outcome::Fail | Outcome::Info | Outcome::Pending => Ok(ContainerOp::TookUnknown),
    }
}

//! Sequential specifications: what an object does when its operations happen one after another.
//!
//! A later model is a module here and one line in [`ALL`]; nothing else knows the models by name.
//! They are written without a look at the systems under test, on purpose: an oracle that shares
//! code with its subject inherits its bugs.

mod bag;
mod consensus;
mod container;
mod counter;
#[cfg(test)]
mod differential;
mod element_set;
mod kv;
mod lease;
mod monitor;
mod multi;
mod mutex;
mod numbering;
mod register;
mod set;
mod store;
mod supply;
#[cfg(test)]
mod tests;
mod weaker;
mod witness;

use std::hash::Hash;

use crate::history::{Key, Operation};
use crate::linearizability::{self, Budget, KeyOrder, Linearizability};
use crate::stream::{self, AnyStream, Stream};

pub use bag::{Bag, BagOp, Elements};
pub use consensus::{Consensus, ConsensusOp, Observers};
pub use container::{Container, ContainerOp, PriorityQueue, Queue, Stack};
pub use counter::Counter;
pub use element_set::ElementSet;
pub use kv::{Growth, Kv, KvOp, Text};
pub use lease::{Lease, LeaseOp, Tenure};
pub use monitor::Monitored;
pub use multi::{MultiRegister, Named, Part};
pub use mutex::{Mutex, MutexOp};
pub use register::{CasRegister, Content, Orphans, REFUSED, Register, RegisterOp, Registers};
pub use set::Set;
pub use store::{AppendList, KvTransaction, StoreOp};
pub use weaker::{Condition, Satisfied};

/// A sequential object.
///
/// One of your own needs its states, its operations, and which state follows which:
///
/// ```
/// use quorate_checkers::history::{Operation, Outcome, Value};
/// use quorate_checkers::model::{Malformed, Model, NoLookahead, Span};
///
/// /// A dispenser of tickets: each `draw` returns the next number.
/// struct Tickets;
///
/// impl Model for Tickets {
///     type State = i64;
///     /// The number that was drawn, if anybody was told.
///     type Op = Option<i64>;
///     type Lookahead = NoLookahead;
///
///     const NAME: &'static str = "tickets";
///     const SUMMARY: &'static str = "each `draw` returns the next number, from 1 on";
///     const FUNCTIONS: &'static [&'static str] = &["draw"];
///
///     fn initial(&self) -> i64 {
///         0
///     }
///
///     fn parse(&self, operation: &Operation) -> Result<Option<Option<i64>>, Malformed> {
///         match &operation.outcome {
///             Outcome::Ok(Value::Int(number)) => Ok(Some(Some(*number))),
///             Outcome::Ok(other) => {
///                 let problem = format!("`draw` returns {other}; expected an integer");
///                 Err(Malformed { index: operation.invoke, problem })
///             }
///             Outcome::Fail | Outcome::Info | Outcome::Pending => Ok(Some(None)),
///         }
///     }
///
///     fn step(&self, last: &i64, drawn: &Option<i64>) -> Option<i64> {
///         let next = last + 1;
///         drawn.is_none_or(|drawn| drawn == next).then_some(next)
///     }
///
///     fn lookahead(&self, _: &[Option<i64>], _: &[Span]) -> NoLookahead {
///         NoLookahead
///     }
///
///     fn describe_state(&self, last: &i64) -> String {
///         format!("{last} was drawn last")
///     }
/// }
///
/// use quorate_checkers::history::{ProcessId, Time};
/// use quorate_checkers::linearizability::{Budget, check};
/// use quorate_checkers::verdict::Verdict;
///
/// let draw = |invoke: u64, number: i64| Operation {
///     invoke,
///     complete: Some(invoke + 1),
///     process: ProcessId(0),
///     f: "draw".into(),
///     key: None,
///     input: Value::Nil,
///     outcome: Outcome::Ok(Value::Int(number)),
///     invoked_at: Time(invoke),
///     completed_at: Some(Time(invoke + 1)),
///     error: None,
/// };
/// let verdict = |operations: &[Operation]| check(&Tickets, operations, Budget::default()).verdict;
/// assert_eq!(verdict(&[draw(0, 1), draw(2, 2)]), Verdict::Valid);
/// assert_eq!(verdict(&[draw(0, 1), draw(2, 1)]), Verdict::Invalid);
/// ```
///
/// All else makes the search faster, and what it finds better explained. What is said there must be true, or verdicts are
/// wrong.
pub trait Model {
    /// All that it remembers.
    type State: Clone + Eq + Hash;
    /// An operation with what is known of its result.
    type Op: Clone + Eq + Hash + Send + Sync;
    /// What tells dead ends early; [`NoLookahead`] for models that have nothing to say.
    type Lookahead: Lookahead<Self::State>;

    /// Its name, as in the header of a history.
    const NAME: &'static str;
    /// One sentence, for lists.
    const SUMMARY: &'static str;
    /// The functions that a meaningful history has successes of.
    const FUNCTIONS: &'static [&'static str];
    /// Whether an operation can be on several keys. Where none can, each is on the key that is recorded.
    const JOINS_KEYS: bool = false;

    /// The state before anything has happened.
    fn initial(&self) -> Self::State;

    /// The keys that an operation is on, where [`Model::JOINS_KEYS`]: operations that share none, also by way of others,
    /// are independent.
    fn keys(&self, operation: &Operation) -> Vec<Key> {
        operation.key.into_iter().collect()
    }

    /// The meaning of a recorded operation; `None` if nobody can see whether it happened (a read
    /// that has not returned). Failed operations are parsed as well, so that malformed ones are
    /// noticed.
    fn parse(&self, operation: &Operation) -> Result<Option<Self::Op>, Malformed>;

    /// The state after `op`, or `None` if it cannot happen, or not with this result.
    fn step(&self, state: &Self::State, op: &Self::Op) -> Option<Self::State>;

    /// As [`Model::step`], in place; false if it cannot happen, and then the state does not matter any more.
    fn apply(&self, state: &mut Self::State, op: &Self::Op) -> bool {
        let after = self.step(state, op);
        let is_possible = after.is_some();
        if let Some(after) = after {
            *state = after;
        }
        is_possible
    }

    /// Whether `op` can happen, with this result: whether [`Model::step`] has an answer.
    fn is_possible(&self, state: &Self::State, op: &Self::Op) -> bool {
        self.step(state, op).is_some()
    }

    /// About how much memory a state takes.
    fn state_bytes(&self, state: &Self::State) -> usize {
        size_of_val(state)
    }

    /// Whether `op` changes the state in *no* state. A write of the value that is there is not
    /// read-only: it may be needed later. The default says no.
    fn is_read_only(&self, op: &Self::Op) -> bool {
        let _ = op;
        false
    }

    /// Whether `op` leaves the object in the same state whatever state it was in before. The default says no.
    fn sets_state(&self, op: &Self::Op) -> bool {
        let _ = op;
        false
    }

    /// Whether `op` [sets the state](Model::sets_state), and is possible in every state: a write. The default says no.
    fn overwrites(&self, op: &Self::Op) -> bool {
        let _ = op;
        false
    }

    /// Whether `observer` may be possible only because `cause` has happened. If no operation
    /// depends on `cause`, then any legal order stays legal without it; answer true when in doubt, as
    /// the default does.
    fn depends(&self, observer: &Self::Op, cause: &Self::Op) -> bool {
        let _ = (observer, cause);
        true
    }

    /// For each of `ops`, whether none of the others depends on it. The default asks for each pair.
    fn unobserved(&self, ops: &[Self::Op]) -> Vec<bool> {
        let is_unobserved = |(place, cause): (usize, &Self::Op)| {
            let mut others = ops.iter().enumerate().filter(|&(other, _)| other != place);
            !others.any(|(_, observer)| self.depends(observer, cause))
        };
        ops.iter().enumerate().map(is_unobserved).collect()
    }

    /// An order of all of `ops`, as places, that may well be legal: it is looked at before anything is searched. Each takes
    /// effect within its span; they are in order of invocation. The default has no idea.
    fn guess(&self, ops: &[Self::Op], spans: &[Span]) -> Option<Vec<usize>> {
        let _ = (ops, spans);
        None
    }

    /// Small sets of operations, as places in `ops`, that may be impossible to order: they are
    /// tried before the search, the first ones first. A set has with each operation all those that
    /// it depends on. The default suspects nothing.
    fn suspects(&self, ops: &[Self::Op], spans: &[Span]) -> Vec<Vec<usize>> {
        let _ = (ops, spans);
        Vec::new()
    }

    /// A [`Lookahead`] for a search that orders `ops`, each of which takes effect within its span.
    fn lookahead(&self, ops: &[Self::Op], spans: &[Span]) -> Self::Lookahead;

    /// An operation in a few words (`write 5`, `read -> nil`).
    fn describe(&self, operation: &Operation) -> String {
        describe(operation)
    }

    /// A state in a few words.
    fn describe_state(&self, state: &Self::State) -> String;

    /// Why operations that cannot be ordered cannot: one sentence without a full stop, if the model
    /// can tell. The default cannot.
    fn accuse(&self, case: &Case<'_, Self::Op>) -> Option<String> {
        let _ = case;
        None
    }

    /// What operations on one key that have no order still satisfy, or do not satisfy either, as far as that is cheap to
    /// say and certain. The default says nothing.
    fn conditions(&self, operations: &[&Operation]) -> Vec<Condition> {
        let _ = operations;
        Vec::new()
    }
}

/// When an operation takes effect, by indices of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// After this.
    pub call: u64,
    /// Before this; at any time, or never, if it is absent.
    pub end: Option<u64>,
}

/// Sees that a search has gone wrong before it has to run into it.
pub trait Lookahead<State> {
    /// The operation at place `op` of the list was put in the order.
    fn take(&mut self, op: usize);
    /// It was taken out again.
    fn put_back(&mut self, op: usize);
    /// Whether it is certain, before the state that it leads to is known, that `op` must not come next. The default does not
    /// know.
    fn forbids(&mut self, op: usize) -> bool {
        let _ = op;
        false
    }
    /// Whether an order that has `op` later stays legal when it comes next. The default does not know.
    fn is_at_ease(&self, op: usize) -> bool {
        let _ = op;
        false
    }
    /// Whether what can follow on the present state can follow on any other one. The default does not know.
    fn is_past_caring(&self) -> bool {
        false
    }
    /// Whether the operations that are not yet ordered can certainly not all follow on `state`.
    fn is_doomed(&self, state: &State) -> bool;
}

/// Never sees anything.
#[derive(Clone, Copy, Debug)]
pub struct NoLookahead;

impl<State> Lookahead<State> for NoLookahead {
    fn take(&mut self, _: usize) {}
    fn put_back(&mut self, _: usize) {}
    fn is_doomed(&self, _: &State) -> bool {
        false
    }
}

/// Operations that cannot be ordered, for [`Model::accuse`].
#[derive(Debug)]
pub struct Case<'a, Op> {
    /// The smallest set that was found, in order of invocation.
    pub set: &'a [Member<'a, Op>],
    /// Every operation on the same object.
    pub all: &'a [&'a Operation],
    /// The one of the set that is to blame: without it there is an order.
    pub accused: Member<'a, Op>,
}

/// An operation that is judged.
#[derive(Debug)]
pub struct Member<'a, Op> {
    /// As it was recorded.
    pub operation: &'a Operation,
    /// Its meaning.
    pub op: &'a Op,
}

impl<Op> Member<'_, Op> {
    /// When it takes effect.
    pub fn span(&self) -> Span {
        Span { call: self.operation.invoke, end: self.operation.definite_end() }
    }
}

impl<Op> Clone for Member<'_, Op> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Op> Copy for Member<'_, Op> {}

/// An operation that the model has no meaning for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("index {index}: {problem}")]
pub struct Malformed {
    /// Of the event that is wrong.
    pub index: u64,
    /// What is wrong and what was expected.
    pub problem: String,
}

/// A [`Model`] whose types are hidden, to be picked by name.
pub trait AnyModel: Sync {
    /// Its name, as in the header of a history.
    fn name(&self) -> &'static str;
    /// One sentence, for lists.
    fn summary(&self) -> &'static str;
    /// The functions that a meaningful history has successes of.
    fn functions(&self) -> &'static [&'static str];
    /// Whether the operations are linearizable.
    fn check(&self, operations: &[Operation], budget: Budget) -> Linearizability;
    /// An order of the operations on each key, as far as one can be shown.
    fn orders(&self, operations: &[Operation], budget: Budget) -> Vec<KeyOrder> {
        let _ = (operations, budget);
        Vec::new()
    }
    /// What the operations on each key without an order that was found still satisfy, as far as that is cheap to say.
    fn satisfied(&self, operations: &[Operation], judged: &Linearizability) -> Vec<Satisfied> {
        let _ = (operations, judged);
        Vec::new()
    }
    /// Judges operations while they come; nothing where the model has to see all of them, as the default says.
    fn stream(&self, limits: stream::Limits) -> Option<Box<dyn AnyStream + '_>> {
        let _ = limits;
        None
    }
    /// An operation in a few words (`write 5`, `read -> nil`).
    fn describe(&self, operation: &Operation) -> String;
}

impl<M: Model + Sync> AnyModel for M {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn summary(&self) -> &'static str {
        M::SUMMARY
    }

    fn functions(&self) -> &'static [&'static str] {
        M::FUNCTIONS
    }

    fn check(&self, operations: &[Operation], budget: Budget) -> Linearizability {
        linearizability::check(self, operations, budget)
    }

    fn orders(&self, operations: &[Operation], budget: Budget) -> Vec<KeyOrder> {
        linearizability::orders(self, operations, budget)
    }

    fn satisfied(&self, operations: &[Operation], judged: &Linearizability) -> Vec<Satisfied> {
        weaker::satisfied(self, operations, judged)
    }

    fn stream(&self, limits: stream::Limits) -> Option<Box<dyn AnyStream + '_>> {
        Some(Box::new(Stream::new(self, limits)))
    }

    fn describe(&self, operation: &Operation) -> String {
        Model::describe(self, operation)
    }
}

/// An operation in a few words, whatever it is judged by (`cas 1 -> 2`, `txn r 1 -> 5, append 2 3`).
pub fn describe(operation: &Operation) -> String {
    store::describe(operation)
}

/// The model of that name.
pub fn by_name(name: &str) -> Option<&'static dyn AnyModel> {
    ALL.iter().copied().find(|model| model.name() == name)
}

/// All models, by name. Later ones are added here.
pub const ALL: &[&dyn AnyModel] = &[
    &Register::new(),
    &CasRegister::new(),
    &AppendList::new(),
    &KvTransaction::new(),
    &Monitored(Set),
    &ElementSet,
    &Monitored(Counter),
    &Consensus,
    &Queue::new(),
    &Stack::new(),
    &PriorityQueue::new(),
    &Mutex,
    &Bag,
    &Lease,
    &MultiRegister::of_nothing(),
];

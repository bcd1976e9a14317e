//! Sequential specifications: what an object does when its operations happen one after another.
//!
//! A later model is a module here and one line in [`ALL`]; nothing else knows the models by name.
//! They are written without a look at the systems under test, on purpose: an oracle that shares
//! code with its subject inherits its bugs.

mod cell;
mod consensus;
mod counter;
mod kv;
mod monitor;
mod register;
mod set;
mod store;
#[cfg(test)]
mod tests;

use std::hash::Hash;

use crate::history::{Key, Operation};
use crate::linearizability::{self, Budget, Linearizability};

pub use cell::{Cell, CellOp, Demand};
pub use consensus::{Consensus, ConsensusOp, Observers};
pub use counter::Counter;
pub use kv::{Kv, KvOp, Prefix, Text};
pub use monitor::Monitored;
pub use register::{Orphans, Register, RegisterOp};
pub use set::Set;
pub use store::{AppendList, CasRegister, KvTransaction, StoreOp};

/// A sequential object.
pub trait Model {
    /// All that it remembers.
    type State: Clone + Eq + Hash;
    /// An operation with what is known of its result.
    type Op: Clone + Eq + Hash;
    /// What tells dead ends early; [`NoLookahead`] for models that have nothing to say.
    type Lookahead: Lookahead<Self::State>;

    /// Its name, as in the header of a history.
    const NAME: &'static str;
    /// One sentence, for lists.
    const SUMMARY: &'static str;
    /// The functions that a meaningful history has successes of.
    const FUNCTIONS: &'static [&'static str];

    /// The state before anything has happened.
    fn initial(&self) -> Self::State;

    /// The keys that an operation is on: operations that share none, also by way of others, are independent.
    fn keys(&self, operation: &Operation) -> Vec<Key> {
        operation.key.into_iter().collect()
    }

    /// The meaning of a recorded operation; `None` if nobody can see whether it happened (a read
    /// that has not returned). Failed operations are parsed as well, so that malformed ones are
    /// noticed.
    fn parse(&self, operation: &Operation) -> Result<Option<Self::Op>, Malformed>;

    /// The state after `op`, or `None` if it cannot happen, or not with this result.
    fn step(&self, state: &Self::State, op: &Self::Op) -> Option<Self::State>;

    /// Whether `op` changes the state in *no* state. A write of the value that is there is not
    /// read-only: it may be needed later.
    fn is_read_only(&self, op: &Self::Op) -> bool;

    /// Whether `observer` may be possible only because `cause` has happened. If no operation
    /// depends on `cause`, then any legal order stays legal without it; answer true when in doubt.
    fn depends(&self, observer: &Self::Op, cause: &Self::Op) -> bool;

    /// For each of `ops`, whether none of the others depends on it. The default asks for each pair.
    fn unobserved(&self, ops: &[Self::Op]) -> Vec<bool> {
        let is_unobserved = |(place, cause): (usize, &Self::Op)| {
            let mut others = ops.iter().enumerate().filter(|&(other, _)| other != place);
            !others.any(|(_, observer)| self.depends(observer, cause))
        };
        ops.iter().enumerate().map(is_unobserved).collect()
    }

    /// Small sets of operations, as places in `members`, that may be impossible to order: they are
    /// tried before the search, the first ones first. A set has with each operation all those that
    /// it depends on. The default suspects nothing.
    fn suspects(&self, members: &[Member<'_, Self::Op>]) -> Vec<Vec<usize>> {
        let _ = members;
        Vec::new()
    }

    /// A [`Lookahead`] for a search that orders `ops`.
    fn lookahead(&self, ops: &[Self::Op]) -> Self::Lookahead;

    /// An operation in a few words (`write 5`, `read -> nil`).
    fn describe(&self, operation: &Operation) -> String;

    /// A state in a few words.
    fn describe_state(&self, state: &Self::State) -> String;

    /// Why operations that cannot be ordered cannot: one sentence without a full stop, if the model
    /// can tell.
    fn accuse(&self, case: &Case<'_, Self::Op>) -> Option<String>;
}

/// Sees that a search has gone wrong before it has to run into it.
pub trait Lookahead<State> {
    /// The operation at place `op` of the list was put in the order.
    fn take(&mut self, op: usize);
    /// It was taken out again.
    fn put_back(&mut self, op: usize);
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
    pub all: &'a [Operation],
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
    &Register,
    &CasRegister::new(),
    &AppendList::new(),
    &KvTransaction::new(),
    &Monitored(Set),
    &Monitored(Counter),
    &Consensus,
];

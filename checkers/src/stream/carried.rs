//! An object that is in one of several states at first, nobody knows in which.

use crate::history::{Key, Operation};
use crate::model::{Malformed, Model, NoLookahead, Span};

/// A model from the middle of a history on: its operations have an order if they have one from any of these states.
pub(super) struct Carried<'m, M: Model> {
    pub(super) model: &'m M,
    pub(super) states: Vec<M::State>,
}

impl<M: Model> Model for Carried<'_, M> {
    /// By state at first: what has become of it, if it allows what happened.
    type State = Vec<Option<M::State>>;
    type Op = M::Op;
    type Lookahead = NoLookahead;

    const NAME: &'static str = M::NAME;
    const SUMMARY: &'static str = M::SUMMARY;
    const FUNCTIONS: &'static [&'static str] = M::FUNCTIONS;
    const JOINS_KEYS: bool = M::JOINS_KEYS;

    fn initial(&self) -> Self::State {
        self.states.iter().cloned().map(Some).collect()
    }

    fn keys(&self, operation: &Operation) -> Vec<Key> {
        self.model.keys(operation)
    }

    fn parse(&self, operation: &Operation) -> Result<Option<M::Op>, Malformed> {
        self.model.parse(operation)
    }

    fn step(&self, states: &Self::State, op: &M::Op) -> Option<Self::State> {
        let step = |state: &Option<M::State>| self.model.step(state.as_ref()?, op);
        let after: Self::State = states.iter().map(step).collect();
        after.iter().any(Option::is_some).then_some(after)
    }

    /// The states in which it does not fit go, so that the first one that fits may not be the right one.
    fn is_read_only(&self, op: &M::Op) -> bool {
        self.states.len() == 1 && self.model.is_read_only(op)
    }

    fn depends(&self, observer: &M::Op, cause: &M::Op) -> bool {
        self.model.depends(observer, cause)
    }

    fn unobserved(&self, ops: &[M::Op]) -> Vec<bool> {
        self.model.unobserved(ops)
    }

    fn lookahead(&self, _: &[M::Op], _: &[Span]) -> NoLookahead {
        NoLookahead
    }

    fn describe(&self, operation: &Operation) -> String {
        self.model.describe(operation)
    }

    fn describe_state(&self, states: &Self::State) -> String {
        let describe = |state: &M::State| self.model.describe_state(state);
        states.iter().flatten().map(describe).collect::<Vec<String>>().join(" or ")
    }
}

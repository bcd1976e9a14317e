//! The operations of one key, ready to be ordered.

use rustc_hash::FxHashSet;

use super::search::is_legal;
use super::{Found, Limits, Method, search};
use crate::history::{Operation, Outcome};
use crate::model::{Malformed, Member, Model, Span};
use crate::rules::{Rule, holds};

/// Operations that did or may have happened, with their meaning, in order of invocation.
#[derive(Debug)]
pub(crate) struct Task<'a, M: Model> {
    pub(crate) operations: Vec<&'a Operation>,
    pub(crate) ops: Vec<M::Op>,
    /// When each takes effect.
    pub(crate) spans: Vec<Span>,
}

impl<M: Model> Clone for Task<'_, M> {
    fn clone(&self) -> Self {
        let Self { operations, ops, spans } = self;
        Self { operations: operations.clone(), ops: ops.clone(), spans: spans.clone() }
    }
}

impl<'a, M: Model> Task<'a, M> {
    /// Parses all, and leaves out what failed, and what may or may not have happened without that
    /// anybody could tell.
    pub(crate) fn new(
        model: &M,
        operations: impl IntoIterator<Item = &'a Operation>,
    ) -> Result<Self, Malformed> {
        let operations = operations.into_iter();
        let mut task = Self::for_so_many(operations.size_hint().0);
        for operation in operations {
            let parsed = model.parse(operation)?;
            let is_out = operation.outcome == Outcome::Fail && holds(Rule::FailedIsOut);
            if let Some(op) = parsed.filter(|_| !is_out) {
                task.push(Member { operation, op: &op }.span(), operation, op);
            }
        }
        if task.spans.iter().all(|span| span.end.is_some()) {
            return Ok(task);
        }
        let unobserved = if holds(Rule::UnobservedOnly) {
            model.unobserved(&task.ops)
        } else {
            vec![true; task.len()]
        };
        let mut unobserved = unobserved.into_iter();
        Ok(task.filtered(|member| unobserved.next() != Some(true) || member.operation.is_ok()))
    }

    /// The operations that are to be kept, in the same order.
    pub(crate) fn filtered(&self, mut keep: impl FnMut(Member<'_, M::Op>) -> bool) -> Self {
        let mut kept = Self::for_so_many(0);
        for ((&operation, op), span) in self.operations.iter().zip(&self.ops).zip(&self.spans) {
            if keep(Member { operation, op }) {
                kept.push(*span, operation, op.clone());
            }
        }
        kept
    }

    fn for_so_many(count: usize) -> Self {
        Self {
            operations: Vec::with_capacity(count),
            ops: Vec::with_capacity(count),
            spans: Vec::with_capacity(count),
        }
    }

    fn push(&mut self, span: Span, operation: &'a Operation, op: M::Op) {
        self.operations.push(operation);
        self.ops.push(op);
        self.spans.push(span);
    }

    /// The operations with their meaning.
    pub(crate) fn members(&self) -> impl Iterator<Item = Member<'_, M::Op>> {
        let members = self.operations.iter().zip(&self.ops);
        members.map(|(operation, op)| Member { operation, op })
    }

    /// The order that the model guesses, if it is legal.
    pub(crate) fn guessed(&self, model: &M) -> Option<Vec<usize>> {
        model.guess(&self.ops, &self.spans).filter(|order| is_legal(model, self, order))
    }

    /// A part that the model suspects, and that indeed has no order: then neither has the whole.
    pub(crate) fn refuted(&self, model: &M, limits: Limits) -> Option<Self> {
        model.suspects(&self.ops, &self.spans).into_iter().take(SUSPECTS_MAX).find_map(|places| {
            let mut place = 0..self.len();
            let places: FxHashSet<usize> = places.into_iter().collect();
            let part = self.filtered(|_| place.next().is_some_and(|p| places.contains(&p)));
            let found = search(model, &part, Method::Fast, limits).found;
            (found == Found::NoOrder).then_some(part)
        })
    }

    /// How many operations there are.
    pub(crate) fn len(&self) -> usize {
        self.ops.len()
    }
}

/// Suspicions are hardly ever wrong: more of them will not help either.
const SUSPECTS_MAX: usize = 8;

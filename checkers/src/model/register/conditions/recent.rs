//! k-atomicity: there is an order that keeps to real time, in which each read returns one of the last k values that were
//! written (Aiyer, Alvisi and Bazzi, On the availability of non-strict quorum systems, 2005). The initial value counts
//! as one that was written before all others. 1-atomicity is linearizability.

use super::super::{Content, Deeds, Dialect, Orphans, RegisterOp, Registers};
use super::has_order;
use crate::history::Operation;
use crate::linearizability::Task;
use crate::model::{Malformed, Model, Span};

/// A register whose reads return one of the last values.
struct Recent<'a, D> {
    register: &'a Registers<D>,
    depth: usize,
}

impl<D: Dialect> Model for Recent<'_, D> {
    /// The last values, the last one last.
    type State = Vec<Content>;
    type Op = RegisterOp;
    type Lookahead = Orphans;

    const NAME: &'static str = D::NAME;
    const SUMMARY: &'static str = D::SUMMARY;
    const FUNCTIONS: &'static [&'static str] = D::FUNCTIONS;

    fn initial(&self) -> Vec<Content> {
        vec![self.register.initial.clone()]
    }

    fn parse(&self, operation: &Operation) -> Result<Option<RegisterOp>, Malformed> {
        self.register.parse(operation)
    }

    fn step(&self, held: &Vec<Content>, op: &RegisterOp) -> Option<Vec<Content>> {
        if op.finds().is_some_and(|found| !held.contains(found)) {
            return None;
        }
        let mut after = held.clone();
        if let Some(left) = op.leaves() {
            after.push(left.clone());
            let old = after.len().saturating_sub(self.depth);
            after.drain(..old);
        }
        Some(after)
    }

    fn is_read_only(&self, op: &RegisterOp) -> bool {
        op.leaves().is_none()
    }

    fn depends(&self, observer: &RegisterOp, cause: &RegisterOp) -> bool {
        self.register.depends(observer, cause)
    }

    fn lookahead(&self, ops: &[RegisterOp], spans: &[Span]) -> Orphans {
        Orphans::new(&Deeds::of(&self.register.initial, ops), spans, self.depth)
    }

    fn describe_state(&self, held: &Vec<Content>) -> String {
        held.iter().map(ToString::to_string).collect::<Vec<String>>().join(", ")
    }
}

/// The smallest k that reads and writes are k-atomic with, if it is found; and whether it is known to be the smallest.
/// They are not linearizable.
pub(super) fn least<D: Dialect>(
    register: &Registers<D>,
    task: &Task<'_, Registers<D>>,
) -> Option<(usize, bool)> {
    let mut is_least = true;
    for depth in 2..=DEPTH_MAX {
        let model = Recent { register, depth };
        let task = Task::new(&model, task.operations.iter().copied()).ok()?;
        match has_order(&model, &task) {
            Some(true) => return Some((depth, is_least)),
            Some(false) => {}
            None => is_least = false,
        }
    }
    None
}

/// What is older is not asked for.
const DEPTH_MAX: usize = 8;

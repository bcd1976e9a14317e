//! Leaves out operations as long as the rest cannot be ordered.
//!
//! Every step is sound: if what is left has no order, then neither had what was there before.

use std::cell::Cell;

use rustc_hash::FxHashSet;

use crate::history::Operation;
use crate::linearizability::{Found, Limits, Method, Task, search};
use crate::model::Model;

/// The fewest operations of `task`, which has no order, that were found to have none. It may take so much work as the
/// limits have nodes: each search takes one for each of its operations, and one for each of its nodes.
pub(super) fn shrink<'a, M: Model>(model: &M, task: &Task<'a, M>, limits: Limits) -> Task<'a, M> {
    let shrinker = Shrinker { model, limits, work_left: Cell::new(limits.nodes) };
    let prefix = shrinker.earliest_prefix(task);
    if prefix.len() > OPERATIONS_MAX {
        return prefix;
    }
    shrinker.leave_out(prefix)
}

struct Shrinker<'m, M> {
    model: &'m M,
    limits: Limits,
    work_left: Cell<u64>,
}

impl<M: Model> Shrinker<'_, M> {
    /// What of `task` matters at the first return that leaves no order. What returned later is as
    /// if it was still pending then, and what began later is not there: a prefix of a legal history
    /// is legal.
    fn earliest_prefix<'a>(&self, task: &Task<'a, M>) -> Task<'a, M> {
        let mut cuts: Vec<u64> =
            task.members().filter_map(|member| member.operation.definite_end()).collect();
        cuts.sort_unstable();
        // The shortest prefix that is known to be illegal ends at `cuts[illegal]`.
        let (mut from, mut illegal) = (0, cuts.len().saturating_sub(1));
        while from < illegal {
            let middle = usize::midpoint(from, illegal);
            let cut = cuts.get(middle).copied().unwrap_or(u64::MAX);
            if self.prefix_has_no_order(task, cut) {
                illegal = middle;
            } else {
                from = middle + 1;
            }
        }
        let cut = cuts.get(illegal).copied().unwrap_or(u64::MAX);
        let Some(cut_off) = prefix(task, cut) else { return task.clone() };
        let Ok(left) = Task::new(self.model, &cut_off) else { return task.clone() };
        let left: FxHashSet<u64> = left.members().map(|member| member.operation.invoke).collect();
        // As recorded again: that they did return later only forbids more.
        let recorded = self.with_causes(task, left, cut);
        if self.has_no_order(&recorded) { recorded } else { task.clone() }
    }

    /// These operations of `task`, as they were recorded, and with each that had not returned at `cut` what it depends
    /// on: what it returned may have come from one that began later.
    fn with_causes<'a>(
        &self,
        task: &Task<'a, M>,
        mut left: FxHashSet<u64>,
        cut: u64,
    ) -> Task<'a, M> {
        let returned_later = task.members().filter(|member| {
            let Operation { invoke, .. } = member.operation;
            left.contains(invoke) && member.operation.definite_end().is_some_and(|end| end > cut)
        });
        let mut observers: Vec<&M::Op> = returned_later.map(|member| member.op).collect();
        while let Some(observer) = observers.pop() {
            for cause in task.members() {
                if self.model.depends(observer, cause.op) && left.insert(cause.operation.invoke) {
                    observers.push(cause.op);
                }
            }
        }
        task.filtered(|member| left.contains(&member.operation.invoke))
    }

    fn prefix_has_no_order(&self, task: &Task<'_, M>, cut: u64) -> bool {
        let Some(cut_off) = prefix(task, cut) else { return false };
        Task::new(self.model, &cut_off).is_ok_and(|task| self.has_no_order(&task))
    }

    /// Leaves out parts as long as the rest has no order: halves, quarters, … single operations,
    /// until none of these can go (Zeller 1999).
    fn leave_out<'a>(&self, mut set: Task<'a, M>) -> Task<'a, M> {
        let mut size = (set.len() / 2).max(1);
        loop {
            let mut went = false;
            let mut at = 0;
            while at < set.len() {
                if self.work_left.get() == 0 || self.limits.is_late() {
                    return set;
                }
                let rest = self.without(&set, at, size);
                if self.has_no_order(&rest) {
                    set = rest;
                    went = true;
                } else {
                    at += size;
                }
            }
            if size > 1 {
                size /= 2;
            } else if !went {
                return set;
            }
        }
    }

    /// The set without `size` operations from `at` on, and without all that may depend on these: a
    /// read must not stay when the write of its value goes.
    fn without<'a>(&self, set: &Task<'a, M>, at: usize, size: usize) -> Task<'a, M> {
        let mut goes: Vec<bool> =
            (0..set.len()).map(|place| (at..at + size).contains(&place)).collect();
        let mut causes: Vec<&M::Op> = set.ops.iter().skip(at).take(size).collect();
        while let Some(cause) = causes.pop() {
            if self.model.is_read_only(cause) {
                continue;
            }
            for (op, goes) in set.ops.iter().zip(&mut goes) {
                if !*goes && self.model.depends(op, cause) {
                    *goes = true;
                    causes.push(op);
                }
            }
        }
        let mut goes = goes.into_iter();
        set.filtered(|_| goes.next() != Some(true))
    }

    fn has_no_order(&self, task: &Task<'_, M>) -> bool {
        let left = self.work_left.get().saturating_sub(task.len() as u64);
        let limits = Limits { nodes: NODES_MAX.min(left), ..self.limits };
        let outcome = search(self.model, task, Method::Fast, limits);
        self.work_left.set(left.saturating_sub(outcome.nodes));
        outcome.found == Found::NoOrder
    }
}

/// The operations up to `cut`, those that had not returned by then as pending; `None` if there are
/// none.
fn prefix<M: Model>(task: &Task<'_, M>, cut: u64) -> Option<Vec<Operation>> {
    let begun = task.operations.iter().filter(|operation| operation.invoke < cut);
    let until_then = |operation: &&Operation| {
        let operation = Operation::clone(operation);
        let is_over = operation.definite_end().is_some_and(|end| end <= cut);
        if is_over { operation } else { operation.pending() }
    };
    let operations: Vec<Operation> = begun.map(until_then).collect();
    (!operations.is_empty()).then_some(operations)
}

/// Of more operations, leaving out takes longer than anybody waits.
const OPERATIONS_MAX: usize = 20_000;

/// A part whose absence would have to be paid with a longer search stays.
const NODES_MAX: u64 = 1 << 16;

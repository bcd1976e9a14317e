//! Leaves out operations as long as the rest cannot be ordered.
//!
//! Every step is sound: if what is left has no order, then neither had what was there before.

use std::cell::Cell;

use rustc_hash::FxHashSet;

use crate::history::Operation;
use crate::linearizability::{Found, Limits, Method, Outcome, Task, search};
use crate::model::{Member, Model};

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
        let returned_later: Vec<u64> =
            returned_later.map(|member| member.operation.invoke).collect();
        self.add_with_causes(task, &mut left, &returned_later);
        task.filtered(|member| left.contains(&member.operation.invoke))
    }

    fn prefix_has_no_order(&self, task: &Task<'_, M>, cut: u64) -> bool {
        let Some(cut_off) = prefix(task, cut) else { return false };
        Task::new(self.model, &cut_off).is_ok_and(|task| self.has_no_order(&task))
    }

    /// Leaves out parts as long as the rest has no order: halves, quarters, … single operations,
    /// until none of these can go (Zeller 1999). Without one that could not go alone there is an order, also when fewer
    /// others are left; so it is not tried again, nor is what takes it along.
    fn leave_out<'a>(&self, mut set: Task<'a, M>) -> Task<'a, M> {
        let mut needed = FxHashSet::default();
        // What returned last has mostly no place.
        let returned = set.members().map(|member| {
            let Operation { invoke, .. } = member.operation;
            (member.operation.definite_end(), *invoke)
        });
        let last: Vec<u64> = returned.max().map(|(_, last)| last).into_iter().collect();
        self.try_without(&mut set, &mut needed, &last);
        let mut size = set.len();
        loop {
            size = (size.min(open(&set, &needed).len()) / 2).max(1);
            let went = self.leave_out_parts(&mut set, &mut needed, size);
            if self.is_spent() || (size == 1 && !went) {
                return set;
            }
        }
    }

    /// Leaves out parts of so many operations; larger ones where that goes well, and is dear. Whether anything went.
    fn leave_out_parts(
        &self,
        set: &mut Task<'_, M>,
        needed: &mut FxHashSet<u64>,
        size: usize,
    ) -> bool {
        let (mut at, mut now, mut went) = (0, size, false);
        loop {
            let part: Vec<u64> = open(set, needed).into_iter().skip(at).take(now).collect();
            if part.is_empty() || self.is_spent() {
                return went;
            }
            let Outcome { found, nodes, .. } = self.try_without(set, needed, &part);
            match found {
                Found::NoOrder => {
                    went = true;
                    if nodes > DEAR * set.len() as u64 {
                        now *= 2;
                        continue;
                    }
                }
                // One that is needed is not among the others any more.
                Found::Order if part.len() == 1 => {}
                Found::Order | Found::Stopped(_) if now > size => {}
                Found::Order | Found::Stopped(_) => at += size,
            }
            now = size;
        }
    }

    /// Leaves out these operations if the rest has no order, and what is found of the rest.
    fn try_without(
        &self,
        set: &mut Task<'_, M>,
        needed: &mut FxHashSet<u64>,
        part: &[u64],
    ) -> Outcome {
        let rest = self.without(set, part);
        let outcome = self.searched(&rest);
        match (&outcome.found, part) {
            (Found::NoOrder, _) => *set = rest,
            (Found::Order, [alone]) => self.add_with_causes(set, needed, &[*alone]),
            (Found::Order | Found::Stopped(_), _) => {}
        }
        outcome
    }

    fn is_spent(&self) -> bool {
        self.work_left.get() == 0 || self.limits.is_late()
    }

    /// The set without these operations, and without all that may depend on them: a read must not stay when the write of
    /// its value goes.
    fn without<'a>(&self, set: &Task<'a, M>, part: &[u64]) -> Task<'a, M> {
        let part: FxHashSet<u64> = part.iter().copied().collect();
        let is_part = |operation: &&Operation| part.contains(&operation.invoke);
        let mut goes: Vec<bool> = set.operations.iter().map(is_part).collect();
        let causes = set.ops.iter().zip(&goes).filter(|(_, goes)| **goes);
        let mut causes: Vec<&M::Op> = causes.map(|(op, _)| op).collect();
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

    /// Adds operations of `task`, and all that they depend on.
    fn add_with_causes(&self, task: &Task<'_, M>, added: &mut FxHashSet<u64>, operations: &[u64]) {
        added.extend(operations);
        let is_one = |member: &Member<'_, M::Op>| operations.contains(&member.operation.invoke);
        let mut observers: Vec<&M::Op> =
            task.members().filter(is_one).map(|member| member.op).collect();
        while let Some(observer) = observers.pop() {
            for cause in task.members() {
                let Operation { invoke, .. } = *cause.operation;
                if !added.contains(&invoke) && self.model.depends(observer, cause.op) {
                    added.insert(invoke);
                    observers.push(cause.op);
                }
            }
        }
    }

    fn has_no_order(&self, task: &Task<'_, M>) -> bool {
        self.searched(task).found == Found::NoOrder
    }

    fn searched(&self, task: &Task<'_, M>) -> Outcome {
        let left = self.work_left.get().saturating_sub(task.len() as u64);
        let limits = Limits { nodes: NODES_MAX.min(left), ..self.limits };
        let outcome = search(self.model, task, Method::Fast, limits);
        self.work_left.set(left.saturating_sub(outcome.nodes));
        outcome
    }
}

/// The operations of a set that are not known to be needed.
fn open<M: Model>(set: &Task<'_, M>, needed: &FxHashSet<u64>) -> Vec<u64> {
    let all = set.members().map(|member| member.operation.invoke);
    all.filter(|invoke| !needed.contains(invoke)).collect()
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

/// A search is dear that has so many nodes for each operation.
const DEAR: u64 = 8;

/// A part whose absence would have to be paid with a longer search stays.
const NODES_MAX: u64 = 1 << 16;

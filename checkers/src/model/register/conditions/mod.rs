//! What the operations on a register satisfy that have no order: each question has a bound on what it may cost, and
//! what is not decided within it is not said.

mod recent;
mod sequential;
mod shifted;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use super::{Deeds, Dialect, RegisterOp, Registers, stale};
use crate::history::Operation;
use crate::linearizability::{Found, Limits, Method, Task, search};
use crate::model::{Condition, Model};

/// As [`Model::conditions`].
pub(super) fn conditions<D: Dialect>(
    model: &Registers<D>,
    operations: &[&Operation],
) -> Vec<Condition> {
    let Ok(task) = Task::new(model, operations.iter().copied()) else { return Vec::new() };
    if task.len() > OPERATIONS_MAX {
        return Vec::new();
    }
    let is_plain =
        task.ops.iter().all(|op| matches!(op, RegisterOp::Read(_) | RegisterOp::Write(_)));
    let mut conditions: Vec<Condition> =
        sequential::holds(model, &task).map(sequential).into_iter().collect();
    if is_plain {
        conditions.push(regular(model, &task));
        conditions.extend(recent::least(model, &task).map(recent));
    }
    conditions.extend(shifted::least_ns(model, &task).map(shifted));
    conditions
}

fn sequential(holds: bool) -> Condition {
    let text = if holds {
        "sequentially consistent: there is an order that keeps to that of each process, if not to real time"
    } else {
        "not sequentially consistent either: no order keeps even to that of each process alone"
    };
    Condition { name: "sequential-consistency".to_owned(), holds, text: text.to_owned() }
}

/// Each read by itself returned what was written by a write that it can have seen and that no other write had
/// certainly overwritten before the read began. That is Lamport's regularity (On interprocess communication, 1986) where
/// writes do not overlap, and the weakest regularity for several writers (`MWRegWeak`: Shao, Welch, Pierce and Lee,
/// Multiwriter consistency conditions for shared memory registers, 2011) where they do.
fn regular<D: Dialect>(model: &Registers<D>, task: &Task<'_, Registers<D>>) -> Condition {
    let deeds = Deeds::of(&model.initial, &task.ops);
    let stale = stale::stale(&deeds, &task.spans);
    let mut writes: Vec<_> = deeds
        .deeds
        .iter()
        .zip(&task.spans)
        .filter(|(deed, _)| deed.leaves.is_some())
        .map(|(_, span)| span)
        .collect();
    writes.sort_by_key(|span| span.call);
    let is_one_by_one = writes
        .iter()
        .zip(writes.iter().skip(1))
        .all(|(one, next)| one.end.is_some_and(|end| end < next.call));
    let which =
        if is_one_by_one { "regular" } else { "regular in the weakest sense for several writers" };
    let holds = stale.is_empty();
    let text = if holds {
        format!("{which}: no read returned what had certainly been overwritten before it began")
    } else {
        format!(
            "not {which}: a read returned what had certainly been overwritten, or was never there"
        )
    };
    Condition { name: "regularity".to_owned(), holds, text }
}

fn recent((depth, is_least): (usize, bool)) -> Condition {
    let least = if is_least { ", and no fewer" } else { "" };
    let text = format!("{depth}-atomic: each read returned one of the last {depth} values{least}");
    Condition { name: format!("{depth}-atomicity"), holds: true, text }
}

fn shifted(ns: u64) -> Condition {
    let (seconds, rest) = (ns / 1_000_000_000, ns % 1_000_000_000);
    let time = format!("{seconds}.{rest:09}");
    let time = time.trim_end_matches('0').trim_end_matches('.');
    let text = format!(
        "Δ-atomic with Δ = {time} s: linearizable if each read may have begun that much earlier, and no less suffices"
    );
    Condition { name: "delta-atomicity".to_owned(), holds: true, text }
}

/// Whether there is an order, if that is found out with few steps.
fn has_order<M: Model>(model: &M, task: &Task<'_, M>) -> Option<bool> {
    // The nodes are the bound, so that the answer is the same on every machine; the clock is for emergencies.
    let deadline = Instant::now() + Duration::from_mins(1);
    let limits = Limits { deadline, memory_bytes: 1 << 28, nodes: NODES_MAX };
    match search(model, task, Method::Exact, limits).found {
        Found::Order => Some(true),
        Found::NoOrder => Some(false),
        Found::Stopped(_) => None,
    }
}

/// Of more operations nothing is said.
const OPERATIONS_MAX: usize = 5_000;
/// For one search.
const NODES_MAX: u64 = 1 << 14;

//! Why operations cannot be ordered: the fewest of them that show it, and a sentence.

mod orders;
mod shrink;
#[cfg(test)]
mod tests;
mod timeline;

use std::cmp::Reverse;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::history::{Key, Operation};
use crate::linearizability::{Found, Limits, Method, Stop, Task, search};
use crate::model::{Case, Member, Model};

pub use orders::PossibleOrder;
pub use timeline::timeline;

/// Operations that cannot be ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counterexample {
    /// What they are on.
    pub key: Option<Key>,
    /// The operations in order of invocation. Without any of them (and without the reads of its
    /// value, if it is a write) the others can be ordered, unless the budget ended before that was
    /// reached.
    pub operations: Vec<Involved>,
    /// The one that is to blame, by the index of its invocation: the last read that there is a
    /// reason to accuse.
    pub accused: u64,
    /// Why they cannot be ordered: one sentence without a full stop.
    pub sentence: String,
    /// Some of the orders that the others could have had, and what the object would hold then.
    pub before: Vec<PossibleOrder>,
}

/// An operation of a [`Counterexample`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Involved {
    /// As it was recorded.
    pub operation: Operation,
    /// In a few words (`write 5`, `read -> nil`).
    pub text: String,
}

/// Explains why `task` has no order, as a fast search has found. The claim is confirmed in exact
/// mode on the operations that are left; the error says that it could not be. The nodes of the limits bound how much
/// work it is to find few operations, and to confirm without rules that these have no order.
pub(crate) fn explain<M: Model>(
    model: &M,
    key: Option<Key>,
    all: &[&Operation],
    task: &Task<'_, M>,
    limits: Limits,
) -> Result<Counterexample, String> {
    // Confirming must not starve.
    let now = Instant::now();
    let half_time = now + limits.deadline.saturating_duration_since(now) / 2;
    let set = shrink::shrink(model, task, Limits { deadline: half_time, ..limits });
    confirm(model, &set, limits)?;
    let members: Vec<Member<'_, M::Op>> = set.members().collect();
    let candidates = candidates(model, &members);
    let last =
        *candidates.first().expect("without an operation that has happened there is an order");
    let accusation = candidates.iter().find_map(|&accused| {
        let sentence = model.accuse(&Case { set: &members, all, accused })?;
        Some((accused, sentence))
    });
    let operations: Vec<Involved> = members
        .iter()
        .map(|member| Involved {
            operation: member.operation.clone(),
            text: model.describe(member.operation),
        })
        .collect();
    let accused = accusation.as_ref().map_or(last, |(accused, _)| *accused).operation.invoke;
    let before = orders::possible_orders(model, &set, accused);
    let sentence = accusation
        .map_or_else(|| plain_sentence(&operations, accused, &before), |(_, sentence)| sentence);
    Ok(Counterexample { key, operations, accused, sentence, before })
}

/// What may be to blame, the one that returned last first; but what changes the object is seldom to
/// blame.
fn candidates<'a, M: Model>(model: &M, members: &[Member<'a, M::Op>]) -> Vec<Member<'a, M::Op>> {
    let happened = members.iter().copied().filter(|member| member.operation.is_ok());
    let mut candidates: Vec<Member<'a, M::Op>> = happened.collect();
    candidates
        .sort_by_key(|member| Reverse((model.is_read_only(member.op), member.operation.complete)));
    candidates
}

/// Searches again without what a fast search could be wrong about: without any rule, as far as that is quick, and else
/// with the rules and an exact memory.
fn confirm<M: Model>(model: &M, set: &Task<'_, M>, limits: Limits) -> Result<(), String> {
    let work_of_node = (set.len() as u64).max(PLAIN_OPERATIONS).pow(2);
    let plain = Limits { nodes: PLAIN_SHARE * limits.nodes / work_of_node, ..limits };
    let found = match search(model, set, Method::Plain, plain).found {
        Found::Stopped(Stop::Nodes) => {
            search(model, set, Method::Exact, Limits { nodes: u64::MAX, ..limits }).found
        }
        found => found,
    };
    match found {
        Found::NoOrder => Ok(()),
        Found::Order => Err("the fast search found no order, but the exact one did: \
             please report this history"
            .to_owned()),
        Found::Stopped(_) => Err(format!(
            "the fast search found no order, but the budget ran out before the exact one could \
             confirm it for {} operations",
            set.len()
        )),
    }
}

/// A search without any rule may be so much more work than making the set small was. It decides nearly every set that was
/// made small; of many operations it seldom decides anything, however long it takes. So the work of a node counts for each
/// operation that it remembers, and once more for each.
const PLAIN_SHARE: u64 = 2;
/// Fewer operations do not make it quicker.
const PLAIN_OPERATIONS: u64 = 1 << 4;

/// For when the model cannot tell more: what there is, and what the object could hold without the accused.
fn plain_sentence(operations: &[Involved], accused: u64, before: &[PossibleOrder]) -> String {
    let in_words = |involved: &Involved| {
        let Involved { operation, text } = involved;
        match operation.definite_end() {
            Some(end) => format!("{text} (index {} to {end})", operation.invoke),
            None => format!("{text} (from index {} on, perhaps)", operation.invoke),
        }
    };
    let mut names: Vec<String> = operations.iter().take(NAMED_MAX).map(in_words).collect();
    if operations.len() > NAMED_MAX {
        names.push(format!("{} more", operations.len() - NAMED_MAX));
    }
    format!(
        "no order of these {} operations agrees with what they returned and with when they began \
         and ended: {}",
        operations.len(),
        names.join(", ")
    ) + &what_could_be(accused, before)
}

fn what_could_be(accused: u64, before: &[PossibleOrder]) -> String {
    let held: Vec<&str> = before.iter().map(|order| order.holds.as_str()).collect();
    match held.split_last() {
        None => String::new(),
        Some((only, [])) => {
            format!("; without the one at index {accused} they can be ordered, and lead to {only}")
        }
        Some((last, others)) => format!(
            "; without the one at index {accused} they can be ordered, and lead to {} or {last}",
            others.join(", ")
        ),
    }
}

/// A sentence that names more operations is not read.
const NAMED_MAX: usize = 8;

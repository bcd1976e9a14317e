//! Whether there is an order of the operations that keeps to real time and to the model.
//!
//! Keys are independent, so each is judged alone (Herlihy and Wing 1990: linearizability is local).

mod budget;
mod dead;
mod list;
mod orders;
mod search;
mod steps;
mod task;
#[cfg(test)]
mod tests;
mod way;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use serde::{Deserialize, Serialize};

use crate::explain::{self, Counterexample};
use crate::history::{Key, Operation};
use crate::model::{Malformed, Model};
use crate::verdict::Verdict;

pub use budget::Budget;
pub(crate) use budget::{Limits, Stop};
pub use orders::{KeyOrder, OrderStep, orders};
pub(crate) use search::{Found, Method, Outcome, search};
#[cfg(test)]
pub(crate) use search::{Preference, Turns, search_in_turns};
pub(crate) use task::Task;

/// What the linearizability checker says of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linearizability {
    /// The gravest of the keys' verdicts; unknown if the history is malformed.
    pub verdict: Verdict,
    /// The model that it was judged by.
    pub model: String,
    /// An operation that the model has no meaning for; then no key was judged.
    pub malformed: Option<String>,
    /// Each key's, in order.
    pub keys: Vec<KeyResult>,
}

/// What is said of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyResult {
    /// The key; absent for the operations that have none. Of several keys that operations join the least.
    pub key: Option<Key>,
    /// How many operations there are on it, whatever became of them.
    pub operations: u64,
    /// How many choices the search had to make.
    pub nodes: u64,
    /// The judgement.
    pub finding: Finding,
}

/// A judgement with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase", deny_unknown_fields)]
pub enum Finding {
    /// There is an order.
    Valid,
    /// Not decided.
    Unknown {
        /// What it ran out of, and how far it came.
        reason: String,
    },
    /// There is no order.
    Invalid {
        /// The operations that prove it.
        counterexample: Counterexample,
    },
}

impl Finding {
    /// Without the reason.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Valid => Verdict::Valid,
            Self::Unknown { .. } => Verdict::Unknown,
            Self::Invalid { .. } => Verdict::Invalid,
        }
    }
}

impl Linearizability {
    /// What the sentence on a key without an order begins with: it stands beside those of other checkers.
    pub const CLAIM: &str = "not linearizable: ";

    /// What is not valid, one sentence each.
    pub fn sentences(&self) -> Vec<String> {
        let of_key = |result: &KeyResult| {
            let (claim, sentence) = match &result.finding {
                Finding::Valid => return None,
                Finding::Unknown { reason } => ("", reason),
                Finding::Invalid { counterexample } => (Self::CLAIM, &counterexample.sentence),
            };
            let key = result.key.map_or_else(String::new, |key| format!("key {key}: "));
            Some(format!("{claim}{key}{sentence}"))
        };
        let keys = self.keys.iter().filter_map(of_key);
        self.malformed.iter().cloned().chain(self.undecided_keys()).chain(keys).collect()
    }

    /// How much of the history was decided, if some keys were not.
    fn undecided_keys(&self) -> Option<String> {
        let count =
            |verdict| self.keys.iter().filter(|result| result.finding.verdict() == verdict).count();
        let (unknown, all) = (count(Verdict::Unknown), self.keys.len());
        (unknown > 0 && all > 1).then(|| {
            format!(
                "{} of {all} keys were decided: {} valid, {} invalid",
                all - unknown,
                count(Verdict::Valid),
                count(Verdict::Invalid)
            )
        })
    }

    /// The proofs of what is invalid.
    pub fn counterexamples(&self) -> impl Iterator<Item = &Counterexample> {
        self.keys.iter().filter_map(|result| match &result.finding {
            Finding::Invalid { counterexample } => Some(counterexample),
            Finding::Valid | Finding::Unknown { .. } => None,
        })
    }
}

/// Judges the operations of a history by a model.
pub fn check<M: Model + Sync>(
    model: &M,
    operations: &[Operation],
    budget: Budget,
) -> Linearizability {
    let model_name = M::NAME.to_owned();
    match check_keys(model, operations, budget) {
        Ok(keys) => {
            let verdicts = keys.iter().map(|result| result.finding.verdict());
            let verdict = verdicts.max().unwrap_or(Verdict::Valid);
            Linearizability { verdict, model: model_name, malformed: None, keys }
        }
        Err(malformed) => Linearizability {
            verdict: Verdict::Unknown,
            model: model_name,
            malformed: Some(malformed.to_string()),
            keys: Vec::new(),
        },
    }
}

fn check_keys<M: Model + Sync>(
    model: &M,
    operations: &[Operation],
    budget: Budget,
) -> Result<Vec<KeyResult>, Malformed> {
    let by_key = by_key(model, operations);
    let mut tasks = Vec::new();
    for (key, all) in &by_key {
        let task = Task::new(model, all.iter().copied())?;
        tasks.push(Partition { key: *key, all, task });
    }
    let mut results = if tasks.len() > 1 && operations.len() >= OPERATIONS_TO_SHARE {
        // The small ones first: what they leave of the budget is there for the big ones.
        tasks.sort_by_key(|partition| (partition.task.len(), partition.key));
        let workers = rayon::current_num_threads().min(tasks.len());
        let purses = Purses::new(budget, tasks.len(), workers);
        tasks.into_par_iter().with_max_len(1).map(|task| task.judged(model, &purses)).collect()
    } else {
        let purses = Purses::new(budget, tasks.len(), 1);
        tasks.into_iter().map(|task| task.judged(model, &purses)).collect::<Vec<_>>()
    };
    results.sort_by_key(|result| result.key);
    Ok(results)
}

/// With fewer operations in all, threads cost more than they bring.
const OPERATIONS_TO_SHARE: usize = 20_000;

/// The operations of a key, or of several that operations join.
struct Partition<'a, M: Model> {
    key: Option<Key>,
    all: &'a [&'a Operation],
    task: Task<'a, M>,
}

impl<M: Model> Partition<'_, M> {
    fn judged(self, model: &M, purses: &Purses) -> KeyResult {
        let Self { key, all, task } = self;
        let (decided, part) = purses.deciding.spend(|limits| decide(model, &task, limits));
        let nodes = decided.nodes;
        let finding = match decided.found {
            Found::Order => Finding::Valid,
            Found::NoOrder => {
                let part = part.as_ref().unwrap_or(&task);
                let explained = purses
                    .explaining
                    .spend(|limits| explain::explain(model, key, all, part, limits));
                match explained {
                    Ok(counterexample) => Finding::Invalid { counterexample },
                    Err(reason) => Finding::Unknown { reason },
                }
            }
            Found::Stopped(stop) => {
                Finding::Unknown { reason: undecided(model, &task, &decided, stop) }
            }
        };
        KeyResult { key, operations: all.len() as u64, nodes, finding }
    }
}

/// The operations by the key that they are on; those on several keys with all that are on any of these, by way of
/// others too, under the least of them.
fn by_key<'a, M: Model>(
    model: &M,
    operations: &'a [Operation],
) -> BTreeMap<Option<Key>, Vec<&'a Operation>> {
    let mut by_key: BTreeMap<Option<Key>, Vec<&Operation>> = BTreeMap::new();
    if !M::JOINS_KEYS {
        // All of one key is looked up once where there is no other.
        for run in operations.chunk_by(|one, next| one.key == next.key) {
            by_key.entry(run.first().and_then(|one| one.key)).or_default().extend(run);
        }
        return by_key;
    }
    let mut joined = Joined::default();
    for operation in operations {
        let keys = model.keys(operation);
        for (one, other) in keys.iter().zip(keys.iter().skip(1)) {
            joined.join(*one, *other);
        }
    }
    for operation in operations {
        let key = model.keys(operation).first().map(|key| joined.least(*key));
        by_key.entry(key).or_default().push(operation);
    }
    by_key
}

/// Keys that are judged together: each points to a lesser one, the least to nobody (Tarjan 1975).
#[derive(Default)]
struct Joined(BTreeMap<Key, Key>);

impl Joined {
    fn least(&mut self, key: Key) -> Key {
        let mut least = key;
        while let Some(next) = self.0.get(&least) {
            least = *next;
        }
        // Whoever asks again is answered at once.
        let mut at = key;
        while at != least {
            at = self.0.insert(at, least).unwrap_or(least);
        }
        least
    }

    fn join(&mut self, one: Key, other: Key) {
        let (one, other) = (self.least(one), self.least(other));
        if one != other {
            self.0.insert(one.max(other), one.min(other));
        }
    }
}

/// Looks for an order, at first by guessing; then for a small part that has none: a violation is found there at once
/// that would cost a search dear.
fn decide<'a, M: Model>(
    model: &M,
    task: &Task<'a, M>,
    limits: Limits,
) -> (Outcome, Option<Task<'a, M>>) {
    if let Some(order) = task.guessed(model) {
        let best = task.len();
        let guessed = Outcome { found: Found::Order, nodes: 0, best, stuck: None, order };
        return (guessed, None);
    }
    match task.refuted(model, limits) {
        Some(part) => {
            let order = Vec::new();
            let refuted = Outcome { found: Found::NoOrder, nodes: 0, best: 0, stuck: None, order };
            (refuted, Some(part))
        }
        None => (search(model, task, Method::Fast, limits), None),
    }
}

/// What a search ran out of, and where it stood.
fn undecided<M: Model>(model: &M, task: &Task<'_, M>, outcome: &Outcome, stop: Stop) -> String {
    let budget = match stop {
        Stop::Time => "time",
        Stop::Memory => "memory",
        Stop::Nodes => "node",
    };
    let Outcome { nodes, best, stuck, .. } = outcome;
    let stuck =
        stuck.and_then(|place| task.operations.get(place)).map_or_else(String::new, |next| {
            format!(", and then {} at index {} had no place", model.describe(next), next.invoke)
        });
    format!(
        "the {budget} budget ran out before a verdict: at best {best} of {} operations could be \
         ordered, after {nodes} nodes{stuck}",
        task.len()
    )
}

/// How much work explaining may be, in all: a violation that takes more is shown by more operations. This is the same on
/// every machine, however busy it is.
const EXPLAINING_WORK: u64 = 1 << 22;
/// However many keys there are, so much is for each of them.
const EXPLAINING_WORK_MIN: u64 = 1 << 18;

/// However many keys there are, each has so much time as long as much is left: one of a hundred thousand must not fail
/// because the machine was busy for a moment.
const SHARE_MIN: Duration = Duration::from_secs(1);

/// The budgets of a check.
struct Purses {
    deciding: Purse,
    explaining: Purse,
}

impl Purses {
    fn new(budget: Budget, keys: usize, workers: usize) -> Self {
        let work = (EXPLAINING_WORK / (keys as u64).max(1)).max(EXPLAINING_WORK_MIN);
        Self {
            deciding: Purse::new(budget, u64::MAX, keys, workers),
            explaining: Purse::new(budget, work, keys, workers),
        }
    }
}

/// A budget that several keys share: what one leaves is there for the next ones, and none can take
/// all.
struct Purse {
    /// What is left of the time of all workers, and the keys that have not had their share.
    left: Mutex<(Duration, u32)>,
    /// No key gets more than this, as all of them together take no more time.
    longest: Duration,
    memory_bytes: u64,
    /// For each key.
    nodes: u64,
}

impl Purse {
    fn new(budget: Budget, nodes: u64, keys: usize, workers: usize) -> Self {
        let keys = u32::try_from(keys).unwrap_or(u32::MAX);
        let workers = u32::try_from(workers).unwrap_or(1).max(1);
        Self {
            left: Mutex::new((budget.time.saturating_mul(workers), keys)),
            longest: budget.time,
            memory_bytes: budget.memory_bytes / u64::from(workers),
            nodes,
        }
    }

    fn spend<T>(&self, work: impl FnOnce(Limits) -> T) -> T {
        let share = {
            let (left, keys) = *self.left();
            let fair = left / keys.max(1);
            fair.max(SHARE_MIN.min(left / 8)).min(self.longest)
        };
        let begun = Instant::now();
        let deadline = begun + share;
        let Self { memory_bytes, nodes, .. } = *self;
        let done = work(Limits { deadline, memory_bytes, nodes });
        let (left, keys) = &mut *self.left();
        *left = left.saturating_sub(begun.elapsed());
        *keys = keys.saturating_sub(1);
        done
    }

    fn left(&self) -> MutexGuard<'_, (Duration, u32)> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

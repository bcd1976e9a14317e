//! What is said of the first violation.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Limits;
use super::carried::Carried;
use super::frontier::Stopped;
use super::position::{Moment, Position, Record};
use crate::explain::{self, Counterexample, Involved};
use crate::history::{Key, Operation};
use crate::linearizability::{self, Found, Method, Task, search};
use crate::model::Model;

/// The first moment from which on there certainly is no order, whatever comes later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    /// What the operations are on; absent where they have no key, or all keys are judged together.
    pub key: Option<Key>,
    /// The index of the event with which it became certain.
    pub certain_at: u64,
    /// The operation that has no place.
    pub accused: Involved,
    /// Some of the states that were possible before it ended.
    pub possible: Vec<String>,
    /// How many there were.
    pub states: u64,
    /// What else was open then, that would have ended or may have.
    pub open: Vec<Involved>,
    /// Why there is no order: one sentence without a full stop.
    pub sentence: String,
    /// The fewest operations that show it, if so few show it by themselves: of all that happened since some moment, from
    /// any of the states that were possible then.
    pub counterexample: Option<Counterexample>,
}

/// The first violation among the events `among`, of which the last one is known to be one; `base` is where the record
/// begins.
pub(super) fn first<M: Model>(
    model: &M,
    key: Option<Key>,
    base: &Position<'_, M>,
    record: &Record,
    among: RangeInclusive<u64>,
    limits: Limits,
) -> Violation {
    let followed = |until: u64| {
        let mut position = base.clone();
        let followed = position.follow(model, record, until, limits);
        (position, followed.err())
    };
    let is_certain = |until: u64| matches!(followed(until).1, Some((_, Stopped::NoOrder)));
    let (from, last) = (*among.start(), *among.end());
    let mut ends: Vec<u64> =
        record.held.values().filter_map(|held| held.operation.complete).collect();
    ends.retain(|end| (from..last).contains(end));
    ends.sort_unstable();
    let first = ends.partition_point(|end| !is_certain(*end));
    let certain_at = ends.get(first).copied().unwrap_or(last);
    let (position, stopped) = followed(certain_at);
    let (moment, _) = stopped.expect("there is no order with what is known then");
    told(model, key, base, record, &position, moment, certain_at)
}

fn told<M: Model>(
    model: &M,
    key: Option<Key>,
    base: &Position<'_, M>,
    record: &Record,
    position: &Position<'_, M>,
    moment: Moment,
    certain_at: u64,
) -> Violation {
    let held = |invoke: u64| record.held.get(&invoke).map(|held| held.operation.as_ref());
    let involved = |operation: &Operation| Involved {
        operation: operation.clone(),
        text: model.describe(operation),
    };
    let accused = held(moment.invoke).expect("what has a moment is held");
    let mut open: Vec<u64> = position.open().filter(|invoke| *invoke != moment.invoke).collect();
    open.sort_unstable();
    let states = position.frontier.configurations.states();
    let count = states.len();
    let possible: Vec<String> =
        states.take(STATES_MAX).map(|state| model.describe_state(state)).collect();
    let open: Vec<Involved> =
        open.into_iter().filter_map(held).take(OPEN_MAX).map(involved).collect();
    let accused = involved(accused);
    let sentence = sentence(&accused, moment, certain_at, &possible, count);
    let counterexample = explained(model, key, base, record, certain_at)
        .map(|found| Counterexample { sentence: sentence.clone(), ..found });
    let states = count as u64;
    Violation { key, certain_at, accused, possible, states, open, sentence, counterexample }
}

fn sentence(
    accused: &Involved,
    moment: Moment,
    certain_at: u64,
    possible: &[String],
    count: usize,
) -> String {
    let Involved { operation, text } = accused;
    let more = if count > possible.len() {
        format!(", or one of {} more", count - possible.len())
    } else {
        String::new()
    };
    let later = if certain_at > moment.index {
        format!("; that is certain since index {certain_at}")
    } else {
        String::new()
    };
    format!(
        "{text} of {} (index {} to {}) has no place: before its end the object could only hold {}{more}, and nothing that \
         was open explains it{later}",
        operation.process,
        operation.invoke,
        moment.index,
        possible.join(" or ")
    )
}

/// The fewest operations since the base that have no order from any of the states there. Those that were open there count
/// as such that may have happened or not: then more is possible than there was.
fn explained<M: Model>(
    model: &M,
    key: Option<Key>,
    base: &Position<'_, M>,
    record: &Record,
    until: u64,
) -> Option<Counterexample> {
    let states: Vec<M::State> = base.frontier.configurations.states().cloned().collect();
    if states.len() > STATES_CARRIED_MAX {
        return None;
    }
    let first = record.moments.front().map_or(0, |moment| moment.index);
    let mut operations: Vec<Operation> =
        base.frontier.without_end().map(|operation| Operation::clone(operation)).collect();
    for held in record.held.values().filter(|held| held.operation.invoke <= until) {
        let operation = Operation::clone(&held.operation);
        let is_later = operation.complete.is_some_and(|end| end > until);
        let is_open =
            is_later || held.is_given_up || (operation.invoke < first && operation.is_ok());
        operations.push(if is_open { operation.pending() } else { operation });
    }
    if operations.len() > OPERATIONS_MAX {
        return None;
    }
    operations.sort_by_key(|operation| operation.invoke);
    operations.dedup_by_key(|operation| operation.invoke);
    let carried = Carried { model, states };
    let task = Task::new(&carried, &operations).ok()?;
    // The nodes are the bound, so that it is the same on every machine; the clock is for emergencies.
    let deadline = Instant::now() + Duration::from_mins(1);
    let limits = linearizability::Limits { deadline, memory_bytes: 1 << 28, nodes: NODES_MAX };
    if search(&carried, &task, Method::Fast, limits).found != Found::NoOrder {
        return None;
    }
    let all: Vec<&Operation> = operations.iter().collect();
    explain::explain(&carried, key, &all, &task, limits).ok()
}

/// More states are not read.
const STATES_MAX: usize = 8;
/// More operations are not read.
const OPEN_MAX: usize = 16;
/// From more states, explaining takes longer than anybody waits.
const STATES_CARRIED_MAX: usize = 64;
/// Of more operations, too.
const OPERATIONS_MAX: usize = 5_000;
/// A bound on the search that comes before the explanation, and on the work that this is.
const NODES_MAX: u64 = 1 << 20;

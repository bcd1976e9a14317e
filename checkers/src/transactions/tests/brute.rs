//! The consistencies by their definitions, tried out: all orders of all transactions.

use std::collections::BTreeMap;

use super::super::{Consistency, Fate};
use super::{Owned, Part};
use crate::history::Value;

type State<'a> = BTreeMap<&'a Value, Vec<&'a Value>>;

/// Whether there is a way for everything to have happened.
pub(super) fn allows(history: &[Owned], consistency: Consistency) -> bool {
    let possible: Vec<&Owned> =
        history.iter().filter(|transaction| transaction.fate != Fate::Failed).collect();
    match consistency {
        Consistency::SnapshotIsolation => {
            let waiting = possible.iter().map(|transaction| Stage::Waiting(transaction));
            snapshots(&State::new(), &mut waiting.collect())
        }
        Consistency::Serializable => serial(&State::new(), &possible, &|_, _| false),
        Consistency::StrongSessionSerializable => {
            serial(&State::new(), &possible, &|one, other| {
                one.process == other.process && ended_before(one, other)
            })
        }
        Consistency::StrictSerializable => serial(&State::new(), &possible, &ended_before),
    }
}

fn ended_before(one: &Owned, other: &Owned) -> bool {
    one.fate == Fate::Ok && one.complete.is_some_and(|end| end < other.invoke)
}

/// Whether the rest can come one after the other from here on.
fn serial<'a>(
    state: &State<'a>,
    rest: &[&'a Owned],
    is_before: &dyn Fn(&Owned, &Owned) -> bool,
) -> bool {
    if rest.iter().all(|transaction| transaction.fate == Fate::Unknown) {
        return true;
    }
    rest.iter().enumerate().any(|(place, next)| {
        if rest.iter().any(|other| is_before(other, next)) {
            return false;
        }
        let mut others = rest.to_vec();
        others.remove(place);
        done(state, next).is_some_and(|state| serial(&state, &others, is_before))
    })
}

/// The state after a transaction, if it sees what it says that it saw.
fn done<'a>(state: &State<'a>, transaction: &'a Owned) -> Option<State<'a>> {
    let mut state = state.clone();
    for part in &transaction.micros {
        match part {
            Part::Append(key, element) => state.entry(key).or_default().push(element),
            Part::Read(key, seen) => {
                let list = state.get(key).map_or(&[] as &[&Value], Vec::as_slice);
                if transaction.fate == Fate::Ok && !seen.iter().eq(list.iter().copied()) {
                    return None;
                }
            }
        }
    }
    Some(state)
}

/// How far a transaction is under snapshot isolation.
#[derive(Clone)]
enum Stage<'a> {
    Waiting(&'a Owned),
    /// It has taken its snapshot, and done all its parts on it.
    Running(&'a Owned, State<'a>),
    Committed,
}

fn snapshots<'a>(state: &State<'a>, stages: &mut Vec<Stage<'a>>) -> bool {
    let may_stay = |stage: &Stage<'_>| match stage {
        Stage::Waiting(transaction) => transaction.fate == Fate::Unknown,
        Stage::Running(..) => false,
        Stage::Committed => true,
    };
    if stages.iter().all(may_stay) {
        return true;
    }
    (0..stages.len()).any(|place| {
        let before = stages[place].clone();
        let goes_on = match &before {
            Stage::Committed => false,
            Stage::Waiting(transaction) => {
                done(state, transaction).is_some() && {
                    stages[place] = Stage::Running(transaction, state.clone());
                    snapshots(state, stages)
                }
            }
            Stage::Running(transaction, snapshot) => {
                // First committer wins: nobody else has committed to what it appends to.
                let appends = |part: &'a Part| match part {
                    Part::Append(key, _) => Some(key),
                    Part::Read(..) => None,
                };
                let mut keys = transaction.micros.iter().filter_map(appends);
                keys.all(|key| state.get(key) == snapshot.get(key)) && {
                    let after = committed(state, transaction);
                    stages[place] = Stage::Committed;
                    snapshots(&after, stages)
                }
            }
        };
        stages[place] = before;
        goes_on
    })
}

fn committed<'a>(state: &State<'a>, transaction: &'a Owned) -> State<'a> {
    let mut state = state.clone();
    for part in &transaction.micros {
        if let Part::Append(key, element) = part {
            state.entry(key).or_default().push(element);
        }
    }
    state
}

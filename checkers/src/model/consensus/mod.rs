//! A consensus object: the first `propose` that takes effect decides, and all others return what it decided;
//! `read` returns the decision, if there is one. A register that is written once.
//!
//! Agreement, validity and integrity follow: all who see a decision see the same one, somebody proposed it before
//! anybody saw it, and it never changes.

mod accuse;
mod observers;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::{Case, Malformed, Model, Span};
use crate::history::{Operation, Outcome, Value};

pub use observers::Observers;

/// An object on which nothing is decided at first.
#[derive(Clone, Copy, Debug)]
pub struct Consensus;

/// What is decided: `None` before the first `propose`.
type Decision = Option<i64>;

/// An operation on a consensus object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConsensusOp {
    /// It returned this.
    Read(Decision),
    /// It proposed a value, and, if it is known to have happened, was told what is decided.
    Propose {
        /// Its own value.
        value: i64,
        /// What it returned.
        decided: Option<i64>,
    },
}

impl ConsensusOp {
    /// The decision that it saw, if it saw one.
    fn seen(self) -> Option<i64> {
        match self {
            Self::Read(seen) => seen,
            Self::Propose { decided, .. } => decided,
        }
    }

    /// What it may have decided.
    fn proposed(self) -> Option<i64> {
        match self {
            Self::Read(_) => None,
            Self::Propose { value, .. } => Some(value),
        }
    }
}

impl Model for Consensus {
    type State = Decision;
    type Op = ConsensusOp;
    type Lookahead = Observers;

    const NAME: &'static str = "consensus";
    const SUMMARY: &'static str =
        "write-once registers: the first `propose` decides, all others and `read` return that";
    const FUNCTIONS: &'static [&'static str] = &["propose", "read"];

    fn initial(&self) -> Decision {
        None
    }

    fn parse(&self, operation: &Operation) -> Result<Option<ConsensusOp>, Malformed> {
        match operation.f.as_str() {
            "read" => parse_read(operation),
            "propose" => parse_propose(operation).map(Some),
            other => Err(Malformed {
                index: operation.invoke,
                problem: format!(
                    "the model `consensus` has no function `{other}`; expected `propose` or `read`"
                ),
            }),
        }
    }

    fn step(&self, state: &Decision, op: &ConsensusOp) -> Option<Decision> {
        match *op {
            ConsensusOp::Read(seen) => (seen == *state).then_some(*state),
            ConsensusOp::Propose { value, decided } => {
                let after = state.unwrap_or(value);
                decided.is_none_or(|decided| decided == after).then_some(Some(after))
            }
        }
    }

    fn is_read_only(&self, op: &ConsensusOp) -> bool {
        matches!(op, ConsensusOp::Read(_))
    }

    fn sets_state(&self, op: &ConsensusOp) -> bool {
        !matches!(op, ConsensusOp::Propose { decided: None, .. })
    }

    fn depends(&self, observer: &ConsensusOp, cause: &ConsensusOp) -> bool {
        cause.proposed().is_some_and(|value| observer.seen() == Some(value))
    }

    fn unobserved(&self, ops: &[ConsensusOp]) -> Vec<bool> {
        let seen: FxHashSet<i64> = ops.iter().filter_map(|op| op.seen()).collect();
        // One that saw its own value counts as observed by itself: it has happened anyway.
        ops.iter().map(|op| op.proposed().is_none_or(|value| !seen.contains(&value))).collect()
    }

    fn suspects(&self, ops: &[ConsensusOp], spans: &[Span]) -> Vec<Vec<usize>> {
        suspects(ops, spans)
    }

    fn lookahead(&self, ops: &[ConsensusOp], _: &[Span]) -> Observers {
        Observers::new(ops)
    }

    fn describe(&self, operation: &Operation) -> String {
        let Operation { f, input, outcome, .. } = operation;
        match (f.as_str(), outcome) {
            ("read", Outcome::Ok(value)) => format!("read -> {value}"),
            ("read", Outcome::Fail | Outcome::Info | Outcome::Pending) => "read".to_owned(),
            (_, Outcome::Ok(value)) => format!("{f} {input} -> {value}"),
            (_, Outcome::Fail | Outcome::Info | Outcome::Pending) => format!("{f} {input}"),
        }
    }

    fn describe_state(&self, state: &Decision) -> String {
        name(*state)
    }

    fn accuse(&self, case: &Case<'_, ConsensusOp>) -> Option<String> {
        accuse::sentence(case)
    }
}

fn parse_read(operation: &Operation) -> Result<Option<ConsensusOp>, Malformed> {
    if operation.input != Value::Nil {
        return Err(Malformed {
            index: operation.invoke,
            problem: format!("`read` takes no argument, not {}; expected null", operation.input),
        });
    }
    match &operation.outcome {
        Outcome::Ok(Value::Nil) => Ok(Some(ConsensusOp::Read(None))),
        Outcome::Ok(Value::Int(value)) => Ok(Some(ConsensusOp::Read(Some(*value)))),
        Outcome::Ok(other @ (Value::Text(_) | Value::List(_))) => Err(Malformed {
            index: operation.complete.unwrap_or(operation.invoke),
            problem: format!("`read` returns {other}; expected an integer or null"),
        }),
        Outcome::Fail | Outcome::Info | Outcome::Pending => Ok(None),
    }
}

fn parse_propose(operation: &Operation) -> Result<ConsensusOp, Malformed> {
    let Value::Int(value) = operation.input else {
        return Err(Malformed {
            index: operation.invoke,
            problem: format!("`propose` is given {}; expected an integer", operation.input),
        });
    };
    let decided = match &operation.outcome {
        Outcome::Ok(Value::Int(decided)) => Some(*decided),
        Outcome::Ok(other @ (Value::Nil | Value::Text(_) | Value::List(_))) => {
            return Err(Malformed {
                index: operation.complete.unwrap_or(operation.invoke),
                problem: format!("`propose` returns {other}; expected an integer"),
            });
        }
        Outcome::Fail | Outcome::Info | Outcome::Pending => None,
    };
    Ok(ConsensusOp::Propose { value, decided })
}

/// Two that saw different decisions; one that saw a decision which was proposed too late, or never; one that saw
/// nothing though something had been decided. With each, who may have decided it.
fn suspects(ops: &[ConsensusOp], spans: &[Span]) -> Vec<Vec<usize>> {
    let mut proposers: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    // By decision: who saw it, and knew it first.
    let mut first: BTreeMap<i64, (u64, usize)> = BTreeMap::new();
    for (place, (op, span)) in ops.iter().zip(spans).enumerate() {
        if let Some(value) = op.proposed() {
            proposers.entry(value).or_default().push(place);
        }
        if let (Some(seen), Some(end)) = (op.seen(), span.end) {
            let best = first.entry(seen).or_insert((end, place));
            *best = (*best).min((end, place));
        }
    }
    let with_causes = |places: &[usize]| {
        let seen = places.iter().filter_map(|place| ops.get(*place)?.seen());
        let causes = seen.filter_map(|value| proposers.get(&value)).flatten();
        let mut all: Vec<usize> = places.iter().chain(causes).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let mut observers: Vec<(u64, usize)> = first.values().copied().collect();
    observers.sort_unstable();
    let mut suspects = Vec::new();
    if let [(_, one), (_, other), ..] = observers.as_slice() {
        suspects.push(with_causes(&[*one, *other]));
    }
    suspects.extend(observers.iter().map(|(_, place)| with_causes(&[*place])));
    // Any propose that has ended leaves a decision behind.
    let earliest = ops
        .iter()
        .zip(spans)
        .enumerate()
        .filter(|(_, (op, _))| op.seen().is_some() || op.proposed().is_some())
        .filter_map(|(place, (_, span))| Some((span.end?, place)))
        .min();
    if let Some((end, decider)) = earliest {
        let is_late =
            |(op, span): (&ConsensusOp, &Span)| *op == ConsensusOp::Read(None) && end < span.call;
        let nil = ops.iter().zip(spans).position(is_late);
        suspects.extend(nil.map(|nil| with_causes(&[decider, nil])));
    }
    suspects
}

fn name(decision: Decision) -> String {
    decision.map_or_else(|| "nil".to_owned(), |value| value.to_string())
}

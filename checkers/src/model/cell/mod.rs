//! A register with compare-and-set as other programs record it: with values of any kind, with an initial value, and
//! with what a refusal says of the value that was there.

mod demand;

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use super::{Case, Malformed, Member, Model, Span};
use crate::history::{Operation, Outcome, Value};

pub use demand::Demand;

/// Independent registers with compare-and-set.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// What each of them holds at first.
    pub initial: Value,
    /// Whether a read that returns nil says nothing, and not that the register holds nil.
    pub is_nil_read_wildcard: bool,
}

impl Cell {
    /// The result of a `cas` that was done and found something else than it expected.
    pub const REFUSED: &str = "refused";

    /// Whether the `cas` was certainly refused.
    fn is_refused(operation: &Operation) -> bool {
        matches!(&operation.outcome, Outcome::Ok(Value::Text(result)) if result == Self::REFUSED)
    }
}

/// An operation on a register.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CellOp {
    /// It returned this.
    Read(Value),
    /// It wrote this.
    Write(Value),
    /// It found the one and wrote the other, certainly or perhaps.
    Cas {
        /// What it must find.
        expected: Value,
        /// What it leaves.
        new: Value,
        /// Whether it happened.
        is_certain: bool,
    },
    /// It found something else than this.
    Refused(Value),
}

impl CellOp {
    /// What it leaves there, where that may be something else than what was there.
    fn makes(&self) -> Option<&Value> {
        match self {
            Self::Write(value) => Some(value),
            Self::Cas { expected, new, .. } => (expected != new).then_some(new),
            Self::Read(_) | Self::Refused(_) => None,
        }
    }

    /// What it must find.
    fn finds(&self) -> Option<&Value> {
        match self {
            Self::Read(value) | Self::Cas { expected: value, .. } => Some(value),
            Self::Write(_) | Self::Refused(_) => None,
        }
    }

    /// What it must not find.
    fn refuses(&self) -> Option<&Value> {
        if let Self::Refused(value) = self { Some(value) } else { None }
    }
}

impl Model for Cell {
    type State = Value;
    type Op = CellOp;
    type Lookahead = Demand;

    const NAME: &'static str = "cas-register";
    const SUMMARY: &'static str = "independent registers: a `cas` of [expected, new] writes only where it finds what it \
         expects";
    const FUNCTIONS: &'static [&'static str] = &["read", "write", "cas"];

    fn initial(&self) -> Value {
        self.initial.clone()
    }

    fn parse(&self, operation: &Operation) -> Result<Option<CellOp>, Malformed> {
        match (operation.f.as_str(), &operation.input) {
            ("read", _) => Ok(match &operation.outcome {
                Outcome::Ok(Value::Nil) if self.is_nil_read_wildcard => None,
                Outcome::Ok(value) => Some(CellOp::Read(value.clone())),
                Outcome::Fail | Outcome::Info | Outcome::Pending => None,
            }),
            ("write", value) => Ok(Some(CellOp::Write(value.clone()))),
            ("cas", Value::List(pair)) if pair.len() == 2 => {
                let [expected, new] = pair.as_slice() else { return Ok(None) };
                Ok(Some(if Self::is_refused(operation) {
                    CellOp::Refused(expected.clone())
                } else {
                    let is_certain = operation.is_ok();
                    CellOp::Cas { expected: expected.clone(), new: new.clone(), is_certain }
                }))
            }
            ("cas", other) => Err(Malformed {
                index: operation.invoke,
                problem: format!("`cas` is given {other}; expected [expected, new]"),
            }),
            (f, _) => Err(Malformed {
                index: operation.invoke,
                problem: format!(
                    "the model `{}` has no function `{f}`; expected `read`, `write` or `cas`",
                    Self::NAME
                ),
            }),
        }
    }

    fn step(&self, state: &Value, op: &CellOp) -> Option<Value> {
        match op {
            CellOp::Read(seen) => (seen == state).then(|| state.clone()),
            CellOp::Write(value) => Some(value.clone()),
            CellOp::Cas { expected, new, .. } => (expected == state).then(|| new.clone()),
            CellOp::Refused(expected) => (expected != state).then(|| state.clone()),
        }
    }

    fn is_read_only(&self, op: &CellOp) -> bool {
        match op {
            CellOp::Read(_) | CellOp::Refused(_) => true,
            CellOp::Write(_) => false,
            CellOp::Cas { expected, new, .. } => expected == new,
        }
    }

    fn sets_state(&self, op: &CellOp) -> bool {
        !matches!(op, CellOp::Refused(_))
    }

    fn overwrites(&self, op: &CellOp) -> bool {
        matches!(op, CellOp::Write(_))
    }

    fn depends(&self, observer: &CellOp, cause: &CellOp) -> bool {
        let Some(made) = cause.makes() else { return false };
        match observer {
            CellOp::Refused(expected) => expected != made,
            CellOp::Read(_) | CellOp::Cas { .. } | CellOp::Write(_) => {
                observer.finds() == Some(made)
            }
        }
    }

    fn unobserved(&self, ops: &[CellOp]) -> Vec<bool> {
        let found: FxHashSet<&Value> = ops.iter().filter_map(CellOp::finds).collect();
        let refused: FxHashSet<&Value> = ops.iter().filter_map(CellOp::refuses).collect();
        let is_unobserved = |op: &CellOp| {
            op.makes().is_none_or(|made| {
                // Whatever is not what was refused may be the reason of the refusal.
                !found.contains(made) && refused.iter().all(|refused| *refused == made)
            })
        };
        ops.iter().map(is_unobserved).collect()
    }

    fn suspects(&self, members: &[Member<'_, CellOp>]) -> Vec<Vec<usize>> {
        let made: FxHashSet<&Value> = members.iter().filter_map(|m| m.op.makes()).collect();
        let is_made = |value: &Value| *value == self.initial || made.contains(value);
        let is_suspect = |member: &Member<'_, CellOp>| {
            member.operation.is_ok() && member.op.finds().is_some_and(|value| !is_made(value))
        };
        let suspects = members.iter().enumerate().filter(|(_, member)| is_suspect(member));
        suspects.map(|(place, _)| vec![place]).collect()
    }

    fn lookahead(&self, ops: &[CellOp], _: &[Span]) -> Demand {
        Demand::new(ops)
    }

    fn describe(&self, operation: &Operation) -> String {
        let refused = if Self::is_refused(operation) { " refused" } else { "" };
        super::describe(operation) + refused
    }

    fn describe_state(&self, state: &Value) -> String {
        state.to_string()
    }

    fn accuse(&self, case: &Case<'_, CellOp>) -> Option<String> {
        let found = case.accused.op.finds()?;
        let is_made = |member: &Member<'_, CellOp>| member.op.makes() == Some(found);
        if *found == self.initial || case.set.iter().any(is_made) {
            return None;
        }
        let accused = case.accused.operation;
        let what = self.describe(accused);
        // Others may have been left out because they began too late, or failed.
        let wrote = |other: &&&Operation| match (other.f.as_str(), &other.input) {
            ("write", value) => value == found,
            ("cas", Value::List(pair)) => pair.last() == Some(found),
            _ => false,
        };
        let fates: BTreeSet<&str> =
            case.all.iter().filter(wrote).map(|other| fate(other)).collect();
        let why = match fates.into_iter().collect::<Vec<&str>>().as_slice() {
            [] => format!("but nobody ever wrote {found}"),
            [FAILED] => format!("but whoever was to write {found} had failed"),
            _ => return None,
        };
        Some(format!("{what} at index {}, {why}", accused.invoke))
    }
}

/// Whether an operation certainly had no effect.
fn fate(operation: &Operation) -> &'static str {
    let failed = operation.outcome == Outcome::Fail || Cell::is_refused(operation);
    if failed { FAILED } else { "possible" }
}

const FAILED: &str = "failed";

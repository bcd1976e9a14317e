//! A register: `read` returns what the last `write` wrote.

mod accuse;
mod orphans;
mod stale;
mod zones;

use rustc_hash::{FxHashMap, FxHashSet};

use super::witness::{self, Deed};
use super::{Case, Malformed, Member, Model, Span};
use crate::history::{Operation, Outcome, Value};

pub use orphans::Orphans;

/// A register that holds nothing at first.
#[derive(Clone, Copy, Debug)]
pub struct Register;

/// What a register holds: `None` before the first write.
type Content = Option<i64>;

/// An operation on a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegisterOp {
    /// It returned this.
    Read(Content),
    /// It wrote this, if it happened.
    Write(i64),
}

impl Model for Register {
    type State = Content;
    type Op = RegisterOp;
    type Lookahead = Orphans;

    const NAME: &'static str = "register";
    const SUMMARY: &'static str =
        "independent registers: `read` returns what the last `write` wrote";
    const FUNCTIONS: &'static [&'static str] = &["read", "write"];

    fn initial(&self) -> Content {
        None
    }

    fn parse(&self, operation: &Operation) -> Result<Option<RegisterOp>, Malformed> {
        match operation.f.as_str() {
            "read" => parse_read(operation),
            "write" => parse_write(operation).map(Some),
            other => Err(Malformed {
                index: operation.invoke,
                problem: format!(
                    "the model `register` has no function `{other}`; expected `read` or `write`"
                ),
            }),
        }
    }

    fn step(&self, state: &Content, op: &RegisterOp) -> Option<Content> {
        match *op {
            RegisterOp::Read(seen) => (seen == *state).then_some(*state),
            RegisterOp::Write(value) => Some(Some(value)),
        }
    }

    fn is_read_only(&self, op: &RegisterOp) -> bool {
        matches!(op, RegisterOp::Read(_))
    }

    fn sets_state(&self, _: &RegisterOp) -> bool {
        true
    }

    fn overwrites(&self, op: &RegisterOp) -> bool {
        matches!(op, RegisterOp::Write(_))
    }

    fn depends(&self, observer: &RegisterOp, cause: &RegisterOp) -> bool {
        matches!((observer, cause), (RegisterOp::Read(Some(seen)), RegisterOp::Write(written))
            if seen == written)
    }

    fn unobserved(&self, ops: &[RegisterOp]) -> Vec<bool> {
        let seen: FxHashSet<i64> = ops.iter().filter_map(|op| content_read(*op)?).collect();
        let is_unobserved = |op: &RegisterOp| match op {
            RegisterOp::Read(_) => true,
            RegisterOp::Write(value) => !seen.contains(value),
        };
        ops.iter().map(is_unobserved).collect()
    }

    fn guess(&self, members: &[Member<'_, RegisterOp>]) -> Option<Vec<usize>> {
        let mut ids: FxHashMap<i64, u32> = FxHashMap::default();
        let mut id = |value: i64| {
            let fresh = u32::try_from(ids.len() + 1).expect("fewer than 2^32 values");
            *ids.entry(value).or_insert(fresh)
        };
        let deed = |member: &Member<'_, RegisterOp>| match *member.op {
            RegisterOp::Read(seen) => Deed { finds: Some(seen.map_or(0, &mut id)), leaves: None },
            RegisterOp::Write(value) => Deed { finds: None, leaves: Some(id(value)) },
        };
        let deeds: Vec<Deed> = members.iter().map(deed).collect();
        let spans: Vec<Span> = members.iter().map(Member::span).collect();
        witness::order(&deeds, &spans, ids.len() + 1)
    }

    fn suspects(&self, members: &[Member<'_, RegisterOp>]) -> Vec<Vec<usize>> {
        // Those that end first come first.
        let mut suspects = stale::stale_reads(members);
        suspects.extend(zones::conflicts(members));
        suspects.sort_by_cached_key(|places| {
            let end = |&place: &usize| members.get(place).and_then(|m| m.operation.definite_end());
            (places.iter().filter_map(end).max(), places.len())
        });
        suspects
    }

    fn lookahead(&self, ops: &[RegisterOp], spans: &[Span]) -> Orphans {
        Orphans::new(ops, spans)
    }

    fn describe(&self, operation: &Operation) -> String {
        match &operation.outcome {
            Outcome::Ok(value) if operation.f == "read" => format!("read -> {value}"),
            Outcome::Ok(_) | Outcome::Fail | Outcome::Info | Outcome::Pending
                if operation.f == "read" =>
            {
                "read".to_owned()
            }
            Outcome::Ok(_) | Outcome::Fail | Outcome::Info | Outcome::Pending => {
                format!("{} {}", operation.f, operation.input)
            }
        }
    }

    fn describe_state(&self, state: &Content) -> String {
        name(*state)
    }

    fn accuse(&self, case: &Case<'_, RegisterOp>) -> Option<String> {
        accuse::sentence(case)
    }
}

fn parse_read(operation: &Operation) -> Result<Option<RegisterOp>, Malformed> {
    if operation.input != Value::Nil {
        return Err(Malformed {
            index: operation.invoke,
            problem: format!("`read` takes no argument, not {}; expected null", operation.input),
        });
    }
    match &operation.outcome {
        Outcome::Ok(Value::Nil) => Ok(Some(RegisterOp::Read(None))),
        Outcome::Ok(Value::Int(value)) => Ok(Some(RegisterOp::Read(Some(*value)))),
        Outcome::Ok(other @ (Value::Text(_) | Value::List(_))) => Err(Malformed {
            index: operation.complete.unwrap_or(operation.invoke),
            problem: format!("`read` returns {other}; expected an integer or null"),
        }),
        Outcome::Fail | Outcome::Info | Outcome::Pending => Ok(None),
    }
}

fn parse_write(operation: &Operation) -> Result<RegisterOp, Malformed> {
    let Value::Int(value) = operation.input else {
        return Err(Malformed {
            index: operation.invoke,
            problem: format!("`write` is given {}; expected an integer", operation.input),
        });
    };
    Ok(RegisterOp::Write(value))
}

fn content_read(op: RegisterOp) -> Option<Content> {
    match op {
        RegisterOp::Read(seen) => Some(seen),
        RegisterOp::Write(_) => None,
    }
}

fn name(content: Content) -> String {
    content.map_or_else(|| "nil".to_owned(), |value| value.to_string())
}

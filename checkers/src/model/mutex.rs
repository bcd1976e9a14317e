//! A lock: `acquire` takes it when it is free, `release` gives it back.

use super::{Malformed, Model, NoLookahead, Span};
use crate::history::{Operation, Value};

/// Locks that are free at first. Who holds one does not matter, only that no two do.
#[derive(Clone, Copy, Debug)]
pub struct Mutex;

/// An operation on a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MutexOp {
    /// It found the lock free, and took it.
    Acquire,
    /// It found the lock taken, and gave it back.
    Release,
}

impl Model for Mutex {
    /// Whether it is taken.
    type State = bool;
    type Op = MutexOp;
    type Lookahead = NoLookahead;

    const NAME: &'static str = "mutex";
    const SUMMARY: &'static str =
        "independent locks: `acquire` takes one that is free, `release` gives one back that is not";
    const FUNCTIONS: &'static [&'static str] = &["acquire", "release"];

    fn initial(&self) -> bool {
        false
    }

    fn parse(&self, operation: &Operation) -> Result<Option<MutexOp>, Malformed> {
        let bad = |problem: String| Err(Malformed { index: operation.invoke, problem });
        let f = operation.f.as_str();
        let op = match f {
            "acquire" => MutexOp::Acquire,
            "release" => MutexOp::Release,
            _ => {
                return bad(format!(
                    "the model `mutex` has no function `{f}`; expected `acquire` or `release`"
                ));
            }
        };
        if operation.input != Value::Nil {
            return bad(format!("`{f}` takes no argument, not {}; expected null", operation.input));
        }
        Ok(Some(op))
    }

    fn step(&self, is_taken: &bool, op: &MutexOp) -> Option<bool> {
        match op {
            MutexOp::Acquire => (!is_taken).then_some(true),
            MutexOp::Release => is_taken.then_some(false),
        }
    }

    fn sets_state(&self, _: &MutexOp) -> bool {
        true
    }

    fn depends(&self, observer: &MutexOp, cause: &MutexOp) -> bool {
        observer != cause
    }

    fn unobserved(&self, ops: &[MutexOp]) -> Vec<bool> {
        let has = |op| ops.contains(&op);
        let has_both = has(MutexOp::Acquire) && has(MutexOp::Release);
        vec![!has_both; ops.len()]
    }

    fn lookahead(&self, _: &[MutexOp], _: &[Span]) -> NoLookahead {
        NoLookahead
    }

    fn describe(&self, operation: &Operation) -> String {
        operation.f.to_string()
    }

    fn describe_state(&self, is_taken: &bool) -> String {
        if *is_taken { "taken" } else { "free" }.to_owned()
    }
}

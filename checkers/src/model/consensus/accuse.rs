//! Says why proposals and reads cannot be ordered.

use super::{ConsensusOp, name};
use crate::history::{Operation, Outcome, Value};
use crate::model::{Case, Member};

/// The first reason that applies, if any does. Each is true of every history that it is said of.
pub(super) fn sentence(case: &Case<'_, ConsensusOp>) -> Option<String> {
    let why = match case.accused.op.seen() {
        Some(seen) => never_proposed(case, seen).or_else(|| disagreement(case, seen))?,
        None => nothing_seen(case)?,
    };
    Some(format!("{}, {why}", told(case.accused)))
}

/// Validity: nobody proposed the decision, or not in time.
fn never_proposed(case: &Case<'_, ConsensusOp>, seen: i64) -> Option<String> {
    let ended = case.accused.operation.complete?;
    let proposals =
        case.all.iter().filter(|other| other.f == "propose" && other.input == Value::Int(seen));
    let (failed, possible): (Vec<&Operation>, Vec<&Operation>) =
        proposals.partition(|proposal| proposal.outcome == Outcome::Fail);
    if possible.iter().any(|proposal| proposal.invoke < ended) {
        return None;
    }
    Some(match (failed.is_empty(), possible.first()) {
        (true, None) => format!("but nobody ever proposed {seen}"),
        (false, None) => format!("but every proposal of {seen} had failed"),
        (_, Some(next)) => {
            format!("but {seen} was proposed only after that had ended, at index {}", next.invoke)
        }
    })
}

/// Agreement: somebody saw another decision.
fn disagreement(case: &Case<'_, ConsensusOp>, seen: i64) -> Option<String> {
    let others = case.set.iter().copied();
    let mut others = others.filter(|other| other.op.seen().is_some_and(|value| value != seen));
    let other = others.next()?;
    Some(format!("and {}: two values are decided", told(other)))
}

/// Integrity: a decision is never taken back. A proposal that has ended leaves one behind.
fn nothing_seen(case: &Case<'_, ConsensusOp>) -> Option<String> {
    if *case.accused.op != ConsensusOp::Read(None) {
        return None;
    }
    let read = case.accused.operation;
    let had_ended = |member: &&Member<'_, ConsensusOp>| {
        let shows = member.op.seen().is_some();
        shows && member.operation.definite_end().is_some_and(|end| end < read.invoke)
    };
    let shows = *case.set.iter().find(had_ended)?;
    Some(format!("but before it began, {}", told(shows)))
}

/// What an operation was and how it ended.
fn told(member: Member<'_, ConsensusOp>) -> String {
    let index = member.operation.invoke;
    match *member.op {
        ConsensusOp::Read(seen) => format!("read {} at index {index}", name(seen)),
        ConsensusOp::Propose { value, decided: Some(decided) } => {
            format!("the proposal of {value} at index {index} was told {decided}")
        }
        ConsensusOp::Propose { value, decided: None } => {
            format!("the proposal of {value} at index {index}")
        }
    }
}

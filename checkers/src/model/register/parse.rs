//! What recorded operations on registers mean.

use super::{Content, Dialect, RegisterOp, Registers, is_refused};
use crate::history::{Operation, Outcome, Value};
use crate::model::Malformed;

/// As [`crate::model::Model::parse`].
pub(super) fn parse<D: Dialect>(
    model: &Registers<D>,
    operation: &Operation,
) -> Result<Option<RegisterOp>, Malformed> {
    let Operation { f, input, .. } = operation;
    let bad = |problem: String| Malformed { index: operation.invoke, problem };
    if !D::TAKEN.contains(&f.as_str()) {
        let (name, taken) = (D::NAME, alternatives(D::TAKEN));
        return Err(bad(format!("the model `{name}` has no function `{f}`; expected {taken}")));
    }
    match (f.as_str(), input) {
        ("read" | "delete", input) if *input != Value::Nil => {
            Err(bad(format!("`{f}` takes no argument, not {input}; expected null")))
        }
        ("read", _) => read(model, operation),
        ("delete", _) => Ok(Some(RegisterOp::Write(Content::Nil))),
        ("write", input) if is_possible(model, input) => {
            Ok(Some(RegisterOp::Write(Content::of(input))))
        }
        ("write", input) => Err(bad(format!("`write` is given {input}; expected an integer"))),
        (_, Value::List(pair)) if pair.len() == 2 && pair.iter().all(|v| is_possible(model, v)) => {
            let [expected, new] = pair.as_slice() else { return Ok(None) };
            Ok(Some(if is_refused(operation) {
                RegisterOp::Refused(Content::of(expected))
            } else {
                RegisterOp::Cas(Box::new((Content::of(expected), Content::of(new))))
            }))
        }
        (_, input) => {
            let kind = if model.has_numbers_only { ", two integers" } else { "" };
            Err(bad(format!("`cas` is given {input}; expected [expected, new]{kind}")))
        }
    }
}

/// Whether an operation can have been given this value to write.
fn is_possible<D>(model: &Registers<D>, value: &Value) -> bool {
    !model.has_numbers_only || matches!(value, Value::Int(_))
}

fn read<D>(model: &Registers<D>, operation: &Operation) -> Result<Option<RegisterOp>, Malformed> {
    match &operation.outcome {
        Outcome::Ok(Value::Nil) if model.is_nil_read_unknown => Ok(None),
        Outcome::Ok(other @ (Value::Text(_) | Value::List(_))) if model.has_numbers_only => {
            Err(Malformed {
                index: operation.complete.unwrap_or(operation.invoke),
                problem: format!("`read` returns {other}; expected an integer or null"),
            })
        }
        Outcome::Ok(value) => Ok(Some(RegisterOp::Read(Content::of(value)))),
        Outcome::Fail | Outcome::Info | Outcome::Pending => Ok(None),
    }
}

/// `` `a`, `b` or `c` ``.
fn alternatives(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

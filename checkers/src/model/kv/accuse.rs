//! Says why operations on a text cannot be ordered.

use rustc_hash::FxHashSet;

use super::{KvOp, text};
use crate::history::{Operation, Outcome, Value};
use crate::model::{Case, Member};

/// The first reason that applies, if any does. Each is true of every history that it is said of.
pub(super) fn sentence(initial: &str, case: &Case<'_, KvOp>) -> Option<String> {
    let KvOp::Get(seen) = case.accused.op else { return None };
    let getter = Getter { initial, case, seen: seen.as_str(), get: case.accused.operation };
    let why = getter
        .comes_from_nowhere()
        .or_else(|| getter.lacks_put())
        .or_else(|| getter.lacks_append())
        .or_else(|| getter.contradicts())?;
    let index = case.accused.operation.invoke;
    Some(format!("a get at index {index} returned {}, {why}", text::shown(seen.as_str())))
}

/// A get that cannot be placed, and the reasons that are looked for.
struct Getter<'a> {
    initial: &'a str,
    case: &'a Case<'a, KvOp>,
    seen: &'a str,
    get: &'a Operation,
}

impl Getter<'_> {
    /// A part of what was seen that nobody ever put or appended.
    fn comes_from_nowhere(&self) -> Option<String> {
        // Whoever is not in the set may explain a part of what was seen only if all of them are looked at.
        let text = |operation: &&Operation| match &operation.input {
            Value::Text(text) if operation.f != "get" && operation.outcome != Outcome::Fail => {
                Some(text.clone())
            }
            _ => None,
        };
        let pieces: FxHashSet<String> = self.case.all.iter().filter_map(text).collect();
        let known = text::built(self.seen, self.initial, &pieces);
        let rest = self.seen.get(known..).filter(|rest| !rest.is_empty())?;
        Some(format!(
            "but nobody put or appended what follows after its first {known} bytes: {}",
            text::shown(rest)
        ))
    }

    /// A put had ended before, after all that what was seen can begin with.
    fn lacks_put(&self) -> Option<String> {
        let begins_it = |put: &(Member<'_, KvOp>, &str)| self.seen.starts_with(put.1);
        self.puts().filter(|put| precedes(put.0.operation, self.get) && !begins_it(put)).find_map(
            |(put, text)| {
                let is_last = self
                    .puts()
                    .filter(begins_it)
                    .all(|(other, _)| precedes(other.operation, put.operation));
                is_last.then(|| {
                    format!(
                        "but the put of {} at index {} had ended before it began, and it begins with nothing that was \
                         put later",
                        text::shown(text),
                        put.operation.invoke
                    )
                })
            },
        )
    }

    /// Nothing was put, and something had been appended that was not seen.
    fn lacks_append(&self) -> Option<String> {
        if self.puts().next().is_some() {
            return None;
        }
        self.case.set.iter().find_map(|member| {
            let KvOp::Append(end) = member.op else { return None };
            let is_lacking = precedes(member.operation, self.get) && !self.seen.contains(end);
            is_lacking.then(|| {
                format!(
                    "but the append of {} at index {} had ended before it began",
                    text::shown(end),
                    member.operation.invoke
                )
            })
        })
    }

    /// Nothing was put, and somebody saw a text that this one cannot have become, or have come from.
    fn contradicts(&self) -> Option<String> {
        if self.puts().next().is_some() {
            return None;
        }
        self.case.set.iter().find_map(|member| {
            let KvOp::Get(other) = member.op else { return None };
            let (other, index) = (other.as_str(), member.operation.invoke);
            if other.len() > self.seen.len() && precedes(member.operation, self.get) {
                return Some(format!(
                    "after the get at index {index} had already returned {}",
                    text::shown(other)
                ));
            }
            let agree = other.starts_with(self.seen) || self.seen.starts_with(other);
            (!agree).then(|| {
                format!(
                    "but the get at index {index} returned {}, and neither text begins with the other",
                    text::shown(other)
                )
            })
        })
    }

    fn puts(&self) -> impl Iterator<Item = (Member<'_, KvOp>, &str)> {
        self.case.set.iter().filter_map(|member| match member.op {
            KvOp::Put(text) => Some((*member, text.as_str())),
            KvOp::Get(_) | KvOp::Append(_) => None,
        })
    }
}

/// Whether `first` had certainly taken effect before `second` began.
fn precedes(first: &Operation, second: &Operation) -> bool {
    first.definite_end().is_some_and(|end| end < second.invoke)
}

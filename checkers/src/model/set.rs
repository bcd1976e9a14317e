//! A set: `read` returns all that was added.
//!
//! Reads of a set that only grows are subsets of each other, and that puts everything in its place: a read that saw
//! n elements comes after the reads that saw fewer, and an addition right before the first read that saw its element
//! (Jepsen's `set-full` asks the same of each element alone). Operations have an order if and only if no two of them
//! are in the one order in real time and in the other by their places; so no search is needed.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Malformed;
use super::monitor::{Monitor, Wrong, describe, malformed, takes_nothing};
use crate::history::{Operation, Outcome, Value};
use crate::linearizability::OrderStep;

/// Sets that are empty at first and only grow.
#[derive(Clone, Copy, Debug)]
pub struct Set;

impl Monitor for Set {
    const NAME: &'static str = "set";
    const SUMMARY: &'static str = "independent sets: `read` returns every element that was put there by `append`, \
         once; each element is added once";
    const FUNCTIONS: &'static [&'static str] = &["read", "append"];

    fn judge<'a>(&self, operations: &[&'a Operation]) -> Result<Option<Wrong<'a>>, Malformed> {
        let recorded = Recorded::of(operations)?;
        let of_read = recorded.reads.iter().find_map(|read| recorded.elements(read));
        Ok(of_read.or_else(|| recorded.disagreement()).or_else(|| recorded.out_of_order()))
    }

    fn order(&self, operations: &[&Operation]) -> Option<Vec<OrderStep>> {
        if !matches!(self.judge(operations), Ok(None)) {
            return None;
        }
        let mut placed = Recorded::of(operations).ok()?.placed();
        // The sort is stable: what shares a place stays by invocation.
        placed.sort_by_key(|one| one.place);
        let mut held = BTreeSet::new();
        let step = |one: Placed<'_>| {
            held.extend(one.element);
            let elements = held.iter().copied().map(Value::Int).collect();
            OrderStep {
                operation: one.operation.invoke,
                text: describe(one.operation),
                holds: Value::List(elements).to_string(),
            }
        };
        Some(placed.into_iter().map(step).collect())
    }
}

/// What happened to one set.
struct Recorded<'a> {
    /// By element.
    additions: FxHashMap<i64, &'a Operation>,
    reads: Vec<Read<'a>>,
}

/// A read that happened.
struct Read<'a> {
    operation: &'a Operation,
    /// As they were returned.
    seen: Vec<i64>,
}

/// An operation in its place among the others.
struct Placed<'a> {
    operation: &'a Operation,
    place: usize,
    /// What it added, if it did.
    element: Option<i64>,
}

impl<'a> Recorded<'a> {
    fn of(operations: &[&'a Operation]) -> Result<Self, Malformed> {
        let mut recorded = Self { additions: FxHashMap::default(), reads: Vec::new() };
        for operation in operations {
            match operation.f.as_str() {
                "read" => recorded.reads.extend(read(operation)?),
                "append" => {
                    let element = element(operation)?;
                    if let Some(first) = recorded.additions.insert(element, operation) {
                        let problem = format!(
                            "{element} is added a second time, after index {}; the model `set` tells elements apart \
                             by their being added once",
                            first.invoke
                        );
                        return Err(malformed(operation, problem));
                    }
                }
                other => {
                    let problem = format!(
                        "the model `set` has no function `{other}`; expected `read` or `append`"
                    );
                    return Err(malformed(operation, problem));
                }
            }
        }
        recorded.reads.sort_by_key(|read| (read.seen.len(), read.operation.invoke));
        Ok(recorded)
    }

    /// A read that saw an element twice, or one that nobody can have added by then.
    fn elements(&self, read: &Read<'a>) -> Option<Wrong<'a>> {
        let mut known = FxHashSet::default();
        let ended = read.operation.complete.unwrap_or(u64::MAX);
        let index = read.operation.invoke;
        read.seen.iter().find_map(|element| {
            let addition = self.additions.get(element).copied();
            let why = match addition {
                _ if !known.insert(*element) => "more than once".to_owned(),
                None => "but nobody ever added it".to_owned(),
                Some(addition) if addition.outcome == Outcome::Fail => {
                    format!("but its addition at index {} had failed", addition.invoke)
                }
                Some(addition) if addition.invoke > ended => format!(
                    "but its addition began only after that read had ended, at index {}",
                    addition.invoke
                ),
                Some(_) => return None,
            };
            Some(Wrong {
                accused: read.operation,
                others: addition.into_iter().collect(),
                sentence: format!("the read at index {index} saw {element}, {why}"),
            })
        })
    }

    /// Two reads of which each saw something that the other did not.
    fn disagreement(&self) -> Option<Wrong<'a>> {
        self.reads.iter().zip(self.reads.iter().skip(1)).find_map(|(fewer, more)| {
            let all: FxHashSet<i64> = more.seen.iter().copied().collect();
            let missing = fewer.seen.iter().find(|element| !all.contains(element))?;
            let known: FxHashSet<i64> = fewer.seen.iter().copied().collect();
            let other = more.seen.iter().find(|element| !known.contains(element))?;
            let additions = [missing, other].map(|element| self.additions.get(element).copied());
            let (accused, before) = if more.operation.invoke > fewer.operation.invoke {
                (more.operation, fewer.operation)
            } else {
                (fewer.operation, more.operation)
            };
            Some(Wrong {
                accused,
                others: additions.into_iter().flatten().chain([before]).collect(),
                sentence: format!(
                    "the read at index {} saw {missing} and not {other}, and the read at index {} saw {other} and \
                     not {missing}",
                    fewer.operation.invoke, more.operation.invoke
                ),
            })
        })
    }

    /// Every operation that happened, or that somebody has seen, in its place: reads that saw the same share one.
    fn placed(&self) -> Vec<Placed<'a>> {
        let mut places: FxHashMap<i64, usize> = FxHashMap::default();
        let mut all = Vec::new();
        let (mut place, mut length) = (1, 0);
        for read in &self.reads {
            if read.seen.len() > length {
                length = read.seen.len();
                place += 2;
            }
            for element in &read.seen {
                places.entry(*element).or_insert(place - 1);
            }
            all.push(Placed { operation: read.operation, place, element: None });
        }
        for (element, operation) in &self.additions {
            let seen = places.get(element).copied();
            if let Some(place) = seen.or(operation.is_ok().then_some(place + 1)) {
                all.push(Placed { operation, place, element: Some(*element) });
            }
        }
        all.sort_by_key(|one: &Placed<'_>| one.operation.invoke);
        all
    }

    /// Two operations in the one order in real time, and in the other by what was seen.
    fn out_of_order(&self) -> Option<Wrong<'a>> {
        let placed = self.placed();
        let mut by_end: Vec<(u64, &Placed<'a>)> = Vec::new();
        for one in &placed {
            by_end.extend(one.operation.definite_end().map(|end| (end, one)));
        }
        by_end.sort_by_key(|(end, _)| *end);
        let mut ended = by_end.into_iter().peekable();
        let mut last: Option<&Placed<'a>> = None;
        for one in &placed {
            while let Some((_, next)) = ended.next_if(|(end, _)| *end < one.operation.invoke) {
                last = last.filter(|last| last.place >= next.place).or(Some(next));
            }
            if let Some(before) = last.filter(|last| last.place > one.place) {
                return Some(self.wrong(before, one));
            }
        }
        None
    }

    /// `first` had ended before `second` began, and what was seen says that it came after it.
    fn wrong(&self, first: &Placed<'a>, second: &Placed<'a>) -> Wrong<'a> {
        let (a, b) = (first.operation, second.operation);
        let (accused, others, sentence) = match (first.element, second.element) {
            (Some(element), None) => {
                let sentence = format!(
                    "the read at index {} did not see {element}, but the addition of {element} at index {} had ended \
                     before it began",
                    b.invoke, a.invoke
                );
                (b, vec![a], sentence)
            }
            // An addition that began after a read that saw it had ended was found before: `second` is a read.
            (None, _) => {
                let lost = self.lost(a, b);
                let sentence = format!(
                    "the read at index {} did not see {lost}, after the read at index {} had already seen it",
                    b.invoke, a.invoke
                );
                (b, vec![a], sentence)
            }
            (Some(early), Some(late)) => {
                let sentence = format!(
                    "a read saw {late} and not {early}, but the addition of {early} at index {} had ended before that \
                     of {late} began, at index {}",
                    a.invoke, b.invoke
                );
                (self.witness(late, early).unwrap_or(b), vec![a, b], sentence)
            }
        };
        Wrong { accused, others, sentence }
    }

    /// The smallest read that saw the one element and not the other.
    fn witness(&self, seen: i64, unseen: i64) -> Option<&'a Operation> {
        let is_witness =
            |read: &&Read<'a>| read.seen.contains(&seen) && !read.seen.contains(&unseen);
        self.reads.iter().find(is_witness).map(|read| read.operation)
    }

    /// What one read saw, and another did not.
    fn lost(&self, one: &Operation, other: &Operation) -> i64 {
        let seen = |operation: &Operation| {
            let mut of = self.reads.iter().filter(|read| read.operation.invoke == operation.invoke);
            of.next().map(|read| read.seen.iter().copied().collect::<BTreeSet<i64>>())
        };
        let (one, other) = (seen(one).unwrap_or_default(), seen(other).unwrap_or_default());
        one.difference(&other).next().copied().unwrap_or_default()
    }
}

fn read(operation: &Operation) -> Result<Option<Read<'_>>, Malformed> {
    takes_nothing(operation)?;
    let int = |value: &Value| match value {
        Value::Int(value) => Some(*value),
        Value::Nil | Value::Text(_) | Value::List(_) => None,
    };
    let seen = match &operation.outcome {
        Outcome::Ok(Value::Nil) => Some(Vec::new()),
        Outcome::Ok(Value::List(values)) => values.iter().map(int).collect(),
        Outcome::Ok(Value::Int(_) | Value::Text(_)) => None,
        Outcome::Fail | Outcome::Info | Outcome::Pending => return Ok(None),
    };
    let seen = seen.ok_or_else(|| {
        let index = operation.complete.unwrap_or(operation.invoke);
        let problem = "`read` returns something else than a list of integers or null".to_owned();
        Malformed { index, problem }
    })?;
    Ok(Some(Read { operation, seen }))
}

fn element(operation: &Operation) -> Result<i64, Malformed> {
    match operation.input {
        Value::Int(element) => Ok(element),
        Value::Nil | Value::Text(_) | Value::List(_) => {
            let problem =
                format!("`{}` is given {}; expected an integer", operation.f, operation.input);
            Err(malformed(operation, problem))
        }
    }
}

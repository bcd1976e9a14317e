//! Several registers that one operation reads or writes at once.
//!
//! As Knossos's `multi-register`: `read` and `write` take a map from registers to values; `txn` a list of `[read, key,
//! value]` and `[write, key, value]`, done one after another.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::{Case, Content, Malformed, Model, NoLookahead, Span};
use crate::history::{Operation, Outcome, Value};

/// Registers by names of any kind, with values of any kind.
#[derive(Clone, Debug, Default)]
pub struct MultiRegister {
    initial: Named,
    is_nil_read_unknown: bool,
}

/// What registers hold, by name. Those that hold nil are not there.
pub type Named = BTreeMap<Content, Content>;

/// What an operation does to a register.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// It saw this.
    Read(Content, Content),
    /// It wrote this.
    Write(Content, Content),
}

impl MultiRegister {
    /// Registers that all hold nil at first.
    pub const fn of_nothing() -> Self {
        Self { initial: Named::new(), is_nil_read_unknown: false }
    }

    /// Registers that hold at first what this map says, and nil where it says nothing. Nothing if it is no map.
    pub fn holding(initial: &Value) -> Option<Self> {
        let pairs = if *initial == Value::Nil { Vec::new() } else { pairs(initial)? };
        let mut registers = Named::new();
        for (name, value) in pairs {
            set(&mut registers, &name, &value);
        }
        Some(Self { initial: registers, is_nil_read_unknown: false })
    }

    /// The same, where a read that returns nil of a register says nothing if `is_unknown`, and not that it holds nil.
    #[must_use]
    pub fn with_nil_reads(self, is_unknown: bool) -> Self {
        Self { is_nil_read_unknown: is_unknown, ..self }
    }

    /// A part that reads; nothing if it says nothing.
    fn read(&self, name: Content, seen: Content) -> Option<Part> {
        let is_unknown = self.is_nil_read_unknown && seen == Content::Nil;
        (!is_unknown).then_some(Part::Read(name, seen))
    }

    fn transaction(&self, operation: &Operation) -> Result<Vec<Part>, Malformed> {
        let bad = |problem| Malformed { index: operation.invoke, problem };
        let parts = triples(&operation.input)
            .ok_or_else(|| bad(format!("`txn` is given {}; {PARTS}", operation.input)))?;
        let told = match &operation.outcome {
            Outcome::Ok(told) => Some(told),
            Outcome::Fail | Outcome::Info | Outcome::Pending => None,
        };
        let seen = told.map_or(Some(Vec::new()), triples);
        let repeats = |seen: &Vec<Triple<'_>>| {
            let same =
                |(one, other): (&Triple<'_>, &Triple<'_>)| (one.0, one.1) == (other.0, other.1);
            told.is_none() || (seen.len() == parts.len() && parts.iter().zip(seen).all(same))
        };
        let Some(seen) = seen.filter(repeats) else {
            return Err(Malformed {
                index: operation.complete.unwrap_or(operation.invoke),
                problem: format!(
                    "`txn` returns {}; expected its {} parts",
                    told.unwrap_or(&Value::Nil),
                    parts.len()
                ),
            });
        };
        let mut all = Vec::with_capacity(parts.len());
        for (place, (word, name, value)) in parts.iter().enumerate() {
            match *word {
                "read" | "r" => {
                    let seen = seen.get(place).map(|(_, _, seen)| Content::of(seen));
                    all.extend(seen.and_then(|seen| self.read(Content::of(name), seen)));
                }
                "write" | "w" => all.push(Part::Write(Content::of(name), Content::of(value))),
                other => {
                    let problem =
                        format!("a transaction has no part `{other}`; expected `read` or `write`");
                    return Err(bad(problem));
                }
            }
        }
        Ok(all)
    }
}

impl Model for MultiRegister {
    type State = Named;
    type Op = Vec<Part>;
    type Lookahead = NoLookahead;

    const NAME: &'static str = "multi-register";
    const SUMMARY: &'static str =
        "several registers: each `read`, `write` or `txn` reads or writes some of them at once";
    const FUNCTIONS: &'static [&'static str] = &[];

    fn initial(&self) -> Named {
        self.initial.clone()
    }

    fn parse(&self, operation: &Operation) -> Result<Option<Vec<Part>>, Malformed> {
        let (input, invoke) = (&operation.input, operation.invoke);
        let parts = match (operation.f.as_str(), &operation.outcome) {
            ("read", Outcome::Ok(Value::Nil)) => Vec::new(),
            ("read", Outcome::Ok(seen)) => {
                let pairs = pairs(seen).ok_or_else(|| Malformed {
                    index: operation.complete.unwrap_or(invoke),
                    problem: format!("`read` returns {seen}; {MAP}"),
                })?;
                pairs.into_iter().filter_map(|(name, seen)| self.read(name, seen)).collect()
            }
            ("read", _) => Vec::new(),
            ("write", _) => pairs(input)
                .ok_or_else(|| Malformed {
                    index: invoke,
                    problem: format!("`write` is given {input}; {MAP}"),
                })?
                .into_iter()
                .map(|(name, value)| Part::Write(name, value))
                .collect(),
            ("txn", _) => self.transaction(operation)?,
            (f, _) => {
                return Err(Malformed {
                    index: invoke,
                    problem: format!(
                        "the model `multi-register` has no function `{f}`; expected `read`, `write` or `txn`"
                    ),
                });
            }
        };
        Ok(Some(parts).filter(|parts| !parts.is_empty()))
    }

    fn step(&self, registers: &Named, parts: &Vec<Part>) -> Option<Named> {
        let mut after = registers.clone();
        self.apply(&mut after, parts).then_some(after)
    }

    fn apply(&self, registers: &mut Named, parts: &Vec<Part>) -> bool {
        parts.iter().all(|part| match part {
            Part::Read(name, seen) => registers.get(name).unwrap_or(&Content::Nil) == seen,
            Part::Write(name, value) => {
                set(registers, name, value);
                true
            }
        })
    }

    fn state_bytes(&self, registers: &Named) -> usize {
        size_of_val(registers) + registers.len() * 2 * size_of::<(Content, Content)>()
    }

    fn is_read_only(&self, parts: &Vec<Part>) -> bool {
        parts.iter().all(|part| matches!(part, Part::Read(..)))
    }

    fn depends(&self, observer: &Vec<Part>, cause: &Vec<Part>) -> bool {
        let written = |name: &Content, seen: &Content| {
            cause
                .iter()
                .any(|part| matches!(part, Part::Write(n, value) if n == name && value == seen))
        };
        let sees = |part: &Part| matches!(part, Part::Read(name, seen) if written(name, seen));
        observer.iter().any(sees)
    }

    fn unobserved(&self, ops: &[Vec<Part>]) -> Vec<bool> {
        let seen: FxHashSet<(&Content, &Content)> = ops
            .iter()
            .flatten()
            .filter_map(|part| match part {
                Part::Read(name, seen) => Some((name, seen)),
                Part::Write(..) => None,
            })
            .collect();
        let is_seen =
            |part: &Part| matches!(part, Part::Write(name, value) if seen.contains(&(name, value)));
        ops.iter().map(|parts| !parts.iter().any(is_seen)).collect()
    }

    fn suspects(&self, ops: &[Vec<Part>], spans: &[Span]) -> Vec<Vec<usize>> {
        let parts = ops.iter().flatten();
        let written: FxHashSet<(&Content, &Content)> = parts
            .filter_map(|part| match part {
                Part::Write(name, value) => Some((name, value)),
                Part::Read(..) => None,
            })
            .collect();
        let is_from_nowhere = |part: &Part| match part {
            Part::Read(name, seen) => {
                let initial = self.initial.get(name).unwrap_or(&Content::Nil);
                seen != initial && !written.contains(&(name, seen))
            }
            Part::Write(..) => false,
        };
        let suspect = |(place, (op, span)): (usize, (&Vec<Part>, &Span))| {
            let is_suspect = span.end.is_some() && op.iter().any(is_from_nowhere);
            is_suspect.then(|| vec![place])
        };
        ops.iter().zip(spans).enumerate().filter_map(suspect).collect()
    }

    fn lookahead(&self, _: &[Vec<Part>], _: &[Span]) -> NoLookahead {
        NoLookahead
    }

    fn describe(&self, operation: &Operation) -> String {
        let told = match &operation.outcome {
            Outcome::Ok(told) if operation.f != "write" => told,
            _ => &operation.input,
        };
        let parts = items(told).iter().map(|part| match items(part) {
            [Value::Text(word), name, value] => format!("{word} {name} = {value}"),
            [name, value] => format!("{name} = {value}"),
            _ => part.to_string(),
        });
        let parts = parts.collect::<Vec<String>>().join(", ");
        format!("{} {parts}", operation.f).trim_end().to_owned()
    }

    fn describe_state(&self, registers: &Named) -> String {
        let each = registers.iter().map(|(name, value)| format!("{name} = {value}"));
        format!("{{{}}}", each.collect::<Vec<String>>().join(", "))
    }

    fn accuse(&self, case: &Case<'_, Vec<Part>>) -> Option<String> {
        let accused = case.accused.operation;
        let is_written = |name: &Content, seen: &Content| {
            let all = case.all.iter().filter_map(|operation| written(operation));
            all.flatten().any(|written| written == (name.clone(), seen.clone()))
        };
        case.accused.op.iter().find_map(|part| match part {
            Part::Read(name, seen) => {
                let initial = self.initial.get(name).unwrap_or(&Content::Nil);
                let is_possible = seen == initial || is_written(name, seen);
                let index = accused.invoke;
                (!is_possible).then(|| {
                    format!(
                        "read {name} = {seen} at index {index}, but nobody ever wrote {seen} there"
                    )
                })
            }
            Part::Write(..) => None,
        })
    }
}

/// What an operation was to write, whatever became of it.
fn written(operation: &Operation) -> Option<Vec<(Content, Content)>> {
    match operation.f.as_str() {
        "write" => pairs(&operation.input),
        "txn" => {
            let writes = triples(&operation.input)?.into_iter();
            let writes = writes.filter(|(word, ..)| ["write", "w"].contains(word));
            Some(writes.map(|(_, name, new)| (Content::of(name), Content::of(new))).collect())
        }
        _ => None,
    }
}

fn set(registers: &mut Named, name: &Content, value: &Content) {
    if *value == Content::Nil {
        registers.remove(name);
    } else {
        registers.insert(name.clone(), value.clone());
    }
}

/// `[word, name, value]`.
type Triple<'a> = (&'a str, &'a Value, &'a Value);

fn triples(value: &Value) -> Option<Vec<Triple<'_>>> {
    let Value::List(parts) = value else { return None };
    let triple = |part| match items(part) {
        [Value::Text(word), name, value] => Some((word.as_str(), name, value)),
        _ => None,
    };
    parts.iter().map(triple).collect()
}

/// The pairs of a map.
fn pairs(value: &Value) -> Option<Vec<(Content, Content)>> {
    let Value::List(pairs) = value else { return None };
    let pair = |pair| match items(pair) {
        [name, value] => Some((Content::of(name), Content::of(value))),
        _ => None,
    };
    pairs.iter().map(pair).collect()
}

fn items(value: &Value) -> &[Value] {
    if let Value::List(items) = value { items } else { &[] }
}

const MAP: &str = "expected a map of registers to values, such as {:x 1}";
const PARTS: &str = "expected a list of [read, name, value] and [write, name, value]";

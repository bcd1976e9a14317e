//! A register: `read` returns what the last `write` wrote; and one with compare-and-set.
//!
//! Both are one model. Histories of runs have numbers in them, and registers hold nothing at first; other programs have
//! values of any kind, an initial value, and say what a refusal or a read of nothing means.

mod accuse;
mod causes;
mod conditions;
mod content;
mod deeds;
mod orphans;
mod parse;
mod stale;
mod zones;

use std::fmt;
use std::marker::PhantomData;

use rustc_hash::FxHashSet;

use super::witness;
use super::{Case, Condition, Malformed, Model, Span};
use crate::history::{Operation, Outcome, Value};

pub use content::Content;
use deeds::Deeds;
pub use orphans::Orphans;

/// Independent registers. `D` says which functions there are.
#[derive(Clone, Debug)]
pub struct Registers<D> {
    initial: Content,
    is_nil_read_unknown: bool,
    has_numbers_only: bool,
    dialect: PhantomData<D>,
}

/// Registers that are read and written.
pub type Register = Registers<Plain>;
/// Registers with compare-and-set as well.
pub type CasRegister = Registers<Conditional>;

/// The result of a `cas` that was done and found something else than it expected.
pub const REFUSED: &str = "refused";

/// Which functions registers have.
pub trait Dialect: Sync + fmt::Debug {
    /// Its name, as in the header of a history.
    const NAME: &'static str;
    /// One sentence, for lists.
    const SUMMARY: &'static str;
    /// The functions that a meaningful history has successes of.
    const FUNCTIONS: &'static [&'static str];
    /// All functions.
    const TAKEN: &'static [&'static str];
}

/// See [`Register`].
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Dialect for Plain {
    const NAME: &'static str = "register";
    const SUMMARY: &'static str =
        "independent registers: `read` returns what the last `write` wrote";
    const FUNCTIONS: &'static [&'static str] = &["read", "write"];
    const TAKEN: &'static [&'static str] = Self::FUNCTIONS;
}

/// See [`CasRegister`].
#[derive(Clone, Copy, Debug)]
pub struct Conditional;

impl Dialect for Conditional {
    const NAME: &'static str = "cas-register";
    const SUMMARY: &'static str = "independent registers: a `cas` of [expected, new] writes only where it finds what it \
         expects, a `delete` takes the value away";
    const FUNCTIONS: &'static [&'static str] = &["read", "write", "cas"];
    const TAKEN: &'static [&'static str] = &["read", "write", "cas", "delete"];
}

impl<D> Registers<D> {
    /// As histories of runs have them: with numbers, and nothing at first.
    pub const fn new() -> Self {
        Self {
            initial: Content::Nil,
            is_nil_read_unknown: false,
            has_numbers_only: true,
            dialect: PhantomData,
        }
    }

    /// As histories of other programs have them: with values of any kind, and this one at first.
    pub fn holding(initial: &Value) -> Self {
        Self { initial: Content::of(initial), has_numbers_only: false, ..Self::new() }
    }

    /// The same, where a read that returns nil says nothing if `is_unknown`, and not that the register holds nil.
    #[must_use]
    pub fn with_nil_reads(self, is_unknown: bool) -> Self {
        Self { is_nil_read_unknown: is_unknown, ..self }
    }
}

impl<D: Dialect> Registers<D> {
    /// All functions.
    pub const TAKEN: &'static [&'static str] = D::TAKEN;
}

impl<D> Default for Registers<D> {
    fn default() -> Self {
        Self::new()
    }
}

/// An operation on a register.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RegisterOp {
    /// It returned this.
    Read(Content),
    /// It wrote this, if it happened.
    Write(Content),
    /// It found the one and wrote the other, if it happened.
    Cas(Box<(Content, Content)>),
    /// It found something else than this.
    Refused(Content),
}

impl RegisterOp {
    /// What it must find, if it happens.
    fn finds(&self) -> Option<&Content> {
        match self {
            Self::Read(found) => Some(found),
            Self::Cas(swap) => Some(&swap.0),
            Self::Write(_) | Self::Refused(_) => None,
        }
    }

    /// What it leaves there, where that may be something else than what was there.
    fn leaves(&self) -> Option<&Content> {
        match self {
            Self::Write(new) => Some(new),
            Self::Cas(swap) => Some(&swap.1).filter(|new| **new != swap.0),
            Self::Read(_) | Self::Refused(_) => None,
        }
    }

    /// What it must not find.
    fn refuses(&self) -> Option<&Content> {
        if let Self::Refused(expected) = self { Some(expected) } else { None }
    }
}

impl<D: Dialect> Model for Registers<D> {
    type State = Content;
    type Op = RegisterOp;
    type Lookahead = Orphans;

    const NAME: &'static str = D::NAME;
    const SUMMARY: &'static str = D::SUMMARY;
    const FUNCTIONS: &'static [&'static str] = D::FUNCTIONS;

    fn initial(&self) -> Content {
        self.initial.clone()
    }

    fn parse(&self, operation: &Operation) -> Result<Option<RegisterOp>, Malformed> {
        parse::parse(self, operation)
    }

    fn step(&self, held: &Content, op: &RegisterOp) -> Option<Content> {
        if !self.is_possible(held, op) {
            return None;
        }
        Some(op.leaves().unwrap_or(held).clone())
    }

    fn is_possible(&self, held: &Content, op: &RegisterOp) -> bool {
        op.finds().is_none_or(|found| found == held)
            && op.refuses().is_none_or(|expected| expected != held)
    }

    fn is_read_only(&self, op: &RegisterOp) -> bool {
        op.leaves().is_none()
    }

    fn sets_state(&self, op: &RegisterOp) -> bool {
        op.refuses().is_none()
    }

    fn overwrites(&self, op: &RegisterOp) -> bool {
        matches!(op, RegisterOp::Write(_))
    }

    fn depends(&self, observer: &RegisterOp, cause: &RegisterOp) -> bool {
        cause.leaves().is_some_and(|left| {
            let is_refused = || observer.refuses().is_some_and(|expected| expected != left);
            observer.finds() == Some(left) || is_refused()
        })
    }

    fn unobserved(&self, ops: &[RegisterOp]) -> Vec<bool> {
        let found: FxHashSet<&Content> = ops.iter().filter_map(RegisterOp::finds).collect();
        let refused: FxHashSet<&Content> = ops.iter().filter_map(RegisterOp::refuses).collect();
        let is_unobserved = |op: &RegisterOp| {
            op.leaves().is_none_or(|left| {
                // Whatever is not what was refused may be the reason of the refusal.
                !found.contains(left) && refused.iter().all(|refused| *refused == left)
            })
        };
        ops.iter().map(is_unobserved).collect()
    }

    fn guess(&self, ops: &[RegisterOp], spans: &[Span]) -> Option<Vec<usize>> {
        let deeds = Deeds::of(&self.initial, ops);
        witness::order(&deeds.deeds, spans, deeds.contents)
    }

    fn suspects(&self, ops: &[RegisterOp], spans: &[Span]) -> Vec<Vec<usize>> {
        let deeds = Deeds::of(&self.initial, ops);
        let mut cores = stale::stale(&deeds, spans);
        cores.extend(zones::conflicts(&deeds, spans));
        // Those that end first come first.
        cores.sort_by_cached_key(|places| {
            let end = |&place: &usize| spans.get(place).and_then(|span: &Span| span.end);
            (places.iter().filter_map(end).max(), places.len())
        });
        causes::with_causes(&deeds, spans, cores)
    }

    fn lookahead(&self, ops: &[RegisterOp], spans: &[Span]) -> Orphans {
        Orphans::new(&Deeds::of(&self.initial, ops), spans, 1)
    }

    fn describe(&self, operation: &Operation) -> String {
        let refused = if is_refused(operation) { " refused" } else { "" };
        super::describe(operation) + refused
    }

    fn describe_state(&self, held: &Content) -> String {
        held.to_string()
    }

    fn accuse(&self, case: &Case<'_, RegisterOp>) -> Option<String> {
        accuse::sentence(&self.initial, case)
    }

    fn conditions(&self, operations: &[&Operation]) -> Vec<Condition> {
        conditions::conditions(self, operations)
    }
}

/// Whether it is a `cas` that found something else than it expected.
fn is_refused(operation: &Operation) -> bool {
    matches!(&operation.outcome, Outcome::Ok(Value::Text(result)) if result == REFUSED)
        && operation.f == "cas"
}

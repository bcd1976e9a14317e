//! Keys with a number or a list each: lists that are appended to, and transactions over several keys.
//!
//! The two models differ in what they take, and in nothing else.

mod accuse;
mod guess;
mod list;
mod parse;
mod remaining;
mod suspects;

use std::fmt;
use std::marker::PhantomData;

use rustc_hash::FxHashSet;

use super::{Case, Malformed, Model, Span};
use crate::history::{Key, Operation, Outcome, Value};

use list::List;
pub(super) use parse::describe;
use remaining::Remaining;

/// Keys with what they hold. `D` says which functions there are.
#[derive(Debug)]
pub struct Store<D>(PhantomData<D>);

impl<D> Store<D> {
    /// The model.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<D> Default for Store<D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D> Clone for Store<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Store<D> {}

/// Independent lists.
pub type AppendList = Store<parse::AppendLists>;
/// One map from keys to registers and lists, with transactions.
pub type KvTransaction = Store<parse::KvTransactions>;

/// What a model of this family takes.
pub trait Dialect: Sync + fmt::Debug {
    /// Its name, as in the header of a history.
    const NAME: &'static str;
    /// One sentence, for lists.
    const SUMMARY: &'static str;
    /// The functions that a meaningful history has successes of.
    const FUNCTIONS: &'static [&'static str];
    /// As [`Model::JOINS_KEYS`].
    const JOINS_KEYS: bool = false;

    /// As [`Model::parse`].
    fn parse(operation: &Operation) -> Result<Option<StoreOp>, Malformed>;

    /// As [`Model::keys`].
    fn keys(operation: &Operation) -> Vec<Key> {
        operation.key.into_iter().collect()
    }
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum Content {
    /// The initial state.
    #[default]
    Nil,
    /// A number that was written.
    Int(i64),
    /// What was appended; never empty.
    List(List),
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Int(value) => write!(f, "{value}"),
            Self::List(list) => {
                let values = list.values().into_iter().map(Value::Int).collect();
                write!(f, "{}", Value::List(values))
            }
        }
    }
}

/// One thing that an operation does to one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Micro {
    /// It saw this; nobody knows what a transaction saw whose end is unknown.
    Read(Option<Content>),
    /// It wrote this.
    Write(i64),
    /// It found the one and wrote the other.
    Cas(i64, i64),
    /// It appended this.
    Append(i64),
    /// It put the key back to its initial state.
    Delete,
}

impl Micro {
    /// What the key holds afterwards; nothing if it cannot happen, or not with this result.
    fn after(&self, before: &Content) -> Option<Content> {
        match (self, before) {
            (Self::Read(_), _) => self.fits(before).then(|| before.clone()),
            (Self::Write(value), _) => Some(Content::Int(*value)),
            (Self::Cas(expected, value), Content::Int(held)) => {
                (expected == held).then_some(Content::Int(*value))
            }
            (Self::Append(value), Content::Nil) => {
                Some(Content::List(List::default().append(*value)))
            }
            (Self::Append(value), Content::List(list)) => Some(Content::List(list.append(*value))),
            (Self::Delete, _) => Some(Content::Nil),
            (Self::Cas(..), Content::Nil | Content::List(_))
            | (Self::Append(_), Content::Int(_)) => None,
        }
    }

    /// Whether a read that is done there returns what it did.
    fn fits(&self, held: &Content) -> bool {
        match self {
            Self::Read(seen) => seen.as_ref().is_none_or(|seen| seen == held),
            Self::Write(_) | Self::Cas(..) | Self::Append(_) | Self::Delete => true,
        }
    }

    fn is_read(&self) -> bool {
        matches!(self, Self::Read(_))
    }

    /// The number that it must find, or that it saw.
    fn observed(&self) -> Option<Content> {
        match self {
            Self::Read(seen) => seen.clone(),
            Self::Cas(expected, _) => Some(Content::Int(*expected)),
            Self::Write(_) | Self::Append(_) | Self::Delete => None,
        }
    }

    /// What it makes the content, whatever that was; nothing for an append.
    fn produced(&self) -> Option<Content> {
        match self {
            Self::Write(value) | Self::Cas(_, value) => Some(Content::Int(*value)),
            Self::Delete => Some(Content::Nil),
            Self::Read(_) | Self::Append(_) => None,
        }
    }

    /// Whether `self` may be possible only because `cause` has happened on the same key.
    fn depends(&self, cause: &Self) -> bool {
        match (self, cause) {
            (Self::Read(Some(Content::Int(seen))), Self::Write(value) | Self::Cas(_, value)) => {
                seen == value
            }
            (Self::Cas(expected, _), Self::Write(value) | Self::Cas(_, value)) => expected == value,
            (Self::Read(Some(Content::List(list))), Self::Append(value)) => {
                list.values().contains(value)
            }
            // A list can begin anew, or take the place of a number, only after a delete.
            (Self::Read(Some(Content::Nil | Content::List(_))) | Self::Append(_), Self::Delete) => {
                true
            }
            (
                Self::Read(_) | Self::Cas(..) | Self::Write(_) | Self::Append(_) | Self::Delete,
                Self::Read(_) | Self::Cas(..) | Self::Write(_) | Self::Append(_) | Self::Delete,
            ) => false,
        }
    }
}

/// An operation: what it does to which keys, in order, at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoreOp {
    /// What it does to which key.
    pub parts: Vec<(u64, Micro)>,
    /// Whether it certainly happened: what it must find, somebody must leave there.
    pub is_certain: bool,
}

impl StoreOp {
    /// What it does, and of each part whether no earlier part has changed the same key: only then does it see
    /// what others have left there.
    fn effects(&self) -> impl Iterator<Item = (u64, &Micro, bool)> {
        self.parts.iter().enumerate().map(|(place, (key, micro))| {
            let earlier = self.parts.iter().take(place);
            let is_first = !earlier.clone().any(|(other, m)| other == key && !m.is_read());
            (*key, micro, is_first)
        })
    }
}

/// The keys that hold something, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Contents(Vec<(u64, Content)>);

impl Contents {
    fn get(&self, key: u64) -> &Content {
        const NIL: &Content = &Content::Nil;
        let place = self.0.binary_search_by_key(&key, |(own, _)| *own);
        place.ok().and_then(|place| self.0.get(place)).map_or(NIL, |(_, content)| content)
    }

    fn set(&mut self, key: u64, content: Content) {
        match (self.0.binary_search_by_key(&key, |(own, _)| *own), content) {
            (Ok(place), Content::Nil) => {
                self.0.remove(place);
            }
            (Ok(place), content) => {
                if let Some((_, own)) = self.0.get_mut(place) {
                    *own = content;
                }
            }
            (Err(_), Content::Nil) => {}
            (Err(place), content) => self.0.insert(place, (key, content)),
        }
    }
}

impl<D: Dialect> Model for Store<D> {
    type State = Contents;
    type Op = StoreOp;
    type Lookahead = Remaining;

    const NAME: &'static str = D::NAME;
    const SUMMARY: &'static str = D::SUMMARY;
    const FUNCTIONS: &'static [&'static str] = D::FUNCTIONS;
    const JOINS_KEYS: bool = D::JOINS_KEYS;

    fn initial(&self) -> Contents {
        Contents::default()
    }

    fn keys(&self, operation: &Operation) -> Vec<Key> {
        D::keys(operation)
    }

    fn parse(&self, operation: &Operation) -> Result<Option<StoreOp>, Malformed> {
        D::parse(operation)
    }

    fn step(&self, state: &Contents, op: &StoreOp) -> Option<Contents> {
        let mut after = state.clone();
        for (key, micro) in &op.parts {
            let content = micro.after(after.get(*key))?;
            if !micro.is_read() {
                after.set(*key, content);
            }
        }
        Some(after)
    }

    fn is_possible(&self, state: &Contents, op: &StoreOp) -> bool {
        match op.parts.as_slice() {
            [(key, micro)] if micro.is_read() => micro.fits(state.get(*key)),
            _ => self.step(state, op).is_some(),
        }
    }

    fn state_bytes(&self, state: &Contents) -> usize {
        // An element of a list is shared by all lists that have it, and each came with a state of its own.
        size_of_val(state) + state.0.capacity() * (size_of::<(u64, Content)>() + List::NODE_BYTES)
    }

    fn is_read_only(&self, op: &StoreOp) -> bool {
        op.parts.iter().all(|(_, micro)| micro.is_read())
    }

    fn sets_state(&self, op: &StoreOp) -> bool {
        // With one key the state is what that holds.
        match op.parts.as_slice() {
            [(_, micro)] if !D::JOINS_KEYS => {
                !matches!(micro, Micro::Append(_) | Micro::Read(None))
            }
            _ => false,
        }
    }

    fn overwrites(&self, op: &StoreOp) -> bool {
        let is_write = |(_, micro): &(u64, Micro)| matches!(micro, Micro::Write(_) | Micro::Delete);
        !D::JOINS_KEYS && op.parts.len() == 1 && op.parts.iter().all(is_write)
    }

    fn depends(&self, observer: &StoreOp, cause: &StoreOp) -> bool {
        observer.parts.iter().any(|(key, micro)| {
            cause.parts.iter().any(|(other, cause)| key == other && micro.depends(cause))
        })
    }

    fn unobserved(&self, ops: &[StoreOp]) -> Vec<bool> {
        let observed = Observed::by(ops);
        let is_unobserved =
            |op: &StoreOp| !op.parts.iter().any(|(key, micro)| observed.has(*key, micro));
        ops.iter().map(is_unobserved).collect()
    }

    fn guess(&self, ops: &[StoreOp], spans: &[Span]) -> Option<Vec<usize>> {
        guess::order(ops, spans)
    }

    fn suspects(&self, ops: &[StoreOp], spans: &[Span]) -> Vec<Vec<usize>> {
        suspects::suspects(ops, spans)
    }

    fn lookahead(&self, ops: &[StoreOp], spans: &[Span]) -> Remaining {
        Remaining::new(ops, spans)
    }

    fn describe(&self, operation: &Operation) -> String {
        describe(operation)
    }

    fn describe_state(&self, state: &Contents) -> String {
        match state.0.as_slice() {
            [] => Content::Nil.to_string(),
            [(0, content)] if D::NAME != parse::KvTransactions::NAME => content.to_string(),
            several => {
                let text = |(key, content): &(u64, Content)| format!("{key}: {content}");
                let texts: Vec<String> = several.iter().map(text).collect();
                format!("{{{}}}", texts.join(", "))
            }
        }
    }

    fn accuse(&self, case: &Case<'_, StoreOp>) -> Option<String> {
        accuse::sentence(case)
    }
}

/// What operations depend on, gathered: asking each pair would take too long.
#[derive(Default)]
struct Observed {
    /// Numbers that are seen or expected, by key.
    numbers: FxHashSet<(u64, i64)>,
    /// Elements of lists that are seen.
    elements: FxHashSet<(u64, i64)>,
    /// Keys on which something may depend on a delete.
    deletes: FxHashSet<u64>,
}

impl Observed {
    fn by(ops: &[StoreOp]) -> Self {
        let mut observed = Self::default();
        for (key, micro) in ops.iter().flat_map(|op| &op.parts) {
            match micro {
                Micro::Read(Some(Content::Int(value))) | Micro::Cas(value, _) => {
                    observed.numbers.insert((*key, *value));
                }
                Micro::Read(Some(Content::List(list))) => {
                    observed.elements.extend(list.values().into_iter().map(|value| (*key, value)));
                    observed.deletes.insert(*key);
                }
                Micro::Read(Some(Content::Nil)) | Micro::Append(_) => {
                    observed.deletes.insert(*key);
                }
                Micro::Read(None) | Micro::Write(_) | Micro::Delete => {}
            }
        }
        observed
    }

    fn has(&self, key: u64, cause: &Micro) -> bool {
        match cause {
            Micro::Write(value) | Micro::Cas(_, value) => self.numbers.contains(&(key, *value)),
            Micro::Append(value) => self.elements.contains(&(key, *value)),
            Micro::Delete => self.deletes.contains(&key),
            Micro::Read(_) => false,
        }
    }
}

/// The result of an operation that is known to have happened.
fn result(operation: &Operation) -> Option<&Value> {
    match &operation.outcome {
        Outcome::Ok(value) => Some(value),
        Outcome::Fail | Outcome::Info | Outcome::Pending => None,
    }
}

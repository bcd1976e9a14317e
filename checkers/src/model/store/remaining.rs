//! Sees dead ends of a search for an order of operations on keys.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Content, Contents, StoreOp};
use crate::model::supply::{Demand, Supply};
use crate::model::{Lookahead, Span};

/// What the operations that are not yet ordered must still find, and may still leave behind.
///
/// Of a key that is only appended to, what it holds must be the beginning of every list that somebody still has
/// to see. Of any other, whatever was there must be left there again in time for those who still have to find it.
#[derive(Debug)]
pub struct Remaining {
    /// By operation: what it means to its keys.
    effects: Vec<Vec<Effect>>,
    keys: Vec<KeyLeft>,
    supply: Supply,
    /// The operation that was put in the order last: only on its keys can anything have gone wrong.
    last: Option<usize>,
}

/// What an operation means to a key, by the key's place.
#[derive(Clone, Copy, Debug)]
enum Effect {
    /// It leaves this there; nothing that has a number if it is a list.
    Leaves { key: usize, content: Option<u32> },
    /// It must find this list.
    Sees { key: usize, read: usize },
}

impl Effect {
    const fn key(self) -> usize {
        let (Self::Leaves { key, .. } | Self::Sees { key, .. }) = self;
        key
    }
}

/// What is left to be done on one key.
#[derive(Debug, Default)]
struct KeyLeft {
    name: u64,
    /// What it has held, the present content last.
    held: Vec<Option<u32>>,
    /// Whether something else than an append changes it.
    is_overwritten: bool,
    /// By list that is seen: the fingerprints of its beginnings.
    lists: Vec<Vec<u64>>,
    /// The lists that are still to be seen, the shortest first.
    unseen: BTreeSet<(usize, usize)>,
}

impl KeyLeft {
    fn is_doomed(&self, supply: &Supply, content: &Content) -> bool {
        let is_gone = match self.held.as_slice() {
            [.., Some(before), now] => now != &Some(*before) && supply.is_missing(*before),
            _ => false,
        };
        is_gone || !self.is_beginning(content)
    }

    /// A list that is seen, as it stands among the unseen ones.
    fn read(&self, read: usize) -> (usize, usize) {
        (self.lists.get(read).map_or(0, |prints| prints.len() - 1), read)
    }

    /// Whether `content` can still become every list that is to be seen, as far as that can be told.
    fn is_beginning(&self, content: &Content) -> bool {
        let Some(&(length, read)) = self.unseen.first().filter(|_| !self.is_overwritten) else {
            return true;
        };
        let prints = self.lists.get(read);
        let is_prefix = |held: usize, print: u64| {
            held <= length && prints.and_then(|prints| prints.get(held)) == Some(&print)
        };
        match content {
            Content::Nil => true,
            Content::Int(_) => false,
            Content::List(list) => is_prefix(list.len(), list.fingerprint()),
        }
    }
}

impl Remaining {
    pub(super) fn new(ops: &[StoreOp], spans: &[Span]) -> Self {
        let mut gatherer = Gatherer::default();
        let each = ops.iter().zip(spans).enumerate();
        let effects = each.map(|(place, (op, span))| gatherer.effects(place, op, *span)).collect();
        let Gatherer { keys, contents, demand, .. } = gatherer;
        let supply = demand.gathered(contents.len(), ops.len());
        Self { effects, keys, supply, last: None }
    }

    fn effects(&self, op: usize) -> &[Effect] {
        self.effects.get(op).expect("every operation has its effects")
    }
}

/// Finds out what operations mean to their keys.
#[derive(Default)]
struct Gatherer {
    places: FxHashMap<u64, usize>,
    keys: Vec<KeyLeft>,
    contents: FxHashMap<(u64, Content), u32>,
    demand: Demand,
}

impl Gatherer {
    fn effects(&mut self, place: usize, op: &StoreOp, span: Span) -> Vec<Effect> {
        let mut effects: Vec<Effect> = Vec::with_capacity(op.parts.len());
        // By key: the content that it must find.
        let mut found: Vec<(usize, u32)> = Vec::new();
        for (name, micro, is_first) in op.effects() {
            let key = self.key(name);
            match micro.observed().filter(|_| is_first && op.is_certain) {
                Some(Content::List(list)) => {
                    let left = self.keys.get_mut(key).expect("every key has its place");
                    let (length, read) = (list.len(), left.lists.len());
                    left.lists.push(list.fingerprints());
                    left.unseen.insert((length, read));
                    effects.push(Effect::Sees { key, read });
                }
                Some(content) => {
                    let content = self.content(name, content);
                    self.demand.observes(place, span, content);
                    found.push((key, content));
                }
                None => {}
            }
            if micro.is_read() {
                continue;
            }
            let content = micro.produced().map(|content| self.content(name, content));
            if let Some(content) = content {
                self.demand.produces(place, span, content);
                self.keys.get_mut(key).expect("every key has its place").is_overwritten = true;
            }
            let is_left =
                |effect: &Effect| matches!(effect, Effect::Leaves { key: k, .. } if *k == key);
            // The last change of a key is what it leaves there.
            effects.retain(|effect| !is_left(effect));
            effects.push(Effect::Leaves { key, content });
        }
        // Who sees a key several times takes from it once.
        found.sort_unstable();
        found.dedup();
        for (key, found) in found {
            let is_taken = |effect: &Effect| match *effect {
                Effect::Leaves { key: other, content } => other == key && content != Some(found),
                Effect::Sees { .. } => false,
            };
            if effects.iter().any(is_taken) {
                self.demand.takes(place, span, found);
            }
        }
        effects
    }

    fn key(&mut self, name: u64) -> usize {
        let fresh = self.keys.len();
        let place = *self.places.entry(name).or_insert(fresh);
        if place == fresh {
            let nothing = self.content(name, Content::Nil);
            self.keys.push(KeyLeft { name, held: vec![Some(nothing)], ..KeyLeft::default() });
        }
        place
    }

    fn content(&mut self, key: u64, content: Content) -> u32 {
        let fresh = u32::try_from(self.contents.len()).expect("fewer than 2^32 contents");
        *self.contents.entry((key, content)).or_insert(fresh)
    }
}

impl Lookahead<Contents> for Remaining {
    fn take(&mut self, op: usize) {
        self.supply.take(op);
        for effect in self.effects.get(op).into_iter().flatten() {
            let left = self.keys.get_mut(effect.key()).expect("every key has its place");
            match *effect {
                Effect::Leaves { content, .. } => left.held.push(content),
                Effect::Sees { read, .. } => {
                    left.unseen.remove(&left.read(read));
                }
            }
        }
        self.last = Some(op);
    }

    fn put_back(&mut self, op: usize) {
        self.supply.put_back(op);
        for effect in self.effects.get(op).into_iter().flatten() {
            let left = self.keys.get_mut(effect.key()).expect("every key has its place");
            match *effect {
                Effect::Leaves { .. } => {
                    left.held.pop();
                }
                Effect::Sees { read, .. } => {
                    left.unseen.insert(left.read(read));
                }
            }
        }
        self.last = None;
    }

    fn is_doomed(&self, state: &Contents) -> bool {
        let is_doomed = |left: &KeyLeft| left.is_doomed(&self.supply, state.get(left.name));
        if let Some(op) = self.last {
            return self.effects(op).iter().any(|effect| {
                let left = self.keys.get(effect.key());
                left.is_some_and(is_doomed)
            });
        }
        let held: FxHashSet<u32> = self.keys.iter().filter_map(|left| *left.held.last()?).collect();
        let mut contents = 0..self.supply.contents();
        contents.any(|content| !held.contains(&content) && self.supply.is_missing(content))
            || self.keys.iter().any(is_doomed)
    }
}

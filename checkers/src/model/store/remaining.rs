//! Sees dead ends of a search for an order of operations on keys.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::{Content, Contents, Micro, StoreOp};
use crate::model::Lookahead;

/// What the operations that are not yet ordered must still find, and may still leave behind.
///
/// Of a key that is only appended to, what it holds must be the beginning of every list that somebody still has
/// to see. Of any other, whatever somebody still has to see and nobody is left to write must be there now.
#[derive(Debug)]
pub struct Remaining {
    /// By operation: what it means to its keys.
    effects: Vec<Vec<Effect>>,
    places: FxHashMap<u64, usize>,
    keys: Vec<KeyLeft>,
    /// The operation that was put in the order last: only on its keys can anything have gone wrong.
    last: Option<usize>,
}

/// What an operation means to a key, by the key's place.
#[derive(Clone, Copy, Debug)]
enum Effect {
    /// It must find this.
    Observes { key: usize, content: usize },
    /// It leaves this.
    Produces { key: usize, content: usize },
    /// It must find this list.
    Sees { key: usize, read: usize },
    /// It changes the key in another way.
    Touches { key: usize },
}

impl Effect {
    const fn key(self) -> usize {
        let (Self::Observes { key, .. }
        | Self::Produces { key, .. }
        | Self::Sees { key, .. }
        | Self::Touches { key }) = self;
        key
    }
}

/// What is left to be done on one key.
#[derive(Debug, Default)]
struct KeyLeft {
    name: u64,
    ids: FxHashMap<Content, usize>,
    /// By content: observers and producers.
    left: Vec<(usize, usize)>,
    /// Contents that have observers and no producers.
    orphans: usize,
    /// Whether something else than an append changes it.
    is_overwritten: bool,
    /// By list that is seen: the fingerprints of its beginnings.
    lists: Vec<Vec<u64>>,
    /// The lists that are still to be seen, the shortest first.
    unseen: BTreeSet<(usize, usize)>,
}

impl KeyLeft {
    fn id(&mut self, content: &Content) -> usize {
        let fresh = self.left.len();
        let id = *self.ids.entry(content.clone()).or_insert(fresh);
        if id == fresh {
            self.left.push((0, 0));
        }
        id
    }

    fn is_orphan(&self, content: usize) -> bool {
        self.left
            .get(content)
            .is_some_and(|&(observers, producers)| observers > 0 && producers == 0)
    }

    fn change(&mut self, content: usize, change: impl Fn(&mut (usize, usize))) {
        let before = self.is_orphan(content);
        change(self.left.get_mut(content).expect("every content has its counts"));
        match (before, self.is_orphan(content)) {
            (false, true) => self.orphans += 1,
            (true, false) => self.orphans -= 1,
            (false, false) | (true, true) => {}
        }
    }

    fn is_doomed(&self, content: &Content) -> bool {
        let is_there = self.ids.get(content).is_some_and(|&content| self.is_orphan(content));
        self.orphans > usize::from(is_there) || !self.is_beginning(content)
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
    pub(super) fn new(ops: &[StoreOp]) -> Self {
        let mut remaining = Self {
            effects: Vec::with_capacity(ops.len()),
            places: FxHashMap::default(),
            keys: Vec::new(),
            last: None,
        };
        for op in ops {
            let mut effects = Vec::with_capacity(op.parts.len());
            for (key, micro, is_first) in op.effects() {
                let must_find = is_first && op.is_certain;
                remaining.add(key, micro, must_find, &mut effects);
            }
            remaining.effects.push(effects);
        }
        for op in 0..ops.len() {
            remaining.put_back(op);
        }
        remaining
    }

    fn add(&mut self, key: u64, micro: &Micro, must_find: bool, effects: &mut Vec<Effect>) {
        let fresh = self.keys.len();
        let place = *self.places.entry(key).or_insert(fresh);
        if place == fresh {
            self.keys.push(KeyLeft { name: key, ..KeyLeft::default() });
        }
        let left = self.keys.get_mut(place).expect("every key has its place");
        match micro.observed().filter(|_| must_find) {
            Some(Content::List(list)) => {
                effects.push(Effect::Sees { key: place, read: left.lists.len() });
                left.lists.push(list.fingerprints());
            }
            Some(content) => {
                effects.push(Effect::Observes { key: place, content: left.id(&content) });
            }
            None => {}
        }
        match micro.produced() {
            Some(content) => {
                left.is_overwritten = true;
                effects.push(Effect::Produces { key: place, content: left.id(&content) });
            }
            None => effects.push(Effect::Touches { key: place }),
        }
    }

    fn change(&mut self, op: usize, comes: bool) {
        let step = |count: &mut usize| *count = if comes { *count + 1 } else { *count - 1 };
        for effect in self.effects.get(op).expect("every operation has its effects") {
            let left = self.keys.get_mut(effect.key()).expect("every key has its place");
            match *effect {
                Effect::Observes { content, .. } => left.change(content, |left| step(&mut left.0)),
                Effect::Produces { content, .. } => left.change(content, |left| step(&mut left.1)),
                Effect::Sees { read, .. } => {
                    let length = left.lists.get(read).map_or(0, |prints| prints.len() - 1);
                    if comes {
                        left.unseen.insert((length, read));
                    } else {
                        left.unseen.remove(&(length, read));
                    }
                }
                Effect::Touches { .. } => {}
            }
        }
    }
}

impl Lookahead<Contents> for Remaining {
    fn take(&mut self, op: usize) {
        self.change(op, false);
        self.last = Some(op);
    }

    fn put_back(&mut self, op: usize) {
        self.change(op, true);
        self.last = None;
    }

    fn is_doomed(&self, state: &Contents) -> bool {
        let is_doomed = |left: &KeyLeft| left.is_doomed(state.get(left.name));
        match self.last.and_then(|op| self.effects.get(op)) {
            Some(effects) => effects.iter().any(|effect| {
                let left = self.keys.get(effect.key());
                left.is_some_and(is_doomed)
            }),
            None => self.keys.iter().any(is_doomed),
        }
    }
}

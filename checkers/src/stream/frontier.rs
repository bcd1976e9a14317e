//! All that an object may have come to at one moment, advanced whenever an operation ends: just-in-time linearization
//! (Lowe 2017, §4).
//!
//! A configuration is a state and what has been done with the operations that are open. When an operation ends it must
//! have taken effect: each configuration in which it has not is replaced by all that follow from it by operations that
//! are open, the one that ends last. No configuration left means that there is no order. None that an order could go
//! through is ever left out, and none is added that no order leads to; what makes this cheap must keep to that:
//!
//! - An operation that changes nothing in any state takes effect as soon as it fits: having it behind oneself is never
//!   worse.
//! - Right before an operation that overwrites everything, any other one of its kind may have taken effect unseen.
//!   Instead of trying both, the others become optional: each of them counts as done, and may still take effect.
//! - Where the one that ends leaves the same state whatever was before it, an overwriting operation, or one without a
//!   known end, is tried before it only if some operation that may follow depends on it ([`Model::depends`]): else the
//!   same order without it is legal, and leads to the same.
//! - Where operations have several keys, only those are tried that share a key with the one that ends, by way of others
//!   too: the others can as well take effect later.
//! - A configuration goes if another one allows all that it allows ([`Configurations::add`]).
//!
//! Operations without a known end may take effect at any later time, or never. They are kept by class of equal ones, and a
//! configuration only counts how many of a class have taken effect: they are alike.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Limits;
use super::configurations::{Configurations, Marks};
use crate::history::{Key, Operation};
use crate::model::{Malformed, Model};
use crate::rules::{Rule, holds};

/// Why a partition is not followed any further.
#[derive(Debug)]
pub(super) enum Stopped {
    /// What has ended cannot have been done.
    NoOrder,
    /// There is more to remember than there may be.
    Over(String),
    /// An operation that the model has no meaning for.
    Malformed(Malformed),
}

/// An operation that has begun, and of which it is known that it will end.
struct Open<Op> {
    op: Op,
    keys: Arc<[Key]>,
}

/// The same, with the bit of its place.
type Placed<'a, Op> = (u128, &'a Open<Op>);

/// Equal operations without a known end.
struct Crashed<Op> {
    op: Op,
    keys: Arc<[Key]>,
    all: Vec<Arc<Operation>>,
}

/// See above.
pub(super) struct Frontier<'m, M: Model> {
    model: &'m M,
    /// By place. At most as many as there are bits.
    open: Vec<Option<Arc<Open<M::Op>>>>,
    /// The places of those that change nothing, and of those that overwrite everything.
    read_only: u128,
    overwriting: u128,
    crashed: Vec<Arc<Crashed<M::Op>>>,
    classes: FxHashMap<M::Op, u32>,
    /// How many have no known end.
    pub(super) crashed_count: usize,
    pub(super) configurations: Configurations<M::State>,
}

impl<M: Model> Clone for Frontier<'_, M> {
    fn clone(&self) -> Self {
        Self {
            model: self.model,
            open: self.open.clone(),
            read_only: self.read_only,
            overwriting: self.overwriting,
            crashed: self.crashed.clone(),
            classes: self.classes.clone(),
            crashed_count: self.crashed_count,
            configurations: self.configurations.clone(),
        }
    }
}

/// An operation that may be tried.
struct Candidate<'a, Op> {
    op: &'a Op,
    what: Kind,
    /// The places of those of which one must still come, or it is not worth while; nothing if it always is.
    observers: Option<u128>,
}

/// What becomes of the marks where a candidate takes effect.
#[derive(Clone, Copy)]
enum Kind {
    Open { bit: u128, overwrites: bool },
    Crashed { class: u32, count: u32, overwrites: bool },
}

impl<'m, M: Model> Frontier<'m, M> {
    /// Nothing has happened.
    pub(super) fn new(model: &'m M) -> Self {
        let mut configurations = Configurations::new();
        configurations.add(&model.initial(), &Marks::default(), 0);
        Self {
            model,
            open: Vec::new(),
            read_only: 0,
            overwriting: 0,
            crashed: Vec::new(),
            classes: FxHashMap::default(),
            crashed_count: 0,
            configurations,
        }
    }

    /// An operation begins that will end with this result; its place.
    pub(super) fn begin(&mut self, op: M::Op, keys: Arc<[Key]>) -> Result<u32, Stopped> {
        let place = self.open.iter().position(Option::is_none).unwrap_or(self.open.len());
        if place >= OPEN_MAX {
            let why = format!("more than {OPEN_MAX} operations on it are open at once");
            return Err(Stopped::Over(why));
        }
        let bit = 1 << place;
        if self.model.is_read_only(&op) {
            self.read_only |= bit;
        } else if self.model.overwrites(&op) {
            self.overwriting |= bit;
        }
        let open = Some(Arc::new(Open { op, keys }));
        match self.open.get_mut(place) {
            Some(free) => *free = open,
            None => self.open.push(open),
        }
        Ok(u32::try_from(place).expect("places are few"))
    }

    /// An operation begins of which nobody will know whether it was done.
    pub(super) fn crash(
        &mut self,
        op: M::Op,
        operation: Arc<Operation>,
        keys: Arc<[Key]>,
    ) -> Result<(), Stopped> {
        if self.model.is_read_only(&op) {
            return Ok(());
        }
        self.crashed_count += 1;
        let known = self.classes.get(&op).and_then(|class| self.crashed.get_mut(*class as usize));
        if let Some(class) = known {
            let mut all = class.all.clone();
            all.push(operation);
            *class = Arc::new(Crashed { op, keys, all });
            return Ok(());
        }
        if self.crashed.len() >= CRASHED_MAX {
            let why =
                format!("more than {CRASHED_MAX} different operations on it have no known end");
            return Err(Stopped::Over(why));
        }
        let class = u32::try_from(self.crashed.len()).expect("classes are few");
        self.classes.insert(op.clone(), class);
        self.crashed.push(Arc::new(Crashed { op, keys, all: vec![operation] }));
        Ok(())
    }

    /// The operation at this place ends, and must have taken effect.
    pub(super) fn end(&mut self, place: u32, limits: Limits) -> Result<(), Stopped> {
        let bit = 1_u128 << place;
        let before = std::mem::replace(&mut self.configurations, Configurations::new());
        let after = match self.followed(place, bit, &before, limits) {
            Ok(after) => after,
            Err(stopped) => {
                // Whoever explains it wants to know what there was.
                self.configurations = before;
                return Err(stopped);
            }
        };
        self.configurations = after;
        self.read_only &= !bit;
        self.overwriting &= !bit;
        if let Some(ended) = self.open.get_mut(place as usize) {
            *ended = None;
        }
        Ok(())
    }

    /// The configurations after the end of the operation at this place.
    fn followed(
        &self,
        place: u32,
        bit: u128,
        before: &Configurations<M::State>,
        limits: Limits,
    ) -> Result<Configurations<M::State>, Stopped> {
        let (mut after, mut seen) = (Configurations::new(), Configurations::new());
        let mut left: Vec<(M::State, Marks)> = Vec::new();
        let mut reach = |state: M::State, mut marks: Marks, left: &mut Vec<(M::State, Marks)>| {
            self.observe(&state, &mut marks);
            if (marks.used | marks.optional) & bit != 0 || !holds(Rule::DoneAtEnd) {
                after.add(&state, &marks.clone().without(bit), self.read_only);
            }
            if marks.used & bit == 0 && seen.add(&state, &marks, self.read_only) {
                left.push((state, marks));
            }
            let is_over = after.len().max(seen.len()) > limits.configurations
                || after.work + seen.work > limits.work();
            let why = || format!("more than {} configurations are possible", limits.configurations);
            if is_over { Err(Stopped::Over(why())) } else { Ok(()) }
        };
        for (state, marks) in before.iter() {
            reach(state.clone(), marks.clone(), &mut left)?;
        }
        let candidates = if left.is_empty() { Vec::new() } else { self.candidates(place) };
        while let Some((state, marks)) = left.pop() {
            for candidate in candidates.iter().filter(|candidate| candidate.may_follow(&marks)) {
                if let Some(next) = self.model.step(&state, candidate.op) {
                    reach(next, self.taken(candidate.what, &marks), &mut left)?;
                }
            }
        }
        if after.len() == 0 { Err(Stopped::NoOrder) } else { Ok(after) }
    }

    /// Lets all take effect that change nothing and fit.
    fn observe(&self, state: &M::State, marks: &mut Marks) {
        let mut left = if holds(Rule::ObservesOnly) { self.read_only } else { u128::MAX };
        left &= !marks.used;
        while left != 0 {
            let place = left.trailing_zeros();
            let open = self.open.get(place as usize).and_then(Option::as_ref);
            if open.is_some_and(|open| self.model.is_possible(state, &open.op)) {
                marks.used |= 1 << place;
            }
            left &= left - 1;
        }
    }

    fn taken(&self, what: Kind, marks: &Marks) -> Marks {
        let mut marks = marks.clone();
        let overwrites = match what {
            Kind::Open { bit, overwrites } => {
                marks.used |= bit;
                marks.optional &= !bit;
                overwrites
            }
            Kind::Crashed { class, overwrites, .. } => {
                marks.add(class);
                overwrites
            }
        };
        if overwrites && holds(Rule::OverwrittenUnseen) {
            marks.optional |= self.overwriting & !marks.used;
        }
        marks
    }

    /// What may take effect before the operation at this place, or is it.
    fn candidates(&self, place: u32) -> Vec<Candidate<'_, M::Op>> {
        let Some(ends) = self.open.get(place as usize).and_then(Option::as_ref) else {
            return Vec::new();
        };
        let is_fixed = self.model.sets_state(&ends.op) || !holds(Rule::LaterIfFixed);
        let (open, crashed) = self.related(ends);
        let crashed = if is_fixed { self.wanted(&open, crashed) } else { crashed };
        let observers = |op: &M::Op, own: u128| {
            let depends = |observer: &M::Op| self.model.depends(observer, op);
            let is_crash = |class: &u32| self.class(*class).is_some_and(|other| depends(&other.op));
            if crashed.iter().any(is_crash) {
                return None;
            }
            let bits = open.iter().filter(|(bit, open)| *bit != own && depends(&open.op));
            Some(bits.fold(0, |bits, (bit, _)| bits | bit))
        };
        let changing = open.iter().filter(|(bit, _)| self.read_only & bit == 0);
        let open_candidate = |(bit, open): &(u128, &'_ Open<M::Op>)| {
            let overwrites = self.overwriting & bit != 0;
            let is_free = !is_fixed || !overwrites || *bit == 1 << place;
            let observers = if is_free { None } else { observers(&open.op, *bit) };
            (Kind::Open { bit: *bit, overwrites }, observers)
        };
        let mut candidates: Vec<Candidate<'_, M::Op>> = Vec::new();
        for one in changing {
            let (what, observers) = open_candidate(one);
            candidates.push(Candidate { op: &one.1.op, what, observers });
        }
        for class in &crashed {
            let Some(one) = self.class(*class) else { continue };
            let count = u32::try_from(one.all.len()).unwrap_or(u32::MAX);
            let overwrites = self.model.overwrites(&one.op);
            let observers = if is_fixed { observers(&one.op, 0) } else { None };
            let what = Kind::Crashed { class: *class, count, overwrites };
            candidates.push(Candidate { op: &one.op, what, observers });
        }
        candidates
    }

    fn class(&self, class: u32) -> Option<&Crashed<M::Op>> {
        self.crashed.get(class as usize).map(Arc::as_ref)
    }

    /// The open operations, with their bits, and the classes of those without a known end that share a key with one
    /// that ends, by way of others too. Where each has one key, that is all of them.
    fn related(&self, ends: &Open<M::Op>) -> (Vec<Placed<'_, M::Op>>, Vec<u32>) {
        let open = self.open.iter().enumerate();
        let mut open: Vec<Placed<'_, M::Op>> =
            open.filter_map(|(place, open)| Some((1 << place, open.as_ref()?.as_ref()))).collect();
        let classes = 0..u32::try_from(self.crashed.len()).expect("classes are few");
        let mut crashed: Vec<u32> = classes.collect();
        if !M::JOINS_KEYS {
            return (open, crashed);
        }
        let mut keys: Vec<Key> = ends.keys.to_vec();
        loop {
            let before = keys.len();
            let all = open.iter().map(|(_, open)| &open.keys);
            let all = all.chain(self.crashed.iter().map(|crashed| &crashed.keys));
            for other in all {
                if other.iter().any(|key| keys.contains(key)) {
                    let new: Vec<Key> =
                        other.iter().filter(|key| !keys.contains(key)).copied().collect();
                    keys.extend(new);
                }
            }
            if keys.len() == before {
                break;
            }
        }
        let is_related = |own: &[Key]| own.iter().any(|key| keys.contains(key));
        open.retain(|(_, open)| is_related(&open.keys));
        crashed.retain(|class| self.class(*class).is_some_and(|one| is_related(&one.keys)));
        (open, crashed)
    }

    /// Of these classes those on which an open operation depends, by way of others too.
    fn wanted(&self, open: &[Placed<'_, M::Op>], mut others: Vec<u32>) -> Vec<u32> {
        let mut observers: Vec<&M::Op> = open.iter().map(|(_, open)| &open.op).collect();
        let mut wanted = Vec::new();
        while let Some(observer) = observers.pop() {
            others.retain(|class| {
                let Some(one) = self.class(*class) else { return false };
                let is_wanted = self.model.depends(observer, &one.op);
                if is_wanted {
                    wanted.push(*class);
                    observers.push(&one.op);
                }
                !is_wanted
            });
        }
        wanted.sort_unstable();
        wanted
    }

    /// The operations without a known end.
    pub(super) fn without_end(&self) -> impl Iterator<Item = &Arc<Operation>> {
        self.crashed.iter().flat_map(|class| &class.all)
    }
}

impl<Op> Candidate<'_, Op> {
    fn may_follow(&self, marks: &Marks) -> bool {
        let is_left = match self.what {
            Kind::Open { bit, .. } => marks.used & bit == 0,
            Kind::Crashed { class, count, .. } => {
                marks.count(class) < count
                    || (marks.count(class) == count && !holds(Rule::CrashedOnce))
            }
        };
        is_left && self.observers.is_none_or(|observers| observers & !marks.used != 0)
    }
}

/// As many as there are bits in a mark.
const OPEN_MAX: usize = 128;

/// All of them are looked at whenever an operation ends.
const CRASHED_MAX: usize = 4_096;

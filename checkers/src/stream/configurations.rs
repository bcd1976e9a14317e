//! What an object may have come to: sets of configurations, of which none is made superfluous by another one.

use std::hash::Hash;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::rules::{Rule, holds};

/// What a configuration has done with the operations that are open, by their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// They have taken effect.
    pub(super) used: u128,
    /// They may have taken effect where nobody could see it, or may do so from now on.
    pub(super) optional: u128,
    /// How many operations without a known end have taken effect, by class, in order of classes.
    pub(super) crashed: Vec<(u32, u32)>,
}

impl Marks {
    /// Whether every order that can follow on `other` can follow on this as well. `read_only` are the places of
    /// operations that change nothing: to have these behind oneself is never worse.
    fn dominates(&self, other: &Self, read_only: u128) -> bool {
        let differs = (self.used ^ other.used) | (self.optional ^ other.optional);
        let is_better = self.optional | (self.used & read_only);
        (differs & !is_better == 0 || !holds(Rule::AllowsAll))
            && self.crashed.iter().all(|(class, count)| other.count(*class) >= *count)
    }

    /// How many of a class have taken effect.
    pub(super) fn count(&self, class: u32) -> u32 {
        let place = self.crashed.binary_search_by_key(&class, |(class, _)| *class);
        place.ok().and_then(|place| self.crashed.get(place)).map_or(0, |(_, count)| *count)
    }

    /// One more of a class has taken effect.
    pub(super) fn add(&mut self, class: u32) {
        match self.crashed.binary_search_by_key(&class, |(class, _)| *class) {
            Ok(place) => {
                if let Some((_, count)) = self.crashed.get_mut(place) {
                    *count += 1;
                }
            }
            Err(place) => self.crashed.insert(place, (class, 1)),
        }
    }

    /// The one at this place has ended.
    pub(super) fn without(mut self, bit: u128) -> Self {
        self.used &= !bit;
        self.optional &= !bit;
        self
    }
}

/// Configurations by state.
#[derive(Clone, Debug)]
pub(super) struct Configurations<S> {
    by_state: IndexMap<S, Vec<Marks>, FxBuildHasher>,
    count: usize,
    /// How often two were compared.
    pub(super) work: u64,
}

impl<S: Clone + Eq + Hash> Configurations<S> {
    pub(super) fn new() -> Self {
        Self { by_state: IndexMap::default(), count: 0, work: 0 }
    }

    /// Adds one, and takes away those that it makes superfluous; false if it is superfluous itself.
    pub(super) fn add(&mut self, state: &S, marks: &Marks, read_only: u128) -> bool {
        let Some(same) = self.by_state.get_mut(state) else {
            self.by_state.insert(state.clone(), vec![marks.clone()]);
            self.count += 1;
            return true;
        };
        self.work += same.len() as u64;
        if same.iter().any(|known| known.dominates(marks, read_only)) {
            return false;
        }
        self.count -= same.len();
        same.retain(|known| !marks.dominates(known, read_only));
        same.push(marks.clone());
        self.count += same.len();
        true
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&S, &Marks)> {
        self.by_state.iter().flat_map(|(state, all)| all.iter().map(move |marks| (state, marks)))
    }

    pub(super) fn states(&self) -> impl ExactSizeIterator<Item = &S> {
        self.by_state.keys()
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }
}

//! Linearizability by its definition (Herlihy and Wing 1990): all orders are tried.

use std::hash::Hash;

use rustc_hash::FxHashSet;

use crate::history::{Operation, Outcome};

/// Whether there is an order of these operations, up to 63 that did not fail. `after` says what an operation may lead to
/// from a state, if it returns what it did.
pub(crate) fn have_order<S: Clone + Eq + Hash>(
    all: &[Operation],
    initial: &S,
    after: impl Fn(&S, &Operation) -> Vec<S>,
) -> bool {
    let may_have: Vec<&Operation> = all.iter().filter(|o| o.outcome != Outcome::Fail).collect();
    let left = (1_u64 << may_have.len()) - 1;
    Orders { all: may_have, after, dead: FxHashSet::default() }.can_finish(left, initial)
}

struct Orders<'a, S, F> {
    all: Vec<&'a Operation>,
    after: F,
    /// Nothing leads on from here: which operations are left, as bits, and the state.
    dead: FxHashSet<(u64, S)>,
}

impl<S: Clone + Eq + Hash, F: Fn(&S, &Operation) -> Vec<S>> Orders<'_, S, F> {
    fn can_finish(&mut self, left: u64, state: &S) -> bool {
        let places: Vec<usize> =
            (0..self.all.len()).filter(|place| left & (1 << place) != 0).collect();
        if places.iter().all(|&place| !self.all[place].is_ok()) {
            return true;
        }
        if self.dead.contains(&(left, state.clone())) {
            return false;
        }
        for &place in &places {
            let operation = self.all[place];
            let precedes = |&other: &usize| {
                self.all[other].definite_end().is_some_and(|end| end < operation.invoke)
            };
            if places.iter().any(precedes) {
                continue;
            }
            let next = (self.after)(state, operation);
            if next.iter().any(|state| self.can_finish(left & !(1 << place), state)) {
                return true;
            }
        }
        self.dead.insert((left, state.clone()));
        false
    }
}

/// Draws histories by seeds, as many with an order as without.
#[derive(Debug)]
pub(crate) struct Even {
    /// The last one.
    pub(crate) seed: u64,
    pub(crate) legal: u64,
    pub(crate) illegal: u64,
}

impl Even {
    /// Begins with the seed after this one.
    pub(crate) fn after(seed: u64) -> Self {
        Self { seed, legal: 0, illegal: 0 }
    }

    /// The next one of the kind that there are fewer of; `drawn` also says whether it has an order.
    pub(crate) fn next(
        &mut self,
        drawn: impl Fn(u64) -> (Vec<Operation>, bool),
    ) -> (Vec<Operation>, bool) {
        loop {
            self.seed += 1;
            let (all, is_legal) = drawn(self.seed);
            let is_due =
                if is_legal { self.legal <= self.illegal } else { self.illegal <= self.legal };
            if is_due {
                *if is_legal { &mut self.legal } else { &mut self.illegal } += 1;
                return (all, is_legal);
            }
        }
    }
}

//! Sequential consistency: there is an order that has the operations of each process in the order in which it did them
//! (Lamport, How to make a multiprocessor computer that correctly executes multiprocess programs, 1979). An operation
//! whose end is unknown may happen at any time after what its process had done before, or never.
//!
//! All orders are tried, as far as a bound allows: to decide it is NP-complete (Gibbons and Korach 1997).

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::super::{Content, Deeds, Dialect, RegisterOp, Registers};
use crate::linearizability::Task;
use crate::model::Model;

/// Whether it holds; nothing if that takes too long to find out.
pub(super) fn holds<D: Dialect>(
    model: &Registers<D>,
    task: &Task<'_, Registers<D>>,
) -> Option<bool> {
    let mut search = Search::new(model, task);
    if (0..search.finders_left.len()).any(|content| content != 0 && search.is_lost(content)) {
        return Some(false);
    }
    let initial = model.initial();
    search.goes_on(&initial)
}

struct Search<'a, 't, D: Dialect> {
    model: &'a Registers<D>,
    task: &'a Task<'t, Registers<D>>,
    deeds: Deeds,
    /// What is done one after another: by process what has certainly happened, and each operation of unknown end.
    chains: Vec<Chain>,
    /// How many have been ordered of each.
    done: Vec<usize>,
    /// Operations that must still be ordered.
    needed: usize,
    /// By content: who must still find it, and who may still leave it.
    finders_left: Vec<usize>,
    producers_left: Vec<usize>,
    /// What is known to lead nowhere.
    dead: FxHashSet<(Vec<usize>, Content)>,
    steps: u32,
    depth: u32,
}

/// Operations in the order in which they must stand.
struct Chain {
    places: Vec<usize>,
    /// What must have been done of which other chain before the first.
    after: Option<(usize, usize)>,
}

impl<'a, 't, D: Dialect> Search<'a, 't, D> {
    fn new(model: &'a Registers<D>, task: &'a Task<'t, Registers<D>>) -> Self {
        let mut chains: Vec<Chain> = Vec::new();
        let mut processes: BTreeMap<u64, usize> = BTreeMap::new();
        let mut unknown: Vec<Chain> = Vec::new();
        for (place, operation) in task.operations.iter().enumerate() {
            let chain = *processes.entry(operation.process.0).or_insert_with(|| {
                chains.push(Chain { places: Vec::new(), after: None });
                chains.len() - 1
            });
            let Some(own) = chains.get_mut(chain) else { continue };
            if operation.is_ok() {
                own.places.push(place);
            } else {
                unknown.push(Chain { places: vec![place], after: Some((chain, own.places.len())) });
            }
        }
        chains.extend(unknown);
        let deeds = Deeds::of(&model.initial, &task.ops);
        let (mut finders_left, mut producers_left) =
            (vec![0; deeds.contents], vec![0; deeds.contents]);
        for (deed, operation) in deeds.deeds.iter().zip(&task.operations) {
            let found = deed.finds.filter(|_| operation.is_ok());
            count(&mut finders_left, found, 1);
            count(&mut producers_left, deed.leaves, 1);
        }
        Self {
            model,
            task,
            deeds,
            done: vec![0; chains.len()],
            chains,
            needed: task.operations.iter().filter(|operation| operation.is_ok()).count(),
            finders_left,
            producers_left,
            dead: FxHashSet::default(),
            steps: 0,
            depth: 0,
        }
    }

    /// Whether the rest can follow on `held`; nothing if the bound was reached.
    fn goes_on(&mut self, held: &Content) -> Option<bool> {
        self.steps += 1;
        if self.steps > STEPS_MAX || self.depth > DEPTH_MAX {
            return None;
        }
        // What changes nothing and is possible is done at once: an order that has it later stays one.
        let mut taken = Vec::new();
        while let Some(chain) = self.possible(held, true).first().copied() {
            self.take(chain, true);
            taken.push(chain);
        }
        let found = self.chooses(held);
        if found != Some(true) {
            for chain in taken.into_iter().rev() {
                self.take(chain, false);
            }
        }
        found
    }

    fn chooses(&mut self, held: &Content) -> Option<bool> {
        if self.needed == 0 {
            return Some(true);
        }
        let here = (self.done.clone(), held.clone());
        if self.dead.contains(&here) {
            return Some(false);
        }
        for chain in self.possible(held, false) {
            let Some((place, op)) = self.next_of(chain) else { continue };
            let Some(after) = self.model.step(held, op) else { continue };
            let gone = self.content_left_behind(place, held);
            self.take(chain, true);
            self.depth += 1;
            let is_lost = gone.is_some_and(|gone| self.is_lost(gone));
            let found = if is_lost { Some(false) } else { self.goes_on(&after) };
            self.depth -= 1;
            if found == Some(false) {
                self.take(chain, false);
            } else {
                return found;
            }
        }
        self.dead.insert(here);
        Some(false)
    }

    /// The number of what is held, if the operation leaves something else and anybody asks for what is held.
    fn content_left_behind(&self, place: usize, held: &Content) -> Option<usize> {
        let changes = self.task.ops.get(place)?.leaves().is_some_and(|left| left != held);
        let is_held = |(_, op): &(_, &RegisterOp)| op.finds() == Some(held);
        let mut finders = self.deeds.deeds.iter().zip(&self.task.ops).filter(is_held);
        finders.next().filter(|_| changes).and_then(|(deed, _)| Some(deed.finds? as usize))
    }

    /// Whether somebody must still find this, and nobody is left to leave it there.
    fn is_lost(&self, content: usize) -> bool {
        let left = |list: &[usize]| list.get(content).copied().unwrap_or_default();
        left(&self.finders_left) > 0 && left(&self.producers_left) == 0
    }

    /// The chains that can go on, of those whose next operation changes nothing or of the others.
    fn possible(&self, held: &Content, is_read_only: bool) -> Vec<usize> {
        let mut all: Vec<(usize, usize)> = (0..self.chains.len())
            .filter_map(|chain| {
                let (place, op) = self.next_of(chain)?;
                let fits =
                    self.model.is_read_only(op) == is_read_only && self.model.is_possible(held, op);
                fits.then_some((place, chain))
            })
            .collect();
        // As they were invoked.
        all.sort_unstable();
        all.into_iter().map(|(_, chain)| chain).collect()
    }

    fn next_of(&self, chain: usize) -> Option<(usize, &'a RegisterOp)> {
        let Chain { places, after } = self.chains.get(chain)?;
        let done = |chain: usize| self.done.get(chain).copied().unwrap_or_default();
        if after.is_some_and(|(other, count)| done(other) < count) {
            return None;
        }
        let place = *places.get(done(chain))?;
        Some((place, self.task.ops.get(place)?))
    }

    /// Puts the next operation of a chain in the order, or takes the last one out.
    fn take(&mut self, chain: usize, is_in: bool) {
        let (Some(done), Some(Chain { places, .. })) =
            (self.done.get_mut(chain), self.chains.get(chain))
        else {
            return;
        };
        let at = if is_in { *done } else { *done - 1 };
        *done = if is_in { *done + 1 } else { at };
        let Some(place) = places.get(at) else { return };
        let is_ok = self.task.operations.get(*place).is_some_and(|operation| operation.is_ok());
        let change = if is_in { -1 } else { 1 };
        if let Some(deed) = self.deeds.deeds.get(*place) {
            count(&mut self.finders_left, deed.finds.filter(|_| is_ok), change);
            count(&mut self.producers_left, deed.leaves, change);
        }
        if is_ok {
            self.needed = self.needed.saturating_add_signed(change);
        }
    }
}

fn count(list: &mut [usize], content: Option<u32>, change: isize) {
    if let Some(number) = content.and_then(|content| list.get_mut(content as usize)) {
        *number = number.saturating_add_signed(change);
    }
}

/// More steps are not tried.
const STEPS_MAX: u32 = 20_000;
/// Nor so many one within the other: each takes a piece of the stack.
const DEPTH_MAX: u32 = 1_000;

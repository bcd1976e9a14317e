//! Sees dead ends of a search for an order of proposals and reads.

use rustc_hash::FxHashMap;

use super::{ConsensusOp, Decision};
use crate::model::Lookahead;

/// Counts by decision those that saw it and are not yet ordered. After a decision nobody can follow who saw
/// another; before it, all must agree.
#[derive(Debug)]
pub struct Observers {
    /// What each operation saw, as a place in `left`.
    seen: Vec<Option<usize>>,
    ids: FxHashMap<i64, usize>,
    left: Vec<usize>,
    /// How many of `left` are not 0.
    decisions: usize,
}

impl Observers {
    pub(super) fn new(ops: &[ConsensusOp]) -> Self {
        let (seen, ids) = (Vec::new(), FxHashMap::default());
        let mut observers = Self { seen, ids, left: Vec::new(), decisions: 0 };
        for op in ops {
            let id = op.seen().map(|value| {
                let next = observers.left.len();
                let id = *observers.ids.entry(value).or_insert(next);
                if id == next {
                    observers.left.push(0);
                }
                id
            });
            observers.seen.push(id);
        }
        for op in 0..ops.len() {
            observers.put_back(op);
        }
        observers
    }

    /// How many of those who saw what `op` saw are left.
    fn count_of(&mut self, op: usize) -> Option<&mut usize> {
        let id = *self.seen.get(op).expect("every operation has its place");
        id.map(|id| self.left.get_mut(id).expect("every decision has its count"))
    }
}

impl Lookahead<Decision> for Observers {
    fn take(&mut self, op: usize) {
        let Some(count) = self.count_of(op) else { return };
        *count -= 1;
        if *count == 0 {
            self.decisions -= 1;
        }
    }

    fn put_back(&mut self, op: usize) {
        let Some(count) = self.count_of(op) else { return };
        *count += 1;
        if *count == 1 {
            self.decisions += 1;
        }
    }

    fn is_doomed(&self, state: &Decision) -> bool {
        let Some(decided) = state else { return self.decisions > 1 };
        let agreeing = self.ids.get(decided).and_then(|id| self.left.get(*id));
        let is_agreeing = agreeing.is_some_and(|count| *count > 0);
        self.decisions > usize::from(is_agreeing)
    }
}

//! Sees dead ends of a search for an order of operations on a register.

use super::Deeds;
use crate::model::supply::{Demand, Supply};
use crate::model::{Lookahead, Span};

/// Watches for orphans: contents that somebody must find before anybody who is left can have left them there. What can
/// still be found is none.
#[derive(Debug)]
pub struct Orphans {
    supply: Supply,
    /// By operation: what it leaves in the register.
    left: Vec<Option<u32>>,
    /// What the register has held, the present content last.
    held: Vec<u32>,
    /// So many of the last contents can still be found.
    depth: usize,
}

impl Orphans {
    pub(super) fn new(deeds: &Deeds, spans: &[Span], depth: usize) -> Self {
        let mut demand = Demand::default();
        for (place, (deed, span)) in deeds.deeds.iter().zip(spans).enumerate() {
            if let Some(found) = deed.finds {
                demand.observes(place, *span, found);
            }
            if let (Some(found), Some(_)) = (deed.finds, deed.leaves) {
                demand.takes(place, *span, found);
            }
            if let Some(left) = deed.leaves {
                demand.produces(place, *span, left);
            }
        }
        Self {
            supply: demand.gathered(deeds.contents, deeds.deeds.len()),
            left: deeds.deeds.iter().map(|deed| deed.leaves).collect(),
            held: vec![0],
            depth,
        }
    }

    fn left(&self, op: usize) -> Option<u32> {
        self.left.get(op).copied().flatten()
    }
}

impl<State> Lookahead<State> for Orphans {
    fn take(&mut self, op: usize) {
        self.supply.take(op);
        self.held.extend(self.left(op));
    }

    fn put_back(&mut self, op: usize) {
        self.supply.put_back(op);
        if self.left(op).is_some() {
            self.held.pop();
        }
    }

    fn is_doomed(&self, _: &State) -> bool {
        if let [now] = self.held.as_slice() {
            return (0..self.supply.contents())
                .any(|content| content != *now && self.supply.is_missing(content));
        }
        let (before, last) = self.held.split_at(self.held.len().saturating_sub(self.depth));
        before.last().is_some_and(|gone| !last.contains(gone) && self.supply.is_missing(*gone))
    }
}

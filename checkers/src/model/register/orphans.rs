//! Sees dead ends of a search for an order of reads and writes.

use rustc_hash::FxHashMap;

use super::{Content, RegisterOp};
use crate::model::supply::{Demand, Supply};
use crate::model::{Lookahead, Span};

/// Watches for orphans: values that somebody must read before anybody who is left can have written them. The value that
/// the register holds is none.
#[derive(Debug)]
pub struct Orphans {
    supply: Supply,
    /// By operation: what it leaves in the register.
    written: Vec<Option<u32>>,
    /// What the register has held, the present value last.
    held: Vec<u32>,
}

impl Orphans {
    pub(super) fn new(ops: &[RegisterOp], spans: &[Span]) -> Self {
        let mut demand = Demand::default();
        let mut ids: FxHashMap<Content, u32> = FxHashMap::default();
        ids.insert(None, 0);
        let mut written = Vec::with_capacity(ops.len());
        for (place, (op, span)) in ops.iter().zip(spans).enumerate() {
            let content = match *op {
                RegisterOp::Read(seen) => seen,
                RegisterOp::Write(value) => Some(value),
            };
            let fresh = u32::try_from(ids.len()).expect("fewer than 2^32 values");
            let id = *ids.entry(content).or_insert(fresh);
            match op {
                RegisterOp::Read(_) => demand.observes(place, *span, id),
                RegisterOp::Write(_) => demand.produces(place, *span, id),
            }
            written.push(matches!(op, RegisterOp::Write(_)).then_some(id));
        }
        Self { supply: demand.gathered(ids.len(), ops.len()), written, held: vec![0] }
    }

    fn written(&self, op: usize) -> Option<u32> {
        self.written.get(op).copied().flatten()
    }
}

impl Lookahead<Content> for Orphans {
    fn take(&mut self, op: usize) {
        self.supply.take(op);
        self.held.extend(self.written(op));
    }

    fn put_back(&mut self, op: usize) {
        self.supply.put_back(op);
        if self.written(op).is_some() {
            self.held.pop();
        }
    }

    fn is_doomed(&self, _: &Content) -> bool {
        match self.held.as_slice() {
            [.., before, now] => before != now && self.supply.is_missing(*before),
            [now] => (0..self.supply.contents())
                .any(|content| content != *now && self.supply.is_missing(content)),
            [] => false,
        }
    }
}

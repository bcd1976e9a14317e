//! Sees dead ends of a search for an order of reads and writes.

use rustc_hash::FxHashMap;

use super::{Content, RegisterOp};
use crate::model::Lookahead;

/// Counts orphans: values that somebody still has to read while nobody is left to write them. One
/// at most, the value that the register holds, is no dead end.
#[derive(Debug)]
pub struct Orphans {
    /// Which value each operation reads or writes.
    values: Vec<(usize, Kind)>,
    ids: FxHashMap<Content, usize>,
    /// By value: reads and writes that are not yet ordered.
    left: Vec<Left>,
    count: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Read,
    Write,
}

#[derive(Clone, Copy, Debug, Default)]
struct Left {
    reads: usize,
    writes: usize,
}

impl Left {
    fn is_orphan(self) -> bool {
        self.reads > 0 && self.writes == 0
    }
}

impl Orphans {
    pub(super) fn new(ops: &[RegisterOp]) -> Self {
        let mut orphans =
            Self { values: Vec::new(), ids: FxHashMap::default(), left: Vec::new(), count: 0 };
        for op in ops {
            let (content, kind) = match *op {
                RegisterOp::Read(seen) => (seen, Kind::Read),
                RegisterOp::Write(value) => (Some(value), Kind::Write),
            };
            let id = *orphans.ids.entry(content).or_insert(orphans.left.len());
            if id == orphans.left.len() {
                orphans.left.push(Left::default());
            }
            orphans.values.push((id, kind));
        }
        for op in 0..ops.len() {
            orphans.put_back(op);
        }
        orphans
    }

    fn change(&mut self, op: usize, change: impl Fn(&mut usize)) {
        let &(id, kind) = self.values.get(op).expect("every operation has its value");
        let left = self.left.get_mut(id).expect("every value has its counts");
        let before = left.is_orphan();
        match kind {
            Kind::Read => change(&mut left.reads),
            Kind::Write => change(&mut left.writes),
        }
        match (before, left.is_orphan()) {
            (false, true) => self.count += 1,
            (true, false) => self.count -= 1,
            (false, false) | (true, true) => {}
        }
    }
}

impl Lookahead<Content> for Orphans {
    fn take(&mut self, op: usize) {
        self.change(op, |count| *count -= 1);
    }

    fn put_back(&mut self, op: usize) {
        self.change(op, |count| *count += 1);
    }

    fn is_doomed(&self, state: &Content) -> bool {
        let held = self.ids.get(state).and_then(|&id| self.left.get(id));
        let tolerated = usize::from(held.is_some_and(|left| left.is_orphan()));
        self.count > tolerated
    }
}

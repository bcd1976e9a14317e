//! Sees dead ends of a search for an order of operations on a register.

use rustc_hash::FxHashMap;

use super::CellOp;
use crate::history::Value;
use crate::model::Lookahead;

/// Counts for each value how often it has still to be made: at least once if somebody is to find it, and once for each
/// that takes it away. What nobody is left to make must be there.
#[derive(Debug)]
pub struct Demand {
    /// What each operation finds and makes, by numbers of values.
    ops: Vec<Part>,
    values: FxHashMap<Value, usize>,
    /// By value.
    left: Vec<Left>,
    /// How often values must be there that nobody is left to make.
    lacking: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    stays_in: Option<usize>,
    leaves: Option<usize>,
    makes: Option<usize>,
}

/// The operations on a value that are not yet ordered.
#[derive(Clone, Copy, Debug, Default)]
struct Left {
    staying: usize,
    leaving: usize,
    making: usize,
}

impl Left {
    fn lacks(self) -> usize {
        self.leaving.max(self.staying.min(1)).saturating_sub(self.making)
    }
}

impl Demand {
    pub(super) fn new(ops: &[CellOp]) -> Self {
        let mut demand =
            Self { ops: Vec::new(), values: FxHashMap::default(), left: Vec::new(), lacking: 0 };
        for op in ops {
            let part = demand.part(op);
            demand.ops.push(part);
        }
        for op in 0..ops.len() {
            demand.put_back(op);
        }
        demand
    }

    fn part(&mut self, op: &CellOp) -> Part {
        let mut part = Part::default();
        match op {
            CellOp::Read(value) => part.stays_in = Some(self.number(value)),
            CellOp::Write(value) => part.makes = Some(self.number(value)),
            CellOp::Cas { expected, new, is_certain } => {
                // What need not happen needs nothing.
                let found = is_certain.then(|| self.number(expected));
                if expected == new {
                    part.stays_in = found;
                } else {
                    part.leaves = found;
                    part.makes = Some(self.number(new));
                }
            }
            CellOp::Refused(_) => {}
        }
        part
    }

    fn number(&mut self, value: &Value) -> usize {
        if let Some(number) = self.values.get(value) {
            return *number;
        }
        self.values.insert(value.clone(), self.left.len());
        self.left.push(Left::default());
        self.left.len() - 1
    }
}

impl Demand {
    /// Counts an operation in or out.
    fn change(&mut self, op: usize, change: impl Fn(&mut usize)) {
        let part = *self.ops.get(op).expect("every operation has its part");
        self.change_left(part.stays_in, |left| change(&mut left.staying));
        self.change_left(part.leaves, |left| change(&mut left.leaving));
        self.change_left(part.makes, |left| change(&mut left.making));
    }

    fn change_left(&mut self, value: Option<usize>, change: impl FnOnce(&mut Left)) {
        let Some(left) = value.and_then(|value| self.left.get_mut(value)) else { return };
        self.lacking -= left.lacks();
        change(left);
        self.lacking += left.lacks();
    }
}

impl Lookahead<Value> for Demand {
    fn take(&mut self, op: usize) {
        self.change(op, |count| *count -= 1);
    }

    fn put_back(&mut self, op: usize) {
        self.change(op, |count| *count += 1);
    }

    fn is_doomed(&self, state: &Value) -> bool {
        let held = self.values.get(state).and_then(|&value| self.left.get(value));
        // What is there was made once already.
        self.lacking > held.map_or(0, |left| left.lacks().min(1))
    }
}

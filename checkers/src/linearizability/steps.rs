//! States by number, operations by class, and which state follows which.

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::model::Model;

/// What the operations of a task do to states. Where there are few kinds of operations, each step is asked of the model
/// once.
pub(super) struct Steps<'a, M: Model> {
    model: &'a M,
    ops: &'a [M::Op],
    /// By operation: equal operations, results included, have equal classes.
    classes: Vec<u32>,
    class_count: usize,
    /// By operation.
    is_read_only: Vec<bool>,
    states: IndexSet<M::State, FxBuildHasher>,
    /// How much memory they take.
    state_bytes: u64,
    /// By state and class, as far as it reaches: the state after, or one of the marks below.
    table: Vec<u32>,
    is_tabled: bool,
}

/// Not asked yet.
const UNKNOWN: u32 = u32::MAX;
/// Cannot happen in this state.
const IMPOSSIBLE: u32 = u32::MAX - 1;

impl<'a, M: Model> Steps<'a, M> {
    pub(super) fn new(model: &'a M, ops: &'a [M::Op]) -> Self {
        let (classes, class_count) = classes(ops);
        let is_read_only = ops.iter().map(|op| model.is_read_only(op)).collect();
        let states = IndexSet::default();
        let is_tabled = class_count <= TABLED_CLASSES_MAX;
        Self {
            model,
            ops,
            classes,
            class_count,
            is_read_only,
            states,
            state_bytes: 0,
            table: Vec::new(),
            is_tabled,
        }
    }

    /// The number of the initial state.
    pub(super) fn initial(&mut self) -> u32 {
        self.number(self.model.initial())
    }

    /// The state of that number.
    pub(super) fn state(&self, number: u32) -> &M::State {
        self.states.get_index(number as usize).expect("numbers are given to states only")
    }

    /// The state after `op`, if it is possible.
    pub(super) fn after(&mut self, state: u32, op: u32) -> Option<u32> {
        let cell = state as usize * self.class_count + self.class(op) as usize;
        match self.table.get(cell).filter(|_| self.is_tabled) {
            Some(&UNKNOWN) => {
                let after = self.asked(state, op);
                if let Some(cell) = self.table.get_mut(cell) {
                    *cell = after.unwrap_or(IMPOSSIBLE);
                }
                after
            }
            Some(&IMPOSSIBLE) => None,
            Some(&after) => Some(after),
            None => self.asked(state, op),
        }
    }

    /// Whether `op` is possible.
    pub(super) fn is_possible(&mut self, state: u32, op: u32) -> bool {
        if self.is_tabled {
            return self.after(state, op).is_some();
        }
        self.model.is_possible(self.state(state), self.op(op))
    }

    /// Whether `op` changes nothing in any state.
    pub(super) fn is_read_only(&self, op: u32) -> bool {
        self.is_read_only.get(op as usize).copied().unwrap_or_default()
    }

    /// Whether `op` is possible only after `cause`, perhaps.
    pub(super) fn depends(&self, op: u32, cause: u32) -> bool {
        self.model.depends(self.op(op), self.op(cause))
    }

    /// Equal for equal operations.
    pub(super) fn class(&self, op: u32) -> u32 {
        *self.classes.get(op as usize).expect("every operation has a class")
    }

    /// How many operations there are.
    pub(super) fn op_count(&self) -> usize {
        self.ops.len()
    }

    /// How many classes there are.
    pub(super) fn class_count(&self) -> usize {
        self.class_count
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> u64 {
        let numbers = self.classes.capacity() + self.table.capacity() + 6 * self.states.capacity();
        self.state_bytes + (4 * numbers + self.is_read_only.capacity()) as u64
    }

    fn asked(&mut self, state: u32, op: u32) -> Option<u32> {
        let after = self.model.step(self.state(state), self.op(op))?;
        Some(self.number(after))
    }

    fn number(&mut self, state: M::State) -> u32 {
        let bytes = self.model.state_bytes(&state) as u64;
        let (number, is_new) = self.states.insert_full(state);
        if is_new {
            self.state_bytes += bytes;
        }
        let cells = self.states.len() * self.class_count;
        if is_new && self.is_tabled && cells <= TABLE_CELLS_MAX {
            self.table.resize(cells, UNKNOWN);
        }
        let number = u32::try_from(number).expect("fewer than 2^32 states");
        assert!(number < IMPOSSIBLE, "fewer states than there are numbers");
        number
    }

    fn op(&self, op: u32) -> &'a M::Op {
        self.ops.get(op as usize).expect("operations are named by their places")
    }
}

/// Gives equal operations equal numbers, and says how many there are.
fn classes<Op: Clone + Eq + std::hash::Hash>(ops: &[Op]) -> (Vec<u32>, usize) {
    let mut known: FxHashMap<&Op, u32> = FxHashMap::default();
    let mut class = |op| {
        let fresh = u32::try_from(known.len()).expect("fewer than 2^32 operations");
        *known.entry(op).or_insert(fresh)
    };
    let classes = ops.iter().map(&mut class).collect();
    (classes, known.len())
}

/// With more classes, steps are hardly ever repeated.
const TABLED_CLASSES_MAX: usize = 1_024;

/// 16 MB of numbers.
const TABLE_CELLS_MAX: usize = 1 << 22;

//! How much a check may cost.

use std::time::{Duration, Instant};

/// What a whole check, of all keys together, may use. What does not suffice ends in unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// For deciding; explaining violations may take as long again.
    pub time: Duration,
    /// For what searches remember, in bytes: those of several keys that are judged at once share it.
    pub memory_bytes: u64,
}

impl Default for Budget {
    /// A minute and a gibibyte: a history with bounded operations per key takes thousandths of
    /// this.
    fn default() -> Self {
        Self { time: Duration::from_mins(1), memory_bytes: 1 << 30 }
    }
}

/// What a search ran out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Time,
    Memory,
    Nodes,
}

/// What one search may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) deadline: Instant,
    pub(crate) memory_bytes: u64,
    pub(crate) nodes: u64,
}

impl Limits {
    /// Whether the time is up. Asks the clock, so not for every node.
    pub(crate) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }
}

//! What was found while the run went on, as a table.

use quorate_checkers::violations::Found;

use crate::Page;
use crate::units::{count, moment};
use crate::verdict::sentence;

/// Broken invariants, and liveness that was not met.
pub(crate) struct ViolationTable {
    pub(crate) rows: Vec<ViolationRow>,
    /// How many are not listed.
    pub(crate) hidden: usize,
}

pub(crate) struct ViolationRow {
    pub(crate) demand: String,
    pub(crate) what: String,
    /// Whose doing it is; empty if nobody can say.
    pub(crate) targets: String,
    pub(crate) index: String,
    pub(crate) time: String,
}

/// More than this say nothing new; the history has all of them.
const ROWS_MAX: usize = 50;

impl ViolationTable {
    pub(crate) fn new(page: &Page<'_>) -> Self {
        let found = &page.results.violations.found;
        Self {
            rows: found.iter().take(ROWS_MAX).map(ViolationRow::new).collect(),
            hidden: found.len().saturating_sub(ROWS_MAX),
        }
    }
}

impl ViolationRow {
    fn new(Found { index, time, violation }: &Found) -> Self {
        Self {
            demand: violation.demand.clone(),
            what: sentence(&violation.what),
            targets: violation.targets.join(" "),
            index: count(*index),
            time: moment(time.0),
        }
    }
}

//! The faults of a run as a table.

use quorate_checkers::history::{NemesisPhase, What};
use quorate_checkers::vacuity::FaultRecord;

use crate::lanes::Family;
use crate::units::{count, moment, span};
use crate::{Page, Subject};

/// Every fault, and every class.
pub(crate) struct FaultTable {
    pub(crate) rows: Vec<FaultRow>,
    /// How many faults are not listed.
    pub(crate) hidden: usize,
    pub(crate) classes: Vec<ClassRow>,
    pub(crate) skipped: Vec<String>,
}

pub(crate) struct FaultRow {
    pub(crate) number: u32,
    pub(crate) kind: String,
    pub(crate) family: &'static str,
    pub(crate) what: String,
    pub(crate) from: String,
    pub(crate) lasted: String,
    pub(crate) bites: String,
    /// It was never seen to do anything.
    pub(crate) is_toothless: bool,
    pub(crate) before: String,
    pub(crate) during: String,
    pub(crate) after: String,
}

pub(crate) struct ClassRow {
    pub(crate) name: String,
    pub(crate) family: &'static str,
    pub(crate) text: String,
    pub(crate) has_bitten: bool,
}

/// A table of more faults is not read; a long run has all of them in its file.
const ROWS_MAX: usize = 500;

impl FaultTable {
    pub(crate) fn new(page: &Page<'_>) -> Self {
        let vacuity = &page.results.vacuity;
        let classes = vacuity.classes.iter().map(|(name, tally)| ClassRow {
            name: name.clone(),
            family: Family::of(name).name(),
            text: format!("{} of {} did something", tally.bitten, tally.begun),
            has_bitten: tally.bitten > 0,
        });
        Self {
            rows: vacuity.faults.iter().take(ROWS_MAX).map(FaultRow::new).collect(),
            hidden: vacuity.faults.len().saturating_sub(ROWS_MAX),
            classes: classes.collect(),
            skipped: skipped(page),
        }
    }
}

impl FaultRow {
    fn new(fault: &FaultRecord) -> Self {
        let lasted = fault.ended_at.map_or_else(
            || "until the history stops".to_owned(),
            |ended| span(ended.0.saturating_sub(fault.began_at.0)),
        );
        Self {
            number: fault.fault,
            kind: fault.kind.clone(),
            family: Family::of(&fault.kind).name(),
            what: fault.what.clone(),
            from: moment(fault.began_at.0),
            lasted,
            bites: count(fault.bites),
            is_toothless: fault.bites == 0,
            before: count(fault.ok_before),
            during: count(fault.ok_during),
            after: count(fault.ok_after),
        }
    }
}

/// Faults that could not be carried out, with the reason.
fn skipped(page: &Page<'_>) -> Vec<String> {
    let Subject::Run { history, .. } = page.subject else { return Vec::new() };
    let reasons = history.events().iter().filter_map(|event| match &event.what {
        What::Nemesis(nemesis) if nemesis.phase == NemesisPhase::Skipped => {
            let at = moment(event.time.0);
            Some(format!("At {at}, {} could not be carried out: {}", nemesis.kind, nemesis.what))
        }
        _ => None,
    });
    reasons.take(ROWS_MAX).collect()
}

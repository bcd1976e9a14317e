//! A run of real processes that is replayed alone: what came of its cores, and what its history says beside that.

use quorate_checkers::linearizability::Budget;
use serde::Serialize;

use super::entry::Entry;
use super::live::Reexecuted;
use super::recorded::{self, Difference};
use crate::error::CliError;
use crate::output;

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Alone {
    #[serde(flatten)]
    again: Reexecuted,
    /// Where its history breaks off, if it does.
    breaks_off: Option<String>,
    /// What its file says of it and is not so.
    differs: Vec<Difference>,
}

impl Alone {
    /// Runs its cores again, and holds header and footer against the events.
    pub(super) fn of(entry: &Entry, budget: Budget) -> Result<Self, CliError> {
        let again = Reexecuted::of(entry)?;
        let differs = match entry.file() {
            Some(file) => {
                let model = entry.plan.workload.kind.model();
                recorded::said(file, model, &entry.judged(file, budget))
            }
            None => Vec::new(),
        };
        Ok(Self { again, breaks_off: entry.breaks_off(), differs })
    }

    /// What came of its cores.
    pub(super) const fn cores(&self) -> &Reexecuted {
        &self.again
    }

    /// What its file says of it and is not so, if there is anything.
    pub(super) fn differs(&self) -> Option<String> {
        (!self.differs.is_empty()).then(|| recorded::sentence(&self.differs))
    }

    /// Cores that do something else come first, then what its file says; of a history that breaks off nobody knows
    /// how it went on.
    pub(super) fn exit_code(&self) -> u8 {
        match self.again.exit_code() {
            0 if !self.differs.is_empty() => 1,
            0 if self.breaks_off.is_some() => 2,
            code => code,
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if !self.differs.is_empty() {
            let what = "the file says something else of the run than its events do: it was changed, or another \
                        program recorded it";
            output::line(&mut text, "DIFFERS", what);
            for difference in &self.differs {
                output::line(&mut text, "", &difference.text());
            }
        }
        if let Some(breaks_off) = &self.breaks_off {
            output::line(&mut text, "UNKNOWN", breaks_off);
            let what = "the run did not end, so that nobody knows what it showed; what follows is of its inputs";
            output::line(&mut text, "", what);
        }
        text + &self.again.text()
    }
}

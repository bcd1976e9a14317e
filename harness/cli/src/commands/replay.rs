//! `quorate replay`: what was recorded, once more.

mod again;
mod entry;
mod folder;
mod live;
mod recorded;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use self::entry::Entry;
use crate::commands::check::BudgetArguments;
use crate::error::CliError;
use crate::output;
use crate::progress::Counter;
use crate::store;

/// A run again, from its file: the same, or where it differs.
///
/// A simulated run is a pure function of its plan, so that its history comes back byte for byte; where it does not, the
/// first event that differs is shown. A run of real processes does not come back from its plan; but its nodes and clients
/// wrote down all that they took in, and from that each of them is run again, and compared step by step.
///
/// A plan that says what it shows (`[shows]`, as `quorate shrink` writes it) is run, and it is said whether it still does.
///
/// A folder of such files is a set of regression tests. A planted bug must still be found in its plan, and the correct
/// system must be left in peace there; any other bug must be gone; a run in which nothing was broken must stay so.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate replay store/latest
  quorate replay history.jsonl
  quorate replay plan.toml
  quorate replay regressions

Exit codes, for one run: 0 it came back, 1 it did not, 2 it cannot be said. For a folder: 0 all is as it should be,
1 something is broken, 2 something does not apply any more. 254 bad usage or a damaged file, 255 the harness itself
failed.")]
pub(crate) struct Replay {
    /// A history, the folder of a run, a plan that says what it shows, or a folder of these.
    path: PathBuf,

    #[command(flatten)]
    budget: BudgetArguments,

    /// What was found as JSON instead of text.
    #[arg(long)]
    json: bool,

    /// No progress.
    #[arg(long)]
    quiet: bool,
}

impl Replay {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let budget = self.budget.budget();
        if self.path.is_dir() && !self.path.join(store::HISTORY).exists() {
            let entries = folder::entries(&self.path)?;
            let counter = Counter::new(self.quiet, entries.len() as u64);
            let table = folder::Table::of(&self.path, &entries, budget, &counter)?;
            counter.clear();
            output::print(&if self.json { output::json(&table) } else { table.text() })?;
            return Ok(ExitCode::from(table.exit_code()));
        }
        let entry = Entry::read(&self.path)?;
        if entry.is_live() {
            let reexecuted = live::Reexecuted::of(&entry)?;
            let text = || reexecuted.text();
            output::print(&if self.json { output::json(&reexecuted) } else { text() })?;
            return Ok(ExitCode::from(reexecuted.exit_code()));
        }
        let replayed = recorded::Replayed::of(&entry, budget)?;
        output::print(&if self.json { output::json(&replayed) } else { replayed.text() })?;
        Ok(ExitCode::from(replayed.exit_code()))
    }
}

//! `quorate replay`: what was recorded, once more.

mod again;
mod alone;
mod entry;
mod folder;
mod live;
mod recorded;
mod tests;
mod times;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use self::entry::Entry;
pub(crate) use self::live::COPY_ANEW;
use self::tests::Tests;
use crate::commands::check::BudgetArguments;
use crate::commands::run::World;
use crate::commands::torture;
use crate::error::CliError;
use crate::output;
use crate::packed::Opened;
use crate::progress::Counter;

/// A run again, from its file: the same, or where it differs.
///
/// A simulated run is a pure function of its plan, so that its history comes back event for event; where it does not, the
/// first event that differs is shown. A run of real processes does not come back from its plan; but its nodes and clients
/// wrote down all that they took in, and from that each of them is run again, and compared step by step.
///
/// A plan that says what it shows (`[shows]`, as `quorate shrink` writes it) is run, and it is said whether it still does.
///
/// What happened among real processes comes back by chance only: `--world live` runs the plan again so many times, and says
/// how often it did, with an interval; `--world sim` does so in virtual time.
///
/// A folder of such files is a set of regression tests. A planted bug must still be found in its plan, and the correct
/// system must be left in peace there; any other bug must be gone; a run in which nothing was broken must stay so.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate replay store/latest
  quorate replay history.jsonl
  quorate replay plan.toml
  quorate replay store/latest --world live --times 10
  quorate replay regressions

Exit codes, for one run: 0 it came back, 1 it did not, 2 it cannot be said. For a folder: 0 all is as it should be,
1 something is broken, 2 something does not apply any more, is damaged, or cannot be said. 254 bad usage or a damaged file, 255 the harness itself
failed. With --world: 0 it came back at least once, 1 never, 2 it cannot be said.")]
pub(crate) struct Replay {
    /// A history, the folder of a run, a packed run, a plan that says what it shows, or a folder of these.
    path: PathBuf,

    /// Runs the plan anew in this world instead, and says how often what was recorded came back: `live` with real
    /// processes, `sim` in virtual time, with one seed after the other.
    #[arg(long, value_enum)]
    world: Option<World>,

    /// How often, with --world.
    #[arg(long, default_value_t = 5, value_name = "COUNT", requires = "world", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    times: u32,

    /// The folder that the runs of --world are kept in.
    #[arg(long, default_value = "store", value_name = "DIR")]
    store: PathBuf,

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
        if torture::has_no_failures(&self.path) {
            let table = folder::Table::empty(&self.path);
            let nothing =
                format!("this campaign has no failures: there is no {}\n", self.path.display());
            output::print(&if self.json { output::json(&table) } else { nothing })?;
            return Ok(ExitCode::SUCCESS);
        }
        let tests = if self.path.is_dir() { Some(Tests::in_folder(&self.path)?) } else { None };
        if let Some(tests) = tests.filter(|tests| !tests.are_one_run()) {
            if self.world.is_some() {
                return Err(CliError::usage(
                    "--world runs one plan anew, not a whole folder of them",
                )
                .hint("name one of its files"));
            }
            let counter = Counter::new(self.quiet, tests.len());
            let table = folder::Table::of(&tests, budget, &counter)?;
            counter.clear();
            output::print(&if self.json { output::json(&table) } else { table.text() })?;
            return Ok(ExitCode::from(table.exit_code()));
        }
        let opened = Opened::at(&self.path)?;
        let entry = Entry::read(opened.path())?;
        if let Some(world) = self.world {
            let wanted = times::Wanted {
                world: world.kind(),
                times: self.times,
                store: &self.store,
                budget,
                quiet: self.quiet || self.json,
            };
            let repeated = times::Repeated::of(&entry, wanted)?;
            output::print(&if self.json { output::json(&repeated) } else { repeated.text() })?;
            return Ok(ExitCode::from(repeated.exit_code()));
        }
        if entry.is_live() {
            let again = alone::Alone::of(&entry, budget)?;
            output::print(&if self.json { output::json(&again) } else { again.text() })?;
            return Ok(ExitCode::from(again.exit_code()));
        }
        let replayed = recorded::Replayed::of(&entry, budget)?;
        output::print(&if self.json { output::json(&replayed) } else { replayed.text() })?;
        Ok(ExitCode::from(replayed.exit_code()))
    }
}

//! `quorate check`: a verdict on a history.

mod checkers;

use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use quorate_checkers::history::{self, HistoryFile, Problem, operations};
use quorate_checkers::judge::{Demands, Results, judge};
use quorate_checkers::linearizability::Budget;
use quorate_plan::Plan;

use crate::commands::check::checkers::CheckerArguments;
use crate::commands::run::PROGRAM;
use crate::error::CliError;
use crate::output;
use crate::packed::Opened;
use crate::regular;
use crate::store;

/// A verdict on a history, from its file alone.
///
/// The header of the file says what to check it for. A file that a killed run left is read up to where it
/// breaks off, and that is said.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate check store/latest
  quorate check store/latest/history.jsonl --json
  quorate check - < history.jsonl
  quorate check store/latest --checker list-append --consistency serializable

Exit codes: 0 valid, 1 invalid, 2 unknown, 254 bad usage or not a history, 255 the harness itself failed.")]
pub(crate) struct Check {
    /// A history, the folder of a run, or `-` for standard input.
    file: PathBuf,

    #[command(flatten)]
    budget: BudgetArguments,

    #[command(flatten)]
    checkers: CheckerArguments,

    /// The results as JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// How far a checker may go before it says unknown.
#[derive(Debug, Args)]
pub(crate) struct BudgetArguments {
    /// The longest that the search for an order may take.
    #[arg(long, default_value = "60s", value_name = "TIME")]
    check_time: humantime::Duration,

    /// The most memory that the search may take, in MiB.
    #[arg(long, default_value_t = 1024, value_name = "MIB")]
    check_memory: u64,
}

impl BudgetArguments {
    /// As the checker takes it.
    pub(crate) fn budget(&self) -> Budget {
        Budget {
            time: Duration::from(self.check_time),
            memory_bytes: self.check_memory.saturating_mul(1 << 20),
        }
    }
}

impl Check {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let opened = Opened::at(&self.file)?;
        let (file, plan) = read(opened.path())?;
        if let Some(judgement) = self.checkers.judge(&operations(&file.history)) {
            return judgement.tell(self.json);
        }
        let results =
            judge(&file.history, &demands(&file.header.model, &plan, self.budget.budget()));
        let text = if self.json { output::json(&results) } else { text(&file, &plan, &results) };
        output::print(&text)?;
        Ok(ExitCode::from(results.verdict.exit_code()))
    }
}

/// Reads a history, with the Plan from its header.
pub(crate) fn read(path: &Path) -> Result<(HistoryFile, Plan), CliError> {
    let folder = path.is_dir();
    let path = if folder { path.join(store::HISTORY) } else { path.to_owned() };
    let name = path.display().to_string();
    let file = if name == "-" {
        history::read(io::stdin().lock())
    } else {
        let opened = regular::open(&path).map_err(|error| {
            let line = regular::cannot_read(&path, &error);
            if folder || error.kind() == io::ErrorKind::NotFound {
                line.hint("give a history, or the folder of a run, such as store/latest")
            } else {
                line
            }
        })?;
        history::read(BufReader::new(opened))
    };
    let file = file.map_err(|error| unreadable(&name, &error))?;
    let plan: Plan = serde_json::from_value(file.header.plan.clone()).map_err(|error| {
        CliError::usage(format_args!("{name} line 1: the plan: {error}")).hint(format_args!(
            "{} recorded it, this is {PROGRAM}; if they are one, the line was changed: take an unchanged copy",
            file.header.program
        ))
    })?;
    Ok((file, plan))
}

/// What is wrong with a history, and what to do about it.
fn unreadable(name: &str, error: &history::ReadError) -> CliError {
    let told = format!("{name}: {error}");
    match error.problem {
        Problem::Version { .. } => {
            CliError::usage(told).hint("take the program that recorded it, or record it anew")
        }
        Problem::Empty | Problem::HeaderCut => CliError::damaged(told).hint(
            "its run was killed before anything happened in it, or it was copied in part: there is nothing to read",
        ),
        _ if error.line == 1 => CliError::damaged(told)
            .hint("a run's history is the file history.jsonl in its folder in the store"),
        _ => CliError::damaged(told)
            .hint("it is not as a run wrote it; take an unchanged copy, or put this line right"),
    }
}

/// What a run with this Plan is held to.
pub(crate) fn demands(model: &str, plan: &Plan, budget: Budget) -> Demands {
    Demands {
        model: model.to_owned(),
        fault_classes: plan.fault_classes.iter().map(|class| class.name().to_owned()).collect(),
        budget,
    }
}

fn text(file: &HistoryFile, plan: &Plan, results: &Results) -> String {
    let mut text = output::verdict(results, plan.expect) + &output::notes(results);
    match (&file.damage, &file.footer) {
        (Some(damage), _) => {
            output::line(&mut text, "note", &format!("{damage}: the run did not end"));
        }
        (None, None) => {
            output::line(&mut text, "note", "the run did not end: the file has no footer");
        }
        (None, Some(_)) => {}
    }
    text
}

//! `quorate check`: a verdict on a history.

mod checkers;
pub(super) mod foreign;
mod more;
mod stream;

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use quorate_checkers::history::{self, HistoryFile, Problem, operations};
use quorate_checkers::judge::{Demands, Results, judge};
use quorate_checkers::linearizability::Budget;
use quorate_checkers::model;
use quorate_checkers::verdict::Verdict;
use quorate_plan::Plan;
use serde::Serialize;

use crate::commands::check::checkers::CheckerArguments;
use crate::commands::check::foreign::ForeignArguments;
use crate::commands::check::more::More;
use crate::commands::run::PROGRAM;
use crate::error::CliError;
use crate::input;
use crate::output;
use crate::packed::Opened;
use crate::regular;
use crate::store;

/// A verdict on a history, from its file alone.
///
/// The header of one of Quorate's own says what to check it for. A file that a killed run left is read up to where it
/// breaks off, and that is said. Histories of other programs (Jepsen's, as EDN, JSON or a log; Porcupine's) are judged
/// by the model that is named. What gzip or zstd compressed is read as it is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate check store/latest
  quorate check store/latest/history.jsonl --json
  quorate check - < history.jsonl
  quorate check etcd.log --model cas-register
  quorate check *.edn.gz --model cas-register --init 0 --refused-cas observation
  quorate check etcd.log --model cas-register --witness
  quorate check store/latest --checker list-append --consistency serializable
  zstdcat huge.jsonl.zst | quorate check --stream -

docs/check.md tells what histories of other programs mean.
Exit codes: 0 valid, 1 invalid, 2 unknown, 254 bad usage or not a history, 255 the harness itself failed; of several
histories that of the gravest verdict.")]
pub(crate) struct Check {
    /// Histories, folders of runs, or `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    foreign: ForeignArguments,

    /// Judges while it reads, in memory that does not grow with the length of a history, up to the first violation
    /// that is certain; see docs/check.md for what it does not see.
    #[arg(long, conflicts_with = "checker")]
    stream: bool,

    #[command(flatten)]
    budget: BudgetArguments,

    #[command(flatten)]
    checkers: CheckerArguments,

    /// Show an order of the operations on each key, with what it leads to, if the history is valid.
    #[arg(long, conflicts_with = "checker")]
    witness: bool,

    /// The results as JSON instead of text; those of several files in a list.
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
        let judged =
            self.files.iter().map(|file| self.judge(file)).collect::<Result<Vec<Judged>, _>>()?;
        let worst = judged.iter().map(|judged| judged.verdict).max().unwrap_or(Verdict::Unknown);
        output::print(&self.told(&judged))?;
        Ok(ExitCode::from(worst.exit_code()))
    }

    fn judge(&self, path: &Path) -> Result<Judged, CliError> {
        let opened = Opened::at(path)?;
        let (name, mut input) = open(opened.path())?;
        let is_ours = self.foreign.is_ours(head(&name, &mut input)?);
        if self.stream {
            return stream::judge(&name, input, is_ours, &self.foreign);
        }
        if !is_ours {
            let is_asked = self.witness;
            let budget = self.budget.budget();
            return self.foreign.judge(&name, input, budget, &self.checkers, is_asked);
        }
        let (file, plan) = parsed(&name, input)?;
        let operations = operations(&file.history);
        if let Some(judgement) = self.checkers.judge(&operations) {
            return Ok(judgement.judged(&path.display().to_string()));
        }
        let name = self.foreign.model_of_ours(&name, &file.header.model)?;
        let budget = self.budget.budget();
        let results = judge(&file.history, &demands(name, &plan, budget));
        let more = model::by_name(name).map_or_else(More::default, |model| {
            More::of(model, &operations, &results.linearizability, self.witness.then_some(budget))
        });
        Ok(Judged {
            file: path.display().to_string(),
            verdict: results.verdict,
            text: text(&file, &plan, &results) + &more.text(),
            results: more.with(serde_json::to_value(&results).expect("results have text keys")),
        })
    }

    /// All that is to be said, as text or as JSON.
    fn told(&self, judged: &[Judged]) -> String {
        match judged {
            [one] if self.json => output::json(&one.results),
            several if self.json => output::json(&several),
            [one] => one.text.clone(),
            several => {
                let with_name =
                    |one: &Judged| format!("{}\n{}", output::one_line(&one.file), one.text);
                several.iter().map(with_name).collect::<Vec<String>>().join("\n")
            }
        }
    }
}

/// What is said of one history.
#[derive(Debug, Serialize)]
pub(crate) struct Judged {
    file: String,
    #[serde(skip)]
    verdict: Verdict,
    #[serde(skip)]
    text: String,
    results: serde_json::Value,
}

/// Reads a history, with the Plan from its header.
pub(crate) fn read(path: &Path) -> Result<(HistoryFile, Plan), CliError> {
    let (name, input) = open(path)?;
    parsed(&name, input)
}

/// Opens the file that was named, or the history in the folder of a run that was. Its own name is returned too.
pub(crate) fn open(named: &Path) -> Result<(String, Box<dyn BufRead>), CliError> {
    let is_folder = named.is_dir();
    let file = if is_folder { named.join(store::HISTORY) } else { named.to_owned() };
    let opened = input::open(&file).map_err(|error| {
        let line = regular::cannot_read(&file, &error);
        if is_folder || error.kind() == io::ErrorKind::NotFound {
            line.hint("give a history, or the folder of a run, such as store/latest")
        } else {
            line
        }
    })?;
    Ok((file.display().to_string(), opened))
}

/// How the input of this name begins.
pub(crate) fn head<'a>(name: &str, input: &'a mut impl BufRead) -> Result<&'a [u8], CliError> {
    input.fill_buf().map_err(|error| regular::cannot_read(Path::new(name), &error))
}

/// The history in an input of this name, with the Plan from its header.
pub(crate) fn parsed(name: &str, input: impl BufRead) -> Result<(HistoryFile, Plan), CliError> {
    let file = history::read(input).map_err(|error| unreadable(name, &error))?;
    let plan: Plan = serde_json::from_value(file.header.plan.clone()).map_err(|error| {
        CliError::usage(format_args!("{name} line 1: the plan: {error}")).hint(format_args!(
            "{} recorded it, this is {PROGRAM}; if they are one, the line was changed: take an unchanged copy",
            file.header.program
        ))
    })?;
    Ok((file, plan))
}

/// What is wrong with a history, and what to do about it.
pub(crate) fn unreadable(name: &str, error: &history::ReadError) -> CliError {
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

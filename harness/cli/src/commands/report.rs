//! `quorate report`: the page of a run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use quorate_checkers::history::HistoryFile;
use quorate_checkers::judge::{Results, judge};
use quorate_checkers::linearizability::Budget;
use quorate_plan::{Plan, WorldKind};
use quorate_reports::Page;
use quorate_world::registry;

use crate::commands::check::{self, BudgetArguments};
use crate::error::CliError;
use crate::output;
use crate::packed::{self, Opened};
use crate::store;

/// The page of a run, made anew from its history alone.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate report store/latest
  quorate report history.jsonl --out page.html

Exit codes: 0 the page is written, whatever the verdict, 254 bad usage or not a history, 255 the harness
itself failed.")]
pub(crate) struct Report {
    /// A history, or the folder of a run.
    file: PathBuf,

    /// Where to write the page [default: report.html beside the history].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    budget: BudgetArguments,
}

impl Report {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let opened = Opened::at(&self.file)?;
        let (file, plan) = check::read(opened.path())?;
        let results =
            judge(&file.history, &check::demands(&file.header.model, &plan, self.budget.budget()));
        let beside = match packed::stem(&self.file) {
            Some(stem) => self.file.with_file_name(format!("{stem}.html")),
            None => store::folder_of(&self.file).join(store::REPORT),
        };
        let out = self.out.unwrap_or(beside);
        write(&out, &self.file, &file, &plan, &results)?;
        output::print(&format!("{}\n", out.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the page in the folder of a run anew, judged within this budget.
pub(crate) fn rewrite(folder: &Path, budget: Budget) -> Result<(), CliError> {
    let history = folder.join(store::HISTORY);
    let (file, plan) = check::read(&history)?;
    let results = judge(&file.history, &check::demands(&file.header.model, &plan, budget));
    write(&folder.join(store::REPORT), &history, &file, &plan, &results)
}

/// Writes the page of a run whose history stands at `source`.
pub(crate) fn write(
    out: &Path,
    source: &Path,
    file: &HistoryFile,
    plan: &Plan,
    results: &Results,
) -> Result<(), CliError> {
    let vocabulary =
        registry::vocabulary(registry::find(&plan.system.kind).map_err(CliError::usage)?);
    let mut commands = vec![
        ("check this history again".to_owned(), check(source)),
        ("run this plan again".to_owned(), again(source, file.header.mutant.as_deref())),
        ("see whether the run comes back".to_owned(), replay(source)),
    ];
    if plan.world == WorldKind::Sim && results.breaks(&file.history).is_some() {
        commands.push(("make the plan small".to_owned(), shrink(source)));
    }
    // `quorate shrink` leaves it beside the history.
    let story = fs::read_to_string(store::folder_of(source).join(store::STORY)).ok();
    let page = quorate_reports::page(&Page {
        header: &file.header,
        plan,
        history: &file.history,
        results,
        vocabulary: &vocabulary,
        commands: &commands,
        story: story.as_deref(),
    })
    .map_err(CliError::harness)?;
    store::write_whole(out, page.as_bytes())
}

/// The command that judges a history again.
pub(crate) fn check(history: &Path) -> String {
    format!("quorate check {}", quoted(history))
}

/// The command that runs the plan of a history again, with the same planted bug.
pub(crate) fn again(history: &Path, mutant: Option<&str>) -> String {
    let mutant = mutant.map(|name| format!(" --mutant {name}")).unwrap_or_default();
    format!("quorate run --plan {}{mutant}", quoted(history))
}

/// The command that sees whether a run comes back.
pub(crate) fn replay(path: &Path) -> String {
    format!("quorate replay {}", quoted(path))
}

/// The command that makes a failing plan small.
pub(crate) fn shrink(path: &Path) -> String {
    format!("quorate shrink {}", quoted(path))
}

/// A path as a shell takes it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

//! `quorate report`: the page of a run.

mod foreign;

use std::fs::{self, File};
use std::io::{self, BufRead, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use quorate_checkers::history::HistoryFile;
use quorate_checkers::judge::{Results, judge};
use quorate_checkers::linearizability::Budget;
use quorate_plan::{Plan, WorldKind};
use quorate_reports::{Log, Page, Subject};
use quorate_world::registry;

use crate::commands::check::foreign::ForeignArguments;
use crate::commands::check::{self, BudgetArguments};
use crate::error::CliError;
use crate::output;
use crate::packed::{self, Opened};
use crate::store;

/// The page of a run or of any other history, made anew from its file alone.
///
/// It takes what `check` takes: a history of another program needs --model, and has what such a file tells.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate report store/latest
  quorate report history.jsonl --out page.html
  quorate report etcd_002.log --model cas-register
  quorate report history.edn.gz --model kv --keyed --out history.html

Exit codes: 0 the page is written, whatever the verdict, 254 bad usage or not a history, 255 the harness
itself failed.")]
pub(crate) struct Report {
    /// A history, or the folder of a run.
    file: PathBuf,

    /// Where to write the page [default: report.html beside the history of a run; beside another file, its name with
    /// html at the end].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    foreign: ForeignArguments,

    #[command(flatten)]
    budget: BudgetArguments,
}

impl Report {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let opened = Opened::at(&self.file)?;
        let (name, mut input) = check::open(opened.path())?;
        let out = if self.foreign.is_ours(check::head(&name, &mut input)?) {
            self.of_run(&name, input)?
        } else {
            self.of_foreign(&name, input)?
        };
        output::print(&format!("{}\n", out.display()))?;
        Ok(ExitCode::SUCCESS)
    }

    fn of_run(&self, name: &str, input: impl BufRead) -> Result<PathBuf, CliError> {
        let (file, plan) = check::parsed(name, input)?;
        let model = self.foreign.model_of_ours(name, &file.header.model)?;
        let results = judge(&file.history, &check::demands(model, &plan, self.budget.budget()));
        let beside = match packed::stem(&self.file) {
            Some(stem) => self.file.with_file_name(format!("{stem}.html")),
            None => store::folder_of(&self.file).join(store::REPORT),
        };
        let out = self.out.clone().unwrap_or(beside);
        write(&out, &self.file, &file, &plan, &results)?;
        Ok(out)
    }

    fn of_foreign(&self, name: &str, input: impl BufRead) -> Result<PathBuf, CliError> {
        let told = foreign::told(&self.foreign, name, input, self.budget.budget())?;
        let commands = [("check this history again".to_owned(), told.command(&self.file))];
        let page = quorate_reports::page(&Page {
            subject: Subject::Foreign(&told.foreign),
            results: &told.results,
            commands: &commands,
            story: None,
            logs: &[],
        })
        .map_err(CliError::harness)?;
        let out = self.out.clone().unwrap_or_else(|| foreign::beside(&self.file));
        store::write_whole(&out, page.as_bytes())?;
        Ok(out)
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
        subject: Subject::Run {
            header: &file.header,
            plan,
            history: &file.history,
            vocabulary: &vocabulary,
        },
        results,
        commands: &commands,
        story: story.as_deref(),
        logs: &logs(store::folder_of(source)),
    })
    .map_err(CliError::harness)?;
    store::write_whole(out, page.as_bytes())
}

/// The end of a log is what is read of it, in bytes.
const LOG_MAX: u64 = 16 << 10;

/// What cores told before something went wrong, and the ends of the logs of all nodes, as far as they were left in the
/// folder of a run.
fn logs(folder: &Path) -> Vec<Log> {
    let told = fs::read_to_string(folder.join(store::TOLD)).ok();
    let told = told.filter(|told| !told.is_empty()).map(|text| Log {
        name: "What replicas and clients told of themselves, up to the anomaly".to_owned(),
        text,
    });
    let nodes = (0_u16..).map(|node| (node, folder.join(format!("nodes/n{node}/log"))));
    let logs = nodes.map_while(|(node, path)| Some((node, end_of(&path).ok()?)));
    let logs = logs.filter(|(_, text)| !text.is_empty());
    let named = logs.map(|(node, text)| Log { name: format!("Log of n{node}"), text });
    told.into_iter().chain(named).collect()
}

/// The last lines of a file.
fn end_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(LOG_MAX);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(LOG_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // The first line may be a part of one.
    let whole = if from > 0 { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    Ok(whole.to_owned())
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

//! `quorate run`: one run, checked and reported.

mod arguments;
mod plan_file;

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use quorate_checkers::history::{Nemesis, NemesisPhase, Time, What, Writer};
use quorate_checkers::judge::{Results, judge};
use quorate_checkers::verdict::Verdict;
use quorate_live::{RunSetup, RunSummary};
use quorate_plan::Plan;
use quorate_systems::mutant::{Mutant, Mutants};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::commands::check::{self, BudgetArguments};
use crate::commands::report;
use crate::error::CliError;
use crate::output;
use crate::progress::Display;
use crate::store::{self, RunFolder};

/// One run: starts the system, tortures it, judges what its clients saw, and writes the page.
///
/// Without any flag: a quorum register on five nodes (majorities), fifteen clients, thirty seconds of
/// partitions and kills. Everything is kept in the store; the links `latest` point to the last run. Ctrl-C
/// heals the faults, and checks and reports what there is; a second Ctrl-C stops at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate run
  quorate run --time-limit 10s --faults all --nodes 5 -o quorum=masking
  quorate run --mutant Q03 --faults partition
  quorate run --plan store/latest/history.jsonl

Exit codes: 0 valid, 1 invalid, 2 unknown, 254 bad usage, 255 the harness itself failed.")]
pub(crate) struct Run {
    #[command(flatten)]
    arguments: arguments::Arguments,

    /// Runs a plan from a file instead of flags: a history (its plan again), or a plan as TOML or JSON.
    #[arg(long, value_name = "FILE", conflicts_with = "Arguments")]
    plan: Option<PathBuf>,

    /// A planted bug, so that there is something to find: see `quorate list mutants`.
    #[arg(long, default_value = "none", value_name = "NAME", value_parser = mutant)]
    mutant: Mutants,

    /// The folder that runs are kept in.
    #[arg(long, default_value = "store", value_name = "DIR")]
    store: PathBuf,

    #[command(flatten)]
    budget: BudgetArguments,

    /// The results as JSON on standard output instead of text.
    #[arg(long)]
    json: bool,

    /// No progress, and nothing but the verdict.
    #[arg(long)]
    quiet: bool,
}

impl Run {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let now = Timestamp::now();
        let plan = match &self.plan {
            Some(path) => plan_file::load(path, self.mutant)?,
            None => self.arguments.plan(drawn_seed(now), self.mutant)?,
        };
        let executable = std::env::current_exe().map_err(|error| {
            CliError::harness(format_args!(
                "cannot find the program that nodes start from: {error}"
            ))
        })?;
        quorate_live::sweep(&self.store).map_err(|error| store::with_hint(&error.to_string()))?;
        let folder = RunFolder::create(&self.store, &plan.name, now)?;
        let display = Arc::new(Display::new(self.quiet || self.json));
        let setup = |progress, stop| RunSetup {
            plan: plan.clone(),
            mutants: self.mutant,
            folder: folder.path.clone(),
            executable,
            program: PROGRAM.to_owned(),
            started: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            progress,
            stop,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| CliError::harness(format_args!("cannot start threads: {error}")))?;
        let ended = go(&runtime, setup, &display, &folder);
        display.say("checking");
        let finished = ended.and_then(|summary| self.finish(&plan, &folder, summary));
        display.clear();
        let (interrupted, results) = finished.map_err(|error| after_failure(&folder, error))?;
        output::print(&if self.json {
            output::json(&results)
        } else {
            self.text(&folder, &plan, interrupted, &results)
        })?;
        Ok(ExitCode::from(results.verdict.exit_code()))
    }

    /// Judges the run from its file, closes the file with the verdict, and writes results and page.
    fn finish(
        &self,
        plan: &Plan,
        folder: &RunFolder,
        summary: RunSummary,
    ) -> Result<(bool, Results), CliError> {
        let RunSummary { mut writer, troubles, interrupted, .. } = summary;
        for trouble in troubles {
            record(&mut writer, trouble)?;
        }
        let history = folder.path.join(store::HISTORY);
        let (file, _) = check::read(&history)?;
        let results = judge(&file.history, &check::demands(&file, plan, self.budget.budget()));
        writer.finish(results.verdict, None).map_err(CliError::harness)?;
        store::write_whole(&folder.path.join(store::RESULTS), output::json(&results).as_bytes())?;
        report::write(&folder.path.join(store::REPORT), &history, &file, plan, &results)?;
        folder.link_latest()?;
        if results.verdict == Verdict::Valid {
            quorate_live::forget_observations(&folder.path);
        }
        Ok((interrupted, results))
    }

    fn text(
        &self,
        folder: &RunFolder,
        plan: &Plan,
        interrupted: bool,
        results: &Results,
    ) -> String {
        let mut text = output::verdict(results);
        if self.quiet {
            return text;
        }
        if interrupted {
            output::line(&mut text, "note", "stopped before its time");
        }
        let history = folder.path.join(store::HISTORY);
        let page = folder.path.join(store::REPORT);
        output::line(&mut text, "seed", &plan.seed.to_string());
        output::line(&mut text, "again", &report::again(&history, self.mutant.0.map(Mutant::name)));
        output::line(&mut text, "check", &report::check(&history));
        output::line(&mut text, "report", &page.display().to_string());
        text
    }
}

/// Runs the plan to its end, or to the first Ctrl-C, which ends it in good order. Ctrl-C is heeded for as
/// long as the runtime lives.
fn go(
    runtime: &Runtime,
    setup: impl FnOnce(quorate_live::Listener, watch::Receiver<bool>) -> RunSetup,
    display: &Arc<Display>,
    folder: &RunFolder,
) -> Result<RunSummary, CliError> {
    let (stop, stopped) = watch::channel(false);
    let shown = Arc::clone(display);
    let setup = setup(Arc::new(move |progress| shown.show(progress)), stopped);
    runtime.spawn(heed_ctrl_c(stop, Arc::clone(display), folder.clone()));
    runtime.block_on(quorate_live::run(setup)).map_err(|error| store::with_hint(&error.to_string()))
}

/// The first Ctrl-C ends a run in good order, the second the process at once; the nodes die with it. When
/// the run itself is over, and only its check takes long, the first one is enough.
async fn heed_ctrl_c(stop: watch::Sender<bool>, display: Arc<Display>, folder: RunFolder) {
    let Ok(mut presses) = signal(SignalKind::interrupt()) else { return };
    presses.recv().await;
    if !stop.is_closed() {
        display.note(
            "stopping: healing the faults, then checking what there is (Ctrl-C again: at once)",
        );
        stop.send_replace(true);
        presses.recv().await;
    }
    display.clear();
    after_failure(&folder, CliError::harness("stopped at once by Ctrl-C, without a verdict"))
        .print();
    std::process::exit(i32::from(crate::error::EXIT_HARNESS));
}

/// What is left of a run that came to no verdict: its history, if anything happened in it, is the latest
/// one; otherwise nothing.
fn after_failure(folder: &RunFolder, error: CliError) -> CliError {
    let history = folder.path.join(store::HISTORY);
    if !history.exists() {
        folder.discard();
        return error;
    }
    // On a full disk there is no room for a link either; the hint names the file itself.
    let _ = folder.link_latest();
    error.hint(format_args!("for what was recorded until then: {}", report::check(&history)))
}

/// Puts into the history what did not go as it must, so that the file alone gives the same verdict.
fn record(writer: &mut Writer<File>, trouble: String) -> Result<(), CliError> {
    let events = writer.history().events();
    let time = events.last().map_or(Time(0), |event| event.time);
    let used = events.iter().filter_map(|event| match &event.what {
        What::Nemesis(nemesis) => Some(nemesis.fault),
        What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Violation(_) => None,
    });
    let event = What::Nemesis(Nemesis {
        fault: used.max().map_or(0, |highest| highest + 1),
        kind: Nemesis::TROUBLE.to_owned(),
        phase: NemesisPhase::Skipped,
        targets: Vec::new(),
        what: trouble,
        bites: 0,
    });
    writer.event(time, event).map(|_| ()).map_err(CliError::harness)
}

/// A seed that is easy to type, from the clock: it only has to differ from run to run.
fn drawn_seed(now: Timestamp) -> u64 {
    u64::try_from(now.as_microsecond()).unwrap_or_default() % 1_000_000
}

fn mutant(name: &str) -> Result<Mutants, String> {
    if name == "none" {
        return Ok(Mutants::NONE);
    }
    name.parse().map(|mutant| Mutants(Some(mutant))).map_err(|_| {
        let known: Vec<_> = Mutant::ALL.iter().map(|mutant| mutant.name()).collect();
        format!("there is: none, {}", known.join(", "))
    })
}

/// What stands in the headers of histories.
const PROGRAM: &str = concat!("quorate ", env!("CARGO_PKG_VERSION"));

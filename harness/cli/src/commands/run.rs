//! `quorate run`: one run, checked and reported.

pub(crate) mod arguments;
mod interrupt;
pub(crate) mod live;
pub(crate) mod plan_file;
pub(crate) mod simulated;
pub(crate) mod story;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use quorate_checkers::history::{HistoryFile, Writer};
use quorate_checkers::judge::{Results, judge};
use quorate_checkers::linearizability::Budget;
use quorate_checkers::model;
use quorate_checkers::stream::{Limits, Undecided};
use quorate_checkers::verdict::Verdict;
use quorate_plan::{Fault, Plan, PlannedFault, WorldKind};
use quorate_systems::mutant::{Mutant, Mutants};
use serde::Serialize;

pub(crate) use self::arguments::system;
use self::simulated::Simulation;
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
///
/// With `--world sim` the same plan runs in virtual time, much faster than real time and without a process:
/// the same plan gives the same run, byte for byte, and the digest printed at the end says so. Invariants of
/// the system are checked there as well, and that it comes to life again once everything is healed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate run
  quorate run --time-limit 10s --faults all --nodes 5 -o quorum=masking
  quorate run --mutant Q03 --faults partition
  quorate run --world sim --faults all --time-limit 10m --seed 7
  quorate run --plan store/latest/history.jsonl
  quorate run --plan store/latest --world sim

Exit codes: 0 valid, 1 invalid, 2 unknown, 254 bad usage, 255 the harness itself failed.")]
pub(crate) struct Run {
    #[command(flatten)]
    arguments: arguments::Arguments,

    /// Where it runs: `live` starts real processes, `sim` simulates them in virtual time [default: the one
    /// that the plan says, or live].
    #[arg(long, value_enum)]
    world: Option<World>,

    /// Runs a plan from a file instead of flags: a history (its plan again), or a plan as TOML or JSON.
    #[arg(long, value_name = "FILE", conflicts_with = "Arguments")]
    plan: Option<PathBuf>,

    /// A planted bug, so that there is something to find: see `quorate list mutants`.
    #[arg(long, default_value = "none", value_name = "NAME", value_parser = mutant)]
    mutant: Mutants,

    /// The folder that runs are kept in.
    #[arg(long, default_value = "store", value_name = "DIR")]
    store: PathBuf,

    /// Stops at the first violation that the clients have certainly seen, within a second, without healing and final
    /// reads; then judges and reports what there is.
    #[arg(long)]
    fail_fast: bool,

    #[command(flatten)]
    budget: BudgetArguments,

    /// The results as JSON on standard output instead of text.
    #[arg(long)]
    json: bool,

    /// No progress, and nothing but the verdict with its reasons.
    #[arg(long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum World {
    Live,
    Sim,
}

impl World {
    pub(crate) const fn kind(self) -> WorldKind {
        match self {
            Self::Live => WorldKind::Live,
            Self::Sim => WorldKind::Sim,
        }
    }
}

/// A run that begins.
struct Begun<'a> {
    plan: &'a Plan,
    mutants: Mutants,
    folder: &'a RunFolder,
    now: Timestamp,
    display: Arc<Display>,
    /// It ends at the first violation that its clients have certainly seen.
    fail_fast: bool,
}

impl Begun<'_> {
    /// When, for the history's header.
    fn started(&self) -> String {
        started(self.now)
    }
}

/// A run whose history is complete, but for the footer.
pub(crate) struct Ended {
    writer: Writer<File>,
    /// It was stopped before its time.
    interrupted: bool,
    /// A violation stopped it.
    violated: bool,
    /// What could not be watched to the end for a violation.
    unwatched: Vec<Undecided>,
    simulation: Option<Simulation>,
}

/// What `results.json` holds: the judgement, and what else there is to say of a simulated run.
#[derive(Serialize)]
struct Kept<'a> {
    #[serde(flatten)]
    results: &'a Results,
    #[serde(skip_serializing_if = "Option::is_none")]
    simulation: Option<&'a Simulation>,
}

impl Run {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let now = Timestamp::now();
        let (plan, notes) = self.plan(now)?;
        let display = Arc::new(Display::new(self.quiet || self.json));
        let budget = self.budget.budget();
        if self.fail_fast {
            can_fail_fast(&plan)?;
        }
        let how = How { mutants: self.mutant, now, budget, fail_fast: self.fail_fast };
        let (folder, finished) = carry_out(&plan, how, &self.store, &display)?;
        let verdict = finished.results.verdict;
        output::print(&if self.json {
            output::json(&finished.kept())
        } else {
            self.text(&folder, &plan, &finished, &notes)
        })?;
        Ok(ExitCode::from(verdict.exit_code()))
    }

    /// What is to be run, and where; and what the world does not do as the plan says.
    fn plan(&self, now: Timestamp) -> Result<(Plan, Vec<&'static str>), CliError> {
        let world = self.world.map(World::kind);
        let Some(path) = &self.plan else {
            let world = world.unwrap_or(WorldKind::Live);
            let plan = self.arguments.plan(world, drawn_seed(now), self.mutant)?;
            return Ok((plan, Vec::new()));
        };
        let mut plan = plan_file::load(path, self.mutant)?;
        let Some(world) = world.filter(|world| *world != plan.world) else {
            return Ok((plan, Vec::new()));
        };
        plan.world = world;
        plan.validate().map_err(|error| {
            CliError::usage(format_args!("{}: {error}", path.display()))
                .hint("take it out of the plan, or leave out --world live")
        })?;
        let notes = coarser(&plan);
        Ok((plan, notes))
    }

    fn text(&self, folder: &RunFolder, plan: &Plan, finished: &Finished, notes: &[&str]) -> String {
        let mut text = output::verdict(&finished.results, plan.expect);
        if self.quiet {
            return text;
        }
        text += &output::notes(&finished.results);
        for note in notes {
            output::line(&mut text, "note", note);
        }
        if finished.violated {
            output::line(&mut text, "note", "stopped at the first violation (--fail-fast)");
        } else if finished.interrupted {
            output::line(&mut text, "note", "stopped before its time");
        }
        let history = folder.path.join(store::HISTORY);
        let page = folder.path.join(store::REPORT);
        if let Some(first) = finished.unwatched.first() {
            let (count, first) = (finished.unwatched.len(), first.sentence());
            let more =
                if count > 1 { format!(", and {} more keys", count - 1) } else { String::new() };
            let note = format!("--fail-fast did not watch all of the run: {first}{more}");
            output::line(&mut text, "note", &note);
        }
        output::line(&mut text, "seed", &plan.seed.to_string());
        match &finished.simulation {
            Some(simulation) => simulation.tell(&mut text),
            // In virtual time they would say how the weather was.
            None => text += &output::speed(&finished.results),
        }
        output::line(&mut text, "again", &report::again(&history, self.mutant.0.map(Mutant::name)));
        // A valid run of real processes keeps no inputs to be replayed from.
        let comes_back = match &finished.simulation {
            Some(simulation) => !simulation.interrupted,
            None => finished.results.verdict != Verdict::Valid,
        };
        if comes_back {
            output::line(&mut text, "replay", &report::replay(&history));
        }
        if finished.breaks.is_some() {
            output::line(&mut text, "shrink", &report::shrink(&history));
        }
        output::line(&mut text, "check", &report::check(&history));
        output::line(&mut text, "report", &page.display().to_string());
        text
    }
}

/// How a plan is run, beside what it says itself.
#[derive(Clone, Copy)]
pub(crate) struct How {
    pub(crate) mutants: Mutants,
    /// When it begins.
    pub(crate) now: Timestamp,
    /// What its judgement may cost.
    pub(crate) budget: Budget,
    /// It ends at the first violation that its clients have certainly seen.
    pub(crate) fail_fast: bool,
}

/// Refuses to fail fast by a model that cannot tell before the end.
fn can_fail_fast(plan: &Plan) -> Result<(), CliError> {
    let name = plan.workload.kind.model();
    let model = model::by_name(name);
    if model.is_some_and(|model| model.stream(Limits::default()).is_some()) {
        return Ok(());
    }
    Err(CliError::usage(format_args!(
        "the model `{name}` of this workload judges whole histories only: a run cannot fail fast by it"
    ))
    .hint("leave out --fail-fast, or take another workload: see `quorate list workloads`"))
}

/// Runs a plan in its world, from an empty folder of the store to the page.
pub(crate) fn carry_out(
    plan: &Plan,
    how: How,
    store: &Path,
    display: &Arc<Display>,
) -> Result<(RunFolder, Finished), CliError> {
    let How { mutants, now, budget, fail_fast } = how;
    if plan.world == WorldKind::Live {
        quorate_live::sweep(store).map_err(|error| store::with_hint(&error.to_string()))?;
    }
    let folder = RunFolder::create(store, &plan.name, now)?;
    let display = Arc::clone(display);
    let begun = Begun { plan, mutants, folder: &folder, now, display, fail_fast };
    // It lives until the check is over, so that Ctrl-C is heeded until then.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::harness(format_args!("cannot start threads: {error}")))?;
    let ended = match plan.world {
        WorldKind::Live => live::go(&runtime, &begun),
        WorldKind::Sim => simulated::go(&runtime, &begun),
    };
    let display = begun.display;
    display.say("checking");
    let finished = ended.and_then(|ended| finish(plan, &folder.path, ended, budget));
    let finished = finished.and_then(|finished| {
        folder.link_latest()?;
        if plan.world == WorldKind::Live && finished.results.verdict == Verdict::Valid {
            quorate_live::forget_observations(&folder.path);
        }
        Ok(finished)
    });
    display.clear();
    match finished {
        Ok(finished) => Ok((folder, finished)),
        Err(error) => Err(after_failure(&folder, error)),
    }
}

/// What real processes and disks cannot do as exactly as a plan for the simulator says.
fn coarser(plan: &Plan) -> Vec<&'static str> {
    if plan.world == WorldKind::Sim {
        return Vec::new();
    }
    let in_a_step = |planned: &PlannedFault| {
        matches!(
            planned.fault,
            Fault::Kill { after_effects: Some(_), .. }
                | Fault::PowerLoss { after_effects: Some(_), .. }
        )
    };
    let notes = [
        (
            plan.faults.iter().any(in_a_step),
            "real processes are killed at once, not in the middle of a step (after_effects)",
        ),
        (
            plan.weather.is_some(),
            "real disks take their own time, not that of the weather (sync_min_us, sync_max_us)",
        ),
    ];
    notes.into_iter().filter(|(applies, _)| *applies).map(|(_, note)| note).collect()
}

/// A run that was judged.
pub(crate) struct Finished {
    pub(crate) results: Results,
    /// The demand that is broken first.
    pub(crate) breaks: Option<String>,
    /// It was stopped before its time.
    pub(crate) interrupted: bool,
    /// How many events the history has.
    pub(crate) events: u64,
    /// A violation stopped it.
    violated: bool,
    /// What could not be watched to the end for a violation.
    unwatched: Vec<Undecided>,
    simulation: Option<Simulation>,
}

impl Finished {
    /// The digest of a simulated run that came to its end.
    pub(crate) fn digest(&self) -> Option<String> {
        self.simulation.as_ref().and_then(Simulation::run_digest).map(|run| run.digest)
    }

    fn kept(&self) -> Kept<'_> {
        Kept { results: &self.results, simulation: self.simulation.as_ref() }
    }
}

/// Judges the run from its file, closes the file with the verdict, and writes results, diagram and page.
pub(crate) fn finish(
    plan: &Plan,
    folder: &Path,
    ended: Ended,
    budget: Budget,
) -> Result<Finished, CliError> {
    let (file, finished) = conclude(plan, folder, ended, budget)?;
    if let Some(demand) = &finished.breaks {
        story::write(folder, &file, plan, &finished.results, demand)?;
    }
    let history = folder.join(store::HISTORY);
    report::write(&folder.join(store::REPORT), &history, &file, plan, &finished.results)?;
    Ok(finished)
}

/// Judges the run from its file, closes the file with the verdict, and writes the results. What was read of the file, before
/// it was closed, is returned with them.
pub(crate) fn conclude(
    plan: &Plan,
    folder: &Path,
    ended: Ended,
    budget: Budget,
) -> Result<(HistoryFile, Finished), CliError> {
    let Ended { writer, interrupted, violated, unwatched, simulation } = ended;
    let history = folder.join(store::HISTORY);
    let (file, _) = check::read(&history)?;
    let mut results = judge(&file.history, &check::demands(&file.header.model, plan, budget));
    let notes = simulation.iter().flat_map(|simulation| simulation.notes.iter().cloned());
    results.vacuity.notes.extend(notes);
    let digest = simulation.as_ref().and_then(Simulation::run_digest);
    writer.finish(results.verdict, digest).map_err(CliError::harness)?;
    let breaks = results.breaks(&file.history).map(ToOwned::to_owned);
    let events = file.history.len();
    let finished =
        Finished { results, breaks, interrupted, events, violated, unwatched, simulation };
    let kept = output::json(&finished.kept());
    store::write_whole(&folder.join(store::RESULTS), kept.as_bytes())?;
    Ok((file, finished))
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

/// A seed that is easy to type, from the clock: it only has to differ from run to run.
pub(crate) fn drawn_seed(now: Timestamp) -> u64 {
    u64::try_from(now.as_microsecond()).unwrap_or_default() % 1_000_000
}

/// When a run began, for the header of its history.
pub(crate) fn started(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A planted bug by its name.
pub(crate) fn mutant(name: &str) -> Result<Mutants, String> {
    if name == "none" {
        return Ok(Mutants::NONE);
    }
    name.parse().map(|mutant| Mutants(Some(mutant))).map_err(|_| {
        let known: Vec<_> = Mutant::ALL.iter().map(|mutant| mutant.name()).collect();
        format!("there is: none, {}", known.join(", "))
    })
}

/// What stands in the headers of histories.
pub(crate) const PROGRAM: &str = concat!("quorate ", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use quorate_plan::{SystemPlan, Weather};

    use super::*;

    #[test]
    fn what_a_live_world_does_more_coarsely_is_noted() {
        let system = SystemPlan { kind: "quorum".to_owned(), nodes: 3, options: BTreeMap::new() };
        let mut plan = Plan::new("a", 1, WorldKind::Live, system);
        assert!(coarser(&plan).is_empty());
        plan.weather = Some(Weather::CALM);
        let nodes = BTreeSet::from([0]);
        let fault = Fault::Kill { nodes, after_effects: Some(2) };
        plan.faults = vec![PlannedFault { when: None, at_ms: 1, for_ms: 1, fault }];
        assert_eq!(coarser(&plan).len(), 2);
        plan.world = WorldKind::Sim;
        assert!(coarser(&plan).is_empty());
    }
}

//! What the threads do: simulated runs, live runs, and findings made small.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use quorate_checkers::history::{Builder, Time, What};
use quorate_checkers::judge::{Results, judge};
use quorate_checkers::linearizability::Budget;
use quorate_checkers::verdict::Verdict;
use quorate_plan::{Plan, Shows, WorldKind};
use quorate_sim::Checks;
use quorate_sim::shrink::{Progress, Shape, Wanted, shrink};
use quorate_systems::mutant::Mutants;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::campaign::Campaign;
use super::desk::{Clock, Shrink};
use super::draw::{Drawer, Drawn};
use super::examined::{Examined, FOUND, PLAN, SHRUNK};
use super::line::Line;
use crate::commands::check;
use crate::commands::run::{self, live::Watched};
use crate::commands::shrink::{from_live, kept, sizes};
use crate::error::CliError;
use crate::panics;
use crate::store;

/// What judging one run may cost: for most of them hundreds of times what it does. One that takes longer is unknown, and
/// must not hold up a night.
pub(super) const JUDGING: Budget = Budget { time: Duration::from_secs(5), memory_bytes: 256 << 20 };
/// So many plans are run for one finding at most, where nothing else ends it: what comes of it depends on no clock.
const TRIES_MAX: u64 = 20_000;
/// A live run is told to the simulator in at most so long.
const TELLING_MAX: Duration = Duration::from_secs(30);

/// A thread with what it works with.
pub(super) struct Worker {
    campaign: Arc<Campaign>,
    folder: PathBuf,
    drawer: Drawer,
    clock: Clock,
}

impl Worker {
    pub(super) fn new(campaign: &Arc<Campaign>, folder: &Path, clock: Clock) -> Self {
        Self {
            campaign: Arc::clone(campaign),
            folder: folder.to_owned(),
            drawer: Drawer::new(Arc::clone(campaign)),
            clock,
        }
    }

    /// Draws a run, does it in virtual time, and judges it.
    pub(super) fn simulate(&mut self, index: u64) -> Line {
        let began = Instant::now();
        let ran = panics::quietly(|| catch_unwind(AssertUnwindSafe(|| self.simulated(index))));
        let line = ran.unwrap_or_else(|panic| {
            // What a panic leaves behind is not to be trusted.
            self.drawer = Drawer::new(Arc::clone(&self.campaign));
            self.broken(index, &panicked(panic.as_ref()))
        });
        self.timed(line, began)
    }

    fn simulated(&mut self, index: u64) -> Line {
        let drawn = match self.drawer.draw(index) {
            Ok(drawn) => drawn,
            Err(error) => return self.broken(index, &error.to_string()),
        };
        let mut history = Builder::new();
        let mut sink = |time: Time, what: What| {
            history.push(time, what).map(|_| ()).map_err(|error| error.to_string())
        };
        let simulator = self.drawer.simulator(drawn.system);
        let outcome =
            match simulator.run(&drawn.plan, self.campaign.mutants, Checks::ALL, &mut sink) {
                Ok(outcome) => outcome,
                Err(error) => return Line::broken(&drawn, &placed(&error.to_string())),
            };
        let history = history.finish();
        let model = drawn.plan.workload.kind.model();
        let results = judge(&history, &check::demands(model, &drawn.plan, JUDGING));
        let milestones = outcome.milestones.into_iter();
        Line {
            events: outcome.digest.steps,
            virtual_us: outcome.virtual_us,
            milestones: milestones.map(|(name, times)| (name.to_owned(), times)).collect(),
            ..Line::judged(&drawn, &results, results.breaks(&history))
        }
    }

    /// Draws a run and does it with real processes, in a folder of its own. Nothing if it was stopped before its time: such
    /// a run counts for nothing.
    pub(super) fn run_live(
        &mut self,
        runtime: &Runtime,
        index: u64,
        stop: watch::Receiver<bool>,
    ) -> Option<Line> {
        let began = Instant::now();
        let drawn = match self.drawer.draw(index) {
            Ok(drawn) => drawn,
            Err(error) => return Some(self.broken(index, &error.to_string())),
        };
        let folder = self.found(index);
        let ran = catch_unwind(AssertUnwindSafe(|| self.live(runtime, &drawn, &folder, stop)));
        let line = match ran {
            Ok(Ok(Some(line))) => line,
            Ok(Ok(None)) => return None,
            Ok(Err(error)) => Line::broken(&drawn, error.message()),
            Err(panic) => Line::broken(&drawn, &panicked(panic.as_ref())),
        };
        Some(self.timed(line, began))
    }

    /// Nothing if it was stopped before its time.
    fn live(
        &self,
        runtime: &Runtime,
        drawn: &Drawn,
        folder: &Path,
        stop: watch::Receiver<bool>,
    ) -> Result<Option<Line>, CliError> {
        // What a killed campaign left of it.
        let _ = fs::remove_dir_all(folder);
        make(folder)?;
        write_plan(folder, drawn.plan.clone(), None)?;
        let watched = Watched {
            started: run::started(Timestamp::now()),
            progress: Arc::new(|_| {}),
            fail_fast: false,
            stop,
        };
        let ended =
            run::live::record(runtime, folder, &drawn.plan, self.campaign.mutants, watched)?;
        let finished = run::finish(&drawn.plan, folder, ended, JUDGING)?;
        if finished.interrupted {
            return Ok(None);
        }
        let results = &finished.results;
        let breaks = finished.breaks.as_deref();
        Ok(Some(Line {
            events: finished.events,
            milestones: reached(folder, &drawn.plan, self.campaign.mutants),
            ..Line::judged(drawn, results, breaks)
        }))
    }

    /// Keeps the run of a finding with its history and page, and makes its plan small.
    pub(super) fn examine(&mut self, job: &Shrink, stop: &AtomicBool) -> Result<Examined, String> {
        let worked =
            panics::quietly(|| catch_unwind(AssertUnwindSafe(|| self.examined(job, stop))));
        match worked {
            Ok(Ok(examined)) => Ok(examined),
            Ok(Err(error)) => Err(error.message().to_owned()),
            Err(panic) => {
                self.drawer = Drawer::new(Arc::clone(&self.campaign));
                Err(panicked(panic.as_ref()))
            }
        }
    }

    fn examined(&mut self, job: &Shrink, stop: &AtomicBool) -> Result<Examined, CliError> {
        let drawn = self.drawer.draw(job.index).map_err(CliError::harness)?;
        let folder = self.found(job.index);
        let mut examined = Examined::unshrunk(job, drawn.plan.seed);
        let plan = match job.world {
            WorldKind::Sim => {
                keep_run(&folder, &drawn.plan, &self.campaign)?;
                Some(drawn.plan)
            }
            WorldKind::Live => from_live(&folder, self.telling_time(), stop)?,
        };
        let Some(plan) = plan else { return Ok(examined) };
        let clock = self.clock;
        let mut watch = |progress: &Progress| {
            progress.tries < TRIES_MAX && !clock.is_long_over() && !stop.load(Ordering::Relaxed)
        };
        let wanted = Wanted::Demand(job.demand.clone());
        let Ok(mut shrunk) = shrink(&plan, self.campaign.mutants, &wanted, &mut watch) else {
            return Ok(examined);
        };
        shrunk.plan.name.push_str("-shrunk");
        let folder = folder.join(SHRUNK);
        make(&folder)?;
        let kept = kept::keep(&folder, &shrunk, self.campaign.mutants, Timestamp::now())?;
        examined.shape = Some(Shape::of(&shrunk.plan));
        examined.sentence = sentence(&kept.results);
        examined.steps = kept.steps;
        examined.before = sizes(&shrunk.before);
        examined.after = sizes(&shrunk.after);
        // What was ended by its number of plans is as small as anybody will see it.
        examined.is_complete = shrunk.is_complete;
        Ok(examined)
    }

    /// How long a live run may be told to the simulator.
    fn telling_time(&self) -> Duration {
        self.clock
            .left()
            .map_or(TELLING_MAX, |left| (left / 2).min(TELLING_MAX))
            .max(Duration::from_secs(5))
    }

    fn broken(&mut self, index: u64, why: &str) -> Line {
        let dealt = self.campaign.deal().run(index);
        let system = self.campaign.systems.get(dealt.system).copied();
        let system = system.unwrap_or(quorate_systems::SystemKind::Quorum);
        let kind = quorate_plan::SystemPlan {
            kind: system.name().to_owned(),
            nodes: system.vocabulary().nodes,
            options: self.campaign.wishes.options.clone(),
        };
        let plan = Plan::new("torture", dealt.seed, dealt.world, kind);
        Line::broken(&Drawn { index, system, plan }, why)
    }

    fn timed(&self, line: Line, began: Instant) -> Line {
        let took = began.elapsed().as_micros();
        let ended = self.clock.elapsed().as_millis();
        Line {
            took_us: u64::try_from(took).unwrap_or(u64::MAX),
            ended_ms: u64::try_from(ended).unwrap_or(u64::MAX),
            ..line
        }
    }

    fn found(&self, index: u64) -> PathBuf {
        self.folder.join(FOUND).join(index.to_string())
    }
}

/// The milestones of a live run, for which its cores do again what they did. None are known where their inputs are of no
/// use, which is no reason to doubt the run.
fn reached(folder: &Path, plan: &Plan, mutants: Mutants) -> BTreeMap<String, u64> {
    // How long the logs of inputs are stands at the end of the history, which is written by now.
    let Ok((file, _)) = check::read(&folder.join(store::HISTORY)) else { return BTreeMap::new() };
    let again = panics::quietly(|| quorate_live::milestones(folder, &file, plan, mutants));
    let counted = again.unwrap_or_default().into_iter();
    counted.map(|(name, times)| (name.to_owned(), times)).collect()
}

/// Runs a simulated plan once more, and keeps it with its history and page.
pub(super) fn keep_run(folder: &Path, plan: &Plan, campaign: &Campaign) -> Result<(), CliError> {
    make(folder)?;
    let started = run::started(Timestamp::now());
    let ended = run::simulated::record(folder, plan, campaign.mutants, started)?;
    let finished = run::finish(plan, folder, ended, JUDGING)?;
    let digest = finished.digest();
    let breaks = finished.breaks.filter(|_| finished.results.verdict == Verdict::Invalid);
    let shows = breaks.map(|breaks| Shows {
        breaks,
        mutant: campaign.mutant().map(ToOwned::to_owned),
        digest,
    });
    write_plan(folder, plan.clone(), shows)
}

/// Writes the plan of a run beside its history.
pub(super) fn write_plan(folder: &Path, plan: Plan, shows: Option<Shows>) -> Result<(), CliError> {
    let plan = Plan { shows, ..plan };
    store::write_whole(&folder.join(PLAN), quorate_plan::to_toml(&plan).as_bytes())
}

/// Makes a folder, with all above it.
pub(super) fn make(folder: &Path) -> Result<(), CliError> {
    fs::create_dir_all(folder).map_err(|error| store::cannot("make the folder", folder, &error))
}

/// What is wrong, without how many more there are of the kind: a campaign counts otherwise.
fn sentence(results: &Results) -> String {
    let first = results.sentences.first().map(String::as_str).unwrap_or_default();
    let bare = first.rsplit_once(" (and ").filter(|(_, rest)| rest.ends_with(" more)"));
    bare.map_or(first, |(bare, _)| bare).to_owned()
}

/// An error of the simulator with the place of the panic behind it, if there was one.
fn placed(error: &str) -> String {
    match panics::last_place() {
        Some(place) => format!("{error} (it panicked at {place})"),
        None => error.to_owned(),
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    placed(&format!("the harness panicked: {}", text.unwrap_or("without a message")))
}

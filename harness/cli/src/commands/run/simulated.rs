//! A run in virtual time.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use quorate_checkers::history::{Event, Header, RunDigest, Time, What, Writer};
use quorate_checkers::model;
use quorate_checkers::stream::{Limits, Referee};
use quorate_plan::Plan;
use quorate_sim::{Checks, Outcome, QueueKind, Remote, SimError};
use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_world::registry;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::{Begun, Ended, PROGRAM, interrupt};
use crate::error::CliError;
use crate::output;
use crate::panics;
use crate::progress::Display;
use crate::store;

/// What there is to say of a simulated run besides its history.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Simulation {
    /// The digest over all events of the world: the same plan gives the same.
    pub(crate) digest: String,
    /// How many events there were.
    pub(crate) events: u64,
    /// How many messages were sent.
    pub(crate) messages: u64,
    /// How much virtual time passed, in microseconds.
    pub(crate) virtual_us: u64,
    /// How much real time that took, in microseconds.
    pub(crate) real_us: u64,
    /// How often each milestone of the system was reached.
    pub(crate) milestones: BTreeMap<&'static str, u64>,
    /// How often an input changed nothing, by reason.
    pub(crate) ignored: BTreeMap<&'static str, u64>,
    /// What is remarkable about it, one sentence each.
    pub(crate) notes: Vec<String>,
    /// It was stopped before its time: its plan alone does not give it again.
    pub(crate) interrupted: bool,
}

/// Runs the plan to its end, or to the first Ctrl-C, which ends it in good order.
pub(super) fn go(runtime: &Runtime, begun: &Begun<'_>) -> Result<Ended, CliError> {
    let remote = Arc::new(Remote::default());
    let watched = Arc::downgrade(&remote);
    let limit = Duration::from_millis(begun.plan.durations.time_limit_ms);
    runtime.spawn(show(Weak::clone(&watched), Arc::clone(&begun.display), limit));
    // Once the run is over nobody holds the remote any more.
    let stop = move || {
        watched.upgrade().is_some_and(|remote| {
            remote.stop();
            true
        })
    };
    runtime.spawn(interrupt::heed(stop, Arc::clone(&begun.display), begun.folder.clone()));
    let Begun { plan, mutants, folder, fail_fast, .. } = begun;
    let model = model::by_name(plan.workload.kind.model()).filter(|_| *fail_fast);
    let referee = model.and_then(|model| Referee::new(model, Limits::default()));
    let watched = Watched { remote, referee };
    simulate(&folder.path, plan, *mutants, begun.started(), Some(watched))
}

/// Runs a plan and writes its history into a folder.
pub(crate) fn record(
    folder: &Path,
    plan: &Plan,
    mutants: Mutants,
    started: String,
) -> Result<Ended, CliError> {
    simulate(folder, plan, mutants, started, None)
}

/// What a run is watched and stopped by.
struct Watched {
    remote: Arc<Remote>,
    /// Who stops it at the first violation, if anybody does.
    referee: Option<Referee<'static>>,
}

/// Shows how far the run is, for as long as it goes on.
async fn show(remote: Weak<Remote>, display: Arc<Display>, limit: Duration) {
    let began = Instant::now();
    while let Some(remote) = remote.upgrade() {
        display.show_simulated(&remote, limit, began.elapsed());
        drop(remote);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn simulate(
    folder: &Path,
    plan: &Plan,
    mutants: Mutants,
    started: String,
    watched: Option<Watched>,
) -> Result<Ended, CliError> {
    let kind = registry::find(&plan.system.kind).map_err(CliError::usage)?;
    let path = folder.join(store::HISTORY);
    let header = header(plan, mutants, started)?;
    let file = File::create(&path).map_err(|error| store::cannot("write", &path, &error))?;
    let mut writer =
        Writer::new(file, &header).map_err(|error| store::with_hint(&error.to_string()))?;
    let (remote, referee) = watched.map(|watched| (watched.remote, watched.referee)).unzip();
    let mut referee = referee.flatten();
    let mut sink = |time: Time, what: What| {
        let told = referee.as_ref().map(|_| what.clone());
        let index = writer.event(time, what).map_err(|error| error.to_string())?;
        if let (Some(referee), Some(what)) = (&mut referee, told) {
            referee.take(&Event { index, time, what });
            if let Some(remote) = remote.as_ref().filter(|_| referee.violation().is_some()) {
                remote.stop();
            }
        }
        Ok(())
    };
    let began = Instant::now();
    let mut simulator = quorate_sim::simulator(kind, QueueKind::default());
    if let Some(remote) = &remote {
        simulator.attach(Arc::clone(remote));
    }
    let ran = panics::quietly(|| simulator.run(plan, mutants, Checks::ALL, &mut sink));
    drop(simulator);
    match ran {
        Ok(outcome) => {
            let simulation = Simulation::of(kind, outcome, began.elapsed());
            let interrupted = simulation.interrupted;
            let violated = referee.as_ref().is_some_and(|referee| referee.violation().is_some());
            let unwatched = referee.map(|referee| referee.undecided()).unwrap_or_default();
            Ok(Ended { writer, interrupted, violated, unwatched, simulation: Some(simulation) })
        }
        Err(error) => {
            if writer.history().is_empty() {
                // A history in which nothing happens helps nobody.
                let _ = fs::remove_file(&path);
            }
            Err(failure(&error))
        }
    }
}

/// The first line of the history of a run of this plan.
fn header(plan: &Plan, mutants: Mutants, started: String) -> Result<Header, CliError> {
    Ok(Header {
        program: PROGRAM.to_owned(),
        started,
        mutant: mutants.0.map(|mutant| Mutant::name(mutant).to_owned()),
        model: plan.workload.kind.model().to_owned(),
        plan: serde_json::to_value(plan).map_err(CliError::harness)?,
    })
}

/// Who is to blame that there is no run.
pub(crate) fn failure(error: &SimError) -> CliError {
    match error {
        SimError::Plan(_) | SimError::System(_) | SimError::Options(_) | SimError::Regime(_) => {
            CliError::usage(error)
        }
        SimError::Recording(_) => store::with_hint(&error.to_string()),
        SimError::Harness(_) => {
            let failed = CliError::harness(error);
            match panics::last_place() {
                Some(place) => {
                    failed.hint(format_args!("it panicked at {place}: please report it"))
                }
                None => failed,
            }
        }
    }
}

impl Simulation {
    fn of(kind: SystemKind, outcome: Outcome, real: Duration) -> Self {
        let Outcome { digest, virtual_us, messages, .. } = outcome;
        let of_world = quorate_sim::MILESTONES.iter();
        let known = kind.vocabulary().milestones.iter().chain(of_world);
        let known = known.map(|milestone| (milestone.name, 0));
        let mut milestones: BTreeMap<_, _> = known.collect();
        milestones.extend(outcome.milestones);
        Self {
            digest: digest.digest,
            events: digest.steps,
            messages,
            virtual_us,
            real_us: u64::try_from(real.as_micros()).unwrap_or(u64::MAX),
            milestones,
            ignored: outcome.ignored.into_iter().collect(),
            notes: outcome.notes,
            interrupted: outcome.interrupted,
        }
    }

    /// For the footer of the history: the promise that the plan gives this run again.
    pub(crate) fn run_digest(&self) -> Option<RunDigest> {
        let digest = RunDigest { steps: self.events, digest: self.digest.clone() };
        (!self.interrupted).then_some(digest)
    }

    /// For people.
    pub(crate) fn tell(&self, text: &mut String) {
        let Self { digest, events, messages, virtual_us, real_us, .. } = self;
        let (virtual_time, real_time) = (seconds(*virtual_us), seconds(*real_us));
        let time = format!(
            "{virtual_time} s in {real_time} s of real time: {events} events, {messages} messages"
        );
        output::line(text, "virtual", &time);
        output::line(text, "digest", digest);
        let reached: Vec<String> = self
            .milestones
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        if !reached.is_empty() {
            output::line(text, "reached", &reached.join(", "));
        }
    }
}

/// Microseconds as seconds with three places.
fn seconds(us: u64) -> String {
    format!("{}.{:03}", us / 1_000_000, us % 1_000_000 / 1_000)
}

//! A run of real processes that failed, told to the simulator: a plan whose simulated run fails in the same way.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use quorate_checkers::history::HistoryFile;
use quorate_checkers::judge::{Results, judge};
use quorate_checkers::linearizability::Budget;
use quorate_live::ReexecuteError;
use quorate_plan::{Plan, TraceStep, WorldKind};
use quorate_sim::SimError;
use quorate_sim::shrink::{self, ShrinkError};
use quorate_systems::mutant::Mutants;
use quorate_world::inputs::{Account, Cut, Down, Syncs};

use crate::commands::check;
use crate::commands::replay::COPY_ANEW;
use crate::commands::run::simulated;
use crate::error::CliError;
use crate::panics;

/// A run of real processes whose history is known.
pub(super) struct Live {
    /// Its folder.
    pub(super) folder: PathBuf,
    pub(super) file: HistoryFile,
    pub(super) plan: Plan,
    pub(super) mutants: Mutants,
}

/// A plan that fails in the simulator as the run did.
pub(super) struct FromLive {
    pub(super) plan: Plan,
    /// Where it is from and what it shows, for people.
    pub(super) how: String,
    /// What it breaks.
    pub(super) demand: String,
}

/// What became of a failing run of real processes.
pub(super) enum Told {
    /// There is a plan.
    Found(Box<FromLive>),
    /// No plan was found that breaks this demand, and why the inputs were of no use, if they were of none.
    NotFound { demand: String, why: Option<String>, tries: u64, stopped: Option<Stopped> },
    /// The run breaks nothing.
    NothingBroken,
}

/// Why a search came to no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    OutOfTime,
    Interrupted,
}

/// Operations of a part that is told: first few, so that what is found is small; then more, since what led to the
/// failure may have begun long before.
const COUNTS: [usize; 3] = [24, 72, 240];
/// Parts overlap by half.
const OVERLAP: usize = 2;
/// A part that shows the failure is made narrower by no fewer operations at once.
const STEP_MIN: usize = 2;
/// Seeds that are tried with the plan that the run had.
const SEEDS: u64 = 40;

impl Live {
    /// Searches for a plan until there is one, until so long, or until it is to stop.
    pub(super) fn tell(&self, limit: Duration, stop: &AtomicBool) -> Result<Told, CliError> {
        let demands = check::demands(&self.file.header.model, &self.plan, Budget::default());
        let results = judge(&self.file.history, &demands);
        let Some(demand) = results.breaks(&self.file.history) else {
            return Ok(Told::NothingBroken);
        };
        let search = Search { live: self, demand, tries: 0, until: Instant::now() + limit, stop };
        search.go(&results)
    }
}

/// What parts of the run are told from.
struct Part<'a> {
    account: &'a Account,
    downs: &'a [Down],
    syncs: Syncs,
}

struct Search<'a> {
    live: &'a Live,
    demand: &'a str,
    tries: u64,
    until: Instant,
    stop: &'a AtomicBool,
}

impl Search<'_> {
    fn go(mut self, results: &Results) -> Result<Told, CliError> {
        let Live { folder, file, plan, mutants } = self.live;
        let account = panics::quietly(|| quorate_live::account(folder, file, plan, *mutants));
        let why = match account {
            Ok(account) => {
                if let Some(found) = self.among_parts(&account, results)? {
                    return Ok(Told::Found(Box::new(found)));
                }
                None
            }
            Err(error) => Some(gone(&error)?),
        };
        if let Some(found) = self.with_other_seeds(why.as_deref())? {
            return Ok(Told::Found(Box::new(found)));
        }
        let (demand, stopped) = (self.demand.to_owned(), self.stopped());
        Ok(Told::NotFound { demand, why, tries: self.tries, stopped })
    }

    /// Parts of the run, those with few operations first; of each with disks as they were, then with all as fast as
    /// most, as fast, as slow as any.
    fn among_parts(
        &mut self,
        account: &Account,
        results: &Results,
    ) -> Result<Option<FromLive>, CliError> {
        let downs = account.downs(&self.live.file.history);
        let [fast, usual, slow, slowest] = account.syncs_us().unwrap_or([1; 4]);
        let disks =
            [Syncs::AsTheyWere(slowest), Syncs::All(usual), Syncs::All(fast), Syncs::All(slow)];
        for cut in cuts(account, &blamed(results)) {
            for syncs in disks {
                let part = Part { account, downs: &downs, syncs };
                if let Some(found) = self.try_part(&part, cut)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// A plan of a part of the run, as small as it goes, if that shows what the run did.
    fn try_part(&mut self, part: &Part<'_>, cut: Cut) -> Result<Option<FromLive>, CliError> {
        let Some(mut plan) = self.shown_by(part, cut)? else { return Ok(None) };
        let mut cut = cut;
        let mut step = cut.count / 2;
        while step >= STEP_MIN {
            let count = cut.count - step;
            let later = Cut { first: cut.first + step, count, ..cut };
            let narrower = [Cut { count, ..cut }, later];
            let mut shown = None;
            for cut in narrower {
                if shown.is_none() {
                    shown = self.shown_by(part, cut)?.map(|plan| (cut, plan));
                }
            }
            match shown {
                Some(shown) => {
                    (cut, plan) = shown;
                    step = step.min(cut.count / 2);
                }
                None => step /= 2,
            }
        }
        let how = format!(
            "from the inputs of its cores: {}; breaks {} as the live run did",
            contents(&plan),
            self.demand
        );
        Ok(Some(FromLive { plan, how, demand: self.demand.to_owned() }))
    }

    fn shown_by(&mut self, part: &Part<'_>, cut: Cut) -> Result<Option<Plan>, CliError> {
        let Part { account, downs, syncs } = part;
        let Some(plan) = account.plan(&self.live.plan, downs, &cut, *syncs) else {
            return Ok(None);
        };
        Ok(self.shows(&plan)?.then_some(plan))
    }

    /// The plan of the run as it is: what it leaves to chance may come out in the same way. `why` the inputs were of
    /// no use is said, if they were of none.
    fn with_other_seeds(&mut self, why: Option<&str>) -> Result<Option<FromLive>, CliError> {
        let why = why.map_or_else(
            || "which did not show it".to_owned(),
            |why| format!("which is gone ({why})"),
        );
        let first = self.live.plan.seed;
        for seed in std::iter::once(first).chain(1..=SEEDS) {
            let plan = Plan { seed, world: WorldKind::Sim, shows: None, ..self.live.plan.clone() };
            if self.shows(&plan)? {
                let how = format!(
                    "from the plan of the live run with seed {seed}, not from what its cores took in, {why}; \
                     breaks {} as the live run did",
                    self.demand
                );
                return Ok(Some(FromLive { plan, how, demand: self.demand.to_owned() }));
            }
        }
        Ok(None)
    }

    fn stopped(&self) -> Option<Stopped> {
        if self.stop.load(Ordering::Relaxed) {
            Some(Stopped::Interrupted)
        } else {
            (Instant::now() > self.until).then_some(Stopped::OutOfTime)
        }
    }

    /// Whether a simulated run of the plan breaks what the live one did. A plan that cannot be run does not.
    fn shows(&mut self, plan: &Plan) -> Result<bool, CliError> {
        if self.stopped().is_some() {
            return Ok(false);
        }
        self.tries += 1;
        match panics::quietly(|| shrink::breaks(plan, self.live.mutants)) {
            Ok(broken) => Ok(broken.as_deref() == Some(self.demand)),
            Err(ShrinkError::Sim(error @ SimError::Harness(_))) => Err(simulated::failure(&error)),
            Err(
                ShrinkError::Sim(_)
                | ShrinkError::System(_)
                | ShrinkError::AnotherDemand { .. }
                | ShrinkError::NothingBroken,
            ) => Ok(false),
        }
    }
}

/// How inputs are told that nobody kept. Whoever gives logs that are damaged or of another run learns that instead:
/// nothing that is made without them would be of his run.
fn gone(error: &ReexecuteError) -> Result<String, CliError> {
    match error {
        ReexecuteError::Missing { .. } => Ok(error.to_string()),
        ReexecuteError::NoFile { .. }
        | ReexecuteError::Unread { .. }
        | ReexecuteError::Damaged(_)
        | ReexecuteError::Changed { .. }
        | ReexecuteError::Unlike { .. } => Err(CliError::usage(error).hint(COPY_ANEW)),
        ReexecuteError::System(_) | ReexecuteError::Options(_) => Err(CliError::usage(error)),
    }
}

/// `212 deliveries, 14 operations, 1 fault`.
fn contents(plan: &Plan) -> String {
    let is_delivery = |step: &TraceStep| matches!(step, TraceStep::Deliver(_));
    let deliveries = plan.trace.iter().filter(|entry| is_delivery(&entry.step)).count();
    let is_loss = |step: &TraceStep| matches!(step, TraceStep::Lose(_));
    let losses = plan.trace.iter().filter(|entry| is_loss(&entry.step)).count() + plan.rules.len();
    let operations: usize = plan.scripts.iter().map(|script| script.operations.len()).sum();
    let counts = [
        (deliveries, "delivery", "deliveries"),
        (losses, "loss", "losses"),
        (operations, "operation", "operations"),
        (plan.faults.len(), "fault", "faults"),
    ];
    let counts =
        counts.map(
            |(count, one, many)| {
                if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
            },
        );
    counts.join(", ")
}

/// The keys whose operations cannot be ordered.
fn blamed(results: &Results) -> Vec<u64> {
    let examples = results.linearizability.counterexamples();
    examples.filter_map(|example| example.key).map(|key| key.0).collect()
}

/// The parts of a run, in the order in which they are tried: small ones before large ones, those of one key before
/// those of all, of the blamed keys first.
fn cuts(account: &Account, blamed: &[u64]) -> Vec<Cut> {
    let mut keys: Vec<(Option<u64>, usize)> =
        account.keys().into_iter().map(|(key, count)| (Some(key), count)).collect();
    keys.sort_by_key(|(key, _)| !key.is_some_and(|key| blamed.contains(&key)));
    let all = [(None, account.operations())];
    let mut cuts = Vec::new();
    for keys in [&keys[..], &all] {
        for count in COUNTS {
            for (key, operations) in keys {
                let starts = (0..*operations).step_by(count / OVERLAP);
                // The end of a part that goes on behind the last operation is in the one before.
                let starts =
                    starts.filter(|first| *first == 0 || first + count / OVERLAP < *operations);
                cuts.extend(starts.map(|first| Cut { key: *key, first, count }));
            }
        }
    }
    cuts
}

//! What is to be shrunk.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use quorate_checkers::history::HistoryFile;
use quorate_checkers::judge::judge;
use quorate_checkers::linearizability::Budget;
use quorate_checkers::verdict::Verdict;
use quorate_plan::{Plan, WorldKind};
use quorate_sim::hunt::Hunter;
use quorate_sim::shrink::Wanted;
use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};

use super::from_live::{FromLive, Live, Stopped, Told};
use crate::commands::check;
use crate::commands::run::{self, plan_file};
use crate::error::CliError;
use crate::store::{self, RunFolder};

/// The file of the plan that a run of real processes became.
const FROM_LIVE: &str = "from-live.toml";

/// A plan, the planted bug that it runs with, and where they are from.
pub(super) struct Subject {
    pub(super) plan: Plan,
    pub(super) mutants: Mutants,
    /// What it broke when it was recorded, if that is known.
    pub(super) wanted: Wanted,
    /// What it is, at the beginning of a sentence.
    from: String,
    /// The run of real processes that the plan is from.
    live: Option<Live>,
    /// What it took to come from that to a plan for the simulator.
    pub(super) how: Option<String>,
}

impl Subject {
    /// The plan in a file. A history names its planted bug itself.
    pub(super) fn of_file(file: &Path, asked: Option<Mutants>) -> Result<Self, CliError> {
        let (mut plan, text, history, named) = if plan_file::is_run(file) {
            let (history, plan) = check::read(file)?;
            let named = history.header.mutant.clone();
            (plan, None, Some(history), named)
        } else {
            let (plan, text) = plan_file::read(file)?;
            let named = plan.shows.as_ref().and_then(|shows| shows.mutant.clone());
            (plan, Some(text), None, named)
        };
        let named = named.map(|name| run::mutant(&name).map_err(CliError::usage)).transpose()?;
        let mutants = asked.or(named).unwrap_or(Mutants::NONE);
        plan_file::check(file, &plan, text.as_deref(), mutants)?;
        let wanted = match (asked, &history, &plan.shows) {
            // With another bug in it it may break something else.
            (Some(_), ..) | (None, None, None) => Wanted::Any,
            (None, Some(history), _) => recorded(history, &plan),
            (None, None, Some(shows)) => Wanted::Demand(shows.breaks.clone()),
        };
        // What another run showed is none of the shrunk one's.
        plan.shows = None;
        let live = history.filter(|_| plan.world == WorldKind::Live).map(|history| {
            let folder = store::folder_of(file).to_owned();
            Live { folder, file: history, plan: plan.clone(), mutants }
        });
        Ok(Self { plan, mutants, wanted, from: file.display().to_string(), live, how: None })
    }

    /// The plan that a hunt draws.
    pub(super) fn of_seed(system: SystemKind, seed: u64, asked: Option<Mutants>) -> Self {
        let plan = Hunter::new(system).plan(seed);
        let mutants = asked.unwrap_or(Mutants::NONE);
        let (wanted, from) = (Wanted::Any, format!("the plan of seed {seed}"));
        Self { plan, mutants, wanted, from, live: None, how: None }
    }

    /// Whether it ran in real processes.
    pub(super) const fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Keeps the plan that a run of real processes became, before it was shrunk.
    pub(super) fn keep(&self, folder: &RunFolder) -> Result<(), CliError> {
        let Some(how) = &self.how else { return Ok(()) };
        let plan = quorate_plan::to_toml(&self.plan);
        let text = format!("# A simulated run of what real processes did, {how}.\n\n{plan}");
        store::write_whole(&folder.path.join(FROM_LIVE), text.as_bytes())
    }

    /// Of a run of real processes: a plan that fails in the same way when it is simulated, if one is found.
    pub(super) fn told(
        &self,
        limit: Duration,
        stop: &AtomicBool,
    ) -> Result<Option<FromLive>, CliError> {
        let Some(live) = &self.live else { return Ok(None) };
        Ok(match live.tell(limit, stop)? {
            Told::Found(found) => Some(*found),
            Told::NotFound { .. } | Told::NothingBroken => None,
        })
    }

    /// Of a run of real processes: goes over to a plan that fails in the same way when it is simulated.
    pub(super) fn simulated(
        mut self,
        limit: Duration,
        stop: &AtomicBool,
    ) -> Result<Self, CliError> {
        let Some(live) = &self.live else { return Ok(self) };
        match live.tell(limit, stop)? {
            Told::Found(found) => {
                let FromLive { plan, how, demand } = *found;
                (self.plan, self.how, self.wanted) = (plan, Some(how), Wanted::Demand(demand));
                Ok(self)
            }
            Told::NotFound { demand, why, tries, stopped } => {
                Err(self.not_told(&demand, why.as_deref(), tries, stopped))
            }
            Told::NothingBroken => Err(self.nothing_recorded(live)),
        }
    }

    /// Of a run of real processes nothing else is known to be broken than what was recorded.
    fn nothing_recorded(&self, live: &Live) -> CliError {
        let error = CliError::usage(format_args!(
            "{}: it broke nothing in real processes, so there is nothing to shrink",
            self.from
        ));
        if live.file.footer.is_none() {
            return error.hint("it breaks off: the invariants are looked at once a run is over");
        }
        error.hint("give a run that failed; `quorate hunt` finds plans that fail")
    }

    fn not_told(
        &self,
        demand: &str,
        why: Option<&str>,
        tries: u64,
        stopped: Option<Stopped>,
    ) -> CliError {
        let until = match stopped {
            None => "",
            Some(Stopped::OutOfTime) => " before the time was over",
            Some(Stopped::Interrupted) => " before it was stopped",
        };
        let error = CliError::usage(format_args!(
            "{}: it breaks {demand} in real processes, and none of {tries} simulated runs that were told to do \
             the same does{until}",
            self.from
        ));
        if let Some(Stopped::OutOfTime) = stopped {
            return error.hint("half of --time-limit goes into that; give it more");
        }
        let error = match why {
            Some(why) => error.hint(format_args!("what its cores took in is of no use: {why}")),
            None => error,
        };
        error.hint("quorate hunt finds plans that fail; or give a run of --world sim")
    }

    /// A plan that fails in another way than it did, as a line for people.
    pub(super) fn another_demand(&self, broken: &str) -> CliError {
        let did = match &self.wanted {
            Wanted::Demand(demand) => format!("it broke {demand}"),
            Wanted::Any | Wanted::Nothing => "nothing was broken".to_owned(),
        };
        CliError::usage(format_args!(
            "{}: when it was recorded {did}, and this program breaks {broken}",
            self.from
        ))
        .hint("name the planted bug, or none, with --mutant to shrink what it breaks now")
    }

    pub(super) fn nothing_broken(&self) -> CliError {
        let bug = self.mutants.0.map_or_else(
            || "without a planted bug".to_owned(),
            |mutant| format!("with the planted bug {}", mutant.name()),
        );
        let error = CliError::usage(format_args!(
            "{}: a simulated run of it {bug} breaks nothing, so there is nothing to shrink",
            self.from
        ));
        match self.mutants.0 {
            None => error.hint("if it failed with a planted bug, name it: --mutant NAME"),
            Some(_) => error.hint("quorate hunt finds plans that fail"),
        }
    }
}

/// What a history says was broken.
fn recorded(file: &HistoryFile, plan: &Plan) -> Wanted {
    let demands = check::demands(&file.header.model, plan, Budget::default());
    let results = judge(&file.history, &demands);
    let was_stopped = file.footer.as_ref().is_none_or(|footer| footer.run.is_none());
    match results.breaks(&file.history) {
        Some(demand) => Wanted::Demand(demand.to_owned()),
        None if was_stopped || results.verdict == Verdict::Unknown => Wanted::Any,
        None => Wanted::Nothing,
    }
}

/// What a planted bug is called.
pub(super) fn name_of(mutants: Mutants) -> Option<&'static str> {
    mutants.0.map(Mutant::name)
}

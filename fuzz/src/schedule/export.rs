//! What the other tools take: the plan of an input, and the history of its run.

use std::fmt;
use std::io::Write;

use quorate_checkers::history::{Header, Time, What, WriteError, Writer};
use quorate_checkers::judge::{Demands, judge};
use quorate_checkers::linearizability::Budget;
use quorate_plan::{Plan, Shows, to_toml};
use quorate_sim::hunt::Hunter;
use quorate_sim::{Checks, QueueKind, SimError, simulator};
use quorate_systems::contract::ConfigError;
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_world::registry::{self, UnknownSystem};

use crate::mutant::MUTANT;

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no run.
    #[error(transparent)]
    Sim(#[from] SimError),
    /// The plan names no system.
    #[error(transparent)]
    System(#[from] UnknownSystem),
    /// The system refuses its options.
    #[error(transparent)]
    Options(#[from] ConfigError),
    /// The plan cannot be written.
    #[error("the plan cannot be written: {0}")]
    Plan(#[from] serde_json::Error),
    /// The file cannot.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// A plan for people, and what a run of it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The plan as TOML. It says what it shows, so that `quorate replay` takes it.
    pub text: String,
    /// The demand that a run of it breaks.
    pub breaks: Option<String>,
    /// The planted bug that was on.
    pub mutants: Mutants,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = self.mutants.0.map_or("no planted bug", Mutant::name);
        match &self.breaks {
            Some(demand) => write!(f, "with {with} it breaks {demand}"),
            None => write!(f, "with {with} it breaks nothing: {MUTANT} names a bug to run with"),
        }
    }
}

/// A plan as TOML with what a run of it shows, and the planted bug that it runs with in a comment.
pub fn plan_toml(mut plan: Plan, mutants: Mutants) -> Result<Told, ExportError> {
    let kind = registry::find(&plan.system.kind)?;
    let breaks = Hunter::new(kind).try_plan(&plan, mutants)?.found;
    let ran = quorate_sim::run(&plan, mutants)?;
    let mutant = mutants.0.map(|mutant| Mutant::name(mutant).to_owned());
    plan.shows = breaks.clone().map(|breaks| Shows {
        breaks,
        mutant: mutant.clone(),
        digest: Some(ran.outcome.digest.digest),
    });
    let with = mutant.map(|mutant| format!(" --mutant {mutant}")).unwrap_or_default();
    let text = format!("# run: quorate run --plan FILE{with}\n\n{}", to_toml(&plan));
    Ok(Told { text, breaks, mutants })
}

/// Runs a plan and writes its history, which began at `started`.
pub fn history(
    plan: &Plan,
    mutants: Mutants,
    started: String,
    out: impl Write,
) -> Result<(), ExportError> {
    let kind = registry::find(&plan.system.kind)?;
    let header = Header {
        program: concat!("quorate ", env!("CARGO_PKG_VERSION")).to_owned(),
        started,
        mutant: mutants.0.map(|mutant| Mutant::name(mutant).to_owned()),
        model: plan.workload.kind.model().to_owned(),
        plan: serde_json::to_value(plan)?,
    };
    let mut writer = Writer::new(out, &header)?;
    let mut sink = |time: Time, what: What| {
        writer.event(time, what).map(|_| ()).map_err(|error| error.to_string())
    };
    let mut world = simulator(kind, QueueKind::default());
    let outcome = world.run(plan, mutants, Checks::ALL, &mut sink)?;
    let demands = Demands {
        model: plan.workload.kind.model().to_owned(),
        fault_classes: Vec::new(),
        budget: Budget::default(),
    };
    let verdict = judge(writer.history(), &demands).verdict;
    writer.finish(verdict, Some(outcome.digest))?;
    Ok(())
}

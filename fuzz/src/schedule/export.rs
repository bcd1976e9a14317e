//! What the other tools take: the plan of an input, and the history of its run.

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

/// Has the plan say what a run of it breaks, if it breaks something, so that `quorate replay` takes it. Gives the same
/// in words.
pub fn show(plan: &mut Plan, mutants: Mutants) -> Result<String, ExportError> {
    let kind = registry::find(&plan.system.kind)?;
    let judged = Hunter::new(kind).judge_plan(plan, mutants)?;
    let mutant = mutants.0.map(|mutant| Mutant::name(mutant).to_owned());
    let with = mutant.as_deref().unwrap_or("no planted bug");
    let said = match &judged.found {
        Some(demand) => format!("with {with} it breaks {demand}"),
        None => format!("with {with} it breaks nothing: {MUTANT} names a bug to run with"),
    };
    let digest = Some(judged.outcome.digest.digest);
    plan.shows = judged.found.map(|breaks| Shows { breaks, mutant, digest });
    Ok(said)
}

/// A plan as TOML, with the planted bug that it runs with in a comment.
pub fn plan_toml(plan: &Plan, mutants: Mutants) -> String {
    let with = mutants.0.map(|mutant| format!(" --mutant {}", mutant.name()));
    format!("# run: quorate run --plan FILE{}\n\n{}", with.unwrap_or_default(), to_toml(plan))
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

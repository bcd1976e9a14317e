//! The space-time diagram of what went wrong in a run: messages, crashes and what replicas told, around it.

use std::collections::BTreeSet;
use std::path::Path;

use quorate_checkers::history::HistoryFile;
use quorate_checkers::judge::Results;
use quorate_checkers::linearizability::Linearizability;
use quorate_plan::{Endpoint, Plan, WorldKind};
use quorate_sim::story::{Part, Story};
use quorate_sim::tape::{Detail, Tape};
use quorate_sim::{Checks, QueueKind};
use quorate_systems::mutant::Mutants;
use quorate_world::registry;

use crate::commands::{check, run};
use crate::error::CliError;
use crate::panics;
use crate::store;

/// A diagram of more messages is not read.
const MESSAGES_MAX: usize = 80;
/// More of what cores told before the anomaly is not read.
const TOLD_MAX: usize = 300;
/// It begins so long before the first operation of a proof, in microseconds.
const LEAD_US: u64 = 1_000;
/// More clients than this are told of only where they are to blame.
const CLIENTS_MAX: u32 = 4;

/// Draws it beside the history, and writes down what cores told of themselves before. A run of real processes whose inputs
/// are of no use has neither.
pub(super) fn write(
    folder: &Path,
    file: &HistoryFile,
    plan: &Plan,
    results: &Results,
    demand: &str,
) -> Result<(), CliError> {
    let Some(tape) = tape(folder, file, plan)? else { return Ok(()) };
    keep(folder, &Story::part(tape, demand, what(results), part(plan, results, demand)))
}

/// Puts what pages show of a story into the folder of its run.
pub(crate) fn keep(folder: &Path, story: &Story) -> Result<(), CliError> {
    store::write_whole(&folder.join(store::STORY), story.svg().as_bytes())?;
    store::write_whole(&folder.join(store::TOLD), story.told(TOLD_MAX).as_bytes())
}

fn tape(folder: &Path, file: &HistoryFile, plan: &Plan) -> Result<Option<Tape>, CliError> {
    let mutant = file.header.mutant.as_deref().unwrap_or("none");
    let mutants = run::mutant(mutant).map_err(CliError::usage)?;
    match plan.world {
        WorldKind::Sim => simulated(plan, mutants).map(Some),
        WorldKind::Live => {
            // How long the logs of inputs are stands at the end of the history, which is written by now.
            let (closed, _) = check::read(&folder.join(store::HISTORY))?;
            Ok(real(folder, &closed, plan, mutants))
        }
    }
}

/// What happens in a simulated run, in full.
pub(crate) fn simulated(plan: &Plan, mutants: Mutants) -> Result<Tape, CliError> {
    let kind = registry::find(&plan.system.kind).map_err(CliError::usage)?;
    let mut simulator = quorate_sim::simulator(kind, QueueKind::default());
    let taped = panics::quietly(|| {
        simulator.run_taped(plan, mutants, Checks::ALL, Detail::All, &mut |_, _| Ok(()))
    });
    let (_, tape) = taped.map_err(|error| run::simulated::failure(&error))?;
    Ok(tape)
}

fn real(folder: &Path, file: &HistoryFile, plan: &Plan, mutants: Mutants) -> Option<Tape> {
    let account = panics::quietly(|| quorate_live::account(folder, file, plan, mutants)).ok()?;
    let downs = account.downs(&file.history);
    let size = (plan.system.nodes, plan.workload.clients);
    Tape::of_real(&account, &downs, &file.history, size)
}

/// What is wrong with the order of operations, where no event of the run says what is wrong.
pub(crate) fn what(results: &Results) -> &str {
    let sentences = &results.sentences;
    let told = sentences.iter().find_map(|told| told.strip_prefix(Linearizability::CLAIM));
    told.unwrap_or("the operations cannot be put in order")
}

/// Of a counterexample its operations and the clients that asked for them; of a broken rule what comes right before.
fn part(plan: &Plan, results: &Results, demand: &str) -> Part {
    let mut part =
        Part { since_us: None, until_us: None, messages_max: MESSAGES_MAX, clients: None };
    let broken = results.violations.found.iter().find(|found| found.violation.demand == demand);
    if let Some(found) = broken {
        // Real processes are looked at when all is over.
        part.until_us = found.violation.happened.map(|at| at.0 / 1_000);
        let targets = found.violation.targets.iter().filter_map(|target| target.parse().ok());
        let clients: BTreeSet<u32> = targets
            .filter_map(|target| match target {
                Endpoint::Client(client) => Some(client),
                Endpoint::Node(_) => None,
            })
            .collect();
        part.clients = (plan.workload.clients > CLIENTS_MAX).then_some(clients);
    } else if let Some(proof) = results.linearizability.counterexamples().next() {
        let members = || proof.operations.iter().map(|involved| &involved.operation);
        let since = members().map(|operation| operation.invoked_at.0 / 1_000).min();
        part.since_us = since.map(|since| since.saturating_sub(LEAD_US));
        let ends = members().filter_map(|operation| operation.completed_at);
        part.until_us = ends.map(|at| at.0 / 1_000).max();
        let client = |process: u64| process % u64::from(plan.workload.clients.max(1));
        let clients = members().filter_map(|o| u32::try_from(client(o.process.0)).ok());
        part.clients = Some(clients.collect());
    }
    part
}

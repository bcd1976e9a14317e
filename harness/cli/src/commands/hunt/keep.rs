//! The first finding of each subject, kept as a run of its own.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use quorate_checkers::linearizability::Budget;
use quorate_checkers::verdict::Verdict;
use quorate_plan::Shows;
use quorate_sim::hunt::Hunter;

use super::campaign::Campaign;
use super::table::Table;
use crate::commands::{report, run};
use crate::error::CliError;
use crate::store;

/// The plan in the folder of a finding.
const PLAN: &str = "plan.toml";

/// Runs the first finding of each subject once more, and writes down its plan, which says what it shows, its history and
/// its page. The table gets the commands that run them again.
pub(super) fn findings(
    campaign: &Campaign,
    table: &mut Table,
    folder: &Path,
    now: Timestamp,
) -> Result<(), CliError> {
    let mut hunter = Hunter::new(campaign.system).beyond(campaign.liars_beyond);
    for row in &mut table.rows {
        let Some(first) = &mut row.first else { continue };
        let folder = folder.join(row.name);
        fs::create_dir(&folder).map_err(|error| store::cannot("make", &folder, &error))?;
        let mut plan = hunter.plan(first.seed);
        let mutants = run::mutant(row.name).map_err(CliError::harness)?;
        let ended = run::simulated::record(&folder, &plan, mutants, run::started(now))?;
        let finished = run::finish(&plan, &folder, ended, Budget::default())?;
        let mutant = mutants.0.map(quorate_systems::mutant::Mutant::name);
        plan.shows = finished.breaks.clone().map(|breaks| Shows {
            breaks,
            mutant: mutant.map(ToOwned::to_owned),
            digest: finished.digest(),
        });
        let plan_file = folder.join(PLAN);
        store::write_whole(&plan_file, quorate_plan::to_toml(&plan).as_bytes())?;
        first.again = report::again(&plan_file, mutant);
        first.is_confirmed = finished.results.verdict == Verdict::Invalid;
    }
    Ok(())
}

//! What is to be shrunk.

use std::path::Path;

use quorate_plan::{Plan, WorldKind};
use quorate_sim::hunt::Hunter;
use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};

use crate::commands::check;
use crate::commands::run::{self, plan_file};
use crate::error::CliError;

/// A plan, the planted bug that it runs with, and where they are from.
pub(super) struct Subject {
    pub(super) plan: Plan,
    pub(super) mutants: Mutants,
    /// What it is, at the beginning of a sentence.
    from: String,
    /// Whether a history says that it ran in real processes.
    was_live: bool,
}

impl Subject {
    /// The plan in a file. A history names its planted bug itself.
    pub(super) fn of_file(file: &Path, asked: Option<Mutants>) -> Result<Self, CliError> {
        let is_history = plan_file::is_run(file);
        let named = if is_history {
            check::read(file)?.0.header.mutant
        } else {
            plan_file::read(file)?.0.shows.and_then(|shows| shows.mutant)
        };
        let named = named.map(|name| run::mutant(&name).map_err(CliError::usage)).transpose()?;
        let mutants = asked.or(named).unwrap_or(Mutants::NONE);
        let mut plan = plan_file::load(file, mutants)?;
        // What another run showed is none of the shrunk one's.
        plan.shows = None;
        let was_live = is_history && plan.world == WorldKind::Live;
        Ok(Self { plan, mutants, from: file.display().to_string(), was_live })
    }

    /// The plan that a hunt draws.
    pub(super) fn of_seed(system: SystemKind, seed: u64, asked: Option<Mutants>) -> Self {
        let plan = Hunter::new(system).plan(seed);
        let mutants = asked.unwrap_or(Mutants::NONE);
        Self { plan, mutants, from: format!("the plan of seed {seed}"), was_live: false }
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
        if self.was_live {
            return error.hint(
                "it ran in real processes, whose timing is their own; give a run of --world sim",
            );
        }
        match self.mutants.0 {
            None => error.hint("if it failed with a planted bug, name it: --mutant NAME"),
            Some(_) => error.hint("quorate hunt finds plans that fail"),
        }
    }
}

/// What a planted bug is called.
pub(super) fn name_of(mutants: Mutants) -> Option<&'static str> {
    mutants.0.map(Mutant::name)
}

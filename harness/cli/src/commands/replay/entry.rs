//! What can be replayed: a history, or a plan that says what it shows.

use std::path::{Path, PathBuf};

use quorate_checkers::history::{History, HistoryFile};
use quorate_checkers::judge::judge;
use quorate_checkers::linearizability::Budget;
use quorate_plan::{Plan, WorldKind};
use quorate_systems::mutant::Mutants;

use super::again::Showing;
use crate::commands::check;
use crate::commands::run::{mutant, plan_file};
use crate::error::CliError;

/// One file, read and checked.
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) plan: Plan,
    pub(super) mutants: Mutants,
    pub(super) what: What,
}

/// What is known of the run.
pub(super) enum What {
    /// All of it.
    History(Box<HistoryFile>),
    /// What it broke, and the digest of its world.
    Shows { breaks: String, digest: Option<String> },
}

impl Entry {
    /// Reads a file, and checks that this program can run its plan.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let (plan, text, name, what) = if plan_file::is_run(path) {
            let (file, plan) = check::read(path)?;
            let name = file.header.mutant.clone();
            (plan, None, name, What::History(Box::new(file)))
        } else {
            let (plan, text) = plan_file::read(path)?;
            let Some(shows) = plan.shows.clone() else {
                return Err(CliError::usage(format_args!(
                    "{} does not say what it shows",
                    path.display()
                ))
                .hint("`quorate run --plan FILE` runs any plan; to keep it as a test give it a part `[shows]`")
                .hint("breaks = \"…\", the demand that a run of it breaks; mutant = \"…\", if that needs a planted bug"));
            };
            let what = What::Shows { breaks: shows.breaks, digest: shows.digest };
            (plan, Some(text), shows.mutant, what)
        };
        let mutants = mutant(name.as_deref().unwrap_or("none")).map_err(|known| {
            let name = name.unwrap_or_default();
            CliError::usage(format_args!(
                "{}: nobody has planted `{name}` here; {known}",
                path.display()
            ))
        })?;
        plan_file::check(path, &plan, text.as_deref(), mutants)?;
        Ok(Self { path: path.to_owned(), plan, mutants, what })
    }

    /// What the run showed.
    pub(super) fn showed(&self, budget: Budget) -> Showing {
        match &self.what {
            What::Shows { breaks, .. } => Showing::Breaks(breaks.clone()),
            What::History(file) => {
                let results =
                    judge(&file.history, &check::demands(&file.header.model, &self.plan, budget));
                Showing::of(results.breaks(&file.history), &results)
            }
        }
    }

    /// Its history, if there is one; and whether that breaks off before the run was over.
    pub(super) fn history(&self) -> Option<(&History, bool)> {
        match &self.what {
            What::History(file) => Some((&file.history, file.footer.is_none())),
            What::Shows { .. } => None,
        }
    }

    /// The digest of its world, if the run came to its end.
    pub(super) fn digest(&self) -> Option<&str> {
        match &self.what {
            What::History(file) => {
                let run = file.footer.as_ref().and_then(|footer| footer.run.as_ref());
                run.map(|run| run.digest.as_str())
            }
            What::Shows { digest, .. } => digest.as_deref(),
        }
    }

    /// The program that recorded it.
    pub(super) fn program(&self) -> Option<&str> {
        match &self.what {
            What::History(file) => Some(&file.header.program),
            What::Shows { .. } => None,
        }
    }

    /// Whether it was recorded from real processes.
    pub(super) const fn is_live(&self) -> bool {
        matches!(self.plan.world, WorldKind::Live)
    }
}

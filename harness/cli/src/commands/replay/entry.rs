//! What can be replayed: a history, or a plan that says what it shows.

use std::path::{Path, PathBuf};

use quorate_checkers::history::{History, HistoryFile};
use quorate_checkers::judge::{Results, judge};
use quorate_checkers::linearizability::Budget;
use quorate_plan::{Expectation, Plan, WorldKind};
use quorate_systems::mutant::Mutants;

use super::again::Showing;
use crate::commands::check;
use crate::commands::run::{PROGRAM, mutant, plan_file};
use crate::error::CliError;
use crate::output;

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
            let line = CliError::usage(format_args!(
                "{}: nobody has planted `{name}` here; {known}",
                path.display()
            ));
            match &what {
                What::Shows { .. } => line.hint("put its `mutant` right in the part `[shows]`"),
                What::History(file) => line.hint(format_args!(
                    "{} recorded it, and this is {PROGRAM}; take that program, or an unchanged copy",
                    file.header.program
                )),
            }
            .hint("`quorate list mutants` says what each of them does")
        })?;
        plan_file::check(path, &plan, text.as_deref(), mutants)?;
        Ok(Self { path: path.to_owned(), plan, mutants, what })
    }

    /// What the run showed.
    pub(super) fn showed(&self, budget: Budget) -> Showing {
        match &self.what {
            What::Shows { breaks, .. } => Showing::Breaks(breaks.clone()),
            What::History(file) => Showing::judged(file, &self.judged(file, budget)),
        }
    }

    /// A history judged by what its header says.
    pub(super) fn judged(&self, file: &HistoryFile, budget: Budget) -> Results {
        judge(&file.history, &check::demands(&file.header.model, &self.plan, budget))
    }

    /// Its history file, if it is one.
    pub(super) fn file(&self) -> Option<&HistoryFile> {
        match &self.what {
            What::History(file) => Some(file),
            What::Shows { .. } => None,
        }
    }

    /// Where its history breaks off, if it does, in one sentence: the run was killed, or the file was cut.
    pub(super) fn breaks_off(&self) -> Option<String> {
        let file = self.file().filter(|file| file.footer.is_none())?;
        let events = output::count(file.history.len(), "event");
        Some(match &file.damage {
            Some(damage) => format!("the history breaks off behind {events}: {damage}"),
            None => format!("the history breaks off behind {events}: it has no footer"),
        })
    }

    /// Whether its author expects harm, since more goes wrong than the system promises to bear.
    pub(super) const fn expects_harm(&self) -> bool {
        matches!(self.plan.expect, Expectation::Invalid)
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

//! A run of real processes, replayed from what its nodes and clients took in.

use quorate_live::ReexecuteError;
use quorate_world::inputs::{Mismatch, Reexecution};
use serde::Serialize;

use super::entry::{Entry, What};
use crate::commands::run::PROGRAM;
use crate::error::CliError;
use crate::output;
use crate::panics;
use crate::store;

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Reexecuted {
    file: String,
    /// The program that recorded the run, where it is another one than this.
    other_program: Option<String>,
    #[serde(flatten)]
    came: Came,
}

/// Whether every core did again what it had done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "came")]
enum Came {
    /// It did.
    Back {
        #[serde(flatten)]
        counts: Counts,
    },
    /// One did something else.
    Not {
        #[serde(flatten)]
        counts: Counts,
        /// Whose core, in which step, and what it came to.
        mismatch: String,
    },
    /// Nobody knows: what they took in is gone.
    Unknown {
        /// What is missing.
        why: String,
    },
}

#[derive(Debug, Serialize)]
struct Counts {
    cores: u64,
    lives: u64,
    inputs: u64,
    /// Lives of whose last step no digest was written.
    lives_cut: u64,
    /// Logs that end in the middle of an entry.
    logs_cut: u64,
    /// Cores that broke an assertion, as they had.
    panics: u64,
}

impl Reexecuted {
    pub(super) fn of(entry: &Entry) -> Result<Self, CliError> {
        let file = entry.path.display().to_string();
        let program = entry.program().filter(|program| *program != PROGRAM);
        let other_program = program.map(ToOwned::to_owned);
        let came = match &entry.what {
            What::History(_) => Came::of(entry)?,
            What::Shows { .. } => {
                Came::Unknown { why: "a plan alone does not give such a run again".to_owned() }
            }
        };
        Ok(Self { file, other_program, came })
    }

    pub(super) const fn exit_code(&self) -> u8 {
        match self.came {
            Came::Back { .. } => 0,
            Came::Not { .. } => 1,
            Came::Unknown { .. } => 2,
        }
    }

    /// In one sentence.
    pub(super) fn sentence(&self) -> String {
        match &self.came {
            Came::Back { counts } => {
                format!("real processes, re-executed exactly: {}", counts.text())
            }
            Came::Not { mismatch, .. } => format!("its cores do something else now: {mismatch}"),
            Came::Unknown { why } => format!("real processes: {why}"),
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        match &self.came {
            Came::Back { counts } => {
                let what =
                    format!("re-executed exactly: {}, every effect as it was", counts.text());
                output::line(&mut text, "SAME", &what);
                counts.tell_rest(&mut text);
            }
            Came::Not { counts, mismatch } => {
                let what = format!("re-executed as far as {}", counts.text());
                output::line(&mut text, "DIFFERS", &what);
                output::line(&mut text, "first", mismatch);
            }
            Came::Unknown { why } => self.tell_unknown(&mut text, why),
        }
        if let Some(program) = &self.other_program {
            let what = format!("recorded by {program}, this is {PROGRAM}");
            output::line(&mut text, "program", &what);
        }
        text
    }

    fn tell_unknown(&self, text: &mut String, why: &str) {
        let file = &self.file;
        output::line(text, "UNKNOWN", &format!("a run of real processes: {why}"));
        let hints = [
            "a run that was valid keeps no inputs".to_owned(),
            format!("once more with processes: quorate replay {file} --world live"),
            format!("the same plan in virtual time: quorate replay {file} --world sim"),
        ];
        for hint in hints {
            output::line(text, "hint", &hint);
        }
    }
}

impl Came {
    fn of(entry: &Entry) -> Result<Self, CliError> {
        let folder = store::folder_of(&entry.path);
        let again = panics::quietly(|| quorate_live::reexecute(folder, &entry.plan, entry.mutants));
        match again {
            Ok(done) => Ok(Self::from(&done)),
            Err(error @ ReexecuteError::Missing { .. }) => {
                Ok(Self::Unknown { why: format!("its inputs are gone: {error}") })
            }
            Err(error @ ReexecuteError::Unopened { .. }) => Err(CliError::harness(error)),
            Err(
                error @ (ReexecuteError::Damaged(_)
                | ReexecuteError::System(_)
                | ReexecuteError::Options(_)),
            ) => Err(CliError::usage(error)),
        }
    }
}

impl From<&Reexecution> for Came {
    fn from(done: &Reexecution) -> Self {
        let Reexecution { cores, lives, inputs, lives_cut, logs_cut, panics, ref mismatch } = *done;
        let counts = Counts { cores, lives, inputs, lives_cut, logs_cut, panics };
        match mismatch.as_ref().map(Mismatch::to_string) {
            None => Self::Back { counts },
            Some(mismatch) => Self::Not { counts, mismatch },
        }
    }
}

impl Counts {
    fn text(&self) -> String {
        let Self { cores, lives, inputs, .. } = self;
        format!("{cores} cores in {lives} lives, {inputs} inputs")
    }

    fn tell_rest(&self, text: &mut String) {
        let Self { lives_cut, logs_cut, panics, .. } = *self;
        if panics > 0 {
            let what = format!("{panics} cores broke an assertion, in a step that left no digest");
            output::line(text, "panics", &what);
        }
        if lives_cut > 0 {
            let what = format!(
                "{lives_cut} lives ended with a kill, whose last step left no digest to compare with"
            );
            output::line(text, "cut", &what);
        }
        if logs_cut > 0 {
            output::line(text, "cut", &format!("{logs_cut} logs end in the middle of an entry"));
        }
    }
}

//! A run of real processes, replayed from what its nodes and clients took in.

use std::collections::BTreeMap;

use quorate_checkers::history::HistoryFile;
use quorate_live::{HowCut, ReexecuteError};
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
    /// Whether the history has an end: the harness was not killed.
    has_footer: bool,
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
    /// As far as there are inputs; not all are left, though nobody had been killed.
    BreaksOff {
        #[serde(flatten)]
        counts: Counts,
        /// What is missing, a line for each log.
        missing: Vec<String>,
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
    /// For people: why lives were cut off.
    #[serde(skip)]
    cuts: BTreeMap<HowCut, u64>,
}

impl Reexecuted {
    pub(super) fn of(entry: &Entry) -> Result<Self, CliError> {
        let file = entry.path.display().to_string();
        let program = entry.program().filter(|program| *program != PROGRAM);
        let other_program = program.map(ToOwned::to_owned);
        let (came, has_footer) = match &entry.what {
            What::History(file) => (Came::of(entry, file)?, file.footer.is_some()),
            What::Shows { .. } => {
                let why = "a plan alone does not give such a run again".to_owned();
                (Came::Unknown { why }, true)
            }
        };
        Ok(Self { file, other_program, has_footer, came })
    }

    pub(super) const fn exit_code(&self) -> u8 {
        match self.came {
            Came::Back { .. } => 0,
            Came::Not { .. } => 1,
            Came::BreaksOff { .. } | Came::Unknown { .. } => 2,
        }
    }

    /// In one sentence.
    pub(super) fn sentence(&self) -> String {
        match &self.came {
            Came::Back { counts } => {
                format!("real processes, re-executed exactly: {}", counts.text())
            }
            Came::Not { mismatch, .. } => format!("its cores do something else now: {mismatch}"),
            Came::BreaksOff { missing, .. } => {
                format!("real processes, of whose inputs not all are left: {}", missing.join("; "))
            }
            Came::Unknown { why } => format!("real processes: {why}"),
        }
    }

    /// For people. If it `decides` on the run it begins with a verdict.
    pub(super) fn text(&self, decides: bool) -> String {
        let mut text = String::new();
        let label = |verdict| if decides { verdict } else { "cores" };
        match &self.came {
            Came::Back { counts } => {
                let what =
                    format!("re-executed exactly: {}, every effect as it was", counts.text());
                output::line(&mut text, label("SAME"), &what);
                counts.tell_rest(&mut text);
            }
            Came::Not { counts, mismatch } => {
                let what = format!("re-executed as far as {}", counts.text());
                output::line(&mut text, "DIFFERS", &what);
                output::line(&mut text, "first", mismatch);
            }
            Came::BreaksOff { counts, missing } => {
                let what = format!(
                    "re-executed as far as there are inputs: {}, every effect as it was",
                    counts.text()
                );
                output::line(&mut text, label("UNKNOWN"), &what);
                for missing in missing {
                    output::line(&mut text, "missing", missing);
                }
                counts.tell_rest(&mut text);
                for hint in [COPY_ANEW.to_owned(), self.in_virtual_time()] {
                    output::line(&mut text, "hint", &hint);
                }
            }
            Came::Unknown { why } => self.tell_unknown(&mut text, label("UNKNOWN"), why),
        }
        if !self.has_footer {
            let what = "the history has no end, since the harness was killed: nobody knows how long the logs were";
            output::line(&mut text, "note", what);
        }
        if let Some(program) = &self.other_program {
            let what = format!("recorded by {program}, this is {PROGRAM}");
            output::line(&mut text, "program", &what);
        }
        text
    }

    fn tell_unknown(&self, text: &mut String, label: &str, why: &str) {
        let file = &self.file;
        output::line(text, label, &format!("a run of real processes: {why}"));
        let hints = [
            "a run that was valid keeps no inputs, and neither does one that was too large for its campaign".to_owned(),
            format!("once more with processes: quorate replay {file} --world live"),
            self.in_virtual_time(),
        ];
        for hint in hints {
            output::line(text, "hint", &hint);
        }
    }

    fn in_virtual_time(&self) -> String {
        format!("the same plan in virtual time: quorate replay {} --world sim", self.file)
    }
}

/// What to do about a log that is not what the run left.
pub(crate) const COPY_ANEW: &str = "copy the whole folder anew from where the run was recorded (quorate pack puts it into one file)";

impl Came {
    fn of(entry: &Entry, file: &HistoryFile) -> Result<Self, CliError> {
        let folder = store::folder_of(&entry.path);
        let again =
            panics::quietly(|| quorate_live::reexecute(folder, file, &entry.plan, entry.mutants));
        match again {
            Ok(again) => {
                let counts = Counts::of(&again.done, again.cuts);
                let mismatch = again.done.mismatch.as_ref().map(Mismatch::to_string);
                let missing = again.missing;
                Ok(match mismatch {
                    Some(mismatch) => Self::Not { counts, mismatch },
                    None if missing.is_empty() => Self::Back { counts },
                    None => Self::BreaksOff { counts, missing },
                })
            }
            Err(error @ ReexecuteError::Missing { .. }) => {
                Ok(Self::Unknown { why: format!("its inputs are gone: {error}") })
            }
            Err(
                error @ (ReexecuteError::NoFile { .. }
                | ReexecuteError::Unread { .. }
                | ReexecuteError::Damaged(_)
                | ReexecuteError::Changed { .. }
                | ReexecuteError::Unlike { .. }),
            ) => {
                let path = entry.path.display();
                Err(CliError::usage(error).hint(COPY_ANEW).hint(format_args!(
                    "the same plan in virtual time: quorate replay {path} --world sim"
                )))
            }
            Err(error @ (ReexecuteError::System(_) | ReexecuteError::Options(_))) => {
                Err(CliError::usage(error))
            }
        }
    }
}

impl Counts {
    fn of(done: &Reexecution, cuts: BTreeMap<HowCut, u64>) -> Self {
        let Reexecution { cores, lives, inputs, panics, lives_cut, logs_cut, .. } = done;
        Self {
            cores: *cores,
            lives: *lives,
            inputs: *inputs,
            lives_cut: lives_cut.len() as u64,
            logs_cut: logs_cut.len() as u64,
            panics: *panics,
            cuts,
        }
    }

    fn text(&self) -> String {
        let Self { cores, lives, inputs, .. } = self;
        format!("{cores} cores in {lives} lives, {inputs} inputs")
    }

    fn tell_rest(&self, text: &mut String) {
        let Self { logs_cut, panics, cuts, .. } = self;
        if *panics > 0 {
            let what = format!("{panics} cores broke an assertion, in a step that left no digest");
            output::line(text, "panics", &what);
        }
        for (how, lives) in cuts {
            let how = match how {
                HowCut::Fault => "with a kill, a power loss or a bad disk",
                HowCut::Death => "by themselves",
                HowCut::Harness => "with the harness, which was killed",
                HowCut::Trouble => "in the trouble that the history tells of",
            };
            let what = format!(
                "{lives} lives ended {how}, and their last step left no digest to compare with"
            );
            output::line(text, "cut", &what);
        }
        if *logs_cut > 0 {
            let what = format!(
                "{logs_cut} logs end in the middle of an entry, of an input that nothing came of"
            );
            output::line(text, "cut", &what);
        }
    }
}

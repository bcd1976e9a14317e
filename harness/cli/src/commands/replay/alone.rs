//! A run of real processes that is replayed alone: what came of its cores, and what its history says beside that.

use quorate_checkers::history::{HistoryFile, Violation, What};
use quorate_checkers::linearizability::Budget;
use serde::Serialize;

use super::entry::Entry;
use super::live::Reexecuted;
use super::recorded::{self, Difference};
use crate::error::CliError;
use crate::output;
use crate::panics;
use crate::store;

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Alone {
    #[serde(flatten)]
    again: Reexecuted,
    /// Where its history breaks off, if it does.
    breaks_off: Option<String>,
    /// What its file says of it and is not so.
    differs: Vec<Difference>,
    /// Whether the invariants have looked at it again.
    judged: Judged,
}

/// Whether the invariants have looked at a run again, at what its nodes and clients told of themselves.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "why")]
enum Judged {
    /// They have; where they find something else, that is a [`Difference`].
    Again,
    /// They could not.
    Not(String),
    /// There was no reason to: its cores, or the end of its history, leave the run in doubt.
    Needless,
}

impl Alone {
    /// Runs its cores again, and holds header, footer and violations against what else is known of the run.
    pub(super) fn of(entry: &Entry, budget: Budget) -> Result<Self, CliError> {
        let again = Reexecuted::of(entry)?;
        let (mut differs, mut judged) = (Vec::new(), Judged::Needless);
        if let Some(file) = entry.file() {
            let model = entry.plan.workload.kind.model();
            differs = recorded::said(file, model, &entry.judged(file, budget));
            if again.exit_code() == 0 && file.footer.is_some() {
                judged = match judge_again(entry) {
                    Ok(now) => {
                        differs.extend(other_violations(&violations(file), &now));
                        Judged::Again
                    }
                    Err(why) => Judged::Not(why),
                };
            }
        }
        Ok(Self { again, breaks_off: entry.breaks_off(), differs, judged })
    }

    /// What came of its cores.
    pub(super) const fn cores(&self) -> &Reexecuted {
        &self.again
    }

    /// What its file says of it and is not so, if there is anything.
    pub(super) fn differs(&self) -> Option<String> {
        (!self.differs.is_empty()).then(|| recorded::sentence(&self.differs))
    }

    /// That what was broken is the file's word only, if it is.
    pub(super) fn not_judged(&self) -> Option<String> {
        match &self.judged {
            Judged::Not(why) => {
                Some(format!("what was broken is the file's word and was not judged again: {why}"))
            }
            Judged::Again | Judged::Needless => None,
        }
    }

    /// Cores that do something else come first, then what its file says; of a history that breaks off nobody knows
    /// how it went on.
    pub(super) fn exit_code(&self) -> u8 {
        match self.again.exit_code() {
            1 => 1,
            _ if !self.differs.is_empty() => 1,
            0 if self.breaks_off.is_some() => 2,
            code => code,
        }
    }

    /// Only what decides begins with a verdict.
    pub(super) fn text(&self) -> String {
        let says_other = !self.differs.is_empty();
        let cores_differ = self.again.exit_code() == 1;
        let cores_decide = cores_differ || (!says_other && self.breaks_off.is_none());
        let mut text = if cores_decide { self.again.text(true) } else { String::new() };
        if says_other {
            let label = if cores_differ { "file" } else { "DIFFERS" };
            self.tell_differences(&mut text, label);
        }
        if let Some(breaks_off) = &self.breaks_off {
            let label = if cores_differ || says_other { "history" } else { "UNKNOWN" };
            output::line(&mut text, label, breaks_off);
            let what = "the run did not end, so that nobody knows what it showed; what follows is of its inputs";
            let what = if cores_decide { "the run did not end" } else { what };
            output::line(&mut text, "", what);
        }
        if !cores_decide {
            text += &self.again.text(false);
        }
        match (&self.judged, self.not_judged()) {
            (_, Some(why)) => output::line(&mut text, "note", &why),
            (Judged::Again, None) if !says_other => {
                let what = "anew, by what its nodes and clients told of themselves, as recorded";
                output::line(&mut text, "judged", what);
            }
            (Judged::Again | Judged::Not(_) | Judged::Needless, None) => {}
        }
        text
    }

    fn tell_differences(&self, text: &mut String, label: &str) {
        let what = "the file says something else of the run than is so: it was changed, or another program \
                    recorded it";
        output::line(text, label, what);
        for difference in &self.differs {
            output::line(text, "", &difference.text());
        }
    }
}

/// What the invariants find now, or why they find nothing out.
fn judge_again(entry: &Entry) -> Result<Vec<Violation>, String> {
    let folder = store::folder_of(&entry.path);
    let judge = || quorate_live::judge_again(folder, &entry.plan, entry.mutants);
    panics::quietly(|| std::panic::catch_unwind(judge))
        .unwrap_or_else(|_| Err("the invariants failed".to_owned()))
}

/// What a history says does not hold.
fn violations(file: &HistoryFile) -> Vec<Violation> {
    let violations = file.history.events().iter().filter_map(|event| match &event.what {
        What::Violation(violation) => Some(violation.clone()),
        What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Nemesis(_) => None,
    });
    violations.collect()
}

/// The first of the violations that is another one now: another demand, of others, or at another time after the
/// first. How it is worded is not compared, and when the run began is not known.
fn other_violations(recorded: &[Violation], now: &[Violation]) -> Option<Difference> {
    let longest = recorded.len().max(now.len());
    let differs = |place| {
        Difference::between("violations", &describe(recorded, place), &describe(now, place))
    };
    (0..longest).find_map(differs)
}

/// `Q-I3 of n1 and 3 us after the first`; or how many there are, where there is none in this place.
fn describe(violations: &[Violation], place: usize) -> String {
    let Some(violation) = violations.get(place) else {
        return format!("{} in all", violations.len());
    };
    let Violation { demand, targets, happened, .. } = violation;
    let first = violations.first().and_then(|first| first.happened);
    let when = first.zip(*happened).map_or_else(
        || "at an unknown time".to_owned(),
        |(first, happened)| {
            format!("{} ns after the first", i128::from(happened.0) - i128::from(first.0))
        },
    );
    format!("number {} is {demand} of {}, {when}", place + 1, targets.join(" "))
}

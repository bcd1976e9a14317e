//! One run, replayed.

use quorate_checkers::linearizability::Budget;
use quorate_systems::mutant::Mutant;
use serde::Serialize;

use super::again::{Again, Parting, Showing};
use super::entry::Entry;
use crate::commands::run::PROGRAM;
use crate::error::CliError;
use crate::output;

/// What came of replaying one run.
#[derive(Debug, Serialize)]
pub(super) struct Replayed {
    file: String,
    mutant: Option<&'static str>,
    /// The program that recorded it, where it is another one than this.
    other_program: Option<String>,
    /// What it showed when it was recorded.
    pub(super) recorded: Showing,
    /// What it shows now.
    pub(super) now: Showing,
    pub(super) came: Came,
    /// How many events the history of the run of now has.
    events: u64,
    /// How many events there were in its world.
    world_events: u64,
    /// Their digest.
    digest: String,
}

/// Whether the run came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(super) enum Came {
    /// Every event of its world.
    Back,
    /// What there is of its history, which breaks off, or was stopped before its time.
    AsFarAsItGoes {
        /// So many events.
        events: u64,
    },
    /// It shows the same; that is all that was known of it.
    InKind,
    /// Its history, but its world went another way.
    OnlyHistory {
        /// The recorded digest.
        recorded: String,
    },
    /// It went another way, and shows the same.
    AnotherWay {
        /// The recorded digest.
        recorded: String,
    },
    /// It went another way.
    Not {
        /// From here on, where there is a history to compare with.
        parting: Option<Parting>,
    },
}

impl Replayed {
    pub(super) fn of(entry: &Entry, budget: Budget) -> Result<Self, CliError> {
        let again = Again::run(&entry.plan, entry.mutants, budget)?;
        let (recorded, now) = (entry.showed(budget), again.showing());
        let came = Came::of(entry, &again, recorded == now);
        let program = entry.program().filter(|program| *program != PROGRAM);
        Ok(Self {
            file: entry.path.display().to_string(),
            mutant: entry.mutants.0.map(Mutant::name),
            other_program: program.map(ToOwned::to_owned),
            recorded,
            now,
            came,
            events: again.history.len(),
            world_events: again.digest.steps,
            digest: again.digest.digest,
        })
    }

    pub(super) const fn exit_code(&self) -> u8 {
        match self.came {
            Came::Back | Came::InKind => 0,
            Came::Not { .. } | Came::OnlyHistory { .. } | Came::AnotherWay { .. } => 1,
            Came::AsFarAsItGoes { .. } => 2,
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.tell_came(&mut text);
        let shows = if self.recorded == self.now {
            format!("{}, as recorded", self.now.text())
        } else {
            format!("{}; recorded was that {}", self.now.text(), self.recorded.text())
        };
        output::line(&mut text, "shows", &shows);
        if let Some(mutant) = self.mutant {
            output::line(&mut text, "planted", mutant);
        }
        if let Some(program) = &self.other_program {
            output::line(
                &mut text,
                "program",
                &format!("recorded by {program}, this is {PROGRAM}"),
            );
        }
        text
    }

    fn tell_came(&self, text: &mut String) {
        let Self { events, world_events, digest, .. } = self;
        let all = format!("{events} events in the history, {world_events} in the world");
        match &self.came {
            Came::Back => {
                output::line(text, "SAME", &format!("the run came back: {all}"));
                output::line(text, "digest", digest);
            }
            Came::InKind => {
                output::line(text, "SAME", "it shows what it showed; the plan keeps no digest");
                output::line(text, "digest", digest);
            }
            Came::AsFarAsItGoes { events: known } => {
                let what = format!("the run was cut off: its {known} events came back, of {all}");
                output::line(text, "UNKNOWN", &what);
            }
            Came::OnlyHistory { recorded } => {
                let what = "the history came back, but not the world behind it: this program does something else \
                            than the one that recorded it";
                output::line(text, "DIFFERS", what);
                tell_digests(text, recorded, digest);
            }
            Came::AnotherWay { recorded } => {
                output::line(text, "DIFFERS", "another run, which shows the same");
                tell_digests(text, recorded, digest);
            }
            Came::Not { parting: None } => {
                output::line(text, "DIFFERS", &format!("another run: {all}"));
                output::line(text, "digest", digest);
            }
            Came::Not { parting: Some(parting) } => {
                let what = format!("another run, from event {} of the history on", parting.index);
                output::line(text, "DIFFERS", &what);
                let line = |line: &Option<String>| {
                    line.clone().unwrap_or_else(|| "nothing: it was over".to_owned())
                };
                output::line(text, "recorded", &line(&parting.recorded));
                output::line(text, "now", &line(&parting.now));
            }
        }
    }
}

fn tell_digests(text: &mut String, recorded: &str, now: &str) {
    output::line(text, "recorded", recorded);
    output::line(text, "now", now);
}

impl Came {
    fn of(entry: &Entry, again: &Again, shows_the_same: bool) -> Self {
        let digest = entry.digest();
        let is_same_world = digest.map(|digest| digest == again.digest.digest);
        let Some((history, breaks_off)) = entry.history() else {
            return match (is_same_world, digest, shows_the_same) {
                (Some(true), _, true) => Self::Back,
                (Some(false), Some(recorded), true) => {
                    Self::AnotherWay { recorded: recorded.to_owned() }
                }
                (_, _, true) => Self::InKind,
                (_, _, false) => Self::Not { parting: None },
            };
        };
        // Ctrl-C heals a run before its time: from there on it goes another way.
        let was_stopped = digest.is_none();
        match Parting::between(history, &again.history, breaks_off) {
            Some(parting) if was_stopped && !breaks_off => {
                Self::AsFarAsItGoes { events: parting.index }
            }
            Some(parting) => Self::Not { parting: Some(parting) },
            None if was_stopped => Self::AsFarAsItGoes { events: history.len() },
            None => match digest {
                Some(recorded) if is_same_world == Some(false) => {
                    Self::OnlyHistory { recorded: recorded.to_owned() }
                }
                Some(_) | None => Self::Back,
            },
        }
    }
}

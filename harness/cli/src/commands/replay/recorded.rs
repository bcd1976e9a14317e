//! One run, replayed.

use quorate_checkers::history::{History, HistoryFile, Nemesis, RunDigest, What};
use quorate_checkers::judge::Results;
use quorate_checkers::linearizability::Budget;
use quorate_checkers::verdict::Verdict;
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
    /// Whether it says that this very version recorded it.
    by_this_program: bool,
    /// How many events the history of the run of now has.
    events: u64,
    /// How many events there were in its world.
    world_events: u64,
    /// Their digest.
    digest: String,
}

/// What may be behind it where a program does not do again what it did: of a run it knows nothing but its file.
pub(super) const BY_ITSELF: &str =
    "this very version recorded it: its protocol cores were changed since then, or the file was";

/// Something that a file says of its run, and what is so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    /// Where it stands in the file.
    what: &'static str,
    recorded: String,
    now: String,
}

/// The digest over the events of the world, in the footer.
const WORLD_DIGEST: &str = "run.digest";

impl Difference {
    /// What stands there, where it is not what is so.
    pub(super) fn between(
        what: &'static str,
        recorded: &impl ToString,
        now: &impl ToString,
    ) -> Option<Self> {
        let (recorded, now) = (recorded.to_string(), now.to_string());
        (recorded != now).then_some(Self { what, recorded, now })
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let Self { what, recorded, now } = self;
        format!("{what}: recorded {recorded}, now {now}")
    }
}

/// Several, in one sentence.
pub(super) fn sentence(differs: &[Difference]) -> String {
    let all: Vec<String> = differs.iter().map(Difference::text).collect();
    all.join("; ")
}

/// What else header and footer say of a run than is so, where they can be held against its events alone: the model of
/// its system, and its verdict. A checker that gave up now says nothing against a verdict.
pub(super) fn said(file: &HistoryFile, model: &str, results: &Results) -> Vec<Difference> {
    let model = Difference::between("model", &file.header.model, &model);
    let is_decided = results.linearizability.verdict != Verdict::Unknown;
    // By another model it would be judged otherwise.
    let footer = file.footer.as_ref().filter(|_| is_decided && model.is_none());
    let verdict =
        footer.and_then(|footer| Difference::between("verdict", &footer.verdict, &results.verdict));
    model.into_iter().chain(verdict).collect()
}

/// What else the footer says of its world.
fn world(file: &HistoryFile, again: &Again) -> Vec<Difference> {
    let recorded = file.footer.as_ref().and_then(|footer| footer.run.as_ref());
    let Some(RunDigest { steps, digest }) = recorded else { return Vec::new() };
    let steps = Difference::between("run.steps", steps, &again.digest.steps);
    let digest = Difference::between(WORLD_DIGEST, digest, &again.digest.digest);
    steps.into_iter().chain(digest).collect()
}

/// The index of the event that tells of healing. Ctrl-C heals a run before its time, and nothing before that is any
/// different for it.
fn healing(history: &History) -> Option<u64> {
    let is_healing =
        |what: &What| matches!(what, What::Nemesis(nemesis) if nemesis.kind == Nemesis::HEALING);
    history.events().iter().find(|event| is_healing(&event.what)).map(|event| event.index)
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
    /// Its history, but its world went another way, or its file says something else of it than is so.
    OnlyHistory {
        /// What differs, at least one thing.
        differs: Vec<Difference>,
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
        let now = again.showing();
        let (recorded, differs) = match entry.file() {
            Some(file) => {
                let results = entry.judged(file, budget);
                let mut differs = said(file, again.model, &results);
                differs.extend(world(file, &again));
                (Showing::judged(file, &results), differs)
            }
            None => (entry.showed(budget), Vec::new()),
        };
        let came = Came::of(entry, &again, recorded == now, differs);
        let program = entry.program().filter(|program| *program != PROGRAM);
        Ok(Self {
            file: entry.path.display().to_string(),
            mutant: entry.mutants.0.map(Mutant::name),
            other_program: program.map(ToOwned::to_owned),
            recorded,
            now,
            came,
            by_this_program: entry.program() == Some(PROGRAM),
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
        output::line(&mut text, "shows", &self.shows());
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
        if self.differs_by_itself() {
            output::line(&mut text, "program", BY_ITSELF);
        }
        text
    }

    /// Whether a run goes another way though this very version is said to have recorded it.
    pub(super) fn differs_by_itself(&self) -> bool {
        self.by_this_program && self.came.is_another_way()
    }

    /// What it shows, beside what it showed. What a run that was cut off had not broken by then it may have been about
    /// to break.
    fn shows(&self) -> String {
        let Self { recorded, now, came, .. } = self;
        let is_cut = matches!(came, Came::AsFarAsItGoes { .. });
        let now_shows = now.text();
        match recorded {
            Showing::Nothing if is_cut => {
                format!("{now_shows}; recorded up to where it was cut off: nothing yet")
            }
            Showing::Nothing | Showing::Breaks(_) | Showing::Undecided if recorded == now => {
                format!("{now_shows}, as recorded")
            }
            Showing::Nothing | Showing::Breaks(_) | Showing::Undecided => {
                format!("{now_shows}; recorded was that {}", recorded.text())
            }
        }
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
                let what = format!(
                    "the run was cut off: its {known} events came back; run to its end, it has {all}"
                );
                output::line(text, "UNKNOWN", &what);
            }
            Came::OnlyHistory { differs } => {
                let is_world = differs.iter().any(|differs| differs.what == WORLD_DIGEST);
                let what = if is_world {
                    "the history came back, but not the world behind it: this program does something else \
                     than the one that recorded it"
                } else {
                    "the history came back, but its file says something else of it: it was changed, or another \
                     program recorded it"
                };
                output::line(text, "DIFFERS", what);
                for difference in differs {
                    output::line(text, "", &difference.text());
                }
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
    /// Whether other events came than those that were recorded, in the history or behind it.
    fn is_another_way(&self) -> bool {
        match self {
            Self::AnotherWay { .. } | Self::Not { .. } => true,
            Self::OnlyHistory { .. } => self.says_other().is_none(),
            Self::Back | Self::AsFarAsItGoes { .. } | Self::InKind => false,
        }
    }

    /// What its file says of it and is not so, though its events and its world came back; nothing if that is not how it
    /// is.
    pub(super) fn says_other(&self) -> Option<String> {
        let Self::OnlyHistory { differs } = self else { return None };
        let is_world = differs.iter().any(|differs| differs.what == WORLD_DIGEST);
        (!is_world).then(|| sentence(differs))
    }

    fn of(entry: &Entry, again: &Again, shows_the_same: bool, differs: Vec<Difference>) -> Self {
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
        // From where Ctrl-C healed it on it goes another way.
        let was_stopped = digest.is_none();
        let may_part_at = |index| {
            was_stopped && !breaks_off && healing(history).is_some_and(|healed| healed <= index)
        };
        match Parting::between(history, &again.history, breaks_off) {
            Some(parting) if !may_part_at(parting.index) => Self::Not { parting: Some(parting) },
            _ if !differs.is_empty() => Self::OnlyHistory { differs },
            Some(parting) => Self::AsFarAsItGoes { events: parting.index },
            None if was_stopped => Self::AsFarAsItGoes { events: history.len() },
            None => Self::Back,
        }
    }
}

//! A folder of plans and histories: a set of regression tests.

use std::fmt::Write as _;
use std::path::Path;

use quorate_checkers::linearizability::Budget;
use quorate_systems::mutant::Mutants;
use serde::Serialize;

use super::again::{Again, Showing};
use super::alone::Alone;
use super::entry::Entry;
use super::recorded::{BY_ITSELF, Came, Replayed};
use super::tests::Tests;
use crate::commands::run::plan_file;
use crate::error::CliError;
use crate::output;
use crate::packed::Opened;
use crate::progress::Counter;

/// What came of each entry.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    folder: String,
    rows: Vec<Row>,
    /// What was left out.
    left_out: Vec<LeftOut>,
}

#[derive(Debug, Serialize)]
struct LeftOut {
    file: String,
    why: &'static str,
}

#[derive(Debug, Serialize)]
struct Row {
    file: String,
    state: State,
    /// More about it, in a sentence.
    remark: String,
}

/// How an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// A planted bug is still found, and the correct system is not accused.
    StillFound,
    /// A bug that nobody had planted is gone.
    Fixed,
    /// Nothing was broken, and nothing is.
    StillValid,
    /// More goes wrong than the system promises to bear, and what its author expects of that is broken.
    AsExpected,
    /// A planted bug, or harm that was expected, is not found any more, or by something else.
    NoLongerFound,
    /// The correct system is accused.
    Accuses,
    /// A bug that nobody had planted is still there, or another one.
    StillBroken,
    /// Nothing was broken, and now something is.
    Broken,
    /// This program cannot run it.
    NoLongerApplies,
    /// Nobody can read it, or it contradicts itself.
    Damaged,
    /// The checker gave up, its history breaks off, or what a real process took in is gone.
    Unknown,
}

impl State {
    const fn text(self) -> &'static str {
        match self {
            Self::StillFound => "still found",
            Self::Fixed => "fixed",
            Self::StillValid => "still valid",
            Self::AsExpected => "as expected",
            Self::NoLongerFound => "NO LONGER FOUND",
            Self::Accuses => "ACCUSES THE CORRECT SYSTEM",
            Self::StillBroken => "STILL BROKEN",
            Self::Broken => "BROKEN",
            Self::NoLongerApplies => "no longer applies",
            Self::Damaged => "damaged",
            Self::Unknown => "unknown",
        }
    }

    /// 0 as it should be, 1 not, 2 it cannot be said.
    const fn exit_code(self) -> u8 {
        match self {
            Self::StillFound | Self::Fixed | Self::StillValid | Self::AsExpected => 0,
            Self::NoLongerFound | Self::Accuses | Self::StillBroken | Self::Broken => 1,
            Self::NoLongerApplies | Self::Damaged | Self::Unknown => 2,
        }
    }
}

impl Table {
    /// Of a folder with nothing to replay.
    pub(super) fn empty(folder: &Path) -> Self {
        let folder = folder.display().to_string();
        Self { folder, rows: Vec::new(), left_out: Vec::new() }
    }

    pub(super) fn of(tests: &Tests, budget: Budget, counter: &Counter) -> Result<Self, CliError> {
        let mut rows = Vec::new();
        for path in &tests.paths {
            let file = tests.name(path);
            counter.say(&file);
            let (state, remark) = stands(path, budget).or_else(unreadable)?;
            rows.push(Row { file, state, remark });
            counter.add(1);
        }
        let left_out = tests.left_out.iter();
        let left_out = left_out.map(|(path, why)| LeftOut { file: tests.name(path), why });
        Ok(Self { folder: tests.folder.display().to_string(), rows, left_out: left_out.collect() })
    }

    /// What is broken comes before what cannot be said.
    pub(super) fn exit_code(&self) -> u8 {
        let codes = || self.rows.iter().map(|row| row.state.exit_code());
        if codes().any(|code| code == 1) { 1 } else { codes().max().unwrap_or(2) }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let wide = self.rows.iter().map(|row| row.state.text().len()).max().unwrap_or(0);
        for Row { file, state, remark } in &self.rows {
            let state = state.text();
            // Of a plan in which something is wrong the line is shown, too; it is named, which is enough here.
            let remark = remark.lines().next().unwrap_or_default();
            let remark = if remark.is_empty() { String::new() } else { format!(": {remark}") };
            let told = format!("{file}{remark}");
            // Writing to a String cannot fail; so below.
            let _ = writeln!(text, "{state:wide$}  {}", output::one_line(&told));
        }
        for LeftOut { file, why } in &self.left_out {
            let _ = writeln!(text, "{:wide$}  {}: {why}", "left out", output::one_line(file));
        }
        let wrong = self.rows.iter().filter(|row| row.state.exit_code() == 1).count();
        let unsaid = self.rows.iter().filter(|row| row.state.exit_code() == 2).count();
        let left_out = match self.left_out.len() {
            0 => String::new(),
            count => format!("; {count} left out"),
        };
        let _ = writeln!(
            text,
            "{} replayed, {wrong} not as they should be, {unsaid} of which nothing can be said{left_out}",
            self.rows.len()
        );
        text
    }
}

/// How a test stands, with a remark.
type Stands = (State, String);

/// A test that cannot be run is no reason not to run the others; a harness that fails is.
fn unreadable(why: CliError) -> Result<Stands, CliError> {
    match () {
        () if why.is_damaged() => Ok((State::Damaged, why.message().to_owned())),
        () if why.is_usage() => Ok((State::NoLongerApplies, why.message().to_owned())),
        () => Err(why),
    }
}

fn stands(path: &Path, budget: Budget) -> Result<Stands, CliError> {
    let opened = Opened::at(path)?;
    let path = opened.path();
    let is_mute = !plan_file::is_run(path)
        && plan_file::read(path).is_ok_and(|(plan, _)| plan.shows.is_none());
    if is_mute {
        return Ok((State::Unknown, "it does not say what it shows".to_owned()));
    }
    let entry = Entry::read(path)?;
    if entry.is_live() {
        return live(&entry, budget);
    }
    let replayed = Replayed::of(&entry, budget)?;
    let correct = if entry.mutants == Mutants::NONE {
        Showing::Nothing
    } else {
        Again::run(&entry.plan, Mutants::NONE, budget)?.showing()
    };
    let (state, remark) = judge(&entry, &replayed, &correct);
    let remark =
        if replayed.differs_by_itself() { format!("{remark}; {BY_ITSELF}") } else { remark };
    Ok((state, remark))
}

/// Cores that do again what they did broke then what they would break now.
fn live(entry: &Entry, budget: Budget) -> Result<Stands, CliError> {
    // Its plan was checked before: what is wrong now is wrong with the logs.
    let again = Alone::of(entry, budget)
        .map_err(|why| if why.is_usage() { CliError::damaged(why.message()) } else { why })?;
    if let Some(differs) = again.differs() {
        return Ok((State::Damaged, format!("{SAYS_OTHER}: {differs}")));
    }
    let cores = again.cores();
    let state = match (cores.exit_code(), entry.showed(budget)) {
        (1, _) => State::NoLongerApplies,
        (0, Showing::Nothing) => match entry.breaks_off() {
            Some(why) => {
                return Ok((State::Unknown, format!("{why}; until then nothing is broken")));
            }
            None => State::StillValid,
        },
        (0, Showing::Breaks(_)) if entry.mutants != Mutants::NONE => State::StillFound,
        (0, Showing::Breaks(_)) if entry.expects_harm() => State::AsExpected,
        (0, Showing::Breaks(_)) => State::StillBroken,
        (_, _) => State::Unknown,
    };
    let remark = cores.sentence();
    Ok((state, again.not_judged().map_or_else(|| remark.clone(), |why| format!("{remark}; {why}"))))
}

const SAYS_OTHER: &str = "header or footer say something else of it than is so";

fn judge(entry: &Entry, replayed: &Replayed, correct: &Showing) -> Stands {
    let Replayed { recorded, now, came, .. } = replayed;
    let is_planted = entry.mutants != Mutants::NONE;
    let expects_harm = entry.expects_harm();
    let was = || format!("{}; recorded was that {}", now.text(), recorded.text());
    let way = || {
        let way = match came {
            Came::Back => "the same run",
            Came::AsFarAsItGoes { .. } => {
                "the same run as far as it goes: no digest of it was kept"
            }
            Came::InKind => "perhaps another run: no digest of it was kept",
            Came::OnlyHistory { .. } | Came::AnotherWay { .. } | Came::Not { .. } => "another run",
        };
        format!("{}, {way}", now.text())
    };
    if let Some(differs) = came.says_other() {
        return (State::Damaged, format!("{SAYS_OTHER}: {differs}"));
    }
    let is_cut = matches!(came, Came::AsFarAsItGoes { .. });
    match (recorded, now) {
        (_, Showing::Undecided) => (State::Unknown, now.text()),
        _ if matches!(correct, Showing::Breaks(_)) && !expects_harm => {
            (State::Accuses, correct.text())
        }
        _ if *correct == Showing::Undecided => {
            (State::Unknown, format!("without the planted bug {}", correct.text()))
        }
        // What it would have come to is not in it; but the correct system is never to break anything.
        (Showing::Nothing | Showing::Undecided, Showing::Breaks(_))
            if is_cut && (is_planted || expects_harm) =>
        {
            (State::Unknown, format!("it was cut off; run to its end, {}", now.text()))
        }
        (Showing::Nothing | Showing::Undecided, Showing::Nothing) if is_cut => {
            (State::Unknown, format!("it was cut off; run to its end, {}", now.text()))
        }
        (Showing::Nothing, Showing::Nothing) => (State::StillValid, way()),
        (Showing::Nothing | Showing::Undecided, Showing::Breaks(_)) if expects_harm => {
            (State::AsExpected, was())
        }
        (Showing::Nothing | Showing::Undecided, Showing::Breaks(_)) => (State::Broken, was()),
        (Showing::Undecided, Showing::Nothing) => (State::StillValid, was()),
        (Showing::Breaks(_), Showing::Breaks(_)) if is_planted && recorded == now => {
            (State::StillFound, way())
        }
        (Showing::Breaks(_), Showing::Breaks(_)) if expects_harm && recorded == now => {
            (State::AsExpected, way())
        }
        (Showing::Breaks(_), _) if is_planted || expects_harm => (State::NoLongerFound, was()),
        (Showing::Breaks(_), Showing::Breaks(_)) => (State::StillBroken, was()),
        (Showing::Breaks(_), Showing::Nothing) => (State::Fixed, was()),
    }
}

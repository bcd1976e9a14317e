//! A folder of plans and histories: a set of regression tests.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use quorate_checkers::linearizability::Budget;
use quorate_systems::mutant::Mutants;
use serde::Serialize;

use super::again::{Again, Showing};
use super::entry::Entry;
use super::live::Reexecuted;
use super::recorded::{Came, Replayed};
use crate::commands::run::plan_file;
use crate::error::CliError;
use crate::packed::{self, Opened};
use crate::progress::Counter;
use crate::store;

/// What can be replayed in a folder and those below, in the order of names: histories, folders of runs, packed runs, and plans.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut found = Vec::new();
    collect(folder, &mut found)?;
    if found.is_empty() {
        return Err(CliError::usage(format_args!(
            "there is nothing to replay in {}",
            folder.display()
        ))
        .hint("put plans that say what they show (*.toml), histories (*.jsonl), packed runs (*.tar.gz) or folders of runs there"));
    }
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let cannot = |error| store::cannot("read", folder, &error);
    let listed = fs::read_dir(folder).map_err(cannot)?;
    let mut paths: Vec<PathBuf> = listed
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(cannot)?;
    paths.sort();
    for path in paths {
        // A link may lead back up, as `latest` does in a store.
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() && path.join(store::HISTORY).exists() {
            found.push(path);
        } else if path.is_dir() {
            collect(&path, found)?;
        } else if is_replayable(&path) {
            found.push(path);
        }
    }
    Ok(())
}

fn is_replayable(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
        || plan_file::is_history(path)
        || packed::is_packed(path)
}

/// What came of each entry.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    folder: String,
    rows: Vec<Row>,
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
    /// A planted bug is not found any more, or by something else.
    NoLongerFound,
    /// The correct system is accused.
    Accuses,
    /// A bug that nobody had planted is still there, or another one.
    StillBroken,
    /// Nothing was broken, and now something is.
    Broken,
    /// This program cannot run it.
    NoLongerApplies,
    /// The checker gave up, or what a real process took in is gone.
    Unknown,
}

impl State {
    const fn text(self) -> &'static str {
        match self {
            Self::StillFound => "still found",
            Self::Fixed => "fixed",
            Self::StillValid => "still valid",
            Self::NoLongerFound => "NO LONGER FOUND",
            Self::Accuses => "ACCUSES THE CORRECT SYSTEM",
            Self::StillBroken => "STILL BROKEN",
            Self::Broken => "BROKEN",
            Self::NoLongerApplies => "no longer applies",
            Self::Unknown => "unknown",
        }
    }

    /// 0 as it should be, 1 not, 2 it cannot be said.
    const fn exit_code(self) -> u8 {
        match self {
            Self::StillFound | Self::Fixed | Self::StillValid => 0,
            Self::NoLongerFound | Self::Accuses | Self::StillBroken | Self::Broken => 1,
            Self::NoLongerApplies | Self::Unknown => 2,
        }
    }
}

impl Table {
    pub(super) fn of(
        folder: &Path,
        entries: &[PathBuf],
        budget: Budget,
        counter: &Counter,
    ) -> Result<Self, CliError> {
        let mut rows = Vec::new();
        for path in entries {
            let file = path.strip_prefix(folder).unwrap_or(path).display().to_string();
            counter.say(&file);
            rows.push(row(file, path, budget)?);
            counter.add(1);
        }
        Ok(Self { folder: folder.display().to_string(), rows })
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
            let remark = if remark.is_empty() { String::new() } else { format!(": {remark}") };
            // Writing to a String cannot fail; so below.
            let _ = writeln!(text, "{state:wide$}  {file}{remark}");
        }
        let wrong = self.rows.iter().filter(|row| row.state.exit_code() == 1).count();
        let unsaid = self.rows.iter().filter(|row| row.state.exit_code() == 2).count();
        let _ = writeln!(
            text,
            "{} replayed, {wrong} not as they should be, {unsaid} of which nothing can be said",
            self.rows.len()
        );
        text
    }
}

fn row(file: String, path: &Path, budget: Budget) -> Result<Row, CliError> {
    let opened = match Opened::at(path) {
        Ok(opened) => opened,
        Err(why) if why.is_usage() => {
            let remark = why.message().to_owned();
            return Ok(Row { file, state: State::NoLongerApplies, remark });
        }
        Err(why) => return Err(why),
    };
    row_of(file, opened.path(), budget)
}

fn row_of(file: String, path: &Path, budget: Budget) -> Result<Row, CliError> {
    let is_mute = !plan_file::is_run(path)
        && plan_file::read(path).is_ok_and(|(plan, _)| plan.shows.is_none());
    if is_mute {
        let remark = "it does not say what it shows".to_owned();
        return Ok(Row { file, state: State::Unknown, remark });
    }
    let entry = match Entry::read(path) {
        Ok(entry) => entry,
        Err(why) => {
            let remark = why.message().to_owned();
            return Ok(Row { file, state: State::NoLongerApplies, remark });
        }
    };
    if entry.is_live() {
        let (state, remark) = match Reexecuted::of(&entry) {
            Ok(again) => (live_state(&entry, &again, budget), again.sentence()),
            Err(why) if why.is_usage() => (State::NoLongerApplies, why.message().to_owned()),
            Err(why) => return Err(why),
        };
        return Ok(Row { file, state, remark });
    }
    let replayed = match Replayed::of(&entry, budget) {
        Ok(replayed) => replayed,
        Err(why) if why.is_usage() => {
            let remark = why.message().to_owned();
            return Ok(Row { file, state: State::NoLongerApplies, remark });
        }
        Err(why) => return Err(why),
    };
    let correct = if entry.mutants == Mutants::NONE {
        Showing::Nothing
    } else {
        Again::run(&entry.plan, Mutants::NONE, budget)?.showing()
    };
    let (state, remark) = judge(&entry, &replayed, &correct);
    Ok(Row { file, state, remark })
}

/// Cores that do again what they did broke then what they would break now.
fn live_state(entry: &Entry, again: &Reexecuted, budget: Budget) -> State {
    match (again.exit_code(), entry.showed(budget)) {
        (1, _) => State::NoLongerApplies,
        (0, Showing::Nothing) => State::StillValid,
        (0, Showing::Breaks(_)) if entry.mutants != Mutants::NONE => State::StillFound,
        (0, Showing::Breaks(_)) => State::StillBroken,
        (_, _) => State::Unknown,
    }
}

fn judge(entry: &Entry, replayed: &Replayed, correct: &Showing) -> (State, String) {
    let Replayed { recorded, now, came, .. } = replayed;
    let is_planted = entry.mutants != Mutants::NONE;
    let was = || format!("{}; recorded was that {}", now.text(), recorded.text());
    let way = || {
        let way = if *came == Came::Back { "the same run" } else { "another run" };
        format!("{}, {way}", now.text())
    };
    match (recorded, now) {
        (_, Showing::Undecided) => (State::Unknown, now.text()),
        _ if matches!(correct, Showing::Breaks(_)) => (State::Accuses, correct.text()),
        (Showing::Nothing, Showing::Nothing) => (State::StillValid, way()),
        (Showing::Nothing | Showing::Undecided, Showing::Breaks(_)) => (State::Broken, was()),
        (Showing::Undecided, Showing::Nothing) => (State::StillValid, was()),
        (Showing::Breaks(_), Showing::Breaks(_)) if is_planted && recorded == now => {
            (State::StillFound, way())
        }
        (Showing::Breaks(_), _) if is_planted => (State::NoLongerFound, was()),
        (Showing::Breaks(_), Showing::Breaks(_)) => (State::StillBroken, was()),
        (Showing::Breaks(_), Showing::Nothing) => (State::Fixed, was()),
    }
}

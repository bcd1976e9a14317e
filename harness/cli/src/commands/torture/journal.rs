//! What is written down while a campaign goes on, so that it can go on after a kill.
//!
//! `results.jsonl` has one line for each run. Once it is large its runs are added up in `tally.json`, with the set of
//! their numbers, and it begins anew: a night leaves a file of a few megabytes, however many runs it has. A kill
//! between the two leaves lines of runs that the tally has already; they are not counted again.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::indices::Indices;
use super::line::Line;
use super::tally::Tally;
use crate::error::CliError;
use crate::store;

/// The runs of a campaign that are done.
pub(super) struct Journal {
    folder: PathBuf,
    file: File,
    /// How long `results.jsonl` is, in bytes.
    len: u64,
    runs: Runs,
    shrunk_each: usize,
}

/// Runs that are done, added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Runs {
    pub(super) tally: Tally,
    pub(super) done: Indices,
}

/// What `tally.json` holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Folded {
    done: Indices,
    tally: Tally,
}

/// The runs, one line each.
pub(super) const LINES: &str = "results.jsonl";
/// Those that are no lines any more.
pub(super) const TALLY: &str = "tally.json";
/// A longer file is added up.
const LINES_MAX: u64 = 32 << 20;

impl Journal {
    /// Begins it, or goes on with what is there. Such a last line as a kill leaves is cut.
    pub(super) fn open(folder: &Path, shrunk_each: usize) -> Result<Self, CliError> {
        let path = folder.join(LINES);
        let runs = Runs::read(folder, shrunk_each)?;
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        let file = opened.map_err(|error| store::cannot("write", &path, &error))?;
        let len = whole_lines(&path)?;
        file.set_len(len).map_err(|error| store::cannot("write", &path, &error))?;
        Ok(Self { folder: folder.to_owned(), file, len, runs, shrunk_each })
    }

    /// What was done so far.
    pub(super) const fn runs(&self) -> &Runs {
        &self.runs
    }

    /// Writes a run down, and counts it.
    pub(super) fn take(&mut self, line: &Line) -> Result<(), CliError> {
        if !self.runs.done.insert(line.index) {
            return Ok(());
        }
        let text = line.to_text();
        let path = || self.folder.join(LINES);
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|error| store::cannot("write", &path(), &error))?;
        self.len += text.len() as u64;
        self.runs.tally.add(line, self.shrunk_each);
        if self.len > LINES_MAX { self.fold() } else { Ok(()) }
    }

    /// Adds up what is in `results.jsonl`, and begins that anew.
    fn fold(&mut self) -> Result<(), CliError> {
        self.runs.write(&self.folder)?;
        let path = self.folder.join(LINES);
        self.file.set_len(0).map_err(|error| store::cannot("write", &path, &error))?;
        self.len = 0;
        Ok(())
    }
}

impl Runs {
    /// The runs in the folder of a campaign; none where there is nothing.
    pub(super) fn read(folder: &Path, shrunk_each: usize) -> Result<Self, CliError> {
        let (mut runs, lines) = Self::read_apart(folder)?;
        for line in lines.values() {
            runs.take(line, shrunk_each);
        }
        Ok(runs)
    }

    /// Those that are added up, and those that are still lines, by their numbers.
    pub(super) fn read_apart(folder: &Path) -> Result<(Self, BTreeMap<u64, Line>), CliError> {
        let runs = Self::read_folded(&folder.join(TALLY))?;
        let path = folder.join(LINES);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(store::cannot("read", &path, &error)),
        };
        let mut lines = BTreeMap::new();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        for (number, text) in (1..).zip(whole) {
            let line: Line = serde_json::from_str(text).map_err(|error| {
                let place = path.display();
                CliError::damaged(format_args!("{place} line {number}: {error}")).hint(
                    "it is not as a campaign wrote it; take that line out to do its run again",
                )
            })?;
            if !runs.done.contains(line.index) {
                lines.insert(line.index, line);
            }
        }
        Ok((runs, lines))
    }

    /// Counts a run that was not counted yet.
    pub(super) fn take(&mut self, line: &Line, shrunk_each: usize) {
        if self.done.insert(line.index) {
            self.tally.add(line, shrunk_each);
        }
    }

    /// Writes them down, added up.
    pub(super) fn write(&self, folder: &Path) -> Result<(), CliError> {
        let sums = Folded { done: self.done.clone(), tally: self.tally.clone() };
        let text = serde_json::to_string(&sums).expect("a tally has text keys");
        store::write_whole(&folder.join(TALLY), text.as_bytes())
    }

    fn read_folded(path: &Path) -> Result<Self, CliError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(store::cannot("read", path, &error)),
        };
        let Folded { done, tally } = serde_json::from_str(&text).map_err(|error| {
            CliError::damaged(format_args!("{}: {error}", path.display()))
                .hint("it is not as a campaign of this version wrote it")
        })?;
        Ok(Self { tally, done })
    }
}

/// How many bytes of a file are whole lines.
fn whole_lines(path: &Path) -> Result<u64, CliError> {
    let bytes = fs::read(path).map_err(|error| store::cannot("read", path, &error))?;
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    Ok(end as u64)
}

#[cfg(test)]
mod tests {
    use quorate_plan::WorldKind;

    use super::super::line::Ending;
    use super::*;

    fn line(index: u64) -> Line {
        Line {
            index,
            system: "vr".to_owned(),
            world: WorldKind::Sim,
            workload: "register".to_owned(),
            seed: index,
            ending: Ending::Valid,
            breaks: None,
            why: None,
            ok: 1,
            fail: 0,
            info: 0,
            events: 2,
            virtual_us: 3,
            faults: BTreeMap::new(),
            milestones: BTreeMap::new(),
            took_us: 4,
            ended_ms: index,
        }
    }

    #[test]
    fn what_was_written_is_there_again_and_a_torn_last_line_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), 5).unwrap();
        for index in [0, 2, 1, 2] {
            journal.take(&line(index)).unwrap();
        }
        let before = journal.runs().clone();
        assert_eq!(before.tally.runs().valid, 3, "each counts once");
        drop(journal);
        let path = folder.path().join(LINES);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"index\":3,\"sys").unwrap();
        let mut journal = Journal::open(folder.path(), 5).unwrap();
        assert_eq!(*journal.runs(), before);
        journal.take(&line(3)).unwrap();
        assert_eq!(Runs::read(folder.path(), 5).unwrap(), *journal.runs());
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);
    }

    #[test]
    fn a_line_in_the_middle_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(LINES), line(0).to_text() + "x\n" + &line(1).to_text())
            .unwrap();
        let error = Journal::open(folder.path(), 5).err().unwrap();
        assert!(error.message().contains("results.jsonl line 2"), "{}", error.message());
    }

    #[test]
    fn runs_that_were_added_up_count_once_also_if_their_lines_were_left() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), 5).unwrap();
        journal.take(&line(0)).unwrap();
        let lines = fs::read(folder.path().join(LINES)).unwrap();
        journal.fold().unwrap();
        journal.take(&line(1)).unwrap();
        let runs = journal.runs().clone();
        assert_eq!(Runs::read(folder.path(), 5).unwrap(), runs);
        // As after a kill between the two.
        fs::write(folder.path().join(LINES), lines).unwrap();
        let after = Journal::open(folder.path(), 5).unwrap();
        assert_eq!(after.runs().tally.runs().valid, 1);
    }
}

//! Writing what happens.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use quorate_plan::Endpoint;
use quorate_systems::contract::System;
use serde::Serialize;

use super::{Line, Seeing, now};

/// How much of a file is looked at in one piece for its last line's end, in bytes.
const PIECE: u64 = 1 << 16;

/// The file of one process. What is noted is in the file after [`Log::write`], not before.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    /// The step that is being noted, and when it began.
    step: Vec<u8>,
    time: u64,
}

/// A file that cannot be written, and what the operating system says.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {error}", path.display())]
pub(crate) struct LogError {
    path: PathBuf,
    error: io::Error,
}

impl Log {
    /// Goes on with the file, or makes it. A last line that was cut off by a kill is taken away: nothing of
    /// it was released.
    pub(crate) fn open(path: &Path) -> Result<Self, LogError> {
        let open = || -> io::Result<File> {
            let options = &mut File::options();
            let mut file =
                options.create(true).truncate(false).read(true).write(true).open(path)?;
            let end = end_of_last_line(&mut file)?;
            file.set_len(end)?;
            file.seek(SeekFrom::Start(end))?;
            Ok(file)
        };
        let file = open().map_err(|error| LogError { path: path.to_owned(), error })?;
        Ok(Self { path: path.to_owned(), file, step: Vec::new(), time: now() })
    }

    /// A step begins: what is noted from here on happens now. Whoever acts by a clock of its own reads it after
    /// this, and not before: a process that stands still between the two then seems to have acted early, when
    /// what it did was as right, and never late.
    pub(crate) fn begin(&mut self) {
        self.time = now();
    }

    /// Adds to the step that is being noted.
    pub(crate) fn note<S: System>(&mut self, by: Endpoint, saw: &Seeing<'_, S>) {
        self.add(&Line { t: self.time, by, saw });
    }

    fn add(&mut self, line: &impl Serialize) {
        serde_json::to_writer(&mut self.step, line)
            .expect("what cores tell can be written as JSON");
        self.step.push(b'\n');
    }

    /// Writes the step, in one piece.
    pub(crate) fn write(&mut self) -> Result<(), LogError> {
        if self.step.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.step);
        self.step.clear();
        written.map_err(|error| LogError { path: self.path.clone(), error })
    }
}

/// Where the last line that is whole ends.
fn end_of_last_line(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut piece = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(PIECE);
        file.seek(SeekFrom::Start(start))?;
        piece.clear();
        file.take(end - start).read_to_end(&mut piece)?;
        if let Some(place) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + place as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// One file for several cores of one process.
#[derive(Debug)]
pub(crate) struct SharedLog {
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    log: Log,
    /// The first thing that went wrong: from then on nothing is written.
    broken: Option<String>,
}

impl SharedLog {
    /// As [`Log::open`].
    pub(crate) fn open(path: &Path) -> Result<Self, LogError> {
        Ok(Self { open: Mutex::new(Open { log: Log::open(path)?, broken: None }) })
    }

    /// Writes one step of one core: before any effect of it is released.
    pub(crate) fn step<'a, S: System>(
        &self,
        by: Endpoint,
        sights: impl Iterator<Item = Seeing<'a, S>>,
    ) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Open { log, broken } = &mut *open;
        if broken.is_none() {
            // The time is read under the lock, so that it agrees with the order.
            log.begin();
            sights.for_each(|saw| log.note::<S>(by, &saw));
            *broken = log.write().err().map(|error| error.to_string());
        }
    }

    /// Why the file is not whole, if it is not.
    pub(crate) fn damage(&self) -> Option<String> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).broken.clone()
    }
}

#[cfg(test)]
mod tests {
    use quorate_systems::contract::{Incarnation, Ticket};
    use quorate_systems::quorum::Quorum;

    use super::super::Sight;
    use super::*;

    const N0: Endpoint = Endpoint::Node(0);

    fn step(log: &mut Log, tickets: impl IntoIterator<Item = u64>) {
        for ticket in tickets {
            log.note::<Quorum>(N0, &Sight::Durable(Ticket(ticket)));
        }
        log.write().unwrap();
    }

    #[test]
    fn a_step_is_nowhere_until_it_is_written_and_then_has_one_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("observed.jsonl");
        let mut log = Log::open(&path).unwrap();
        let before = now();
        log.begin();
        let after = now();
        log.note::<Quorum>(N0, &Sight::Boot(Incarnation(3)));
        log.note::<Quorum>(N0, &Sight::Lies);
        assert_eq!(std::fs::read(&path).unwrap(), b"");
        log.write().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        let time = lines[0]["t"].as_u64().unwrap();
        assert!((before..=after).contains(&time), "the time at which the step began");
        assert_eq!(lines[1]["t"], time);
        assert_eq!(lines[0]["by"], "n0");
        assert_eq!(lines[0]["saw"], serde_json::json!({ "boot": 3 }));
        assert_eq!(lines[1]["saw"], "lies");
    }

    #[test]
    fn what_a_kill_cut_is_taken_away_before_anything_is_added() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("observed.jsonl");
        step(&mut Log::open(&path).unwrap(), 1..=3);
        let whole = std::fs::read(&path).unwrap();
        for torn in ["{", "{\"t\":17,\"by\":\"n0\"", &"x".repeat(200_000)] {
            std::fs::write(&path, [&whole, torn.as_bytes()].concat()).unwrap();
            drop(Log::open(&path).unwrap());
            assert_eq!(std::fs::read(&path).unwrap(), whole);
        }
        std::fs::write(&path, "half of the first").unwrap();
        step(&mut Log::open(&path).unwrap(), [9]);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("{\"t\":") && text.ends_with("\"saw\":{\"durable\":9}}\n"),
            "{text}"
        );
    }

    #[test]
    fn a_shared_file_that_cannot_be_written_says_so_once() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let file = File::from(std::os::fd::OwnedFd::from(writer));
        let log = Log { path: "clients.jsonl".into(), file, step: Vec::new(), time: 0 };
        let log = SharedLog { open: Mutex::new(Open { log, broken: None }) };
        assert_eq!(log.damage(), None);
        log.step::<Quorum>(N0, std::iter::once(Sight::Lies));
        let damage = log.damage().unwrap();
        assert!(damage.starts_with("cannot write clients.jsonl: "), "{damage}");
    }
}

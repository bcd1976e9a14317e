//! Writing the inputs.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use quorate_systems::wal::EncodeError;
use quorate_world::inputs::{self, BadLog, Entry, Reader, Title};

/// The file of one process. What was added is in the file after [`InputLog::write`], or when it is dropped.
#[derive(Debug)]
pub(crate) struct InputLog {
    path: PathBuf,
    file: File,
    /// What is not in the file yet.
    added: Vec<u8>,
    /// How many entries there are, with those.
    entries: u64,
}

/// A log that cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The operating system says so.
    #[error("cannot write {}: {error}", path.display())]
    System { path: PathBuf, error: io::Error },
    /// What an earlier life wrote is damaged.
    #[error(transparent)]
    Bad(#[from] BadLog),
    /// An entry is too long.
    #[error(transparent)]
    Entry(#[from] EncodeError),
}

impl InputLog {
    /// Goes on with the file, or makes it. An entry that was cut off by a kill is taken away: nothing has come
    /// of it.
    pub(crate) fn open(path: &Path, title: &Title) -> Result<Self, LogError> {
        let failed = |error| LogError::System { path: path.to_owned(), error };
        let options = &mut File::options();
        let file = options.create(true).truncate(false).read(true).write(true).open(path);
        let mut file = file.map_err(failed)?;
        let mut reader = Reader::new(path.display().to_string(), &mut file);
        while reader.read()?.is_some() {}
        let (end, entries) = (reader.offset(), reader.entries());
        let mut added = Vec::new();
        if end == 0 {
            inputs::begin(&mut added, title)?;
        }
        file.set_len(end).map_err(failed)?;
        file.seek(SeekFrom::Start(end)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, added, entries })
    }

    /// Adds an entry, to be written with the next one.
    pub(crate) fn add(&mut self, entry: &Entry) -> Result<(), LogError> {
        inputs::append(&mut self.added, self.entries + 1, entry)?;
        self.entries += 1;
        Ok(())
    }

    /// Writes what was added, in one piece.
    pub(crate) fn write(&mut self) -> Result<(), LogError> {
        if self.added.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.added);
        self.added.clear();
        written.map_err(|error| LogError::System { path: self.path.clone(), error })
    }
}

impl Drop for InputLog {
    fn drop(&mut self) {
        // What is missing then is a digest, whose absence is told by whoever reads the log.
        let _ = self.write();
    }
}

/// One file for several cores of one process.
#[derive(Debug)]
pub(crate) struct SharedInputs {
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    /// Gone once nothing is to be written any more.
    log: Option<InputLog>,
    /// The first thing that went wrong: from then on nothing is written.
    broken: Option<String>,
}

impl SharedInputs {
    /// As [`InputLog::open`].
    pub(crate) fn open(path: &Path, title: &Title) -> Result<Self, LogError> {
        let log = Some(InputLog::open(path, title)?);
        Ok(Self { open: Mutex::new(Open { log, broken: None }) })
    }

    /// Writes what is about to happen to a core: before it does. The entry is made under the lock, so that
    /// its time agrees with the order.
    pub(crate) fn write(&self, entry: impl FnOnce() -> Entry) {
        self.unless_broken(|log| {
            log.add(&entry())?;
            log.write()
        });
    }

    /// Adds what a core's last step came to, to be written with whatever is written next.
    pub(crate) fn add(&self, entry: &Entry) {
        self.unless_broken(|log| log.add(entry));
    }

    /// Writes what is left, and nothing any more after that; why the file is not whole, if it is not.
    pub(crate) fn finish(&self) -> Option<String> {
        self.unless_broken(InputLog::write);
        let mut open = self.lock();
        open.log = None;
        open.broken.clone()
    }

    fn unless_broken(&self, act: impl FnOnce(&mut InputLog) -> Result<(), LogError>) {
        let Open { log, broken } = &mut *self.lock();
        let Some(log) = log else { return };
        if broken.is_none() {
            *broken = act(log).err().map(|error| error.to_string());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

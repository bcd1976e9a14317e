//! A node's disk: appends to the log as records come, syncs them in groups on a thread of its own, and
//! replaces a long log by a checkpoint.
//!
//! ```text
//! event loop          append ─► log file (or a buffer) ··· rotate ─► the next log
//!                                    │                        │
//! storage thread      write the buffer, fdatasync      checkpoint, then away with what it stands for
//!                                    │
//! event loop          Durable(highest ticket) for the whole group
//! ```
//!
//! While one group is synced the next one gathers, so that a disk of 270 syncs a second serves as many
//! records as it has bandwidth for.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use quorate_systems::contract::Ticket;
use quorate_systems::wal::RECORD_HEADER_LEN;
use quorate_world::weather;
use tokio::sync::mpsc::UnboundedSender;

use super::checkpoint::{CHECKPOINT_STEPS, CheckpointJob, remove_superfluous};
use super::disk::{self, DiskError};
use super::folder::{Folder, log_path, sync_folder};
use super::recovery::Recovery;
use crate::protocol::DiskMode;

/// A log longer than this is replaced by a checkpoint, unless the checkpoint would be longer still.
pub const LOG_MAX_BYTES: u64 = 1 << 20;

/// What the storage thread says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// All tickets up to this one are durable. At most one for each sync.
    Durable(Ticket),
    /// A checkpoint stands for all logs below this number.
    Checkpointed(u64),
    /// The disk failed; nothing more will become durable.
    Failed(String),
}

/// What the storage has done, for `Status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) syncs: u64,
    pub(super) records: u64,
    pub(super) unsynced_bytes: u64,
    pub(super) checkpoints: u64,
}

/// The event loop's side of the storage.
#[derive(Debug)]
pub(super) struct Storage {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    folder: Folder,
    /// Where a torn write is cut is drawn from it.
    seed: u64,
    state: Mutex<State>,
    /// There is something to do for the thread.
    wake: Condvar,
}

#[derive(Debug)]
struct State {
    mode: DiskMode,
    write_through: bool,
    log: Log,
    /// Records that are in no file yet: always empty in write-through mode on a good disk.
    buffer: Vec<u8>,
    /// How long the last record in `buffer` is.
    last_record_len: usize,
    /// The last ticket that was appended.
    appended: Ticket,
    /// The last ticket that is durable; never above `appended`.
    durable: Ticket,
    checkpoint: Checkpoint,
    stopping: bool,
    counters: Counters,
}

/// The log that is written to.
#[derive(Clone, Debug)]
struct Log {
    number: u64,
    path: PathBuf,
    file: Arc<File>,
    /// With what is still in the buffer.
    len: u64,
}

/// Where the next checkpoint stands.
#[derive(Debug)]
enum Checkpoint {
    /// None is due before the log is this long.
    NotBefore { log_len: u64 },
    /// It waits for the thread.
    Waiting { number: u64, bytes: Vec<u8> },
    /// The thread is writing it.
    Writing,
}

/// What the thread does next.
enum Work {
    /// Sync the log, which holds all records up to this ticket.
    Sync { log: Log, mode: DiskMode, up_to: Ticket, bytes: u64 },
    /// Put this checkpoint in place of all logs below its number.
    Checkpoint { number: u64, bytes: Vec<u8>, mode: DiskMode },
    /// Nothing is left, and nothing will come.
    Stop,
}

impl Storage {
    /// Goes on where `found` says that the log ends, and cuts what lies behind that. Files that a
    /// checkpoint made superfluous before a crash are removed.
    pub(super) fn open<R>(
        folder: Folder,
        found: &Recovery<R>,
        seed: u64,
        reports: UnboundedSender<Report>,
    ) -> Result<Self, DiskError> {
        let shared = Arc::new(Shared::open(folder, found, seed)?);
        let thread = thread::Builder::new()
            .name("storage".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.run(&reports)
            })
            .map_err(DiskError::at("start a thread for", shared.folder.path()))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Accepts one record, encoded as the log takes it. It is durable when its ticket is reported.
    pub(super) fn append(&self, ticket: Ticket, record: &[u8]) -> Result<(), DiskError> {
        let mut state = self.shared.lock();
        state.append(ticket, record)?;
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Whether the log is long enough to be replaced by a checkpoint.
    pub(super) fn wants_checkpoint(&self) -> bool {
        let state = self.shared.lock();
        match state.checkpoint {
            Checkpoint::NotBefore { log_len } => {
                state.log.len > log_len && state.mode != DiskMode::Tear
            }
            Checkpoint::Waiting { .. } | Checkpoint::Writing => false,
        }
    }

    /// Begins the next log, and has `checkpoint` written to stand for all records appended so far. It
    /// blocks for two syncs, so that no crash can leave a gap between the two logs.
    pub(super) fn rotate(&self, checkpoint: Vec<u8>) -> Result<(), DiskError> {
        let mut state = self.shared.lock();
        state.flush()?;
        sync(state.mode, &state.log)?;
        let number = state.log.number + 1;
        state.log = begin_log(self.shared.folder.path(), number)?;
        state.checkpoint = Checkpoint::Waiting { number, bytes: checkpoint };
        self.shared.wake.notify_one();
        Ok(())
    }

    /// How the disk behaves from now on.
    pub(super) fn set_mode(&self, mode: DiskMode) {
        self.shared.lock().mode = mode;
    }

    /// Whether records reach the operating system at once.
    pub(super) fn set_write_through(&self, write_through: bool) -> Result<(), DiskError> {
        let mut state = self.shared.lock();
        state.write_through = write_through;
        if state.writes_through() { state.flush() } else { Ok(()) }
    }

    pub(super) fn counters(&self) -> Counters {
        self.shared.lock().counters
    }

    /// Makes everything durable that was appended, and ends the thread. Its last reports are sent when
    /// this returns.
    pub(super) fn finish(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

impl State {
    fn new(log: Log) -> Self {
        Self {
            mode: DiskMode::Good,
            write_through: true,
            log,
            buffer: Vec::new(),
            last_record_len: 0,
            appended: Ticket(0),
            durable: Ticket(0),
            checkpoint: Checkpoint::NotBefore { log_len: LOG_MAX_BYTES },
            stopping: false,
            counters: Counters::default(),
        }
    }

    fn append(&mut self, ticket: Ticket, record: &[u8]) -> Result<(), DiskError> {
        assert_eq!(ticket.0, self.appended.0 + 1, "tickets come in order");
        assert!(record.len() >= RECORD_HEADER_LEN, "a record of the log has a header");
        self.appended = ticket;
        self.buffer.extend_from_slice(record);
        self.last_record_len = record.len();
        self.log.len += record.len() as u64;
        self.counters.records += 1;
        self.counters.unsynced_bytes += record.len() as u64;
        if self.writes_through() { self.flush() } else { Ok(()) }
    }

    /// A write that is to be torn waits for the thread, like any in buffered mode.
    fn writes_through(&self) -> bool {
        self.write_through && self.mode != DiskMode::Tear
    }

    /// Hands the buffer to the operating system.
    fn flush(&mut self) -> Result<(), DiskError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        disk::write(self.mode, &self.log.path, &self.log.file, &self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Shared {
    fn open<R>(folder: Folder, found: &Recovery<R>, seed: u64) -> Result<Self, DiskError> {
        let (number, len) = (found.log, found.log_len);
        let path = log_path(folder.path(), number);
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(DiskError::at("open", &path))?;
        file.set_len(len)
            .and_then(|()| file.sync_all())
            .map_err(DiskError::at("cut the torn tail of", &path))?;
        remove_superfluous(folder.path())?;
        let log = Log { number, path, file: Arc::new(file), len };
        Ok(Self { folder, seed, state: Mutex::new(State::new(log)), wake: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the storage")
    }

    fn run(&self, reports: &UnboundedSender<Report>) {
        loop {
            let report = match self.turn() {
                Ok(Some(report)) => report,
                Ok(None) => return,
                // The loop may be gone already: then nobody waits for anything.
                Err(error) => return drop(reports.send(Report::Failed(error.to_string()))),
            };
            drop(reports.send(report));
        }
    }

    /// Does the next thing, and says what came of it; `None` when nothing is left and nothing will come.
    fn turn(&self) -> Result<Option<Report>, DiskError> {
        match self.next_work()? {
            Work::Sync { log, mode, up_to, bytes } => self.sync(&log, mode, up_to, bytes).map(Some),
            Work::Checkpoint { number, bytes, mode } => {
                self.checkpoint(number, &bytes, mode).map(Some)
            }
            Work::Stop => Ok(None),
        }
    }

    /// Waits for something to do. Checkpoints come first, or a steady stream of records would put them
    /// off for ever.
    fn next_work(&self) -> Result<Work, DiskError> {
        let mut state = self.lock();
        loop {
            if let Checkpoint::Waiting { .. } = state.checkpoint {
                let taken = std::mem::replace(&mut state.checkpoint, Checkpoint::Writing);
                if let Checkpoint::Waiting { number, bytes } = taken {
                    return Ok(Work::Checkpoint { number, bytes, mode: state.mode });
                }
            }
            if state.durable < state.appended {
                if state.mode == DiskMode::Tear && !state.buffer.is_empty() {
                    return Err(self.tear(&state));
                }
                state.flush()?;
                return Ok(Work::Sync {
                    log: state.log.clone(),
                    mode: state.mode,
                    up_to: state.appended,
                    bytes: state.counters.unsynced_bytes,
                });
            }
            if state.stopping {
                return Ok(Work::Stop);
            }
            state = self.wake.wait(state).expect("nobody panics while holding the storage");
        }
    }

    fn sync(
        &self,
        log: &Log,
        mode: DiskMode,
        up_to: Ticket,
        bytes: u64,
    ) -> Result<Report, DiskError> {
        sync(mode, log)?;
        let mut state = self.lock();
        assert!(state.durable < up_to);
        state.durable = up_to;
        state.counters.syncs += 1;
        state.counters.unsynced_bytes -= bytes;
        Ok(Report::Durable(up_to))
    }

    fn checkpoint(&self, number: u64, bytes: &[u8], mode: DiskMode) -> Result<Report, DiskError> {
        let job = CheckpointJob { folder: self.folder.path(), number, bytes, mode };
        for step in CHECKPOINT_STEPS {
            step(&job)?;
        }
        let mut state = self.lock();
        state.counters.checkpoints += 1;
        let log_len = LOG_MAX_BYTES.max(bytes.len() as u64);
        state.checkpoint = Checkpoint::NotBefore { log_len };
        Ok(Report::Checkpointed(number))
    }

    /// Writes the buffer but for the end of its last record: what a power failure in the middle of a
    /// write leaves.
    fn tear(&self, state: &State) -> DiskError {
        let whole = state.buffer.len() - state.last_record_len;
        let draw = weather::draw(self.seed, "tear", &[state.appended.0]);
        let part = weather::between(draw, 1, state.last_record_len as u64 - 1);
        let end = whole + usize::try_from(part).expect("a part of a buffer");
        let Log { path, file, .. } = &state.log;
        let torn = state.buffer.get(..end).unwrap_or_default();
        let written = disk::write(DiskMode::Good, path, file, torn)
            .and_then(|()| sync(DiskMode::Good, &state.log));
        match written {
            Ok(()) => DiskError {
                what: "finish writing",
                path: path.clone(),
                error: io::Error::other(format!("cut off inside the last record, {part} bytes in")),
            },
            Err(error) => error,
        }
    }
}

/// Makes a new, empty log; it is there for good when this returns.
fn begin_log(folder: &Path, number: u64) -> Result<Log, DiskError> {
    let path = log_path(folder, number);
    let file = File::options()
        .create_new(true)
        .append(true)
        .open(&path)
        .map_err(DiskError::at("create", &path))?;
    sync_folder(folder).map_err(DiskError::at("sync", folder))?;
    Ok(Log { number, path, file: Arc::new(file), len: 0 })
}

fn sync(mode: DiskMode, log: &Log) -> Result<(), DiskError> {
    disk::sync(mode, &log.path, &log.file)
}

#[cfg(test)]
mod tests;

//! The single point of truth for what happened in which order.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use quorate_checkers::history::{
    Event, Header, Nemesis, Step, Time, Violation, What, WriteError, Writer,
};
use tokio::sync::watch;

/// Writes the history while it happens. Whoever records first stands first: clones share one file.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    path: PathBuf,
    /// Gone once the run is over.
    writer: Mutex<Option<Writer<File>>>,
    tally: Tally,
    /// Who else is told of each event.
    tap: OnceLock<Sender<Event>>,
    /// The first thing that went wrong: from then on nothing is recorded.
    broken: watch::Sender<Option<String>>,
}

/// How many operations ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Invoked.
    pub invoked: u64,
    /// Done.
    pub ok: u64,
    /// Certainly not done.
    pub fail: u64,
    /// Nobody knows.
    pub info: u64,
}

#[derive(Debug, Default)]
struct Tally {
    invoked: AtomicU64,
    ok: AtomicU64,
    fail: AtomicU64,
    info: AtomicU64,
}

impl Recorder {
    /// Makes the file, which must not exist, and writes its header. Time begins now.
    pub(crate) fn create(path: &Path, header: &Header) -> Result<Self, WriteError> {
        let file = File::create_new(path)?;
        let writer = match Writer::new(file, header) {
            Ok(writer) => writer,
            Err(error) => {
                // A file with half a header helps nobody.
                let _ = std::fs::remove_file(path);
                return Err(error);
            }
        };
        Ok(Self::over(writer, path))
    }

    /// A recorder whose header is written.
    fn over(writer: Writer<File>, path: &Path) -> Self {
        let shared = Shared {
            began: Instant::now(),
            path: path.to_owned(),
            writer: Mutex::new(Some(writer)),
            tally: Tally::default(),
            tap: OnceLock::new(),
            broken: watch::Sender::new(None),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Has each event that is recorded from now on told to somebody else as well, in the same order. One can listen.
    pub(crate) fn tap(&self, events: Sender<Event>) {
        let is_first = self.shared.tap.set(events).is_ok();
        assert!(is_first, "a recorder is tapped once");
    }

    /// Nanoseconds since the file was begun.
    pub(crate) fn now(&self) -> Time {
        Time(u64::try_from(self.shared.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// An operation begins. To be called before anything of it is sent.
    pub(crate) fn invoke(&self, step: Step) {
        self.add(What::Invoke(step));
    }

    /// An operation has ended: one of `Ok`, `Fail` and `Info`.
    pub(crate) fn complete(&self, what: What) {
        self.add(what);
    }

    /// The nemesis did something.
    pub(crate) fn nemesis(&self, nemesis: Nemesis) {
        self.add(What::Nemesis(nemesis));
    }

    /// Something that must hold does not.
    pub(crate) fn violation(&self, violation: Violation) {
        self.add(What::Violation(violation));
    }

    /// How many operations ended how so far.
    pub(crate) fn counts(&self) -> Counts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let tally = &self.shared.tally;
        Counts {
            invoked: load(&tally.invoked),
            ok: load(&tally.ok),
            fail: load(&tally.fail),
            info: load(&tally.info),
        }
    }

    /// Waits until an event could not be recorded; why. For ever, if all goes well.
    pub(crate) async fn broken(&self) -> String {
        let mut broken = self.shared.broken.subscribe();
        match broken.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Why the history is not whole, if it is not.
    pub(crate) fn damage(&self) -> Option<String> {
        self.shared.broken.borrow().clone()
    }

    /// Takes the writer out: the run is over, and nothing is recorded any more.
    pub(crate) fn close(&self) -> Option<Writer<File>> {
        self.lock().take()
    }

    fn add(&self, what: What) {
        let tally = &self.shared.tally;
        let counter = match &what {
            What::Invoke(_) => Some(&tally.invoked),
            What::Ok(_) => Some(&tally.ok),
            What::Fail(_) => Some(&tally.fail),
            What::Info(_) => Some(&tally.info),
            What::Nemesis(_) | What::Violation(_) => None,
        };
        let mut writer = self.lock();
        let Some(open) = writer.as_mut() else { return };
        let tap = self.shared.tap.get().map(|tap| (tap, what.clone()));
        // The time is read under the lock, so that it agrees with the order.
        let time = self.now();
        match open.event(time, what) {
            Ok(index) => {
                if let Some((tap, what)) = tap {
                    // Whoever has heard enough is gone.
                    let _ = tap.send(Event { index, time, what });
                }
                if let Some(counter) = counter {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            }
            // Every later event fails because of the first.
            Err(WriteError::Broken) => {}
            Err(error) => {
                let why = format!("{}: {error}", self.shared.path.display());
                self.shared.broken.send_if_modified(|broken| {
                    let first = broken.is_none();
                    broken.get_or_insert(why);
                    first
                });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Writer<File>>> {
        self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use quorate_checkers::history::{Key, ProcessId, Value};

    use super::*;

    fn header() -> Header {
        Header {
            program: "test".to_owned(),
            started: "2026-11-23T21:47:02Z".to_owned(),
            mutant: None,
            model: "register".to_owned(),
            plan: serde_json::Value::Null,
        }
    }

    fn read(process: u64) -> Step {
        let (f, key) = ("read".into(), Some(Key(0)));
        Step { process: ProcessId(process), f, key, value: Value::Nil, error: None }
    }

    #[test]
    fn threads_that_record_at_once_leave_a_history_that_is_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::create(&folder.path().join("history.jsonl"), &header()).unwrap();
        std::thread::scope(|scope| {
            for process in 0..4 {
                let recorder = recorder.clone();
                scope.spawn(move || {
                    for _ in 0..100 {
                        recorder.invoke(read(process));
                        recorder.complete(What::Ok(read(process)));
                    }
                });
            }
        });
        assert_eq!(recorder.counts(), Counts { invoked: 400, ok: 400, fail: 0, info: 0 });
        assert_eq!(recorder.damage(), None);
        let history = recorder.close().unwrap();
        assert_eq!(history.history().len(), 800);
        recorder.invoke(read(0));
        assert_eq!(recorder.counts().invoked, 400, "after the end nothing is recorded");
    }

    #[tokio::test]
    async fn an_event_that_cannot_be_written_is_told_with_the_file_and_counts_nothing() {
        let (reader, writer) = std::io::pipe().unwrap();
        let writer = Writer::new(File::from(OwnedFd::from(writer)), &header()).unwrap();
        let recorder = Recorder::over(writer, Path::new("store/history.jsonl"));
        drop(reader);
        recorder.invoke(read(0));
        recorder.invoke(read(1));
        let why = recorder.broken().await;
        assert!(why.starts_with("store/history.jsonl: cannot write the history: "), "{why}");
        assert!(why.contains("Broken pipe"), "{why}");
        assert_eq!(recorder.counts().invoked, 0);
    }

    #[test]
    fn a_history_that_is_there_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        std::fs::write(&path, "precious").unwrap();
        assert!(Recorder::create(&path, &header()).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }
}

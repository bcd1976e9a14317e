//! What a killed harness left behind, and how a run says that it is alive.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cluster::{DATA, NODES};
use crate::observed::forget_observations;

/// The file in a run's folder that says which process the run belongs to. It is there from before the
/// first node is started until after the last one has ended.
const LOCK: &str = "live.lock";

/// The mark of a running run; it goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
}

/// A process that no other one can be taken for: ids are used again.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Owner {
    pid: u32,
    /// When the process started, in clock ticks since the machine booted.
    started: u64,
    /// Which boot of the machine that was.
    boot: String,
}

impl Lock {
    /// Marks the run in `folder` as belonging to this process.
    pub(crate) fn take(folder: &Path) -> io::Result<Self> {
        let path = folder.join(LOCK);
        let bytes = serde_json::to_vec(&Owner::of(std::process::id())?)?;
        fs::write(&path, bytes)?;
        Ok(Self { path })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // If it stays, the next start finds that its owner is gone.
        let _ = fs::remove_file(&self.path);
    }
}

impl Owner {
    fn of(pid: u32) -> io::Result<Self> {
        let started = start_of(pid).ok_or_else(|| io::Error::other("/proc says nothing of it"))?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        Ok(Self { pid, started, boot })
    }

    fn lives(&self) -> bool {
        Self::of(self.pid).is_ok_and(|now| now == *self)
    }
}

/// When a process started; `None` if there is no such process.
fn start_of(pid: u32) -> Option<u64> {
    /// Its place in `/proc/PID/stat` behind the name, which is the second field.
    const STARTTIME: usize = 22 - 3;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(STARTTIME)?.parse().ok()
}

/// A store that cannot be swept.
#[derive(Debug, thiserror::Error)]
#[error("cannot clean up {}: {error}", path.display())]
pub struct SweepError {
    /// The folder that resists.
    pub path: PathBuf,
    /// What the operating system says.
    pub error: io::Error,
}

/// Removes the node data that killed harnesses left in a store (`STORE/TEST/TIME/nodes/n0/data`), and what was
/// observed: that of runs whose owner is gone without having ended them. Histories and logs stay, and runs that are alive or
/// have ended properly are not touched. How many runs were swept; a store that is not there has none.
pub fn sweep(store: &Path) -> Result<u32, SweepError> {
    let mut swept = 0;
    for test in folders(store)? {
        // What this user may not look into is not a run of his.
        let runs = match folders(&test) {
            Err(SweepError { error, .. }) if error.kind() == io::ErrorKind::PermissionDenied => {
                continue;
            }
            runs => runs?,
        };
        for run in runs {
            if is_abandoned(&run) {
                sweep_run(&run)?;
                swept += 1;
            }
        }
    }
    Ok(swept)
}

fn is_abandoned(run: &Path) -> bool {
    let Ok(bytes) = fs::read(run.join(LOCK)) else { return false };
    // A lock that cannot be read was cut off while it was written, by whoever is gone since: before that
    // no node had been started. It is left alone rather than judged.
    serde_json::from_slice::<Owner>(&bytes).is_ok_and(|owner| !owner.lives())
}

fn sweep_run(run: &Path) -> Result<(), SweepError> {
    for node in folders(&run.join(NODES))? {
        let data = node.join(DATA);
        gone(fs::remove_dir_all(&data), data)?;
    }
    // Nobody will judge these any more: a history without an end has its verdict from the clients alone.
    forget_observations(run);
    let lock = run.join(LOCK);
    gone(fs::remove_file(&lock), lock)
}

/// Whether a removal has left nothing, be it that another start was faster.
fn gone(removed: io::Result<()>, path: PathBuf) -> Result<(), SweepError> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(SweepError { path, error }),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The folders in a folder; links (`latest`) are not followed.
fn folders(parent: &Path) -> Result<Vec<PathBuf>, SweepError> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut folders = Vec::new();
        for entry in fs::read_dir(parent)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
        folders.sort();
        Ok(folders)
    };
    match list() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(|error| SweepError { path: parent.to_owned(), error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store with one run that has node data, a log and a history.
    fn store() -> (tempfile::TempDir, PathBuf) {
        let store = tempfile::tempdir().unwrap();
        let run = store.path().join("quorum/2026-11-23T21-47-02Z");
        fs::create_dir_all(run.join("nodes/n0/data")).unwrap();
        fs::write(run.join("nodes/n0/data/log-000000"), "records").unwrap();
        fs::write(run.join("nodes/n0/log"), "what it said").unwrap();
        fs::write(run.join("nodes/n0/observed.jsonl"), "what it did").unwrap();
        fs::write(run.join("nodes/n0/inputs.log"), "what it took in").unwrap();
        fs::write(run.join("clients.jsonl"), "what they did").unwrap();
        fs::write(run.join("clients-inputs.log"), "what they took in").unwrap();
        fs::write(run.join("history.jsonl"), "events").unwrap();
        std::os::unix::fs::symlink(&run, store.path().join("quorum/latest")).unwrap();
        (store, run)
    }

    fn dead() -> Owner {
        Owner { started: 1, ..Owner::of(std::process::id()).unwrap() }
    }

    #[test]
    fn the_data_of_a_killed_run_goes_and_the_rest_stays() {
        let (store, run) = store();
        fs::write(run.join(LOCK), serde_json::to_vec(&dead()).unwrap()).unwrap();
        assert_eq!(sweep(store.path()).unwrap(), 1);
        for gone in ["nodes/n0/data", "nodes/n0/observed.jsonl", "nodes/n0/inputs.log"] {
            assert!(!run.join(gone).exists(), "{gone}");
        }
        for gone in ["clients.jsonl", "clients-inputs.log"] {
            assert!(!run.join(gone).exists(), "{gone}");
        }
        assert!(run.join("nodes/n0/log").exists());
        assert!(run.join("history.jsonl").exists());
        assert_eq!(sweep(store.path()).unwrap(), 0, "once is enough");
    }

    #[test]
    fn a_run_that_is_alive_is_not_touched() {
        let (store, run) = store();
        let lock = Lock::take(&run).unwrap();
        assert_eq!(sweep(store.path()).unwrap(), 0);
        assert!(run.join("nodes/n0/data/log-000000").exists());
        drop(lock);
        assert!(!run.join(LOCK).exists());
    }

    #[test]
    fn a_run_that_has_ended_keeps_its_evidence() {
        let (store, run) = store();
        assert_eq!(sweep(store.path()).unwrap(), 0);
        assert!(run.join("nodes/n0/data/log-000000").exists());
    }

    #[test]
    fn a_store_that_is_not_there_has_nothing_to_sweep() {
        assert_eq!(sweep(Path::new("/nonexistent/store")).unwrap(), 0);
    }

    #[test]
    fn two_starts_may_sweep_at_once() {
        for _ in 0..20 {
            let (store, run) = store();
            fs::write(run.join(LOCK), serde_json::to_vec(&dead()).unwrap()).unwrap();
            std::thread::scope(|scope| {
                let both = [0, 1].map(|_| scope.spawn(|| sweep(store.path())));
                for one in both {
                    one.join().unwrap().unwrap();
                }
            });
            assert!(!run.join(LOCK).exists() && !run.join("nodes/n0/data").exists());
        }
    }
}

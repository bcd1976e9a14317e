//! The store: one folder for each run, and links to the latest.
//!
//! ```text
//! store/latest -> quorum-register/2026-11-23T21-47-02.113Z
//! store/quorum-register/latest -> 2026-11-23T21-47-02.113Z
//! store/quorum-register/2026-11-23T21-47-02.113Z/
//!     history.jsonl  results.json  report.html  nodes/n0/{config.json,data/,log,notices.jsonl} …
//! ```

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::{Timestamp, Unit};

use crate::error::CliError;

/// The history in a run's folder.
pub(crate) const HISTORY: &str = "history.jsonl";
/// The results in a run's folder.
pub(crate) const RESULTS: &str = "results.json";
/// The picture of a small run in its folder.
pub(crate) const STORY: &str = "story.svg";
/// What cores told of themselves before something went wrong, in a run's folder.
pub(crate) const TOLD: &str = "told.txt";
/// The page in a run's folder.
pub(crate) const REPORT: &str = "report.html";

/// The folder of one run.
#[derive(Clone, Debug)]
pub(crate) struct RunFolder {
    /// The folder itself, as `STORE/TEST/TIME`.
    pub(crate) path: PathBuf,
    store: PathBuf,
    test: String,
}

impl RunFolder {
    /// Makes the folder of a run of `test` that begins now.
    pub(crate) fn create(store: &Path, test: &str, now: Timestamp) -> Result<Self, CliError> {
        let parent = store.join(test);
        fs::create_dir_all(&parent).map_err(|error| cannot("make the folder", &parent, &error))?;
        let time = folder_name(now);
        let mut path = parent.join(&time);
        // Two runs of one test may begin in the same millisecond.
        for number in 2.. {
            match fs::create_dir(&path) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    path = parent.join(format!("{time}-{number}"));
                }
                Err(error) => return Err(cannot("make the folder", &path, &error)),
            }
        }
        Ok(Self { path, store: store.to_owned(), test: test.to_owned() })
    }

    /// Lets `latest` of the test point here.
    pub(crate) fn link_latest_of_test(&self) -> Result<(), CliError> {
        let name = self.path.file_name().unwrap_or_default();
        relink(&self.store.join(&self.test).join("latest"), Path::new(name))
    }

    /// Lets `latest` of the test and of the whole store point here.
    pub(crate) fn link_latest(&self) -> Result<(), CliError> {
        self.link_latest_of_test()?;
        let name = self.path.file_name().unwrap_or_default();
        relink(&self.store.join("latest"), &Path::new(&self.test).join(name))
    }

    /// Removes the folder again: nothing in it is worth keeping.
    pub(crate) fn discard(&self) {
        // What cannot be removed is left to the user; the error that led here matters more.
        let _ = fs::remove_dir_all(&self.path);
        // Only if no other run is in it.
        let _ = fs::remove_dir(self.store.join(&self.test));
    }
}

/// Writes a whole file or nothing: under another name first, then in place of the old one.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), CliError> {
    let unfinished = path.with_extension("unfinished");
    let written = fs::File::create(&unfinished).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&unfinished, path)).map_err(|error| {
        // The unfinished file is of no use to anybody.
        let _ = fs::remove_file(&unfinished);
        cannot("write", path, &error)
    })
}

/// Where a file is to be made, there is one.
pub(crate) fn is_there_already(path: &Path) -> CliError {
    CliError::usage(format_args!("{} is there already", path.display()))
        .hint("name another file with --out FILE")
}

/// One line on what could not be done to which path, with a hint where there is something to do.
pub(crate) fn cannot(what: &str, path: &Path, error: &io::Error) -> CliError {
    with_hint(&format!("cannot {what} {}: {error}", path.display()))
}

/// A failure of the harness, with a hint where a disk is behind it. It may have come a long way, as text:
/// the words and number of the operating system's error are still in it.
pub(crate) fn with_hint(line: &str) -> CliError {
    const ENOSPC: i32 = 28;
    const EDQUOT: i32 = 122;
    const EACCES: i32 = 13;
    const EROFS: i32 = 30;
    const ENOTDIR: i32 = 20;
    const EMFILE: i32 = 24;
    let says = |code| line.contains(&io::Error::from_raw_os_error(code).to_string());
    let error = CliError::harness(line);
    if says(ENOSPC) || says(EDQUOT) {
        error.hint("make room there, or choose another place with --store DIR")
    } else if says(EACCES) || says(EROFS) {
        error.hint("choose a place that can be written to with --store DIR")
    } else if says(EMFILE) {
        error.hint(
            "take fewer clients (--concurrency), or raise the limit on open files (ulimit -n)",
        )
    } else if says(ENOTDIR) {
        error.hint("name a folder, or one that can be made, with --store DIR")
    } else {
        error
    }
}

/// `2026-11-23T21-47-02.113Z`: sorts by time, and no shell or file system minds it.
fn folder_name(now: Timestamp) -> String {
    let rounded = now.round(Unit::Millisecond).unwrap_or(now);
    format!("{rounded:.3}").replace(':', "-")
}

fn relink(link: &Path, target: &Path) -> Result<(), CliError> {
    let unfinished = link.with_extension("unfinished");
    // A leftover of a killed run may be in the way; if it stays, making the link says so.
    let _ = fs::remove_file(&unfinished);
    std::os::unix::fs::symlink(target, &unfinished)
        .and_then(|()| fs::rename(&unfinished, link))
        .map_err(|error| cannot("make the link", link, &error))
}

/// The folder of a run: the path itself, or where its history is.
pub(crate) fn folder_of(path: &Path) -> &Path {
    if path.is_dir() {
        return path;
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_millisecond_get_different_folders_and_latest_is_the_last_linked() {
        let store = tempfile::tempdir().unwrap();
        let now = "2026-11-23T21:47:02.113Z".parse().unwrap();
        let first = RunFolder::create(store.path(), "t", now).unwrap();
        let second = RunFolder::create(store.path(), "t", now).unwrap();
        assert_eq!(first.path, store.path().join("t/2026-11-23T21-47-02.113Z"));
        assert_eq!(second.path, store.path().join("t/2026-11-23T21-47-02.113Z-2"));
        first.link_latest().unwrap();
        second.link_latest().unwrap();
        let real = second.path.canonicalize().unwrap();
        assert_eq!(store.path().join("latest").canonicalize().unwrap(), real);
        assert_eq!(store.path().join("t/latest").canonicalize().unwrap(), real);
    }

    #[test]
    fn a_file_that_cannot_be_written_whole_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("is-a-folder");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("occupied"), "x").unwrap();
        assert!(write_whole(&path, b"content").is_err());
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
    }
}

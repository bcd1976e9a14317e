//! Reading what happened, in the order in which it did.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use quorate_plan::Endpoint;
use quorate_systems::contract::System;

use super::{Line, Seen};

/// A file that cannot be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("{} line {line}: {why}", path.display())]
pub(super) struct Unreadable {
    path: PathBuf,
    line: u64,
    why: String,
}

/// Something that happened, when, and to whom.
pub(super) type Happened<S> = (u64, Endpoint, Seen<S>);

/// Several files read as one, by time; among equals in time the order of the files, and within each file
/// that of its lines. Only one line of each is held.
pub(super) struct Merge<S: System> {
    sources: Vec<Source<S>>,
}

impl<S: System> Merge<S> {
    /// Opens all files.
    pub(super) fn open<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<Self, Unreadable> {
        let sources = paths.into_iter().map(Source::open).collect::<Result<_, _>>()?;
        Ok(Self { sources })
    }

    /// What happened next; nothing once all files have ended. After an error what is missing is not known:
    /// whoever goes on may find fault where none is.
    pub(super) fn next(&mut self) -> Result<Option<Happened<S>>, Unreadable> {
        let heads = self.sources.iter().enumerate();
        let first = heads
            .filter_map(|(place, source)| Some((source.next.as_ref()?.t, place)))
            .min()
            .and_then(|(_, place)| self.sources.get_mut(place));
        match first {
            None => Ok(None),
            Some(source) => source.take(),
        }
    }
}

/// One file, with the line that comes next.
struct Source<S: System> {
    path: PathBuf,
    lines: BufReader<File>,
    read: u64,
    text: Vec<u8>,
    next: Option<Line<Seen<S>>>,
}

impl<S: System> Source<S> {
    fn open(path: &Path) -> Result<Self, Unreadable> {
        let unreadable = |error: io::Error| Unreadable {
            path: path.to_owned(),
            line: 1,
            why: format!("cannot be read: {error}"),
        };
        let lines = BufReader::new(File::open(path).map_err(unreadable)?);
        let mut source =
            Self { path: path.to_owned(), lines, read: 0, text: Vec::new(), next: None };
        source.advance()?;
        Ok(source)
    }

    fn take(&mut self) -> Result<Option<Happened<S>>, Unreadable> {
        let taken = self.next.take();
        self.advance()?;
        Ok(taken.map(|Line { t, by, saw }| (t, by, saw)))
    }

    /// Reads the next whole line; a last one that a kill cut off is none.
    fn advance(&mut self) -> Result<(), Unreadable> {
        self.text.clear();
        self.read += 1;
        self.lines
            .read_until(b'\n', &mut self.text)
            .map_err(|error| self.unreadable(format!("cannot be read: {error}")))?;
        self.next = match self.text.split_last() {
            Some((b'\n', line)) => {
                let parsed = serde_json::from_slice(line);
                Some(parsed.map_err(|error| self.unreadable(error.to_string()))?)
            }
            Some(_) | None => None,
        };
        Ok(())
    }

    fn unreadable(&self, why: String) -> Unreadable {
        Unreadable { path: self.path.clone(), line: self.read, why }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use quorate_systems::quorum::Quorum;
    use tempfile::TempDir;

    use super::*;

    fn line(t: u64, by: &str, ticket: u64) -> String {
        format!("{{\"t\":{t},\"by\":\"{by}\",\"saw\":{{\"durable\":{ticket}}}}}\n")
    }

    fn files(texts: &[String]) -> (TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let paths = texts.iter().enumerate().map(|(place, text)| {
            let path = folder.path().join(format!("{place}.jsonl"));
            fs::write(&path, text).unwrap();
            path
        });
        let paths = paths.collect();
        (folder, paths)
    }

    /// The times, and what the line that was read last says if it is no line.
    fn read(paths: &[PathBuf]) -> (Vec<(u64, Endpoint)>, Option<String>) {
        let mut merge = match Merge::<Quorum>::open(paths.iter().map(PathBuf::as_path)) {
            Ok(merge) => merge,
            Err(error) => return (Vec::new(), Some(error.to_string())),
        };
        let mut seen = Vec::new();
        loop {
            match merge.next() {
                Ok(Some((t, by, _))) => seen.push((t, by)),
                Ok(None) => return (seen, None),
                Err(error) => return (seen, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn files_are_merged_by_time_and_each_keeps_its_own_order() {
        let one = [line(1, "n0", 1), line(5, "n0", 2), line(5, "n0", 3), line(9, "n0", 4)].concat();
        let two = [line(2, "n1", 1), line(5, "n1", 2)].concat();
        let (_folder, paths) = files(&[one, two, String::new()]);
        let (n0, n1) = (Endpoint::Node(0), Endpoint::Node(1));
        let expected = [(1, n0), (2, n1), (5, n0), (5, n0), (5, n1), (9, n0)];
        assert_eq!(read(&paths), (expected.to_vec(), None));
    }

    #[test]
    fn a_file_that_a_kill_cut_is_read_to_its_last_whole_line() {
        let whole = line(1, "n0", 1);
        let cut = line(2, "n0", 2);
        for end in 1..cut.len() {
            let (_folder, paths) = files(&[format!("{whole}{}", &cut[..end])]);
            assert_eq!(read(&paths), (vec![(1, Endpoint::Node(0))], None), "cut at {end}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let (_folder, paths) = files(&[format!("{}nonsense\n", line(1, "n0", 1))]);
        let (_, error) = read(&paths);
        assert!(error.unwrap().contains("0.jsonl line 2: "));
        let missing = [PathBuf::from("/nowhere/observed.jsonl")];
        assert!(read(&missing).1.unwrap().starts_with("/nowhere/observed.jsonl line 1: cannot"));
    }
}

//! Reading a data folder back at the start of a node. Nothing is changed here.

use std::fs;
use std::io;
use std::path::Path;

use quorate_systems::contract::Recovered;
use quorate_systems::wal::{self, Found};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::folder::{checkpoint_path, log_path, number_of, record_files};

/// What a data folder holds.
#[derive(Debug)]
pub(super) struct Recovery<R> {
    /// The records of the checkpoint, then those of the logs, oldest first.
    pub(super) records: Vec<Recovered<R>>,
    /// The log to go on with.
    pub(super) log: u64,
    /// The length of its intact part, in bytes: what lies behind it is to be cut.
    pub(super) log_len: u64,
    /// How many bytes lie behind it.
    pub(super) torn_bytes: u64,
}

impl<R> Recovery<R> {
    /// How many records read back as they were written.
    pub(super) fn intact(&self) -> u64 {
        let intact = |record: &&Recovered<R>| matches!(record, Recovered::Intact(_));
        self.records.iter().filter(intact).count() as u64
    }
}

/// Reads everything that counts: the newest checkpoint, and the logs that it does not stand for.
pub(super) fn recover<R: Serialize + DeserializeOwned>(folder: &Path) -> io::Result<Recovery<R>> {
    let files = record_files(folder)?;
    let highest = |prefix| files.iter().filter_map(|path| number_of(path, prefix)).max();
    let first = highest("checkpoint").unwrap_or(0);
    let last = highest("log").unwrap_or(first).max(first);

    let mut recovery = Recovery { records: Vec::new(), log: last, log_len: 0, torn_bytes: 0 };
    if first > 0 {
        let path = checkpoint_path(folder, first);
        recovery.add(&path, &wal::scan_checkpoint(&fs::read(&path)?));
    }
    for number in first..=last {
        recovery.read_log(&log_path(folder, number), number == last)?;
    }
    Ok(recovery)
}

impl<R: Serialize + DeserializeOwned> Recovery<R> {
    fn read_log(&mut self, path: &Path, is_last: bool) -> io::Result<()> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.corrupt(format!("{}: the file is missing", path.display()));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let scan = wal::scan(&bytes);
        self.add(path, &scan.found);
        if is_last {
            self.log_len = scan.end as u64;
            self.torn_bytes = scan.torn_bytes as u64;
        } else if scan.torn_bytes > 0 {
            // A log is synced whole before the next one is begun: no crash tears it.
            self.corrupt(place(path, scan.end));
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, found: &[Found<'_>]) {
        for found in found {
            match *found {
                Found::Intact { offset, payload } => match wal::decode(payload) {
                    Some(record) => self.records.push(Recovered::Intact(record)),
                    None => self.corrupt(place(path, offset)),
                },
                Found::Corrupt { offset } => self.corrupt(place(path, offset)),
            }
        }
    }

    fn corrupt(&mut self, place: String) {
        self.records.push(Recovered::Corrupt { place });
    }
}

fn place(path: &Path, offset: usize) -> String {
    format!("{}, byte {offset}", path.display())
}

//! Reading a log, entry by entry.

use std::io::{self, Read};

use quorate_systems::wal::{self, First};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::entry::{Entry, FORMAT};

/// How much is read at once, in bytes.
const PIECE: u64 = 1 << 16;

/// A log that cannot be read: not what a kill leaves behind, but damage, or something else than a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{log}, byte {offset}: {why}")]
pub struct BadLog {
    /// Which log.
    pub log: String,
    /// Where, in bytes from its beginning.
    pub offset: u64,
    /// What is wrong there.
    pub why: String,
}

/// Reads a log from its beginning. It holds about one entry in memory.
#[derive(Debug)]
pub struct Reader<R> {
    name: String,
    source: R,
    /// What was read and not yet handed out, from `at` on.
    bytes: Vec<u8>,
    at: usize,
    /// Where `at` is in the log, in bytes from its beginning.
    offset: u64,
    /// How many entries were handed out.
    entries: u64,
    begun: bool,
}

impl<R: Read> Reader<R> {
    /// A reader of a log, which is called `name` where something is wrong with it.
    pub const fn new(name: String, source: R) -> Self {
        Self { name, source, bytes: Vec::new(), at: 0, offset: 0, entries: 0, begun: false }
    }

    /// The next entry; nothing once the last whole one was handed out.
    pub fn read(&mut self) -> Result<Option<Entry>, BadLog> {
        if !self.begun {
            match self.record::<String>()? {
                None => return Ok(None),
                Some(format) if format == FORMAT => self.begun = true,
                Some(_) => return Err(self.bad("it is no log of inputs, or one of another format")),
            }
        }
        let entry = self.record()?;
        self.entries += u64::from(entry.is_some());
        Ok(entry)
    }

    /// How many entries were handed out: the number of the last one.
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// Where the last whole entry that was handed out ends, in bytes from the beginning.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Of an entry that was cut off, how many bytes are there. To be asked once all others were read.
    pub fn cut_bytes(&self) -> u64 {
        self.rest().len() as u64
    }

    /// Something is wrong where the reader stands.
    pub(super) fn bad(&self, why: impl Into<String>) -> BadLog {
        BadLog { log: self.name.clone(), offset: self.offset, why: why.into() }
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn record<T: Serialize + DeserializeOwned>(&mut self) -> Result<Option<T>, BadLog> {
        loop {
            let (decoded, len) = match wal::first(self.rest()) {
                First::Record { payload, len } => (wal::decode(payload), len),
                First::Damaged => return Err(self.bad("damaged")),
                First::Cut => {
                    if self.fill()? {
                        continue;
                    }
                    return Ok(None);
                }
            };
            let Some(decoded) = decoded else {
                return Err(self.bad("whole, and no entry of this format"));
            };
            self.at += len;
            self.offset += len as u64;
            return Ok(Some(decoded));
        }
    }

    /// Reads on; whether there was more.
    fn fill(&mut self) -> Result<bool, BadLog> {
        self.bytes.drain(..self.at);
        self.at = 0;
        let read = (&mut self.source).take(PIECE).read_to_end(&mut self.bytes);
        read.map(|count| count > 0)
            .map_err(|error: io::Error| self.bad(format!("cannot be read: {error}")))
    }
}

//! Reading a log, entry by entry.

use std::io::{self, Read};

use quorate_systems::wal::{self, First};

use super::entry::{Entry, Numbered, Title, title};

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
    /// What it begins with, once that was read.
    title: Option<Title>,
}

impl<R: Read> Reader<R> {
    /// A reader of a log, which is called `name` where something is wrong with it.
    pub const fn new(name: String, source: R) -> Self {
        Self { name, source, bytes: Vec::new(), at: 0, offset: 0, entries: 0, title: None }
    }

    /// Which run the log is of, and whose; nothing where it is cut off before that.
    pub fn title(&mut self) -> Result<Option<&Title>, BadLog> {
        if self.title.is_none() {
            const STRANGE: &str = "it is no log of inputs, or one of another format";
            self.title = self.record(title, STRANGE)?;
        }
        Ok(self.title.as_ref())
    }

    /// The next entry; nothing once the last whole one was handed out.
    pub fn read(&mut self) -> Result<Option<Entry>, BadLog> {
        if self.title()?.is_none() {
            return Ok(None);
        }
        let begins = self.offset;
        let numbered =
            self.record(wal::decode::<Numbered<Entry>>, "whole, and no entry of this format")?;
        let Some(Numbered { number, entry }) = numbered else { return Ok(None) };
        let expected = self.entries + 1;
        if number != expected {
            self.offset = begins;
            return Err(self.bad(format!(
                "entry {number} stands where entry {expected} should: something was taken away or put in"
            )));
        }
        self.entries = number;
        Ok(Some(entry))
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

    /// The next record, read by `read`; `strange` is what to say if it is whole and that cannot read it.
    fn record<T>(
        &mut self,
        read: impl Fn(&[u8]) -> Option<T>,
        strange: &str,
    ) -> Result<Option<T>, BadLog> {
        loop {
            let (record, len) = match wal::first(self.rest()) {
                First::Record { payload, len } => (read(payload), len),
                First::Damaged => return Err(self.bad("damaged")),
                First::Cut => {
                    if self.fill()? {
                        continue;
                    }
                    if !wal::may_begin(self.rest()) {
                        return Err(self.bad("damaged: what stands at the end is no part of a log"));
                    }
                    return Ok(None);
                }
            };
            let Some(record) = record else { return Err(self.bad(strange)) };
            self.at += len;
            self.offset += len as u64;
            return Ok(Some(record));
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

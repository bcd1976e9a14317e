//! Writing a history while it happens.

use std::io::{self, Write};

use serde::Serialize;

use super::line::{FOOTER_MARK, FooterLine, HeaderLine, Line};
use super::{Builder, Header, History, Inconsistency, RunDigest, Sealed, Time, What};
use crate::verdict::Verdict;

/// Writes a history file line by line, each with a single `write_all`, so that a process that is
/// killed loses at most its last line. Hand it an unbuffered file.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    builder: Builder,
    digest: blake3::Hasher,
    /// For the footer.
    inputs: Vec<Sealed>,
    /// A write has failed: the file may end within a line, so that nothing must be added.
    broken: bool,
}

/// Why a line was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system refused.
    #[error("cannot write the history: {0}")]
    Io(#[from] io::Error),
    /// The event cannot follow the ones before it: whoever records makes a mistake.
    #[error("cannot record the event: {0}")]
    Inconsistent(#[from] Inconsistency),
    /// An earlier write failed.
    #[error("cannot write the history: an earlier write failed")]
    Broken,
}

impl<W: Write> Writer<W> {
    /// Begins a file with its header.
    pub fn new(out: W, header: &Header) -> Result<Self, WriteError> {
        let mut writer = Self {
            out,
            builder: Builder::new(),
            digest: blake3::Hasher::new(),
            inputs: Vec::new(),
            broken: false,
        };
        let line = whole_line(&HeaderLine::of(header))?;
        writer.write(&line)?;
        Ok(writer)
    }

    /// Adds an event and returns its index. The recorder's threads may read the clock in another
    /// order than they come here: a time before the last one is raised to it.
    pub fn event(&mut self, time: Time, what: What) -> Result<u64, WriteError> {
        if self.broken {
            return Err(WriteError::Broken);
        }
        let event = self.builder.push(time, what)?;
        let index = event.index;
        let line = whole_line(&Line::of(event))?;
        self.digest.update(&line);
        self.write(&line)?;
        Ok(index)
    }

    /// Has the footer say what the files with the inputs of cores are, which nobody writes to any more.
    pub fn seal(&mut self, inputs: Vec<Sealed>) {
        self.inputs = inputs;
    }

    /// Ends the file with its footer and hands back what was written to. `run` is the digest of a simulated
    /// run.
    pub fn finish(
        mut self,
        verdict: Verdict,
        run: Option<RunDigest>,
    ) -> Result<(W, History), WriteError> {
        let footer = FooterLine {
            quorate: FOOTER_MARK.to_owned(),
            events: self.builder.history().len(),
            digest: self.digest.finalize().to_hex().to_string(),
            run,
            inputs: std::mem::take(&mut self.inputs),
            verdict,
        };
        let line = whole_line(&footer)?;
        self.write(&line)?;
        Ok((self.out, self.builder.finish()))
    }

    /// All that was recorded so far.
    pub fn history(&self) -> &History {
        self.builder.history()
    }

    fn write(&mut self, line: &[u8]) -> Result<(), WriteError> {
        if self.broken {
            return Err(WriteError::Broken);
        }
        self.broken = true;
        self.out.write_all(line)?;
        self.out.flush()?;
        self.broken = false;
        Ok(())
    }
}

fn whole_line(line: &impl Serialize) -> Result<Vec<u8>, WriteError> {
    let mut bytes = serde_json::to_vec(line).map_err(io::Error::from)?;
    bytes.push(b'\n');
    Ok(bytes)
}

//! Reading a history file.

use std::fmt;
use std::io::{self, BufRead, Read};

use super::ledger::Ledger;
use super::line::{
    BadLine, FOOTER_MARK, FooterLine, HEADER_MARK, HeaderLine, Line, Mark, VERSION, plain_event,
};
use super::{Event, Header, History, Inconsistency, RunDigest, Sealed};
use crate::verdict::Verdict;

/// A history file as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryFile {
    /// What was run.
    pub header: Header,
    /// What happened.
    pub history: History,
    /// How it ended; absent when the harness was killed before the end.
    pub footer: Option<Footer>,
    /// What is missing at the end of the file.
    pub damage: Option<Damage>,
}

/// How a recorded run ended. That its count and digest are right has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// How many events there are.
    pub events: u64,
    /// The BLAKE3 hash of all event lines with their newlines, in hexadecimal.
    pub digest: String,
    /// The digest of a simulated run.
    pub run: Option<RunDigest>,
    /// The files with the inputs of the cores of a live run.
    pub inputs: Vec<Sealed>,
    /// What the checkers said when it was run.
    pub verdict: Verdict,
}

/// A last line that was cut off: the harness was killed while it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Which line, counted from 1.
    pub line: u64,
    /// How much of it there is; it was not used.
    pub bytes: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, bytes } = self;
        write!(f, "line {line} is cut off after {bytes} bytes; everything before it was read")
    }
}

/// Why a file could not be read as a history.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ReadError {
    /// Which line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a line of a history file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file could not be read on.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    /// There is nothing.
    #[error("the file is empty; expected the header of a quorate history")]
    Empty,
    /// Some other file.
    #[error(
        "this is no quorate history: expected a header line \
         {{\"quorate\":\"history\",\"version\":{VERSION},…}}"
    )]
    NoHistory,
    /// Killed at once.
    #[error("the header is cut off; the run ended before anything happened in it")]
    HeaderCut,
    /// Written by another version of the program.
    #[error("format version {found} is unknown; this program reads version {VERSION}")]
    Version {
        /// What stands there.
        found: String,
    },
    /// Not a text.
    #[error("not UTF-8 from byte {0} of the line on; expected a line of JSON")]
    NotUtf8(usize),
    /// No line of ours is that long.
    #[error("longer than {LINE_BYTES_MAX} bytes; expected an event or the footer")]
    TooLong,
    /// Something else than a line of ours.
    #[error("expected a JSON object without anything before it: an event or the footer")]
    NoObject,
    /// Not the JSON that should be there.
    #[error("column {column}: {message}")]
    Json {
        /// Counted from 1, in bytes.
        column: usize,
        /// What is wrong and what was expected.
        message: String,
    },
    /// Fields that do not go together.
    #[error(transparent)]
    Fields(#[from] BadLine),
    /// An event that cannot follow the ones before it.
    #[error(transparent)]
    Inconsistent(#[from] Inconsistency),
    /// A line that is neither an event nor the footer.
    #[error("`\"quorate\":{found}` in the middle of the file; expected an event or the footer")]
    UnknownMark {
        /// What stands there.
        found: String,
    },
    /// The footer is the end.
    #[error("something follows the footer, which must be the last line")]
    AfterFooter,
    /// Lines are missing, or too many.
    #[error("the footer counts {footer} events, but the file has {counted}")]
    Count {
        /// What the footer says.
        footer: u64,
        /// What was read.
        counted: u64,
    },
    /// The file was changed.
    #[error("the footer's digest is {footer}, but the events' is {computed}: the file was changed")]
    Digest {
        /// What the footer says.
        footer: String,
        /// What was read.
        computed: String,
    },
}

/// Reads a whole history file, strictly: anything that this program would not have written is an
/// error that names the line, but for a last line that was cut off. Only the spelling is free: spaces,
/// the order of fields, how a number or a letter is written.
pub fn read(input: impl BufRead) -> Result<HistoryFile, ReadError> {
    let mut reader = Reader::open(input)?;
    let mut events = Vec::new();
    while let Some(event) = reader.next_event()? {
        events.push(event);
    }
    let Reader { header, footer, damage, .. } = reader;
    Ok(HistoryFile { header, history: History { events }, footer, damage })
}

/// Reads a history file event by event, as strictly as [`read`] does.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    header: Header,
    ledger: Ledger,
    digest: Digest,
    footer: Option<Footer>,
    damage: Option<Damage>,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    pub fn open(input: R) -> Result<Self, ReadError> {
        let mut lines = Lines { input, number: 0, line: Vec::new() };
        let header = read_header(&mut lines).map_err(|problem| lines.error(problem))?;
        let (ledger, digest) = (Ledger::default(), Digest::default());
        Ok(Self { lines, header, ledger, digest, footer: None, damage: None })
    }

    /// What was run.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How it ended, once all events have been read; absent when the harness was killed before the end.
    pub fn footer(&self) -> Option<&Footer> {
        self.footer.as_ref()
    }

    /// What is missing at the end of the file, once all events have been read.
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// The next event; nothing at the end of the file. It is an error as soon as the file cannot be right.
    pub fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        let next = self.advance();
        next.map_err(|problem| self.lines.error(problem))
    }

    fn advance(&mut self) -> Result<Option<Event>, Problem> {
        while self.damage.is_none() && self.lines.advance()? {
            if self.footer.is_some() {
                return Err(Problem::AfterFooter);
            }
            match self.take_line() {
                Ok(Some(event)) => return Ok(Some(event)),
                Ok(None) => {}
                Err(Unparsable::Cut) => {
                    let bytes = self.lines.line.len() as u64;
                    self.damage = Some(Damage { line: self.lines.number, bytes });
                }
                Err(Unparsable::Wrong(problem)) => return Err(problem),
            }
        }
        Ok(None)
    }

    /// The event of the line; nothing if it is the footer.
    fn take_line(&mut self) -> Result<Option<Event>, Unparsable> {
        let lines = &self.lines;
        if let Some(event) = plain_event(&lines.line) {
            return self.take_event(event);
        }
        // serde would take a list of the fields as well.
        if !lines.line.starts_with(b"{") {
            return Err(Unparsable::Wrong(Problem::NoObject));
        }
        // Events are many: they are not parsed twice to learn that they are no footer.
        if lines.text()?.contains("\"quorate\"") {
            let mark: Mark = lines.parse()?;
            if let Some(found) = mark.quorate {
                self.take_footer(&found)?;
                return Ok(None);
            }
        }
        let line: Line<'_> = lines.parse()?;
        let event = line.into_event().map_err(|error| Unparsable::Wrong(error.into()))?;
        self.take_event(event)
    }

    fn take_event(&mut self, event: Event) -> Result<Option<Event>, Unparsable> {
        self.ledger.admit(&event).map_err(|error| Unparsable::Wrong(error.into()))?;
        self.digest.add(&self.lines.line);
        Ok(Some(event))
    }

    fn take_footer(&mut self, mark: &serde_json::Value) -> Result<(), Unparsable> {
        if mark.as_str() != Some(FOOTER_MARK) {
            return Err(Unparsable::Wrong(Problem::UnknownMark { found: mark.to_string() }));
        }
        let FooterLine { events, digest, run, inputs, verdict, .. } = self.lines.parse()?;
        let counted = self.ledger.next();
        if events != counted {
            return Err(Unparsable::Wrong(Problem::Count { footer: events, counted }));
        }
        let computed = self.digest.hexadecimal();
        if digest != computed {
            return Err(Unparsable::Wrong(Problem::Digest { footer: digest, computed }));
        }
        self.footer = Some(Footer { events, digest, run, inputs, verdict });
        Ok(())
    }
}

/// The hash of all lines so far. It is much faster over many of them at once.
#[derive(Debug, Default)]
struct Digest {
    hasher: blake3::Hasher,
    /// What is not in the hash yet.
    lines: Vec<u8>,
}

impl Digest {
    fn add(&mut self, line: &[u8]) {
        self.lines.extend_from_slice(line);
        if self.lines.len() >= HASHED_BYTES {
            self.hasher.update(&self.lines);
            self.lines.clear();
        }
    }

    fn hexadecimal(&mut self) -> String {
        self.hasher.update(&self.lines);
        self.lines.clear();
        self.hasher.finalize().to_hex().to_string()
    }
}

/// So much is hashed at once.
const HASHED_BYTES: usize = 1 << 16;

/// The lines of a file, one at a time.
#[derive(Debug)]
struct Lines<R> {
    input: R,
    /// Of the current line, from 1.
    number: u64,
    /// With its newline, if it has one.
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// Goes to the next line; false at the end of the file.
    fn advance(&mut self) -> Result<bool, Problem> {
        self.number += 1;
        self.line.clear();
        let mut limited = self.input.by_ref().take(LINE_BYTES_MAX + 1);
        let read = limited.read_until(b'\n', &mut self.line)?;
        if read as u64 > LINE_BYTES_MAX {
            return Err(Problem::TooLong);
        }
        Ok(read > 0)
    }

    fn error(&self, problem: Problem) -> ReadError {
        ReadError { line: self.number, problem }
    }

    /// Whether the line may have been cut off.
    fn is_unterminated(&self) -> bool {
        !self.line.ends_with(b"\n")
    }

    /// A number that ends in its exponent's mark is an error of its own to `serde_json`.
    fn ends_within_number(&self, error: &serde_json::Error) -> bool {
        let is_mark = |last| matches!(last, b'e' | b'E' | b'+' | b'-' | b'.');
        error.column() == self.line.len() && self.line.last().copied().is_some_and(is_mark)
    }

    fn text(&self) -> Result<&str, Unparsable> {
        std::str::from_utf8(&self.line).map_err(|error| {
            // Without a length, the text ends within a character.
            if error.error_len().is_none() && self.is_unterminated() {
                Unparsable::Cut
            } else {
                Unparsable::Wrong(Problem::NotUtf8(error.valid_up_to() + 1))
            }
        })
    }

    fn parse<'de, T: serde::Deserialize<'de>>(&'de self) -> Result<T, Unparsable> {
        serde_json::from_str(self.text()?.trim_end_matches('\n')).map_err(|error| {
            let ends_early = error.is_eof() || self.ends_within_number(&error);
            if ends_early && self.is_unterminated() {
                Unparsable::Cut
            } else {
                Unparsable::Wrong(json_problem(&error))
            }
        })
    }
}

/// Why a line could not be parsed: it ends too early at the end of the file, or it is simply wrong.
enum Unparsable {
    Cut,
    Wrong(Problem),
}

impl Unparsable {
    /// For where a cut is no excuse.
    fn or_cut(self, cut: Problem) -> Problem {
        match self {
            Self::Cut => cut,
            Self::Wrong(problem) => problem,
        }
    }
}

fn json_problem(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    Problem::Json { column: error.column(), message: message.to_owned() }
}

fn read_header(lines: &mut Lines<impl BufRead>) -> Result<Header, Problem> {
    if !lines.advance()? {
        return Err(Problem::Empty);
    }
    if !lines.line.starts_with(HEADER_START) && !HEADER_START.starts_with(&lines.line) {
        return Err(Problem::NoHistory);
    }
    let mark: Mark = lines.parse().map_err(|error| error.or_cut(Problem::HeaderCut))?;
    if mark.quorate.as_ref().and_then(serde_json::Value::as_str) != Some(HEADER_MARK) {
        return Err(Problem::NoHistory);
    }
    let found = mark.version.unwrap_or_default();
    if found.as_u64() != Some(VERSION) {
        return Err(Problem::Version { found: found.to_string() });
    }
    let header: HeaderLine = lines.parse().map_err(|error| error.or_cut(Problem::HeaderCut))?;
    Ok(header.into_header())
}

/// How the first line begins: a foreign file of any size or kind is recognised before it is parsed.
const HEADER_START: &[u8] = b"{\"quorate\":\"";

/// A bound on the memory that a file which is no history can take.
const LINE_BYTES_MAX: u64 = 16 << 20;

//! Histories that were not recorded here: Jepsen's, as EDN or as lines of its log, JSON of the same shape, and
//! Porcupine's.
//!
//! The readers take any bytes, from any reader, and keep a bounded part of them beside the events. What an event
//! means is not theirs to say: an [`Event`] has its value as a tree of data, and each model reads it its own way.

mod datum;
mod detect;
mod draft;
mod edn;
mod error;
mod history;
mod json;
mod judge;
mod log;
mod meaning;
mod names;
mod nemesis;
mod ours;
mod recorded;
mod source;
mod stream;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;
use std::io::Read;
use std::sync::Arc;

pub use datum::{Datum, Float};
pub use detect::Format;
pub use error::{Problem, ReadError};
pub use history::{History, Operation, Outcome};
pub use judge::{MODELS, NamedKey, Picked, Prepared, Results, Unjudged, judge, model, prepare};
pub use meaning::{Meaning, NilReads, RefusedCas};
pub use nemesis::faults;
pub use ours::from_ours;
pub use recorded::{Recorded, recorded, value};
pub use stream::{Streamed, Unstreamed, stream};
pub use write::write;

use source::{BUFFER_BYTES, Source};

/// One line of a foreign history: an operation begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Who.
    pub process: Process,
    /// Which half of an operation it is, and how that ended.
    pub kind: Kind,
    /// The function (`read`, `txn`). An event without one has [`Event::UNNAMED`].
    pub f: Arc<str>,
    /// On what, where the history has a field for it.
    pub key: Option<Datum>,
    /// Argument in an invocation, result in a completion; nil if there is none.
    pub value: Datum,
    /// Why it failed or is unknown.
    pub error: Option<Datum>,
    /// When, in nanoseconds since some moment, if it is told. Nothing is judged by it: the order of the events is the
    /// real-time order.
    pub time: Option<i64>,
    /// Its number in the history that it is from, if it is told.
    pub index: Option<u64>,
    /// The line that it begins in, from 1.
    pub line: u64,
}

impl Event {
    /// The function of an event that names none: Elle's histories of transactions leave it out.
    pub const UNNAMED: &str = "txn";
}

/// Who acts in a foreign history.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Process {
    /// A client: one operation at a time.
    Client(u64),
    /// Someone else, by name (`nemesis`): not judged.
    Other(Arc<str>),
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(number) => write!(f, "{number}"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// What an event says of its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It begins.
    Invoke,
    /// It was done.
    Ok,
    /// It was not done and never will be; some models take the refusal for an observation.
    Fail,
    /// Nobody knows: it may have happened, or may still happen at any time.
    Info,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Invoke, Self::Ok, Self::Fail, Self::Info];

    /// As in a history.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::Info => "info",
        }
    }
}

/// Reads a history to its end. Without a format the first bytes tell which it is; the one that was read is returned
/// too. Quorate's own format is not read here ([`Problem::Ours`]): [`crate::history::read`] does.
pub fn read(input: impl Read, format: Option<Format>) -> Result<(Format, History), ReadError> {
    let events = Events::open(input, format)?;
    let format = events.format();
    let mut history = History::default();
    events.each(&mut |event| history.push(event))?;
    Ok((format, history))
}

/// The events of a history that is read.
#[derive(Debug)]
pub struct Events<R> {
    source: Source<R>,
    format: Format,
}

impl<R: Read> Events<R> {
    /// Looks at the first bytes, where no format is given.
    pub fn open(input: R, format: Option<Format>) -> Result<Self, ReadError> {
        let mut source = Source::new(input);
        let format = match format {
            Some(format) => format,
            None => detect::detect(source.ahead(BUFFER_BYTES)?)
                .map_err(|problem| source.error(problem))?,
        };
        Ok(Self { source, format })
    }

    /// The format that is read.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Hands over one event after the other; an error of `sink` ends it.
    pub fn each(
        self,
        sink: &mut dyn FnMut(Event) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let Self { source, format } = self;
        match format {
            Format::Edn => edn::Reader::new(source).events(sink),
            Format::Log => log::events(source, sink),
            Format::Json => json::Reader::new(source).events(sink),
            Format::Quorate => Err(source.error(Problem::Ours)),
        }
    }
}

/// The datum that a text in EDN says.
pub fn datum(text: &str) -> Result<Datum, ReadError> {
    edn::Reader::new(Source::new(text.as_bytes())).only()
}

/// Whether a history that begins like this is one of Quorate's own.
pub fn is_ours(head: &[u8]) -> bool {
    detect::detect(head).is_ok_and(|format| format == Format::Quorate)
}

//! What a reader does not take.

use std::io;

use super::Kind;

/// Why a history cannot be read, and where. Columns count bytes, from 1.
#[derive(Debug, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct ReadError {
    /// The line, from 1.
    pub line: u64,
    /// The place in it, in bytes from 1.
    pub column: u64,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a history.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It could not be read at all.
    #[error("{0}")]
    Io(io::Error),
    /// Something else was expected.
    #[error("found {found}, expected {expected}")]
    Unexpected {
        /// What is there.
        found: String,
        /// What could be there.
        expected: &'static str,
    },
    /// It is none of the formats.
    #[error(
        "neither EDN, nor JSON, nor a log of Jepsen, nor a history of Quorate: it begins with {found}"
    )]
    NoFormat {
        /// What it begins with.
        found: String,
    },
    /// It is one of Quorate's own, which has its own reader.
    #[error("it is a history that Quorate recorded, and was to be read as another format")]
    Ours,
    /// Nothing is wrong: whoever took the events had seen enough.
    #[error("the rest was not read")]
    Left,
    /// There is a log, and no operation in it.
    #[error("no line of the log tells of an operation")]
    NoOperations,
    /// Data in data, deeper than any history has it.
    #[error("there are more than {max} data one in another")]
    TooDeep {
        /// How many there may be.
        max: usize,
    },
    /// A text or a name that no history has.
    #[error("a text or a name is longer than {max} bytes")]
    TooLong {
        /// How long it may be.
        max: usize,
    },
    /// Bytes that are no text.
    #[error("a text or a name is not UTF-8")]
    NotUtf8,
    /// A whole number that 64 bits cannot hold.
    #[error("the number {found} does not fit into 64 bits")]
    TooGreat {
        /// The number.
        found: String,
    },
    /// A key of a map, or an element of a set, that is there before.
    #[error("{found} is there twice")]
    Twice {
        /// What.
        found: String,
    },
    /// An event without a field that it must have.
    #[error("an event has no `{field}`")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field of an event that is not what it must be.
    #[error("the `{field}` of an event is {found}, expected {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it is.
        found: String,
        /// What it can be.
        expected: &'static str,
    },
    /// A process that does two things at a time.
    #[error(
        "process {process} begins `{f}` while its `{open}` of line {line} is open: a process does one thing at a time"
    )]
    Open {
        /// Who.
        process: u64,
        /// What it begins.
        f: String,
        /// What it has begun before.
        open: String,
        /// Where.
        line: u64,
    },
    /// A completion of nothing.
    #[error("process {process} completes `{f}` as `{kind}` and has nothing open", kind = kind.name())]
    NotOpen {
        /// Who.
        process: u64,
        /// What it completes.
        f: String,
        /// How.
        kind: Kind,
    },
    /// A completion of something else.
    #[error("process {process} completes `{f}`, but what it began in line {line} is `{open}`")]
    OtherFunction {
        /// Who.
        process: u64,
        /// What it completes.
        f: String,
        /// What it has begun.
        open: String,
        /// Where.
        line: u64,
    },
    /// Events that are not in their order.
    #[error("the index {index} comes after the index {before}: the events are not in order")]
    Disorder {
        /// This event's.
        index: u64,
        /// The one's before it.
        before: u64,
    },
}

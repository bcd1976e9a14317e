//! Lines of a log of Jepsen, or of its `history.txt`, which have nothing before the process: four columns or five with
//! tabs between, or spaces if the second one is a type. All other lines are none of a history.
//!
//! ```text
//! INFO  jepsen.util - 3    :ok    :read    5
//! ```

use std::io::Read;

use super::draft::Draft;
use super::edn::{Reader, Sink};
use super::source::Source;
use super::{Datum, Event, Kind, Problem, ReadError};

/// All events, in order of their lines.
pub(super) fn events<R: Read>(source: Source<R>, sink: Sink<'_>) -> Result<(), ReadError> {
    let mut reader = Reader::new(source);
    let (mut is_empty, mut has_events) = (true, false);
    while let Some(next) = reader.source.peek()? {
        is_empty &= next.is_ascii_whitespace();
        if at_event(&mut reader.source)? {
            sink(event(&mut reader)?)?;
            has_events = true;
        }
        reader.source.skip_line()?;
    }
    if has_events || is_empty { Ok(()) } else { Err(reader.source.error(Problem::NoOperations)) }
}

/// Goes over what a logger puts before an event; false if the line has no event.
fn at_event<R: Read>(source: &mut Source<R>) -> Result<bool, ReadError> {
    if is_process(source)? {
        return Ok(true);
    }
    let mut before = Vec::new();
    while let Some(byte) = source.peek()? {
        if byte == b'\n' || before.len() == LOGGER_BYTES_MAX {
            return Ok(false);
        }
        source.bump();
        before.push(byte);
        if LOGGER.iter().any(|logger| before.ends_with(logger)) {
            return is_process(source);
        }
    }
    Ok(false)
}

/// Whether a column comes next that can be a process: a number or a name; and then a tab, or spaces and a type.
fn is_process<R: Read>(source: &mut Source<R>) -> Result<bool, ReadError> {
    let ahead = source.ahead(PROCESS_BYTES_MAX)?;
    let column = ahead.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let rest = ahead.get(column.len()..).unwrap_or_default();
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let next = rest.get(spaces..).unwrap_or_default();
    let is_kind = |kind: &Kind| {
        let after =
            next.strip_prefix(b":").and_then(|next| next.strip_prefix(kind.name().as_bytes()));
        after.and_then(<[u8]>::first).is_some_and(u8::is_ascii_whitespace)
    };
    let is_followed = rest.starts_with(b"\t") || Kind::ALL.iter().any(is_kind);
    let is_name = column.starts_with(b":");
    let is_number = !column.is_empty() && column.iter().all(u8::is_ascii_digit);
    Ok(is_followed && (is_name || is_number))
}

/// Process, type, function and value, and what went wrong if something did.
fn event<R: Read>(reader: &mut Reader<R>) -> Result<Event, ReadError> {
    let mut draft = Draft::new(reader.source.place());
    for field in ["process", "type", "f", "value"] {
        let place = reader.source.place();
        let Some(value) = column(reader)? else {
            return Err(reader.source.unexpected("process, type, function and value in a line"));
        };
        draft.set(field, value, place)?;
    }
    let place = reader.source.place();
    if let Some(error) = column(reader)? {
        draft.set("error", error, place)?;
    }
    draft.finish(&mut reader.names)
}

/// The next datum of the line.
fn column<R: Read>(reader: &mut Reader<R>) -> Result<Option<Datum>, ReadError> {
    loop {
        match reader.source.peek()? {
            Some(b' ' | b'\t' | b'\r') => reader.source.bump(),
            None | Some(b'\n') => return Ok(None),
            Some(_) => return reader.datum().map(Some),
        }
    }
}

/// Who logs the operations, in the older and in the newer logs.
const LOGGER: [&[u8]; 2] = [b"jepsen.util - ", b"jepsen.util: "];

/// The number of a process is short, and so is the name of one, and a type.
const PROCESS_BYTES_MAX: usize = 48;

/// What a logger puts before its message is short.
const LOGGER_BYTES_MAX: usize = 200;

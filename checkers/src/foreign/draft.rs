//! An event while its fields are read.

use std::sync::Arc;

use super::names::Names;
use super::source::Place;
use super::{Datum, Event, Kind, Problem, Process, ReadError};

/// What was read of an event so far.
#[derive(Debug)]
pub(super) struct Draft {
    place: Place,
    process: Option<Process>,
    kind: Option<Kind>,
    f: Option<Arc<str>>,
    key: Option<Datum>,
    value: Option<Datum>,
    error: Option<Datum>,
    time: Option<i64>,
    index: Option<u64>,
}

impl Draft {
    /// Nothing of an event that begins here.
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            process: None,
            kind: None,
            f: None,
            key: None,
            value: None,
            error: None,
            time: None,
            index: None,
        }
    }

    /// Takes a field; those that no judgement needs are dropped.
    pub(super) fn set(&mut self, field: &str, value: Datum, place: Place) -> Result<(), ReadError> {
        let is_first = match field {
            "process" => self.process.replace(process(value, place)?).is_none(),
            "type" => self.kind.replace(kind(&value, place)?).is_none(),
            "f" => match function(value, place)? {
                Some(f) => self.f.replace(f).is_none(),
                None => true,
            },
            "key" => self.key.replace(value).is_none(),
            "value" => self.value.replace(value).is_none(),
            "error" => match value {
                Datum::Nil => true,
                error => self.error.replace(error).is_none(),
            },
            "time" => match time(&value, place)? {
                Some(time) => self.time.replace(time).is_none(),
                None => true,
            },
            "index" => match index(&value, place)? {
                Some(index) => self.index.replace(index).is_none(),
                None => true,
            },
            _ => true,
        };
        if is_first {
            return Ok(());
        }
        Err(place.error(Problem::Twice { found: format!("the field `{field}`") }))
    }

    /// The event.
    pub(super) fn finish(self, names: &mut Names) -> Result<Event, ReadError> {
        let missing = |field| self.place.error(Problem::Missing { field });
        Ok(Event {
            process: self.process.ok_or_else(|| missing("process"))?,
            kind: self.kind.ok_or_else(|| missing("type"))?,
            f: self.f.unwrap_or_else(|| names.share(Event::UNNAMED)),
            key: self.key,
            value: self.value.unwrap_or_default(),
            error: self.error,
            time: self.time,
            index: self.index,
            line: self.place.line,
        })
    }
}

fn process(value: Datum, place: Place) -> Result<Process, ReadError> {
    match value {
        Datum::Int(number) if number >= 0 => Ok(Process::Client(number.unsigned_abs())),
        // JSON of some programs has its numbers in texts: what such a client did must not be passed over.
        Datum::Text(name) => Ok(name.parse().map_or(Process::Other(name), Process::Client)),
        Datum::Keyword(name) => Ok(Process::Other(name)),
        other => {
            Err(wrong("process", &other, "a number from 0, or a name such as :nemesis", place))
        }
    }
}

fn kind(value: &Datum, place: Place) -> Result<Kind, ReadError> {
    let named = |kind: &Kind| value.name() == Some(kind.name());
    let kind = Kind::ALL.into_iter().find(named);
    kind.ok_or_else(|| wrong("type", value, "invoke, ok, fail or info", place))
}

fn function(value: Datum, place: Place) -> Result<Option<Arc<str>>, ReadError> {
    match value {
        Datum::Keyword(name) | Datum::Text(name) | Datum::Symbol(name) => Ok(Some(name)),
        Datum::Nil => Ok(None),
        other => Err(wrong("f", &other, "a name such as :read", place)),
    }
}

fn time(value: &Datum, place: Place) -> Result<Option<i64>, ReadError> {
    match value {
        Datum::Int(time) => Ok(Some(*time)),
        Datum::Nil => Ok(None),
        other => Err(wrong("time", other, "a whole number of nanoseconds", place)),
    }
}

fn index(value: &Datum, place: Place) -> Result<Option<u64>, ReadError> {
    match value {
        // Jepsen marks an event with -1 that was not numbered.
        Datum::Nil | Datum::Int(-1) => Ok(None),
        Datum::Int(index) if *index >= 0 => Ok(Some(index.unsigned_abs())),
        other => Err(wrong("index", other, "a whole number from 0", place)),
    }
}

fn wrong(field: &'static str, found: &Datum, expected: &'static str, place: Place) -> ReadError {
    let mut found = found.to_string();
    if let Some((cut, _)) = found.char_indices().nth(FOUND_CHARS) {
        found.truncate(cut);
        found.push_str("...");
    }
    place.error(Problem::Field { field, found, expected })
}

/// As much of what is wrong as an error shows.
const FOUND_CHARS: usize = 60;

//! JSON, as far as histories need it. It is not read by a library because events have lines, and errors places, in
//! lists that are never in memory as a whole.

use std::io::Read;
use std::sync::Arc;

use super::draft::Draft;
use super::edn::{DEPTH_MAX, Sink};
use super::names::Names;
use super::source::{Place, Source, as_text, escape};
use super::{Datum, Event, Float, Problem, ReadError};

/// Reads values and events.
#[derive(Debug)]
pub(super) struct Reader<R> {
    source: Source<R>,
    names: Names,
    depth: usize,
    /// The token that is read.
    token: Vec<u8>,
    /// The elements of all lists that are open.
    elements: Vec<Datum>,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(source: Source<R>) -> Self {
        let (names, token, elements) = Default::default();
        Self { source, names, depth: 0, token, elements }
    }

    /// All events: one after another, or in one list.
    pub(super) fn events(&mut self, sink: Sink<'_>) -> Result<(), ReadError> {
        if self.skip()? != Some(b'[') {
            while self.skip()?.is_some() {
                sink(self.event()?)?;
            }
            return Ok(());
        }
        self.source.bump();
        let mut is_first = true;
        while self.goes_on(b']', &mut is_first)? {
            sink(self.event()?)?;
        }
        match self.skip()? {
            None => Ok(()),
            Some(_) => Err(self.source.unexpected("nothing after the end of the history")),
        }
    }

    fn event(&mut self) -> Result<Event, ReadError> {
        let place = self.source.place();
        if self.source.peek()? != Some(b'{') {
            let expected =
                r#"an event, an object such as {"process": 0, "type": "invoke", "f": "read"}"#;
            return Err(self.source.unexpected(expected));
        }
        self.source.bump();
        let mut draft = Draft::new(place);
        let mut is_first = true;
        while self.goes_on(b'}', &mut is_first)? {
            let place = self.source.place();
            let name = self.name()?;
            let value = self.value()?;
            draft.set(&name, value, place)?;
        }
        draft.finish(&mut self.names)
    }

    /// Goes to the next element of a list or an object, over the comma; false at the end, which is taken.
    fn goes_on(&mut self, close: u8, is_first: &mut bool) -> Result<bool, ReadError> {
        let next = self.skip()?;
        if next == Some(close) {
            self.source.bump();
            return Ok(false);
        }
        if !std::mem::take(is_first) {
            if next != Some(b',') {
                let expected = if close == b']' { "`,` or `]`" } else { "`,` or `}`" };
                return Err(self.source.unexpected(expected));
            }
            self.source.bump();
            self.skip()?;
        }
        Ok(true)
    }

    /// The name of a field, and the colon after it.
    fn name(&mut self) -> Result<Arc<str>, ReadError> {
        if self.source.peek()? != Some(b'"') {
            return Err(self.source.unexpected("the name of a field in quotes"));
        }
        let name = self.text()?;
        if self.skip()? != Some(b':') {
            return Err(self.source.unexpected("`:` after the name of a field"));
        }
        self.source.bump();
        Ok(name)
    }

    fn skip(&mut self) -> Result<Option<u8>, ReadError> {
        loop {
            match self.source.peek()? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.source.bump(),
                other => return Ok(other),
            }
        }
    }

    fn value(&mut self) -> Result<Datum, ReadError> {
        if self.depth == DEPTH_MAX {
            return Err(self.source.error(Problem::TooDeep { max: DEPTH_MAX }));
        }
        self.depth += 1;
        let value = self.skip().and_then(|next| self.value_at(next));
        self.depth -= 1;
        value
    }

    fn value_at(&mut self, next: Option<u8>) -> Result<Datum, ReadError> {
        match next {
            Some(b'"') => Ok(Datum::Text(self.text()?)),
            Some(b'[') => self.list(),
            Some(b'{') => self.object(),
            Some(b'-' | b'0'..=b'9' | b'a'..=b'z') => self.atom(),
            _ => Err(self.source.unexpected("a value")),
        }
    }

    fn list(&mut self) -> Result<Datum, ReadError> {
        self.source.bump();
        let first = self.elements.len();
        let mut is_first = true;
        while self.goes_on(b']', &mut is_first)? {
            let element = self.value()?;
            self.elements.push(element);
        }
        Ok(Datum::Vector(self.elements.drain(first..).collect()))
    }

    fn object(&mut self) -> Result<Datum, ReadError> {
        let place = self.source.place();
        self.source.bump();
        let mut entries = Vec::new();
        let mut is_first = true;
        while self.goes_on(b'}', &mut is_first)? {
            let name = self.name()?;
            entries.push((Datum::Text(name), self.value()?));
        }
        Datum::map(entries)
            .map_err(|twice| place.error(Problem::Twice { found: twice.to_string() }))
    }

    /// A number, or one of the three names.
    fn atom(&mut self) -> Result<Datum, ReadError> {
        let place = self.source.place();
        self.token.clear();
        let stops = |byte: u8| !byte.is_ascii_alphanumeric() && !b"+-.".contains(&byte);
        self.source.take_until(&mut self.token, stops)?;
        match self.token.as_slice() {
            b"null" => Ok(Datum::Nil),
            b"true" => Ok(Datum::Bool(true)),
            b"false" => Ok(Datum::Bool(false)),
            token => number(&String::from_utf8_lossy(token), place),
        }
    }

    fn text(&mut self) -> Result<Arc<str>, ReadError> {
        let place = self.source.place();
        self.source.bump();
        self.token.clear();
        loop {
            let stops = |byte: u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            self.source.take_until(&mut self.token, stops)?;
            match self.source.peek()? {
                Some(b'"') => break self.source.bump(),
                Some(b'\\') => {
                    self.source.bump();
                    escape(&mut self.source, &mut self.token)?;
                }
                _ => return Err(self.source.unexpected("the end of the text")),
            }
        }
        Ok(self.names.share(as_text(&self.token, place)?))
    }
}

/// A number as JSON writes it (RFC 8259 §6).
fn number(text: &str, place: Place) -> Result<Datum, ReadError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits == "0" || !digits.starts_with('0') || digits.starts_with("0.");
    let is_whole = digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain && is_whole {
        let number = text.parse().map(Datum::Int);
        return number.map_err(|_| place.error(Problem::TooGreat { found: text.to_owned() }));
    }
    // What Rust takes and JSON does not: names, a point at an end.
    let is_float = digits.starts_with(|first: char| first.is_ascii_digit())
        && !digits.ends_with('.')
        && !digits.contains(".e")
        && !digits.contains(".E");
    match text.parse::<f64>() {
        Ok(number) if is_plain && is_float => Ok(Datum::Float(Float::new(number))),
        _ => {
            let found = text.to_owned();
            Err(place.error(Problem::Unexpected { found, expected: "a value" }))
        }
    }
}

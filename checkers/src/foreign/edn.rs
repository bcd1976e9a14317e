//! The part of EDN that histories use: nil, truths, whole numbers and others, characters, texts, keywords, symbols,
//! lists, vectors, maps, sets, tags, comments. No metadata, no regular expressions, no ratios.

use std::io::Read;
use std::sync::Arc;

use super::datum::CHARS;
use super::draft::Draft;
use super::names::Names;
use super::source::{Place, Source, as_text, escape};
use super::{Datum, Event, Float, Problem, ReadError};

/// Reads data and events.
#[derive(Debug)]
pub(super) struct Reader<R> {
    pub(super) source: Source<R>,
    pub(super) names: Names,
    depth: usize,
    /// The token that is read.
    token: Vec<u8>,
    /// The elements of all collections that are open.
    elements: Vec<Datum>,
}

/// Takes events one by one.
pub(super) type Sink<'a> = &'a mut dyn FnMut(Event) -> Result<(), ReadError>;

impl<R: Read> Reader<R> {
    pub(super) fn new(source: Source<R>) -> Self {
        let (names, token, elements) = Default::default();
        Self { source, names, depth: 0, token, elements }
    }

    /// All events: one after another, or in one vector or list.
    pub(super) fn events(&mut self, sink: Sink<'_>) -> Result<(), ReadError> {
        let close = match self.skip()? {
            Some(b'[') => b']',
            Some(b'(') => b')',
            _ => {
                while self.skip()?.is_some() {
                    sink(self.event()?)?;
                }
                return Ok(());
            }
        };
        self.source.bump();
        while self.skip()? != Some(close) {
            sink(self.event()?)?;
        }
        self.source.bump();
        match self.skip()? {
            None => Ok(()),
            Some(_) => Err(self.source.unexpected("nothing after the end of the history")),
        }
    }

    /// The one datum that there is.
    pub(super) fn only(&mut self) -> Result<Datum, ReadError> {
        let datum = self.datum()?;
        match self.skip()? {
            None => Ok(datum),
            Some(_) => Err(self.source.unexpected("nothing after the value")),
        }
    }

    /// An event: a map, which may have a tag.
    fn event(&mut self) -> Result<Event, ReadError> {
        const EXPECTED: &str = "an event, a map such as {:process 0, :type :invoke, :f :read}";
        let place = self.source.place();
        if self.source.peek()? == Some(b'#') {
            self.source.bump();
            if matches!(self.source.peek()?, None | Some(b'{' | b'#' | b'"')) {
                return Err(self.source.unexpected(EXPECTED));
            }
            self.token()?;
            self.skip()?;
        }
        if self.source.peek()? != Some(b'{') {
            return Err(self.source.unexpected(EXPECTED));
        }
        self.source.bump();
        let mut draft = Draft::new(place);
        loop {
            match self.skip()? {
                Some(b'}') => break,
                Some(b':') => self.field(&mut draft)?,
                _ => return Err(self.source.unexpected("a keyword, or } at the end of the event")),
            }
        }
        self.source.bump();
        draft.finish(&mut self.names)
    }

    fn field(&mut self, draft: &mut Draft) -> Result<(), ReadError> {
        let place = self.source.place();
        self.source.bump();
        self.token()?;
        let name = self.shared(place)?;
        let value = self.datum()?;
        draft.set(&name, value, place)
    }

    /// Goes to what comes next, over white space, comments and what `#_` drops; its first byte.
    pub(super) fn skip(&mut self) -> Result<Option<u8>, ReadError> {
        loop {
            match self.source.peek()? {
                Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | b'\x0c') => self.source.bump(),
                Some(b';') => self.source.skip_line()?,
                Some(b'#') if self.source.peek_second()? == Some(b'_') => {
                    self.source.bump();
                    self.source.bump();
                    self.datum()?;
                }
                other => return Ok(other),
            }
        }
    }

    /// The next datum; it must be there.
    pub(super) fn datum(&mut self) -> Result<Datum, ReadError> {
        if self.depth == DEPTH_MAX {
            return Err(self.source.error(Problem::TooDeep { max: DEPTH_MAX }));
        }
        self.depth += 1;
        let datum = self.skip().and_then(|next| self.datum_at(next));
        self.depth -= 1;
        datum
    }

    fn datum_at(&mut self, next: Option<u8>) -> Result<Datum, ReadError> {
        let place = self.source.place();
        match next {
            Some(b'"') => Ok(Datum::Text(self.text()?)),
            Some(b':') => {
                self.source.bump();
                self.token()?;
                Ok(Datum::Keyword(self.shared(place)?))
            }
            Some(b'[') => Ok(Datum::Vector(self.items(b']')?.into_boxed_slice())),
            Some(b'(') => Ok(Datum::List(self.items(b')')?.into_boxed_slice())),
            Some(b'{') => self.map(),
            Some(b'#') => self.dispatched(),
            Some(b'\\') => self.char(),
            None | Some(b']' | b')' | b'}' | b'^' | b'@' | b'`' | b'~') => {
                Err(self.source.unexpected("a value"))
            }
            Some(_) => {
                self.token()?;
                self.atom(place)
            }
        }
    }

    /// Reads a token: a name or a number.
    fn token(&mut self) -> Result<(), ReadError> {
        self.token.clear();
        self.source.take_until(&mut self.token, is_delimiter)
    }

    /// The token as a name.
    fn shared(&mut self, place: Place) -> Result<Arc<str>, ReadError> {
        if self.token.is_empty() {
            return Err(self.source.unexpected("a name"));
        }
        Ok(self.names.share(as_text(&self.token, place)?))
    }

    /// What the token is: a number, or a bare name.
    fn atom(&mut self, place: Place) -> Result<Datum, ReadError> {
        match self.token.as_slice() {
            b"nil" => Ok(Datum::Nil),
            b"true" => Ok(Datum::Bool(true)),
            b"false" => Ok(Datum::Bool(false)),
            [b'0'..=b'9', ..] | [b'-' | b'+', b'0'..=b'9', ..] => {
                number(as_text(&self.token, place)?, place)
            }
            _ => Ok(Datum::Symbol(self.shared(place)?)),
        }
    }

    /// The elements up to the end of a collection, which begins here.
    fn items(&mut self, close: u8) -> Result<Vec<Datum>, ReadError> {
        self.source.bump();
        let first = self.elements.len();
        loop {
            match self.skip()? {
                Some(byte) if byte == close => break,
                Some(_) => {
                    let element = self.datum()?;
                    self.elements.push(element);
                }
                None => {
                    return Err(self.source.unexpected("a value, or the end of the collection"));
                }
            }
        }
        self.source.bump();
        Ok(self.elements.drain(first..).collect())
    }

    fn map(&mut self) -> Result<Datum, ReadError> {
        let place = self.source.place();
        let items = self.items(b'}')?;
        let mut entries = Vec::with_capacity(items.len() / 2);
        let mut items = items.into_iter();
        while let Some(key) = items.next() {
            let Some(value) = items.next() else {
                let found = format!("the key {key} without a value");
                return Err(place.error(Problem::Unexpected { found, expected: "pairs in a map" }));
            };
            entries.push((key, value));
        }
        Datum::map(entries)
            .map_err(|twice| place.error(Problem::Twice { found: twice.to_string() }))
    }

    /// What begins with `#`: a set, a number that is none, a tag.
    fn dispatched(&mut self) -> Result<Datum, ReadError> {
        let place = self.source.place();
        self.source.bump();
        match self.source.peek()? {
            Some(b'{') => {
                let items = self.items(b'}')?;
                let twice = |twice: Datum| Problem::Twice { found: twice.to_string() };
                Datum::set(items).map_err(|item| place.error(twice(item)))
            }
            Some(b'#') => {
                self.source.bump();
                self.token()?;
                let number = match self.token.as_slice() {
                    b"NaN" => f64::NAN,
                    b"Inf" => f64::INFINITY,
                    b"-Inf" => f64::NEG_INFINITY,
                    _ => {
                        let found = format!("##{}", String::from_utf8_lossy(&self.token));
                        let expected = "##NaN, ##Inf or ##-Inf";
                        return Err(place.error(Problem::Unexpected { found, expected }));
                    }
                };
                Ok(Datum::Float(Float::new(number)))
            }
            _ => {
                self.token()?;
                let tag = self.shared(place)?;
                Ok(Datum::Tagged(Box::new((tag, self.datum()?))))
            }
        }
    }

    fn char(&mut self) -> Result<Datum, ReadError> {
        let place = self.source.place();
        self.source.bump();
        self.token.clear();
        // Whatever comes first is meant, a delimiter too.
        let Some(first) = self.source.next()? else {
            return Err(self.source.unexpected("a character"));
        };
        self.token.push(first);
        self.source.take_until(&mut self.token, is_delimiter)?;
        let name = as_text(&self.token, place)?;
        let mut chars = name.chars();
        let char = match (chars.next(), chars.as_str()) {
            (Some(char), "") => Some(char),
            (Some('u'), code) => u32::from_str_radix(code, 16).ok().and_then(char::from_u32),
            _ => CHARS.iter().find(|(known, _)| *known == name).map(|(_, char)| *char),
        };
        char.map(Datum::Char).ok_or_else(|| {
            let found = format!("\\{name}");
            place.error(Problem::Unexpected {
                found,
                expected: "a character such as \\a or \\space",
            })
        })
    }

    fn text(&mut self) -> Result<Arc<str>, ReadError> {
        let place = self.source.place();
        self.source.bump();
        self.token.clear();
        loop {
            self.source.take_until(&mut self.token, |byte| byte == b'"' || byte == b'\\')?;
            match self.source.next()? {
                Some(b'"') => return Ok(self.names.share(as_text(&self.token, place)?)),
                Some(_) => escape(&mut self.source, &mut self.token)?,
                None => return Err(self.source.unexpected("the end of the text")),
            }
        }
    }
}

/// A number as EDN writes it: `5`, `-5N`, `1.5e3`, `1.5M`.
fn number(text: &str, place: Place) -> Result<Datum, ReadError> {
    let digits = text.trim_start_matches(['+', '-']);
    let whole = text.strip_suffix('N').unwrap_or(text);
    if let Ok(number) = whole.parse::<i64>() {
        // Clojure reads a zero in front as octal.
        if digits.len() == 1 || !digits.starts_with('0') || digits == "0N" {
            return Ok(Datum::Int(number));
        }
    }
    let is_whole = whole.trim_start_matches(['+', '-']).bytes().all(|byte| byte.is_ascii_digit());
    if is_whole && !digits.starts_with('0') {
        return Err(place.error(Problem::TooGreat { found: text.to_owned() }));
    }
    let float = text.strip_suffix('M').unwrap_or(text);
    let is_float =
        float.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    match float.parse::<f64>() {
        Ok(number) if is_float && !is_whole => Ok(Datum::Float(Float::new(number))),
        _ => {
            let expected = "a number such as 5, -5 or 1.5";
            Err(place.error(Problem::Unexpected { found: text.to_owned(), expected }))
        }
    }
}

fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(
            byte,
            b',' | b'"'
                | b';'
                | b'('
                | b')'
                | b'['
                | b']'
                | b'{'
                | b'}'
                | b'\\'
                | b'^'
                | b'@'
                | b'`'
                | b'~'
        )
}

/// Deeper than any history has it, and shallow enough for the stack.
pub(super) const DEPTH_MAX: usize = 64;

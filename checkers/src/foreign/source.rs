//! Bytes, one after another, with their places.

use std::io::{self, Read};

use super::{Problem, ReadError};

/// A reader, a buffer of fixed size before it, and the place that it is at.
#[derive(Debug)]
pub(super) struct Source<R> {
    input: R,
    buffer: Box<[u8]>,
    /// What is in the buffer and not yet taken.
    at: usize,
    end: usize,
    /// How many bytes were there before those in the buffer.
    before: u64,
    line: u64,
    /// Where the line begins, counted from the first byte of all.
    line_start: u64,
}

/// A place in a history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

impl Place {
    /// What is wrong there.
    pub(super) fn error(self, problem: Problem) -> ReadError {
        ReadError { line: self.line, column: self.column, problem }
    }
}

impl<R: Read> Source<R> {
    pub(super) fn new(input: R) -> Self {
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Self { input, buffer, at: 0, end: 0, before: 0, line: 1, line_start: 0 }
    }

    /// Where the next byte is.
    pub(super) fn place(&self) -> Place {
        let offset = self.before + self.at as u64;
        Place { line: self.line, column: offset - self.line_start + 1 }
    }

    /// What is wrong with the next byte.
    pub(super) fn error(&self, problem: Problem) -> ReadError {
        self.place().error(problem)
    }

    /// The next bytes, at least `count` of them if there are as many and the buffer can hold them.
    pub(super) fn ahead(&mut self, count: usize) -> Result<&[u8], ReadError> {
        while self.end - self.at < count.min(BUFFER_BYTES) {
            if self.refill()? == 0 {
                break;
            }
        }
        Ok(self.ready())
    }

    /// The next byte, which stays the next one; nothing at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        if self.at == self.end && self.refill()? == 0 {
            return Ok(None);
        }
        Ok(self.buffer.get(self.at).copied())
    }

    /// The byte after the next one.
    pub(super) fn peek_second(&mut self) -> Result<Option<u8>, ReadError> {
        Ok(self.ahead(2)?.get(1).copied())
    }

    /// Takes the byte that was peeked at.
    pub(super) fn bump(&mut self) {
        let newline = self.buffer.get(self.at) == Some(&b'\n');
        self.at = (self.at + 1).min(self.end);
        if newline {
            self.line += 1;
            self.line_start = self.before + self.at as u64;
        }
    }

    /// Takes the next byte.
    pub(super) fn next(&mut self) -> Result<Option<u8>, ReadError> {
        let byte = self.peek()?;
        if byte.is_some() {
            self.bump();
        }
        Ok(byte)
    }

    /// Takes bytes up to the first that `stops`, and appends them to `text`, which may not grow over a bound.
    pub(super) fn take_until(
        &mut self,
        text: &mut Vec<u8>,
        stops: impl Fn(u8) -> bool,
    ) -> Result<(), ReadError> {
        while self.peek()?.is_some() {
            let ready = self.ready();
            let stop = ready.iter().position(|&byte| stops(byte));
            let taken = ready.get(..stop.unwrap_or(ready.len())).unwrap_or_default();
            if text.len() + taken.len() > TEXT_BYTES_MAX {
                return Err(self.error(Problem::TooLong { max: TEXT_BYTES_MAX }));
            }
            text.extend_from_slice(taken);
            let (newlines, last) = newlines(taken);
            let (start, length) = (self.before + self.at as u64, taken.len());
            if let Some(last) = last {
                self.line += newlines;
                self.line_start = start + last as u64 + 1;
            }
            self.at += length;
            if stop.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Takes the rest of the line, and the end of it.
    pub(super) fn skip_line(&mut self) -> Result<(), ReadError> {
        while let Some(byte) = self.next()? {
            if byte == b'\n' {
                break;
            }
        }
        Ok(())
    }

    /// The next character or the end, for an error.
    pub(super) fn found(&mut self) -> Result<String, ReadError> {
        let ready = self.ahead(CHAR_BYTES_MAX)?;
        let few = ready.get(..ready.len().min(CHAR_BYTES_MAX)).unwrap_or_default();
        let char = String::from_utf8_lossy(few).chars().next();
        Ok(char.map_or_else(|| "the end of the file".to_owned(), |char| format!("{char:?}")))
    }

    /// The refusal of the next byte.
    pub(super) fn unexpected(&mut self, expected: &'static str) -> ReadError {
        match self.found() {
            Ok(found) => self.error(Problem::Unexpected { found, expected }),
            Err(error) => error,
        }
    }

    fn ready(&self) -> &[u8] {
        self.buffer.get(self.at..self.end).unwrap_or_default()
    }

    /// Reads more, behind what is there; how much it was.
    fn refill(&mut self) -> Result<usize, ReadError> {
        self.buffer.copy_within(self.at..self.end, 0);
        self.before += self.at as u64;
        self.end -= self.at;
        self.at = 0;
        loop {
            let free = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.input.read(free) {
                Ok(count) => {
                    self.end = (self.end + count).min(self.buffer.len());
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(Problem::Io(error))),
            }
        }
    }
}

/// Takes what comes after a backslash in a text, and appends the character that it means to the text. EDN and JSON
/// have the same of these.
pub(super) fn escape<R: Read>(source: &mut Source<R>, text: &mut Vec<u8>) -> Result<(), ReadError> {
    let place = source.place();
    let meant = match source.peek()? {
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => {
            source.bump();
            let unit = code_unit(source)?;
            let char = match unit {
                0xd800..0xdc00 => second_half(source, unit)?,
                _ => char::from_u32(unit),
            };
            let char = char.ok_or_else(|| {
                let expected = "the code of a character, or of both halves of one";
                place.error(Problem::Unexpected { found: format!("\\u{unit:04x}"), expected })
            })?;
            push(text, char);
            return Ok(());
        }
        _ => return Err(source.unexpected("one of \" \\ / n t r b f u after a backslash")),
    };
    source.bump();
    push(text, meant);
    Ok(())
}

/// The character of which `high` is the first half, in UTF-16.
fn second_half<R: Read>(source: &mut Source<R>, high: u32) -> Result<Option<char>, ReadError> {
    for expected in [b'\\', b'u'] {
        if source.peek()? != Some(expected) {
            return Ok(None);
        }
        source.bump();
    }
    let low = code_unit(source)?;
    let is_low = (0xdc00..0xe000).contains(&low);
    let code = 0x1_0000 + ((high & 0x3ff) << 10 | low & 0x3ff);
    Ok(char::from_u32(code).filter(|_| is_low))
}

fn code_unit<R: Read>(source: &mut Source<R>) -> Result<u32, ReadError> {
    let mut unit = 0;
    for _ in 0..4 {
        let digit = source.peek()?.and_then(|byte| char::from(byte).to_digit(16));
        let Some(digit) = digit else {
            return Err(source.unexpected("four hexadecimal digits"));
        };
        unit = unit << 4 | digit;
        source.bump();
    }
    Ok(unit)
}

/// The bytes of a token, which begins here, as text.
pub(super) fn as_text(bytes: &[u8], place: Place) -> Result<&str, ReadError> {
    str::from_utf8(bytes).map_err(|_| place.error(Problem::NotUtf8))
}

fn push(text: &mut Vec<u8>, char: char) {
    text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

/// How many lines end in these bytes, and where the last one does.
fn newlines(bytes: &[u8]) -> (u64, Option<usize>) {
    let last = bytes.iter().rposition(|&byte| byte == b'\n');
    let count = last.map_or(0, |_| bytes.split(|&byte| byte == b'\n').count() - 1);
    (count as u64, last)
}

/// Enough that reading costs nothing.
pub(super) const BUFFER_BYTES: usize = 32 << 10;

/// The length of a character in UTF-8.
const CHAR_BYTES_MAX: usize = 4;

/// A bound on the memory that a file which is no history can take.
const TEXT_BYTES_MAX: usize = 16 << 20;

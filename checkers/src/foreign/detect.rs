//! Which format a history is in.

use std::fmt;

use super::Problem;

/// A format of histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Quorate's own.
    Quorate,
    /// Maps or records of EDN, one after another or all in one vector: Jepsen's, Knossos's, Porcupine's key-value
    /// histories.
    Edn,
    /// Lines of a log of Jepsen, or of its `history.txt`.
    Log,
    /// Objects of JSON, one after another or all in one list.
    Json,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Quorate, Self::Edn, Self::Log, Self::Json];

    /// As on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quorate => "quorate",
            Self::Edn => "edn",
            Self::Log => "log",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The format of a history that begins like this. An empty one is as good as EDN.
pub(super) fn detect(head: &[u8]) -> Result<Format, Problem> {
    if head.starts_with(b"{\"quorate\"") {
        return Ok(Format::Quorate);
    }
    let mut rest = head;
    loop {
        rest = rest.trim_ascii_start();
        // What opens before the first event is the same in EDN and in JSON.
        match rest {
            [b'[' | b'{' | b',', after @ ..] => rest = after,
            [] | [b']' | b'}' | b':' | b'(' | b'#' | b';', ..] => return Ok(Format::Edn),
            [b'"', ..] if is_open(head, rest) => return Ok(Format::Json),
            _ if is_log(head) => return Ok(Format::Log),
            _ => return Err(Problem::NoFormat { found: beginning(head) }),
        }
    }
}

/// Whether something was opened before the rest.
fn is_open(head: &[u8], rest: &[u8]) -> bool {
    let before = head.get(..head.len() - rest.len()).unwrap_or_default();
    before.contains(&b'{')
}

/// Whether a line among the first ones is one of Jepsen's.
fn is_log(head: &[u8]) -> bool {
    let is_event = |line: &[u8]| {
        let mut fields = line.split(u8::is_ascii_whitespace);
        fields.any(|field| [&b":invoke"[..], b":info"].contains(&field))
    };
    head.split(|&byte| byte == b'\n').any(is_event)
}

/// The first bytes, for an error.
fn beginning(head: &[u8]) -> String {
    let few = head.get(..head.len().min(BEGINNING_BYTES)).unwrap_or_default();
    format!("{:?}", String::from_utf8_lossy(few))
}

/// Enough to see what a file is.
const BEGINNING_BYTES: usize = 16;

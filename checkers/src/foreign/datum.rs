//! Data: what EDN and JSON can say.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A value of a foreign history. Maps and sets are in order of their keys, so that equal ones are equal. It is shown
/// as EDN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Datum {
    /// Nothing.
    #[default]
    Nil,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(Float),
    /// A character (`\a`).
    Char(char),
    /// A text.
    Text(Arc<str>),
    /// A name with a colon, which is not kept (`:append`).
    Keyword(Arc<str>),
    /// A bare name.
    Symbol(Arc<str>),
    /// `[1 2]`, and JSON's lists.
    Vector(Box<[Datum]>),
    /// `(1 2)`.
    List(Box<[Datum]>),
    /// `#{1 2}`.
    Set(Box<[Datum]>),
    /// `{:a 1}`, and JSON's objects, whose keys are texts.
    Map(Box<[(Datum, Datum)]>),
    /// A value with a tag before it (`#inst "2026"`).
    Tagged(Box<(Arc<str>, Datum)>),
}

impl Datum {
    /// The whole number that it is.
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// The whole number that it is or that its name reads as: JSON has only texts for the keys of objects.
    pub fn as_whole(&self) -> Option<i64> {
        self.as_int().or_else(|| self.name()?.parse().ok())
    }

    /// Its name, if it is a keyword, a symbol or a text: JSON has no keywords.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Text(name) | Self::Keyword(name) | Self::Symbol(name) => Some(name),
            _ => None,
        }
    }

    /// The elements of a vector, a list or a set.
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::Vector(items) | Self::List(items) | Self::Set(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a map, in order of their keys.
    pub fn entries(&self) -> Option<&[(Self, Self)]> {
        if let Self::Map(entries) = self { Some(entries) } else { None }
    }

    /// What a map has under a key of this name.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let named = |(key, value)| (Self::name(key) == Some(name)).then_some(value);
        self.entries()?.iter().map(|(key, value)| (key, value)).find_map(named)
    }

    /// A map of these entries; the key that is there twice if one is.
    pub(crate) fn map(mut entries: Vec<(Self, Self)>) -> Result<Self, Self> {
        entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let twice = entries.windows(2).find_map(|pair| match pair {
            [(one, _), (other, _)] if one == other => Some(one.clone()),
            _ => None,
        });
        twice.map_or_else(|| Ok(Self::Map(entries.into_boxed_slice())), Err)
    }

    /// A set of these elements; the one that is there twice if one is.
    pub(crate) fn set(mut items: Vec<Self>) -> Result<Self, Self> {
        items.sort_unstable();
        let twice = items.windows(2).find_map(|pair| match pair {
            [one, other] if one == other => Some(one.clone()),
            _ => None,
        });
        twice.map_or_else(|| Ok(Self::Set(items.into_boxed_slice())), Err)
    }
}

/// A number with a fraction. There is one zero, and one that is no number; all are in order, the latter last.
#[derive(Clone, Copy, Debug)]
pub struct Float(f64);

impl Float {
    /// The number.
    pub fn new(number: f64) -> Self {
        if number.is_nan() {
            Self(f64::NAN)
        } else {
            // Minus zero becomes zero.
            Self(number + 0.0)
        }
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for Float {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Float {}

impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Float {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Hash for Float {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl fmt::Display for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_nan() {
            f.write_str("##NaN")
        } else if self.0.is_infinite() {
            f.write_str(if self.0 > 0.0 { "##Inf" } else { "##-Inf" })
        } else {
            // With a point or an exponent, always.
            write!(f, "{:?}", self.0)
        }
    }
}

impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number}"),
            Self::Char(char) => write_char(f, *char),
            Self::Text(text) => write_text(f, text),
            Self::Keyword(name) => write!(f, ":{name}"),
            Self::Symbol(name) => f.write_str(name),
            Self::Vector(items) => write_items(f, "[", items, "]"),
            Self::List(items) => write_items(f, "(", items, ")"),
            Self::Set(items) => write_items(f, "#{", items, "}"),
            Self::Map(entries) => {
                f.write_str("{")?;
                for (place, (key, value)) in entries.iter().enumerate() {
                    let comma = if place == 0 { "" } else { ", " };
                    write!(f, "{comma}{key} {value}")?;
                }
                f.write_str("}")
            }
            Self::Tagged(tagged) => write!(f, "#{} {}", tagged.0, tagged.1),
        }
    }
}

fn write_items(
    f: &mut fmt::Formatter<'_>,
    open: &str,
    items: &[Datum],
    close: &str,
) -> fmt::Result {
    f.write_str(open)?;
    for (place, item) in items.iter().enumerate() {
        let space = if place == 0 { "" } else { " " };
        write!(f, "{space}{item}")?;
    }
    f.write_str(close)
}

fn write_char(f: &mut fmt::Formatter<'_>, char: char) -> fmt::Result {
    let named = CHARS.iter().find(|(_, named)| *named == char);
    match named {
        Some((name, _)) => write!(f, "\\{name}"),
        None if char.is_control() || char.is_whitespace() => {
            write!(f, "\\u{:04x}", u32::from(char))
        }
        None => write!(f, "\\{char}"),
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for char in text.chars() {
        match char {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            control if control.is_control() => write!(f, "\\u{:04x}", u32::from(control))?,
            other => f.write_char(other)?,
        }
    }
    f.write_str("\"")
}

/// The characters that EDN has names for.
pub(super) const CHARS: [(&str, char); 6] = [
    ("newline", '\n'),
    ("return", '\r'),
    ("space", ' '),
    ("tab", '\t'),
    ("backspace", '\u{8}'),
    ("formfeed", '\u{c}'),
];

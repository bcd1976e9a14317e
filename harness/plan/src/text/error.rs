//! What is wrong with a text, and where.

use std::fmt;
use std::ops::Range;

use super::document::Document;
use crate::PlanError;

/// Why a text is no plan. Shown as one line, which begins with line and column where they are known, and then
/// that line of the text with the place underlined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    place: Option<Place>,
    /// The field if it is known, what is wrong with it, and what is allowed.
    what: String,
    /// The text says nothing at all, or not in the language of plans.
    is_damaged: bool,
}

/// A place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// Counted from 1.
    line: usize,
    /// In characters, counted from 1.
    column: usize,
    /// The line with what is wrong underlined; empty where there is nothing to show.
    excerpt: String,
}

/// Longer lines are shown in part: a plan as histories hold it is a single one.
const EXCERPT_MAX: usize = 110;
/// How many characters of a long line are shown before the place.
const BEFORE: usize = 40;

impl ReadError {
    /// What is wrong with a plan, at the line of its text where the field stands.
    pub fn of(text: &str, error: &PlanError) -> Self {
        Self::in_field(text, error.field(), error)
    }

    /// That `what` is wrong with a field, at the line of the text where that stands or, if it does not, what
    /// it would be in.
    pub fn in_field(text: &str, field: &str, what: impl fmt::Display) -> Self {
        let span = Document::parse(text).and_then(|document| document.find(field));
        match span {
            Some(span) => Self::at(text, span, what.to_string()),
            None => Self::nowhere(what.to_string()),
        }
    }

    /// As it is shown, with the name of the file that it is about.
    pub fn in_file(&self, name: impl fmt::Display) -> String {
        let separator = if self.place.is_some() { "" } else { " " };
        format!("{name}:{separator}{self}")
    }

    /// Whether the text is empty, or not even TOML or JSON: then it says nothing about a plan, wrong or right.
    pub const fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// Says so of a text of which that holds.
    pub(super) const fn damaged_if(mut self, is_damaged: bool) -> Self {
        self.is_damaged = is_damaged;
        self
    }

    pub(super) const fn nowhere(what: String) -> Self {
        Self { place: None, what, is_damaged: false }
    }

    /// Bytes of the text.
    pub(super) fn at(text: &str, span: Range<usize>, what: String) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let inside = text.get(span).unwrap_or_default();
        let width = inside.split('\n').next().unwrap_or_default().chars().count();
        Self { place: Some(Place::new(text, line, column, width)), what, is_damaged: false }
    }

    /// A line and a byte of it, both counted from 1, as `serde_json` has them.
    pub(super) fn at_line(text: &str, line: usize, byte: usize, what: String) -> Self {
        let content = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let before = content.get(..byte.saturating_sub(1)).unwrap_or(content);
        let place = Place::new(text, line, before.chars().count() + 1, 1);
        Self { place: Some(place), what, is_damaged: false }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            None => f.write_str(&self.what),
            Some(Place { line, column, excerpt }) => {
                write!(f, "{line}:{column}: {}{excerpt}", self.what)
            }
        }
    }
}

impl std::error::Error for ReadError {}

impl Place {
    fn new(text: &str, line: usize, column: usize, width: usize) -> Self {
        let content = text.lines().nth(line - 1).unwrap_or_default().trim_end();
        let mut shown: Vec<char> = content.chars().collect();
        let mut at = column - 1;
        if shown.len() > EXCERPT_MAX {
            let cut = at.saturating_sub(BEFORE).min(shown.len() - EXCERPT_MAX);
            shown.drain(..cut);
            shown.truncate(EXCERPT_MAX);
            at -= cut;
        }
        let width = width.min(shown.len().saturating_sub(at)).max(1);
        // Tabs stay, so that the underlining is below what it means.
        let padding: String = shown
            .iter()
            .chain(std::iter::repeat(&' '))
            .take(at)
            .map(|c| if *c == '\t' { '\t' } else { ' ' })
            .collect();
        let shown: String = shown.iter().collect();
        let excerpt = if shown.is_empty() {
            String::new()
        } else {
            format!("\n  {shown}\n  {padding}{}", "^".repeat(width))
        };
        Self { line, column, excerpt }
    }
}

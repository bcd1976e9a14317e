//! A counterexample as a picture of letters.

use std::fmt::Write as _;

use super::{Counterexample, Involved};
use crate::history::Outcome;

/// Draws each operation as a bar from its invocation to its completion, no wider than `width`
/// letters (but at least 70). The distances are those of the order, not of time.
pub fn timeline(counterexample: &Counterexample, width: usize) -> String {
    let shown = counterexample.operations.get(..ROWS_MAX).unwrap_or(&counterexample.operations);
    let who = longest(shown.iter().map(|involved| involved.operation.process.to_string()), 8);
    let what = longest(shown.iter().map(|involved| involved.text.clone()), 20);
    let bar = width.max(WIDTH_MIN).saturating_sub(who + what + FRAME);
    let axis = Axis::new(shown, bar);
    let mut text = String::new();
    for involved in shown {
        let operation = &involved.operation;
        let note =
            if operation.invoke == counterexample.accused { " <- cannot be placed" } else { "" };
        let row = format!(
            "  {:who$}  {:what$}  {:bar$}  {}{note}",
            cut(&operation.process.to_string(), who),
            cut(&involved.text, what),
            axis.bar(involved),
            ending(&operation.outcome),
        );
        let _ = writeln!(text, "{}", row.trim_end());
    }
    let hidden = counterexample.operations.len() - shown.len();
    if hidden > 0 {
        let _ = writeln!(text, "  … and {hidden} more");
    }
    text
}

/// Where things are on a line.
struct Axis {
    /// Indices of all invocations and completions, in order.
    indices: Vec<u64>,
    width: usize,
}

impl Axis {
    fn new(shown: &[Involved], width: usize) -> Self {
        let ends = |involved: &Involved| {
            std::iter::once(involved.operation.invoke).chain(involved.operation.definite_end())
        };
        let mut indices: Vec<u64> = shown.iter().flat_map(ends).collect();
        indices.sort_unstable();
        Self { indices, width }
    }

    fn column(&self, index: u64) -> usize {
        let rank = self.indices.partition_point(|&other| other < index);
        rank * self.width.saturating_sub(1) / self.indices.len().saturating_sub(1).max(1)
    }

    fn bar(&self, involved: &Involved) -> String {
        let from = self.column(involved.operation.invoke);
        let (to, end) = match involved.operation.definite_end() {
            Some(index) => (self.column(index), '|'),
            None => (self.width.saturating_sub(1), '>'),
        };
        let between = "-".repeat(to.saturating_sub(from + 1));
        let end = if to > from { end.to_string() } else { String::new() };
        format!("{}|{between}{end}", " ".repeat(from))
    }
}

fn ending(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Ok(_) => "ok",
        Outcome::Fail => "fail",
        Outcome::Info => "info",
        Outcome::Pending => "no answer",
    }
}

fn longest(texts: impl Iterator<Item = String>, at_most: usize) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0).min(at_most)
}

/// The text, or as much of it as fits.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Margins, and the words after the bar with the longest note.
const FRAME: usize = 2 + 2 + 2 + 2 + 2 + " <- cannot be placed".len();

/// Narrower than this there is nothing to see.
const WIDTH_MIN: usize = 70;

/// A picture with more rows is not looked at.
const ROWS_MAX: usize = 40;

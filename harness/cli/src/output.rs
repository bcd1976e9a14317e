//! Results go to standard output; a reader that closes it early is no error.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use quorate_checkers::explain::timeline;
use quorate_checkers::judge::Results;
use quorate_checkers::verdict::Verdict;
use quorate_plan::Expectation;

use crate::error::CliError;

/// Writes results to standard output.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::harness(format_args!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Pretty JSON with a newline at the end.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    let mut text =
        serde_json::to_string_pretty(value).expect("results have text keys and finite numbers");
    text.push('\n');
    text
}

/// How a run or a history is judged, as text: the verdict with its reasons, the counterexample if there is
/// one, and the numbers. Whoever made the plan may have expected harm.
pub(crate) fn verdict(results: &Results, expect: Expectation) -> String {
    let mut text = String::new();
    let name = results.verdict.to_string().to_uppercase();
    let (name, expected) = match (results.verdict, expect) {
        (Verdict::Invalid, Expectation::Invalid) => (format!("{name},"), "as expected: "),
        (Verdict::Valid | Verdict::Unknown, Expectation::Invalid) => {
            (format!("{name},"), "though the plan expects harm: ")
        }
        (_, Expectation::Valid) => (name, ""),
    };
    match results.sentences.split_first() {
        Some((first, others)) => {
            line(&mut text, &name, &format!("{expected}{first}"));
            for other in others.iter().take(SENTENCES_MAX - 1) {
                line(&mut text, "", other);
            }
            if others.len() >= SENTENCES_MAX {
                let more = others.len() + 1 - SENTENCES_MAX;
                line(&mut text, "", &format!("… and {more} more, all in the report"));
            }
        }
        None => line(&mut text, &name, &format!("{expected}linearizable: {}", summary(results))),
    }
    if let Some(counterexample) = results.linearizability.counterexamples().next() {
        text.push('\n');
        text += &timeline(counterexample, TIMELINE_WIDTH);
        text.push('\n');
    }
    if !results.sentences.is_empty() {
        line(&mut text, "", &summary(results));
    }
    text
}

/// What is remarkable about a run or a history, but no part of its verdict.
pub(crate) fn notes(results: &Results) -> String {
    let mut text = String::new();
    for note in &results.vacuity.notes {
        line(&mut text, "note", note);
    }
    text
}

/// A line with its label in a column of its own.
pub(crate) fn line(text: &mut String, label: &str, content: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{label:8} {content}");
}

/// `5932 operations on 21 keys: 5804 ok, 27 failed, 101 unknown; 9 faults, 9 bit; checked in 21 ms`.
fn summary(results: &Results) -> String {
    let all = &results.statistics.all;
    let faults = &results.vacuity.faults;
    let mut text = format!(
        "{} on {}: {} ok, {} failed, {} unknown",
        count(all.invoked, "operation"),
        count(results.linearizability.keys.len() as u64, "key"),
        all.ok,
        all.fail,
        all.info + all.pending,
    );
    if !faults.is_empty() {
        let bit = faults.iter().filter(|fault| fault.bites > 0).count();
        // Writing to a String cannot fail; so below.
        let _ = write!(text, "; {}, {bit} of them bit", count(faults.len() as u64, "fault"));
    }
    let check = Duration::from_nanos(results.check_ns);
    let _ = write!(text, "; checked in {:.0} ms", check.as_secs_f64() * 1e3);
    text
}

/// `1 rule`, `2 rules`.
pub(crate) fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// One reason is usually enough to start with.
const SENTENCES_MAX: usize = 4;
/// Fits a terminal of the usual width.
const TIMELINE_WIDTH: usize = 100;

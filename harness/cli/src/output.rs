//! Results go to standard output; a reader that closes it early is no error.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use quorate_checkers::explain::{Counterexample, timeline};
use quorate_checkers::judge::Results;
use quorate_checkers::verdict::Verdict;
use quorate_plan::Expectation;
use quorate_reports::units::span;

use crate::error::CliError;

/// Writes results to standard output. Whatever in them came from a file does nothing to the terminal.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    match io::stdout().lock().write_all(harmless(text).as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::harness(format_args!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// A text that does nothing to a terminal but begin new lines: every other control character as `\u001b`, which JSON
/// and TOML read as the same character, and so every mark that would turn the direction of writing.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| letter != '\n' && letter != '\t' && is_harmful(letter))
}

/// A text that somebody else wrote, for one line of ours: a new line in it is shown as `\n`.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_harmful)
}

fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, is_harmful: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '\n' if is_harmful(letter) => harmless += "\\n",
            _ if is_harmful(letter) => {
                // Writing to a String cannot fail.
                let _ = write!(harmless, "\\u{:04x}", u32::from(letter));
            }
            _ => harmless.push(letter),
        }
    }
    Cow::Owned(harmless)
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
            reasons(&mut text, &name, &format!("{expected}{first}"), others, "the report");
        }
        None => line(&mut text, &name, &format!("{expected}linearizable: {}", summary(results))),
    }
    if let Some(counterexample) = results.linearizability.counterexamples().next() {
        picture(&mut text, counterexample);
    }
    if !results.sentences.is_empty() {
        line(&mut text, "", &summary(results));
    }
    text
}

/// Why something is not valid: the first reason behind the verdict's name, some of the others below it, and how many
/// more there are, all of them in `place`.
pub(crate) fn reasons(text: &mut String, name: &str, first: &str, others: &[String], place: &str) {
    line(text, name, first);
    for other in others.iter().take(SENTENCES_MAX - 1) {
        line(text, "", other);
    }
    if others.len() >= SENTENCES_MAX {
        let more = others.len() + 1 - SENTENCES_MAX;
        line(text, "", &format!("… and {more} more, all in {place}"));
    }
}

/// The operations of a counterexample as they stand in time, with an empty line before and behind them.
pub(crate) fn picture(text: &mut String, counterexample: &Counterexample) {
    text.push('\n');
    *text += &timeline(counterexample, TIMELINE_WIDTH);
    text.push('\n');
}

/// What is remarkable about a run or a history, but no part of its verdict.
pub(crate) fn notes(results: &Results) -> String {
    let mut text = String::new();
    for note in &results.vacuity.notes {
        line(&mut text, "note", note);
    }
    text
}

/// How many operations were done a second, and how long they took; nothing where none was.
pub(crate) fn speed(results: &Results) -> String {
    let all = &results.statistics.all;
    let mut text = String::new();
    if let Some(latency) = all.latency {
        let (p50, p99) = (span(latency.p50_ns), span(latency.p99_ns));
        let rate = all.ok_per_second;
        line(&mut text, "speed", &format!("{rate:.0} ok a second; latency: p50 {p50}, p99 {p99}"));
    }
    text
}

/// A line with its label in a column of its own. It stays one line, whatever came from a file into it.
pub(crate) fn line(text: &mut String, label: &str, content: &str) {
    let content = one_line(content);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_a_file_does_nothing_to_a_terminal() {
        assert!(matches!(harmless("SAME\tas ever\n"), Cow::Borrowed(_)));
        assert_eq!(
            harmless("a\u{1b}[31m\u{9b}2J\r\n\u{202e}"),
            "a\\u001b[31m\\u009b2J\\u000d\n\\u202e"
        );
        let mut text = String::new();
        line(&mut text, "program", "evil\u{1b}[31m 9\nSAME");
        assert_eq!(text, "program  evil\\u001b[31m 9\\nSAME\n");
    }

    #[test]
    fn json_is_the_same_when_it_is_harmless() {
        let text = json(&"\u{1b}\u{9b}\u{202e}");
        let harmless = harmless(&text);
        assert!(harmless.is_ascii());
        assert_eq!(serde_json::from_str::<String>(&harmless).unwrap(), "\u{1b}\u{9b}\u{202e}");
    }
}

//! `quorate check --stream`: a verdict while the history is read.

use std::io::BufRead;
use std::time::Instant;

use quorate_checkers::foreign::{self, Events, NamedKey, Unjudged, Unstreamed};
use quorate_checkers::history::{Reader, What};
use quorate_checkers::model;
use quorate_checkers::stream::{Limits, PROGRESS_EVENTS, Referee, Streamed};
use quorate_checkers::verdict::Verdict;
use quorate_checkers::violations::{Found, Violations};
use serde::Serialize;

use super::foreign::{ForeignArguments, add_names, unjudged};
use super::{Judged, unreadable};
use crate::error::CliError;
use crate::output;
use crate::progress::Display;

/// What is said of a history that was judged while it was read.
#[derive(Debug, Serialize)]
struct Results {
    /// The gravest of all.
    verdict: Verdict,
    /// Why it is not valid: one sentence each, without a full stop.
    sentences: Vec<String>,
    /// Whether there is an order of the operations.
    stream: Streamed,
    /// What the history itself says is broken, if the stream came to that: the first of it.
    violation: Option<Found>,
    /// Keys that could not keep their names.
    keys: Vec<NamedKey>,
    /// How long reading and judging took, in nanoseconds.
    check_ns: u64,
}

/// Reads and judges a history, up to the first violation that is certain.
pub(super) fn judge(
    name: &str,
    input: impl BufRead,
    is_ours: bool,
    arguments: &ForeignArguments,
) -> Result<Judged, CliError> {
    let display = Display::new(false);
    let begun = Instant::now();
    let mut progress = |events: u64| display.say(&told(events, begun));
    let (stream, found, keys, notes) = if is_ours {
        let (stream, found, notes) = of_ours(name, input, arguments, &mut progress)?;
        (stream, found, Vec::new(), notes)
    } else {
        let streamed = of_another(name, input, arguments, &mut progress)?;
        (streamed.stream, None, streamed.keys, Vec::new())
    };
    display.clear();
    let recorded = Violations {
        verdict: if found.is_some() { Verdict::Invalid } else { Verdict::Valid },
        found: found.clone().into_iter().collect(),
    };
    let mut sentences = recorded.sentences();
    sentences.extend(stream.sentences());
    let verdict = stream.verdict.max(recorded.verdict);
    let check_ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let results = Results { verdict, sentences, stream, violation: found, keys, check_ns };
    Ok(Judged {
        file: name.to_owned(),
        verdict,
        text: text(&results, &notes),
        results: serde_json::to_value(&results).expect("results have text keys"),
    })
}

/// One of Quorate's own: with the violation that it records first, and notes.
fn of_ours(
    name: &str,
    input: impl BufRead,
    arguments: &ForeignArguments,
    progress: &mut dyn FnMut(u64),
) -> Result<(Streamed, Option<Found>, Vec<String>), CliError> {
    let wrong = |error| unreadable(name, &error);
    let mut reader = Reader::open(input).map_err(wrong)?;
    let model = arguments.model_of_ours(name, &reader.header().model)?.to_owned();
    let known = model::by_name(&model).ok_or(Unjudged::NoModel { name: model.clone() });
    let mut referee = known
        .and_then(|known| {
            Referee::new(known, Limits::default()).ok_or(Unjudged::NoStream { model })
        })
        .map_err(|error| unjudged(name, &error))?;
    let mut found = None;
    while let Some(event) = reader.next_event().map_err(wrong)? {
        if (event.index + 1).is_multiple_of(PROGRESS_EVENTS as u64) {
            progress(event.index + 1);
        }
        referee.take(&event);
        if let What::Violation(violation) = event.what {
            found = Some(Found { index: event.index, time: event.time, violation });
        }
        if referee.is_over() || found.is_some() {
            return Ok((referee.finish(), found, Vec::new()));
        }
    }
    let note = match (reader.damage(), reader.footer()) {
        (Some(damage), _) => Some(format!("{damage}: the run did not end")),
        (None, None) => Some("the run did not end: the file has no footer".to_owned()),
        (None, Some(_)) => None,
    };
    Ok((referee.finish(), found, note.into_iter().collect()))
}

/// One of another program.
fn of_another(
    name: &str,
    input: impl BufRead,
    arguments: &ForeignArguments,
    progress: &mut dyn FnMut(u64),
) -> Result<foreign::Streamed, CliError> {
    let events = Events::open(input, arguments.format())
        .map_err(|error| super::foreign::unreadable(name, &error))?;
    let format = events.format();
    let model = arguments.model_of_another(name, format)?;
    let meaning = arguments.meaning(format);
    let limits = Limits::default();
    foreign::stream(events, model, &meaning, arguments.is_keyed(), limits, progress).map_err(
        |error| match error {
            Unstreamed::Unreadable(error) => super::foreign::unreadable(name, &error),
            Unstreamed::Unjudged(error) => unjudged(name, &error),
        },
    )
}

/// `checking: 2359296 events, 812000 a second`.
fn told(events: u64, begun: Instant) -> String {
    let milliseconds = begun.elapsed().as_millis().max(1);
    format!("checking: {events} events, {} a second", u128::from(events) * 1_000 / milliseconds)
}

/// The verdict with its reasons, the operations that show it, and the numbers.
fn text(results: &Results, notes: &[String]) -> String {
    let mut text = String::new();
    let name = results.verdict.to_string().to_uppercase();
    let summary = summary(results);
    match results.sentences.split_first() {
        Some((first, others)) => output::reasons(&mut text, &name, first, others, "--json"),
        None => output::line(&mut text, &name, &format!("linearizable: {summary}")),
    }
    let violation = results.stream.violation.as_ref();
    if let Some(counterexample) = violation.and_then(|found| found.counterexample.as_ref()) {
        output::picture(&mut text, counterexample);
    }
    if !results.sentences.is_empty() {
        output::line(&mut text, "", &summary);
    }
    if results.verdict == Verdict::Invalid {
        output::line(&mut text, "note", "what comes after that was not read");
    }
    for note in notes {
        output::line(&mut text, "note", note);
    }
    add_names(&mut text, &results.keys);
    text
}

/// `9000 operations on 3 keys, read as they came; at most 412 of them kept at once, 4 configurations of a key; 21 ms`.
fn summary(results: &Results) -> String {
    let Streamed { operations, keys, held_most, configurations_most, .. } = &results.stream;
    #[expect(clippy::cast_precision_loss, reason = "milliseconds are shown without a fraction")]
    let check_ms = results.check_ns as f64 / 1e6;
    format!(
        "{} on {}, judged as they were read; at most {held_most} of them kept at once, and {} of a key; {check_ms:.0} ms",
        output::count(*operations, "operation"),
        output::count(*keys, "key"),
        output::count(*configurations_most, "configuration"),
    )
}

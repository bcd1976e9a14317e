//! History files.

use std::io::Cursor;

use quorate_checkers::history::{
    Event, Footer, Header, HistoryFile, Problem, ReadError, Writer, operations, read,
};
use quorate_checkers::judge::{Demands, Results, judge};
use quorate_checkers::linearizability::Budget;
use quorate_checkers::verdict::Verdict;
use quorate_plan::Plan;
use quorate_sim::run;
use quorate_systems::mutant::Mutants;

use super::plans;
use crate::{Seed, Target, memory};

/// A file is read, or refused with its line. What is read is written as a file that is read as the same, and written of
/// that byte for byte; cut off anywhere it is still a history, as far as it goes.
pub const TARGET: Target = Target {
    name: "history",
    about: "History files: read, or refused with a line; written and read as the same; cut off, still read.",
    body,
    seeds,
    show,
};

/// A value of JSON takes up to this many bytes for each of its own: the shortest ones are two bytes long, and a line is
/// kept beside them.
const HELD_PER_BYTE: usize = 128;

/// More operations are left to the benchmarks.
const JUDGED_MAX: usize = 10;

fn body(input: &[u8]) {
    let read_it = || read(Cursor::new(input));
    let file = match memory::within(input.len(), HELD_PER_BYTE, read_it) {
        Ok(file) => file,
        Err(error) => return assert!(error.to_string().starts_with("line ")),
    };
    let written = write(&file);
    let again = read(Cursor::new(&written)).expect("what was written can be read");
    assert_same(&file, &again);
    assert_eq!(write(&again), written, "the text that we write is always the same");
    cut_off(&file, &written, input.len());
    look_at(&file);
}

/// Writes a history as a run that ended so, or was killed, would have.
fn write(file: &HistoryFile) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &file.header).expect("memory takes everything");
    for event in file.history.events() {
        writer.event(event.time, event.what.clone()).expect("it was in a history");
    }
    let ended = file.footer.as_ref().map(|Footer { verdict, run, .. }| (*verdict, run.clone()));
    let (verdict, run) = ended.clone().unwrap_or((Verdict::Unknown, None));
    let (mut written, _) = writer.finish(verdict, run).expect("memory takes everything");
    if ended.is_none() {
        // Nothing ends such a file.
        let footer = written.iter().rev().skip(1).position(|byte| *byte == b'\n');
        written.truncate(written.len() - 1 - footer.unwrap_or(0));
    }
    written
}

/// What is missing at the end is not written again; the digest is of the text, which a person may have written.
fn assert_same(file: &HistoryFile, again: &HistoryFile) {
    assert_eq!(file.header, again.header);
    assert_eq!(file.history, again.history);
    let ending = |file: &HistoryFile| {
        file.footer.clone().map(|footer| (footer.events, footer.verdict, footer.run))
    };
    assert_eq!(ending(file), ending(again));
    assert_eq!(again.damage, None);
}

/// Cuts a file anywhere: everything before the line that is cut is read.
fn cut_off(file: &HistoryFile, written: &[u8], draw: usize) {
    let at = draw.wrapping_mul(2_654_435_761) % written.len();
    let (whole, _) = written.split_at(at);
    let lines = whole.split(|byte| *byte == b'\n').count() - 1;
    match read(Cursor::new(whole)) {
        Ok(cut) => {
            let events = cut.history.events();
            let ends_so = cut.damage.is_some() || whole.ends_with(b"\n") || is_a_whole_line(whole);
            assert!(ends_so, "{cut:?}");
            // A line without its end may be whole all the same.
            assert!(events.len() + 1 >= lines, "{lines} lines, {events:?}");
            assert!(file.history.events().starts_with(events));
            assert_eq!(cut.header, file.header);
        }
        Err(ReadError { line, problem: Problem::Empty | Problem::HeaderCut }) => {
            assert_eq!((line, lines), (1, 0));
        }
        Err(error) => panic!("cut off at {at}: {error}"),
    }
}

/// Whether the last line is not cut off, though its end is.
fn is_a_whole_line(text: &[u8]) -> bool {
    let last = text.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice::<serde_json::Value>(last).is_ok()
}

/// All that is done with a history that was read.
fn look_at(file: &HistoryFile) {
    for event in file.history.events() {
        assert!(!event.to_string().contains('\n'), "an event is one line");
    }
    if operations(&file.history).len() > JUDGED_MAX {
        return;
    }
    let demands = Demands {
        model: file.header.model.clone(),
        fault_classes: vec!["kill".to_owned()],
        budget: Budget::default(),
    };
    let results = judge(&file.history, &demands);
    let text = serde_json::to_string(&results).expect("results have text keys");
    let again = serde_json::from_str::<Results>(&text).expect("what was written can be read");
    assert_eq!(again, results, "{text}");
    assert!(!results.sentences.iter().any(String::is_empty), "{results:?}");
}

/// Longer files teach a fuzzer nothing more.
const SEED_BYTES_MAX: usize = 12_000;

fn seeds() -> Vec<Seed> {
    let seed = |(name, plan): (String, Plan)| {
        let ran = run(&plan, Mutants::NONE).ok()?;
        let header = Header {
            program: "quorate 0.1.0".to_owned(),
            started: "2026-11-23T21:47:02Z".to_owned(),
            mutant: None,
            model: "register".to_owned(),
            plan: serde_json::to_value(&plan).ok()?,
        };
        let mut writer = Writer::new(Vec::new(), &header).ok()?;
        for Event { time, what, .. } in ran.history.events() {
            writer.event(*time, what.clone()).ok()?;
        }
        let (bytes, _) = writer.finish(Verdict::Valid, Some(ran.outcome.digest)).ok()?;
        (bytes.len() <= SEED_BYTES_MAX).then_some(Seed { name, bytes })
    };
    plans::kept().into_iter().filter_map(seed).collect()
}

fn show(input: &[u8]) -> String {
    match read(Cursor::new(input)) {
        Ok(file) => format!("{file:#?}"),
        Err(error) => error.to_string(),
    }
}

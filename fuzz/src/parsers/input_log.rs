//! Logs of the inputs of cores, and cores that are run again from them.

use std::fmt::Write as _;
use std::io::Read;
use std::panic;

use quorate_systems::contract::System;
use quorate_systems::{SystemKind, WithSystem, with_system};
use quorate_world::inputs::{self, BadLog, Entry, Log, Owner, Reader, Reexecution, RunId, Title};

use super::pieces::{piece, pieces};
use super::samples::samples;
use super::{Numbered, every_system, small_config};
use crate::{Seed, Target, memory};

/// A log is read to its end, or refused with a place. What is read is written as it was, in whatever portions it comes;
/// and running cores again from it ends, however little sense it makes.
///
/// The first byte says what the others are: a log, or the pieces of one: each an entry's bytes, in a record whose
/// checksums are made to fit, or bytes as they are. The second byte says how many bytes come at once.
pub const TARGET: Target = Target {
    name: "input_log",
    about: "Logs of inputs: read, or refused with a place; written as they were read; run again without end or panic.",
    body,
    seeds,
    show,
};

/// An entry holds lists, and the reader reads ahead.
const HELD_PER_BYTE: usize = 128;

/// Beside what is read, 64 KiB are read ahead.
fn log_of(input: &[u8]) -> (Vec<u8>, usize) {
    let ([mode, portion], rest) = input.split_first_chunk().unwrap_or((&[0, 0], &[]));
    let portion = usize::from(*portion) + 1;
    if mode % 2 == 0 {
        return (rest.to_vec(), portion);
    }
    let mut log = begun(&title());
    let mut number = 0;
    for piece in pieces(rest) {
        match piece.tag % 8 {
            0 => log.extend(piece.bytes),
            _ => match quorate_systems::wal::decode::<Entry>(piece.bytes) {
                Some(entry) => {
                    number += 1;
                    inputs::append(&mut log, number, &entry).expect("it was read");
                }
                // As good as any other entry that is none.
                None => quorate_systems::wal::append(&mut log, &piece.bytes)
                    .expect("an input is no longer than a payload may be"),
            },
        }
    }
    (log, portion)
}

/// What a log says first that the target makes itself.
fn title() -> Title {
    let run = RunId { started: "2026-01-01T00:00:00Z".to_owned(), plan: String::new() };
    Title { run, of: Owner::Clients }
}

fn begun(title: &Title) -> Vec<u8> {
    let mut log = Vec::new();
    inputs::begin(&mut log, title).expect("a title is short");
    log
}

/// Hands out a few bytes at a time.
struct Portions<'a> {
    left: &'a [u8],
    portion: usize,
}

impl Read for Portions<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let (mut portion, _) = self.left.split_at(self.portion.min(self.left.len()));
        let read = portion.read(to)?;
        self.left = self.left.get(read..).unwrap_or_default();
        Ok(read)
    }
}

/// What a log holds, and where the reader stood at its end.
struct Held {
    title: Option<Title>,
    entries: Vec<Entry>,
    end: u64,
    cut_bytes: u64,
}

fn read(source: impl Read) -> Result<Held, BadLog> {
    let mut reader = Reader::new("log".to_owned(), source);
    let mut entries = Vec::new();
    while let Some(entry) = reader.read()? {
        entries.push(entry);
    }
    assert_eq!(reader.entries(), entries.len() as u64);
    let title = reader.title()?.cloned();
    Ok(Held { title, entries, end: reader.offset(), cut_bytes: reader.cut_bytes() })
}

fn body(input: &[u8]) {
    let (log, portion) = log_of(input);
    // The reader reads ahead into a buffer that doubles.
    let read_whole = || read(&log[..]);
    let held = memory::within(log.len(), HELD_PER_BYTE, read_whole);
    let again = read(Portions { left: &log, portion });
    match (&held, &again) {
        (Ok(held), Ok(again)) => {
            assert_eq!(
                (&held.title, &held.entries, held.end),
                (&again.title, &again.entries, again.end)
            );
            assert_eq!(held.end + held.cut_bytes, log.len() as u64);
            assert!(
                log.starts_with(&written(held.title.as_ref(), &held.entries)),
                "not as it was read"
            );
        }
        (Err(error), Err(again)) => assert_eq!(error, again),
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => panic!("portions matter: {error}"),
    }
    for kind in SystemKind::ALL {
        with_system(*kind, Again(&log));
    }
}

/// The log that holds these entries; an empty one has no beginning.
fn written(title: Option<&Title>, entries: &[Entry]) -> Vec<u8> {
    let mut log = title.map(begun).unwrap_or_default();
    for (number, entry) in (1..).zip(entries) {
        inputs::append(&mut log, number, entry).expect("what was read can be written");
    }
    log
}

/// Runs the cores of a log again.
struct Again<'a>(&'a [u8]);

impl WithSystem for Again<'_> {
    type Out = Option<Result<Reexecution, BadLog>>;

    fn with<S: System>(self) -> Self::Out {
        let config = small_config::<S>()?;
        // Whatever run it says it is of is the right one.
        let mut reader = Reader::new("log".to_owned(), self.0);
        let title = reader.title().ok().flatten().cloned().unwrap_or_else(title);
        let logs = [Log { name: "log".to_owned(), title, source: self.0 }];
        // A core may well break an assertion over what no driver gives it; that is caught, and told. libFuzzer would
        // take it for a finding before.
        let loud = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let again = inputs::reexecute::<S, _>(logs, &config, &mut |_| {});
        panic::set_hook(loud);
        Some(again)
    }
}

fn seeds() -> Vec<Seed> {
    struct Logs;
    impl WithSystem for Logs {
        type Out = Vec<(String, Vec<u8>)>;

        fn with<S: System>(self) -> Self::Out {
            let logs = samples::<S>().logs;
            let numbered = Numbered::new(S::KIND.name());
            let whole =
                logs.iter().map(|entries| [&[0, 200], &*written(Some(&title()), entries)].concat());
            let in_pieces = logs.iter().flat_map(|entries| entries.chunks(16)).map(|entries| {
                let encoded = |entry| postcard::to_allocvec(entry).unwrap_or_default();
                let parts = entries.iter().flat_map(|entry| piece(1, &encoded(entry)));
                [1, 30].into_iter().chain(parts).collect()
            });
            numbered.named("whole", whole).chain(numbered.named("pieces", in_pieces)).collect()
        }
    }
    every_system(|kind| with_system(kind, Logs))
}

fn show(input: &[u8]) -> String {
    let (log, portion) = log_of(input);
    let mut shown = format!("{} bytes, {portion} at a time\n", log.len());
    match read(&log[..]) {
        Ok(Held { entries, cut_bytes, .. }) => {
            for entry in entries {
                let _ = writeln!(shown, "  {entry:?}");
            }
            let _ = writeln!(shown, "  and {cut_bytes} bytes of one that is cut off");
        }
        Err(error) => {
            let _ = writeln!(shown, "  {error}");
        }
    }
    for kind in SystemKind::ALL {
        let _ = writeln!(shown, "{kind}: {:?}", with_system(*kind, Again(&log)));
    }
    shown
}

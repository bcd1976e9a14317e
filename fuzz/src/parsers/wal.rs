//! Write-ahead logs and checkpoints.

use std::fmt::Write as _;

use quorate_systems::contract::System;
use quorate_systems::wal::{self, First, Found, RECORD_HEADER_LEN, Scan};
use quorate_systems::{WithSystem, with_system};
use serde::ser::SerializeTuple;
use serde::{Serialize, Serializer};

use super::pieces::{Piece, piece, pieces};
use super::samples::samples;
use super::{Numbered, every_system};
use crate::{Seed, Target, memory};

/// Whatever a disk holds is read: records, damage with its place, a torn tail. What reads back whole is what was
/// written, byte for byte, and damage never passes for a record.
///
/// The first byte says what the others are: a log; a checkpoint; the pieces of a log (some bytes, or the payload of a
/// record whose checksums are made to fit or of one that was damaged) which is cut somewhere; or those of a checkpoint
/// which is then damaged. Where, the second and third byte say.
pub const TARGET: Target = Target {
    name: "wal",
    about: "Logs and checkpoints: intact, torn, damaged or arbitrary; damage is named and never passes for a record.",
    body,
    seeds,
    show,
};

/// What was found takes 24 bytes for each record, of 16 bytes at least, in a list that doubles.
const HELD_PER_BYTE: usize = 8;

enum Fed {
    Log(Vec<u8>),
    Checkpoint(Vec<u8>),
    Pieces { parts: Vec<Part>, cut: usize },
    DamagedCheckpoint { payloads: Vec<Vec<u8>>, at: usize, mask: u8 },
}

/// A part of a log that is put together.
struct Part {
    bytes: Vec<u8>,
    kind: PartKind,
}

enum PartKind {
    Bytes,
    Record,
    Damaged,
}

/// A payload that is there already.
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    /// Exactly these bytes, without their number.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }
}

fn record_of(payload: &[u8]) -> Vec<u8> {
    let mut log = Vec::new();
    wal::append(&mut log, &Raw(payload)).expect("an input is no longer than a payload may be");
    log
}

fn fed(input: &[u8]) -> Fed {
    let Some((mode, rest)) = input.split_first() else { return Fed::Log(Vec::new()) };
    let (place, behind) = rest.split_first_chunk::<2>().unwrap_or((&[0, 0], &[]));
    match mode % 4 {
        0 => Fed::Log(rest.to_vec()),
        1 => Fed::Checkpoint(rest.to_vec()),
        2 => {
            let parts = pieces(behind).map(part).collect();
            Fed::Pieces { parts, cut: usize::from(u16::from_le_bytes(*place)) }
        }
        _ => {
            let [at, mask] = *place;
            let payloads = pieces(behind).map(|piece| piece.bytes.to_vec()).collect();
            Fed::DamagedCheckpoint { payloads, at: usize::from(at) * 3, mask }
        }
    }
}

fn part(piece: Piece<'_>) -> Part {
    match piece.tag % 4 {
        0 => Part { bytes: piece.bytes.to_vec(), kind: PartKind::Bytes },
        1 => {
            let mut bytes = record_of(piece.bytes);
            // The last byte of the payload, or of the header where there is none.
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
            Part { bytes, kind: PartKind::Damaged }
        }
        _ => Part { bytes: record_of(piece.bytes), kind: PartKind::Record },
    }
}

fn body(input: &[u8]) {
    match fed(input) {
        Fed::Log(log) => drop(scan(&log)),
        Fed::Checkpoint(bytes) => scan_checkpoint(&bytes),
        Fed::Pieces { parts, cut } => scan_pieces(&parts, cut),
        Fed::DamagedCheckpoint { payloads, at, mask } => scan_damaged(&payloads, at, mask),
    }
}

/// Scans a log, and holds what is found against the bytes.
fn scan(log: &[u8]) -> Scan<'_> {
    let scan = memory::within(log.len(), HELD_PER_BYTE, || wal::scan(log));
    let rest = |from: usize| log.get(from..).expect("offsets lie within the log");
    assert_eq!(scan.end + scan.torn_bytes, log.len(), "{scan:?}");
    assert_eq!(wal::first(rest(scan.end)), First::Cut, "what is torn goes on");
    let mut from = 0;
    for found in &scan.found {
        match *found {
            Found::Intact { offset, payload } => {
                assert!(offset >= from, "{scan:?}");
                let len = RECORD_HEADER_LEN + payload.len();
                assert_eq!(wal::first(rest(offset)), First::Record { payload, len });
                assert!(rest(offset).starts_with(&record_of(payload)), "not as it was read");
                from = offset + len;
            }
            Found::Corrupt { offset } => {
                assert!(offset >= from, "{scan:?}");
                assert_eq!(wal::first(rest(offset)), First::Damaged);
                from = offset + 1;
            }
        }
    }
    assert!(scan.end >= from, "{scan:?}");
    scan
}

/// A checkpoint without damage is what its records are written as.
fn scan_checkpoint(bytes: &[u8]) {
    let found = memory::within(bytes.len(), HELD_PER_BYTE, || wal::scan_checkpoint(bytes));
    let intact = |found: &Found<'_>| match *found {
        Found::Intact { payload, .. } => Some(payload.to_vec()),
        Found::Corrupt { .. } => None,
    };
    let payloads: Option<Vec<Vec<u8>>> = found.iter().map(intact).collect();
    if let Some(payloads) = payloads {
        assert_eq!(checkpoint(&payloads), bytes, "a checkpoint that nobody wrote");
    }
}

fn checkpoint(payloads: &[Vec<u8>]) -> Vec<u8> {
    let records: Vec<Raw<'_>> = payloads.iter().map(|payload| Raw(payload)).collect();
    wal::encode_checkpoint(&records).expect("an input is no longer than a payload may be")
}

/// Until the first arbitrary bytes or the cut, everything is found that was put in, and nothing else.
fn scan_pieces(parts: &[Part], cut: usize) {
    let mut log: Vec<u8> = parts.iter().flat_map(|part| &part.bytes).copied().collect();
    // Mostly nothing is cut off.
    log.truncate(log.len().max(cut) - cut);
    let scan = scan(&log);
    let mut found = scan.found.iter();
    let mut offset = 0;
    for Part { bytes, kind } in parts {
        if offset + bytes.len() > log.len() {
            let nothing = found.next().is_none();
            let torn = matches!(kind, PartKind::Bytes) || nothing && scan.end == offset;
            assert!(torn, "{scan:?}, cut at {}", log.len());
            return;
        }
        match kind {
            PartKind::Bytes if bytes.is_empty() => {}
            PartKind::Record => {
                let payload = bytes.get(RECORD_HEADER_LEN..).unwrap_or_default();
                assert_eq!(found.next(), Some(&Found::Intact { offset, payload }));
            }
            PartKind::Damaged if bytes.len() > RECORD_HEADER_LEN => {
                assert_eq!(found.next(), Some(&Found::Corrupt { offset }));
            }
            // Where these end, only the next header tells: a damaged record without a payload is a damaged header.
            PartKind::Bytes | PartKind::Damaged => return,
        }
        offset += bytes.len();
    }
    assert!(found.next().is_none() && scan.torn_bytes == 0, "{scan:?}");
}

/// Damage anywhere is noticed, and without damage nothing is.
fn scan_damaged(payloads: &[Vec<u8>], at: usize, mask: u8) {
    let mut bytes = checkpoint(payloads);
    scan_checkpoint(&bytes);
    let at = at % bytes.len();
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= mask;
    }
    let found = wal::scan_checkpoint(&bytes);
    let is_corrupt = found.iter().any(|found| matches!(found, Found::Corrupt { .. }));
    assert_eq!(is_corrupt, mask != 0, "byte {at} of {bytes:02x?}");
    let mut is_lost = false;
    for one in found {
        match one {
            Found::Corrupt { .. } => is_lost = true,
            // Behind a damaged header the next one is looked for, and a payload may well hold a whole record.
            Found::Intact { payload, .. } => {
                let is_written = payloads.iter().any(|written| written == payload);
                assert!(is_written || is_lost, "{one:?}");
            }
        }
    }
}

fn seeds() -> Vec<Seed> {
    struct Logs;
    impl WithSystem for Logs {
        type Out = Vec<(String, Vec<u8>)>;

        fn with<S: System>(self) -> Self::Out {
            let records = samples::<S>().records;
            let written = |records: &[S::Record]| {
                let mut log = Vec::new();
                for record in records {
                    wal::append(&mut log, record).expect("cores write what can be written");
                }
                log
            };
            let payloads = |records: &[S::Record]| {
                let payload = |record| postcard::to_allocvec(record).unwrap_or_default();
                let tagged = (1_u8..).zip(records.iter().rev().map(payload));
                tagged.flat_map(|(tag, payload)| piece(tag, &payload)).collect::<Vec<u8>>()
            };
            let groups: Vec<&[S::Record]> = records.chunks(5).collect();
            let numbered = Numbered::new(S::KIND.name());
            let checkpoint = |records: &&[S::Record]| {
                let bytes = wal::encode_checkpoint(records).unwrap_or_default();
                [&[1], &*bytes].concat()
            };
            numbered
                .named("log", groups.iter().map(|records| [&[0], &*written(records)].concat()))
                .chain(numbered.named("checkpoint", groups.iter().map(checkpoint)))
                .chain(numbered.named(
                    "cut",
                    groups.iter().map(|records| [&[2, 0, 0], &*payloads(records)].concat()),
                ))
                .chain(numbered.named(
                    "damaged",
                    groups.iter().map(|records| [&[3, 9, 4], &*payloads(records)].concat()),
                ))
                .collect()
        }
    }
    every_system(|kind| with_system(kind, Logs))
}

fn show(input: &[u8]) -> String {
    let bytes = match fed(input) {
        Fed::Log(log) => log,
        Fed::Checkpoint(bytes) => return shown("checkpoint", &wal::scan_checkpoint(&bytes)),
        Fed::Pieces { parts, cut } => {
            let mut log: Vec<u8> = parts.iter().flat_map(|part| &part.bytes).copied().collect();
            log.truncate(log.len().max(cut) - cut);
            log
        }
        Fed::DamagedCheckpoint { payloads, at, mask } => {
            let mut bytes = checkpoint(&payloads);
            let at = at % bytes.len();
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= mask;
            }
            let what = format!("checkpoint, byte {at} xor {mask:#04x}");
            return shown(&what, &wal::scan_checkpoint(&bytes));
        }
    };
    let scan = wal::scan(&bytes);
    let what = format!("log of {} bytes, {} of them torn", bytes.len(), scan.torn_bytes);
    shown(&what, &scan.found)
}

fn shown(what: &str, found: &[Found<'_>]) -> String {
    let mut shown = format!("{what}\n");
    for found in found {
        let _ = match found {
            Found::Intact { offset, payload } => {
                writeln!(shown, "  {offset}: record {payload:02x?}")
            }
            Found::Corrupt { offset } => writeln!(shown, "  {offset}: corrupt"),
        };
    }
    shown
}

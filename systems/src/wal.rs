//! What a replica's disk holds: log records and checkpoints as bytes, and how they are read back.
//!
//! ```text
//!  0           4            8                     12                   16
//! ┌───────────┬────────────┬─────────────────────┬────────────────────┬───────────┐
//! │ magic u32 │ length u32 │ crc32c of payload   │ crc32c of header   │ payload … │
//! └───────────┴────────────┴─────────────────────┴────────────────────┴───────────┘
//!   magic             "qRec" in a record, "qEnd" in the end mark of a checkpoint
//!   length            of the payload in bytes
//!   crc32c of header  of the first twelve bytes
//! ```
//! All numbers are little-endian.
//!
//! A log may end in the middle of a record, since a crash may fall in the middle of a write: such a *torn
//! tail* was never reported durable and is cut. Whatever is complete and does not match its checksum was
//! damaged later: it is *corrupt*, and named. The two never look alike, because the header has a checksum of
//! its own: a damaged length cannot pass for a record that goes on beyond the end of the file. Nor can a length
//! that no record has: such a header was never written, whole or in part.

use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::canonical;
use crate::wire::crc32c;

/// The length of a record's header, in bytes.
pub const RECORD_HEADER_LEN: usize = 16;

/// The longest payload of one record, in bytes.
pub const PAYLOAD_MAX: usize = 1 << 24;

const RECORD_MAGIC: [u8; 4] = *b"qRec";
const END_MAGIC: [u8; 4] = *b"qEnd";

/// A record that cannot be written: a fault of its system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Its payload would be too long.
    #[error("a record of {len} bytes is longer than a record may be ({PAYLOAD_MAX})")]
    TooLong {
        /// The length of the payload, in bytes.
        len: usize,
    },
    /// postcard cannot write it.
    #[error("a record cannot be serialized")]
    Unwritable,
}

/// One thing found while reading a log, in the order in which it stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A record whose checksums are right.
    Intact {
        /// Where its header begins, in bytes from the beginning of the file.
        offset: usize,
        /// What was written.
        payload: &'a [u8],
    },
    /// A record, or several, that were written whole and cannot be read back.
    Corrupt {
        /// Where the damage begins, in bytes from the beginning of the file.
        offset: usize,
    },
}

/// All that a log holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan<'a> {
    /// Its records, in order.
    pub found: Vec<Found<'a>>,
    /// Where the torn tail begins; the length of the log where there is none.
    pub end: usize,
    /// How long the torn tail is, in bytes.
    pub torn_bytes: usize,
}

/// Appends one record to `log`.
pub fn append<R: Serialize>(log: &mut Vec<u8>, record: &R) -> Result<(), EncodeError> {
    let payload = postcard::to_allocvec(record).map_err(|_| EncodeError::Unwritable)?;
    append_payload(log, RECORD_MAGIC, &payload)
}

/// Reads the payload of an intact record back. `None`: it was written by something else, which is as bad
/// as damage. A record has one form in bytes: what is read is written as the same payload.
pub fn decode<R: Serialize + DeserializeOwned>(payload: &[u8]) -> Option<R> {
    canonical::decode(payload)
}

/// What stands at the beginning of some bytes of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First<'a> {
    /// A record whose checksums are right.
    Record {
        /// What was written.
        payload: &'a [u8],
        /// How many bytes it takes altogether.
        len: usize,
    },
    /// Something that was written whole and cannot be read back.
    Damaged,
    /// The beginning of a record, or nothing: whether it goes on, the bytes that follow say.
    Cut,
}

/// Reads the first record of some bytes: for readers that hold only a part of a log.
pub fn first(bytes: &[u8]) -> First<'_> {
    match first_part(bytes, RECORD_MAGIC) {
        Part::Whole { payload, len } => First::Record { payload, len },
        Part::DamagedPayload { .. } | Part::DamagedHeader => First::Damaged,
        Part::Cut => First::Cut,
    }
}

/// Whether a record may begin with `bytes`, which are all that there is of it: as much of its magic is there as
/// can be.
pub fn may_begin(bytes: &[u8]) -> bool {
    RECORD_MAGIC.iter().zip(bytes).all(|(expected, found)| expected == found)
}

/// Reads a log. Never fails: what is wrong with it stands in the result.
pub fn scan(log: &[u8]) -> Scan<'_> {
    let mut found = Vec::new();
    let mut offset = 0;
    loop {
        let rest = log.get(offset..).unwrap_or_default();
        match first_part(rest, RECORD_MAGIC) {
            Part::Whole { payload, len } => {
                found.push(Found::Intact { offset, payload });
                offset += len;
            }
            Part::DamagedPayload { len } => {
                found.push(Found::Corrupt { offset });
                offset += len;
            }
            Part::DamagedHeader => {
                found.push(Found::Corrupt { offset });
                offset += next_header(rest);
            }
            Part::Cut => return Scan { found, end: offset, torn_bytes: rest.len() },
        }
    }
}

/// The bytes of a checkpoint: the records, and an end mark that counts them.
pub fn encode_checkpoint<R: Serialize>(records: &[R]) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    for record in records {
        append(&mut bytes, record)?;
    }
    append_payload(&mut bytes, END_MAGIC, &end_mark(records.len()))?;
    Ok(bytes)
}

/// Reads a checkpoint. A checkpoint is put in place whole or not at all, so that here nothing is torn:
/// whatever is missing or too much is corrupt.
pub fn scan_checkpoint(bytes: &[u8]) -> Vec<Found<'_>> {
    let Scan { mut found, end, torn_bytes } = scan(strip_end(bytes));
    let expected = end_mark(found.len());
    let ended = bytes.get(end..).unwrap_or_default();
    let whole = matches!(
        first_part(ended, END_MAGIC),
        Part::Whole { payload, len } if payload == expected && len == ended.len()
    );
    if torn_bytes > 0 || !whole {
        found.push(Found::Corrupt { offset: end });
    }
    found
}

/// What a file holds at some place.
enum Part<'a> {
    /// A record of `len` bytes altogether.
    Whole { payload: &'a [u8], len: usize },
    /// A record of `len` bytes whose payload is not what was written.
    DamagedPayload { len: usize },
    /// At least the length of a header, and no header.
    DamagedHeader,
    /// Less than a header, or a header and less than its payload.
    Cut,
}

fn first_part(bytes: &[u8], magic: [u8; 4]) -> Part<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<RECORD_HEADER_LEN>() else {
        return Part::Cut;
    };
    let Some(Header { payload_len, payload_crc }) = parse_header(header, magic) else {
        return Part::DamagedHeader;
    };
    let Some(payload) = rest.get(..payload_len) else {
        return Part::Cut;
    };
    let len = RECORD_HEADER_LEN + payload_len;
    if crc32c(payload) == payload_crc {
        Part::Whole { payload, len }
    } else {
        Part::DamagedPayload { len }
    }
}

struct Header {
    payload_len: usize,
    payload_crc: u32,
}

fn parse_header(bytes: &[u8; RECORD_HEADER_LEN], magic: [u8; 4]) -> Option<Header> {
    let (checked, check) = bytes.split_last_chunk::<4>()?;
    let (found_magic, rest) = checked.split_first_chunk::<4>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let payload_crc = rest.first_chunk::<4>()?;
    if *found_magic != magic || crc32c(checked) != u32::from_le_bytes(*check) {
        return None;
    }
    let payload_len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
    // Nobody writes such a record: taken for one, it would hide all that follows as its torn tail.
    if payload_len > PAYLOAD_MAX {
        return None;
    }
    Some(Header { payload_len, payload_crc: u32::from_le_bytes(*payload_crc) })
}

/// How far from the beginning of `bytes`, which is no header, the next one is; all of it if there is none.
fn next_header(bytes: &[u8]) -> usize {
    bytes
        .windows(RECORD_HEADER_LEN)
        .enumerate()
        .skip(1)
        .filter_map(|(place, window)| Some((place, window.first_chunk()?)))
        .find(|(_, window)| parse_header(window, RECORD_MAGIC).is_some())
        .map_or(bytes.len(), |(place, _)| place)
}

fn append_payload(to: &mut Vec<u8>, magic: [u8; 4], payload: &[u8]) -> Result<(), EncodeError> {
    let len = match u32::try_from(payload.len()) {
        Ok(len) if payload.len() <= PAYLOAD_MAX => len,
        _ => return Err(EncodeError::TooLong { len: payload.len() }),
    };
    let start = to.len();
    to.extend(magic);
    to.extend(len.to_le_bytes());
    to.extend(crc32c(payload).to_le_bytes());
    let check = crc32c(to.get(start..).unwrap_or_default());
    to.extend(check.to_le_bytes());
    to.extend(payload);
    Ok(())
}

fn end_mark(count: usize) -> [u8; 8] {
    (count as u64).to_le_bytes()
}

/// A checkpoint without the place of its end mark.
fn strip_end(bytes: &[u8]) -> &[u8] {
    let end_len = RECORD_HEADER_LEN + end_mark(0).len();
    bytes.get(..bytes.len().saturating_sub(end_len)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec;

    use super::*;

    type Record = (u64, String);

    fn records() -> Vec<Record> {
        vec![(1, "one".to_string()), (2, String::new()), (300, "three hundred".to_string())]
    }

    fn log_of(records: &[Record]) -> Vec<u8> {
        let mut log = Vec::new();
        for record in records {
            append(&mut log, record).unwrap();
        }
        log
    }

    /// The offsets at which records begin, and the end of the last.
    fn boundaries(records: &[Record]) -> Vec<usize> {
        (0..=records.len()).map(|count| log_of(&records[..count]).len()).collect()
    }

    fn intact(found: &[Found<'_>]) -> Vec<Record> {
        found
            .iter()
            .filter_map(|found| match found {
                Found::Intact { payload, .. } => decode(payload),
                Found::Corrupt { .. } => None,
            })
            .collect()
    }

    fn corrupt(found: &[Found<'_>]) -> Vec<usize> {
        found
            .iter()
            .filter_map(|found| match found {
                Found::Intact { .. } => None,
                Found::Corrupt { offset } => Some(*offset),
            })
            .collect()
    }

    #[test]
    fn the_first_record_of_a_part_of_a_log_is_whole_damaged_or_goes_on() {
        let log = log_of(&records());
        let end = boundaries(&records())[1];
        for cut in 0..end {
            assert_eq!(first(&log[..cut]), First::Cut);
        }
        let payload = &log[RECORD_HEADER_LEN..end];
        assert_eq!(first(&log), First::Record { payload, len: end });
        for place in 0..end {
            let mut damaged = log.clone();
            damaged[place] ^= 1;
            assert_eq!(first(&damaged), First::Damaged, "{place}");
        }
    }

    #[test]
    fn a_log_has_exactly_these_bytes() {
        assert_eq!(log_of(&records()[..1]), GOLDEN);
    }

    #[test]
    fn what_is_written_is_read_back_in_order() {
        let log = log_of(&records());
        let scan = scan(&log);
        assert_eq!(intact(&scan.found), records());
        assert_eq!((scan.end, scan.torn_bytes), (log.len(), 0));
    }

    #[test]
    fn a_log_cut_anywhere_has_a_torn_tail_and_an_intact_prefix() {
        let log = log_of(&records());
        let boundaries = boundaries(&records());
        for len in 0..=log.len() {
            let scan = scan(&log[..len]);
            let whole = boundaries.iter().filter(|end| (1..=len).contains(*end)).count();
            assert_eq!(intact(&scan.found), records()[..whole], "cut at {len}");
            assert!(corrupt(&scan.found).is_empty(), "cut at {len}");
            assert_eq!(scan.end, boundaries[whole], "cut at {len}");
            assert_eq!(scan.torn_bytes, len - boundaries[whole], "cut at {len}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_named_with_its_record_and_never_cut() {
        let log = log_of(&records());
        let boundaries = boundaries(&records());
        for bit in 0..log.len() * 8 {
            let mut bad = log.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let damaged = boundaries.iter().rposition(|start| *start <= bit / 8).unwrap();
            let scan = scan(&bad);
            assert_eq!(corrupt(&scan.found), [boundaries[damaged]], "bit {bit}");
            assert_eq!(scan.torn_bytes, 0, "bit {bit}");

            let mut others = records();
            others.remove(damaged);
            assert_eq!(intact(&scan.found), others, "bit {bit}");
        }
    }

    #[test]
    fn a_flipped_bit_before_a_torn_tail_is_named_and_the_tail_is_cut() {
        let log = log_of(&records());
        let boundaries = boundaries(&records());
        let mut bad = log[..log.len() - 1].to_vec();
        bad[boundaries[1] + 5] ^= 1;
        let scan = scan(&bad);
        assert_eq!(corrupt(&scan.found), [boundaries[1]]);
        assert_eq!(intact(&scan.found), records()[..1]);
        assert_eq!(scan.end, boundaries[2]);
        assert_eq!(scan.torn_bytes, bad.len() - boundaries[2]);
    }

    #[test]
    fn a_length_that_no_record_has_is_damage_and_no_torn_tail() {
        let header = |len: u32| {
            let mut bytes = RECORD_MAGIC.to_vec();
            bytes.extend(len.to_le_bytes());
            bytes.extend([0; 4]);
            let check = crc32c(&bytes);
            bytes.extend(check.to_le_bytes());
            bytes
        };
        let longest = u32::try_from(PAYLOAD_MAX).unwrap();
        assert_eq!(first(&header(longest)), First::Cut);
        for len in [longest + 1, u32::MAX] {
            assert_eq!(first(&header(len)), First::Damaged);
            let whole = log_of(&records());
            let log = [&whole[..], &header(len), &whole].concat();
            let scan = scan(&log);
            assert_eq!(corrupt(&scan.found), [whole.len()]);
            assert_eq!(intact(&scan.found), [records(), records()].concat());
            assert_eq!(scan.torn_bytes, 0);
        }
    }

    #[test]
    fn a_record_may_begin_with_a_part_of_its_magic_and_with_nothing_else() {
        let log = log_of(&records());
        assert!((0..log.len()).all(|cut| may_begin(&log[..cut])));
        assert!(!may_begin(b"abc") && !may_begin(b"qR\0") && !may_begin(&[0; 15]));
    }

    #[test]
    fn a_payload_of_another_type_is_no_record() {
        let mut log = Vec::new();
        append(&mut log, &(1_u64, 2_u64)).unwrap();
        let scan = scan(&log);
        let [Found::Intact { payload, .. }] = scan.found[..] else { panic!("{scan:?}") };
        assert_eq!(decode::<u64>(payload), None);
    }

    #[test]
    fn a_record_of_a_length_that_nobody_writes_is_corrupt_and_hides_nothing() {
        let mut log = Vec::from(RECORD_MAGIC);
        log.extend(u32::try_from(PAYLOAD_MAX + 1).unwrap().to_le_bytes());
        log.extend([0; 4]);
        log.extend(crc32c(&log).to_le_bytes());
        log.extend(log_of(&records()));
        let scan = scan(&log);
        assert_eq!(corrupt(&scan.found), [0]);
        assert_eq!(intact(&scan.found), records());
    }

    #[test]
    fn a_payload_in_another_form_is_no_record() {
        assert_eq!(decode::<u64>(&[0x80, 0x00]), None);
        assert_eq!(decode::<u64>(&[0x00]), Some(0));
    }

    #[test]
    fn a_record_that_is_too_long_is_not_written() {
        let error = append(&mut Vec::new(), &vec![0_u8; PAYLOAD_MAX + 1]).unwrap_err();
        assert!(matches!(error, EncodeError::TooLong { .. }));
    }

    #[test]
    fn a_checkpoint_is_read_back() {
        for count in 0..=records().len() {
            let bytes = encode_checkpoint(&records()[..count]).unwrap();
            let found = scan_checkpoint(&bytes);
            assert_eq!(intact(&found), records()[..count]);
            assert!(corrupt(&found).is_empty());
        }
    }

    #[test]
    fn a_checkpoint_that_is_cut_anywhere_is_corrupt() {
        let bytes = encode_checkpoint(&records()).unwrap();
        for len in 0..bytes.len() {
            assert!(!corrupt(&scan_checkpoint(&bytes[..len])).is_empty(), "cut at {len}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_checkpoint_is_named() {
        let bytes = encode_checkpoint(&records()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!corrupt(&scan_checkpoint(&bad)).is_empty(), "bit {bit}");
        }
    }

    #[test]
    fn bytes_after_a_checkpoint_are_corrupt() {
        let mut bytes = encode_checkpoint(&records()).unwrap();
        bytes.push(0);
        assert!(!corrupt(&scan_checkpoint(&bytes)).is_empty());
    }

    #[test]
    fn a_checkpoint_that_lacks_a_record_is_corrupt() {
        let bytes = encode_checkpoint(&records()).unwrap();
        let boundaries = boundaries(&records());
        let mut bad = bytes[..boundaries[1]].to_vec();
        bad.extend(&bytes[boundaries[2]..]);
        assert!(!corrupt(&scan_checkpoint(&bad)).is_empty());
    }

    const GOLDEN: &[u8] = &[
        0x71, 0x52, 0x65, 0x63, 0x05, 0x00, 0x00, 0x00, 0x33, 0x81, 0xB1, 0x55, 0x02, 0x35, 0xEB,
        0x6F, 0x01, 0x03, 0x6F, 0x6E, 0x65,
    ];
}

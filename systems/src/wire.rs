//! Frames: how a message travels between nodes over a stream of bytes.
//!
//! ```text
//!  0       1         2      3        4            8            12
//! ┌───────┬─────────┬──────┬────────┬────────────┬────────────┬────────────┐
//! │ magic │ version │ kind │ check8 │ length u32 │ crc32c u32 │ body …     │
//! └───────┴─────────┴──────┴────────┴────────────┴────────────┴────────────┘
//!   magic    0x51 ('Q')
//!   version  1
//!   kind     the place of the message's kind in the system's vocabulary
//!   check8   CRC-8 (SMBus) of magic, version, kind and length
//!   length   of the body in bytes, little-endian, at most BODY_MAX
//!   crc32c   CRC-32C (Castagnoli) of the first eight bytes and the body, little-endian
//!   body     postcard of an Envelope
//! ```
//!
//! The header has a check of its own, so that a reader that meets a damaged length closes the stream at
//! once instead of waiting for a body that nobody sent. A damaged body costs one frame: the header said
//! where the next one begins.
//!
//! An envelope has one form in bytes: what decodes is encoded to the same frame.

use alloc::vec::Vec;

use crc::{CRC_8_SMBUS, CRC_32_ISCSI, Crc, Table};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::contract::{Describe, Incarnation, NodeId};
use crate::vocabulary::Vocabulary;

/// The length of a frame's header, in bytes.
pub const HEADER_LEN: usize = 12;

/// The longest body that is sent or read, in bytes, and no less than a record on disk may have: a replicated
/// store travels as one snapshot, and some million values fit. A reader never keeps more than this for one
/// connection.
pub const BODY_MAX: usize = 1 << 24;

const MAGIC: u8 = b'Q';
const VERSION: u8 = 1;
const CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
const CRC8: Crc<u8> = Crc::<u8>::new(&CRC_8_SMBUS);

/// CRC-32C (Castagnoli) of some bytes: the checksum of everything that leaves a node.
pub fn crc32c(bytes: &[u8]) -> u32 {
    CRC32C.checksum(bytes)
}

/// A message on its way from node to node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope<M> {
    /// Who sends it.
    pub from: NodeId,
    /// The sender's incarnation.
    pub incarnation: Incarnation,
    /// What it says.
    pub message: M,
}

/// A frame's header that has passed its own check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    kind: u8,
    len: u32,
    crc32c: u32,
}

impl Header {
    /// The kind byte; [`kind_name`] says which message it is.
    pub const fn kind(&self) -> u8 {
        self.kind
    }

    /// How many bytes of body follow the header; at most [`BODY_MAX`].
    pub const fn body_len(&self) -> usize {
        self.len as usize
    }

    /// Whether `body` is what the sender wrote behind this header.
    pub fn fits(&self, body: &[u8]) -> bool {
        body.len() == self.body_len() && checksum(prefix(self.kind, self.len), body) == self.crc32c
    }
}

/// A message that cannot be framed: a fault of its system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Its body would be too long.
    #[error("a message of {len} bytes is longer than a frame may be ({BODY_MAX})")]
    TooLong {
        /// The length of the body, in bytes.
        len: usize,
    },
    /// Its kind is not listed in the system's vocabulary.
    #[error("the vocabulary lists no message kind {kind}")]
    UnlistedKind {
        /// What the message calls itself.
        kind: &'static str,
    },
    /// postcard cannot write it.
    #[error("a message cannot be serialized")]
    Unwritable,
}

/// Bytes that are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end before the header does.
    #[error("{len} bytes are shorter than a header")]
    NoHeader {
        /// How many there are.
        len: usize,
    },
    /// The header is damaged, or this is no stream of frames.
    #[error("damaged frame header")]
    DamagedHeader,
    /// The sender speaks another version of the format.
    #[error("frame version {version}, expected {VERSION}")]
    ForeignVersion {
        /// The version it speaks.
        version: u8,
    },
    /// The header is intact and announces more than [`BODY_MAX`].
    #[error("frame of {len} bytes is longer than the limit of {BODY_MAX}")]
    TooLong {
        /// The announced length of the body.
        len: usize,
    },
    /// The body is damaged, cut off or followed by something else.
    #[error("damaged frame body")]
    DamagedBody,
    /// The body is what the sender wrote, but it is no message of this system.
    #[error("frame body is no message of this system")]
    ForeignBody,
}

/// The whole frame of one message.
pub fn encode<M: Describe + Serialize>(
    vocabulary: &Vocabulary,
    envelope: &Envelope<M>,
) -> Result<Vec<u8>, EncodeError> {
    let kind = envelope.message.kind();
    let kind = kind_byte(vocabulary, kind).ok_or(EncodeError::UnlistedKind { kind })?;
    let frame = postcard::to_extend(envelope, Vec::from([0; HEADER_LEN]))
        .map_err(|_| EncodeError::Unwritable)?;
    seal(kind, frame)
}

/// Reads a header. The bytes that follow it are [`Header::body_len`] bytes of body, to be checked with
/// [`Header::fits`]; after an error nothing is known about what follows, and the stream is to be closed.
pub fn parse_header(bytes: &[u8; HEADER_LEN]) -> Result<Header, DecodeError> {
    let [magic, version, kind, check, l0, l1, l2, l3, c0, c1, c2, c3] = *bytes;
    let len = u32::from_le_bytes([l0, l1, l2, l3]);
    if magic != MAGIC || check8(version, kind, len) != check {
        return Err(DecodeError::DamagedHeader);
    }
    if version != VERSION {
        return Err(DecodeError::ForeignVersion { version });
    }
    let header = Header { kind, len, crc32c: u32::from_le_bytes([c0, c1, c2, c3]) };
    if header.body_len() > BODY_MAX {
        return Err(DecodeError::TooLong { len: header.body_len() });
    }
    Ok(header)
}

/// Reads a whole frame, header and body. It never panics, and allocates in proportion to the frame at most.
pub fn decode<M: Describe + Serialize + DeserializeOwned>(
    vocabulary: &Vocabulary,
    frame: &[u8],
) -> Result<Envelope<M>, DecodeError> {
    let Some((header, body)) = frame.split_first_chunk::<HEADER_LEN>() else {
        return Err(DecodeError::NoHeader { len: frame.len() });
    };
    decode_body(vocabulary, &parse_header(header)?, body)
}

/// As [`decode`], for a reader that has parsed the header already.
pub fn decode_body<M: Describe + Serialize + DeserializeOwned>(
    vocabulary: &Vocabulary,
    header: &Header,
    body: &[u8],
) -> Result<Envelope<M>, DecodeError> {
    if !header.fits(body) {
        return Err(DecodeError::DamagedBody);
    }
    let envelope: Envelope<M> = canonical::decode(body).ok_or(DecodeError::ForeignBody)?;
    let kind_fits = kind_name(vocabulary, header.kind()) == Some(envelope.message.kind());
    if kind_fits { Ok(envelope) } else { Err(DecodeError::ForeignBody) }
}

/// The kind of message that a kind byte stands for, if the system has so many.
pub fn kind_name(vocabulary: &Vocabulary, byte: u8) -> Option<&'static str> {
    vocabulary.messages.get(usize::from(byte)).map(|kind| kind.name)
}

/// The byte that stands for a kind of message.
pub fn kind_byte(vocabulary: &Vocabulary, name: &str) -> Option<u8> {
    let place = vocabulary.messages.iter().position(|kind| kind.name == name)?;
    u8::try_from(place).ok()
}

/// Fills in the header of a frame whose first [`HEADER_LEN`] bytes were left free, for whatever body follows
/// them: also for one that no message has, which [`encode`] never writes.
pub fn seal(kind: u8, mut frame: Vec<u8>) -> Result<Vec<u8>, EncodeError> {
    let Some((header, body)) = frame.split_first_chunk_mut::<HEADER_LEN>() else {
        return Err(EncodeError::Unwritable);
    };
    let len = match u32::try_from(body.len()) {
        Ok(len) if body.len() <= BODY_MAX => len,
        _ => return Err(EncodeError::TooLong { len: body.len() }),
    };
    let first = prefix(kind, len);
    let [b0, b1, b2, b3, b4, b5, b6, b7] = first;
    let [c0, c1, c2, c3] = checksum(first, body).to_le_bytes();
    *header = [b0, b1, b2, b3, b4, b5, b6, b7, c0, c1, c2, c3];
    Ok(frame)
}

/// The first eight bytes of a header.
fn prefix(kind: u8, len: u32) -> [u8; 8] {
    let [l0, l1, l2, l3] = len.to_le_bytes();
    [MAGIC, VERSION, kind, check8(VERSION, kind, len), l0, l1, l2, l3]
}

fn check8(version: u8, kind: u8, len: u32) -> u8 {
    let [l0, l1, l2, l3] = len.to_le_bytes();
    CRC8.checksum(&[MAGIC, version, kind, l0, l1, l2, l3])
}

fn checksum(prefix: [u8; 8], body: &[u8]) -> u32 {
    let mut digest = CRC32C.digest();
    digest.update(&prefix);
    digest.update(body);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;
    use core::fmt;

    use super::*;
    use crate::vocabulary::MessageKind;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Message {
        Ask { key: u64 },
        Tell { key: u64, values: Vec<u64>, text: String },
        Unlisted,
    }

    impl fmt::Display for Message {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.kind())
        }
    }

    impl Describe for Message {
        fn kind(&self) -> &'static str {
            match self {
                Self::Ask { .. } => "ASK",
                Self::Tell { .. } => "TELL",
                Self::Unlisted => "UNLISTED",
            }
        }

        fn field(&self, _name: &str) -> Option<u64> {
            None
        }
    }

    const fn kind(name: &'static str) -> MessageKind {
        MessageKind { name, what: "", route: "", source: "", fields: &[] }
    }

    const VOCABULARY: Vocabulary = Vocabulary {
        name: "test",
        summary: "",
        nodes: 1,
        workloads: &[],
        warm_up_ms: 0,
        messages: &[kind("ASK"), kind("TELL")],
        observations: &[],
        milestones: &[],
        options: &[],
        mutants: &[],
    };

    fn envelope(message: Message) -> Envelope<Message> {
        Envelope { from: NodeId(2), incarnation: Incarnation(3), message }
    }

    fn tell() -> Envelope<Message> {
        let values = vec![1, 2, 300];
        envelope(Message::Tell { key: 9, values, text: String::from("hello") })
    }

    fn frame(envelope: &Envelope<Message>) -> Vec<u8> {
        encode(&VOCABULARY, envelope).unwrap()
    }

    fn read(frame: &[u8]) -> Result<Envelope<Message>, DecodeError> {
        decode(&VOCABULARY, frame)
    }

    #[test]
    fn a_frame_has_exactly_these_bytes() {
        let ask = frame(&envelope(Message::Ask { key: 300 }));
        assert_eq!(ask, GOLDEN_ASK);
        assert_eq!(frame(&tell()), GOLDEN_TELL);
    }

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value of CRC-32/ISCSI in every catalogue.
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for envelope in [envelope(Message::Ask { key: u64::MAX }), tell()] {
            assert_eq!(read(&frame(&envelope)), Ok(envelope));
        }
    }

    #[test]
    fn the_header_names_kind_and_length() {
        let frame = frame(&tell());
        let (header, body) = frame.split_first_chunk::<HEADER_LEN>().unwrap();
        let header = parse_header(header).unwrap();
        assert_eq!(kind_name(&VOCABULARY, header.kind()), Some("TELL"));
        assert_eq!(header.body_len(), body.len());
        assert!(header.fits(body));
        assert_eq!(kind_name(&VOCABULARY, 2), None);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = frame(&tell());
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_flipped_bit_in_kind_or_length_is_noticed_before_the_body_is_read() {
        let good = frame(&tell());
        let header = *good.first_chunk::<HEADER_LEN>().unwrap();
        for bit in 0..8 * 8 {
            let mut bad = header;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse_header(&bad), Err(DecodeError::DamagedHeader), "bit {bit}");
        }
    }

    #[test]
    fn every_truncation_is_noticed() {
        let good = frame(&tell());
        for len in 0..good.len() {
            assert!(read(&good[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn bytes_after_a_frame_are_noticed() {
        let mut long = frame(&tell());
        long.push(0);
        assert_eq!(read(&long), Err(DecodeError::DamagedBody));
    }

    #[test]
    fn bytes_after_a_message_within_a_frame_are_noticed() {
        let mut body = vec![0; HEADER_LEN];
        body.extend(postcard::to_allocvec(&tell()).unwrap());
        body.push(0);
        let sealed = seal(1, body).unwrap();
        assert_eq!(read(&sealed), Err(DecodeError::ForeignBody));
    }

    #[test]
    fn a_body_in_another_form_is_noticed() {
        // from 2 with a needless zero, incarnation 3, Ask, key 9.
        let mut body = vec![0; HEADER_LEN];
        body.extend([0x82, 0x00, 3, 0, 9]);
        assert_eq!(read(&seal(0, body).unwrap()), Err(DecodeError::ForeignBody));
    }

    #[test]
    fn a_kind_byte_that_contradicts_the_body_is_noticed() {
        let mut body = vec![0; HEADER_LEN];
        body.extend(postcard::to_allocvec(&tell()).unwrap());
        let sealed = seal(0, body).unwrap();
        assert_eq!(read(&sealed), Err(DecodeError::ForeignBody));
    }

    #[test]
    fn an_announced_length_beyond_the_limit_is_refused() {
        let too_long = u32::try_from(BODY_MAX).unwrap() + 1;
        let [b0, b1, b2, b3, b4, b5, b6, b7] = prefix(0, too_long);
        let header = [b0, b1, b2, b3, b4, b5, b6, b7, 0, 0, 0, 0];
        assert_eq!(parse_header(&header), Err(DecodeError::TooLong { len: BODY_MAX + 1 }));
    }

    #[test]
    fn another_version_is_named() {
        let header = [MAGIC, 2, 0, check8(2, 0, 0), 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(parse_header(&header), Err(DecodeError::ForeignVersion { version: 2 }));
    }

    #[test]
    fn a_list_that_claims_to_be_endless_is_refused_without_allocating_for_it() {
        // from 2, incarnation 3, Tell, key 9, then the length 2^63 - 1 and nothing behind it.
        let mut body = vec![0; HEADER_LEN];
        body.extend([2, 3, 1, 9, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]);
        let sealed = seal(1, body).unwrap();
        assert_eq!(read(&sealed), Err(DecodeError::ForeignBody));
    }

    #[test]
    fn a_message_that_is_too_long_is_not_sent() {
        let text = String::from_utf8(vec![b'x'; BODY_MAX]).unwrap();
        let message = Message::Tell { key: 0, values: Vec::new(), text };
        let error = encode(&VOCABULARY, &envelope(message)).unwrap_err();
        assert!(matches!(error, EncodeError::TooLong { .. }));
    }

    #[test]
    fn a_message_that_the_vocabulary_does_not_list_is_not_sent() {
        let error = encode(&VOCABULARY, &envelope(Message::Unlisted)).unwrap_err();
        assert_eq!(error, EncodeError::UnlistedKind { kind: "UNLISTED" });
    }

    const GOLDEN_ASK: &[u8] = &[
        0x51, 0x01, 0x00, 0x2E, 0x05, 0x00, 0x00, 0x00, 0x77, 0x6D, 0xDF, 0xD4, 0x02, 0x03, 0x00,
        0xAC, 0x02,
    ];
    const GOLDEN_TELL: &[u8] = &[
        0x51, 0x01, 0x01, 0xD0, 0x0F, 0x00, 0x00, 0x00, 0xB7, 0x91, 0x4B, 0xAD, 0x02, 0x03, 0x01,
        0x09, 0x03, 0x01, 0x02, 0xAC, 0x02, 0x05, 0x68, 0x65, 0x6C, 0x6C, 0x6F,
    ];
}

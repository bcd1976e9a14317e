//! Frames out of a stream of bytes.

use axum::body::Bytes;
use quorate_systems::wire::{DecodeError, HEADER_LEN, Header, parse_header};

/// Collects what is read from a stream, in whatever pieces it comes, and hands out whole frames.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    unread: Vec<u8>,
}

/// One frame as it stands in the stream, header and body.
#[derive(Debug, PartialEq)]
pub(super) struct Frame {
    /// Which message it carries.
    pub(super) kind: u8,
    /// All its bytes.
    pub(super) bytes: Bytes,
}

impl Splitter {
    /// Where the next piece of the stream is to be appended.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.unread
    }

    /// Takes out every frame that is whole. After an error nothing is known of what follows: the stream is
    /// to be closed.
    pub(super) fn frames(&mut self) -> Result<Vec<Frame>, DecodeError> {
        let mut frames = Vec::new();
        let mut rest = self.unread.as_slice();
        while let Some((header, len)) = whole_frame(rest)? {
            let Some((frame, behind)) = rest.split_at_checked(len) else { break };
            frames.push(Frame { kind: header.kind(), bytes: Bytes::copy_from_slice(frame) });
            rest = behind;
        }
        let used = self.unread.len() - rest.len();
        self.unread.drain(..used);
        Ok(frames)
    }
}

/// The header of the first frame and the frame's length, if its header is there.
fn whole_frame(bytes: &[u8]) -> Result<Option<(Header, usize)>, DecodeError> {
    let Some(header) = bytes.first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let header = parse_header(header)?;
    Ok(Some((header, HEADER_LEN + header.body_len())))
}

/// Changes one byte of a frame's body, or of its checksum where there is no body. A CRC-32 notices every
/// burst of errors up to 32 bits, so that no receiver can take the result for a message; the header stays
/// as it is, so that the loss is this one frame.
pub(super) fn damage(frame: &Bytes, draw: u64) -> Bytes {
    /// The last bytes of a header are its checksum.
    const CHECKSUM_LEN: usize = 4;
    let mut bytes = frame.to_vec();
    let from = if bytes.len() > HEADER_LEN { HEADER_LEN } else { HEADER_LEN - CHECKSUM_LEN };
    if let Some(part) = bytes.get_mut(from..) {
        flip(part, draw);
    }
    bytes.into()
}

/// Changes one byte somewhere in `part`.
fn flip(part: &mut [u8], draw: u64) {
    let [low, mask, ..] = draw.to_le_bytes();
    let place = usize::try_from(draw >> 16).unwrap_or(usize::from(low)).checked_rem(part.len());
    if let Some(byte) = place.and_then(|place| part.get_mut(place)) {
        *byte ^= mask.max(1);
    }
}

#[cfg(test)]
mod tests {
    use quorate_systems::wire::decode;

    use super::*;
    use crate::samples::{VOCABULARY, frame, note_in};

    #[test]
    fn frames_come_out_whole_however_the_stream_is_cut() {
        let sent: Vec<Vec<u8>> = (0..6).map(frame).collect();
        let stream = sent.concat();
        for size in 1..=stream.len() {
            let mut splitter = Splitter::default();
            let mut got = Vec::new();
            for piece in stream.chunks(size) {
                splitter.buffer().extend_from_slice(piece);
                got.extend(splitter.frames().unwrap());
            }
            let bytes: Vec<&[u8]> = got.iter().map(|frame| &frame.bytes[..]).collect();
            assert_eq!(bytes, sent, "in pieces of {size}");
            assert!(splitter.buffer().is_empty());
        }
    }

    #[test]
    fn a_damaged_header_ends_the_stream() {
        let mut splitter = Splitter::default();
        splitter.buffer().extend([0xAB; HEADER_LEN]);
        assert!(splitter.frames().is_err());
    }

    #[test]
    fn no_damage_passes_the_checksum() {
        let frame = Bytes::from(frame(77));
        for n in 0..2_000_u64 {
            let damaged = damage(&frame, n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            assert_ne!(damaged, frame);
            assert_eq!(note_in(&damaged), None, "draw {n}");
            let mut splitter = Splitter::default();
            splitter.buffer().extend_from_slice(&damaged);
            assert_eq!(splitter.frames().unwrap().len(), 1, "its length is still right");
        }
        assert!(decode::<crate::samples::Note>(&VOCABULARY, &frame).is_ok());
    }
}

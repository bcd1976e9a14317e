//! Frames between nodes, of every system.

use std::fmt::Write as _;

use quorate_systems::contract::{Incarnation, NodeId, System};
use quorate_systems::wire::{self, DecodeError, Envelope, HEADER_LEN};
use quorate_systems::{SystemKind, WithSystem, with_system};

use super::pieces::{Piece, piece, pieces};
use super::samples::samples;
use super::{Numbered, every_system};
use crate::{Seed, Target, memory};

/// A frame is read or refused; what is read is written as it was.
///
/// The first byte says what the others are: one frame; the kind and the body of one whose header and checksums are made
/// to fit; or the pieces of a stream, each of which is some bytes, a sealed frame (kind and body) or one whose body
/// was damaged on the way.
pub const TARGET: Target = Target {
    name: "frames",
    about: "Frames between nodes, alone and in streams: read or refused, and written as they were read.",
    body,
    seeds,
    show,
};

/// A message takes up to this many bytes in memory for each of its own: lists of the smallest elements are allocated by
/// the length that they claim, which is checked against the bytes that are there.
const HELD_PER_BYTE: usize = 128;

/// What an input is made of.
#[derive(Debug)]
enum Fed {
    /// The bytes of a frame, or what claims to be one.
    Frame(Vec<u8>),
    /// The parts of a stream, in order.
    Stream(Vec<Part>),
}

/// A part of a stream.
#[derive(Debug)]
enum Part {
    /// Anything.
    Bytes(Vec<u8>),
    /// A whole frame.
    Frame(Vec<u8>),
    /// A whole frame whose body is not what its header says.
    Damaged(Vec<u8>),
}

impl Part {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) | Self::Frame(bytes) | Self::Damaged(bytes) => bytes,
        }
    }
}

fn fed(input: &[u8]) -> Fed {
    match input.split_first() {
        None | Some((0, _)) => Fed::Frame(input.get(1..).unwrap_or_default().to_vec()),
        Some((1, sealed)) => Fed::Frame(frame_of(sealed)),
        Some((_, parts)) => Fed::Stream(pieces(parts).map(part).collect()),
    }
}

fn part(piece: Piece<'_>) -> Part {
    let frame = || frame_of(piece.bytes);
    match piece.tag % 4 {
        0 => Part::Bytes(piece.bytes.to_vec()),
        1 => {
            let mut frame = frame();
            // Of a frame without a body the checksum is damaged.
            if let Some(last) = frame.last_mut() {
                *last ^= 1;
            }
            Part::Damaged(frame)
        }
        _ => Part::Frame(frame()),
    }
}

/// A frame whose kind is the first of these bytes, and its body the others.
fn frame_of(bytes: &[u8]) -> Vec<u8> {
    let (kind, body) = bytes.split_first().unwrap_or((&0, &[]));
    let frame = [&[0; HEADER_LEN], body].concat();
    wire::seal(*kind, frame).expect("an input is no longer than a body may be")
}

fn body(input: &[u8]) {
    let fed = fed(input);
    for kind in SystemKind::ALL {
        with_system(*kind, Feed(&fed));
    }
}

struct Feed<'a>(&'a Fed);

impl WithSystem for Feed<'_> {
    type Out = ();

    fn with<S: System>(self) {
        match self.0 {
            Fed::Frame(frame) => drop(read::<S>(frame)),
            Fed::Stream(parts) => follow::<S>(parts),
        }
    }
}

/// Reads one frame.
fn read<S: System>(frame: &[u8]) -> Result<Envelope<S::Message>, DecodeError> {
    let decode = || wire::decode::<S::Message>(S::vocabulary(), frame);
    let envelope = memory::within(frame.len(), HELD_PER_BYTE, decode)?;
    let again = wire::encode(S::vocabulary(), &envelope).expect("what was read can be written");
    assert_eq!(again, frame, "not as it was read: {envelope:?}");
    Ok(envelope)
}

/// Reads a stream, and compares with what its parts say by themselves, as far as they are frames.
fn follow<S: System>(parts: &[Part]) {
    let stream: Vec<u8> = parts.iter().flat_map(Part::bytes).copied().collect();
    let read_stream = || Reading::<S>::of(&stream);
    let reading = memory::within(stream.len(), HELD_PER_BYTE, read_stream);
    let mut taken = reading.taken.iter();
    for part in parts {
        match part {
            // What follows may be taken for the rest of it.
            Part::Bytes(bytes) if bytes.is_empty() => {}
            Part::Bytes(_) => return,
            Part::Frame(frame) => {
                assert_eq!(taken.next(), Some(&read::<S>(frame).ok()), "a frame is lost");
            }
            Part::Damaged(_) => assert_eq!(taken.next(), Some(&None), "damage is taken in"),
        }
    }
    assert!(taken.next().is_none() && reading.end == stream.len(), "a frame that nobody sent");
}

/// A stream as the node's runtime reads it: a header that makes no sense ends the connection, and a body that makes
/// none costs a frame.
struct Reading<S: System> {
    /// Every frame, with its envelope if it has one.
    taken: Vec<Option<Envelope<S::Message>>>,
    /// Where the last frame ends.
    end: usize,
}

impl<S: System> Reading<S> {
    fn of(stream: &[u8]) -> Self {
        let mut reading = Self { taken: Vec::new(), end: 0 };
        while let Some((taken, len)) = reading.next(stream) {
            reading.taken.push(taken);
            reading.end += len;
        }
        reading
    }

    /// The next frame, and its length.
    fn next(&self, stream: &[u8]) -> Option<(Option<Envelope<S::Message>>, usize)> {
        let (header, rest) = stream.get(self.end..)?.split_first_chunk::<HEADER_LEN>()?;
        let header = wire::parse_header(header).ok()?;
        let body = rest.get(..header.body_len())?;
        let taken = wire::decode_body::<S::Message>(S::vocabulary(), &header, body).ok();
        Some((taken, HEADER_LEN + body.len()))
    }
}

fn seeds() -> Vec<Seed> {
    struct Frames;
    impl WithSystem for Frames {
        type Out = Vec<(String, Vec<u8>)>;

        fn with<S: System>(self) -> Self::Out {
            let frame = |message: &S::Message| {
                let (from, incarnation) = (NodeId(1), Incarnation(3));
                let envelope = Envelope { from, incarnation, message: message.clone() };
                wire::encode(S::vocabulary(), &envelope).expect("cores send what can be sent")
            };
            let frames: Vec<Vec<u8>> = samples::<S>().messages.iter().map(frame).collect();
            let sealed = |frame: &Vec<u8>| {
                let kind = frame.get(2..3).unwrap_or_default();
                [kind, frame.get(HEADER_LEN..).unwrap_or_default()].concat()
            };
            let alone = frames.iter().map(|frame| [&[1], &*sealed(frame)].concat());
            let parts = frames.iter().zip(0_u8..).map(|(frame, tag)| match tag % 4 {
                0 => piece(0, frame),
                tag => piece(tag, &sealed(frame)),
            });
            let parts: Vec<Vec<u8>> = parts.collect();
            let streams = parts.chunks(5).map(|parts| [&[2], &*parts.concat()].concat());
            let whole = frames.iter().take(1).map(|frame| [&[0], &**frame].concat());
            let numbered = Numbered::new(S::KIND.name());
            numbered
                .named("frame", whole)
                .chain(numbered.named("sealed", alone))
                .chain(numbered.named("stream", streams))
                .collect()
        }
    }
    every_system(|kind| with_system(kind, Frames))
}

fn show(input: &[u8]) -> String {
    let fed = fed(input);
    let mut shown = String::new();
    for kind in SystemKind::ALL {
        let _ = writeln!(shown, "{kind}: {}", with_system(*kind, Show(&fed)));
    }
    shown
}

/// Bytes to be shown as frames of one system.
struct Show<'a>(&'a Fed);

impl WithSystem for Show<'_> {
    type Out = String;

    fn with<S: System>(self) -> String {
        let frame = |bytes: &[u8]| match wire::decode::<S::Message>(S::vocabulary(), bytes) {
            Ok(envelope) => format!("{envelope:?}"),
            Err(error) => format!("{error}: {bytes:02x?}"),
        };
        match self.0 {
            Fed::Frame(bytes) => frame(bytes),
            Fed::Stream(parts) => {
                let parts = parts.iter().map(|part| match part {
                    Part::Bytes(bytes) => format!("\n  bytes {bytes:02x?}"),
                    Part::Frame(bytes) | Part::Damaged(bytes) => format!("\n  {}", frame(bytes)),
                });
                format!("a stream{}", parts.collect::<String>())
            }
        }
    }
}

//! What harness and node processes say to each other, as data.
//!
//! A node process is `quorate node --config FILE`. It tells what happens to it on standard output and takes
//! orders on standard input, one JSON object a line each; standard error is its log. The end of standard
//! input means that the harness is gone, and ends the node.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use quorate_systems::SystemKind;
use quorate_systems::contract::{Describe, Keyring, Lie};
use quorate_systems::mutant::Mutants;
use quorate_systems::wire::crc32c;
use quorate_world::inputs::RunId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// All that one node process needs to know; the harness writes it to a file beside the node's data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Which node this is, counted from 0.
    pub node: u16,
    /// How many there are.
    pub nodes: u16,
    /// What it runs.
    pub system: SystemKind,
    /// The system's options.
    pub options: BTreeMap<String, String>,
    /// The planted bug, if any.
    pub mutants: Mutants,
    /// The folder for its log, checkpoint and incarnation; made if absent.
    pub data: PathBuf,
    /// The file that it tells what happens to its core in, for the invariants; absent: nobody wants to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<PathBuf>,
    /// Where it writes the inputs of its core to, to run it again from; absent: nobody will.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<InputsFile>,
    /// Observations of these kinds are told on standard output as well, as they come.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub watched: BTreeSet<String>,
    /// Where it listens for peers' frames; port 0 takes a free one.
    pub peer_listen: SocketAddr,
    /// Where it listens for clients' HTTP; port 0 takes a free one.
    pub client_listen: SocketAddr,
    /// Where it sends frames for each node, by place; its own entry is not used. Under the harness these
    /// are the proxy's ends of the links.
    pub peers: Vec<SocketAddr>,
    /// Its own secret, and everybody's public keys.
    pub keys: Keyring,
    /// Mixed with the incarnation into the core's entropy.
    pub entropy: u64,
    /// The process that started it: the node dies when that process does. Absent: it lives on its own.
    pub parent: Option<u32>,
}

/// The file that a node writes the inputs of its core to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputsFile {
    /// Its name.
    pub path: PathBuf,
    /// The run that it is of.
    pub run: RunId,
}

/// The node refuses to start: its disk holds a damaged record, or what it finds there is not its own.
pub const EXIT_REFUSED_TO_START: i32 = 65;
/// The node ended itself because a write or fsync failed.
pub const EXIT_DISK_FAILED: i32 = 74;
/// The node cannot begin: a port is taken, its folder cannot be written, its config makes no sense.
pub const EXIT_CANNOT_START: i32 = 255;
/// A bug: the core, or what drives it, broke an assertion. What any Rust program exits with then.
pub const EXIT_PANIC: i32 = 101;

/// An order to a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Comes back in the answer.
    pub id: u64,
    /// What to do.
    pub what: Control,
}

/// What a node can be told to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// Nothing but to answer.
    Status,
    /// Let its clock jump by `offset_ms` and go at `rate_ppm` millionths of the right speed from now on.
    /// `offset_ms: 0, rate_ppm: 1000000` puts it right again: the jump is taken back, what its speed won or
    /// lost stays, and it never shows less than it has shown.
    Clock {
        /// Against the right time.
        offset_ms: i64,
        /// 1 000 000 is right.
        rate_ppm: u32,
    },
    /// From now on the disk behaves so.
    Disk(DiskMode),
    /// Whether records reach the operating system at once (a kill does not lose them) or stay in the
    /// node's own memory until they are synced (a kill loses them).
    WriteThrough(bool),
    /// Lie, or stop lying.
    Lie(Option<Lie>),
    /// Finish what is being written, and end with exit code 0.
    Shutdown,
}

/// How a node's storage behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskMode {
    /// As it should.
    Good,
    /// Writes fail: no space left.
    Full,
    /// fsync fails: input/output error.
    IoError,
    /// The next write reaches the disk only in part, cut inside its last record, and the node dies of it.
    Tear,
}

/// What a node says on standard output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// It serves from here on.
    Ready(Ready),
    /// An order was carried out.
    Done {
        /// The order's id.
        id: u64,
        /// How things stand after it.
        status: Status,
    },
    /// Its core told of a transition of a kind that is watched. What the node did in that step is on its way
    /// by then: whoever acts on this comes late by a message.
    Observed {
        /// The observation.
        observation: serde_json::Value,
    },
    /// It ends now, by itself: the exit code follows.
    Ending {
        /// Why, in one line.
        why: String,
    },
}

/// What a node says once it serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// How often it has booted.
    pub incarnation: u64,
    /// Where it really listens for peers.
    pub peer_address: SocketAddr,
    /// Where it really listens for clients.
    pub client_address: SocketAddr,
    /// How many records it found on disk.
    pub records: u64,
    /// How many bytes of a torn tail it cut.
    pub torn_bytes: u64,
}

/// How a node stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// Its own clock, in microseconds.
    pub clock_us: u64,
    /// Inputs that its core took.
    pub inputs: u64,
    /// Inputs that changed nothing, by reason.
    pub ignored: BTreeMap<String, u64>,
    /// Frames and bodies that could not be decoded.
    pub undecodable: u64,
    /// Messages that it changed or withheld because it was told to lie.
    pub lies: u64,
    /// fsyncs of the log so far in this incarnation.
    pub syncs: u64,
    /// Records persisted so far in this incarnation.
    pub records: u64,
    /// Bytes persisted but not yet synced.
    pub unsynced_bytes: u64,
    /// Checkpoints written so far in this incarnation.
    pub checkpoints: u64,
}

/// A message on a client link, both ways: the body of a POST, or one line of a stream.
///
/// The checksum is over the bytes of `body` as they stand: the nemesis corrupts client links too, and a
/// changed digit is still JSON.
///
/// - `POST /clients/{client}/messages` carries one to the node; the answer 202 says only that it arrived.
/// - `GET /clients/{client}/messages` is answered with an endless stream of lines, one for each message
///   that the node sends to this client from then on. A client holds one open to each node; a newer one
///   replaces an older one. What is sent while none is open is lost, as on any link.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientEnvelope {
    /// CRC-32C (Castagnoli) of the bytes of `body`.
    pub crc32c: u32,
    /// The kind of the message, by the paper's name: what a proxy matches on.
    pub kind: String,
    /// The message as JSON.
    pub body: Box<RawValue>,
}

impl ClientEnvelope {
    /// Wraps a message. Panics where it cannot be written as JSON, which is a fault of its system.
    pub fn seal<M: Describe + Serialize>(message: &M) -> Self {
        let body =
            serde_json::value::to_raw_value(message).expect("messages can be written as JSON");
        Self { crc32c: crc32c(body.get().as_bytes()), kind: message.kind().to_owned(), body }
    }

    /// Takes the message out, if it is as it was sealed.
    pub fn open<M: Describe + DeserializeOwned>(&self) -> Result<M, BadEnvelope> {
        if crc32c(self.body.get().as_bytes()) != self.crc32c {
            return Err(BadEnvelope::Damaged);
        }
        let message: M = serde_json::from_str(self.body.get())
            .map_err(|error| BadEnvelope::NoMessage { why: error.to_string() })?;
        if message.kind() != self.kind {
            return Err(BadEnvelope::WrongKind {
                kind: self.kind.clone(),
                found: message.kind().to_owned(),
            });
        }
        Ok(message)
    }

    /// The envelope as one line of JSON, without the line's end.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("an envelope is plain data")
    }
}

/// An envelope whose message is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEnvelope {
    /// The checksum is wrong.
    #[error("the checksum does not fit the body")]
    Damaged,
    /// The body is JSON and no message of the system.
    #[error("the body is no message: {why}")]
    NoMessage {
        /// What is wrong with it.
        why: String,
    },
    /// The envelope says that something else is in it.
    #[error("the envelope says {kind}, and {found} is in it")]
    WrongKind {
        /// What the envelope says.
        kind: String,
        /// What the message is.
        found: String,
    },
}

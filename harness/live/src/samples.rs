//! A system of one kind of message, to test links with.

use std::fmt;

use quorate_systems::contract::{Describe, Incarnation, NodeId};
use quorate_systems::vocabulary::{MessageKind, Vocabulary};
use quorate_systems::wire::{Envelope, decode, encode};
use serde::{Deserialize, Serialize};

/// A message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note(pub(crate) u64);

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Describe for Note {
    fn kind(&self) -> &'static str {
        "NOTE"
    }

    fn field(&self, name: &str) -> Option<u64> {
        (name == "number").then_some(self.0)
    }
}

/// What there is to know of the system.
pub(crate) const VOCABULARY: Vocabulary = Vocabulary {
    name: "notes",
    summary: "",
    nodes: 2,
    workloads: &[],
    warm_up_ms: 0,
    messages: &[MessageKind { name: "NOTE", what: "", route: "", source: "", fields: &["number"] }],
    observations: &[],
    milestones: &[],
    options: &[],
    mutants: &[],
};

/// The frame that carries a note.
pub(crate) fn frame(note: u64) -> Vec<u8> {
    let message = Note(note);
    let envelope = Envelope { from: NodeId(0), incarnation: Incarnation(1), message };
    encode(&VOCABULARY, &envelope).unwrap()
}

/// The note in a frame, if its checksum is right.
pub(crate) fn note_in(frame: &[u8]) -> Option<u64> {
    decode::<Note>(&VOCABULARY, frame).ok().map(|envelope| envelope.message.0)
}

//! Explicit deliveries, wakes and syncs: what remains when nothing is left to chance.

use serde::{Deserialize, Serialize};

use crate::Endpoint;
use crate::moment::MessageMatch;

/// One thing that happens at a given time. An entry that matches nothing is skipped; in a plan with a trace a
/// message that no entry names takes the weather's shortest delay and is not lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceEntry {
    /// When, in microseconds after the first operation; a message that is sent later arrives at once.
    pub at_us: u64,
    /// What.
    #[serde(rename = "do")]
    pub step: TraceStep,
}

/// What a trace entry makes happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TraceStep {
    /// The next message that matches and that no earlier entry has taken is delivered.
    Deliver(MessageMatch),
    /// The next message that matches is lost.
    Lose(MessageMatch),
    /// The timer of a core fires, if it is set then.
    Wake {
        /// Whose.
        who: Endpoint,
        /// Its number.
        timer: u64,
    },
    /// The disk of a node ends the sync that it is busy with, if it is busy with one: what had been written when
    /// that began is durable. A sync that no entry ends takes as long as the weather says.
    Sync {
        /// Which node.
        node: u16,
    },
}

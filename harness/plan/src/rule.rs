//! Rules for single messages.

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::moment::MessageMatch;

/// What becomes of certain messages. Rules are asked in order as a message leaves its sender; the first that
/// applies decides, and nothing else touches the message: neither weather nor faults of links. A node's
/// messages to itself are no messages to a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which messages: with `nth` only that one, else all that match.
    #[serde(default)]
    pub message: MessageMatch,
    /// Not before this has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Moment>,
    /// No more once this has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// What is done.
    pub act: Act,
}

/// What is done to a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// It never arrives.
    Drop,
    /// It arrives after exactly so many milliseconds: 0 for as soon as it can.
    DelayMs(u64),
    /// As [`Act::DelayMs`], in microseconds: where two events are closer together than a millisecond.
    DelayUs(u64),
    /// It arrives as usual, and once more so many milliseconds later.
    DuplicateAfterMs(u64),
    /// Its bytes are changed on the way; a checksum catches that, and it does not arrive.
    Corrupt,
    /// It is held back until this has happened, and arrives then.
    HoldUntil(Moment),
    /// It is held back until everything is healed.
    Hold,
}

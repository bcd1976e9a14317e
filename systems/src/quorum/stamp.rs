//! Who writes, when, and what is stored: timestamps and the pairs that carry them.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::{ClientId, Value};
use crate::parties::Party;

/// When a value was written, in an order that all nodes agree on: compared field by field (Lynch and
/// Shvartsman 1997). The writer, its incarnation and its operation make it unique, also when the writer
/// restarts and forgets what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp {
    /// Counts up along every chain of writes that saw each other.
    pub t: u64,
    /// Who wrote.
    pub writer: Party,
    /// Which life of the writer.
    pub incarnation: u64,
    /// Which of its operations in that life.
    pub op: u64,
}

impl Timestamp {
    /// Of the initial value: below every timestamp of a write.
    pub const ZERO: Self = Self { t: 0, writer: Party::Client(ClientId(0)), incarnation: 0, op: 0 };

    /// No honest writer comes near: a message with a higher `t` is not believed, so that one more can
    /// always be added.
    pub const T_MAX: u64 = 1 << 62;
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.t, self.writer, self.incarnation, self.op)
    }
}

/// A value with its timestamp: what a server stores under a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pair {
    /// When it was written.
    pub ts: Timestamp,
    /// What; nothing in the initial pair only.
    pub value: Option<Value>,
    /// Where the cluster signs its data; apart, since most clusters do not and pairs travel often.
    pub proof: Option<Box<Proof>>,
}

impl Pair {
    /// What a key holds before the first write.
    pub const INITIAL: Self = Self { ts: Timestamp::ZERO, value: None, proof: None };
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Some(value) => write!(f, "{} @{}", value.0, self.ts),
            None => write!(f, "nil @{}", self.ts),
        }
    }
}

/// That a client of the cluster wrote a pair under a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Proof {
    /// Who signed.
    pub signer: ClientId,
    /// Its Ed25519 signature, 64 bytes if it is one.
    pub signature: Vec<u8>,
}

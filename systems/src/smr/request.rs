//! What clients ask for, with the numbers by which copies are known.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::{ClientId, Command, Incarnation};

/// Counts a client's requests: higher with each, restarts of the client included.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct RequestNumber {
    /// Which life of the client.
    pub incarnation: Incarnation,
    /// Which of its operations in that life, counted from 1.
    pub seq: u64,
}

impl fmt::Display for RequestNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.incarnation.0, self.seq)
    }
}

/// One operation of one client, as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// Whose.
    pub client: ClientId,
    /// Which of that client's.
    pub number: RequestNumber,
    /// What it asks for.
    pub command: Command,
}

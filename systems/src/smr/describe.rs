//! What requests and hashes show of themselves to rules, to the weather and to people.

use core::fmt;

use super::digest::mix;
use super::request::{Request, RequestNumber};
use crate::contract::Command;

/// The number in the field `name` of a request.
pub(crate) fn request_field(request: &Request, name: &str) -> Option<u64> {
    match name {
        "client" => Some(u64::from(request.client.0)),
        "seq" => Some(request.number.seq),
        _ => command_field(&request.command, name),
    }
}

/// The number in the field `name` of a command.
pub(crate) fn command_field(command: &Command, name: &str) -> Option<u64> {
    match name {
        "key" => command.key().map(|key| key.0),
        "value" => command.value().map(|value| value.0),
        _ => None,
    }
}

/// The identity of a message of this kind that is about a request.
pub(crate) fn request_identity(kind: u64, number: RequestNumber) -> u64 {
    mix(mix(kind, number.incarnation.0), number.seq)
}

/// The first half of a hash: enough for people to tell a few of them apart.
pub(crate) struct Short(pub(crate) u64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0 >> 32)
    }
}

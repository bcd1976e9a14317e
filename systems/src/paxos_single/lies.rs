//! How an acceptor lies. No promise of Paxos survives it: its quorums meet in one node.

use super::message::{Accepted, Message};
use crate::contract::{FORGED_VALUES, Value};
use crate::lies::Twist;

/// What a liar says in place of `message`. It lies about what it has accepted, and to everybody who asks.
pub(super) fn twist(what: Twist, message: &Message, draw: u64) -> Message {
    let Message::PrepareOk { key, n, accepted } = *message else { return message.clone() };
    let accepted = match what {
        Twist::Value => {
            let value = Value(FORGED_VALUES + draw % FORGED_VALUES);
            Some(Accepted { n: accepted.map_or(n, |accepted| accepted.n), value })
        }
        // As if it had accepted nothing.
        Twist::Timestamp => None,
    };
    Message::PrepareOk { key, n, accepted }
}

//! How an acceptor lies. No promise of Paxos survives it: its quorums meet in one node.

use super::message::{Accepted, Message};
use crate::contract::{FORGED_VALUES, Lie, Value};

/// What a liar says in place of `message`. It lies about what it has accepted, and to everybody who asks.
pub(super) fn lie(behaviour: Lie, message: &Message, draw: u64) -> Option<Message> {
    let Message::PrepareOk { key, n, accepted } = *message else {
        return (behaviour != Lie::Silent).then(|| message.clone());
    };
    let accepted = match behaviour {
        Lie::Silent => return None,
        Lie::WrongValue => {
            let value = Value(FORGED_VALUES + draw % FORGED_VALUES);
            Some(Accepted { n: accepted.map_or(n, |accepted| accepted.n), value })
        }
        // As if it had accepted nothing.
        Lie::WrongTimestamp => None,
        // Made of the others, by who knows whom the message goes to.
        Lie::Equivocate | Lie::Replay | Lie::LieToClients | Lie::Twins => accepted,
    };
    Some(Message::PrepareOk { key, n, accepted })
}

//! Clients that ask again: they do not reach the leader, though the node that they ask does.

use alloc::collections::BTreeMap;

use super::request::RequestNumber;
use crate::contract::ClientId;

/// The last request of each client that asked, until it is executed.
#[derive(Debug, Default)]
pub(crate) struct Relay(BTreeMap<ClientId, Asked>);

#[derive(Clone, Copy, Debug)]
struct Asked {
    number: RequestNumber,
    /// Whether the leader was asked for it, so that the client waits for an answer from here.
    is_relayed: bool,
}

/// So many clients are remembered. Whoever is forgotten is sent to the leader once more.
const CLIENTS_MAX: usize = 1_024;

impl Relay {
    /// Whether a client asks again: the same as before, or something else in place of what it has given up.
    pub(crate) fn ask(&mut self, client: ClientId, number: RequestNumber) -> bool {
        if let Some(asked) = self.0.get_mut(&client) {
            *asked = Asked { number, is_relayed: true };
            return true;
        }
        if self.0.len() >= CLIENTS_MAX {
            self.0.pop_first();
        }
        self.0.insert(client, Asked { number, is_relayed: false });
        false
    }

    /// A request was executed: whether its client waits for an answer from here.
    pub(crate) fn executed(&mut self, client: ClientId, number: RequestNumber) -> bool {
        let Some(asked) = self.0.get(&client).copied() else { return false };
        if asked.number > number {
            return false;
        }
        self.0.remove(&client);
        asked.is_relayed && asked.number == number
    }
}

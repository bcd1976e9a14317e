//! The keys of simulated clusters: made once, and handed out again. Which keys they are decides nothing.

use quorate_systems::contract::{ClientId, Keyring, NodeId};
use quorate_systems::keys::ClusterKeys;

/// The keys of the present run, where it needs any.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    nodes: u16,
    clients: u32,
    is_needed: bool,
    made: Option<ClusterKeys>,
}

impl Keys {
    /// Sees to it that there are keys for such a cluster, if it signs anything.
    pub(crate) fn provide(&mut self, is_needed: bool, nodes: u16, clients: u32) {
        self.is_needed = is_needed;
        let fits = self.made.is_some() && (self.nodes, self.clients) == (nodes, clients);
        if is_needed && !fits {
            self.made = Some(ClusterKeys::simulated(nodes, clients));
            (self.nodes, self.clients) = (nodes, clients);
        }
    }

    pub(crate) fn of_node(&self, node: NodeId) -> Keyring {
        self.get(|keys| keys.nodes.get(usize::from(node.0)).cloned())
    }

    pub(crate) fn of_client(&self, client: ClientId) -> Keyring {
        self.get(|keys| keys.clients.get(client.0 as usize).cloned())
    }

    fn get(&self, pick: impl FnOnce(&ClusterKeys) -> Option<Keyring>) -> Keyring {
        let made = self.made.as_ref().filter(|_| self.is_needed);
        made.and_then(pick).unwrap_or_default()
    }
}

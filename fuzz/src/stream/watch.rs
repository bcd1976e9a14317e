//! The protocol's own invariants, as far as they speak of one node.

use quorate_systems::contract::NodeId;
use quorate_world::invariants::{Broken, Invariants, Seen, Who};

use super::{Cluster, Streamed};

/// What watches one replica.
pub(super) struct Watch<S: Streamed> {
    me: Who,
    invariants: S::Invariants,
    broken: Vec<Broken>,
}

impl<S: Streamed> Watch<S> {
    pub(super) fn new(cluster: &Cluster<S>) -> Self {
        let invariants = S::Invariants::new(&cluster.config);
        Self { me: Who::Node(NodeId(0)), invariants, broken: Vec::new() }
    }

    /// Nothing has happened yet, to the replica of node `me`.
    pub(super) fn reset(&mut self, cluster: &Cluster<S>, me: NodeId) {
        self.me = Who::Node(me);
        self.invariants.reset(&cluster.config);
        self.broken.clear();
        if S::DO_OTHERS_LIE {
            for other in (0..cluster.nodes).map(NodeId).filter(|other| *other != me) {
                self.see(&Seen::Lies { who: Who::Node(other) });
            }
        }
    }

    /// Something happens.
    ///
    /// # Panics
    /// Where the replica breaks an invariant that speaks of one node. The others take it that all nodes are real,
    /// and what is the doing of another node was made up.
    pub(super) fn see(&mut self, seen: &Seen<'_, S>) {
        self.invariants.see(seen, &mut self.broken);
        if self.broken.is_empty() {
            return;
        }
        for broken in self.broken.drain(..) {
            let is_own = broken.by.iter().all(|who| *who == self.me);
            let is_local = is_own && S::LOCAL.contains(&broken.invariant);
            assert!(!is_local, "{}: {}", broken.invariant, broken.what);
        }
    }
}

//! The protocol's own invariants, as far as they speak of one node.

use quorate_world::invariants::{Broken, Invariants, Seen};

use super::{Cluster, Streamed};

/// What watches one replica.
pub(super) struct Watch<S: Streamed> {
    invariants: S::Invariants,
    broken: Vec<Broken>,
}

impl<S: Streamed> Watch<S> {
    pub(super) fn new(cluster: &Cluster<S>) -> Self {
        Self { invariants: S::Invariants::new(&cluster.config), broken: Vec::new() }
    }

    /// Nothing has happened yet.
    pub(super) fn reset(&mut self, cluster: &Cluster<S>) {
        self.invariants.reset(&cluster.config);
        self.broken.clear();
    }

    /// Something happens.
    ///
    /// # Panics
    /// Where it breaks an invariant that speaks of one node. The others take it that all nodes are real.
    pub(super) fn see(&mut self, seen: &Seen<'_, S>) {
        self.invariants.see(seen, &mut self.broken);
        if self.broken.is_empty() {
            return;
        }
        for broken in self.broken.drain(..) {
            let is_local = S::LOCAL.contains(&broken.invariant);
            assert!(!is_local, "{}: {}", broken.invariant, broken.what);
        }
    }
}

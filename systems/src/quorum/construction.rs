//! Quorum constructions: which sets of nodes suffice for what.

use super::nodes::NodeSet;

/// Which sets of nodes are quorums. All three predicates are monotone: a superset of a quorum is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorums {
    nodes: u16,
}

impl Quorums {
    /// More than half of the nodes.
    pub fn majority(nodes: u16) -> Self {
        Self { nodes }
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> u16 {
        self.nodes
    }

    /// Whether what these nodes report includes every completed write.
    pub fn is_read_quorum(&self, set: NodeSet) -> bool {
        2 * set.len() > u32::from(self.nodes)
    }

    /// Whether what these nodes store will be seen by every later read quorum.
    pub fn is_write_quorum(&self, set: NodeSet) -> bool {
        2 * set.len() > u32::from(self.nodes)
    }

    /// Whether a writer that has heard these nodes may choose a timestamp.
    pub fn is_timestamp_quorum(&self, set: NodeSet) -> bool {
        self.is_read_quorum(set)
    }
}

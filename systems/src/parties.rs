//! Who takes part: a node or a client, and sets of nodes.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::{ClientId, NodeId};

/// Whoever runs an operation: a client, or a node for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Party {
    /// A client.
    Client(ClientId),
    /// A node.
    Node(NodeId),
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(client) => write!(f, "{client}"),
            Self::Node(node) => write!(f, "{node}"),
        }
    }
}

/// A set of nodes, one bit each: distinct by construction, so that repeated answers never add up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct NodeSet(u64);

impl NodeSet {
    /// No node.
    pub const EMPTY: Self = Self(0);
    /// Places from here on do not fit.
    pub const CAPACITY: u16 = 64;

    /// All nodes of a cluster of `nodes`.
    pub fn all(nodes: u16) -> Self {
        assert!(nodes <= Self::CAPACITY);
        Self(if nodes == Self::CAPACITY { u64::MAX } else { (1 << nodes) - 1 })
    }

    /// The set whose bit `i` is set for each member `n{i}`.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// One bit for each member, as [`Self::from_bits`] takes them.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Adds a node; false if it was in already or cannot be in any set.
    pub fn insert(&mut self, node: NodeId) -> bool {
        let before = *self;
        if node.0 < Self::CAPACITY {
            self.0 |= 1 << node.0;
        }
        *self != before
    }

    /// Takes a node out.
    pub fn remove(&mut self, node: NodeId) {
        *self = self.without(Self::of(node));
    }

    /// Just this node.
    pub fn of(node: NodeId) -> Self {
        [node].into_iter().collect()
    }

    /// Whether `node` is a member.
    pub fn contains(self, node: NodeId) -> bool {
        node.0 < Self::CAPACITY && self.0 & (1 << node.0) != 0
    }

    /// How many members there are.
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members of either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The members of both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The members of `self` that are not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether every member of `other` is in `self`.
    pub fn includes(self, other: Self) -> bool {
        other.without(self).is_empty()
    }

    /// The members, in order.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let node = u16::try_from(rest.trailing_zeros()).ok().filter(|_| rest != 0)?;
            rest &= rest - 1;
            Some(NodeId(node))
        })
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        let mut set = Self::EMPTY;
        for node in nodes {
            set.insert(node);
        }
        set
    }
}

impl fmt::Display for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (place, node) in self.iter().enumerate() {
            if place > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{node}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

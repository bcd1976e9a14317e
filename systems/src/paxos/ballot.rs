//! Ballots and slots: the two numbers that everything in the protocol is about.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::{Incarnation, NodeId};

/// The number of one attempt to lead, and of all that is proposed in it. Rounds are compared first; node and
/// incarnation make it unique, also where a node restarts and remembers nothing.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Ballot {
    /// Counts attempts, from 1.
    pub round: u64,
    /// Whose attempt it is.
    pub node: NodeId,
    /// Which life of that node makes it.
    pub incarnation: Incarnation,
}

impl Ballot {
    /// Before every attempt: nothing is promised, nothing accepted.
    pub const ZERO: Self = Self { round: 0, node: NodeId(0), incarnation: Incarnation(0) };

    /// A ballot of this life of `node` that is higher than `self`, whoever's that is; where there are no
    /// higher rounds left, it is not.
    #[must_use]
    pub fn next(self, node: NodeId, incarnation: Incarnation) -> Self {
        Self { round: self.round.saturating_add(1), node, incarnation }
    }

    /// Whether it is no attempt at all.
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.round, self.node, self.incarnation.0)
    }
}

/// A place in the replicated log, counted from 1; as an index, how many places there are up to it, so that 0
/// stands before the first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Slot(pub u64);

impl Slot {
    /// Before the first.
    pub const ZERO: Self = Self(0);
    /// No log is longer: whoever speaks of later slots is mistaken.
    pub const LAST: Self = Self(1 << 48);

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The one `count` places after it.
    #[must_use]
    pub fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// How many places it lies after `earlier`; 0 where it does not.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The slots from `self` to `last`, both included.
    pub fn through(self, last: Self) -> impl Iterator<Item = Self> {
        (self.0..=last.0).map(Self)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ballot(round: u64, node: u16, incarnation: u64) -> Ballot {
        Ballot { round, node: NodeId(node), incarnation: Incarnation(incarnation) }
    }

    #[test]
    fn rounds_are_compared_before_nodes_and_nodes_before_incarnations() {
        assert!(ballot(2, 0, 1) > ballot(1, 7, 9));
        assert!(ballot(1, 1, 1) > ballot(1, 0, 9));
        assert!(ballot(1, 0, 2) > ballot(1, 0, 1));
        assert!(ballot(1, 0, 1) > Ballot::ZERO);
    }

    #[test]
    fn the_next_ballot_is_higher_than_anybodys() {
        let theirs = ballot(3, 7, 9);
        assert!(theirs.next(NodeId(0), Incarnation(1)) > theirs);
    }

    #[test]
    fn a_restarted_node_never_makes_a_ballot_again() {
        let (before, after) = (Incarnation(1), Incarnation(2));
        assert_ne!(
            Ballot::ZERO.next(NodeId(0), before),
            Ballot::ZERO.next(NodeId(0), after),
            "even where it has forgotten all"
        );
    }
}

//! Ballots: the numbers of attempts to lead.

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

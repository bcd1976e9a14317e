//! Who leads: while a lease lasts, nobody else does (P-I12).

use quorate_systems::contract::NodeId;
use quorate_systems::paxos::Ballot;

use super::{P_I12, ReplicatedLog, Who, name};
use crate::invariants::Broken;

/// The highest ballots that were elected.
#[derive(Debug, Default)]
pub(super) struct Leaders {
    highest: Ballot,
    /// The highest of another node than the highest's.
    other: Ballot,
    /// The highest in which a lease was taken.
    pub(super) leased: Ballot,
}

impl Leaders {
    pub(super) fn elected(&mut self, ballot: Ballot) {
        if ballot.node == self.highest.node {
            self.highest = self.highest.max(ballot);
        } else if ballot > self.highest {
            self.other = std::mem::replace(&mut self.highest, ballot);
        } else {
            self.other = self.other.max(ballot);
        }
    }

    /// The highest ballot of another node than `node`.
    fn besides(&self, node: NodeId) -> Ballot {
        if self.highest.node == node { self.other } else { self.highest }
    }

    /// The highest ballot.
    pub(super) fn highest(&self) -> Ballot {
        self.highest
    }
}

impl ReplicatedLog {
    /// A leader holds a lease.
    pub(in crate::invariants) fn leased(&mut self, ballot: Ballot) {
        self.leaders.leased = self.leaders.leased.max(ballot);
    }

    /// A leader answers a read from its own state, by the lease of its ballot.
    pub(in crate::invariants) fn read_by_lease(
        &mut self,
        by: NodeId,
        ballot: Ballot,
        broken: &mut Vec<Broken>,
    ) {
        let other = self.leaders.besides(by);
        if other > ballot {
            let (ballot, leads, other) = (name(ballot), other.node, name(other));
            let what = format!(
                "{by} answers a read by its lease of {ballot}, and {leads} leads in {other}"
            );
            broken.push(Broken { invariant: P_I12, by: vec![Who::Node(by)], what });
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_systems::contract::Incarnation;

    use super::*;

    #[test]
    fn the_highest_ballot_of_another_node_is_known() {
        let ballot =
            |round, node| Ballot { round, node: NodeId(node), incarnation: Incarnation(1) };
        let mut leaders = Leaders::default();
        for (round, node, besides) in
            [(1, 0, 0), (2, 1, 2), (3, 1, 3), (5, 0, 3), (4, 2, 4), (6, 2, 6), (7, 2, 7)]
        {
            leaders.elected(ballot(round, node));
            assert_eq!(leaders.besides(NodeId(0)).round, besides, "after {round}");
        }
        assert_eq!(leaders.besides(NodeId(1)).round, 7);
        assert_eq!(leaders.besides(NodeId(2)).round, 5);
    }
}

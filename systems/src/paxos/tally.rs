//! Votes for one ballot.

use crate::contract::NodeId;
use crate::mutant::{Mutant, Mutants};
use crate::parties::NodeSet;

/// Who has voted: a set and not a counter, since messages come twice.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    voters: NodeSet,
    count: u32,
}

impl Tally {
    /// Counts the vote of `node`.
    pub(super) fn add(&mut self, node: NodeId, mutants: Mutants) {
        if self.voters.insert(node) || mutants.deviates(Mutant::P10) {
            self.count += 1;
        }
    }

    /// How many votes there are.
    pub(super) fn count(self) -> u32 {
        self.count
    }

    /// Who has voted.
    pub(super) fn voters(self) -> NodeSet {
        self.voters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vote_that_comes_twice_counts_once() {
        let mut tally = Tally::default();
        tally.add(NodeId(1), Mutants::NONE);
        tally.add(NodeId(1), Mutants::NONE);
        assert_eq!(tally.count(), 1);
        tally.add(NodeId(2), Mutants::NONE);
        assert_eq!((tally.count(), tally.voters().len()), (2, 2));
    }
}

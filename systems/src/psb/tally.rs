//! Votes: who has answered a Prepare, and who has accepted a Proposal.

use super::view::View;
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

/// The Accepts for one slot that count together: those of one view, for one entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepts {
    pub(super) view: View,
    /// The entry's digest.
    pub(super) entry: u64,
    pub(super) tally: Tally,
}

impl Accepts {
    /// None so far.
    pub(super) fn none(view: View, entry: u64) -> Self {
        Self { view, entry, tally: Tally::default() }
    }

    /// Counts the Accept of `node`. One of a later view stands for a new Proposal, with which all before it
    /// are worth nothing; false where it is not about what the others are about.
    pub(super) fn add(&mut self, node: NodeId, view: View, entry: u64, mutants: Mutants) -> bool {
        if view > self.view {
            (self.view, self.entry) = (view, entry);
            if !mutants.deviates(Mutant::P11) {
                self.tally = Tally::default();
            }
        }
        if (view, entry) != (self.view, self.entry) {
            return false;
        }
        self.tally.add(node, mutants);
        true
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

    #[test]
    fn votes_of_two_views_or_entries_are_never_mixed() {
        let mut accepts = Accepts::none(View(1), 7);
        let mut add =
            |node, view, entry| accepts.add(NodeId(node), View(view), entry, Mutants::NONE);
        assert!(add(1, 1, 7));
        assert!(!add(2, 1, 8), "another entry");
        assert!(add(3, 2, 8), "a later view");
        assert!(!add(1, 1, 7), "an earlier view");
        assert_eq!((accepts.view, accepts.entry, accepts.tally.count()), (View(2), 8, 1));
        assert_eq!(accepts.tally.voters(), NodeSet::of(NodeId(3)));
    }
}

//! Who has answered.

use super::options::Config;
use crate::contract::NodeId;
use crate::mutant::Mutant;
use crate::parties::NodeSet;

/// Answers to one question. A set, not a counter: repeated answers must not add up (F-P7).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// From whom.
    pub(super) nodes: NodeSet,
    answers: u32,
}

impl Tally {
    pub(super) fn add(&mut self, node: NodeId) {
        self.nodes.insert(node);
        self.answers += 1;
    }

    /// Takes the answers to another question as answers to this one.
    pub(super) fn add_all(&mut self, other: Self) {
        self.nodes = self.nodes.union(other.nodes);
        self.answers += other.answers;
    }

    /// Whether more than half of the acceptors have answered.
    pub(super) fn is_majority(self, config: &Config) -> bool {
        let is_miscounted = config.mutants.deviates(Mutant::P10);
        config.is_enough(if is_miscounted { self.answers } else { self.nodes.len() })
    }
}

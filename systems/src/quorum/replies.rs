//! The answers to one query.

use alloc::vec::Vec;

use super::stamp::Pair;
use crate::contract::NodeId;
use crate::parties::NodeSet;

/// The first answer of each server, in the order of their places. A handful, so that a list does; its
/// memory goes from one operation to the next.
#[derive(Debug, Default)]
pub(super) struct Replies {
    heard: NodeSet,
    pairs: Vec<(NodeId, Pair)>,
}

impl Replies {
    /// Who has answered.
    pub(super) fn heard(&self) -> NodeSet {
        self.heard
    }

    /// Takes an answer, unless this server has answered before.
    pub(super) fn insert(&mut self, from: NodeId, pair: Pair) {
        if self.heard.insert(from) {
            let place = self.pairs.partition_point(|(node, _)| *node < from);
            self.pairs.insert(place, (from, pair));
        }
    }

    /// Forgets all answers, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.heard = NodeSet::EMPTY;
        self.pairs.clear();
    }

    /// What each has answered.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, &Pair)> {
        self.pairs.iter().map(|(node, pair)| (*node, pair))
    }

    /// The answers alone.
    pub(super) fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.pairs.iter().map(|(_, pair)| pair)
    }
}

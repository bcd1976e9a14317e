//! How far apart the replicas are: the abstract state of a cluster.

use quorate_systems::pbft::{Digest, View};
use quorate_systems::smr::Slot;

use super::PbftInvariants;
use super::nodes::{Node, Standing};

/// So many sequence numbers behind are far.
const FAR: u64 = 16;

impl PbftInvariants {
    /// How far apart the views of the correct replicas are, how many have the highest, and how many take part in none.
    /// How far apart their stable checkpoints are. How many have executed less than others, near and far. After what
    /// the first of them has executed: how far it goes on, in how many ways and views something is pre-prepared
    /// there, whether something is prepared, and whether that is not known to be committed. How much of that is the
    /// NULL request. Whether nodes come up, or have something on its way to the disk, and how many have lied. Each as
    /// none, one, or more.
    pub(super) fn cases(&self) -> u64 {
        let mut number = 0;
        let mut digit = |count: u64, base: u64| number = number * base + count.min(base - 1);
        let count = |is: &dyn Fn(&Node) -> bool| {
            u64::try_from(self.judged().filter(|node| is(node)).count()).unwrap_or(u64::MAX)
        };
        let views = || self.judged().map(|node| node.memory.view);
        let (top, low) = (views().max().unwrap_or_default(), views().min().unwrap_or_default());
        digit(top.0 - low.0, 3);
        digit(count(&|node| node.memory.view == top), 4);
        digit(count(&|node| node.memory.active().is_none()), 4);
        let stable = || self.judged().map(|node| node.memory.stable);
        digit(u64::from(stable().max() != stable().min()), 2);
        let executed = self.judged().map(|node| node.executed).max().unwrap_or_default();
        digit(count(&|node| node.executed < executed), 3);
        digit(count(&|node| executed.since(node.executed) >= FAR), 2);
        let last = self.judged().map(|node| node.memory.log.last()).max().unwrap_or_default();
        digit(last.since(executed), 3);
        let next = Next::of(self.judged(), executed.next());
        digit(next.ways, 3);
        digit(next.views, 3);
        digit(next.prepared, 4);
        digit(next.committed, 3);
        digit(next.null, 2);
        digit(count(&|node| node.standing == Standing::Starting), 2);
        digit(count(&Node::is_syncing), 2);
        digit(u64::from(self.rules.nodes) - u64::from(self.correct.len()), 3);
        number
    }

    /// The nodes that have never lied.
    fn judged(&self) -> impl Iterator<Item = &Node> {
        self.correct.iter().filter_map(|node| self.nodes.get(usize::from(node.0)))
    }
}

/// What is known at replicas of one sequence number.
#[derive(Default)]
struct Next {
    /// How many times the next one has another digest.
    ways: u64,
    /// How many times the next one has it of another view.
    views: u64,
    /// At how many it is prepared.
    prepared: u64,
    /// At how many it is committed.
    committed: u64,
    /// At how many it is the NULL request.
    null: u64,
}

impl Next {
    fn of<'a>(nodes: impl Iterator<Item = &'a Node>, seq: Slot) -> Self {
        let mut next = Self::default();
        let mut before: Option<(View, Digest)> = None;
        for node in nodes {
            let cell = node.memory.log.get(seq);
            next.prepared += u64::from(cell.prepared.is_some());
            next.committed += u64::from(cell.committed.is_some());
            let Some((view, digest)) = cell.accepted else { continue };
            next.null += u64::from(digest == Digest::NULL);
            let known = before.replace((view, digest));
            next.ways += u64::from(known.is_none_or(|(_, other)| other != digest));
            next.views += u64::from(known.is_none_or(|(other, _)| other != view));
        }
        next
    }
}

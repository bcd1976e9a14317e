//! How far apart the nodes are: the abstract state of a cluster.

use quorate_systems::smr::Slot;

use super::ReplicatedLog;
use super::nodes::{Node, Standing};

/// Looked at are so many slots after the last one that is executed.
const AHEAD_MAX: u64 = 4;

/// So many slots behind are far.
const FAR: u64 = 32;

impl ReplicatedLog {
    /// How many acceptors are at the highest promise, and whether its candidate leads and holds a lease. Of the
    /// slots after the last that anybody executed: how many nodes have accepted in the first, and how many
    /// entries; whether there are later ones, and a hole before them. How many replicas are behind, near and far,
    /// and beyond whose snapshot others have gone. Whether nodes come up, and have something on its way to the
    /// disk. Each as none, one, or more.
    pub(in crate::invariants) fn progress(&self) -> u64 {
        let mut number = 0;
        let mut digit = |count: usize, base: u64| {
            number = number * base + u64::try_from(count).unwrap_or(u64::MAX).min(base - 1);
        };
        let count = |is: &dyn Fn(&Node) -> bool| self.nodes.iter().filter(|node| is(node)).count();
        let top = self.nodes.iter().map(|node| node.durable.promised).max().unwrap_or_default();
        digit(count(&|node| node.durable.promised == top), 4);
        let is_led = self.leaders.highest() == top;
        digit(usize::from(is_led) + usize::from(is_led && self.leaders.leased == top), 3);
        let applied = self.nodes.iter().map(|node| node.applied).max().unwrap_or_default();
        let (accepted, entries) = self.first_open(applied);
        digit(accepted, 4);
        digit(entries, 3);
        let later = applied.plus(2).through(applied.plus(AHEAD_MAX));
        let is_later = later.filter(|slot| self.is_accepted(*slot)).count();
        digit(is_later, 2);
        digit(count(&|node| node.applied < applied), 3);
        digit(count(&|node| applied.since(node.applied) >= FAR), 2);
        let snapshot = self.nodes.iter().map(|node| node.durable.snapshot).max();
        digit(count(&|node| Some(node.applied) < snapshot), 3);
        digit(count(&|node| node.standing == Standing::Recovering), 2);
        digit(count(&Node::is_syncing), 2);
        number
    }

    /// How many nodes have accepted something in the slot after `applied`, and how many different entries.
    fn first_open(&self, applied: Slot) -> (usize, usize) {
        let Some(holders) = self.places.holders(applied.next()) else { return (0, 0) };
        let (mut accepted, mut known, mut entries) = (0, None, 0);
        for held in holders.filter(|held| !held.durable.ballot.is_zero()) {
            accepted += 1;
            if known != Some(held.durable.entry) {
                entries += 1;
                known = Some(held.durable.entry);
            }
        }
        (accepted, entries)
    }

    fn is_accepted(&self, slot: Slot) -> bool {
        let holders = self.places.holders(slot);
        holders.is_some_and(|mut holders| holders.any(|held| !held.durable.ballot.is_zero()))
    }
}

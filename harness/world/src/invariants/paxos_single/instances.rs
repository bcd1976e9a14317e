//! What is remembered of each instance.

use std::collections::BTreeMap;

use quorate_systems::contract::{Key, NodeId, Value};
use quorate_systems::paxos_single::{Accepted, Ballot};

use super::Who;
use super::nodes::Deed;

/// What is remembered of the instances in use: at most [`INSTANCES_MAX`] of them. Keys are numbered as they come
/// into use and left when they are full, so that those forgotten for new ones are those no longer used.
#[derive(Debug)]
pub(super) struct Instances {
    nodes: usize,
    known: BTreeMap<Key, Instance>,
    /// The highest key of which something was forgotten: of it and those below nothing is known for certain that
    /// is not remembered.
    forgotten: Option<Key>,
    /// The one that was used last.
    last: Key,
    /// Counts up with every use.
    clock: u64,
}

const INSTANCES_MAX: usize = 512;

/// One instance.
#[derive(Debug)]
pub(super) struct Instance {
    used_at: u64,
    /// Whether something of it was forgotten. Then acceptors may have more than the images say.
    pub(super) is_partial: bool,
    /// What clients have submitted.
    submitted: Vec<Value>,
    bids: BTreeMap<Ballot, Bid>,
    /// Of numbers up to this one nothing is known that is not remembered.
    floor: Option<Ballot>,
    /// What was decided first, and who said so.
    pub(super) decided: Option<(Accepted, Who)>,
    images: Vec<Image>,
}

/// As many different values and numbers are remembered of one instance.
const VALUES_MAX: usize = 1_024;
const BIDS_MAX: usize = 256;

/// What is known of one number.
#[derive(Clone, Debug, Default)]
pub(super) struct Bid {
    /// Who uses it, and in which life.
    pub(super) user: Option<(Who, u64)>,
    /// Whether another has used it, too: said once, and not again with every message.
    pub(super) is_disputed: bool,
    /// The value that it stands for, and who said so first.
    pub(super) value: Option<(Value, Who)>,
    /// What its proposer has said that it proposes.
    pub(super) proposed: Option<Value>,
    /// Who has promised it, and what each had accepted.
    pub(super) promises: BTreeMap<NodeId, Option<Accepted>>,
}

/// What one acceptor has promised and accepted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Image {
    /// The disk.
    pub(super) durable: Disk,
    /// While the node comes up: what was found so far.
    pub(super) found: Disk,
    /// The highest number that the node has promised to anybody.
    pub(super) told: Option<Ballot>,
}

/// What records on a disk come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Disk {
    /// The highest number promised, or accepted.
    pub(super) np: Option<Ballot>,
    /// What was accepted last.
    pub(super) accepted: Option<Accepted>,
    /// The highest number accepted.
    pub(super) na: Option<Ballot>,
}

impl Disk {
    /// One record more.
    pub(super) fn add(&mut self, deed: Deed) {
        match deed {
            Deed::Promised(n) => self.np = self.np.max(Some(n)),
            Deed::Accepted(accepted) => {
                self.np = self.np.max(Some(accepted.n));
                self.na = self.na.max(Some(accepted.n));
                self.accepted = Some(accepted);
            }
        }
    }
}

impl Instances {
    pub(super) const fn new(nodes: u16) -> Self {
        Self {
            nodes: nodes as usize,
            known: BTreeMap::new(),
            forgotten: None,
            last: Key(0),
            clock: 0,
        }
    }

    /// As new, for so many nodes.
    pub(super) fn reset(&mut self, nodes: u16) {
        *self = Self::new(nodes);
    }

    /// What is remembered of `key`; nothing yet if it is new. Whatever else it takes a place from is forgotten.
    pub(super) fn get(&mut self, key: Key) -> &mut Instance {
        if self.known.len() == INSTANCES_MAX && !self.known.contains_key(&key) {
            let oldest = self.known.iter().min_by_key(|(_, instance)| instance.used_at);
            let oldest = *oldest.expect("as many as there may be").0;
            self.known.remove(&oldest);
            self.miss(oldest);
        }
        self.clock += 1;
        self.last = key;
        let is_partial = self.forgotten >= Some(key);
        let nodes = self.nodes;
        let instance = self.known.entry(key).or_insert_with(|| Instance::new(nodes, is_partial));
        instance.used_at = self.clock;
        instance
    }

    /// What is remembered of `key`, if anything is.
    pub(super) fn known(&mut self, key: Key) -> Option<&mut Instance> {
        self.known.get_mut(&key)
    }

    /// There is something about `key` that is not remembered.
    pub(super) fn miss(&mut self, key: Key) {
        self.forgotten = self.forgotten.max(Some(key));
    }

    /// All that are remembered.
    pub(super) fn all(&mut self) -> impl Iterator<Item = (Key, &mut Instance)> {
        self.known.iter_mut().map(|(key, instance)| (*key, instance))
    }

    /// The one that was used last.
    pub(super) fn last(&self) -> Option<&Instance> {
        self.known.get(&self.last)
    }
}

impl Instance {
    fn new(nodes: usize, is_partial: bool) -> Self {
        Self {
            used_at: 0,
            is_partial,
            submitted: Vec::new(),
            bids: BTreeMap::new(),
            floor: None,
            decided: None,
            images: vec![Image::default(); nodes],
        }
    }

    /// What `node` has promised and accepted; none for a node that is not of the cluster.
    pub(super) fn image(&mut self, node: NodeId) -> Option<&mut Image> {
        self.images.get_mut(usize::from(node.0))
    }

    /// What each node has, in the order of the nodes.
    pub(super) fn images(&self) -> &[Image] {
        &self.images
    }

    /// A client submits a value.
    pub(super) fn submit(&mut self, value: Value) {
        if self.submitted.len() == VALUES_MAX {
            self.is_partial = true;
        } else if !self.submitted.contains(&value) {
            self.submitted.push(value);
        }
    }

    /// Whether nobody has submitted this value, for certain.
    pub(super) fn lacks(&self, value: Value) -> bool {
        !self.is_partial && !self.submitted.contains(&value)
    }

    /// What is known of number `n`, if it is not forgotten.
    pub(super) fn bid(&mut self, n: Ballot) -> Option<&mut Bid> {
        if self.floor >= Some(n) {
            return None;
        }
        if self.bids.len() == BIDS_MAX
            && !self.bids.contains_key(&n)
            && let Some((lowest, _)) = self.bids.pop_first()
        {
            self.floor = self.floor.max(Some(lowest));
            if lowest > n {
                self.floor = self.floor.max(Some(n));
                return None;
            }
        }
        Some(self.bids.entry(n).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::ballot;
    use super::*;

    #[test]
    fn the_instance_used_longest_ago_goes_and_comes_back_as_partly_known() {
        let mut instances = Instances::new(1);
        for key in 0..INSTANCES_MAX as u64 {
            assert!(!instances.get(Key(key)).is_partial);
        }
        instances.get(Key(0));
        let new = instances.get(Key(INSTANCES_MAX as u64));
        assert!(!new.is_partial, "a key that was never there is wholly known");
        assert!(instances.known(Key(0)).is_some());
        assert!(instances.known(Key(1)).is_none());
        assert!(instances.get(Key(1)).is_partial);
        instances.reset(1);
        assert!(!instances.get(Key(1)).is_partial);
    }

    #[test]
    fn the_lowest_numbers_are_forgotten_first() {
        let mut instances = Instances::new(1);
        let instance = instances.get(Key(0));
        for round in 1..=BIDS_MAX as u64 {
            instance.bid(ballot(round, 0)).unwrap().proposed = Some(Value(round));
        }
        assert_eq!(instance.bid(ballot(1, 0)).unwrap().proposed, Some(Value(1)));
        assert!(instance.bid(ballot(1_000, 0)).is_some());
        assert!(instance.bid(ballot(1, 0)).is_none());
        assert_eq!(instance.bid(ballot(2, 0)).unwrap().proposed, Some(Value(2)));
    }

    #[test]
    fn where_more_is_submitted_than_can_be_remembered_nothing_is_missed() {
        let mut instances = Instances::new(1);
        let instance = instances.get(Key(0));
        (0..VALUES_MAX as u64).for_each(|value| instance.submit(Value(value)));
        assert!(instance.lacks(Value(5_000)) && !instance.lacks(Value(3)));
        instance.submit(Value(5_000));
        assert!(!instance.lacks(Value(6_000)));
    }
}

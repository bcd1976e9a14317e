//! What is on the disks, key by key.

use quorate_systems::contract::{Key, NodeId};
use quorate_systems::quorum::Timestamp;

use super::pairs::Pairs;

/// What is remembered of the keys in use: at most [`SETS`] · [`WAYS`] of them. Keys are numbered as they come
/// into use and left when they are full, so that those forgotten for new ones are those no longer used.
#[derive(Debug)]
pub(super) struct Keys {
    nodes: usize,
    /// Key `k` is in one of the places from `k % SETS * WAYS`.
    slots: Vec<Slot>,
    /// The place that was used last.
    last: usize,
    /// Counts up with every use of a key.
    clock: u64,
    forgotten: Forgotten,
}

const SETS: u64 = 64;
const WAYS: usize = 8;

/// What is remembered of one key.
#[derive(Debug)]
pub(super) struct Slot {
    /// Which; none if the place is free.
    key: Option<Key>,
    used_at: u64,
    /// Whether something of it was forgotten. Then nodes may hold more than the images say.
    pub(super) is_partial: bool,
    /// Which value has which timestamp.
    pub(super) pairs: Pairs,
    images: Vec<Image>,
}

/// What one node holds under one key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Image {
    /// The highest timestamp on its disk.
    pub(super) durable: Timestamp,
    /// While the node comes up: the highest that was found so far.
    pub(super) found: Timestamp,
    /// The highest that the node has told anybody.
    pub(super) told: Timestamp,
}

impl Image {
    const NOTHING: Self =
        Self { durable: Timestamp::ZERO, found: Timestamp::ZERO, told: Timestamp::ZERO };
}

impl Keys {
    pub(super) fn new(nodes: u16) -> Self {
        let free = || Slot {
            key: None,
            used_at: 0,
            is_partial: false,
            pairs: Pairs::default(),
            images: Vec::new(),
        };
        let slots = (0..SETS).flat_map(|_| (0..WAYS).map(|_| free())).collect();
        let forgotten = Forgotten::default();
        Self { nodes: nodes.into(), slots, last: 0, clock: 0, forgotten }
    }

    /// As new, for so many nodes, with the memory that it has.
    pub(super) fn reset(&mut self, nodes: u16) {
        self.nodes = nodes.into();
        self.clock = 0;
        self.forgotten.clear();
        self.last = 0;
        for slot in &mut self.slots {
            slot.key = None;
        }
    }

    /// What is remembered of `key`; nothing yet if it is new. Whatever else it takes a place from is forgotten.
    pub(super) fn slot(&mut self, key: Key) -> &mut Slot {
        self.clock += 1;
        let place = self.find(key).unwrap_or_else(|| self.take_place(key));
        self.last = place;
        let slot = self.slots.get_mut(place).expect("a place in the table");
        slot.used_at = self.clock;
        slot
    }

    /// What is remembered of `key`, if anything is.
    pub(super) fn known(&mut self, key: Key) -> Option<&mut Slot> {
        let place = self.find(key)?;
        self.slots.get_mut(place)
    }

    /// There is something about `key` that is not remembered.
    pub(super) fn miss(&mut self, key: Key) {
        self.forgotten.add(key);
    }

    /// Every key in use, with its slot.
    pub(super) fn used(&mut self) -> impl Iterator<Item = (Key, &mut Slot)> {
        self.slots.iter_mut().filter_map(|slot| Some((slot.key?, slot)))
    }

    /// The key that was used last.
    pub(super) fn last(&self) -> Option<&Slot> {
        self.slots.get(self.last).filter(|slot| slot.key.is_some())
    }

    fn find(&self, key: Key) -> Option<usize> {
        let first = first_place(key);
        let set = self.slots.get(first..first + WAYS)?;
        set.iter().position(|slot| slot.key == Some(key)).map(|way| first + way)
    }

    /// A free place for `key`, or that of the key whose last use is longest ago.
    fn take_place(&mut self, key: Key) -> usize {
        let first = first_place(key);
        let set = self.slots.get(first..first + WAYS).expect("a set in the table");
        let age = |slot: &Slot| slot.key.map_or(0, |_| slot.used_at);
        let oldest = set.iter().enumerate().min_by_key(|(_, slot)| age(slot));
        let place = first + oldest.expect("a set has places").0;
        let slot = self.slots.get_mut(place).expect("a place in the table");
        if let Some(old) = slot.key.replace(key) {
            self.forgotten.add(old);
        }
        slot.is_partial = self.forgotten.may_hold(key);
        slot.pairs.clear();
        slot.images.clear();
        slot.images.resize(self.nodes, Image::NOTHING);
        place
    }
}

fn first_place(key: Key) -> usize {
    usize::try_from(key.0 % SETS).expect("a small number") * WAYS
}

impl Slot {
    /// What `node` holds; none for a node that is not of the cluster.
    pub(super) fn image(&mut self, node: NodeId) -> Option<&mut Image> {
        self.images.get_mut(usize::from(node.0))
    }

    /// What each node holds, in the order of the nodes.
    pub(super) fn images(&self) -> &[Image] {
        &self.images
    }
}

/// The keys of which something was forgotten, and perhaps some more: a filter after Bloom (1970) with two
/// hashes.
#[derive(Debug, Default)]
struct Forgotten {
    /// Nothing while nothing was forgotten.
    bits: Vec<u64>,
}

/// Some ten thousand keys, until most others seem forgotten too.
const FILTER_BITS: u64 = 1 << 16;

impl Forgotten {
    fn clear(&mut self) {
        self.bits.clear();
    }

    fn add(&mut self, key: Key) {
        if self.bits.is_empty() {
            self.bits.resize(usize::try_from(FILTER_BITS / 64).expect("a small number"), 0);
        }
        for (word, bit) in filter_places(key) {
            *self.bits.get_mut(word).expect("a word of the filter") |= bit;
        }
    }

    fn may_hold(&self, key: Key) -> bool {
        filter_places(key)
            .iter()
            .all(|(word, bit)| self.bits.get(*word).is_some_and(|w| w & bit != 0))
    }
}

/// The two bits of a key: which word, and which of its bits.
fn filter_places(key: Key) -> [(usize, u64); 2] {
    let hash = key.0.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [hash >> 16, hash >> 40].map(|hash| {
        let place = hash % FILTER_BITS;
        (usize::try_from(place / 64).expect("a small number"), 1 << (place % 64))
    })
}

#[cfg(test)]
mod tests {
    use quorate_systems::contract::ClientId;
    use quorate_systems::quorum::Party;

    use super::*;

    const TS: Timestamp =
        Timestamp { t: 1, writer: Party::Client(ClientId(0)), incarnation: 1, op: 1 };

    fn capacity() -> u64 {
        SETS * WAYS as u64
    }

    #[test]
    fn as_many_keys_as_there_are_places_are_remembered() {
        let mut keys = Keys::new(3);
        for key in 0..capacity() {
            keys.slot(Key(key)).image(NodeId(2)).unwrap().durable = TS;
        }
        assert_eq!(keys.used().count() as u64, capacity());
        for key in 0..capacity() {
            let slot = keys.slot(Key(key));
            assert!(!slot.is_partial);
            assert_eq!(slot.images()[2].durable, TS);
        }
    }

    #[test]
    fn the_key_used_longest_ago_goes_and_comes_back_as_partly_known() {
        let mut keys = Keys::new(1);
        for key in 0..capacity() {
            keys.slot(Key(key));
        }
        keys.slot(Key(0));
        let new = keys.slot(Key(capacity()));
        assert!(!new.is_partial, "a key that was never there is wholly known");
        assert!(keys.known(Key(0)).is_some());
        assert!(keys.known(Key(SETS)).is_none(), "the next in the same set");
        assert!(keys.slot(Key(SETS)).is_partial);
    }

    #[test]
    fn few_keys_seem_forgotten_that_are_not() {
        let mut forgotten = Forgotten::default();
        for key in 0..5_000 {
            forgotten.add(Key(key));
        }
        assert!((0..5_000).all(|key| forgotten.may_hold(Key(key))));
        let wrong = (5_000..10_000).filter(|key| forgotten.may_hold(Key(*key))).count();
        assert!(wrong < 250, "{wrong} of 5000");
        forgotten.clear();
        assert!(!forgotten.may_hold(Key(1)));
    }

    #[test]
    fn a_new_run_remembers_nothing_of_the_last() {
        let mut keys = Keys::new(2);
        keys.slot(Key(1)).image(NodeId(1)).unwrap().durable = TS;
        keys.miss(Key(7));
        keys.reset(3);
        assert_eq!(keys.used().count(), 0);
        assert!(!keys.slot(Key(7)).is_partial);
        let images = keys.slot(Key(1)).images();
        assert_eq!(images.len(), 3);
        assert!(images.iter().all(|image| image.durable == Timestamp::ZERO));
    }
}

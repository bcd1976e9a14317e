//! Lists that share what they have in common: one is appended to, and copied, in constant time.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A list of numbers, empty at first.
#[derive(Clone, Default)]
pub struct List {
    last: Option<Arc<Node>>,
}

/// The last element of a list, and all before it.
struct Node {
    before: List,
    value: i64,
    length: usize,
    /// Of all elements up to this one.
    fingerprint: u64,
}

impl List {
    /// What an element takes, with the counts that share it.
    pub(super) const NODE_BYTES: usize = size_of::<Node>() + 16;

    /// The list with one element more.
    pub fn append(&self, value: i64) -> Self {
        let fingerprint = mix(self.fingerprint(), value);
        let node = Node { before: self.clone(), value, length: self.len() + 1, fingerprint };
        Self { last: Some(Arc::new(node)) }
    }

    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.last.as_ref().map_or(0, |node| node.length)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// Equal for equal lists, and hardly ever for others.
    pub(super) fn fingerprint(&self) -> u64 {
        self.last.as_ref().map_or(EMPTY, |node| node.fingerprint)
    }

    /// The fingerprints of what it begins with, by length: from the empty list to all of it.
    pub(super) fn fingerprints(&self) -> Vec<u64> {
        let mut all: Vec<u64> = self.nodes().map(|node| node.fingerprint).collect();
        all.push(EMPTY);
        all.reverse();
        all
    }

    /// Its elements in order.
    pub fn values(&self) -> Vec<i64> {
        let mut values: Vec<i64> = self.nodes().map(|node| node.value).collect();
        values.reverse();
        values
    }

    /// The elements, the last one first.
    fn nodes(&self) -> impl Iterator<Item = &Node> {
        std::iter::successors(self.last.as_deref(), |node| node.before.last.as_deref())
    }
}

impl FromIterator<i64> for List {
    fn from_iter<I: IntoIterator<Item = i64>>(values: I) -> Self {
        values.into_iter().fold(Self::default(), |list, value| list.append(value))
    }
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        if self.len() != other.len() || self.fingerprint() != other.fingerprint() {
            return false;
        }
        let is_same = |(one, two): &(&Node, &Node)| std::ptr::eq(*one, *two);
        let mut pairs = self.nodes().zip(other.nodes()).take_while(|pair| !is_same(pair));
        pairs.all(|(one, two)| one.value == two.value)
    }
}

impl Eq for List {}

impl Hash for List {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.fingerprint());
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values()).finish()
    }
}

impl Drop for List {
    /// One after the other: a long list would use up the stack.
    fn drop(&mut self) {
        let mut last = self.last.take();
        while let Some(node) = last {
            last = Arc::into_inner(node).and_then(|mut node| node.before.last.take());
        }
    }
}

const EMPTY: u64 = 0;

/// The finalizer of `SplitMix64` (Steele, Lea, Flood 2014) over what was before and the value.
const fn mix(before: u64, value: i64) -> u64 {
    let mut mixed =
        (before.rotate_left(23) ^ value.cast_unsigned()).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lists_are_equal_if_their_elements_are(
            one in prop::collection::vec(0..3_i64, 0..6),
            two in prop::collection::vec(0..3_i64, 0..6),
        ) {
            let lists = [&one, &two].map(|values| values.iter().copied().collect::<List>());
            prop_assert_eq!(lists[0] == lists[1], one == two);
            prop_assert_eq!(lists[0].values(), one.clone());
            let fingerprints = lists[0].fingerprints();
            prop_assert_eq!(fingerprints.len(), one.len() + 1);
            for (length, fingerprint) in fingerprints.iter().enumerate() {
                let prefix: List = one.iter().copied().take(length).collect();
                prop_assert_eq!(prefix.fingerprint(), *fingerprint);
            }
        }
    }

    #[test]
    fn a_long_list_is_dropped() {
        let list: List = (0..1_000_000).collect();
        let copy = list.clone();
        drop(list);
        assert_eq!(copy.len(), 1_000_000);
    }
}

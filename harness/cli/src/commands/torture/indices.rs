//! Sets of run numbers: a night has millions of runs, and nearly all that are done stand in a row.

use serde::{Deserialize, Serialize};

/// A set of numbers, as ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Indices {
    /// First and last of each range, in order, none touching the next.
    ranges: Vec<(u64, u64)>,
}

impl Indices {
    /// Takes a number in; whether it was not there before.
    pub(super) fn insert(&mut self, index: u64) -> bool {
        let place = self.ranges.partition_point(|(first, _)| *first <= index);
        let before = place.checked_sub(1).and_then(|at| self.ranges.get(at)).copied();
        if before.is_some_and(|(_, last)| index <= last) {
            return false;
        }
        let joins_before = before.is_some_and(|(_, last)| last + 1 == index);
        let next = self.ranges.get(place).copied();
        let joins_next = next.is_some_and(|(first, _)| index + 1 == first);
        let first = if joins_before { before.map_or(index, |(first, _)| first) } else { index };
        let last = if joins_next { next.map_or(index, |(_, last)| last) } else { index };
        let from = if joins_before { place - 1 } else { place };
        let to = if joins_next { place + 1 } else { place };
        self.ranges.splice(from..to, [(first, last)]);
        true
    }

    /// Whether a number is in it.
    pub(super) fn contains(&self, index: u64) -> bool {
        let place = self.ranges.partition_point(|(first, _)| *first <= index);
        let before = place.checked_sub(1).and_then(|at| self.ranges.get(at));
        before.is_some_and(|(_, last)| index <= *last)
    }

    /// The first number that is in both.
    pub(super) fn first_common(&self, other: &Self) -> Option<u64> {
        let overlap = |(first, last): &(u64, u64)| {
            other.ranges.iter().find_map(|(from, to)| {
                let common = (*first).max(*from);
                (common <= (*last).min(*to)).then_some(common)
            })
        };
        self.ranges.iter().find_map(overlap)
    }

    /// Takes in all numbers of another set.
    pub(super) fn extend(&mut self, other: &Self) {
        self.ranges.extend_from_slice(&other.ranges);
        self.ranges.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(self.ranges.len());
        for (first, last) in self.ranges.drain(..) {
            match merged.last_mut() {
                Some((_, end)) if first <= *end + 1 => *end = (*end).max(last),
                _ => merged.push((first, last)),
            }
        }
        self.ranges = merged;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn set(numbers: &[u64]) -> Indices {
        let mut set = Indices::default();
        for number in numbers {
            set.insert(*number);
        }
        set
    }

    #[test]
    fn it_is_a_set_and_numbers_in_a_row_are_one_range() {
        let numbers = [5, 3, 4, 9, 1, 4, 0, 8, 2, 20, 9];
        let mut indices = Indices::default();
        let mut known = BTreeSet::new();
        for number in numbers {
            assert_eq!(indices.insert(number), known.insert(number), "{number}");
        }
        assert_eq!(indices.ranges, [(0, 5), (8, 9), (20, 20)]);
        assert!((0..30).all(|number| indices.contains(number) == known.contains(&number)));
    }

    #[test]
    fn sets_are_put_together_and_compared() {
        let (even, odd) = (set(&[0, 2, 4, 6]), set(&[1, 3, 5]));
        assert_eq!(even.first_common(&odd), None);
        let mut all = even.clone();
        all.extend(&odd);
        assert_eq!(all.ranges, [(0, 6)]);
        assert_eq!(all.first_common(&set(&[9, 5])), Some(5));
        assert_eq!(set(&[]).first_common(&all), None);
    }
}

//! Numbers instead of values: which of them are equal is all that most questions ask.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// Numbers things in the order in which they are first asked for, from 0 on. Integers that lie close together, as those do
/// that a counter has given out, are looked up without hashing.
#[derive(Debug)]
pub(super) struct Numbering<T> {
    least: i64,
    /// By integer, from `least` on.
    near: Vec<u32>,
    far: FxHashMap<i64, u32>,
    others: FxHashMap<T, u32>,
    count: u32,
}

/// What is numbered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Named<T> {
    Integer(i64),
    Other(T),
}

impl<T: Eq + Hash> Numbering<T> {
    /// Nothing has a number. It will be asked for these integers, among others.
    pub(super) fn of(integers: impl Iterator<Item = i64>) -> Self {
        let (mut least, mut greatest, mut count) = (i64::MAX, i64::MIN, 0_usize);
        for integer in integers {
            (least, greatest) = (least.min(integer), greatest.max(integer));
            count += 1;
        }
        let distance = usize::try_from(i128::from(greatest) - i128::from(least)).ok();
        let near =
            distance.map_or(0, |distance| distance.saturating_add(1)).min(count * SPREAD_MAX);
        Self {
            least,
            near: vec![NONE; near],
            far: FxHashMap::default(),
            others: FxHashMap::default(),
            count: 0,
        }
    }

    /// The number of this; the next one if it has none yet.
    pub(super) fn number(&mut self, named: Named<T>) -> u32 {
        let fresh = self.count;
        let number = match named {
            Named::Integer(integer) => match self.slot(integer) {
                Some(slot) if *slot == NONE => {
                    *slot = fresh;
                    fresh
                }
                Some(slot) => *slot,
                None => *self.far.entry(integer).or_insert(fresh),
            },
            Named::Other(other) => *self.others.entry(other).or_insert(fresh),
        };
        if number == fresh {
            self.count = fresh
                .checked_add(1)
                .filter(|count| *count != NONE)
                .expect("fewer than 2^32 values");
        }
        number
    }

    /// How many have a number.
    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    fn slot(&mut self, integer: i64) -> Option<&mut u32> {
        let place =
            integer.checked_sub(self.least).and_then(|place| usize::try_from(place).ok())?;
        self.near.get_mut(place)
    }
}

/// Has no number yet.
const NONE: u32 = u32::MAX;

/// So many times as many places as there are integers are taken to spare hashing.
const SPREAD_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Dice;

    #[test]
    fn equal_things_have_equal_numbers_and_no_others_have() {
        let mut dice = Dice::new(1);
        for round in 0..200_i64 {
            let wide = [0, 5, 100, i64::MAX][usize::try_from(round % 4).unwrap()];
            let mut draw = || match dice.below(10) {
                0 => i64::MIN + dice.below(3).cast_signed(),
                1 => i64::MAX - dice.below(3).cast_signed(),
                _ => wide.wrapping_mul(dice.below(50).cast_signed()).wrapping_sub(round),
            };
            let integers: Vec<i64> = (0..60).map(|_| draw()).collect();
            let mut numbering = Numbering::of(integers.iter().copied());
            let mut known: FxHashMap<(bool, i64), u32> = FxHashMap::default();
            for integer in integers.iter().chain(&[7, -7]) {
                for is_other in [false, true] {
                    let named =
                        if is_other { Named::Other(*integer) } else { Named::Integer(*integer) };
                    let number = numbering.number(named);
                    let next = u32::try_from(known.len()).unwrap();
                    assert_eq!(*known.entry((is_other, *integer)).or_insert(next), number);
                }
            }
            assert_eq!(numbering.count(), known.len());
        }
    }
}

//! The parts of an input, each of a fixed width, so that what a mutation changes stays local.
//!
//! ```text
//! | head: 8 bytes | dice: 24 bytes | record: 8 bytes | record: 8 bytes | ...
//! ```
//! An input that is too short goes on with zeros; what is behind the last record that is taken counts for nothing.

use arbitrary::{Arbitrary, Unstructured};
use quorate_world::weather;

/// What the run is like as a whole: one byte or two for each thing, whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Arbitrary)]
pub(super) struct Head {
    /// What everything is drawn from that is written nowhere else.
    pub(super) seed: u16,
    /// How long messages take: the kind, the scale.
    pub(super) delay: u8,
    /// The ranks of delays, and how often they change.
    pub(super) ranks: u8,
    /// Loss, copies, disks.
    pub(super) rough: u8,
    /// Clients, keys, operations, and which of the workloads that there are.
    pub(super) load: u8,
    /// Whether there is a core, and when clients lose patience.
    pub(super) end: u8,
    /// How many of the operations read, and what the others write.
    pub(super) reads: u8,
}

impl Head {
    /// How many bytes it takes.
    pub(super) const LEN: usize = 8;

    #[cfg(test)]
    pub(super) fn to_bytes(self) -> [u8; Self::LEN] {
        bytes_of(self)
    }
}

/// The bytes that a head is read from.
pub(super) fn bytes_of(head: Head) -> [u8; Head::LEN] {
    let Head { seed, delay, ranks, rough, load, end, reads } = head;
    let [low, high] = seed.to_le_bytes();
    [low, high, delay, ranks, rough, load, end, reads]
}

/// How many bytes the dice of the cluster take.
pub(super) const DICE_LEN: usize = 24;

/// One thing that is done in the run, or to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Record(pub(super) [u8; Record::LEN]);

impl Record {
    /// How many bytes it takes.
    pub(super) const LEN: usize = 8;

    /// Says what sort of thing it is.
    pub(super) const fn sort(self) -> u8 {
        let Self([first, ..]) = self;
        first & 15
    }

    /// Says what else there is to say of the sort.
    pub(super) const fn choice(self) -> u8 {
        let Self([first, ..]) = self;
        first >> 4
    }
}

/// No more records than this are taken: a run is to be small.
pub(super) const RECORDS_MAX: usize = 20;

/// No input needs to be longer: `-max_len`.
#[cfg(test)]
pub(super) const LEN_MAX: usize = Head::LEN + DICE_LEN + RECORDS_MAX * Record::LEN;

/// The parts of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) head: Head,
    pub(super) dice: Vec<u8>,
    pub(super) records: Vec<Record>,
}

impl Parts {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let (head, rest) = bytes.split_at_checked(Head::LEN).unwrap_or((bytes, &[]));
        let (dice, rest) = rest.split_at_checked(DICE_LEN).unwrap_or((rest, &[]));
        let head = Unstructured::new(head).arbitrary().unwrap_or_default();
        let whole = rest.chunks(Record::LEN).take(RECORDS_MAX);
        let records = whole.map(|chunk| {
            let mut bytes = [0; Record::LEN];
            bytes.iter_mut().zip(chunk).for_each(|(byte, given)| *byte = *given);
            Record(bytes)
        });
        Self { head, dice: dice.to_vec(), records: records.collect() }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = bytes_of(self.head).to_vec();
        bytes.extend(&self.dice);
        bytes.resize(Head::LEN + DICE_LEN, 0);
        bytes.extend(self.records.iter().flat_map(|record| record.0));
        bytes
    }
}

/// Dice whose throws are these bytes, one after the other; once there are none left, what they are drawn into.
pub(super) fn dice(bytes: &[u8]) -> impl FnMut(u64) -> u64 {
    let mut given = bytes.iter();
    let key: Vec<u64> = bytes.iter().map(|byte| u64::from(*byte)).collect();
    let mut count = 0;
    move |bound| {
        let mut drawn = || {
            count += 1;
            weather::draw(count, "dice", &key)
        };
        let thrown = given.next().map_or_else(&mut drawn, |byte| u64::from(*byte));
        thrown % bound.max(1)
    }
}

/// A time, in milliseconds: short ones finely, long ones coarsely, up to two seconds.
pub(super) fn time_ms(byte: u8) -> u64 {
    u64::from(byte & 15) << (byte >> 5)
}

/// One of these.
pub(super) fn one_of<T: Copy>(choices: &[T], byte: u8) -> Option<T> {
    let place = usize::from(byte) % choices.len().max(1);
    choices.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_from_its_bytes() {
        let head = Head { seed: 0x1234, delay: 1, ranks: 2, rough: 3, load: 4, end: 5, reads: 6 };
        assert_eq!(head.to_bytes(), [0x34, 0x12, 1, 2, 3, 4, 5, 6]);
        let parts = Parts { head, dice: vec![7; DICE_LEN], records: vec![Record([8; 8])] };
        assert_eq!(Parts::of(&parts.to_bytes()), parts);
    }

    #[test]
    fn what_is_missing_is_zero_and_what_is_too_much_is_left_out() {
        assert_eq!(Parts::of(&[]).head, Head::default());
        assert_eq!(Parts::of(&[1]).head, Head { seed: 1, ..Head::default() });
        let long = vec![9; LEN_MAX + 100];
        assert_eq!(Parts::of(&long).records.len(), RECORDS_MAX);
        let cut = Parts::of(&long[..Head::LEN + DICE_LEN + 3]);
        assert_eq!(cut.records, [Record([9, 9, 9, 0, 0, 0, 0, 0])]);
    }

    #[test]
    fn dice_throw_their_bytes_first() {
        let mut thrown = dice(&[5, 200]);
        assert_eq!((thrown(4), thrown(100)), (1, 0));
        let rest: Vec<u64> = (0..20).map(|_| thrown(6)).collect();
        assert!(rest.iter().any(|throw| *throw != rest[0]), "{rest:?}");
    }

    #[test]
    fn times_are_short_or_long() {
        assert_eq!([0, 1, 15, 0x2F, 0xFF].map(time_ms), [0, 1, 15, 30, 1920]);
    }
}

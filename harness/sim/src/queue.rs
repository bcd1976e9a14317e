//! What happens next: events by virtual time, and by the order of their making where times are equal.
//!
//! There are two queues. The timer wheel is the one that runs use; the heap is the obvious one, and the proof
//! that the other makes no difference: a run gives the same digest with either (`quorate doctor`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::event::Event;

/// Which queue a run uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum QueueKind {
    /// Slots of time, each sorted when it comes: constant time for what lies near.
    #[default]
    Wheel,
    /// A binary heap.
    Heap,
}

/// An event with its place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// When, in microseconds of virtual time.
    pub(crate) at: u64,
    /// How many were made before it.
    order: u64,
    /// What.
    pub(crate) event: Event,
}

/// The queue of one run.
#[derive(Debug)]
pub(crate) struct Queue {
    made: u64,
    store: Store,
}

#[derive(Debug)]
enum Store {
    Wheel(Box<Wheel>),
    Heap(BinaryHeap<Reverse<Entry>>),
}

impl Queue {
    pub(crate) fn new(kind: QueueKind) -> Self {
        let store = match kind {
            QueueKind::Wheel => Store::Wheel(Box::new(Wheel::new())),
            QueueKind::Heap => Store::Heap(BinaryHeap::new()),
        };
        Self { made: 0, store }
    }

    /// Forgets everything, but keeps its memory.
    pub(crate) fn reset(&mut self) {
        self.made = 0;
        match &mut self.store {
            Store::Wheel(wheel) => wheel.reset(),
            Store::Heap(heap) => heap.clear(),
        }
    }

    /// Adds an event; its time is not before that of the last one taken out.
    #[inline]
    pub(crate) fn push(&mut self, at: u64, event: Event) {
        self.made += 1;
        let entry = Entry { at, order: self.made, event };
        match &mut self.store {
            Store::Wheel(wheel) => wheel.push(entry),
            Store::Heap(heap) => heap.push(Reverse(entry)),
        }
    }

    /// Takes out the first event.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        match &mut self.store {
            Store::Wheel(wheel) => wheel.pop(),
            Store::Heap(heap) => heap.pop().map(|Reverse(entry)| entry),
        }
    }
}

/// How many microseconds a slot lasts, as a power of two.
const SLOT_BITS: u32 = 6;
/// How many slots there are: 65 milliseconds in all.
const SLOTS: u64 = 1_024;

/// Slots for what comes soon, and a heap for what comes later.
#[derive(Debug)]
struct Wheel {
    /// The slot that is being taken out, counted from the beginning of time.
    now: u64,
    /// What is in it, the first last. Everything in it is sorted, nothing in the others is.
    current: Vec<Entry>,
    /// Slot `n` holds what falls into slot `n` of a turn, for the turn that begins now.
    slots: Vec<Vec<Entry>>,
    /// Which slots hold something, one bit each.
    taken: Vec<u64>,
    /// What lies a turn or more ahead.
    later: BinaryHeap<Reverse<Entry>>,
}

impl Wheel {
    fn new() -> Self {
        Self {
            now: 0,
            current: Vec::new(),
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            taken: (0..SLOTS / 64).map(|_| 0).collect(),
            later: BinaryHeap::new(),
        }
    }

    fn reset(&mut self) {
        self.now = 0;
        self.current.clear();
        self.later.clear();
        for (place, word) in self.taken.iter_mut().enumerate() {
            while *word != 0 {
                let slot = place * 64 + word.trailing_zeros() as usize;
                *word &= *word - 1;
                if let Some(slot) = self.slots.get_mut(slot) {
                    slot.clear();
                }
            }
        }
    }

    #[inline]
    fn push(&mut self, entry: Entry) {
        let slot = entry.at >> SLOT_BITS;
        if slot <= self.now {
            // Few are left of a slot, and most of what is added now comes last: at the front.
            let place = self.current.partition_point(|other| *other > entry);
            self.current.insert(place, entry);
        } else if slot - self.now < SLOTS {
            self.put(slot, entry);
        } else {
            self.later.push(Reverse(entry));
        }
    }

    #[inline]
    fn put(&mut self, slot: u64, entry: Entry) {
        let place = (slot % SLOTS) as usize;
        if let (Some(slot), Some(word)) =
            (self.slots.get_mut(place), self.taken.get_mut(place / 64))
        {
            slot.push(entry);
            *word |= 1 << (place % 64);
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<Entry> {
        if let Some(entry) = self.current.pop() {
            return Some(entry);
        }
        self.turn();
        self.current.pop()
    }

    /// Goes on to the next slot that holds something.
    fn turn(&mut self) {
        let next = match (self.next_taken(), self.later.peek()) {
            (Some(slot), Some(Reverse(later))) => slot.min(later.at >> SLOT_BITS),
            (Some(slot), None) => slot,
            (None, Some(Reverse(later))) => later.at >> SLOT_BITS,
            (None, None) => return,
        };
        self.now = next;
        // What was far away may now lie within a turn, some of it in this very slot.
        while let Some(Reverse(entry)) = self.later.peek() {
            let slot = entry.at >> SLOT_BITS;
            if slot - next >= SLOTS {
                break;
            }
            if let Some(Reverse(entry)) = self.later.pop() {
                self.put(slot, entry);
            }
        }
        let place = (next % SLOTS) as usize;
        if let (Some(slot), Some(word)) =
            (self.slots.get_mut(place), self.taken.get_mut(place / 64))
        {
            std::mem::swap(slot, &mut self.current);
            *word &= !(1 << (place % 64));
        }
        self.current.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// The first slot after this one that holds something, within a turn.
    fn next_taken(&self) -> Option<u64> {
        let words = SLOTS / 64;
        let start = self.now + 1;
        let (first, bit) = ((start % SLOTS) / 64, start % 64);
        for step in 0..=words {
            let place = (first + step) % words;
            let index = usize::try_from(place).expect("few words");
            let mut word = self.taken.get(index).copied().unwrap_or(0);
            if step == 0 {
                word &= u64::MAX << bit;
            }
            if word != 0 {
                let slot = place * 64 + u64::from(word.trailing_zeros());
                // Its distance, going round.
                let distance = (slot + SLOTS - start % SLOTS) % SLOTS;
                return Some(start + distance);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order(kind: QueueKind, steps: &[(u64, u8)]) -> Vec<(u64, u64)> {
        let mut queue = Queue::new(kind);
        let mut now = 0;
        let mut out = Vec::new();
        for (after, pops) in steps {
            queue.push(now + after, Event::Deliver(0));
            for _ in 0..*pops {
                if let Some(entry) = queue.pop() {
                    now = entry.at;
                    out.push((entry.at, entry.order));
                }
            }
        }
        while let Some(entry) = queue.pop() {
            out.push((entry.at, entry.order));
        }
        out
    }

    proptest! {
        #[test]
        fn both_queues_give_the_same_order(
            steps in prop::collection::vec(
                (prop_oneof![0..200_u64, 0..70_000_u64, 0..5_000_000_u64], 0..3_u8),
                0..200,
            ),
        ) {
            let wheel = order(QueueKind::Wheel, &steps);
            prop_assert_eq!(&wheel, &order(QueueKind::Heap, &steps));
            prop_assert_eq!(wheel.len(), steps.len());
            prop_assert!(wheel.windows(2).all(|pair| pair[0] <= pair[1]));
        }
    }

    #[test]
    fn a_queue_that_was_reset_is_a_new_one() {
        for kind in [QueueKind::Wheel, QueueKind::Heap] {
            let mut queue = Queue::new(kind);
            for at in [5, 100_000_000, 70] {
                queue.push(at, Event::Deliver(0));
            }
            queue.pop();
            queue.reset();
            assert!(queue.pop().is_none());
            queue.push(3, Event::Deliver(0));
            assert_eq!(queue.pop().map(|entry| (entry.at, entry.order)), Some((3, 1)));
        }
    }
}

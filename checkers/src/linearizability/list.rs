//! Calls and returns in real-time order, as a linked list that operations are lifted out of and put
//! back.

use crate::model::Span;

/// The list, by indices. Place 0 is the head; the last place is the tail.
#[derive(Clone, Debug)]
pub(super) struct List {
    next: Vec<u32>,
    previous: Vec<u32>,
    entries: Vec<Entry>,
    /// By operation: its call and, unless it may happen at any time, its return, else [`NEVER`].
    places: Vec<(u32, u32)>,
}

/// The place of a return that there is none of: later than all others.
pub(super) const NEVER: u32 = u32::MAX;

/// What stands at a place of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The head or the tail.
    Edge,
    /// An operation begins.
    Call(u32),
    /// An operation has ended.
    Return(u32),
}

impl List {
    /// The list of operations that begin and end at these indices, which are all different.
    pub(super) fn new(spans: &[Span]) -> Self {
        let mut events: Vec<(u64, Entry)> = Vec::with_capacity(2 * spans.len());
        for (op, span) in (0_u32..).zip(spans) {
            events.push((span.call, Entry::Call(op)));
            events.extend(span.end.map(|end| (end, Entry::Return(op))));
        }
        events.sort_unstable_by_key(|&(index, _)| index);
        let count = u32::try_from(events.len() + 2).expect("a key has fewer than 2^31 operations");
        let mut entries = Vec::with_capacity(events.len() + 2);
        entries.push(Entry::Edge);
        entries.extend(events.into_iter().map(|(_, entry)| entry));
        entries.push(Entry::Edge);
        let mut places = vec![(0, NEVER); spans.len()];
        for (place, entry) in (0..count).zip(&entries) {
            match *entry {
                Entry::Call(op) => slot(&mut places, op).0 = place,
                Entry::Return(op) => slot(&mut places, op).1 = place,
                Entry::Edge => {}
            }
        }
        let next = (1..=count).collect();
        let previous = (0..count).map(|place| place.saturating_sub(1)).collect();
        Self { next, previous, entries, places }
    }

    /// Before the first place.
    pub(super) const HEAD: u32 = 0;

    /// The place after `place`.
    pub(super) fn after(&self, place: u32) -> u32 {
        *self.next.get(place as usize).expect("the tail is not left")
    }

    /// What stands there.
    pub(super) fn entry(&self, place: u32) -> Entry {
        *self.entries.get(place as usize).expect("places stay within the list")
    }

    /// Where an operation ends; [`NEVER`] if it may happen at any time.
    pub(super) fn end(&self, op: u32) -> u32 {
        self.places.get(op as usize).map_or(NEVER, |&(_, end)| end)
    }

    /// Takes an operation out.
    pub(super) fn lift(&mut self, op: u32) {
        let (call, end) = *slot(&mut self.places, op);
        self.unlink(call);
        if end != NEVER {
            self.unlink(end);
        }
    }

    /// Puts an operation back where it was; the last one lifted first.
    pub(super) fn unlift(&mut self, op: u32) {
        let (call, end) = *slot(&mut self.places, op);
        if end != NEVER {
            self.relink(end);
        }
        self.relink(call);
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> u64 {
        (self.entries.capacity() * (8 + size_of::<Entry>()) + self.places.capacity() * 8) as u64
    }

    fn unlink(&mut self, place: u32) {
        let (before, after) = self.neighbours(place);
        *slot(&mut self.next, before) = after;
        *slot(&mut self.previous, after) = before;
    }

    fn relink(&mut self, place: u32) {
        let (before, after) = self.neighbours(place);
        *slot(&mut self.next, before) = place;
        *slot(&mut self.previous, after) = place;
    }

    fn neighbours(&mut self, place: u32) -> (u32, u32) {
        (*slot(&mut self.previous, place), *slot(&mut self.next, place))
    }
}

fn slot<T>(list: &mut [T], place: u32) -> &mut T {
    list.get_mut(place as usize).expect("places stay within the list")
}

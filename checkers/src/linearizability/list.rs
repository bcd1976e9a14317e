//! Calls and returns in real-time order, as a linked list that operations are lifted out of and put
//! back.

/// The list, by indices. Place 0 is the head, place `entries.len() - 1` the tail.
#[derive(Debug)]
pub(super) struct List {
    next: Vec<u32>,
    previous: Vec<u32>,
    entries: Vec<Entry>,
    /// By operation: its call and, unless it may happen at any time, its return.
    places: Vec<(u32, Option<u32>)>,
}

/// What stands at a place of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The head.
    Head,
    /// An operation begins.
    Call(usize),
    /// An operation has ended.
    Return(usize),
    /// The tail.
    Tail,
}

impl List {
    /// The list of operations that begin and end at these indices, which are all different.
    pub(super) fn new(spans: &[(u64, Option<u64>)]) -> Self {
        let mut events: Vec<(u64, Entry)> = Vec::with_capacity(2 * spans.len());
        for (op, &(call, end)) in spans.iter().enumerate() {
            events.push((call, Entry::Call(op)));
            events.extend(end.map(|end| (end, Entry::Return(op))));
        }
        events.sort_unstable_by_key(|&(index, _)| index);
        let inner = events.into_iter().map(|(_, entry)| entry);
        let entries: Vec<Entry> =
            std::iter::once(Entry::Head).chain(inner).chain([Entry::Tail]).collect();
        let count = u32::try_from(entries.len()).expect("a key has fewer than 2^31 operations");
        let mut places = vec![(0, None); spans.len()];
        for (place, entry) in (0..count).zip(&entries) {
            match *entry {
                Entry::Call(op) => slot(&mut places, op).0 = place,
                Entry::Return(op) => slot(&mut places, op).1 = Some(place),
                Entry::Head | Entry::Tail => {}
            }
        }
        let next = (1..=count).collect();
        let previous = (0..count).map(|place| place.saturating_sub(1)).collect();
        Self { next, previous, entries, places }
    }

    /// The entries from the head on, without it.
    pub(super) fn iter(&self) -> impl Iterator<Item = Entry> {
        let mut place = 0;
        std::iter::from_fn(move || {
            place = *self.next.get(place as usize)?;
            self.entries.get(place as usize).copied()
        })
    }

    /// Takes an operation out.
    pub(super) fn lift(&mut self, op: usize) {
        let (call, end) = *slot(&mut self.places, op);
        self.unlink(call);
        if let Some(end) = end {
            self.unlink(end);
        }
    }

    /// Puts an operation back where it was; the last one lifted first.
    pub(super) fn unlift(&mut self, op: usize) {
        let (call, end) = *slot(&mut self.places, op);
        if let Some(end) = end {
            self.relink(end);
        }
        self.relink(call);
    }

    fn unlink(&mut self, place: u32) {
        let (before, after) = self.neighbours(place);
        *slot(&mut self.next, before as usize) = after;
        *slot(&mut self.previous, after as usize) = before;
    }

    fn relink(&mut self, place: u32) {
        let (before, after) = self.neighbours(place);
        *slot(&mut self.next, before as usize) = place;
        *slot(&mut self.previous, after as usize) = place;
    }

    fn neighbours(&mut self, place: u32) -> (u32, u32) {
        (*slot(&mut self.previous, place as usize), *slot(&mut self.next, place as usize))
    }
}

fn slot<T>(list: &mut [T], place: usize) -> &mut T {
    list.get_mut(place).expect("places stay within the list")
}

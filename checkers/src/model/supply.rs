//! Who must find a content, until when, and who can still leave it there, from when on.
//!
//! While something else is there, the one who must find it first needs somebody who began in time to leave it. This sees
//! a dead end long before the last of them is ordered.

use super::Span;

/// The operations that are not yet ordered, by content.
#[derive(Debug)]
pub(super) struct Supply {
    /// By end.
    observers: Chains,
    /// By call.
    producers: Chains,
}

/// Gathers what operations observe and produce.
#[derive(Debug, Default)]
pub(super) struct Demand {
    observers: Vec<Entry>,
    producers: Vec<Entry>,
}

/// Something that an operation does to a content, and when at the latest or at the earliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    content: u32,
    at: u64,
    op: u32,
}

impl Demand {
    /// The operation must find this content, if it happened for certain.
    pub(super) fn observes(&mut self, op: usize, span: Span, content: u32) {
        self.observers.extend(span.end.map(|at| Entry { content, at, op: place(op) }));
    }

    /// The operation leaves this content, if it happens.
    pub(super) fn produces(&mut self, op: usize, span: Span, content: u32) {
        self.producers.push(Entry { content, at: span.call, op: place(op) });
    }

    /// The supply of so many contents by so many operations, none of which is ordered.
    pub(super) fn gathered(self, contents: usize, ops: usize) -> Supply {
        Supply {
            observers: Chains::new(self.observers, contents, ops),
            producers: Chains::new(self.producers, contents, ops),
        }
    }
}

impl Supply {
    /// The operation is ordered.
    pub(super) fn take(&mut self, op: usize) {
        self.observers.lift(op);
        self.producers.lift(op);
    }

    /// It is not; the one that was taken last first.
    pub(super) fn put_back(&mut self, op: usize) {
        self.producers.unlift(op);
        self.observers.unlift(op);
    }

    /// Whether somebody who must find `content`, which is not there, has ended before anybody who can leave it there began.
    pub(super) fn is_missing(&self, content: u32) -> bool {
        let needed = self.observers.first(content);
        needed.is_some_and(|until| self.producers.first(content).is_none_or(|from| from > until))
    }

    /// How many contents there are.
    pub(super) fn contents(&self) -> u32 {
        self.observers.contents
    }
}

/// One linked list for each content, that operations are lifted out of and put back. The heads come first.
#[derive(Debug)]
struct Chains {
    contents: u32,
    next: Vec<u32>,
    previous: Vec<u32>,
    at: Vec<u64>,
    /// By operation: its entries are `entries[starts[op]..starts[op + 1]]`.
    starts: Vec<u32>,
    entries: Vec<u32>,
}

impl Chains {
    fn new(mut all: Vec<Entry>, contents: usize, ops: usize) -> Self {
        all.sort_unstable();
        let count = contents + all.len();
        // Each head is a ring by itself.
        let mut chains = Self {
            contents: place(contents),
            next: (0..place(count)).collect(),
            previous: (0..place(count)).collect(),
            at: vec![0; count],
            starts: vec![0; ops + 1],
            entries: vec![0; all.len()],
        };
        for entry in &all {
            *slot(&mut chains.starts, entry.op + 1) += 1;
        }
        let mut sum = 0;
        for start in &mut chains.starts {
            sum += *start;
            *start = sum;
        }
        let mut free = chains.starts.clone();
        for (node, entry) in (place(contents)..).zip(&all) {
            *slot(&mut chains.at, node) = entry.at;
            let free = slot(&mut free, entry.op);
            *slot(&mut chains.entries, *free) = node;
            *free += 1;
            let last = *slot(&mut chains.previous, entry.content);
            *slot(&mut chains.previous, node) = last;
            *slot(&mut chains.next, node) = entry.content;
            *slot(&mut chains.next, last) = node;
            *slot(&mut chains.previous, entry.content) = node;
        }
        chains
    }

    fn first(&self, content: u32) -> Option<u64> {
        let first = *self.next.get(content as usize)?;
        (first >= self.contents).then(|| self.at.get(first as usize).copied()).flatten()
    }

    fn entries_of(&self, op: usize) -> std::ops::Range<usize> {
        let start = |op: usize| self.starts.get(op).map_or(0, |start| *start as usize);
        start(op)..start(op + 1)
    }

    fn lift(&mut self, op: usize) {
        for entry in self.entries_of(op) {
            let (before, after, _) = self.around(entry);
            *slot(&mut self.next, before) = after;
            *slot(&mut self.previous, after) = before;
        }
    }

    fn unlift(&mut self, op: usize) {
        for entry in self.entries_of(op).rev() {
            let (before, after, node) = self.around(entry);
            *slot(&mut self.next, before) = node;
            *slot(&mut self.previous, after) = node;
        }
    }

    fn around(&mut self, entry: usize) -> (u32, u32, u32) {
        let node = *self.entries.get(entry).expect("starts are places of entries");
        (*slot(&mut self.previous, node), *slot(&mut self.next, node), node)
    }
}

fn slot<T>(list: &mut [T], place: u32) -> &mut T {
    list.get_mut(place as usize).expect("places stay within the chains")
}

fn place(number: usize) -> u32 {
    u32::try_from(number).expect("fewer than 2^32 operations and contents")
}

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
    /// Those of them that leave something else there, by end: each needs a producer of its own.
    takers: Chains,
    /// By call.
    producers: Chains,
}

/// Gathers what operations observe and produce.
#[derive(Debug, Default)]
pub(super) struct Demand {
    observers: Vec<Entry>,
    takers: Vec<Entry>,
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

    /// The operation, which must find this content, leaves something else there.
    pub(super) fn takes(&mut self, op: usize, span: Span, content: u32) {
        self.takers.extend(span.end.map(|at| Entry { content, at, op: place(op) }));
    }

    /// The operation leaves this content, if it happens.
    pub(super) fn produces(&mut self, op: usize, span: Span, content: u32) {
        self.producers.push(Entry { content, at: span.call, op: place(op) });
    }

    /// The supply of so many contents by so many operations, none of which is ordered.
    pub(super) fn gathered(self, contents: usize, ops: usize) -> Supply {
        Supply {
            observers: Chains::new(self.observers, contents, ops),
            takers: Chains::new(self.takers, contents, ops),
            producers: Chains::new(self.producers, contents, ops),
        }
    }
}

impl Supply {
    /// The operation is ordered.
    pub(super) fn take(&mut self, op: usize) {
        self.observers.lift(op);
        self.takers.lift(op);
        self.producers.lift(op);
    }

    /// It is not; the one that was taken last first.
    pub(super) fn put_back(&mut self, op: usize) {
        self.producers.unlift(op);
        self.takers.unlift(op);
        self.observers.unlift(op);
    }

    /// Whether somebody who must find `content`, which is not there, has ended before anybody who can leave it there
    /// began; or some who take it away before as many began.
    pub(super) fn is_missing(&self, content: u32) -> bool {
        let is_late = |until: u64, from: Option<u64>| from.is_none_or(|from| from > until);
        let mut producers = self.producers.iter(content);
        let first = self.observers.iter(content).next();
        if first.is_some_and(|until| is_late(until, self.producers.iter(content).next())) {
            return true;
        }
        self.takers.iter(content).take(TAKERS_MAX).any(|until| is_late(until, producers.next()))
    }

    /// How many contents there are.
    pub(super) fn contents(&self) -> u32 {
        self.observers.contents
    }
}

/// So many of those who take a content away are looked at: those who end soonest.
const TAKERS_MAX: usize = 16;

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

    /// The ends or calls of those that are left.
    fn iter(&self, content: u32) -> impl Iterator<Item = u64> {
        let mut at = content;
        std::iter::from_fn(move || {
            at = *self.next.get(at as usize)?;
            // The last one is followed by the head.
            if at < self.contents { None } else { self.at.get(at as usize).copied() }
        })
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

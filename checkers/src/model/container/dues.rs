//! Until when elements of a container must be gone that nobody is known to have taken.
//!
//! In a queue, what was put in for certain before `y` was, or before one began that found nothing (`b <= a`), is taken before
//! that: the last slot of the other's take is its due.
//!
//! In a stack, what was put in for certain after `z` was, and before `z` was taken (`b <= a`, `b <= c`), lies on it, and is
//! taken before that; and nothing is left for one that found nothing.
//!
//! In a priority queue, when a known `y` is taken no lesser element is there. So it is taken in a slot of its window that is in no core of a
//! lesser element that somebody is known to have taken: at the earliest in `f`, at the latest in `l`. A lesser `x` that
//! nobody is known to have taken, and that was put in for certain before `f` (`b <= f`), was taken by somebody unknown in
//! `l` or before: that is its due. One that found nothing is as an element that is greater than all.
//!
//! Each operation takes one element at most, and none before it began. So if more elements are due in a slot or before
//! it than takes with an unknown result began by then, there is no order ([`shortage`]). If there are enough, let the
//! take that began first take what is due first, and so on: every element gets one that began in time. By exchange: if
//! each could get one, then those two could change places of which the one is due earlier and had the later one.

use super::cover::Cover;
use super::trace::{Life, Proof, Trace};

/// An element that somebody unknown has taken, if there is an order.
#[derive(Clone, Debug)]
pub struct Due {
    /// Its place in [`Trace::lives`].
    pub(super) life: usize,
    /// The last slot for that.
    pub(super) slot: u32,
    /// What shows it.
    pub(super) shown_by: Proof,
}

/// The elements of a queue that are due, each with its first due.
pub(super) fn of_queue(trace: &Trace) -> Vec<Due> {
    let mut last = LastSlots::of_empties(trace);
    for (place, life) in lives(trace, true) {
        last.extend(Some((life.put.from, life.take.until - 1)), place);
    }
    lives(trace, false).filter_map(|(place, life)| last.due(trace, place, life)).collect()
}

/// The elements of a stack that are due, each with its first due.
pub(super) fn of_stack(trace: &Trace) -> Vec<Due> {
    let mut below: Vec<(usize, &Life)> = lives(trace, true).collect();
    below.sort_unstable_by_key(|(place, life)| (life.put.until, *place));
    let mut below = below.into_iter().peekable();
    let mut last = LastSlots::of_empties(trace);
    let due = |(place, life): (usize, &Life)| {
        while let Some((other, below)) =
            below.next_if(|(_, other)| other.put.until <= life.put.from)
        {
            last.extend(Some((below.take.from, below.take.until - 1)), other);
        }
        last.due(trace, place, life)
    };
    lives(trace, false).filter_map(due).collect()
}

/// The elements that somebody is known to have taken, or the others, with their places, in the order of their calls.
fn lives(trace: &Trace, is_taken: bool) -> impl Iterator<Item = (usize, &Life)> {
    trace.lives.iter().enumerate().filter(move |(_, life)| life.is_taken() == is_taken)
}

/// The elements of a priority queue that are due, each with its first due.
pub(super) fn of_least(trace: &Trace) -> Vec<Due> {
    let mut by_element: Vec<usize> = (0..trace.lives.len()).collect();
    by_element.sort_unstable_by_key(|&place| trace.lives.get(place).map(|life| life.element));
    let mut free = Free::new(trace.end);
    let mut takes: Vec<(usize, Option<(u32, u32)>)> = Vec::with_capacity(by_element.len());
    for place in by_element {
        let Some(life) = trace.lives.get(place) else { continue };
        let window = (life.take.from, life.take.until);
        takes.push((place, if life.is_taken() { free.within(window) } else { None }));
        if life.is_taken() {
            free.cover(life.core());
        }
    }
    let mut last = LastSlots::new(trace.end);
    for (place, empty) in (trace.lives.len()..).zip(&trace.empties) {
        last.extend(free.within((empty.from, empty.until)), place);
    }
    let mut dues = Vec::new();
    for (place, window) in takes.into_iter().rev() {
        let Some(life) = trace.lives.get(place) else { continue };
        last.extend(window, place);
        if !life.is_taken() {
            dues.extend(last.due(trace, place, life));
        }
    }
    dues
}

/// Elements of which fewer can have been taken in time than are due, if there are such. `calls` are the slots in which
/// takes with an unknown result begin, in order.
pub(super) fn shortage(mut dues: Vec<Due>, calls: impl Iterator<Item = u32>) -> Option<Proof> {
    dues.sort_by_key(|due| (due.slot, due.life));
    let mut calls = calls.fuse();
    let missed = dues.iter().position(|due| calls.next().is_none_or(|call| call > due.slot))?;
    dues.truncate(missed + 1);
    let mut proof = Proof::of(Vec::new(), Vec::new());
    for due in dues {
        proof.lives.extend(due.shown_by.lives);
        proof.others.extend(due.shown_by.others);
    }
    proof.lives.sort_unstable();
    proof.lives.dedup();
    proof.others.sort_unstable_by_key(|other| other.from);
    proof.others.dedup_by_key(|other| other.from);
    Some(proof)
}

/// Slots that are not covered, from both sides.
struct Free {
    end: u32,
    forward: Cover,
    /// With the last slot first.
    backward: Cover,
}

impl Free {
    fn new(end: u32) -> Self {
        Self { end, forward: Cover::new(end), backward: Cover::new(end) }
    }

    fn cover(&mut self, (from, until): (u32, u32)) {
        if from < until {
            self.forward.add((from, until));
            self.backward.add((self.end - until, self.end - from));
        }
    }

    /// The first and the last free slot from the one on and before the other.
    fn within(&mut self, (from, until): (u32, u32)) -> Option<(u32, u32)> {
        let first = self.forward.first_free(from);
        let last = self.end - 1 - self.backward.first_free(self.end - until).min(self.end - 1);
        (first < until).then_some((first, last))
    }
}

/// The least last slot of those whose first slot is not before a given one: minima of all beginnings of a list (Fenwick
/// 1994), which has the last slots first. They are those of elements, by their places, and behind these of those who found
/// nothing.
struct LastSlots {
    end: u32,
    least: Vec<(u32, usize)>,
}

impl LastSlots {
    fn new(end: u32) -> Self {
        Self { end, least: vec![(u32::MAX, 0); end as usize + 2] }
    }

    /// Of all who found nothing.
    fn of_empties(trace: &Trace) -> Self {
        let mut last = Self::new(trace.end);
        for (place, empty) in (trace.lives.len()..).zip(&trace.empties) {
            last.extend(Some((empty.from, empty.until - 1)), place);
        }
        last
    }

    /// The due of the element at `place`: what of these comes first that begins after it was put in for certain.
    fn due(&self, trace: &Trace, place: usize, life: &Life) -> Option<Due> {
        let (slot, by) = self.least_from(life.put.until)?;
        let empty = by.checked_sub(trace.lives.len()).and_then(|empty| trace.empties.get(empty));
        let lives = if empty.is_some() { vec![place] } else { vec![place, by] };
        let shown_by = Proof::of(lives, empty.copied().into_iter().collect());
        Some(Due { life: place, slot, shown_by })
    }

    fn extend(&mut self, window: Option<(u32, u32)>, place: usize) {
        let Some((first, last)) = window else { return };
        let mut node = (self.end - first) as usize + 1;
        while let Some(least) = self.least.get_mut(node) {
            *least = (*least).min((last, place));
            node += node & node.wrapping_neg();
        }
    }

    fn least_from(&self, first: u32) -> Option<(u32, usize)> {
        let mut node = (self.end.checked_sub(first)?) as usize + 1;
        let mut least = (u32::MAX, 0);
        while node > 0 {
            least = self.least.get(node).map_or(least, |other| least.min(*other));
            node -= node & node.wrapping_neg();
        }
        Some(least).filter(|(slot, _)| *slot < u32::MAX)
    }
}

//! Whether a stack of elements that are put in once has an order: decrease and conquer (Lee and Mathur 2025).
//!
//! An element without a core is put in and taken side by side, which is right at any time; it is left out at first. The
//! cores of the others make up components, with slots between them that no core covers.
//!
//! - *Conquer*: components have an order together if and only if each has one. In such a slot every element is surely
//!   over or yet to come. In an order of all, those that are over and still there can be taken within the slot at once,
//!   from the top; those to come that had been put in before are put in now instead, in the same order. So the stack is
//!   empty there; and those who find nothing can be there, too.
//! - *Decrease*: within a component that covers `[l, r)` the stack is never empty. So the element that is put in first
//!   lies at the bottom until all others are taken: it can be put in before any other must be (`a < l`), and be taken
//!   after any other can be (`r < d`). If there is no such element, there is no order. If there is, it can be left out:
//!   in an order of the others those that are put in before it can wait for it, as they need not be there before `l`,
//!   and those that are taken after it can be taken before it, at `r`.
//!
//! Leaving out elements only makes components smaller, so an element that may lie at the bottom may do so ever after: it
//! does not matter which one is left out first. What is left when no such element is left has no order; nor have any of
//! its elements whose cores cover its component.
//!
//! Each element leaves once, each slot is uncovered once, and each comparison that comes out right is made once: with
//! trees of minima all takes O(n log n).

use std::collections::BTreeMap;
use std::ops::Range;

use super::cover::chain;
use super::least_tree::LeastTree;
use super::trace::{Arranged, Life, Proof, Sequence, Trace};
use crate::rules::{Rule, holds};

/// See [`super::Discipline::arrange`].
pub(super) fn arrange(trace: &Trace) -> Arranged {
    let mut proofs = left_behind(trace);
    let moments = trace.empty_moments(&mut proofs);
    let mut peeling = Peeling::new(trace);
    peeling.run();
    proofs.extend(peeling.stuck());
    if !proofs.is_empty() {
        return Err(proofs);
    }
    // Within a slot elements are taken, then there is nothing, then elements are put in, then those come that stay for
    // no time. Who left first is put in first and taken last.
    let mut order: Sequence<(u32, u8, isize, bool)> = Sequence::new();
    for (rank, (life, component)) in (0..).zip(&peeling.left) {
        order.add((component.start - 1, 2, rank, false), life.put.by);
        if component.end < trace.end {
            order.add((component.end, 0, -rank, true), life.take.by);
        }
    }
    for (moment, empty) in moments.into_iter().zip(&trace.empties) {
        order.add((moment, 1, 0, false), empty.by);
    }
    for (rank, life) in (0..).zip(trace.lives.iter().filter(|life| life.may_be_brief())) {
        order.add((life.take.from, 3, rank, false), life.put.by);
        order.add((life.take.from, 3, rank, true), life.take.by);
    }
    Ok(order.in_order())
}

/// Elements that leave a stack one by one.
struct Peeling<'a> {
    trace: &'a Trace,
    /// Those with a core, by where that begins, as places in the trace.
    places: Vec<usize>,
    /// Where their cores begin.
    begins: Vec<u32>,
    /// By slot: how many cores cover it. Much more where it was found that there are none.
    covering: LeastTree,
    /// Of those that may not be put in first, as far as is known: when they can be put in at the earliest.
    calls: LeastTree,
    /// Of those that may not be taken last, as far as is known: how long before the end they must be taken.
    ends: LeastTree,
    /// How many of the two are known to be otherwise.
    known: Vec<u8>,
    /// Those that may lie at the bottom, and have not left.
    bottoms: Vec<usize>,
    is_left: Vec<bool>,
    /// Where each component ends, by where it begins.
    components: BTreeMap<u32, u32>,
    /// Who left, in order, from which component.
    left: Vec<(Life, Range<u32>)>,
}

impl<'a> Peeling<'a> {
    fn new(trace: &'a Trace) -> Self {
        let lives = || trace.lives.iter().enumerate().filter(|(_, life)| !life.may_be_brief());
        let mut by_begin: Vec<(u32, usize)> =
            lives().map(|(place, life)| (life.core().0, place)).collect();
        by_begin.sort_unstable();
        let (begins, places): (Vec<u32>, Vec<usize>) = by_begin.into_iter().unzip();
        let life = |place: &usize| trace.lives.get(*place);
        let calls = places.iter().filter_map(life).map(|life| i64::from(life.put.from));
        let ends = places.iter().filter_map(life).map(|life| -i64::from(life.take.until));
        let mut peeling = Self {
            trace,
            covering: LeastTree::new(covering(trace)),
            calls: LeastTree::new(calls),
            ends: LeastTree::new(ends),
            known: vec![0; places.len()],
            bottoms: Vec::new(),
            is_left: vec![false; places.len()],
            components: BTreeMap::new(),
            left: Vec::with_capacity(places.len()),
            places,
            begins,
        };
        peeling.split(0..trace.end, 0..trace.end);
        peeling
    }

    fn run(&mut self) {
        while let Some(rank) = self.bottoms.pop() {
            let Some(life) = self.life(rank).copied() else { continue };
            let (begin, end) = life.core();
            let component = self.components.range(..=begin).next_back();
            let (&from, &until) = component.expect("an element that has not left is in one");
            self.left.push((life, from..until));
            if let Some(is_left) = self.is_left.get_mut(rank) {
                *is_left = true;
            }
            self.covering.add(begin as usize..end as usize, -1);
            self.split(from..until, begin..end);
        }
    }

    fn life(&self, rank: usize) -> Option<&'a Life> {
        self.places.get(rank).and_then(|place| self.trace.lives.get(*place))
    }

    /// Splits a component where nothing covers it any more, within `changed`.
    fn split(&mut self, component: Range<u32>, changed: Range<u32>) {
        let changed = changed.start as usize..changed.end as usize;
        let mut free = Vec::new();
        while let Some(slot) = self.covering.first_below(changed.clone(), 1) {
            self.covering.add(slot..slot + 1, LeastTree::MUCH);
            free.extend(u32::try_from(slot));
        }
        if free.is_empty() && self.components.contains_key(&component.start) {
            return;
        }
        self.components.remove(&component.start);
        let mut from = component.start;
        for until in free.into_iter().chain([component.end]) {
            if from < until {
                self.components.insert(from, until);
                self.look_for_bottoms(from..until);
            }
            from = until + 1;
        }
    }

    /// Finds those in a new component that may be put in first, or be taken last.
    fn look_for_bottoms(&mut self, component: Range<u32>) {
        let rank = |slot: u32| self.begins.partition_point(|begin| *begin < slot);
        let ranks = rank(component.start)..rank(component.end);
        let start = if holds(Rule::BottomIsFirst) { component.start } else { u32::MAX };
        let end = if holds(Rule::BottomIsLast) { -i64::from(component.end) } else { 1 };
        for (tree, bound) in [(&mut self.calls, i64::from(start)), (&mut self.ends, end)] {
            while let Some(rank) = tree.first_below(ranks.clone(), bound) {
                tree.add(rank..rank + 1, LeastTree::MUCH);
                let Some(known) = self.known.get_mut(rank) else { continue };
                *known += 1;
                if *known == 2 {
                    self.bottoms.push(rank);
                }
            }
        }
    }

    /// What has no order in each component that is left.
    fn stuck(&self) -> Vec<Proof> {
        let stuck = |(&from, &until): (&u32, &u32)| {
            let rank = |slot: u32| self.begins.partition_point(|begin| *begin < slot);
            let here =
                (rank(from)..rank(until)).filter(|rank| self.is_left.get(*rank) != Some(&true));
            let places = here.filter_map(|rank| self.places.get(rank).copied());
            let cores =
                places.filter_map(|place| Some((place, self.trace.lives.get(place)?.core())));
            let lives = chain(cores, (from, until));
            (!lives.is_empty()).then(|| Proof::of(lives, Vec::new()))
        };
        self.components.iter().filter_map(stuck).collect()
    }
}

/// How many cores cover each slot.
fn covering(trace: &Trace) -> impl Iterator<Item = i64> {
    let mut changes = vec![0_i64; trace.end as usize + 1];
    for life in trace.lives.iter().filter(|life| !life.may_be_brief()) {
        let (begin, end) = life.core();
        for (slot, change) in [(begin, 1), (end, -1)] {
            if let Some(changes) = changes.get_mut(slot as usize) {
                *changes += change;
            }
        }
    }
    changes.truncate(trace.end as usize);
    changes.into_iter().scan(0, |sum, change| {
        *sum += change;
        Some(*sum)
    })
}

/// Each element that nobody took, with one that lay below it and was taken.
fn left_behind(trace: &Trace) -> Vec<Proof> {
    let lives = || trace.lives.iter().enumerate();
    let mut by_end: Vec<(usize, &Life)> =
        lives().filter(|(_, life)| life.take.until <= trace.end).collect();
    by_end.sort_by_key(|(_, life)| life.put.until);
    let mut ended = by_end.into_iter().peekable();
    let mut last: Option<(usize, &Life)> = None;
    let mut by_call: Vec<(usize, &Life)> =
        lives().filter(|(_, life)| life.take.from >= trace.end).collect();
    by_call.sort_by_key(|(_, life)| life.put.from);
    let mut proofs = Vec::new();
    for (place, life) in by_call {
        while let Some(next) = ended.next_if(|(_, other)| other.put.until <= life.put.from) {
            last = last.filter(|(_, last)| last.take.from >= next.1.take.from).or(Some(next));
        }
        let below = last.filter(|(_, last)| life.put.until <= last.take.from);
        if let Some((below, _)) = below.filter(|_| holds(Rule::BottomIsLast)) {
            proofs.push(Proof::of(vec![below, place], Vec::new()));
        }
    }
    proofs
}

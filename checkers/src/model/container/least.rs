//! Whether a priority queue of elements that are put in once has an order.
//!
//! It has one if and only if for each element the window of its take, from its put on, has a slot that is in no core of a
//! lesser one. One that found nothing is as an element that is greater than all, put in and taken by it.
//!
//! Where it is taken, no lesser one is there; so there must be such a slot. Conversely take the greatest element away,
//! and let the others have an order, which they have by induction. Every other element is surely there either only before
//! the slot, or only after it. So the order can be changed to one where the queue is empty within the slot: those whose
//! core is before it and that are still there are taken at once, the least first; those of the others that had been put
//! in before are put in now instead. What is taken stays the least then: elements are there for less time than before. The
//! greatest can be taken in that moment, and put in any time before: it is in nobody's way. (Lee and Mathur 2025 peel
//! elements by priority as well.)
//!
//! The order that is made here has each take in the first such slot; takes in one slot in the order of elements; and each
//! put as late as it can be. No greater one is taken between the put and the take: its slot would have been free for the
//! lesser one, too.

use super::cover::{Cover, chain};
use super::trace::{Arranged, Life, PROOFS_MAX, Proof, Sequence, Trace};
use crate::rules::{Rule, holds};

/// See [`super::Discipline::arrange`].
pub(super) fn arrange(trace: &Trace) -> Arranged {
    let mut by_element: Vec<usize> = (0..trace.lives.len()).collect();
    by_element.sort_unstable_by_key(|&place| trace.lives.get(place).map(|life| life.element));
    let mut proofs = left_behind(trace, &by_element);
    let mut cover = Cover::new(trace.end);
    // Where it stands: the slot, whether it is put in for later, its rank, and whether it is taken.
    let mut order: Sequence<(u32, bool, usize, bool)> = Sequence::new();
    for (rank, &place) in by_element.iter().enumerate() {
        let Some(life) = trace.lives.get(place) else { continue };
        let free = cover.first_free(life.take.from);
        if free >= life.take.until && proofs.len() < PROOFS_MAX && holds(Rule::Least) {
            let lesser = by_element.iter().take(rank).copied();
            let cores = lesser.filter_map(|place| Some((place, trace.lives.get(place)?.core())));
            let mut lives = chain(cores, (life.take.from, life.take.until));
            lives.push(place);
            proofs.push(Proof { due: life.take.until - 1, ..Proof::of(lives, Vec::new()) });
        }
        let put_at = free.min(life.put.until - 1);
        order.add((put_at, put_at < free, rank, false), life.put.by);
        if free < trace.end {
            order.add((free, false, rank, true), life.take.by);
        }
        cover.add(life.core());
    }
    let mut crowded = Vec::new();
    let moments = trace.empty_moments(&mut crowded);
    for proof in &mut crowded {
        proof.due = proof.others.first().map_or(u32::MAX, |empty| empty.until - 1);
    }
    proofs.extend(crowded);
    if !proofs.is_empty() {
        return Err(proofs);
    }
    for (moment, empty) in moments.into_iter().zip(&trace.empties) {
        order.add((moment, false, usize::MAX, true), empty.by);
    }
    Ok(order.in_order())
}

/// Each element that nobody took, with a greater one that was taken after it had been put in.
fn left_behind(trace: &Trace, by_element: &[usize]) -> Vec<Proof> {
    let mut proofs = Vec::new();
    let mut last: Option<(usize, &Life)> = None;
    for &place in by_element.iter().rev() {
        let Some(life) = trace.lives.get(place) else { continue };
        if life.take.until <= trace.end {
            last =
                last.filter(|(_, last)| last.take.from >= life.take.from).or(Some((place, life)));
        } else if let Some((greater, _)) = last
            .filter(|(_, last)| life.take.from >= trace.end && life.put.until <= last.take.from)
            .filter(|_| holds(Rule::Least))
        {
            proofs.push(Proof::of(vec![place, greater], Vec::new()));
        }
    }
    proofs
}

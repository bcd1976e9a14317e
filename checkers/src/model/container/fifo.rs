//! Whether a queue of elements that are put in once has an order.
//!
//! It has none if and only if
//!
//! 1. of two elements the one was put in surely before the other (`b₁ <= a₂`), and taken surely after it, or never
//!    (`d₂ <= c₁`); or
//! 2. one that found nothing is covered by cores.
//!
//! (Henzinger, Sezgin and Vafeiadis 2013; Bouajjani, Emmi, Enea and Hamza 2015.)
//!
//! That either forbids an order is plain. If there is neither, here is one. Each that found nothing is put into the first
//! slot where there is no core: no element must be there then, so each has an epoch between two such moments where it
//! can be put in and taken, and its windows are cut to that. Cutting makes no new case of 1: of elements in one epoch the
//! ends that are cut all lie at its edge. Now say that an element precedes another one if 1 asks it to, by their puts or by
//! their takes. Both relations are orders of intervals, and the shortest circle in two such orders has two elements,
//! which is 1; so there is a total order of the elements that keeps to both. Puts in that order as early as they can be,
//! and takes in the same order as early as they can be, but after the put, all are in their windows: the latest call
//! before an element is of one that it need not precede.

use std::collections::VecDeque;

use super::trace::{Arranged, Life, Proof, Sequence, Trace};
use crate::rules::{Rule, holds};

/// See [`super::Discipline::arrange`].
pub(super) fn arrange(trace: &Trace) -> Arranged {
    let mut proofs = Vec::new();
    let mut moments = trace.empty_moments(&mut proofs);
    overtaken(trace, &mut proofs);
    left_behind(trace, &mut proofs);
    if !proofs.is_empty() {
        return Err(proofs);
    }
    let empties: Vec<(u32, Option<usize>)> =
        moments.iter().copied().zip(trace.empties.iter().map(|empty| empty.by)).collect();
    moments.sort_unstable();
    moments.dedup();
    let (epochs, cut): (Vec<usize>, Vec<Life>) =
        trace.lives.iter().map(|life| cut(life, &moments)).unzip();
    let mut order: Sequence<(usize, u32, usize, usize)> = Sequence::new();
    for (moment, by) in empties {
        let epoch = moments.partition_point(|other| *other < moment);
        order.add((2 * epoch + 1, 0, 0, 0), by);
    }
    let (mut put_at, mut taken_at) = (0, 0);
    for (rank, place) in in_turn(&cut).into_iter().enumerate() {
        let (Some(epoch), Some(life)) = (epochs.get(place), cut.get(place)) else { continue };
        put_at = life.put.from.max(put_at);
        taken_at = life.take.from.max(put_at).max(taken_at);
        order.add((2 * epoch, put_at, 0, rank), life.put.by);
        if taken_at < trace.end {
            order.add((2 * epoch, taken_at, 1, rank), life.take.by);
        }
    }
    Ok(order.in_order())
}

/// Pairs of which the one that was put in later is taken earlier.
fn overtaken(trace: &Trace, proofs: &mut Vec<Proof>) {
    if !holds(Rule::NotOvertaken) {
        return;
    }
    let mut by_end: Vec<(usize, &Life)> = trace.lives.iter().enumerate().collect();
    by_end.sort_by_key(|(_, life)| life.put.until);
    let mut by_call: Vec<(usize, &Life)> = trace.lives.iter().enumerate().collect();
    by_call.sort_by_key(|(_, life)| life.put.from);
    let mut ended = by_end.into_iter().peekable();
    let mut last: Option<(usize, &Life)> = None;
    for (place, life) in by_call {
        while let Some(next) = ended.next_if(|(_, other)| other.put.until <= life.put.from) {
            last = last.filter(|(_, last)| last.take.from >= next.1.take.from).or(Some(next));
        }
        if let Some((first, _)) = last.filter(|(_, last)| life.take.until <= last.take.from) {
            proofs.push(Proof::of(vec![first, place], Vec::new()));
        }
    }
}

/// Each element that nobody took, with one that was put in later and taken.
fn left_behind(trace: &Trace, proofs: &mut Vec<Proof>) {
    let lives = || trace.lives.iter().enumerate();
    let taken = lives().filter(|(_, life)| life.take.until <= trace.end);
    let Some((last, latest)) = taken.max_by_key(|(_, life)| life.put.from) else { return };
    let is_behind = |life: &Life| life.take.from >= trace.end && life.put.until <= latest.put.from;
    for (place, _) in lives().filter(|(_, life)| is_behind(life) && holds(Rule::NotOvertaken)) {
        proofs.push(Proof::of(vec![place, last], Vec::new()));
    }
}

/// The epoch of an element, and its windows within that.
fn cut(life: &Life, moments: &[u32]) -> (usize, Life) {
    let mut life = *life;
    // One with a core is on the side where that is; any other where it can be at the earliest.
    let epoch = if life.may_be_brief() {
        moments.partition_point(|moment| *moment <= life.take.from)
    } else {
        moments.partition_point(|moment| *moment < life.put.until)
    };
    if let Some(from) = epoch.checked_sub(1).and_then(|before| moments.get(before)) {
        life.put.from = life.put.from.max(*from);
        life.take.from = life.take.from.max(*from);
    }
    if let Some(until) = moments.get(epoch) {
        life.put.until = life.put.until.min(until + 1);
        life.take.until = life.take.until.min(until + 1);
    }
    (epoch, life)
}

/// All lives, as places, so that none comes before one that must be put in before it, or taken before it.
fn in_turn(lives: &[Life]) -> Vec<usize> {
    let by = |key: fn(&Life) -> u32| {
        let mut places: Vec<(u32, usize)> = lives.iter().map(key).zip(0..).collect();
        places.sort_unstable();
        VecDeque::from(places)
    };
    let mut calls = [by(|life| life.put.from), by(|life| life.take.from)];
    let mut ends = [by(|life| life.put.until), by(|life| life.take.until)];
    // How many of its two calls come before every end that is left.
    let mut ready = vec![0; lives.len()];
    let mut is_done = vec![false; lives.len()];
    let mut next = VecDeque::new();
    let mut turns = Vec::with_capacity(lives.len());
    loop {
        for (calls, ends) in calls.iter_mut().zip(&mut ends) {
            while ends.pop_front_if(|(_, place)| is_done.get(*place) == Some(&true)).is_some() {}
            let first = ends.front().map_or(u32::MAX, |(end, _)| *end);
            while let Some((_, place)) = calls.pop_front_if(|(call, _)| *call < first) {
                let Some(ready) = ready.get_mut(place) else { continue };
                *ready += 1;
                if *ready == 2 {
                    next.push_back(place);
                }
            }
        }
        let Some(place) = next.pop_front() else { return turns };
        turns.push(place);
        if let Some(is_done) = is_done.get_mut(place) {
            *is_done = true;
        }
    }
}

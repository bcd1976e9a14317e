//! What happened to a container, element by element, and when.
//!
//! Time is cut into slots: slot `t` is what lies between the `t`th call or return of the history and the next one. An
//! operation takes effect in one of the slots from its call on and before its return; operations in one slot may stand
//! in any order there. Of an element that is put in once and taken once, put in within `[a, b)` and taken within
//! `[c, d)`, that leaves:
//!
//! - if `c < b`, the two may stand side by side in one slot, so it need not be there at any given moment;
//! - else it is there for certain in all slots of `[b, c)`, its core.
//!
//! A part of a history is all that is done to some elements, and some of the operations that found nothing. If the whole
//! has an order, so has every part, for all three disciplines: without an element the others are taken in the same
//! order, and what was empty stays so. So a part without an order refutes the whole; that is what makes it sound to
//! look at some elements only.
//!
//! What is not simply put in once and taken once:
//!
//! - What failed did not happen, and is not here. If its element was taken, nobody put that in.
//! - An element that is put in more than once is left out, with all that is done to it. Then an order of the rest says
//!   nothing of the whole, but what refutes the rest refutes the whole.
//! - A `put` that may have happened, and whose element nobody is known to have taken, is left out: in an order that has
//!   it, it may go, with the operation of an unknown result that took its element.
//! - A `put` that may have happened and whose element was taken did happen, before that ended.
//! - An element that nobody is known to have taken stays for ever, or one of the takes with an unknown result took it:
//!   each of these at most one. To refute, every such element may be taken at any time after the first such call; this
//!   allows more than is true. To find an order, see [`Trace::with_taken`].

use std::collections::BTreeMap;

use super::cover::{Cover, chain};
use super::dues::{self, Due};
use super::{ContainerOp, Discipline, Span};
use crate::rules::{Rule, holds};

/// The elements of a container, and who found none.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// In the order of their calls.
    pub(super) lives: Vec<Life>,
    /// Those who found nothing, in the order of their calls.
    pub(super) empties: Vec<Step>,
    /// The slot after the last one: what is to happen there never happens.
    pub(super) end: u32,
    /// Takes that may have happened, in the order of their calls.
    unknown: Vec<Step>,
    /// What is wrong with one element alone.
    flaws: Vec<Proof>,
    /// Whether nothing was left out that must be in an order.
    is_whole: bool,
}

/// An element that is put in once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) element: i64,
    pub(super) put: Step,
    /// By nobody known: then at the end, after all that has an end.
    pub(super) take: Step,
}

/// An operation that takes effect in a slot of `from..until`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) from: u32,
    pub(super) until: u32,
    /// Its place in the list of operations.
    pub(super) by: Option<usize>,
}

impl Life {
    /// Where it is there for certain: not empty if `from < until`.
    pub(super) fn core(&self) -> (u32, u32) {
        (self.put.until, self.take.from)
    }

    /// Whether it can be put in and taken in one slot.
    pub(super) fn may_be_brief(&self) -> bool {
        self.take.from < self.put.until
    }

    /// Whether somebody is known to have taken it, or is assumed to have.
    pub(super) fn is_taken(&self) -> bool {
        self.take.by.is_some()
    }
}

/// Something that is done to an element.
#[derive(Clone, Copy, Debug)]
struct Deed {
    element: i64,
    is_take: bool,
    step: Step,
}

/// Elements, as places in [`Trace::lives`], and other operations, that have no order.
#[derive(Clone, Debug)]
pub struct Proof {
    pub(super) lives: Vec<usize>,
    pub(super) others: Vec<Step>,
    /// If one of the elements was taken by somebody unknown there is an order only if that was in this slot or before.
    pub(super) due: u32,
}

impl Proof {
    pub(super) fn of(lives: Vec<usize>, others: Vec<Step>) -> Self {
        Self { lives, others, due: u32::MAX }
    }
}

/// An order of all operations, as their places, or what proves that there is none. Neither if nobody can tell: an error
/// without a proof.
pub(super) type Arranged = Result<Vec<usize>, Vec<Proof>>;

impl Trace {
    /// What these operations did within these spans.
    pub(super) fn new(ops: &[ContainerOp], spans: &[Span]) -> Self {
        let (windows, end) = slots(spans);
        let mut trace = Self { end, is_whole: true, ..Self::default() };
        let mut deeds: Vec<Deed> = Vec::with_capacity(ops.len());
        for (op, &step) in ops.iter().zip(&windows) {
            match *op {
                ContainerOp::Put(element) => deeds.push(Deed { element, is_take: false, step }),
                ContainerOp::Took(element) => deeds.push(Deed { element, is_take: true, step }),
                ContainerOp::FoundNothing => trace.empties.push(step),
                ContainerOp::TookUnknown => trace.unknown.push(step),
            }
        }
        deeds.sort_unstable_by_key(|deed| (deed.element, deed.is_take, deed.step.from));
        for deeds in deeds.chunk_by(|one, other| one.element == other.element) {
            let (puts, takes) = deeds.split_at(deeds.partition_point(|deed| !deed.is_take));
            trace.add(puts, takes);
        }
        trace.lives.sort_unstable_by_key(|life| life.put.from);
        trace
    }

    /// Adds all that is done to one element.
    fn add(&mut self, puts: &[Deed], takes: &[Deed]) {
        let flaw = match (puts, takes) {
            // Nobody can see whether it happened.
            ([put], []) if put.step.until > self.end => return,
            ([put], []) => {
                let never = Step { from: self.end, until: self.end + 1, by: None };
                return self.lives.push(Life { element: put.element, put: put.step, take: never });
            }
            ([put], [take]) if put.step.from < take.step.until => {
                let (mut put, element) = (put.step, put.element);
                put.until = put.until.min(take.step.until);
                return self.lives.push(Life { element, put, take: later(take.step, put.from) });
            }
            ([put], [take]) => (Rule::TakenLater, vec![put, take]),
            ([put], [first, second, ..]) => (Rule::TakenOnce, vec![put, first, second]),
            ([], [take, ..]) => (Rule::TakenIsPut, vec![take]),
            ([] | [_, _, ..], _) => return self.is_whole = false,
        };
        self.is_whole = false;
        let (rule, deeds) = flaw;
        if holds(rule) {
            let others = deeds.into_iter().map(|deed| deed.step).collect();
            self.flaws.push(Proof::of(Vec::new(), others));
        }
    }

    /// An order of all operations, if one is found.
    pub(super) fn order<D: Discipline>(&self) -> Option<Vec<usize>> {
        if !self.is_whole {
            return None;
        }
        // By element that somebody unknown must have taken: the last slot for that, as far as is known.
        let mut taken: BTreeMap<usize, u32> =
            self.dues::<D>().into_iter().map(|due| (due.life, due.slot)).collect();
        for _ in 0..ROUNDS_MAX {
            let proofs = match D::arrange(&self.with_taken(&taken)?) {
                Ok(order) => return Some(order),
                Err(proofs) => proofs,
            };
            let before = taken.clone();
            for (proof, life) in proofs.iter().flat_map(|p| p.lives.iter().map(move |l| (p, *l))) {
                if self.lives.get(life).is_some_and(|life| !life.is_taken()) {
                    let due = taken.entry(life).or_insert(proof.due);
                    *due = proof.due.min(*due);
                }
            }
            if taken == before {
                return None;
            }
        }
        None
    }

    /// What somebody unknown must have taken, as far as that is known before an order is tried.
    fn dues<D: Discipline>(&self) -> Vec<Due> {
        let is_settled = self.unknown.is_empty() || self.lives.iter().all(Life::is_taken);
        if is_settled { Vec::new() } else { D::dues(self) }
    }

    /// As it would be if takes with an unknown result had taken these elements: the one that began first the one that is
    /// due first, and of those the one that was put in first. Nothing if there are too few.
    fn with_taken(&self, taken: &BTreeMap<usize, u32>) -> Option<Self> {
        let mut by_due: Vec<(u32, usize)> = taken.iter().map(|(life, due)| (*due, *life)).collect();
        by_due.sort_unstable();
        let mut trace = self.clone();
        let mut unknown = self.unknown.iter();
        for (_, place) in by_due {
            let life = trace.lives.get_mut(place)?;
            life.take = later(*unknown.next()?, life.put.from);
        }
        Some(trace)
    }

    /// Sets of operations that have no order, as places: some of those that end first, and last one that counts, which is
    /// large.
    pub(super) fn refutations<D: Discipline>(&self) -> Vec<Vec<usize>> {
        let mut proofs = self.flaws.clone();
        proofs.extend(D::arrange(&self.with_all_takeable()).err().into_iter().flatten());
        proofs.sort_by_cached_key(|proof| (self.end_of(proof), proof.lives.len()));
        proofs.truncate(PROOFS_MAX);
        proofs.extend(dues::shortage(self.dues::<D>(), self.unknown.iter().map(|take| take.from)));
        proofs.iter().map(|proof| self.shown(proof)).collect()
    }

    /// As it would be if every element that nobody is known to have taken could be taken by anybody unknown.
    fn with_all_takeable(&self) -> Self {
        let mut trace = self.clone();
        let Some(first) = self.unknown.first().filter(|_| holds(Rule::UnknownTakes)) else {
            return trace;
        };
        for life in trace.lives.iter_mut().filter(|life| !life.is_taken()) {
            life.take = later(Step { by: None, ..*first }, life.put.from);
        }
        trace
    }

    /// All that belongs to a proof.
    fn steps(&self, proof: &Proof) -> impl Iterator<Item = Step> {
        let lives = proof.lives.iter().filter_map(|life| self.lives.get(*life));
        lives.flat_map(|life| [life.put, life.take]).chain(proof.others.iter().copied())
    }

    /// Where the last of the operations of a proof ends that has an end.
    fn end_of(&self, proof: &Proof) -> u32 {
        let ends = self.steps(proof).map(|step| step.until).filter(|end| *end <= self.end);
        ends.max().unwrap_or(self.end)
    }

    /// The operations of a proof, as places. Where an element is that nobody is known to have taken, those belong to it
    /// who may have taken that: who began before the rest was over.
    fn shown(&self, proof: &Proof) -> Vec<usize> {
        let mut places: Vec<usize> = self.steps(proof).filter_map(|step| step.by).collect();
        if self.steps(proof).any(|step| step.by.is_none()) {
            let end = self.end_of(proof);
            let unknown = self.unknown.iter().take_while(|take| take.from < end);
            places.extend(unknown.filter_map(|take| take.by));
        }
        places.sort_unstable();
        places
    }

    /// For each of those who found nothing the first slot where there need not be anything, or what proves that there
    /// is none.
    pub(super) fn empty_moments(&self, proofs: &mut Vec<Proof>) -> Vec<u32> {
        let mut cover = Cover::new(self.end);
        for life in &self.lives {
            cover.add(life.core());
        }
        let mut moments = Vec::with_capacity(self.empties.len());
        for empty in &self.empties {
            let moment = cover.first_free(empty.from);
            if moment < empty.until || !holds(Rule::EmptyWhenEmpty) {
                moments.push(moment.min(empty.until - 1));
            } else if proofs.len() < PROOFS_MAX {
                let all = self.lives.iter().map(Life::core).enumerate();
                let lives = chain(all, (empty.from, empty.until));
                proofs.push(Proof::of(lives, vec![*empty]));
            }
        }
        moments
    }
}

fn later(step: Step, from: u32) -> Step {
    Step { from: step.from.max(from), ..step }
}

/// The spans in slots, and how many slots there are.
fn slots(spans: &[Span]) -> (Vec<Step>, u32) {
    let mut events: Vec<(u64, usize, bool)> = Vec::with_capacity(2 * spans.len());
    for (place, span) in spans.iter().enumerate() {
        events.push((span.call, place, false));
        events.extend(span.end.map(|end| (end, place, true)));
    }
    events.sort_unstable();
    let end = u32::try_from(events.len()).expect("a key has fewer than 2^31 operations");
    let step = |place| Step { from: 0, until: end + 1, by: Some(place) };
    let mut steps: Vec<Step> = (0..spans.len()).map(step).collect();
    for (slot, (_, place, is_end)) in (0..end).zip(events) {
        let Some(step) = steps.get_mut(place) else { continue };
        *if is_end { &mut step.until } else { &mut step.from } = slot;
    }
    (steps, end)
}

/// Operations by where they stand in an order.
#[derive(Debug)]
pub(super) struct Sequence<K>(Vec<(K, Option<usize>)>);

impl<K: Ord> Sequence<K> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds what somebody did, if it was anybody.
    pub(super) fn add(&mut self, at: K, by: Option<usize>) {
        self.0.push((at, by));
    }

    /// The places of the operations.
    pub(super) fn in_order(mut self) -> Vec<usize> {
        self.0.sort_unstable();
        self.0.into_iter().filter_map(|(_, by)| by).collect()
    }
}

/// So often elements are looked for that somebody unknown must have taken.
const ROUNDS_MAX: usize = 16;

/// More proofs that take time to find are not of use.
pub(super) const PROOFS_MAX: usize = 64;

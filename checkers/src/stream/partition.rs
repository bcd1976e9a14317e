//! The operations of one key, or of all where the model joins keys, as they come.
//!
//! A moment is decided once it is known what becomes of every operation that has begun until then: a read says what it saw
//! only when it ends, and may have seen it long before. So the frontier stands before the oldest open operation, and
//! whatever comes after it is kept. Where that becomes too much, nobody waits for that operation any more: it counts as one
//! without a known end, which allows more orders than there are. What is impossible then is impossible all the more; that
//! all is possible is not known any more, unless it never ends.
//!
//! From time to time the partition looks at what is kept as if nothing more were to come: operations that are open may
//! have happened or not. No order then means that there never will be one.

use std::sync::Arc;

use super::Limits;
use super::frontier::Stopped;
use super::position::{Held, Moment, Position, Record};
use super::violation::{self, Violation};
use crate::history::{Key, Operation, Outcome};
use crate::model::{Malformed, Model};

/// See above.
pub(super) struct Partition<'m, M: Model> {
    model: &'m M,
    pub(super) key: Option<Key>,
    limits: Limits,
    record: Record,
    now: Position<'m, M>,
    /// Where the record begins. Whatever began before that was known when what comes next happened.
    base: Position<'m, M>,
    /// Where it will begin, as soon as that holds there.
    next_base: Option<Position<'m, M>>,
    /// How many moments may be undecided before the partition looks at them.
    look_at: usize,
    pub(super) operations: u64,
    /// Why that all is possible would not be known.
    doubt: Option<String>,
}

/// How a partition ended, or why it is not followed any further.
#[derive(Debug)]
pub(super) enum Ended {
    Invalid(Box<Violation>),
    Unknown(String),
    Malformed(Malformed),
}

impl<'m, M: Model> Partition<'m, M> {
    pub(super) fn new(model: &'m M, key: Option<Key>, limits: Limits) -> Self {
        let now = Position::beginning(model);
        let base = now.clone();
        let (record, look_at) = (Record::default(), LOOK_AT_FIRST);
        let (next_base, operations, doubt) = (None, 0, None);
        Self { model, key, limits, record, now, base, next_base, look_at, operations, doubt }
    }

    /// An operation begins.
    pub(super) fn invoke(&mut self, operation: Operation) {
        self.operations += 1;
        let invoke = operation.invoke;
        let held = Held { operation: Arc::new(operation), is_given_up: false };
        self.record.held.insert(invoke, held);
        self.record.moments.push_back(Moment { index: invoke, invoke, is_end: false });
    }

    /// An operation has ended. The record keeps `stride` moments that are decided, if it can.
    pub(super) fn complete(&mut self, operation: Operation, stride: u64) -> Result<(), Ended> {
        let (invoke, index) = (operation.invoke, operation.complete.unwrap_or(operation.invoke));
        let Some(held) = self.record.held.get_mut(&invoke) else { return Ok(()) };
        let is_ok = operation.is_ok();
        held.operation = Arc::new(operation);
        if held.is_given_up {
            if held.operation.outcome != Outcome::Info {
                let why = format!(
                    "{} (index {invoke} to {index}) was open while {} others came: what became of it was not waited for",
                    self.model.describe(&held.operation),
                    self.limits.window
                );
                self.doubt.get_or_insert(why);
            }
            if invoke < self.first_index() {
                self.record.held.remove(&invoke);
            }
        } else if is_ok {
            self.record.moments.push_back(Moment { index, invoke, is_end: true });
        }
        self.settle(index)?;
        self.forget(stride);
        let undecided = self.undecided();
        if undecided < self.look_at {
            if undecided == 0 {
                self.look_at = LOOK_AT_FIRST;
            }
            return Ok(());
        }
        self.look_at = 2 * undecided;
        self.look(index)
    }

    /// Whether there is an order of all until the event `now`, if nothing more comes.
    pub(super) fn look(&mut self, now: u64) -> Result<(), Ended> {
        let mut ahead = self.now.clone();
        let followed = ahead.follow(self.model, &self.record, now, self.limits);
        match followed {
            Err((moment, Stopped::NoOrder)) => Err(self.violated(moment, now)),
            // There may be fewer when more is known.
            Ok(()) | Err((_, Stopped::Over(_))) => Ok(()),
            Err((_, Stopped::Malformed(malformed))) => Err(Ended::Malformed(malformed)),
        }
    }

    /// What is known when nothing more comes after the event `now`; nothing if there is an order.
    pub(super) fn finish(&mut self, now: u64) -> Result<(), Ended> {
        let mut ahead = self.now.clone();
        match ahead.follow(self.model, &self.record, now, self.limits) {
            Err((moment, stopped)) => Err(self.stopped(moment, stopped, now)),
            Ok(()) => self.doubt.take().map_or(Ok(()), |doubt| Err(Ended::Unknown(doubt))),
        }
    }

    /// How many moments are not decided yet.
    pub(super) fn undecided(&self) -> usize {
        usize::try_from(self.record.end() - self.now.next).unwrap_or(usize::MAX)
    }

    /// How many operations are kept, and how many configurations.
    pub(super) fn held(&self) -> (usize, usize) {
        let frontier = &self.now.frontier;
        (self.record.held.len() + frontier.crashed_count, frontier.configurations.len())
    }

    /// Decides as much as can be.
    fn settle(&mut self, now: u64) -> Result<(), Ended> {
        while let Some(moment) = self.record.moment(self.now.next) {
            let undecided = self.undecided();
            let Some(held) = self.record.held.get_mut(&moment.invoke) else { return Ok(()) };
            if !moment.is_end && !held.is_known() {
                if undecided <= self.limits.window {
                    return Ok(());
                }
                held.is_given_up = true;
            }
            let advanced = self.now.advance(self.model, moment, held, now, self.limits);
            advanced.map_err(|stopped| self.stopped(moment, stopped, now))?;
        }
        Ok(())
    }

    fn stopped(&self, moment: Moment, stopped: Stopped, now: u64) -> Ended {
        match stopped {
            Stopped::NoOrder => self.violated(moment, now),
            Stopped::Malformed(malformed) => Ended::Malformed(malformed),
            Stopped::Over(why) => {
                let index = moment.index;
                Ended::Unknown(format!("{why} at index {index}: it was not judged from there on"))
            }
        }
    }

    /// What is certain once there is no order after `moment` with what is known right after the event `now`.
    fn violated(&self, moment: Moment, now: u64) -> Ended {
        let Self { model, key, base, record, limits, .. } = self;
        let from = moment.index;
        let found = violation::first(*model, *key, base, record, from..=now, *limits);
        Ended::Invalid(Box::new(found))
    }

    /// Where the record begins.
    fn first_index(&self) -> u64 {
        self.record.moments.front().map_or(u64::MAX, |moment| moment.index)
    }

    /// Forgets what was decided long ago.
    fn forget(&mut self, stride: u64) {
        let next = self.record.moment(self.now.next).map_or(u64::MAX, |moment| moment.index);
        // Whatever is impossible from here on became so after all of that was known.
        if let Some(base) = self.next_base.take_if(|base| base.known < next) {
            while self.record.first < base.next
                && let Some(moment) = self.record.moments.pop_front()
            {
                self.record.first += 1;
                let held = self.record.held.get(&moment.invoke);
                let is_over = held.is_some_and(|held| {
                    held.operation.outcome != Outcome::Pending
                        && (moment.is_end || held.is_given_up || !held.operation.is_ok())
                });
                if is_over {
                    self.record.held.remove(&moment.invoke);
                }
            }
            self.base = base;
        }
        let decided = self.now.next - self.base.next;
        let is_time = decided >= stride && (self.now.is_quiescent() || decided >= 4 * stride);
        if is_time && self.next_base.is_none() {
            self.next_base = Some(self.now.clone());
        }
    }
}

/// With fewer moments undecided, looking at them brings nothing that waiting does not.
const LOOK_AT_FIRST: usize = 64;

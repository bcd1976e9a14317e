//! How far a partition is decided: a frontier, and what has begun and not ended there.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Limits;
use super::frontier::{Frontier, Stopped};
use crate::history::{Operation, Outcome};
use crate::model::Model;

/// Where an operation begins, or ends with a result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Of the event.
    pub(super) index: u64,
    /// Of the operation's invocation.
    pub(super) invoke: u64,
    pub(super) is_end: bool,
}

/// An operation as far as it is known.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) operation: Arc<Operation>,
    /// It is open for so long that nobody waits for its end any more: as if there was none.
    pub(super) is_given_up: bool,
}

impl Held {
    /// Whether it is known what becomes of it.
    pub(super) fn is_known(&self) -> bool {
        self.is_given_up || self.operation.outcome != Outcome::Pending
    }

    /// As it was known right after the event of this index.
    fn at(&self, index: u64) -> Arc<Operation> {
        let is_later = self.operation.complete.is_some_and(|end| end > index);
        if !is_later && !self.is_given_up {
            return Arc::clone(&self.operation);
        }
        Arc::new(Operation::clone(&self.operation).pending())
    }
}

/// What is known of the operations of a partition, from some event on.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) moments: VecDeque<Moment>,
    /// The number of the first of them, counted from the beginning.
    pub(super) first: u64,
    /// By invocation: those that have a moment there, and those that are open.
    pub(super) held: FxHashMap<u64, Held>,
}

impl Record {
    pub(super) fn moment(&self, number: u64) -> Option<Moment> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.moments.get(place).copied()
    }

    /// The number after the last one.
    pub(super) fn end(&self) -> u64 {
        self.first + self.moments.len() as u64
    }
}

/// See above.
pub(super) struct Position<'m, M: Model> {
    pub(super) frontier: Frontier<'m, M>,
    /// The places of those that are open, by invocation.
    places: FxHashMap<u64, u32>,
    /// The number of the next moment.
    pub(super) next: u64,
    /// The last event of an operation that has begun until here.
    pub(super) known: u64,
}

impl<M: Model> Clone for Position<'_, M> {
    fn clone(&self) -> Self {
        let Self { frontier, places, next, known } = self;
        Self { frontier: frontier.clone(), places: places.clone(), next: *next, known: *known }
    }
}

impl<'m, M: Model> Position<'m, M> {
    pub(super) fn beginning(model: &'m M) -> Self {
        Self { frontier: Frontier::new(model), places: FxHashMap::default(), next: 0, known: 0 }
    }

    /// Whether nothing is open that will end.
    pub(super) fn is_quiescent(&self) -> bool {
        self.places.is_empty()
    }

    /// The invocations of what is open.
    pub(super) fn open(&self) -> impl Iterator<Item = u64> {
        self.places.keys().copied()
    }

    /// Goes over the next moment, with what was known of its operation right after the event `until`. The frontier stays
    /// as it was where that is impossible.
    pub(super) fn advance(
        &mut self,
        model: &M,
        moment: Moment,
        held: &Held,
        until: u64,
        limits: Limits,
    ) -> Result<(), Stopped> {
        if moment.is_end {
            if let Some(place) = self.places.get(&moment.invoke) {
                self.frontier.end(*place, limits)?;
                self.places.remove(&moment.invoke);
            }
        } else {
            self.begin(model, held.at(until))?;
        }
        self.next += 1;
        Ok(())
    }

    fn begin(&mut self, model: &M, operation: Arc<Operation>) -> Result<(), Stopped> {
        self.known = self.known.max(operation.complete.unwrap_or(operation.invoke));
        let Some(op) = model.parse(&operation).map_err(Stopped::Malformed)? else { return Ok(()) };
        let keys = if M::JOINS_KEYS { model.keys(&operation).into() } else { Arc::default() };
        match operation.outcome {
            Outcome::Fail => {}
            Outcome::Info | Outcome::Pending => self.frontier.crash(op, operation, keys)?,
            Outcome::Ok(_) => {
                let place = self.frontier.begin(op, keys)?;
                self.places.insert(operation.invoke, place);
            }
        }
        Ok(())
    }

    /// Goes over all that happened until the event `until`, with what was known right after it; the moment at which
    /// that is impossible.
    pub(super) fn follow(
        &mut self,
        model: &M,
        record: &Record,
        until: u64,
        limits: Limits,
    ) -> Result<(), (Moment, Stopped)> {
        while let Some(moment) = record.moment(self.next).filter(|moment| moment.index <= until) {
            let Some(held) = record.held.get(&moment.invoke) else { return Ok(()) };
            self.advance(model, moment, held, until, limits)
                .map_err(|stopped| (moment, stopped))?;
        }
        Ok(())
    }
}

//! A stream that takes the events of a history as they are.

use super::{AnyStream, Limits, Streamed, Undecided, Violation};
use crate::history::{Event, Pairs, Part};
use crate::model::AnyModel;

/// Watches a history while it goes on.
pub struct Referee<'m> {
    stream: Box<dyn AnyStream + 'm>,
    pairs: Pairs,
}

impl<'m> Referee<'m> {
    /// One that judges by this model; nothing where the model has to see the whole history.
    pub fn new(model: &'m dyn AnyModel, limits: Limits) -> Option<Self> {
        Some(Self { stream: model.stream(limits)?, pairs: Pairs::default() })
    }

    /// Takes the next event of a history.
    pub fn take(&mut self, event: &Event) {
        match self.pairs.take(event) {
            Some(Part::Begun(operation)) => self.stream.invoke(operation),
            Some(Part::Ended(operation)) => self.stream.complete(operation),
            None => {}
        }
    }

    /// As [`AnyStream::look`].
    pub fn look(&mut self) {
        self.stream.look();
    }

    /// As [`AnyStream::violation`].
    pub fn violation(&self) -> Option<&Violation> {
        self.stream.violation()
    }

    /// As [`AnyStream::undecided`].
    pub fn undecided(&self) -> Vec<Undecided> {
        self.stream.undecided()
    }

    /// As [`AnyStream::is_over`].
    pub fn is_over(&self) -> bool {
        self.stream.is_over()
    }

    /// As [`AnyStream::finish`].
    pub fn finish(&mut self) -> Streamed {
        self.stream.finish()
    }
}

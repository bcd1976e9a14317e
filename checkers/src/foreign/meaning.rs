//! What events mean where the formats and their authors differ.

use super::{Event, Format, History, Kind, Operation, Outcome, Recorded};
use crate::history::{self, Value};
use crate::model::REFUSED;

/// How the operations on registers and texts are to be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What a failed `cas` says.
    pub refused_cas: RefusedCas,
    /// What a read says that returns nil.
    pub nil_reads: NilReads,
    /// What every register holds at first.
    pub initial: Value,
}

/// What a `cas` says that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedCas {
    /// It was done, and found something else than it expected. One that failed with an error says nothing.
    Observation,
    /// Nothing: it did not happen.
    Ignored,
}

/// What a read says that returns nil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NilReads {
    /// There is no value.
    Unset,
    /// Nothing: it does not tell what it saw.
    Wildcard,
}

impl Meaning {
    /// What those mean who write the format: Porcupine takes a log of Jepsen by the word, Knossos takes a nil for an
    /// unknown and a failure for nothing.
    pub fn of(format: Format) -> Self {
        let (refused_cas, nil_reads) = match format {
            Format::Log | Format::Quorate => (RefusedCas::Observation, NilReads::Unset),
            Format::Edn | Format::Json => (RefusedCas::Ignored, NilReads::Wildcard),
        };
        Self { refused_cas, nil_reads, initial: Value::Nil }
    }

    /// Turns refusals that say something into results.
    pub(super) fn apply(&self, history: &History, recorded: &mut Recorded) {
        if self.refused_cas == RefusedCas::Ignored {
            return;
        }
        for (operation, recorded) in history.operations().zip(&mut recorded.operations) {
            self.apply_to(&operation, recorded);
        }
    }

    /// Turns the operation into a result if it is a refusal that says something.
    pub(super) fn apply_to(&self, operation: &Operation<'_>, recorded: &mut history::Operation) {
        if self.refused_cas == RefusedCas::Observation && is_refused(operation) {
            recorded.outcome = history::Outcome::Ok(Value::Text(REFUSED.to_owned()));
        }
    }
}

/// Whether it is a `cas` that was done and found something else than it expected. Its end repeats what it was asked for:
/// in a log another value, such as `:timed-out`, is why it failed.
fn is_refused(operation: &Operation<'_>) -> bool {
    let repeats = |end: &Event| end.kind == Kind::Fail && end.value == *operation.input();
    let is_told = operation.complete.is_some_and(|(_, end)| repeats(end));
    is_told && operation.f() == "cas" && operation.outcome() == Outcome::Fail(None)
}

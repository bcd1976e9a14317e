//! Whether a foreign history is linearizable, while it is read.

use std::io::Read;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::history::{Half, Ledger};
use super::judge::{self, knows};
use super::recorded::Keys;
use super::source::Place;
use super::{Event, Events, Meaning, NamedKey, Operation, Problem, Process, ReadError, Unjudged};
use crate::history::Part;
use crate::stream::{self, Limits};

/// What was found of a foreign history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Streamed {
    /// The judgement. Indices in it are places of events, from 0.
    pub stream: stream::Streamed,
    /// Keys that have no number, or one that another key had before: by the numbers that stand for them.
    pub keys: Vec<NamedKey>,
}

/// Why there is no judgement.
#[derive(Debug, thiserror::Error)]
pub enum Unstreamed {
    /// The history cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// It cannot be judged as it was asked for.
    #[error(transparent)]
    Unjudged(#[from] Unjudged),
}

/// Judges a foreign history by the model of that name while it is read, up to the first violation. With `is_keyed`,
/// each value is a pair of a key and the value. `progress` is told the number of events now and then.
pub fn stream<R: Read>(
    events: Events<R>,
    model: &str,
    meaning: &Meaning,
    is_keyed: bool,
    limits: Limits,
    progress: &mut dyn FnMut(u64),
) -> Result<Streamed, Unstreamed> {
    let found = judge::model(model, meaning)?;
    let Some(mut stream) = found.stream(limits) else {
        let model = model.to_owned();
        return Err(Unstreamed::Unjudged(Unjudged::NoStream { model }));
    };
    let keys = Keys::default();
    let (ledger, open) = Default::default();
    let mut pairs = Pairs { model, meaning, is_keyed, ledger, keys, open };
    let mut refused = None;
    let read = events.each(&mut |event| {
        let place = Place { line: event.line, column: 1 };
        let left = || place.error(Problem::Left);
        match pairs.take(&event) {
            Ok(Some(Part::Begun(operation))) => stream.invoke(operation),
            Ok(Some(Part::Ended(operation))) => stream.complete(operation),
            Ok(None) => {}
            Err(Unstreamed::Unreadable(error)) => return Err(error),
            Err(Unstreamed::Unjudged(why)) => {
                refused = Some(why);
                return Err(left());
            }
        }
        if pairs.ledger.next().is_multiple_of(stream::PROGRESS_EVENTS) {
            progress(pairs.ledger.next() as u64);
        }
        if stream.is_over() { Err(left()) } else { Ok(()) }
    });
    match (read, refused) {
        (_, Some(why)) => Err(Unstreamed::Unjudged(why)),
        (Err(error), None) if !stream.is_over() => Err(Unstreamed::Unreadable(error)),
        (Ok(()) | Err(_), None) => {
            let keys = NamedKey::all(pairs.keys.renamed);
            Ok(Streamed { stream: stream.finish(), keys })
        }
    }
}

/// Operations that are open, to be paired with their ends.
struct Pairs<'a> {
    model: &'a str,
    meaning: &'a Meaning,
    is_keyed: bool,
    ledger: Ledger,
    keys: Keys,
    /// By client, with its place.
    open: FxHashMap<u64, (usize, Event)>,
}

impl Pairs<'_> {
    /// What the next event is of an operation, as the checkers know one.
    fn take(&mut self, event: &Event) -> Result<Option<Part>, Unstreamed> {
        let place = self.ledger.next();
        let Some(half) = self.ledger.admit(event)? else { return Ok(None) };
        let Process::Client(process) = event.process else { return Ok(None) };
        let invoke = match half {
            Half::Begins => (place, event.clone()),
            Half::Ends { .. } => match self.open.remove(&process) {
                Some(begun) => begun,
                None => return Ok(None),
            },
        };
        let complete = (half != Half::Begins).then_some((place, event));
        let operation = Operation { process, invoke: (invoke.0, &invoke.1), complete };
        knows(self.model, operation.f(), operation.line())?;
        let mut recorded = self.keys.recorded(&operation, self.is_keyed)?;
        self.meaning.apply_to(&operation, &mut recorded);
        if half == Half::Begins {
            self.open.insert(process, invoke);
            return Ok(Some(Part::Begun(recorded)));
        }
        Ok(Some(Part::Ended(recorded)))
    }
}

//! Events of which each can follow the ones before it.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::source::Place;
use super::{Datum, Event, Kind, Problem, Process, ReadError};

/// A foreign history: every completion has its invocation, and a client does one thing at a time. It may be empty.
#[derive(Clone, Debug, Default)]
pub struct History {
    events: Vec<Event>,
    /// The places of the beginning and of the end of each operation of a client.
    pairs: Vec<(usize, Option<usize>)>,
    ledger: Ledger,
}

impl PartialEq for History {
    fn eq(&self, other: &Self) -> bool {
        self.events == other.events
    }
}

impl Eq for History {}

impl History {
    /// Adds the next event.
    pub fn push(&mut self, event: Event) -> Result<(), ReadError> {
        let place = self.events.len();
        match self.ledger.admit(&event)? {
            Some(Half::Begins) => self.pairs.push((place, None)),
            Some(Half::Ends { begun }) => {
                let pair = self.pairs.binary_search_by_key(&begun, |(begin, _)| *begin);
                if let Some((_, end)) = pair.ok().and_then(|pair| self.pairs.get_mut(pair)) {
                    *end = Some(place);
                }
            }
            None => {}
        }
        self.events.push(event);
        Ok(())
    }

    /// All events in order, those of the nemesis too.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The operations of the clients, in the order of their invocations.
    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        self.pairs.iter().filter_map(|&(begin, end)| {
            let invoke = self.events.get(begin)?;
            let &Process::Client(process) = &invoke.process else { return None };
            let complete = end.and_then(|place| Some((place, self.events.get(place)?)));
            Some(Operation { process, invoke: (begin, invoke), complete })
        })
    }
}

/// What is known after some events, as far as the next one must agree with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// The place of the next event.
    next: usize,
    /// What each client has begun and not ended.
    open: FxHashMap<u64, Begun>,
    last_index: Option<u64>,
}

#[derive(Clone, Debug)]
struct Begun {
    place: usize,
    line: u64,
    f: Arc<str>,
}

/// What an event of a client is of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Begins,
    /// It ends the one that was begun at this place.
    Ends {
        begun: usize,
    },
}

impl Ledger {
    /// Takes the next event; what it is of an operation, if it is of one that a client does.
    pub(super) fn admit(&mut self, event: &Event) -> Result<Option<Half>, ReadError> {
        let half = self
            .half(event)
            .map_err(|problem| Place { line: event.line, column: 1 }.error(problem))?;
        self.next += 1;
        Ok(half)
    }

    /// The place of the next event.
    pub(super) fn next(&self) -> usize {
        self.next
    }

    fn half(&mut self, event: &Event) -> Result<Option<Half>, Problem> {
        if let Some(index) = event.index {
            if let Some(before) = self.last_index.filter(|before| *before >= index) {
                return Err(Problem::Disorder { index, before });
            }
            self.last_index = Some(index);
        }
        let Process::Client(process) = event.process else { return Ok(None) };
        let f = || event.f.to_string();
        if event.kind == Kind::Invoke {
            if let Some(open) = self.open.get(&process) {
                let (line, open) = (open.line, open.f.to_string());
                return Err(Problem::Open { process, f: f(), open, line });
            }
            let begun = Begun { place: self.next, line: event.line, f: Arc::clone(&event.f) };
            self.open.insert(process, begun);
            return Ok(Some(Half::Begins));
        }
        let Some(open) = self.open.get(&process) else {
            return Err(Problem::NotOpen { process, f: f(), kind: event.kind });
        };
        if open.f != event.f {
            let (line, open) = (open.line, open.f.to_string());
            return Err(Problem::OtherFunction { process, f: f(), open, line });
        }
        let begun = open.place;
        self.open.remove(&process);
        Ok(Some(Half::Ends { begun }))
    }
}

/// An invocation and what became of it. The numbers are places in the history, from 0.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// Who.
    pub process: u64,
    /// Its beginning.
    pub invoke: (usize, &'a Event),
    /// Its end, if there is one.
    pub complete: Option<(usize, &'a Event)>,
}

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It was done, with this result.
    Ok(&'a Datum),
    /// It was not done and never will be, for this reason if one is told.
    Fail(Option<&'a Datum>),
    /// Nobody knows, and it may have no end: it may have happened, or may still happen at any time.
    Unknown,
}

impl<'a> Operation<'a> {
    /// The function.
    pub fn f(&self) -> &'a str {
        &self.invoke.1.f
    }

    /// On what, where the history has a field for it.
    pub fn key(&self) -> Option<&'a Datum> {
        self.invoke.1.key.as_ref()
    }

    /// The argument.
    pub fn input(&self) -> &'a Datum {
        &self.invoke.1.value
    }

    /// What became of it.
    pub fn outcome(&self) -> Outcome<'a> {
        match self.complete {
            Some((_, end)) if end.kind == Kind::Ok => Outcome::Ok(&end.value),
            Some((_, end)) if end.kind == Kind::Fail => Outcome::Fail(end.error.as_ref()),
            Some(_) | None => Outcome::Unknown,
        }
    }

    /// The line that it begins in.
    pub fn line(&self) -> u64 {
        self.invoke.1.line
    }
}

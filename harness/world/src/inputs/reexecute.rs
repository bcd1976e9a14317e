//! Runs every core of a run again, from its inputs.

mod core;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use quorate_systems::contract::{
    ClientEffect, ClientInput, Effect, Incarnation, Input, Lie, LocalTime, Recovered, StartError,
    System,
};

use self::core::{Core, Ended, Waking};
use super::digest::Digest;
use super::entry::{Entry, Owner, Title};
use super::reader::{BadLog, Reader};
use crate::invariants::Who;
use quorate_systems::wal;

/// One log, and what it is called where something is wrong with it.
#[derive(Debug)]
pub struct Log<R> {
    /// The name of its file.
    pub name: String,
    /// What it must begin with.
    pub title: Title,
    /// Its bytes.
    pub source: R,
}

/// What a core did once more.
#[derive(Clone, Debug)]
pub struct Step<'a, S: System> {
    /// When it first did: nanoseconds on the clock that all logs of the run share.
    pub t: u64,
    /// Whose core.
    pub who: Who,
    /// In which of its lives.
    pub incarnation: Incarnation,
    /// The number of the entry in its log, from 1.
    pub entry: u64,
    /// What.
    pub what: What<'a, S>,
}

/// What happened to a core, and what came of it.
#[derive(Clone, Debug)]
pub enum What<'a, S: System> {
    /// A replica started from these.
    Started {
        /// What was on its disk.
        records: &'a [Recovered<S::Record>],
        /// What it wanted done.
        effects: &'a [Effect<S>],
    },
    /// A replica would not start.
    Refused(&'a StartError),
    /// A replica took an input.
    Took {
        /// The local clock.
        now: LocalTime,
        /// What it took.
        input: &'a Input<S::Message>,
        /// What it wanted done.
        effects: &'a [Effect<S>],
    },
    /// A client started.
    ClientStarted,
    /// A client took an input.
    ClientTook {
        /// The local clock.
        now: LocalTime,
        /// What it took.
        input: &'a ClientInput<S::Message>,
        /// What it wanted done.
        effects: &'a [ClientEffect<S>],
    },
    /// The core broke an assertion, at its start or at an input, and is gone.
    Panicked {
        /// What it said.
        text: &'a str,
    },
    /// The node lies so from here on, or no more.
    Lies(Option<Lie>),
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reexecution {
    /// How many cores there were.
    pub cores: u64,
    /// How many lives they had.
    pub lives: u64,
    /// How many inputs they took.
    pub inputs: u64,
    /// Lives that were cut off: of their last step, or their start, no digest was written.
    pub lives_cut: Vec<LifeCut>,
    /// The logs that end in the middle of an entry, by their names.
    pub logs_cut: Vec<String>,
    /// How often a core broke an assertion, as it did when it first ran.
    pub panics: u64,
    /// Where it went another way: nothing behind that was run again.
    pub mismatch: Option<Mismatch>,
}

/// A life of whose last step no digest was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifeCut {
    /// Whose.
    pub who: Who,
    /// Which.
    pub incarnation: Incarnation,
    /// Whether none follows.
    pub is_last: bool,
}

/// A step whose effects are not those that it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Whose.
    pub who: Who,
    /// In which of its lives.
    pub incarnation: Incarnation,
    /// The number of the entry in its log, from 1.
    pub entry: u64,
    /// What it took.
    pub input: String,
    /// What its effects were.
    pub expected: Digest,
    /// What they are.
    pub found: Found,
}

/// What a step came to that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Other effects.
    Effects(Digest),
    /// None: the core broke an assertion, and said this.
    Panic(String),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Effects(digest) => digest.fmt(f),
            Self::Panic(text) => write!(f, "a panic: {text}"),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, incarnation, entry, input, expected, found } = self;
        let life = incarnation.0;
        write!(
            f,
            "{who}, life {life}, entry {entry}, {input}: the effects were {expected}, and are {found}; the \
             program is not the one that ran, or its core is no pure function of its inputs"
        )
    }
}

/// Runs every core of `logs` again, in the order of time, as far as the first step whose effects are not those
/// that it had; `visit` is shown each step. Memory does not grow with the length of the logs.
///
/// A core that panics is caught, so that it may be wise to silence what the program does at a panic.
pub fn reexecute<S: System, R: Read>(
    logs: impl IntoIterator<Item = Log<R>>,
    config: &S::Config,
    visit: &mut dyn FnMut(&Step<'_, S>),
) -> Result<Reexecution, BadLog> {
    let sources = logs.into_iter().map(Source::open).collect::<Result<_, _>>()?;
    let run = Run { config, visit, sources, cores: BTreeMap::new(), done: Reexecution::default() };
    run.finish()
}

/// One log, with the entry that comes next.
struct Source<R> {
    name: String,
    owner: Owner,
    reader: Reader<R>,
    next: Option<Entry>,
    /// When the entry was written, or the last one before it that says so.
    t: u64,
}

impl<R: Read> Source<R> {
    fn open(log: Log<R>) -> Result<Self, BadLog> {
        let Log { name, title: expected, source } = log;
        let mut reader = Reader::new(name.clone(), source);
        let foreign = reader.title()?.and_then(|found| foreign(found, &expected));
        if let Some(why) = foreign {
            return Err(BadLog { log: name, offset: 0, why });
        }
        let next = reader.read()?;
        let t = next.as_ref().and_then(Entry::time).unwrap_or(0);
        Ok(Self { name, owner: expected.of, reader, next, t })
    }

    fn take(&mut self) -> Option<Entry> {
        self.next.take()
    }

    fn advance(&mut self) -> Result<(), BadLog> {
        self.next = self.reader.read()?;
        self.t = self.next.as_ref().and_then(Entry::time).unwrap_or(self.t);
        Ok(())
    }
}

/// Why a log that begins so is not the one that was to be read, if it is not.
fn foreign(found: &Title, expected: &Title) -> Option<String> {
    let (run, own) = (&found.run, &expected.run);
    if run.started != own.started {
        let (other, own) = (&run.started, &own.started);
        return Some(format!("it is of another run, begun at {other}, and not at {own}"));
    }
    if run.plan != own.plan {
        return Some("it is of another run, begun at the same time with another plan".to_owned());
    }
    let (other, own) = (found.of, expected.of);
    (other != own).then(|| format!("it is the log of {other}, in the place of that of {own}"))
}

/// A re-execution under way.
struct Run<'a, S: System, R> {
    config: &'a S::Config,
    visit: &'a mut dyn FnMut(&Step<'_, S>),
    sources: Vec<Source<R>>,
    cores: BTreeMap<Who, Life<S>>,
    done: Reexecution,
}

/// The present life of a core.
struct Life<S: System> {
    incarnation: Incarnation,
    core: Core<S>,
    /// A step whose digest has not been read yet.
    open: Option<OpenStep>,
}

struct OpenStep {
    entry: u64,
    /// The bytes of its input; `None` for a start.
    input: Option<Vec<u8>>,
    found: Found,
}

/// Where an entry stands.
#[derive(Clone, Copy)]
struct Place {
    t: u64,
    entry: u64,
}

impl<S: System, R: Read> Run<'_, S, R> {
    fn finish(mut self) -> Result<Reexecution, BadLog> {
        while let Some((source, entry)) = self.next() {
            self.take(source, entry)?;
            if self.done.mismatch.is_some() {
                return Ok(self.done);
            }
            if let Some(source) = self.sources.get_mut(source) {
                source.advance()?;
            }
        }
        let cut = self.sources.iter().filter(|source| source.reader.cut_bytes() > 0);
        self.done.logs_cut = cut.map(|source| source.name.clone()).collect();
        let lives = std::mem::take(&mut self.cores);
        for (who, life) in lives {
            self.bury(who, &life, true);
        }
        Ok(self.done)
    }

    /// The entry that was written first among those that come next, and in which log it stands.
    fn next(&mut self) -> Option<(usize, Entry)> {
        let heads = self.sources.iter().enumerate();
        let waiting = heads.filter(|(_, source)| source.next.is_some());
        let (place, _) = waiting.min_by_key(|(place, source)| (source.t, *place))?;
        let entry = self.sources.get_mut(place)?.take()?;
        Some((place, entry))
    }

    fn take(&mut self, source: usize, entry: Entry) -> Result<(), BadLog> {
        let Some(Source { reader, owner, t, .. }) = self.sources.get(source) else {
            return Ok(());
        };
        let place = Place { t: *t, entry: reader.entries() };
        let who = entry.who();
        let taken = if owner.is_of(who) {
            self.carry_out(place, entry)
        } else {
            Err(format!("it is about {who}, in the log of {owner}"))
        };
        taken.map_err(|why| {
            let reader = self.sources.get(source).map(|source| &source.reader);
            let entry = place.entry;
            let why = format!("entry {entry}, which ends here: {why}");
            reader.map(|reader| reader.bad(why)).expect("the log was read a moment ago")
        })
    }

    /// Does what an entry says; what is wrong with it if that makes no sense.
    fn carry_out(&mut self, place: Place, entry: Entry) -> Result<(), String> {
        let who = entry.who();
        match entry {
            Entry::Start { incarnation, entropy, now, keys, records, .. } => {
                let waking = Waking { who, incarnation, entropy, now, keys, left: records };
                self.begin_life(place, waking)
            }
            Entry::Found { record, .. } => {
                let record = wal::decode(&record).ok_or("it is no record")?;
                self.find(place, who, Recovered::Intact(record))
            }
            Entry::Corrupt { place: damage, .. } => {
                self.find(place, who, Recovered::Corrupt { place: damage })
            }
            Entry::Input { now, input, .. } => self.step(place, who, now, input),
            Entry::Did { effects, .. } => self.compare(who, effects),
            Entry::Lies { lie, .. } => {
                let incarnation = self.life(who)?.incarnation;
                let Place { t, entry } = place;
                (self.visit)(&Step { t, who, incarnation, entry, what: What::Lies(lie) });
                Ok(())
            }
        }
    }

    fn begin_life(&mut self, place: Place, waking: Waking) -> Result<(), String> {
        let Waking { who, incarnation, left, .. } = waking;
        let last = self.cores.get(&who).map(|life| life.incarnation);
        check_life(last, incarnation)?;
        let life =
            Life { incarnation, core: Core::Waking(Box::new(waking), Vec::new()), open: None };
        match self.cores.insert(who, life) {
            Some(before) => self.bury(who, &before, false),
            None => self.done.cores += 1,
        }
        self.done.lives += 1;
        if left == 0 { self.start(place, who) } else { Ok(()) }
    }

    fn find(&mut self, place: Place, who: Who, record: Recovered<S::Record>) -> Result<(), String> {
        let Core::Waking(waking, records) = &mut self.life(who)?.core else {
            return Err("a record is found by a core that has started".to_owned());
        };
        records.push(record);
        waking.left = waking.left.saturating_sub(1);
        if waking.left == 0 { self.start(place, who) } else { Ok(()) }
    }

    fn start(&mut self, place: Place, who: Who) -> Result<(), String> {
        let config = self.config;
        let life = self.cores.get_mut(&who).ok_or(UNBORN)?;
        let ended = life.core.start(config, place.step_of(who, life.incarnation), self.visit)?;
        self.done.panics += u64::from(ended.is_panic());
        life.open = Some(OpenStep::new(place, None, ended));
        Ok(())
    }

    fn step(
        &mut self,
        place: Place,
        who: Who,
        now: LocalTime,
        input: Vec<u8>,
    ) -> Result<(), String> {
        let life = self.cores.get_mut(&who).ok_or(UNBORN)?;
        if life.open.is_some() {
            return Err("the step before it has no digest".to_owned());
        }
        let about = place.step_of(who, life.incarnation);
        let ended = life.core.step(now, &input, about, self.visit)?;
        self.done.inputs += 1;
        self.done.panics += u64::from(ended.is_panic());
        life.open = Some(OpenStep::new(place, Some(input), ended));
        Ok(())
    }

    /// Compares the last step of a core with what it came to when it first ran.
    fn compare(&mut self, who: Who, expected: Digest) -> Result<(), String> {
        let life = self.life(who)?;
        let incarnation = life.incarnation;
        let Some(OpenStep { entry, input, found }) = life.open.take() else {
            return Err("a digest of nothing".to_owned());
        };
        if found != Found::Effects(expected) {
            let input = input.map_or("its start".to_owned(), |input| text_of::<S>(who, &input));
            let mismatch = Mismatch { who, incarnation, entry, input, expected, found };
            self.done.mismatch = Some(mismatch);
        }
        Ok(())
    }

    fn life(&mut self, who: Who) -> Result<&mut Life<S>, String> {
        self.cores.get_mut(&who).ok_or_else(|| UNBORN.to_owned())
    }

    /// A life is over.
    fn bury(&mut self, who: Who, life: &Life<S>, is_last: bool) {
        let is_cut = match (&life.core, &life.open) {
            (Core::Waking(..), _) => true,
            // A core that breaks an assertion leaves no digest, and nothing is missing.
            (_, Some(open)) => matches!(open.found, Found::Effects(_)),
            (_, None) => false,
        };
        if is_cut {
            let cut = LifeCut { who, incarnation: life.incarnation, is_last };
            self.done.lives_cut.push(cut);
        }
    }
}

/// Lives are counted from 1, and none is lived twice. One may be missing: that of a node which was killed while it
/// came up, before its core started.
fn check_life(last: Option<Incarnation>, next: Incarnation) -> Result<(), String> {
    let next = next.0;
    match last {
        None if next == 1 => Ok(()),
        None => Err(format!("the first life is number {next}")),
        Some(last) if next > last.0 => Ok(()),
        Some(last) => Err(format!("life {next} begins after life {}", last.0)),
    }
}

impl Place {
    const fn step_of(self, who: Who, incarnation: Incarnation) -> About {
        About { t: self.t, who, incarnation, entry: self.entry }
    }
}

/// A step before what it did is known.
#[derive(Clone, Copy)]
struct About {
    t: u64,
    who: Who,
    incarnation: Incarnation,
    entry: u64,
}

impl About {
    const fn did<S: System>(self, what: What<'_, S>) -> Step<'_, S> {
        let Self { t, who, incarnation, entry } = self;
        Step { t, who, incarnation, entry, what }
    }
}

impl OpenStep {
    fn new(place: Place, input: Option<Vec<u8>>, ended: Ended) -> Self {
        let found = match ended {
            Ended::Effects(digest) => Found::Effects(digest),
            Ended::Panicked(text) => Found::Panic(text),
        };
        Self { entry: place.entry, input, found }
    }
}

/// An input, for people.
fn text_of<S: System>(who: Who, input: &[u8]) -> String {
    let text = match who {
        Who::Node(_) => wal::decode::<Input<S::Message>>(input).map(|input| format!("{input:?}")),
        Who::Client(_) => {
            wal::decode::<ClientInput<S::Message>>(input).map(|input| format!("{input:?}"))
        }
    };
    text.unwrap_or_default()
}

const UNBORN: &str = "its core has not started";

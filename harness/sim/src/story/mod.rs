//! One run as a story: its steps in words, and its space-time diagram as text and as a picture.
//!
//! Time runs downwards, every client and node has a line of its own, and each message goes from line to line. The
//! story ends where somebody objects. It is made from a [`Tape`] alone, and the same tape gives the same bytes.

mod picture;
mod steps;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use quorate_plan::Endpoint;
use quorate_systems::contract::Command;

use crate::tape::{Event, Happened, Message, Operation, Tape};

/// A run, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    tape: Tape,
    part: Part,
    /// Kinds of observations that are told: what cores say with each message says nothing.
    rare: BTreeSet<&'static str>,
    /// The place of the first event that is told.
    begin: usize,
    objection: Objection,
}

/// Which part of a long run is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// From the first event that is not before this time, in microseconds; absent: as far back as there is room.
    pub since_us: Option<u64>,
    /// Up to the last event at this time; absent: up to the event that says what is broken.
    pub until_us: Option<u64>,
    /// No more messages than so many, the last ones.
    pub messages_max: usize,
    /// Only these clients, their operations and messages; absent: all.
    pub clients: Option<BTreeSet<u32>>,
}

impl Part {
    const WHOLE: Self =
        Self { since_us: None, until_us: None, messages_max: usize::MAX, clients: None };

    /// Whether somebody is told of.
    fn has(&self, end: Endpoint) -> bool {
        match (end, &self.clients) {
            (Endpoint::Client(client), Some(clients)) => clients.contains(&client),
            (Endpoint::Client(_) | Endpoint::Node(_), _) => true,
        }
    }

    fn has_message(&self, message: &Message) -> bool {
        self.has(message.from) && self.has(message.to)
    }
}

/// The place where an invariant or a checker objects.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Objection {
    /// How many events there are before it.
    end: usize,
    at_us: u64,
    demand: String,
    what: String,
    /// Whose doing it is, as far as that can be said.
    targets: Vec<String>,
}

impl Story {
    /// The story of a run that breaks `demand`. `what` says how, where no event of the run does: the checker of
    /// histories speaks when all is over.
    pub fn new(tape: Tape, demand: &str, what: &str) -> Self {
        Self::part(tape, demand, what, Part::WHOLE)
    }

    /// A part of the story of a long run, that in which things go wrong.
    pub fn part(tape: Tape, demand: &str, what: &str, part: Part) -> Self {
        let is_it = |event: &Event| matches!(&event.what, Happened::Violated(violation) if violation.demand == demand);
        let begun = tape.events.iter().position(|event| matches!(event.what, Happened::Invoked(_)));
        let later = tape.events.iter().skip(begun.unwrap_or_default()).position(is_it);
        let later = later.map(|place| place + begun.unwrap_or_default());
        let place = later.or_else(|| tape.events.iter().position(is_it));
        let after = |until: u64| tape.events.partition_point(|event| event.at_us <= until);
        let end = part.until_us.map(after).or(place).unwrap_or_else(|| after_last_word(&tape));
        let objection = match place.and_then(|place| tape.events.get(place)) {
            Some(Event { at_us, what: Happened::Violated(violation) }) => Objection {
                end,
                at_us: part.until_us.unwrap_or(*at_us),
                demand: demand.to_owned(),
                what: violation.what.clone(),
                targets: violation.targets.clone(),
            },
            _ => Objection {
                end,
                at_us: tape.events.iter().take(end).next_back().map_or(0, |event| event.at_us),
                demand: demand.to_owned(),
                what: what.to_owned(),
                targets: Vec::new(),
            },
        };
        let first = first_of(&tape, end, &part);
        let rare = rare(tape.events.iter().take(end).skip(first));
        Self { tape, part, rare, begin: first, objection }
    }

    /// What was recorded.
    pub const fn tape(&self) -> &Tape {
        &self.tape
    }

    /// What happens, one sentence a step, up to the objection, which is the last one. Messages that arrive as they
    /// should are no step.
    pub fn steps(&self) -> Vec<String> {
        steps::steps(self)
    }

    /// What cores told of themselves before the objection, the last so many, one a line with when and who.
    pub fn told(&self, lines_max: usize) -> String {
        let before = self.tape.events.iter().take(self.objection.end);
        let told = before.filter_map(|event| match &event.what {
            Happened::Observed { by, text, .. } => Some((event.at_us, *by, text)),
            _ => None,
        });
        let told: Vec<_> = told.collect();
        let last = told.iter().skip(told.len().saturating_sub(lines_max));
        last.fold(String::new(), |mut lines, (at_us, by, text)| {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{:>14} ms  {:<4} {text}", ms(*at_us), self.name(*by));
            lines
        })
    }

    /// The space-time diagram as text, about a hundred columns wide.
    pub fn text(&self) -> String {
        text::text(self)
    }

    /// The space-time diagram as a picture: an SVG document.
    pub fn svg(&self) -> String {
        picture::svg(self)
    }

    /// What happens up to the objection.
    fn events(&self) -> impl Iterator<Item = &Event> {
        let told = self.tape.events.iter().take(self.objection.end).skip(self.begin);
        told.filter(|event| self.is_told(&event.what))
    }

    fn is_told(&self, what: &Happened) -> bool {
        match what {
            Happened::Sent(place) | Happened::Arrived(place) | Happened::Missed(place) => {
                self.tape.messages.get(*place).is_some_and(|message| self.part.has_message(message))
            }
            Happened::Invoked(place) | Happened::Completed(place) => {
                let client = self.tape.operations.get(*place).map(|operation| operation.client);
                client.is_some_and(|client| self.part.has(Endpoint::Client(client)))
            }
            Happened::Observed { by, kind, .. } => self.part.has(*by) && self.rare.contains(kind),
            Happened::Started(_)
            | Happened::Crashed(_)
            | Happened::Fault(_)
            | Happened::Healed
            | Happened::Violated(_) => true,
        }
    }

    /// What happened before the part that is told.
    fn before(&self) -> impl Iterator<Item = &Event> {
        self.tape.events.iter().take(self.begin)
    }

    /// When the part that is told begins; 0 if nothing is left out.
    fn begin_us(&self) -> u64 {
        let first = self.tape.events.get(self.begin).filter(|_| self.begin > 0);
        first.map_or(0, |event| event.at_us)
    }

    /// The operations that go on while it is told.
    fn operations(&self) -> impl Iterator<Item = &Operation> {
        let (begin, end) = (self.begin_us(), self.objection.at_us);
        self.tape.operations.iter().filter(move |operation| {
            operation.from_us <= end
                && operation.to_us.is_none_or(|to| to >= begin)
                && self.part.has(Endpoint::Client(operation.client))
        })
    }

    /// Who has a part in it: clients, then nodes.
    fn cast(&self) -> Vec<Endpoint> {
        let mut clients: Vec<u32> = self.operations().map(|operation| operation.client).collect();
        let ends = self.events().filter_map(|event| match event.what {
            Happened::Sent(place) => self.tape.messages.get(place),
            _ => None,
        });
        for message in ends {
            for end in [message.from, message.to] {
                if let Endpoint::Client(client) = end {
                    clients.push(client);
                }
            }
        }
        clients.sort_unstable();
        clients.dedup();
        let clients = clients.into_iter().map(Endpoint::Client);
        clients.chain((0..self.tape.nodes).map(Endpoint::Node)).collect()
    }

    /// What somebody is called: the administrator is a client without a number.
    fn name(&self, end: Endpoint) -> String {
        if end == Endpoint::Client(self.tape.clients) {
            "admin".to_owned()
        } else {
            end.to_string()
        }
    }
}

/// Observations of a kind that comes more often are not told.
const RARE_MAX: usize = 24;

fn rare<'a>(events: impl Iterator<Item = &'a Event>) -> BTreeSet<&'static str> {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for event in events {
        if let Happened::Observed { kind, .. } = event.what {
            *counts.entry(kind).or_default() += 1;
        }
    }
    counts.into_iter().filter(|(_, count)| *count <= RARE_MAX).map(|(kind, _)| kind).collect()
}

/// The place of the first event of a part that ends at `end`.
fn first_of(tape: &Tape, end: usize, part: &Part) -> usize {
    let since =
        part.since_us.map_or(0, |since| tape.events.partition_point(|event| event.at_us < since));
    let mut room = part.messages_max;
    let told =
        tape.events.iter().enumerate().take(end).skip(since).rev().take_while(|(_, event)| {
            if let Happened::Sent(place) = event.what
                && tape.messages.get(place).is_some_and(|message| part.has_message(message))
            {
                let has_room = room > 0;
                room = room.saturating_sub(1);
                return has_room;
            }
            true
        });
    told.last().map_or(since.min(end), |(place, _)| place)
}

/// The place of the event after the end of the last operation of the test, or of the last of all if there is no other.
fn after_last_word(tape: &Tape) -> usize {
    let ends = |with_late: bool| {
        tape.events.iter().rposition(|event| match event.what {
            Happened::Completed(place) => {
                tape.operations.get(place).is_some_and(|done| with_late || !done.is_late)
            }
            _ => false,
        })
    };
    ends(false).or_else(|| ends(true)).map_or(tape.events.len(), |place| place + 1)
}

/// `read(k0)`, `write(k0, 1)`, `cas(k0, 1, 2)`, `txn(read(k0), append(k1, 3))`.
fn asked(operation: &Operation) -> String {
    call(&operation.command)
}

fn call(command: &Command) -> String {
    let f = command.function();
    match command {
        Command::Read { key } | Command::Delete { key } => format!("{f}(k{})", key.0),
        Command::Write { key, value }
        | Command::Append { key, value }
        | Command::Add { key, value }
        | Command::Propose { key, value } => format!("{f}(k{}, {})", key.0, value.0),
        Command::Cas { key, expected, value } => {
            format!("{f}(k{}, {}, {})", key.0, expected.0, value.0)
        }
        Command::Transaction(parts) => {
            let parts: Vec<String> = parts.iter().map(call).collect();
            format!("{f}({})", parts.join(", "))
        }
    }
}

/// Whether what it saw is more than that it is done.
fn shows_result(operation: &Operation) -> bool {
    matches!(
        operation.command,
        Command::Read { .. } | Command::Propose { .. } | Command::Transaction(_)
    )
}

/// Microseconds as milliseconds with three places.
fn ms(us: u64) -> String {
    format!("{}.{:03}", us / 1_000, us % 1_000)
}

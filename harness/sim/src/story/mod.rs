//! One run as a story: its steps in words, and its space-time diagram as text and as a picture.
//!
//! Time runs downwards, every client and node has a line of its own, and each message goes from line to line. The
//! story ends where somebody objects. It is made from a [`Tape`] alone, and the same tape gives the same bytes.

mod picture;
mod steps;
mod text;

use quorate_plan::Endpoint;
use quorate_systems::contract::Command;

use crate::tape::{Event, Happened, Tape};

/// A run, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    tape: Tape,
    objection: Objection,
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
        let is_it = |event: &Event| matches!(&event.what, Happened::Violated(violation) if violation.demand == demand);
        let begun = tape.events.iter().position(|event| matches!(event.what, Happened::Invoked(_)));
        let later = tape.events.iter().skip(begun.unwrap_or_default()).position(is_it);
        let later = later.map(|place| place + begun.unwrap_or_default());
        let place = later.or_else(|| tape.events.iter().position(is_it));
        let end = place.unwrap_or_else(|| after_last_word(&tape));
        let objection = match tape.events.get(end) {
            Some(Event { at_us, what: Happened::Violated(violation) }) if place.is_some() => {
                Objection {
                    end,
                    at_us: *at_us,
                    demand: demand.to_owned(),
                    what: violation.what.clone(),
                    targets: violation.targets.clone(),
                }
            }
            _ => Objection {
                end,
                at_us: tape.events.iter().take(end).next_back().map_or(0, |event| event.at_us),
                demand: demand.to_owned(),
                what: what.to_owned(),
                targets: Vec::new(),
            },
        };
        Self { tape, objection }
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
        self.tape.events.iter().take(self.objection.end)
    }

    /// Who has a part in it: clients, then nodes.
    fn cast(&self) -> Vec<Endpoint> {
        let mut clients: Vec<u32> =
            self.tape.operations.iter().map(|operation| operation.client).collect();
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
fn asked(operation: &crate::tape::Operation) -> String {
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
fn shows_result(operation: &crate::tape::Operation) -> bool {
    matches!(
        operation.command,
        Command::Read { .. } | Command::Propose { .. } | Command::Transaction(_)
    )
}

/// Microseconds as milliseconds with three places.
fn ms(us: u64) -> String {
    format!("{}.{:03}", us / 1_000, us % 1_000)
}

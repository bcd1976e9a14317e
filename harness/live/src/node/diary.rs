//! What a node tells of its core: to the file that the invariants are checked from, and to the harness.

use std::collections::BTreeSet;
use std::path::Path;

use quorate_plan::Endpoint;
use quorate_systems::contract::{Describe, Incarnation, Recovered, System, Ticket};
use quorate_world::gate::{Deed, Departure};

use super::ending::Ending;
use crate::observed::{Log, Seeing, Sight};
use crate::protocol::{NodeConfig, Notice};

/// Notes each step of a node's core before its effects are released.
#[derive(Debug)]
pub(super) struct Diary<S: System> {
    me: Endpoint,
    log: Option<Log>,
    /// The kinds of observations that the harness waits for.
    watched: BTreeSet<String>,
    /// What it has not been told yet.
    news: Vec<S::Observation>,
}

impl<S: System> Diary<S> {
    /// Goes on where an earlier life of the node left off.
    pub(super) fn open(config: &NodeConfig) -> Result<Self, Ending> {
        let open =
            |path: &Path| Log::open(path).map_err(|error| Ending::CannotStart(error.to_string()));
        Ok(Self {
            me: Endpoint::Node(config.node),
            log: config.observed.as_deref().map(open).transpose()?,
            watched: config.watched.clone(),
            news: Vec::new(),
        })
    }

    /// A step begins; the node reads its clock for it after this.
    pub(super) fn begin(&mut self) {
        if let Some(log) = &mut self.log {
            log.begin();
        }
    }

    /// The node comes up, and finds these on its disk.
    pub(super) fn boot(&mut self, incarnation: Incarnation, records: &[Recovered<S::Record>]) {
        self.begin();
        self.note(&Sight::Boot(incarnation));
        for record in records {
            match record {
                Recovered::Intact(record) => self.note(&Sight::Found(record)),
                Recovered::Corrupt { .. } => {}
            }
        }
    }

    /// All up to this ticket is durable.
    pub(super) fn durable(&mut self, ticket: Ticket) {
        self.note(&Sight::Durable(ticket));
    }

    /// This leaves the node.
    pub(super) fn sent(&mut self, departure: &Departure<S::Message>) {
        self.note(&match departure {
            Departure::Send { to, message } => Sight::Sent { to: Endpoint::Node(to.0), message },
            Departure::Reply { client, message } => {
                Sight::Sent { to: Endpoint::Client(client.0), message }
            }
        });
    }

    /// This is about to be done; departures are told by [`Diary::sent`], since a liar may change them.
    pub(super) fn deed(&mut self, deed: &Deed<S>) {
        match deed {
            Deed::Persist { ticket, record } => {
                self.note(&Sight::Persist { ticket: *ticket, record });
            }
            Deed::Observe(observation) => {
                self.note(&Sight::Observed(observation));
                if self.watched.contains(observation.kind()) {
                    self.news.push(observation.clone());
                }
            }
            Deed::Depart(_)
            | Deed::SetTimer { .. }
            | Deed::CancelTimer { .. }
            | Deed::Mark(_)
            | Deed::Ignore(_) => {}
        }
    }

    /// The node is told to lie: from here on it is not to be judged.
    pub(super) fn lies(&mut self) {
        self.begin();
        self.note(&Sight::Lies);
    }

    /// Puts what was noted into the file, in one piece.
    pub(super) fn write(&mut self) -> Result<(), Ending> {
        let written = self.log.as_mut().map_or(Ok(()), Log::write);
        written.map_err(|error| Ending::DiskFailed(error.to_string()))
    }

    /// What the harness waits for and has not been told.
    pub(super) fn news(&mut self) -> impl Iterator<Item = Notice> {
        self.news.drain(..).map(|observation| Notice::Observed {
            observation: serde_json::to_value(observation)
                .expect("observations can be written as JSON"),
        })
    }

    fn note(&mut self, saw: &Seeing<'_, S>) {
        if let Some(log) = &mut self.log {
            log.note::<S>(self.me, saw);
        }
    }
}

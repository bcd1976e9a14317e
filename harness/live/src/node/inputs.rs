//! What a node writes down of its core's inputs, so that the core can be run again.

use quorate_systems::contract::{Effect, Input, Lie, LocalTime, NodeId, Start, StartError, System};
use quorate_world::inputs::{self, Entry, Owner, Title};
use quorate_world::invariants::Who;
use serde::Serialize;

use super::ending::Ending;
use crate::inputs::{InputLog, LogError};
use crate::observed::now;
use crate::protocol::{InputsFile, NodeConfig};

/// The log of a node, if there is to be one.
#[derive(Debug)]
pub(super) struct Inputs {
    me: Who,
    log: Option<InputLog>,
}

impl Inputs {
    /// Goes on where an earlier life of the node left off.
    pub(super) fn open(config: &NodeConfig) -> Result<Self, Ending> {
        let me = NodeId(config.node);
        let log = config.inputs.as_ref().map(|InputsFile { path, run }| {
            InputLog::open(path, &Title { run: run.clone(), of: Owner::Node(me) })
        });
        let log = log.transpose().map_err(|error| Ending::CannotStart(error.to_string()))?;
        Ok(Self { me: Who::Node(me), log })
    }

    /// The core is about to start.
    pub(super) fn starts<S: System>(&mut self, start: &Start<S>) -> Result<(), Ending> {
        self.write(|_| inputs::start(now(), start))
    }

    /// The core refused to start.
    pub(super) fn refused(&mut self, error: &StartError) {
        let effects = inputs::of_refusal(error);
        // It is written when the log is closed; that the node ends says more than a log that cannot be written.
        let _ = self.add(&Entry::Did { who: self.me, effects });
    }

    /// The core is about to take an input.
    pub(super) fn takes<M: Serialize>(
        &mut self,
        local: LocalTime,
        input: &Input<M>,
    ) -> Result<(), Ending> {
        self.write(|me| vec![inputs::input(me, now(), local, input)])
    }

    /// The core's last step came to this. It is written with whatever is written next.
    pub(super) fn did<S: System>(&mut self, effects: &[Effect<S>]) -> Result<(), Ending> {
        if self.log.is_none() {
            return Ok(());
        }
        let effects = inputs::of_step(effects);
        self.add(&Entry::Did { who: self.me, effects }).map_err(|error| failed(&error))
    }

    /// The node is told to lie, or no more.
    pub(super) fn lies(&mut self, lie: Option<Lie>) -> Result<(), Ending> {
        self.write(|who| vec![Entry::Lies { who, t: now(), lie }])
    }

    fn add(&mut self, entry: &Entry) -> Result<(), LogError> {
        self.log.as_mut().map_or(Ok(()), |log| log.add(entry))
    }

    fn write(&mut self, entries: impl FnOnce(Who) -> Vec<Entry>) -> Result<(), Ending> {
        let Some(log) = &mut self.log else { return Ok(()) };
        for entry in entries(self.me) {
            log.add(&entry).map_err(|error| failed(&error))?;
        }
        log.write().map_err(|error| failed(&error))
    }
}

fn failed(error: &LogError) -> Ending {
    Ending::DiskFailed(error.to_string())
}

//! One core that is run again.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use quorate_systems::contract::{
    Client, ClientEffect, ClientInput, ClientStart, Effect, Incarnation, Input, Keyring, LocalTime,
    Outbox, Recovered, Replica, Start, System,
};

use super::super::digest::{Digest, of_client_step, of_refusal, of_step};
use super::{About, Step, What};
use crate::invariants::Who;
use quorate_systems::wal;

/// A core in one of its lives.
pub(super) enum Core<S: System> {
    /// It has not all that it starts from.
    Waking(Box<Waking>, Vec<Recovered<S::Record>>),
    /// A replica that is up.
    Replica(S::Replica, Outbox<S>),
    /// A client that is up.
    Client(S::Client),
    /// It refused to start, or broke an assertion.
    Gone,
}

/// What a core starts from, besides the records on its disk.
#[derive(Debug)]
pub(super) struct Waking {
    pub(super) who: Who,
    pub(super) incarnation: Incarnation,
    pub(super) entropy: u64,
    pub(super) now: LocalTime,
    pub(super) keys: Keyring,
    /// How many records are still to come.
    pub(super) left: u64,
}

/// How a step ended.
pub(super) enum Ended {
    Effects(Digest),
    Panicked(String),
}

impl Ended {
    pub(super) const fn is_panic(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }
}

type Visit<'a, S> = dyn FnMut(&Step<'_, S>) + 'a;

impl<S: System> Core<S> {
    /// Starts it, once it has all that it starts from.
    pub(super) fn start(
        &mut self,
        config: &S::Config,
        about: About,
        visit: &mut Visit<'_, S>,
    ) -> Result<Ended, String> {
        let Self::Waking(waking, records) = std::mem::replace(self, Self::Gone) else {
            return Err("it has started already".to_owned());
        };
        let started = catch_unwind(AssertUnwindSafe(|| match waking.who {
            Who::Node(me) => {
                let Waking { incarnation, entropy, now, keys, .. } = *waking;
                let config = config.clone();
                let found = records.clone();
                let start = Start { me, incarnation, config, keys, entropy, now, records: found };
                let mut outbox = Outbox::default();
                let started = S::Replica::start(start, &mut outbox);
                let effects: Vec<_> = outbox.drain().collect();
                started.map(|replica| (Self::Replica(replica, outbox), effects))
            }
            Who::Client(me) => {
                let Waking { incarnation, entropy, keys, .. } = *waking;
                let config = config.clone();
                let start = ClientStart { me, incarnation, config, keys, entropy };
                Ok((Self::Client(S::Client::start(start)), Vec::new()))
            }
        }));
        Ok(match started {
            Ok(Ok((core, effects))) => {
                visit(&about.did(match &core {
                    Self::Client(_) => What::ClientStarted,
                    Self::Replica(..) | Self::Waking(..) | Self::Gone => {
                        What::Started { records: &records, effects: &effects }
                    }
                }));
                *self = core;
                Ended::Effects(of_step(&effects))
            }
            Ok(Err(error)) => {
                visit(&about.did(What::Refused(&error)));
                Ended::Effects(of_refusal(&error))
            }
            Err(panic) => panicked(&*panic, about, visit),
        })
    }

    /// Gives it an input; how the step ended.
    pub(super) fn step(
        &mut self,
        now: LocalTime,
        input: &[u8],
        about: About,
        visit: &mut Visit<'_, S>,
    ) -> Result<Ended, String> {
        const NO_INPUT: &str = "it is no input of this system";
        match self {
            Self::Replica(replica, outbox) => {
                let input: Input<S::Message> = wal::decode(input).ok_or(NO_INPUT)?;
                let taken = input.clone();
                let stepped = catch_unwind(AssertUnwindSafe(|| replica.step(now, taken, outbox)));
                let effects: Vec<Effect<S>> = outbox.drain().collect();
                if let Err(panic) = stepped {
                    *self = Self::Gone;
                    return Ok(panicked(&*panic, about, visit));
                }
                visit(&about.did(What::Took { now, input: &input, effects: &effects }));
                Ok(Ended::Effects(of_step(&effects)))
            }
            Self::Client(client) => {
                let input: ClientInput<S::Message> = wal::decode(input).ok_or(NO_INPUT)?;
                let taken = input.clone();
                let mut effects: Vec<ClientEffect<S>> = Vec::new();
                let stepped =
                    catch_unwind(AssertUnwindSafe(|| client.step(now, taken, &mut effects)));
                if let Err(panic) = stepped {
                    *self = Self::Gone;
                    return Ok(panicked(&*panic, about, visit));
                }
                visit(&about.did(What::ClientTook { now, input: &input, effects: &effects }));
                Ok(Ended::Effects(of_client_step(&effects)))
            }
            Self::Waking(..) => Err("its core has not found all its records".to_owned()),
            Self::Gone => Err("its core is gone".to_owned()),
        }
    }
}

fn panicked<S: System>(panic: &(dyn Any + Send), about: About, visit: &mut Visit<'_, S>) -> Ended {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a text");
    visit(&about.did(What::Panicked { text }));
    Ended::Panicked(text.to_owned())
}

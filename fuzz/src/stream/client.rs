//! A client and the servers around it, which are nothing but bytes.

use std::rc::Rc;

use quorate_systems::contract::{
    Client, ClientEffect, ClientId, ClientInput, ClientStart, Incarnation, LocalTime, NodeId,
    TimerId,
};
use quorate_world::invariants::Who;

use super::bench::Machine;
use super::expected::Expected;
use super::pool::Pool;
use super::step::{Dice, Header, Step};
use super::trail::Trail;
use super::{CLIENTS, Cluster, Model as _, NoModel, Scope, Streamed};
use crate::commands::{Choice, command};
use crate::coverage;

/// A second opinion on what a client does.
pub trait ClientModel<S: Streamed>: Sized {
    /// A model of nothing yet.
    fn new() -> Self;

    /// From here on of a client that begins its life `incarnation`.
    fn reset(&mut self, cluster: &Cluster<S>, me: ClientId, incarnation: u64);

    /// The client takes an input: says what must come of it.
    fn step(&mut self, input: &ClientInput<S::Message>, expected: &mut Expected<S>);

    /// The client has sent what it should: for what a model cannot know before, a signature.
    fn has_sent(&mut self, message: &S::Message);

    /// Whether the client may choose these nodes to send `message` to.
    fn may_choose(&mut self, message: &S::Message, nodes: u64) -> bool;

    /// As [`super::Model::state`].
    fn state(&self) -> u64;
}

impl<S: Streamed> ClientModel<S> for NoModel {
    fn new() -> Self {
        Self
    }

    fn reset(&mut self, _cluster: &Cluster<S>, _me: ClientId, _incarnation: u64) {}

    fn step(&mut self, _input: &ClientInput<S::Message>, expected: &mut Expected<S>) {
        expected.know_nothing();
    }

    fn has_sent(&mut self, _message: &S::Message) {}

    fn may_choose(&mut self, _message: &S::Message, _nodes: u64) -> bool {
        true
    }

    fn state(&self) -> u64 {
        0
    }
}

/// A client with its timers and its past.
pub(super) struct ClientMachine<S: Streamed> {
    cluster: Rc<Cluster<S>>,
    me: ClientId,
    /// It does nothing but change the system.
    is_administrator: bool,
    has_twin: bool,
    incarnation: u64,
    now: u64,
    client: Option<S::Client>,
    twin: Option<S::Client>,
    effects: Vec<ClientEffect<S>>,
    /// Timers, each with the time that it fires at the latest.
    timers: Vec<(TimerId, u64, u64)>,
    is_open: bool,
    heard: Pool<S::Message>,
    said: Pool<S::Message>,
    steps: u64,
    model: S::ClientModel,
    /// Of no replica: there is none here.
    nobody: S::Model,
    expected: Expected<S>,
    trail: Trail,
}

impl<S: Streamed> Machine<S> for ClientMachine<S> {
    fn new(cluster: &Rc<Cluster<S>>) -> Self {
        Self {
            cluster: cluster.clone(),
            me: ClientId(0),
            is_administrator: false,
            has_twin: false,
            incarnation: 0,
            now: 0,
            client: None,
            twin: None,
            effects: Vec::new(),
            timers: Vec::new(),
            is_open: false,
            heard: Pool::new(),
            said: Pool::new(),
            steps: 0,
            model: S::ClientModel::new(),
            nobody: S::Model::new(),
            expected: Expected::new(),
            trail: Trail::default(),
        }
    }

    fn begin(&mut self, header: Header, trail: &Trail) {
        self.reset(header);
        self.trail = trail.clone();
        self.trail.note(|| format!("{} of {}", self.me, self.cluster));
        self.trail.end_line();
    }

    fn next(&mut self, step: Step) {
        self.now += 1_000;
        self.take(step);
        self.steps += 1;
        coverage::reached(self.model.state());
        self.trail.end_line();
    }

    /// Clients hear of nodes only.
    fn hears(&self, step: Step) -> Option<(Who, S::Message)> {
        let (from, message) = match step {
            Step::Forged(dice) => S::forge(&self.scope(), dice),
            Step::Answered(place, dice) => {
                let said = self.said.get(place)?;
                let from = NodeId(u16::from(dice.who) % self.cluster.nodes);
                let message = S::answer(&self.scope(), &said.message, from, dice)?;
                (Who::Node(from), message)
            }
            Step::Again(place) => {
                let spoken = self.heard.get(place)?;
                (spoken.from, spoken.message.clone())
            }
            Step::Changed(place, dice) => {
                let mut spoken = self.heard.get(place)?.clone();
                S::alter(&self.scope(), spoken.from, &mut spoken.message, dice);
                (spoken.from, spoken.message)
            }
            Step::Invoked(_)
            | Step::Timer(..)
            | Step::Synced(_)
            | Step::Crash(_)
            | Step::Dies(..)
            | Step::Checkpoint
            | Step::Damaged(_)
            | Step::Hear
            | Step::GivenUp => return None,
        };
        matches!(from, Who::Node(_)).then_some((from, message))
    }

    fn is_behind(&self) -> bool {
        false
    }
}

impl<S: Streamed> ClientMachine<S> {
    fn reset(&mut self, header: Header) {
        self.is_administrator = header.me == 7 && !self.cluster.changes.is_empty();
        self.me = ClientId(u32::from(header.me) % CLIENTS);
        self.has_twin = header.has_twin;
        self.incarnation = 0;
        self.now = 0;
        self.heard.clear();
        self.said.clear();
        self.steps = 0;
        self.start();
    }

    /// It begins a new life, and remembers nothing.
    fn start(&mut self) {
        self.incarnation += 1;
        self.effects.clear();
        self.timers.clear();
        self.is_open = false;
        let place = usize::try_from(self.me.0).expect("one of a few");
        let ring = self.cluster.keys.as_ref().and_then(|keys| keys.clients.get(place));
        let start = ClientStart {
            me: self.me,
            incarnation: Incarnation(self.incarnation),
            config: self.cluster.config.clone(),
            keys: ring.cloned().unwrap_or_default(),
            entropy: self.incarnation,
        };
        self.twin = self.has_twin.then(|| S::Client::start(start.clone()));
        self.client = Some(S::Client::start(start));
        self.model.reset(&self.cluster, self.me, self.incarnation);
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Invoked(dice) => self.invoke(dice),
            Step::Forged(_) | Step::Answered(..) | Step::Again(_) | Step::Changed(..) => {
                if let Some((Who::Node(from), message)) = self.hears(step) {
                    self.deliver(from, message);
                }
            }
            Step::Timer(place, when) => self.fire(place, when),
            Step::GivenUp => {
                // An administrator is never given up.
                if self.is_open && !self.is_administrator {
                    self.trail.note(|| String::from("it gives up"));
                    self.is_open = false;
                    self.step(ClientInput::GiveUp);
                }
            }
            Step::Crash(_) => {
                self.trail.note(|| String::from("it begins a new life"));
                self.start();
            }
            // A replica's matters.
            Step::Synced(_) | Step::Dies(..) | Step::Checkpoint | Step::Damaged(_) | Step::Hear => {
            }
        }
    }

    fn scope(&self) -> Scope<'_, S> {
        Scope {
            cluster: &self.cluster,
            me: None,
            heard: &self.heard,
            said: &self.said,
            model: &self.nobody,
            serial: self.steps + 1,
        }
    }

    /// An operation at a time.
    fn invoke(&mut self, dice: Dice) {
        if self.is_open {
            return;
        }
        let changes = self.cluster.changes.len();
        let input = if self.is_administrator {
            let place = usize::from(dice.kind).checked_rem(changes);
            let options = place.and_then(|place| self.cluster.changes.get(place));
            ClientInput::Reconfigure(options.cloned().unwrap_or_default())
        } else {
            let choice = Choice { function: dice.kind, data: dice.data, parts: dice.name };
            ClientInput::Invoke(command(S::functions(&self.cluster.config), choice))
        };
        self.trail.note(|| format!("it is asked to {input:?}"));
        self.is_open = true;
        self.step(input);
    }

    fn deliver(&mut self, from: NodeId, message: S::Message) {
        self.trail.note(|| format!("{from} sends {message}"));
        self.heard.push(Who::Node(from), message.clone());
        self.step(ClientInput::Message { from, message });
    }

    fn fire(&mut self, place: u8, when: u8) {
        let Some(place) = usize::from(place).checked_rem(self.timers.len()) else { return };
        let (id, from, until) = self.timers.swap_remove(place);
        let due = from + (until - from) * u64::from(when) / u64::from(u8::MAX);
        self.now = self.now.max(due);
        self.trail.note(|| format!("timer {} fires", id.0));
        self.step(ClientInput::Timer(id));
    }

    fn step(&mut self, input: ClientInput<S::Message>) {
        let Some(client) = &mut self.client else { return };
        self.expected.clear();
        self.model.step(&input, &mut self.expected);
        let now = LocalTime(self.now);
        let mut effects = std::mem::take(&mut self.effects);
        if let Some(twin) = &mut self.twin {
            let mut others = Vec::new();
            twin.step(now, input.clone(), &mut others);
            client.step(now, input, &mut effects);
            assert_eq!(others, effects, "equal inputs, other effects");
        } else {
            client.step(now, input, &mut effects);
        }
        for effect in effects.drain(..) {
            self.perform(effect);
        }
        self.effects = effects;
        let Self { expected, model, .. } = self;
        expected.is_over(|message, nodes| model.may_choose(message, nodes));
        assert!(
            !self.is_open || !self.timers.is_empty(),
            "an operation is open, and no timer is set: it would wait for ever"
        );
    }

    fn perform(&mut self, effect: ClientEffect<S>) {
        match effect {
            ClientEffect::Send { to, message } => {
                assert!(to.0 < self.cluster.nodes, "sent to {to}, which there is not: {message}");
                self.trail.note(|| format!(" | to {to} {message}"));
                self.expected.on_send(to, &message, 0);
                self.model.has_sent(&message);
                if self.said.last().is_none_or(|last| last.message != message) {
                    self.said.push(Who::Client(self.me), message);
                }
            }
            ClientEffect::Complete(outcome) => {
                self.trail.note(|| format!(" | {outcome:?}"));
                assert!(self.is_open, "nothing is open, and it ends: {outcome:?}");
                self.is_open = false;
                self.expected.on_end(&outcome);
            }
            ClientEffect::SetTimer { id, min, max } => {
                assert!(min <= max, "a timer must fire between {min:?} and {max:?}");
                self.timers.retain(|(other, ..)| *other != id);
                self.timers.push((id, self.now + min.0, self.now + max.0));
            }
            ClientEffect::CancelTimer { id } => self.timers.retain(|(other, ..)| *other != id),
            // The invariants speak of nodes.
            ClientEffect::Observe(_) => {}
            ClientEffect::Mark(milestone) => self.trail.note(|| format!(" | {}", milestone.0)),
            ClientEffect::Ignore(why) => self.trail.note(|| format!(" | ignored: {}", why.0)),
        }
    }
}

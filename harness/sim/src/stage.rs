//! What all of a run's cores share: the time, the queue, the network, and whoever watches.

use quorate_plan::{Endpoint, Plan, Weather};
use quorate_systems::contract::{
    ClientId, ClientStart, Incarnation, Keyring, LocalTime, Micros, NodeId, Recovered, Start,
    TimerId,
};
use quorate_world::invariants::{Watched, Who};
use quorate_world::moments::Moments;
use quorate_world::weather::{self, Purpose};

use crate::event::Event;
use crate::keys::Keys;
use crate::network::{Flight, Network};
use crate::prompt;
use crate::queue::{Queue, QueueKind};
use crate::repeats::Repeats;
use crate::witness::{Checks, Witness};

pub(crate) struct Stage<S: Watched> {
    /// Virtual time, in microseconds since the first operation.
    pub(crate) now: u64,
    pub(crate) queue: Queue,
    pub(crate) network: Network<S>,
    pub(crate) witness: Witness<S>,
    /// Whose core is taking a step: who is to blame if it panics.
    pub(crate) acting: Option<Who>,
    pub(crate) config: Option<S::Config>,
    keys: Keys,
    timers: Purpose,
    syncs: Purpose,
    entropy: Purpose,
    weather: Weather,
    /// How often a timer was set and a disk synced.
    repeats: Repeats,
}

impl<S: Watched> Stage<S> {
    pub(crate) fn new(queue: QueueKind) -> Self {
        Self {
            now: 0,
            queue: Queue::new(queue),
            network: Network::new(),
            witness: Witness::new(),
            acting: None,
            config: None,
            keys: Keys::default(),
            timers: Purpose::new(0, "timer"),
            syncs: Purpose::new(0, "sync"),
            entropy: Purpose::new(0, "entropy"),
            weather: Weather::CALM,
            repeats: Repeats::new(),
        }
    }

    /// Begins a run. `clients` counts the administrator.
    pub(crate) fn reset(
        &mut self,
        plan: &Plan,
        clients: u32,
        config: &S::Config,
        (checks, mut moments): (Checks, Moments),
    ) {
        self.now = 0;
        self.acting = None;
        self.queue.reset();
        self.network.reset(plan, clients, &mut moments, self.witness.tape.is_some());
        self.witness.reset(checks, config, moments);
        if let Some(prompt) = prompt::of(plan) {
            self.witness.promise(prompt);
        }
        self.config = Some(config.clone());
        self.keys.provide(S::signs(config), plan.system.nodes, clients);
        self.timers = Purpose::new(plan.seed, "timer");
        self.syncs = Purpose::new(plan.seed, "sync");
        self.entropy = Purpose::new(plan.seed, "entropy");
        self.weather = plan.weather.unwrap_or_default();
        self.repeats.reset();
    }

    /// Calm weather from here on, at disks as well.
    pub(crate) fn calm(&mut self) {
        self.network.calm();
        self.weather.sync_min_us = self.weather.sync_min_us.min(Weather::CALM.sync_min_us);
        self.weather.sync_max_us = self.weather.sync_max_us.min(Weather::CALM.sync_max_us);
    }

    #[inline]
    pub(crate) fn send(&mut self, from: Who, to: Who, message: S::Message) {
        let flight = Flight { from, to, at: self.now, message };
        self.network.send(self.now, &mut self.queue, &mut self.witness, flight);
    }

    /// What a liar says leaves it, after `delay_us`.
    pub(crate) fn send_late(&mut self, from: Who, to: Who, message: S::Message, delay_us: u64) {
        if delay_us == 0 {
            return self.send(from, to, message);
        }
        let at = self.now + delay_us;
        let slot = self.network.park(Flight { from, to, at, message });
        self.queue.push(at, Event::Depart(slot));
    }

    /// What was kept back leaves.
    pub(crate) fn depart(&mut self, slot: u32) {
        if let Some(flight) = self.network.unpark(slot) {
            self.network.send(self.now, &mut self.queue, &mut self.witness, flight);
        }
    }

    /// How long after its setting a timer fires.
    #[inline]
    pub(crate) fn draw_timer(
        &mut self,
        of: Endpoint,
        id: TimerId,
        min: Micros,
        max: Micros,
    ) -> u64 {
        let key = self.timers.draw([place(of), id.0]);
        let draw = Purpose::of(key).draw([self.repeats.count(key)]);
        weather::between(draw, min.0, max.0)
    }

    /// How long a sync of this disk takes.
    #[inline]
    pub(crate) fn draw_sync(&mut self, slot: u16) -> u64 {
        let Weather { sync_min_us, sync_max_us, .. } = self.weather;
        if sync_min_us == sync_max_us {
            return sync_min_us;
        }
        let key = self.syncs.draw([u64::from(slot)]);
        let draw = Purpose::of(key).draw([self.repeats.count(key), self.now]);
        weather::between(draw, sync_min_us, sync_max_us)
    }

    /// What somebody can sign with, and verify.
    pub(crate) fn keys_of(&self, who: Who) -> Keyring {
        match who {
            Who::Node(node) => self.keys.of_node(node),
            Who::Client(client) => self.keys.of_client(client),
        }
    }

    /// What a replica starts from.
    pub(crate) fn start_of(
        &self,
        me: NodeId,
        incarnation: Incarnation,
        slot: u16,
        records: Vec<Recovered<S::Record>>,
    ) -> Start<S> {
        Start {
            me,
            incarnation,
            config: self.config().clone(),
            keys: self.keys.of_node(me),
            entropy: self.entropy.draw([1, u64::from(slot), incarnation.0]),
            now: LocalTime(0),
            records,
        }
    }

    /// What a client starts from.
    pub(crate) fn start_of_client(&self, me: ClientId) -> ClientStart<S> {
        ClientStart {
            me,
            incarnation: Incarnation(1),
            config: self.config().clone(),
            keys: self.keys.of_client(me),
            entropy: self.entropy.draw([2, u64::from(me.0), 1]),
        }
    }

    /// What the lies of a client are drawn from.
    pub(crate) fn client_liar_seed(&self, me: ClientId) -> u64 {
        self.entropy.draw([3, u64::from(me.0), 1])
    }

    pub(crate) fn config(&self) -> &S::Config {
        self.config.as_ref().expect("a run has begun")
    }
}

#[inline]
const fn place(end: Endpoint) -> u64 {
    match end {
        Endpoint::Node(node) => node as u64,
        Endpoint::Client(client) => 1 << 32 | client as u64,
    }
}

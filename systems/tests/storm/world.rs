//! The storm: nodes, clients, disks, links and clocks, in virtual time.

use std::collections::{BTreeMap, BTreeSet};

use quorate_systems::contract::{
    After, Client, ClientEffect, ClientId, ClientInput, ClientStart, Command, Describe, Effect,
    Incarnation, Input, Key, Keyring, LocalTime, Micros, NodeId, Outbox, Outcome, Recovered,
    Replica, Start, Ticket, TimerId, Value,
};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::smr::{RequestNumber, Slot};

use super::dice::Dice;
use super::watch::Watch;
use super::{Kept, Seen, Stormy};

/// When the storm is over, in microseconds.
const CALM_AT: u64 = 6_000_000;
const CLIENTS: u32 = 4;
/// How many in a hundred messages of the slow kind are late.
const SLOW: u64 = 30;
const KEYS: u64 = 2;
/// Clocks run at most so much too fast or too slow, in millionths, and the options say so.
pub(crate) const DRIFT_PPM: u64 = 50_000;

impl Dice {
    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Node(u16),
    Client(u32),
}

#[derive(Debug)]
enum Event<M> {
    Arrive { from: Place, to: Place, message: M },
    Timer { place: Place, life: u64, id: TimerId, set: u64 },
    Synced { node: u16, life: u64 },
    Crash { node: u16 },
    Restart { node: u16 },
    Checkpoint { node: u16 },
    Break,
    Mend { number: u64 },
    Invoke { client: u32 },
    GiveUp { client: u32, seq: u64 },
    Calm,
}

struct Node<S: Stormy> {
    replica: Option<S::Replica>,
    life: u64,
    durable: Vec<S::Record>,
    /// The place of a damaged record among these.
    damaged: Option<usize>,
    unsynced: Vec<S::Record>,
    is_syncing: bool,
    outbox: Outbox<S>,
    issued: u64,
    synced: u64,
    held: Vec<(u64, Place, S::Message)>,
    timers: BTreeMap<TimerId, u64>,
    /// Its power is cut within its next step, after so many effects of it.
    dies_after: Option<u64>,
    /// By how many millionths its clock runs too fast; negative if too slow.
    drift: i64,
}

struct Host<S: Stormy> {
    core: S::Client,
    seq: u64,
    is_open: bool,
    timers: BTreeMap<TimerId, u64>,
}

/// One operation of one client, as the client saw it.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) command: Command,
    /// The order of invocations and completions: a clock that ticks with each.
    pub(crate) invoked: u64,
    pub(crate) completed: Option<(u64, Outcome)>,
}

/// How bad the weather is.
struct Weather {
    loss: u64,
    copies: u64,
    stragglers: u64,
    /// Messages of this kind are late more often than others.
    slow: &'static str,
    latency: u64,
    fsync: u64,
    /// How often a node crashes shortly after it has promised.
    promise_crashes: u64,
}

pub(crate) struct World<S: Stormy> {
    pub(crate) config: S::Config,
    mutant: Option<Mutant>,
    dice: Dice,
    weather: Weather,
    now: u64,
    made: u64,
    ticks: u64,
    events: BTreeMap<(u64, u64), Event<S::Message>>,
    nodes: Vec<Node<S>>,
    clients: Vec<Host<S>>,
    keys: Vec<Keyring>,
    broken: BTreeMap<u64, BTreeSet<(u16, u16)>>,
    leader: u16,
    is_calm: bool,
    /// Since when everybody has been answered and all have come together.
    settled_at: Option<u64>,
    values: u64,
    operations: BTreeMap<(ClientId, RequestNumber), Operation>,
    watch: Watch<S::Number>,
    pub(crate) milestones: BTreeSet<&'static str>,
    pub(crate) is_traced: bool,
    pub(crate) trace: Vec<String>,
}

impl<S: Stormy> World<S> {
    pub(crate) fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let mut dice = Dice(seed);
        let nodes = dice.of(S::SIZES);
        let options = S::draw_options(&mut dice, nodes, mutant);
        let config = S::configure(nodes, &options, Mutants(mutant)).unwrap();
        let weather = Weather {
            loss: dice.of(&[0, 5, 20]),
            copies: dice.of(&[0, 5, 20]),
            stragglers: dice.of(&[0, 3, 10]),
            slow: S::draw_slow(&mut dice, &options, mutant),
            latency: dice.of(&[500, 2_000, 10_000]),
            fsync: dice.of(&[100, 1_000, 20_000]),
            promise_crashes: dice.of(&[0, 0, 30]),
        };
        let mut world = Self {
            config,
            mutant,
            dice,
            weather,
            now: 0,
            made: 0,
            ticks: 0,
            events: BTreeMap::new(),
            nodes: Vec::new(),
            clients: Vec::new(),
            keys: Vec::new(),
            broken: BTreeMap::new(),
            leader: 0,
            is_calm: false,
            settled_at: None,
            values: 0,
            operations: BTreeMap::new(),
            watch: Watch::default(),
            milestones: BTreeSet::new(),
            is_traced: false,
            trace: Vec::new(),
        };
        world.populate(nodes);
        world
    }

    fn populate(&mut self, nodes: u16) {
        for _ in 0..nodes {
            let drift = i64::try_from(self.dice.below(2 * DRIFT_PPM + 1)).unwrap();
            self.nodes.push(Node {
                replica: None,
                life: 0,
                durable: Vec::new(),
                damaged: None,
                unsynced: Vec::new(),
                is_syncing: false,
                outbox: Outbox::default(),
                issued: 0,
                synced: 0,
                held: Vec::new(),
                timers: BTreeMap::new(),
                dies_after: None,
                drift: drift - i64::try_from(DRIFT_PPM).unwrap(),
            });
        }
        let keys = ClusterKeys::simulated(nodes, CLIENTS);
        self.keys = keys.nodes;
        for (place, keys) in (0..CLIENTS).zip(keys.clients) {
            let core = S::Client::start(ClientStart {
                me: ClientId(place),
                incarnation: Incarnation(1),
                config: self.config.clone(),
                keys,
                entropy: 0,
            });
            let timers = BTreeMap::new();
            self.clients.push(Host { core, seq: 0, is_open: false, timers });
        }
    }

    /// Makes every clock run so many times as wrong.
    pub(crate) fn worsen_clocks(&mut self, factor: i64) {
        self.nodes.iter_mut().for_each(|node| node.drift *= factor);
    }

    /// How long after the storm everybody was answered and all had come together, in microseconds.
    pub(crate) fn healing(&self) -> u64 {
        self.settled_at.unwrap_or(self.now).saturating_sub(CALM_AT)
    }

    /// The whole run.
    pub(crate) fn storm(&mut self) -> Result<(), String> {
        for node in 0..u16::try_from(self.nodes.len()).unwrap() {
            self.restart(node);
        }
        for client in 0..CLIENTS {
            self.at(self.now + 10_000, Event::Invoke { client });
        }
        self.plan();
        self.at(CALM_AT, Event::Calm);
        let end = CALM_AT + S::PATIENCE;
        while let Some(((time, _), event)) = self.events.pop_first() {
            if time > end {
                break;
            }
            self.now = time;
            self.happen(event);
            if let Some(why) = self.watch.complaint.take() {
                return Err(why);
            }
            if self.is_over() {
                break;
            }
        }
        self.watch.judge(&self.operations)?;
        self.check_progress()
    }

    /// Faults of the storm: when they begin.
    fn plan(&mut self) {
        let crashes = self.dice.of(&[0, 2, 6]);
        let breaks = self.dice.of(&[0, 4, 12]);
        let checkpoints = self.dice.of(&[0, 3]);
        let nodes = self.nodes.len() as u64;
        for _ in 0..crashes {
            let node = u16::try_from(self.dice.below(nodes)).unwrap();
            let time = self.dice.below(CALM_AT);
            self.at(time, Event::Crash { node });
        }
        for _ in 0..breaks {
            let time = self.dice.below(CALM_AT);
            self.at(time, Event::Break);
        }
        for _ in 0..checkpoints {
            let node = u16::try_from(self.dice.below(nodes)).unwrap();
            let time = self.dice.below(CALM_AT);
            self.at(time, Event::Checkpoint { node });
        }
    }

    /// Everybody has been answered since the storm ended, and all that are up are at one place.
    fn is_settled(&self) -> bool {
        let is_answered = self.clients.iter().all(|client| !client.is_open);
        is_answered && self.applied().len() == 1
    }

    /// Whether all is settled, and has been for long enough.
    fn is_over(&mut self) -> bool {
        if !self.is_calm || !self.is_settled() {
            self.settled_at = None;
            return false;
        }
        let since = *self.settled_at.get_or_insert(self.now);
        self.now >= since + S::GRACE
    }

    fn check_progress(&self) -> Result<(), String> {
        if !self.is_calm {
            return Err("the run ended before the storm".into());
        }
        if let Some(place) = self.clients.iter().position(|client| client.is_open) {
            return Err(format!("c{place} is not answered after the storm"));
        }
        match self.applied().len() {
            1 => Ok(()),
            _ => Err(format!("replicas do not come together: {:?}", self.applied())),
        }
    }

    /// How far those that are up, and execute, have executed.
    fn applied(&self) -> BTreeSet<Slot> {
        let nodes = (0_u16..).zip(&self.nodes).filter(|(_, node)| node.replica.is_some());
        nodes
            .filter(|(place, _)| S::executes(&self.config, NodeId(*place)))
            .map(|(place, _)| self.watch.applied.get(&place).copied().unwrap_or_default())
            .collect()
    }

    fn at(&mut self, time: u64, event: Event<S::Message>) {
        self.made += 1;
        self.events.insert((time, self.made), event);
    }

    fn happen(&mut self, event: Event<S::Message>) {
        if self.is_traced {
            self.trace.push(format!("{} {event:?}", self.now));
        }
        match event {
            Event::Arrive { from, to, message } => self.arrive(from, to, message),
            Event::Timer { place, life, id, set } => self.fire(place, life, id, set),
            Event::Synced { node, life } => self.synced(node, life),
            Event::Crash { node } => self.cut_power(node),
            Event::Restart { node } => self.restart(node),
            Event::Checkpoint { node } => self.checkpoint(node),
            Event::Break => self.break_links(),
            Event::Mend { number } => drop(self.broken.remove(&number)),
            Event::Invoke { client } => self.invoke(client),
            Event::GiveUp { client, seq } => self.give_up(client, seq),
            Event::Calm => self.calm(),
        }
    }

    fn arrive(&mut self, from: Place, to: Place, message: S::Message) {
        match (from, to) {
            (Place::Node(from), Place::Node(to)) => {
                self.step(to, Input::Message { from: NodeId(from), message });
            }
            (Place::Client(client), Place::Node(to)) => {
                self.step(to, Input::Request { client: ClientId(client), message });
            }
            (Place::Node(from), Place::Client(to)) => {
                self.client_step(to, ClientInput::Message { from: NodeId(from), message });
            }
            (Place::Client(_), Place::Client(_)) => unreachable!("clients do not talk"),
        }
    }

    fn fire(&mut self, place: Place, life: u64, id: TimerId, set: u64) {
        match place {
            Place::Node(node) => {
                let state = &mut self.nodes[usize::from(node)];
                if state.life == life && state.timers.get(&id) == Some(&set) {
                    state.timers.remove(&id);
                    self.step(node, Input::Timer(id));
                }
            }
            Place::Client(client) => {
                let host = &mut self.clients[client as usize];
                if host.timers.get(&id) == Some(&set) {
                    host.timers.remove(&id);
                    self.client_step(client, ClientInput::Timer(id));
                }
            }
        }
    }

    fn local_time(&self, node: u16) -> LocalTime {
        let drift = self.nodes[usize::from(node)].drift;
        LocalTime(
            u64::try_from(i64::try_from(self.now).unwrap() * (1_000_000 + drift) / 1_000_000)
                .unwrap(),
        )
    }

    fn step(&mut self, node: u16, input: Input<S::Message>) {
        let now = self.local_time(node);
        let state = &mut self.nodes[usize::from(node)];
        let Some(replica) = &mut state.replica else { return };
        replica.step(now, input, &mut state.outbox);
        self.carry_out(node);
    }

    fn carry_out(&mut self, node: u16) {
        let state = &mut self.nodes[usize::from(node)];
        let effects: Vec<_> = state.outbox.drain().collect();
        let dies_after = state.dies_after.take();
        for (place, effect) in (0..).zip(effects) {
            if dies_after == Some(place) && self.crash(node) {
                return;
            }
            let state = &mut self.nodes[usize::from(node)];
            match effect {
                Effect::Persist { ticket, record } => {
                    assert_eq!(ticket.0, state.issued + 1);
                    state.issued = ticket.0;
                    state.unsynced.push(record);
                }
                Effect::Send { to, message, after } => {
                    self.hold_or_send(node, after, Place::Node(to.0), message);
                }
                Effect::Reply { client, message, after } => {
                    self.hold_or_send(node, after, Place::Client(client.0), message);
                }
                Effect::SetTimer { id, min, max } => {
                    self.made += 1;
                    let set = self.made;
                    state.timers.insert(id, set);
                    let (life, drift) = (state.life, state.drift);
                    let local = i64::try_from(self.dice.between(min.0, max.0)).unwrap();
                    let span = local * 1_000_000 / (1_000_000 + drift);
                    let time = self.now + u64::try_from(span).unwrap();
                    self.at(time, Event::Timer { place: Place::Node(node), life, id, set });
                }
                Effect::CancelTimer { id } => drop(state.timers.remove(&id)),
                Effect::Observe(observation) => {
                    if self.is_traced {
                        self.trace.push(format!("{} n{node} {observation}", self.now));
                    }
                    let seen = S::seen(&observation);
                    let is_durable = state.unsynced.is_empty();
                    if matches!(seen, Seen::Elected) {
                        self.leader = node;
                    }
                    if let Some(leader) = S::leader(&self.config, &observation) {
                        self.leader = leader.0;
                    }
                    let promises = matches!(seen, Seen::Promised { .. } | Seen::Left);
                    if promises && !self.is_calm && self.dice.percent(self.weather.promise_crashes)
                    {
                        let time = self.now + self.dice.between(1, 30_000);
                        self.at(time, Event::Crash { node });
                    }
                    self.watch.take(node, seen);
                    if is_durable {
                        self.watch.synced(node);
                    }
                    self.check_holders(node, seen);
                    self.check_leases(node, seen);
                }
                Effect::Mark(milestone) => drop(self.milestones.insert(milestone.0)),
                Effect::Ignore(_) => {}
            }
        }
        let state = &mut self.nodes[usize::from(node)];
        if !state.unsynced.is_empty() && !state.is_syncing {
            state.is_syncing = true;
            let life = state.life;
            let time = self.now + self.dice.between(1, self.weather.fsync);
            self.at(time, Event::Synced { node, life });
        }
    }

    /// P-I11: what counts as decided is on the disks of a majority.
    fn check_holders(&mut self, node: u16, seen: Seen<'_, S::Number>) {
        let (ballot, slot, entry) = match seen {
            Seen::Decided { ballot, slot, entry } => (ballot, slot, entry),
            Seen::Committed { ballot, slot } if S::is_durable(&self.config) => {
                let Some(entry) = self.watch.entry(node, slot) else { return };
                (ballot, slot, entry)
            }
            _ => return,
        };
        let holds = |node: &&Node<S>| S::holds(&node.durable, slot, ballot, entry);
        let holders = self.nodes.iter().filter(holds).count();
        if holders <= self.nodes.len() / 2 {
            self.watch.complain(format!("P-I11: {slot} is decided and held by {holders}"));
        }
    }

    /// P-I12: while one node has a lease, no other has one, and nobody decides in a higher ballot.
    fn check_leases(&mut self, node: u16, seen: Seen<'_, S::Number>) {
        match seen {
            Seen::LeaseTaken { ballot, micros } => {
                let drift = self.nodes[usize::from(node)].drift;
                let local = i64::try_from(micros).unwrap();
                let span = u64::try_from(local * 1_000_000 / (1_000_000 + drift)).unwrap();
                let now = self.now;
                let other = self
                    .watch
                    .leases
                    .iter()
                    .find(|(other, lease)| **other != node && lease.1 > now);
                if let Some((other, (theirs, _))) = other {
                    let why = format!("P-I12: n{node} in {ballot} and n{other} in {theirs}");
                    self.watch.complain(why);
                }
                self.watch.leases.insert(node, (ballot, now + span));
            }
            Seen::SteppedDown | Seen::Left => drop(self.watch.leases.remove(&node)),
            Seen::Entered { ballot } => {
                self.watch.leases.retain(|holder, lease| *holder != node || lease.0 == ballot);
            }
            Seen::Decided { ballot, .. } | Seen::Committed { ballot, .. } => {
                let now = self.now;
                let broken =
                    self.watch.leases.iter().find(|(_, lease)| lease.0 < ballot && lease.1 > now);
                if let Some((other, (theirs, _))) = broken {
                    let why =
                        format!("P-I12: n{node} decides in {ballot}, n{other} leases {theirs}");
                    self.watch.complain(why);
                }
            }
            _ => {}
        }
    }

    fn hold_or_send(&mut self, node: u16, after: After, to: Place, message: S::Message) {
        let state = &mut self.nodes[usize::from(node)];
        let needs = match after {
            After::EveryPersist => state.issued,
            After::Ticket(ticket) => ticket.0,
            After::Nothing => 0,
        };
        if needs > state.synced {
            state.held.push((needs, to, message));
        } else {
            self.send(Place::Node(node), to, message);
        }
    }

    fn synced(&mut self, node: u16, life: u64) {
        let state = &mut self.nodes[usize::from(node)];
        if state.life != life || state.replica.is_none() {
            return;
        }
        state.is_syncing = false;
        state.durable.append(&mut state.unsynced);
        state.synced = state.issued;
        self.watch.synced(node);
        let ready: Vec<_> = state.held.drain(..).collect();
        let synced = Ticket(state.synced);
        for (_, to, message) in ready {
            self.send(Place::Node(node), to, message);
        }
        self.step(node, Input::Persisted(synced));
    }

    fn send(&mut self, from: Place, to: Place, message: S::Message) {
        if let (Place::Node(node), Some(ballot)) = (from, S::vow(&message)) {
            self.watch.vowed(node, ballot);
        }
        if from == to {
            return self.at(self.now, Event::Arrive { from, to, message });
        }
        if let (Place::Node(from), Place::Node(to)) = (from, to)
            && self.broken.values().any(|links| links.contains(&(from, to)))
        {
            return;
        }
        if !self.is_calm && self.dice.percent(self.weather.loss) {
            return;
        }
        let copies = if !self.is_calm && self.dice.percent(self.weather.copies) { 2 } else { 1 };
        let stragglers =
            if message.kind() == self.weather.slow { SLOW } else { self.weather.stragglers };
        for _ in 0..copies {
            let is_late = !self.is_calm && self.dice.percent(stragglers);
            let most = if is_late { 1_500_000 } else { self.weather.latency };
            let time = self.now + self.dice.between(50, most);
            self.at(time, Event::Arrive { from, to, message: message.clone() });
        }
    }

    /// At once, or in the middle of a step.
    fn cut_power(&mut self, node: u16) {
        match self.dice.below(2) {
            0 => drop(self.crash(node)),
            _ => self.nodes[usize::from(node)].dies_after = Some(self.dice.below(6)),
        }
    }

    /// The node's power is cut: all but some of what is not durable is lost. False if it is not to be.
    fn crash(&mut self, node: u16) -> bool {
        let keeps_all = self.dice.percent(30);
        let is_planted = matches!(self.mutant, Some(Mutant::P26 | Mutant::V20));
        let damages = is_planted || self.dice.percent(5);
        // Whoever finds damage stays down: of two nodes, none may.
        let is_bearable = self.nodes.len() > 2
            && self.nodes.iter().all(|node| node.damaged.is_none())
            && S::is_durable(&self.config);
        let draw = self.dice.next();
        if !self.may_forget(node) {
            return false;
        }
        let state = &mut self.nodes[usize::from(node)];
        if state.replica.take().is_none() {
            return false;
        }
        self.watch.leases.remove(&node);
        state.timers.clear();
        state.held.clear();
        state.is_syncing = false;
        if keeps_all {
            state.durable.append(&mut state.unsynced);
            self.watch.synced(node);
        }
        self.watch.crashed(node);
        state.unsynced.clear();
        if damages && is_bearable && state.durable.len() > 2 {
            let place = usize::try_from(draw % (state.durable.len() as u64)).unwrap();
            state.damaged = Some(place);
        }
        let life = state.life;
        let own = Place::Node(node);
        // What it was about to tell itself is gone with it.
        self.events.retain(|_, event| {
            !matches!(event, Event::Arrive { from, to, .. } if from == to && *from == own)
        });
        assert!(life > 0);
        let most = self.dice.of(&[20_000, 1_000_000]);
        let time = self.now + self.dice.between(1_000, most);
        self.at(time, Event::Restart { node });
        true
    }

    /// Whether so few others are without their memory that the system gets on when this one loses its own.
    fn may_forget(&self, node: u16) -> bool {
        let Some(most) = S::forgetting_tolerated(&self.config) else { return true };
        let others = (0..).zip(&self.nodes).filter(|(place, _)| *place != node);
        let without =
            others.filter(|(_, other)| !other.replica.as_ref().is_some_and(S::Replica::remembers));
        without.count() < usize::from(most)
    }

    fn restart(&mut self, node: u16) {
        let now = self.local_time(node);
        let keys = self.keys[usize::from(node)].clone();
        let state = &mut self.nodes[usize::from(node)];
        if state.replica.is_some() {
            return;
        }
        state.life += 1;
        state.outbox = Outbox::default();
        (state.issued, state.synced) = (0, 0);
        let records = state.durable.iter().enumerate().map(|(place, record)| {
            if state.damaged == Some(place) {
                Recovered::Corrupt { place: "wal".into() }
            } else {
                Recovered::Intact(record.clone())
            }
        });
        let records = records.collect();
        self.watch.started(node, snapshot_in::<S>(&state.durable), S::log_in(&state.durable));
        if !S::keeps_vows(&self.config) {
            self.watch.forgotten(node);
        }
        let started = S::Replica::start(
            Start {
                me: NodeId(node),
                incarnation: Incarnation(state.life),
                config: self.config.clone(),
                keys,
                entropy: Dice(u64::from(node) << 32 | state.life).next(),
                now,
                records,
            },
            &mut state.outbox,
        );
        match started {
            Ok(replica) => {
                // Whoever starts with a damaged record goes on without it.
                if let Some(place) = state.damaged.take() {
                    S::go_on_without(&mut state.durable, place);
                    let index = snapshot_in::<S>(&state.durable);
                    self.watch.started(node, index, S::log_in(&state.durable));
                }
                state.replica = Some(replica);
                self.carry_out(node);
            }
            Err(_) => assert!(state.damaged.is_some(), "only damage keeps a node down"),
        }
    }

    fn checkpoint(&mut self, node: u16) {
        let life = self.nodes[usize::from(node)].life;
        self.synced(node, life);
        let state = &mut self.nodes[usize::from(node)];
        if let Some(replica) = &state.replica
            && state.unsynced.is_empty()
        {
            state.durable = replica.checkpoint();
        }
    }

    /// Breaks links for a while: one node's or several's, in one direction or both, the leader's more often.
    fn break_links(&mut self) {
        let nodes = u16::try_from(self.nodes.len()).unwrap();
        let mut side: BTreeSet<u16> = BTreeSet::new();
        if self.dice.percent(60) {
            side.insert(self.leader);
        }
        for node in 0..nodes {
            if side.is_empty() || (self.dice.percent(30) && side.len() < usize::from(nodes / 2)) {
                side.insert(node);
            }
        }
        let (outward, inward) =
            self.dice.of(&[(true, true), (true, true), (true, false), (false, true)]);
        let crossing = |from: u16, to: u16| {
            (outward && side.contains(&from) && !side.contains(&to))
                || (inward && !side.contains(&from) && side.contains(&to))
        };
        let pairs = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
        let links = pairs.filter(|(from, to)| crossing(*from, *to)).collect();
        let number = self.made;
        self.broken.insert(number, links);
        let time = self.now + self.dice.between(100_000, 2_000_000);
        self.at(time, Event::Mend { number });
    }

    /// The storm is over: all links and nodes are well. Clients that wait must be answered, and half of them ask
    /// something else instead; the others ask once more.
    fn calm(&mut self) {
        self.is_calm = true;
        self.broken.clear();
        self.nodes.iter_mut().for_each(|node| node.dies_after = None);
        for node in 0..u16::try_from(self.nodes.len()).unwrap() {
            self.restart(node);
        }
        for client in 0..CLIENTS {
            if self.clients[client as usize].is_open && client % 2 == 0 {
                let seq = self.clients[client as usize].seq;
                self.give_up(client, seq);
            }
            self.invoke(client);
        }
    }

    fn invoke(&mut self, client: u32) {
        let host = &mut self.clients[client as usize];
        if host.is_open {
            return;
        }
        host.is_open = true;
        host.seq += 1;
        let seq = host.seq;
        let key = Key(self.dice.below(KEYS));
        let command = if self.dice.percent(50) {
            Command::Read { key }
        } else {
            self.values += 1;
            Command::Write { key, value: Value(self.values) }
        };
        self.ticks += 1;
        let operation =
            Operation { command: command.clone(), invoked: self.ticks, completed: None };
        self.operations.insert((ClientId(client), number(seq)), operation);
        self.client_step(client, ClientInput::Invoke(command));
        if !self.is_calm {
            let time = self.now + self.dice.between(300_000, 1_500_000);
            self.at(time, Event::GiveUp { client, seq });
        }
    }

    fn give_up(&mut self, client: u32, seq: u64) {
        let host = &mut self.clients[client as usize];
        if host.is_open && host.seq == seq && (!self.is_calm || self.now == CALM_AT) {
            host.is_open = false;
            self.client_step(client, ClientInput::GiveUp);
            if self.now < CALM_AT {
                self.at(self.now + 1_000, Event::Invoke { client });
            }
        }
    }

    fn client_step(&mut self, client: u32, input: ClientInput<S::Message>) {
        let mut effects = Vec::new();
        self.clients[client as usize].core.step(LocalTime(self.now), input, &mut effects);
        for effect in effects {
            let host = &mut self.clients[client as usize];
            match effect {
                ClientEffect::Send { to, message } => {
                    self.send(Place::Client(client), Place::Node(to.0), message);
                }
                ClientEffect::Complete(outcome) => {
                    assert!(host.is_open);
                    host.is_open = false;
                    let key = (ClientId(client), number(host.seq));
                    self.ticks += 1;
                    self.operations.get_mut(&key).unwrap().completed = Some((self.ticks, outcome));
                    if !self.is_calm {
                        let time = self.now + self.dice.between(100, 20_000);
                        self.at(time, Event::Invoke { client });
                    }
                }
                ClientEffect::SetTimer { id, min: Micros(min), max: Micros(max) } => {
                    self.made += 1;
                    let set = self.made;
                    host.timers.insert(id, set);
                    let time = self.now + self.dice.between(min, max);
                    self.at(time, Event::Timer { place: Place::Client(client), life: 0, id, set });
                }
                ClientEffect::CancelTimer { id } => drop(host.timers.remove(&id)),
                ClientEffect::Mark(milestone) => drop(self.milestones.insert(milestone.0)),
                ClientEffect::Observe(_) | ClientEffect::Ignore(_) => {}
            }
        }
    }
}

/// What the last snapshot among these records stands for.
fn snapshot_in<S: Stormy>(records: &[S::Record]) -> Slot {
    let index = records.iter().rev().find_map(|record| match S::kept(record) {
        Kept::Snapshot { index } => Some(index),
        Kept::Accepted { .. } | Kept::Decided { .. } | Kept::Other => None,
    });
    index.unwrap_or_default()
}

fn number(seq: u64) -> RequestNumber {
    RequestNumber { incarnation: Incarnation(1), seq }
}

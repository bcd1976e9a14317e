//! One random schedule of the quorum registers: what happens, what clients see, and the judgement.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's tool may stop the test"
)]

#[path = "../../../../systems/tests/support/mod.rs"]
pub(crate) mod support;

mod changes;

use std::collections::BTreeSet;

use changes::Changes;
use quorate_checkers::history::{Builder, Key, ProcessId, Step, Time, Value, What, operations};
use quorate_checkers::linearizability::{Budget, check};
use quorate_checkers::model::Register;
use quorate_checkers::verdict::Verdict;
use quorate_systems::contract::{Command, Describe, Lie, NodeId, Outcome, System, TimerId};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::quorum::{Construction, Message, Quorum};
use quorate_world::invariants::{Broken, Invariants, QuorumInvariants, Seen, Who};
use support::{Flight, Happened, Net, Place, c, n, read, write};

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// What a liar may do here: a net has no time, and no past.
const LIES: &[Lie] = &[Lie::WrongValue, Lie::WrongTimestamp, Lie::Silent];

pub(crate) type Options = &'static [(&'static str, &'static str)];

/// A cluster under test.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) nodes: u16,
    pub(crate) options: Vec<(&'static str, &'static str)>,
    pub(crate) mutant: Option<Mutant>,
}

/// How rough the weather is, drawn per schedule.
#[derive(Debug)]
struct Weather {
    lose: usize,
    copy: usize,
    /// How many of a hundred messages take a long time.
    late: usize,
    /// A kind of message that mostly does.
    slow: Option<&'static str>,
    /// How often a client asks.
    busy: usize,
    crash: usize,
    cut: usize,
    /// How many of a hundred links stand still for a while.
    hold: usize,
    give_up: usize,
    /// How often a timer goes off though messages are under way.
    hurry: usize,
    /// How far out of order messages come: the next one is among so many.
    window: usize,
    is_syncing: bool,
}

impl Weather {
    fn draw(dice: &mut Dice) -> Self {
        let kinds = Quorum::vocabulary().messages;
        let slow = dice.chance(50).then(|| kinds[dice.below(kinds.len())].name);
        let mut maybe = |most: usize| if dice.chance(50) { dice.below(most + 1) } else { 0 };
        Self {
            lose: maybe(30),
            copy: maybe(20),
            late: maybe(60),
            slow,
            busy: 4 + maybe(16),
            crash: maybe(8),
            cut: maybe(8),
            hold: maybe(60),
            give_up: maybe(4),
            hurry: maybe(5),
            window: 1 + maybe(60),
            is_syncing: maybe(1) == 0,
        }
    }
}

const CLIENTS: u32 = 4;
const OPERATIONS: u64 = 60;

pub(crate) struct Run {
    net: Net<Quorum>,
    dice: Dice,
    weather: Weather,
    history: Builder,
    /// The open operation of each client, and its process.
    open: Vec<Option<Command>>,
    process: Vec<u64>,
    /// Which side of the cut everybody is on; one side when there is none.
    left: BTreeSet<Place>,
    /// Links on which nothing arrives for now.
    held: BTreeSet<(Place, Place)>,
    /// Messages that take a long time, with the turn at which they go on.
    late: Vec<(usize, Flight<Message>)>,
    turn: usize,
    keys: u64,
    last_value: u64,
    clock: u64,
    /// The changes of the configuration.
    changes: Changes,
    invariants: QuorumInvariants,
    broken: Vec<Broken>,
}

impl Run {
    pub(crate) fn new(subject: &Subject, seed: u64) -> Self {
        Self::with(subject, seed, false)
    }

    /// With an administrator that changes members and quorums all the time.
    pub(crate) fn changing(subject: &Subject, seed: u64) -> Self {
        Self::with(subject, seed, true)
    }

    fn with(subject: &Subject, seed: u64, is_changing: bool) -> Self {
        let mut dice = Dice(seed);
        let mutants = Mutants(subject.mutant);
        let clients = if is_changing { CLIENTS + changes::ADMINISTRATORS } else { CLIENTS };
        let net = Net::with(subject.nodes, clients, &subject.options, mutants, seed).unwrap();
        let changes = Changes::new(is_changing, seed, &net.config);
        let weather = Weather::draw(&mut dice);
        let invariants = QuorumInvariants::new(&net.config);
        let mut run = Self {
            net,
            invariants,
            weather,
            history: Builder::new(),
            open: (0..CLIENTS).map(|_| None).collect(),
            process: (0..u64::from(CLIENTS)).collect(),
            left: BTreeSet::new(),
            held: BTreeSet::new(),
            late: Vec::new(),
            turn: 0,
            keys: 1 + seed % 2,
            last_value: 0,
            clock: 0,
            changes,
            broken: Vec::new(),
            dice,
        };
        run.net.is_syncing = run.weather.is_syncing;
        run.choose_liars();
        run
    }

    fn choose_liars(&mut self) {
        let liars = self.net.config.quorums.liars();
        let nodes = self.net.nodes.len();
        for _ in 0..liars {
            let node = self.dice.below(nodes);
            let lie = LIES[self.dice.below(LIES.len())];
            self.net.nodes[node].lie = Some(lie);
            let who = Who::Node(NodeId(u16::try_from(node).unwrap()));
            self.invariants.see(&Seen::Lies { who }, &mut self.broken);
        }
    }

    pub(crate) fn go(&mut self) {
        let mut invoked = 0;
        while invoked < OPERATIONS || self.open.iter().any(Option::is_some) {
            if invoked < OPERATIONS && self.dice.chance(self.weather.busy) && self.invoke() {
                invoked += 1;
            }
            self.disturb();
            self.change();
            self.proceed();
            self.note_completions();
            self.watch();
            if invoked == OPERATIONS && self.dice.chance(2) {
                self.heal();
            }
        }
        self.heal();
        self.end_change();
        self.quiesce();
        self.watch();
    }

    fn invoke(&mut self) -> bool {
        let client = self.dice.below(self.open.len());
        if self.open[client].is_some() {
            return false;
        }
        let key = self.dice.next() % self.keys;
        let command = if self.dice.chance(50) {
            read(key)
        } else {
            self.last_value += 1;
            write(key, self.last_value)
        };
        self.begin(client, command);
        true
    }

    fn begin(&mut self, client: usize, command: Command) {
        self.note(client, &command, What::Invoke, None);
        self.open[client] = Some(command.clone());
        self.net.invoke(u32::try_from(client).unwrap(), command);
        self.note_completions();
    }

    fn disturb(&mut self) {
        let nodes = self.net.nodes.len();
        let node = u16::try_from(self.dice.below(nodes)).unwrap();
        if self.dice.chance(self.weather.crash) && self.dice.chance(20) {
            let kept = self.dice.below(4);
            self.net.crash(node, kept);
        }
        if self.net.nodes[usize::from(node)].replica.is_none() && self.dice.chance(10) {
            self.net.restart(node).unwrap();
        }
        if self.dice.chance(2) {
            self.net.checkpoint(node);
        }
        if self.dice.chance(self.weather.cut) && self.dice.chance(25) {
            self.left = self.draw_side();
        } else if self.dice.chance(1) {
            self.left.clear();
        }
        if self.dice.chance(3) {
            let places = self.places();
            let links = places.iter().flat_map(|from| places.iter().map(move |to| (*from, *to)));
            let hold = self.weather.hold;
            self.held = links.filter(|_| self.dice.chance(hold)).collect();
        }
        if self.dice.chance(self.weather.give_up) {
            let client = self.dice.below(self.open.len());
            self.abandon(client);
        }
    }

    /// One side of a partition: half of the nodes, or any; each client on a side.
    fn draw_side(&mut self) -> BTreeSet<Place> {
        let is_half = self.dice.chance(60);
        let nodes = self.net.nodes.len();
        let first = self.dice.below(nodes);
        let mut side = BTreeSet::new();
        for (place, name) in self.places().into_iter().enumerate() {
            let is_in_half = (place + nodes - first) % nodes < nodes / 2;
            let is_left = if is_half && place < nodes { is_in_half } else { self.dice.chance(50) };
            if is_left {
                side.insert(name);
            }
        }
        side
    }

    fn places(&self) -> Vec<Place> {
        let nodes = u16::try_from(self.net.nodes.len()).unwrap();
        let clients = u32::try_from(self.net.clients.len()).unwrap();
        (0..nodes).map(n).chain((0..clients).map(c)).collect()
    }

    /// The client gives up; its operation stays open in the history, and it goes on as another process.
    fn abandon(&mut self, client: usize) {
        let Some(command) = self.open[client].take() else { return };
        self.net.give_up(u32::try_from(client).unwrap());
        self.note(client, &command, What::Info, Some("timeout"));
        self.process[client] += u64::from(CLIENTS);
    }

    /// One message, one sync or one timer.
    fn proceed(&mut self) {
        self.turn += 1;
        let turn = self.turn;
        let now: Vec<_> = self.late.extract_if(.., |(when, _)| *when <= turn).collect();
        for (_, flight) in now {
            self.net.arrive(flight);
        }
        if !self.net.is_syncing && self.dice.chance(40) {
            let node = u16::try_from(self.dice.below(self.net.nodes.len())).unwrap();
            let count = 1 + self.dice.below(4);
            self.net.sync(node, count);
        }
        let arriving: Vec<usize> = (0..self.net.flying.len())
            .filter(|place| {
                let flight = &self.net.flying[*place];
                flight.is_local() || !self.held.contains(&(flight.from, flight.to))
            })
            .take(self.weather.window)
            .collect();
        let is_calm = self.net.flying.len() < 60;
        if is_calm && self.dice.chance(self.weather.hurry) {
            return self.fire();
        }
        if arriving.is_empty() {
            // Timers are slower than late messages, and than most links.
            match self.late.iter().map(|(when, _)| *when).min() {
                Some(when) => self.turn = when,
                None if self.dice.chance(50) => self.held.clear(),
                None => self.fire(),
            }
            return;
        }
        let flight = self.net.flying.remove(arriving[self.dice.below(arriving.len())]);
        if !flight.is_local() {
            let is_cut = self.left.contains(&flight.from) != self.left.contains(&flight.to);
            if is_cut || self.dice.chance(self.weather.lose) {
                return;
            }
            let is_slow = self.weather.slow == Some(flight.message.kind());
            if self.dice.chance(if is_slow { 80 } else { self.weather.late }) {
                let when = self.turn + self.dice.below(600);
                return self.late.push((when, flight));
            }
            if self.dice.chance(self.weather.copy) {
                let place = self.dice.below(self.net.flying.len() + 1);
                self.net.flying.insert(place, flight.clone());
            }
        }
        self.net.arrive(flight);
    }

    fn fire(&mut self) {
        let nodes = self.net.nodes.iter().zip(0..);
        let of_nodes =
            nodes.flat_map(|(node, place)| node.timers.iter().map(move |t| (n(place), *t)));
        let clients = self.net.clients.iter().zip(0..);
        let of_clients =
            clients.flat_map(|(client, place)| client.timers.iter().map(move |t| (c(place), *t)));
        let timers: Vec<(Place, TimerId)> = of_nodes.chain(of_clients).collect();
        if !timers.is_empty() {
            let (place, timer) = timers[self.dice.below(timers.len())];
            self.net.fire_one(place, timer);
        }
    }

    fn heal(&mut self) {
        self.left.clear();
        self.held.clear();
        self.net.flying.extend(self.late.drain(..).map(|(_, flight)| flight));
        self.net.is_syncing = true;
        self.weather = Weather {
            lose: 0,
            copy: 0,
            late: 0,
            slow: None,
            busy: 0,
            crash: 0,
            cut: 0,
            hold: 0,
            give_up: 0,
            hurry: 1,
            window: 1,
            is_syncing: true,
        };
        for node in 0..self.net.nodes.len() {
            let node = u16::try_from(node).unwrap();
            if self.net.nodes[usize::from(node)].replica.is_none() {
                self.net.restart(node).unwrap();
            }
            self.net.sync(node, usize::MAX);
        }
    }

    /// Everything works again: all that is open must end, and then everybody reads everything twice.
    fn quiesce(&mut self) {
        if matches!(self.net.config.quorums.construction(), Construction::Masking { .. }) {
            self.overwrite();
        }
        for _ in 0..2 {
            for client in 0..self.open.len() {
                for key in 0..self.keys {
                    self.begin(client, read(key));
                    self.finish(client);
                }
            }
        }
    }

    /// What several writers stored at a few servers each, and gave up, can leave no pair that enough servers
    /// vouch for; then reads wait for the next write, also when everything works.
    fn overwrite(&mut self) {
        for key in 0..self.keys {
            self.last_value += 1;
            self.begin(0, write(key, self.last_value));
            self.finish(0);
        }
    }

    fn finish(&mut self, client: usize) {
        for _ in 0..200 {
            while self.open[client].is_some() && !self.net.flying.is_empty() {
                self.net.deliver_at(0);
                self.note_completions();
            }
            if self.open[client].is_none() {
                return;
            }
            self.fire_all();
        }
        panic!("an operation does not end though everything works: {:?}", self.net.ignored);
    }

    fn fire_all(&mut self) {
        for place in self.places() {
            self.net.fire(place);
        }
    }

    fn note_completions(&mut self) {
        for client in 0..self.open.len() {
            let Some(outcome) = self.net.clients[client].outcome.take() else { continue };
            let command = self.open[client].take().unwrap();
            match outcome {
                Outcome::Read(value) => {
                    let value =
                        value.map_or(Value::Nil, |v| Value::Int(i64::try_from(v.0).unwrap()));
                    self.note_with(client, &command, What::Ok, None, value);
                }
                Outcome::Written | Outcome::Decided(_) | Outcome::Reconfigured => {
                    self.note(client, &command, What::Ok, None);
                }
                Outcome::Failed(why) => self.note(client, &command, What::Fail, Some(&why)),
                Outcome::Swapped
                | Outcome::NotSwapped(_)
                | Outcome::Appended
                | Outcome::Deleted
                | Outcome::Added
                | Outcome::List(_)
                | Outcome::Transaction(_) => panic!("{command:?} was answered with {outcome:?}"),
                Outcome::Unknown(why) => {
                    self.note(client, &command, What::Info, Some(&why));
                    self.process[client] += u64::from(CLIENTS);
                }
            }
        }
    }

    fn note(
        &mut self,
        client: usize,
        command: &Command,
        what: fn(Step) -> What,
        error: Option<&str>,
    ) {
        let int = |value: quorate_systems::contract::Value| i64::try_from(value.0).unwrap();
        let value = command.value().map_or(Value::Nil, |value| Value::Int(int(value)));
        self.note_with(client, command, what, error, value);
    }

    fn note_with(
        &mut self,
        client: usize,
        command: &Command,
        what: fn(Step) -> What,
        error: Option<&str>,
        value: Value,
    ) {
        self.clock += 1_000;
        let step = Step {
            process: ProcessId(self.process[client]),
            f: command.function().into(),
            key: command.key().map(|key| Key(key.0)),
            value,
            error: error.map(Into::into),
        };
        self.history.push(Time(self.clock), what(step)).unwrap();
    }

    /// The invariants see what has happened since.
    fn watch(&mut self) {
        for happened in std::mem::take(&mut self.net.happened) {
            self.invariants.see(&seen(&happened), &mut self.broken);
            if self.net.config.mutants == Mutants::NONE
                && let Happened::Observed { observation, .. } = &happened
            {
                self.changes.see(observation, &self.net);
            }
        }
    }

    /// The milestones that were reached.
    pub(crate) fn milestones(&self) -> impl Iterator<Item = &'static str> {
        self.net.milestones.keys().copied()
    }

    /// What the invariants found, and what is wrong with the history.
    pub(crate) fn judge(self) -> Judgement {
        let history = self.history.finish();
        let found = check(&Register::new(), &operations(&history), Budget::default());
        let history = match found.verdict {
            Verdict::Valid => Ok(()),
            Verdict::Invalid | Verdict::Unknown => Err(found.sentences().join("; ")),
        };
        Judgement { history, broken: self.broken }
    }
}

/// What is to be said of a schedule.
pub(crate) struct Judgement {
    /// Whether the history is linearizable, or why it is not.
    pub(crate) history: Result<(), String>,
    /// The invariants that did not hold.
    pub(crate) broken: Vec<Broken>,
}

fn seen(happened: &Happened<Quorum>) -> Seen<'_, Quorum> {
    match happened {
        Happened::Started { node, incarnation } => {
            Seen::Started { node: *node, incarnation: *incarnation }
        }
        Happened::Found { node, record } => Seen::Found { node: *node, record },
        Happened::Persisted { node, ticket, record } => {
            Seen::Persisted { node: *node, ticket: *ticket, record }
        }
        Happened::Durable { node, ticket } => Seen::Durable { node: *node, ticket: *ticket },
        Happened::Sent { from, to, message } => {
            Seen::Sent { from: who(*from), to: who(*to), message }
        }
        Happened::Observed { by, observation } => Seen::Observed { by: who(*by), observation },
    }
}

fn who(place: Place) -> Who {
    match place {
        Place::Node(node) => Who::Node(node),
        Place::Client(client) => Who::Client(client),
    }
}

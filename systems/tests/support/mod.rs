//! A whole cluster in one thread, driven by hand: nothing moves unless a test moves it.
//!
//! Messages lie in `flying` until they are delivered, dropped or copied; records are durable at once, or,
//! with `is_syncing` off, when a test syncs them; a crash loses what was not.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's tool may stop the test"
)]
#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use quorate_systems::contract::{
    After, Client, ClientEffect, ClientId, ClientInput, ClientStart, Command, ConfigError,
    Describe, Effect, Incarnation, Input, Key, Keyring, Lie, LocalTime, Milestone, NodeId, Options,
    Outbox, Outcome, Recovered, Replica, Start, StartError, System, Telling, Ticket, TimerId,
    Value,
};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::lies::Memory;
use quorate_systems::mutant::Mutants;
use quorate_systems::parties::Party;

/// Who sends or receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Node(NodeId),
    Client(ClientId),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "{node}"),
            Self::Client(client) => write!(f, "{client}"),
        }
    }
}

impl From<Place> for Party {
    fn from(place: Place) -> Self {
        match place {
            Place::Node(node) => Self::Node(node),
            Place::Client(client) => Self::Client(client),
        }
    }
}

/// What node 0 says to client 0 in place of `message`, of which it says one at most; it has no past.
pub(crate) fn lied<S: System>(
    config: &S::Config,
    lie: Lie,
    message: &S::Message,
    draw: u64,
) -> Option<S::Message> {
    let ends = [n(0), c(0)];
    let mut told = in_place_of::<S>(config, (lie, draw), ends, &Keyring::default(), message);
    assert!(told.len() <= 1, "{lie:?}");
    told.pop()
}

fn in_place_of<S: System>(
    config: &S::Config,
    (lie, draw): (Lie, u64),
    [from, to]: [Place; 2],
    keys: &Keyring,
    message: &S::Message,
) -> Vec<S::Message> {
    let past = Memory::default();
    let telling = Telling {
        config,
        me: from.into(),
        keys,
        to: to.into(),
        message,
        said: &past,
        heard: &past,
        is_deceived: draw & 1 == 1,
        seed: 0,
        draw,
    };
    S::lie(lie, &telling)
}

/// Node `n`.
pub(crate) fn n(place: u16) -> Place {
    Place::Node(NodeId(place))
}

/// Client `c`.
pub(crate) fn c(place: u32) -> Place {
    Place::Client(ClientId(place))
}

pub(crate) fn read(key: u64) -> Command {
    Command::Read { key: Key(key) }
}

pub(crate) fn write(key: u64, value: u64) -> Command {
    Command::Write { key: Key(key), value: Value(value) }
}

pub(crate) fn propose(key: u64, value: u64) -> Command {
    Command::Propose { key: Key(key), value: Value(value) }
}

/// How a read that saw `value` ended.
#[expect(clippy::unnecessary_wraps, reason = "an operation may also have no outcome yet")]
pub(crate) fn saw(value: u64) -> Option<Outcome> {
    Some(Outcome::Read(Some(Value(value))))
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Flight<M> {
    pub(crate) from: Place,
    pub(crate) to: Place,
    pub(crate) message: M,
}

impl<M: Describe> Flight<M> {
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.message.kind() == kind
    }

    /// Whether it goes to itself: then it is never lost.
    pub(crate) fn is_local(&self) -> bool {
        self.from == self.to
    }
}

/// Something that happened, in the order in which it did.
pub(crate) enum Happened<S: System> {
    Started { node: NodeId, incarnation: Incarnation },
    Found { node: NodeId, record: S::Record },
    Persisted { node: NodeId, ticket: Ticket, record: S::Record },
    Durable { node: NodeId, ticket: Ticket },
    Sent { from: Place, to: Place, message: S::Message },
    Observed { by: Place, observation: S::Observation },
}

pub(crate) struct Node<S: System> {
    pub(crate) replica: Option<S::Replica>,
    pub(crate) incarnation: u64,
    pub(crate) durable: Vec<S::Record>,
    /// The place of a record among these that cannot be read back.
    pub(crate) damaged: Option<usize>,
    pub(crate) unsynced: Vec<S::Record>,
    pub(crate) timers: BTreeSet<TimerId>,
    pub(crate) lie: Option<Lie>,
    outbox: Outbox<S>,
    synced: Ticket,
    held: Vec<(Ticket, Flight<S::Message>)>,
}

pub(crate) struct Host<S: System> {
    pub(crate) core: S::Client,
    pub(crate) timers: BTreeSet<TimerId>,
    pub(crate) is_open: bool,
    pub(crate) outcome: Option<Outcome>,
}

/// The cluster, its clients, and the messages between them.
pub(crate) struct Net<S: System> {
    pub(crate) config: S::Config,
    pub(crate) keys: ClusterKeys,
    pub(crate) nodes: Vec<Node<S>>,
    pub(crate) clients: Vec<Host<S>>,
    pub(crate) flying: Vec<Flight<S::Message>>,
    pub(crate) observations: Vec<(Place, S::Observation)>,
    /// All that happened, until somebody takes it out.
    pub(crate) happened: Vec<Happened<S>>,
    pub(crate) ignored: BTreeMap<&'static str, u64>,
    /// How often each milestone was reached.
    pub(crate) milestones: BTreeMap<&'static str, u64>,
    /// Messages sent so far, by kind.
    pub(crate) sent: BTreeMap<&'static str, u64>,
    /// What happens, one line for each thing, where somebody wants to read it.
    pub(crate) story: Option<Vec<String>>,
    /// Whether records are durable as soon as they are persisted.
    pub(crate) is_syncing: bool,
    /// What every clock shows: it stands unless a test moves it.
    pub(crate) now: LocalTime,
    entropy: u64,
}

impl<S: System> Net<S> {
    pub(crate) fn new(nodes: u16, clients: u32, options: &[(&str, &str)]) -> Self {
        Self::with(nodes, clients, options, Mutants::NONE, 1).unwrap()
    }

    pub(crate) fn with(
        nodes: u16,
        clients: u32,
        options: &[(&str, &str)],
        mutants: Mutants,
        entropy: u64,
    ) -> Result<Self, ConfigError> {
        let keys = ClusterKeys::from_seed(&[5; 32], nodes, clients);
        Self::with_keys(nodes, clients, options, (mutants, entropy), keys)
    }

    /// As [`Net::with`], where nodes and clients hold these keys.
    pub(crate) fn with_keys(
        nodes: u16,
        clients: u32,
        options: &[(&str, &str)],
        (mutants, entropy): (Mutants, u64),
        keys: ClusterKeys,
    ) -> Result<Self, ConfigError> {
        let options =
            options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let config = S::configure(nodes, &options, mutants)?;
        let mut net = Self {
            keys,
            nodes: Vec::new(),
            clients: Vec::new(),
            flying: Vec::new(),
            observations: Vec::new(),
            happened: Vec::new(),
            ignored: BTreeMap::new(),
            milestones: BTreeMap::new(),
            story: None,
            sent: BTreeMap::new(),
            is_syncing: true,
            now: LocalTime(0),
            entropy,
            config,
        };
        for place in 0..clients {
            net.add_client(ClientId(place));
        }
        for place in 0..nodes {
            net.nodes.push(Node {
                replica: None,
                incarnation: 0,
                durable: Vec::new(),
                damaged: None,
                unsynced: Vec::new(),
                timers: BTreeSet::new(),
                lie: None,
                outbox: Outbox::default(),
                synced: Ticket(0),
                held: Vec::new(),
            });
            net.restart(place).unwrap();
        }
        Ok(net)
    }

    fn add_client(&mut self, me: ClientId) {
        let start = ClientStart {
            me,
            incarnation: Incarnation(1),
            config: self.config.clone(),
            keys: self.keys.clients[me.0 as usize].clone(),
            entropy: self.draw(),
        };
        let core = S::Client::start(start);
        self.clients.push(Host { core, timers: BTreeSet::new(), is_open: false, outcome: None });
    }

    fn draw(&mut self) -> u64 {
        self.entropy = self.entropy.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
        self.entropy
    }

    /// Asks client `c` to run an operation.
    pub(crate) fn invoke(&mut self, client: u32, command: Command) {
        self.clients[client as usize].is_open = true;
        self.clients[client as usize].outcome = None;
        self.client_step(client, ClientInput::Invoke(command));
    }

    /// Asks client `c`, the administrator, to change the system.
    pub(crate) fn reconfigure(&mut self, client: u32, options: Options) {
        self.clients[client as usize].is_open = true;
        self.clients[client as usize].outcome = None;
        self.client_step(client, ClientInput::Reconfigure(options));
    }

    pub(crate) fn give_up(&mut self, client: u32) {
        self.clients[client as usize].is_open = false;
        self.client_step(client, ClientInput::GiveUp);
    }

    /// Runs an operation to its end, delivering everything.
    pub(crate) fn run(&mut self, client: u32, command: Command) -> Option<Outcome> {
        self.invoke(client, command);
        self.settle();
        self.outcome(client)
    }

    /// How the client's last operation ended.
    pub(crate) fn outcome(&self, client: u32) -> Option<Outcome> {
        self.clients[client as usize].outcome.clone()
    }

    /// Delivers in order until nothing flies.
    pub(crate) fn settle(&mut self) {
        while !self.flying.is_empty() {
            self.deliver_at(0);
        }
    }

    /// Delivers, in order, what flies now and is chosen; gives how many that were.
    pub(crate) fn deliver(&mut self, chosen: impl Fn(&Flight<S::Message>) -> bool) -> usize {
        let (now, later): (Vec<_>, Vec<_>) = self.flying.drain(..).partition(|f| chosen(f));
        self.flying = later;
        let count = now.len();
        for flight in now {
            self.arrive(flight);
        }
        count
    }

    /// Delivers what is chosen, and what follows from it if it is chosen too.
    pub(crate) fn deliver_all(&mut self, chosen: impl Fn(&Flight<S::Message>) -> bool) {
        while self.deliver(&chosen) > 0 {}
    }

    /// Loses what flies now and is chosen.
    pub(crate) fn lose(&mut self, chosen: impl Fn(&Flight<S::Message>) -> bool) {
        self.flying.retain(|flight| !chosen(flight));
    }

    pub(crate) fn deliver_at(&mut self, index: usize) {
        let flight = self.flying.remove(index);
        self.arrive(flight);
    }

    pub(crate) fn arrive(&mut self, flight: Flight<S::Message>) {
        match (flight.from, flight.to) {
            (Place::Node(from), Place::Node(to)) => {
                self.node_step(to.0, Input::Message { from, message: flight.message });
            }
            (Place::Client(client), Place::Node(to)) => {
                self.node_step(to.0, Input::Request { client, message: flight.message });
            }
            (Place::Node(from), Place::Client(to)) => {
                self.client_step(to.0, ClientInput::Message { from, message: flight.message });
            }
            (Place::Client(_), Place::Client(_)) => unreachable!("clients do not talk"),
        }
    }

    /// Fires every timer that is set at this place.
    pub(crate) fn fire(&mut self, place: Place) {
        let timers = match place {
            Place::Node(node) => self.nodes[usize::from(node.0)].timers.clone(),
            Place::Client(client) => self.clients[client.0 as usize].timers.clone(),
        };
        for timer in timers {
            self.fire_one(place, timer);
        }
    }

    pub(crate) fn is_set(&self, place: Place, timer: TimerId) -> bool {
        match place {
            Place::Node(node) => self.nodes[usize::from(node.0)].timers.contains(&timer),
            Place::Client(client) => self.clients[client.0 as usize].timers.contains(&timer),
        }
    }

    pub(crate) fn fire_one(&mut self, place: Place, timer: TimerId) {
        match place {
            Place::Node(node) => {
                if self.nodes[usize::from(node.0)].timers.remove(&timer) {
                    self.node_step(node.0, Input::Timer(timer));
                }
            }
            Place::Client(client) => {
                if self.clients[client.0 as usize].timers.remove(&timer) {
                    self.client_step(client.0, ClientInput::Timer(timer));
                }
            }
        }
    }

    /// The node ends, and loses all but the first `kept` of the records that are not durable.
    pub(crate) fn crash(&mut self, node: u16, kept: usize) {
        let place = n(node);
        let node = &mut self.nodes[usize::from(node)];
        node.replica = None;
        node.timers.clear();
        node.held.clear();
        let kept = kept.min(node.unsynced.len());
        node.durable.extend(node.unsynced.drain(..kept));
        node.unsynced.clear();
        self.flying.retain(|flight| !(flight.is_local() && flight.from == place));
    }

    /// The node boots from what is durable.
    pub(crate) fn restart(&mut self, node: u16) -> Result<(), StartError> {
        let entropy = self.draw();
        let config = self.config.clone();
        let keys: Keyring = self.keys.nodes[usize::from(node)].clone();
        let state = &mut self.nodes[usize::from(node)];
        assert!(state.replica.is_none());
        state.incarnation += 1;
        let (me, incarnation) = (NodeId(node), Incarnation(state.incarnation));
        self.happened.push(Happened::Started { node: me, incarnation });
        let found = state.durable.iter().cloned();
        self.happened.extend(found.map(|record| Happened::Found { node: me, record }));
        state.outbox = Outbox::default();
        state.synced = Ticket(0);
        let damaged = state.damaged;
        let records = state.durable.iter().cloned().enumerate().map(|(place, record)| {
            if damaged == Some(place) {
                return Recovered::Corrupt { place: format!("record {}", place + 1) };
            }
            Recovered::Intact(record)
        });
        let records = records.collect();
        let now = self.now;
        let start = Start { me, incarnation, config, keys, entropy, now, records };
        state.replica = Some(S::Replica::start(start, &mut state.outbox)?);
        self.carry_out(node);
        Ok(())
    }

    /// Makes the first `count` of the records that are not durable durable.
    pub(crate) fn sync(&mut self, node: u16, count: usize) {
        let state = &mut self.nodes[usize::from(node)];
        let count = count.min(state.unsynced.len());
        if count == 0 || state.replica.is_none() {
            return;
        }
        state.durable.extend(state.unsynced.drain(..count));
        state.synced = Ticket(state.synced.0 + count as u64);
        let synced = state.synced;
        self.happened.push(Happened::Durable { node: NodeId(node), ticket: synced });
        let (ready, held): (Vec<_>, Vec<_>) =
            state.held.drain(..).partition(|(ticket, _)| *ticket <= synced);
        state.held = held;
        for (_, flight) in ready {
            self.depart(&flight);
        }
        self.node_step(node, Input::Persisted(synced));
    }

    /// Replaces the log by a checkpoint.
    pub(crate) fn checkpoint(&mut self, node: u16) {
        self.sync(node, usize::MAX);
        let state = &mut self.nodes[usize::from(node)];
        if let Some(replica) = &state.replica {
            state.durable = replica.checkpoint();
        }
    }

    pub(crate) fn node_step(&mut self, node: u16, input: Input<S::Message>) {
        let state = &mut self.nodes[usize::from(node)];
        let Some(replica) = &mut state.replica else { return };
        replica.step(self.now, input, &mut state.outbox);
        self.carry_out(node);
    }

    fn carry_out(&mut self, node: u16) {
        let place = n(node);
        let state = &mut self.nodes[usize::from(node)];
        let effects: Vec<Effect<S>> = state.outbox.drain().collect();
        let mut issued = Ticket(state.synced.0 + state.unsynced.len() as u64);
        let mut departures = Vec::new();
        for effect in effects {
            let (after, to, message) = match effect {
                Effect::Persist { ticket, record } => {
                    assert_eq!(ticket.0, issued.0 + 1);
                    issued = ticket;
                    let node = NodeId(node);
                    let persisted = Happened::Persisted { node, ticket, record: record.clone() };
                    self.happened.push(persisted);
                    state.unsynced.push(record);
                    continue;
                }
                Effect::SetTimer { id, .. } => {
                    state.timers.insert(id);
                    continue;
                }
                Effect::CancelTimer { id } => {
                    state.timers.remove(&id);
                    continue;
                }
                Effect::Observe(observation) => {
                    tell(&mut self.story, || format!("{place} {observation}"));
                    self.observations.push((place, observation.clone()));
                    self.happened.push(Happened::Observed { by: place, observation });
                    continue;
                }
                Effect::Mark(milestone) => {
                    mark::<S>(&mut self.milestones, &mut self.story, place, milestone);
                    continue;
                }
                Effect::Ignore(why) => {
                    tell(&mut self.story, || format!("{place} ignores: {}", why.0));
                    *self.ignored.entry(why.0).or_default() += 1;
                    continue;
                }
                Effect::Send { to, message, after } => (after, Place::Node(to), message),
                Effect::Reply { client, message, after } => (after, Place::Client(client), message),
            };
            let needs = match after {
                After::EveryPersist => issued,
                After::Ticket(ticket) => ticket,
                After::Nothing => Ticket(0),
            };
            assert!(needs <= issued);
            let flight = Flight { from: place, to, message };
            if needs <= state.synced {
                departures.push(flight);
            } else {
                state.held.push((needs, flight));
            }
        }
        for flight in departures {
            self.depart(&flight);
        }
        if self.is_syncing {
            self.sync(node, usize::MAX);
        }
    }

    fn depart(&mut self, flight: &Flight<S::Message>) {
        let draw = self.draw();
        let said = match flight.from {
            Place::Node(node) => match self.nodes[usize::from(node.0)].lie {
                None => vec![flight.message.clone()],
                Some(Lie::Silent) => Vec::new(),
                Some(lie) => {
                    let keys = &self.keys.nodes[usize::from(node.0)];
                    let ends = [flight.from, flight.to];
                    in_place_of::<S>(&self.config, (lie, draw), ends, keys, &flight.message)
                }
            },
            Place::Client(_) => vec![flight.message.clone()],
        };
        for message in said {
            tell(&mut self.story, || format!("{} -> {} {message}", flight.from, flight.to));
            *self.sent.entry(message.kind()).or_default() += 1;
            let Flight { from, to, .. } = *flight;
            self.happened.push(Happened::Sent { from, to, message: message.clone() });
            self.flying.push(Flight { message, from: flight.from, to: flight.to });
        }
    }

    fn client_step(&mut self, client: u32, input: ClientInput<S::Message>) {
        let mut effects = Vec::new();
        self.clients[client as usize].core.step(self.now, input, &mut effects);
        for effect in effects {
            let host = &mut self.clients[client as usize];
            match effect {
                ClientEffect::Send { to, message } => {
                    self.depart(&Flight { from: c(client), to: Place::Node(to), message });
                }
                ClientEffect::Complete(outcome) => {
                    tell(&mut self.story, || format!("{} {}", c(client), in_words(&outcome)));
                    assert!(host.is_open, "only an open operation completes");
                    host.is_open = false;
                    host.outcome = Some(outcome);
                }
                ClientEffect::SetTimer { id, .. } => {
                    host.timers.insert(id);
                }
                ClientEffect::CancelTimer { id } => {
                    host.timers.remove(&id);
                }
                ClientEffect::Observe(observation) => {
                    tell(&mut self.story, || format!("{} {observation}", c(client)));
                    self.observations.push((c(client), observation.clone()));
                    self.happened.push(Happened::Observed { by: c(client), observation });
                }
                ClientEffect::Mark(milestone) => {
                    mark::<S>(&mut self.milestones, &mut self.story, c(client), milestone);
                }
                ClientEffect::Ignore(why) => {
                    tell(&mut self.story, || format!("{} ignores: {}", c(client), why.0));
                    *self.ignored.entry(why.0).or_default() += 1;
                }
            }
        }
    }
}

fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Read(Some(value)) => format!("has read {}", value.0),
        Outcome::Read(None) => "has read nil".into(),
        Outcome::Written => "has written".into(),
        Outcome::Decided(value) => format!("has decided {}", value.0),
        Outcome::Reconfigured => "has reconfigured".into(),
        Outcome::Failed(why) => format!("has failed: {why}"),
        Outcome::Unknown(why) => format!("does not know: {why}"),
        Outcome::Swapped
        | Outcome::NotSwapped(_)
        | Outcome::Appended
        | Outcome::Deleted
        | Outcome::Added
        | Outcome::List(_)
        | Outcome::Transaction(_) => format!("has {outcome}"),
    }
}

/// Adds a line to the story, if it is told.
fn tell(story: &mut Option<Vec<String>>, line: impl FnOnce() -> String) {
    if let Some(story) = story {
        story.push(line());
    }
}

/// Counts a milestone, which must be one of those that the system lists.
fn mark<S: System>(
    milestones: &mut BTreeMap<&'static str, u64>,
    story: &mut Option<Vec<String>>,
    place: Place,
    milestone: Milestone,
) {
    let Milestone(name) = milestone;
    let is_known = S::vocabulary().milestones.iter().any(|known| known.name == name);
    assert!(is_known, "{name} is no milestone");
    tell(story, || format!("{place} reaches {name}"));
    *milestones.entry(name).or_default() += 1;
}

//! Messages, records and observations of real cores, to begin with: some of every kind that there is.
//!
//! They come from small clusters that each system draws for itself. Here everything arrives at once and in order, and
//! what is persisted is durable at once; only one node is away for a while, and some messages are lost or overtaken, so
//! that messages are repeated. Where nodes keep their memory in themselves, one forgets everything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use quorate_systems::contract::{
    Client, ClientEffect, ClientId, ClientInput, ClientStart, Command, Describe, Effect,
    Incarnation, Input, Key, Keyring, LocalTime, NodeId, Outbox, Recovered, Replica, Start, System,
    Ticket, TimerId, Value,
};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::mutant::Mutants;
use quorate_world::inputs::{self, Entry};
use quorate_world::invariants::Who;
use quorate_world::weather;

use crate::commands::call;

/// Enough to come across everything that a system can do.
const CLUSTERS: u64 = 32;
/// The first of them have real keys, where they have any. Others are as good for whatever these do not come across, and take
/// a fraction of the time.
const WITH_REAL_KEYS: u64 = 4;
/// Of one kind, so many are kept.
const OF_A_KIND: usize = 2;
const CLIENTS: u32 = 2;
/// How often each client changes something: in the second round, one node is away, in the third not all arrives, and
/// before the fourth one forgets, if it can.
const ROUNDS: u64 = 4;
/// A cluster that has not come to rest by then keeps itself busy for ever.
const STEPS_MAX: usize = 4_000;
/// So many timers may fire where nobody waits for anything.
const IDLE_MAX: u32 = 24;
/// Of the inputs, so many entries are kept.
const ENTRIES_MAX: usize = 80;

/// What some clusters said, wrote down and took in.
pub(super) struct Samples<S: System> {
    pub(super) messages: Vec<S::Message>,
    pub(super) records: Vec<S::Record>,
    pub(super) observations: Vec<S::Observation>,
    /// Logs of inputs of clusters of three nodes with the options that a system has when it is given none.
    pub(super) logs: Vec<Vec<Entry>>,
}

/// Lets small clusters run.
pub(super) fn samples<S: System>() -> Samples<S> {
    let mut kept = Kept::<S>::default();
    for seed in 0..CLUSTERS {
        let mut draws = 0;
        let mut dice = |bound: u64| {
            draws += 1;
            weather::draw(seed, "sample", &[draws]) % bound.max(1)
        };
        let (nodes, options) = S::draw_cluster(&mut dice);
        let Ok(config) = S::configure(nodes, &options, Mutants::NONE) else { continue };
        Cluster::new(nodes, config, &mut kept, seed).perform(&mut dice);
    }
    let mut logs = Vec::new();
    if let Ok(config) = S::configure(3, &BTreeMap::new(), Mutants::NONE) {
        let mut cluster = Cluster::new(3, config, &mut kept, 0);
        cluster.perform(&mut |_| 0);
        cluster.entries.truncate(ENTRIES_MAX);
        logs.push(cluster.entries);
    }
    let Kept { messages, records, observations } = kept;
    Samples {
        messages: messages.into_values().flatten().collect(),
        records: records.into_values().flatten().collect(),
        observations: observations.into_values().flatten().collect(),
        logs,
    }
}

/// The first few of every kind.
struct Kept<S: System> {
    messages: BTreeMap<&'static str, Vec<S::Message>>,
    records: BTreeMap<u8, Vec<S::Record>>,
    observations: BTreeMap<&'static str, Vec<S::Observation>>,
}

impl<S: System> Default for Kept<S> {
    fn default() -> Self {
        Self { messages: BTreeMap::new(), records: BTreeMap::new(), observations: BTreeMap::new() }
    }
}

fn keep<T: PartialEq>(kept: &mut Vec<T>, one: T) {
    if kept.len() < OF_A_KIND && !kept.contains(&one) {
        kept.push(one);
    }
}

struct Cluster<'k, S: System> {
    config: S::Config,
    nodes: Vec<(S::Replica, Outbox<S>)>,
    /// What each node has on its disk.
    disks: Vec<Vec<S::Record>>,
    clients: Vec<S::Client>,
    /// What was sent, and by whom, and is to be taken in.
    on_the_way: VecDeque<(Who, Who, S::Message)>,
    timers: VecDeque<(Who, TimerId)>,
    /// Clients that wait for their operation to end.
    waiting: BTreeSet<ClientId>,
    /// Nothing reaches it.
    away: Option<Who>,
    /// Whether every third message is lost, and those behind others overtake them.
    is_rough: bool,
    now: u64,
    entries: Vec<Entry>,
    kept: &'k mut Kept<S>,
}

impl<'k, S: System> Cluster<'k, S> {
    fn new(nodes: u16, config: S::Config, kept: &'k mut Kept<S>, entropy: u64) -> Self {
        // The last client is the one that changes the system.
        let keys = S::signs(&config).then(|| {
            if entropy < WITH_REAL_KEYS {
                ClusterKeys::from_seed(&[7; 32], nodes, CLIENTS + 1)
            } else {
                ClusterKeys::simulated(nodes, CLIENTS + 1)
            }
        });
        let (of_nodes, of_clients) =
            keys.map(|keys| (keys.nodes, keys.clients)).unwrap_or_default();
        let mut cluster = Self {
            config,
            nodes: Vec::new(),
            disks: Vec::new(),
            clients: Vec::new(),
            on_the_way: VecDeque::new(),
            timers: VecDeque::new(),
            waiting: BTreeSet::new(),
            away: None,
            is_rough: false,
            now: 1,
            entries: Vec::new(),
            kept,
        };
        for (place, node) in (0..nodes).enumerate() {
            let keys = of_nodes.get(place).cloned().unwrap_or_default();
            cluster.start_node(NodeId(node), keys, entropy);
        }
        for (place, client) in (0..=CLIENTS).enumerate() {
            let keys = of_clients.get(place).cloned().unwrap_or_default();
            cluster.start_client(ClientId(client), keys, entropy);
        }
        cluster
    }

    fn start_node(&mut self, me: NodeId, keys: Keyring, entropy: u64) {
        let start = Start {
            me,
            incarnation: Incarnation(1),
            config: self.config.clone(),
            keys,
            entropy,
            now: LocalTime(self.now),
            records: Vec::new(),
        };
        self.entries.extend(inputs::start(self.now, &start));
        let mut outbox = Outbox::default();
        let replica = S::Replica::start(start, &mut outbox).expect("its disk is empty");
        self.nodes.push((replica, outbox));
        self.disks.push(Vec::new());
        self.settle(me);
    }

    /// A node dies, and comes up with its disk. It signs nothing.
    fn restart(&mut self, me: NodeId) {
        let Some(disk) = self.disks.get(usize::from(me.0)) else { return };
        let start = Start {
            me,
            incarnation: Incarnation(2),
            config: self.config.clone(),
            keys: Keyring::default(),
            entropy: 1,
            now: LocalTime(self.now),
            records: disk.iter().cloned().map(Recovered::Intact).collect(),
        };
        self.timers.retain(|(who, _)| *who != Who::Node(me));
        let mut outbox = Outbox::default();
        let replica = S::Replica::start(start, &mut outbox).expect("its disk is intact");
        if let Some(node) = self.nodes.get_mut(usize::from(me.0)) {
            *node = (replica, outbox);
        }
        self.settle(me);
    }

    fn start_client(&mut self, me: ClientId, keys: Keyring, entropy: u64) {
        let config = self.config.clone();
        let start = ClientStart { me, incarnation: Incarnation(1), config, keys, entropy };
        self.entries.push(inputs::client_start(self.now, &start));
        self.clients.push(S::Client::start(start));
        let effects = inputs::of_client_step::<S>(&[]);
        self.entries.push(Entry::Did { who: Who::Client(me), effects });
    }

    /// Two clients change and read a few keys, at once and one after the other; then the system is changed, where it
    /// can be, and all is read once more.
    fn perform(&mut self, dice: &mut dyn FnMut(u64) -> u64) {
        let functions = S::functions(&self.config);
        let mut changes = functions.iter().copied().filter(|name| *name != "read").cycle();
        for round in 0..ROUNDS {
            let of_node = u16::try_from(dice(self.nodes.len() as u64)).unwrap_or(0);
            self.away = (round == 1).then_some(Who::Node(NodeId(of_node)));
            self.is_rough = round == 2;
            if round == 3 && S::forgetting_tolerated(&self.config).is_some() {
                self.restart(NodeId(of_node));
                self.come_to_rest();
            }
            for client in 0..CLIENTS {
                let value = Value(round * 10 + u64::from(client) + 1);
                let key = Key(dice(2));
                let Some(change) = changes.next() else { continue };
                let command = call(functions, change, key, value);
                self.client_takes(ClientId(client), ClientInput::Invoke(command));
            }
            self.come_to_rest();
            self.client_takes(ClientId(0), ClientInput::Invoke(Command::Read { key: Key(0) }));
            self.come_to_rest();
        }
        self.is_rough = false;
        if let Some(options) = S::draw_change(&self.config, &mut |bound| dice(bound)) {
            self.client_takes(ClientId(CLIENTS), ClientInput::Reconfigure(options));
            self.come_to_rest();
            self.client_takes(ClientId(0), ClientInput::Invoke(Command::Read { key: Key(1) }));
            self.come_to_rest();
        }
    }

    /// Delivers what is on the way, and lets timers fire when nothing is.
    fn come_to_rest(&mut self) {
        let mut idle = 0;
        for step in 0..STEPS_MAX {
            let next = if self.is_rough && step % 2 == 1 {
                self.on_the_way.pop_back()
            } else {
                self.on_the_way.pop_front()
            };
            if let Some((from, to, message)) = next {
                let is_lost = self.is_rough && step % 3 == 2;
                if !is_lost && Some(to) != self.away && Some(from) != self.away {
                    self.deliver(from, to, message);
                }
            } else if idle < IDLE_MAX
                && let Some((who, id)) = self.timers.pop_front()
            {
                idle += u32::from(self.waiting.is_empty());
                match who {
                    Who::Node(node) => self.node_takes(node, Input::Timer(id)),
                    Who::Client(client) => self.client_takes(client, ClientInput::Timer(id)),
                }
            } else {
                break;
            }
        }
        self.on_the_way.clear();
        for client in std::mem::take(&mut self.waiting) {
            self.client_takes(client, ClientInput::GiveUp);
        }
    }

    fn deliver(&mut self, from: Who, to: Who, message: S::Message) {
        match (from, to) {
            (Who::Node(from), Who::Node(to)) => {
                self.node_takes(to, Input::Message { from, message });
            }
            (Who::Client(client), Who::Node(to)) => {
                self.node_takes(to, Input::Request { client, message });
            }
            (Who::Node(from), Who::Client(to)) => {
                self.client_takes(to, ClientInput::Message { from, message });
            }
            // Clients have no links with each other.
            (Who::Client(_), Who::Client(_)) => {}
        }
    }

    fn node_takes(&mut self, node: NodeId, input: Input<S::Message>) {
        self.now += 1;
        let now = LocalTime(self.now);
        self.keep_entry(|at| inputs::input(Who::Node(node), at, now, &input));
        let Some((replica, outbox)) = self.nodes.get_mut(usize::from(node.0)) else { return };
        replica.step(now, input, outbox);
        self.settle(node);
    }

    fn settle(&mut self, node: NodeId) {
        let who = Who::Node(node);
        let Some((_, outbox)) = self.nodes.get_mut(usize::from(node.0)) else { return };
        let effects: Vec<Effect<S>> = outbox.drain().collect();
        self.keep_entry(|_| Entry::Did { who, effects: inputs::of_step(&effects) });
        let mut durable = None;
        for effect in effects {
            match effect {
                Effect::Persist { ticket, record } => {
                    durable = Some(ticket);
                    if let Some(disk) = self.disks.get_mut(usize::from(node.0)) {
                        disk.push(record.clone());
                    }
                    self.keep_record(record);
                }
                Effect::Send { to, message, after: _ } => self.send(who, Who::Node(to), message),
                Effect::Reply { client, message, after: _ } => {
                    self.send(who, Who::Client(client), message);
                }
                Effect::SetTimer { id, min: _, max: _ } => self.set_timer(who, id),
                Effect::CancelTimer { id } => self.cancel_timer(who, id),
                Effect::Observe(observation) => self.keep_observation(observation),
                Effect::Mark(_) | Effect::Ignore(_) => {}
            }
        }
        if let Some(Ticket(ticket)) = durable {
            self.node_takes(node, Input::Persisted(Ticket(ticket)));
        }
    }

    fn client_takes(&mut self, client: ClientId, input: ClientInput<S::Message>) {
        self.now += 1;
        let (who, now) = (Who::Client(client), LocalTime(self.now));
        self.keep_entry(|at| inputs::client_input(who, at, now, &input));
        let Some(core) = self.clients.get_mut(client.0 as usize) else { return };
        if matches!(input, ClientInput::Invoke(_)) {
            self.waiting.insert(client);
        }
        let mut effects = Vec::new();
        core.step(now, input, &mut effects);
        self.keep_entry(|_| Entry::Did { who, effects: inputs::of_client_step(&effects) });
        for effect in effects {
            match effect {
                ClientEffect::Send { to, message } => self.send(who, Who::Node(to), message),
                ClientEffect::SetTimer { id, min: _, max: _ } => self.set_timer(who, id),
                ClientEffect::CancelTimer { id } => self.cancel_timer(who, id),
                ClientEffect::Observe(observation) => self.keep_observation(observation),
                ClientEffect::Complete(_) => {
                    self.waiting.remove(&client);
                }
                ClientEffect::Mark(_) | ClientEffect::Ignore(_) => {}
            }
        }
    }

    /// The log of inputs goes on, as far as one is wanted: to write an entry takes longer than a step.
    fn keep_entry(&mut self, entry: impl FnOnce(u64) -> Entry) {
        if self.entries.len() < ENTRIES_MAX {
            self.entries.push(entry(self.now));
        }
    }

    fn send(&mut self, from: Who, to: Who, message: S::Message) {
        keep(self.kept.messages.entry(message.kind()).or_default(), message.clone());
        self.on_the_way.push_back((from, to, message));
    }

    fn set_timer(&mut self, who: Who, id: TimerId) {
        self.cancel_timer(who, id);
        self.timers.push_back((who, id));
    }

    fn cancel_timer(&mut self, who: Who, id: TimerId) {
        self.timers.retain(|timer| *timer != (who, id));
    }

    /// A record's kind is the number of its variant, which is the first thing that it is encoded as.
    fn keep_record(&mut self, record: S::Record) {
        let encoded = postcard::to_allocvec(&record).unwrap_or_default();
        let kind = encoded.first().copied().unwrap_or(0);
        keep(self.kept.records.entry(kind).or_default(), record);
    }

    fn keep_observation(&mut self, observation: S::Observation) {
        keep(self.kept.observations.entry(observation.kind()).or_default(), observation);
    }
}

#[cfg(test)]
mod tests {
    use quorate_systems::{SystemKind, WithSystem, with_system};

    use super::*;

    /// What a system lists, and no sample shows.
    struct Missing;

    impl WithSystem for Missing {
        type Out = Vec<&'static str>;

        fn with<S: System>(self) -> Self::Out {
            let Samples { messages, observations, .. } = samples::<S>();
            let messages = messages.iter().map(Describe::kind);
            let shown: BTreeSet<_> =
                messages.chain(observations.iter().map(Describe::kind)).collect();
            let listed = S::vocabulary().messages.iter().map(|kind| kind.name);
            let listed = listed.chain(S::vocabulary().observations.iter().map(|kind| kind.name));
            listed.filter(|name| !shown.contains(name)).collect()
        }
    }

    #[test]
    fn every_kind_of_message_and_observation_is_among_the_samples() {
        let missing = SystemKind::ALL.iter().map(|kind| (kind, with_system(*kind, Missing)));
        let missing: Vec<_> = missing.filter(|(_, missing)| !missing.is_empty()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}

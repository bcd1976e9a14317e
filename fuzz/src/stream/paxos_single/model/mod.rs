//! One node of single-decree Paxos, written once more: from PROTOCOLS A2.1 and A5, in lists and loops, so that it can
//! be read at a sitting. It shares types with the core, and no code; not even numbers are compared by the core's rule.

mod acceptor;
mod client;
mod desk;
mod learner;
mod proposal;

use quorate_systems::contract::{ClientId, Command, Input, Key, NodeId, Outcome, TimerId, Value};
use quorate_systems::parties::{NodeSet, Party};
use quorate_systems::paxos_single::{
    Accepted, Ballot, Config, Message, PaxosSingle, Record, RequestId, Seat,
};

pub(super) use self::client::PaxosSingleClientModel;

use self::acceptor::Acceptor;
use self::desk::{Asker, Desk};
use self::learner::Learner;
use self::proposal::Taken;
use crate::stream::expected::bit;
use crate::stream::{Cluster, Expected, Model, OnDisk, To};

/// Everything that one node must remember.
#[derive(Clone, Debug)]
pub struct PaxosSingleModel(Option<Node>);

/// One node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) me: NodeId,
    group: Group,
    /// Whether clients have nodes propose for them.
    is_asked: bool,
    pub(super) acceptor: Acceptor,
    pub(super) learner: Learner,
    pub(super) desk: Desk,
}

/// Who has which role, as bits, and how long proposers wait.
#[derive(Clone, Copy, Debug)]
struct Group {
    acceptors: u64,
    learners: u64,
    backs_off: bool,
}

impl Group {
    fn of(config: &Config) -> Self {
        let bits = |nodes: NodeSet| nodes.iter().fold(0, |bits, node| bits | bit(node));
        Self {
            acceptors: bits(config.acceptors),
            learners: bits(config.learners),
            backs_off: config.backoff,
        }
    }

    fn is_majority(self, nodes: u64) -> bool {
        (nodes & self.acceptors).count_ones() > self.acceptors.count_ones() / 2
    }
}

/// Numbers by their order: round, proposer, life.
fn rank(n: Ballot) -> (u64, (u8, u64), u64) {
    let proposer = match n.proposer {
        Party::Client(client) => (0, u64::from(client.0)),
        Party::Node(node) => (1, u64::from(node.0)),
    };
    (n.round, proposer, n.incarnation)
}

/// Higher rounds nobody believes.
const ROUND_MAX: u64 = 1 << 62;

fn is_above(n: Ballot, other: Option<Ballot>) -> bool {
    other.is_none_or(|other| rank(n) > rank(other))
}

impl PaxosSingleModel {
    /// The node that is modelled.
    pub(super) fn node(&self) -> Option<&Node> {
        self.0.as_ref()
    }
}

impl Model<PaxosSingle> for PaxosSingleModel {
    fn new() -> Self {
        Self(None)
    }

    fn reset(&mut self, cluster: &Cluster<PaxosSingle>, me: NodeId) {
        let node = self.0.get_or_insert_with(|| Node::new(&cluster.config, me));
        node.me = me;
    }

    fn start(
        &mut self,
        incarnation: u64,
        disk: &OnDisk<'_, Record>,
        _: &mut Expected<PaxosSingle>,
    ) {
        if let Some(node) = &mut self.0 {
            node.start(incarnation, disk.written);
        }
    }

    fn step(&mut self, input: &Input<Message>, expected: &mut Expected<PaxosSingle>) {
        let Some(node) = &mut self.0 else { return };
        match input {
            Input::Message { from, message } => node.on_message(*from, message, expected),
            Input::Request { client, message } => node.on_request(*client, message, expected),
            Input::Persisted(_) => {}
            Input::Timer(id) => node.on_timer(*id, expected),
        }
    }

    fn may_choose(&mut self, _message: &Message, _nodes: u64) -> bool {
        false
    }

    fn timers_min(&self) -> usize {
        let node = self.0.as_ref();
        node.map_or(0, |node| node.desk.open.len() + usize::from(node.learner.is_asking()))
    }

    fn state(&self) -> u64 {
        self.0.as_ref().map_or(0, Node::state)
    }
}

impl Node {
    fn new(config: &Config, me: NodeId) -> Self {
        Self {
            me,
            group: Group::of(config),
            is_asked: config.proposer == Seat::Node,
            acceptor: Acceptor::default(),
            learner: Learner::default(),
            desk: Desk::new(Party::Node(me), 0),
        }
    }

    /// What is on disk, and nothing else, is remembered: what an acceptor has promised and accepted.
    fn start(&mut self, incarnation: u64, records: &[Record]) {
        self.acceptor = Acceptor::default();
        self.learner = Learner::default();
        self.desk = Desk::new(Party::Node(self.me), incarnation);
        for record in records {
            self.acceptor.recover(record);
        }
    }

    fn is_in(&self, role: u64) -> bool {
        role & bit(self.me) != 0
    }

    fn on_request(
        &mut self,
        client: ClientId,
        message: &Message,
        expected: &mut Expected<PaxosSingle>,
    ) {
        match message {
            Message::Request { id, command } if self.is_asked => {
                self.on_command(client, *id, command, expected);
            }
            _ => self.on_bid(Party::Client(client), message, expected),
        }
    }

    fn on_command(
        &mut self,
        client: ClientId,
        id: RequestId,
        command: &Command,
        expected: &mut Expected<PaxosSingle>,
    ) {
        let (key, wish) = match command {
            Command::Propose { key, value } => (*key, Some(*value)),
            Command::Read { key } => (*key, None),
            _ => return,
        };
        let asker = Asker { client, id, wish };
        if let Some(decided) = self.learner.known(key) {
            return asker.answer(decided.value, expected);
        }
        let seen = self.acceptor.round(key);
        self.desk.on_asker(self.group, (key, seen), asker, expected);
    }

    fn on_message(
        &mut self,
        from: NodeId,
        message: &Message,
        expected: &mut Expected<PaxosSingle>,
    ) {
        match *message {
            Message::PrepareOk { key, .. } | Message::Nack { key, .. } => {
                let seen = self.acceptor.round(key);
                self.desk.on_answer(self.group, (from, seen), message, expected);
            }
            Message::AcceptOk { key, n, value } => {
                self.on_accept_ok(from, message, expected);
                self.on_vote(from, (key, Accepted { n, value }), expected);
            }
            Message::Learn { key } => {
                if let Some(Accepted { n, value }) = self.learner.known(key) {
                    expected.message(To::node(from), Message::Decided { key, n, value }, 0);
                }
            }
            Message::Decided { key, n, value } => {
                let is_learner = self.group.learners & bit(from) != 0;
                if is_learner && self.is_in(self.group.learners) && self.learner.lacks(key) {
                    self.learner.learn(key, Accepted { n, value });
                    self.desk.finish(key, value, expected);
                }
            }
            Message::Request { .. }
            | Message::Answer { .. }
            | Message::Prepare { .. }
            | Message::Accept { .. } => self.on_bid(Party::Node(from), message, expected),
        }
    }

    /// As a proposer: a majority that has accepted its number decides.
    fn on_accept_ok(
        &mut self,
        from: NodeId,
        message: &Message,
        expected: &mut Expected<PaxosSingle>,
    ) {
        let Message::AcceptOk { key, .. } = *message else { return };
        let seen = self.acceptor.round(key);
        let taken = self.desk.on_answer(self.group, (from, seen), message, expected);
        if let Taken::Decided(decided) = taken {
            if self.is_in(self.group.learners) {
                self.learner.learn(key, decided);
            }
            self.desk.finish(key, decided.value, expected);
        }
    }

    /// As a learner: a majority that has accepted one number decides.
    fn on_vote(
        &mut self,
        from: NodeId,
        (key, vote): (Key, Accepted),
        expected: &mut Expected<PaxosSingle>,
    ) {
        if !self.is_in(self.group.learners) {
            return;
        }
        if self.learner.on_vote(self.group, from, (key, vote)) {
            self.learner.learn(key, vote);
            self.desk.finish(key, vote.value, expected);
        }
    }

    /// What anybody may ask of an acceptor.
    fn on_bid(&mut self, from: Party, message: &Message, expected: &mut Expected<PaxosSingle>) {
        if !self.is_in(self.group.acceptors) {
            return;
        }
        match *message {
            Message::Prepare { key, n } => self.acceptor.on_prepare(from, (key, n), expected),
            Message::Accept { key, n, value } => {
                let accept = (key, Accepted { n, value });
                self.acceptor.on_accept(self.group.learners, from, accept, expected);
            }
            _ => {}
        }
    }

    fn on_timer(&mut self, id: TimerId, expected: &mut Expected<PaxosSingle>) {
        if id == TimerId(0) {
            let others = self.group.learners & !bit(self.me);
            self.learner.on_timer(others, expected);
        } else {
            self.desk.on_timer(self.group, id.0, expected);
        }
    }

    /// Which kind of state this is: how many of each thing there are, and how far they have come.
    fn state(&self) -> u64 {
        let mut state = Spread(self.group.acceptors);
        state.add(self.desk.incarnation.min(3));
        self.acceptor.add_to(&mut state);
        self.learner.add_to(&mut state);
        self.desk.add_to(&mut state);
        state.0
    }
}

/// A hash that is as quick as it has to be.
struct Spread(u64);

impl Spread {
    fn add(&mut self, part: u64) {
        self.0 = (self.0 ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}

/// Whoever asked.
fn to(party: Party) -> To {
    match party {
        Party::Client(client) => To::Client(client),
        Party::Node(node) => To::node(node),
    }
}

/// The higher of what two acceptors have accepted. Of two values with one number, which honest ones never have, the
/// higher.
fn higher(one: Option<Accepted>, other: Option<Accepted>) -> Option<Accepted> {
    let order = |accepted: &Accepted| (rank(accepted.n), accepted.value);
    one.into_iter().chain(other).max_by_key(order)
}

/// What is answered where `value` is decided.
const fn outcome(wish: Option<Value>, value: Value) -> Outcome {
    match wish {
        Some(_) => Outcome::Decided(value),
        None => Outcome::Read(Some(value)),
    }
}

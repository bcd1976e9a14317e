//! A register server, written once more: from PROTOCOLS A1 and A5, in lists and loops, so that it can be read at
//! a sitting. It shares types with the core, and no code.

mod client;
pub(super) mod coordinator;
mod lock;
pub(super) mod quorums;
mod server;
mod service;

use quorate_systems::contract::{ClientId, Input, NodeId, TimerId};
use quorate_systems::quorum::{
    Access, Configuration, Message, OpId, Party, Phase, Protocol, Purpose, Quorum, Record,
    RequestId, Seat, Stage, WriteId,
};

pub(super) use self::client::QuorumClientModel;
use self::coordinator::{Desk, State};
use self::lock::{Ended, Initiator, Member};
use self::server::Server;
use self::service::{REPEATS_MAX, Service};
use crate::stream::{Cluster, Expected, Model, OnDisk};

/// Everything that one node must remember.
#[derive(Clone, Debug)]
pub struct QuorumModel(Option<Node>);

/// One node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) me: NodeId,
    is_lock: bool,
    runs_operations: bool,
    tickets: Tickets,
    pub(super) desk: Desk,
    pub(super) server: Server,
    pub(super) member: Member,
    pub(super) initiator: Initiator,
    pub(super) service: Service,
}

/// The tickets of one life.
#[derive(Clone, Copy, Debug, Default)]
struct Tickets(u64);

impl Tickets {
    fn take(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

impl QuorumModel {
    /// The node that is modelled.
    pub(super) fn node(&self) -> Option<&Node> {
        self.0.as_ref()
    }
}

impl Model<Quorum> for QuorumModel {
    fn new() -> Self {
        Self(None)
    }

    fn reset(&mut self, cluster: &Cluster<Quorum>, me: NodeId) {
        // What belongs to a cluster is worked out once; a machine stays with its cluster.
        let node = self.0.get_or_insert_with(|| Node::new(cluster, me));
        node.me = me;
        node.desk.party = Party::Node(me);
    }

    fn start(
        &mut self,
        incarnation: u64,
        disk: &OnDisk<'_, Record>,
        expected: &mut Expected<Quorum>,
    ) {
        if let Some(node) = &mut self.0 {
            node.start(incarnation, disk.written, expected);
        }
    }

    fn step(&mut self, input: &Input<Message>, expected: &mut Expected<Quorum>) {
        let Some(node) = &mut self.0 else { return };
        match input {
            Input::Message { from, message } => node.on_message(*from, message, expected),
            Input::Request { client, message } => node.on_request(*client, message, expected),
            Input::Persisted(_) => {}
            Input::Timer(id) => node.on_timer(*id, expected),
        }
    }

    fn may_choose(&mut self, message: &Message, nodes: u64) -> bool {
        self.0.as_mut().is_some_and(|node| node.may_choose(message, nodes))
    }

    fn timers_min(&self) -> usize {
        self.0.as_ref().map_or(0, |node| {
            let Initiator { open, decided } = &node.initiator;
            let votes = usize::from(!node.member.pending.is_empty());
            node.service.running.len() + open.len() + decided.len() + votes
        })
    }

    fn state(&self) -> u64 {
        self.0.as_ref().map_or(0, Node::state)
    }
}

impl Node {
    fn new(cluster: &Cluster<Quorum>, me: NodeId) -> Self {
        let config = &cluster.config;
        let form = config.quorums.form().clone();
        Self {
            me,
            is_lock: config.protocol == Protocol::Lock,
            runs_operations: config.coordinator == Seat::Node,
            tickets: Tickets(0),
            desk: Desk::new(config, Party::Node(me)),
            server: Server::new(config.nodes, Configuration { id: 0, stage: Stage::Stable(form) }),
            member: Member::default(),
            initiator: Initiator::default(),
            service: Service::default(),
        }
    }

    /// What is on disk, and nothing else, is remembered.
    fn start(&mut self, incarnation: u64, records: &[Record], expected: &mut Expected<Quorum>) {
        self.tickets = Tickets(0);
        self.server.clear();
        self.member.clear();
        self.initiator.clear();
        self.service.clear();
        for record in records {
            self.server.recover(record);
            self.member.recover(record);
            self.initiator.recover(record);
        }
        self.desk.restart(incarnation, self.server.initial());
        self.desk.learn(&self.server.configuration);
        let service = &mut self.service;
        self.initiator.resume(self.me, || service.number(), expected);
    }

    fn on_request(&mut self, from: ClientId, message: &Message, expected: &mut Expected<Quorum>) {
        match message {
            Message::Request { id, command } => {
                if self.runs_operations {
                    self.on_command(from, *id, command, expected);
                }
            }
            _ => self.on_question(Party::Client(from), message, expected),
        }
    }

    fn on_command(
        &mut self,
        client: ClientId,
        id: RequestId,
        command: &Access,
        expected: &mut Expected<Quorum>,
    ) {
        let incarnation = self.desk.incarnation;
        let Some(number) = self.service.admit(incarnation, (client, id), expected) else { return };
        match command {
            Access::Write { key, value } if self.is_lock => {
                let write = WriteId { initiator: self.me, incarnation, number };
                let what = (*key, *value);
                self.initiator.begin(&self.desk, (write, client), what, expected);
            }
            Access::Read { .. } | Access::Write { .. } => {
                let operation =
                    coordinator::Operation::begin(&self.desk, number, command.clone(), expected);
                self.service.running.push((client, operation));
            }
        }
    }

    fn on_message(&mut self, from: NodeId, message: &Message, expected: &mut Expected<Quorum>) {
        let (me, tickets) = (self.me, &mut self.tickets);
        match message {
            Message::CommitOk { op, write } if op.phase == Phase::Commit => {
                let said = (from, *write);
                let ended = self.initiator.on_commit_ok(&self.desk, said, tickets, expected);
                self.end(ended, expected);
            }
            Message::QueryOk { op, .. }
            | Message::UpdateOk { op, .. }
            | Message::CommitOk { op, .. }
            | Message::WrongConfig { op, .. } => self.on_answer(from, *op, message, expected),
            Message::Ok { write, t } => {
                let said = (me, from, *write, *t);
                self.initiator.on_ok(&self.desk, said, tickets, expected);
            }
            Message::No { write } => {
                let said = (from, *write);
                self.member.on_no((&self.server, &self.desk), said, tickets, expected);
                let ended = self.initiator.on_no(&self.desk, said, expected);
                self.end(ended, expected);
            }
            Message::Propose { write, key, value, below } if self.is_lock => {
                if write.initiator == from && below.initiator == from && below <= write {
                    let proposal = (*write, *key, *value, *below);
                    self.member.on_propose(&self.server, proposal, tickets, expected);
                }
            }
            Message::Abort { write } if self.is_lock => {
                self.member.on_abort(&self.server, *write, tickets, expected);
            }
            Message::Terminate { write } if self.is_lock => {
                let asked = (me, from, *write);
                if write.initiator == me {
                    self.initiator.on_terminate(self.desk.incarnation, asked, expected);
                } else {
                    self.member.on_terminate(asked, tickets, expected);
                }
            }
            _ => self.on_question(Party::Node(from), message, expected),
        }
    }

    /// What anybody may ask of a server, in his own name.
    fn on_question(&mut self, from: Party, message: &Message, expected: &mut Expected<Quorum>) {
        let tickets = &mut self.tickets;
        match message {
            Message::Query { op, key, configuration } if op.party == from => {
                if !self.server.admits(*op, *configuration, expected) {
                    return;
                }
                if self.is_lock {
                    self.member.on_query(&self.server, (*op, *key), expected);
                } else {
                    self.server.on_query(*op, *key, expected);
                }
            }
            Message::Update { op, key, pair, configuration }
                if op.party == from && !self.is_lock =>
            {
                if !self.server.admits(*op, *configuration, expected) {
                    return;
                }
                self.server.on_update((*op, *key, pair), tickets, expected);
            }
            Message::Commit { op, key, pair, below } if op.party == from && self.is_lock => {
                let commit = (*op, *key, pair, below.as_deref().copied());
                self.member.on_commit(&mut self.server, commit, tickets, expected);
            }
            Message::Configure { op, configuration }
                if op.party == from && self.desk.is_changeable =>
            {
                self.desk.learn(configuration);
                self.server.on_configure(*op, configuration, tickets, expected);
            }
            Message::Fetch { op, configuration, from: first }
                if op.party == from && self.desk.is_changeable =>
            {
                if !self.server.admits(*op, *configuration, expected) {
                    return;
                }
                self.server.on_fetch(*op, *first, expected);
            }
            Message::Install { op, configuration, pairs }
                if op.party == from && self.desk.is_changeable =>
            {
                if !self.server.admits(*op, *configuration, expected) {
                    return;
                }
                self.server.on_install(*op, pairs, tickets, expected);
            }
            _ => {}
        }
    }

    /// An answer to an operation of this life.
    fn on_answer(
        &mut self,
        from: NodeId,
        op: OpId,
        message: &Message,
        expected: &mut Expected<Quorum>,
    ) {
        let is_mine = op.party == self.desk.party && op.incarnation == self.desk.incarnation;
        let running = self.service.running.iter_mut();
        let found = running.filter(|_| is_mine).find(|(_, operation)| operation.seq == op.seq);
        let Some((client, operation)) = found else { return };
        let client = *client;
        let outcome = operation.on_message(&mut self.desk, from, message, expected);
        self.end(outcome.map(|outcome| (client, op.seq, outcome)), expected);
    }

    fn on_timer(&mut self, id: TimerId, expected: &mut Expected<Quorum>) {
        if id == TimerId(0) {
            return self.member.on_timer(&self.desk, expected);
        }
        let Some(number) = id.0.checked_sub(FIRST_TIMER) else { return };
        let running = &mut self.service.running;
        let place = running.iter().position(|(_, operation)| operation.seq == number);
        let ended = match place.and_then(|place| running.get_mut(place)) {
            Some((client, operation)) if operation.resent >= REPEATS_MAX => {
                Some((*client, number, operation.stopped()))
            }
            Some((_, operation)) => {
                operation.on_timer(&self.desk, expected);
                None
            }
            None => self.initiator.on_timer((self.me, &self.desk), number, expected),
        };
        self.end(ended, expected);
    }

    fn end(&mut self, ended: Option<Ended>, expected: &mut Expected<Quorum>) {
        if let Some(ended) = ended {
            self.service.finish(ended, expected);
        }
    }

    fn may_choose(&mut self, message: &Message, nodes: u64) -> bool {
        let purpose = match message {
            Message::Propose { write, .. } => {
                self.initiator.has_asked(*write, nodes);
                Purpose::Write
            }
            Message::Query { op, .. } => {
                let mut running = self.service.running.iter();
                let asker = running.find(|(_, operation)| operation.seq == op.seq);
                asker.map_or(Purpose::Read, |(_, operation)| operation.purpose())
            }
            _ => Purpose::Write,
        };
        quorums::suffices(&self.desk.epoch, purpose, nodes)
    }

    /// Which kind of state this is: how many of each thing there are, and how far they have come.
    fn state(&self) -> u64 {
        let few = |count: usize| count.min(3) as u64;
        let mut state = Spread(u64::from(self.is_lock));
        state.add(self.desk.incarnation.min(3));
        state.add(u64::from(self.server.configuration.id.min(7)));
        state.add(u64::from(self.desk.epoch.id.min(7)));
        state.add(few(self.server.stored.len()));
        state.add(self.server.stored.iter().map(|(_, pair, _)| pair.ts.t.min(5)).sum());
        state.add(few(self.member.pending.len()));
        state.add(few(self.member.fates.len()));
        state.add(few(self.member.waiting.len()));
        state.add(few(self.initiator.open.len()));
        state.add(few(self.initiator.decided.len()));
        for (_, operation) in self.service.running.iter().take(2) {
            state.add(operation.answered());
            state.add(u64::from(matches!(operation.state, State::Update(..))));
            state.add(u64::from(operation.attempt.min(3)));
        }
        state.0
    }
}

/// The timers of operations are numbered from here.
const FIRST_TIMER: u64 = 16;

/// A hash that is as quick as it has to be.
pub(super) struct Spread(pub(super) u64);

impl Spread {
    pub(super) fn add(&mut self, part: u64) {
        self.0 = (self.0 ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}

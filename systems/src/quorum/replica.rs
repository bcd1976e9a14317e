//! The replica core: a server of the registers and, where the options say so, a coordinator for clients.

use alloc::vec::Vec;

use super::Quorum;
use super::access::Access;
use super::configuration::Configuration;
use super::coordinator::Desk;
use super::initiator::{Ended, Initiator};
use super::member::{Member, TERMINATE};
use super::message::{Message, OpId, Phase, Record, RequestId, WriteId};
use super::options::{Protocol, Seat};
use super::server::Server;
use super::service::{Service, number_of};
use crate::contract::{
    ClientId, Input, LocalTime, NodeId, Outbox, Recovered, Replica, Start, StartError, TimerId,
};
use crate::parties::Party;

/// One node of the registers.
#[derive(Debug)]
pub struct QuorumReplica {
    me: NodeId,
    desk: Desk,
    server: Server,
    service: Service,
    /// Its part in lock writes; idle in query-then-update.
    member: Member,
    initiator: Initiator,
}

impl Replica<Quorum> for QuorumReplica {
    fn start(start: Start<Quorum>, out: &mut Outbox<Quorum>) -> Result<Self, StartError> {
        let Start { me, incarnation, config, keys, entropy, .. } = start;
        let mut replica = Self {
            me,
            server: Server::new(
                me,
                config.mutants,
                Configuration::initial(config.quorums.form().clone()),
            ),
            service: Service::default(),
            member: Member::new(me, config.quorums.clone()),
            initiator: Initiator::new(me, incarnation.0),
            desk: Desk::new(Party::Node(me), incarnation.0, (config, keys), entropy),
        };
        for record in start.records {
            match record {
                Recovered::Intact(record) => replica.recover(&record),
                Recovered::Corrupt { place } => return Err(StartError::CorruptRecord { place }),
            }
        }
        replica.desk.learn(replica.server.configuration());
        replica.member.resume(out);
        let service = &mut replica.service;
        replica.initiator.resume(|| service.allot(), out);
        replica.member.assert_invariants();
        Ok(replica)
    }

    fn step(&mut self, _now: LocalTime, input: Input<Message>, out: &mut Outbox<Quorum>) {
        match input {
            Input::Message { from, message } => self.on_message(from, message, out),
            Input::Request { client, message } => self.on_request(client, message, out),
            // Nothing is done on durability but to send what waited for it.
            Input::Persisted(_) => {}
            Input::Timer(id) => self.on_timer(id, out),
        }
        self.member.assert_invariants();
    }

    fn checkpoint(&self) -> Vec<Record> {
        let mut records = self.server.checkpoint();
        if self.is_lock() {
            records.extend(self.member.checkpoint());
            records.extend(self.initiator.checkpoint());
        }
        records
    }
}

impl QuorumReplica {
    fn recover(&mut self, record: &Record) {
        if let Record::Stored { key, pair } | Record::Committed { key, pair } = record {
            self.server.recover(*key, pair.clone());
        }
        if let Record::Configured { configuration } = record {
            self.server.recover_configuration(configuration);
        }
        self.member.recover(record);
        self.initiator.recover(record);
    }

    fn on_request(&mut self, client: ClientId, message: Message, out: &mut Outbox<Quorum>) {
        match message {
            Message::Request { id, command } => self.on_command(client, id, command, out),
            message => self.on_server_message(Party::Client(client), message, out),
        }
    }

    /// A client asks this node to run an operation.
    fn on_command(
        &mut self,
        client: ClientId,
        id: RequestId,
        command: Access,
        out: &mut Outbox<Quorum>,
    ) {
        if self.desk.config.coordinator == Seat::Client {
            return out.ignore("REQUEST where clients run their operations");
        }
        let Some(number) = self.service.admit(self.desk.incarnation, client, id, out) else {
            return;
        };
        match (self.desk.config.protocol, command) {
            (Protocol::Lock, Access::Write { key, value }) => {
                self.initiator.begin(&mut self.desk, (client, number), (key, value), out);
            }
            (Protocol::Lock, command @ Access::Read { .. }) | (Protocol::Abd, command) => {
                self.service.run(&mut self.desk, client, (number, command), out);
            }
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, out: &mut Outbox<Quorum>) {
        match message {
            Message::QueryOk { op, .. }
            | Message::UpdateOk { op, .. }
            | Message::WrongConfig { op, .. } => {
                self.on_answer(from, op, message, out);
            }
            Message::CommitOk { op, write } => match op.phase {
                Phase::Commit => {
                    let ended = self.initiator.on_commit_ok(&self.desk, (from, write), out);
                    self.finish(ended, out);
                }
                Phase::Query | Phase::Update | Phase::Change => {
                    self.on_answer(from, op, message, out);
                }
            },
            Message::Propose { write, key, value, below } if self.is_lock() => {
                if write.initiator != from || below.initiator != from || below > write {
                    return out.ignore("PROPOSE that is not the sender's");
                }
                self.member.on_propose(&self.server, (write, key, value), below, out);
            }
            Message::Ok { write, t } => {
                let ended = self.initiator.on_ok(&self.desk, (from, write, t), out);
                self.finish(ended, out);
            }
            Message::No { write } => {
                self.member.on_no(&self.server, (from, write), out);
                let ended = self.initiator.on_no(&self.desk, (from, write), out);
                self.finish(ended, out);
            }
            Message::Abort { write } if self.is_lock() => {
                self.member.on_abort(&self.server, write, out);
            }
            Message::Terminate { write } if self.is_lock() => self.on_terminate(from, write, out),
            message => self.on_server_message(Party::Node(from), message, out),
        }
    }

    fn is_lock(&self) -> bool {
        self.desk.config.protocol == Protocol::Lock
    }

    /// What any coordinator may ask of a server.
    fn on_server_message(&mut self, from: Party, message: Message, out: &mut Outbox<Quorum>) {
        match message {
            Message::Query { op, key, configuration } if op.party == from => {
                if !self.server.admits(op, configuration, out) {
                    return;
                }
                if self.is_lock() {
                    self.member.on_query(&self.server, (op, key), out);
                } else {
                    self.server.on_query(op, key, out);
                }
            }
            Message::Update { op, key, pair, configuration }
                if op.party == from && !self.is_lock() =>
            {
                if !self.server.admits(op, configuration, out) {
                    return;
                }
                let check = (&self.desk.config.quorums, &self.desk.keys.public);
                self.server.on_update(op, (key, pair), check, out);
            }
            Message::Commit { op, key, pair, below } if op.party == from && self.is_lock() => {
                self.member.on_commit(&mut self.server, op, (key, pair), below.as_deref(), out);
            }
            Message::Configure { op, .. }
            | Message::Fetch { op, .. }
            | Message::Install { op, .. }
                if op.party == from =>
            {
                self.on_change(message, out);
            }
            _ => out.ignore("not for a server, or not the sender's"),
        }
    }

    /// The configuration changes.
    fn on_change(&mut self, message: Message, out: &mut Outbox<Quorum>) {
        if let Some(why) = self.desk.config.unchangeable() {
            return out.ignore(why);
        }
        match message {
            Message::Configure { op, configuration } => {
                if !configuration.is_sound(self.desk.config.nodes) {
                    return out.ignore("CONFIGURE with what is no configuration");
                }
                self.desk.learn(&configuration);
                self.server.on_configure(op, configuration, out);
            }
            Message::Fetch { op, configuration, from } => {
                if self.server.admits(op, configuration, out) {
                    self.server.on_fetch(op, from, out);
                }
            }
            Message::Install { op, configuration, pairs } => {
                if self.server.admits(op, configuration, out) {
                    self.server.on_install(op, pairs, out);
                }
            }
            _ => out.ignore("no part of a change"),
        }
    }

    /// The initiator knows best how its own writes ended.
    fn on_terminate(&mut self, from: NodeId, write: WriteId, out: &mut Outbox<Quorum>) {
        if write.initiator == self.me {
            self.initiator.on_terminate(from, write, out);
        } else {
            self.member.on_terminate(from, write, out);
        }
    }

    /// A server answers an operation that this node runs.
    fn on_answer(&mut self, from: NodeId, op: OpId, message: Message, out: &mut Outbox<Quorum>) {
        if op.party != self.desk.party || op.incarnation != self.desk.incarnation {
            return out.ignore("answer to another life's operation");
        }
        self.service.on_answer(&mut self.desk, (from, op.seq), message, out);
    }

    fn on_timer(&mut self, id: TimerId, out: &mut Outbox<Quorum>) {
        if id == TERMINATE {
            return self.member.on_timer(out);
        }
        let Some(number) = number_of(id) else { return out.ignore("timer without a meaning") };
        if self.service.on_timer(&mut self.desk, number, out) {
            return;
        }
        let (is_known, ended) = self.initiator.on_timer(&mut self.desk, number, out);
        if !is_known {
            out.ignore("timer without an operation");
        }
        self.finish(ended, out);
    }

    fn finish(&mut self, ended: Option<Ended>, out: &mut Outbox<Quorum>) {
        if let Some((client, number, outcome)) = ended {
            self.service.finish(client, number, outcome, out);
        }
    }
}

//! The replica core: a node with the roles that the options give it.

use alloc::vec::Vec;

use super::PaxosSingle;
use super::acceptor::Acceptor;
use super::ballot::Numbers;
use super::desk::{self, Asker, Desk};
use super::learner::{LEARN, Learner};
use super::message::{Accepted, Message, Observation, Record, RequestId};
use super::options::{Config, Seat};
use crate::contract::{
    ClientId, Command, Input, Key, LocalTime, NodeId, Outbox, Recovered, Replica, Start,
    StartError, TimerId,
};
use crate::parties::Party;

/// One node of single-decree Paxos.
#[derive(Debug)]
pub struct PaxosSingleReplica {
    me: NodeId,
    config: Config,
    acceptor: Acceptor,
    learner: Learner,
    /// Its proposers, one for each instance that clients ask about.
    desk: Desk,
}

/// A milestone, as the vocabulary lists it.
const LEARNED_LATE: &str = "learned-late";

impl Replica<PaxosSingle> for PaxosSingleReplica {
    fn start(
        start: Start<PaxosSingle>,
        _out: &mut Outbox<PaxosSingle>,
    ) -> Result<Self, StartError> {
        let Start { me, incarnation, config, records, .. } = start;
        let mut acceptor = Acceptor::default();
        for record in records {
            match record {
                Recovered::Intact(record) => acceptor.recover(&config, &record),
                Recovered::Corrupt { place } => return Err(StartError::CorruptRecord { place }),
            }
        }
        let desk = Desk::new(Numbers::new(Party::Node(me), incarnation.0));
        Ok(Self { me, config, acceptor, learner: Learner::default(), desk })
    }

    fn step(&mut self, _now: LocalTime, input: Input<Message>, out: &mut Outbox<PaxosSingle>) {
        match input {
            Input::Message { from, message } => self.on_message(from, &message, out),
            Input::Request { client, message } => self.on_request(client, message, out),
            // Nothing is done on durability but to send what waited for it.
            Input::Persisted(_) => {}
            Input::Timer(id) => self.on_timer(id, out),
        }
    }

    fn checkpoint(&self) -> Vec<Record> {
        self.acceptor.checkpoint()
    }
}

impl PaxosSingleReplica {
    fn on_request(&mut self, client: ClientId, message: Message, out: &mut Outbox<PaxosSingle>) {
        match message {
            Message::Request { id, command } => self.on_command(client, id, &command, out),
            message => self.on_bid(Party::Client(client), &message, out),
        }
    }

    /// A client asks this node to propose, or to read.
    fn on_command(
        &mut self,
        client: ClientId,
        id: RequestId,
        command: &Command,
        out: &mut Outbox<PaxosSingle>,
    ) {
        if self.config.proposer == Seat::Client {
            return out.ignore("REQUEST where clients propose");
        }
        let (key, wish) = match *command {
            Command::Propose { key, value } => (key, Some(value)),
            Command::Read { key } => (key, None),
            Command::Write { .. }
            | Command::Cas { .. }
            | Command::Append { .. }
            | Command::Delete { .. }
            | Command::Add { .. }
            | Command::Transaction(_) => return out.ignore("REQUEST for what nobody decides here"),
        };
        let asker = Asker { client, id, wish };
        if let Some(decided) = self.learner.known(key) {
            return desk::answer(asker, decided.value, out);
        }
        let seen = self.acceptor.round(key);
        self.desk.on_request((&self.config, seen), key, asker, out);
    }

    fn on_message(&mut self, from: NodeId, message: &Message, out: &mut Outbox<PaxosSingle>) {
        match *message {
            Message::PrepareOk { key, .. } | Message::Nack { key, .. } => {
                self.on_answer((from, key), message, out);
            }
            Message::AcceptOk { key, n, value } => {
                self.on_answer((from, key), message, out);
                self.count((from, key), Accepted { n, value }, out);
            }
            Message::Learn { key } => self.learner.on_learn(from, key, out),
            Message::Decided { key, n, value } => {
                self.on_decided((from, key), Accepted { n, value }, out);
            }
            Message::Request { .. }
            | Message::Answer { .. }
            | Message::Prepare { .. }
            | Message::Accept { .. } => self.on_bid(Party::Node(from), message, out),
        }
    }

    /// What a proposer, node or client, may ask of an acceptor.
    fn on_bid(&mut self, from: Party, message: &Message, out: &mut Outbox<PaxosSingle>) {
        if !self.config.acceptors.contains(self.me) {
            return out.ignore("not for who is no acceptor");
        }
        match *message {
            Message::Prepare { key, n } => {
                self.acceptor.on_prepare(&self.config, (from, key, n), out);
                self.acceptor.assert_invariants(&self.config, key);
            }
            Message::Accept { key, n, value } => {
                let proposal = Accepted { n, value };
                self.acceptor.on_accept(&self.config, (from, key), proposal, out);
                self.acceptor.assert_invariants(&self.config, key);
            }
            Message::Request { .. }
            | Message::Answer { .. }
            | Message::PrepareOk { .. }
            | Message::AcceptOk { .. }
            | Message::Nack { .. }
            | Message::Learn { .. }
            | Message::Decided { .. } => out.ignore("not for an acceptor"),
        }
    }

    /// An acceptor answers this node's own proposal.
    fn on_answer(
        &mut self,
        (from, key): (NodeId, Key),
        message: &Message,
        out: &mut Outbox<PaxosSingle>,
    ) {
        let seen = self.acceptor.round(key);
        let decided = self.desk.on_answer((&self.config, seen), (from, key), message, out);
        if let Some(decided) = decided {
            self.learn(key, decided, out);
        }
    }

    /// The learner's part of an `ACCEPT_OK`.
    fn count(
        &mut self,
        (from, key): (NodeId, Key),
        proposal: Accepted,
        out: &mut Outbox<PaxosSingle>,
    ) {
        if !self.config.learners.contains(self.me) {
            return;
        }
        let decided = self.learner.on_accept_ok(&self.config, (from, key), proposal, out);
        if let Some((decided, acceptors)) = decided {
            let Accepted { n, value } = decided;
            out.observe(Observation::Decided { key, n, value, acceptors });
            self.learn(key, decided, out);
        }
    }

    /// Another learner tells.
    fn on_decided(
        &mut self,
        (from, key): (NodeId, Key),
        decided: Accepted,
        out: &mut Outbox<PaxosSingle>,
    ) {
        let learners = self.config.learners;
        if !learners.contains(from) || !learners.contains(self.me) {
            return out.ignore("DECIDED among who are no learners");
        }
        if self.learner.known(key).is_some() {
            return out.ignore("DECIDED again");
        }
        out.mark(LEARNED_LATE);
        self.learn(key, decided, out);
    }

    fn learn(&mut self, key: Key, decided: Accepted, out: &mut Outbox<PaxosSingle>) {
        if self.config.learners.contains(self.me) {
            self.learner.learn(key, decided);
        }
        self.desk.finish(key, decided.value, out);
    }

    fn on_timer(&mut self, id: TimerId, out: &mut Outbox<PaxosSingle>) {
        if id == LEARN {
            return self.learner.on_timer(self.me, &self.config, out);
        }
        self.desk.on_timer(&self.config, id, out);
    }
}

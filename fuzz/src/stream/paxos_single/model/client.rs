//! A client that proposes itself, or asks nodes to.

use quorate_systems::contract::{ClientId, ClientInput, Command, NodeId, Outcome, Value};
use quorate_systems::parties::Party;
use quorate_systems::paxos_single::{Message, PaxosSingle, RequestId, Seat};

use super::proposal::{Numbers, Proposal, Taken};
use super::{Group, Spread, outcome};
use crate::stream::client::ClientModel;
use crate::stream::{Cluster, Expected, To};

/// Everything that one client must remember.
#[derive(Clone, Debug)]
pub struct PaxosSingleClientModel(Option<Client>);

#[derive(Clone, Debug)]
struct Client {
    nodes: u16,
    group: Group,
    proposes: bool,
    incarnation: u64,
    numbers: Numbers,
    /// How many operations this life has begun.
    begun: u64,
    /// Whom it asks, where nodes propose.
    node: u16,
    open: Open,
}

#[derive(Clone, Debug)]
enum Open {
    Nothing,
    /// What it proposes.
    Proposal(Proposal),
    /// What it has asked a node for, and how often since it has turned to that node.
    Question(Command, u32),
}

/// A node that leaves so many repeats unanswered is not asked again.
const REPEATS_MAX: u32 = 2;

impl ClientModel<PaxosSingle> for PaxosSingleClientModel {
    fn new() -> Self {
        Self(None)
    }

    fn reset(&mut self, cluster: &Cluster<PaxosSingle>, me: ClientId, incarnation: u64) {
        let place = me.0 % u32::from(cluster.nodes);
        self.0 = Some(Client {
            nodes: cluster.nodes,
            group: Group::of(&cluster.config),
            proposes: cluster.config.proposer == Seat::Client,
            incarnation,
            numbers: Numbers::new(Party::Client(me), incarnation),
            begun: 0,
            node: u16::try_from(place).expect("below a number of nodes"),
            open: Open::Nothing,
        });
    }

    fn step(&mut self, input: &ClientInput<Message>, expected: &mut Expected<PaxosSingle>) {
        let Some(client) = &mut self.0 else { return };
        match input {
            ClientInput::Invoke(command) => client.begin(command, expected),
            ClientInput::Message { from, message } => client.on_message(*from, message, expected),
            ClientInput::Timer(_) => client.on_timer(expected),
            ClientInput::GiveUp => {
                if let Open::Question(..) = client.open {
                    client.turn_to_next();
                }
                client.open = Open::Nothing;
            }
            // Nothing can be changed here.
            ClientInput::Reconfigure(_) => expected.end(Outcome::Failed(String::new())),
        }
    }

    fn has_sent(&mut self, _message: &Message) {}

    fn may_choose(&mut self, _message: &Message, _nodes: u64) -> bool {
        false
    }

    fn state(&self) -> u64 {
        self.0.as_ref().map_or(0, Client::state)
    }
}

impl Client {
    fn begin(&mut self, command: &Command, expected: &mut Expected<PaxosSingle>) {
        self.begun += 1;
        let (key, wish) = match command {
            Command::Propose { key, value } => (*key, Some(*value)),
            Command::Read { key } => (*key, None),
            _ => return expected.end(Outcome::Failed(String::new())),
        };
        if self.proposes {
            let what = (key, wish, 0);
            let proposal = Proposal::begin(self.group, &mut self.numbers, what, expected);
            self.open = Open::Proposal(proposal);
        } else {
            self.open = Open::Question(command.clone(), 0);
            self.ask(expected);
        }
    }

    const fn id(&self) -> RequestId {
        RequestId { incarnation: self.incarnation, seq: self.begun }
    }

    fn ask(&self, expected: &mut Expected<PaxosSingle>) {
        let Open::Question(command, _) = &self.open else { return };
        let request = Message::Request { id: self.id(), command: command.clone() };
        expected.message(To::node(NodeId(self.node)), request, 0);
    }

    const fn turn_to_next(&mut self) {
        self.node = (self.node + 1) % self.nodes;
    }

    fn on_timer(&mut self, expected: &mut Expected<PaxosSingle>) {
        match &mut self.open {
            Open::Nothing => {}
            Open::Proposal(proposal) => proposal.on_timer(self.group, &mut self.numbers, expected),
            Open::Question(_, repeats) => {
                *repeats += 1;
                if *repeats > REPEATS_MAX {
                    *repeats = 0;
                    self.turn_to_next();
                }
                self.ask(expected);
            }
        }
    }

    fn on_message(
        &mut self,
        from: NodeId,
        message: &Message,
        expected: &mut Expected<PaxosSingle>,
    ) {
        let id = self.id();
        let end = match (&mut self.open, message) {
            (
                Open::Proposal(proposal),
                Message::PrepareOk { key, .. }
                | Message::AcceptOk { key, .. }
                | Message::Nack { key, .. },
            ) if *key == proposal.key => {
                let wish: Option<Value> = proposal.wish;
                let said = (from, message);
                match proposal.on_answer(self.group, &mut self.numbers, said, expected) {
                    Taken::Open => return,
                    Taken::Nothing => Outcome::Read(None),
                    Taken::Decided(decided) => outcome(wish, decided.value),
                }
            }
            (Open::Question(..), Message::Answer { id: of, outcome }) if *of == id => {
                outcome.clone()
            }
            _ => return,
        };
        self.open = Open::Nothing;
        expected.end(end);
    }

    fn state(&self) -> u64 {
        let mut state = Spread(self.group.acceptors);
        state.add(self.begun.min(3));
        match &self.open {
            Open::Nothing => state.add(0),
            Open::Proposal(proposal) => proposal.add_to(&mut state),
            Open::Question(_, repeats) => state.add(256 + u64::from(*repeats)),
        }
        state.0
    }
}

//! A client that asks whom it takes for the leader.

use quorate_systems::contract::{ClientId, ClientInput, Command, Incarnation, NodeId, Outcome};
use quorate_systems::paxos::{Message, Paxos};
use quorate_systems::smr::RequestNumber;

use super::Spread;
use crate::stream::client::ClientModel;
use crate::stream::{Cluster, Expected, To};

/// Everything that one client must remember.
#[derive(Clone, Debug)]
pub struct PaxosClientModel(Option<Client>);

#[derive(Clone, Debug)]
struct Client {
    nodes: u16,
    incarnation: u64,
    begun: u64,
    open: Option<Command>,
    /// Whom it takes for the leader.
    node: u16,
    /// Whose turn it was last to be asked by nobody's leave.
    turn: u16,
    /// How often it still lets itself be sent elsewhere before it waits.
    hops: u16,
}

impl ClientModel<Paxos> for PaxosClientModel {
    fn new() -> Self {
        Self(None)
    }

    fn reset(&mut self, cluster: &Cluster<Paxos>, me: ClientId, incarnation: u64) {
        let node = u16::try_from(me.0 % u32::from(cluster.nodes)).expect("below a number of nodes");
        let nodes = cluster.nodes;
        self.0 =
            Some(Client { nodes, incarnation, begun: 0, open: None, node, turn: node, hops: 0 });
    }

    fn step(&mut self, input: &ClientInput<Message>, expected: &mut Expected<Paxos>) {
        let Some(client) = &mut self.0 else { return };
        match input {
            ClientInput::Invoke(command) => {
                client.begun += 1;
                client.open = Some(command.clone());
                client.hops = client.nodes;
                client.ask(expected);
            }
            ClientInput::Message { from, message } => client.on_message(*from, message, expected),
            ClientInput::Timer(_) => {
                if client.open.is_some() {
                    client.hops = client.nodes;
                    client.pass_on();
                    client.ask(expected);
                }
            }
            ClientInput::GiveUp => {
                client.pass_on();
                client.open = None;
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
        let Some(client) = &self.0 else { return 0 };
        let mut state = Spread(client.nodes.into());
        state.add(client.begun.min(3));
        state.add(u64::from(client.open.is_some()));
        state.add(client.node.into());
        state.add(client.turn.into());
        state.add(client.hops.into());
        state.0
    }
}

impl Client {
    const fn number(&self) -> RequestNumber {
        RequestNumber { incarnation: Incarnation(self.incarnation), seq: self.begun }
    }

    fn pass_on(&mut self) {
        self.turn = (self.turn + 1) % self.nodes;
        self.node = self.turn;
    }

    fn ask(&self, expected: &mut Expected<Paxos>) {
        let Some(command) = self.open.clone() else { return };
        let request = Message::Request { number: self.number(), command };
        expected.message(To::node(NodeId(self.node)), request, 0);
    }

    fn on_message(&mut self, from: NodeId, message: &Message, expected: &mut Expected<Paxos>) {
        match message {
            Message::Reply { number, outcome }
                if *number == self.number() && self.open.is_some() =>
            {
                self.open = None;
                self.node = from.0;
                expected.end(outcome.clone());
            }
            Message::Redirect { number, leader: Some(leader) }
                if *number == self.number()
                    && self.open.is_some()
                    && from.0 == self.node
                    && leader.0 < self.nodes
                    && self.hops > 0 =>
            {
                self.hops -= 1;
                self.node = leader.0;
                self.ask(expected);
            }
            _ => {}
        }
    }
}

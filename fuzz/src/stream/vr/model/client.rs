//! A client that asks the primary of the view that it takes for the present one, and all replicas in the end.

use std::collections::BTreeMap;

use quorate_systems::contract::{
    ClientId, ClientInput, Command, Incarnation, NodeId, Options, Outcome,
};
use quorate_systems::parties::NodeSet;
use quorate_systems::smr::{RequestNumber, Slot};
use quorate_systems::vr::{Config, Members, Message, View, Vr};

use super::{Spread, leaders};
use crate::stream::client::ClientModel;
use crate::stream::{Cluster, Expected, To};

/// Everything that one client must remember.
#[derive(Clone, Debug)]
pub struct VrClientModel(Option<Client>);

#[derive(Clone, Debug)]
struct Client {
    config: Config,
    incarnation: u64,
    begun: u64,
    open: Option<What>,
    view: View,
    members: Members,
    /// How often it still lets itself be sent elsewhere before it waits.
    hops: u16,
    /// What each replica has prepared for the present operation.
    prepared: BTreeMap<NodeId, (View, Slot, Outcome)>,
}

#[derive(Clone, Debug)]
enum What {
    Command(Command),
    Members(Members),
}

impl ClientModel<Vr> for VrClientModel {
    fn new() -> Self {
        Self(None)
    }

    fn reset(&mut self, cluster: &Cluster<Vr>, _me: ClientId, incarnation: u64) {
        let config = cluster.config.clone();
        self.0 = Some(Client {
            incarnation,
            begun: 0,
            open: None,
            view: View::FIRST,
            members: config.members,
            hops: 0,
            prepared: BTreeMap::new(),
            config,
        });
    }

    fn step(&mut self, input: &ClientInput<Message>, expected: &mut Expected<Vr>) {
        let Some(client) = &mut self.0 else { return };
        match input {
            ClientInput::Invoke(command) => client.begin(What::Command(command.clone()), expected),
            ClientInput::Reconfigure(options) => match members_of(options) {
                Some(members) => client.begin(What::Members(members), expected),
                None => expected.end(Outcome::Failed(String::new())),
            },
            ClientInput::Message { from, message } => client.on_message(*from, message, expected),
            ClientInput::Timer(_) => {
                client.hops = client.config.nodes;
                client.ask(client.members.set(), expected);
            }
            ClientInput::GiveUp => client.open = None,
        }
    }

    fn has_sent(&mut self, _message: &Message) {}

    fn may_choose(&mut self, _message: &Message, _nodes: u64) -> bool {
        false
    }

    fn state(&self) -> u64 {
        let Some(client) = &self.0 else { return 0 };
        let mut state = Spread(client.config.nodes.into());
        for part in [
            client.begun.min(3),
            u64::from(client.open.is_some()),
            client.view.number.min(3),
            client.view.epoch.min(2),
            client.members.set().bits(),
            client.hops.into(),
            client.prepared.len() as u64,
        ] {
            state.add(part);
        }
        state.0
    }
}

/// The replicas that are asked for, by their names.
fn members_of(options: &Options) -> Option<Members> {
    let number = |name: &str| name.trim().strip_prefix('n')?.parse().ok().map(NodeId);
    let names = options.get("members")?.split(',');
    let nodes: NodeSet = names.map(number).collect::<Option<_>>()?;
    Members::try_from(nodes).ok()
}

impl Client {
    const fn number(&self) -> RequestNumber {
        RequestNumber { incarnation: Incarnation(self.incarnation), seq: self.begun }
    }

    fn begin(&mut self, what: What, expected: &mut Expected<Vr>) {
        self.begun += 1;
        self.open = Some(what);
        self.hops = self.config.nodes;
        self.prepared.clear();
        self.ask_primary(expected);
    }

    fn ask_primary(&self, expected: &mut Expected<Vr>) {
        let primary = leaders(&self.config, self.members).primary(self.view);
        self.ask(NodeSet::of(primary), expected);
    }

    fn ask(&self, nodes: NodeSet, expected: &mut Expected<Vr>) {
        let (epoch, number) = (self.view.epoch, self.number());
        let message = match &self.open {
            None => return,
            Some(What::Command(command)) => {
                Message::Request { epoch, number, command: command.clone() }
            }
            Some(What::Members(members)) => {
                Message::Reconfiguration { epoch, number, members: *members }
            }
        };
        expected.message(To::Nodes(nodes.bits()), message, 0);
    }

    fn on_message(&mut self, from: NodeId, message: &Message, expected: &mut Expected<Vr>) {
        match message {
            Message::Reply { view, op, number, outcome, is_committed }
                if *number == self.number() && self.open.is_some() =>
            {
                self.learn(*view);
                if *is_committed || self.is_accepted(from, &(*view, *op, outcome.clone())) {
                    self.open = None;
                    expected.end(outcome.clone());
                }
            }
            Message::Redirect { number, view } if *number == self.number() => {
                let is_news = self.learn(*view);
                if is_news && self.open.is_some() && self.hops > 0 {
                    self.hops -= 1;
                    self.ask_primary(expected);
                }
            }
            Message::NewEpoch { number, view, members } if *number == self.number() => {
                let is_known = members.iter().all(|node| node.0 < self.config.nodes);
                if view.epoch > self.view.epoch && view.is_possible() && is_known {
                    (self.view, self.members) = (*view, *members);
                    self.ask_primary(expected);
                }
            }
            _ => {}
        }
    }

    /// Whether more than half of the replicas have now said the same, of one view and op-number.
    fn is_accepted(&mut self, from: NodeId, answer: &(View, Slot, Outcome)) -> bool {
        self.prepared.insert(from, answer.clone());
        let same = self.prepared.iter().filter(|(_, other)| *other == answer);
        let same = same.filter(|(node, _)| self.members.contains(**node)).count();
        answer.0.epoch == self.view.epoch && 2 * same as u64 > u64::from(self.members.count())
    }

    fn learn(&mut self, view: View) -> bool {
        let is_news = view.epoch == self.view.epoch && view > self.view && view.is_possible();
        if is_news {
            self.view = view;
        }
        is_news
    }
}

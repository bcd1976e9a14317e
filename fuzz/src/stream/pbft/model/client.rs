//! A client that asks the primary of the view that it takes for the present one, and all replicas in the end; it believes
//! what enough of them say alike.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use quorate_systems::contract::{ClientId, ClientInput, Command, Incarnation, NodeId, Outcome};
use quorate_systems::parties::{NodeSet, Party};
use quorate_systems::pbft::{
    Body, Execution, How, Message, Pbft, Proof, Reads, SignedRequest, View,
};
use quorate_systems::smr::{Request, RequestNumber};

use super::{Spread, proofs};
use crate::stream::client::ClientModel;
use crate::stream::pbft::kit::Kit;
use crate::stream::{Cluster, Expected, To};

/// Everything that one client must remember.
#[derive(Clone, Debug)]
pub struct PbftClientModel(Option<Client>);

#[derive(Clone, Debug)]
struct Client {
    kit: Rc<Kit>,
    me: ClientId,
    incarnation: u64,
    begun: u64,
    open: Option<Open>,
    view: View,
}

/// What is asked for, and what each replica says of it.
#[derive(Clone, Debug)]
struct Open {
    command: Command,
    is_read_only: bool,
    replies: BTreeMap<NodeId, (View, Outcome)>,
}

impl ClientModel<Pbft> for PbftClientModel {
    fn new() -> Self {
        Self(None)
    }

    fn reset(&mut self, cluster: &Cluster<Pbft>, me: ClientId, incarnation: u64) {
        let kit = cluster.kit.clone();
        self.0 = Some(Client { kit, me, incarnation, begun: 0, open: None, view: View::FIRST });
    }

    fn step(&mut self, input: &ClientInput<Message>, expected: &mut Expected<Pbft>) {
        let Some(client) = &mut self.0 else { return };
        match input {
            ClientInput::Invoke(command) => {
                client.begun += 1;
                let is_direct = client.kit.config.reads == Reads::ReadOnly;
                client.begin(command.clone(), is_direct && is_read(command), expected);
            }
            ClientInput::Reconfigure(_) => expected.end(Outcome::Failed(String::new())),
            ClientInput::Message { from, message } => client.on_message(*from, message, expected),
            ClientInput::Timer(_) => client.on_timer(expected),
            ClientInput::GiveUp => client.open = None,
        }
    }

    fn has_sent(&mut self, _message: &Message) {}

    fn may_choose(&mut self, _message: &Message, _nodes: u64) -> bool {
        false
    }

    fn state(&self) -> u64 {
        let Some(client) = &self.0 else { return 0 };
        let mut state = Spread(client.kit.config.nodes.into());
        let replies = client.open.as_ref().map_or(0, |open| open.replies.len() as u64);
        let is_read_only = client.open.as_ref().is_some_and(|open| open.is_read_only);
        for part in [
            client.begun.min(3),
            u64::from(client.open.is_some()),
            u64::from(is_read_only),
            client.view.0.min(3),
            replies,
        ] {
            state.add(part);
        }
        state.0
    }
}

/// Whether a command changes nothing.
fn is_read(command: &Command) -> bool {
    command.parts().iter().all(|part| matches!(part, Command::Read { .. }))
}

impl Client {
    fn begin(&mut self, command: Command, is_read_only: bool, expected: &mut Expected<Pbft>) {
        self.open = Some(Open { command, is_read_only, replies: BTreeMap::new() });
        let primary = NodeSet::of(self.view.primary(self.kit.config.nodes));
        self.ask(if is_read_only { self.all() } else { primary }, expected);
    }

    fn all(&self) -> NodeSet {
        NodeSet::all(self.kit.config.nodes)
    }

    const fn number(&self) -> RequestNumber {
        RequestNumber { incarnation: Incarnation(self.incarnation), seq: self.begun }
    }

    fn ask(&self, nodes: NodeSet, expected: &mut Expected<Pbft>) {
        let Some(open) = &self.open else { return };
        let (client, number, command) = (self.me, self.number(), open.command.clone());
        let request = Request { client, number, command };
        let signed: SignedRequest = self.kit.signed(request, open.is_read_only);
        let body = Body::Request(Arc::new(signed));
        expected.message(To::Nodes(nodes.bits()), Message { body, proof: Proof::Itself }, 0);
    }

    fn on_timer(&mut self, expected: &mut Expected<Pbft>) {
        match &self.open {
            None => {}
            Some(open) if open.is_read_only => self.begin(open.command.clone(), false, expected),
            Some(_) => self.ask(self.all(), expected),
        }
    }

    fn on_message(&mut self, from: NodeId, message: &Message, expected: &mut Expected<Pbft>) {
        let keys = self.kit.keys_of(Party::Client(self.me));
        let Body::Reply { view, number, outcome, how } = &message.body else { return };
        if !keys.is_authentic(Party::Node(from), message) || *number != self.number() {
            return;
        }
        let Some(open) = &mut self.open else { return };
        let is_answer = open.command.is_answered_by(outcome);
        if open.is_read_only != (*how == How::ReadOnly) || !is_answer {
            return;
        }
        open.replies.insert(from, (*view, outcome.clone()));
        let alike = open.replies.values().filter(|(_, other)| other == outcome).count();
        if alike >= self.needed(*how) {
            self.accept(outcome.clone(), expected);
        } else if self.is_hopeless()
            && let Some(command) = self.open.as_ref().map(|open| open.command.clone())
        {
            self.begin(command, false, expected);
        }
    }

    fn accept(&mut self, outcome: Outcome, expected: &mut Expected<Pbft>) {
        let Some(open) = self.open.take() else { return };
        let believed = open.replies.values().filter(|(_, other)| *other == outcome);
        let mut views: Vec<View> = believed.map(|(view, _)| *view).collect();
        views.sort_unstable_by_key(|view| std::cmp::Reverse(*view));
        // One of f + 1 is correct, and in its view or above.
        let vouched = views.get(usize::from(self.kit.config.f)).copied();
        self.view = self.view.max(vouched.unwrap_or(View::FIRST));
        expected.end(outcome);
    }

    /// How many must say the same.
    fn needed(&self, how: How) -> usize {
        let config = &self.kit.config;
        let is_early = config.reads == Reads::ReadOnly || config.execution == Execution::Tentative;
        let asked = config.replies.map(|replies| replies as usize);
        match (how, asked) {
            (How::ReadOnly, _) => proofs::quorum(config).max(asked.unwrap_or(0)),
            (_, asked) if is_early => proofs::quorum(config).max(asked.unwrap_or(0)),
            (_, Some(asked)) => asked,
            (_, None) => proofs::weak(config),
        }
    }

    /// Whether a read cannot have equal answers of enough replicas any more.
    fn is_hopeless(&self) -> bool {
        let Some(open) = self.open.as_ref().filter(|open| open.is_read_only) else { return false };
        let count =
            |outcome: &Outcome| open.replies.values().filter(|(_, other)| other == outcome).count();
        let most = open.replies.values().map(|(_, outcome)| count(outcome)).max().unwrap_or(0);
        let silent = usize::from(self.kit.config.nodes) - open.replies.len();
        most + silent < self.needed(How::ReadOnly)
    }
}

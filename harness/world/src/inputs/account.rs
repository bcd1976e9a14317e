//! What happened in a run, from what its cores did again: which operations clients began, which messages
//! were sent and which of them were taken in, when nodes lived.

use std::collections::{BTreeMap, VecDeque};

use quorate_checkers::history::{History, What as Recorded};
use quorate_plan::Endpoint;
use quorate_systems::contract::{
    ClientEffect, ClientId, ClientInput, Command, Describe, Effect, Input, NodeId, System, Ticket,
};
use serde::Serialize;

use super::reexecute::{Step, What};
use crate::invariants::Who;

/// What happened in a run, as far as a simulated run can be told to do the same. All times are nanoseconds on
/// the clock that the logs of the run share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The operations in the order in which they began.
    pub(super) asked: Vec<Asked>,
    /// The messages in the order in which cores wanted them sent; none that a node sent to itself.
    pub(super) passages: Vec<Passage>,
    /// When each node came up, every time, when it took something in, and when its disk had synced
    /// what no message had it write.
    pub(super) nodes: BTreeMap<u16, Times>,
    /// How long each record took until its core heard that it was durable.
    pub(super) syncs: Vec<u64>,
    /// What cores told of themselves, in the order of the steps.
    pub(super) told: Vec<Told>,
}

/// What a core told of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When, on the clock of the logs, in nanoseconds.
    pub at: u64,
    /// Whose core.
    pub by: Endpoint,
    /// The kind of the observation, by the name in the system's vocabulary.
    pub kind: &'static str,
    /// What it says, in one line.
    pub text: String,
}

impl Account {
    /// The messages in the order in which cores wanted them sent; none that a node sent to itself, and none that a liar
    /// made up.
    pub fn passages(&self) -> &[Passage] {
        &self.passages
    }

    /// What cores told of themselves.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// Each time that a node came up, on the clock of the logs, in nanoseconds.
    pub fn starts(&self) -> impl Iterator<Item = (u16, u64)> {
        self.nodes.iter().flat_map(|(node, times)| times.starts.iter().map(|at| (*node, *at)))
    }

    /// How far the clock of the logs is ahead of that of the history of the run, in nanoseconds; nothing if nobody asked
    /// for anything.
    pub fn ahead_of(&self, history: &History) -> Option<u64> {
        let is_invoke = |what: &Recorded| matches!(what, Recorded::Invoke(_));
        let first = history.events().iter().find(|event| is_invoke(&event.what))?;
        Some(self.asked.first()?.at.saturating_sub(first.time.0))
    }
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) client: u32,
    pub(super) at: u64,
    pub(super) ended: Option<u64>,
    pub(super) command: Command,
    /// The number that the client's core gave it, where its messages carry one.
    pub(super) seq: Option<u64>,
}

impl Asked {
    /// The variables that it is on.
    pub(super) fn keys(&self) -> impl Iterator<Item = u64> {
        self.command.keys().map(|key| key.0)
    }
}

/// A message. Times are nanoseconds on the clock of the logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Its kind, by the name in the system's vocabulary.
    pub kind: &'static str,
    /// What it says, in one line that begins with its kind.
    pub text: String,
    /// Who sent it.
    pub from: Endpoint,
    /// To whom.
    pub to: Endpoint,
    pub(super) key: Option<u64>,
    /// Whether it carries the number of an operation.
    pub(super) is_numbered: bool,
    /// The operation that it belongs to, by its place; known of messages to and from clients.
    pub(super) asked: Option<usize>,
    /// When its sender wanted it sent.
    pub sent: u64,
    /// When its receiver took it in, if it did; for the first time, if more than once.
    pub taken: Option<u64>,
    /// When its receiver heard that what it wrote because of it was durable.
    pub(super) durable: Option<u64>,
}

/// Moments in the lives of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) starts: Vec<u64>,
    pub(super) inputs: Vec<u64>,
    /// When its core heard that a record was durable that no message had it write.
    pub(super) synced: Vec<u64>,
}

/// Makes an [`Account`] from the steps of a re-execution, in their order.
#[derive(Debug, Default)]
pub struct Accountant {
    account: Account,
    /// Messages that were sent and not yet taken in, by their ends and bytes.
    under_way: BTreeMap<(Endpoint, Endpoint, Vec<u8>), VecDeque<usize>>,
    /// The last operation of each client.
    last: BTreeMap<u32, usize>,
    /// Operations by client and number.
    numbered: BTreeMap<(u32, u64), usize>,
    /// Records that are not known to be durable, by node.
    unsynced: BTreeMap<u16, Vec<Unsynced>>,
}

/// A record that is not known to be durable.
#[derive(Debug)]
struct Unsynced {
    ticket: Ticket,
    /// When it was to be written.
    at: u64,
    /// The message because of which it was.
    cause: Option<usize>,
}

/// The field by which messages name the operation that they belong to.
pub(super) const NUMBER: &str = "seq";

impl Accountant {
    /// A core did something once more.
    pub fn note<S: System>(&mut self, step: &Step<'_, S>) {
        let (t, who) = (step.t, step.who);
        match (&step.what, who) {
            (What::Started { effects, .. }, Who::Node(node)) => {
                self.account.nodes.entry(node.0).or_default().starts.push(t);
                self.unsynced.remove(&node.0);
                self.carry_out(t, node, effects, None);
            }
            (What::Took { input, effects, .. }, Who::Node(node)) => {
                self.account.nodes.entry(node.0).or_default().inputs.push(t);
                let cause = self.take(t, node, input);
                self.carry_out(t, node, effects, cause);
            }
            (What::ClientTook { input, effects, .. }, Who::Client(client)) => {
                self.ask_or_hear(t, client, input);
                self.carry_out_of_client(t, client, effects);
            }
            // A client that starts wants nothing; a node that did not start is one that is down.
            (What::Started { .. } | What::Took { .. }, Who::Client(_))
            | (What::ClientTook { .. }, Who::Node(_))
            | (
                What::Refused(_) | What::ClientStarted | What::Panicked { .. } | What::Lies(_),
                Who::Node(_) | Who::Client(_),
            ) => {}
        }
    }

    /// What there is to tell.
    pub fn finish(self) -> Account {
        self.account
    }

    /// The message that it was, if it was one that is known.
    fn take<M: Describe + Serialize>(
        &mut self,
        t: u64,
        node: NodeId,
        input: &Input<M>,
    ) -> Option<usize> {
        let to = Endpoint::Node(node.0);
        match input {
            Input::Message { from, message } => {
                self.arrives(t, Endpoint::Node(from.0), to, message)
            }
            Input::Request { client, message } => {
                self.arrives(t, Endpoint::Client(client.0), to, message)
            }
            Input::Persisted(ticket) => {
                self.synced(t, node, *ticket);
                None
            }
            Input::Timer(_) => None,
        }
    }

    fn synced(&mut self, t: u64, node: NodeId, up_to: Ticket) {
        let waiting = self.unsynced.entry(node.0).or_default();
        for record in waiting.extract_if(.., |waiting| waiting.ticket <= up_to) {
            self.account.syncs.push(t.saturating_sub(record.at));
            match record.cause.and_then(|cause| self.account.passages.get_mut(cause)) {
                Some(passage) => passage.durable = Some(t),
                None => self.account.nodes.entry(node.0).or_default().synced.push(t),
            }
        }
    }

    fn ask_or_hear<M: Describe + Serialize>(
        &mut self,
        t: u64,
        client: ClientId,
        input: &ClientInput<M>,
    ) {
        match input {
            ClientInput::Invoke(command) => {
                let (client, command) = (client.0, command.clone());
                self.last.insert(client, self.account.asked.len());
                self.account.asked.push(Asked { client, at: t, ended: None, command, seq: None });
            }
            ClientInput::Message { from, message } => {
                self.arrives(t, Endpoint::Node(from.0), Endpoint::Client(client.0), message);
            }
            ClientInput::GiveUp => self.end(t, client),
            ClientInput::Reconfigure(_) | ClientInput::Timer(_) => {}
        }
    }

    fn carry_out<S: System>(
        &mut self,
        t: u64,
        node: NodeId,
        effects: &[Effect<S>],
        cause: Option<usize>,
    ) {
        let from = Endpoint::Node(node.0);
        for effect in effects {
            match effect {
                Effect::Send { to, message, .. } => {
                    self.leaves(t, from, Endpoint::Node(to.0), message);
                }
                Effect::Reply { client, message, .. } => {
                    self.leaves(t, from, Endpoint::Client(client.0), message);
                }
                Effect::Persist { ticket, .. } => {
                    let record = Unsynced { ticket: *ticket, at: t, cause };
                    self.unsynced.entry(node.0).or_default().push(record);
                }
                Effect::Observe(observation) => self.tells(t, from, observation),
                Effect::SetTimer { .. }
                | Effect::CancelTimer { .. }
                | Effect::Mark(_)
                | Effect::Ignore(_) => {}
            }
        }
    }

    fn carry_out_of_client<S: System>(
        &mut self,
        t: u64,
        client: ClientId,
        effects: &[ClientEffect<S>],
    ) {
        for effect in effects {
            match effect {
                ClientEffect::Send { to, message } => {
                    if let Some(number) = message.field(NUMBER) {
                        self.number(client, number);
                    }
                    self.leaves(t, Endpoint::Client(client.0), Endpoint::Node(to.0), message);
                }
                ClientEffect::Complete(_) => self.end(t, client),
                ClientEffect::Observe(observation) => {
                    self.tells(t, Endpoint::Client(client.0), observation);
                }
                ClientEffect::SetTimer { .. }
                | ClientEffect::CancelTimer { .. }
                | ClientEffect::Mark(_)
                | ClientEffect::Ignore(_) => {}
            }
        }
    }

    fn tells(&mut self, at: u64, by: Endpoint, observation: &impl Describe) {
        let (kind, text) = (observation.kind(), observation.to_string());
        self.account.told.push(Told { at, by, kind, text });
    }

    /// The present operation of a client has this number, unless another one has.
    fn number(&mut self, client: ClientId, number: u64) {
        let Some(place) = self.last.get(&client.0) else { return };
        let place = *self.numbered.entry((client.0, number)).or_insert(*place);
        if let Some(asked) = self.account.asked.get_mut(place) {
            asked.seq.get_or_insert(number);
        }
    }

    fn end(&mut self, t: u64, client: ClientId) {
        let place = self.last.get(&client.0);
        if let Some(asked) = place.and_then(|place| self.account.asked.get_mut(*place)) {
            asked.ended.get_or_insert(t);
        }
    }

    fn leaves<M: Describe + Serialize>(
        &mut self,
        t: u64,
        from: Endpoint,
        to: Endpoint,
        message: &M,
    ) {
        if from == to {
            return;
        }
        let number = message.field(NUMBER);
        let passage = Passage {
            kind: message.kind(),
            text: message.to_string(),
            from,
            to,
            key: message.field("key"),
            is_numbered: number.is_some(),
            asked: self.operation(from, to, number),
            sent: t,
            taken: None,
            durable: None,
        };
        let place = self.account.passages.len();
        self.under_way.entry((from, to, bytes(message))).or_default().push_back(place);
        self.account.passages.push(passage);
    }

    /// Of equal messages the one that was sent first arrives first. What arrives twice is told once. Which message
    /// it was, if it is known.
    fn arrives<M: Serialize>(
        &mut self,
        t: u64,
        from: Endpoint,
        to: Endpoint,
        message: &M,
    ) -> Option<usize> {
        let place = self.under_way.get_mut(&(from, to, bytes(message)))?.pop_front()?;
        self.account.passages.get_mut(place)?.taken = Some(t);
        Some(place)
    }

    fn operation(&self, from: Endpoint, to: Endpoint, number: Option<u64>) -> Option<usize> {
        let client = match (from, to) {
            (Endpoint::Client(client), _) | (_, Endpoint::Client(client)) => client,
            (Endpoint::Node(_), Endpoint::Node(_)) => return None,
        };
        match number {
            Some(number) => self.numbered.get(&(client, number)).copied(),
            None => self.last.get(&client).copied(),
        }
    }
}

fn bytes(message: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(message).expect("messages can be written")
}

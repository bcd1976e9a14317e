//! A client: operations of its own, requests to nodes, and, for an administrator, changes of the configuration.

use quorate_systems::contract::{
    ClientId, ClientInput, Command, Key, NodeId, Options, Outcome, System,
};
use quorate_systems::quorum::{
    Access, Config, Configuration, Form, Message, OpId, Pair, Party, Phase, Purpose, Quorum,
    RequestId, Seat, Stage, Timestamp,
};

use super::coordinator::{Desk, Operation, State};
use super::{Spread, quorums};
use crate::stream::client::ClientModel;
use crate::stream::expected::bit;
use crate::stream::{Cluster, Expected, To};

/// A read that one node left unanswered so often is put to the next.
const REPEATS_MAX: u32 = 2;

/// Everything that a client must remember.
#[derive(Clone, Debug)]
pub struct QuorumClientModel(Option<Client>);

#[derive(Clone, Debug)]
struct Client {
    config: Config,
    initial: Configuration,
    desk: Desk,
    seq: u64,
    open: Open,
    /// Whom it asks, where nodes run operations.
    node: NodeId,
    /// Which life each node has told it of.
    lives: Vec<(NodeId, u64)>,
}

#[derive(Clone, Debug)]
enum Open {
    Nothing,
    Runs(Operation),
    Asks { command: Access, bound: Option<u64>, resent: u32 },
    Changes(Change),
}

impl ClientModel<Quorum> for QuorumClientModel {
    fn new() -> Self {
        Self(None)
    }

    fn reset(&mut self, cluster: &Cluster<Quorum>, me: ClientId, incarnation: u64) {
        let client = self.0.get_or_insert_with(|| Client::new(&cluster.config, me));
        client.desk.party = Party::Client(me);
        client.desk.restart(incarnation, &client.initial);
        client.seq = 0;
        client.open = Open::Nothing;
        client.node = NodeId(u16::try_from(me.0).expect("one of a few") % cluster.nodes);
        client.lives.clear();
    }

    fn step(&mut self, input: &ClientInput<Message>, expected: &mut Expected<Quorum>) {
        let Some(client) = &mut self.0 else { return };
        match input {
            ClientInput::Invoke(command) => client.invoke(command, expected),
            ClientInput::Reconfigure(options) => client.reconfigure(options, expected),
            ClientInput::Message { from, message } => client.on_message(*from, message, expected),
            ClientInput::Timer(_) => client.on_timer(expected),
            ClientInput::GiveUp => {
                if matches!(client.open, Open::Asks { .. }) {
                    client.turn_to_next();
                }
                client.open = Open::Nothing;
            }
        }
    }

    fn has_sent(&mut self, message: &Message) {
        if let (Some(client), Message::Update { key, pair, .. }) = (&mut self.0, message) {
            client.desk.has_signed(*key, pair);
        }
    }

    fn may_choose(&mut self, _message: &Message, nodes: u64) -> bool {
        let Some(client) = &self.0 else { return true };
        match &client.open {
            Open::Runs(operation) => {
                quorums::suffices(&client.desk.epoch, operation.purpose(), nodes)
            }
            Open::Nothing | Open::Asks { .. } | Open::Changes(_) => false,
        }
    }

    fn state(&self) -> u64 {
        let mut state = Spread(1);
        let Some(client) = &self.0 else { return state.0 };
        state.add(u64::from(client.desk.epoch.id.min(7)));
        state.add(client.seq.min(2));
        match &client.open {
            Open::Nothing => state.add(0),
            Open::Runs(operation) => {
                state.add(1 + u64::from(matches!(operation.state, State::Update(..))));
                state.add(operation.answered());
                state.add(u64::from(operation.attempt.min(2)));
                state.add(u64::from(operation.resent.min(2)));
            }
            Open::Asks { bound, resent, .. } => {
                state.add(3 + u64::from(bound.is_some()));
                state.add(u64::from(*resent));
            }
            Open::Changes(change) => {
                state.add(5 + change.stage.number());
                state.add(change.answered());
            }
        }
        state.0
    }
}

impl Client {
    fn new(config: &Config, me: ClientId) -> Self {
        let form = config.quorums.form().clone();
        Self {
            config: config.clone(),
            initial: Configuration { id: 0, stage: Stage::Stable(form) },
            desk: Desk::new(config, Party::Client(me)),
            seq: 0,
            open: Open::Nothing,
            node: NodeId(0),
            lives: Vec::new(),
        }
    }

    fn invoke(&mut self, command: &Command, expected: &mut Expected<Quorum>) {
        let Some(command) = Access::of(command) else {
            return expected.end(Outcome::Failed(String::new()));
        };
        self.seq += 1;
        if self.config.coordinator == Seat::Client {
            self.open = Open::Runs(Operation::begin(&self.desk, self.seq, command, expected));
        } else {
            self.open = Open::Asks { command, bound: self.life(), resent: 0 };
            self.ask(expected);
        }
    }

    fn reconfigure(&mut self, options: &Options, expected: &mut Expected<Quorum>) {
        self.seq += 1;
        match Quorum::change(&self.config, options) {
            Ok(config) => {
                let target = config.quorums.form().clone();
                let change = Change::begin(&self.desk, self.seq, target, expected);
                self.open = Open::Changes(change);
            }
            Err(_) => expected.end(Outcome::Failed(String::new())),
        }
    }

    fn life(&self) -> Option<u64> {
        self.lives.iter().find(|(node, _)| *node == self.node).map(|(_, life)| *life)
    }

    fn turn_to_next(&mut self) {
        self.node = NodeId((self.node.0 + 1) % self.config.nodes);
    }

    fn request_id(&self, bound: Option<u64>) -> RequestId {
        RequestId { incarnation: self.desk.incarnation, seq: self.seq, bound }
    }

    fn ask(&self, expected: &mut Expected<Quorum>) {
        if let Open::Asks { command, bound, .. } = &self.open {
            let id = self.request_id(*bound);
            let request = Message::Request { id, command: command.clone() };
            expected.message(To::node(self.node), request, 0);
        }
    }

    fn on_message(&mut self, from: NodeId, message: &Message, expected: &mut Expected<Quorum>) {
        let outcome = match &mut self.open {
            Open::Nothing => None,
            Open::Runs(operation) => operation.on_message(&mut self.desk, from, message, expected),
            Open::Changes(change) => change.on_message(&mut self.desk, from, message, expected),
            Open::Asks { .. } => self.on_answer(from, message, expected),
        };
        if let Some(outcome) = outcome {
            self.open = Open::Nothing;
            expected.end(outcome);
        }
    }

    fn on_answer(
        &mut self,
        from: NodeId,
        message: &Message,
        expected: &mut Expected<Quorum>,
    ) -> Option<Outcome> {
        let Open::Asks { bound, .. } = &self.open else { return None };
        let asked = self.request_id(*bound);
        match message {
            Message::Answer { id, outcome } if from == self.node && *id == asked => {
                if matches!(outcome, Outcome::Failed(_) | Outcome::Unknown(_)) {
                    self.turn_to_next();
                }
                Some(outcome.clone())
            }
            Message::WrongIncarnation { id, incarnation } => {
                match self.lives.iter_mut().find(|(node, _)| *node == from) {
                    Some((_, life)) => *life = (*life).max(*incarnation),
                    None => self.lives.push((from, *incarnation)),
                }
                if from == self.node && *id == asked { self.on_other_life(expected) } else { None }
            }
            _ => None,
        }
    }

    /// The node's present life has not run the request. An earlier life may have, if the request named it.
    fn on_other_life(&mut self, expected: &mut Expected<Quorum>) -> Option<Outcome> {
        let life = self.life();
        let Open::Asks { command, bound, .. } = &mut self.open else { return None };
        if matches!(command, Access::Write { .. }) && bound.is_some() {
            return Some(Outcome::Unknown(String::new()));
        }
        *bound = life;
        self.ask(expected);
        None
    }

    fn on_timer(&mut self, expected: &mut Expected<Quorum>) {
        match &mut self.open {
            Open::Nothing => {}
            Open::Runs(operation) => operation.on_timer(&self.desk, expected),
            Open::Changes(change) => {
                change.resent += 1;
                change.send(&self.desk, expected);
            }
            Open::Asks { command: Access::Read { .. }, resent, .. } if *resent >= REPEATS_MAX => {
                self.turn_to_next();
                let life = self.life();
                if let Open::Asks { bound, resent, .. } = &mut self.open {
                    (*bound, *resent) = (life, 0);
                }
                self.ask(expected);
            }
            Open::Asks { resent, .. } => {
                *resent += 1;
                self.ask(expected);
            }
        }
    }
}

/// The way of an administrator from one configuration to the next: PROTOCOLS A1.1, with a joint phase in which
/// what is stored is moved.
#[derive(Clone, Debug)]
struct Change {
    seq: u64,
    target: Form,
    attempt: u32,
    resent: u32,
    told: u64,
    stage: Doing,
}

#[derive(Clone, Debug)]
enum Doing {
    /// Is a read quorum of the present configuration still in it?
    Asks { heard: u64 },
    /// All quorums of `before` must have a member in `next`.
    Adopts { next: Configuration, before: Configuration, adopted: u64 },
    /// What is stored from a key on, as the old form's members say; complete below `until`.
    Fetches { first: Key, until: Option<Key>, heard: u64, pairs: Vec<(Key, Pair)> },
    /// That must be stored by the new form's members.
    Installs { pairs: Vec<(Key, Pair)>, until: Option<Key>, holders: u64 },
}

impl Doing {
    fn number(&self) -> u64 {
        match self {
            Self::Asks { .. } => 0,
            Self::Adopts { .. } => 1,
            Self::Fetches { .. } => 2,
            Self::Installs { .. } => 3,
        }
    }

    fn first_in(present: &Configuration) -> Self {
        match &present.stage {
            Stage::Stable(_) => Self::Asks { heard: 0 },
            Stage::Joint(old, _) => {
                let before =
                    Configuration { id: present.id - 1, stage: Stage::Stable(old.clone()) };
                Self::Adopts { next: present.clone(), before, adopted: 0 }
            }
        }
    }
}

/// The form that is going, or the only one; and the one that is coming.
fn forms(configuration: &Configuration) -> (&Form, Option<&Form>) {
    match &configuration.stage {
        Stage::Stable(form) => (form, None),
        Stage::Joint(old, new) => (old, Some(new)),
    }
}

impl Change {
    fn begin(desk: &Desk, seq: u64, target: Form, expected: &mut Expected<Quorum>) -> Self {
        let stage = Doing::first_in(&desk.epoch);
        let mut change = Self { seq, target, attempt: 0, resent: 0, told: 0, stage };
        change.send(desk, expected);
        change
    }

    fn answered(&self) -> u64 {
        match &self.stage {
            Doing::Asks { heard } | Doing::Fetches { heard, .. } => *heard,
            Doing::Adopts { adopted, .. } => *adopted,
            Doing::Installs { holders, .. } => *holders,
        }
    }

    fn op(&self, desk: &Desk) -> OpId {
        let Desk { party, incarnation, .. } = *desk;
        OpId { party, incarnation, seq: self.seq, phase: Phase::Change, attempt: self.attempt }
    }

    fn question(&self, desk: &Desk) -> Message {
        let (op, present) = (self.op(desk), desk.epoch.id);
        let configure = |configuration: &Configuration| Message::Configure {
            op,
            configuration: Box::new(configuration.clone()),
        };
        match &self.stage {
            Doing::Asks { .. } => configure(&desk.epoch),
            Doing::Adopts { next, .. } => configure(next),
            Doing::Fetches { first, .. } => {
                Message::Fetch { op, configuration: present, from: *first }
            }
            Doing::Installs { pairs, .. } => {
                Message::Install { op, configuration: present, pairs: pairs.clone() }
            }
        }
    }

    fn send(&mut self, desk: &Desk, expected: &mut Expected<Quorum>) {
        self.told = 0;
        let (old, new) = forms(&desk.epoch);
        let everybody = (1 << desk.nodes) - 1;
        let contacts = match &self.stage {
            Doing::Asks { .. } | Doing::Adopts { .. } if self.resent > 0 => everybody,
            Doing::Asks { .. } => quorums::everyone(&desk.epoch),
            Doing::Adopts { next, before, .. } => {
                quorums::everyone(next) | quorums::everyone(before)
            }
            Doing::Fetches { .. } => quorums::members(old),
            Doing::Installs { .. } => new.map_or(0, quorums::members),
        };
        expected.message(To::Nodes(contacts & !self.answered()), self.question(desk), 0);
    }

    fn enter(&mut self, desk: &Desk, stage: Doing, expected: &mut Expected<Quorum>) {
        self.stage = stage;
        self.attempt += 1;
        self.resent = 0;
        self.send(desk, expected);
    }

    fn on_message(
        &mut self,
        desk: &mut Desk,
        from: NodeId,
        message: &Message,
        expected: &mut Expected<Quorum>,
    ) -> Option<Outcome> {
        match message {
            Message::WrongConfig { op, configuration } => {
                self.on_other(desk, from, (*op, configuration), expected);
                None
            }
            Message::ConfigureOk { op } if *op == self.op(desk) => {
                self.on_configured(desk, from, expected)
            }
            Message::FetchOk { op, pairs, next } if *op == self.op(desk) => {
                self.on_fetched(desk, from, (pairs, *next), expected);
                None
            }
            Message::InstallOk { op } if *op == self.op(desk) => {
                self.on_installed(desk, from, expected);
                None
            }
            _ => None,
        }
    }

    /// A server in another configuration: the older of the two follows the newer.
    fn on_other(
        &mut self,
        desk: &mut Desk,
        from: NodeId,
        (op, theirs): (OpId, &Configuration),
        expected: &mut Expected<Quorum>,
    ) {
        let mine = match &self.stage {
            Doing::Adopts { next, .. } => next.id,
            Doing::Asks { .. } | Doing::Fetches { .. } | Doing::Installs { .. } => desk.epoch.id,
        };
        if theirs.id > mine {
            let before = desk.epoch.id;
            desk.learn(theirs);
            if desk.epoch.id != before {
                self.enter(desk, Doing::first_in(&desk.epoch), expected);
                return;
            }
        }
        let is_told = match &self.stage {
            Doing::Asks { .. } | Doing::Adopts { .. } => true,
            Doing::Fetches { .. } | Doing::Installs { .. } => self.answered() & bit(from) != 0,
        };
        let is_behind = op == self.op(desk) && theirs.id < mine;
        if is_told || !is_behind || self.told & bit(from) != 0 {
            return;
        }
        self.told |= bit(from);
        let configuration = Box::new(desk.epoch.clone());
        expected.message(To::node(from), Message::Configure { op, configuration }, 0);
        expected.message(To::node(from), self.question(desk), 0);
    }

    fn on_configured(
        &mut self,
        desk: &mut Desk,
        from: NodeId,
        expected: &mut Expected<Quorum>,
    ) -> Option<Outcome> {
        match &mut self.stage {
            Doing::Asks { heard } => {
                *heard |= bit(from);
                if !quorums::suffices(&desk.epoch, Purpose::Read, *heard) {
                    return None;
                }
            }
            Doing::Adopts { next, before, adopted } => {
                *adopted |= bit(from);
                let rest = !*adopted;
                let purposes = [Purpose::Read, Purpose::Write, Purpose::Timestamp];
                if purposes.iter().any(|purpose| quorums::suffices(before, *purpose, rest)) {
                    return None;
                }
                desk.learn(next);
            }
            Doing::Fetches { .. } | Doing::Installs { .. } => return None,
        }
        self.go_on(desk, expected)
    }

    /// From a configuration that enough servers are in.
    fn go_on(&mut self, desk: &Desk, expected: &mut Expected<Quorum>) -> Option<Outcome> {
        let stage = match &desk.epoch.stage {
            Stage::Joint(..) => fetch(Key(0)),
            Stage::Stable(form) if *form == self.target => return Some(Outcome::Reconfigured),
            Stage::Stable(form) => {
                let stage = Stage::Joint(form.clone(), self.target.clone());
                adopt(desk, stage)
            }
        };
        self.enter(desk, stage, expected);
        None
    }

    fn on_fetched(
        &mut self,
        desk: &Desk,
        from: NodeId,
        (found, next): (&[(Key, Pair)], Option<Key>),
        expected: &mut Expected<Quorum>,
    ) {
        let old = forms(&desk.epoch).0;
        let Doing::Fetches { first, until, heard, pairs } = &mut self.stage else { return };
        let is_asked_for = |key: Key| key >= *first && next.is_none_or(|next| key < next);
        let is_right =
            found.iter().all(|(key, pair)| is_asked_for(*key) && pair.ts.t <= Timestamp::T_MAX)
                && next.is_none_or(|next| next > *first);
        let is_member = quorums::members(old) & bit(from) != 0;
        if !is_right || !is_member || *heard & bit(from) != 0 {
            return;
        }
        *heard |= bit(from);
        *until = [*until, next].into_iter().flatten().min();
        for (key, pair) in found {
            match pairs.iter_mut().find(|(of, _)| of == key) {
                Some((_, known)) if pair.ts > known.ts => known.clone_from(pair),
                Some(_) => {}
                None if pair.ts > Timestamp::ZERO => pairs.push((*key, pair.clone())),
                None => pairs.push((*key, Pair::INITIAL)),
            }
        }
        if !quorums::is_quorum(old, Purpose::Read, *heard) {
            return;
        }
        let until = *until;
        let mut pairs = std::mem::take(pairs);
        pairs.retain(|(key, _)| until.is_none_or(|until| *key < until));
        pairs.sort_by_key(|(key, _)| *key);
        if pairs.is_empty() {
            self.go_on_from(desk, until, expected);
        } else {
            self.enter(desk, Doing::Installs { pairs, until, holders: 0 }, expected);
        }
    }

    fn on_installed(&mut self, desk: &Desk, from: NodeId, expected: &mut Expected<Quorum>) {
        let Doing::Installs { until, holders, .. } = &mut self.stage else { return };
        *holders |= bit(from);
        let new = forms(&desk.epoch).1;
        if new.is_some_and(|new| quorums::is_quorum(new, Purpose::Write, *holders)) {
            let until = *until;
            self.go_on_from(desk, until, expected);
        }
    }

    /// The next range of keys; after the last the new form alone.
    fn go_on_from(&mut self, desk: &Desk, until: Option<Key>, expected: &mut Expected<Quorum>) {
        let (old, new) = forms(&desk.epoch);
        let stage = match until {
            Some(key) => fetch(key),
            None => adopt(desk, Stage::Stable(new.unwrap_or(old).clone())),
        };
        self.enter(desk, stage, expected);
    }
}

fn fetch(first: Key) -> Doing {
    Doing::Fetches { first, until: None, heard: 0, pairs: Vec::new() }
}

fn adopt(desk: &Desk, stage: Stage) -> Doing {
    let next = Configuration { id: desk.epoch.id + 1, stage };
    Doing::Adopts { next, before: desk.epoch.clone(), adopted: 0 }
}

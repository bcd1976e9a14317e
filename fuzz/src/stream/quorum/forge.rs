//! Messages out of a few bytes: near to what has been said and is stored, and sometimes just wrong.

use quorate_systems::contract::{Key, NodeId, Outcome, Value};
use quorate_systems::quorum::{
    Access, Configuration, Construction, Form, GridForm, Message, OpId, Pair, Party, Phase,
    Protocol, Quorum, RequestId, Stage, Timestamp, WriteId,
};
use quorate_world::invariants::Who;

use super::model::Node;
use super::signed;
use crate::stream::{Dice, Scope, step};

/// What is forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Query,
    Update,
    Configure,
    Fetch,
    Install,
    Propose,
    Ok,
    No,
    Commit,
    CommitOk,
    Abort,
    Terminate,
    QueryOk,
    UpdateOk,
}

/// Which of these there are by query and update, and how often.
pub(super) const ABD: [Kind; 16] = [
    Kind::Query,
    Kind::Update,
    Kind::Request,
    Kind::Configure,
    Kind::Fetch,
    Kind::Install,
    Kind::Query,
    Kind::Update,
    Kind::Request,
    Kind::Update,
    Kind::Request,
    Kind::QueryOk,
    Kind::UpdateOk,
    Kind::Commit,
    Kind::Propose,
    Kind::Configure,
];

/// Which there are with locks.
pub(super) const LOCK: [Kind; 16] = [
    Kind::Query,
    Kind::Propose,
    Kind::Request,
    Kind::Commit,
    Kind::Abort,
    Kind::Terminate,
    Kind::Ok,
    Kind::No,
    Kind::Request,
    Kind::Propose,
    Kind::Commit,
    Kind::CommitOk,
    Kind::Request,
    Kind::Update,
    Kind::Configure,
    Kind::Terminate,
];

/// Where a number is to be odd, it is one of these.
const FAR: [u64; 4] = [Timestamp::T_MAX, Timestamp::T_MAX + 1, u64::MAX, Timestamp::T_MAX - 1];

/// Something new.
pub(super) fn forge(scope: &Scope<'_, Quorum>, dice: Dice) -> (Who, Message) {
    let kinds = match scope.cluster.config.protocol {
        Protocol::Abd => &ABD,
        Protocol::Lock => &LOCK,
    };
    let kind = kinds.get(usize::from(dice.kind % 16)).copied().unwrap_or(Kind::Query);
    let forger = Forger { scope, dice };
    let from = match kind {
        Kind::Request => Who::Client(forger.dice.client()),
        _ => forger.scope.sender(forger.dice),
    };
    (from, forger.message(kind, from))
}

/// An answer of `from` to what the core has said.
pub(super) fn answer(
    scope: &Scope<'_, Quorum>,
    said: &Message,
    from: NodeId,
    dice: Dice,
) -> Option<Message> {
    let forger = Forger { scope, dice };
    let is_rare = dice.kind % 8 == 7;
    Some(match said {
        Message::Query { op, .. } | Message::Update { op, .. } if is_rare => {
            let configuration = Box::new(forger.configuration());
            Message::WrongConfig { op: *op, configuration }
        }
        Message::Query { op, key, .. } => {
            Message::QueryOk { op: *op, key: *key, pair: forger.pair(*key, None) }
        }
        Message::Update { op, key, .. } => Message::UpdateOk { op: *op, key: *key },
        Message::Propose { write, .. } if is_rare => Message::No { write: *write },
        Message::Propose { write, .. } => {
            Message::Ok { write: *write, t: near(dice.time, forger.clock()) }
        }
        Message::Commit { op, pair, .. } => {
            Message::CommitOk { op: *op, write: WriteId::of(pair.ts)? }
        }
        Message::Terminate { write } => match dice.kind % 3 {
            0 => Message::Abort { write: *write },
            1 => Message::No { write: *write },
            _ => {
                let op = forger.op(Party::Node(from), Phase::Commit);
                let ts = write.timestamp(near(dice.time, forger.clock()));
                let pair = Pair { ts, value: forger.value(), proof: None };
                Message::Commit { op, key: forger.key(), pair, below: None }
            }
        },
        Message::Request { id, .. } => forger.answer_to_request(*id),
        Message::Configure { op, .. } if is_rare => {
            let configuration = Box::new(forger.configuration());
            Message::WrongConfig { op: *op, configuration }
        }
        Message::Configure { op, .. } => Message::ConfigureOk { op: *op },
        Message::Fetch { op, .. } => {
            let key = forger.key();
            let pairs = vec![(key, forger.pair(key, None))];
            let next = (dice.kind & 8 != 0).then_some(Key(key.0 + 1));
            Message::FetchOk { op: *op, pairs, next }
        }
        Message::Install { op, .. } => Message::InstallOk { op: *op },
        Message::Answer { .. }
        | Message::WrongIncarnation { .. }
        | Message::QueryOk { .. }
        | Message::UpdateOk { .. }
        | Message::Ok { .. }
        | Message::No { .. }
        | Message::CommitOk { .. }
        | Message::Abort { .. }
        | Message::WrongConfig { .. }
        | Message::ConfigureOk { .. }
        | Message::FetchOk { .. }
        | Message::InstallOk { .. } => return None,
    })
}

/// Changes one field. A question that carries something gets a name of its own: honest ones mean one thing only.
pub(super) fn change(scope: &Scope<'_, Quorum>, message: &mut Message, dice: Dice) {
    let forger = Forger { scope, dice };
    match dice.kind % 8 {
        0 => {
            if let Some(key) = key_of(message) {
                *key = forger.key();
            }
        }
        1 => {
            if let Some(pair) = pair_of(message) {
                pair.value = forger.value();
            }
        }
        2 => {
            if let Some(pair) = pair_of(message) {
                pair.ts.t = near(dice.time, pair.ts.t);
            }
        }
        3 => {
            if let Some(pair) = pair_of(message) {
                pair.ts.writer = forger.dice.party();
            }
        }
        4 => {
            if let Some(id) = configuration_of(message) {
                *id = forger.near_configuration(*id);
            }
        }
        5 => {
            if let Some(op) = op_of(message) {
                op.seq = near(dice.name, op.seq);
            }
        }
        6 => {
            if let Some(pair) = pair_of(message) {
                pair.proof = forger.signed().and_then(|(_, pair)| pair.proof.clone());
            }
        }
        _ => {
            if let Some(op) = op_of(message) {
                op.party = forger.dice.party();
            }
        }
    }
    if let Message::Update { op, .. }
    | Message::Configure { op, .. }
    | Message::Install { op, .. } = message
    {
        op.seq = FRESH + scope.serial;
    }
}

/// Questions that are changed count from here.
const FRESH: u64 = 1_000;

/// A number near another one.
pub(super) fn near(byte: u8, base: u64) -> u64 {
    step::near(byte, base, &FAR)
}

/// A scope, and what is left to chance.
struct Forger<'a> {
    scope: &'a Scope<'a, Quorum>,
    dice: Dice,
}

impl Forger<'_> {
    fn node_model(&self) -> Option<&Node> {
        self.scope.model.node()
    }

    fn key(&self) -> Key {
        Key(u64::from(self.dice.data >> 2 & 3 == 3))
    }

    fn value(&self) -> Option<Value> {
        (self.dice.data & 3 != 3).then_some(Value(1 + u64::from(self.dice.data & 3)))
    }

    /// A fresh name; rarely somebody else's.
    fn op(&self, party: Party, phase: Phase) -> OpId {
        let party = if self.dice.who >> 4 == 15 { self.dice.party() } else { party };
        let incarnation = 1 + u64::from(self.dice.name >> 6 == 3);
        let attempt = u32::from(self.dice.name >> 2 & 3 == 3);
        OpId { party, incarnation, seq: self.scope.serial, phase, attempt }
    }

    /// One of the signed pairs.
    fn signed(&self) -> Option<&'static (Key, Pair)> {
        signed::pairs().get(usize::from(self.dice.time) % signed::pairs().len())
    }

    fn is_signed(&self) -> bool {
        let construction = self.scope.cluster.config.quorums.construction();
        matches!(construction, Construction::Dissemination { .. })
    }

    /// A pair near to what is stored, of this lock write if it has to be one.
    fn pair(&self, key: Key, write: Option<WriteId>) -> Pair {
        if self.is_signed() {
            // What the core itself has signed and sent may come back.
            if self.dice.time >> 3 & 3 == 3
                && let Some(spoken) = self.scope.said.get(self.dice.name)
                && let Message::Update { key: of, pair, .. } = &spoken.message
                && *of == key
            {
                return pair.clone();
            }
            let wanted = signed::pairs().iter().filter(|(of, _)| *of == key);
            let place = usize::from(self.dice.time & 7);
            return wanted.map(|(_, pair)| pair).nth(place).cloned().unwrap_or(Pair::INITIAL);
        }
        let Dice { time, .. } = self.dice;
        if time >> 3 == 0b1_1110
            && let Some(spoken) = self.scope.heard.last()
            && let Message::QueryOk { pair, .. } = &spoken.message
        {
            return pair.clone();
        }
        if time == u8::MAX {
            return Pair::INITIAL;
        }
        let stored =
            self.node_model().map_or(u64::from(time >> 5 & 1), |node| node.server.ts(key).t);
        let t = near(time, if write.is_some() { self.clock() } else { stored });
        let ts = match write {
            Some(write) => write.timestamp(t),
            None if t == 0 => return Pair::INITIAL,
            None => Timestamp {
                t,
                writer: self.dice.party(),
                incarnation: 1,
                op: 1 + u64::from(time >> 6),
            },
        };
        Pair { ts, value: self.value(), proof: None }
    }

    fn clock(&self) -> u64 {
        self.node_model().map_or(0, |node| node.member.clock)
    }

    /// A lock write that somebody has heard of, or may hear of.
    fn write(&self, initiator: NodeId) -> WriteId {
        let number = 1 + u64::from(self.dice.name & 3);
        let incarnation = 1 + u64::from(self.dice.name >> 2 & 7 == 7);
        let fresh = WriteId { initiator, incarnation, number };
        let Some(node) = self.node_model() else { return fresh };
        let place = usize::from(self.dice.name & 3);
        let known = match self.dice.name >> 5 {
            0 | 1 => node.member.pending.iter().map(|vote| vote.write).nth(place % 2),
            2 => node.initiator.open.iter().map(|open| open.write).nth(place % 2),
            3 => node.initiator.decided.iter().map(|known| known.write).nth(place % 2),
            4 => node.member.fates.iter().map(|(write, ..)| *write).nth(place),
            _ => None,
        };
        known.unwrap_or(fresh)
    }

    fn configuration_id(&self) -> u32 {
        let present = self.node_model().map_or(0, |node| node.server.configuration.id);
        if self.dice.data >> 6 == 3 { self.near_configuration(present) } else { present }
    }

    fn near_configuration(&self, id: u32) -> u32 {
        match self.dice.data >> 4 & 3 {
            0 => id.saturating_sub(1),
            1 => id.saturating_add(2),
            2 => id.saturating_add(1),
            _ => u32::MAX,
        }
    }

    /// A configuration near to the present one; not always one that can be.
    fn configuration(&self) -> Configuration {
        let present = self.node_model().map_or(0, |node| node.desk.epoch.id);
        let id = match self.dice.time & 7 {
            0..=3 => present + 1,
            4 => present + 2,
            5 => present,
            6 => present.saturating_sub(1),
            _ => [1 << 30, (1 << 30) + 1, u32::MAX, 7]
                .get(usize::from(self.dice.time >> 3 & 3))
                .copied()
                .unwrap_or(0),
        };
        let is_joint = (id % 2 == 1) != (self.dice.time >> 5 == 7);
        let form = self.form(self.dice.data & 7);
        let stage = if is_joint {
            Stage::Joint(form, self.form(self.dice.data >> 3 & 7))
        } else {
            Stage::Stable(form)
        };
        Configuration { id, stage }
    }

    fn form(&self, which: u8) -> Form {
        let nodes = self.scope.cluster.nodes;
        let first = |count: u16| (0..count).map(NodeId).collect();
        let (members, construction) = match which {
            0 | 1 => return self.scope.cluster.config.quorums.form().clone(),
            2 => (first(nodes), Construction::Majority),
            3 => (first(nodes - nodes / 2), Construction::Majority),
            4 => (first(nodes), Construction::Counts { read: 1, write: nodes }),
            5 => {
                let form = GridForm::Cover;
                (first(nodes), Construction::Grid { form, rows: 1, cols: nodes })
            }
            6 => (first(nodes + 1), Construction::Majority),
            _ => {
                let weights = (0..u32::from(nodes)).collect();
                (first(nodes), Construction::Weighted { weights })
            }
        };
        Form { members, construction }
    }

    fn request_id(&self) -> RequestId {
        let present = self.node_model().map_or(1, |node| node.desk.incarnation);
        let bound = match self.dice.time & 7 {
            0..=5 => Some(present),
            6 => None,
            _ => Some(near(self.dice.time >> 3, present)),
        };
        let back = u64::from(self.dice.name & 3 == 3);
        let incarnation = 1 + u64::from(self.dice.name >> 2 & 7 == 7);
        RequestId { incarnation, seq: self.scope.serial - back, bound }
    }

    /// Of the node that a client has asked.
    fn answer_to_request(&self, id: RequestId) -> Message {
        let outcome = match self.dice.kind % 8 {
            0 | 1 => Outcome::Read(self.value()),
            2 | 3 => Outcome::Written,
            4 => Outcome::Failed(String::from("forged")),
            5 => Outcome::Unknown(String::from("forged")),
            _ => {
                let incarnation = near(self.dice.time, id.bound.unwrap_or(0));
                return Message::WrongIncarnation { id, incarnation };
            }
        };
        let seq = if self.dice.name >> 5 == 7 { near(self.dice.name, id.seq) } else { id.seq };
        Message::Answer { id: RequestId { seq, ..id }, outcome }
    }

    fn command(&self) -> Access {
        let key = self.key();
        match self.value() {
            Some(value) => Access::Write { key, value },
            None => Access::Read { key },
        }
    }

    fn message(&self, kind: Kind, from: Who) -> Message {
        let party = match from {
            Who::Node(node) => Party::Node(node),
            Who::Client(client) => Party::Client(client),
        };
        let node = match from {
            Who::Node(node) => node,
            Who::Client(_) => NodeId(0),
        };
        let (key, configuration) = (self.key(), self.configuration_id());
        match kind {
            Kind::Request => Message::Request { id: self.request_id(), command: self.command() },
            Kind::Query => Message::Query { op: self.op(party, Phase::Query), key, configuration },
            Kind::Update => {
                let (op, pair) = (self.op(party, Phase::Update), self.pair(key, None));
                Message::Update { op, key, pair, configuration }
            }
            Kind::Configure => {
                let is_told = self.dice.name >> 5 == 1;
                let phase = if is_told { Phase::Query } else { Phase::Change };
                let configuration = Box::new(self.configuration());
                Message::Configure { op: self.op(party, phase), configuration }
            }
            Kind::Fetch => {
                Message::Fetch { op: self.op(party, Phase::Change), configuration, from: key }
            }
            Kind::Install => {
                let pairs = vec![(key, self.pair(key, None)), (Key(1), self.pair(Key(1), None))];
                let count = usize::from(self.dice.name >> 4 & 3).min(2);
                let pairs = pairs.into_iter().take(count).collect();
                Message::Install { op: self.op(party, Phase::Change), configuration, pairs }
            }
            Kind::QueryOk => {
                let pair = self.pair(key, None);
                Message::QueryOk { op: self.op(party, Phase::Query), key, pair }
            }
            Kind::UpdateOk => Message::UpdateOk { op: self.op(party, Phase::Update), key },
            Kind::Propose
            | Kind::Ok
            | Kind::No
            | Kind::Commit
            | Kind::CommitOk
            | Kind::Abort
            | Kind::Terminate => self.lock_message(kind, party, node),
        }
    }

    fn lock_message(&self, kind: Kind, party: Party, node: NodeId) -> Message {
        let key = self.key();
        let write = self.write(node);
        let below = WriteId { number: near(self.dice.data >> 5, write.number), ..write };
        match kind {
            Kind::Propose => {
                let is_own = self.dice.who >> 4 != 15;
                let write = if is_own { WriteId { initiator: node, ..write } } else { write };
                let value = self.value().unwrap_or(Value(4));
                let below = WriteId { initiator: write.initiator, ..below };
                Message::Propose { write, key, value, below: below.min(write) }
            }
            Kind::Ok => Message::Ok { write, t: near(self.dice.time, self.clock()) },
            Kind::No => Message::No { write },
            Kind::Abort => Message::Abort { write },
            Kind::Terminate => Message::Terminate { write },
            Kind::CommitOk => Message::CommitOk { op: self.op(party, Phase::Commit), write },
            _ => {
                let below = match self.dice.data >> 4 & 3 {
                    0 | 1 => None,
                    2 => Some(Box::new(below)),
                    _ => Some(Box::new(WriteId { initiator: node, ..below })),
                };
                let pair = self.pair(key, Some(write));
                Message::Commit { op: self.op(party, Phase::Commit), key, pair, below }
            }
        }
    }
}

fn op_of(message: &mut Message) -> Option<&mut OpId> {
    match message {
        Message::Query { op, .. }
        | Message::QueryOk { op, .. }
        | Message::Update { op, .. }
        | Message::UpdateOk { op, .. }
        | Message::Commit { op, .. }
        | Message::CommitOk { op, .. }
        | Message::WrongConfig { op, .. }
        | Message::Configure { op, .. }
        | Message::ConfigureOk { op }
        | Message::Fetch { op, .. }
        | Message::FetchOk { op, .. }
        | Message::Install { op, .. }
        | Message::InstallOk { op } => Some(op),
        _ => None,
    }
}

fn pair_of(message: &mut Message) -> Option<&mut Pair> {
    match message {
        Message::QueryOk { pair, .. }
        | Message::Update { pair, .. }
        | Message::Commit { pair, .. } => Some(pair),
        Message::FetchOk { pairs, .. } | Message::Install { pairs, .. } => {
            pairs.first_mut().map(|(_, pair)| pair)
        }
        _ => None,
    }
}

fn key_of(message: &mut Message) -> Option<&mut Key> {
    match message {
        Message::Query { key, .. }
        | Message::QueryOk { key, .. }
        | Message::Update { key, .. }
        | Message::UpdateOk { key, .. }
        | Message::Propose { key, .. }
        | Message::Commit { key, .. }
        | Message::Fetch { from: key, .. } => Some(key),
        _ => None,
    }
}

fn configuration_of(message: &mut Message) -> Option<&mut u32> {
    match message {
        Message::Query { configuration, .. }
        | Message::Update { configuration, .. }
        | Message::Fetch { configuration, .. }
        | Message::Install { configuration, .. } => Some(configuration),
        Message::Configure { configuration, .. } | Message::WrongConfig { configuration, .. } => {
            Some(&mut configuration.id)
        }
        _ => None,
    }
}

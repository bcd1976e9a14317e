//! One operation on a register, by whoever runs it: query, then update (Attiya, Bar-Noy, Dolev 1995; with
//! several writers Lynch and Shvartsman 1997).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Quorum;
use super::draw::Draw;
use super::message::{Message, Observation, OpId, Phase};
use super::nodes::NodeSet;
use super::options::Config;
use super::stamp::{Pair, Party, Timestamp};
use crate::contract::{
    ClientEffect, Command, Key, Keyring, Micros, NodeId, Outbox, Outcome, TimerId, Value,
};
use crate::mutant::Mutant;

/// Where a coordinator's effects go: a client's or a node's.
pub(super) trait Port {
    fn send(&mut self, to: NodeId, message: Message);
    fn set_timer(&mut self, id: TimerId, min: Micros, max: Micros);
    fn observe(&mut self, observation: Observation);
}

impl Port for Vec<ClientEffect<Quorum>> {
    fn send(&mut self, to: NodeId, message: Message) {
        self.push(ClientEffect::Send { to, message });
    }

    fn set_timer(&mut self, id: TimerId, min: Micros, max: Micros) {
        assert!(min <= max);
        self.push(ClientEffect::SetTimer { id, min, max });
    }

    fn observe(&mut self, observation: Observation) {
        self.push(ClientEffect::Observe(observation));
    }
}

impl Port for Outbox<Quorum> {
    fn send(&mut self, to: NodeId, message: Message) {
        // A coordinator keeps nothing on disk: its incarnation makes what it says unique.
        self.send_after(crate::contract::After::Nothing, to, message);
    }

    fn set_timer(&mut self, id: TimerId, min: Micros, max: Micros) {
        Self::set_timer(self, id, min, max);
    }

    fn observe(&mut self, observation: Observation) {
        Self::observe(self, observation);
    }
}

/// What all operations of one coordinator share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) party: Party,
    pub(super) incarnation: u64,
    pub(super) config: Config,
    pub(super) keys: Keyring,
    pub(super) draw: Draw,
}

/// How far an operation has come.
#[derive(Debug, PartialEq)]
pub(super) enum Progress {
    /// The message changed nothing.
    Ignored(&'static str),
    /// More answers are needed.
    Waiting,
    /// It is complete.
    Done(Outcome),
}

/// One operation that is being run.
#[derive(Debug)]
pub(super) struct Operation {
    seq: u64,
    command: Command,
    timer: TimerId,
    /// How often the present phase was sent again.
    resent: u32,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Query { replies: BTreeMap<NodeId, Pair> },
    Update { pair: Pair, holders: NodeSet, outcome: Outcome },
}

impl Operation {
    /// Begins with the query phase.
    pub(super) fn begin(
        desk: &mut Desk,
        seq: u64,
        command: Command,
        timer: TimerId,
        out: &mut impl Port,
    ) -> Self {
        let mut operation = Self {
            seq,
            command,
            timer,
            resent: 0,
            stage: Stage::Query { replies: BTreeMap::new() },
        };
        operation.send(desk, out);
        operation
    }

    /// Sends the present phase again to those that have not answered it.
    pub(super) fn on_timer(&mut self, desk: &mut Desk, out: &mut impl Port) {
        self.resent += 1;
        self.send(desk, out);
    }

    /// Takes an answer.
    pub(super) fn on_message(
        &mut self,
        desk: &mut Desk,
        from: NodeId,
        message: Message,
        out: &mut impl Port,
    ) -> Progress {
        match (&mut self.stage, message) {
            (Stage::Query { replies }, Message::QueryOk { op, pair, .. }) => {
                if op != op_id(desk, self.seq, Phase::Query) {
                    return Progress::Ignored("QUERY_OK to another question");
                }
                if pair.ts.t > Timestamp::T_MAX {
                    return Progress::Ignored("QUERY_OK with an impossible timestamp");
                }
                if replies.contains_key(&from) {
                    return Progress::Ignored("QUERY_OK again");
                }
                replies.insert(from, pair);
                self.evaluate(desk, out)
            }
            (Stage::Update { holders, .. }, Message::UpdateOk { op, .. }) => {
                if op != op_id(desk, self.seq, Phase::Update) {
                    return Progress::Ignored("UPDATE_OK to another question");
                }
                if !holders.insert(from) {
                    return Progress::Ignored("UPDATE_OK again");
                }
                self.finish_if_held(desk, out)
            }
            _ => Progress::Ignored("not an answer to the present phase"),
        }
    }

    /// Leaves the query phase once a quorum has answered.
    fn evaluate(&mut self, desk: &mut Desk, out: &mut impl Port) -> Progress {
        let Stage::Query { replies } = &self.stage else { return Progress::Waiting };
        let heard: NodeSet = replies.keys().copied().collect();
        let quorums = &desk.config.quorums;
        let enough = match self.command {
            Command::Read { .. } => quorums.is_read_quorum(heard),
            Command::Write { .. } => quorums.is_timestamp_quorum(heard),
        };
        if !enough {
            return Progress::Waiting;
        }
        let Some(newest) = replies.values().max_by_key(|pair| pair.ts).cloned() else {
            return Progress::Waiting;
        };
        let (pair, holders, outcome) = match self.command {
            Command::Read { .. } => {
                let holders = replies
                    .iter()
                    .filter(|(_, pair)| pair.ts == newest.ts)
                    .map(|(node, _)| *node)
                    .collect();
                let outcome = Outcome::Read(newest.value);
                (newest, holders, outcome)
            }
            Command::Write { value, .. } => {
                let pair = next_pair(desk, self.seq, newest.ts, value);
                (pair, NodeSet::EMPTY, Outcome::Written)
            }
        };
        let settled = pair.ts == Timestamp::ZERO
            || desk.config.quorums.is_write_quorum(holders)
            || (matches!(self.command, Command::Read { .. })
                && desk.config.mutants.deviates(Mutant::Q01));
        self.resent = 0;
        self.stage = Stage::Update { pair, holders, outcome };
        if settled {
            return self.complete(desk, out);
        }
        // Those that reported this very pair need not be told.
        self.send(desk, out);
        Progress::Waiting
    }

    fn finish_if_held(&mut self, desk: &Desk, out: &mut impl Port) -> Progress {
        match &self.stage {
            Stage::Update { holders, .. } if desk.config.quorums.is_write_quorum(*holders) => {
                self.complete(desk, out)
            }
            Stage::Update { .. } | Stage::Query { .. } => Progress::Waiting,
        }
    }

    fn complete(&mut self, desk: &Desk, out: &mut impl Port) -> Progress {
        let Stage::Update { pair, holders, outcome } = &self.stage else {
            return Progress::Waiting;
        };
        out.observe(Observation::Completed {
            op: op_id(desk, self.seq, Phase::Update),
            key: self.key(),
            ts: pair.ts,
            value: pair.value,
            holders: *holders,
        });
        Progress::Done(outcome.clone())
    }

    fn send(&mut self, desk: &mut Desk, out: &mut impl Port) {
        let all = NodeSet::all(desk.config.quorums.nodes());
        let key = self.key();
        let (message, answered) = match &self.stage {
            Stage::Query { replies } => {
                let op = op_id(desk, self.seq, Phase::Query);
                (Message::Query { op, key }, replies.keys().copied().collect())
            }
            Stage::Update { pair, holders, .. } => {
                let op = op_id(desk, self.seq, Phase::Update);
                (Message::Update { op, key, pair: pair.clone() }, *holders)
            }
        };
        for node in all.without(answered).iter() {
            out.send(node, message.clone());
        }
        let (min, max) = patience(self.resent);
        out.set_timer(self.timer, min, max);
    }

    fn key(&self) -> Key {
        match self.command {
            Command::Read { key } | Command::Write { key, .. } => key,
        }
    }
}

/// How long to wait for answers before asking again: doubling, up to a second.
pub(super) fn patience(resent: u32) -> (Micros, Micros) {
    let factor = 1 << resent.min(2);
    (Micros((150_000 * factor).min(500_000)), Micros((300_000 * factor).min(1_000_000)))
}

fn op_id(desk: &Desk, seq: u64, phase: Phase) -> OpId {
    OpId { party: desk.party, incarnation: desk.incarnation, seq, phase, attempt: 0 }
}

/// What a write of `value` stores when `newest` is the highest timestamp it heard of.
fn next_pair(desk: &Desk, seq: u64, newest: Timestamp, value: Value) -> Pair {
    let t = newest.t + 1;
    let ts = if desk.config.mutants.deviates(Mutant::Q03) {
        Timestamp { t, ..Timestamp::ZERO }
    } else {
        Timestamp { t, writer: desk.party, incarnation: desk.incarnation, op: seq }
    };
    Pair { ts, value: Some(value), proof: None }
}

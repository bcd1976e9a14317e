//! For each invariant what it must refuse, and what comes nearest to that and is right.

mod bounds;
mod changes;
mod refusals;

use quorate_systems::contract::{ClientId, Key, NodeId, Value};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::quorum::{
    Config, Message, NodeSet, Observation, OpId, Pair, Party, Phase, Quorum, Record, Timestamp,
    WriteId,
};

use crate::invariants::testing::{self, c, n};
use crate::invariants::{Invariants, Seen, Who};

type Watch = testing::Watch<Quorum>;

fn config(nodes: u16, options: &[(&str, &str)], mutant: Option<Mutant>) -> Config {
    testing::config::<Quorum>(nodes, options, Mutants(mutant))
}

impl Watch {
    /// The node has stored `pair` durably.
    fn store(&mut self, node: u16, pair: &Pair) -> &mut Self {
        self.persist(node, &stored(pair)).sync(node)
    }

    fn lie(&mut self, node: u16) -> &mut Self {
        self.see(&Seen::Lies { who: Who::Node(NodeId(node)) })
    }

    /// The node answers client `c0`.
    fn answer(&mut self, node: u16, message: &Message) -> &mut Self {
        self.send(n(node), c(0), message)
    }
}

const KEY: Key = Key(7);

/// The question in which client `c0` runs its operation `seq`.
fn op(seq: u64, phase: Phase) -> OpId {
    OpId { party: Party::Client(ClientId(0)), incarnation: 1, seq, phase, attempt: 0 }
}

/// What `c0` writes in its operation `seq` with timestamp `t`: the value is `10 · seq`.
fn pair(t: u64, seq: u64) -> Pair {
    let ts = Timestamp { t, writer: Party::Client(ClientId(0)), incarnation: 1, op: seq };
    Pair { ts, value: Some(Value(10 * seq)), proof: None }
}

fn stored(pair: &Pair) -> Record {
    Record::Stored { key: KEY, pair: pair.clone() }
}

fn update(pair: &Pair, seq: u64) -> Message {
    Message::Update { op: op(seq, Phase::Update), key: KEY, pair: pair.clone(), configuration: 0 }
}

fn update_ok(seq: u64) -> Message {
    Message::UpdateOk { op: op(seq, Phase::Update), key: KEY }
}

fn query_ok(pair: &Pair) -> Message {
    Message::QueryOk { op: op(9, Phase::Query), key: KEY, pair: pair.clone() }
}

fn nodes(nodes: &[u16]) -> NodeSet {
    nodes.iter().map(|node| NodeId(*node)).collect()
}

/// Operation `seq` of `c0` chose `pair`, as these nodes reported.
fn chosen(seq: u64, pair: &Pair, vouchers: &[u16]) -> Observation {
    let Pair { ts, value, .. } = *pair;
    let vouchers = nodes(vouchers);
    Observation::Chosen { op: op(seq, Phase::Query), key: KEY, ts, value, vouchers }
}

/// Operation `seq` of `c0` is complete, in the configuration of the start.
fn completed(seq: u64, pair: &Pair) -> Observation {
    completed_in(0, seq, pair)
}

fn completed_in(configuration: u32, seq: u64, pair: &Pair) -> Observation {
    let Pair { ts, value, .. } = *pair;
    let (op, holders) = (op(seq, Phase::Update), NodeSet::EMPTY);
    Observation::Completed { op, key: KEY, ts, value, holders, configuration }
}

/// The lock write `number` of `n0`.
fn write(number: u64) -> WriteId {
    WriteId { initiator: NodeId(0), incarnation: 1, number }
}

/// What a lock write stores with timestamp `t`.
fn locked(t: u64, number: u64) -> Pair {
    Pair { ts: write(number).timestamp(t), value: Some(Value(10 * number)), proof: None }
}

/// `n0` tells its decision.
fn commit(pair: &Pair, number: u64) -> Message {
    Message::Commit { op: committing(number), key: KEY, pair: pair.clone(), below: None }
}

fn commit_ok(number: u64) -> Message {
    Message::CommitOk { op: committing(number), write: write(number) }
}

fn committing(number: u64) -> OpId {
    let party = Party::Node(NodeId(0));
    OpId { party, incarnation: 1, seq: number, phase: Phase::Commit, attempt: 0 }
}

//! For each invariant what it must refuse, and what comes nearest to that and is right.

mod bounds;
mod changes;
mod refusals;

use std::collections::BTreeMap;

use quorate_systems::contract::{ClientId, Incarnation, Key, NodeId, System, Ticket, Value};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::quorum::{
    Config, Message, NodeSet, Observation, OpId, Pair, Party, Phase, Quorum, Record, Timestamp,
    WriteId,
};

use super::QuorumInvariants;
use crate::invariants::{Broken, Invariants, Seen, Who};

fn config(nodes: u16, options: &[(&str, &str)], mutant: Option<Mutant>) -> Config {
    let options = options.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Quorum::configure(nodes, &options.collect::<BTreeMap<_, _>>(), Mutants(mutant)).unwrap()
}

/// A run told event by event.
struct Watch {
    invariants: QuorumInvariants,
    broken: Vec<Broken>,
    /// The last ticket of each node.
    tickets: BTreeMap<u16, u64>,
}

impl Watch {
    fn new(nodes: u16, options: &[(&str, &str)]) -> Self {
        Self::with(&config(nodes, options, None))
    }

    fn with(config: &Config) -> Self {
        let invariants = QuorumInvariants::new(config);
        Self { invariants, broken: Vec::new(), tickets: BTreeMap::new() }
    }

    fn see(&mut self, seen: &Seen<'_, Quorum>) -> &mut Self {
        self.invariants.see(seen, &mut self.broken);
        self
    }

    /// So far all is well.
    fn holds(&mut self) -> &mut Self {
        assert_eq!(self.broken, []);
        self
    }

    /// Since it was last asked this invariant broke once, and no other; gives what was said.
    fn breaks(&mut self, invariant: &str) -> String {
        let broken = std::mem::take(&mut self.broken);
        let names: Vec<&str> = broken.iter().map(|broken| broken.invariant).collect();
        assert_eq!(names, [invariant], "{broken:?}");
        broken[0].what.clone()
    }

    fn start(&mut self, node: u16) -> &mut Self {
        self.tickets.insert(node, 0);
        self.see(&Seen::Started { node: NodeId(node), incarnation: Incarnation(2) })
    }

    fn find(&mut self, node: u16, record: &Record) -> &mut Self {
        self.see(&Seen::Found { node: NodeId(node), record })
    }

    fn persist(&mut self, node: u16, record: &Record) -> &mut Self {
        let ticket = self.tickets.entry(node).or_default();
        *ticket += 1;
        let ticket = Ticket(*ticket);
        self.see(&Seen::Persisted { node: NodeId(node), ticket, record })
    }

    /// All that the node has asked for is durable.
    fn sync(&mut self, node: u16) -> &mut Self {
        let ticket = Ticket(self.tickets.get(&node).copied().unwrap_or(0));
        self.see(&Seen::Durable { node: NodeId(node), ticket })
    }

    /// The node has stored `pair` durably.
    fn store(&mut self, node: u16, pair: &Pair) -> &mut Self {
        self.persist(node, &stored(pair)).sync(node)
    }

    fn lie(&mut self, node: u16) -> &mut Self {
        self.see(&Seen::Lies { node: NodeId(node) })
    }

    fn send(&mut self, from: Who, to: Who, message: &Message) -> &mut Self {
        self.see(&Seen::Sent { from, to, message })
    }

    /// The node answers client `c0`.
    fn answer(&mut self, node: u16, message: &Message) -> &mut Self {
        self.send(n(node), c(0), message)
    }

    fn observe(&mut self, by: Who, observation: &Observation) -> &mut Self {
        self.see(&Seen::Observed { by, observation })
    }
}

fn n(node: u16) -> Who {
    Who::Node(NodeId(node))
}

fn c(client: u32) -> Who {
    Who::Client(ClientId(client))
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

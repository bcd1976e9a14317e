//! For each invariant what it must refuse, and what comes nearest to that and is right.

mod refusals;

use std::collections::BTreeMap;

use quorate_systems::contract::{ClientId, Incarnation, Key, NodeId, System, Ticket, Value};
use quorate_systems::mutant::Mutants;
use quorate_systems::paxos_single::{Accepted, Ballot, Message, Observation, PaxosSingle, Record};
use quorate_systems::quorum::{NodeSet, Party};

use super::PaxosSingleInvariants;
use crate::invariants::{Broken, Invariants, Seen, Who};

/// A run told event by event.
struct Watch {
    invariants: PaxosSingleInvariants,
    broken: Vec<Broken>,
    /// The last ticket of each node.
    tickets: BTreeMap<u16, u64>,
}

impl Watch {
    fn new(nodes: u16, options: &[(&str, &str)]) -> Self {
        let options = options.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let options: BTreeMap<_, _> = options.collect();
        let config = PaxosSingle::configure(nodes, &options, Mutants::NONE).unwrap();
        let invariants = PaxosSingleInvariants::new(&config);
        Self { invariants, broken: Vec::new(), tickets: BTreeMap::new() }
    }

    fn see(&mut self, seen: &Seen<'_, PaxosSingle>) -> &mut Self {
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

    fn start(&mut self, node: u16, incarnation: u64) -> &mut Self {
        self.tickets.insert(node, 0);
        let incarnation = Incarnation(incarnation);
        self.see(&Seen::Started { node: NodeId(node), incarnation })
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

    fn store(&mut self, node: u16, record: &Record) -> &mut Self {
        self.persist(node, record).sync(node)
    }

    fn send(&mut self, from: Who, to: Who, message: &Message) -> &mut Self {
        self.see(&Seen::Sent { from, to, message })
    }

    fn observe(&mut self, by: Who, observation: &Observation) -> &mut Self {
        self.see(&Seen::Observed { by, observation })
    }

    /// The node promises durably, and tells.
    fn promise(&mut self, node: u16, to: Who, n: Ballot, accepted: Option<Accepted>) -> &mut Self {
        self.store(node, &promised(n)).send(n_(node), to, &prepare_ok(n, accepted))
    }

    /// The node accepts durably, and tells.
    fn accept(&mut self, node: u16, to: Who, proposal: Accepted) -> &mut Self {
        self.store(node, &accepted(proposal)).send(n_(node), to, &accept_ok(proposal))
    }

    fn submit(&mut self, client: u32, value: u64) -> &mut Self {
        self.observe(c(client), &Observation::Submitted { key: KEY, value: Value(value) })
    }

    /// A client has these promises for its number, says so, and sends its proposal.
    fn propose(&mut self, client: u32, proposal: Accepted, promisers: &[u16]) -> &mut Self {
        self.observe(c(client), &proposed(proposal, promisers)).send(
            c(client),
            n_(0),
            &accept(proposal),
        )
    }
}

fn n_(node: u16) -> Who {
    Who::Node(NodeId(node))
}

fn c(client: u32) -> Who {
    Who::Client(ClientId(client))
}

const KEY: Key = Key(7);

/// The number of client `c` in a round.
pub(super) fn ballot(round: u64, client: u32) -> Ballot {
    Ballot { round, proposer: Party::Client(ClientId(client)), incarnation: 1 }
}

/// A value with its number.
fn at(n: Ballot, value: u64) -> Accepted {
    Accepted { n, value: Value(value) }
}

fn promised(n: Ballot) -> Record {
    Record::Promised { key: KEY, n }
}

fn accepted(proposal: Accepted) -> Record {
    Record::Accepted { key: KEY, n: proposal.n, value: proposal.value }
}

fn prepare(n: Ballot) -> Message {
    Message::Prepare { key: KEY, n }
}

fn prepare_ok(n: Ballot, accepted: Option<Accepted>) -> Message {
    Message::PrepareOk { key: KEY, n, accepted }
}

fn accept(proposal: Accepted) -> Message {
    Message::Accept { key: KEY, n: proposal.n, value: proposal.value }
}

fn accept_ok(proposal: Accepted) -> Message {
    Message::AcceptOk { key: KEY, n: proposal.n, value: proposal.value }
}

fn proposed(proposal: Accepted, promisers: &[u16]) -> Observation {
    let promisers = promisers.iter().map(|node| NodeId(*node)).collect();
    Observation::Proposed { key: KEY, n: proposal.n, value: proposal.value, promisers }
}

fn decided(proposal: Accepted) -> Observation {
    let Accepted { n, value } = proposal;
    Observation::Decided { key: KEY, n, value, acceptors: NodeSet::EMPTY }
}

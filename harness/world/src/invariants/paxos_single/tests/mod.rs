//! For each invariant what it must refuse, and what comes nearest to that and is right.

mod refusals;

use quorate_systems::contract::{ClientId, Key, NodeId, Value};
use quorate_systems::parties::{NodeSet, Party};
use quorate_systems::paxos_single::{Accepted, Ballot, Message, Observation, PaxosSingle, Record};

use crate::invariants::testing::{self, c, n as n_};
use crate::invariants::{Seen, Who};

type Watch = testing::Watch<PaxosSingle>;

impl Watch {
    fn store(&mut self, node: u16, record: &Record) -> &mut Self {
        self.persist(node, record).sync(node)
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

//! Single-decree Paxos: a node that is acceptor, proposer and learner, or some of these; and a client.
//!
//! What other nodes say is made up, so that it must never be held against the one that is there. Of the invariants
//! these speak of one node, whatever others say, and are demanded here:
//!
//! - P-I1, its promise never gets lower, on disk and towards others;
//! - P-I2, it has promised what it accepts;
//! - P-I4, a number is used by one of its lives (of others' numbers nothing is shown to the invariants);
//! - P-I10, no promise and no acceptance leaves before it is durable.
//!
//! The others take it that all nodes are real. P-I3, one value for each number: two peers may well ask to accept two
//! values with one number, and the acceptor does. P-I5, promises behind a proposal: peers contradict themselves here.
//! P-I6, P-I7 and P-I11, decisions: whoever claims them made them up. What these demand of one node the model knows: the
//! value of the highest number among the promises that it was really given, its own number and no other, a majority of
//! distinct acceptors that have accepted that number.

mod forge;
mod model;
mod seeds;
#[cfg(test)]
mod tests;

use quorate_plan::Endpoint;
use quorate_systems::contract::NodeId;
use quorate_systems::keys::ClusterKeys;
use quorate_systems::paxos_single::{Message, Observation, PaxosSingle};
use quorate_world::invariants::Who;

use self::model::{PaxosSingleClientModel, PaxosSingleModel};
use super::bench::Bench;
use super::client::ClientMachine;
use super::replica::ReplicaMachine;
use super::{Cluster, Dice, Scope, Streamed};
use crate::Target;
use crate::mutant::mutants;

/// A node with all roles, or some of them.
pub const STREAM: Target = Target {
    name: "paxos_single_stream",
    about: "An acceptor, proposer and learner of single-decree Paxos, fed whatever a world may feed it.",
    body: |bytes| STREAMS.with(|bench| bench.run(bytes)),
    seeds: || {
        let recorded = STREAMS.with(|bench| bench.recorded(1, Endpoint::Node(1)));
        [seeds::replicas(CLUSTERS.len()), recorded].concat()
    },
    show: |bytes| STREAMS.with(|bench| bench.show(bytes)),
};

/// A client, which proposes itself or asks nodes to.
pub const CLIENT_STREAM: Target = Target {
    name: "paxos_single_client_stream",
    about: "A client of single-decree Paxos, fed answers that a world may feed it.",
    body: |bytes| CLIENT_STREAMS.with(|bench| bench.run(bytes)),
    seeds: || {
        let recorded = CLIENT_STREAMS.with(|bench| bench.recorded(1, Endpoint::Client(1)));
        [seeds::clients(CLIENT_CLUSTERS.len()), recorded].concat()
    },
    show: |bytes| CLIENT_STREAMS.with(|bench| bench.show(bytes)),
};

type Replicas = Bench<PaxosSingle, ReplicaMachine<PaxosSingle>>;
type Clients = Bench<PaxosSingle, ClientMachine<PaxosSingle>>;

thread_local! {
    static STREAMS: Replicas = Bench::new(Cluster::all(CLUSTERS, mutants()));
    static CLIENT_STREAMS: Clients = Bench::new(Cluster::all(CLIENT_CLUSTERS, mutants()));
}

/// All roles together, and each apart; with and without back-off.
const CLUSTERS: &[(u16, &str)] = &[
    (3, "proposer=node"),
    (3, "proposer=client"),
    (5, "acceptors=0,1,2 learners=3,4"),
    (1, "proposer=node"),
    (4, "backoff=off"),
    (5, "acceptors=0,1,2,3 learners=0,4 backoff=off"),
    (2, "proposer=node"),
];

/// For clients: both seats.
const CLIENT_CLUSTERS: &[(u16, &str)] = &[
    (3, "proposer=client"),
    (3, "proposer=node"),
    (4, "proposer=client backoff=off"),
    (5, "proposer=client acceptors=0,1,2 learners=3,4"),
    (1, "proposer=client"),
];

impl Streamed for PaxosSingle {
    type Model = PaxosSingleModel;
    type ClientModel = PaxosSingleClientModel;
    type Kit = ();

    const LOCAL: &'static [&'static str] = &["P-I1", "P-I2", "P-I4", "P-I10"];
    const NEEDS_EVERY_RECORD: bool = true;

    fn kit(_config: &Self::Config, _keys: Option<&ClusterKeys>) {}

    /// What others claim is made up.
    fn is_watched(_message: &Message, is_by_core: bool) -> bool {
        is_by_core
    }

    fn is_told(observation: &Observation) -> bool {
        match observation {
            Observation::Accepted { .. } => true,
            // For invariants that look at several nodes; what a promise is worth its disk says.
            Observation::Submitted { .. }
            | Observation::Promised { .. }
            | Observation::Proposed { .. }
            | Observation::Decided { .. } => false,
        }
    }

    fn forge(scope: &Scope<'_, Self>, dice: Dice) -> (Who, Message) {
        forge::forge(scope, dice)
    }

    fn answer(
        scope: &Scope<'_, Self>,
        said: &Message,
        _from: NodeId,
        dice: Dice,
    ) -> Option<Message> {
        forge::answer(scope, said, dice)
    }

    fn alter(scope: &Scope<'_, Self>, _from: Who, message: &mut Message, dice: Dice) {
        forge::change(scope, message, dice);
    }
}

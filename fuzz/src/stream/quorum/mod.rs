//! The quorum registers: by query and update, and with locks.

mod forge;
mod model;
mod seeds;
mod signed;
#[cfg(test)]
mod tests;

use std::thread::LocalKey;

use quorate_plan::Endpoint;
use quorate_systems::contract::NodeId;
use quorate_systems::keys::ClusterKeys;
use quorate_systems::quorum::{Message, Observation, Quorum};
use quorate_world::invariants::Who;

use self::model::{QuorumClientModel, QuorumModel};
use super::bench::Bench;
use super::client::ClientMachine;
use super::expected::are_alike;
use super::replica::ReplicaMachine;
use super::{Cluster, Dice, Scope, Streamed};
use crate::mutant::mutants;
use crate::{Seed, Target};

/// A server that is asked to query and to store, and runs operations for clients.
pub const STREAM: Target = Target {
    name: "quorum_stream",
    about: "A replica of registers by query and update, fed whatever a world may feed it.",
    body: |bytes| STREAMS.with(|bench| bench.run(bytes)),
    seeds: || with_recorded(seeds::replicas(CLUSTERS.len()), &STREAMS),
    show: |bytes| STREAMS.with(|bench| bench.show(bytes)),
};

/// A member and initiator of lock writes.
pub const LOCK_STREAM: Target = Target {
    name: "quorum_lock_stream",
    about: "A replica of registers with lock writes, fed whatever a world may feed it.",
    body: |bytes| LOCK_STREAMS.with(|bench| bench.run(bytes)),
    seeds: || with_recorded(seeds::locks(LOCK_CLUSTERS.len()), &LOCK_STREAMS),
    show: |bytes| LOCK_STREAMS.with(|bench| bench.show(bytes)),
};

/// A client, which runs operations itself or asks nodes to, or changes the configuration.
pub const CLIENT_STREAM: Target = Target {
    name: "quorum_client_stream",
    about: "A client of registers, fed answers that a world may feed it.",
    body: |bytes| CLIENT_STREAMS.with(|bench| bench.run(bytes)),
    seeds: || {
        let recorded = CLIENT_STREAMS.with(|bench| bench.recorded(1, Endpoint::Client(1)));
        [seeds::clients(CLIENT_CLUSTERS.len()), recorded].concat()
    },
    show: |bytes| CLIENT_STREAMS.with(|bench| bench.show(bytes)),
};

type Replicas = Bench<Quorum, ReplicaMachine<Quorum>>;
type Clients = Bench<Quorum, ClientMachine<Quorum>>;

thread_local! {
    static CLIENT_STREAMS: Clients = Bench::new(Cluster::all(CLIENT_CLUSTERS, mutants()));
    static STREAMS: Replicas = Bench::new(Cluster::all(CLUSTERS, mutants()));
    static LOCK_STREAMS: Replicas = Bench::new(Cluster::all(LOCK_CLUSTERS, mutants()));
}

/// These, and what came to the second node in a run of each cluster.
fn with_recorded(seeds: Vec<Seed>, streams: &'static LocalKey<Replicas>) -> Vec<Seed> {
    let recorded = streams.with(|bench| bench.recorded(1, Endpoint::Node(1)));
    [seeds, recorded].concat()
}

/// By query and update: servers alone, nodes that run operations, and every construction.
const CLUSTERS: &[(u16, &str)] = &[
    (3, "coordinator=node"),
    (3, "quorum=majority"),
    (4, "coordinator=node quorum=grid contact=quorum"),
    (6, "coordinator=node quorum=weighted"),
    (4, "quorum=dissemination"),
    (5, "coordinator=node quorum=counts read=2 members=0,1,2,3 contact=quorum"),
    (1, "coordinator=node"),
    (5, "quorum=masking"),
];

/// With locks.
const LOCK_CLUSTERS: &[(u16, &str)] = &[
    (3, "protocol=lock"),
    (2, "protocol=lock"),
    (5, "protocol=lock contact=quorum"),
    (4, "protocol=lock members=0,1,2 quorum=counts write=3"),
    (1, "protocol=lock"),
];

/// For clients: every construction, and both seats.
const CLIENT_CLUSTERS: &[(u16, &str)] = &[
    (3, "quorum=majority"),
    (3, "coordinator=node"),
    (4, "quorum=grid contact=quorum"),
    (6, "quorum=weighted"),
    (4, "quorum=dissemination"),
    (5, "quorum=masking"),
    (5, "quorum=counts read=2 members=0,1,2,3 contact=quorum"),
    (4, "quorum=grid-cover"),
];

impl Streamed for Quorum {
    type Model = QuorumModel;
    type ClientModel = QuorumClientModel;
    type Kit = ();

    const LOCAL: &'static [&'static str] = &["Q-I1", "Q-I8"];
    const NEEDS_EVERY_RECORD: bool = true;

    fn kit(_config: &Self::Config, _keys: Option<&ClusterKeys>) {}

    fn is_watched(message: &Message, is_by_core: bool) -> bool {
        match message {
            // What a COMMIT_OK is about is what the first COMMIT said of its write; here two may differ.
            Message::CommitOk { .. } => false,
            // Questions say what acknowledgements are about.
            Message::Update { .. } | Message::Configure { .. } | Message::Install { .. } => true,
            // What others claim of themselves is made up.
            _ => is_by_core,
        }
    }

    /// What a node stores and acknowledges the invariants see for themselves, and all else that is observed is for
    /// those that look at several nodes.
    fn is_told(_observation: &Observation) -> bool {
        false
    }

    fn forge(scope: &Scope<'_, Self>, dice: Dice) -> (Who, Message) {
        forge::forge(scope, dice)
    }

    fn answer(
        scope: &Scope<'_, Self>,
        said: &Message,
        from: NodeId,
        dice: Dice,
    ) -> Option<Message> {
        forge::answer(scope, said, from, dice)
    }

    fn alter(scope: &Scope<'_, Self>, _from: Who, message: &mut Message, dice: Dice) {
        forge::change(scope, message, dice);
    }

    fn alike(one: &Message, other: &Message) -> bool {
        match (one, other) {
            (
                Message::Answer { id, outcome },
                Message::Answer { id: other_id, outcome: other_outcome },
            ) => id == other_id && are_alike(outcome, other_outcome),
            // Whoever has the key signs: the model has not.
            (
                Message::Update { op, key, pair, configuration },
                Message::Update { op: o, key: k, pair: p, configuration: c },
            ) if pair.proof.is_none() => {
                (op, key, configuration) == (o, k, c) && (pair.ts, pair.value) == (p.ts, p.value)
            }
            _ => one == other,
        }
    }
}

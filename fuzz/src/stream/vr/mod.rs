//! Viewstamped Replication: a replica, with a disk, with half of one and without, that leads, follows, changes views,
//! transfers state, recovers, and goes from one epoch to the next; a witness; and a client.
//!
//! The replica is judged and not foretold (`model`): of all that it makes its own, tells, sends and answers there must be
//! a reason in what it holds and was told. When it loses patience, and whom it asks for what it lacks, is its own choice.
//!
//! What other nodes say is made up, and contradicts itself. Of the invariants V-I1, V-I8, V-I9 and V-I10 speak of
//! one node, whatever others say: that it never goes back, that it has what it acknowledges, that its votes tell its log,
//! that it says nothing while it has forgotten everything. What the others demand of one node the model asks for: the log
//! of the highest last normal view, and the longest of those, out of the votes that it was really given; answers to its
//! own question alone where it recovers or transfers state; a quorum of acknowledgements behind what it calls committed;
//! execution without holes, each request once; no vote while a lease lasts, and no read without one.

mod forge;
mod model;
mod seeds;
#[cfg(test)]
mod tests;

use quorate_plan::Endpoint;
use quorate_systems::contract::NodeId;
use quorate_systems::keys::ClusterKeys;
use quorate_systems::vr::{Message, Observation, Vr};
use quorate_world::invariants::Who;

use self::model::{VrClientModel, VrModel};
use super::bench::Bench;
use super::client::ClientMachine;
use super::replica::ReplicaMachine;
use super::{Cluster, Dice, Scope, Streamed};
use crate::Target;
use crate::mutant::mutants;

/// A replica of the key-value store.
pub const STREAM: Target = Target {
    name: "vr_stream",
    about: "A replica of Viewstamped Replication, fed whatever a world may feed it.",
    body: |bytes| STREAMS.with(|bench| bench.run(bytes)),
    seeds: || {
        let recorded = STREAMS.with(|bench| bench.recorded(1, Endpoint::Node(1)));
        [seeds::replicas(CLUSTERS.len()), recorded].concat()
    },
    show: |bytes| STREAMS.with(|bench| bench.show(bytes)),
};

/// A client, which looks for the primary, or takes equal answers of a quorum.
pub const CLIENT_STREAM: Target = Target {
    name: "vr_client_stream",
    about: "A client of Viewstamped Replication, fed answers that a world may feed it.",
    body: |bytes| CLIENT_STREAMS.with(|bench| bench.run(bytes)),
    seeds: || {
        let recorded = CLIENT_STREAMS.with(|bench| bench.recorded(1, Endpoint::Client(1)));
        [seeds::clients(CLIENT_CLUSTERS.len()), recorded].concat()
    },
    show: |bytes| CLIENT_STREAMS.with(|bench| bench.show(bytes)),
};

type Replicas = Bench<Vr, ReplicaMachine<Vr>>;
type Clients = Bench<Vr, ClientMachine<Vr>>;

thread_local! {
    static STREAMS: Replicas = Bench::new(Cluster::all(CLUSTERS, mutants()));
    static CLIENT_STREAMS: Clients = Bench::new(Cluster::all(CLIENT_CLUSTERS, mutants()));
}

/// Everything that a replica can be, with windows and checkpoints that are small enough for a short stream.
const CLUSTERS: &[(u16, &str)] = &[
    (3, "persistence=durable"),
    (3, "persistence=durable-view checkpoint_every=2"),
    (3, "persistence=crash-vector"),
    (3, "replies=prepare reads=lease lease_ms=100 window=4"),
    (3, "witnesses=yes"),
    (4, "members=n0,n1,n2 checkpoint_every=3"),
    (3, "reads=lease lease_ms=1000 window=1"),
    (5, "persistence=durable-view replies=prepare"),
    (1, "checkpoint_every=1"),
    (5, "witnesses=yes reads=lease lease_ms=100 checkpoint_every=2"),
];

/// For clients.
const CLIENT_CLUSTERS: &[(u16, &str)] = &[
    (3, "replies=commit"),
    (3, "replies=prepare"),
    (1, "replies=commit"),
    (5, "replies=prepare members=n0,n1,n2"),
    (5, "witnesses=yes"),
];

impl Streamed for Vr {
    type Model = VrModel;
    type ClientModel = VrClientModel;
    type Kit = ();

    const LOCAL: &'static [&'static str] = &["V-I1", "V-I8", "V-I9", "V-I10"];
    const NEEDS_EVERY_RECORD: bool = true;

    fn kit(_config: &Self::Config, _keys: Option<&ClusterKeys>) {}

    fn is_watched(_message: &Message, is_by_core: bool) -> bool {
        is_by_core
    }

    fn is_told(_observation: &Observation) -> bool {
        true
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
}

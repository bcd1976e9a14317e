//! Multi-Paxos: a replica that is proposer, acceptor and learner, and a client.
//!
//! The replica is judged and not foretold (`model`): its rules as acceptor are modelled in full, slot by slot, and so
//! is what a candidate and a leader may say on the grounds of what they were told. When it campaigns, and what it asks
//! for while it catches up, is its own choice.
//!
//! What other nodes say is made up, and contradicts itself. Of the invariants P-I1, P-I2, P-I4 and P-I10 speak of one
//! node, whatever others say: what it has promised, the ballots that it uses, what has left it before it was durable. No
//! other is demanded; what those demand of one node the model asks for: promises that never get lower, in any slot;
//! nothing accepted below them; nothing told before it is durable; the entry of the highest ballot among the promises that
//! it was really given; a majority of distinct voters behind what it calls decided; execution without holes; no lease that
//! lasts too long.

mod forge;
mod model;
mod seeds;
#[cfg(test)]
mod tests;

use quorate_plan::Endpoint;
use quorate_systems::contract::NodeId;
use quorate_systems::keys::ClusterKeys;
use quorate_systems::paxos::{Message, Observation, Paxos};
use quorate_world::invariants::Who;

use self::model::{PaxosClientModel, PaxosModel};
use super::bench::Bench;
use super::client::ClientMachine;
use super::replica::ReplicaMachine;
use super::{Cluster, Dice, Scope, Streamed};
use crate::Target;
use crate::mutant::mutants;

/// A replica of the key-value store.
pub const STREAM: Target = Target {
    name: "paxos_stream",
    about: "A replica of Multi-Paxos, fed whatever a world may feed it.",
    body: |bytes| STREAMS.with(|bench| bench.run(bytes)),
    seeds: || {
        let recorded = STREAMS.with(|bench| bench.recorded(1, Endpoint::Node(1)));
        [seeds::replicas(CLUSTERS.len()), recorded].concat()
    },
    show: |bytes| STREAMS.with(|bench| bench.show(bytes)),
};

/// A client, which looks for the leader.
pub const CLIENT_STREAM: Target = Target {
    name: "paxos_client_stream",
    about: "A client of Multi-Paxos, fed answers that a world may feed it.",
    body: |bytes| CLIENT_STREAMS.with(|bench| bench.run(bytes)),
    seeds: || {
        let recorded = CLIENT_STREAMS.with(|bench| bench.recorded(1, Endpoint::Client(1)));
        [seeds::clients(CLIENT_CLUSTERS.len()), recorded].concat()
    },
    show: |bytes| CLIENT_STREAMS.with(|bench| bench.show(bytes)),
};

type Replicas = Bench<Paxos, ReplicaMachine<Paxos>>;
type Clients = Bench<Paxos, ClientMachine<Paxos>>;

thread_local! {
    static STREAMS: Replicas = Bench::new(Cluster::all(CLUSTERS, mutants()));
    static CLIENT_STREAMS: Clients = Bench::new(Cluster::all(CLIENT_CLUSTERS, mutants()));
}

/// Every way to read, with windows and snapshots that are small enough for a short stream.
const CLUSTERS: &[(u16, &str)] = &[
    (3, "reads=log"),
    (3, "reads=read-index snapshot_every=2"),
    (3, "reads=lease lease_ms=100 window=2"),
    (1, "reads=log snapshot_every=1"),
    (5, "reads=log window=1"),
    (2, "reads=read-index"),
];

/// For clients.
const CLIENT_CLUSTERS: &[(u16, &str)] = &[(3, "reads=log"), (1, "reads=log"), (5, "reads=lease")];

impl Streamed for Paxos {
    type Model = PaxosModel;
    type ClientModel = PaxosClientModel;
    type Kit = ();

    const LOCAL: &'static [&'static str] = &["P-I1", "P-I2", "P-I4", "P-I10"];
    const NEEDS_EVERY_RECORD: bool = true;

    fn kit(_config: &Self::Config, _keys: Option<&ClusterKeys>) {}

    fn is_watched(_message: &Message, is_by_core: bool) -> bool {
        is_by_core
    }

    /// What an acceptor does its records and messages show.
    fn is_told(observation: &Observation) -> bool {
        matches!(observation, Observation::BallotUsed { .. })
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

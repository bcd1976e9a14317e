//! PBFT: a replica, with signatures and with MACs, that leads, follows, changes views, takes checkpoints and catches up;
//! and a client.
//!
//! Of the others f lie (those that follow the replica's own), and clients do: whoever makes up the bytes holds the keys of
//! these, and signs with them whatever it likes. What others have said it can repeat, hold back, give in another's name or
//! with a field changed, and then their old proof does not hold. Those that do not lie vote for one batch in a view and
//! sequence number, whatever they are asked; all else that they say is made up and need not go together, so that none of
//! it is held against the replica.
//!
//! The replica is judged and not foretold (`model`): nothing may come but for what was proven to it, and some things must.
//! Of the invariants those are demanded that hold of one replica if all others lie: that its certificates have enough
//! votes, its NEW-VIEWs follow from their VIEW-CHANGEs, it keeps within its watermarks and tells all that is prepared, votes
//! once and for what is on its disk, over all its lives, and for nothing in a view that it has left. What the others demand
//! of one node the model asks for: what is committed, learned and executed, in order and with the effects that it must
//! have, requests of their clients alone and once, answers that are so, patience.

mod certify;
mod forge;
mod kit;
mod model;
mod seeds;
#[cfg(test)]
mod tests;

use quorate_plan::Endpoint;
use quorate_systems::contract::NodeId;
use quorate_systems::keys::ClusterKeys;
use quorate_systems::pbft::{Config, Message, Observation, Pbft};
use quorate_world::invariants::Who;

use self::kit::Kit;
use self::model::{PbftClientModel, PbftModel};
use super::bench::Bench;
use super::client::ClientMachine;
use super::replica::ReplicaMachine;
use super::{Cluster, Dice, Scope, Streamed};
use crate::Target;
use crate::mutant::mutants;

/// A replica of the key-value store.
pub const STREAM: Target = Target {
    name: "pbft_stream",
    about: "A replica of PBFT, fed whatever a world may feed it in which f replicas and some clients lie.",
    body: |bytes| STREAMS.with(|bench| bench.run(bytes)),
    seeds: || {
        let recorded = STREAMS.with(|bench| bench.recorded(1, Endpoint::Node(1)));
        [seeds::replicas(CLUSTERS.len()), recorded].concat()
    },
    show: |bytes| STREAMS.with(|bench| bench.show(bytes)),
};

/// A client, which believes what enough replicas say.
pub const CLIENT_STREAM: Target = Target {
    name: "pbft_client_stream",
    about: "A client of PBFT, fed answers, true and false, and in others' names.",
    body: |bytes| CLIENT_STREAMS.with(|bench| bench.run(bytes)),
    seeds: || {
        let recorded = CLIENT_STREAMS.with(|bench| bench.recorded(1, Endpoint::Client(1)));
        [seeds::clients(CLIENT_CLUSTERS.len()), recorded].concat()
    },
    show: |bytes| CLIENT_STREAMS.with(|bench| bench.show(bytes)),
};

type Replicas = Bench<Pbft, ReplicaMachine<Pbft>>;
type Clients = Bench<Pbft, ClientMachine<Pbft>>;

thread_local! {
    static STREAMS: Replicas = Bench::new(Cluster::all(CLUSTERS, mutants()));
    static CLIENT_STREAMS: Clients = Bench::new(Cluster::all(CLIENT_CLUSTERS, mutants()));
}

/// Everything that a replica can be, with checkpoints that are near enough for a short stream.
const CLUSTERS: &[(u16, &str)] = &[
    (4, "authentication=signatures checkpoint_every=2"),
    (4, "authentication=hmac checkpoint_every=2"),
    (4, "authentication=signatures checkpoint_every=4 reads=read-only batch=1 in_flight=1"),
    (4, "authentication=hmac checkpoint_every=4 execution=tentative reads=read-only"),
    (6, "authentication=signatures checkpoint_every=2 execution=tentative"),
    (5, "authentication=hmac checkpoint_every=1"),
    (7, "authentication=signatures checkpoint_every=4"),
    (2, "authentication=signatures checkpoint_every=1"),
    (3, "authentication=hmac checkpoint_every=2 reads=read-only"),
    (4, "authentication=signatures checkpoint_every=128"),
];

/// For clients.
const CLIENT_CLUSTERS: &[(u16, &str)] = &[
    (4, "authentication=signatures"),
    (4, "authentication=hmac"),
    (4, "authentication=hmac reads=read-only"),
    (4, "authentication=signatures execution=tentative"),
    (7, "authentication=hmac replies=4"),
    (6, "authentication=signatures reads=read-only execution=tentative"),
    (1, "authentication=hmac"),
];

impl Streamed for Pbft {
    type Model = PbftModel;
    type ClientModel = PbftClientModel;
    type Kit = Kit;

    const LOCAL: &'static [&'static str] = &["B-I5", "B-I6", "B-I7", "B-I8", "B-I9"];
    const NEEDS_EVERY_RECORD: bool = true;
    const DO_OTHERS_LIE: bool = true;

    fn kit(config: &Config, keys: Option<&ClusterKeys>) -> Kit {
        Kit::new(config, keys)
    }

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

    fn alter(scope: &Scope<'_, Self>, from: Who, message: &mut Message, dice: Dice) {
        forge::change(scope, from, message, dice);
    }
}

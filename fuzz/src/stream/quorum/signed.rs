//! Pairs that clients have signed: nobody can forge one, so that real clients have to write them.

use std::sync::OnceLock;

use quorate_systems::contract::{
    Client, ClientEffect, ClientId, ClientInput, ClientStart, Command, Incarnation, Key, LocalTime,
    NodeId, Value,
};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::mutant::Mutants;
use quorate_systems::quorum::{Message, Pair, Quorum, QuorumClient};

use crate::stream::{CLIENTS, Cluster};

/// A few signed pairs, each with its key: of two keys the timestamps 1 to 4, by two clients in turn.
pub(super) fn pairs() -> &'static [(Key, Pair)] {
    static PAIRS: OnceLock<Vec<(Key, Pair)>> = OnceLock::new();
    PAIRS.get_or_init(|| [Key(0), Key(1)].into_iter().flat_map(write_all).collect())
}

/// Whether a client wrote this pair under this key; the initial pair needs nobody's word.
pub(super) fn is_proven(key: Key, pair: &Pair) -> bool {
    *pair == Pair::INITIAL || pairs().iter().any(|(of, signed)| *of == key && signed == pair)
}

fn write_all(key: Key) -> Vec<(Key, Pair)> {
    let cluster = Cluster::<Quorum>::new(4, "quorum=dissemination", Mutants::NONE);
    let keys = cluster.keys.as_ref().expect("such a cluster signs");
    let mut pairs: Vec<(Key, Pair)> = Vec::new();
    for round in 1..=4 {
        let before = pairs.last().map_or(Pair::INITIAL, |(_, pair)| pair.clone());
        let writer = ClientId(u32::from(round % 2 == 0));
        let pair = write(&cluster, keys, (writer, key, Value(round)), &before);
        pairs.push((key, pair));
    }
    pairs
}

/// What a client sends to be stored when all servers report `before`.
fn write(
    cluster: &Cluster<Quorum>,
    keys: &ClusterKeys,
    (me, key, value): (ClientId, Key, Value),
    before: &Pair,
) -> Pair {
    assert!(me.0 < CLIENTS);
    let ring = usize::try_from(me.0).ok().and_then(|place| keys.clients.get(place));
    let mut client = QuorumClient::start(ClientStart {
        me,
        incarnation: Incarnation(value.0),
        config: cluster.config.clone(),
        keys: ring.cloned().expect("every client has keys"),
        entropy: 0,
    });
    let mut effects = Vec::new();
    let now = LocalTime(0);
    client.step(now, ClientInput::Invoke(Command::Write { key, value }), &mut effects);
    let question = effects.iter().find_map(|effect| match effect {
        ClientEffect::Send { message: Message::Query { op, .. }, .. } => Some(*op),
        _ => None,
    });
    let op = question.expect("a write begins with a query");
    for node in 0..cluster.nodes {
        let message = Message::QueryOk { op, key, pair: before.clone() };
        let from = NodeId(node);
        client.step(now, ClientInput::Message { from, message }, &mut effects);
    }
    let stored = effects.into_iter().find_map(|effect| match effect {
        ClientEffect::Send { message: Message::Update { pair, .. }, .. } => Some(pair),
        _ => None,
    });
    stored.expect("and goes on with an update")
}

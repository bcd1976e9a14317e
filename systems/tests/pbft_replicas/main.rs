//! Practical Byzantine Fault Tolerance driven by hand: what operations, checkpoints and view changes cost, what a disk
//! brings back, what is refused, and that nothing that anybody sends stops a replica or a client.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's tool may stop the test"
)]

mod catching_up;
mod costs;
#[path = "../support/dice.rs"]
mod dice;
mod disks;
mod liars;
#[path = "../support/logs.rs"]
mod logs;
mod proposals;
#[path = "../support/mod.rs"]
mod support;
mod views;

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_systems::contract::{
    ClientId, Command, Describe, Incarnation, Keyring, NodeId, TimerId,
};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::mutant::Mutants;
use quorate_systems::parties::Party;
use quorate_systems::pbft::{
    Batch, Body, Digest, Keys, Message, Observation, Pbft, SignedRequest, View,
};
use quorate_systems::smr::{Chain, Request, RequestNumber, Slot};

use support::{Flight, Happened, Net, Place, c, n};

type Cluster = Net<Pbft>;

const VIEW: TimerId = TimerId(0);
const STATUS: TimerId = TimerId(1);

const SIGNATURES: (&str, &str) = ("authentication", "signatures");
const HMAC: (&str, &str) = ("authentication", "hmac");

const NOBODY: Place = Place::Node(NodeId(99));

/// A cluster in view 0, which n0 leads, with simulated keys.
fn planted(nodes: u16, options: &[(&str, &str)], mutants: Mutants) -> Cluster {
    let keys = ClusterKeys::simulated(nodes, 4);
    Cluster::with_keys(nodes, 4, options, (mutants, 1), keys).unwrap()
}

fn calm(nodes: u16, options: &[(&str, &str)]) -> Cluster {
    planted(nodes, options, Mutants::NONE)
}

/// Each node with so many records.
fn each(nodes: u16, records: usize) -> BTreeMap<NodeId, usize> {
    (0..nodes).map(|node| (NodeId(node), records)).collect()
}

/// How far each node has executed, as it says.
fn executed(net: &Cluster, node: u16) -> Slot {
    let said = net.observations.iter().rev().find_map(|(by, observation)| match observation {
        Observation::Executed { seq, .. } | Observation::StateInstalled { seq, .. }
            if *by == n(node) =>
        {
            Some(*seq)
        }
        _ => None,
    });
    said.unwrap_or_default()
}

/// The last view that a node has entered.
fn view(net: &Cluster, node: u16) -> View {
    let said = net.observations.iter().rev().find_map(|(by, observation)| match observation {
        Observation::ViewEntered { view, .. } if *by == n(node) => Some(*view),
        _ => None,
    });
    said.unwrap_or_default()
}

/// What clients may count on: nothing is committed twice with different content, all histories are one.
fn judge(net: &Cluster) {
    assert_eq!(judged(NOBODY, net), Ok(()));
}

/// As [`judge`], by what all say but this one.
fn judged(liar: Place, net: &Cluster) -> Result<(), String> {
    let mut chains: BTreeMap<Slot, Chain> = BTreeMap::new();
    let mut committed: BTreeMap<Slot, Digest> = BTreeMap::new();
    let mut prepared: BTreeMap<(View, Slot), Digest> = BTreeMap::new();
    for (by, observation) in net.observations.iter().filter(|(by, _)| *by != liar) {
        let is_one = match observation {
            Observation::Executed { seq, chain, .. } => {
                *chains.entry(*seq).or_insert(*chain) == *chain
            }
            Observation::Committed { seq, digest, .. }
            | Observation::Learned { seq, digest, .. } => {
                *committed.entry(*seq).or_insert(*digest) == *digest
            }
            Observation::Prepared { view, seq, digest, .. } => {
                *prepared.entry((*view, *seq)).or_insert(*digest) == *digest
            }
            _ => true,
        };
        if !is_one {
            return Err(format!("{by} {observation}"));
        }
    }
    Ok(())
}

/// What replicas must never do, by what they sent: vote twice for one place, or in a view after having left it.
fn judge_votes(net: &Cluster) {
    judge_votes_of_all_but(NOBODY, net);
}

fn judge_votes_of_all_but(liar: Place, net: &Cluster) {
    let mut votes: BTreeMap<(Place, &str, View, Slot), Digest> = BTreeMap::new();
    let mut left: BTreeMap<Place, View> = BTreeMap::new();
    for happened in &net.happened {
        let Happened::Sent { from, message, .. } = happened else { continue };
        if *from == liar {
            continue;
        }
        match message.body {
            Body::PrePrepare { view, seq, digest, .. }
            | Body::Prepare { view, seq, digest }
            | Body::Commit { view, seq, digest } => {
                let vote = (*from, message.kind(), view, seq);
                let has_left = left.get(from).is_some_and(|left| *left > view);
                assert!(!has_left || votes.contains_key(&vote), "{from} {message}");
                assert_eq!(*votes.entry(vote).or_insert(digest), digest, "{from} {message}");
            }
            Body::ViewChange(ref view_change) => {
                let left = left.entry(*from).or_default();
                assert!(*left <= view_change.view, "{from} {message}");
                *left = view_change.view;
            }
            _ => {}
        }
    }
}

fn nodes(net: &Cluster) -> std::ops::Range<u16> {
    0..u16::try_from(net.nodes.len()).unwrap()
}

/// All wait for as long as they have patience: whoever has more tells the others.
fn tell_all(net: &mut Cluster) {
    nodes(net).for_each(|node| net.fire_one(n(node), STATUS));
    net.settle();
}

/// All who wait for something from their primary lose patience at once.
fn lose_patience(net: &mut Cluster) {
    nodes(net).for_each(|node| net.fire_one(n(node), VIEW));
}

/// Time passes, until everybody is answered.
fn finish(net: &mut Cluster) {
    for round in 0..60 {
        net.settle();
        if net.clients.iter().all(|client| !client.is_open) {
            return;
        }
        (0..4).for_each(|client| net.fire(c(client)));
        net.settle();
        tell_all(net);
        if round % 4 == 3 {
            lose_patience(net);
        }
    }
    panic!("not everybody is answered");
}

/// The messages of a kind that crossed the network.
fn crossed(net: &Cluster, kind: &str) -> usize {
    let crossed = net.happened.iter().filter(|happened| {
        matches!(happened, Happened::Sent { from, to, message }
            if from != to && message.kind() == kind)
    });
    crossed.count()
}

/// What a node can prove.
fn keys(net: &Cluster, node: u16) -> Keys {
    let keyring: &Keyring = &net.keys.nodes[usize::from(node)];
    Keys::new(&net.config, keyring, Party::Node(NodeId(node)))
}

/// Has one node say this to another, with its own keys.
fn say(net: &mut Cluster, from: u16, to: u16, body: Body) {
    let proof = keys(net, from).prove(Party::Node(NodeId(to)), &body);
    net.arrive(Flight { from: n(from), to: n(to), message: Message { body, proof } });
}

/// A request of a client, made with its keys.
fn request(net: &Cluster, client: u32, seq: u64, command: Command) -> SignedRequest {
    let keyring = &net.keys.clients[usize::try_from(client).unwrap()];
    let keys = Keys::new(&net.config, keyring, Party::Client(ClientId(client)));
    let number = RequestNumber { incarnation: Incarnation(1), seq };
    keys.sign_request(Request { client: ClientId(client), number, command }, false)
}

/// A PRE-PREPARE of n0.
fn pre_prepare(net: &Cluster, view: u64, seq: u64, requests: Vec<SignedRequest>) -> Body {
    let batch = Arc::new(Batch(requests));
    let digest = keys(net, 0).batch_digest(&batch);
    Body::PrePrepare { view: View(view), seq: Slot(seq), digest, batch }
}

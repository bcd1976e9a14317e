//! Practical Byzantine Fault Tolerance driven by hand: what operations, checkpoints and view changes cost, what a disk
//! brings back, what is refused, and that nothing that anybody sends stops a replica or a client.
#![expect(clippy::unwrap_used, reason = "a test's tool may stop the test")]

#[path = "support/dice.rs"]
mod dice;
#[path = "support/logs.rs"]
mod logs;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dice::Dice;
use logs::{costs, delays, forced_writes};
use quorate_systems::contract::{
    ClientId, Command, Describe, Input, Key, NodeId, Outcome, System, TimerId, Value,
};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::parties::Party;
use quorate_systems::pbft::{
    Batch, Body, Certificate, Digest, How, Keys, Message, Observation, Pbft, Record, View,
};
use quorate_systems::smr::{Chain, RequestNumber, Slot};
use support::{Flight, Happened, Net, Place, c, n, read, saw, write};

type Cluster = Net<Pbft>;

const VIEW: TimerId = TimerId(0);
const STATUS: TimerId = TimerId(1);

const SIGNATURES: (&str, &str) = ("authentication", "signatures");
const HMAC: (&str, &str) = ("authentication", "hmac");

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

/// What clients may count on: nothing is committed twice with different content, all histories are one, no replica
/// votes twice for one place.
fn judge(net: &Cluster) {
    let mut chains: BTreeMap<Slot, Chain> = BTreeMap::new();
    let mut committed: BTreeMap<Slot, Digest> = BTreeMap::new();
    let mut prepared: BTreeMap<(View, Slot), Digest> = BTreeMap::new();
    let mut accepted: BTreeMap<(Place, View, Slot), Digest> = BTreeMap::new();
    for (by, observation) in &net.observations {
        match observation {
            Observation::Executed { seq, chain, .. } => {
                assert_eq!(chains.entry(*seq).or_insert(*chain), chain, "{by} {observation}");
            }
            Observation::Committed { seq, digest, .. }
            | Observation::Learned { seq, digest, .. } => {
                assert_eq!(committed.entry(*seq).or_insert(*digest), digest, "{by} {observation}");
            }
            Observation::Prepared { view, seq, digest, .. } => {
                let known = prepared.entry((*view, *seq)).or_insert(*digest);
                assert_eq!(known, digest, "{by} {observation}");
            }
            Observation::PrePrepared { view, seq, digest, .. } => {
                let known = accepted.entry((*by, *view, *seq)).or_insert(*digest);
                assert_eq!(known, digest, "{by} {observation}");
            }
            _ => {}
        }
    }
}

/// All wait for as long as they have patience: whoever has more tells the others.
fn tell_all(net: &mut Cluster) {
    for node in 0..u16::try_from(net.nodes.len()).unwrap() {
        net.fire_one(n(node), STATUS);
    }
    net.settle();
}

#[test]
fn a_calm_request_takes_five_delays_and_the_messages_of_the_table() {
    for (nodes, messages) in [(4_u16, 29), (5, 46), (7, 92)] {
        for authentication in [SIGNATURES, HMAC] {
            for keys in
                [ClusterKeys::from_seed(&[3; 32], nodes, 4), ClusterKeys::simulated(nodes, 4)]
            {
                let options = [authentication];
                let planted = (Mutants::NONE, 1);
                let mut net = Cluster::with_keys(nodes, 4, &options, planted, keys).unwrap();
                costs(&mut net);
                for command in [write(1, 7), read(1)] {
                    assert_eq!(delays(&mut net, 0, command.clone()), 5, "{nodes} nodes");
                    net.settle();
                    // Pre-prepared, prepared, committed.
                    assert_eq!(costs(&mut net), (messages, each(nodes, 3)), "{nodes} nodes");
                    assert_eq!(forced_writes(&mut net, 0, command), 3, "{nodes} nodes");
                    costs(&mut net);
                }
                assert_eq!(net.outcome(0), saw(7));
                judge(&net);
            }
        }
    }
}

#[test]
fn a_read_outside_the_order_takes_two_delays_2n_messages_and_no_record() {
    for nodes in [4_u16, 5, 7] {
        for authentication in [SIGNATURES, HMAC] {
            let mut net = calm(nodes, &[authentication, ("reads", "read-only")]);
            net.run(0, write(1, 7));
            costs(&mut net);
            assert_eq!(delays(&mut net, 1, read(1)), 2, "{nodes} nodes");
            net.settle();
            assert_eq!(costs(&mut net), (2 * usize::from(nodes), BTreeMap::new()));
            assert_eq!(net.outcome(1), saw(7));
            assert_eq!(forced_writes(&mut net, 1, read(1)), 0);
        }
    }
}

#[test]
fn with_early_answers_a_reply_waits_until_what_it_rests_on_is_durable() {
    let mut net = calm(4, &[("reads", "read-only")]);
    assert_eq!(forced_writes(&mut net, 0, write(1, 7)), 4);
}

#[test]
fn a_checkpoint_takes_n_times_n_less_1_messages_and_one_record_at_each_node() {
    for nodes in [4_u16, 5, 7] {
        for authentication in [SIGNATURES, HMAC] {
            let mut net = calm(nodes, &[authentication, ("checkpoint_every", "3")]);
            (1..3).for_each(|value| drop(net.run(0, write(1, value))));
            net.sent.clear();
            net.happened.clear();
            net.run(0, write(1, 3));
            let n = usize::from(nodes);
            let (messages, records) = costs(&mut net);
            assert_eq!(messages, 2 * n * n - n + 1 + n * (n - 1), "{nodes} nodes");
            assert_eq!(records, each(nodes, 3 + 1));
            judge(&net);
        }
    }
}

#[test]
fn requests_that_come_while_others_are_under_way_share_a_sequence_number() {
    let mut net = calm(4, &[("in_flight", "1"), ("batch", "3")]);
    (0..4).for_each(|client| net.invoke(client, write(u64::from(client), 7)));
    net.settle();
    assert!((0..4).all(|client| net.outcome(client) == Some(Outcome::Written)));
    let batches: Vec<usize> = net
        .observations
        .iter()
        .filter_map(|(by, observation)| match observation {
            Observation::Executed { requests, .. } if *by == n(2) => Some(requests.len()),
            _ => None,
        })
        .collect();
    assert_eq!(batches, [1, 3]);
    assert!(net.milestones.contains_key("requests-queued"));
    judge(&net);
}

#[test]
fn every_command_of_the_store_is_replicated() {
    let mut net = calm(4, &[]);
    let (key, list) = (Key(1), Key(2));
    let value = Value(3);
    let parts = vec![Command::Read { key }, Command::Append { key: list, value }];
    for (command, outcome) in [
        (Command::Add { key, value }, Outcome::Added),
        (Command::Cas { key, expected: value, value: Value(4) }, Outcome::Swapped),
        (Command::Cas { key, expected: value, value }, Outcome::NotSwapped(Some(Value(4)))),
        (
            Command::Transaction(parts),
            Outcome::Transaction(vec![Outcome::Read(Some(Value(4))), Outcome::Appended]),
        ),
        (Command::Read { key: list }, Outcome::List(vec![value])),
        (Command::Delete { key }, Outcome::Deleted),
        (Command::Read { key }, Outcome::Read(None)),
    ] {
        assert!(Pbft::functions(&net.config).contains(&command.function()));
        assert_eq!(net.run(0, command), Some(outcome));
    }
}

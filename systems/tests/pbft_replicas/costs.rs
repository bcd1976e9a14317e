//! What operations and checkpoints cost, and that every command is replicated.

use std::collections::BTreeMap;

use quorate_systems::contract::{Command, Key, Outcome, System, Value};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::mutant::Mutants;
use quorate_systems::pbft::{Observation, Pbft};

use crate::logs::{costs, delays, forced_writes};
use crate::support::{n, read, saw, write};
use crate::{Cluster, HMAC, SIGNATURES, calm, each, finish, judge, judge_votes, nodes};

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

#[test]
fn a_cluster_that_bears_no_liar_may_have_one_two_or_three_nodes() {
    for count in 1..=3 {
        for options in [[SIGNATURES, ("reads", "log")], [HMAC, ("reads", "read-only")]] {
            let mut net = calm(count, &options);
            assert_eq!(net.run(0, write(1, 7)), Some(Outcome::Written));
            assert_eq!(net.run(1, read(1)), saw(7));
            nodes(&net).for_each(|node| {
                net.crash(node, 0);
                net.restart(node).unwrap();
            });
            assert_eq!(net.run(0, write(1, 8)), Some(Outcome::Written));
            // The primary is gone for a while, where somebody else can lead.
            net.crash(0, 0);
            net.invoke(2, read(1));
            if count < 3 {
                net.restart(0).unwrap();
            }
            finish(&mut net);
            assert_eq!(net.outcome(2), saw(8));
            judge(&net);
            judge_votes(&net);
        }
    }
}

//! What operations and view changes cost, and that a majority gets on.

use std::collections::BTreeMap;

use quorate_systems::contract::{
    Command, Describe, Key, LocalTime, NodeId, Outcome, System, Value,
};
use quorate_systems::mutant::Mutants;
use quorate_systems::vr::Vr;

use crate::logs::{costs, delays, forced_writes};
use crate::support::{Happened, c, n, read, saw, write};
use crate::{VIEW, calm, each};

#[test]
fn a_calm_request_takes_four_delays_2n_messages_and_one_record_at_each_node() {
    for nodes in [1, 2, 3, 4, 5, 7] {
        let mut net = calm(nodes, &[], Mutants::NONE);
        costs(&mut net);
        for command in [write(1, 7), read(1)] {
            let expected = if nodes == 1 { 2 } else { 4 };
            assert_eq!(delays(&mut net, 0, command.clone()), expected, "{nodes} nodes");
            net.settle();
            assert_eq!(costs(&mut net), (2 * usize::from(nodes), each(nodes, 1)), "{nodes} nodes");
            // The primary writes while the backups do.
            assert_eq!(forced_writes(&mut net, 0, command), 1, "{nodes} nodes");
            costs(&mut net);
        }
        assert_eq!(net.outcome(0), saw(7));
    }
}

#[test]
fn without_disks_nothing_is_written_in_a_calm_view() {
    for persistence in ["durable-view", "crash-vector", "paper"] {
        let mut net = calm(5, &[("persistence", persistence)], Mutants::NONE);
        costs(&mut net);
        assert_eq!(delays(&mut net, 0, write(1, 7)), 4, "{persistence}");
        net.settle();
        assert_eq!(costs(&mut net), (10, BTreeMap::new()), "{persistence}");
        assert_eq!(forced_writes(&mut net, 0, write(1, 8)), 0, "{persistence}");
    }
}

#[test]
fn with_answers_at_prepare_a_request_takes_three_delays_and_3n_less_1_messages() {
    for nodes in [3, 4, 5, 7] {
        let mut net = calm(nodes, &[("replies", "prepare")], Mutants::NONE);
        costs(&mut net);
        for command in [write(1, 7), read(1)] {
            assert_eq!(delays(&mut net, 0, command.clone()), 3, "{nodes} nodes");
            net.settle();
            let messages = 3 * usize::from(nodes) - 1;
            assert_eq!(costs(&mut net), (messages, each(nodes, 1)), "{nodes} nodes");
            assert_eq!(forced_writes(&mut net, 0, command), 1, "{nodes} nodes");
            costs(&mut net);
        }
        assert_eq!(net.outcome(0), saw(7));
    }
}

#[test]
fn a_read_by_lease_takes_two_delays_two_messages_and_no_record() {
    for (nodes, replies) in [(3, "commit"), (4, "prepare"), (5, "commit"), (7, "prepare")] {
        let mut net = calm(nodes, &[("reads", "lease"), ("replies", replies)], Mutants::NONE);
        net.run(0, write(1, 7));
        costs(&mut net);
        assert_eq!(delays(&mut net, 1, read(1)), 2, "{nodes} nodes");
        net.settle();
        assert_eq!(costs(&mut net), (2, BTreeMap::new()), "{nodes} nodes");
        assert_eq!(net.outcome(1), saw(7));
        assert_eq!(forced_writes(&mut net, 1, read(1)), 0);
    }
}

#[test]
fn a_read_after_the_lease_takes_a_round_that_reads_share() {
    let mut net = calm(5, &[("reads", "lease")], Mutants::NONE);
    net.run(0, write(1, 7));
    net.now = LocalTime(10_000_000);
    costs(&mut net);
    assert_eq!(delays(&mut net, 1, read(1)), 4);
    net.settle();
    assert_eq!(costs(&mut net), (2 + 2 * 4, BTreeMap::new()));
    net.now = LocalTime(20_000_000);
    (0..3).for_each(|client| net.invoke(client, read(1)));
    let before = net.sent["COMMIT"];
    net.deliver(|flight| flight.is("REQUEST"));
    net.settle();
    assert!((0..3).all(|client| net.outcome(client) == saw(7)));
    assert_eq!(net.sent["COMMIT"] - before, 4, "the first has brought a lease for all");
}

#[test]
fn with_witnesses_a_request_takes_2_messages_for_each_replica_that_executes() {
    for (nodes, executors) in [(3, 2), (4, 3), (5, 3), (7, 4)] {
        let mut net = calm(nodes, &[("witnesses", "yes")], Mutants::NONE);
        for value in 0..3 {
            costs(&mut net);
            assert_eq!(delays(&mut net, 0, write(1, value)), 4, "{nodes} nodes");
            net.settle();
            let expected = (2 * usize::from(executors), each(executors, 1));
            assert_eq!(costs(&mut net), expected, "{nodes} nodes");
        }
    }
}

/// The messages of each kind that cross the network until a view has begun, with the old primary dead and every
/// backup at the end of its patience at once.
fn view_change(nodes: u16) -> BTreeMap<&'static str, usize> {
    let mut net = calm(nodes, &[], Mutants::NONE);
    net.run(0, write(1, 7));
    net.crash(0, 0);
    for _ in 0..2 {
        (1..nodes).for_each(|node| net.fire_one(n(node), VIEW));
    }
    net.happened.clear();
    net.sent.clear();
    let mut sent: BTreeMap<&'static str, usize> = BTreeMap::new();
    // What was sent before is in flight.
    for flight in &net.flying {
        *sent.entry(flight.message.kind()).or_default() += 1;
    }
    net.settle();
    for happened in net.happened.drain(..) {
        if let Happened::Sent { from, to, message } = happened
            && from != to
        {
            *sent.entry(message.kind()).or_default() += 1;
        }
    }
    net.fire(c(0));
    assert_eq!(net.run(1, read(1)), None, "c1 asks the dead n0 first");
    net.fire(c(1));
    net.settle();
    assert_eq!(net.outcome(1), saw(7));
    sent
}

/// As PROTOCOLS C has it, but that a DOVIEWCHANGE which comes when its view has begun is answered by one more
/// STARTVIEW: its sender may have missed the first. A quorum is needed, and n - 1 vote.
#[test]
fn a_view_change_costs_what_the_protocol_says() {
    for nodes in [3, 4, 5, 7] {
        let sent = view_change(nodes);
        let n = usize::from(nodes);
        let late = n - 1 - (n / 2 + 1);
        assert_eq!(sent["STARTVIEWCHANGE"], (n - 1) * (n - 1), "{nodes} nodes");
        assert_eq!(sent["DOVIEWCHANGE"], n - 2, "{nodes} nodes");
        assert_eq!(sent["STARTVIEW"], n - 1 + late, "{nodes} nodes");
    }
}

#[test]
fn a_view_change_writes_twice_at_a_new_primary_before_it_leads() {
    for (persistence, records) in [("durable", 2), ("durable-view", 2), ("crash-vector", 0)] {
        let mut net = calm(3, &[("persistence", persistence)], Mutants::NONE);
        net.crash(0, 0);
        for _ in 0..2 {
            (1..3).for_each(|node| net.fire_one(n(node), VIEW));
        }
        costs(&mut net);
        net.settle();
        let written = costs(&mut net).1;
        assert_eq!(written.get(&NodeId(1)).copied().unwrap_or(0), records, "{persistence}");
        assert_eq!(written.get(&NodeId(2)).copied().unwrap_or(0), records, "{persistence}");
    }
}

#[test]
fn a_single_node_is_a_cluster() {
    for (replies, reads) in [("commit", "log"), ("prepare", "lease")] {
        let options = [("replies", replies), ("reads", reads), ("checkpoint_every", "2")];
        let mut net = calm(1, &options, Mutants::NONE);
        for value in 0..5 {
            assert_eq!(net.run(0, write(1, value)), Some(Outcome::Written));
            net.crash(0, 0);
            net.restart(0).unwrap();
            // An earlier life may have granted itself a lease: that does not keep it waiting.
            net.settle();
            net.now = LocalTime(net.now.0 + 1_000_000);
            net.fire(n(0));
            assert_eq!(net.run(0, read(1)), saw(value), "{replies}");
        }
    }
}

#[test]
fn every_command_of_the_store_is_replicated() {
    for replies in ["commit", "prepare"] {
        let mut net = calm(3, &[("replies", replies)], Mutants::NONE);
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
            assert!(Vr::functions(&net.config).contains(&command.function()));
            assert_eq!(net.run(0, command), Some(outcome));
        }
    }
}

/// A majority that is connected gets on, whoever is down.
#[test]
fn any_majority_begins_a_view() {
    for options in [vec![], vec![("persistence", "crash-vector")], vec![("replies", "prepare")]] {
        for down in 0..5_u16 {
            let mut net = calm(5, &options, Mutants::NONE);
            net.run(0, write(1, 7));
            net.crash(down, 0);
            net.crash((down + 1) % 5, 0);
            net.invoke(1, read(1));
            for _ in 0..12 {
                (0..5).for_each(|node| net.fire(n(node)));
                net.fire(c(1));
                net.settle();
            }
            assert_eq!(net.outcome(1), saw(7), "without n{down} and the next, {options:?}");
        }
    }
}

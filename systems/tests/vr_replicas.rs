//! Viewstamped Replication driven by hand: what operations and view changes cost, what a disk brings back, what is
//! refused, and that nothing that anybody sends stops a replica or a client.
#![expect(clippy::unwrap_used, reason = "a test's tool may stop the test")]

#[path = "support/dice.rs"]
mod dice;
#[path = "support/logs.rs"]
mod logs;
mod support;

use std::collections::BTreeMap;

use dice::Dice;
use logs::{costs, delays, draws, forced_writes, keyring, travel};
use quorate_systems::contract::{
    Client, ClientEffect, ClientId, ClientInput, ClientStart, Command, ConfigError, Describe,
    Effect, FORGED_VALUES, Identify, Incarnation, Input, Key, Lie, LocalTime, Micros, NodeId,
    Options, Outbox, Outcome, Recovered, Replica, Start, StartError, System, TimerId, Value,
};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::parties::NodeSet;
use quorate_systems::smr::{Request, RequestNumber, Slot};
use quorate_systems::vr::{
    Config, CrashVector, Entry, Logged, Members, Message, Observation, Persistence,
    Reconfiguration, Record, Replies, State, Status, Suffix, View, Vr, VrClient, VrReplica,
};
use quorate_systems::wire::{Envelope, encode};
use support::{Flight, Happened, Net, c, lied, n, read, saw, write};

type Cluster = Net<Vr>;

const VIEW: TimerId = TimerId(0);
const COMMIT: TimerId = TimerId(1);
const GAP: TimerId = TimerId(3);

/// A cluster in view 0, which n0 leads, where nothing is under way.
fn calm(nodes: u16, options: &[(&str, &str)], mutants: Mutants) -> Cluster {
    let mut net = Cluster::with(nodes, 3, options, mutants, 1).unwrap();
    net.settle();
    net
}

fn names(options: &[(&str, &str)]) -> Options {
    options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn configure(nodes: u16, options: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Vr::configure(nodes, &names(options), Mutants::NONE)
}

/// Each node with so many records.
fn each(nodes: u16, records: usize) -> BTreeMap<NodeId, usize> {
    (0..nodes).map(|node| (NodeId(node), records)).collect()
}

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

fn checkpoint(net: &Cluster, node: u16) -> Vec<Record> {
    net.nodes.get(usize::from(node)).unwrap().replica.as_ref().unwrap().checkpoint()
}

/// Restarts a node from its log, and from a checkpoint of that: both bring back the same.
fn restored(net: &mut Cluster, node: u16) -> Vec<Record> {
    let reboot = |net: &mut Cluster| {
        net.crash(node, 0);
        net.restart(node).unwrap();
        net.lose(|flight| flight.from == n(node) && !flight.is_local());
    };
    reboot(net);
    let from_log = checkpoint(net, node);
    net.checkpoint(node);
    reboot(net);
    assert_eq!(checkpoint(net, node), from_log);
    from_log
}

#[test]
fn what_a_checkpoint_holds_is_what_the_log_held() {
    let mut net = calm(3, &[("checkpoint_every", "4")], Mutants::NONE);
    for value in 0..7 {
        net.run(0, write(value % 3, value));
    }
    net.invoke(0, write(0, 9));
    net.deliver(|flight| flight.is("REQUEST"));
    net.deliver(|flight| flight.is("PREPARE") && flight.to == n(2));
    net.lose(|_| true);
    let records = restored(&mut net, 2);
    let [Record::Adopted { view: View::FIRST, state, snapshot: Some(snapshot) }] =
        records.as_slice()
    else {
        panic!("{records:?}")
    };
    assert_eq!((snapshot.index, state.log.last()), (Slot(4), Slot(8)));
    assert_eq!(state.commit, Slot(6), "all that n2 knew when it wrote op 8");
    // n0 has left its view, and so has n2 when it hears that.
    for node in [0, 2] {
        if node == 2 {
            net.fire(n(0));
            net.deliver(|flight| flight.is("STARTVIEWCHANGE"));
        }
        let records = restored(&mut net, node);
        assert!(records.contains(&Record::View { view: View::FIRST.next() }), "{records:?}");
    }
}

/// A cluster of five of which n0, n1 and n2 are replicas, and n0, n3 and n4 are to be.
fn reconfiguring(options: &[(&str, &str)]) -> Cluster {
    let options: Vec<_> = options.iter().copied().chain([("members", "n0,n1,n2")]).collect();
    let mut net = calm(5, &options, Mutants::NONE);
    for value in 0..3 {
        net.run(0, write(1, value));
    }
    net.reconfigure(2, names(&[("members", "n0,n3,n4")]));
    net
}

#[test]
fn what_a_checkpoint_holds_of_an_epoch_is_what_the_log_held() {
    for options in [vec![], vec![("checkpoint_every", "2")]] {
        let mut net = reconfiguring(&options);
        net.deliver_all(|flight| !flight.is("GETSTATE"));
        assert_eq!(net.outcome(2), Some(Outcome::Reconfigured));
        // n3 lacks the state, n1 is outside.
        for (node, normal) in [(3, false), (1, false)] {
            let records = restored(&mut net, node);
            let epoch = records.iter().find_map(|record| match record {
                Record::Epoch { view, is_normal, .. } => Some((*view, *is_normal)),
                _ => None,
            });
            assert_eq!(epoch, Some((View { epoch: 1, number: 0 }, normal)), "{records:?}");
        }
        for _ in 0..3 {
            (0..5).for_each(|node| net.fire(n(node)));
            net.settle();
        }
        for node in [3, 4, 1, 2] {
            let records = restored(&mut net, node);
            assert!(matches!(records.first(), Some(Record::Epoch { .. })), "{records:?}");
        }
        net.invoke(0, write(1, 9));
        for _ in 0..6 {
            net.settle();
            (0..5).for_each(|node| net.fire(n(node)));
            net.fire(c(0));
        }
        assert_eq!(net.outcome(0), Some(Outcome::Written));
    }
}

#[test]
fn what_a_checkpoint_holds_of_a_witness_is_what_the_log_held() {
    let mut net = calm(3, &[("witnesses", "yes")], Mutants::NONE);
    net.run(0, write(1, 1));
    net.crash(1, 0);
    net.invoke(0, write(1, 2));
    for _ in 0..3 {
        net.settle();
        net.fire_one(n(0), TimerId(2));
    }
    assert_eq!(net.outcome(0), Some(Outcome::Written));
    let records = restored(&mut net, 2);
    let [Record::Adopted { state, snapshot: None, .. }] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!((state.held, state.log.after, state.log.last()), (Slot(1), Slot(1), Slot(2)));
}

#[test]
fn without_a_disk_a_view_is_all_that_a_checkpoint_holds() {
    let mut net = calm(3, &[("persistence", "durable-view")], Mutants::NONE);
    net.run(0, write(1, 7));
    net.crash(0, 0);
    for _ in 0..2 {
        (1..3).for_each(|node| net.fire_one(n(node), VIEW));
    }
    net.settle();
    assert_eq!(restored(&mut net, 2), [Record::View { view: View::FIRST.next() }]);
    let mut net = calm(3, &[("persistence", "crash-vector")], Mutants::NONE);
    net.run(0, write(1, 7));
    assert_eq!(restored(&mut net, 2), []);
}

/// A node that starts from these records.
fn boot(records: Vec<Recovered<Record>>, mutants: Mutants) -> Result<VrReplica, StartError> {
    let start = Start {
        me: NodeId(1),
        incarnation: Incarnation(2),
        config: Vr::configure(3, &Options::new(), mutants).unwrap(),
        keys: keyring(),
        entropy: 0,
        now: LocalTime(0),
        records,
    };
    VrReplica::start(start, &mut Outbox::default())
}

#[test]
fn a_damaged_record_keeps_a_node_down_and_v20_goes_on_without_it() {
    let left = |number| Recovered::Intact(Record::View { view: View { epoch: 0, number } });
    let records = vec![left(1), Recovered::Corrupt { place: "wal:20".into() }];
    let refused = boot(records.clone(), Mutants::NONE).unwrap_err();
    assert_eq!(refused, StartError::CorruptRecord { place: "wal:20".into() });
    let started = boot(records, Mutants(Some(Mutant::V20))).unwrap();
    let view = View { epoch: 0, number: 1 };
    assert!(started.checkpoint().contains(&Record::View { view }));
}

#[test]
fn no_planted_bug_stops_its_cluster() {
    let sets: [&[(&str, &str)]; 5] = [
        &[],
        &[("replies", "prepare"), ("reads", "lease")],
        &[("persistence", "crash-vector")],
        &[("persistence", "durable-view"), ("replies", "prepare")],
        &[("witnesses", "yes")],
    ];
    for mutant in Vr::KIND.mutants() {
        for set in sets {
            let small = [("window", "2"), ("checkpoint_every", "3")];
            let options: Vec<_> = set.iter().chain(&small).copied().collect();
            let mut net = Cluster::with(5, 3, &options, Mutants(Some(mutant)), 1).unwrap();
            for value in 0..4 {
                net.invoke(0, write(1, value));
                net.invoke(1, write(1, 100 + value));
                net.invoke(2, read(1));
                for turn in 0_u16..60 {
                    net.settle();
                    net.fire(c(u32::from(turn % 3)));
                    net.fire(n(turn % 5));
                    net.now = LocalTime(net.now.0 + 100_000);
                }
                let is_done = net.clients.iter().all(|client| client.outcome.is_some());
                assert!(is_done, "{mutant} {set:?}");
            }
        }
    }
}

#[test]
fn a_client_follows_a_redirection_and_stays_with_who_answered() {
    let mut net = calm(3, &[], Mutants::NONE);
    net.crash(0, 0);
    for _ in 0..2 {
        (1..3).for_each(|node| net.fire_one(n(node), VIEW));
    }
    net.settle();
    net.invoke(1, write(1, 7));
    net.settle();
    net.fire(c(1));
    net.settle();
    assert_eq!(net.outcome(1), Some(Outcome::Written));
    let before = net.sent["REQUEST"];
    assert_eq!(net.run(1, read(1)), saw(7));
    assert_eq!(net.sent["REQUEST"] - before, 1);
}

#[test]
fn a_client_that_is_sent_around_waits() {
    let mut net = calm(3, &[], Mutants::NONE);
    net.invoke(1, write(1, 7));
    let number = RequestNumber { incarnation: Incarnation(1), seq: 1 };
    for turn in 0..20 {
        let view = View { epoch: 0, number: turn + 1 };
        let message = Message::Redirect { number, view };
        net.arrive(Flight { from: n(1), to: c(1), message });
    }
    assert_eq!(net.sent["REQUEST"], 4, "asked once, and sent on as often as there are nodes");
    net.lose(|_| true);
    net.fire(c(1));
    assert_eq!(net.flying.len(), 3, "the timer has it ask all");
}

#[test]
fn a_client_never_says_that_an_operation_failed() {
    let mut net = calm(3, &[], Mutants::NONE);
    net.crash(1, 0);
    net.crash(2, 0);
    net.invoke(0, write(1, 7));
    for _ in 0..10 {
        net.settle();
        net.fire(c(0));
    }
    assert_eq!(net.outcome(0), None, "no quorum is there, and the request may be executed later");
    net.give_up(0);
    net.restart(1).unwrap();
    for _ in 0..6 {
        net.settle();
        (0..2).for_each(|node| net.fire(n(node)));
    }
    net.invoke(0, read(1));
    for _ in 0..3 {
        net.settle();
        net.fire(c(0));
    }
    assert_eq!(net.outcome(0), saw(7), "as it is here");
}

#[test]
fn an_administrator_who_asks_for_what_cannot_be_is_told_so() {
    let mut net = calm(3, &[("witnesses", "yes")], Mutants::NONE);
    net.reconfigure(0, names(&[("members", "n0,n1")]));
    assert!(matches!(net.outcome(0), Some(Outcome::Failed(_))), "{:?}", net.outcome(0));
    let mut net = calm(3, &[], Mutants::NONE);
    net.reconfigure(0, names(&[("members", "n0,n7")]));
    assert!(matches!(net.outcome(0), Some(Outcome::Failed(_))), "{:?}", net.outcome(0));
}

/// Every entry that a log can have since its last checkpoint, and the open ones.
#[test]
fn the_longest_log_fits_into_a_frame() {
    let parts = (0..Command::PARTS_MAX as u64)
        .map(|part| Command::Cas {
            key: Key(part),
            expected: Value(1 << 40),
            value: Value(1 << 40),
        })
        .collect();
    let entry = Entry::Request(Request {
        client: ClientId(100),
        number: RequestNumber { incarnation: Incarnation(100), seq: 1_000_000 },
        command: Command::Transaction(parts),
    });
    let view = View { epoch: 1_000, number: 1_000 };
    let entries = vec![Logged { view, entry }; 4_096 + 1_024];
    let log = Suffix { after: Slot(1_000_000), entries };
    let commit = Slot(1_000_000);
    let state = Box::new(State { log, commit, held: commit });
    let crashes = CrashVector::new();
    let message = Message::DoViewChange { view, last_normal: view, state, crashes };
    let envelope = Envelope { from: NodeId(1), incarnation: Incarnation(1), message };
    assert!(encode(Vr::vocabulary(), &envelope).is_ok());
}

#[test]
fn options_are_checked() {
    let config = configure(3, &[]).unwrap();
    assert_eq!((config.window, config.checkpoint_every), (16, 256));
    assert_eq!((config.persistence, config.replies), (Persistence::Durable, Replies::Commit));
    assert_eq!((config.lease, config.has_witnesses), (None, false));
    let lease = configure(3, &[("reads", "lease"), ("lease_ms", "50"), ("drift_ppm", "7")]);
    let lease = lease.unwrap().lease.unwrap();
    assert_eq!((lease.length, lease.drift_ppm), (Micros(50_000), 7));
    let some = configure(5, &[("members", "n4, n1,n2")]).unwrap().members;
    assert_eq!(some.to_string(), "{n1, n2, n4}");
    for (name, value) in [
        ("persistence", "disk"),
        ("replies", "early"),
        ("reads", "stale"),
        ("witnesses", "1"),
        ("window", "0"),
        ("window", "1025"),
        ("window", "+1"),
        ("checkpoint_every", "4097"),
        ("checkpoint_every", ""),
        ("members", ""),
        ("members", "n0,n0"),
        ("members", "n3"),
        ("members", "0,1"),
    ] {
        let error = configure(3, &[(name, value)]).unwrap_err();
        assert_eq!(error.option(), Some(name), "{value}");
    }
    let error = configure(3, &[("reads", "lease"), ("drift_ppm", "1000000")]).unwrap_err();
    assert_eq!(error.option(), Some("drift_ppm"));
    let error = configure(3, &[("quorum", "grid")]).unwrap_err();
    assert!(matches!(error, ConfigError::UnknownOption { .. }), "{error}");
    for nodes in [0, 17] {
        assert!(configure(nodes, &[]).is_err());
    }
}

#[test]
fn options_that_cannot_work_together_are_refused_with_the_reason() {
    for (nodes, options, reason) in [
        (2, vec![("persistence", "durable-view")], "3 replicas"),
        (2, vec![("persistence", "crash-vector")], "3 replicas"),
        (2, vec![("persistence", "paper")], "3 replicas"),
        (5, vec![("persistence", "paper"), ("members", "n0,n1")], "3 replicas"),
        (3, vec![("witnesses", "yes"), ("persistence", "durable-view")], "persistence=durable"),
        (2, vec![("witnesses", "yes")], "3 replicas"),
        (5, vec![("witnesses", "yes"), ("members", "n3,n4")], "3 replicas"),
        (3, vec![("lease_ms", "300")], "reads=lease"),
    ] {
        let error = configure(nodes, &options).unwrap_err();
        assert!(matches!(error, ConfigError::Impossible(_)), "{options:?}: {error}");
        assert!(error.to_string().contains(reason), "{options:?}: {error}");
    }
    assert!(configure(3, &[("drift_ppm", "7")]).is_err());
}

#[test]
fn what_changes_is_who_the_replicas_are_and_nothing_else() {
    let config = configure(5, &[("members", "n0,n1,n2")]).unwrap();
    let changed = Vr::change(&config, &names(&[("members", "n2,n3,n4")])).unwrap();
    assert_eq!(changed.members.to_string(), "{n2, n3, n4}");
    assert_eq!(Config { members: config.members, ..changed }, config);
    for options in [&[("members", "n5")][..], &[("window", "3")]] {
        assert!(Vr::change(&config, &names(options)).is_err(), "{options:?}");
    }
    for fixed in [("persistence", "crash-vector"), ("persistence", "paper"), ("witnesses", "yes")] {
        let config = configure(5, &[fixed]).unwrap();
        let error = Vr::change(&config, &names(&[("members", "n0,n1,n2")])).unwrap_err();
        assert!(matches!(error, ConfigError::Impossible(_)), "{fixed:?}: {error}");
        assert_eq!(Vr::draw_change(&config, &mut |_| 0), None, "{fixed:?}");
    }
    let diskless = configure(5, &[("persistence", "durable-view")]).unwrap();
    let error = Vr::change(&diskless, &names(&[("members", "n0,n1")])).unwrap_err();
    assert!(error.to_string().contains("3 replicas"), "{error}");
}

#[test]
fn what_is_drawn_can_be_configured_and_a_majority_keeps_it_alive() {
    draws::<Vr>(|config| {
        assert_ne!(config.persistence, Persistence::Paper, "it is a mistake by itself");
        assert_eq!(Vr::forgetting_tolerated(config).is_some(), config.persistence.is_diskless());
        assert_eq!(Vr::drift_tolerated(config).is_some(), config.lease.is_some());
    });
}

#[test]
fn changes_that_are_drawn_can_be_made() {
    let mut dice = Dice(5);
    let mut counts = [0; 8];
    for _ in 0..500 {
        let (nodes, options) = Vr::draw_cluster(&mut |bound| dice.below(bound));
        let config = Vr::configure(nodes, &options, Mutants::NONE).unwrap();
        let Some(change) = Vr::draw_change(&config, &mut |bound| dice.below(bound)) else {
            continue;
        };
        let changed = Vr::change(&config, &change).unwrap();
        assert_ne!(changed.members, config.members, "something changes");
        *counts.get_mut(changed.members.count() as usize).unwrap() += 1;
    }
    assert!(counts.iter().skip(1).take(4).all(|count| *count > 3), "{counts:?}");
}

/// Parts of messages, whatever they are.
impl Dice {
    fn view(&mut self) -> View {
        let epoch = if self.below(6) == 0 { self.number() } else { 0 };
        View { epoch, number: self.number() }
    }

    fn members(&mut self) -> Members {
        let nodes: NodeSet = (0..3).map(|_| self.node()).collect();
        nodes.try_into().unwrap()
    }

    fn logged_entry(&mut self) -> Entry {
        if self.below(6) > 0 {
            return Entry::Request(self.request());
        }
        let (client, number, members) = (ClientId(2), self.request_number(), self.members());
        Entry::Reconfiguration(Reconfiguration { client, number, members })
    }

    fn state(&mut self) -> State {
        let after = if self.below(2) == 0 { Slot::ZERO } else { self.slot() };
        let count = self.below(4);
        let entries = (0..count).map(|_| Logged { view: self.view(), entry: self.logged_entry() });
        let log = Suffix { entries: entries.collect(), after };
        State { log, commit: self.slot(), held: self.slot() }
    }

    fn crashes(&mut self) -> CrashVector {
        let mut crashes = CrashVector::new();
        for _ in 0..self.below(3) {
            crashes.raise(self.node(), Incarnation(self.below(4)));
        }
        crashes
    }

    /// Any message at all, of this view if it is of one.
    fn message(&mut self, place: u64, view: View) -> Message {
        let (op, commit, held, round) = (self.slot(), self.slot(), self.slot(), self.number());
        let (number, nonce) = (self.request_number(), self.below(4));
        let (state, crashes) = (Box::new(self.state()), self.crashes());
        let (command, client, epoch) = (self.command(), ClientId(1), view.epoch);
        let (flag, outcome) = (self.below(2) == 0, Outcome::Written);
        match place {
            0 => Message::Request { epoch, number, command },
            1 => Message::Reconfiguration { epoch, number, members: self.members() },
            2 => Message::Reply { view, op, number, outcome, is_committed: flag },
            3 => Message::Redirect { number, view },
            4 => Message::NewEpoch { number, view, members: self.members() },
            5 => Message::Relay { client, number, command },
            6 => Message::RelayReply { client, number, outcome },
            7 => Message::Prepare { view, op, entry: self.logged_entry(), commit, held },
            8 => Message::PrepareOk { view, op },
            9 => Message::Commit { view, round, commit, held },
            10 => Message::CommitOk { view, round },
            11 => Message::StartViewChange { view, has_left: flag, crashes },
            12 => Message::DoViewChange { view, last_normal: self.view(), state, crashes },
            13 => Message::StartView { view, state, crashes },
            14 => Message::GetStartView { view },
            15 => Message::Recovery { nonce, view, crashes },
            16 => Message::RecoveryResponse { nonce, view, state: flag.then_some(state), crashes },
            17 => Message::GetState { view, op, nonce, is_joining: flag },
            18 => Message::NewState { view, nonce, state },
            19 => Message::GetCheckpoint { op },
            20 => Message::Checkpoint { snapshot: Box::new(self.snapshot()) },
            21 => Message::StartEpoch {
                view,
                assigned: self.view(),
                op,
                old: self.members(),
                new: self.members(),
            },
            _ => Message::EpochStarted { epoch },
        }
    }
}

const KINDS: u64 = 23;

/// What a replica has told of itself in a storm of nonsense.
#[derive(Default)]
struct Told {
    view: View,
    /// The op-number of the last entry.
    last: Slot,
    statuses: Vec<Status>,
    committed: u64,
    led: u64,
    adopted: u64,
}

impl Told {
    fn take(&mut self, observation: &Observation) {
        match observation {
            Observation::Status { status, view, .. } => {
                self.view = *view;
                self.statuses.push(*status);
            }
            Observation::Appended { op, .. } => self.last = *op,
            Observation::Committed { .. } => self.committed += 1,
            Observation::ViewStarted { .. } => self.led += 1,
            Observation::Adopted { .. } => self.adopted += 1,
            _ => {}
        }
    }
}

fn drawn(dice: &mut Dice) -> Config {
    let sets: [&[(&str, &str)]; 6] = [
        &[],
        &[("replies", "prepare")],
        &[("reads", "lease"), ("lease_ms", "1")],
        &[("witnesses", "yes")],
        &[("persistence", "crash-vector")],
        &[("persistence", "durable-view"), ("replies", "prepare")],
    ];
    let set = sets.get(usize::try_from(dice.below(6)).unwrap()).unwrap();
    let small = [("window", "2"), ("checkpoint_every", "2")];
    let options: Vec<_> = set.iter().chain(&small).copied().collect();
    configure(3, &options).unwrap()
}

/// Messages are not all nonsense: most are of the replica's own view or the next, and of its primary.
#[test]
fn nothing_that_anybody_sends_stops_a_replica() {
    let mut told = Told::default();
    for seed in 0..6_000 {
        let mut dice = Dice(seed);
        let mut out = Outbox::default();
        let (me, config) = (dice.node(), drawn(&mut dice));
        let incarnation = Incarnation(1 + dice.below(2));
        let (keys, now) = (keyring(), LocalTime(0));
        let start = Start { me, incarnation, config, keys, entropy: 0, now, records: Vec::new() };
        let mut replica = VrReplica::start(start, &mut out).unwrap();
        (told.view, told.last) = (View::FIRST, Slot::ZERO);
        let mut own = Vec::new();
        for step in 0..60 {
            for effect in out.drain() {
                match effect {
                    Effect::Observe(observation) => told.take(&observation),
                    Effect::Send { to, message, .. } if to == me => own.push(message),
                    _ => {}
                }
            }
            let view = match dice.below(6) {
                0 => dice.view(),
                1 => told.view.next(),
                _ => told.view,
            };
            let input = match (own.pop(), dice.below(5)) {
                (Some(message), _) => Input::Message { from: me, message },
                (None, 0) => Input::Timer(TimerId(dice.below(5))),
                (None, 1) => {
                    let kind = dice.below(2);
                    Input::Request { client: ClientId(1), message: dice.message(kind, view) }
                }
                (None, _) => {
                    let kind = dice.below(KINDS);
                    let leader = NodeId(u16::try_from(view.number % 3).unwrap());
                    let from = if dice.below(2) == 0 { leader } else { dice.node() };
                    let message = fitting(dice.message(kind, view), told.last, dice.below(3) > 0);
                    Input::Message { from, message }
                }
            };
            replica.step(LocalTime(step * 20_000), input, &mut out);
            replica.checkpoint();
        }
    }
    assert!(told.committed > 200 && told.led > 200 && told.adopted > 1_000, "{}", told.summary());
    for status in [
        Status::Normal,
        Status::ViewChange,
        Status::Recovering,
        Status::StateTransfer,
        Status::Transitioning,
        Status::Outside,
    ] {
        assert!(told.statuses.contains(&status), "{status:?}");
    }
}

/// The message, if it `is_meant`, as one that goes on where the replica's log ends.
fn fitting(mut message: Message, last: Slot, is_meant: bool) -> Message {
    match &mut message {
        Message::PrepareOk { op, .. } if is_meant => *op = last,
        Message::Prepare { op, commit, .. } if is_meant => (*op, *commit) = (last.next(), last),
        _ => {}
    }
    message
}

impl Told {
    fn summary(&self) -> String {
        format!("{} committed, {} led, {} adopted", self.committed, self.led, self.adopted)
    }
}

#[test]
fn nothing_that_anybody_sends_stops_a_client() {
    let mut completed = 0;
    for seed in 0..2_000 {
        let mut dice = Dice(seed);
        let config = drawn(&mut dice);
        let (me, incarnation, keys) = (ClientId(1), Incarnation(1), keyring());
        let mut client = VrClient::start(ClientStart { me, incarnation, config, keys, entropy: 0 });
        let mut effects = Vec::new();
        client.step(LocalTime(0), ClientInput::Invoke(read(1)), &mut effects);
        for step in 1..40 {
            let input = if dice.below(6) == 0 {
                ClientInput::Timer(TimerId(0))
            } else {
                let (from, kind) = (dice.node(), dice.below(8));
                let view = View { epoch: 0, number: dice.below(3) };
                let mut message = dice.message(kind, view);
                if let Message::Reply { op, number, .. } = &mut message {
                    *op = Slot(dice.below(2));
                    *number = RequestNumber { incarnation: Incarnation(1), seq: 1 };
                }
                ClientInput::Message { from, message }
            };
            client.step(LocalTime(step * 20_000), input, &mut effects);
        }
        let ends = effects.iter().filter(|effect| matches!(effect, ClientEffect::Complete(_)));
        let ends = ends.count();
        assert!(ends <= 1, "an operation ends once");
        completed += ends;
    }
    assert!(completed > 1_000, "{completed} operations ended");
}

#[test]
fn messages_travel_in_frames_and_show_the_fields_that_the_vocabulary_lists() {
    let mut dice = Dice(1);
    let messages = (0..KINDS).cycle().take(460).map(|place| {
        let view = dice.view();
        dice.message(place, view)
    });
    travel::<Vr>(messages, &["value", "key", "client", "op", "commit"]);
}

#[test]
fn an_identity_is_of_the_view_op_number_and_round_and_not_of_what_is_carried() {
    let mut dice = Dice(3);
    let view = |number| View { epoch: 0, number };
    let mut prepare = |view, op| {
        let (entry, commit, held) = (dice.logged_entry(), dice.slot(), dice.slot());
        Message::Prepare { view, op: Slot(op), entry, commit, held }.identity()
    };
    assert_eq!(prepare(view(1), 1), prepare(view(1), 1));
    assert_ne!(prepare(view(1), 1), prepare(view(1), 2));
    assert_ne!(prepare(view(1), 1), prepare(view(2), 1));
    assert_ne!(prepare(view(1), 1), prepare(View { epoch: 1, number: 1 }, 1));
    let mut seen: Vec<u64> = Vec::new();
    for place in 0..KINDS {
        seen.push(Dice(4).message(place, view(1)).identity());
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len() as u64, KINDS, "kinds are told apart");
}

#[test]
fn every_observation_is_in_the_vocabulary() {
    let mut seen = Vec::new();
    let mut watch = |net: &Cluster| {
        for (_, observation) in &net.observations {
            let known = Vr::vocabulary().observations;
            let kind = known.iter().find(|kind| kind.name == observation.kind()).unwrap();
            let without: Vec<_> =
                kind.fields.iter().filter(|field| observation.field(field).is_none()).collect();
            assert!(without.is_empty(), "{observation}: {without:?}");
            assert_eq!(observation.field("nothing"), None);
            assert!(observation.to_string().starts_with(kind.name));
            seen.push(kind.name);
        }
    };
    let options = [("reads", "lease"), ("checkpoint_every", "2"), ("replies", "prepare")];
    let mut net = reconfiguring(&options);
    net.settle();
    net.run(0, read(1));
    watch(&net);
    let mut net = calm(3, &[("checkpoint_every", "2")], Mutants::NONE);
    for value in 0..4 {
        net.invoke(0, write(1, value));
        net.deliver_all(|flight| flight.from != n(2) && flight.to != n(2));
    }
    net.lose(|_| true);
    net.fire_one(n(0), COMMIT);
    net.settle();
    net.fire_one(n(2), GAP);
    net.settle();
    net.crash(0, 0);
    for _ in 0..2 {
        (1..3).for_each(|node| net.fire_one(n(node), VIEW));
    }
    net.settle();
    watch(&net);
    let mut net = calm(3, &[("witnesses", "yes")], Mutants::NONE);
    net.run(0, write(1, 1));
    net.fire_one(n(0), COMMIT);
    net.settle();
    watch(&net);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), Vr::vocabulary().observations.len(), "{seen:?}");
}

#[test]
fn lies_touch_what_they_are_about() {
    let config = configure(3, &[]).unwrap();
    let number = RequestNumber { incarnation: Incarnation(1), seq: 1 };
    let (view, op) = (View::FIRST, Slot(1));
    let reply = |outcome| Message::Reply { view, op, number, outcome, is_committed: true };
    let truth = reply(Outcome::Read(None));
    assert_eq!(lied::<Vr>(&config, Lie::Silent, &truth, 5), None);
    let forged = reply(Outcome::Read(Some(Value(FORGED_VALUES + 5))));
    assert_eq!(lied::<Vr>(&config, Lie::WrongValue, &truth, 5), Some(forged));
    assert_eq!(lied::<Vr>(&config, Lie::WrongTimestamp, &truth, 5), Some(truth));
    let redirect = Message::Redirect { number, view };
    let told = Message::Redirect { number, view: View { epoch: 0, number: 3 } };
    assert_eq!(lied::<Vr>(&config, Lie::WrongTimestamp, &redirect, 5), Some(told));
}

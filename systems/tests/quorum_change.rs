//! Members and quorums change while the system runs, step by step.

mod support;

use quorate_systems::contract::{
    ConfigError, Describe, Key, NodeId, Options, Outcome, System, Value,
};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::quorum::{
    Config, Configuration, Epoch, Message, NodeSet, Observation, Purpose, Quorum, Record, Stage,
};
use support::{Flight, Net, Place, c, n, read, saw, write};

type Cluster = Net<Quorum>;

const ADMIN: u32 = 2;

/// A cluster with two clients and an administrator.
fn cluster(nodes: u16, options: &[(&str, &str)], mutant: Option<Mutant>) -> Cluster {
    Cluster::with(nodes, 3, options, Mutants(mutant), 1).expect("options that work")
}

fn options(given: &[(&str, &str)]) -> Options {
    given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn touches(flight: &Flight<Message>, nodes: &[u16]) -> bool {
    nodes.iter().any(|node| flight.from == n(*node) || flight.to == n(*node))
}

fn concerns(flight: &Flight<Message>, client: u32) -> bool {
    flight.from == c(client) || flight.to == c(client)
}

/// Delivers what lies between these nodes and this client, and what follows.
fn at(net: &mut Cluster, client: u32, nodes: &[u16]) {
    net.deliver_all(|flight| concerns(flight, client) && touches(flight, nodes));
}

fn change(net: &mut Cluster, given: &[(&str, &str)]) -> Option<Outcome> {
    net.reconfigure(ADMIN, options(given));
    net.settle();
    net.outcome(ADMIN)
}

/// The configuration that is on the node's disk.
fn durable_id(net: &Cluster, node: usize) -> u32 {
    let records = &net.nodes.get(node).expect("a node").durable;
    let mut ids = records.iter().filter_map(|record| match record {
        Record::Configured { configuration } => Some(configuration.id),
        _ => None,
    });
    ids.next_back().unwrap_or(0)
}

const HEAVY: &[(&str, &str)] = &[("quorum", "weighted"), ("weights", "3,1,1,1,1")];

#[test]
fn a_change_goes_through_a_joint_configuration_and_reaches_everybody() {
    let mut net = cluster(5, &[], None);
    net.run(0, write(1, 7));
    assert_eq!(change(&mut net, HEAVY), Some(Outcome::Reconfigured));
    let adopted: Vec<(u32, u32)> = net
        .observations
        .iter()
        .filter_map(|(_, observation)| match observation {
            Observation::Adopted { configuration, servers } => {
                Some((*configuration, servers.len()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(adopted, [(1, 3), (2, 2)], "n0 and n1 meet every majority of the votes");
    assert!((0..5).all(|node| durable_id(&net, node) == 2));
    assert_eq!(net.run(0, read(1)), saw(7));
    assert_eq!(net.sent["INSTALL"], 5);
    assert_eq!(net.sent["WRONG_CONFIG"], 5, "the reader did not know");
    assert_eq!(net.milestones["query-restarted"], 1);
    assert!(net.clients[ADMIN as usize].timers.is_empty());
}

#[test]
fn what_was_written_moves_to_members_that_had_nothing() {
    let mut net = cluster(5, &[("members", "0,1,2")], None);
    for key in 0..700 {
        net.run(0, write(key, 1_000 + key));
    }
    assert_eq!(change(&mut net, &[("members", "3,4")]), Some(Outcome::Reconfigured));
    let fetches = net.sent["FETCH"];
    assert_eq!(fetches, 3 * 3, "700 pairs are fetched in three parts from three members");
    for key in [0, 255, 256, 257, 511, 512, 699] {
        net.invoke(1, read(key));
        net.settle();
        assert_eq!(net.outcome(1), saw(1_000 + key));
    }
    assert_eq!(net.run(1, read(700)), Some(Outcome::Read(None)));
    // The old members may go now.
    for node in 0..3 {
        net.crash(node, 0);
    }
    assert_eq!(net.run(1, read(3)), saw(1_003));
    assert_eq!(net.run(1, write(3, 5)), Some(Outcome::Written));
}

#[test]
fn a_coordinator_that_knows_only_members_that_are_gone_asks_all_when_it_repeats() {
    let mut net = cluster(5, &[("members", "0,1,2")], None);
    net.run(0, write(1, 7));
    change(&mut net, &[("members", "3,4")]);
    for node in 0..3 {
        net.crash(node, 0);
    }
    net.invoke(1, read(1));
    net.settle();
    assert_eq!(net.outcome(1), None);
    net.fire(c(1));
    net.settle();
    assert_eq!(net.outcome(1), saw(7));
}

/// An old coordinator writes to three of five; n0 gets three of seven votes; a new one reads at n0 and n1.
fn old_writer_new_reader(mutant: Option<Mutant>) -> (Cluster, Option<Outcome>) {
    let mut net = cluster(5, &[], mutant);
    net.invoke(0, write(1, 7));
    at(&mut net, 0, &[2, 3, 4]);
    net.lose(|_| true);
    assert_eq!(net.outcome(0), Some(Outcome::Written));
    net.reconfigure(ADMIN, options(HEAVY));
    // The administrator hears n0, n1 and n2, which meet every majority.
    at(&mut net, ADMIN, &[0, 1, 2]);
    net.lose(|_| true);
    net.invoke(1, read(1));
    at(&mut net, 1, &[0, 1]);
    let outcome = net.outcome(1);
    (net, outcome)
}

#[test]
fn a_reader_in_the_new_configuration_sees_what_was_written_in_the_old_one() {
    let (net, seen) = old_writer_new_reader(None);
    assert_eq!(net.outcome(ADMIN), Some(Outcome::Reconfigured));
    assert_eq!(seen, saw(7));
}

#[test]
fn without_a_joint_phase_it_does_not() {
    let (net, seen) = old_writer_new_reader(Some(Mutant::Q11));
    assert_eq!(net.outcome(ADMIN), Some(Outcome::Reconfigured));
    assert_eq!(seen, Some(Outcome::Read(None)));
}

#[test]
fn a_server_in_another_configuration_does_not_answer() {
    let mut net = cluster(3, &[], None);
    net.reconfigure(ADMIN, options(&[("members", "0,1")]));
    at(&mut net, ADMIN, &[0, 1]);
    net.lose(|_| true);
    assert_eq!(net.outcome(ADMIN), Some(Outcome::Reconfigured));
    // n2 knows nothing yet, and n0 is further: neither helps an old writer.
    net.invoke(0, write(1, 7));
    net.deliver(|flight| touches(flight, &[0, 2]));
    let to_client = net.flying.iter().filter(|flight| flight.to == c(0));
    let answers: Vec<&str> = to_client.map(|flight| flight.message.kind()).collect();
    assert_eq!(answers, ["WRONG_CONFIG", "QUERY_OK"]);
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Written));
    assert_eq!(durable_id(&net, 2), 0, "no member, not asked");
}

#[test]
fn a_server_that_is_behind_is_told_by_a_coordinator() {
    let mut net = cluster(3, &[], None);
    net.reconfigure(ADMIN, options(&[("quorum", "counts"), ("read", "3"), ("write", "1")]));
    at(&mut net, ADMIN, &[0, 1]);
    net.lose(|_| true);
    net.run(0, write(1, 7));
    assert_eq!(net.milestones["told-by-coordinator"], 1);
    assert_eq!(durable_id(&net, 2), 2);
    let stored = net.nodes[2].durable.iter().any(|r| matches!(r, Record::Stored { .. }));
    assert!(stored, "and then it is asked again");
}

const HEAVY_OF_THREE: &[(&str, &str)] = &[("quorum", "weighted"), ("weights", "3,1,1")];

#[test]
fn no_answers_are_counted_across_configurations() {
    let mut net = cluster(3, &[], None);
    net.invoke(0, write(1, 7));
    // n2 answers in configuration 0, and that is not enough.
    net.deliver(|flight| flight.to == n(2));
    let old_answer: Vec<_> = net.flying.extract_if(.., |flight| flight.is("QUERY_OK")).collect();
    net.lose(|_| true);
    change(&mut net, &[("quorum", "counts"), ("read", "2"), ("write", "2")]);
    net.fire(c(0));
    at(&mut net, 0, &[0]);
    assert_eq!(net.outcome(0), None);
    assert_eq!(net.sent.get("UPDATE"), None);
    for answer in old_answer {
        net.arrive(answer);
    }
    assert_eq!(net.sent.get("UPDATE"), None, "one old and one new answer are no quorum");
    assert_eq!(net.ignored["QUERY_OK to another question"], 1);
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Written));
}

#[test]
fn an_update_goes_on_with_its_pair_in_the_new_configuration() {
    let mut net = cluster(3, &[], None);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !flight.is("UPDATE"));
    net.deliver(|flight| flight.to == n(0));
    net.lose(|_| true);
    change(&mut net, &[("members", "1,2")]);
    net.run(1, write(1, 8));
    net.fire(c(0));
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Written));
    assert_eq!(net.milestones["update-restarted"], 1);
    let stamps: Vec<_> = net
        .observations
        .iter()
        .filter_map(|(place, observation)| match observation {
            Observation::Stored { ts, value: Some(Value(7)), .. } => Some((*place, *ts)),
            _ => None,
        })
        .collect();
    assert!(stamps.iter().all(|(_, ts)| *ts == stamps[0].1), "{stamps:?}");
    assert_eq!(net.run(1, read(1)), saw(8), "the later write had a later timestamp");
    let ids: Vec<(Place, u32)> = net
        .observations
        .iter()
        .filter_map(|(place, observation)| match observation {
            Observation::Completed { configuration, .. } => Some((*place, *configuration)),
            _ => None,
        })
        .collect();
    assert_eq!(ids, [(c(1), 2), (c(0), 2), (c(1), 2)]);
}

#[test]
fn a_joint_configuration_needs_quorums_of_both_forms() {
    let mut net = cluster(5, &[("members", "0,1,2")], None);
    net.reconfigure(ADMIN, options(&[("members", "3,4")]));
    // The joint configuration is adopted; the transfer does not begin.
    net.deliver_all(|flight| concerns(flight, ADMIN) && !flight.is("FETCH"));
    assert!((0..5).all(|node| durable_id(&net, node) == 1));
    net.lose(|_| true);
    net.invoke(0, write(1, 7));
    at(&mut net, 0, &[0, 1]);
    assert_eq!(net.outcome(0), None, "a quorum of the old form");
    at(&mut net, 0, &[0, 1, 3]);
    assert_eq!(net.outcome(0), None, "and half of the new one");
    at(&mut net, 0, &[0, 1, 3, 4]);
    assert_eq!(net.outcome(0), Some(Outcome::Written));
}

#[test]
fn nodes_that_coordinate_learn_as_clients_do() {
    let mut net = cluster(4, &[("members", "0,1,2"), ("coordinator", "node")], None);
    assert_eq!(net.run(0, write(1, 7)), Some(Outcome::Written));
    net.reconfigure(ADMIN, options(&[("members", "2,3")]));
    at(&mut net, ADMIN, &[1, 2, 3]);
    assert_eq!(net.outcome(ADMIN), Some(Outcome::Reconfigured));
    net.lose(|_| true);
    // Client 0 asks n0, which was told nothing and is no member any more.
    assert_eq!(durable_id(&net, 0), 0);
    assert_eq!(net.run(0, read(1)), saw(7));
    assert_eq!(net.run(0, write(1, 8)), Some(Outcome::Written));
    assert_eq!(net.run(1, read(1)), saw(8));
    assert_eq!(net.milestones["query-restarted"], 1, "n1 has heard of it as a server");
}

#[test]
fn an_answer_in_a_configuration_waits_until_that_is_durable() {
    let mut net = cluster(3, &[], None);
    net.is_syncing = false;
    net.reconfigure(ADMIN, options(HEAVY_OF_THREE));
    net.settle();
    // Everybody was asked for the joint configuration, and nobody has it on disk.
    assert!((0..3).all(|node| durable_id(&net, node) == 0));
    assert_eq!(net.nodes[0].unsynced.len(), 1);
    net.invoke(0, read(1));
    net.settle();
    assert!(net.flying.is_empty());
    assert_eq!(net.sent.get("WRONG_CONFIG"), None);
    // Nobody has heard: a crash may take it back.
    for node in 0..3 {
        net.crash(node, 0);
        net.restart(node).unwrap();
    }
    net.fire(c(0));
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Read(None)));
    net.is_syncing = true;
    net.fire(c(ADMIN));
    net.settle();
    assert_eq!(net.outcome(ADMIN), Some(Outcome::Reconfigured));
}

#[test]
fn every_server_may_crash_at_every_message_of_a_change() {
    let mut steps = 0;
    for victim in 0..4 {
        'turns: for turn in 0.. {
            for kept in [0, 1] {
                let mut net = cluster(4, &[("members", "0,1,2")], None);
                net.run(0, write(1, 7));
                net.run(0, write(2, 8));
                net.is_syncing = false;
                net.reconfigure(ADMIN, options(&[("members", "1,2,3")]));
                let mut turns = 0;
                while net.outcome(ADMIN).is_none() && turns < turn {
                    step(&mut net, turns);
                    turns += 1;
                }
                if net.outcome(ADMIN).is_some() {
                    break 'turns;
                }
                net.crash(victim, kept);
                net.run(1, write(2, 9));
                net.restart(victim).unwrap();
                net.is_syncing = true;
                finish(&mut net);
                steps += 1;
                assert_eq!(net.outcome(ADMIN), Some(Outcome::Reconfigured));
                assert_eq!(net.run(0, read(1)), saw(7));
                net.invoke(0, write(2, 10));
                finish(&mut net);
                assert_eq!(net.run(1, read(2)), saw(10));
            }
        }
    }
    assert!(steps > 200, "{steps} crashes");
}

/// One message; when none flies, one record becomes durable.
fn step(net: &mut Cluster, turn: usize) {
    if net.flying.is_empty() {
        for node in 0..4 {
            net.sync(node, 1);
        }
    }
    if !net.flying.is_empty() {
        let place = turn % net.flying.len();
        net.deliver_at(place);
    }
}

/// Everything arrives, and all timers fire, until all that is open has ended.
fn finish(net: &mut Cluster) {
    for _ in 0..20 {
        for node in 0..4 {
            net.sync(node, usize::MAX);
        }
        net.settle();
        for client in 0..3 {
            net.fire(c(client));
        }
    }
    net.settle();
}

#[test]
fn a_configuration_survives_a_restart_and_a_checkpoint() {
    let mut net = cluster(3, &[], None);
    net.run(0, write(1, 7));
    change(&mut net, &[("members", "1,2")]);
    for node in 0..3 {
        if node == 1 {
            net.checkpoint(node);
        }
        net.crash(node, 0);
        net.restart(node).unwrap();
    }
    net.invoke(1, read(1));
    net.deliver(|flight| !flight.is("QUERY_OK"));
    assert!(net.flying.iter().all(|flight| flight.is("WRONG_CONFIG")));
    net.settle();
    assert_eq!(net.outcome(1), saw(7));
}

#[test]
fn an_interrupted_change_is_finished_before_the_next_one_begins() {
    let mut net = cluster(5, &[("members", "0,1,2")], None);
    net.run(0, write(1, 7));
    // An administrator that reaches only n1 with its joint configuration, and is gone.
    net.reconfigure(1, options(&[("members", "2,3")]));
    let is_joint = |flight: &Flight<Message>| {
        flight.is("CONFIGURE") && flight.message.field("configuration") == Some(1)
    };
    net.deliver_all(|flight| !is_joint(flight));
    net.deliver(|flight| flight.to == n(1));
    net.lose(|_| true);
    assert_eq!(durable_id(&net, 1), 1);
    assert_eq!(change(&mut net, &[("members", "3,4")]), Some(Outcome::Reconfigured));
    assert_eq!(net.milestones["interrupted-change-finished"], 1);
    assert!([3, 4].iter().all(|node| durable_id(&net, *node) == 4));
    let finished = net.observations.iter().any(|(_, observation)| match observation {
        Observation::Configured { configuration, .. } => {
            matches!(&configuration.stage, Stage::Stable(form)
                if configuration.id == 2 && form.members == [NodeId(2), NodeId(3)])
        }
        _ => false,
    });
    assert!(finished);
    assert_eq!(net.run(0, read(1)), saw(7));
}

#[test]
fn a_change_to_what_already_is_changes_nothing() {
    let mut net = cluster(3, &[], None);
    assert_eq!(change(&mut net, &[]), Some(Outcome::Reconfigured));
    assert_eq!(net.sent.get("WRONG_CONFIG"), None);
    assert!((0..3).all(|node| durable_id(&net, node) == 0));
    assert_eq!(change(&mut net, HEAVY_OF_THREE), Some(Outcome::Reconfigured));
    assert_eq!(change(&mut net, &[]), Some(Outcome::Reconfigured), "and back");
    assert!((0..3).all(|node| durable_id(&net, node) == 4));
}

#[test]
fn an_administrator_that_is_not_heard_repeats_itself() {
    let mut net = cluster(3, &[], None);
    net.reconfigure(ADMIN, options(HEAVY_OF_THREE));
    for _ in 0..4 {
        assert_eq!(net.outcome(ADMIN), None);
        net.lose(|_| true);
        net.fire(c(ADMIN));
        net.deliver(|flight| flight.to == n(0) || flight.to == n(2));
        net.deliver(|flight| flight.to == c(ADMIN));
        net.lose(|_| true);
    }
    assert_eq!(net.outcome(ADMIN), Some(Outcome::Reconfigured), "a step each time");
}

#[test]
fn what_is_no_configuration_is_ignored() {
    let mut net = cluster(3, &[], None);
    net.invoke(0, read(1));
    let Message::Query { op, .. } = net.flying[0].message else { panic!("a QUERY") };
    net.lose(|_| true);
    let form = net.config.quorums.form().clone();
    let mut wide = form.clone();
    wide.members.push(NodeId(3));
    let mut twice = form.clone();
    twice.members.push(NodeId(0));
    let mut empty = form.clone();
    empty.members.clear();
    let bad = [
        Configuration { id: 1, stage: Stage::Stable(form.clone()) },
        Configuration { id: 2, stage: Stage::Joint(form.clone(), form.clone()) },
        Configuration { id: u32::MAX - 1, stage: Stage::Stable(form) },
        Configuration { id: 2, stage: Stage::Stable(wide) },
        Configuration { id: 2, stage: Stage::Stable(twice) },
        Configuration { id: 2, stage: Stage::Stable(empty) },
    ];
    for configuration in bad {
        let configuration = Box::new(configuration);
        let wrong = Message::WrongConfig { op, configuration: configuration.clone() };
        net.arrive(Flight { from: n(0), to: c(0), message: wrong });
        let configure = Message::Configure { op, configuration };
        net.arrive(Flight { from: c(0), to: n(0), message: configure });
        assert_eq!(net.nodes[0].durable.len(), 0);
    }
    assert!(net.flying.is_empty());
    assert_eq!(net.ignored["CONFIGURE with what is no configuration"], 6);
    net.fire(c(0));
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Read(None)));
}

#[test]
fn a_page_that_leads_nowhere_is_not_believed() {
    let mut net = cluster(3, &[], None);
    net.run(0, write(5, 7));
    net.reconfigure(ADMIN, options(HEAVY_OF_THREE));
    net.deliver_all(|flight| !flight.is("FETCH"));
    let Message::Fetch { op, .. } = net.flying[0].message else { panic!("a FETCH") };
    for (keys, next) in [(vec![], Some(Key(0))), (vec![Key(9)], Some(Key(9)))] {
        let pairs = keys.into_iter().map(|key| (key, quorate_systems::quorum::Pair::INITIAL));
        let message = Message::FetchOk { op, pairs: pairs.collect(), next };
        for node in 0..3 {
            net.arrive(Flight { from: n(node), to: c(ADMIN), message: message.clone() });
        }
    }
    assert_eq!(net.ignored["FETCH_OK with what was not asked for"], 6);
    net.settle();
    assert_eq!(net.outcome(ADMIN), Some(Outcome::Reconfigured));
}

fn changed(given: &[(&str, &str)], to: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let config = Quorum::configure(5, &options(given), Mutants::NONE).expect("options that work");
    Quorum::change(&config, &options(to))
}

#[test]
fn a_change_that_cannot_be_is_refused_with_the_reason() {
    let reasons: [(Given, Given, &str); 7] = [
        (&[("protocol", "lock")], &[], "a vote is for the members"),
        (&[("quorum", "masking")], &[], "cannot be checked"),
        (&[("quorum", "dissemination")], &[], "cannot be checked"),
        (&[], &[("quorum", "masking")], "cannot change to this construction"),
        (&[], &[("contact", "quorum")], "option `contact` cannot be changed"),
        (&[], &[("quorum", "counts"), ("read", "1"), ("write", "1")], "do not meet"),
        (&[], &[("members", "4,5")], "a list of nodes from 0 to 4"),
    ];
    for (given, to, reason) in reasons {
        let refusal = changed(given, to).expect_err("no change").to_string();
        assert!(refusal.contains(reason), "{refusal}");
    }
    let mut net = cluster(5, &[], None);
    net.reconfigure(ADMIN, options(&[("quorum", "masking")]));
    assert!(matches!(net.outcome(ADMIN), Some(Outcome::Failed(_))));
    assert!(net.flying.is_empty());
}

type Given = &'static [(&'static str, &'static str)];

#[test]
fn a_cluster_that_cannot_change_believes_nobody_who_says_that_it_did() {
    for given in [("quorum", "masking"), ("quorum", "dissemination"), ("protocol", "lock")] {
        let mut net = cluster(5, &[given], None);
        net.invoke(0, read(1));
        let first = net.flying.remove(0);
        let Message::Query { op, .. } = first.message else { continue };
        let form = net.config.quorums.form().clone();
        let configuration = Box::new(Configuration { id: 2, stage: Stage::Stable(form) });
        let wrong = Message::WrongConfig { op, configuration: configuration.clone() };
        net.arrive(Flight { from: n(0), to: c(0), message: wrong });
        let configure = Message::Configure { op, configuration };
        net.arrive(Flight { from: c(0), to: n(0), message: configure });
        assert!(net.nodes[0].durable.is_empty());
        assert!(net.milestones.is_empty());
        net.settle();
        assert_eq!(net.outcome(0), Some(Outcome::Read(None)));
    }
}

#[test]
fn members_are_counted_in_the_order_in_which_they_are_given() {
    let given = [("members", "4,2,0"), ("quorum", "weighted"), ("weights", "3,1,1")];
    let config = Quorum::configure(5, &options(&given), Mutants::NONE).unwrap();
    assert!(config.quorums.is_write_quorum(NodeSet::of(NodeId(4))));
    let rest: NodeSet = [0, 1, 2, 3].map(NodeId).into_iter().collect();
    assert!(!config.quorums.is_write_quorum(rest), "n1 and n3 are no members");
    for (members, nodes) in [("", 3), ("0,0", 3), ("3", 3), ("0,", 3), ("-1", 3), ("n0", 3)] {
        let refusal = Quorum::configure(nodes, &options(&[("members", members)]), Mutants::NONE);
        let refusal = refusal.expect_err("no members").to_string();
        assert!(refusal.contains("is not a list of nodes from 0 to 2"), "{refusal}");
    }
}

/// Draws like a die that is thrown in order.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

#[test]
fn every_cluster_that_is_drawn_works_and_every_option_comes_up() {
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    let mut is_changeable = 0;
    for seed in 0..4_000 {
        let mut dice = Dice(seed << 32);
        let mut throw = |bound| dice.throw(bound);
        let (nodes, given) = Quorum::draw_cluster(&mut throw);
        let config = Quorum::configure(nodes, &given, Mutants::NONE)
            .unwrap_or_else(|why| panic!("{nodes} nodes, {given:?}: {why}"));
        let of = |name: &str| given.get(name).cloned().unwrap_or_default();
        for name in ["protocol", "coordinator", "contact", "quorum"] {
            *seen.entry(format!("{name}={}", of(name))).or_default() += 1;
        }
        *seen.entry(format!("{nodes} nodes")).or_default() += 1;
        if given.contains_key("members") {
            *seen.entry("members".into()).or_default() += 1;
        }
        if of("quorum") == "grid" && of("contact") == "quorum" {
            *seen.entry("Q08".into()).or_default() += 1;
        }
        if let quorate_systems::quorum::Construction::Weighted { weights } =
            config.quorums.construction()
            && weights.iter().sum::<u32>() % 2 == 0
        {
            *seen.entry("Q10".into()).or_default() += 1;
        }
        if let Some(to) = Quorum::draw_change(&config, &mut throw) {
            let after = Quorum::change(&config, &to).expect("what is drawn is possible");
            assert_ne!(after.quorums, config.quorums);
            meet_across(&config, &after);
            is_changeable += 1;
            *seen.entry(format!("to quorum={}", to["quorum"])).or_default() += 1;
        }
    }
    assert!(is_changeable > 2_000, "{is_changeable}");
    let expected = [
        "protocol=abd",
        "protocol=lock",
        "coordinator=client",
        "coordinator=node",
        "contact=all",
        "contact=quorum",
        "quorum=majority",
        "quorum=counts",
        "quorum=weighted",
        "quorum=grid",
        "quorum=grid-symmetric",
        "quorum=grid-cover",
        "quorum=dissemination",
        "quorum=masking",
        "1 nodes",
        "2 nodes",
        "3 nodes",
        "4 nodes",
        "5 nodes",
        "6 nodes",
        "7 nodes",
        "members",
        "Q08",
        "Q10",
        "to quorum=majority",
        "to quorum=counts",
        "to quorum=weighted",
        "to quorum=grid",
        "to quorum=grid-symmetric",
        "to quorum=grid-cover",
    ];
    for what in expected {
        let often = seen.get(what).copied().unwrap_or(0);
        assert!(often >= 60, "{what}: {often} times in 4000");
    }
    let few = seen["3 nodes"] + seen["4 nodes"] + seen["5 nodes"];
    assert!(few > 2_400, "mostly 3 to 5 nodes: {few}");
}

/// A joint quorum for any purpose meets the old and the new form's write quorums.
fn meet_across(before: &Config, after: &Config) {
    let (old, new) = (before.quorums.form().clone(), after.quorums.form().clone());
    let joint = Configuration { id: 1, stage: Stage::Joint(old, new) };
    assert!(joint.is_sound(before.nodes));
    let joint = Epoch::new(joint, Mutants::NONE);
    let sets = || (0..1_u64 << before.nodes).map(NodeSet::from_bits);
    for purpose in [Purpose::Read, Purpose::Timestamp] {
        for asked in sets().filter(|set| joint.suffices(purpose, *set)) {
            let missed = NodeSet::all(before.nodes).without(asked);
            assert!(!before.quorums.is_write_quorum(missed));
            assert!(!after.quorums.is_write_quorum(missed));
        }
    }
}

//! Query and update, step by step.

mod support;

use std::collections::BTreeMap;

use quorate_systems::contract::{Input, NodeId, Outcome, System, Value};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::quorum::{Message, Observation, Quorum, Record};
use support::{Flight, Net, Place, c, n, read, saw, write};

type Cluster = Net<Quorum>;

const BY_NODE: (&str, &str) = ("coordinator", "node");

fn cluster(nodes: u16) -> Cluster {
    Cluster::new(nodes, 2, &[])
}

fn planted(nodes: u16, options: &[(&str, &str)], mutant: Mutant) -> Cluster {
    Cluster::with(nodes, 2, options, Mutants(Some(mutant)), 1).expect("options that work")
}

/// Whether it goes from or to one of these nodes.
fn touches(flight: &Flight<Message>, nodes: &[u16]) -> bool {
    nodes.iter().any(|node| flight.from == n(*node) || flight.to == n(*node))
}

/// Runs an operation that reaches only these nodes.
fn run_at(
    net: &mut Cluster,
    client: u32,
    command: quorate_systems::contract::Command,
    nodes: &[u16],
) {
    net.invoke(client, command);
    net.deliver_all(|flight| touches(flight, nodes));
    net.lose(|_| true);
}

fn counts(net: &Cluster) -> BTreeMap<&'static str, u64> {
    net.sent.clone()
}

#[test]
fn a_write_costs_4n_messages_and_a_read_of_a_settled_value_2n() {
    for nodes in [3, 4, 5, 7] {
        let mut net = cluster(nodes);
        let n = u64::from(nodes);
        assert_eq!(net.run(0, write(1, 7)), Some(Outcome::Written));
        assert_eq!(counts(&net).values().sum::<u64>(), 4 * n);
        assert_eq!(net.run(1, read(1)), saw(7));
        assert_eq!(counts(&net).values().sum::<u64>(), 6 * n);
        assert_eq!(counts(&net)["QUERY"], 2 * n);
        assert_eq!(counts(&net)["UPDATE"], n);
    }
}

#[test]
fn a_read_that_must_write_back_costs_4n_messages() {
    let mut net = cluster(3);
    run_at(&mut net, 0, write(1, 7), &[0, 1]);
    assert_eq!(net.outcome(0), Some(Outcome::Written));
    net.sent.clear();
    net.invoke(1, read(1));
    net.deliver_all(|flight| touches(flight, &[1, 2]));
    net.settle();
    assert_eq!(net.outcome(1), saw(7));
    assert_eq!(counts(&net).values().sum::<u64>(), 12);
}

#[test]
fn nothing_was_written_yet() {
    let mut net = cluster(3);
    assert_eq!(net.run(0, read(1)), Some(Outcome::Read(None)));
    assert_eq!(counts(&net).get("UPDATE"), None, "everybody holds the initial value");
}

#[test]
fn keys_are_independent() {
    let mut net = cluster(3);
    net.run(0, write(1, 7));
    net.run(0, write(2, 8));
    assert_eq!(net.run(1, read(1)), saw(7));
    assert_eq!(net.run(1, read(2)), saw(8));
    assert_eq!(net.run(1, read(3)), Some(Outcome::Read(None)));
}

/// A write reaches n0 only; one read sees it there, the next asks the others.
fn two_reads_around_a_half_done_write(net: &mut Cluster) -> (Option<Outcome>, Option<Outcome>) {
    net.run(0, write(1, 1));
    net.invoke(0, write(1, 2));
    net.deliver_all(|flight| !flight.is("UPDATE"));
    net.deliver_all(|flight| flight.to == n(0));
    net.lose(|flight| flight.is("UPDATE"));
    net.invoke(1, read(1));
    net.deliver_all(|flight| touches(flight, &[0, 1]) && touches_client(flight, 1));
    let first = net.outcome(1);
    net.lose(|_| true);
    net.invoke(1, read(1));
    net.deliver_all(|flight| touches(flight, &[1, 2]) && touches_client(flight, 1));
    (first, net.outcome(1))
}

fn touches_client(flight: &Flight<Message>, client: u32) -> bool {
    flight.from == c(client) || flight.to == c(client)
}

#[test]
fn what_one_read_returned_the_next_cannot_miss() {
    let reads = two_reads_around_a_half_done_write(&mut cluster(3));
    assert_eq!(reads, (saw(2), saw(2)));
}

#[test]
fn without_write_back_the_next_read_misses_it() {
    let reads = two_reads_around_a_half_done_write(&mut planted(3, &[], Mutant::Q01));
    assert_eq!(reads, (saw(2), saw(1)));
}

/// Two writers that both heard of nothing; then three reads at changing majorities.
fn reads_after_concurrent_writes(net: &mut Cluster) -> Vec<Option<Outcome>> {
    net.invoke(0, write(1, 10));
    net.invoke(1, write(1, 20));
    net.deliver_all(|flight| !flight.is("UPDATE"));
    let reaches = |flight: &Flight<Message>, client, nodes: [u16; 2]| {
        touches_client(flight, client) && touches(flight, &nodes)
    };
    net.deliver(|flight| reaches(flight, 0, [0, 1]));
    net.deliver(|flight| reaches(flight, 1, [1, 2]));
    net.lose(|flight| flight.is("UPDATE"));
    net.settle();
    [[2, 0], [0, 1], [2, 0]]
        .into_iter()
        .map(|[first, second]| {
            net.invoke(0, read(1));
            net.deliver_all(|flight| touches(flight, &[first]));
            net.deliver_all(|flight| touches(flight, &[first, second]));
            net.lose(|_| true);
            net.outcome(0)
        })
        .collect()
}

#[test]
fn concurrent_writes_have_one_order() {
    let reads = reads_after_concurrent_writes(&mut cluster(3));
    assert_eq!(reads, [saw(20), saw(20), saw(20)], "c1 is the higher writer");
}

#[test]
fn without_writer_ids_readers_disagree() {
    let reads = reads_after_concurrent_writes(&mut planted(3, &[], Mutant::Q03));
    assert!(reads.contains(&saw(10)) && reads.contains(&saw(20)), "{reads:?}");
}

/// A write to the first row of a grid, a later one to the second, and a read of a column.
fn two_rows_then_a_column(net: &mut Cluster) -> Option<Outcome> {
    // The first write ends under the higher writer id.
    net.invoke(1, write(1, 10));
    net.deliver_all(|flight| !flight.is("UPDATE") || touches(flight, &[0, 1]));
    net.lose(|_| true);
    assert_eq!(net.outcome(1), Some(Outcome::Written));
    net.invoke(0, write(1, 20));
    net.deliver_all(|flight| touches(flight, &[2, 3]));
    net.deliver_all(|flight| touches(flight, &[0]) && !flight.is("UPDATE"));
    net.deliver_all(|flight| touches(flight, &[2, 3]));
    net.lose(|_| true);
    assert_eq!(net.outcome(0), Some(Outcome::Written));
    net.invoke(0, read(1));
    net.deliver_all(|flight| touches(flight, &[0, 2]));
    net.deliver_all(|flight| touches(flight, &[0, 1]));
    net.outcome(0)
}

#[test]
fn on_a_grid_the_later_of_two_writes_on_different_rows_wins() {
    let mut net = Cluster::new(4, 2, &[("quorum", "grid")]);
    assert_eq!(two_rows_then_a_column(&mut net), saw(20));
}

#[test]
fn a_timestamp_query_of_the_writing_row_loses_a_completed_write() {
    let mut net = planted(4, &[("quorum", "grid")], Mutant::Q08);
    assert_eq!(two_rows_then_a_column(&mut net), saw(10));
}

#[test]
fn half_of_the_votes_lets_both_sides_of_a_partition_go_on() {
    let options = [("quorum", "weighted")];
    for (mutant, outcome) in [(None, None), (Some(Mutant::Q10), Some(Outcome::Written))] {
        let mut net = Cluster::with(6, 2, &options, Mutants(mutant), 1).unwrap();
        run_at(&mut net, 0, write(1, 10), &[0, 1, 2]);
        assert_eq!(net.outcome(0), outcome);
        run_at(&mut net, 1, read(1), &[3, 4, 5]);
        assert_eq!(net.outcome(1), outcome.map(|_| Outcome::Read(None)));
    }
}

#[test]
fn a_lost_message_is_repeated_with_the_same_timestamp() {
    let mut net = cluster(3);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !flight.is("UPDATE"));
    let first: Vec<Message> = net.flying.iter().map(|flight| flight.message.clone()).collect();
    net.lose(|_| true);
    // Meanwhile another write completes.
    net.run(1, write(1, 8));
    net.fire(c(0));
    let again: Vec<Message> = net.flying.iter().map(|flight| flight.message.clone()).collect();
    assert_eq!(first, again);
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Written));
    assert_eq!(
        net.run(1, read(1)),
        saw(8),
        "the repeated write comes before the one that overtook it"
    );
}

#[test]
fn a_client_that_gives_up_never_uses_a_timestamp_again() {
    let mut net = cluster(3);
    let mut stamps = Vec::new();
    for value in 1..=3 {
        net.invoke(0, write(1, value));
        net.deliver_all(|flight| !flight.is("UPDATE"));
        stamps.extend(net.flying.iter().filter_map(|flight| match &flight.message {
            Message::Update { pair, .. } if flight.to == n(0) => Some(pair.ts),
            _ => None,
        }));
        net.lose(|_| true);
        net.give_up(0);
        assert!(net.clients[0].timers.is_empty(), "nothing more is sent");
    }
    let mut distinct = stamps.clone();
    distinct.dedup();
    assert_eq!((stamps.len(), distinct.len()), (3, 3));
}

#[test]
fn repeated_answers_of_one_server_do_not_add_up() {
    let mut net = cluster(3);
    net.invoke(0, write(1, 7));
    net.deliver(|flight| flight.to == n(0));
    let answer = net.flying.iter().find(|flight| flight.is("QUERY_OK")).unwrap().clone();
    net.lose(|flight| !flight.is("QUERY_OK"));
    for _ in 0..3 {
        net.arrive(answer.clone());
    }
    assert_eq!(counts(&net).get("UPDATE"), None);
    assert_eq!(net.ignored["QUERY_OK again"], 2);
}

#[test]
fn an_update_is_acknowledged_only_when_it_is_durable() {
    let mut net = cluster(3);
    net.is_syncing = false;
    net.invoke(0, write(1, 7));
    net.settle();
    assert_eq!(net.outcome(0), None);
    assert_eq!(counts(&net).get("UPDATE_OK"), None);
    net.sync(0, 1);
    net.sync(1, 1);
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Written));
}

#[test]
fn a_query_is_answered_with_what_is_durable_and_waits_for_no_other_key() {
    let mut net = cluster(1);
    net.run(0, write(1, 7));
    net.is_syncing = false;
    net.invoke(0, write(2, 8));
    net.settle();
    assert_eq!(net.run(1, read(1)), saw(7), "key 1 is durable, whatever key 2 waits for");
    assert_eq!(net.run(1, read(2)), None, "a crash could take it back");
    net.crash(0, 0);
    net.restart(0).unwrap();
    net.fire(c(1));
    net.settle();
    assert_eq!(net.outcome(1), Some(Outcome::Read(None)));
}

#[test]
fn an_older_update_is_acknowledged_and_not_stored() {
    let mut net = cluster(3);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !(flight.is("UPDATE") && flight.to == n(2)));
    assert_eq!(net.outcome(0), Some(Outcome::Written));
    net.run(1, write(1, 8));
    let stored = net.nodes[2].durable.clone();
    net.settle();
    assert_eq!(net.nodes[2].durable, stored);
    assert_eq!(net.run(1, read(1)), saw(8));
}

#[test]
fn what_was_written_survives_the_crash_of_everybody() {
    let mut net = cluster(3);
    net.run(0, write(1, 7));
    net.run(0, write(1, 8));
    net.checkpoint(1);
    assert_eq!(net.nodes[1].durable.len(), 1, "a checkpoint holds one pair per key");
    for node in 0..3 {
        net.crash(node, 0);
        net.restart(node).unwrap();
    }
    assert_eq!(net.run(1, read(1)), saw(8));
}

#[test]
fn a_corrupt_record_keeps_a_replica_from_starting() {
    use quorate_systems::contract::{
        Incarnation, LocalTime, Outbox, Recovered, Replica, Start, StartError,
    };
    let net = cluster(1);
    let start = Start::<Quorum> {
        me: NodeId(0),
        incarnation: Incarnation(2),
        config: net.config.clone(),
        keys: net.keys.nodes[0].clone(),
        entropy: 0,
        now: LocalTime(0),
        records: vec![Recovered::Corrupt { place: "log at 64".into() }],
    };
    let refused = <Quorum as System>::Replica::start(start, &mut Outbox::default()).unwrap_err();
    assert_eq!(refused, StartError::CorruptRecord { place: "log at 64".into() });
}

#[test]
fn a_thrifty_coordinator_asks_one_quorum_first_and_everybody_when_it_repeats() {
    let mut net = Cluster::new(5, 1, &[("contact", "quorum")]);
    net.invoke(0, read(1));
    assert_eq!(counts(&net)["QUERY"], 3);
    net.lose(|_| true);
    net.fire(c(0));
    assert_eq!(counts(&net)["QUERY"], 3 + 5);
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Read(None)));
}

#[test]
fn a_node_runs_operations_for_clients() {
    let mut net = Cluster::new(3, 2, &[BY_NODE]);
    assert_eq!(net.run(0, write(1, 7)), Some(Outcome::Written));
    assert_eq!(net.run(1, read(1)), saw(7));
    assert_eq!(counts(&net)["WRONG_INCARNATION"], 2, "each client learns its node's life first");
    assert_eq!(counts(&net)["UPDATE"], 3);
}

#[test]
fn a_repeated_request_is_not_run_again() {
    let mut net = Cluster::new(3, 1, &[BY_NODE]);
    net.run(0, write(1, 7));
    net.invoke(0, write(1, 8));
    let request = net.flying[0].clone();
    net.settle();
    net.sent.clear();
    net.arrive(request);
    net.settle();
    assert_eq!(counts(&net), BTreeMap::from([("ANSWER", 1)]));
}

#[test]
fn a_write_bound_to_an_earlier_life_of_its_node_is_unknown() {
    let mut net = Cluster::new(3, 1, &[BY_NODE]);
    net.run(0, write(1, 7));
    net.invoke(0, write(1, 8));
    net.lose(|_| true);
    net.crash(0, 0);
    net.restart(0).unwrap();
    net.fire(c(0));
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Unknown("the node restarted".into())));
    assert_eq!(net.run(0, write(1, 9)), Some(Outcome::Written), "the new life is known now");
}

#[test]
fn a_read_bound_to_an_earlier_life_of_its_node_is_asked_again() {
    let mut net = Cluster::new(3, 1, &[BY_NODE]);
    net.run(0, write(1, 7));
    net.crash(0, 0);
    net.restart(0).unwrap();
    assert_eq!(net.run(0, read(1)), saw(7));
}

#[test]
fn a_client_turns_to_the_next_node_when_one_does_not_answer() {
    let mut net = Cluster::new(3, 1, &[BY_NODE]);
    net.crash(0, 0);
    net.invoke(0, read(1));
    for _ in 0..3 {
        net.settle();
        net.fire(c(0));
    }
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Read(None)), "a read may move");
    net.restart(0).unwrap();
    net.crash(1, 0);
    net.invoke(0, write(1, 7));
    net.fire(c(0));
    assert!(net.flying.iter().all(|flight| flight.to == n(1)), "a write stays");
    net.settle();
    net.give_up(0);
    assert_eq!(net.run(0, write(1, 8)), Some(Outcome::Written), "the next one goes elsewhere");
}

#[test]
fn a_timestamp_that_leaves_no_room_is_not_believed() {
    let mut net = cluster(3);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !flight.is("UPDATE"));
    let mut flight = net.flying[0].clone();
    let Message::Update { pair, .. } = &mut flight.message else { panic!("an UPDATE") };
    pair.ts.t = u64::MAX;
    net.arrive(flight);
    assert_eq!(net.ignored["UPDATE with an impossible timestamp"], 1);
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Written));
}

#[test]
fn a_question_in_anothers_name_is_ignored() {
    let mut net = cluster(3);
    net.invoke(0, read(1));
    let message = net.flying[0].message.clone();
    net.node_step(0, Input::Message { from: NodeId(1), message });
    assert_eq!(net.ignored["not for a server, or not the sender's"], 1);
}

#[test]
fn every_message_and_mutant_is_in_the_vocabulary() {
    let mut net = Cluster::new(3, 2, &[("protocol", "lock")]);
    net.run(0, write(1, 7));
    net.run(1, read(1));
    let mut abd = cluster(3);
    abd.run(0, write(1, 7));
    let known: Vec<&str> =
        Quorum::vocabulary().messages.iter().map(|message| message.name).collect();
    for kind in net.sent.keys().chain(abd.sent.keys()) {
        assert!(known.contains(kind), "{kind}");
    }
    let mutants: Vec<&str> = Quorum::vocabulary().mutants.iter().map(|spec| spec.name).collect();
    let planted = Mutant::ALL.iter().map(|mutant| mutant.name());
    let planted: Vec<&str> = planted.filter(|name| name.starts_with('Q')).collect();
    assert_eq!(mutants, planted);
    assert_eq!(abd.nodes[0].durable.len(), 1);
    assert!(matches!(abd.nodes[0].durable[0], Record::Stored { .. }));
}

#[test]
fn a_completed_operation_tells_who_holds_its_pair() {
    let mut net = cluster(3);
    net.run(0, write(1, 7));
    let completed = net.observations.iter().find_map(|(place, observation)| match observation {
        Observation::Completed { holders, value, .. } => Some((*place, holders.len(), *value)),
        _ => None,
    });
    assert_eq!(
        completed,
        Some((Place::Client(quorate_systems::contract::ClientId(0)), 2, Some(Value(7))))
    );
    assert_eq!(net.flying.len(), 0);
}

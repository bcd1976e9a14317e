//! Planted bugs, each in the smallest schedule that shows its harm, and the same schedule without it.

mod support;

use quorate_systems::SystemKind;
use quorate_systems::contract::{Command, Lie, Outcome, Value};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::quorum::{Message, Observation, Pair, Quorum, Timestamp};
use support::{Flight, Net, Place, c, n, read, saw, write};

type Cluster = Net<Quorum>;

const BY_NODE: &[(&str, &str)] = &[("coordinator", "node")];
const LOCK: &[(&str, &str)] = &[("protocol", "lock")];
const MASKED: &[(&str, &str)] = &[("quorum", "masking")];

/// The same cluster twice: as it should be, and with the bug.
fn both(nodes: u16, options: &[(&str, &str)], mutant: Mutant) -> [Cluster; 2] {
    [Mutants::NONE, Mutants(Some(mutant))]
        .map(|mutants| Cluster::with(nodes, 3, options, mutants, 1).expect("options that work"))
}

/// Whether it goes between two of these.
fn among(flight: &Flight<Message>, places: &[Place]) -> bool {
    places.contains(&flight.from) && places.contains(&flight.to)
}

/// Lets every client know its node's life.
fn greet(net: &mut Cluster) {
    for client in 0..3 {
        assert_eq!(net.run(client, read(99)), Some(Outcome::Read(None)));
    }
}

/// Runs an operation that reaches only these places; what it leaves is lost.
fn run_among(
    net: &mut Cluster,
    client: u32,
    command: Command,
    places: &[Place],
) -> Option<Outcome> {
    net.invoke(client, command);
    net.deliver_all(|flight| among(flight, places));
    net.lose(|_| true);
    net.outcome(client)
}

/// n0 writes 10 for c0. It has heard itself, and waits for n1, when n2 writes 20 and completes at n0 and n2.
/// Then n1 answers n0. Gives two reads after both writes: at n0 and n1, then at n1 and n2.
fn a_coordinator_that_is_overtaken(net: &mut Cluster) -> [Option<Outcome>; 2] {
    greet(net);
    net.invoke(0, write(1, 10));
    net.deliver_all(|flight| among(flight, &[c(0), n(0)]));
    // The question reaches n1 before, its answer comes after the other write.
    net.deliver(|flight| flight.to == n(1));
    net.lose(|flight| flight.from != n(1));
    let late: Vec<_> = net.flying.drain(..).collect();
    assert_eq!(run_among(net, 2, write(1, 20), &[c(2), n(2), n(0)]), Some(Outcome::Written));
    for flight in late {
        net.arrive(flight);
    }
    net.deliver_all(|flight| among(flight, &[n(0), n(1), c(0)]));
    net.lose(|_| true);
    assert_eq!(net.outcome(0), Some(Outcome::Written));
    let first = run_among(net, 1, read(1), &[c(1), n(1), n(0)]);
    [first, run_among(net, 2, read(1), &[c(2), n(2), n(1)])]
}

#[test]
fn q04_a_node_that_does_not_compare_what_its_own_coordinator_chose_forgets_a_write() {
    let [mut right, mut wrong] = both(3, BY_NODE, Mutant::Q04);
    assert_eq!(a_coordinator_that_is_overtaken(&mut right), [saw(20), saw(20)]);
    let seen = a_coordinator_that_is_overtaken(&mut wrong);
    assert_eq!(seen, [saw(10), saw(20)], "n0 has forgotten 20, and n2 has not");
    assert!(goes_back(&wrong, n(0)) && !goes_back(&right, n(0)));
}

/// Whether a server stored a lower timestamp after a higher one.
fn goes_back(net: &Cluster, at: Place) -> bool {
    let stored: Vec<Timestamp> = net
        .observations
        .iter()
        .filter_map(|(place, observation)| match observation {
            Observation::Stored { ts, .. } if *place == at => Some(*ts),
            _ => None,
        })
        .collect();
    !stored.is_sorted()
}

/// A write of 10 reaches n0 only; a read sees it there. 20 is written. The first write is repeated. Gives
/// what the reads before and after saw.
fn a_write_that_is_repeated_late(net: &mut Cluster) -> [Option<Outcome>; 2] {
    net.invoke(0, write(1, 10));
    net.deliver_all(|flight| !flight.is("UPDATE"));
    net.deliver(|flight| flight.is("UPDATE") && flight.to == n(0));
    net.lose(|_| true);
    let first = run_among(net, 1, read(1), &[c(1), n(0), n(1)]);
    assert_eq!(net.run(1, write(1, 20)), Some(Outcome::Written));
    net.fire(c(0));
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Written));
    [first, net.run(1, read(1))]
}

#[test]
fn q05_a_repeated_write_with_a_fresh_timestamp_brings_an_overwritten_value_back() {
    let [mut right, mut wrong] = both(3, &[], Mutant::Q05);
    assert_eq!(a_write_that_is_repeated_late(&mut right), [saw(10), saw(20)]);
    assert_eq!(a_write_that_is_repeated_late(&mut wrong), [saw(10), saw(10)]);
}

/// A write reaches n0 and n1, whose disks are slow; n1 loses its power. Gives how the write ended, and what a
/// read at n1 and n2 saw.
fn a_server_that_loses_its_power(net: &mut Cluster) -> [Option<Outcome>; 2] {
    net.is_syncing = false;
    let written = run_among(net, 0, write(1, 10), &[c(0), n(0), n(1)]);
    net.crash(1, 0);
    net.restart(1).expect("its disk is good");
    [written, run_among(net, 1, read(1), &[c(1), n(1), n(2)])]
}

#[test]
fn q06_an_acknowledgement_before_the_fsync_is_taken_back_by_a_crash() {
    let [mut right, mut wrong] = both(3, &[], Mutant::Q06);
    let nothing = Some(Outcome::Read(None));
    assert_eq!(a_server_that_loses_its_power(&mut right), [None, nothing.clone()]);
    assert_eq!(
        a_server_that_loses_its_power(&mut wrong),
        [Some(Outcome::Written), nothing],
        "lost"
    );
}

/// All vote for a write, and its initiator, whose disk is slow now, loses its power as soon as it can have
/// sent the commit. Gives how the write ended, and what a read saw when everybody was up again.
fn an_initiator_that_loses_its_power(net: &mut Cluster) -> [Option<Outcome>; 2] {
    greet(net);
    net.invoke(0, write(1, 10));
    net.deliver_all(|flight| !flight.is("OK"));
    net.is_syncing = false;
    net.settle();
    let written = net.outcome(0);
    net.crash(0, 0);
    net.is_syncing = true;
    net.restart(0).expect("its disk is good");
    for _ in 0..2 {
        for node in 0..3 {
            net.fire(n(node));
            net.settle();
        }
    }
    [written, net.run(1, read(1))]
}

#[test]
fn q15_an_answer_before_the_decision_is_durable_is_taken_back_by_a_crash() {
    let [mut right, mut wrong] = both(3, LOCK, Mutant::Q15);
    let nothing = Some(Outcome::Read(None));
    assert_eq!(an_initiator_that_loses_its_power(&mut right), [None, nothing.clone()]);
    assert_eq!(
        an_initiator_that_loses_its_power(&mut wrong),
        [Some(Outcome::Written), nothing],
        "lost"
    );
}

/// 7 is written. Then one server of five says that it stores 666, of a later time.
fn a_read_among_liars(net: &mut Cluster) -> Option<Outcome> {
    assert_eq!(net.run(0, write(1, 7)), Some(Outcome::Written));
    net.invoke(1, read(1));
    net.deliver(|flight| flight.is("QUERY"));
    for flight in net.flying.iter_mut().filter(|flight| flight.from == n(0)) {
        if let Message::QueryOk { pair, .. } = &mut flight.message {
            let ts = Timestamp { t: 99, ..pair.ts };
            *pair = Pair { ts, value: Some(Value(666)), proof: None };
        }
    }
    net.settle();
    net.outcome(1)
}

#[test]
fn q18_without_vouchers_one_liar_is_believed() {
    let [mut right, mut wrong] = both(5, MASKED, Mutant::Q18);
    assert_eq!(a_read_among_liars(&mut right), saw(7));
    assert_eq!(right.milestones.get("outvoted"), Some(&1));
    assert_eq!(a_read_among_liars(&mut wrong), saw(666));
    assert_eq!(wrong.milestones.get("outvoted"), None);
}

#[test]
fn no_planted_bug_stops_its_node() {
    for mutant in SystemKind::Quorum.mutants() {
        for options in [&[][..], BY_NODE, LOCK, MASKED] {
            let mutants = Mutants(Some(mutant));
            let mut net = Cluster::with(5, 3, options, mutants, 1).expect("options that work");
            net.nodes[0].lie = (options == MASKED).then_some(Lie::WrongTimestamp);
            for value in 0..5 {
                net.invoke(0, write(1, value));
                net.invoke(1, write(1, 100 + value));
                net.invoke(2, read(1));
                for turn in 0_u16..40 {
                    net.settle();
                    net.fire(c(u32::from(turn % 3)));
                    net.fire(n(turn % 5));
                }
                assert!(
                    net.clients.iter().all(|client| client.outcome.is_some()),
                    "{mutant} {options:?}"
                );
            }
        }
    }
}

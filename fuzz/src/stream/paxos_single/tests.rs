use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};

use super::*;
use crate::stream::step::{Step, input};
use crate::stream::testing::{demand_shown, finding};

fn replica_finds(which: &[(u16, &'static str)], mutants: Mutants) -> bool {
    let bench = Replicas::new(Cluster::all(which, mutants));
    finding(|bytes| bench.run(bytes)).is_some()
}

fn client_finds(which: &[(u16, &'static str)], mutants: Mutants) -> bool {
    let bench = Clients::new(Cluster::all(which, mutants));
    finding(|bytes| bench.run(bytes)).is_some()
}

#[test]
fn every_planted_bug_is_found_by_a_stream_of_one_node() {
    for mutant in SystemKind::PaxosSingle.mutants() {
        assert!(replica_finds(CLUSTERS, Mutants(Some(mutant))), "{mutant}");
    }
}

#[test]
fn bugs_of_proposers_are_found_in_clients_as_well() {
    for mutant in [Mutant::P05, Mutant::P06, Mutant::P07, Mutant::P09, Mutant::P10] {
        assert!(client_finds(CLIENT_CLUSTERS, Mutants(Some(mutant))), "{mutant}");
    }
}

#[test]
fn each_line_of_the_slide_that_is_wrong_to_the_letter_is_found() {
    for options in ["lines=1", "lines=2", "lines=3", "lines=4", "lines=5"] {
        let options = format!("rules=slide {options}").leak();
        assert!(replica_finds(&[(3, options)], Mutants::NONE), "{options}");
    }
}

#[test]
fn the_correct_system_shows_nothing_in_streams_of_the_same_kind() {
    assert!(!replica_finds(CLUSTERS, Mutants::NONE));
    assert!(!client_finds(CLIENT_CLUSTERS, Mutants::NONE));
}

#[test]
fn seeds_go_through_whole_operations() {
    demand_shown(
        &STREAM,
        &[
            "decided 1",
            "read nil",
            "read 1",
            "NACK",
            "LEARN",
            "DECIDED",
            "outbid",
            "adopted-accepted-value",
            "re-acknowledged",
            "dies and comes up",
        ],
    );
    demand_shown(&CLIENT_STREAM, &["Decided(", "Read(None)", "outbid", "ANSWER"]);
}

#[test]
fn seeds_follow_runs_of_the_simulator() {
    for (target, words) in [
        (
            &STREAM,
            ["PREPARE ", "ACCEPT ", "ACCEPT_OK", "is durable", "dies and comes up"].as_slice(),
        ),
        (&CLIENT_STREAM, &["Invoke(Propose", "PREPARE_OK", "ACCEPT_OK", "Decided("]),
    ] {
        let recorded = (target.seeds)().into_iter().filter(|seed| seed.name.contains("recorded"));
        let shown: Vec<String> = recorded.map(|seed| (target.show)(&seed.bytes)).collect();
        for word in words {
            assert!(shown.concat().contains(word), "{}: {word}", target.name);
        }
    }
}

#[test]
fn what_peers_make_up_is_not_held_against_the_node() {
    // Two proposers that use one number for two values, and one that says it has decided otherwise.
    let accept =
        |who: u8, time: u8, data: u8| Step::Forged(Dice { who, kind: 2, name: 2, time, data });
    let decided = Step::Forged(Dice { who: 0, kind: 5, name: 2, time: 0, data: 3 });
    let sync = Step::Synced(u8::MAX);
    let steps = [accept(0, 0, 0), sync, accept(1, 4 << 5, 1), sync, decided, decided];
    let bench = Replicas::new(Cluster::all(CLUSTERS, Mutants::NONE));
    let shown = bench.show(&input([0, 0], &steps));
    assert_eq!(shown.matches("persists Accepted").count(), 2, "{shown}");
    assert!(!shown.contains("wrong:"), "{shown}");
}

#[test]
fn what_is_promised_early_the_invariants_see_without_a_model() {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use quorate_systems::contract::{Incarnation, Key, Ticket};
    use quorate_systems::parties::Party;
    use quorate_systems::paxos_single::{Ballot, Record};
    use quorate_world::invariants::Seen;

    use crate::stream::watch::Watch;

    let cluster = Cluster::<PaxosSingle>::new(3, "proposer=client", Mutants::NONE);
    let (me, other) = (NodeId(0), NodeId(1));
    let n = Ballot { round: 1, proposer: Party::Node(other), incarnation: 1 };
    let promise = Message::PrepareOk { key: Key(0), n, accepted: None };
    let (from, to) = (Who::Node(me), Who::Node(other));
    let told = Seen::Sent { from, to, message: &promise };
    let record = Record::Promised { key: Key(0), n };
    // The same, seen by whoever watches another node, is nobody's fault.
    for (watched, is_found) in [(me, true), (other, false)] {
        let mut watch = Watch::new(&cluster);
        watch.reset(&cluster, watched);
        watch.see(&Seen::Started { node: me, incarnation: Incarnation(1) });
        watch.see(&Seen::Persisted { node: me, ticket: Ticket(1), record: &record });
        let early = catch_unwind(AssertUnwindSafe(|| watch.see(&told)));
        assert_eq!(early.is_err(), is_found, "{watched}");
        watch.see(&Seen::Durable { node: me, ticket: Ticket(1) });
        watch.see(&told);
    }
}

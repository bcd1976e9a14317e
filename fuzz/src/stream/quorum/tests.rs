use std::panic::{AssertUnwindSafe, catch_unwind};

use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};

use super::*;
use crate::stream::step::{Step, input};
use crate::stream::testing::{demand_shown, finding};

fn replica_finds(which: &[(u16, &'static str)], mutants: Mutants) -> bool {
    let bench = Replicas::new(Cluster::all(which, mutants));
    finding(|bytes| bench.run(bytes)).is_some()
}

fn client_finds(mutants: Mutants) -> bool {
    let bench = Clients::new(Cluster::all(CLIENT_CLUSTERS, mutants));
    finding(|bytes| bench.run(bytes)).is_some()
}

#[test]
fn every_planted_bug_is_found_by_a_stream_of_one_core() {
    for mutant in SystemKind::Quorum.mutants() {
        let mutants = Mutants(Some(mutant));
        let found = match mutant {
            // What servers, and nodes that run operations, get wrong.
            Mutant::Q01
            | Mutant::Q03
            | Mutant::Q04
            | Mutant::Q05
            | Mutant::Q06
            | Mutant::Q08
            | Mutant::Q10 => replica_finds(CLUSTERS, mutants),
            Mutant::Q15 => replica_finds(LOCK_CLUSTERS, mutants),
            // Administrators are clients, and whoever masks liars is one.
            Mutant::Q11 | Mutant::Q18 => client_finds(mutants),
            other => panic!("{other} is none of the registers'"),
        };
        assert!(found, "{mutant}");
    }
}

#[test]
fn the_correct_system_shows_nothing_in_streams_of_the_same_kind() {
    assert!(!replica_finds(CLUSTERS, Mutants::NONE));
    assert!(!replica_finds(LOCK_CLUSTERS, Mutants::NONE));
    assert!(!client_finds(Mutants::NONE));
}

#[test]
fn seeds_go_through_whole_operations() {
    demand_shown(
        &STREAM,
        &["written", "read nil", "UPDATE_OK", "FETCH_OK", "INSTALL_OK", "CONFIGURE_OK"],
    );
    demand_shown(
        &LOCK_STREAM,
        &["written", "COMMIT_OK", "reader-waits", "decision-resumed", "TERMINATE", "NO "],
    );
    demand_shown(&CLIENT_STREAM, &["Written", "Read(", "INSTALL", "Reconfigured", "wrote-back"]);
}

#[test]
fn seeds_follow_runs_of_the_simulator() {
    for (target, words) in [
        (&STREAM, ["REQUEST", "QUERY ", "UPDATE ", "is durable", "dies and comes up"].as_slice()),
        (&LOCK_STREAM, &["REQUEST", "PROPOSE", "COMMIT ", "is durable", "dies and comes up"]),
        (&CLIENT_STREAM, &["Invoke(Write", "QUERY_OK", "UPDATE_OK", "Written", "Read(Some"]),
    ] {
        let recorded = (target.seeds)().into_iter().filter(|seed| seed.name.contains("recorded"));
        let shown: Vec<String> = recorded.map(|seed| (target.show)(&seed.bytes)).collect();
        let shortest = shown.iter().min_by_key(|shown| shown.lines().count()).expect("some");
        assert!(shortest.lines().count() > 10, "{shortest}");
        for word in words {
            assert!(shown.concat().contains(word), "{}: {word}", target.name);
        }
    }
}

#[test]
fn a_stream_is_shown_step_by_step_up_to_what_is_wrong() {
    let bench = Replicas::new(Cluster::all(CLUSTERS, Mutants(Some(Mutant::Q06))));
    let update = Dice { kind: 1, ..Dice::default() };
    let bytes = input([1, 0], &[Step::Hear, Step::Forged(update), Step::Crash(0)]);
    let shown = bench.show(&bytes);
    let begins = [
        "n0 of 3 nodes, quorum=majority, Q06",
        "n1 sends UPDATE n1.1.2u0 k0 = 1 @1.c0.1.1 config 0 | persists Stored",
        "wrong: the core sends n1 UPDATE_OK n1.1.2u0 k0 (after 0), and the model",
    ];
    assert_eq!(shown.lines().count(), begins.len(), "{shown}");
    for (line, begin) in shown.lines().zip(begins) {
        assert!(line.starts_with(begin), "{line}");
    }
}

#[test]
fn what_is_acknowledged_early_the_invariants_see_without_a_model() {
    // The model looks at what an acknowledgement waits for; the invariant only at what has left.
    use quorate_systems::contract::{Incarnation, Key, Ticket, Value};
    use quorate_systems::quorum::{OpId, Pair, Party, Phase, Record, Timestamp};
    use quorate_world::invariants::Seen;

    use crate::stream::watch::Watch;

    let cluster = Cluster::<Quorum>::new(3, "quorum=majority", Mutants::NONE);
    let mut watch = Watch::new(&cluster);
    let (me, other) = (NodeId(0), Who::Node(NodeId(1)));
    let op = OpId {
        party: Party::Node(NodeId(1)),
        incarnation: 1,
        seq: 1,
        phase: Phase::Update,
        attempt: 0,
    };
    let ts = Timestamp { t: 1, ..Timestamp::ZERO };
    let pair = Pair { ts, value: Some(Value(1)), proof: None };
    let update = Message::Update { op, key: Key(0), pair: pair.clone(), configuration: 0 };
    let record = Record::Stored { key: Key(0), pair };
    watch.see(&Seen::Started { node: me, incarnation: Incarnation(1) });
    watch.see(&Seen::Sent { from: other, to: Who::Node(me), message: &update });
    watch.see(&Seen::Persisted { node: me, ticket: Ticket(1), record: &record });
    let message = Message::UpdateOk { op, key: Key(0) };
    let early = Seen::Sent { from: Who::Node(me), to: other, message: &message };
    assert!(catch_unwind(AssertUnwindSafe(|| watch.see(&early))).is_err());
    watch.see(&Seen::Durable { node: me, ticket: Ticket(1) });
    watch.see(&early);
}

use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};

use super::*;
use crate::stream::testing::{finding, shown};

fn replica_finds(mutants: Mutants) -> bool {
    let bench = Replicas::new(Cluster::all(CLUSTERS, mutants));
    finding(|bytes| bench.run(bytes)).is_some()
}

#[test]
fn every_planted_bug_is_found_by_a_stream_of_one_node() {
    let missed: Vec<Mutant> = SystemKind::Paxos
        .mutants()
        .filter(|mutant| !replica_finds(Mutants(Some(*mutant))))
        .collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn the_correct_system_shows_nothing_in_streams_of_the_same_kind() {
    assert!(!replica_finds(Mutants::NONE));
    let bench = Clients::new(Cluster::all(CLIENT_CLUSTERS, Mutants::NONE));
    assert_eq!(finding(|bytes| bench.run(bytes)), None);
}

#[test]
fn seeds_go_through_whole_operations() {
    let replicas = shown(&STREAM);
    for word in [
        "P1B",
        "P2B",
        "NACK",
        "FETCH_OK",
        "SNAPSHOT",
        "elected",
        "adopted",
        "leader-deposed",
        "caught-up",
        "REPLY",
        "dies and comes up",
    ] {
        assert!(replicas.contains(word), "{word} in\n{replicas}");
    }
    let clients = shown(&CLIENT_STREAM);
    for word in ["Written", "Read(", "REDIRECT", "Appended", "Transaction("] {
        assert!(clients.contains(word), "{word} in\n{clients}");
    }
    for shown in [replicas, clients] {
        assert!(!shown.contains("wrong:"), "{shown}");
    }
}

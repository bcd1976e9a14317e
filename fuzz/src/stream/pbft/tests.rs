use std::panic::{AssertUnwindSafe, catch_unwind};

use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};

use super::*;
use crate::Seed;
use crate::stream::testing::{finding, shown};

/// What only a client can do wrong.
const OF_CLIENTS: [Mutant; 2] = [Mutant::B01, Mutant::B30];

fn shows(seeds: &[Seed], run: impl Fn(&[u8])) -> bool {
    let shows = |seed: &Seed| catch_unwind(AssertUnwindSafe(|| run(&seed.bytes))).is_err();
    seeds.iter().any(shows) || finding(&run).is_some()
}

fn replica_finds(mutants: Mutants) -> bool {
    let bench = Replicas::new(Cluster::all(CLUSTERS, mutants));
    shows(&seeds::replicas(CLUSTERS.len()), |bytes| bench.run(bytes))
}

fn client_finds(mutants: Mutants) -> bool {
    let bench = Clients::new(Cluster::all(CLIENT_CLUSTERS, mutants));
    shows(&seeds::clients(CLIENT_CLUSTERS.len()), |bytes| bench.run(bytes))
}

#[test]
fn every_planted_bug_is_found_by_a_stream_of_one_node_or_client() {
    let is_found = |mutant: &Mutant| {
        let planted = Mutants(Some(*mutant));
        if OF_CLIENTS.contains(mutant) { client_finds(planted) } else { replica_finds(planted) }
    };
    let missed: Vec<Mutant> =
        SystemKind::Pbft.mutants().filter(|mutant| !is_found(mutant)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn the_correct_system_shows_nothing_in_streams_of_the_same_kind() {
    assert!(!replica_finds(Mutants::NONE));
    assert!(!client_finds(Mutants::NONE));
}

#[test]
fn seeds_go_through_whole_operations() {
    let replicas = shown(&STREAM);
    for word in [
        "PRE-PREPARE",
        "COMMIT ",
        "VIEW-CHANGE",
        "NEW-VIEW",
        "prepared-carried-over",
        "view-change-joined",
        "learned-committed",
        "batch-fetched",
        "state-installed",
        "null-executed",
        "invalid-new-view",
        "invalid-view-change",
        "forged-request",
        "ordered-twice",
        "read-waits",
        "not authentic",
        "tentative",
        "REPLY",
        "dies and comes up",
    ] {
        assert!(replicas.contains(word), "{word} in\n{replicas}");
    }
    let clients = shown(&CLIENT_STREAM);
    for word in ["Written", "Read(", "read-ordered", "accepted-tentative", "not authentic"] {
        assert!(clients.contains(word), "{word} in\n{clients}");
    }
    for shown in [replicas, clients] {
        assert!(!shown.contains("wrong:"), "{shown}");
    }
}

use std::panic::{AssertUnwindSafe, catch_unwind};

use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};

use super::*;
use crate::Seed;
use crate::stream::testing::{finding, shown};

/// What only a client can do wrong.
const OF_CLIENTS: [Mutant; 1] = [Mutant::V25];

fn replica_finds(mutants: Mutants) -> bool {
    let bench = Replicas::new(Cluster::all(CLUSTERS, mutants));
    let shows = |seed: &Seed| catch_unwind(AssertUnwindSafe(|| bench.run(&seed.bytes))).is_err();
    seeds::replicas(CLUSTERS.len()).iter().any(shows) || finding(|bytes| bench.run(bytes)).is_some()
}

fn client_finds(mutants: Mutants) -> bool {
    let bench = Clients::new(Cluster::all(CLIENT_CLUSTERS, mutants));
    finding(|bytes| bench.run(bytes)).is_some()
}

#[test]
fn every_planted_bug_is_found_by_a_stream_of_one_node_or_client() {
    let is_found = |mutant: &Mutant| {
        let planted = Mutants(Some(*mutant));
        if OF_CLIENTS.contains(mutant) { client_finds(planted) } else { replica_finds(planted) }
    };
    let missed: Vec<Mutant> = SystemKind::Vr.mutants().filter(|mutant| !is_found(mutant)).collect();
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
        "PREPAREOK",
        "DOVIEWCHANGE",
        "STARTVIEW",
        "RECOVERYRESPONSE",
        "NEWSTATE",
        "CHECKPOINT",
        "COMMIT_OK",
        "recovered",
        "state-transferred",
        "own-log-outvoted",
        "tail-dropped",
        "checkpoint-installed",
        "lease-read",
        "epoch-ended",
        "REPLY",
        "dies and comes up",
    ] {
        assert!(replicas.contains(word), "{word} in\n{replicas}");
    }
    let clients = shown(&CLIENT_STREAM);
    for word in ["Written", "Read(", "REDIRECT", "Appended", "Transaction(", "accepted-prepared"] {
        assert!(clients.contains(word), "{word} in\n{clients}");
    }
    for shown in [replicas, clients] {
        assert!(!shown.contains("wrong:"), "{shown}");
    }
}

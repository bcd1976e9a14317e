use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};

use super::*;
use crate::stream::testing::{demand_all_found, demand_shown, finds};

/// What only a client can do wrong.
const OF_CLIENTS: [Mutant; 2] = [Mutant::B01, Mutant::B30];

fn replica_finds(mutants: Mutants) -> bool {
    let bench = Replicas::new(Cluster::all(CLUSTERS, mutants));
    finds(&seeds::replicas(CLUSTERS.len()), |bytes| bench.run(bytes))
}

fn client_finds(mutants: Mutants) -> bool {
    let bench = Clients::new(Cluster::all(CLIENT_CLUSTERS, mutants));
    finds(&seeds::clients(CLIENT_CLUSTERS.len()), |bytes| bench.run(bytes))
}

#[test]
fn every_planted_bug_is_found_by_a_stream_of_one_node_or_client() {
    demand_all_found(SystemKind::Pbft, &OF_CLIENTS, replica_finds, client_finds);
}

#[test]
fn the_correct_system_shows_nothing_in_streams_of_the_same_kind() {
    assert!(!replica_finds(Mutants::NONE));
    assert!(!client_finds(Mutants::NONE));
}

#[test]
fn seeds_go_through_whole_operations() {
    demand_shown(
        &STREAM,
        &[
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
        ],
    );
    demand_shown(
        &CLIENT_STREAM,
        &["Written", "Read(", "read-ordered", "accepted-tentative", "not authentic"],
    );
}

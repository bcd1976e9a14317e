use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;

use super::*;
use crate::stream::testing::{demand_all_found, demand_shown, finding};

fn replica_finds(mutants: Mutants) -> bool {
    let bench = Replicas::new(Cluster::all(CLUSTERS, mutants));
    finding(|bytes| bench.run(bytes)).is_some()
}

#[test]
fn every_planted_bug_is_found_by_a_stream_of_one_node() {
    demand_all_found(SystemKind::Paxos, &[], replica_finds, |_| false);
}

#[test]
fn the_correct_system_shows_nothing_in_streams_of_the_same_kind() {
    assert!(!replica_finds(Mutants::NONE));
    let bench = Clients::new(Cluster::all(CLIENT_CLUSTERS, Mutants::NONE));
    assert_eq!(finding(|bytes| bench.run(bytes)), None);
}

#[test]
fn seeds_go_through_whole_operations() {
    demand_shown(
        &STREAM,
        &[
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
        ],
    );
    demand_shown(&CLIENT_STREAM, &["Written", "Read(", "REDIRECT", "Appended", "Transaction("]);
}

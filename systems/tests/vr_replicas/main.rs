//! Viewstamped Replication driven by hand: what operations and view changes cost, what a disk brings back, what is
//! refused, and that nothing that anybody sends stops a replica or a client.
#![expect(clippy::unwrap_used, reason = "a test's tool may stop the test")]

mod clients;
mod costs;
#[path = "../support/dice.rs"]
mod dice;
mod disks;
#[path = "../support/logs.rs"]
mod logs;
mod messages;
mod nonsense;
mod options;
#[path = "../support/mod.rs"]
mod support;
mod vocabulary;

use std::collections::BTreeMap;

use quorate_systems::contract::{ConfigError, NodeId, Options, System, TimerId};
use quorate_systems::mutant::Mutants;
use quorate_systems::vr::{Config, Vr};
use support::Net;

type Cluster = Net<Vr>;

const VIEW: TimerId = TimerId(0);
const COMMIT: TimerId = TimerId(1);
const GAP: TimerId = TimerId(3);

/// A cluster in view 0, which n0 leads, where nothing is under way.
fn calm(nodes: u16, options: &[(&str, &str)], mutants: Mutants) -> Cluster {
    let mut net = Cluster::with(nodes, 3, options, mutants, 1).unwrap();
    net.settle();
    net
}

fn names(options: &[(&str, &str)]) -> Options {
    options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn configure(nodes: u16, options: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Vr::configure(nodes, &names(options), Mutants::NONE)
}

/// Each node with so many records.
fn each(nodes: u16, records: usize) -> BTreeMap<NodeId, usize> {
    (0..nodes).map(|node| (NodeId(node), records)).collect()
}

//! Which seeds break what: `cargo run --release -p quorate-sim --example scan -- quorum 0 2000 Q01`
//!
//! Without a mutant the correct system runs. At the end: how many of the seeds had so many nodes, and which options.
#![expect(clippy::print_stdout, reason = "it shows something")]

use std::collections::BTreeMap;

use quorate_sim::hunt::Hunter;
use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let kind: SystemKind = arguments.next().and_then(|name| name.parse().ok()).expect("a system");
    let mut number = || arguments.next().and_then(|seed| seed.parse().ok()).expect("a seed");
    let (from, to): (u64, u64) = (number(), number());
    let mutants = Mutants(arguments.next().map(|name| name.parse().expect("a mutant")));
    let mut hunter = Hunter::new(kind);
    let mut drawn: BTreeMap<(String, String), u64> = BTreeMap::new();
    for seed in from..to {
        let tried = hunter.try_seed(seed, mutants).expect("it runs");
        let plan = hunter.plan(seed);
        if let Some(found) = tried.found {
            println!("{seed} {found} n={} {:?}", plan.system.nodes, plan.system.options);
        }
        let nodes = ("nodes".to_owned(), plan.system.nodes.to_string());
        for option in plan.system.options.into_iter().chain([nodes]) {
            *drawn.entry(option).or_default() += 1;
        }
    }
    println!("{} seeds", to.saturating_sub(from));
    for ((name, value), count) in drawn {
        println!("{count:>10} {name}={value}");
    }
}

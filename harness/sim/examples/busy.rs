//! One long run, for profilers: `cargo run --release -p quorate-sim --example busy -- 2000 all`
#![expect(clippy::print_stdout, reason = "it shows something")]

use quorate_plan::{Durations, Plan, SystemPlan, Workload, WorldKind};
use quorate_sim::{Checks, QueueKind, simulator};
use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let time_limit_ms = arguments.next().and_then(|ms| ms.parse().ok()).expect("milliseconds");
    let checks = match arguments.next().as_deref() {
        Some("none") => Checks::NONE,
        Some("digest") => Checks { digest: true, invariants: false },
        _ => Checks::ALL,
    };
    let system = SystemPlan { kind: "quorum".to_owned(), nodes: 5, options: [].into() };
    let plan = Plan {
        workload: Workload { rate_per_s: 0, ..Workload::for_nodes(5) },
        durations: Durations { time_limit_ms, ..Durations::default() },
        ..Plan::new("busy", 1, WorldKind::Sim, system)
    };
    let mut world = simulator(SystemKind::Quorum, QueueKind::Wheel);
    let outcome = world.run(&plan, Mutants::NONE, checks, &mut |_, _| Ok(())).expect("it runs");
    println!("{:?}", outcome.digest);
}

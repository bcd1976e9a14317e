//! Shows one seed: its plan, and what happened. `cargo run --release -p quorate-sim --example seed -- quorum 41 Q01`
#![expect(clippy::print_stdout, reason = "it shows something")]

use quorate_plan::to_toml;
use quorate_sim::{Checks, QueueKind, simulator};
use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let kind: SystemKind = arguments.next().and_then(|name| name.parse().ok()).expect("a system");
    let seed = arguments.next().and_then(|seed| seed.parse().ok()).expect("a seed");
    let mutants = Mutants(arguments.next().map(|name| name.parse().expect("a mutant")));
    let mut simulator = simulator(kind, QueueKind::default());
    let plan = simulator.draw(seed);
    println!("{}", to_toml(&plan));
    let outcome = simulator.run(&plan, mutants, Checks::ALL, &mut |time, what| {
        println!("{:>12} {what:?}", time.0 / 1_000);
        Ok(())
    });
    println!("{outcome:#?}");
}

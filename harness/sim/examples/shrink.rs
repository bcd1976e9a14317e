//! Shrinks the first plan that a mutant fails from a seed on, and prints it:
//! `cargo run --release -p quorate-sim --example shrink -- quorum Q01 0`; `none` for the correct system.
#![expect(clippy::print_stdout, reason = "it shows something")]
#![expect(clippy::disallowed_types, reason = "it measures how long things take")]

use std::time::Instant;

use quorate_plan::to_toml;
use quorate_sim::hunt::Hunter;
use quorate_sim::shrink::{Wanted, shrink};
use quorate_sim::story::Story;
use quorate_sim::{Checks, QueueKind, simulator};
use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let kind: SystemKind = arguments.next().and_then(|name| name.parse().ok()).expect("a system");
    let name = arguments.next().expect("the name of a mutant, or none");
    let mutant: Option<Mutant> =
        (name != "none").then(|| name.parse().expect("the name of a mutant, or none"));
    let first: u64 = arguments.next().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let mutants = Mutants(mutant);
    let mut hunter = Hunter::new(kind);
    let fails = |seed: &u64| hunter.try_seed(*seed, mutants).expect("it runs").found.is_some();
    let seed = (first..u64::MAX).find(fails).expect("it is found");
    let plan = hunter.plan(seed);
    let began = Instant::now();
    let (mut pass, mut shown) = ("", 0);
    let shrunk = shrink(&plan, mutants, &Wanted::Any, &mut |progress| {
        if progress.pass != pass {
            println!("{:>6} {:10} {:?}", progress.tries, progress.pass, progress.size);
            pass = progress.pass;
            shown += 1;
        }
        true
    });
    let shrunk = shrunk.expect("it fails");
    let plan = &shrunk.plan;
    println!("{}", to_toml(plan));
    let mut world = simulator(kind, QueueKind::default());
    let taped =
        world.run_taped(plan, mutants, Checks::ALL, quorate_sim::tape::Detail::All, &mut |_, _| {
            Ok(())
        });
    let (_, tape) = taped.expect("it runs");
    let story =
        Story::new(tape, &shrunk.demand, "no order of the operations explains what they saw");
    for (place, step) in (1..).zip(story.steps()) {
        println!("{place}. {step}");
    }
    println!("\n{}", story.text());
    if let Some(file) = arguments.next() {
        std::fs::write(file, story.svg()).expect("it can be written");
    }
    println!(
        "{} seed {seed}: {} in {:?}, {} tries\n{:?}\n{:?}",
        name,
        shrunk.demand,
        began.elapsed(),
        shrunk.tries,
        shrunk.before,
        shrunk.after
    );
}

//! Shrinks the first plan that a mutant fails from a seed on, and prints it:
//! `cargo run --release -p quorate-sim --example shrink -- Q01 0`
#![expect(clippy::print_stdout, reason = "it shows something")]

use std::time::Instant;

use quorate_plan::to_toml;
use quorate_sim::hunt::Hunter;
use quorate_sim::shrink::shrink;
use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mutant: Mutant =
        arguments.next().and_then(|name| name.parse().ok()).expect("the name of a mutant");
    let first: u64 = arguments.next().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let mutants = Mutants(Some(mutant));
    let mut hunter = Hunter::new(SystemKind::Quorum);
    let fails = |seed: &u64| hunter.try_seed(*seed, mutants).expect("it runs").found.is_some();
    let seed = (first..).find(fails).expect("it is found");
    let plan = hunter.plan(seed);
    let began = Instant::now();
    let (mut pass, mut shown) = ("", 0);
    let shrunk = shrink(&plan, mutants, &mut |progress| {
        if progress.pass != pass {
            println!("{:>6} {:10} {:?}", progress.tries, progress.pass, progress.size);
            pass = progress.pass;
            shown += 1;
        }
        true
    });
    let shrunk = shrunk.expect("it fails");
    println!("{}", to_toml(&shrunk.plan));
    println!(
        "{} seed {seed}: {} in {:?}, {} tries\n{:?}\n{:?}",
        mutant.name(),
        shrunk.demand,
        began.elapsed(),
        shrunk.tries,
        shrunk.before,
        shrunk.after
    );
}

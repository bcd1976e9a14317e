//! Tells what happens in a plan, whatever comes of it: `cargo run -p quorate-sim --example story -- FILE [V01]`
#![expect(clippy::print_stdout, reason = "it shows something")]

use quorate_plan::from_toml;
use quorate_sim::story::Story;
use quorate_sim::{Checks, QueueKind, simulator};
use quorate_systems::mutant::Mutants;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().expect("the file of a plan");
    let plan = from_toml(&std::fs::read_to_string(file).expect("a file")).expect("a plan");
    let mutants = Mutants(arguments.next().map(|name| name.parse().expect("a mutant")));
    let kind = plan.system.kind.parse().expect("a system");
    let mut world = simulator(kind, QueueKind::default());
    let taped = world.run_taped(
        &plan,
        mutants,
        Checks::ALL,
        quorate_sim::tape::Detail::All,
        &mut |_, _| Ok(()),
    );
    let (_, tape) = taped.expect("it runs");
    let story = Story::new(tape, "", "");
    for (place, step) in (1..).zip(story.steps()) {
        println!("{place}. {step}");
    }
    println!("\n{}", story.text());
}

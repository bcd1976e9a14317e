//! The same Plan gives the same bytes: again, in a fresh world, with another queue, on other threads.

#![expect(clippy::unwrap_used, reason = "a test's tool may stop the test")]

use std::thread;

use quorate_checkers::history::{Builder, Event};
use quorate_plan::Plan;
use quorate_sim::{Checks, QueueKind, Simulator, simulator};
use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;

/// Of each system so many seeds, or as many as `QUORATE_SEEDS` says.
fn seeds() -> u64 {
    std::env::var("QUORATE_SEEDS").map_or(200, |count| count.parse().expect("a number"))
}

fn world(queue: QueueKind) -> Box<dyn Simulator> {
    simulator(SystemKind::Quorum, queue)
}

/// All that a run gives.
fn run(world: &mut Box<dyn Simulator>, plan: &Plan) -> (String, Vec<Event>) {
    let mut history = Builder::new();
    let mut sink =
        |time, what| history.push(time, what).map(|_| ()).map_err(|error| error.to_string());
    let outcome = world.run(plan, Mutants::NONE, Checks::ALL, &mut sink).unwrap();
    let history = history.finish();
    (format!("{outcome:?}"), history.events().to_vec())
}

#[test]
fn a_plan_gives_the_same_run_wherever_and_whenever_it_is_run() {
    let (mut wheel, mut heap) = (world(QueueKind::Wheel), world(QueueKind::Heap));
    for seed in 0..seeds() {
        let plan = wheel.draw(seed);
        let first = run(&mut wheel, &plan);
        assert_eq!(first, run(&mut wheel, &plan), "again, seed {seed}");
        assert_eq!(first, run(&mut world(QueueKind::Wheel), &plan), "a fresh world, seed {seed}");
        assert_eq!(first, run(&mut heap, &plan), "another queue, seed {seed}");
    }
}

#[test]
fn seeds_do_not_depend_on_who_runs_them() {
    let alone = digests(0..seeds());
    let split: Vec<String> = thread::scope(|scope| {
        let parts: Vec<_> = (0..4)
            .map(|part| scope.spawn(move || digests(part * seeds() / 4..(part + 1) * seeds() / 4)))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert_eq!(alone, split);
}

fn digests(seeds: std::ops::Range<u64>) -> Vec<String> {
    let mut world = world(QueueKind::Wheel);
    seeds
        .map(|seed| {
            let plan = world.draw(seed);
            let (outcome, events) = run(&mut world, &plan);
            format!("{outcome} {}", events.len())
        })
        .collect()
}

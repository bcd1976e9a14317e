//! How fast the simulated world is: events a second on one core, seeds a second, and virtual against real time.
//!
//! `cargo bench -p quorate-sim --bench world`

#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a benchmark looks at the clock"
)]

use std::hint::black_box;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use quorate_checkers::history::Builder;
use quorate_plan::{Durations, Plan, SystemPlan, Workload, WorldKind};
use quorate_sim::hunt::Hunter;
use quorate_sim::{Checks, QueueKind, simulator};
use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;

/// A register on five nodes, fifteen clients that never rest, a good network.
fn busy(time_limit_ms: u64) -> Plan {
    let system = SystemPlan { kind: "quorum".to_owned(), nodes: 5, options: [].into() };
    Plan {
        workload: Workload { rate_per_s: 0, ..Workload::for_nodes(5) },
        durations: Durations { time_limit_ms, ..Durations::default() },
        ..Plan::new("bench", 1, WorldKind::Sim, system)
    }
}

/// One long run, with more and more of it looked at.
fn events(criterion: &mut Criterion) {
    let plan = busy(10_000);
    let mut world = simulator(SystemKind::Quorum, QueueKind::Wheel);
    let run = |world: &mut Box<dyn quorate_sim::Simulator>, checks| {
        world.run(&plan, Mutants::NONE, checks, &mut |_, _| Ok(())).expect("it runs")
    };
    let begun = Instant::now();
    let outcome = run(&mut world, Checks::ALL);
    let real = begun.elapsed();
    let steps = outcome.digest.steps;
    println!(
        "{steps} events, {} ms of virtual time in {} ms: {} times real time",
        outcome.virtual_us / 1_000,
        real.as_millis(),
        u128::from(outcome.virtual_us) / real.as_micros().max(1),
    );
    let mut group = criterion.benchmark_group("events");
    group.throughput(Throughput::Elements(steps)).sample_size(20);
    group.bench_function("bare", |bencher| {
        bencher.iter(|| black_box(run(&mut world, Checks::NONE)));
    });
    group.bench_function("digest and history", |bencher| {
        let checks = Checks { digest: true, invariants: false };
        bencher.iter(|| {
            let mut history = Builder::new();
            let outcome = world.run(&plan, Mutants::NONE, checks, &mut |time, what| {
                history.push(time, what).map(|_| ()).map_err(|error| error.to_string())
            });
            black_box((outcome.expect("it runs"), history.finish()))
        });
    });
    group.bench_function("digest and invariants", |bencher| {
        bencher.iter(|| black_box(run(&mut world, Checks::ALL)));
    });
    let mut heap = simulator(SystemKind::Quorum, QueueKind::Heap);
    group.bench_function("digest and invariants, with a heap for a queue", |bencher| {
        bencher.iter(|| black_box(run(&mut heap, Checks::ALL)));
    });
    group.finish();
}

/// Many short runs: drawn from seeds, run, and judged.
fn seeds(criterion: &mut Criterion) {
    const SEEDS: u64 = 200;
    let mut group = criterion.benchmark_group("seeds");
    group.throughput(Throughput::Elements(SEEDS)).sample_size(20);
    let mut world = simulator(SystemKind::Quorum, QueueKind::Wheel);
    let plan = {
        // As busy as it takes for about 400 events.
        let mut plan = busy(12);
        plan.workload.clients = 3;
        plan
    };
    let steps = world.run(&plan, Mutants::NONE, Checks::ALL, &mut |_, _| Ok(())).expect("it runs");
    let name = format!("of {} events, digest and invariants", steps.digest.steps);
    group.bench_function(BenchmarkId::new("one plan", name), |bencher| {
        bencher.iter(|| {
            for seed in 0..SEEDS {
                let plan = Plan { seed, ..plan.clone() };
                let outcome = world.run(&plan, Mutants::NONE, Checks::ALL, &mut |_, _| Ok(()));
                black_box(outcome.expect("it runs"));
            }
        });
    });
    group.bench_function("drawn", |bencher| {
        bencher.iter(|| (0..SEEDS).for_each(|seed| drop(black_box(world.draw(seed)))));
    });
    let mut hunter = Hunter::new(SystemKind::Quorum);
    group.bench_function("drawn, run and judged", |bencher| {
        bencher.iter(|| {
            for seed in 0..SEEDS {
                black_box(hunter.try_seed(seed, Mutants::NONE).expect("it runs"));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, events, seeds);
criterion_main!(benches);

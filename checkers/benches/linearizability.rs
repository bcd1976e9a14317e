//! How fast histories of one busy object are judged, by family (`benches/families`); the big ones are in the example
//! `families`.
//!
//! `cargo bench -p quorate-checkers`

mod families;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use families::drawn;
use quorate_checkers::linearizability::Budget;
use quorate_checkers::model::by_name;

/// Families with their clients and operations.
const CASES: &[(&str, usize, usize)] = &[
    ("u", 20, 1_000),
    ("f", 20, 1_000),
    ("k", 20, 1_000),
    ("u", 100, 10_000),
    ("f", 100, 10_000),
    ("k", 50, 10_000),
    ("ub", 20, 1_000),
    ("fb", 10, 1_000),
    ("kb", 10, 1_000),
    ("up10", 5, 1_000),
    ("ubp10", 5, 1_000),
    ("kbp3", 5, 1_000),
    ("queue", 100, 10_000),
    ("queueb", 100, 10_000),
    ("stack", 100, 10_000),
    ("stackb", 100, 10_000),
    ("heap", 100, 10_000),
    ("heapb", 100, 10_000),
    ("elements", 100, 10_000),
    ("elementsb", 100, 10_000),
    ("queuep3", 5, 1_000),
];

fn check(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check");
    group.sample_size(20);
    for (name, clients, count) in CASES {
        let (model, operations) = drawn(name, *clients, *count).expect("a family");
        let model = by_name(model).expect("a model");
        group.throughput(Throughput::Elements(*count as u64));
        let id = BenchmarkId::new(*name, format!("{clients}x{count}"));
        group.bench_function(id, |bencher| {
            bencher.iter(|| black_box(model.check(&operations, Budget::default())));
        });
    }
    group.finish();
}

criterion_group!(benches, check);
criterion_main!(benches);

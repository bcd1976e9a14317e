//! How long a page takes to make, and how large it is: `cargo bench -p quorate-reports`.

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use support::long;

#[expect(clippy::print_stdout, reason = "a size is no time")]
fn pages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("page");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2));
    for wanted in [10_000, 100_000, 1_000_000] {
        let specimen = long(wanted);
        let operations = specimen.results.statistics.all.invoked;
        let bytes = specimen.page().len();
        println!("{operations} operations: {} kB", bytes / 1_000);
        group.throughput(Throughput::Elements(operations));
        group.bench_function(wanted.to_string(), |bencher| {
            bencher.iter(|| black_box(specimen.page().len()));
        });
    }
    group.finish();
}

criterion_group!(benches, pages);
criterion_main!(benches);

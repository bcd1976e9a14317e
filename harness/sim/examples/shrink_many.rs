//! Shrinks the first plans that each planted bug fails, and says what came of them, in a table:
//! `cargo run --release -p quorate-sim --example shrink_many -- 100`
//!
//! The number is how many for each bug; all together on as many threads as there are processors. A shrunk plan is
//! judged by the hunt's own judge, which the shrinker does not use.
#![expect(clippy::print_stdout, reason = "it shows something")]
#![expect(clippy::disallowed_types, reason = "it measures how long things take")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use quorate_sim::hunt::Hunter;
use quorate_sim::shrink::{Size, Wanted, shrink};
use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};

/// What came of one plan.
struct Row {
    mutant: Mutant,
    seed: u64,
    took: Duration,
    tries: u64,
    after: Size,
    is_same: bool,
}

fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100);
    let jobs = Mutex::new(found(count).into_iter());
    let rows = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&jobs, &rows));
        }
    });
    print(&rows.into_inner().expect("nobody panicked"));
}

/// The first seeds that each planted bug fails, with the demand.
fn found(count: usize) -> Vec<(Mutant, u64, String)> {
    let mut hunter = Hunter::new(SystemKind::Quorum);
    let mut all = Vec::new();
    for mutant in Mutant::ALL {
        let mutants = Mutants(Some(*mutant));
        let finds = (0..).filter_map(|seed| {
            let found = hunter.try_seed(seed, mutants).expect("it runs").found?;
            Some((*mutant, seed, found))
        });
        all.extend(finds.take(count));
    }
    all
}

fn work(jobs: &Mutex<std::vec::IntoIter<(Mutant, u64, String)>>, rows: &Mutex<Vec<Row>>) {
    let mut hunter = Hunter::new(SystemKind::Quorum);
    loop {
        let job = jobs.lock().expect("nobody panicked").next();
        let Some((mutant, seed, demand)) = job else { return };
        let mutants = Mutants(Some(mutant));
        let plan = hunter.plan(seed);
        let began = Instant::now();
        let shrunk = shrink(&plan, mutants, &Wanted::Any, &mut |_| true).expect("it fails");
        let took = began.elapsed();
        let judged = hunter.try_plan(&shrunk.plan, mutants).expect("it runs").found;
        let is_same = shrunk.demand == demand && judged.as_ref() == Some(&demand);
        if !is_same {
            println!("{} seed {seed}: {demand} became {judged:?}", mutant.name());
        }
        let row = Row { mutant, seed, took, tries: shrunk.tries, after: shrunk.after, is_same };
        rows.lock().expect("nobody panicked").push(row);
    }
}

fn print(rows: &[Row]) {
    println!(
        "| bug | plans | same demand | time: median, worst | runs: median | operations: median, worst | faults and rules: median, worst | not calm | worst seed |\n|---|---|---|---|---|---|---|---|---|"
    );
    let mut by_mutant: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        by_mutant.entry(row.mutant.name()).or_default().push(row);
        by_mutant.entry("all").or_default().push(row);
    }
    for (name, rows) in by_mutant {
        let sorted = |of: &dyn Fn(&Row) -> u64| {
            let mut all: Vec<u64> = rows.iter().map(|row| of(row)).collect();
            all.sort_unstable();
            (all.get(all.len() / 2).copied().unwrap_or(0), all.last().copied().unwrap_or(0))
        };
        let ms = sorted(&|row| u64::try_from(row.took.as_millis()).unwrap_or(u64::MAX));
        let operations = sorted(&|row| row.after.operations);
        let harm = sorted(&|row| row.after.faults + row.after.rules);
        let same = rows.iter().filter(|row| row.is_same).count();
        let wild = rows.iter().filter(|row| !row.after.is_calm).count();
        let worst = rows
            .iter()
            .max_by_key(|row| row.after.operations.max(row.after.faults + row.after.rules));
        println!(
            "| {name} | {} | {same} | {} ms, {} ms | {} | {}, {} | {}, {} | {wild} | {} |",
            rows.len(),
            ms.0,
            ms.1,
            sorted(&|row| row.tries).0,
            operations.0,
            operations.1,
            harm.0,
            harm.1,
            worst.map_or(0, |row| row.seed),
        );
    }
}

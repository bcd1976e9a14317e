//! Seeds, drawn and run.

use std::collections::BTreeMap;

use quorate_sim::hunt::Hunter;
use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;

#[test]
fn the_correct_system_is_clean() {
    let mut hunter = Hunter::new(SystemKind::Quorum);
    let (mut steps, mut us) = (0, 0);
    let number = |name: &str, or: u64| std::env::var(name).map_or(or, |n| n.parse().unwrap());
    let mutants = std::env::var("QUORATE_MUTANT")
        .map_or(Mutants::NONE, |name| Mutants(Some(name.parse().unwrap())));
    let begun = std::time::Instant::now();
    let mut found: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for seed in number("QUORATE_FROM", 0)..number("QUORATE_SEEDS", 300) {
        let tried = hunter.try_seed(seed, mutants).unwrap();
        steps += tried.steps;
        us += tried.virtual_us;
        if let Some(what) = tried.found {
            found.entry(what).or_insert((seed, 0)).1 += 1;
        }
        assert!(!tried.undecided);
    }
    println!(
        "{steps} steps, {} s virtual, {} ms: {found:?}",
        us / 1_000_000,
        begun.elapsed().as_millis()
    );
}

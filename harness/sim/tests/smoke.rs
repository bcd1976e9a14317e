//! Seeds, drawn and run.

use quorate_sim::hunt::Hunter;
use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;

#[test]
fn the_correct_system_is_clean() {
    let mut hunter = Hunter::new(SystemKind::Quorum);
    let (mut steps, mut us) = (0, 0);
    let seeds = std::env::var("QUORATE_SEEDS").map_or(300, |n| n.parse().unwrap());
    for seed in 0..seeds {
        let tried = hunter.try_seed(seed, Mutants::NONE).unwrap();
        steps += tried.steps;
        us += tried.virtual_us;
        assert!(tried.found.is_none(), "seed {seed}: {:?}\n{:#?}", tried.found, hunter.plan(seed));
        assert!(!tried.undecided);
    }
    println!("{steps} steps, {us} us virtual");
}

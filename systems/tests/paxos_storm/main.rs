//! Multi-Paxos in a storm: a small world in virtual time, in which messages are lost, doubled, late and
//! overtake each other, links break one way or both, clocks run wrong within bounds, nodes crash and lose
//! what was not durable.
//!
//! What is watched: acceptors keep their word, what is decided is on the disks of a majority, every slot is
//! decided once, replicas execute the same history, each request takes effect once, leases exclude each
//! other, answers are those of the log in an order that keeps to real time, and after the storm everything
//! goes on. Each planted bug must show here: otherwise the watch proves nothing.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's tool may stop the test"
)]

mod watch;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use quorate_systems::contract::System;
use quorate_systems::mutant::Mutant;
use quorate_systems::paxos::{Paxos, Reads};

use world::World;

/// A planted bug must show within so many seeds.
const SEEDS_MAX: u64 = 1_000;

/// Too rare to be waited for: a script shows it.
const RARE: &str = "ordered-twice";

/// `FIRST=1000 SEEDS=5000 cargo test …` goes through other seeds, and more of them.
#[test]
fn in_any_storm_the_correct_system_keeps_its_promises() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (first, seeds) = (number("FIRST").unwrap_or(0), number("SEEDS").unwrap_or(200));
    let mut milestones = BTreeMap::from([(RARE, 0)]);
    for seed in first..first + seeds {
        let reached = run(seed, None).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        for name in reached {
            *milestones.entry(name).or_default() += 1;
        }
    }
    println!("{milestones:#?}");
    // What has never happened was never tested.
    for milestone in Paxos::vocabulary().milestones {
        assert!(milestones.contains_key(milestone.name), "{} never happened", milestone.name);
    }
}

#[test]
fn every_planted_bug_is_seen() {
    for mutant in Paxos::KIND.mutants() {
        let found = (0..SEEDS_MAX).find_map(|seed| Some((seed, run(seed, Some(mutant)).err()?)));
        let Some((seed, why)) = found else { panic!("{mutant} is not seen") };
        println!("{mutant} seed {seed}: {why}");
    }
}

/// With clocks that run fifteen times as wrong as the options allow for, leases overlap: the margins are what
/// keeps them apart, and the watch would see if they did not.
#[test]
fn clocks_beyond_their_bounds_break_leases() {
    let storm = |seed: u64| {
        let mut world = World::new(seed, None);
        if !matches!(world.config.reads, Reads::Lease(_)) {
            return None;
        }
        for node in &mut world.nodes {
            node.drift *= 15;
        }
        world.storm().err()
    };
    let found = (0..SEEDS_MAX).find_map(|seed| Some((seed, storm(seed)?)));
    let (seed, why) = found.expect("leases hold whatever clocks do");
    println!("seed {seed}: {why}");
    assert!(why.starts_with("P-I12"), "{why}");
}

#[test]
fn equal_seeds_make_equal_runs() {
    for seed in 0..5 {
        let trace = |seed| {
            let mut world = World::new(seed, None);
            world.is_traced = true;
            world.storm().unwrap();
            world.trace
        };
        let first = trace(seed);
        assert!(first.len() > 1_000, "much happens");
        assert_eq!(first, trace(seed));
    }
}

/// One run; a panic of a core is a finding as well. Milestones that were reached, or what was wrong.
fn run(seed: u64, mutant: Option<Mutant>) -> Result<BTreeSet<&'static str>, String> {
    let mut world = World::new(seed, mutant);
    let played = catch_unwind(AssertUnwindSafe(|| world.storm()));
    match played {
        Ok(Ok(())) => Ok(world.milestones),
        Ok(Err(why)) => Err(why),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()));
            Err(format!("panic: {}", text.unwrap_or_default()))
        }
    }
}

//! Inputs to begin with: every sort of cluster, of fault and of rule once, each in a run that is otherwise plain.

use std::collections::BTreeSet;

use quorate_plan::{FaultClass, WorkloadKind};
use quorate_systems::contract::{Options, System};
use quorate_systems::mutant::Mutants;
use quorate_world::weather;

use super::bytes::{DICE_LEN, Head, Parts, Record, dice};
use crate::Seed;
use crate::commands::workloads;

/// So many strings of dice are looked at for what is wanted.
const DICE: u64 = 2_000;

/// Two clients or more, two operations each.
const HEAD: Head = Head { seed: 1, delay: 1, ranks: 0, rough: 0, load: 0b1_0001, end: 0, reads: 0 };

/// What rules do, in the order of the choices of their records.
const ACTS: [&str; 6] = ["drop", "delay", "duplicate", "corrupt", "hold", "hold-until"];

pub(super) fn seeds<S: System>() -> Vec<Seed> {
    let mut seeds = clusters::<S>();
    seeds.extend(kinds::<S>());
    seeds.extend(FaultClass::ALL.iter().zip(0..).map(|(class, choice)| fault::<S>(*class, choice)));
    let plain = thrown::<S>(|_, _, _| true);
    seeds.extend(ACTS.iter().zip(0..).map(|(act, choice)| {
        let rule = Record([choice << 4 | 0xA, 200, 2, 1, 13, 128, 0, 1]);
        seed(&format!("rule-{act}"), plain.clone(), vec![rule, WRITE, READ])
    }));
    seeds
}

const WRITE: Record = Record([0, 1, 0, 0, 0, 0, 0, 0]);
const READ: Record = Record([1 << 4, 0, 0, 0, 0, 0, 0, 0]);

/// One for each word that an option of a drawn cluster can have.
fn clusters<S: System>() -> Vec<Seed> {
    let mut words = BTreeSet::new();
    let mut seeds = Vec::new();
    for n in 0..DICE {
        let thrown = throw(n);
        let (_, options) = S::draw_cluster(&mut dice(&thrown));
        let is_word = |value: &str| value.starts_with(|first: char| first.is_ascii_alphabetic());
        let new: Vec<_> = options
            .into_iter()
            .filter(|(_, value)| is_word(value))
            .filter(|option| words.insert(option.clone()))
            .map(|(name, value)| format!("{name}-{value}"))
            .collect();
        if !new.is_empty() {
            seeds.push(seed(&format!("cluster-{}", new.join("-")), thrown, Vec::new()));
        }
    }
    seeds
}

/// One for each workload that there is: some operations that follow from the seed, and one of each sort.
fn kinds<S: System>() -> Vec<Seed> {
    let kinds = workloads(S::vocabulary()).zip(0_u8..);
    let seed = |(kind, place): (WorkloadKind, u8)| {
        let head = Head { load: HEAD.load | 0b1_0000 | place << 5, ..HEAD };
        let changes = (0..4).map(|choice| Record([choice << 4, 1 | choice << 2, 0, 0, 0, 0, 0, 0]));
        let records = changes.chain([READ]).collect();
        let bytes = Parts { head, dice: thrown::<S>(|_, _, _| true), records }.to_bytes();
        Seed { name: format!("workload-{}", kind.name()), bytes }
    };
    kinds.map(seed).collect()
}

/// The place of [`FaultClass::Byzantine`] among all classes.
const BYZANTINE: u8 = 14;

/// One in which a fault of this class comes while clients are at work.
fn fault<S: System>(class: FaultClass, choice: u8) -> Seed {
    let thrown = thrown::<S>(|nodes, options, config| match class {
        FaultClass::Byzantine => S::liars_tolerated(config) > 0,
        FaultClass::ByzantineClients => !S::client_lies(config).is_empty(),
        FaultClass::Reconfigure => S::draw_change(config, &mut dice(&[1, 2, 3, 4])).is_some(),
        // Where nothing is on disk, bad disks are no matter.
        _ if class.is_of_disk() && S::forgetting_tolerated(config).is_some() => false,
        _ => nodes > 2 && !options.is_empty(),
    });
    // There is no room for a class more: clients lie in place of nodes, for some choices.
    let (choice, how) = match class {
        FaultClass::ByzantineClients => (BYZANTINE, u8::MAX),
        _ => (choice, 1),
    };
    let record = Record([choice << 4 | 0x5, 2, 2, 8, how, 0, 0, 0]);
    seed(&format!("fault-{class}"), thrown, vec![record, WRITE, READ])
}

/// Dice that make a cluster as it is wanted.
fn thrown<S: System>(wanted: impl Fn(u16, &Options, &S::Config) -> bool) -> Vec<u8> {
    let makes = |thrown: &Vec<u8>| {
        let (nodes, options) = S::draw_cluster(&mut dice(thrown));
        let config = S::configure(nodes, &options, Mutants::NONE);
        config.is_ok_and(|config| wanted(nodes, &options, &config))
    };
    (0..DICE).map(throw).find(makes).unwrap_or_default()
}

fn throw(n: u64) -> Vec<u8> {
    let words = (0..DICE_LEN as u64 / 8).map(|word| weather::draw(n, "seeds", &[word]));
    words.flat_map(u64::to_le_bytes).collect()
}

fn seed(name: &str, dice: Vec<u8>, records: Vec<Record>) -> Seed {
    let bytes = Parts { head: HEAD, dice, records }.to_bytes();
    Seed { name: name.to_owned(), bytes }
}

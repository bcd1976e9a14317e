//! A storm: a small world in virtual time, in which messages are lost, doubled, late and overtake each other,
//! links break one way or both, clocks run wrong within bounds, nodes crash and lose what was not durable.
//!
//! What is watched: acceptors keep their word, what is decided is on the disks of a majority, every slot is
//! decided once, replicas execute the same history, each request takes effect once, leases exclude each
//! other, what is known to be committed stays known, answers are those of the log in an order that keeps to real time, and after the storm everything
//! goes on. Each planted bug must show here: otherwise the watch proves nothing.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test's tool may stop the test, and tell what it saw"
)]
#![allow(dead_code, unused_imports, reason = "each storm uses its own part")]

#[path = "../support/dice.rs"]
mod dice;
mod watch;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Display};
use std::panic::{AssertUnwindSafe, catch_unwind};

use quorate_systems::contract::{ClientId, NodeId, Options, System};
use quorate_systems::mutant::Mutant;
use quorate_systems::paxos::Entry;
use quorate_systems::smr::{Chain, RequestNumber, Slot};

pub(crate) use dice::Dice;
pub(crate) use world::{DRIFT_PPM, World};

/// A planted bug must show within so many seeds.
pub(crate) const SEEDS_MAX: u64 = 1_000;

/// A system that stands a storm. What numbers attempts to lead, ballots or views, is called a ballot here.
pub(crate) trait Stormy: System {
    /// What numbers attempts to lead; the default stands before every attempt.
    type Number: Copy + Ord + Default + Display + Debug;
    /// Milestones that are too rare to be waited for: scripts show them.
    const RARE: &'static [&'static str];
    /// Planted bugs that so few storms bring to light that scripts must show them.
    const UNSEEN: &'static [Mutant] = &[];

    /// How many nodes there are, each as often as it stands here.
    const SIZES: &'static [u16] = &[3, 3, 3, 3, 5, 5, 5, 4, 2, 7];

    /// So long after the storm, in microseconds, everything that is asked must be answered.
    const PATIENCE: u64;

    /// So long after everybody has been answered, in microseconds, what was answered early is executed as well.
    const GRACE: u64 = 0;

    /// Options for one storm, such that the planted bug can show.
    fn draw_options(dice: &mut Dice, nodes: u16, mutant: Option<Mutant>) -> Options;

    /// Messages of which kind are late more often than others.
    fn draw_slow(dice: &mut Dice, options: &Options, mutant: Option<Mutant>) -> &'static str;

    /// What an observation means.
    fn seen(observation: &Self::Observation) -> Seen<'_, Self::Number>;

    /// Who leads from now on, where more than the leader itself says that.
    fn leader(_config: &Self::Config, _observation: &Self::Observation) -> Option<NodeId> {
        None
    }

    /// What a record keeps.
    fn kept(record: &Self::Record) -> Kept<'_, Self::Number>;

    /// The ballot that a node vows by this message to accept nothing below.
    fn vow(message: &Self::Message) -> Option<Self::Number>;

    /// Whether a node keeps its vows over a restart.
    fn keeps_vows(_config: &Self::Config) -> bool {
        true
    }

    /// Whether what counts as decided is on disks at all.
    fn is_durable(_config: &Self::Config) -> bool {
        true
    }

    /// Whether a node executes what is decided.
    fn executes(_config: &Self::Config, _node: NodeId) -> bool {
        true
    }

    /// Whether these records hold an entry that was decided in this ballot.
    fn holds(records: &[Self::Record], slot: Slot, ballot: Self::Number, entry: u64) -> bool {
        records.iter().any(|record| match Self::kept(record) {
            Kept::Accepted { slot: at, ballot: accepted, entry: held } => {
                at == slot && accepted >= ballot && held.digest() == entry
            }
            Kept::Decided { slot: at, entry: held } => at == slot && held.digest() == entry,
            Kept::Snapshot { index } => index >= slot,
            Kept::Other => false,
        })
    }

    /// The log that these records come to, where decisions are told by their slots alone.
    fn log_in(_records: &[Self::Record]) -> BTreeMap<Slot, u64> {
        BTreeMap::new()
    }

    /// What a node has left on its disk that went on with a damaged record: nothing from there on.
    fn go_on_without(records: &mut Vec<Self::Record>, place: usize) {
        records.truncate(place);
    }
}

/// What the watch looks at.
#[derive(Clone, Copy)]
pub(crate) enum Seen<'a, N> {
    BallotUsed {
        ballot: N,
    },
    Promised {
        ballot: N,
    },
    Elected,
    Proposed {
        ballot: N,
        slot: Slot,
        entry: u64,
    },
    Accepted {
        ballot: N,
    },
    Decided {
        ballot: N,
        slot: Slot,
        entry: u64,
    },
    Learned {
        slot: Slot,
        entry: u64,
    },
    Executed {
        slot: Slot,
        chain: Chain,
        request: Option<(ClientId, RequestNumber)>,
        is_first: bool,
    },
    /// Several requests share a slot, each with whether it took effect now.
    ExecutedBatch {
        slot: Slot,
        chain: Chain,
        requests: &'a [(ClientId, RequestNumber, bool)],
    },
    SnapshotTaken {
        index: Slot,
        chain: Chain,
    },
    SnapshotInstalled {
        index: Slot,
        chain: Chain,
    },
    LeaseTaken {
        ballot: N,
        micros: u64,
    },
    SteppedDown,
    /// A node has left all lower ballots, and leads in none.
    Left,
    /// A node takes part in a ballot.
    Entered {
        ballot: N,
    },
    /// A node's log is now, after this slot, these entries, and so much of it is decided.
    Adopted {
        after: Slot,
        entries: &'a [(N, u64)],
        commit: Slot,
    },
    /// What the node's log has in this slot is decided.
    Committed {
        ballot: N,
        slot: Slot,
    },
    /// What the node's log has up to here is decided.
    LearnedUpTo {
        commit: Slot,
    },
    Other,
}

/// What a disk holds.
pub(crate) enum Kept<'a, N> {
    Accepted { slot: Slot, ballot: N, entry: &'a Entry },
    Decided { slot: Slot, entry: &'a Entry },
    Snapshot { index: Slot },
    Other,
}

/// `FIRST=1000 SEEDS=5000 cargo test …` goes through other seeds, and more of them.
pub(crate) fn keeps_its_promises<S: Stormy>() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (first, seeds) = (number("FIRST").unwrap_or(0), number("SEEDS").unwrap_or(100));
    let mut milestones: BTreeMap<_, u64> = S::RARE.iter().map(|name| (*name, 0)).collect();
    let mut slowest = (0, 0);
    for seed in first..first + seeds {
        let run = run::<S>(seed, None);
        let (reached, healing) = run.unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        slowest = slowest.max((healing, seed));
        for name in reached {
            *milestones.entry(name).or_default() += 1;
        }
    }
    println!("{milestones:#?}");
    println!("the slowest to be well after the storm: {} us, seed {}", slowest.0, slowest.1);
    // What has never happened was never tested.
    for milestone in S::vocabulary().milestones {
        assert!(milestones.contains_key(milestone.name), "{} never happened", milestone.name);
    }
}

pub(crate) fn every_planted_bug_is_seen<S: Stormy>() {
    let mut unseen = Vec::new();
    for mutant in S::KIND.mutants().filter(|mutant| !S::UNSEEN.contains(mutant)) {
        let found =
            (0..SEEDS_MAX).find_map(|seed| Some((seed, run::<S>(seed, Some(mutant)).err()?)));
        match found {
            Some((seed, why)) => println!("{mutant} seed {seed}: {why}"),
            None => unseen.push(mutant),
        }
    }
    assert!(unseen.is_empty(), "not seen: {unseen:?}");
}

pub(crate) fn equal_seeds_make_equal_runs<S: Stormy>() {
    for seed in 0..5 {
        let trace = |seed| {
            let mut world = World::<S>::new(seed, None);
            world.is_traced = true;
            world.storm().unwrap();
            world.trace
        };
        let first = trace(seed);
        assert!(first.len() > 1_000, "much happens");
        assert_eq!(first, trace(seed));
    }
}

/// One run; a panic of a core is a finding as well. Milestones that were reached and how long the healing
/// took, or what was wrong.
fn run<S: Stormy>(
    seed: u64,
    mutant: Option<Mutant>,
) -> Result<(BTreeSet<&'static str>, u64), String> {
    let mut world = World::<S>::new(seed, mutant);
    let played = catch_unwind(AssertUnwindSafe(|| world.storm()));
    match played {
        Ok(Ok(())) => {
            let healing = world.healing();
            Ok((world.milestones, healing))
        }
        Ok(Err(why)) => Err(why),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()));
            Err(format!("panic: {}", text.unwrap_or_default()))
        }
    }
}

//! Multi-Paxos in a storm: see `storm`, which says what is watched there.

#[path = "../storm/mod.rs"]
mod storm;

use quorate_systems::contract::Options;
use quorate_systems::mutant::Mutant;
use quorate_systems::paxos::{Ballot, Message, Observation, Paxos, Reads, Record};

use storm::{DRIFT_PPM, Dice, Kept, SEEDS_MAX, Seen, Stormy, World};

impl Stormy for Paxos {
    type Number = Ballot;
    const RARE: &'static [&'static str] = &["ordered-twice"];
    const PATIENCE: u64 = 20_000_000;

    fn draw_options(dice: &mut Dice, _nodes: u16, _mutant: Option<Mutant>) -> Options {
        let mut options = Options::new();
        let reads = dice.of(&["log", "read-index", "lease", "lease"]);
        options.insert("reads".into(), reads.into());
        if reads == "lease" {
            options.insert("lease_ms".into(), dice.of(&["200", "400", "800"]).into());
            options.insert("drift_ppm".into(), DRIFT_PPM.to_string());
        }
        options.insert("window".into(), dice.of(&["1", "2", "8", "64"]).into());
        options.insert("snapshot_every".into(), dice.of(&["1", "3", "20", "1000", "1000"]).into());
        options
    }

    fn draw_slow(dice: &mut Dice, options: &Options, _mutant: Option<Mutant>) -> &'static str {
        match options.get("reads").map(String::as_str) {
            Some("lease") => dice.of(&["", "P2A", "HEARTBEAT_OK", "HEARTBEAT_OK"]),
            _ => dice.of(&["", "P1A", "P2A", "P2A"]),
        }
    }

    fn seen(observation: &Observation) -> Seen<'_, Ballot> {
        match *observation {
            Observation::BallotUsed { ballot, .. } => Seen::BallotUsed { ballot },
            Observation::Promised { ballot, .. } => Seen::Promised { ballot },
            Observation::Elected { .. } => Seen::Elected,
            Observation::Proposed { ballot, slot, entry, .. } => {
                Seen::Proposed { ballot, slot, entry }
            }
            Observation::Accepted { ballot, .. } => Seen::Accepted { ballot },
            Observation::Decided { ballot, slot, entry, .. } => {
                Seen::Decided { ballot, slot, entry }
            }
            Observation::Learned { slot, entry, .. } => Seen::Learned { slot, entry },
            Observation::Executed { slot, chain, request, is_first } => {
                Seen::Executed { slot, chain, request, is_first }
            }
            Observation::SnapshotTaken { index, chain, .. } => Seen::SnapshotTaken { index, chain },
            Observation::SnapshotInstalled { index, chain, .. } => {
                Seen::SnapshotInstalled { index, chain }
            }
            Observation::LeaseTaken { ballot, micros, .. } => Seen::LeaseTaken { ballot, micros },
            Observation::SteppedDown { .. } => Seen::SteppedDown,
            Observation::LeaseGranted { .. } | Observation::ReadServed { .. } => Seen::Other,
        }
    }

    fn kept(record: &Record) -> Kept<'_, Ballot> {
        match record {
            Record::Accepted { slot, ballot, entry } => {
                Kept::Accepted { slot: *slot, ballot: *ballot, entry }
            }
            Record::Decided { slot, entry } => Kept::Decided { slot: *slot, entry },
            Record::Snapshot { snapshot } => Kept::Snapshot { index: snapshot.index },
            Record::Promised { .. } => Kept::Other,
        }
    }

    fn vow(message: &Message) -> Option<Ballot> {
        match message {
            Message::P1b { ballot, .. } | Message::P2b { ballot, ok: true, .. } => Some(*ballot),
            _ => None,
        }
    }
}

#[test]
fn in_any_storm_the_correct_system_keeps_its_promises() {
    storm::keeps_its_promises::<Paxos>();
}

#[test]
fn every_planted_bug_is_seen() {
    storm::every_planted_bug_is_seen::<Paxos>();
}

#[test]
fn equal_seeds_make_equal_runs() {
    storm::equal_seeds_make_equal_runs::<Paxos>();
}

/// With clocks that run fifteen times as wrong as the options allow for, leases overlap: the margins are what
/// keeps them apart, and the watch would see if they did not.
#[test]
fn clocks_beyond_their_bounds_break_leases() {
    let storm = |seed: u64| {
        let mut world = World::<Paxos>::new(seed, None);
        if !matches!(world.config.reads, Reads::Lease(_)) {
            return None;
        }
        world.worsen_clocks(15);
        world.storm().err()
    };
    let found = (0..SEEDS_MAX).find_map(|seed| Some((seed, storm(seed)?)));
    let (seed, why) = found.expect("leases hold whatever clocks do");
    println!("seed {seed}: {why}");
    assert!(why.starts_with("P-I12"), "{why}");
}

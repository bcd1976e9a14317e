//! Paxos for System Builders in a storm: see `storm`, which says what is watched there.

#[path = "../storm/mod.rs"]
mod storm;

use quorate_systems::contract::Options;
use quorate_systems::mutant::Mutant;
use quorate_systems::psb::{Message, Observation, Psb, Record, View};

use storm::{Dice, Kept, Seen, Stormy};

impl Stormy for Psb {
    type Number = View;
    const RARE: &'static [&'static str] = &[];
    const PATIENCE: u64 = 6_000_000;

    fn draw_options(dice: &mut Dice, _nodes: u16, _mutant: Option<Mutant>) -> Options {
        let mut options = Options::new();
        options.insert("window".into(), dice.of(&["1", "2", "8", "64"]).into());
        options.insert("snapshot_every".into(), dice.of(&["1", "3", "20", "1000", "1000"]).into());
        options.insert("progress_ms".into(), dice.of(&["100", "300"]).into());
        options
    }

    fn draw_slow(dice: &mut Dice, _options: &Options, _mutant: Option<Mutant>) -> &'static str {
        dice.of(&["", "Proposal", "Accept", "Prepare"])
    }

    fn seen(observation: &Observation) -> Seen<'_, View> {
        match *observation {
            Observation::BallotUsed { view, .. } => Seen::BallotUsed { ballot: view },
            Observation::Promised { view, .. } => Seen::Promised { ballot: view },
            Observation::Elected { .. } => Seen::Elected,
            Observation::Proposed { view, slot, entry, .. } => {
                Seen::Proposed { ballot: view, slot, entry }
            }
            Observation::Accepted { view, .. } => Seen::Accepted { ballot: view },
            Observation::Decided { view, slot, entry, .. } => {
                Seen::Decided { ballot: view, slot, entry }
            }
            Observation::Learned { slot, entry } => Seen::Learned { slot, entry },
            Observation::Executed { slot, chain, request, is_first } => {
                Seen::Executed { slot, chain, request, is_first }
            }
            Observation::SnapshotTaken { index, chain, .. } => Seen::SnapshotTaken { index, chain },
            Observation::SnapshotInstalled { index, chain, .. } => {
                Seen::SnapshotInstalled { index, chain }
            }
            Observation::SteppedDown { .. } => Seen::SteppedDown,
        }
    }

    fn kept(record: &Record) -> Kept<'_, View> {
        match record {
            Record::Accepted { slot, view, entry } => {
                Kept::Accepted { slot: *slot, ballot: *view, entry }
            }
            Record::Ordered { slot, entry } => Kept::Decided { slot: *slot, entry },
            Record::Snapshot { snapshot } => Kept::Snapshot { index: snapshot.index },
            Record::Installed { .. } | Record::Pending { .. } => Kept::Other,
        }
    }

    fn vow(message: &Message) -> Option<View> {
        match message {
            Message::PrepareOk { view, .. } | Message::Accept { view, .. } => Some(*view),
            _ => None,
        }
    }
}

#[test]
fn in_any_storm_the_correct_system_keeps_its_promises() {
    storm::keeps_its_promises::<Psb>();
}

#[test]
fn every_planted_bug_is_seen() {
    storm::every_planted_bug_is_seen::<Psb>();
}

#[test]
fn equal_seeds_make_equal_runs() {
    storm::equal_seeds_make_equal_runs::<Psb>();
}

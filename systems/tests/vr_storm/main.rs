//! Viewstamped Replication in a storm: see `storm`, which says what is watched there.

#[path = "../storm/mod.rs"]
mod storm;

use std::collections::BTreeMap;

use quorate_systems::contract::{NodeId, Options};
use quorate_systems::mutant::Mutant;
use quorate_systems::smr::Slot;
use quorate_systems::vr::{
    Config, Entry, Message, Observation, Persistence, Record, Status, View, Vr,
};

use storm::{DRIFT_PPM, Dice, Kept, SEEDS_MAX, Seen, Stormy, World};

impl Stormy for Vr {
    type Number = View;
    const RARE: &'static [&'static str] =
        &["ordered-twice", "epoch-ended", "epoch-joined", "epoch-left"];
    const UNSEEN: &'static [Mutant] = &[Mutant::V06, Mutant::V07, Mutant::V16];
    const PATIENCE: u64 = 20_000_000;
    const GRACE: u64 = 1_000_000;

    fn draw_options(dice: &mut Dice, nodes: u16, mutant: Option<Mutant>) -> Options {
        let mut options = Options::new();
        let mut set = |name: &str, value: &str| options.insert(name.into(), value.into());
        let disks = ["durable", "durable", "durable-view", "crash-vector"];
        let persistence = match mutant {
            _ if nodes < 3 => "durable",
            None => dice.of(&disks),
            Some(_) => "durable",
        };
        set("persistence", persistence);
        let has_witnesses = match mutant {
            None => persistence == "durable" && dice.below(4) == 0,
            Some(mutant) => mutant == Mutant::V27,
        };
        if has_witnesses && nodes > 2 {
            set("witnesses", "yes");
        }
        let replies = match mutant {
            Some(Mutant::V25 | Mutant::V26) => "prepare",
            _ => dice.of(&["commit", "prepare"]),
        };
        set("replies", replies);
        let reads = match mutant {
            None => dice.of(&["log", "lease"]),
            // Leases keep views from changing.
            Some(Mutant::V24 | Mutant::V26) => "lease",
            Some(_) => "log",
        };
        set("reads", reads);
        if reads == "lease" {
            // A lease that outlasts the patience of backups is one that they must wait out.
            let is_long = mutant == Some(Mutant::V24);
            set("lease_ms", if is_long { "1000" } else { dice.of(&["100", "300", "600"]) });
            set("drift_ppm", &DRIFT_PPM.to_string());
        }
        set("window", dice.of(&["1", "2", "8", "64"]));
        set("checkpoint_every", dice.of(&["1", "3", "20", "1000", "1000"]));
        options
    }

    fn draw_slow(dice: &mut Dice, options: &Options, mutant: Option<Mutant>) -> &'static str {
        match mutant {
            Some(Mutant::V10 | Mutant::V31) => return "STARTVIEW",
            Some(Mutant::V02 | Mutant::V03) => return "NEWSTATE",
            Some(Mutant::V25) => return "PREPARE",
            _ => {}
        }
        let is = |name: &str, value: &str| options.get(name).is_some_and(|is| is == value);
        if !is("persistence", "durable") {
            return dice.of(&["", "RECOVERYRESPONSE", "DOVIEWCHANGE", "STARTVIEWCHANGE"]);
        }
        if is("reads", "lease") {
            return dice.of(&["", "COMMIT_OK", "PREPAREOK", "PREPARE"]);
        }
        dice.of(&["", "PREPARE", "PREPARE", "PREPAREOK", "STARTVIEW", "DOVIEWCHANGE", "NEWSTATE"])
    }

    fn seen(observation: &Observation) -> Seen<'_, View> {
        match *observation {
            Observation::Status { status: Status::Normal, view, .. } => {
                Seen::Entered { ballot: view }
            }
            Observation::Status { .. } => Seen::Left,
            Observation::Appended { view, op, entry, .. } => {
                Seen::Proposed { ballot: view, slot: op, entry }
            }
            Observation::Adopted { after, ref entries, commit, .. } => {
                Seen::Adopted { after, entries, commit }
            }
            Observation::ViewStarted { .. } => Seen::Elected,
            Observation::Committed { view, op, .. } => Seen::Committed { ballot: view, slot: op },
            Observation::Learned { commit, .. } => Seen::LearnedUpTo { commit },
            Observation::Executed { op, chain, request, is_first } => {
                Seen::Executed { slot: op, chain, request: Some(request), is_first }
            }
            Observation::CheckpointTaken { index, chain, .. } => {
                Seen::SnapshotTaken { index, chain }
            }
            Observation::CheckpointInstalled { index, chain, .. } => {
                Seen::SnapshotInstalled { index, chain }
            }
            Observation::LeaseTaken { view, micros, .. } => {
                Seen::LeaseTaken { ballot: view, micros }
            }
            Observation::Released { .. }
            | Observation::LeaseGranted { .. }
            | Observation::ReadServed { .. }
            | Observation::EpochEnded { .. }
            | Observation::Accepted { .. } => Seen::Other,
        }
    }

    fn kept(record: &Record) -> Kept<'_, View> {
        match record {
            Record::Adopted { snapshot: Some(snapshot), .. } | Record::Checkpoint { snapshot } => {
                Kept::Snapshot { index: snapshot.index }
            }
            Record::Adopted { snapshot: None, .. }
            | Record::Prepared { .. }
            | Record::View { .. }
            | Record::Held { .. }
            | Record::Epoch { .. } => Kept::Other,
        }
    }

    fn vow(message: &Message) -> Option<View> {
        match message {
            Message::PrepareOk { view, .. } | Message::DoViewChange { view, .. } => Some(*view),
            _ => None,
        }
    }

    fn keeps_vows(config: &Config) -> bool {
        match config.persistence {
            Persistence::Durable | Persistence::DurableView => true,
            Persistence::CrashVector | Persistence::Paper => false,
        }
    }

    fn is_durable(config: &Config) -> bool {
        config.persistence == Persistence::Durable
    }

    fn executes(config: &Config, node: NodeId) -> bool {
        !config.has_witnesses || config.members.actives().contains(node)
    }

    fn holds(records: &[Record], slot: Slot, _view: View, entry: u64) -> bool {
        records.iter().rev().find_map(|record| stands(record, slot, entry)).unwrap_or(false)
    }

    fn log_in(records: &[Record]) -> BTreeMap<Slot, u64> {
        let mut disk = Disk::default();
        for record in records {
            disk.read(record);
        }
        disk.log.into_iter().map(|(slot, entry)| (slot, entry.digest())).collect()
    }

    fn go_on_without(records: &mut Vec<Record>, place: usize) {
        records.remove(place);
    }
}

/// Whether this is what stands in a slot, by the last record that says so.
fn stands(record: &Record, slot: Slot, entry: u64) -> Option<bool> {
    match record {
        Record::Prepared { op, entry: held, .. } => (*op == slot).then(|| held.digest() == entry),
        Record::Adopted { state, snapshot, .. } => {
            let covered = snapshot.as_ref().map_or(Slot::ZERO, |snapshot| snapshot.index);
            if slot <= covered.max(state.held) {
                return Some(true);
            }
            let after = state.log.after;
            let place = usize::try_from(slot.since(after)).ok()?.checked_sub(1)?;
            let held = state.log.entries.get(place);
            Some(held.is_some_and(|held| held.entry.digest() == entry))
        }
        Record::Checkpoint { snapshot } => (slot <= snapshot.index).then_some(true),
        Record::Held { op } => (slot <= *op).then_some(true),
        Record::View { .. } | Record::Epoch { .. } => None,
    }
}

/// The log of a disk.
#[derive(Default)]
struct Disk<'a> {
    last: Slot,
    log: BTreeMap<Slot, &'a Entry>,
}

impl<'a> Disk<'a> {
    fn read(&mut self, record: &'a Record) {
        match record {
            Record::Prepared { op, entry, .. } if *op == self.last.next() => {
                self.last = *op;
                self.log.insert(*op, entry);
            }
            Record::Adopted { state, .. } => {
                let after = state.log.after;
                self.log.split_off(&after.next());
                let slots = (1..).map(|place| after.plus(place));
                self.log.extend(slots.zip(state.log.entries.iter().map(|logged| &logged.entry)));
                self.last = state.log.last();
            }
            Record::Checkpoint { snapshot } => self.last = self.last.max(snapshot.index),
            Record::Held { op } => self.last = self.last.max(*op),
            Record::Prepared { .. } | Record::View { .. } | Record::Epoch { .. } => {}
        }
    }
}

#[test]
fn in_any_storm_the_correct_system_keeps_its_promises() {
    storm::keeps_its_promises::<Vr>();
}

#[test]
fn every_planted_bug_is_seen() {
    storm::every_planted_bug_is_seen::<Vr>();
}

#[test]
fn equal_seeds_make_equal_runs() {
    storm::equal_seeds_make_equal_runs::<Vr>();
}

/// With clocks that run fifteen times as wrong as the options allow for, leases overlap: the margins are what
/// keeps them apart, and the watch would see if they did not.
#[test]
fn clocks_beyond_their_bounds_break_leases() {
    let storm = |seed: u64| {
        let mut world = World::<Vr>::new(seed, None);
        world.config.lease?;
        world.worsen_clocks(15);
        world.storm().err()
    };
    let found = (0..SEEDS_MAX).find_map(|seed| Some((seed, storm(seed)?)));
    let (seed, why) = found.expect("leases hold whatever clocks do");
    println!("seed {seed}: {why}");
    assert!(why.starts_with("P-I12"), "{why}");
}

//! Practical Byzantine Fault Tolerance in a storm: see `storm`, which says what is watched there. Nobody lies in it:
//! what a Byzantine replica can do is shown elsewhere.

#[path = "../storm/mod.rs"]
mod storm;

use std::collections::BTreeMap;

use quorate_systems::contract::{NodeId, Options};
use quorate_systems::mutant::Mutant;
use quorate_systems::pbft::{Body, Config, Digest, Message, Observation, Pbft, Record, View};
use quorate_systems::smr::Slot;

use storm::{Dice, Kept, Seen, Stormy};

impl Stormy for Pbft {
    type Number = View;
    const RARE: &'static [&'static str] = &[
        "ordered-twice",
        "equivocation-seen",
        "forged-request",
        "invalid-view-change",
        "invalid-new-view",
        "view-change-undecided",
        "reply-outvoted",
    ];
    /// Without a liar these change nothing.
    const UNSEEN: &'static [Mutant] = &[
        Mutant::B01,
        Mutant::B03,
        Mutant::B04,
        Mutant::B05,
        Mutant::B06,
        Mutant::B08,
        Mutant::B13,
        Mutant::B14,
        Mutant::B15,
        Mutant::B18,
        Mutant::B26,
        Mutant::B29,
        Mutant::B30,
        Mutant::B31,
    ];
    const SIZES: &'static [u16] = &[4, 4, 4, 4, 5, 6, 7, 3];
    const PATIENCE: u64 = 60_000_000;
    const GRACE: u64 = 3_000_000;

    fn draw_options(dice: &mut Dice, _nodes: u16, _mutant: Option<Mutant>) -> Options {
        let mut options = Options::new();
        let mut set = |name: &str, value: &str| options.insert(name.into(), value.into());
        set("authentication", dice.of(&["signatures", "hmac"]));
        set("reads", dice.of(&["log", "read-only"]));
        set("execution", dice.of(&["committed", "committed", "tentative"]));
        set("batch", dice.of(&["1", "2", "16"]));
        set("in_flight", dice.of(&["1", "2", "8"]));
        set("checkpoint_every", dice.of(&["1", "4", "4", "16", "128"]));
        set("timeout_ms", dice.of(&["200", "400"]));
        options
    }

    fn draw_slow(dice: &mut Dice, _options: &Options, _mutant: Option<Mutant>) -> &'static str {
        dice.of(&["", "PRE-PREPARE", "PREPARE", "COMMIT", "VIEW-CHANGE", "NEW-VIEW", "CHECKPOINT"])
    }

    fn seen(observation: &Observation) -> Seen<'_, View> {
        match observation {
            Observation::ViewLeft { .. } => Seen::Left,
            Observation::ViewEntered { view, .. } => Seen::Entered { ballot: *view },
            Observation::PrePrepared { view, seq, digest, .. } => {
                Seen::Proposed { ballot: *view, slot: *seq, entry: digest.short() }
            }
            Observation::Committed { view, seq, digest, .. } => {
                Seen::Decided { ballot: *view, slot: *seq, entry: digest.short() }
            }
            Observation::Learned { seq, digest, .. } => {
                Seen::Learned { slot: *seq, entry: digest.short() }
            }
            Observation::Executed { seq, chain, requests, .. } => {
                Seen::ExecutedBatch { slot: *seq, chain: *chain, requests }
            }
            Observation::StateInstalled { seq, chain, .. } => {
                Seen::SnapshotInstalled { index: *seq, chain: *chain }
            }
            Observation::Prepared { .. }
            | Observation::TentativelyExecuted { .. }
            | Observation::CheckpointTaken { .. }
            | Observation::CheckpointStable { .. }
            | Observation::ReadServed { .. }
            | Observation::Accepted { .. } => Seen::Other,
        }
    }

    fn leader(config: &Config, observation: &Observation) -> Option<NodeId> {
        match observation {
            Observation::ViewEntered { view, .. } => Some(config.primary(*view)),
            _ => None,
        }
    }

    fn kept(record: &Record) -> Kept<'_, View> {
        match record {
            Record::Stable { certificate, .. } => Kept::Snapshot { index: certificate.seq },
            Record::ViewLeft { .. }
            | Record::ViewEntered { .. }
            | Record::PrePrepared { .. }
            | Record::Fetched { .. }
            | Record::Prepared { .. }
            | Record::Committed { .. } => Kept::Other,
        }
    }

    fn vow(message: &Message) -> Option<View> {
        match &message.body {
            Body::Prepare { view, .. } | Body::Commit { view, .. } => Some(*view),
            Body::ViewChange(view_change) => Some(view_change.view),
            _ => None,
        }
    }

    fn holds(records: &[Record], slot: Slot, _view: View, entry: u64) -> bool {
        let is = |seq: &Slot, digest: &Digest| *seq == slot && digest.short() == entry;
        records.iter().any(|record| match record {
            Record::Prepared { seq, digest, .. } | Record::Committed { seq, digest } => {
                is(seq, digest)
            }
            Record::Stable { certificate, .. } => certificate.seq >= slot,
            Record::ViewLeft { .. }
            | Record::ViewEntered { .. }
            | Record::PrePrepared { .. }
            | Record::Fetched { .. } => false,
        })
    }

    fn log_in(_records: &[Record]) -> BTreeMap<Slot, u64> {
        BTreeMap::new()
    }
}

#[test]
fn in_any_storm_the_correct_system_keeps_its_promises() {
    storm::keeps_its_promises::<Pbft>();
}

#[test]
fn every_planted_bug_that_needs_no_liar_is_seen() {
    storm::every_planted_bug_is_seen::<Pbft>();
}

#[test]
fn equal_seeds_make_equal_runs() {
    storm::equal_seeds_make_equal_runs::<Pbft>();
}

//! Runs the scripts in `scripts/psb`: what happens, told line by line. Its README.md tells the commands.
//!
//! `REWRITE=1 cargo test -p quorate-systems --test psb_scripts` writes down what happens now.

#[path = "support/script.rs"]
mod script;
mod support;

use quorate_systems::contract::TimerId;
use quorate_systems::psb::{Psb, Record};
use script::Scripted;

const FOLDER: &str = "tests/scripts/psb";

/// The rules of A2.3, and the flaws that they mend, of which each has its script.
const SUBJECTS: &[&str] = &[
    "A0, at most once",
    "A2.3, durability",
    "A2.3, idle",
    "A2.3, leader election",
    "A2.3, ordering",
    "A2.3, prepare phase",
    "A2.3, reconciliation",
    "A2.3, responsible server",
    "A2.3, snapshots",
    "A2.3, window",
    "F-P10, holes",
    "F-P9, information without promise",
];

impl Scripted for Psb {
    const TIMERS: &'static [(&'static str, TimerId)] = &[
        ("progress", TimerId(0)),
        ("update", TimerId(1)),
        ("vc-proof", TimerId(2)),
        ("retransmit", TimerId(3)),
        ("fetch", TimerId(4)),
    ];

    fn in_words(record: &Record) -> Option<String> {
        Some(match record {
            Record::Installed { view } => format!("installed {view}"),
            Record::Accepted { slot, view, entry } => format!("{slot} {view} {entry}"),
            Record::Ordered { slot, entry } => format!("{slot} ordered {entry}"),
            Record::Pending { update } => format!("pending {}.{}", update.client, update.number),
            Record::Snapshot { snapshot } => format!("snapshot {}", snapshot.index),
        })
    }
}

#[test]
fn what_happens_is_what_is_written() {
    script::play_all::<Psb>(FOLDER);
}

#[test]
fn every_rule_has_its_script() {
    assert_eq!(script::subjects(FOLDER, &[':']), SUBJECTS);
}

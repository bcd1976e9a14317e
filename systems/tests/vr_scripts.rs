//! Runs the scripts in `scripts/vr`: what happens, told line by line. Its README.md tells the commands.
//!
//! `REWRITE=1 cargo test -p quorate-systems --test vr_scripts` writes down what happens now.

#[path = "support/script.rs"]
mod script;
mod support;

use quorate_systems::contract::{System, TimerId};
use quorate_systems::vr::{Record, Vr};
use script::Scripted;

const FOLDER: &str = "tests/scripts/vr";

/// The rules of A3, and the lecture's flaws that they mend, of which each has its script.
const SUBJECTS: &[&str] = &[
    "A0, at most once",
    "A0, in flight",
    "A0, relay",
    "A3.1, damaged records",
    "A3.2, durability",
    "A3.2, normal case",
    "A3.2, order of op-numbers",
    "A3.2, views",
    "A3.2, window",
    "A3.3, DOVIEWCHANGE carries the log",
    "A3.3, STARTVIEW",
    "A3.3, commit-number",
    "A3.3, pre-vote",
    "A3.3, retransmission",
    "A3.3, view change",
    "A3.4, durable view",
    "A3.4, nonce",
    "A3.4, recovery",
    "A3.5, checkpoints",
    "A3.5, late checkpoints",
    "A3.6, state transfer in the same view",
    "A3.6, state transfer to a higher view",
    "A3.6, two answers",
    "A3.7, client",
    "A3.7, leased reads",
    "A3.8, composition",
    "A3.8, replies at prepare",
    "A3.8, witnesses",
    "A3.9, a new first primary",
    "A3.9, checkpoint of the epoch before",
    "A3.9, handover after a restart",
    "A3.9, reconfiguration",
    "A3.9, the end of the epoch before",
    "F-V1",
    "F-V2",
    "F-V3",
    "F-V4",
    "F-V5",
    "F-V6",
    "F-V7",
    "F-V8",
    "F-V9",
];

impl Scripted for Vr {
    const TIMERS: &'static [(&'static str, TimerId)] = &[
        ("view", TimerId(0)),
        ("commit", TimerId(1)),
        ("resend", TimerId(2)),
        ("gap", TimerId(3)),
    ];

    fn in_words(record: &Record) -> Option<String> {
        match record {
            Record::View { view } => Some(format!("left all before {view}")),
            Record::Prepared { view, op, entry, .. } => Some(format!("{op} {view} {entry}")),
            Record::Adopted { view, state, snapshot } => {
                let snapshot = snapshot.as_ref();
                let covers = snapshot.map(|it| format!(" checkpoint {}", it.index));
                Some(format!("normal in {view}{} {state}", covers.unwrap_or_default()))
            }
            Record::Checkpoint { snapshot } => Some(format!("checkpoint {}", snapshot.index)),
            Record::Held { op } => Some(format!("released {op}")),
            Record::Epoch { view, op, old, new, is_normal, .. } => {
                let how = if *is_normal { "normal in" } else { "before" };
                Some(format!("{how} {view} of {new} after {op} of {old}"))
            }
        }
    }
}

#[test]
fn what_happens_is_what_is_written() {
    script::play_all::<Vr>(FOLDER);
}

#[test]
fn every_rule_has_its_script() {
    assert_eq!(script::subjects(FOLDER, &[':']), SUBJECTS);
}

/// A bug that no script plants may be one that harms nobody.
#[test]
fn every_planted_bug_has_its_schedule() {
    let scripts = script::scripts(FOLDER);
    let texts: Vec<String> =
        scripts.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for mutant in Vr::KIND.mutants() {
        let planted = format!("mutant={mutant}");
        assert!(texts.iter().any(|text| text.contains(&planted)), "{mutant}");
    }
}

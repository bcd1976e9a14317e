//! Runs the scripts in `scripts/paxos-single`: what happens, told line by line. `scripts/quorum/README.md` tells the
//! commands.
//!
//! `REWRITE=1 cargo test -p quorate-systems --test paxos_single_scripts` writes down what happens now.

#[path = "support/script.rs"]
mod script;
mod support;

use quorate_systems::contract::Value;
use quorate_systems::paxos_single::{Accepted, Message, PaxosSingle, Record};
use script::{Forged, Scripted};

const FOLDER: &str = "tests/scripts/paxos-single";

/// The rules and flaws of which each must have one script, and no script anything else.
const SUBJECTS: &[&str] = &[
    "A2.1", "B2", "F-P1", "F-P12", "F-P2", "F-P3", "F-P4", "F-P5", "F-P6", "F-P7", "F-P8", "F-P9",
    "Straw",
];

#[test]
fn what_happens_is_what_is_written() {
    script::play_all::<PaxosSingle>(FOLDER);
}

#[test]
fn every_rule_and_every_flaw_has_its_script() {
    assert_eq!(script::subjects(FOLDER, &[' ', ':']), SUBJECTS);
}

impl Scripted for PaxosSingle {
    fn in_words(record: &Record) -> Option<String> {
        Some(match record {
            Record::Promised { key, n } => format!("k{} promised {n}", key.0),
            Record::Accepted { key, n, value } => format!("k{} = {} @{n}", key.0, value.0),
        })
    }

    /// What a lying acceptor says of what it has accepted.
    fn forge(message: &mut Message, forged: Forged) -> bool {
        let Message::PrepareOk { n, accepted, .. } = message else { return false };
        let value = forged.value.map(|value| Accepted { n: *n, value: Value(value) });
        *accepted = value.or(*accepted);
        true
    }
}

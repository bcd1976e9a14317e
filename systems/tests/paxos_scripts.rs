//! Runs the scripts in `scripts/paxos`: what happens, told line by line. Its README.md tells the commands.
//!
//! `REWRITE=1 cargo test -p quorate-systems --test paxos_scripts` writes down what happens now.

#[path = "support/script.rs"]
mod script;
mod support;

use quorate_systems::contract::TimerId;
use quorate_systems::paxos::{Paxos, Record};
use script::{Scripted, Stage, complaint};

const FOLDER: &str = "tests/scripts/paxos";

/// The rules of A2.2, and the flaw that is one of leaders, of which each has its script.
const SUBJECTS: &[&str] = &[
    "A0, at most once",
    "A0, relay",
    "A2.2, catching up",
    "A2.2, commit index",
    "A2.2, durability",
    "A2.2, leases",
    "A2.2, phase 1",
    "A2.2, phase 2",
    "A2.2, read-index",
    "A2.2, snapshots",
    "A2.2, window",
    "F-P11",
];

impl Scripted for Paxos {
    const TIMERS: &'static [(&'static str, TimerId)] = &[
        ("election", TimerId(0)),
        ("heartbeat", TimerId(1)),
        ("retransmit", TimerId(2)),
        ("fetch", TimerId(3)),
    ];

    fn in_words(record: &Record) -> Option<String> {
        Some(match record {
            Record::Promised { ballot } => format!("promised {ballot}"),
            Record::Accepted { slot, ballot, entry } => format!("{slot} {ballot} {entry}"),
            Record::Decided { slot, entry } => format!("{slot} decided {entry}"),
            Record::Snapshot { snapshot } => format!("snapshot {}", snapshot.index),
        })
    }
}

#[test]
fn what_happens_is_what_is_written() {
    script::play_all::<Paxos>(FOLDER);
}

#[test]
fn every_rule_has_its_script() {
    assert_eq!(script::subjects(FOLDER, &[':']), SUBJECTS);
}

#[test]
fn what_cannot_be_played_is_refused() {
    let mut stage = Stage::<Paxos>::empty();
    let mut refuses = |line: &str| stage.line(line).unwrap_err();
    assert_eq!(refuses("invoke c0 read k0"), "there is no cluster yet");
    assert!(refuses("dance c0").starts_with("there is no command `dance`"));
    assert_eq!(refuses("cluster nodes=3 clients=1 mutant=Q01"), "there is no mutant Q01");
    stage.line("cluster nodes=3 clients=1").unwrap();
    let mut refuses = |line: &str| stage.line(line).unwrap_err();
    assert_eq!(refuses("deliver"), "nothing like that flies");
    assert_eq!(refuses("drop PING"), "there is no message `PING`");
    assert_eq!(refuses("timer n7"), "there is no n7");
    assert_eq!(refuses("timer n0 fetch"), "the fetch timer is not set");
    assert_eq!(refuses("status now"), "`now` means nothing here");
    assert_eq!(refuses("restart n0"), "n0 is up");
}

#[test]
fn a_script_without_expectations_is_refused() {
    assert_eq!(complaint("# A: b\n\nstatus\n----\nn0: nothing\n"), None);
    for text in ["# A\n", "status\n----\nn0\n", "# A\n\nstatus\n", "# A\n\nstatus\n----\n"] {
        assert!(complaint(text).is_some(), "{text}");
    }
}

//! Runs the scripts in `scripts/quorum`: what happens, told line by line. Its README.md tells the commands.
//!
//! `REWRITE=1 cargo test -p quorate-systems --test quorum_scripts` writes down what happens now.
#![expect(clippy::unwrap_used, reason = "a test's tool may stop the test")]

#[path = "support/script.rs"]
mod script;
mod support;

use quorate_systems::contract::Value;
use quorate_systems::quorum::{Message, Pair, Quorum, Record, WriteId};
use script::{Forged, Scripted, Stage, complaint};

const FOLDER: &str = "tests/scripts/quorum";

/// The rules and flaws of which each must have one script, and no script anything else.
const SUBJECTS: &[&str] = &[
    "A1.1", "A1.2", "A1.3", "A1.4", "F-Q1", "F-Q2", "F-Q3", "F-Q4", "F-Q5", "F-Q6", "F-Q7", "F-Q8",
];

#[test]
fn what_happens_is_what_is_written() {
    script::play_all::<Quorum>(FOLDER);
}

#[test]
fn every_rule_and_every_flaw_has_its_script() {
    assert_eq!(script::subjects(FOLDER, &[' ', ':']), SUBJECTS);
}

#[test]
fn what_cannot_be_played_is_refused() {
    let mut stage = Stage::<Quorum>::empty();
    let mut refuses = |line: &str| stage.line(line).unwrap_err();
    assert_eq!(refuses("invoke c0 read k0"), "there is no cluster yet");
    assert!(refuses("dance c0").starts_with("there is no command `dance`"));
    assert_eq!(refuses("cluster nodes=3 clients=1 mutant=Q99"), "there is no mutant Q99");
    let mut stage = Stage::<Quorum>::empty();
    stage.line("cluster nodes=3 clients=1").unwrap();
    let mut refuses = |line: &str| stage.line(line).unwrap_err();
    assert_eq!(refuses("deliver"), "nothing like that flies");
    assert_eq!(refuses("drop PING"), "there is no message `PING`");
    assert_eq!(refuses("timer n7"), "there is no n7");
    assert_eq!(refuses("status now"), "`now` means nothing here");
    assert_eq!(refuses("restart n0"), "n0 is up");
    assert_eq!(refuses("invoke c0 read"), "a key is missing, such as k0");
}

#[test]
fn a_script_without_expectations_is_refused() {
    assert_eq!(complaint("# A\n\nstatus\n----\nn0: nothing\n"), None);
    for text in [
        "# A\n",
        "status\n----\nn0\n",
        "# A\n\nstatus\n",
        "# A\n\nstatus\n----\n\nstatus\n----\nn0\n",
    ] {
        assert!(complaint(text).is_some(), "{text}");
    }
}

impl Scripted for Quorum {
    fn in_words(record: &Record) -> Option<String> {
        let write_of = |pair: &Pair| WriteId::of(pair.ts).unwrap();
        match record {
            Record::Stored { key, pair } => Some(format!("k{} = {pair}", key.0)),
            Record::Pending { write, key, t, .. } => {
                Some(format!("k{} waits for {write} t={t}", key.0))
            }
            Record::Committed { pair, .. } => Some(format!("{} committed", write_of(pair))),
            Record::Aborted { write } => Some(format!("{write} aborted")),
            Record::Refused { write } => Some(format!("{write} refused")),
            Record::Decided { pair, .. } => Some(format!("{} decided", write_of(pair))),
            Record::Configured { configuration } => Some(configuration.to_string()),
            Record::Clock { .. } | Record::Finished { .. } | Record::Forgotten { .. } => None,
        }
    }

    /// What a lying server says in place of its answer to a query.
    fn forge(message: &mut Message, forged: Forged) -> bool {
        let Message::QueryOk { pair, .. } = message else { return false };
        pair.value = forged.value.map(Value).or(pair.value);
        pair.ts.t = forged.t.unwrap_or(pair.ts.t);
        pair.ts.op = forged.op.unwrap_or(pair.ts.op);
        true
    }
}

//! Random schedules of the quorum registers: messages late, lost, copied and out of order, crashes that
//! lose what was not synced, partitions, clients that give up, servers that lie. Whatever happens, the
//! history must be linearizable, unless a bug was planted.
//!
//! `QUORATE_SCHEDULES=100 cargo test --release -p quorate-world --test quorum_random` tries a hundred times
//! as many of them.

mod schedule;

use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::quorum::Quorum;
use schedule::support::Net;
use schedule::{Options, Run, Subject};

fn run(subject: &Subject, seed: u64) -> Result<(), String> {
    let _named = Named { subject, seed };
    judged(Run::new(subject, seed))
}

fn judged(mut run: Run) -> Result<(), String> {
    run.go();
    run.judge()
}

/// As [`run`], while members and quorums change.
fn run_changing(subject: &Subject, seed: u64) -> Result<(), String> {
    let _named = Named { subject, seed };
    judged(Run::changing(subject, seed))
}

/// Says which schedule it was that broke an assertion.
struct Named<'a> {
    subject: &'a Subject,
    seed: u64,
}

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in seed {} of {:?}", self.seed, self.subject);
        }
    }
}

/// How many times the usual number of schedules is to be tried.
fn times() -> u64 {
    let asked = std::env::var("QUORATE_SCHEDULES");
    asked.map_or(1, |times| times.parse().expect("QUORATE_SCHEDULES is a number"))
}

/// Runs a construction in every form that it can take.
fn never_wrong(nodes: u16, quorum: Options, seeds: u64) {
    let seeds = seeds * times();
    let mut forms = 0;
    for protocol in ["abd", "lock"] {
        for coordinator in ["client", "node"] {
            for contact in ["all", "quorum"] {
                let form =
                    [("protocol", protocol), ("coordinator", coordinator), ("contact", contact)];
                let options: Vec<_> = quorum.iter().copied().chain(form).collect();
                let subject = Subject { nodes, options, mutant: None };
                if Net::<Quorum>::with(nodes, 1, &subject.options, Mutants::NONE, 0).is_err() {
                    continue;
                }
                forms += 1;
                for seed in 0..seeds {
                    if let Err(why) = run(&subject, seed) {
                        panic!("{subject:?}, seed {seed}: {why}");
                    }
                }
            }
        }
    }
    assert!(forms >= 2, "query and update from a client works with every construction");
}

#[test]
fn majorities_are_linearizable() {
    never_wrong(3, &[], 40);
    never_wrong(5, &[], 30);
    never_wrong(4, &[], 20);
    never_wrong(1, &[], 5);
}

#[test]
fn read_and_write_counts_are_linearizable() {
    never_wrong(3, &[("quorum", "counts"), ("read", "1")], 30);
    never_wrong(5, &[("quorum", "counts"), ("read", "2")], 30);
    never_wrong(5, &[("quorum", "counts"), ("write", "2")], 30);
}

#[test]
fn weighted_majorities_are_linearizable() {
    never_wrong(4, &[("quorum", "weighted"), ("weights", "3,1,1,0")], 30);
    never_wrong(5, &[("quorum", "weighted"), ("weights", "2,2,1,1,1")], 30);
}

#[test]
fn grids_are_linearizable() {
    never_wrong(4, &[("quorum", "grid")], 40);
    never_wrong(6, &[("quorum", "grid"), ("rows", "3")], 20);
    never_wrong(6, &[("quorum", "grid-symmetric")], 20);
    never_wrong(6, &[("quorum", "grid-cover")], 20);
}

#[test]
fn signed_data_on_dissemination_quorums_is_linearizable_among_liars() {
    never_wrong(4, &[("quorum", "dissemination")], 15);
    never_wrong(7, &[("quorum", "dissemination")], 8);
}

#[test]
fn unsigned_data_on_masking_quorums_is_linearizable_among_liars() {
    never_wrong(5, &[("quorum", "masking")], 80);
    never_wrong(9, &[("quorum", "masking"), ("b", "2")], 20);
}

/// The planted bug shows in one of a few hundred schedules.
fn is_caught(mutant: Mutant, nodes: u16, options: Options) {
    let subject = Subject { nodes, options: options.to_vec(), mutant: Some(mutant) };
    let caught = (0..500).find_map(|seed| run(&subject, seed).err());
    let why = caught.expect("a planted bug that no schedule shows");
    assert!(!why.contains("budget"), "{why}");
}

#[test]
fn a_read_without_write_back_is_caught() {
    is_caught(Mutant::Q01, 3, &[]);
    is_caught(Mutant::Q01, 5, &[]);
}

#[test]
fn a_timestamp_without_writer_id_is_caught() {
    is_caught(Mutant::Q03, 3, &[]);
    is_caught(Mutant::Q03, 5, &[("coordinator", "node")]);
}

#[test]
fn a_timestamp_query_of_the_writing_row_is_caught() {
    is_caught(Mutant::Q08, 4, &[("quorum", "grid"), ("contact", "quorum")]);
}

#[test]
fn half_of_the_votes_taken_for_a_majority_is_caught() {
    is_caught(Mutant::Q10, 6, &[("quorum", "weighted")]);
}

/// Where a change begins, and who coordinates.
const CHANGED: [(u16, Options); 6] = [
    (3, &[]),
    (5, &[("contact", "quorum")]),
    (4, &[("coordinator", "node")]),
    (5, &[("members", "0,1,2"), ("contact", "quorum"), ("coordinator", "node")]),
    (4, &[("quorum", "grid"), ("contact", "quorum")]),
    (3, &[("quorum", "weighted"), ("weights", "2,1,1"), ("contact", "quorum")]),
];

#[test]
fn registers_stay_linearizable_while_members_and_quorums_change() {
    let mut reached = std::collections::BTreeSet::new();
    let mut changes = 0;
    for (nodes, options) in CHANGED {
        let subject = Subject { nodes, options: options.to_vec(), mutant: None };
        for seed in 0..40 * times() {
            let _named = Named { subject: &subject, seed };
            let mut run = Run::changing(&subject, seed);
            run.go();
            changes += run.changes_made();
            reached.extend(run.milestones_of_changes());
            if let Err(why) = run.judge() {
                panic!("{subject:?}, seed {seed}: {why}");
            }
        }
    }
    assert!(changes > 1_000 * times(), "{changes} changes");
    let expected = [
        "query-restarted",
        "update-restarted",
        "told-by-coordinator",
        "interrupted-change-finished",
    ];
    assert!(expected.iter().all(|name| reached.contains(name)), "{reached:?}");
}

#[test]
fn a_change_without_a_joint_phase_is_caught() {
    for (nodes, options) in CHANGED {
        let subject = Subject { nodes, options: options.to_vec(), mutant: Some(Mutant::Q11) };
        let caught = (0..500).find_map(|seed| run_changing(&subject, seed).err());
        let why = caught.expect("a planted bug that no schedule shows");
        assert!(!why.contains("budget"), "{why}");
    }
}

//! Random schedules of the quorum registers: messages late, lost, copied and out of order, crashes that
//! lose what was not synced, partitions, clients that give up, servers that lie. Whatever happens, the
//! history must be linearizable and every invariant hold, unless a bug was planted.
//!
//! `QUORATE_SCHEDULES=100 cargo test --release -p quorate-world --test quorum_random` tries a hundred times
//! as many of them.

mod schedule;

use std::collections::BTreeSet;

use quorate_systems::contract::System;
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::quorum::Quorum;
use schedule::support::Net;
use schedule::{Judgement, Options, Run, Subject};

fn run(subject: &Subject, seed: u64) -> Judgement {
    let _named = Named { subject, seed };
    judged(Run::new(subject, seed))
}

fn judged(mut run: Run) -> Judgement {
    run.go();
    run.judge()
}

/// As [`run`], while members and quorums change.
fn run_changing(subject: &Subject, seed: u64) -> Judgement {
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
                    let Judgement { history, broken } = run(&subject, seed);
                    if let Err(why) = history {
                        panic!("{subject:?}, seed {seed}: {why}");
                    }
                    assert_eq!(broken, [], "{subject:?}, seed {seed}");
                }
            }
        }
    }
    assert!(forms >= 2, "query and update from a client works with every construction");
}

#[test]
fn majorities_are_linearizable() {
    never_wrong(3, &[], 20);
    never_wrong(5, &[], 15);
    never_wrong(4, &[], 10);
    never_wrong(1, &[], 4);
}

#[test]
fn read_and_write_counts_are_linearizable() {
    never_wrong(3, &[("quorum", "counts"), ("read", "1")], 15);
    never_wrong(5, &[("quorum", "counts"), ("read", "2")], 15);
    never_wrong(5, &[("quorum", "counts"), ("write", "2")], 15);
}

#[test]
fn weighted_majorities_are_linearizable() {
    never_wrong(4, &[("quorum", "weighted"), ("weights", "3,1,1,0")], 15);
    never_wrong(5, &[("quorum", "weighted"), ("weights", "2,2,1,1,1")], 15);
}

#[test]
fn grids_are_linearizable() {
    never_wrong(4, &[("quorum", "grid")], 20);
    never_wrong(6, &[("quorum", "grid"), ("rows", "3")], 10);
    never_wrong(6, &[("quorum", "grid-symmetric")], 10);
    never_wrong(6, &[("quorum", "grid-cover")], 10);
}

#[test]
fn signed_data_on_dissemination_quorums_is_linearizable_among_liars() {
    never_wrong(4, &[("quorum", "dissemination")], 7);
    never_wrong(7, &[("quorum", "dissemination")], 4);
}

#[test]
fn unsigned_data_on_masking_quorums_is_linearizable_among_liars() {
    never_wrong(5, &[("quorum", "masking")], 40);
    never_wrong(9, &[("quorum", "masking"), ("b", "2")], 10);
}

/// A milestone that no schedule reaches is one that the schedules do not test.
#[test]
fn every_milestone_is_reached() {
    let forms: [(u16, Options); 4] = [
        (3, &[]),
        (3, &[("protocol", "lock")]),
        (4, &[("quorum", "dissemination")]),
        (5, &[("quorum", "masking")]),
    ];
    let mut missing: BTreeSet<&str> =
        Quorum::vocabulary().milestones.iter().map(|milestone| milestone.name).collect();
    for (nodes, options) in forms {
        let subject = Subject { nodes, options: options.to_vec(), mutant: None };
        let runs = (0..100).map(|seed| Run::new(&subject, seed));
        let may_change = Net::<Quorum>::with(nodes, 1, &subject.options, Mutants::NONE, 0)
            .is_ok_and(|net| net.config.unchangeable().is_none());
        let seeds = if may_change { 0..100 } else { 0..0 };
        for mut run in runs.chain(seeds.map(|seed| Run::changing(&subject, seed))) {
            run.go();
            for reached in run.milestones() {
                missing.remove(reached);
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// The planted bug shows in the history of one of a few hundred schedules.
fn is_caught(mutant: Mutant, nodes: u16, options: Options) {
    let subject = Subject { nodes, options: options.to_vec(), mutant: Some(mutant) };
    let caught = (0..500).find_map(|seed| run(&subject, seed).history.err());
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
    let mut changes = 0;
    for (nodes, options) in CHANGED {
        let subject = Subject { nodes, options: options.to_vec(), mutant: None };
        for seed in 0..40 * times() {
            let _named = Named { subject: &subject, seed };
            let mut run = Run::changing(&subject, seed);
            run.go();
            changes += run.changes_made();
            let Judgement { history, broken } = run.judge();
            if let Err(why) = history {
                panic!("{subject:?}, seed {seed}: {why}");
            }
            assert_eq!(broken, [], "{subject:?}, seed {seed}");
        }
    }
    assert!(changes > 1_000 * times(), "{changes} changes");
}

#[test]
fn a_change_without_a_joint_phase_is_caught() {
    for (nodes, options) in CHANGED {
        let subject = Subject { nodes, options: options.to_vec(), mutant: Some(Mutant::Q11) };
        let caught = (0..500).find_map(|seed| run_changing(&subject, seed).history.err());
        let why = caught.expect("a planted bug that no schedule shows");
        assert!(!why.contains("budget"), "{why}");
    }
}

#[test]
fn a_coordinator_that_does_not_compare_is_caught() {
    is_caught(Mutant::Q04, 3, &[("coordinator", "node")]);
}

#[test]
fn a_fresh_timestamp_for_a_repeated_write_is_caught() {
    is_caught(Mutant::Q05, 3, &[]);
}

#[test]
fn an_acknowledgement_before_the_fsync_is_caught() {
    is_caught(Mutant::Q06, 3, &[]);
}

#[test]
fn an_answer_before_the_decision_is_durable_is_caught() {
    is_caught(Mutant::Q15, 3, &[("protocol", "lock")]);
}

#[test]
fn belief_without_vouchers_is_caught() {
    is_caught(Mutant::Q18, 5, &[("quorum", "masking")]);
}

/// These invariants, and no others, are broken in some of fifty schedules.
fn breaks(mutant: Mutant, nodes: u16, options: Options, invariants: &[&str]) {
    breaks_in(run, mutant, (nodes, options), invariants);
}

/// As [`breaks`], while members and quorums change.
fn breaks_changing(mutant: Mutant, nodes: u16, options: Options, invariants: &[&str]) {
    breaks_in(run_changing, mutant, (nodes, options), invariants);
}

fn breaks_in(
    run: fn(&Subject, u64) -> Judgement,
    mutant: Mutant,
    (nodes, options): (u16, Options),
    invariants: &[&str],
) {
    let subject = Subject { nodes, options: options.to_vec(), mutant: Some(mutant) };
    let broken = (0..50).flat_map(|seed| run(&subject, seed).broken);
    let names: BTreeSet<&str> = broken.map(|broken| broken.invariant).collect();
    assert_eq!(names, invariants.iter().copied().collect(), "{subject:?}");
}

#[test]
fn each_planted_bug_breaks_the_invariants_that_it_should() {
    breaks(Mutant::Q01, 3, &[], &["Q-I3"]);
    breaks(Mutant::Q01, 5, &[("coordinator", "node")], &["Q-I3"]);
    breaks(Mutant::Q03, 3, &[], &["Q-I2"]);
    breaks(Mutant::Q03, 5, &[("coordinator", "node")], &["Q-I2"]);
    // Nothing goes wrong at any one moment: the quorums themselves are wrong.
    breaks(Mutant::Q08, 4, &[("quorum", "grid"), ("contact", "quorum")], &["Q-I4"]);
    breaks(Mutant::Q10, 6, &[("quorum", "weighted")], &["Q-I3", "Q-I4"]);
    breaks(Mutant::Q10, 5, &[("quorum", "weighted")], &[]);
    for (nodes, options) in CHANGED {
        breaks_changing(Mutant::Q11, nodes, options, &["Q-I4"]);
    }
}

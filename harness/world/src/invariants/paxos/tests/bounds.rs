//! What is forgotten is held against nobody.

use super::*;

/// More slots than are remembered.
const MANY: u64 = 6_000;

#[test]
fn of_slots_that_are_forgotten_nothing_is_missed() {
    let b = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    run.submit(0, 1).lead(b, &[1]).propose(1, b, &entry(1)).accept(1, 1, b, &entry(1));
    for slot in 1..=MANY {
        run.execute(0, slot, slot, None);
    }
    let records = [accepted(1, b, &entry(1)), Record::Promised { ballot: b }];
    run.start(1, 2);
    for record in &records {
        run.find(1, record);
    }
    run.send(n(1), n(0), &p2b(1, b)).send(n(1), n(0), &p1b(b, 0, &[told(1, b, &entry(1))]));
    run.decide(1, b, &entry(1), &[0, 1]).learn(2, 1, &entry(2)).execute(2, 1, 77, None);
    run.send(n(0), n(2), &p2a(1, b, &entry(1))).holds();
}

#[test]
fn of_ballots_that_are_forgotten_nothing_is_missed() {
    let b = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    run.submit(0, 1).campaign(b);
    for round in 2..100 {
        run.campaign(ballot(round, 2));
    }
    // It never had a majority, and nobody can say so any more.
    run.observe(n(0), &proposed(1, b, &entry(1))).elect(b, &[2]);
    run.holds();
}

#[test]
fn requests_that_are_forgotten_are_missed_nowhere() {
    let b = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    for seq in 1..=70_000 {
        run.submit(0, seq);
    }
    run.lead(b, &[1]).propose(1, b, &entry(80_000)).holds();
}

#[test]
fn a_watch_that_is_reset_is_as_new() {
    let b = ballot(5, 2);
    let mut run = Watch::new(3, &[]);
    run.submit(0, 1).lead(b, &[1]).propose(1, b, &entry(1)).accept(1, 1, b, &entry(1));
    run.decide(1, b, &entry(1), &[1, 2]).execute(1, 1, 11, Some(1)).holds();
    run.persist(0, &Record::Promised { ballot: b });
    let config = testing::config::<Paxos>(3, &[], quorate_systems::mutant::Mutants::NONE);
    run.invariants.reset(&config);
    let b = ballot(1, 0);
    run.submit(0, 2).lead(b, &[1]).propose(1, b, &entry(2)).accept(1, 1, b, &entry(2));
    run.decide(1, b, &entry(2), &[0, 1]).execute(1, 1, 12, Some(2)).read_by_lease(0, b).holds();
}

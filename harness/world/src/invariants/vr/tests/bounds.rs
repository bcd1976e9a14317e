//! What is forgotten is held against nobody.

use quorate_systems::mutant::Mutants;

use super::*;

/// More op-numbers than are remembered.
const MANY: u64 = 6_000;

#[test]
fn of_op_numbers_that_are_forgotten_nothing_is_missed() {
    let mut run = Watch::new(3, &[]);
    for op in 1..=MANY {
        run.append(0, V0, op, op).append(1, V0, op, op);
    }
    run.commit(V0, MANY, &[0, 1]).append(2, V0, 1, 9).learn(2, V0, 1).execute(2, 1, 77, 9);
    run.leave(2, V1, V0).adopt(2, V2, &[(V0, 9)], 1).breaks_first(super::super::V_I5);
    run.observe(n(2), &installed(MANY, 12)).adopt_after(2, V2, MANY, &[], MANY).holds();
}

#[test]
fn of_views_that_are_forgotten_nothing_is_missed() {
    let mut run = Watch::new(3, &[]);
    for number in 1..20 {
        run.adopt(2, view(number), &[], 0);
    }
    // It never was in this one with an entry, and nobody can say so any more.
    run.persist(2, &Record::View { view: view(20) }).status(
        2,
        Status::ViewChange,
        view(20),
        view(19),
    );
    run.ok(2, V1, 5).commit(V1, 1, &[1, 2]).breaks_first(super::super::V_I5);
    run.prepare(V0, 1, 1).commit(V0, 1, &[0, 2]).breaks_first(super::super::V_I5);
}

#[test]
fn of_epochs_that_are_forgotten_nothing_is_missed() {
    let mut run = Watch::new(3, &[]);
    for epoch in 1..100 {
        let view = View { epoch, number: 0 };
        let ended = Observation::EpochEnded { view, op: Slot::ZERO, new: members(&[1]) };
        run.observe(n(0), &ended);
    }
    run.holds().send(n(2), n(1), &start_view(V1, &[])).holds();
    let again = Observation::EpochEnded {
        view: View { epoch: 1, number: 0 },
        op: Slot(9),
        new: members(&[2]),
    };
    run.observe(n(1), &again).holds();
}

#[test]
fn with_more_on_its_way_to_a_disk_than_is_remembered_nothing_is_judged() {
    let mut run = Watch::new(3, &[]);
    for _ in 0..20_000 {
        run.persist(0, &Record::View { view: V0 });
    }
    run.ok(1, V2, 5).commit(V0, 3, &[0]).execute(2, 9, 1, 1).holds();
}

#[test]
fn a_watch_that_is_reset_is_as_new() {
    let mut run = Watch::new(3, &[("persistence", "crash-vector")]);
    run.prepare(V0, 1, 1).acknowledge(1, V0, 1, 1).commit(V0, 1, &[0, 1]).execute(0, 1, 11, 1);
    run.status(2, Status::ViewChange, V2, V0)
        .adopt(2, V2, &[(V0, 1)], 1)
        .persist(0, &prepared(V0, 2, 2));
    run.start(1, 2).holds();
    run.invariants.reset(&testing::config::<Vr>(3, &[], Mutants::NONE));
    run.prepare(V0, 1, 2).acknowledge(1, V0, 1, 2).commit(V0, 1, &[0, 1]);
    run.execute(0, 1, 12, 2).status(2, Status::ViewChange, V1, V0).holds();
}

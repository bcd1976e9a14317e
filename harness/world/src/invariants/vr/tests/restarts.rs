//! What a node must find again, and what a crash may take.

use super::super::{V_I1, V_I2, V_I5, V_I8, V_I9};
use super::*;

#[test]
fn what_is_durable_is_found_again() {
    let records = [
        prepared(V0, 1, 1),
        prepared(V0, 2, 2),
        checkpoint(1, 11),
        Record::View { view: V1 },
        adopted_record(V1, 1, &[(V0, 2), (V0, 3)], 2),
    ];
    let mut run = Watch::new(3, &[]);
    for record in &records {
        run.persist(2, record);
    }
    run.sync(2).start(2, 2);
    for record in &records {
        run.find(2, record);
    }
    run.ok(2, V1, 3).execute(2, 2, 12, 2).holds();
    // What was told may be in fewer records.
    run.start(2, 3).find(2, &checkpoint(1, 11));
    run.find(2, &adopted_record(V1, 1, &[(V0, 2), (V0, 3)], 2)).ok(2, V1, 3).holds();
}

#[test]
fn what_was_durable_and_is_not_found_breaks_v_i1() {
    let restart = |kept: &[&Record]| {
        let mut run = Watch::new(3, &[]);
        run.persist(2, &prepared(V0, 1, 1)).persist(2, &Record::View { view: V1 });
        run.persist(2, &adopted_record(V1, 0, &[(V0, 1), (V0, 2)], 1));
        run.store(2, &Record::View { view: V2 }).start(2, 2);
        for record in kept {
            run.find(2, record);
        }
        // It refuses to start from such a disk, or does not.
        run.holds().sync(2).breaks(V_I1)
    };
    let left = Record::View { view: V2 };
    let what = restart(&[&adopted_record(V1, 0, &[(V0, 1), (V0, 2)], 1)]);
    assert_eq!(what, "n2 restarts in v1, and had left all below v2");
    let what = restart(&[&prepared(V0, 1, 1), &left]);
    assert_eq!(what, "n2 restarts with a log of v0, and had one of v1");
    let what = restart(&[&adopted_record(V1, 0, &[(V0, 1)], 1), &left]);
    assert_eq!(what, "n2 restarts without what it held of s2");
    let what = restart(&[&adopted_record(V1, 0, &[(V0, 1), (V0, 2)], 0), &left]);
    assert_eq!(what, "n2 restarts with commit-number s0, and had s1");
}

#[test]
fn a_crash_may_take_back_what_was_not_durable() {
    let mut run = Watch::new(3, &[]);
    run.append(1, V0, 1, 1).persist(1, &prepared(V0, 2, 2)).observe(n(1), &appended(V0, 2, 2));
    run.persist(1, &Record::View { view: V1 }).status(1, Status::ViewChange, V1, V0);
    run.start(1, 2).find(1, &prepared(V0, 1, 1)).ok(1, V0, 1).acknowledge(1, V0, 2, 2).holds();
    // Or it may have come to the disk, and nobody was told.
    run.persist(1, &adopted_record(V1, 0, &[], 0)).start(1, 3).find(1, &prepared(V0, 1, 1));
    run.find(1, &prepared(V0, 2, 2)).find(1, &adopted_record(V1, 0, &[], 0)).ok(1, V1, 0).holds();
}

#[test]
fn without_a_disk_everything_but_the_view_may_be_forgotten() {
    let forget = |options: &[(&str, &str)]| {
        let mut run = Watch::new(3, options);
        run.store(1, &Record::View { view: V2 }).status(1, Status::ViewChange, V2, V0);
        run.observe(n(1), &adopted(V2, 0, &[(V0, 1)], 1)).execute(1, 1, 11, 1).start(1, 2);
        run
    };
    let mut run = forget(&[("persistence", "durable-view")]);
    run.find(1, &Record::View { view: V2 }).status(1, Status::Recovering, V2, V0).holds();
    run.observe(n(1), &adopted(V2, 0, &[(V0, 1)], 1)).execute(1, 1, 11, 1).holds();
    let what = forget(&[("persistence", "durable-view")]).sync(1).breaks(V_I1);
    assert_eq!(what, "n1 restarts in v0, and had left all below v2");
    let mut run = forget(&[("persistence", "durable-view")]);
    run.find(1, &Record::View { view: V2 });
    run.observe(n(1), &adopted(V1, 0, &[(V0, 1)], 1)).breaks(V_I1);
    let mut run = forget(&[("persistence", "crash-vector")]);
    run.status(1, Status::Recovering, V0, V0).observe(n(1), &adopted(V0, 0, &[(V0, 1)], 1)).holds();
}

#[test]
fn who_acknowledged_and_crashed_counts_on() {
    let mut run = Watch::new(3, &[("persistence", "crash-vector")]);
    run.observe(n(0), &appended(V0, 1, 1)).observe(n(1), &appended(V0, 1, 1)).ok(1, V0, 1);
    run.start(1, 2).commit(V0, 1, &[0, 1]).holds();
    // With n2 it recovers what was before, and forgets what it vowed.
    run.observe(n(1), &adopted(V0, 0, &[], 0)).holds();
    run.observe(n(2), &adopted(V1, 0, &[], 0)).breaks(V_I5);
}

#[test]
fn who_recovers_has_all_that_was_acknowledged_before_it_started() {
    let recover = |log: &[(View, u64)]| {
        let mut run = Watch::new(3, &[("persistence", "crash-vector")]);
        run.observe(n(0), &appended(V0, 1, 1)).observe(n(1), &appended(V0, 1, 1)).ok(1, V0, 1);
        run.commit(V0, 1, &[0, 1]).start(1, 2).status(1, Status::Recovering, V0, V0);
        run.observe(n(0), &appended(V0, 2, 2)).observe(n(2), &appended(V0, 1, 1));
        run.observe(n(2), &appended(V0, 2, 2)).commit(V0, 2, &[0, 2]);
        run.observe(n(1), &adopted(V0, 0, log, 0));
        run
    };
    recover(&[(V0, 1)]).holds();
    let what = recover(&[]).breaks(V_I5);
    assert_eq!(
        what,
        "n1 recovers with a log that ends with s0, and up to s1 all was acknowledged before it asked"
    );
}

#[test]
fn a_primary_that_restarts_may_begin_its_view_again() {
    let mut run = Watch::new(3, &[]);
    run.vote(2, V1, V0, &[]).leave(1, V1, V0);
    run.persist(1, &adopted_record(V1, 0, &[], 0)).observe(n(1), &adopted(V1, 0, &[], 0));
    run.begin(V1, &[1, 2]).start(1, 2).find(1, &Record::View { view: V1 });
    run.adopt(1, V1, &[], 0).begin(V1, &[1, 2]).holds();
}

#[test]
fn who_has_executed_the_end_of_an_epoch_knows_after_a_restart_that_it_is_committed() {
    let (view, old, new) = (View { epoch: 1, number: 0 }, members(&[0, 1, 2]), members(&[0, 1]));
    let end = |has_executed| {
        let (op, is_normal) = (Slot(1), true);
        let assigned = V0;
        let epoch = Record::Epoch { view, assigned, op, old, new, has_executed, is_normal };
        let mut run = Watch::new(3, &[]);
        run.append(1, V0, 1, 1).learn(1, V0, 1).execute(1, 1, 11, 1).store(1, &epoch);
        run.observe(n(1), &Observation::EpochEnded { view, op, new }).holds();
        run.start(1, 2).find(1, &prepared(V0, 1, 1)).find(1, &epoch).execute(1, 1, 11, 1);
        run
    };
    end(true).append(1, view, 2, 2).ok(1, view, 2).holds();
    end(false).breaks(V_I2);
}

#[test]
fn what_all_have_who_execute_a_witness_may_acknowledge_without_having_it() {
    let mut run = Watch::new(3, &[("witnesses", "yes")]);
    run.one_committed_and_one_prepared().commit(V0, 2, &[0, 1]).holds();
    run.ok(2, V0, 2).breaks(V_I8);
    run.persist(2, &Record::Held { op: Slot(2) });
    run.observe(n(2), &Observation::Released { op: Slot(2) }).sync(2).ok(2, V0, 2).holds();
    run.ok(2, V0, 3).breaks(V_I8);
}

#[test]
fn a_vote_of_a_witness_may_be_older_than_what_it_was_told_to_drop() {
    let vote = |more: &[(View, u64)]| {
        let mut run = Watch::new(3, &[("witnesses", "yes")]);
        run.one_committed_and_one_prepared().append(2, V0, 1, 1);
        for (nth, (view, seq)) in (2..).zip(more) {
            run.append(2, *view, nth, *seq);
        }
        run.leave(2, V1, V0).commit(V0, 2, &[0, 1]);
        run.store(2, &Record::Held { op: Slot(2) });
        run.observe(n(2), &Observation::Released { op: Slot(2) });
        run.send(n(2), n(1), &do_view_change(V1, V0, 0, &[(V0, 1)]));
        run
    };
    vote(&[]).holds();
    // It had more than it says.
    vote(&[(V0, 2), (V0, 3)]).breaks(V_I9);
}

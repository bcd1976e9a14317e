use super::super::{V_I1, V_I2, V_I3, V_I4, V_I5, V_I6, V_I7, V_I8, V_I9, V_I10, V_I11, V_I12};
use super::*;

#[test]
fn a_view_that_gets_lower_breaks_v_i1() {
    let mut run = Watch::new(3, &[]);
    run.leave(1, V2, V0).status(1, Status::ViewChange, V2, V0).holds();
    let what = run.status(1, Status::ViewChange, V1, V0).breaks(V_I1);
    assert_eq!(what, "n1 goes back to v1 from v2");
    run.adopt(2, V2, &[], 0).holds();
    let what = run.status(2, Status::Normal, V2, V1).breaks(V_I1);
    assert_eq!(what, "n2 goes back to last normal view v1 from v2");
    let mut run = Watch::new(3, &[]);
    run.adopt(2, V2, &[], 0).holds();
    assert_eq!(run.adopt(2, V1, &[], 0).breaks(V_I1), "n2 goes back to v1 from v2");
}

#[test]
fn a_commit_number_that_gets_lower_breaks_v_i1() {
    let mut run = Watch::new(3, &[]);
    run.one_committed_and_one_prepared().commit(V0, 2, &[0, 1]).learn(1, V0, 2).holds();
    let what = run.learn(1, V0, 1).breaks(V_I1);
    assert_eq!(what, "n1 goes back to commit-number s1 from s2");
    run.leave(1, V1, V0);
    let what = run.adopt(1, V1, &[(V0, 1), (V0, 2)], 1).breaks(V_I1);
    assert_eq!(what, "n1 goes back to commit-number s1 from s2 in v1");
}

#[test]
fn a_state_that_is_older_than_what_was_executed_breaks_v_i1() {
    let mut run = Watch::new(3, &[]);
    run.one_committed_and_one_prepared().commit(V0, 2, &[0, 1]);
    run.execute(0, 1, 11, 1).execute(0, 2, 12, 2).holds();
    let what = run.observe(n(0), &installed(1, 11)).breaks(V_I1);
    assert_eq!(what, "n0 goes back to the state after s1 from s2");
}

#[test]
fn a_view_that_is_left_and_not_on_the_disk_breaks_v_i1() {
    let left =
        |view| Message::StartViewChange { view, has_left: true, crashes: CrashVector::new() };
    let wants =
        |view| Message::StartViewChange { view, has_left: false, crashes: CrashVector::new() };
    for options in [&[][..], &[("persistence", "durable-view")]] {
        let mut run = Watch::new(3, options);
        run.send(n(1), n(2), &wants(V1)).persist(1, &Record::View { view: V1 });
        run.status(1, Status::ViewChange, V1, V0).holds();
        let what = run.send(n(1), n(2), &left(V1)).breaks(V_I1);
        assert_eq!(what, "n1 leaves all below v1, and its disk holds v0");
        run.sync(1).send(n(1), n(2), &left(V1)).holds();
    }
    let mut run = Watch::new(3, &[("persistence", "crash-vector")]);
    run.status(1, Status::ViewChange, V1, V0).send(n(1), n(2), &left(V1)).holds();
}

#[test]
fn a_vow_in_a_view_that_was_left_breaks_v_i1() {
    let mut run = Watch::new(3, &[]);
    run.prepare(V0, 1, 1).append(1, V0, 1, 1).persist(1, &Record::View { view: V1 });
    run.status(1, Status::ViewChange, V1, V0);
    // It was made before, and has waited for the disk.
    run.ok(1, V0, 1).sync(1).ok(1, V0, 1).status(1, Status::ViewChange, V1, V0).holds();
    let what = run.ok(1, V0, 1).breaks(V_I1);
    assert_eq!(what, "n1 acknowledges s1 of v0, and has left it for v1");
    run.leave(1, V2, V0).status(1, Status::ViewChange, V2, V0).holds();
    let what = run.send(n(1), n(1), &do_view_change(V1, V0, 0, &[(V0, 1)])).breaks(V_I1);
    assert_eq!(what, "n1 votes for v1, and has left it for v2");
}

#[test]
fn a_commit_number_beyond_the_log_breaks_v_i2() {
    let mut run = Watch::new(3, &[]);
    run.prepare(V0, 1, 1).acknowledge(1, V0, 1, 1).commit(V0, 1, &[0, 1]).learn(1, V0, 1).holds();
    let what = run.learn(1, V0, 2).breaks(V_I2);
    assert_eq!(what, "n1 takes all up to s2 for committed, and its log ends with s1");
    run.leave(2, V1, V0);
    run.adopt(2, V1, &[], 1).breaks(V_I2);
}

#[test]
fn execution_beyond_the_commit_number_breaks_v_i2() {
    let mut run = Watch::new(3, &[]);
    run.one_committed_and_one_prepared().execute(0, 1, 11, 1).holds();
    let what = run.execute(0, 2, 12, 2).breaks(V_I2);
    assert_eq!(what, "n0 executes s2, and its commit-number is s1");
}

#[test]
fn two_entries_for_a_view_and_an_op_number_break_v_i3() {
    let mut run = Watch::new(3, &[]);
    run.prepare(V0, 1, 1).send(n(0), n(2), &prepare(V0, 1, &entry(1))).holds();
    let what = run.send(n(0), n(2), &prepare(V0, 1, &entry(2))).breaks(V_I3);
    assert_eq!(what, format!("s1 of v0 is {} at n0, and {} at n0", short(2), short(1)));
    let what = run.observe(n(1), &appended(V0, 1, 3)).breaks(V_I3);
    assert_eq!(what, format!("s1 of v0 is {} at n1, and {} at n0", short(3), short(1)));
    run.persist(2, &prepared(V0, 1, 4)).breaks(V_I3);
    // An entry keeps the view in which it was assigned.
    run.send(n(1), n(0), &start_view(V1, &[(V0, 5)])).breaks(V_I3);
    run.observe(n(2), &adopted(V1, 0, &[(V0, 6)], 0)).breaks(V_I3);
}

#[test]
fn two_logs_of_a_view_break_v_i3() {
    let mut run = Watch::new(3, &[]);
    run.append(0, V0, 1, 1).adopt(1, V1, &[(V0, 1)], 0).holds();
    run.leave(2, V2, V0).adopt(2, V2, &[(V2, 2)], 0).leave(0, V2, V0).holds();
    run.observe(n(0), &adopted(V2, 0, &[(V0, 1)], 0)).breaks(V_I3);
}

#[test]
fn logs_that_differ_before_what_is_committed_break_v_i4() {
    let mut run = Watch::new(3, &[]);
    run.one_committed_and_one_prepared().append(2, V0, 1, 1).learn(2, V0, 1).holds();
    run.adopt(1, V1, &[(V1, 3)], 0).breaks(V_I5);
    let what = run.learn(1, V1, 1).breaks(V_I4);
    assert_eq!(what, format!("s1 is committed as {} at n1, and as {} at n0", short(3), short(1)));
    // What was committed is replaced.
    let mut run = Watch::new(3, &[]);
    run.one_committed_and_one_prepared().leave(0, V1, V0);
    run.adopt(0, V1, &[(V1, 3), (V1, 4)], 1).breaks(V_I4);
}

#[test]
fn what_no_quorum_has_is_not_acknowledged_by_v_i5() {
    let mut run = Watch::new(3, &[]);
    run.prepare(V0, 1, 1).persist(1, &prepared(V0, 1, 1)).observe(n(1), &appended(V0, 1, 1));
    let what = run.commit(V0, 1, &[0]).breaks(V_I5);
    assert_eq!(what, "n0 takes s1 of v0 for committed by {n0}, no quorum");
    let what = run.commit(V0, 1, &[0, 1]).breaks(V_I5);
    assert_eq!(
        what,
        "n0 takes s1 of v0 for committed by {n0, n1}, and only {n0} have had it durably"
    );
    let what = run.send(n(0), c(0), &reply(V0, 1, true)).breaks(V_I5);
    assert_eq!(what, "n0 answers for s1 as committed, and its commit-number is s0");
    run.sync(1).commit(V0, 1, &[0, 1]).send(n(0), c(0), &reply(V0, 1, true)).holds();
}

#[test]
fn a_client_that_counts_answers_of_different_views_breaks_v_i5() {
    let accepted = |view, op, replicas: &[u16]| Observation::Accepted {
        view,
        op: Slot(op),
        number: number(1),
        replicas: set(replicas),
    };
    let mut run = Watch::new(3, &[]);
    run.prepare(V0, 1, 1).leave(1, V1, V0).adopt(1, V1, &[], 0).prepare(V1, 1, 1).holds();
    let what = run.observe(c(0), &accepted(V1, 1, &[0, 1])).breaks(V_I5);
    assert_eq!(what, "c0 takes s1 of v1 for done by {n0, n1}, and only {n1} have had it durably");
    run.leave(2, V1, V0).adopt(2, V1, &[], 0).append(2, V1, 1, 1);
    run.observe(c(0), &accepted(V1, 1, &[1, 2])).holds();
    run.leave(0, V2, V0).vote(2, V2, V1, &[(V1, 1)]).holds();
    let what = run.adopt(2, V2, &[(V2, 2)], 0).breaks(V_I5);
    assert_eq!(what, "n2 takes up v2 with another s1, which v1 has acknowledged");
}

#[test]
fn a_client_that_takes_another_entry_than_the_committed_one_breaks_v_i5() {
    let mut run = Watch::new(3, &[]);
    run.one_committed_and_one_prepared().holds();
    // Two disks have it, by whatever mistake.
    run.store(1, &prepared(V1, 1, 9)).store(2, &prepared(V1, 1, 9)).holds();
    let (view, op, number, replicas) = (V1, Slot(1), number(1), set(&[1, 2]));
    let what =
        run.observe(c(0), &Observation::Accepted { view, op, number, replicas }).breaks(V_I5);
    let (other, first) = (short(9), short(1));
    assert_eq!(
        what,
        format!("c0 takes s1 of v1 for done as {other}, and it is committed as {first} at n0")
    );
}

#[test]
fn a_view_that_begins_without_what_was_acknowledged_breaks_v_i5() {
    let mut run = Watch::new(3, &[]);
    run.one_committed_and_one_prepared().commit(V0, 2, &[0, 1]).append(2, V0, 1, 1);
    run.leave(2, V1, V0).leave(1, V1, V0).holds();
    let what = run.adopt(1, V1, &[(V0, 1)], 1).breaks(V_I5);
    assert_eq!(what, "n1 takes up v1 without s2, which v0 has acknowledged");
    // What was committed is in a checkpoint.
    run.observe(n(2), &installed(2, 12)).adopt_after(2, V1, 2, &[], 2).holds();
}

#[test]
fn what_a_later_view_lacks_is_not_acknowledged_any_more_by_v_i5() {
    let mut run = Watch::new(3, &[]);
    run.one_committed_and_one_prepared().vote(2, V1, V0, &[]).leave(1, V1, V0).holds();
    run.adopt(2, V1, &[(V0, 1)], 1).holds();
    let what = run.commit(V0, 2, &[0, 1]).breaks(V_I5);
    assert_eq!(what, "s2 of v0, which is acknowledged at n0, is not in the log of v1 at n2");
}

#[test]
fn a_witness_that_drops_what_somebody_lacks_breaks_v_i5() {
    let mut run = Watch::new(3, &[("witnesses", "yes")]);
    run.one_committed_and_one_prepared().commit(V0, 2, &[0, 1]);
    // It begins wherever it is told to, and knows what is committed of what it does not have.
    run.learn(2, V0, 1).acknowledge(2, V0, 2, 2).learn(2, V0, 2).holds();
    run.observe(n(2), &Observation::Released { op: Slot(2) }).holds();
    run.adopt_after(2, V1, 2, &[], 2).holds();
    let what = run.observe(n(2), &Observation::Released { op: Slot(3) }).breaks(V_I5);
    assert_eq!(what, "n2 drops its log up to s3, and the disk of n0 holds it up to s2");
}

#[test]
fn a_primary_of_a_view_that_is_anothers_breaks_v_i6() {
    let mut run = Watch::new(3, &[]);
    let what = run.send(n(1), n(2), &prepare(V0, 1, &entry(1))).breaks(V_I6);
    assert_eq!(what, "n1 leads in v0, which is n0's");
    run.send(n(1), n(2), &prepare(V0, 1, &entry(1))).holds();
    run.send(n(1), n(2), &start_view(V2, &[])).breaks(V_I6);
    let voters = set(&[0, 1]);
    run.observe(n(2), &Observation::ViewStarted { view: V1, voters }).breaks(V_I6);
}

#[test]
fn a_view_that_begins_without_votes_breaks_v_i6() {
    let mut run = Watch::new(3, &[]);
    run.leave(1, V1, V0).adopt(1, V1, &[], 0).holds();
    let what = run.begin(V1, &[1]).breaks(V_I6);
    assert_eq!(what, "n1 begins v1 by the votes of {n1}, no quorum");
    let mut run = Watch::new(3, &[]);
    run.leave(1, V1, V0).adopt(1, V1, &[], 0).leave(2, V1, V0);
    let what = run.begin(V1, &[1, 2]).breaks(V_I6);
    assert_eq!(what, "n1 begins v1 by votes that {n2} did not give for it");
    let what = run.vote(2, V1, V0, &[]).begin(V1, &[1, 2]).breaks(V_I6);
    assert_eq!(what, "n1 begins v1 again");
    let mut run = Watch::new(3, &[]);
    run.vote(2, V1, V0, &[]).leave(1, V1, V0).holds();
    let what = run.begin(V1, &[1, 2]).breaks(V_I6);
    assert_eq!(what, "n1 begins v1 with a log of v0");
}

#[test]
fn histories_that_differ_break_v_i7() {
    let mut run = Watch::new(3, &[]);
    run.one_committed_and_one_prepared().execute(0, 1, 11, 1).learn(1, V0, 1).holds();
    let what = run.execute(1, 1, 99, 1).breaks(V_I7);
    let (one, other) = (Chain(99), Chain(11));
    assert_eq!(what, format!("up to s1, the history of n1 is {one} and that of n0 {other}"));
    run.observe(n(2), &installed(1, 98)).breaks(V_I7);
    let what = run.execute(0, 3, 13, 3).breaks(V_I7);
    assert_eq!(what, "n0 executes s3 after s1");
    let what = run.observe(n(1), &taken(2, 12)).breaks(V_I7);
    assert_eq!(what, "n1 has executed all up to s1, and keeps what s2 is");
}

#[test]
fn a_request_that_takes_effect_twice_breaks_v_i7() {
    let mut run = Watch::new(3, &[]);
    run.prepare(V0, 1, 1).acknowledge(1, V0, 1, 1).prepare(V0, 2, 1).acknowledge(1, V0, 2, 1);
    run.commit(V0, 2, &[0, 1]).learn(1, V0, 2).execute(0, 1, 11, 1).run(0, 2, 12, 1, false);
    run.execute(1, 1, 11, 1).holds();
    let what = run.execute(1, 2, 12, 1).breaks(V_I7);
    assert_eq!(what, "request 1.1 of c0 takes effect at s2 at n1 and not at n0");
    let mut run = Watch::new(3, &[]);
    run.prepare(V0, 1, 1).acknowledge(1, V0, 1, 1).prepare(V0, 2, 1).acknowledge(1, V0, 2, 1);
    run.commit(V0, 2, &[0, 1]).execute(0, 1, 11, 1).holds();
    let what = run.execute(0, 2, 12, 1).breaks(V_I7);
    assert_eq!(what, "request 1.1 of c0 takes effect at s2 at n0, and at s1");
}

#[test]
fn an_acknowledgement_of_what_is_not_durable_breaks_v_i8() {
    let mut run = Watch::new(3, &[]);
    run.prepare(V0, 1, 1).persist(1, &prepared(V0, 1, 1)).observe(n(1), &appended(V0, 1, 1));
    let what = run.ok(1, V0, 1).breaks(V_I8);
    assert_eq!(what, "n1 acknowledges s1 of v0, and on its disk its log of that ends with s0");
    let what = run.send(n(1), c(0), &reply(V0, 1, false)).breaks(V_I8);
    assert_eq!(what, "n1 answers s1 of v0, and on its disk its log of that ends with s0");
    run.sync(1).ok(1, V0, 1).send(n(1), c(0), &reply(V0, 1, false)).holds();
    run.ok(1, V1, 1).breaks(V_I8);
    let mut run = Watch::new(3, &[("persistence", "crash-vector")]);
    run.observe(n(0), &appended(V0, 1, 1)).observe(n(1), &appended(V0, 1, 1)).ok(1, V0, 1).holds();
    let what = run.ok(1, V0, 2).breaks(V_I8);
    assert_eq!(what, "n1 acknowledges s2 of v0, and its log of that ends with s1");
}

#[test]
fn a_log_with_a_hole_or_a_cut_breaks_v_i8() {
    let mut run = Watch::new(3, &[]);
    run.append(1, V0, 1, 1).holds();
    let what = run.append(1, V0, 3, 3).breaks(V_I8);
    assert_eq!(what, "n1 appends s3 to a log that ends with s1");
    let what = run.append(2, V1, 1, 1).breaks(V_I8);
    assert_eq!(what, "n2 appends s1 of v1 to its log of v0");
    let mut run = Watch::new(3, &[]);
    let what = run.adopt_after(1, V1, 2, &[(V0, 3)], 0).breaks(V_I8);
    assert_eq!(what, "n1 takes up v1 with what comes after s2, and its log ends with s0");
    // A STARTVIEW comes again, after what was prepared since.
    let mut run = Watch::new(3, &[]);
    run.adopt(0, V1, &[], 0).append(0, V1, 1, 1).holds();
    let what = run.adopt(0, V1, &[], 0).breaks(V_I8);
    assert_eq!(what, "n0 cuts its log of v1 to s0, and it went on to s1");
}

#[test]
fn a_vote_with_another_log_breaks_v_i9() {
    let ready = || {
        let mut run = Watch::new(3, &[]);
        run.one_committed_and_one_prepared().learn(1, V0, 1).leave(1, V1, V0).holds();
        run
    };
    let (one, two) = ((V0, 1), (V0, 2));
    let votes = |last_normal, after, log: &[(View, u64)]| {
        let message = do_view_change(V1, last_normal, after, log);
        ready().send(n(1), n(1), &message).breaks(V_I9)
    };
    ready().send(n(1), n(1), &do_view_change(V1, V0, 0, &[one, two])).holds();
    ready().send(n(1), n(1), &do_view_change(V1, V0, 1, &[two])).holds();
    let what = votes(V0, 0, &[one]);
    assert_eq!(what, "n1 votes for v1 with its log of v0 up to s1, and has it up to s2");
    let what = votes(V0, 0, &[one, (V0, 3)]);
    assert_eq!(what, "n1 votes for v1 with its log of v0 up to s2, and has another s2");
    let what = votes(V0, 2, &[]);
    assert_eq!(
        what,
        "n1 votes for v1 with its log of v0 up to s2, and leaves out what it has up to s2"
    );
    let what = votes(View { epoch: 0, number: 9 }, 0, &[one, two]);
    assert_eq!(what, "n1 votes for v1 with its log of v9 up to s2, and has one of v0");
}

#[test]
fn a_vote_with_a_log_that_is_not_durable_breaks_v_i9() {
    let mut run = Watch::new(3, &[]);
    run.store(2, &Record::View { view: V1 }).append(2, V0, 1, 1).holds();
    run.observe(n(2), &appended(V0, 2, 2)).status(2, Status::ViewChange, V1, V0);
    let what = run.send(n(2), n(1), &do_view_change(V1, V0, 0, &[(V0, 1), (V0, 2)])).breaks(V_I9);
    assert_eq!(what, "n2 votes for v1 with its log of v0 up to s2, and its disk holds it up to s1");
}

#[test]
fn a_vow_of_a_replica_that_has_forgotten_or_lacks_something_breaks_v_i10() {
    let mut run = Watch::new(3, &[("persistence", "crash-vector")]);
    run.observe(n(1), &appended(V0, 1, 1)).ok(1, V0, 1).start(1, 2).holds();
    let what = run.ok(1, V0, 1).breaks(V_I10);
    assert_eq!(what, "n1 acknowledges s1 of v0 while it recovers");
    let what = run.send(n(1), n(1), &do_view_change(V1, V0, 0, &[])).breaks(V_I10);
    assert_eq!(what, "n1 votes for v1 while it recovers");
    run.observe(n(1), &adopted(V0, 0, &[(V0, 1)], 0)).ok(1, V0, 1).holds();
    run.status(1, Status::StateTransfer, V0, V0);
    let what = run.ok(1, V0, 1).breaks(V_I10);
    assert_eq!(what, "n1 acknowledges s1 of v0 while it transfers state");
    // It was made before, and has waited for the disk.
    let mut run = Watch::new(3, &[]);
    run.append(1, V0, 1, 1).persist(1, &prepared(V0, 2, 2)).observe(n(1), &appended(V0, 2, 2));
    run.status(1, Status::StateTransfer, V0, V0).sync(1).ok(1, V0, 2).holds();
    run.status(1, Status::StateTransfer, V0, V0).ok(1, V0, 2).breaks(V_I10);
}

#[test]
fn a_read_beside_a_later_primary_breaks_v_i11() {
    let read = |view| Observation::ReadServed { view, applied: Slot::ZERO };
    let mut run = Watch::new(3, &[]);
    run.prepare(V0, 1, 1).observe(n(0), &read(V0)).vote(2, V1, V0, &[]).leave(1, V1, V0);
    run.adopt(1, V1, &[], 0).observe(n(0), &read(V0)).begin(V1, &[1, 2]);
    run.observe(n(1), &read(V1)).holds();
    let what = run.observe(n(0), &read(V0)).breaks(V_I11);
    assert_eq!(what, "n0 answers a read in v0, and n1 has begun v1");
    run.observe(n(2), &read(V0)).breaks(V_I6);
}

#[test]
fn a_read_in_an_epoch_that_is_over_breaks_v_i11() {
    let read = |view| Observation::ReadServed { view, applied: Slot::ZERO };
    let next = View { epoch: 1, number: 0 };
    let ended =
        |nodes: &[u16]| Observation::EpochEnded { view: next, op: Slot::ZERO, new: members(nodes) };
    let mut run = Watch::new(3, &[]);
    run.observe(n(1), &ended(&[1, 2])).observe(n(0), &read(V0)).holds();
    run.append(1, next, 1, 1).holds();
    let what = run.observe(n(0), &read(V0)).breaks(V_I11);
    assert_eq!(what, "n0 answers a read in v0, and n1 has begun e1.v0");
    run.observe(n(1), &read(next)).holds();
}

#[test]
fn what_follows_the_end_of_an_epoch_breaks_v_i12() {
    let next = View { epoch: 1, number: 0 };
    let new = members(&[0, 1, 3]);
    let ended = |op, new| Observation::EpochEnded { view: next, op: Slot(op), new };
    let ready = || {
        let mut run = Watch::new(4, &[("members", "n0,n1,n2")]);
        run.prepare(V0, 1, 1).acknowledge(1, V0, 1, 1).commit(V0, 1, &[0, 1]);
        run.execute(0, 1, 11, 1).observe(n(0), &ended(1, new)).holds();
        run
    };
    let what = ready().observe(n(0), &appended(V0, 2, 2)).breaks_first(V_I12);
    assert_eq!(what, "n0 appends s2 in v0, and its epoch has ended with s1");
    let what = ready().send(n(0), n(1), &prepare(V0, 2, &entry(2))).breaks(V_I12);
    assert_eq!(what, "n0 prepares s2 in v0, and its epoch has ended with s1");
    ready()
        .observe(n(0), &appended(next, 2, 2))
        .send(n(0), n(1), &prepare(V0, 1, &entry(1)))
        .holds();
    let mut run = ready();
    let what = run.observe(n(2), &ended(2, new)).breaks(V_I12);
    assert_eq!(
        what,
        "epoch 1 begins after s2 with {n0, n1, n3} at n2, and after s1 with {n0, n1, n3} at n0"
    );
    ready().observe(n(2), &ended(1, members(&[0, 1]))).breaks(V_I12);
    // Another goes on in the old epoch, and does not know better.
    ready().append(2, V0, 1, 1).append(2, V0, 2, 2).holds();
    let mut run = ready();
    run.observe(n(1), &appended(V0, 2, 2)).learn(1, V0, 1).holds();
    let what = run.observe(n(1), &ended(1, new)).breaks(V_I12);
    assert_eq!(what, "n1 ends an epoch after s1, and its log goes on to s2");
}

#[test]
fn what_follows_a_reconfiguration_in_its_epoch_breaks_v_i12() {
    let mut run = Watch::new(4, &[("members", "n0,n1,n2")]);
    let message =
        Message::Reconfiguration { epoch: 0, number: number(1), members: members(&[0, 1, 3]) };
    run.send(c(0), n(0), &message).send(c(0), n(0), &message);
    let (view, op, entry) = (V0, Slot(1), reconfiguration(1));
    let commit = Slot::ZERO;
    run.persist(0, &Record::Prepared { view, op, entry: entry.clone(), commit });
    let entry = entry.digest();
    run.observe(n(0), &Observation::Appended { view, op, entry, ticket: 1 }).holds();
    let what = run.observe(n(0), &appended(V0, 2, 2)).breaks(V_I12);
    assert_eq!(what, "n0 appends s2 in v0, and s1 is a RECONFIGURATION of its epoch");
}

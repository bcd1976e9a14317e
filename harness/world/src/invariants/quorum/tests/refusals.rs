use super::super::{Q_I1, Q_I2, Q_I3, Q_I4, Q_I6, Q_I7, Q_I8};
use super::*;

#[test]
fn a_stored_pair_replaced_by_an_older_one_breaks_q_i1() {
    let (old, new) = (pair(1, 1), pair(2, 2));
    Watch::new(3, &[]).store(0, &old).store(0, &new).holds();
    let what = Watch::new(3, &[]).store(0, &new).store(0, &old).breaks(Q_I1);
    assert_eq!(what, "n0 replaces 20 @2.c0.1.2 under k7 by the older 10 @1.c0.1.1");
    // Of a lock write that came late only its end is recorded.
    let late = Record::Committed { key: KEY, pair: locked(1, 1) };
    Watch::new(3, &[]).store(0, &new).persist(0, &late).sync(0).holds();
}

#[test]
fn a_restart_without_what_was_durable_breaks_q_i1() {
    let (old, new) = (pair(1, 1), pair(2, 2));
    let mut run = Watch::new(3, &[]);
    run.store(0, &old).store(0, &new).store(1, &new);
    run.start(0, 2)
        .find(0, &stored(&new))
        .find(0, &stored(&old))
        .answer(0, &query_ok(&new))
        .holds();
    run.start(0, 2).find(0, &stored(&old)).holds();
    // It refuses to start from such a disk; put right, it starts.
    run.start(0, 2).find(0, &stored(&new)).sync(0).holds();
    let what = run.start(0, 2).find(0, &stored(&old)).sync(0).breaks(Q_I1);
    let expected =
        "n0 restarts with 10 @1.c0.1.1 under k7, and had 20 @2.c0.1.2 on its disk before";
    assert_eq!(what, expected);
    run.answer(0, &query_ok(&old)).holds();
}

#[test]
fn a_crash_may_take_back_what_was_not_durable() {
    let (old, new) = (pair(1, 1), pair(2, 2));
    let mut run = Watch::new(3, &[]);
    run.store(0, &old).persist(0, &stored(&new));
    run.start(0, 2).find(0, &stored(&old)).answer(0, &query_ok(&old)).holds();
    run.persist(0, &stored(&new)).sync(0).answer(0, &query_ok(&new)).holds();
}

#[test]
fn a_report_older_than_the_last_breaks_q_i1() {
    let (old, new) = (pair(1, 1), pair(2, 2));
    let mut run = Watch::new(3, &[]);
    run.store(0, &old).store(0, &new);
    // Both waited for the disk, and leave together.
    run.answer(0, &query_ok(&old)).answer(0, &query_ok(&new)).holds();
    run.answer(1, &query_ok(&Pair::INITIAL)).holds();
    let what = run.answer(0, &query_ok(&old)).breaks(Q_I1);
    assert_eq!(what, "n0 reports 10 @1.c0.1.1 under k7, and reported 20 @2.c0.1.2 before");
}

#[test]
fn two_values_with_one_timestamp_break_q_i2() {
    let one = pair(1, 1);
    let other = Pair { value: Some(Value(11)), ..one.clone() };
    let mut run = Watch::new(3, &[]);
    run.store(0, &one).store(1, &one).store(1, &pair(2, 2)).holds();
    let what = run.persist(2, &stored(&other)).breaks(Q_I2);
    assert_eq!(what, "under k7, timestamp 1.c0.1.1 stands for 11 at n2 and for 10 at n0");
    let elsewhere = Record::Stored { key: Key(8), pair: other.clone() };
    run.persist(2, &elsewhere).holds();
    run.observe(c(0), &chosen(1, &other, &[0, 1])).breaks(Q_I2);
    run.start(2, 2).find(2, &stored(&other)).breaks(Q_I2);
}

#[test]
fn values_of_liars_do_not_break_q_i2() {
    let one = pair(1, 1);
    let other = Pair { value: Some(Value(11)), ..one.clone() };
    let mut run = Watch::new(5, &[("quorum", "masking")]);
    run.lie(4).store(0, &one).store(4, &other).answer(4, &query_ok(&other)).holds();
    run.store(3, &other).breaks(Q_I2);
}

#[test]
fn an_operation_complete_without_a_write_quorum_breaks_q_i3() {
    let (old, new) = (pair(1, 1), pair(2, 2));
    let mut run = Watch::new(3, &[]);
    run.store(0, &old).store(1, &old).observe(c(0), &completed(1, &old)).holds();
    run.store(0, &new).persist(1, &stored(&new));
    let what = run.observe(c(0), &completed(2, &new)).breaks(Q_I3);
    let expected =
        "c0 has completed 20 @2.c0.1.2 under k7, and only {n0} hold that or newer durably";
    assert_eq!(what, expected);
    run.sync(1).observe(c(0), &completed(2, &new)).holds();
    // Something newer will do, and so will nothing where nothing was read.
    run.observe(c(1), &completed(3, &old)).observe(c(1), &completed(3, &Pair::INITIAL)).holds();
}

#[test]
fn what_a_crash_took_back_does_not_count_for_q_i3() {
    let new = pair(2, 2);
    let mut run = Watch::new(3, &[]);
    run.store(0, &new).persist(1, &stored(&new)).start(1, 2).observe(c(0), &completed(2, &new));
    run.breaks(Q_I3);
    run.start(1, 2).find(1, &stored(&new)).sync(1).observe(c(0), &completed(2, &new)).holds();
}

#[test]
fn half_of_the_votes_break_q_i3_though_the_planted_bug_takes_them_for_a_quorum() {
    let mut run = Watch::with(&config(6, &[("quorum", "weighted")], Some(Mutant::Q10)));
    let new = pair(1, 1);
    run.store(0, &new).store(1, &new).store(2, &new).breaks(Q_I4);
    run.observe(c(0), &completed(1, &new)).breaks(Q_I3);
    run.store(3, &new).observe(c(0), &completed(1, &new)).holds();
}

#[test]
fn liars_may_be_missing_from_a_quorum_and_correct_servers_may_not() {
    // Four of five.
    let mut run = Watch::new(5, &[("quorum", "masking")]);
    let new = pair(1, 1);
    run.lie(4).observe(c(0), &chosen(1, &new, &[0, 1]));
    run.store(0, &new).store(1, &new).observe(c(0), &completed(1, &new));
    let what = run.breaks(Q_I3);
    assert!(what.ends_with("only {n0, n1} hold that or newer durably, besides {n4} perhaps"));
    run.store(2, &new).observe(c(0), &completed(1, &new)).holds();
}

#[test]
fn quorums_that_do_not_meet_break_q_i4_once_for_each_run() {
    let options = [("quorum", "grid")];
    let wrong = config(4, &options, Some(Mutant::Q08));
    let mut run = Watch::with(&wrong);
    let what = run.sync(0).breaks(Q_I4);
    assert_eq!(what, "the timestamp quorum {n0, n1} and the write quorum {n2, n3} do not meet");
    run.sync(0).holds();
    run.invariants.reset(&wrong);
    run.sync(0).breaks(Q_I4);
    run.invariants.reset(&config(4, &options, None));
    run.sync(0).holds();
    // A lock write is ordered by the members that two write quorums share.
    let votes = [("quorum", "weighted"), ("protocol", "lock")];
    Watch::with(&config(4, &votes, Some(Mutant::Q10))).sync(0).breaks(Q_I4);
    Watch::with(&config(4, &votes, None)).sync(0).holds();
}

#[test]
fn every_construction_passes_q_i4() {
    for (nodes, options) in [
        (1, &[][..]),
        (4, &[]),
        (5, &[("quorum", "counts"), ("write", "2")]),
        (4, &[("quorum", "weighted"), ("weights", "3,1,1,0")]),
        (6, &[("quorum", "grid")]),
        (6, &[("quorum", "grid-symmetric"), ("protocol", "lock")]),
        (6, &[("quorum", "grid-cover"), ("protocol", "lock")]),
        (7, &[("quorum", "dissemination")]),
        (9, &[("quorum", "masking")]),
    ] {
        Watch::new(nodes, options).sync(0).holds();
    }
}

#[test]
fn two_timestamps_of_one_lock_write_break_q_i6() {
    let mut run = Watch::new(3, &[("protocol", "lock")]);
    let decided =
        Observation::Decided { write: write(1), ts: locked(4, 1).ts, voters: nodes(&[0]) };
    let committed = |t| Observation::Committed { write: write(1), ts: locked(t, 1).ts };
    run.observe(n(0), &decided).observe(n(1), &committed(4)).observe(n(2), &committed(4)).holds();
    let what = run.observe(n(2), &committed(5)).breaks(Q_I6);
    assert_eq!(what, "n2 commits lock write n0.1.1 at 5.n0.1.1, and n0 gave it 4.n0.1.1");
}

#[test]
fn a_commit_after_an_abort_breaks_q_i6() {
    let mut run = Watch::new(3, &[("protocol", "lock")]);
    let aborted = |number| Observation::Aborted { write: write(number) };
    let committed =
        |number| Observation::Committed { write: write(number), ts: locked(4, number).ts };
    run.observe(n(1), &aborted(1)).observe(n(2), &aborted(1)).observe(n(2), &committed(2)).holds();
    let what = run.observe(n(2), &committed(1)).breaks(Q_I6);
    assert_eq!(what, "n2 commits lock write n0.1.1 at 4.n0.1.1, and n1 has aborted it");
    run.send(n(0), n(2), &commit(&locked(4, 1), 1)).breaks(Q_I6);
}

#[test]
fn an_abort_after_a_commit_breaks_q_i6() {
    let mut run = Watch::new(3, &[("protocol", "lock")]);
    let aborted = Observation::Aborted { write: write(1) };
    let decided =
        Observation::Decided { write: write(1), ts: locked(4, 1).ts, voters: nodes(&[0]) };
    // A crash takes a decision back that nobody was told of.
    run.observe(n(0), &decided).start(0, 2).observe(n(1), &aborted).holds();
    run.send(n(0), n(2), &commit(&locked(4, 2), 2)).holds();
    let what = run.observe(n(1), &Observation::Aborted { write: write(2) }).breaks(Q_I6);
    assert_eq!(what, "n1 aborts lock write n0.1.2, and n0 has committed it");
}

#[test]
fn too_few_vouchers_break_q_i7() {
    let mut run = Watch::new(5, &[("quorum", "masking")]);
    let real = pair(1, 1);
    run.observe(c(0), &chosen(1, &real, &[0, 1])).observe(c(0), &chosen(2, &real, &[0, 1])).holds();
    let what = run.observe(c(0), &chosen(2, &real, &[1])).breaks(Q_I7);
    assert_eq!(what, "c0 chooses 10 @1.c0.1.1 under k7 on the word of {n1}, and 1 may lie");
    run.observe(c(0), &chosen(3, &pair(2, 3), &[1])).breaks(Q_I7);
}

#[test]
fn a_pair_that_nobody_wrote_breaks_q_i7() {
    for construction in ["masking", "dissemination"] {
        let mut run = Watch::new(5, &[("quorum", construction)]);
        let real = pair(1, 1);
        let forged = Pair { value: Some(Value(99)), ..real.clone() };
        let inflated = pair(9, 1);
        run.lie(4).store(4, &forged).observe(c(0), &chosen(1, &real, &[0, 1]));
        for node in 0..4 {
            run.store(node, &real);
        }
        run.observe(c(0), &chosen(2, &real, &[0, 1])).observe(c(0), &completed(2, &real)).holds();
        run.observe(c(0), &completed(2, &Pair::INITIAL)).holds();
        let what = run.observe(c(0), &chosen(2, &forged, &[3, 4])).breaks(Q_I7);
        let expected = "c0 believes in 99 under k7 with timestamp 1.c0.1.1, which stands for 10";
        assert_eq!(what, expected);
        let what = run.observe(c(0), &chosen(2, &inflated, &[3, 4])).breaks(Q_I7);
        let expected =
            "c0 believes in 10 under k7 with timestamp 9.c0.1.1, which nobody wrote with";
        assert_eq!(what, expected);
        run.observe(c(0), &completed(2, &forged)).breaks(Q_I7);
    }
}

#[test]
fn an_update_acknowledged_before_it_is_durable_breaks_q_i8() {
    let mut run = Watch::new(3, &[]);
    let new = pair(2, 2);
    run.send(c(0), n(0), &update(&new, 2)).persist(0, &stored(&new));
    let what = run.answer(0, &update_ok(2)).breaks(Q_I8);
    assert_eq!(
        what,
        "n0 sends UPDATE_OK to c0 for 20 @2.c0.1.2 under k7, and its disk holds nothing"
    );
    run.answer(1, &update_ok(2)).breaks(Q_I8);
    run.sync(0).answer(0, &update_ok(2)).holds();
    // An older pair needs no record.
    run.send(c(0), n(0), &update(&pair(1, 1), 1)).answer(0, &update_ok(1)).holds();
    // What it answered is not known.
    run.answer(1, &update_ok(5)).holds();
}

#[test]
fn a_report_of_what_is_not_durable_breaks_q_i8() {
    let mut run = Watch::new(3, &[]);
    let new = pair(2, 2);
    run.persist(0, &stored(&new)).answer(0, &query_ok(&new));
    let what = run.breaks(Q_I8);
    assert_eq!(
        what,
        "n0 sends QUERY_OK to c0 for 20 @2.c0.1.2 under k7, and its disk holds nothing"
    );
    run.sync(0).answer(0, &query_ok(&new)).holds();
}

#[test]
fn a_commit_acknowledged_before_it_is_durable_breaks_q_i8() {
    let mut run = Watch::new(3, &[("protocol", "lock")]);
    let new = locked(2, 1);
    let record = Record::Committed { key: KEY, pair: new.clone() };
    run.send(n(0), n(1), &commit(&new, 1)).persist(1, &record);
    let what = run.send(n(1), n(0), &commit_ok(1)).breaks(Q_I8);
    assert_eq!(
        what,
        "n1 sends COMMIT_OK to n0 for 10 @2.n0.1.1 under k7, and its disk holds nothing"
    );
    run.sync(1).send(n(1), n(0), &commit_ok(1)).holds();
}

#[test]
fn a_vote_sent_before_it_is_durable_breaks_q_i8() {
    let mut run = Watch::new(3, &[("protocol", "lock")]);
    let vote = Record::Pending { write: write(1), key: KEY, value: Value(10), t: 3 };
    let ok = Message::Ok { write: write(1), t: 3 };
    run.persist(1, &vote);
    let what = run.send(n(1), n(0), &ok).breaks(Q_I8);
    assert_eq!(
        what,
        "n1 sends OK with clock 3 for lock write n0.1.1 to n0 before its vote is durable"
    );
    run.sync(1).send(n(1), n(0), &ok).holds();
    run.start(1, 2).find(1, &vote).send(n(1), n(0), &ok).holds();
}

#[test]
fn a_node_that_lies_is_not_judged_from_then_on() {
    let mut run = Watch::new(5, &[("quorum", "masking")]);
    let (old, new) = (pair(1, 1), pair(2, 2));
    run.store(0, &new).lie(0);
    run.persist(0, &stored(&old)).sync(0).answer(0, &query_ok(&pair(9, 9))).holds();
    run.start(0, 2).answer(0, &query_ok(&old)).answer(0, &query_ok(&pair(9, 9))).holds();
}

#[test]
fn more_liars_than_are_borne_end_what_is_promised_of_values_and_not_what_a_node_owes() {
    for (nodes, options, liars) in [(3, &[][..], &[2][..]), (5, &[("quorum", "masking")], &[3, 4])]
    {
        let mut run = Watch::new(nodes, options);
        let (real, other) = (pair(1, 1), Pair { value: Some(Value(11)), ..pair(1, 1) });
        for liar in liars {
            run.lie(*liar);
        }
        run.store(0, &real).store(1, &other).observe(c(0), &completed(2, &pair(9, 9))).holds();
        run.store(0, &pair(3, 3)).store(0, &real).breaks(Q_I1);
    }
}

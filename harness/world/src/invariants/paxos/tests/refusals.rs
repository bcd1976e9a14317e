use super::super::{P_I1, P_I2, P_I3, P_I4, P_I5, P_I6, P_I7, P_I8, P_I9, P_I10, P_I11, P_I12};
use super::*;

#[test]
fn a_promise_below_another_breaks_p_i1() {
    let (low, high) = (ballot(1, 1), ballot(2, 2));
    let mut run = Watch::new(3, &[]);
    run.promise(0, low, &[]).promise(0, high, &[]).promise(0, high, &[]).holds();
    let what = run.store(0, &Record::Promised { ballot: low }).breaks(P_I1);
    assert_eq!(what, "n0 promises 1.n1.1, and had promised 2.n2.1");
    let what = run.send(n(0), n(1), &p1b(low, 0, &[])).breaks(P_I1);
    assert_eq!(what, "n0 promises 1.n1.1, and had told that it promised 2.n2.1");
}

#[test]
fn an_acceptance_below_a_promise_breaks_p_i1() {
    let (low, high) = (ballot(1, 1), ballot(2, 2));
    let mut run = Watch::new(3, &[]);
    run.promise(0, high, &[]).store(0, &accepted(1, high, &entry(1))).holds();
    let what = run.store(0, &accepted(2, low, &entry(2))).breaks(P_I1);
    assert_eq!(what, "n0 accepts in 1.n1.1, and had promised 2.n2.1");
    run.send(n(0), n(1), &p2b(2, low)).breaks(P_I1);
    // To accept is to promise, in all slots.
    let mut run = Watch::new(3, &[]);
    run.store(0, &accepted(5, high, &entry(1))).holds();
    run.store(0, &Record::Promised { ballot: low }).breaks(P_I1);
}

#[test]
fn a_restart_without_a_promise_breaks_p_i1() {
    let (low, high) = (ballot(1, 1), ballot(2, 2));
    let (low, high) = (Record::Promised { ballot: low }, Record::Promised { ballot: high });
    let mut run = Watch::new(3, &[]);
    run.store(0, &low).store(0, &high);
    run.start(0, 2).find(0, &low).find(0, &high).sync(0).holds();
    // It refuses to start from such a disk.
    run.start(0, 3).find(0, &low).holds();
    run.start(0, 4).find(0, &low);
    let what = run.sync(0).breaks(P_I1);
    assert_eq!(what, "n0 restarts with promise 1.n1.1, and had promised 2.n2.1");
}

#[test]
fn a_restart_without_an_acceptance_breaks_p_i1() {
    let b = ballot(1, 1);
    let promised = Record::Promised { ballot: b };
    let mut run = Watch::new(3, &[]);
    run.submit(0, 2).store(0, &promised).store(0, &accepted(1, b, &entry(1)));
    run.start(0, 2).find(0, &promised).find(0, &accepted(1, b, &entry(1))).sync(0).holds();
    run.start(0, 3).find(0, &promised);
    assert_eq!(run.sync(0).breaks(P_I1), "n0 restarts without what it held in s1");
    let decided = Record::Decided { slot: Slot(2), entry: entry(2) };
    run.store(0, &decided).start(0, 4).find(0, &promised).find(0, &decided).sync(0).holds();
    run.start(0, 5).find(0, &promised).sync(0).breaks(P_I1);
}

#[test]
fn a_snapshot_stands_for_what_it_covers_and_must_be_found_as_well() {
    let b = ballot(1, 1);
    let mut run = Watch::new(3, &[]);
    run.store(0, &accepted(1, b, &entry(1))).store(0, &accepted(2, b, &entry(2)));
    run.store(0, &snapshot(1, 11));
    let promised = Record::Promised { ballot: b };
    let found = [&snapshot(1, 11), &accepted(2, b, &entry(2)), &promised];
    run.start(0, 2);
    for record in found {
        run.find(0, record);
    }
    run.sync(0).holds();
    run.start(0, 3).find(0, &accepted(1, b, &entry(1))).find(0, &accepted(2, b, &entry(2)));
    run.find(0, &promised);
    assert_eq!(run.sync(0).breaks(P_I1), "n0 restarts without its snapshot up to s1");
}

#[test]
fn a_crash_may_take_back_what_was_not_durable() {
    let (low, high) = (ballot(1, 1), ballot(2, 2));
    let mut run = Watch::new(3, &[]);
    run.store(0, &Record::Promised { ballot: low });
    run.persist(0, &Record::Promised { ballot: high }).persist(0, &accepted(1, high, &entry(1)));
    run.start(0, 2).find(0, &Record::Promised { ballot: low }).promise(0, ballot(1, 2), &[]);
    run.holds();
}

#[test]
fn an_acceptance_that_does_not_promise_breaks_p_i2() {
    let (low, high) = (ballot(1, 1), ballot(2, 2));
    let mut run = Watch::new(3, &[]);
    run.accept(0, 1, high, &entry(1)).holds();
    let answer = Message::P2b { ballot: high, slot: Slot(1), ok: true, promised: low };
    let what = run.send(n(0), n(2), &answer).breaks(P_I2);
    assert_eq!(what, "n0 accepts in 2.n2.1, and has promised 1.n1.1");
    let refusal = Message::P2b { ballot: low, slot: Slot(1), ok: false, promised: high };
    run.send(n(0), n(1), &refusal).holds();
}

#[test]
fn two_entries_in_one_slot_and_ballot_break_p_i3() {
    let b = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    run.submit(0, 1).submit(0, 2).lead(b, &[1]).propose(1, b, &entry(1));
    run.accept(1, 1, b, &entry(1)).propose(2, b, &entry(2)).holds();
    let what = run.send(n(0), n(2), &p2a(1, b, &entry(2))).breaks(P_I3);
    let (one, two) = (short(&entry(1)), short(&entry(2)));
    assert_eq!(what, format!("in s1, 1.n0.1 stands for {two} at n0 and for {one} at n0"));
    run.persist(2, &accepted(1, b, &entry(2))).breaks(P_I3);
}

#[test]
fn a_ballot_of_another_breaks_p_i4() {
    let b = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    let p1a = Message::P1a { ballot: b, from: Slot(1) };
    run.send(n(0), n(1), &p1a).send(n(0), n(2), &p1a).holds();
    let what = run.send(n(1), n(2), &p1a).breaks(P_I4);
    assert_eq!(what, "n1 uses 1.n0.1, which is n0's");
    let beat = Message::Heartbeat { ballot: b, round: 1, commit: Slot::ZERO };
    run.send(n(0), n(1), &beat).holds();
    run.send(n(2), n(1), &beat).breaks(P_I4);
}

#[test]
fn a_ballot_of_two_lives_breaks_p_i4() {
    let b = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    let p1a = |incarnation| {
        let incarnation = Incarnation(incarnation);
        Message::P1a { ballot: Ballot { incarnation, ..b }, from: Slot(1) }
    };
    run.send(n(0), n(1), &p1a(1)).start(0, 2).send(n(0), n(1), &p1a(2)).holds();
    let what = run.send(n(0), n(1), &p1a(1)).breaks(P_I4);
    assert_eq!(what, "n0 uses 1.n0.1 in its life 2");
}

#[test]
fn a_ballot_that_is_begun_twice_breaks_p_i4() {
    let mut run = Watch::new(3, &[]);
    let begin = |round| Observation::BallotUsed { ballot: ballot(round, 0), from: Slot(1) };
    run.observe(n(0), &begin(1)).observe(n(0), &begin(3)).holds();
    let what = run.observe(n(0), &begin(3)).breaks(P_I4);
    assert_eq!(what, "n0 begins with 3.n0.1, after 3.n0.1");
}

#[test]
fn a_leader_without_a_majority_breaks_p_i5() {
    let (first, second) = (ballot(1, 0), ballot(2, 0));
    let mut run = Watch::new(3, &[]);
    run.lead(first, &[1]).holds();
    let what = run.campaign(second).elect(second, &[]).breaks(P_I5);
    assert_eq!(what, "n0 leads in 2.n0.1 on the promises of {n0}, no majority");
}

#[test]
fn a_promise_for_another_ballot_does_not_count_for_p_i5() {
    let (first, second) = (ballot(1, 0), ballot(2, 0));
    let mut run = Watch::new(3, &[]);
    run.campaign(first).promise(1, first, &[]).campaign(second);
    let what = run.elect(second, &[1]).breaks(P_I5);
    assert_eq!(what, "n0 leads in 2.n0.1 on promises that {n1} did not give for it");
}

#[test]
fn a_promise_to_itself_that_is_not_durable_does_not_count_for_p_i5() {
    let b = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    run.persist(0, &Record::Promised { ballot: b }).promise(1, b, &[]);
    run.elect(b, &[1]).breaks(P_I5);
}

#[test]
fn another_entry_than_that_of_the_highest_ballot_breaks_p_i5() {
    let (low, high, b) = (ballot(1, 1), ballot(2, 2), ballot(3, 0));
    for (proposal, is_right) in [(entry(1), false), (entry(2), true), (entry(3), false)] {
        let mut run = Watch::new(5, &[]);
        (1..=3).for_each(|seq| _ = run.submit(0, seq));
        run.accept(1, 4, low, &entry(1)).accept(2, 4, high, &entry(2)).campaign(b);
        run.promise(1, b, &[told(4, low, &entry(1))]);
        run.promise(2, b, &[told(4, high, &entry(2))]);
        run.elect(b, &[1, 2]).observe(n(0), &proposed(4, b, &proposal));
        if is_right {
            run.send(n(0), n(1), &p2a(4, b, &proposal)).holds();
            continue;
        }
        let (proposal, highest) = (short(&proposal), short(&entry(2)));
        let told = format!("and of what its voters told the highest is {highest} of 2.n2.1");
        assert_eq!(run.breaks(P_I5), format!("n0 proposes {proposal} in s4 of 3.n0.1, {told}"));
    }
}

#[test]
fn what_a_candidate_has_accepted_itself_counts_for_p_i5() {
    let (low, b) = (ballot(1, 1), ballot(2, 0));
    let mut run = Watch::new(3, &[]);
    run.submit(0, 1).submit(0, 2).accept(0, 1, low, &entry(1)).lead(b, &[2]);
    run.observe(n(0), &proposed(1, b, &entry(2))).breaks(P_I5);
    let mut run = Watch::new(3, &[]);
    run.submit(0, 1).accept(0, 1, low, &entry(1)).lead(b, &[2]).propose(1, b, &entry(1)).holds();
}

#[test]
fn what_is_known_to_be_decided_may_be_proposed_whatever_was_accepted_elsewhere() {
    let (low, b) = (ballot(1, 1), ballot(2, 0));
    let mut run = Watch::new(3, &[]);
    run.submit(0, 1).submit(0, 2).accept(2, 1, low, &entry(1)).campaign(b);
    let decided = Report { slot: Slot(1), ballot: Ballot::ZERO, entry: entry(2), is_decided: true };
    run.promise(1, b, &[decided]).promise(2, b, &[told(1, low, &entry(1))]).elect(b, &[1, 2]);
    run.propose(1, b, &entry(2)).holds();
}

#[test]
fn a_proposal_where_a_snapshot_hides_what_is_decided_breaks_p_i5() {
    let b = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    run.submit(0, 1).campaign(b).store(1, &snapshot(7, 70));
    run.store(1, &Record::Promised { ballot: b }).send(n(1), n(0), &p1b(b, 7, &[]));
    run.elect(b, &[1]).propose(8, b, &entry(1)).holds();
    let what = run.observe(n(0), &proposed(7, b, &Entry::Noop)).breaks(P_I5);
    assert_eq!(what, "n0 proposes NOOP in s7 of 1.n0.1, and n1 told of a snapshot up to s7");
}

#[test]
fn a_proposal_before_the_slots_that_were_asked_about_breaks_p_i5() {
    let b = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    run.observe(n(0), &Observation::BallotUsed { ballot: b, from: Slot(3) });
    run.store(0, &Record::Promised { ballot: b }).promise(1, b, &[]).elect(b, &[1]);
    run.propose(3, b, &Entry::Noop).holds();
    let what = run.observe(n(0), &proposed(2, b, &Entry::Noop)).breaks(P_I5);
    assert_eq!(what, "n0 proposes NOOP in s2 of 1.n0.1, and has asked for promises from s3 on");
}

#[test]
fn an_entry_that_nobody_submitted_breaks_p_i5() {
    let b = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    run.lead(b, &[1]).propose(1, b, &Entry::Noop).holds();
    let what = run.send(n(0), n(1), &p2a(2, b, &entry(1))).breaks(P_I5);
    let proposes = format!("n0 proposes {} in s2 of 1.n0.1", short(&entry(1)));
    assert_eq!(what, format!("{proposes}, which no client has submitted"));
}

#[test]
fn a_proposal_of_one_who_does_not_lead_breaks_p_i5() {
    let b = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    let what = run.campaign(b).send(n(0), n(1), &p2a(1, b, &Entry::Noop)).breaks(P_I5);
    assert_eq!(what, "n0 proposes NOOP in s1 of 1.n0.1, in which it does not lead");
}

#[test]
fn two_decisions_break_p_i6() {
    let (first, second) = (ballot(1, 0), ballot(2, 0));
    let mut run = Watch::new(3, &[]);
    run.submit(0, 1).submit(0, 2);
    for node in 0..3 {
        run.accept(node, 1, first, &entry(1));
    }
    run.decide(1, first, &entry(1), &[0, 1]).learn(2, 1, &entry(1)).holds();
    let what = run.learn(1, 1, &entry(2));
    let expected = format!(
        "n1 knows that {} is decided in s1, and n0 that {} is",
        short(&entry(2)),
        short(&entry(1))
    );
    assert_eq!(what.breaks(P_I6), expected);
    // A record and a report speak of decisions as well.
    run.persist(2, &Record::Decided { slot: Slot(1), entry: Entry::Noop }).breaks(P_I6);
    let report = Report { slot: Slot(1), ballot: Ballot::ZERO, entry: entry(2), is_decided: true };
    run.promise(1, second, &[report]).breaks(P_I6);
}

#[test]
fn a_decision_that_nobody_submitted_breaks_p_i7() {
    let b = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    for node in 0..2 {
        run.accept(node, 1, b, &Entry::Noop).accept(node, 2, b, &entry(2));
    }
    run.decide(1, b, &Entry::Noop, &[0, 1]).submit(0, 1).holds();
    let what = run.decide(2, b, &entry(2), &[0, 1]).breaks(P_I7);
    let entry = short(&entry(2));
    assert_eq!(
        what,
        format!("n0 knows that {entry} is decided in s2, which no client has submitted")
    );
}

#[test]
fn a_slot_that_is_passed_over_breaks_p_i8() {
    let mut run = Watch::new(3, &[]);
    run.execute(0, 1, 11, Some(1)).execute(0, 2, 12, None).execute(1, 1, 11, Some(1)).holds();
    assert_eq!(run.execute(1, 3, 13, None).breaks(P_I8), "n1 executes s3 after s1");
    assert_eq!(run.execute(0, 2, 12, None).breaks(P_I8), "n0 executes s2 after s2");
}

#[test]
fn a_replica_goes_on_after_its_snapshot() {
    let mut run = Watch::new(3, &[]);
    let installed = |index, chain| Observation::SnapshotInstalled {
        index: Slot(index),
        chain: Chain(chain),
        ticket: 1,
    };
    run.observe(n(0), &installed(5, 15)).execute(0, 6, 16, None);
    run.store(0, &snapshot(5, 15)).start(0, 2).find(0, &snapshot(5, 15));
    run.execute(0, 6, 16, None).holds();
    run.start(0, 3).find(0, &snapshot(5, 15)).execute(0, 7, 17, None).breaks(P_I8);
}

#[test]
fn two_histories_break_p_i8() {
    let mut run = Watch::new(3, &[]);
    run.execute(0, 1, 11, Some(1)).execute(1, 1, 11, Some(1)).execute(0, 2, 12, None).holds();
    let what = run.execute(1, 2, 13, None).breaks(P_I8);
    let expected =
        "up to s2, the history of n1 is 000000000000000d and that of n0 000000000000000c";
    assert_eq!(what, expected);
    let taken = Observation::SnapshotTaken { index: Slot(2), chain: Chain(14), ticket: 1 };
    run.observe(n(2), &taken).breaks(P_I8);
}

#[test]
fn a_request_that_takes_effect_twice_breaks_p_i9() {
    let mut run = Watch::new(3, &[]);
    run.execute(0, 1, 11, Some(1)).run(0, 2, 12, Some(1), false).execute(0, 3, 13, Some(2));
    run.execute(1, 1, 11, Some(1)).run(1, 2, 12, Some(1), false).holds();
    let what = run.execute(0, 4, 14, Some(1)).breaks(P_I9);
    assert_eq!(what, "request 1.1 of c0 takes effect in s4 at n0, and in s1");
}

#[test]
fn a_request_that_takes_effect_at_one_replica_and_not_at_another_breaks_p_i9() {
    let mut run = Watch::new(3, &[]);
    let what = run.execute(0, 1, 11, Some(1)).run(1, 1, 11, Some(1), false).breaks(P_I9);
    assert_eq!(what, "request 1.1 of c0 takes effect in s1 at n0 and not at n1");
}

#[test]
fn an_answer_before_its_record_is_durable_breaks_p_i10() {
    let b = ballot(1, 1);
    let mut run = Watch::new(3, &[]);
    run.persist(0, &Record::Promised { ballot: b });
    let what = run.send(n(0), n(1), &p1b(b, 0, &[])).breaks(P_I10);
    assert_eq!(what, "n0 promises 1.n1.1, and its disk holds nothing");
    run.sync(0).send(n(0), n(1), &p1b(b, 0, &[])).holds();
    run.persist(0, &accepted(4, b, &entry(1)));
    let what = run.send(n(0), n(1), &p2b(4, b)).breaks(P_I10);
    let said = "n0 tells that it accepted s4 in 1.n1.1, and its disk holds nothing";
    assert_eq!(what, said);
    let what = run.send(n(0), n(1), &p1b(b, 0, &[told(4, b, &entry(1))])).breaks(P_I10);
    assert_eq!(what, said);
    run.sync(0).send(n(0), n(1), &p2b(4, b)).holds();
}

#[test]
fn a_snapshot_stands_for_acceptances_once_it_is_durable() {
    let b = ballot(1, 1);
    let mut run = Watch::new(3, &[]);
    run.store(0, &Record::Promised { ballot: b }).persist(0, &snapshot(4, 14));
    run.send(n(0), n(1), &p2b(4, b)).breaks(P_I10);
    let what = run.send(n(0), n(1), &p1b(b, 4, &[])).breaks(P_I10);
    assert_eq!(what, "n0 tells of a snapshot up to s4, and its disk holds one up to s0");
    run.sync(0).send(n(0), n(1), &p2b(4, b)).send(n(0), n(1), &p1b(b, 4, &[])).holds();
    run.send(n(0), n(1), &p2b(5, b)).breaks(P_I10);
    // As an acceptance, it is a promise nevertheless.
    run.send(n(0), n(2), &p2b(3, ballot(2, 2))).breaks(P_I10);
}

#[test]
fn a_decision_that_no_majority_holds_breaks_p_i11() {
    let (low, high) = (ballot(1, 1), ballot(2, 0));
    let mut run = Watch::new(5, &[]);
    run.submit(0, 1).accept(0, 1, high, &entry(1)).accept(1, 1, low, &entry(1));
    run.persist(2, &accepted(1, high, &entry(1)));
    let what = run.decide(1, high, &entry(1), &[0, 1, 2]).breaks(P_I11);
    let knows = |of: &str| format!("n0 knows that {}{of} is decided in s1", short(&entry(1)));
    assert_eq!(what, knows(" of 2.n0.1") + ", and only {n0} hold it durably");
    let what = run.learn(0, 1, &entry(1)).breaks(P_I11);
    assert_eq!(what, knows("") + ", and only {n0, n1} hold it durably");
    run.sync(2).learn(0, 1, &entry(1)).holds();
    // A record that it is decided, and a snapshot, are as good as an acceptance.
    run.decide(1, high, &entry(1), &[0, 1, 2]).breaks(P_I11);
    run.store(3, &Record::Decided { slot: Slot(1), entry: entry(1) });
    run.decide(1, high, &entry(1), &[0, 1, 2]).holds();
}

#[test]
fn a_snapshot_holds_what_it_covers_and_a_restart_loses_what_was_not_durable() {
    let b = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    run.submit(0, 1).accept(0, 4, b, &entry(1)).persist(1, &accepted(4, b, &entry(1)));
    run.start(1, 2).sync(1);
    run.decide(4, b, &entry(1), &[0, 1]).breaks(P_I11);
    run.store(2, &snapshot(4, 14)).decide(4, b, &entry(1), &[0, 2]).holds();
}

#[test]
fn a_decision_by_a_minority_breaks_p_i11() {
    let b = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    run.submit(0, 1).accept(0, 1, b, &entry(1));
    let what = run.decide(1, b, &entry(1), &[0]).breaks(P_I11);
    assert_eq!(what, "n0 takes s1 for decided by {n0}, no majority");
}

#[test]
fn a_lease_read_after_another_is_elected_breaks_p_i12() {
    let (first, second, third) = (ballot(1, 0), ballot(2, 1), ballot(3, 0));
    let mut run = Watch::new(3, &[]);
    run.lead(first, &[1]).read_by_lease(0, first).lead(second, &[2]);
    run.read_by_lease(1, second).holds();
    let what = run.read_by_lease(0, first).breaks(P_I12);
    assert_eq!(what, "n0 answers a read by its lease of 1.n0.1, and n1 leads in 2.n1.1");
    // By a round it may be: that is for the history to judge.
    let by_round = Observation::ReadServed { ballot: first, applied: Slot::ZERO, by_lease: false };
    run.observe(n(0), &by_round).lead(third, &[1]).read_by_lease(0, third).holds();
}

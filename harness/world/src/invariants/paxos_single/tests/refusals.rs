use super::super::{P_I1, P_I2, P_I3, P_I4, P_I5, P_I6, P_I7, P_I10, P_I11};
use super::*;

#[test]
fn a_promise_below_another_breaks_p_i1() {
    let (low, high) = (ballot(1, 0), ballot(2, 1));
    let mut run = Watch::new(3, &[]);
    run.promise(0, c(0), low, None).promise(0, c(1), high, None).holds();
    let what = run.store(0, &promised(low)).breaks(P_I1);
    assert_eq!(what, "n0 promises 1.c0.1 under k7, and had promised 2.c1.1");
    let what = run.send(n_(0), c(0), &prepare_ok(low, None)).breaks(P_I1);
    assert_eq!(what, "n0 promises 1.c0.1 under k7 to c0, and had promised 2.c1.1");
}

#[test]
fn an_acceptance_below_a_promise_breaks_p_i1() {
    let (low, high) = (at(ballot(1, 0), 10), at(ballot(2, 1), 20));
    let mut run = Watch::new(3, &[]);
    run.store(0, &promised(high.n)).store(0, &accepted(high)).holds();
    let what = run.store(0, &accepted(low)).breaks(P_I1);
    assert_eq!(what, "n0 accepts 1.c0.1 under k7, and had promised 2.c1.1");
    // To accept is to promise.
    let mut run = Watch::new(3, &[]);
    run.store(0, &accepted(high)).holds().store(0, &promised(low.n)).breaks(P_I1);
}

#[test]
fn a_restart_without_a_promise_breaks_p_i1() {
    let (low, high) = (ballot(1, 0), ballot(2, 1));
    let mut run = Watch::new(3, &[]);
    run.store(0, &promised(low)).store(0, &promised(high));
    run.start(0, 2).find(0, &promised(high)).sync(0).holds();
    // It refuses to start from such a disk.
    run.start(0, 3).find(0, &promised(low)).holds();
    run.start(0, 4).find(0, &promised(low));
    let what = run.sync(0).breaks(P_I1);
    let expected = "n0 restarts with promise 1.c0.1 and acceptance nothing under k7, and had 2.c1.1 and nothing";
    assert_eq!(what, expected);
}

#[test]
fn a_restart_without_an_acceptance_breaks_p_i1() {
    let proposal = at(ballot(1, 0), 10);
    let mut run = Watch::new(3, &[]);
    run.store(0, &promised(proposal.n)).store(0, &accepted(proposal));
    run.start(0, 2).find(0, &promised(proposal.n)).sync(0).breaks(P_I1);
}

#[test]
fn a_crash_may_take_back_what_was_not_durable() {
    let (low, high) = (ballot(1, 0), ballot(2, 1));
    let mut run = Watch::new(3, &[]);
    run.store(0, &promised(low)).persist(0, &promised(high));
    run.start(0, 2).find(0, &promised(low)).sync(0).promise(0, c(2), ballot(1, 2), None).holds();
}

#[test]
fn an_acceptance_that_does_not_promise_breaks_p_i2() {
    let (low, high) = (ballot(1, 0), at(ballot(2, 1), 20));
    let tell = |np| {
        let Accepted { n, value } = high;
        Observation::Accepted { key: KEY, n, value, np, ticket: 1 }
    };
    Watch::new(3, &[]).observe(n_(0), &tell(high.n)).holds();
    let what = Watch::new(3, &[]).observe(n_(0), &tell(low)).breaks(P_I2);
    assert_eq!(what, "n0 accepts 2.c1.1 under k7, and has promised 1.c0.1");
}

#[test]
fn two_values_with_one_number_break_p_i3() {
    let (one, other) = (at(ballot(1, 0), 10), at(ballot(1, 0), 11));
    let mut run = Watch::new(3, &[]);
    run.accept(0, c(0), one).accept(1, c(0), one).holds();
    let what = run.persist(2, &accepted(other)).breaks(P_I3);
    assert_eq!(what, "under k7, 1.c0.1 stands for 11 at n2 and for 10 at n0");
    let elsewhere = Record::Accepted { key: Key(8), n: other.n, value: other.value };
    run.persist(2, &elsewhere).holds();
}

#[test]
fn a_number_of_two_proposers_breaks_p_i4() {
    let n = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    run.send(c(0), n_(0), &prepare(n)).send(c(0), n_(1), &prepare(n)).holds();
    let what = run.send(c(1), n_(1), &prepare(n)).breaks(P_I4);
    assert_eq!(what, "c1 uses 1.c0.1 under k7, which is c0's");
    // In another instance it is another number.
    run.send(c(1), n_(1), &Message::Prepare { key: Key(8), n }).holds();
}

#[test]
fn a_number_of_two_lives_breaks_p_i4() {
    let n = ballot(1, 0);
    let mut run = Watch::new(3, &[]);
    run.send(n_(2), n_(0), &prepare(n)).start(2, 2);
    let what = run.send(n_(2), n_(1), &prepare(n)).breaks(P_I4);
    assert_eq!(what, "n2 uses 1.c0.1 under k7 in its life 2, as in its life 1");
}

#[test]
fn a_proposal_without_a_majority_breaks_p_i5() {
    let proposal = at(ballot(1, 0), 10);
    let mut run = Watch::new(3, &[]);
    run.submit(0, 10).promise(0, c(0), proposal.n, None).promise(1, c(0), proposal.n, None);
    run.propose(0, proposal, &[0, 1]).holds();
    let what = run.observe(c(0), &proposed(proposal, &[1])).breaks(P_I5);
    assert_eq!(what, "c0 proposes 10 with 1.c0.1 under k7, on the promises of {n1}, no majority");
}

#[test]
fn a_promise_for_another_number_does_not_count_for_p_i5() {
    let (first, second) = (ballot(1, 0), at(ballot(2, 0), 10));
    let mut run = Watch::new(3, &[]);
    run.submit(0, 10).promise(0, c(0), first, None).promise(1, c(0), second.n, None);
    let what = run.observe(c(0), &proposed(second, &[0, 1])).breaks(P_I5);
    assert_eq!(
        what,
        "c0 proposes 10 with 2.c0.1 under k7, on promises that {n0} did not give for it"
    );
}

#[test]
fn a_promise_of_a_proposer_to_itself_is_seen_as_well() {
    let n = Ballot { round: 1, proposer: Party::Node(NodeId(0)), incarnation: 1 };
    let mut run = Watch::new(3, &[]);
    let own = Observation::Promised { key: KEY, n, accepted: None, ticket: 1 };
    run.submit(0, 10).observe(n_(0), &own).promise(1, n_(0), n, None);
    run.observe(n_(0), &proposed(at(n, 10), &[0, 1])).holds();
}

#[test]
fn another_value_than_that_of_the_highest_number_breaks_p_i5() {
    let (low, high) = (at(ballot(1, 0), 10), at(ballot(2, 1), 20));
    let n = ballot(3, 2);
    let mut run = Watch::new(3, &[]);
    run.submit(2, 30).accept(0, c(0), low).accept(1, c(1), high);
    run.promise(0, c(2), n, Some(low)).promise(1, c(2), n, Some(high));
    run.observe(c(2), &proposed(at(n, 20), &[0, 1])).holds();
    let what = run.observe(c(2), &proposed(at(n, 10), &[0, 1])).breaks(P_I5);
    let told = "and of those it was told the highest is 20 @2.c1.1";
    assert_eq!(what, format!("c2 proposes 10 with 3.c2.1 under k7, {told}"));
    run.observe(c(2), &proposed(at(n, 30), &[0, 1])).breaks(P_I5);
}

#[test]
fn a_value_that_nobody_submitted_breaks_p_i5() {
    let proposal = at(ballot(1, 0), 10);
    let mut run = Watch::new(3, &[]);
    run.promise(0, c(0), proposal.n, None).promise(1, c(0), proposal.n, None);
    let what = run.observe(c(0), &proposed(proposal, &[0, 1])).breaks(P_I5);
    assert_eq!(what, "c0 proposes 10 with 1.c0.1 under k7, which nobody has submitted");
}

#[test]
fn a_proposal_that_its_proposer_has_not_chosen_breaks_p_i5() {
    let proposal = at(ballot(1, 0), 10);
    let mut run = Watch::new(3, &[]);
    let what = run.send(c(0), n_(0), &accept(proposal)).breaks(P_I5);
    assert_eq!(
        what,
        "c0 sends a proposal of 10 with 1.c0.1 under k7, and has nothing to propose with it"
    );
    // The straw man prepares nothing.
    let mut straw = Watch::new(3, &[("rules", "first-proposal")]);
    straw.send(n_(0), n_(0), &accept(proposal)).holds();
}

#[test]
fn two_decisions_break_p_i6() {
    let (one, same, other) = (at(ballot(1, 0), 10), at(ballot(2, 1), 10), at(ballot(3, 1), 20));
    let mut run = Watch::new(3, &[]);
    run.submit(0, 10).submit(1, 20).accept(0, c(0), one).accept(1, c(0), one);
    run.observe(n_(2), &decided(one)).holds();
    run.accept(0, c(0), same).accept(1, c(0), same).observe(c(1), &decided(same)).holds();
    run.accept(0, c(1), other).accept(1, c(1), other);
    let what = run.observe(c(1), &decided(other)).breaks(P_I6);
    let expected = "under k7, c1 knows that 20 @3.c1.1 is decided, and n2 that 10 @1.c0.1 is";
    assert_eq!(what, expected);
}

#[test]
fn a_decision_that_nobody_submitted_breaks_p_i7() {
    let proposal = at(ballot(1, 0), 10);
    let mut run = Watch::new(3, &[]);
    run.submit(0, 11).accept(0, c(0), proposal).accept(1, c(0), proposal);
    let what = run.observe(n_(2), &decided(proposal)).breaks(P_I7);
    assert_eq!(what, "n2 knows that 10 is decided under k7, which nobody has submitted");
}

#[test]
fn an_answer_before_its_record_is_durable_breaks_p_i10() {
    let proposal = at(ballot(1, 0), 10);
    let mut run = Watch::new(3, &[]);
    run.persist(0, &promised(proposal.n));
    let what = run.send(n_(0), c(0), &prepare_ok(proposal.n, None)).breaks(P_I10);
    assert_eq!(what, "n0 promises 1.c0.1 under k7 to c0, and its disk holds nothing");
    run.sync(0).send(n_(0), c(0), &prepare_ok(proposal.n, None)).holds();
    run.persist(0, &accepted(proposal));
    let what = run.send(n_(0), c(0), &accept_ok(proposal)).breaks(P_I10);
    let said = "n0 tells c0 that it has accepted 10 @1.c0.1 under k7, and its disk holds nothing";
    assert_eq!(what, said);
    let what = run.send(n_(0), c(0), &prepare_ok(proposal.n, Some(proposal))).breaks(P_I10);
    assert_eq!(what, said);
    run.sync(0).send(n_(0), c(0), &accept_ok(proposal)).holds();
}

#[test]
fn a_decision_that_no_majority_holds_breaks_p_i11() {
    let (low, high) = (at(ballot(1, 0), 10), at(ballot(2, 1), 10));
    let mut run = Watch::new(5, &[("acceptors", "0,1,2")]);
    run.submit(0, 10).accept(0, c(0), high).persist(1, &accepted(low));
    let what = run.observe(n_(2), &decided(low)).breaks(P_I11);
    let expected = "n2 knows that 10 @1.c0.1 is decided under k7, and only {n0} hold it durably";
    assert_eq!(what, expected);
    run.sync(1).observe(n_(2), &decided(low)).holds();
    // With this number only one holds it.
    run.observe(n_(2), &decided(high)).breaks(P_I11);
    // Who is no acceptor does not count.
    run.store(3, &accepted(high)).observe(n_(2), &decided(high)).breaks(P_I11);
}

#[test]
fn among_liars_nothing_is_promised() {
    let proposal = at(ballot(1, 0), 10);
    let mut run = Watch::new(3, &[]);
    run.see(&Seen::Lies { who: Who::Node(NodeId(2)) });
    run.observe(n_(1), &decided(proposal)).send(c(0), n_(0), &accept(proposal)).holds();
}

#[test]
fn of_an_instance_that_was_forgotten_nothing_is_missed() {
    let proposal = at(ballot(1, 0), 10);
    let mut run = Watch::new(3, &[]);
    run.submit(0, 10).accept(0, c(0), proposal).accept(1, c(0), proposal);
    for key in 100..1_000 {
        run.observe(c(1), &Observation::Submitted { key: Key(key), value: Value(1) });
    }
    run.observe(n_(2), &decided(proposal)).send(n_(0), c(1), &accept_ok(proposal)).holds();
}

use quorate_systems::mutant::Mutants;

use super::super::{B_I1, B_I2, B_I3, B_I4, B_I5, B_I6, B_I7, B_I8, B_I9, B_I10, B_L2};
use super::*;

/// Of four replicas two lie, one too many: n0, which leads, tells n1 and n2 different things, and n3 helps.
fn split() -> Watch {
    let mut run = Watch::new(4, &[]);
    run.lie(0).lie(3).ask(1).ask(2).accept(1, V0, 1, 1).accept(2, V0, 1, 2);
    run.prepare(1, (V0, 1, 1), &[0, 1, 3]).holds();
    run
}

#[test]
fn two_digests_that_are_prepared_in_one_view_break_b_i1() {
    let mut run = split();
    let what = run.prepare(2, (V0, 1, 2), &[0, 2, 3]).breaks(B_I1);
    assert_eq!(what, "s1 of v0 is prepared as 00000002 at n2, and as 00000001 at n1");
}

#[test]
fn two_digests_that_are_committed_break_b_i2() {
    let mut run = split();
    run.commit(1, (V0, 1, 1), &[0, 1, 3]).prepare(2, (V0, 1, 2), &[0, 2, 3]).breaks(B_I1);
    let what = run.commit(2, (V0, 1, 2), &[0, 2, 3]).breaks(B_I2);
    assert_eq!(what, "s1 is committed as 00000002 at n2, and as 00000001 at n1");
    // Nor may others say so.
    let mut run = split();
    run.commit(1, (V0, 1, 1), &[0, 1, 3]).holds();
    let (seq, digest, voters) = (Slot(1), digest(2), set(&[0, 3]));
    run.observe(n(2), &Observation::Learned { seq, digest, voters }).breaks(B_I2);
}

#[test]
fn what_is_prepared_in_a_later_view_in_place_of_what_is_committed_breaks_b_i2() {
    let mut run = split();
    run.commit(1, (V0, 1, 1), &[0, 1, 3]);
    let two = view_change(V1, START(), &[]);
    run.lie(1).want(2, &two).holds();
    let new = new_view(&[(0, &two), (2, &two), (3, &two)], &[]);
    run.enter(2, &new).accept(2, V1, 1, 2).holds();
    let what = run.prepare(2, (V1, 1, 2), &[1, 2, 3]).breaks(B_I2);
    assert_eq!(
        what,
        "s1 of v1 is prepared as 00000002 at n2, and is committed as 00000001 at n1 since v0"
    );
}

#[test]
fn execution_of_what_is_not_committed_breaks_b_i2() {
    let mut run = Watch::new(4, &[("execution", "tentative"), ("reads", "read-only")]);
    let tried = |seq| {
        let (view, seq, digest) = (V0, Slot(seq), digest(seq));
        Observation::TentativelyExecuted { view, seq, digest }
    };
    run.agree((V0, 1, 1), &[0, 1, 2]).agree((V0, 2, 2), &[0, 1, 2]).holds();
    let what = run.execute(0, 1, 1).breaks(B_I2);
    assert_eq!(what, "n0 executes s1, which is not committed there");
    run.commit(1, (V0, 1, 1), &[0, 1, 2]).holds();
    let what = run.run(1, (1, 2, 101), true).breaks_first(B_I2);
    assert_eq!(what, "n1 executes 00000002 in s1, where 00000001 is committed");
    run.observe(n(2), &tried(1)).holds();
    let what = run.observe(n(2), &tried(2)).breaks(B_I2);
    assert_eq!(what, "n2 executes s2 of v0 before it is committed, after s0");
    let what = run.observe(n(3), &tried(1)).breaks(B_I2);
    assert_eq!(what, "n3 executes s1 of v0, which is not prepared there");
    let read = |executed| Observation::ReadServed { executed: Slot(executed) };
    let what = run.observe(n(1), &read(1)).observe(n(2), &read(1)).breaks(B_I2);
    assert_eq!(what, "n2 answers a read from its state after s1, and has executed all up to s0");
    let what = run.tell(3, Body::Committed { seq: Slot(1), digest: digest(1) }).breaks(B_I2);
    assert_eq!(what, "n3 says that s1 is committed, and it is not there");
}

#[test]
fn histories_that_differ_break_b_i3() {
    let mut run = Watch::new(4, &[]);
    run.order((V0, 1, 1), &[0, 1, 2]).agree((V0, 2, 2), &[0, 1, 2]).agree((V0, 3, 3), &[0, 1, 2]);
    run.commit(0, (V0, 2, 2), &[0, 1, 2]).commit(0, (V0, 3, 3), &[0, 1, 2]);
    run.commit(1, (V0, 2, 2), &[0, 1, 2]).execute(0, 2, 2).holds();
    let what = run.run(1, (2, 2, 77), true).breaks(B_I3);
    let (one, other) = (Chain(77), Chain(102));
    assert_eq!(what, format!("up to s2, the history of n1 is {one} and that of n0 {other}"));
    let mut run = Watch::new(4, &[]);
    run.agree((V0, 1, 1), &[0, 1, 2]).agree((V0, 2, 2), &[0, 1, 2]);
    let what = run.commit(0, (V0, 2, 2), &[0, 1, 2]).execute(0, 2, 2).breaks(B_I3);
    assert_eq!(what, "n0 executes s2 after s0");
}

#[test]
fn states_that_differ_break_b_i3() {
    let mut run = Watch::new(4, &[("checkpoint_every", "1")]);
    run.order((V0, 1, 1), &[0, 1, 2]).take(0, 1, 50).take(1, 1, 50).holds();
    let what = run.take(2, 1, 51).breaks(B_I3);
    assert_eq!(what, "the state after s1 is 00000033 at n2, and 00000032 at n0");
    let mut run = Watch::new(4, &[("checkpoint_every", "1")]);
    run.order((V0, 1, 1), &[0, 1, 2]).order((V0, 2, 2), &[0, 1, 2]).take(0, 1, 50).holds();
    let installed = |seq, state| {
        let (seq, digest, chain) = (Slot(seq), digest(state), Chain(100 + seq));
        Observation::StateInstalled { seq, digest, chain }
    };
    run.observe(n(3), &installed(1, 50)).holds();
    let what = run.observe(n(0), &installed(1, 50)).breaks(B_I3);
    assert_eq!(what, "n0 goes back to the state after s1 from s2");
}

#[test]
fn a_request_that_its_client_did_not_send_breaks_b_i4() {
    let mut run = Watch::new(4, &[]);
    run.ask(1).lie(0).accept(1, V0, 1, 1).holds();
    let what = run.store(2, &accepted(V0, 2, 2)).breaks(B_I4);
    assert_eq!(
        what,
        "n2 accepts request 1.2 of c0 in s2, to write k1 := 2, and c0 did not send that"
    );
    let with = |requests: Vec<SignedRequest>| {
        let (view, seq, digest, proof) = (V0, Slot(1), digest(9), Proof::Itself);
        Record::PrePrepared { view, seq, digest, batch: Arc::new(Batch(requests)), proof }
    };
    let what = run.store(2, &with(vec![request(1), request_to(1, 5)])).breaks(B_I4);
    assert_eq!(
        what,
        "n2 accepts request 1.1 of c0 in s1, to write k1 := 5, and c0 did not send that"
    );
    let what = run.store(3, &with(vec![request(1)])).breaks(B_I4);
    assert_eq!(what, "00000009 of s1 is another batch at n3 than it was before");
    // A client may send more than one under a number, and sends nothing for another.
    let body = Body::Request(Arc::new(request_to(3, 8)));
    run.ask(3).send(c(0), n(1), &message(body.clone())).send(c(1), n(1), &message(body)).holds();
    let record = |of| match accepted(V0, 3, of) {
        Record::PrePrepared { view, seq, digest, proof, batch: _ } => {
            let batch = Arc::new(Batch(vec![request_to(3, 8)]));
            Record::PrePrepared { view, seq, digest, batch, proof }
        }
        other => other,
    };
    run.store(1, &record(30)).holds();
    let mut other = request(4);
    other.request.client = ClientId(1);
    run.send(c(0), n(1), &message(Body::Request(Arc::new(other.clone()))));
    run.store(
        1,
        &match accepted(V0, 4, 40) {
            Record::PrePrepared { view, seq, digest, proof, batch: _ } => Record::PrePrepared {
                view,
                seq,
                digest,
                batch: Arc::new(Batch(vec![other])),
                proof,
            },
            other => other,
        },
    );
    run.breaks(B_I4);
}

#[test]
fn a_request_that_takes_effect_twice_or_out_of_order_breaks_b_i4() {
    let ready = || {
        let mut run = Watch::new(4, &[]);
        run.order((V0, 1, 2), &[0, 1, 2])
            .agree((V0, 2, 2), &[0, 1, 2])
            .agree((V0, 3, 1), &[0, 1, 2]);
        run.commit(0, (V0, 2, 2), &[0, 1, 2]).commit(1, (V0, 2, 2), &[0, 1, 2]).holds();
        run
    };
    let what = ready().execute(0, 2, 2).breaks(B_I4);
    assert_eq!(what, "request 1.2 of c0 takes effect in s2, and in s1 at n0");
    let mut run = ready();
    run.run(0, (2, 2, 102), false).holds();
    let what = run.execute(1, 2, 2).breaks(B_I4);
    assert_eq!(what, "n1 makes of s2 c0.1.2, and n0 c0.1.2 again");
    let mut run = ready();
    run.run(0, (2, 2, 102), false).commit(0, (V0, 3, 1), &[0, 1, 2]).holds();
    let what = run.execute(0, 3, 1).breaks(B_I4);
    assert_eq!(what, "request 1.1 of c0 takes effect in s3, and 1.2 in s1 at n0");
}

#[test]
fn execution_of_other_requests_than_the_batch_has_breaks_b_i4() {
    let mut run = Watch::new(4, &[]);
    run.agree((V0, 1, 1), &[0, 1, 2]).commit(0, (V0, 1, 1), &[0, 1, 2]).holds();
    let (seq, digest, chain) = (Slot(1), digest(1), Chain(101));
    let requests = vec![(ClientId(0), number(9), true)];
    let what =
        run.observe(n(0), &Observation::Executed { seq, digest, chain, requests }).breaks(B_I4);
    assert_eq!(what, "n0 executes c0.1.9 in s1 for 00000001");
}

#[test]
fn what_no_quorum_has_prepared_breaks_b_i5() {
    let ready = || {
        let mut run = Watch::new(4, &[]);
        run.ask(1).accept(0, V0, 1, 1).accept(1, V0, 1, 1).holds();
        run.persist(2, &accepted(V0, 1, 1)).persist(2, &certified(V0, 1, 1));
        run
    };
    let certify = |voters: &[u16]| ready().certify(2, (V0, 1, 1), voters).breaks(B_I5);
    ready().certify(2, (V0, 1, 1), &[0, 1, 2]).holds();
    let what = certify(&[0, 1]);
    assert_eq!(what, "n2 takes s1 of v0 for prepared by {n0, n1}, no quorum");
    let what = certify(&[0, 1, 9]);
    assert_eq!(what, "n2 takes s1 of v0 for prepared by {n0, n1, n9}, no quorum");
    let what = certify(&[1, 2, 3]);
    assert_eq!(what, "n2 takes s1 of v0 for prepared by {n1, n2, n3}, without its primary n0");
    let what = certify(&[0, 2, 3]);
    assert_eq!(what, "n2 takes s1 of v0 for prepared by {n0, n2, n3}, and {n3} did not say so");
    ready().lie(3).certify(2, (V0, 1, 1), &[0, 2, 3]).holds();
    // A PREPARE for something else is none for this.
    let mut run = Watch::new(4, &[]);
    run.lie(0).ask(1).ask(2).accept(1, V0, 1, 2).accept(2, V0, 1, 1).holds();
    run.certify(2, (V0, 1, 1), &[0, 1, 2]).breaks(B_I5);
    let what = run.persist(2, &certified(V0, 1, 2)).breaks(B_I5);
    assert_eq!(what, "n2 prepares s1 of v0 as 00000002, and has accepted 00000001");
    let what = run.persist(3, &certified(V0, 1, 2)).breaks(B_I5);
    assert_eq!(what, "n3 prepares s1 of v0 and has not accepted it");
}

#[test]
fn what_no_quorum_commits_breaks_b_i5() {
    let ready = || {
        let mut run = Watch::new(4, &[]);
        run.ask(1);
        for node in 0..3 {
            run.accept(node, V0, 1, 1);
        }
        run.prepare(0, (V0, 1, 1), &[0, 1, 2]).prepare(1, (V0, 1, 1), &[0, 1, 2]).holds();
        run
    };
    let commits = |voters: &[u16]| ready().commit(0, (V0, 1, 1), voters).breaks(B_I5);
    let what = commits(&[0, 1]);
    assert_eq!(what, "n0 takes s1 of v0 for committed by {n0, n1}, no quorum");
    let what = commits(&[0, 1, 2]);
    assert_eq!(what, "n0 takes s1 of v0 for committed by {n0, n1, n2}, and {n2} did not say so");
    let mut run = ready();
    let what = run.lie(2).commit(3, (V0, 1, 1), &[0, 1, 2]).breaks(B_I5);
    assert_eq!(
        what,
        "n3 takes s1 of v0 for committed by {n0, n1, n2}, and it is not prepared there"
    );
    run.commit(0, (V0, 1, 1), &[0, 1, 2]).holds();
}

#[test]
fn what_nobody_correct_knows_to_be_committed_breaks_b_i5() {
    let learned = |voters: &[u16]| {
        let (seq, digest, voters) = (Slot(1), digest(1), set(voters));
        Observation::Learned { seq, digest, voters }
    };
    let mut run = Watch::new(4, &[]);
    run.order((V0, 1, 1), &[0, 1, 2]);
    run.tell(1, Body::Committed { seq: Slot(1), digest: digest(1) }).lie(0).holds();
    let what = run.observe(n(3), &learned(&[1])).breaks(B_I5);
    assert_eq!(what, "n3 learns from {n1} that s1 is committed, who may all lie");
    let what = run.observe(n(3), &learned(&[1, 2])).breaks(B_I5);
    assert_eq!(what, "n3 learns from {n1, n2} that s1 is committed, and {n2} did not say so");
    run.observe(n(3), &learned(&[0, 1])).holds();
}

#[test]
fn a_checkpoint_that_no_quorum_has_breaks_b_i5_and_b_i7() {
    let ready = || {
        let mut run = Watch::new(4, &[("checkpoint_every", "1")]);
        run.order((V0, 1, 1), &[0, 1, 2]).take(0, 1, 50).take(1, 1, 50).holds();
        run
    };
    let shows = |voters: &[u16], state, index| {
        let certificate = Arc::new(certificate(1, state, voters));
        Body::State { certificate, snapshot: snapshot(index) }
    };
    let what = ready().tell(0, shows(&[0, 1], 50, 1)).breaks(B_I5);
    assert_eq!(what, "n0 shows a stable checkpoint s1 by {n0, n1}, no quorum");
    let what = ready().tell(0, shows(&[0, 1, 2], 50, 1)).breaks(B_I5);
    assert_eq!(what, "n0 shows a stable checkpoint s1 by {n0, n1, n2}, and {n2} did not say so");
    let mut run = ready();
    let what = run.lie(2).tell(0, shows(&[0, 1, 2], 50, 2)).breaks(B_I5);
    assert_eq!(what, "n0 shows the state after s2 as that after s1");
    run.tell(0, shows(&[0, 1, 2], 50, 1)).holds();
    let stores = |run: &mut Watch, record| run.persist(0, &record).breaks(B_I7);
    let what = stores(&mut run, stable(1, 50, &[0, 1]));
    assert_eq!(what, "n0 moves its stable checkpoint to s1 by {n0, n1}, no quorum");
    let what = stores(&mut ready(), stable(1, 50, &[0, 1, 2]));
    assert_eq!(
        what,
        "n0 moves its stable checkpoint to s1 by {n0, n1, n2}, and {n2} did not say so"
    );
    let record = |state| Record::Stable {
        certificate: Arc::new(certificate(1, 50, &[0, 1, 2])),
        snapshot: snapshot(state),
    };
    let what = stores(ready().take(2, 1, 50), record(0));
    assert_eq!(what, "n0 moves its stable checkpoint to s1 with the state after s0");
    // Those who are not of one mind have none.
    let mut run = ready();
    run.lie(2).lie(3).take(2, 1, 51);
    let what = stores(&mut run, stable(1, 51, &[1, 2, 3]));
    assert_eq!(
        what,
        "n0 moves its stable checkpoint to s1 by {n1, n2, n3}, and {n1} did not say so"
    );
}

#[test]
fn what_is_taken_for_stable_breaks_b_i7() {
    let mut run = Watch::new(4, &[("checkpoint_every", "1")]);
    run.order((V0, 1, 1), &[0, 1, 2]).take(0, 1, 50).take(1, 1, 50).take(2, 1, 50);
    let taken = |voters: &[u16]| {
        let (seq, digest, voters) = (Slot(1), digest(50), set(voters));
        Observation::CheckpointStable { seq, digest, voters, ticket: 0 }
    };
    let what = run.observe(n(0), &taken(&[0])).breaks(B_I7);
    assert_eq!(what, "n0 takes s1 for stable by {n0}, no quorum");
    let what = run.observe(n(0), &taken(&[0, 1, 3])).breaks(B_I7);
    assert_eq!(what, "n0 takes s1 for stable by {n0, n1, n3}, and {n3} did not say so");
    let what = run.observe(n(0), &taken(&[0, 1, 2])).breaks(B_I7);
    assert_eq!(what, "n0 takes s1 for stable by {n0, n1, n2}, and does not write that down");
    run.stabilise(0, 1, 50, &[0, 1, 2]).order((V0, 2, 2), &[0, 1, 2]).holds();
    for node in 0..3 {
        run.take(node, 2, 60);
    }
    run.stabilise(0, 2, 60, &[0, 1, 2]).holds();
    let what = run.persist(0, &stable(1, 50, &[0, 1, 2])).breaks(B_I7);
    assert_eq!(what, "n0 moves its stable checkpoint back to s1 from s2");
}

#[test]
fn what_is_accepted_beyond_the_watermarks_breaks_b_i7() {
    let mut run = Watch::new(4, &[("checkpoint_every", "2")]);
    run.ask(1).ask(2).accept(0, V0, 4, 1).holds();
    let what = run.accept(0, V0, 5, 2).breaks(B_I7);
    assert_eq!(what, "n0 pre-prepares s5, more than 4 after its stable checkpoint s0");
}

#[test]
fn a_view_change_that_leaves_something_out_breaks_b_i7() {
    let at = (V0, 1, 1);
    let ready = |options| {
        let mut run = Watch::new(4, options);
        run.agree(at, &[0, 1, 2]).ask(2).accept(0, V0, 2, 2).accept(1, V0, 2, 2).holds();
        run
    };
    let mut run = ready(&[]);
    run.want(1, &view_change(V1, START(), &[(at, &[0, 1, 2])])).holds();
    let what = run.want(2, &view_change(V1, START(), &[])).breaks(B_I7);
    assert_eq!(what, "n2 wants v1 and leaves out s1, which is prepared there in v0 as 00000001");
    let macs = &[("authentication", "hmac")];
    let both: &[At] = &[at, (V0, 2, 2)];
    ready(macs).want(1, &claims(V1, &[at], both)).holds();
    let what = ready(macs).want(1, &claims(V1, &[at], &[at])).breaks(B_I7);
    assert_eq!(
        what,
        "n1 wants v1 and leaves out s2, which is pre-prepared there in v0 as 00000002"
    );
    ready(macs).want(1, &claims(V1, &[], both)).breaks(B_I7);
}

#[test]
fn a_view_change_with_a_false_certificate_breaks_b_i5() {
    let at = (V0, 1, 1);
    let ready = || {
        let mut run = Watch::new(4, &[]);
        run.agree(at, &[0, 1, 2]).store(1, &Record::ViewLeft { view: V1 }).holds();
        run
    };
    let wants = |stable, prepared: &[(At, &[u16])]| {
        let wanted = view_change(V1, stable, prepared);
        ready().tell(1, Body::ViewChange(wanted)).breaks_first(B_I5)
    };
    let what = wants(START(), &[(at, &[0, 1])]);
    assert_eq!(what, "n1 wants v1 and shows as prepared s1 of v0 by {n0, n1}, no quorum");
    let what = wants(START(), &[(at, &[1, 2, 3])]);
    assert_eq!(
        what,
        "n1 wants v1 and shows as prepared s1 of v0 by {n1, n2, n3}, without its primary n0"
    );
    let what = wants(START(), &[(at, &[0, 1, 3])]);
    assert_eq!(
        what,
        "n1 wants v1 and shows as prepared s1 of v0 by {n0, n1, n3}, and {n3} did not say so"
    );
    let what = wants(START(), &[(at, &[0, 1, 2]), (at, &[0, 1, 2])]);
    assert_eq!(what, "n1 wants v1 and shows as prepared s1 after s1");
    let what = wants(START(), &[((V1, 1, 1), &[0, 1, 2])]);
    assert_eq!(what, "n1 wants v1 and shows as prepared s1 of v1");
    let what = wants(certificate(2, 50, &[0, 1, 2]), &[]);
    assert_eq!(
        what,
        "n1 wants v1 and shows a stable checkpoint s2 by {n0, n1, n2}, and {n0, n1, n2} did not say \
         so"
    );
}

#[test]
fn a_view_change_that_claims_what_is_not_on_the_disk_breaks_b_i8() {
    let macs = &[("authentication", "hmac")];
    let mut run = Watch::new(4, macs);
    run.agree((V0, 1, 1), &[0, 1, 2]).store(3, &Record::ViewLeft { view: V1 }).holds();
    let tell = |run: &mut Watch, wanted| run.tell(3, Body::ViewChange(wanted)).breaks(B_I8);
    let what = tell(&mut run, claims(V1, &[(V0, 1, 1)], &[]));
    assert_eq!(what, "n3 wants v1 and has prepared s1 of v0, and its disk does not hold that");
    let what = tell(&mut run, claims(V1, &[], &[(V0, 1, 1)]));
    assert_eq!(what, "n3 wants v1 and has pre-prepared s1 of v0, and its disk does not hold that");
    run.tell(3, Body::ViewChange(claims(V1, &[], &[]))).holds();
}

#[test]
fn a_view_that_begins_without_a_quorum_breaks_b_i5() {
    let wanted = view_change(V1, START(), &[]);
    let ready = || {
        let mut run = Watch::new(4, &[]);
        run.lie(3).want(1, &wanted).want(2, &wanted).holds();
        run
    };
    let enters = |new: &Arc<NewView>| ready().enter(2, new).breaks(B_I5);
    ready().enter(2, &new_view(&[(1, &wanted), (2, &wanted), (3, &wanted)], &[])).holds();
    let what = enters(&new_view(&[(1, &wanted), (2, &wanted)], &[]));
    assert_eq!(what, "n2 begins v1 by the VIEW-CHANGEs of {n1, n2}, no quorum");
    let what = enters(&new_view(&[(1, &wanted), (2, &wanted), (2, &wanted)], &[]));
    assert_eq!(what, "n2 begins v1 by the VIEW-CHANGEs of {n1, n2}, no quorum");
    let what = enters(&new_view(&[(0, &wanted), (1, &wanted), (2, &wanted)], &[]));
    assert_eq!(what, "n2 begins v1 by a VIEW-CHANGE that n0 did not send");
    let later = view_change(V2, START(), &[]);
    let what = enters(&new_view(&[(1, &wanted), (2, &wanted), (3, &later)], &[]));
    assert_eq!(what, "n2 begins v1 by a VIEW-CHANGE of n3 to v2");
    let forged = view_change(V1, START(), &[((V0, 1, 1), &[0, 2, 3])]);
    let what = enters(&new_view(&[(1, &wanted), (2, &wanted), (3, &forged)], &[(1, 1)]));
    assert_eq!(
        what,
        "n2 begins v1 by a VIEW-CHANGE of n3 that shows as prepared s1 of v0 by {n0, n2, n3}, and \
         {n0, n2} did not say so"
    );
    let new = new_view(&[(1, &wanted), (2, &wanted), (3, &wanted)], &[]);
    let record = Record::ViewEntered { new_view: new, by: NodeId(2), proof: Proof::Itself };
    let what = ready().persist(2, &record).breaks(B_I5);
    assert_eq!(what, "n2 begins v1 by the word of n2, and it is n1's");
}

#[test]
fn proposals_that_do_not_follow_break_b_i6() {
    let (one, three): (At, At) = ((V0, 1, 1), (V0, 3, 3));
    let told = view_change(V1, START(), &[(one, &[0, 1, 2]), (three, &[0, 1, 2])]);
    let empty = view_change(V1, START(), &[]);
    let ready = || {
        let mut run = Watch::new(4, &[]);
        run.agree(one, &[0, 1, 2]).agree(three, &[0, 1, 2]).lie(3);
        run.want(1, &told).want(2, &told).holds();
        run
    };
    let new =
        |proposals: &[(u64, u64)]| new_view(&[(1, &told), (2, &told), (3, &empty)], proposals);
    let begins = |proposals| ready().begin(&new(proposals)).breaks_first(B_I6);
    ready().begin(&new(&[(1, 1), (2, 0), (3, 3)])).holds();
    let what = begins(&[(1, 1), (3, 3)]);
    assert_eq!(what, "n1 begins v1 with s2 left out, and it is NULL");
    let what = begins(&[(1, 9), (2, 0), (3, 3)]);
    assert_eq!(what, "n1 begins v1 with s1 as 00000009, and it is 00000001");
    let what = begins(&[(1, 1), (2, 0)]);
    assert_eq!(what, "n1 begins v1 with s3 left out, and it is 00000003");
    let what = begins(&[(1, 1), (2, 0), (3, 3), (4, 0)]);
    assert_eq!(what, "n1 begins v1 with s4, which nobody claims to have prepared");
    let what = ready().enter(2, &new(&[])).breaks(B_I6);
    assert_eq!(what, "n2 begins v1 with s1 left out, and it is 00000001");
}

#[test]
fn two_votes_of_one_kind_break_b_i8() {
    let ready = || {
        let mut run = Watch::new(4, &[]);
        run.ask(1).ask(2).accept(0, V0, 1, 1).accept(1, V0, 1, 1).accept(2, V0, 1, 1);
        run.vote(1, V0, 1, 1).prepare(1, (V0, 1, 1), &[0, 1, 2]).holds();
        run
    };
    let what = ready().persist(1, &accepted(V0, 1, 2)).breaks(B_I8);
    assert_eq!(what, "n1 pre-prepares s1 of v0 as 00000002, and as 00000001");
    let what = ready().vote(1, V0, 1, 2).breaks(B_I8);
    assert_eq!(what, "n1 sends a PREPARE for s1 of v0 as 00000002, and as 00000001");
    let what = ready().vote(0, V0, 1, 2).breaks(B_I8);
    assert_eq!(what, "n0 sends a PRE-PREPARE for s1 of v0 as 00000002, and as 00000001");
    let what = ready().tell(1, commit(V0, 1, 2)).breaks(B_I8);
    assert_eq!(what, "n1 sends a COMMIT for s1 of v0 as 00000002, and as 00000001");
    let what = ready().tell(0, prepare(V0, 1, 1)).breaks(B_I8);
    assert_eq!(what, "n0 sends a PREPARE for s1 of v0, which is n0's");
    let what = ready().tell(2, pre_prepare(V0, 1, 1)).breaks(B_I8);
    assert_eq!(what, "n2 sends a PRE-PREPARE for s1 of v0, which is n0's");
    let mut run = Watch::new(4, &[("checkpoint_every", "1")]);
    let what = run.take(0, 1, 50).tell(0, Body::Checkpoint { seq: Slot(1), digest: digest(51) });
    let what = what.breaks(B_I8);
    assert_eq!(what, "n0 sends a CHECKPOINT for s1 as 00000033, and had 00000032");
}

#[test]
fn a_vote_for_what_is_not_on_the_disk_breaks_b_i8() {
    let mut run = Watch::new(4, &[]);
    run.ask(1).accept(0, V0, 1, 1).accept(1, V0, 1, 1).persist(2, &accepted(V0, 1, 1)).holds();
    let what = run.vote(2, V0, 1, 1).breaks(B_I8);
    assert_eq!(
        what,
        "n2 sends a PREPARE for s1 of v0 as 00000001, and its disk does not hold that"
    );
    run.persist(1, &certified(V0, 1, 1)).certify(1, (V0, 1, 1), &[0, 1, 2]).holds();
    let what = run.tell(1, commit(V0, 1, 1)).breaks(B_I8);
    assert_eq!(what, "n1 sends a COMMIT for s1 of v0 as 00000001, and its disk does not hold that");
}

#[test]
fn what_is_done_in_a_view_that_was_left_breaks_b_i9() {
    let ready = || {
        let mut run = Watch::new(4, &[]);
        run.ask(1).ask(2);
        for node in 0..3 {
            run.accept(node, V0, 1, 1);
        }
        run.prepare(0, (V0, 1, 1), &[0, 1, 2]).persist(1, &certified(V0, 1, 1));
        run.certify(1, (V0, 1, 1), &[0, 1, 2]).persist(1, &Record::ViewLeft { view: V1 }).holds();
        run
    };
    let what = ready().persist(1, &accepted(V0, 2, 2)).breaks(B_I9);
    assert_eq!(what, "n1 pre-prepares s2 of v0, and has left it for v1");
    let what = ready().persist(1, &certified(V0, 1, 1)).breaks(B_I9);
    assert_eq!(what, "n1 prepares s1 of v0, and has left it for v1");
    let what = ready().persist(1, &accepted(V1, 2, 2)).breaks(B_I9);
    assert_eq!(what, "n1 pre-prepares s2 of v1, which has not begun for it");
    // What it has said before it may say again, and what waited for the disk leaves late.
    let wanted = view_change(V1, START(), &[((V0, 1, 1), &[0, 1, 2])]);
    let mut run = ready();
    run.sync(1).tell(1, commit(V0, 1, 1)).tell(1, Body::ViewChange(wanted.clone()));
    run.tell(1, commit(V0, 1, 1)).holds();
    let mut run = ready();
    run.sync(1).tell(1, Body::ViewChange(wanted)).holds();
    let what = run.tell(1, commit(V0, 1, 1)).breaks(B_I9);
    assert_eq!(what, "n1 sends a COMMIT for s1 of v0, after a VIEW-CHANGE to v1");
}

#[test]
fn a_view_that_gets_lower_or_is_left_in_memory_only_breaks_b_i9() {
    let (one, two) = (view_change(V1, START(), &[]), view_change(V2, START(), &[]));
    let mut run = Watch::new(4, &[]);
    run.persist(1, &Record::ViewLeft { view: V1 });
    let what = run.tell(1, Body::ViewChange(one.clone())).breaks(B_I9);
    assert_eq!(what, "n1 leaves all below v1, and its disk holds v0");
    run.sync(1).want(2, &one).want(0, &one).want(1, &two).holds();
    let what = run.persist(1, &Record::ViewLeft { view: V1 }).breaks(B_I9);
    assert_eq!(what, "n1 leaves for v1, and has left it for v2");
    let new = new_view(&[(0, &one), (1, &one), (2, &one)], &[]);
    run.enter(0, &new).holds();
    let what = run.enter(1, &new).breaks(B_I9);
    assert_eq!(what, "n1 enters v1, and has left it for v2");
}

#[test]
fn what_a_client_believes_too_early_breaks_b_i10() {
    let ready = |options| {
        let mut run = Watch::new(4, options);
        run.order((V0, 1, 1), &[0, 1, 2]).reply(0, 1, 7, How::Committed);
        run.reply(1, 1, 7, How::Committed).lie(3).holds();
        run
    };
    let done = |options, replicas: &[u16]| {
        ready(options).done(1, 7, How::Committed, replicas).breaks(B_I10)
    };
    ready(&[]).done(1, 7, How::Committed, &[0, 3]).holds();
    let what = done(&[], &[0]);
    assert_eq!(what, "c0 takes request 1.1 for done with read 7 by {n0}, too few");
    let what = done(&[], &[0, 2]);
    assert_eq!(
        what,
        "c0 takes request 1.1 for done with read 7 by {n0, n2}, and {n2} did not say so"
    );
    for options in [&[("reads", "read-only")], &[("execution", "tentative")]] {
        let what = done(options, &[0, 1]);
        assert_eq!(what, "c0 takes request 1.1 for done with read 7 by {n0, n1}, too few");
        ready(options).done(1, 7, How::Committed, &[0, 1, 3]).holds();
    }
    let mut run = ready(&[("reads", "read-only")]);
    run.reply(2, 1, 7, How::ReadOnly).reply(1, 1, 7, How::ReadOnly).holds();
    run.done(1, 7, How::ReadOnly, &[1, 2, 3]).holds();
    run.done(1, 7, How::ReadOnly, &[1, 2]).breaks(B_I10);
    run.done(1, 7, How::ReadOnly, &[0, 1, 2]).breaks(B_I10);
}

#[test]
fn outcomes_that_differ_break_b_i10() {
    let mut run = Watch::new(4, &[]);
    run.order((V0, 1, 1), &[0, 1, 2]).reply(0, 1, 7, How::Committed).holds();
    let what = run.reply(1, 1, 8, How::Committed).breaks(B_I10);
    assert_eq!(what, "n1 answers request 1.1 of c0 with read 8, and n0 otherwise");
    let mut run = Watch::new(4, &[("execution", "tentative")]);
    run.lie(3).order((V0, 1, 1), &[0, 1, 2]).reply(0, 1, 7, How::Tentative);
    run.reply(1, 1, 7, How::Tentative).done(1, 7, How::Tentative, &[0, 1, 3]).holds();
    let what = run.reply(0, 1, 8, How::Committed).breaks(B_I10);
    assert_eq!(what, "c0 took request 1.1 for done otherwise than with read 8, as n0 did");
    let what = run.done(1, 7, How::Tentative, &[0, 1, 3]).breaks(B_I10);
    assert_eq!(
        what,
        "c0 takes request 1.1 for done with read 7 by {n0, n1, n3}, and n0 executed it otherwise"
    );
}

#[test]
fn only_correct_clients_are_judged() {
    let mut run = Watch::new(4, &[]);
    run.see(&Seen::Lies { who: Who::Client(ClientId(0)) });
    run.done(1, 7, How::Committed, &[0]).holds();
    run.invariants.reset(&testing::config::<Pbft>(4, &[], Mutants::NONE));
    run.done(1, 7, How::Committed, &[0]).breaks(B_I10);
}

#[test]
fn who_goes_on_from_a_view_that_too_few_want_breaks_b_l2() {
    let (one, two) = (view_change(V1, START(), &[]), view_change(V2, START(), &[]));
    let leaves = |run: &mut Watch| {
        run.persist(1, &Record::ViewLeft { view: V2 });
    };
    let mut run = Watch::new(4, &[]);
    run.want(1, &one).want(2, &one).holds();
    leaves(&mut run);
    let what = run.breaks(B_L2);
    assert!(
        what.starts_with("n1 goes on from v1 to v2, and only 2 want v1, where 3 must"),
        "{what}"
    );
    // A quorum wants it; a liar may want anything; and f + 1 want a later one.
    let mut run = Watch::new(4, &[]);
    leaves(run.want(1, &one).want(2, &one).want(3, &one));
    run.holds();
    let mut run = Watch::new(4, &[]);
    leaves(run.want(1, &one).want(2, &one).lie(3));
    run.holds();
    let mut run = Watch::new(4, &[]);
    leaves(run.want(1, &one).lie(0).want(2, &two));
    run.holds();
    // From a view that has begun anybody may go, and skip what others have left.
    let mut run = Watch::new(4, &[]);
    leaves(&mut run);
    run.holds();
}

#[test]
fn who_leaves_a_view_though_all_are_prompt_breaks_b_l2() {
    let leaves = |prompt: Prompt| {
        let mut run = Watch::new(4, &[]);
        run.invariants.promise(prompt);
        run.persist(1, &Record::ViewLeft { view: V1 });
        run
    };
    let prompt = Prompt { clients: 5, operation_us: 200_000, message_us: 1_500, sync_us: 300 };
    let what = leaves(prompt).breaks(B_L2);
    assert_eq!(what, "n1 leaves for v1, though nobody but clients did anything wrong");
    // 12 requests of 6 steps may take longer than a replica waits for them, or their clients do.
    leaves(Prompt { operation_us: 900_000, message_us: 5_300, ..prompt }).holds();
    leaves(Prompt { operation_us: 100_000, ..prompt }).holds();
    // And nothing is promised of the next run.
    let mut run = leaves(prompt);
    run.breaks(B_L2);
    Invariants::<Pbft>::reset(&mut run.invariants, &testing::config::<Pbft>(4, &[], Mutants::NONE));
    run.persist(1, &Record::ViewLeft { view: V1 }).holds();
}

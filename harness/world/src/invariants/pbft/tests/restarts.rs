//! What a node must find again, and what a crash may take.

use super::super::{B_I7, B_I8, B_I9};
use super::*;

const ALL: &[u16] = &[0, 1, 2, 3];

/// One is committed and stable, another prepared, and two pre-prepared, one of them by a NEW-VIEW.
fn ready() -> (Watch, Vec<Record>) {
    let mut run = Watch::new(4, &[("checkpoint_every", "1"), ("authentication", "hmac")]);
    run.order((V0, 1, 1), ALL);
    for node in ALL {
        run.take(*node, 1, 50);
    }
    run.stabilise(2, 1, 50, &[0, 1, 2]).agree((V0, 2, 2), ALL);
    run.commit(2, (V0, 2, 2), ALL).execute(2, 2, 2);
    let told = |stable| {
        let mut told = claims(V1, &[(V0, 2, 2)], &[(V0, 2, 2)]);
        Arc::make_mut(&mut told).stable = stable;
        told
    };
    let two = told(certificate(1, 50, &[0, 1, 2]));
    run.want(2, &two).lie(0).lie(3).lie(1).holds();
    let new = new_view(&[(1, &two), (2, &two), (3, &two)], &[(2, 2)]);
    run.enter(2, &new).ask(3).accept(2, V1, 3, 3).holds();
    let (seq, digest) = (Slot(2), digest(2));
    let records = vec![
        stable(1, 50, &[0, 1, 2]),
        entered(&new),
        certified(V0, 2, 2),
        Record::Committed { seq, digest },
        accepted(V1, 3, 3),
    ];
    (run, records)
}

#[test]
fn what_is_durable_is_found_again() {
    let (mut run, records) = ready();
    run.start(2, 2);
    for record in &records {
        run.find(2, record);
    }
    run.execute(2, 2, 2).vote(2, V1, 3, 3).holds();
    // A later view takes the place of an earlier one.
    run.start(2, 3);
    for record in &records {
        run.find(2, record);
    }
    run.find(2, &Record::ViewLeft { view: View(5) }).holds().sync(2);
    run.persist(2, &accepted(V1, 4, 4)).breaks_first(B_I9);
}

#[test]
fn what_was_durable_and_is_not_found_breaks_b_i7() {
    let without = |lost: usize| {
        let (mut run, mut records) = ready();
        records.remove(lost);
        run.start(2, 2);
        for record in &records {
            run.find(2, record);
        }
        // It refuses to start from such a disk, or does not.
        run.holds().sync(2);
        run
    };
    let what = without(0).breaks(B_I7);
    assert_eq!(what, "n2 restarts with its stable checkpoint at s0, and had it at s1");
    let what = without(1).breaks(B_I9);
    assert_eq!(what, "n2 restarts in v0, and had left all below v1");
    let what = without(2).breaks(B_I7);
    assert_eq!(what, "n2 restarts without s2, which was prepared");
    let what = without(3).breaks(B_I7);
    assert_eq!(what, "n2 restarts without s2, which was committed");
    let what = without(4).breaks(B_I7);
    assert_eq!(what, "n2 restarts without s3, which was pre-prepared");
}

#[test]
fn what_a_view_that_is_over_began_with_is_nothing_to_those_who_had_not_voted() {
    let at = (V0, 1, 1);
    let with = claims(V1, &[at], &[at]);
    let later = View(5);
    let without = claims(later, &[], &[]);
    let began = || {
        let mut run = Watch::new(4, &[("authentication", "hmac")]);
        run.ask(1).lie(0).lie(1).lie(2);
        run.enter(3, &new_view(&[(0, &with), (1, &with), (2, &with)], &[(1, 1)])).holds();
        run
    };
    let new = new_view(&[(0, &without), (1, &without), (2, &without)], &[]);
    began().enter(3, &new).start(3, 2).find(3, &entered(&new)).sync(3).holds();
    // It may have had no batch for it, unless it has voted.
    let mut voted = began();
    voted.vote(3, V1, 1, 1).enter(3, &new).start(3, 2).find(3, &entered(&new)).sync(3);
    assert_eq!(voted.breaks(B_I7), "n3 restarts without s1, which was pre-prepared");
    // Its own view is not over.
    let mut same = began();
    same.start(3, 2).find(3, &Record::ViewLeft { view: V1 }).sync(3);
    assert_eq!(same.breaks(B_I7), "n3 restarts without s1, which was pre-prepared");
}

#[test]
fn a_crash_may_take_back_what_was_not_durable() {
    let mut run = Watch::new(4, &[]);
    run.ask(1).ask(2).lie(0).accept(1, V0, 1, 1).persist(1, &accepted(V0, 2, 1));
    run.persist(1, &Record::ViewLeft { view: V1 }).start(1, 2).find(1, &accepted(V0, 1, 1));
    run.accept(1, V0, 2, 2).holds();
    // Or it may have come to the disk, and nobody was told.
    run.persist(1, &accepted(V0, 3, 1)).start(1, 3).find(1, &accepted(V0, 1, 1));
    run.find(1, &accepted(V0, 2, 2)).find(1, &accepted(V0, 3, 1)).vote(1, V0, 3, 1).holds();
    // What was said before is not said otherwise in a later life.
    run.start(1, 4).find(1, &accepted(V0, 1, 1)).find(1, &accepted(V0, 2, 2)).sync(1).breaks(B_I7);
    run.persist(1, &accepted(V0, 3, 2)).sync(1).vote(1, V0, 3, 2).breaks(B_I8);
}

#[test]
fn a_replica_counts_in_a_new_life_what_its_disk_says_that_it_has_voted() {
    let at = (V0, 1, 1);
    let mut run = Watch::new(4, &[]);
    run.ask(1).accept(0, V0, 1, 1).accept(1, V0, 1, 1).store(2, &accepted(V0, 1, 1)).start(2, 2);
    run.find(2, &accepted(V0, 1, 1)).prepare(2, at, &[0, 1, 2]).holds();
    run.want(2, &view_change(V1, START(), &[(at, &[0, 1, 2])])).holds();
}

#[test]
fn one_that_is_alone_may_forget_what_it_has_prepared() {
    let mut run = Watch::new(1, &[]);
    run.ask(1).ask(2).persist(0, &accepted(V0, 1, 1)).persist(0, &certified(V0, 1, 1));
    run.certify(0, (V0, 1, 1), &[0]).start(0, 2).store(0, &accepted(V0, 1, 2));
    run.store(0, &certified(V0, 1, 2)).certify(0, (V0, 1, 2), &[0]).commit(0, (V0, 1, 2), &[0]);
    run.execute(0, 1, 2).holds();
}

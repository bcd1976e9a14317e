//! What is forgotten is held against nobody.

use quorate_systems::mutant::Mutants;

use super::*;

#[test]
fn of_sequence_numbers_that_are_forgotten_nothing_is_missed() {
    let mut run = Watch::new(4, &[("checkpoint_every", "1024")]);
    run.order((V0, 1, 1), &[0, 1, 2]).ask(2).accept(0, V0, 1_500, 2).holds();
    run.lie(1).lie(2).ask(9).accept(3, V0, 1, 9).prepare(3, (V0, 1, 9), &[0, 1, 3]);
    run.commit(3, (V0, 1, 9), &[0, 1, 3]).run(3, (1, 9, 77), true).holds();
    run.take(3, 1, 60).stabilise(3, 1, 60, &[0, 1, 3]).holds();
}

#[test]
fn of_views_that_are_forgotten_nothing_is_missed() {
    let mut run = Watch::new(4, &[]);
    run.lie(0).lie(1).lie(2).ask(1).ask(2);
    for view in (0..40).map(View) {
        let wanted = view_change(view, START(), &[]);
        if view > V0 {
            run.want(3, &wanted);
            let votes: Vec<_> = (0..3).chain([3]).map(|node| (node, &wanted)).collect();
            let new = new_view(&votes, &[]);
            if primary(view) == 3 {
                run.begin(&new)
            } else {
                run.enter(3, &new)
            };
        }
        run.accept(3, view, 1, 1);
    }
    run.holds();
    // It never wanted this one with something prepared, and nobody can say so any more.
    run.vote(3, V1, 1, 2).tell(3, Body::ViewChange(view_change(V1, START(), &[]))).holds();
    run.vote(3, View(38), 1, 2).breaks_first(super::super::B_I8);
}

#[test]
fn of_requests_that_are_forgotten_nothing_is_missed() {
    let mut run = Watch::new(4, &[("checkpoint_every", "1024")]);
    for batch in 2..100 {
        run.ask(batch);
    }
    run.accept(0, V0, 1, 1).accept(0, V0, 2, 9).holds();
    run.done(9, 1, How::Committed, &[]).reply(0, 9, 1, How::Committed).holds();
    run.accept(0, V0, 3, 100).breaks(super::super::B_I4);
    let body = |value| Body::Request(Arc::new(request_to(200, value)));
    for value in 0..50 {
        run.send(c(0), n(0), &message(body(value)));
    }
    run.accept(0, V0, 4, 200).holds();
}

#[test]
fn of_answers_that_are_forgotten_nothing_is_missed() {
    let mut run = Watch::new(4, &[("reads", "read-only")]);
    run.ask(1);
    for value in 0..50 {
        run.reply(0, 1, value, How::ReadOnly);
    }
    run.done(1, 77, How::ReadOnly, &[0, 1, 2]).holds();
}

#[test]
fn with_more_on_its_way_to_a_disk_than_is_remembered_nothing_is_judged() {
    let mut run = Watch::new(4, &[]);
    for _ in 0..20_000 {
        run.persist(0, &Record::ViewLeft { view: V0 });
    }
    run.vote(1, V0, 1, 1).prepare(2, (V0, 1, 1), &[]).execute(2, 9, 1).holds();
    run.done(1, 1, How::Committed, &[]).holds();
}

#[test]
fn a_watch_that_is_reset_is_as_new() {
    let mut run = Watch::new(4, &[("authentication", "hmac"), ("checkpoint_every", "1")]);
    run.lie(3).ask(2).order((V0, 1, 1), &[0, 1, 2]).reply(0, 1, 7, How::Committed).take(0, 1, 50);
    run.want(2, &claims(V1, &[(V0, 1, 1)], &[(V0, 1, 1)])).persist(0, &accepted(V0, 2, 2));
    run.start(1, 2).holds();
    run.invariants.reset(&testing::config::<Pbft>(4, &[], Mutants::NONE));
    let all = &[0, 1, 2, 3];
    run.ask(2).order((V0, 1, 2), all).reply(0, 1, 8, How::Committed).take(0, 1, 51).holds();
    run.store(0, &accepted(V0, 5, 1)).breaks(super::super::B_I4);
    run.start(3, 2).sync(3).breaks(super::super::B_I7);
}

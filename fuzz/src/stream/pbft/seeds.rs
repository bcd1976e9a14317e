//! Inputs to begin with: exchanges as they happen where nothing goes wrong, and a little beyond.

use super::forge::{KINDS, Kind};
use crate::Seed;
use crate::stream::Dice;
use crate::stream::step::{Step, in_each, in_each_at};

/// All that waits becomes durable.
const SYNC: Step = Step::Synced(u8::MAX);
/// The replica's own view, and the next.
const SAME: u8 = 0x80;
const NEXT: u8 = 0;
/// The timer for the view, once it is set.
const VIEW_TIMER: Step = Step::Timer(1, 0);
/// The timer for telling what it has.
const STATUS_TIMER: Step = Step::Timer(0, 0);

/// Somebody sends something of this kind.
fn sent(kind: Kind, time: u8, data: u8) -> Step {
    sent_by(0, kind, time, data)
}

fn sent_by(who: u8, kind: Kind, time: u8, data: u8) -> Step {
    Step::Forged(Dice { who, kind: place(kind), name: 1 << 2, time, data })
}

fn named(who: u8, kind: Kind, name: u8) -> Step {
    Step::Forged(Dice { who, kind: place(kind), name, time: SAME, data: 0 })
}

fn place(kind: Kind) -> u8 {
    let place = KINDS.iter().position(|other| *other == kind).unwrap_or(0);
    u8::try_from(place).unwrap_or(0)
}

/// Everybody answers the last thing that was said.
fn all_answer(kind: u8) -> impl Iterator<Item = Step> {
    let answer = move |who| Dice { who, kind, name: 0b0101, time: SAME, data: 0 };
    (0..6).map(move |who| Step::Answered(0, answer(who)))
}

/// All others vote for what was said last, until it is committed.
fn votes() -> Vec<Step> {
    let mut steps = vec![SYNC];
    steps.extend(all_answer(0));
    steps.push(SYNC);
    steps.extend(all_answer(0));
    steps.push(SYNC);
    steps
}

/// The primary proposes the next batch, and all agree.
fn agreed() -> Vec<Step> {
    [vec![named(0, Kind::PrePrepare, 0)], votes()].concat()
}

/// Everybody has the same state.
fn stable() -> Vec<Step> {
    let said = |who| sent_by(who, Kind::Checkpoint, SAME, 3);
    [(0..6).map(said).collect(), vec![SYNC]].concat()
}

/// For replicas, in each of so many clusters.
pub(super) fn replicas(clusters: usize) -> Vec<Seed> {
    let following = [
        ("agreed", [agreed(), agreed(), stable()].concat()),
        ("restarted", restarted()),
        ("left", left()),
        ("joined", joined()),
        ("lacking", lacking()),
        ("transferred", transferred()),
        ("reading", reading()),
        ("again", again()),
    ];
    let leading = [
        ("leading", [leads(), leads(), stable(), vec![sent(Kind::Status, SAME, 1)]].concat()),
        ("forged", forged()),
        ("given-up", given_up()),
        ("claims", claims()),
    ];
    let under_liar = [("refused", refused())];
    [
        in_each_at(clusters, 1, &following),
        in_each_at(clusters, 0, &leading),
        in_each_at(clusters, 2, &[("third", third())]),
        in_each_at(clusters, 3, &under_liar),
    ]
    .concat()
}

/// The replica leads, and a client asks it.
fn leads() -> Vec<Step> {
    [vec![sent(Kind::Request, SAME, 0)], votes()].concat()
}

/// It dies among its votes, and with a record that cannot be read.
fn restarted() -> Vec<Step> {
    let mut steps = vec![named(0, Kind::PrePrepare, 0), SYNC];
    steps.extend(all_answer(0).take(3));
    steps.extend([SYNC, Step::Crash(0), SYNC]);
    steps.extend([0, 1, 2].map(|who| sent_by(who, Kind::Commit, SAME, 0)));
    steps.extend([SYNC, Step::Checkpoint, Step::Damaged(0), sent(Kind::Status, SAME, 1), SYNC]);
    steps.extend(agreed());
    steps
}

/// It waits for too long, and leads the next view; what was prepared goes on there.
fn left() -> Vec<Step> {
    let mut steps = vec![named(0, Kind::PrePrepare, 0), SYNC];
    steps.extend(all_answer(0).take(3));
    steps.extend([SYNC, sent(Kind::Request, SAME, 0), VIEW_TIMER, SYNC]);
    steps.extend((0..3).map(|who| {
        Step::Forged(Dice { who, kind: place(Kind::ViewChange), name: 0, time: SAME, data: 0 })
    }));
    steps.push(SYNC);
    steps.extend(votes());
    steps.extend(leads());
    steps
}

/// Others have gone on; the replica follows, and no view begins for a while.
fn joined() -> Vec<Step> {
    let mut steps: Vec<Step> = (0..3).map(|who| sent_by(who, Kind::ViewChange, NEXT, 0)).collect();
    steps.extend([SYNC, STATUS_TIMER, VIEW_TIMER, SYNC]);
    steps.extend(all_answer(0).take(3));
    steps.extend([SYNC, VIEW_TIMER, Step::Timer(0, 0), SYNC]);
    steps.extend(all_answer(1).take(4));
    steps.push(SYNC);
    steps.extend(all_answer(0));
    steps
}

/// It hears what is committed, and asks for the batch.
fn lacking() -> Vec<Step> {
    let committed = |who| sent_by(who, Kind::Committed, SAME, 0);
    let mut steps: Vec<Step> = (0..3).map(committed).collect();
    steps.push(SYNC);
    steps.extend(all_answer(0).take(2));
    steps.extend([SYNC, sent(Kind::Status, SAME, 1), STATUS_TIMER, SYNC]);
    steps.extend(agreed());
    steps
}

/// It hears of a checkpoint that is stable, and takes the state over.
fn transferred() -> Vec<Step> {
    let mut steps = vec![sent(Kind::Stable, SAME, 0), SYNC];
    steps.extend(all_answer(0).take(2));
    steps.extend([SYNC, sent(Kind::GetState, SAME, 3), sent(Kind::Status, SAME, 0x11), SYNC]);
    steps.extend(agreed());
    steps.extend([Step::Checkpoint, Step::Crash(0), SYNC]);
    steps.extend(agreed());
    steps
}

/// Clients read, at once and after what was told them.
fn reading() -> Vec<Step> {
    let read = |who: u8| named(who, Kind::Request, 0b11);
    let mut steps = vec![read(0)];
    steps.push(named(0, Kind::PrePrepare, 0));
    steps.push(SYNC);
    steps.extend(all_answer(0).take(3));
    steps.extend([SYNC, read(1), read(2)]);
    steps.extend(all_answer(0));
    steps.extend([SYNC, read(1)]);
    steps
}

/// What was ordered is ordered again.
fn again() -> Vec<Step> {
    let twice = [vec![named(0, Kind::PrePrepare, 3)], votes()].concat();
    let other = [vec![named(0, Kind::PrePrepare, 2)], votes()].concat();
    let nothing = [vec![named(0, Kind::PrePrepare, 4)], votes()].concat();
    [agreed(), twice, other, nothing].concat()
}

/// A view begins with what was prepared in the later of two views, in which different batches were.
fn claims() -> Vec<Step> {
    let mut steps: Vec<Step> = (0..3).map(|who| sent_by(who, Kind::ViewChange, NEXT, 0)).collect();
    let (later, name) = (4, 0b0001_1010);
    let begins = Dice { who: 0, kind: place(Kind::NewView), name, time: later, data: 0 };
    steps.extend([SYNC, Step::Forged(begins), SYNC]);
    steps.extend(all_answer(0));
    steps
}

/// What a liar proposes and claims, and nobody takes.
fn refused() -> Vec<Step> {
    let says = |who, kind: Kind, flaw: u8, name, time| {
        Step::Forged(Dice { who, kind: place(kind) | flaw << 4, name, time, data: 0 })
    };
    let mut steps = vec![
        says(0, Kind::PrePrepare, 14, 6, SAME),
        says(0, Kind::PrePrepare, 15, 0, SAME),
        says(0, Kind::PrePrepare, 0, 0, SAME),
        says(0, Kind::PrePrepare, 0, 1, SAME),
        SYNC,
    ];
    for flaw in 9..16 {
        steps.push(says(0, Kind::ViewChange, flaw, 0xff, NEXT));
        // The view after the next three is the liar's.
        steps.push(says(0, Kind::NewView, flaw, 0xff, 4));
        steps.push(says(0, Kind::Stable, flaw, 0, SAME));
    }
    // Its own, with what was prepared in different views.
    for who in 0..3 {
        steps.push(says(who, Kind::ViewChange, 0, 0b1101_1011, 4));
    }
    steps.push(SYNC);
    steps.extend((0..4).map(|who| says(who, Kind::ViewChange, 0, 0b1101_1011, SAME)));
    steps.push(SYNC);
    steps
}

/// Requests in others' names, and votes.
fn forged() -> Vec<Step> {
    let bad = |who: u8, kind: u8| {
        Step::Forged(Dice { who, kind: kind << 5, name: 1 << 2, time: SAME, data: 0 })
    };
    let mut steps = vec![bad(0, 7), bad(2, 7), bad(3, 6), SYNC, sent(Kind::Request, SAME, 0), SYNC];
    steps.extend((0..4).map(|who| sent_by(who | 7 << 5, Kind::Prepare, SAME, 0)));
    steps.push(SYNC);
    steps.extend((0..4).map(|who| sent_by(who | 6 << 5, Kind::Commit, SAME, 0)));
    steps.push(SYNC);
    steps
}

/// It leads, and gets no votes.
fn given_up() -> Vec<Step> {
    let mut steps = vec![sent(Kind::Request, SAME, 0), SYNC, Step::Again(0), VIEW_TIMER, SYNC];
    steps.extend(all_answer(1));
    steps.push(SYNC);
    steps.extend(all_answer(0));
    steps.extend([Step::Crash(0), SYNC, STATUS_TIMER, SYNC]);
    steps
}

/// Others lead, one after the other, and what is prepared is carried on.
fn third() -> Vec<Step> {
    let mut steps = vec![named(0, Kind::PrePrepare, 0), SYNC];
    steps.extend(all_answer(0).take(3));
    steps.extend([SYNC, sent(Kind::Request, SAME, 0), VIEW_TIMER, SYNC]);
    steps.extend(all_answer(1));
    steps.push(SYNC);
    steps.extend(votes());
    steps.extend(joined());
    steps
}

/// For clients.
pub(super) fn clients(clusters: usize) -> Vec<Seed> {
    let run = |kind: u8| Step::Invoked(Dice { kind, ..Dice::default() });
    let answered = |who: u8, kind: u8, data: u8| {
        Step::Answered(0, Dice { who, kind, data, ..Dice::default() })
    };
    let mut all = Vec::new();
    for kind in 0..7 {
        all.push(run(kind));
        all.extend((0..5).map(|who| answered(who, 0, 0)));
    }
    let mut resent = vec![run(1), answered(0, 0, 0), Step::Timer(0, 0)];
    resent.extend((0..5).map(|who| answered(who, 0, 0)));
    resent.extend([run(1), Step::GivenUp, run(2)]);
    let mut differing = vec![run(0)];
    differing.extend((0..4).map(|who| answered(who, 0, who)));
    differing.extend((0..5).map(|who| answered(who, 3, 0)));
    let forged =
        |who: u8| Step::Answered(0, Dice { who: who | 7 << 5, kind: 0, name: 0, time: 0, data: 0 });
    let mut lied = vec![run(1)];
    lied.extend((0..7).map(forged));
    lied.extend([Step::Again(0), Step::Changed(0, Dice::default())]);
    let scripts =
        [("functions", all), ("resent", resent), ("differing", differing), ("lied", lied)];
    in_each(clusters, &scripts)
}

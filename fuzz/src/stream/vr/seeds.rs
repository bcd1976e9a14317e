//! Inputs to begin with: exchanges as they happen where nothing goes wrong, and a little beyond.

use super::forge::{KINDS, Kind};
use crate::Seed;
use crate::stream::Dice;
use crate::stream::step::{Step, in_each};

/// All that waits becomes durable.
const SYNC: Step = Step::Synced(u8::MAX);
/// The replica's own view, and the next.
const SAME: u8 = 0x80;
const NEXT: u8 = 0;
/// All up to the op-number is committed.
const COMMITTED: u8 = 3 << 6;
/// In a log that is told: one entry more than the receiver has; two more.
const ONE_MORE: u8 = 1 << 4;
const TWO_MORE: u8 = 2 << 4;
/// A log that is told has nothing of what the receiver has and is not committed.
const OTHER: u8 = 2 << 6;

/// Somebody sends something of this kind, about a write of the client c0.
fn sent(kind: Kind, time: u8, data: u8) -> Step {
    sent_by(0, kind, time, data)
}

fn sent_by(who: u8, kind: Kind, time: u8, data: u8) -> Step {
    Step::Forged(Dice { who, kind: place(kind), name: 1 << 3, time, data })
}

fn place(kind: Kind) -> u8 {
    let place = KINDS.iter().position(|other| *other == kind).unwrap_or(0);
    u8::try_from(place).unwrap_or(0)
}

/// Everybody answers the last thing that was said.
fn all_answer(kind: u8, data: u8) -> impl Iterator<Item = Step> {
    (0..4).map(move |who| Step::Answered(0, Dice { who, kind, name: 1 << 3, time: SAME, data }))
}

/// For replicas, in each of so many clusters.
pub(super) fn replicas(clusters: usize) -> Vec<Seed> {
    let backup = vec![
        sent(Kind::StartView, NEXT, ONE_MORE),
        SYNC,
        sent(Kind::Prepare, SAME, 0),
        SYNC,
        sent(Kind::Commit, SAME, 4 | COMMITTED),
        sent(Kind::Prepare, SAME, 3),
        sent(Kind::Prepare, SAME, 0),
        sent(Kind::Request, SAME, 0),
        sent(Kind::Request, SAME, 0),
        SYNC,
        Step::Checkpoint,
        Step::Damaged(0),
        sent(Kind::Commit, SAME, 4 | COMMITTED),
    ];
    let changing = vec![
        sent(Kind::StartView, NEXT, ONE_MORE),
        SYNC,
        sent(Kind::Prepare, SAME, 0),
        SYNC,
        sent(Kind::StartViewChange, NEXT, 0),
        SYNC,
        Step::Forged(Dice {
            who: 0,
            kind: place(Kind::StartView),
            name: OTHER,
            time: SAME,
            data: 1,
        }),
        SYNC,
        sent(Kind::StartView, NEXT, TWO_MORE),
        SYNC,
        Step::Again(0),
        Step::Crash(0),
        SYNC,
        Step::Timer(1, 0),
        Step::Timer(0, 0),
    ];
    let mut forgetful = vec![sent(Kind::StartView, NEXT, ONE_MORE), SYNC, Step::Crash(0)];
    forgetful.extend(all_answer(0, TWO_MORE));
    forgetful.extend([SYNC, sent(Kind::Prepare, SAME, 0), SYNC, Step::Crash(0)]);
    forgetful.extend(all_answer(0, ONE_MORE));
    let scripts = [
        ("reading", reading()),
        ("dropped", dropped()),
        ("gone-on", gone_on()),
        ("ending", ending()),
        ("backup", backup),
        ("changing", changing),
        ("leading", leading()),
        ("lacking", lacking()),
        ("forgetful", forgetful),
    ];
    in_each(clusters, &scripts)
}

/// A replica is voted for, and leads.
fn leading() -> Vec<Step> {
    let mut leading = vec![sent(Kind::DoViewChange, NEXT, TWO_MORE), SYNC];
    leading.extend([0, 1, 2].map(|who| sent_by(who, Kind::DoViewChange, SAME, ONE_MORE)));
    leading.push(SYNC);
    leading.extend(all_answer(0, 0));
    leading.push(sent(Kind::Request, SAME, 0));
    leading.push(SYNC);
    leading.extend(all_answer(0, 0));
    leading.push(sent_by(1, Kind::Request, SAME, 1));
    leading.extend(all_answer(0, 0));
    leading.extend([Step::Timer(0, 0), SYNC]);
    leading.extend(all_answer(0, 0));
    leading.extend([sent(Kind::Recovery, SAME, 5), sent(Kind::GetState, SAME, 4), SYNC]);
    leading.extend([sent(Kind::GetCheckpoint, SAME, 4), Step::Crash(0)]);
    leading
}

/// A replica lacks entries of its view, then of later ones, and what came before these.
fn lacking() -> Vec<Step> {
    let mut lacking = vec![
        sent(Kind::StartView, NEXT, ONE_MORE),
        SYNC,
        sent(Kind::Prepare, SAME, 6),
        Step::Timer(1, 0),
        Step::Timer(0, 0),
    ];
    lacking.extend(all_answer(0, TWO_MORE));
    lacking.push(SYNC);
    lacking.push(sent(Kind::Commit, NEXT, 0));
    lacking.extend(all_answer(0, 0b1111 | TWO_MORE));
    lacking.extend(all_answer(0, 0));
    lacking.push(SYNC);
    lacking.push(sent(Kind::Commit, NEXT, 0));
    lacking.extend(all_answer(0, 0b1111 | TWO_MORE));
    lacking.extend(all_answer(0, 0));
    lacking.push(SYNC);
    lacking
}

/// The primary of the first view has a lease, and a read comes while a write is prepared.
fn reading() -> Vec<Step> {
    let mut steps: Vec<Step> = all_answer(0, 0).collect();
    let asks = |who: u8, name: u8| {
        Step::Forged(Dice { who, kind: place(Kind::Request), name, time: SAME, data: 0 })
    };
    steps.extend([asks(0, 1 << 3), asks(1, 0), SYNC]);
    steps.extend(all_answer(0, 0));
    steps
}

/// What a client has asked for is dropped by a view change, and the replica leads the next view when that client asks
/// for something else.
fn dropped() -> Vec<Step> {
    let votes = |who: u8| {
        Step::Forged(Dice {
            who,
            kind: place(Kind::DoViewChange),
            name: OTHER,
            time: NEXT,
            data: ONE_MORE,
        })
    };
    let later_life = 7 << 5;
    vec![
        sent(Kind::StartView, NEXT, ONE_MORE),
        SYNC,
        Step::Forged(Dice {
            who: 0,
            kind: place(Kind::Prepare),
            name: later_life,
            time: SAME,
            data: 0,
        }),
        SYNC,
        votes(0),
        SYNC,
        SYNC,
        sent(Kind::Request, SAME, 0),
        SYNC,
    ]
}

/// While the primary waits for a checkpoint, to follow the next view, what it has prepared is committed.
fn gone_on() -> Vec<Step> {
    let beyond = 2 << 2 | 3;
    // It has answered two clients since it asked for that.
    let checkpoint = Step::Answered(2, Dice::default());
    let acknowledged = |data: u8| {
        Step::Forged(Dice { who: 0, kind: place(Kind::PrepareOk), name: 0, time: SAME, data })
    };
    vec![
        sent(Kind::Request, SAME, 0),
        sent_by(1, Kind::Request, SAME, 0),
        SYNC,
        Step::Forged(Dice {
            who: 0,
            kind: place(Kind::StartView),
            name: 0,
            time: NEXT,
            data: beyond | TWO_MORE,
        }),
        acknowledged(4),
        checkpoint,
        SYNC,
    ]
}

/// An epoch ends, and the next begins.
fn ending() -> Vec<Step> {
    let members = 0b011;
    let mut steps = vec![sent(Kind::Reconfiguration, SAME, members), SYNC];
    steps.extend(all_answer(0, 0));
    steps.push(SYNC);
    steps.push(sent_by(1, Kind::Request, SAME, 0));
    steps.push(SYNC);
    steps.extend(all_answer(0, 0));
    let later = 7 << 5;
    steps.extend([sent_by(later, Kind::StartEpoch, SAME, 5), SYNC, Step::Timer(0, 0)]);
    steps.extend(all_answer(0, OTHER | ONE_MORE));
    steps.extend([SYNC, Step::Crash(0), SYNC]);
    steps
}

/// For clients.
pub(super) fn clients(clusters: usize) -> Vec<Seed> {
    let run = |kind: u8| Step::Invoked(Dice { kind, ..Dice::default() });
    let answered = |who: u8, kind: u8, time: u8| {
        Step::Answered(0, Dice { who, kind, time, ..Dice::default() })
    };
    let mut all = Vec::new();
    for kind in 0..7 {
        all.extend([run(kind), answered(0, 0, 0), Step::Timer(0, 0), Step::GivenUp]);
    }
    let sent_on =
        vec![run(1), answered(0, 3, 0), answered(0, 3, 4), Step::Timer(0, 0), answered(0, 0, 0)];
    let mut equal = Vec::new();
    for kind in 0..7 {
        equal.push(run(kind));
        equal.extend((0..3).map(|who| answered(who, 1, 0)));
    }
    let differing = vec![run(1), answered(0, 1, 0), answered(1, 1, 3), answered(2, 1, 0)];
    let scripts =
        [("functions", all), ("sent-on", sent_on), ("equal", equal), ("differing", differing)];
    in_each(clusters, &scripts)
}

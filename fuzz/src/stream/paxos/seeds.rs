//! Inputs to begin with: exchanges as they happen where nothing goes wrong, and a little beyond.

use super::forge::{KINDS, Kind};
use crate::Seed;
use crate::stream::Dice;
use crate::stream::step::{Step, in_each};

/// All that waits becomes durable.
const SYNC: Step = Step::Synced(u8::MAX);

/// Somebody sends something of this kind.
fn sent(kind: Kind, time: u8, data: u8) -> Step {
    sent_by(0, kind, time, data)
}

fn sent_by(who: u8, kind: Kind, time: u8, data: u8) -> Step {
    let place = KINDS.iter().position(|other| *other == kind).unwrap_or(0);
    let kind = u8::try_from(place).unwrap_or(0);
    // A write of the client c0.
    Step::Forged(Dice { who, kind, name: 1 << 3, time, data })
}

/// The ballot that is promised.
const SAME: u8 = 4 << 5;
/// A ballot below that.
const LOWER: u8 = 3;
/// All up to the slot is decided, and up to the one before it.
const DECIDED: u8 = 3 << 6;
const BEFORE: u8 = 2 << 6;

/// Everybody answers the last thing that was said.
fn all_answer(kind: u8, time: u8, data: u8) -> impl Iterator<Item = Step> {
    (0..4).map(move |who| Step::Answered(0, Dice { who, kind, name: 1 << 3, time, data }))
}

/// For replicas, in each of so many clusters.
pub(super) fn replicas(clusters: usize) -> Vec<Seed> {
    let acceptor = vec![
        sent(Kind::P1a, 0, 0),
        SYNC,
        sent(Kind::P2a, SAME, 0),
        sent(Kind::P2a, SAME, 4),
        SYNC,
        sent(Kind::Heartbeat, SAME, 6 | DECIDED),
        sent_by(1, Kind::P1a, 0, 8),
        Step::Crash(0),
        sent_by(1, Kind::P1a, 0, 8),
        SYNC,
        sent(Kind::P2a, LOWER, 1),
        sent(Kind::Heartbeat, LOWER, 0),
        Step::Checkpoint,
        Step::Damaged(0),
        sent(Kind::P1a, 0, 8),
    ];
    let learner = vec![
        sent(Kind::P2a, 0, 4),
        SYNC,
        sent(Kind::Heartbeat, SAME, 5 | DECIDED),
        Step::Timer(1, 0),
        Step::Answered(0, Dice { who: 0, kind: 1, ..Dice::default() }),
        sent(Kind::Fetch, 0, 7 | 5 << 3),
        sent(Kind::Heartbeat, SAME, 5 | DECIDED),
        Step::Timer(1, 0),
        Step::Answered(0, Dice { who: 0, kind: 7, time: 4, ..Dice::default() }),
        SYNC,
        Step::Crash(0),
        sent(Kind::Fetch, 0, 7 | 5 << 3),
        sent(Kind::P2a, SAME, BEFORE),
    ];
    let mut leader = vec![Step::Timer(0, 0), SYNC];
    leader.extend(all_answer(0, 0b0110, 2));
    leader.push(SYNC);
    leader.extend(all_answer(0, 0, 0));
    leader.push(sent(Kind::Request, 0, 0));
    leader.push(SYNC);
    leader.extend(all_answer(0, 0, 0));
    leader.push(Step::Forged(Dice { who: 1, kind: 0, name: 0, time: 0, data: 0 }));
    leader.extend(all_answer(0, 0, 0));
    leader.extend([Step::Timer(0, 0), Step::Timer(1, 0), SYNC, Step::Crash(0)]);
    let mut deposed = vec![Step::Timer(0, 0), SYNC];
    deposed.extend(all_answer(0, 0, 0));
    deposed.extend([SYNC, sent(Kind::Request, 0, 0), SYNC, sent(Kind::Request, 0, 1)]);
    deposed.push(sent(Kind::P1a, 0, 8));
    deposed.push(SYNC);
    let scripts =
        [("acceptor", acceptor), ("learner", learner), ("leader", leader), ("deposed", deposed)];
    in_each(clusters, &scripts)
}

/// For clients.
pub(super) fn clients(clusters: usize) -> Vec<Seed> {
    let run = |kind: u8| Step::Invoked(Dice { kind, ..Dice::default() });
    let answered =
        |kind: u8, data: u8| Step::Answered(0, Dice { who: 0, kind, data, ..Dice::default() });
    let mut all = Vec::new();
    for kind in 0..7 {
        all.extend([run(kind), answered(0, 0), Step::Timer(0, 0), Step::GivenUp]);
    }
    let redirect = vec![run(1), answered(3, 1), answered(3, 0), Step::Timer(0, 0), answered(0, 0)];
    in_each(clusters, &[("functions", all), ("redirect", redirect)])
}

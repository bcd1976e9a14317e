//! Inputs to begin with: exchanges as they happen where nothing goes wrong, and a little beyond.

use super::forge::{KINDS, Kind};
use crate::Seed;
use crate::stream::Dice;
use crate::stream::step::{Step, in_each};

/// All that waits becomes durable.
const SYNC: Step = Step::Synced(u8::MAX);

/// Somebody sends something of this kind; the number is the next one, unless `time` says another.
fn sent(who: u8, kind: Kind, time: u8, data: u8) -> Step {
    let place = KINDS.iter().position(|other| *other == kind).unwrap_or(0);
    let kind = u8::try_from(place).unwrap_or(0);
    Step::Forged(Dice { who, kind, name: 2, time, data })
}

/// A number that is the one promised.
const SAME: u8 = 4 << 5;
/// A number below that.
const LOWER: u8 = 3;

/// Everybody answers the last thing that was said.
fn all_answer(kind: u8, data: u8) -> impl Iterator<Item = Step> {
    (0..4).map(move |who| Step::Answered(0, Dice { who, kind, data, ..Dice::default() }))
}

/// For replicas, in each of so many clusters.
pub(super) fn replicas(clusters: usize) -> Vec<Seed> {
    let acceptor = vec![
        sent(0, Kind::Prepare, 0, 0),
        SYNC,
        sent(0, Kind::Accept, SAME, 0),
        SYNC,
        Step::Again(0),
        sent(1, Kind::Prepare, 0, 1),
        Step::Crash(0),
        sent(8, Kind::Prepare, 0, 1),
        sent(8, Kind::Accept, SAME, 1),
        SYNC,
        sent(0, Kind::Accept, LOWER, 2),
        Step::Checkpoint,
        Step::Damaged(0),
        sent(1, Kind::Prepare, 2, 0),
    ];
    let learner = vec![
        sent(0, Kind::AcceptOk, 0, 0),
        Step::Timer(0, 0),
        sent(1, Kind::AcceptOk, 0, 0),
        sent(2, Kind::AcceptOk, 0, 0),
        sent(0, Kind::Learn, 0, 0),
        sent(0, Kind::Request, 0, 0),
        sent(0, Kind::Decided, 0, 0b1100),
        sent(0, Kind::Request, 2, 0b1100),
    ];
    let mut proposer = vec![sent(0, Kind::Request, 0, 0), SYNC, Step::Timer(0, 0)];
    proposer.extend(all_answer(0, 0));
    proposer.extend(all_answer(0, 0));
    proposer.push(SYNC);
    let mut outbid = vec![sent(0, Kind::Request, 0, 0), SYNC];
    outbid.extend(all_answer(7, 0).take(1));
    outbid.push(Step::Timer(0, u8::MAX));
    outbid.extend(all_answer(0, 0x81));
    outbid.push(Step::Timer(0, 0));
    outbid.extend(all_answer(0, 0));
    let mut reader = vec![sent(0, Kind::Request, 2, 0), sent(1, Kind::Request, 2, 0), SYNC];
    reader.extend(all_answer(0, 0));
    reader.extend([Step::Crash(7), sent(1, Kind::Request, 2, 0)]);
    let scripts = [
        ("acceptor", acceptor),
        ("learner", learner),
        ("proposer", proposer),
        ("outbid", outbid),
        ("reader", reader),
    ];
    in_each(clusters, &scripts)
}

/// For clients.
pub(super) fn clients(clusters: usize) -> Vec<Seed> {
    let run = |kind: u8| Step::Invoked(Dice { kind, ..Dice::default() });
    let operation = |kind: u8| {
        let mut steps = vec![run(kind)];
        steps.extend(all_answer(0, 0));
        steps.push(Step::Timer(0, 0));
        steps.extend(all_answer(0, 0));
        steps.extend([Step::GivenUp, run(kind)]);
        steps
    };
    let mut outbid = vec![run(1)];
    outbid.extend(all_answer(7, 0).take(1));
    outbid.push(Step::Timer(0, 0));
    outbid.extend(all_answer(1, 0x81));
    outbid.extend(all_answer(0, 0));
    let scripts = [("read", operation(0)), ("propose", operation(1)), ("outbid", outbid)];
    in_each(clusters, &scripts)
}

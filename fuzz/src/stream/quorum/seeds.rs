//! Inputs to begin with: exchanges as they happen where nothing goes wrong, and a little beyond.

use crate::Seed;
use crate::stream::Dice;
use crate::stream::step::{Step, in_each};

/// All that waits becomes durable.
const SYNC: Step = Step::Synced(u8::MAX);

/// Places in [`super::forge::ABD`].
const QUERY: u8 = 0;
const UPDATE: u8 = 1;
const REQUEST: u8 = 2;
const CONFIGURE: u8 = 3;
const FETCH: u8 = 4;
const INSTALL: u8 = 5;

/// Places in [`super::forge::LOCK`].
const PROPOSE: u8 = 1;
const COMMIT: u8 = 3;
const ABORT: u8 = 4;
const TERMINATE: u8 = 5;

/// What is not a write, where there is a choice.
const READ: u8 = 3;

/// Somebody sends something of this kind.
const fn sent(who: u8, kind: u8, data: u8) -> Step {
    Step::Forged(Dice { who, kind, name: 0, time: 0, data })
}

/// This node answers the last thing that it was asked.
const fn answered(who: u8, time: u8) -> Step {
    Step::Answered(0, Dice { who, kind: 0, name: 0, time, data: 0 })
}

/// Everybody answers the last question.
fn all_answer() -> impl Iterator<Item = Step> {
    (0..5).map(|node| answered(node, 6))
}

/// For `quorum_stream`, in each of so many clusters.
pub(super) fn replicas(clusters: usize) -> Vec<Seed> {
    let server = vec![
        sent(0, UPDATE, 0),
        SYNC,
        sent(1, QUERY, 0),
        Step::Again(0),
        sent(8, UPDATE, 1),
        Step::Crash(0),
        sent(8, QUERY, 0),
        Step::Checkpoint,
        Step::Damaged(0),
        sent(1, QUERY, 0),
    ];
    let change = vec![
        sent(8, CONFIGURE, 0),
        SYNC,
        sent(8, FETCH, 0),
        sent(8, INSTALL, 0),
        Step::Forged(Dice { who: 8, kind: INSTALL, name: 0x20, time: 0, data: 0 }),
        SYNC,
        sent(8, CONFIGURE, 0),
        SYNC,
        sent(0, QUERY, 0),
    ];
    in_each(clusters, &[("server", server), ("service", service()), ("change", change)])
}

/// A node runs a write and a read.
fn service() -> Vec<Step> {
    let mut steps = vec![sent(0, REQUEST, 0)];
    steps.extend(all_answer());
    steps.extend(all_answer());
    steps.push(SYNC);
    steps.push(sent(1, REQUEST, READ));
    steps.extend(all_answer());
    steps.push(Step::Timer(0, 0));
    steps.extend(all_answer());
    steps.push(SYNC);
    steps
}

/// For `quorum_lock_stream`.
pub(super) fn locks(clusters: usize) -> Vec<Seed> {
    let member = vec![
        sent(0, PROPOSE, 0),
        SYNC,
        sent(8, QUERY, 0),
        sent(0, COMMIT, 0),
        SYNC,
        sent(1, PROPOSE, 0),
        Step::Crash(7),
        Step::Timer(0, 0),
        Step::Timer(0, 0),
        sent(0, TERMINATE, 0),
        // Of a write that nobody has heard of.
        Step::Forged(Dice { who: 0, kind: TERMINATE, name: 0xe1, time: 0, data: 0 }),
        sent(1, ABORT, 0),
        SYNC,
    ];
    let mut initiator = vec![sent(0, REQUEST, 0), SYNC];
    initiator.extend((0..5).map(|node| answered(node, 0)));
    initiator.push(SYNC);
    initiator.extend(all_answer());
    initiator.extend([SYNC, Step::Crash(0), Step::Checkpoint, Step::Crash(0)]);
    in_each(clusters, &[("member", member), ("initiator", initiator), ("reader", service())])
}

/// For `quorum_client_stream`.
pub(super) fn clients(clusters: usize) -> Vec<Seed> {
    let run = |kind: u8| Step::Invoked(Dice { kind, ..Dice::default() });
    let operation = |kind: u8| {
        let mut steps = vec![run(kind)];
        steps.extend(all_answer());
        steps.push(Step::Timer(0, 0));
        steps.extend((0..5).map(|node| answered(node, 0)));
        steps.extend([Step::GivenUp, run(kind)]);
        steps
    };
    // One server has what the others have not.
    let mut write_back = vec![run(0), answered(0, 0)];
    write_back.extend((1..5).map(|node| answered(node, 6)));
    write_back.extend(all_answer());
    let scripts = [("read", operation(0)), ("write", operation(1)), ("write-back", write_back)];
    let mut seeds = in_each(clusters, &scripts);
    let mut change = vec![run(0)];
    (0..5).for_each(|_| change.extend(all_answer()));
    for mut seed in in_each(clusters, &[("change", change)]) {
        // The last of the clients is the administrator.
        if let Some(me) = seed.bytes.get_mut(1) {
            *me = 7;
        }
        seeds.push(seed);
    }
    seeds
}

//! The quorum registers: by query and update, and with locks.

mod forge;
mod model;
mod signed;

use quorate_systems::contract::{NodeId, Outcome};
use quorate_systems::mutant::Mutants;
use quorate_systems::quorum::{Message, Quorum};
use quorate_world::invariants::Who;

use self::model::QuorumModel;
use super::replica::Bench;
use super::{Cluster, Dice, Scope, Streamed, mutants};
use crate::{Seed, Target};

/// A server that is asked to query and to store, and runs operations for clients.
pub const STREAM: Target = Target {
    name: "quorum_stream",
    about: "A replica of registers by query and update, fed whatever a world may feed it.",
    body: |bytes| STREAMS.with(|bench| bench.run(bytes)),
    seeds: Vec::<Seed>::new,
    show: |bytes| STREAMS.with(|bench| bench.show(bytes)),
};

/// A member and initiator of lock writes.
pub const LOCK_STREAM: Target = Target {
    name: "quorum_lock_stream",
    about: "A replica of registers with lock writes, fed whatever a world may feed it.",
    body: |bytes| LOCK_STREAMS.with(|bench| bench.run(bytes)),
    seeds: Vec::<Seed>::new,
    show: |bytes| LOCK_STREAMS.with(|bench| bench.show(bytes)),
};

thread_local! {
    static STREAMS: Bench<Quorum> = Bench::new(clusters(CLUSTERS, mutants()));
    static LOCK_STREAMS: Bench<Quorum> = Bench::new(clusters(LOCK_CLUSTERS, mutants()));
}

/// By query and update: servers alone, nodes that run operations, and every construction.
const CLUSTERS: &[(u16, &str)] = &[
    (3, "coordinator=node"),
    (3, "quorum=majority"),
    (4, "coordinator=node quorum=grid contact=quorum"),
    (6, "coordinator=node quorum=weighted"),
    (4, "quorum=dissemination"),
    (5, "coordinator=node quorum=counts read=2 members=0,1,2,3 contact=quorum"),
    (1, "coordinator=node"),
    (5, "quorum=masking"),
];

/// With locks.
const LOCK_CLUSTERS: &[(u16, &str)] = &[
    (3, "protocol=lock"),
    (2, "protocol=lock"),
    (5, "protocol=lock contact=quorum"),
    (4, "protocol=lock members=0,1,2 quorum=counts write=3"),
    (1, "protocol=lock"),
];

fn clusters(which: &[(u16, &'static str)], mutants: Mutants) -> Vec<Cluster<Quorum>> {
    which.iter().map(|(nodes, options)| Cluster::new(*nodes, options, mutants)).collect()
}

impl Streamed for Quorum {
    type Model = QuorumModel;

    const LOCAL: &'static [&'static str] = &["Q-I1", "Q-I8"];
    const NEEDS_EVERY_RECORD: bool = true;

    fn is_watched(message: &Message, is_by_core: bool) -> bool {
        match message {
            // What a COMMIT_OK is about is what the first COMMIT said of its write; here two may differ.
            Message::CommitOk { .. } => false,
            // Questions say what acknowledgements are about.
            Message::Update { .. } | Message::Configure { .. } | Message::Install { .. } => true,
            // What others claim of themselves is made up.
            _ => is_by_core,
        }
    }

    fn forge(scope: &Scope<'_, Self>, dice: Dice) -> (Who, Message) {
        forge::forge(scope, dice)
    }

    fn answer(
        scope: &Scope<'_, Self>,
        said: &Message,
        from: NodeId,
        dice: Dice,
    ) -> Option<Message> {
        forge::answer(scope, said, from, dice)
    }

    fn alter(scope: &Scope<'_, Self>, message: &mut Message, dice: Dice) {
        forge::change(scope, message, dice);
    }

    fn alike(one: &Message, other: &Message) -> bool {
        match (one, other) {
            (
                Message::Answer { id, outcome },
                Message::Answer { id: other_id, outcome: other_outcome },
            ) => id == other_id && are_alike(outcome, other_outcome),
            _ => one == other,
        }
    }
}

/// Whether two outcomes differ in words at most.
fn are_alike(one: &Outcome, other: &Outcome) -> bool {
    match (one, other) {
        (Outcome::Failed(_), Outcome::Failed(_)) | (Outcome::Unknown(_), Outcome::Unknown(_)) => {
            true
        }
        _ => one == other,
    }
}

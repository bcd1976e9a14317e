//! Schedules: every string of bytes is a small plan, which is run in the simulator with every check on.
//!
//! ```text
//! bytes ──► head, dice, records ──► Plan ──► simulator ──► judge ──► panic if anything is broken
//!                                                 └── abstract states ──► counters of libFuzzer
//! ```
//!
//! The plans stay within what the system can do and promises to bear, and the judge is the hunt's, so that whatever is
//! broken is a finding. The target of another protocol is one call of [`target`].

mod bytes;
mod export;
mod judge;
mod parts;
mod plan;
mod seeds;
#[cfg(test)]
mod tests;

use quorate_plan::Plan;
use quorate_systems::SystemKind;
use quorate_systems::paxos::Paxos;
use quorate_systems::paxos_single::PaxosSingle;
use quorate_systems::pbft::Pbft;
use quorate_systems::psb::Psb;
use quorate_systems::quorum::Quorum;
use quorate_systems::vr::Vr;
use quorate_world::invariants::Watched;

use crate::Target;

pub use export::{ExportError, history, plan_toml, show};
pub use judge::{COUNTERS, PROGRESS, TWICE};

/// Schedules of quorum registers.
pub const QUORUM: Target = target::<Quorum>(
    "quorum_schedule",
    "Small plans for quorum registers, run in the simulator: nothing is broken, and twice gives the same.",
);

/// Schedules of single-decree Paxos.
pub const PAXOS_SINGLE: Target = target::<PaxosSingle>(
    "paxos_single_schedule",
    "Small plans for single-decree Paxos, run in the simulator: nothing is broken, and twice gives the same.",
);

/// Schedules of Multi-Paxos.
pub const PAXOS: Target = target::<Paxos>(
    "paxos_schedule",
    "Small plans for Multi-Paxos, run in the simulator: nothing is broken, and twice gives the same.",
);

/// Schedules of Paxos for System Builders.
pub const PSB: Target = target::<Psb>(
    "psb_schedule",
    "Small plans for Paxos for System Builders, run in the simulator: nothing is broken, and twice gives the same.",
);

/// Schedules of Viewstamped Replication.
pub const VR: Target = target::<Vr>(
    "vr_schedule",
    "Small plans for Viewstamped Replication, run in the simulator: nothing is broken, and twice gives the same.",
);

/// Schedules of PBFT.
pub const PBFT: Target = target::<Pbft>(
    "pbft_schedule",
    "Small plans for PBFT with liars, run in the simulator: nothing is broken, and twice gives the same.",
);

/// The systems whose schedules are fuzzed, by the names of their targets.
pub const SCHEDULES: &[(&str, SystemKind)] = &[
    (QUORUM.name, SystemKind::Quorum),
    (PAXOS_SINGLE.name, SystemKind::PaxosSingle),
    (PAXOS.name, SystemKind::Paxos),
    (PSB.name, SystemKind::Psb),
    (VR.name, SystemKind::Vr),
    (PBFT.name, SystemKind::Pbft),
];

/// The target that runs schedules of a system.
pub const fn target<S: Watched>(name: &'static str, about: &'static str) -> Target {
    Target { name, about, body: judge::body::<S>, seeds: seeds::seeds::<S>, show: judge::show::<S> }
}

/// The plan that an input of a target means; nothing if the inputs of that are no plans.
pub fn plan_of(target: &str, bytes: &[u8]) -> Option<Plan> {
    let (_, kind) = SCHEDULES.iter().find(|(name, _)| *name == target)?;
    Some(quorate_world::registry::with_watched(*kind, Read(bytes)))
}

struct Read<'a>(&'a [u8]);

impl quorate_world::registry::WithWatched for Read<'_> {
    type Out = Plan;

    fn with<S: Watched>(self) -> Plan {
        plan::plan::<S>(self.0)
    }
}

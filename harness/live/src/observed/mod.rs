//! What happens to the cores of a run, written down by whoever drives them, for the invariants.
//!
//! ```text
//!  node n0 ──► nodes/n0/observed.jsonl ─┐
//!  node n1 ──► nodes/n1/observed.jsonl ─┼─ merged by time ──► invariants ──► violations in the history
//!  clients ──► clients.jsonl ───────────┘
//! ```
//! A step is written before any effect of it is released, so that whatever it causes elsewhere has a later
//! time, and a step that a kill keeps out of the file has caused nothing. The time of a step is that of its
//! beginning, read before the core's own clock is: a process that is stopped between its clock and its file
//! has not done later what its clock allowed. The times of all processes are those of one clock of the machine.

mod judge;
mod log;
mod merge;

use std::fs;
use std::path::Path;

use quorate_plan::Endpoint;
use quorate_systems::contract::{Incarnation, System, Ticket};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::cluster::NODES;
use crate::inputs::{CLIENT_INPUTS, INPUTS};

pub use judge::judge_again;
pub(crate) use judge::{Judgement, Scene, judge};
pub(crate) use log::{Log, SharedLog};

/// The name of a node's file, in its folder.
pub(crate) const OBSERVED: &str = "observed.jsonl";
/// The name of the clients' file, in the run's folder.
pub(crate) const CLIENTS: &str = "clients.jsonl";

/// One line of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<T> {
    /// When, as [`now`] has it.
    t: u64,
    /// Whose core.
    by: Endpoint,
    /// What.
    saw: T,
}

/// Something that happened to a core. Written from references, and read back as values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Sight<R, M, O> {
    /// The node comes up.
    Boot(Incarnation),
    /// A record that was on its disk then.
    Found(R),
    /// It asked for a record to be made durable.
    Persist {
        /// Its name.
        ticket: Ticket,
        /// What.
        record: R,
    },
    /// All up to this ticket is durable.
    Durable(Ticket),
    /// A message leaves: what a liar says in place of what its core meant.
    Sent {
        /// The receiver.
        to: Endpoint,
        /// What.
        message: M,
    },
    /// The core told of a transition.
    Observed(O),
    /// The node, or the client, was told to lie, and is not to be judged from here on.
    Lies,
}

/// A sight as it is written.
pub(crate) type Seeing<'a, S> =
    Sight<&'a <S as System>::Record, &'a <S as System>::Message, &'a <S as System>::Observation>;

/// A sight as it is read.
type Seen<S> = Sight<<S as System>::Record, <S as System>::Message, <S as System>::Observation>;

/// Removes what was observed in the run in `folder`, and the inputs of its cores. A run in which nothing was
/// found needs them no more, and they are by far the largest of what a run leaves.
pub fn forget_observations(folder: &Path) {
    let nodes = fs::read_dir(folder.join(NODES)).into_iter().flatten().flatten();
    let files = nodes.flat_map(|node| [OBSERVED, INPUTS].map(|name| node.path().join(name)));
    for file in files.chain([CLIENTS, CLIENT_INPUTS].map(|name| folder.join(name))) {
        // What cannot be removed takes room, and harms nobody.
        let _ = fs::remove_file(file);
    }
}

/// Nanoseconds on the clock that all processes of this machine share (`CLOCK_MONOTONIC`).
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(nanos.unwrap_or(0))
}

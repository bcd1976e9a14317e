//! The background: what happens to messages and disks while nothing in particular goes wrong.

use serde::{Deserialize, Serialize};

/// Delay, loss and duplication of every message, and the time that a disk takes. Each is drawn for the
/// message from the plan's seed and what the message is, so that one fault less leaves most others alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Weather {
    /// How long messages take.
    pub delay: Delay,
    /// How many of a thousand messages get lost.
    pub loss_per_mille: u16,
    /// How many of a thousand messages arrive twice.
    pub duplicate_per_mille: u16,
    /// The shortest time from a write to its being durable, in microseconds. Only a simulated disk heeds it.
    pub sync_min_us: u64,
    /// The longest.
    pub sync_max_us: u64,
}

/// How long a message takes. The distributions are also the searches: each finds other schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Delay {
    /// Every message takes the same: nothing is reordered. What remains of a story when it is told.
    Constant {
        /// Microseconds.
        us: u64,
    },
    /// Evenly between two bounds.
    Uniform {
        /// The shortest, in microseconds.
        min_us: u64,
        /// The longest.
        max_us: u64,
    },
    /// Memoryless: whatever is under way is equally likely to arrive next, which is a random walk among all
    /// interleavings.
    Exponential {
        /// The mean, in microseconds. No delay is longer than sixteen times as much.
        mean_us: u64,
    },
    /// Links are ranked, and those of a lower rank are much slower, so that few orders are likely and those
    /// are extreme: probabilistic concurrency testing (Burckhardt et al. 2010), with delays for priorities. At
    /// each of `changes` moments, drawn from the time limit, the ranks of one node's links change.
    Priorities {
        /// The fastest, in microseconds; each rank doubles it.
        base_us: u64,
        /// How many ranks: 1 to 16.
        ranks: u8,
        /// How many change points.
        changes: u8,
    },
}

impl Delay {
    /// The name of the search that such delays make.
    pub const fn search(self) -> &'static str {
        match self {
            Self::Constant { .. } => "calm",
            Self::Uniform { .. } => "swarm",
            Self::Exponential { .. } => "random-walk",
            Self::Priorities { .. } => "priorities",
        }
    }
}

impl Weather {
    /// Nothing is lost, and every message takes a millisecond.
    pub const CALM: Self = Self {
        delay: Delay::Constant { us: 1_000 },
        loss_per_mille: 0,
        duplicate_per_mille: 0,
        sync_min_us: 200,
        sync_max_us: 200,
    };
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            delay: Delay::Uniform { min_us: 500, max_us: 5_000 },
            loss_per_mille: 0,
            duplicate_per_mille: 0,
            sync_min_us: 200,
            sync_max_us: 2_000,
        }
    }
}

//! What breaks things.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Endpoint, Moment};

/// Whom each endpoint refuses to hear: messages from any of the set to the key are dropped.
pub type Grudge = BTreeMap<Endpoint, BTreeSet<Endpoint>>;

/// A fault and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedFault {
    /// The moment that `at_ms` counts from; the first operation if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Moment>,
    /// When it begins, in milliseconds after that.
    #[serde(default)]
    pub at_ms: u64,
    /// How long it lasts; all are healed at the time limit at the latest.
    pub for_ms: u64,
    /// What it is.
    pub fault: Fault,
}

/// One fault, complete: nothing about it is left to be drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Messages between some endpoints are dropped.
    Partition {
        /// The pattern that the grudge was made from, for people.
        shape: PartitionShape,
        /// Who does not hear whom.
        grudge: Grudge,
    },
    /// Messages to and from `ends` take longer.
    Delay {
        /// Whose messages.
        ends: BTreeSet<Endpoint>,
        /// The shortest addition.
        min_ms: u64,
        /// The longest addition.
        max_ms: u64,
    },
    /// Messages to and from `ends` get lost.
    Loss {
        /// Whose messages.
        ends: BTreeSet<Endpoint>,
        /// How many of a thousand.
        per_mille: u16,
    },
    /// Messages to and from `ends` arrive twice, the second up to `within_ms` later.
    Duplicate {
        /// Whose messages.
        ends: BTreeSet<Endpoint>,
        /// How many of a thousand.
        per_mille: u16,
        /// The longest distance of the copy.
        within_ms: u64,
    },
    /// Messages to and from `ends` are held back up to `within_ms`, and overtaken by later ones.
    Reorder {
        /// Whose messages.
        ends: BTreeSet<Endpoint>,
        /// How many of a thousand.
        per_mille: u16,
        /// The longest hold.
        within_ms: u64,
    },
    /// Bytes of messages to and from `ends` are changed on the way.
    Corrupt {
        /// Whose messages.
        ends: BTreeSet<Endpoint>,
        /// How many of a thousand.
        per_mille: u16,
    },
    /// The processes are killed (SIGKILL) at the beginning and started again at the end. What they wrote
    /// survives, synced or not.
    Kill {
        /// Which nodes.
        nodes: BTreeSet<u16>,
        /// Absent: between two steps of the node. Else in the middle of its next step that has so many
        /// effects at least, once that many are carried out; at the end of the fault if there is none. Real
        /// processes are killed at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after_effects: Option<u8>,
    },
    /// As [`Fault::Kill`], and what was not fsynced is lost, as when the power fails.
    PowerLoss {
        /// Which nodes.
        nodes: BTreeSet<u16>,
        /// Absent: between two steps of the node. Else in the middle of its next step that has so many
        /// effects at least, once that many are carried out; at the end of the fault if there is none. Real
        /// processes are killed at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after_effects: Option<u8>,
    },
    /// The processes are stopped (SIGSTOP) and go on at the end (SIGCONT).
    Pause {
        /// Which nodes.
        nodes: BTreeSet<u16>,
    },
    /// The nodes' clocks go wrong; at the end they go at the right speed again and their jump is taken back
    /// (but never backwards). What a wrong speed has won or lost stays.
    Clock {
        /// Which nodes.
        nodes: BTreeSet<u16>,
        /// A jump at the beginning. A clock never shows an earlier time than before: after a jump back
        /// it stands still until it has caught up.
        offset_ms: i64,
        /// How fast it goes, in millionths of the right speed: 1 000 000 is right.
        rate_ppm: u32,
    },
    /// The node's disk misbehaves.
    Disk {
        /// Which node.
        node: u16,
        /// How.
        disk: Disk,
    },
    /// The nodes lie. Only systems made for it tolerate this, and only so many liars in one run.
    Byzantine {
        /// Which nodes.
        nodes: BTreeSet<u16>,
        /// How they lie: one of [`crate::LIES`].
        lie: String,
    },
    /// The clients lie to replicas. Only systems that do not believe their clients tolerate this, from any number of
    /// them. What they ask for meanwhile ends as `info`: it may take effect, at any time or never. Nothing is demanded of
    /// them.
    ByzantineClients {
        /// Which clients.
        clients: BTreeSet<u32>,
        /// How they lie: one of [`crate::CLIENT_LIES`].
        lie: String,
    },
    /// The cluster's administrator changes the system to these options, while it runs. A change is not
    /// undone when the fault ends; it bites when it is complete.
    Reconfigure {
        /// The options that are to hold from then on, as [`crate::SystemPlan::options`].
        options: BTreeMap<String, String>,
    },
}

/// The rate of a clock that is right: [`Fault::Clock`] says rates in millionths of it.
pub const RIGHT_RATE_PPM: u32 = 1_000_000;

impl Fault {
    /// Aims a fault better that must bite and did not. A bad disk goes to the next of `nodes` nodes, since this one
    /// may have nothing to write; a fault of messages hits those of all nodes, twice as many, and up to a second
    /// twice as far, since few may have been sent, and none been overtaken. All other faults stay as they are: a kill
    /// hits no node that it was not aimed at, since it may be one too many that forgets.
    pub fn aim_elsewhere(&mut self, nodes: u16) {
        const WITHIN_MAX_MS: u64 = 1_000;
        match self {
            Self::Disk { node, .. } => *node = (*node + 1) % nodes.max(1),
            Self::Duplicate { ends, per_mille, within_ms }
            | Self::Reorder { ends, per_mille, within_ms } => {
                aim_wider(ends, per_mille, nodes);
                *within_ms = (2 * *within_ms).min(WITHIN_MAX_MS).max(*within_ms);
            }
            Self::Loss { ends, per_mille } | Self::Corrupt { ends, per_mille } => {
                aim_wider(ends, per_mille, nodes);
            }
            Self::Delay { ends, .. } => ends.extend((0..nodes).map(Endpoint::Node)),
            Self::Partition { .. }
            | Self::Kill { .. }
            | Self::PowerLoss { .. }
            | Self::Pause { .. }
            | Self::Clock { .. }
            | Self::Byzantine { .. }
            | Self::ByzantineClients { .. }
            | Self::Reconfigure { .. } => {}
        }
    }
}

/// Twice as many messages, of all nodes.
fn aim_wider(ends: &mut BTreeSet<Endpoint>, per_mille: &mut u16, nodes: u16) {
    ends.extend((0..nodes).map(Endpoint::Node));
    *per_mille = (*per_mille).saturating_mul(2).min(1_000);
}

/// How a disk misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disk {
    /// No space is left: writes fail, which ends the node. Space is made at the end, and it starts again.
    Full,
    /// fsync reports an I/O error, which ends the node. At the end it starts again on a good disk.
    IoError,
    /// The node is killed, one bit of a record that it had synced is flipped, and it is started: it must
    /// refuse. At the end the bit is put right, and it starts again.
    FlippedBit,
    /// The node dies while it writes: only the first part of a write that nobody was told of reaches the
    /// disk. At the end it starts again and must cut the torn tail.
    CutTail,
}

/// The patterns of partitions, by Jepsen's names where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionShape {
    /// Two halves, as equal as can be.
    Halves,
    /// A random majority and the rest.
    MajorityMinority,
    /// One node alone.
    IsolateOne,
    /// Two halves and one node that hears and is heard by both.
    Bridge,
    /// Every node hears a majority, no two the same.
    MajoritiesRing,
    /// Messages pass from one side to the other, not back.
    OneWay,
    /// Every directed link is cut or not by a coin.
    Random,
}

/// The classes that faults are asked for and counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultClass {
    /// [`Fault::Partition`].
    Partition,
    /// [`Fault::Delay`].
    Delay,
    /// [`Fault::Loss`].
    Loss,
    /// [`Fault::Duplicate`].
    Duplicate,
    /// [`Fault::Reorder`].
    Reorder,
    /// [`Fault::Corrupt`].
    Corrupt,
    /// [`Fault::Kill`].
    Kill,
    /// [`Fault::PowerLoss`].
    PowerLoss,
    /// [`Fault::Pause`].
    Pause,
    /// [`Fault::Clock`].
    Clock,
    /// [`Fault::Disk`] with [`Disk::Full`].
    DiskFull,
    /// [`Fault::Disk`] with [`Disk::IoError`].
    IoError,
    /// [`Fault::Disk`] with [`Disk::FlippedBit`].
    FlippedBit,
    /// [`Fault::Disk`] with [`Disk::CutTail`].
    CutTail,
    /// [`Fault::Byzantine`].
    Byzantine,
    /// [`Fault::Reconfigure`].
    Reconfigure,
    /// [`Fault::ByzantineClients`].
    ByzantineClients,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_messages_is_aimed_wider_each_time_and_no_further_than_there_is() {
        let ends = |nodes: &[u16]| nodes.iter().copied().map(Endpoint::Node).collect();
        let mut reorder = Fault::Reorder { ends: ends(&[1]), per_mille: 107, within_ms: 8 };
        reorder.aim_elsewhere(3);
        let wider = Fault::Reorder { ends: ends(&[0, 1, 2]), per_mille: 214, within_ms: 16 };
        assert_eq!(reorder, wider);
        for _ in 0..20 {
            reorder.aim_elsewhere(3);
        }
        let widest = Fault::Reorder { ends: ends(&[0, 1, 2]), per_mille: 1_000, within_ms: 1_000 };
        assert_eq!(reorder, widest);
        let mut disk = Fault::Disk { node: 2, disk: Disk::Full };
        disk.aim_elsewhere(3);
        assert_eq!(disk, Fault::Disk { node: 0, disk: Disk::Full });
    }

    #[test]
    fn a_fault_that_ends_processes_is_aimed_at_the_same_nodes_again() {
        let nodes = || [0, 2].into();
        let kill = Fault::Kill { nodes: nodes(), after_effects: Some(2) };
        let power_loss = Fault::PowerLoss { nodes: nodes(), after_effects: None };
        for fault in [kill, power_loss] {
            let mut again = fault.clone();
            again.aim_elsewhere(3);
            assert_eq!(again, fault);
        }
    }
}

//! Options, and the checks that refuse what cannot work.

use alloc::format;
use alloc::string::String;

use super::view::Members;
use super::vocabulary::VOCABULARY;
use crate::contract::{ConfigError, Micros, NodeId, Options};
use crate::mutant::{Mutant, Mutants};
use crate::options::{number, refuse_unknown};
use crate::parties::NodeSet;
use crate::smr::{Lease, PPM};

/// Checked options of a cluster of VR replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many nodes there are, replicas or not.
    pub nodes: u16,
    /// The replicas of the first epoch.
    pub members: Members,
    /// What survives a crash.
    pub persistence: Persistence,
    /// Who answers a client, and when.
    pub replies: Replies,
    /// The lease by which a primary answers reads; without one, reads go through the log.
    pub lease: Option<Lease>,
    /// Whether all replicas but f + 1 only store, and only where one of those is away.
    pub has_witnesses: bool,
    /// So many op-numbers may be prepared at once and not yet committed.
    pub window: u64,
    /// So many op-numbers are executed from one checkpoint to the next.
    pub checkpoint_every: u64,
    /// The planted bug, if any.
    pub mutants: Mutants,
}

/// What survives a crash (PROTOCOLS A3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Everything that others are told of.
    Durable,
    /// The view, and nothing else: a recovering replica takes part in none that is lower.
    DurableView,
    /// Nothing, and everybody knows which life of whom is the last.
    CrashVector,
    /// Nothing (`VRR §4.3`): known to be unsafe.
    Paper,
}

impl Persistence {
    /// Whether a replica that starts again must recover from the others.
    pub const fn is_diskless(self) -> bool {
        match self {
            Self::Durable => false,
            Self::DurableView | Self::CrashVector | Self::Paper => true,
        }
    }
}

/// Who answers a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replies {
    /// The primary, once the request is committed.
    Commit,
    /// Every replica, once it has prepared the request; the client waits for f + 1 equal answers.
    Prepare,
}

impl Config {
    /// Every node, replica or not.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes).map(NodeId)
    }

    /// Those of some replicas that execute, and lead.
    pub(super) fn executors(&self, members: Members) -> Members {
        if self.has_witnesses { members.actives() } else { members }
    }

    /// What a recovering replica is protected by from what it vowed in an earlier life.
    pub(super) fn guard(&self) -> Guard {
        if self.mutants.deviates(Mutant::V07) {
            return Guard::None;
        }
        match self.persistence {
            Persistence::Durable => Guard::Log,
            Persistence::DurableView => Guard::View,
            Persistence::CrashVector => Guard::Crashes,
            Persistence::Paper => Guard::None,
        }
    }
}

/// See [`Config::guard`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// Nothing.
    None,
    /// Its view is on disk.
    View,
    /// Nobody counts what an earlier life said.
    Crashes,
    /// Everything is on disk.
    Log,
}

/// More nodes would be no better, and a set of them has a bound.
const NODES_MAX: u16 = 16;
/// A log travels in one message with every entry that is not committed.
const WINDOW_MAX: u64 = 1_024;
/// A log travels in one message with every entry since the last checkpoint.
const CHECKPOINT_EVERY_MAX: u64 = 4_096;
/// A minute without a primary after each restart is as much as anybody can want.
const LEASE_MS_MAX: u64 = 60_000;

const WINDOW: u64 = 16;
const CHECKPOINT_EVERY: u64 = 256;
const LEASE_MS: u64 = 300;
const DRIFT_PPM: u64 = 10_000;
/// Fewer replicas cannot help one that has forgotten everything.
const DISKLESS_MIN: u32 = 3;

/// Reads and checks options for a cluster of `nodes`.
pub(super) fn configure(
    nodes: u16,
    options: &Options,
    mutants: Mutants,
) -> Result<Config, ConfigError> {
    refuse_unknown(&VOCABULARY, options)?;
    if nodes == 0 || nodes > NODES_MAX {
        return Err(ConfigError::Impossible(format!(
            "{nodes} nodes: VR runs on 1 to {NODES_MAX} nodes"
        )));
    }
    let persistence = word(
        options,
        "persistence",
        &[
            ("durable", Persistence::Durable),
            ("durable-view", Persistence::DurableView),
            ("crash-vector", Persistence::CrashVector),
            ("paper", Persistence::Paper),
        ],
    )?;
    let replies = [("commit", Replies::Commit), ("prepare", Replies::Prepare)];
    let window = number(options, "window", (1, WINDOW_MAX))?;
    let every = number(options, "checkpoint_every", (1, CHECKPOINT_EVERY_MAX))?;
    let config = Config {
        nodes,
        members: members(nodes, options)?,
        persistence,
        replies: word(options, "replies", &replies)?,
        lease: lease(options)?,
        has_witnesses: word(options, "witnesses", &[("no", false), ("yes", true)])?,
        window: window.unwrap_or(WINDOW),
        checkpoint_every: every.unwrap_or(CHECKPOINT_EVERY),
        mutants,
    };
    check(config)
}

/// Refuses options that are fine by themselves and cannot work together.
pub(super) fn check(config: Config) -> Result<Config, ConfigError> {
    let refuse = |why: &str| Err(ConfigError::Impossible(why.into()));
    let is_diskless = config.persistence.is_diskless();
    if is_diskless && config.members.count() < DISKLESS_MIN {
        return refuse(
            "a replica that keeps nothing on disk recovers from f + 1 others: `persistence` other than durable \
             needs 3 replicas or more",
        );
    }
    if config.has_witnesses && is_diskless {
        return refuse(
            "a witness is evidence for what it stores and nothing else: `witnesses=yes` needs \
             `persistence=durable`",
        );
    }
    if config.has_witnesses && config.members.failures() == 0 {
        return refuse("`witnesses=yes` needs 3 replicas or more: with fewer all must execute");
    }
    Ok(config)
}

fn lease(options: &Options) -> Result<Option<Lease>, ConfigError> {
    let length_ms = number(options, "lease_ms", (1, LEASE_MS_MAX))?;
    let drift_ppm = number(options, "drift_ppm", (0, PPM - 1))?;
    if !word(options, "reads", &[("log", false), ("lease", true)])? {
        return match length_ms.or(drift_ppm) {
            Some(_) => Err(ConfigError::Impossible(
                "options `lease_ms` and `drift_ppm` are for reads=lease".into(),
            )),
            None => Ok(None),
        };
    }
    Ok(Some(Lease {
        length: Micros::from_millis(length_ms.unwrap_or(LEASE_MS)),
        drift_ppm: drift_ppm.unwrap_or(DRIFT_PPM),
    }))
}

/// The replicas that are named, or all nodes.
pub(super) fn members(nodes: u16, options: &Options) -> Result<Members, ConfigError> {
    let Some(names) = options.get("members") else {
        return Ok(Members::try_from(NodeSet::all(nodes)).expect("a cluster has nodes"));
    };
    let bad = || ConfigError::BadValue {
        name: "members",
        value: names.clone(),
        expected: format!("names of nodes with commas between them, n0 to n{}", nodes - 1),
    };
    let mut set = NodeSet::EMPTY;
    for name in names.split(',') {
        let known = (0..nodes).map(NodeId).find(|node| format!("{node}") == name.trim());
        if !set.insert(known.ok_or_else(bad)?) {
            return Err(bad());
        }
    }
    Members::try_from(set).map_err(|_| bad())
}

/// One of some words; the first where the option is not given.
fn word<T: Copy>(
    options: &Options,
    name: &'static str,
    words: &[(&'static str, T)],
) -> Result<T, ConfigError> {
    let given = options.get(name).map(String::as_str);
    let found = match given {
        None => words.first(),
        Some(given) => words.iter().find(|(word, _)| *word == given),
    };
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known: alloc::vec::Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        ConfigError::BadValue {
            name,
            value: given.unwrap_or_default().into(),
            expected: format!("one of {}", known.join(", ")),
        }
    })
}

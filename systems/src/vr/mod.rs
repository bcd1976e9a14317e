//! State machine replication by Viewstamped Replication (Oki and Liskov 1988; Liskov and Cowling 2012, "VR
//! Revisited", cited here as VRR).
//!
//! Views are numbered, and led by the replicas in turn. In the normal case of a view a calm request takes four delays
//! and 2n messages:
//!
//! ```text
//!   client ── REQUEST ──► primary ── PREPARE ──► backups ── PREPAREOK ──► primary ── REPLY ──► client
//! ```
//!
//! The parts: `view` and `entry` are what the protocol speaks of; `normal`, `primary`, `view_change`, `transfer`,
//! `recovery` and `epochs` are what a [`VrReplica`] does, in the order of the paper's sections; `adoption` is how a log
//! becomes its own in all but the first. Log, machine and leases are those of [`crate::smr`].

mod adoption;
mod client;
mod crashes;
mod describe;
mod entry;
mod epochs;
mod execution;
mod message;
mod normal;
mod options;
mod primary;
mod reads;
mod recovery;
mod replica;
mod shape;
mod transfer;
mod view;
mod view_change;
mod vocabulary;

pub use client::VrClient;
pub use crashes::CrashVector;
pub use entry::{Entry, Logged, Reconfiguration, Suffix};
pub use message::{Message, Observation, Record, State, Status};
pub use options::{Config, Persistence, Replies};
pub use replica::VrReplica;
pub use view::{Members, View};

use alloc::vec::Vec;

use crate::SystemKind;
use crate::contract::{ConfigError, Dice, Lie, NodeId, Options, System, Telling};
use crate::lies::twisted;
use crate::mutant::Mutants;
use crate::vocabulary::Vocabulary;

/// The system of VR replicas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vr;

impl System for Vr {
    const KIND: SystemKind = SystemKind::Vr;
    type Config = Config;
    type Message = Message;
    type Record = Record;
    type Observation = Observation;
    type Replica = VrReplica;
    type Client = VrClient;

    fn vocabulary() -> &'static Vocabulary {
        &vocabulary::VOCABULARY
    }

    fn configure(nodes: u16, options: &Options, mutants: Mutants) -> Result<Config, ConfigError> {
        options::configure(nodes, options, mutants)
    }

    fn functions(_config: &Config) -> &'static [&'static str] {
        &["read", "write", "cas", "append", "delete", "add", "txn"]
    }

    fn signs(_config: &Config) -> bool {
        false
    }

    fn is_live(config: &Config, nodes: &[NodeId]) -> bool {
        config.members.is_quorum(nodes.iter().copied().collect())
            // Somebody must lead.
            && config.executors(config.members).iter().any(|node| nodes.contains(&node))
    }

    fn answers_all(_config: &Config) -> bool {
        false
    }

    fn liars_tolerated(_config: &Config) -> u16 {
        0
    }

    fn forgetting_tolerated(config: &Config) -> Option<u16> {
        let failures = u16::try_from(config.members.failures()).unwrap_or(u16::MAX);
        config.persistence.is_diskless().then_some(failures)
    }

    fn drift_tolerated(config: &Config) -> Option<u32> {
        let lease = config.lease?;
        Some(u32::try_from(lease.drift_ppm).unwrap_or(u32::MAX))
    }

    fn draw_cluster(dice: &mut Dice<'_>) -> (u16, Options) {
        shape::draw_cluster(dice)
    }

    fn change(config: &Config, options: &Options) -> Result<Config, ConfigError> {
        shape::change(config, options)
    }

    fn draw_change(config: &Config, dice: &mut Dice<'_>) -> Option<Options> {
        shape::draw_change(config, dice)
    }

    fn lie(behaviour: Lie, telling: &Telling<'_, Self>) -> Vec<Message> {
        twisted(behaviour, telling, shape::twist)
    }
}

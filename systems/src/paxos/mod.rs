//! State machine replication by Multi-Paxos.
//!
//! Every node is proposer, acceptor, learner and replica. One of them leads: it has run phase 1 for its
//! ballot once, for all slots, and runs phase 2 for each slot. A calm request takes four delays and 2n
//! messages:
//!
//! ```text
//!   client ── REQUEST ──► leader ── P2A ──► acceptors ── P2B ──► leader ── REPLY ──► client
//! ```
//!
//! The parts: `ballot` and `entry` are what the protocol speaks of; `acceptor`, `candidate`, `leader` and `learner`
//! are the roles, each a part of the one [`PaxosReplica`]. Log, machine and leases are those of [`crate::smr`].

mod acceptor;
mod ballot;
mod candidate;
mod client;
mod describe;
mod entry;
mod leader;
mod learner;
mod message;
mod options;
mod reads;
mod relay;
mod replica;
mod shape;
mod tally;
mod vocabulary;

pub use ballot::Ballot;
pub use client::PaxosClient;
pub use entry::Entry;
pub use message::{Message, Observation, Promise, Record, Report};
pub use options::{Config, Reads};
pub use replica::PaxosReplica;

use alloc::vec::Vec;

use crate::SystemKind;
use crate::contract::{ConfigError, Dice, Lie, NodeId, Options, System, Telling};
use crate::lies::twisted;
use crate::mutant::Mutants;
use crate::vocabulary::Vocabulary;

/// The system of Multi-Paxos replicas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paxos;

impl System for Paxos {
    const KIND: SystemKind = SystemKind::Paxos;
    type Config = Config;
    type Message = Message;
    type Record = Record;
    type Observation = Observation;
    type Replica = PaxosReplica;
    type Client = PaxosClient;

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
        let members = config.nodes().filter(|node| nodes.contains(node)).count();
        u32::try_from(members).is_ok_and(|members| members >= config.majority())
    }

    fn answers_all(_config: &Config) -> bool {
        false
    }

    fn liars_tolerated(_config: &Config) -> u16 {
        0
    }

    fn drift_tolerated(config: &Config) -> Option<u32> {
        let lease = config.lease()?;
        Some(u32::try_from(lease.drift_ppm).unwrap_or(u32::MAX))
    }

    fn forgetting_tolerated(_config: &Config) -> Option<u16> {
        None
    }

    fn draw_cluster(dice: &mut Dice<'_>) -> (u16, Options) {
        shape::draw_cluster(dice)
    }

    fn change(_config: &Config, _options: &Options) -> Result<Config, ConfigError> {
        Err(ConfigError::Impossible(
            "Multi-Paxos keeps its members and options while it runs".into(),
        ))
    }

    fn draw_change(_config: &Config, _dice: &mut Dice<'_>) -> Option<Options> {
        None
    }

    fn lie(behaviour: Lie, telling: &Telling<'_, Self>) -> Vec<Message> {
        twisted(behaviour, telling, shape::twist)
    }
}

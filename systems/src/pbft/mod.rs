//! State machine replication by Practical Byzantine Fault Tolerance (Castro and Liskov, OSDI 1999 and TOCS 2002).
//!
//! Up to f of n ≥ 3f + 1 replicas may lie. Views are numbered, and led by the replicas in turn. In the normal case of a view
//! a calm request takes five delays and 2n² - n + 1 messages:
//!
//! ```text
//!   client ── REQUEST ──► primary ── PRE-PREPARE ──► backups ── PREPARE ──► all ── COMMIT ──► all ── REPLY ──► client
//! ```
//!
//! The parts: `view`, `digest` and `proof` are what the protocol speaks of; `authentication` and `certificates` say what is
//! to be believed; `log` is what is held for each sequence number; `requests`, `primary`, `normal`, `execution`, `reads`,
//! `checkpoints` and `view_change` are what a [`PbftReplica`] does, in the order of the paper's sections; `catch_up` and
//! `transfer` are how it gets what it has missed.

mod authentication;
mod catch_up;
mod certificates;
mod checkpoints;
mod client;
mod describe;
mod digest;
mod execution;
mod lies;
mod log;
mod message;
mod normal;
mod options;
mod primary;
mod proof;
mod reads;
mod replica;
mod requests;
mod transfer;
mod view;
mod view_change;
mod vocabulary;

pub use authentication::{Keys, Said};
pub use certificates::{
    Decision, decide, is_new_view_valid, is_stable, is_view_change_valid, view_changes_needed,
};
pub use client::PbftClient;
pub use digest::Digest;
pub use message::{
    Batch, Body, Certificate, How, Message, NewView, Observation, PrePrepared, Prepared, Proposal,
    Record, SignedRequest, SignedViewChange, ViewChange, Vote,
};
pub use options::{Authentication, Config, Execution, Reads};
pub use proof::{Authenticator, Proof};
pub use replica::PbftReplica;
pub use view::View;

use alloc::vec::Vec;

use crate::SystemKind;
use crate::contract::{ConfigError, Dice, Lie, Micros, NodeId, Options, System, Telling};
use crate::mutant::Mutants;
use crate::vocabulary::Vocabulary;

/// The system of PBFT replicas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pbft;

impl System for Pbft {
    const KIND: SystemKind = SystemKind::Pbft;
    type Config = Config;
    type Message = Message;
    type Record = Record;
    type Observation = Observation;
    type Replica = PbftReplica;
    type Client = PbftClient;

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
        true
    }

    fn is_live(config: &Config, nodes: &[NodeId]) -> bool {
        let replicas = config.nodes().filter(|node| nodes.contains(node)).count();
        u32::try_from(replicas).is_ok_and(|replicas| replicas >= config.quorum())
    }

    fn answers_all(_config: &Config) -> bool {
        false
    }

    fn liars_tolerated(config: &Config) -> u16 {
        config.liars_tolerated()
    }

    fn drift_tolerated(_config: &Config) -> Option<u32> {
        None
    }

    fn forgetting_tolerated(_config: &Config) -> Option<u16> {
        None
    }

    fn draw_cluster(dice: &mut Dice<'_>) -> (u16, Options) {
        options::draw_cluster(dice)
    }

    fn change(_config: &Config, _options: &Options) -> Result<Config, ConfigError> {
        Err(ConfigError::Impossible(options::FIXED.into()))
    }

    fn draw_change(_config: &Config, _dice: &mut Dice<'_>) -> Option<Options> {
        None
    }

    fn lies(_config: &Config) -> &'static [Lie] {
        lies::OF_REPLICAS
    }

    fn client_lies(_config: &Config) -> &'static [Lie] {
        lies::OF_CLIENTS
    }

    fn slowness(config: &Config) -> Micros {
        lies::slowness(config)
    }

    fn lie(behaviour: Lie, telling: &Telling<'_, Self>) -> Vec<Message> {
        lies::lie(behaviour, telling)
    }
}

//! Replicated registers over quorums.

mod access;
mod byzantine;
mod change;
mod client;
mod configuration;
mod construction;
mod coordinator;
mod describe;
mod draw;
mod initiator;
mod intersection;
mod member;
mod message;
mod options;
mod replica;
mod replies;
mod server;
mod service;
mod shape;
mod stamp;
mod vocabulary;

pub use access::Access;
pub use client::QuorumClient;
pub use configuration::{Configuration, Epoch, Stage};
pub use construction::{Construction, Form, GridForm, Purpose, Quorums};
pub use message::{Message, Observation, OpId, Phase, Record, RequestId, WriteId};
pub use options::{Config, Contact, Protocol, Seat};
pub use replica::QuorumReplica;
pub use stamp::{Pair, Proof, Timestamp};

pub use crate::parties::{NodeSet, Party};

use alloc::vec::Vec;

use crate::SystemKind;
use crate::contract::{ConfigError, Dice, Lie, NodeId, Options, System, Telling};
use crate::lies::twisted;
use crate::mutant::Mutants;
use crate::vocabulary::Vocabulary;

/// The system of replicated registers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quorum;

impl System for Quorum {
    const KIND: SystemKind = SystemKind::Quorum;
    type Config = Config;
    type Message = Message;
    type Record = Record;
    type Observation = Observation;
    type Replica = QuorumReplica;
    type Client = QuorumClient;

    fn vocabulary() -> &'static Vocabulary {
        &vocabulary::VOCABULARY
    }

    fn configure(nodes: u16, options: &Options, mutants: Mutants) -> Result<Config, ConfigError> {
        options::configure(nodes, options, mutants)
    }

    fn functions(_config: &Config) -> &'static [&'static str] {
        Access::FUNCTIONS
    }

    fn signs(config: &Config) -> bool {
        matches!(config.quorums.construction(), Construction::Dissemination { .. })
    }

    fn is_live(config: &Config, nodes: &[NodeId]) -> bool {
        let set: NodeSet = nodes.iter().copied().collect();
        // Any node may have begun a lock write, and who has voted for it waits until that node is back: two-phase
        // commit blocks by its nature.
        if config.protocol == Protocol::Lock && !set.includes(NodeSet::all(config.nodes)) {
            return false;
        }
        [Purpose::Read, Purpose::Write, Purpose::Timestamp]
            .into_iter()
            .all(|purpose| config.quorums.suffices(purpose, set))
    }

    fn answers_all(_config: &Config) -> bool {
        true
    }

    fn liars_tolerated(config: &Config) -> u16 {
        config.quorums.liars()
    }

    fn drift_tolerated(_config: &Config) -> Option<u32> {
        None
    }

    fn forgetting_tolerated(_config: &Config) -> Option<u16> {
        None
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
        twisted(behaviour, telling, byzantine::twist)
    }
}

//! Replicated registers over quorums.

mod byzantine;
mod client;
mod construction;
mod coordinator;
mod draw;
mod initiator;
mod intersection;
mod member;
mod message;
mod nodes;
mod options;
mod replica;
mod server;
mod service;
mod stamp;
mod vocabulary;

use alloc::collections::BTreeMap;
use alloc::string::String;

pub use client::QuorumClient;
pub use construction::{Construction, GridForm, Purpose, Quorums};
pub use message::{Message, Observation, OpId, Phase, Record, RequestId, WriteId};
pub use nodes::NodeSet;
pub use options::{Config, Contact, Protocol, Seat};
pub use replica::QuorumReplica;
pub use stamp::{Pair, Party, Proof, Timestamp};

use crate::SystemKind;
use crate::contract::{ConfigError, Lie, System};
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

    fn configure(
        nodes: u16,
        options: &BTreeMap<String, String>,
        mutants: Mutants,
    ) -> Result<Config, ConfigError> {
        options::configure(nodes, options, mutants)
    }

    fn model(_config: &Config) -> &'static str {
        "register"
    }

    fn liars_tolerated(config: &Config) -> u16 {
        config.quorums.liars()
    }

    fn lie(_config: &Config, behaviour: Lie, message: &Message, draw: u64) -> Option<Message> {
        byzantine::lie(behaviour, message, draw)
    }
}

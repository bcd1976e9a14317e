//! Single-decree Paxos (Lamport 1998, 2001): consensus on one value, once for each key.

mod acceptor;
mod ballot;
mod client;
mod describe;
mod desk;
mod learner;
mod lies;
mod message;
mod options;
mod port;
mod proposer;
mod replica;
mod shape;
mod tally;
mod vocabulary;

pub use ballot::Ballot;
pub use client::PaxosSingleClient;
pub use message::{Accepted, Message, Observation, Record, RequestId};
pub use options::{Config, Line, Lines, Rules, Seat};
pub use replica::PaxosSingleReplica;

use alloc::vec::Vec;

use crate::SystemKind;
use crate::contract::{ConfigError, Dice, Lie, NodeId, Options, System, Telling};
use crate::lies::twisted;
use crate::mutant::Mutants;
use crate::vocabulary::Vocabulary;

/// The system of write-once registers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaxosSingle;

impl System for PaxosSingle {
    const KIND: SystemKind = SystemKind::PaxosSingle;
    type Config = Config;
    type Message = Message;
    type Record = Record;
    type Observation = Observation;
    type Replica = PaxosSingleReplica;
    type Client = PaxosSingleClient;

    fn vocabulary() -> &'static Vocabulary {
        &vocabulary::VOCABULARY
    }

    fn configure(nodes: u16, options: &Options, mutants: Mutants) -> Result<Config, ConfigError> {
        options::configure(nodes, options, mutants)
    }

    fn functions(_config: &Config) -> &'static [&'static str] {
        &["read", "propose"]
    }

    fn signs(_config: &Config) -> bool {
        false
    }

    fn is_live(config: &Config, nodes: &[NodeId]) -> bool {
        config.is_majority(nodes.iter().copied().collect())
    }

    fn answers_all(_config: &Config) -> bool {
        true
    }

    fn liars_tolerated(_config: &Config) -> u16 {
        0
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

    fn change(_config: &Config, _options: &Options) -> Result<Config, ConfigError> {
        Err(ConfigError::Impossible(
            "who accepts and who learns cannot change while the system runs".into(),
        ))
    }

    fn draw_change(_config: &Config, _dice: &mut Dice<'_>) -> Option<Options> {
        None
    }

    fn lie(behaviour: Lie, telling: &Telling<'_, Self>) -> Vec<Message> {
        twisted(behaviour, telling, lies::twist)
    }
}

//! State machine replication after "Paxos for System Builders" (Kirsch and Amir, CNDS-2008-2).
//!
//! Every server accepts updates of clients, and is responsible for those that it has accepted: it has them
//! ordered by the leader of its view, and replies. View v is led by server v mod N. Accepts go to all, so
//! that every server knows by itself what is ordered. A calm update at a non-leader takes five delays and
//! n² - n + 3 messages; at the leader it takes one delay and one message less:
//!
//! ```text
//!   client ── Client_Update ──► server ── Client_Update ──► leader ── Proposal ──► all ── Accept ──► all
//!      ◄───────── Reply ───────── server
//! ```
//!
//! What the paper leaves open is filled: replies are kept in the replicated table of clients, so that another
//! server can give them; history is cut by snapshots; who is behind is told by `VC_Proof`s, which say how far
//! their senders have executed, and asks; what is not answered is sent again; the progress timer runs only
//! while there is something to do.
//!
//! The parts: `view` and `tally` are what the protocol counts; `election` finds a view, `prepare` installs
//! it, `leader` proposes in it, `ordering` accepts and orders; `updates` is what a server is responsible
//! for; `learner` executes and catches up. All are parts of the one [`PsbReplica`], which replicates the
//! machine of Multi-Paxos by its log.

mod client;
mod describe;
mod election;
mod leader;
mod learner;
mod message;
mod options;
mod ordering;
mod prepare;
mod replica;
mod shape;
mod tally;
mod updates;
mod view;
mod vocabulary;

pub use client::PsbClient;
pub use message::{DataList, Message, Observation, Record, Report};
pub use options::Config;
pub use replica::PsbReplica;
pub use view::View;

use alloc::vec::Vec;

use crate::SystemKind;
use crate::contract::{ConfigError, Dice, Lie, NodeId, Options, System, Telling};
use crate::lies::twisted;
use crate::mutant::Mutants;
use crate::vocabulary::Vocabulary;

/// The system of servers after "Paxos for System Builders".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Psb;

impl System for Psb {
    const KIND: SystemKind = SystemKind::Psb;
    type Config = Config;
    type Message = Message;
    type Record = Record;
    type Observation = Observation;
    type Replica = PsbReplica;
    type Client = PsbClient;

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
            "Paxos for System Builders keeps its members and options while it runs".into(),
        ))
    }

    fn draw_change(_config: &Config, _dice: &mut Dice<'_>) -> Option<Options> {
        None
    }

    fn lie(behaviour: Lie, telling: &Telling<'_, Self>) -> Vec<Message> {
        twisted(behaviour, telling, shape::twist)
    }
}

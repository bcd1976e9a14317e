//! What must hold at every moment of a run, whatever its clients see: invariants over what cores tell of
//! themselves and what the world sees them do.
//!
//! The simulator hands over everything as it happens; a live run's nodes write it beside their logs, and it is
//! handed over afterwards in the order of its times. The code that judges is the same.

mod executed;
mod paxos;
mod paxos_single;
mod pbft;
mod psb;
mod quorum;
mod replicated_log;
#[cfg(test)]
mod testing;
mod vr;

use std::fmt;

use quorate_systems::contract::{ClientId, Incarnation, NodeId, System, Ticket};
use quorate_systems::parties::Party;
use serde::{Deserialize, Serialize};

pub use paxos::PaxosInvariants;
pub use paxos_single::PaxosSingleInvariants;
pub use pbft::PbftInvariants;
pub use psb::PsbInvariants;
pub use quorum::QuorumInvariants;
pub use vr::VrInvariants;

/// A system whose runs are watched.
pub trait Watched: System {
    /// What judges its observations.
    type Invariants: Invariants<Self>;
}

/// The invariants of one system, with what they must remember of one run. What they remember has a bound that
/// does not depend on how long the run is: what is forgotten may hide a violation, never make one up.
pub trait Invariants<S: System>: Send {
    /// Each invariant by its name in PROTOCOLS (`"Q-I1"`), with what it demands.
    const NAMES: &'static [(&'static str, &'static str)];

    /// Nothing has happened yet.
    fn new(config: &S::Config) -> Self;

    /// As new, with the memory that it has.
    fn reset(&mut self, config: &S::Config);

    /// The world promises, before anything happens, that in this run nothing goes wrong but what clients say. Nobody can
    /// promise that of a live run.
    fn promise(&mut self, _prompt: Prompt) {}

    /// Takes the next thing that happened, and adds what it breaks.
    fn see(&mut self, seen: &Seen<'_, S>, broken: &mut Vec<Broken>);

    /// How far the system has come, as a number that stands for few and telling cases: how far apart its nodes
    /// are, not where they are. A search that keeps what comes to a new one asks for it after every event, and
    /// nobody else does. The same for all where a system has no word for it.
    fn progress(&self) -> u64 {
        0
    }
}

/// A run in which nodes and links do what they should: every node is up and tells the truth, clocks are right, and no
/// message is lost. Clients may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// How many clients there are.
    pub clients: u32,
    /// No client gives up an operation earlier, in microseconds.
    pub operation_us: u64,
    /// No message takes longer, in microseconds.
    pub message_us: u64,
    /// No sync takes longer, in microseconds.
    pub sync_us: u64,
}

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Who {
    /// A replica.
    Node(NodeId),
    /// A client.
    Client(ClientId),
}

impl From<Who> for Party {
    fn from(who: Who) -> Self {
        match who {
            Who::Node(node) => Self::Node(node),
            Who::Client(client) => Self::Client(client),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "{node}"),
            Self::Client(client) => write!(f, "{client}"),
        }
    }
}

/// Something that happened, as the world saw it. For each node in the order in which it happened there, and
/// causes before their effects. Nothing is left out: a record that was durable and that nobody was told of
/// would be held against its node.
#[derive(Clone, Debug)]
pub enum Seen<'a, S: System> {
    /// A node comes up. What its disk holds follows, each record as [`Seen::Found`], then what it does.
    Started {
        /// Which.
        node: NodeId,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// A record was on a node's disk when it started.
    Found {
        /// Whose.
        node: NodeId,
        /// What.
        record: &'a S::Record,
    },
    /// A node asked for a record to be made durable.
    Persisted {
        /// Which.
        node: NodeId,
        /// Its name.
        ticket: Ticket,
        /// What.
        record: &'a S::Record,
    },
    /// All that the node asked for up to this ticket is durable.
    Durable {
        /// Which.
        node: NodeId,
        /// The highest ticket.
        ticket: Ticket,
    },
    /// A message left its sender.
    Sent {
        /// The sender.
        from: Who,
        /// The receiver.
        to: Who,
        /// What.
        message: &'a S::Message,
    },
    /// A core told of a transition.
    Observed {
        /// Whose.
        by: Who,
        /// What.
        observation: &'a S::Observation,
    },
    /// From here on a node, or a client, is not to be judged: it lies. What it sends is seen as it leaves.
    Lies {
        /// Who.
        who: Who,
    },
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its name.
    pub invariant: &'static str,
    /// Whose doing it is, as far as that can be said.
    pub by: Vec<Who>,
    /// What was seen, in one sentence without a full stop.
    pub what: String,
}

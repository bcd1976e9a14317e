//! The invariants of a log that is replicated by ballots, over what its nodes do, whatever they call it. An
//! adapter for each system says so in these words: a ballot is a ballot of Multi-Paxos, or a view.
//!
//! ```text
//! started, found, persisted, durable ──► disks      what each node holds durably, of each slot and of all
//!                                          ▲
//! promise sent, acceptance sent ─ P-I1, 2, 10
//! decided, learned ──────────── P-I6, 7, 11 ──► decisions
//! begun, elected, proposed ────── P-I3, 4, 5 ──► ballots
//! executed, snapshot ──────────────── P-I8, 9 ──► executions
//! read by lease ──────────────────────── P-I12 ──► leaders
//! ```
//!
//! Bounded are the slots, the ballots and what is reported in each, the entries of each slot, the requests of
//! each client and in all. What is forgotten counts as right.

mod attempts;
mod ballots;
mod decisions;
mod disks;
mod executions;
mod leaders;
mod nodes;
mod places;
mod progress;
mod submitted;

use std::fmt;

use quorate_systems::contract::{ClientId, Incarnation, NodeId, System};
use quorate_systems::parties::NodeSet;
use quorate_systems::paxos::{Ballot, Entry};

use self::attempts::Attempts;
use self::leaders::Leaders;
use self::nodes::{Node, Standing};
use self::places::Places;
use self::submitted::Submitted;
use super::executed::Effects;
use super::{Broken, Seen, Who};

pub(super) use self::attempts::Reported;
pub(super) use self::nodes::Deed;

pub(super) const P_I1: &str = "P-I1";
pub(super) const P_I2: &str = "P-I2";
pub(super) const P_I3: &str = "P-I3";
pub(super) const P_I4: &str = "P-I4";
pub(super) const P_I5: &str = "P-I5";
pub(super) const P_I6: &str = "P-I6";
pub(super) const P_I7: &str = "P-I7";
pub(super) const P_I8: &str = "P-I8";
pub(super) const P_I9: &str = "P-I9";
pub(super) const P_I10: &str = "P-I10";
pub(super) const P_I11: &str = "P-I11";
pub(super) const P_I12: &str = "P-I12";

/// A system whose nodes replicate a log: what they do, in the words of this one.
pub(super) trait Replicates: System {
    /// The digest of the entry that a client's message asks for, if it does.
    fn submitted(client: ClientId, message: &Self::Message) -> Option<u64>;

    /// What a record says of the log; nothing where it is about something else.
    fn deed(log: &ReplicatedLog, record: &Self::Record) -> Option<Deed>;

    /// What a node says of the log by a message that it sends.
    fn sent(log: &mut ReplicatedLog, by: NodeId, message: &Self::Message, broken: &mut Vec<Broken>);

    /// What a node says of the log by an observation.
    fn observed(
        log: &mut ReplicatedLog,
        by: NodeId,
        observation: &Self::Observation,
        broken: &mut Vec<Broken>,
    );
}

/// What is remembered of a run.
#[derive(Debug)]
pub(super) struct ReplicatedLog {
    nodes: Vec<Node>,
    /// So many nodes are more than half.
    majority: u32,
    /// The digest of NOOP.
    noop: u64,
    /// Whether a node has lied, or more has to be remembered than there is room for: then nothing is judged.
    is_blind: bool,
    places: Places,
    attempts: Attempts,
    submitted: Submitted,
    effects: Effects,
    leaders: Leaders,
}

impl ReplicatedLog {
    /// Nothing has happened yet, at so many nodes.
    pub(super) fn new(nodes: u16) -> Self {
        Self {
            nodes: (0..nodes).map(|_| Node::new()).collect(),
            majority: u32::from(nodes / 2 + 1),
            noop: Entry::Noop.digest(),
            is_blind: false,
            places: Places::new(nodes),
            attempts: Attempts::new(),
            submitted: Submitted::new(),
            effects: Effects::new(),
            leaders: Leaders::default(),
        }
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self, nodes: u16) {
        self.nodes.resize_with(usize::from(nodes), Node::new);
        self.nodes.iter_mut().for_each(Node::reset);
        self.majority = u32::from(nodes / 2 + 1);
        self.is_blind = false;
        self.places.reset(nodes);
        self.attempts.reset();
        self.submitted.reset();
        self.effects.reset();
        self.leaders = Leaders::default();
    }

    /// Takes the next thing that happened.
    #[inline]
    pub(super) fn see<S: Replicates>(&mut self, seen: &Seen<'_, S>, broken: &mut Vec<Broken>) {
        match *seen {
            Seen::Started { node, incarnation } => self.started(node, incarnation),
            Seen::Found { node, record } => {
                if let Some(deed) = S::deed(self, record) {
                    self.found(node, deed);
                }
            }
            Seen::Persisted { node, ticket, record } => {
                if let Some(node) = self.judged(Who::Node(node), broken)
                    && let Some(deed) = S::deed(self, record)
                {
                    self.persisted(node, ticket, deed, broken);
                }
            }
            Seen::Durable { node, ticket } => {
                if let Some(node) = self.judged(Who::Node(node), broken) {
                    self.durable(node, ticket, broken);
                }
            }
            Seen::Sent { from: Who::Client(client), to: _, message } => {
                if let Some(entry) = S::submitted(client, message) {
                    self.submitted.insert(entry);
                }
            }
            Seen::Sent { from, to: _, message } => {
                if let Some(node) = self.judged(from, broken) {
                    S::sent(self, node, message, broken);
                }
            }
            Seen::Observed { by, observation } => {
                if let Some(node) = self.judged(by, broken) {
                    S::observed(self, node, observation, broken);
                }
            }
            // From here on nothing is promised.
            Seen::Lies { who: _ } => self.is_blind = true,
        }
    }

    /// How many nodes there are.
    pub(super) fn nodes(&self) -> u16 {
        u16::try_from(self.nodes.len()).expect("as many as it was told")
    }

    /// The node that did something, if what it does is to be judged. Its first deed in a life ends its recovery.
    #[inline]
    fn judged(&mut self, who: Who, broken: &mut Vec<Broken>) -> Option<NodeId> {
        let Who::Node(by) = who else { return None };
        if self.is_blind {
            return None;
        }
        if self.node(by)?.standing == Standing::Recovering {
            self.end_recovery(by, broken);
        }
        Some(by)
    }

    fn node(&mut self, node: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(usize::from(node.0))
    }

    fn is_majority(&self, nodes: NodeSet) -> bool {
        nodes.len() >= self.majority
    }
}

/// Whether a ballot is a view: then it belongs to a node and to no life of it.
fn is_view(ballot: Ballot) -> bool {
    ballot.incarnation == Incarnation(0)
}

/// A ballot as it is called in its system.
fn name(ballot: Ballot) -> impl fmt::Display {
    fmt::from_fn(move |f| match ballot {
        Ballot::ZERO => f.write_str("nothing"),
        Ballot { round, .. } if is_view(ballot) => write!(f, "view {round}"),
        _ => write!(f, "{ballot}"),
    })
}

/// An entry by its digest.
fn short(entry: u64) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        if entry == Entry::Noop.digest() {
            f.write_str("NOOP")
        } else {
            write!(f, "entry {:08x}", entry >> 32)
        }
    })
}

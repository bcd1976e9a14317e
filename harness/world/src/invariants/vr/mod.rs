//! The invariants of Viewstamped Replication.
//!
//! ```text
//! started, found, persisted, durable ─ V-I1 ──► disks           what each replica holds durably
//! status, view started, read served ── V-I1, 6, 11 ──► views
//! appended, adopted, learned ───────── V-I2, 3, 4, 8 ──► logs   what each replica has in memory
//! committed, accepted, released ────── V-I5 ──► acknowledged
//! PREPAREOK, REPLY, DOVIEWCHANGE ───── V-I8, 9, 10 ──► vows
//! executed, checkpoint ─────────────── V-I7 ──► executions
//! epoch ended ──────────────────────── V-I12 ──► epochs
//! ```
//!
//! Messages leave later than they are made, since they wait for the disk: a message is held against a replica
//! only where it could not have been made at any earlier time of its life, or where all that was made before
//! its status changed has left. What was acknowledged by a replica that has crashed since counts on.
//!
//! Bounded are the op-numbers, the views of each, the log and the views of each replica, the epochs, and the
//! requests of each client. What is forgotten counts as right.

mod acknowledged;
mod disks;
mod epochs;
mod executions;
mod log;
mod logs;
mod nodes;
mod places;
mod progress;
mod reach;
#[cfg(test)]
mod tests;
mod views;
mod vows;

use std::fmt;

use quorate_systems::contract::NodeId;
use quorate_systems::parties::NodeSet;
use quorate_systems::smr::Slot;
use quorate_systems::vr::{Config, Message, Observation, Persistence, Suffix, View, Vr};

use self::epochs::Epochs;
use self::nodes::{Node, Standing};
use self::places::Places;
use self::views::Leaders;
use super::executed::Effects;
use super::{Broken, Invariants, Seen, Watched, Who};

const V_I1: &str = "V-I1";
const V_I2: &str = "V-I2";
const V_I3: &str = "V-I3";
const V_I4: &str = "V-I4";
const V_I5: &str = "V-I5";
const V_I6: &str = "V-I6";
const V_I7: &str = "V-I7";
const V_I8: &str = "V-I8";
const V_I9: &str = "V-I9";
const V_I10: &str = "V-I10";
const V_I11: &str = "V-I11";
const V_I12: &str = "V-I12";

/// V-I1 to V-I12, with what they must remember.
#[derive(Debug)]
pub struct VrInvariants {
    persistence: Persistence,
    has_witnesses: bool,
    nodes: Vec<Node>,
    /// Whether a node has lied, or more has to be remembered than there is room for: then nothing is judged.
    is_blind: bool,
    places: Places,
    epochs: Epochs,
    leaders: Leaders,
    effects: Effects,
}

impl Watched for Vr {
    type Invariants = VrInvariants;
}

impl Invariants<Vr> for VrInvariants {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        (
            V_I1,
            "the view of a replica, its last normal view, its commit-number and what it has \
             executed never get lower, and what it makes durable of that it keeps over restarts",
        ),
        (
            V_I2,
            "no replica executes beyond its commit-number, and none has one beyond the end of its \
             log",
        ),
        (V_I3, "there is one entry for each view and op-number"),
        (V_I4, "the logs of all replicas are the same up to the commit-numbers of both"),
        (
            V_I5,
            "an acknowledged operation is in the logs of a quorum, durably where logs are durable, \
             and in the log with which a later view begins",
        ),
        (V_I6, "a view is led by its primary, which begins it once, by the votes of a quorum"),
        (
            V_I7,
            "a replica executes op-number after op-number, all replicas the same history, and each \
             request takes effect at one op-number, the same at every replica",
        ),
        (
            V_I8,
            "whoever says that it has prepared an op-number in a view has all up to it in its log \
             of that view, durably where logs are durable",
        ),
        (V_I9, "the log in a DOVIEWCHANGE is the sender's log of its last normal view"),
        (
            V_I10,
            "a recovering replica sends no PREPAREOK and no DOVIEWCHANGE, and one that transfers \
             state no PREPAREOK",
        ),
        (V_I11, "no read is answered in a view once another node has begun a higher one"),
        (V_I12, "nothing follows a RECONFIGURATION in its epoch, and all agree what it comes to"),
    ];

    fn new(config: &Config) -> Self {
        let mut watch = Self {
            persistence: config.persistence,
            has_witnesses: config.has_witnesses,
            nodes: Vec::new(),
            is_blind: false,
            places: Places::new(),
            epochs: Epochs::new(),
            leaders: Leaders::default(),
            effects: Effects::new(),
        };
        Invariants::<Vr>::reset(&mut watch, config);
        watch
    }

    fn reset(&mut self, config: &Config) {
        self.persistence = config.persistence;
        self.has_witnesses = config.has_witnesses;
        self.nodes.resize_with(usize::from(config.nodes), Node::new);
        self.nodes.iter_mut().for_each(Node::reset);
        self.is_blind = false;
        self.places.reset();
        self.epochs.reset(config.members);
        self.leaders = Leaders::default();
        self.effects.reset();
    }

    fn see(&mut self, seen: &Seen<'_, Vr>, broken: &mut Vec<Broken>) {
        match *seen {
            Seen::Started { node, incarnation } => self.started(node, incarnation),
            Seen::Found { node, record } => self.found(node, record),
            Seen::Persisted { node, ticket, record } => {
                self.persisted(node, ticket, record, broken);
            }
            Seen::Durable { node, ticket } => self.durable(node, ticket, broken),
            Seen::Sent { from, to: _, message } => self.sent(from, message, broken),
            Seen::Observed { by, observation } => self.observed(by, observation, broken),
            // From here on nothing is promised.
            Seen::Lies { who: _ } => self.is_blind = true,
        }
    }

    fn progress(&self) -> u64 {
        self.cases()
    }
}

impl VrInvariants {
    /// The node that did something, if what it does is to be judged. Its first deed in a life ends its start.
    fn judged(&mut self, by: NodeId, broken: &mut Vec<Broken>) -> Option<NodeId> {
        if self.is_blind {
            return None;
        }
        if self.node(by)?.standing == Standing::Starting {
            self.end_start(by, broken);
        }
        Some(by)
    }

    /// A message left.
    fn sent(&mut self, from: Who, message: &Message, broken: &mut Vec<Broken>) {
        match from {
            Who::Client(client) => self.epochs.asked(client, message),
            Who::Node(by) => {
                if let Some(by) = self.judged(by, broken) {
                    self.said(by, message, broken);
                }
            }
        }
    }

    fn said(&mut self, by: NodeId, message: &Message, broken: &mut Vec<Broken>) {
        match message {
            Message::Prepare { view, op, entry, .. } => {
                self.prepared(by, (*view, *op), entry, broken);
            }
            Message::PrepareOk { view, op } => self.acknowledges(by, (*view, *op), broken),
            Message::Reply { view, op, is_committed: false, .. } => {
                self.answers_early(by, (*view, *op), broken);
            }
            Message::Reply { op, is_committed: true, .. } => self.answers(by, *op, broken),
            Message::Commit { view, .. } => {
                self.leads(by, *view, broken);
            }
            Message::StartViewChange { view, has_left: true, .. } => {
                self.has_left(by, *view, broken);
            }
            Message::DoViewChange { view, last_normal, state, .. } => {
                self.votes(by, *view, (*last_normal, state), broken);
            }
            Message::StartView { view, state, .. } => {
                self.leads(by, *view, broken);
                self.tells(by, state, broken);
            }
            Message::RecoveryResponse { state: Some(state), .. }
            | Message::NewState { state, .. } => self.tells(by, state, broken),
            Message::Request { .. }
            | Message::Reconfiguration { .. }
            | Message::Redirect { .. }
            | Message::NewEpoch { .. }
            | Message::Relay { .. }
            | Message::RelayReply { .. }
            | Message::CommitOk { .. }
            | Message::StartViewChange { has_left: false, .. }
            | Message::GetStartView { .. }
            | Message::Recovery { .. }
            | Message::RecoveryResponse { state: None, .. }
            | Message::GetState { .. }
            | Message::GetCheckpoint { .. }
            | Message::Checkpoint { .. }
            | Message::StartEpoch { .. }
            | Message::EpochStarted { .. } => {}
        }
    }

    /// A core told of a transition.
    fn observed(&mut self, by: Who, observation: &Observation, broken: &mut Vec<Broken>) {
        match by {
            Who::Client(client) if !self.is_blind => {
                if let Observation::Accepted { view, op, replicas, number: _ } = observation {
                    self.accepted(client, (*view, *op), *replicas, broken);
                }
            }
            Who::Client(_) => {}
            Who::Node(by) => {
                if let Some(by) = self.judged(by, broken) {
                    self.told(by, observation, broken);
                }
            }
        }
    }

    fn told(&mut self, by: NodeId, observation: &Observation, broken: &mut Vec<Broken>) {
        if let Some(node) = self.node(by) {
            node.act();
        }
        match observation {
            Observation::Status { status, view, last_normal } => {
                self.status(by, *status, (*view, *last_normal), broken);
            }
            Observation::Appended { view, op, entry, ticket: _ } => {
                self.appended(by, (*view, *op), *entry, broken);
            }
            Observation::Adopted { view, after, entries, commit, ticket: _ } => {
                self.adopted(by, *view, (*after, entries), *commit, broken);
            }
            Observation::ViewStarted { view, voters } => {
                self.started_view(by, *view, *voters, broken);
            }
            Observation::Committed { view, op, voters } => {
                self.committed(by, (*view, *op), *voters, broken);
            }
            Observation::Learned { view: _, commit } => self.learned(by, *commit, broken),
            Observation::Executed { op, chain, request, is_first } => {
                self.executed(by, (*op, *chain), (*request, *is_first), broken);
            }
            Observation::CheckpointTaken { index, chain, ticket: _ } => {
                self.checkpoint_taken(by, *index, *chain, broken);
            }
            Observation::CheckpointInstalled { index, chain, ticket: _ } => {
                self.checkpoint_installed(by, *index, *chain, broken);
            }
            Observation::Released { op } => self.released(by, *op, broken),
            Observation::LeaseTaken { view, .. } => self.leaders.leased(*view),
            Observation::ReadServed { view, applied: _ } => self.read_served(by, *view, broken),
            Observation::EpochEnded { view, op, new } => {
                self.epoch_ended(by, (*view, *op), *new, broken);
            }
            // What leases are good for is seen by who reads. Only clients accept.
            Observation::LeaseGranted { .. } | Observation::Accepted { .. } => {}
        }
    }

    fn node(&mut self, node: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(usize::from(node.0))
    }

    fn is_durable(&self) -> bool {
        match self.persistence {
            Persistence::Durable => true,
            Persistence::DurableView | Persistence::CrashVector | Persistence::Paper => false,
        }
    }

    /// Whether a replica need not have all of the log.
    fn is_witness(&self, by: NodeId) -> bool {
        if !self.has_witnesses {
            return false;
        }
        let epoch = self.nodes.get(usize::from(by.0)).map(|node| node.memory.view.epoch);
        let members = epoch.and_then(|epoch| self.epochs.members(epoch));
        members.is_none_or(|members| !members.actives().contains(by))
    }

    /// Those that have, or had, all up to `op` in their log of `view`; durably where logs are durable.
    fn holders(&self, view: View, op: Slot) -> NodeSet {
        let nodes = (0..).map(NodeId).zip(&self.nodes);
        nodes.filter(|(_, node)| !node.ever.lacks(view, op)).map(|(name, _)| name).collect()
    }
}

/// Something that a node has broken.
fn broke(invariant: &'static str, by: NodeId, what: String) -> Broken {
    Broken { invariant, by: vec![Who::Node(by)], what }
}

/// The entries of a log, each by the view in which it was assigned and its digest.
fn entries(log: &Suffix) -> impl Iterator<Item = (View, u64)> {
    log.entries.iter().map(|logged| (logged.view, logged.entry.digest()))
}

/// Entries with their op-numbers.
fn numbered<T>(after: Slot, entries: impl Iterator<Item = T>) -> impl Iterator<Item = (Slot, T)> {
    (1..).map(move |nth| after.plus(nth)).zip(entries)
}

/// An entry by its digest.
fn short(entry: u64) -> impl fmt::Display {
    fmt::from_fn(move |f| write!(f, "entry {:08x}", entry >> 32))
}

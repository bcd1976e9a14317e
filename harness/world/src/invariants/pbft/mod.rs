//! The invariants of PBFT.
//!
//! ```text
//! started, found, persisted, durable ─ B-I7, 8, 9 ──► disks     what each replica knows, and holds durably
//! PRE-PREPARE, PREPARE, COMMIT ─────── B-I8, 9 ────► votes      who has said what of which sequence number
//! prepared, committed, learned ─────── B-I1, 2, 5 ─► certificates
//! VIEW-CHANGE, NEW-VIEW ──────── B-I5, 6, 7, B-L2 ─► views, recomputed
//! CHECKPOINT, stable ───────────────── B-I3, 7, 8 ─► checkpoints
//! REQUEST, executed ────────────────── B-I2, 3, 4 ─► requests, executions
//! REPLY, accepted ──────────────────── B-I10 ──────► answers
//! ```
//!
//! Only correct nodes are judged, and none that has ever lied. What one of them did before it lied counts on: others
//! may rest on it. How many lie is nothing to these invariants: where it is too many, some do not hold.
//!
//! Nothing is verified here. What is said in the name of a node that is correct, it must have sent: nobody else has
//! its keys. Messages leave later than they are made, since they wait for the disk: a vote is held against a replica
//! only once it has sent something that must come after it.
//!
//! Bounded are the sequence numbers, the votes on each, the log of each replica, its VIEW-CHANGEs, and the requests of
//! each client. What is forgotten counts as right.

mod answers;
mod certificates;
mod checkpoints;
mod disks;
mod executions;
mod log;
mod nodes;
mod places;
mod progress;
mod recomputed;
mod requests;
#[cfg(test)]
mod tests;
mod views;
mod votes;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use quorate_systems::contract::{ClientId, NodeId};
use quorate_systems::parties::NodeSet;
use quorate_systems::pbft::{
    Authentication, Body, Config, Execution, Message, NewView, Observation, Pbft, Reads, View,
};

use self::nodes::{Node, Standing};
use self::places::Places;
use self::requests::Requests;
use self::votes::Kind;
use super::{Broken, Invariants, Prompt, Seen, Watched, Who};

const B_I1: &str = "B-I1";
const B_I2: &str = "B-I2";
const B_I3: &str = "B-I3";
const B_I4: &str = "B-I4";
const B_I5: &str = "B-I5";
const B_I6: &str = "B-I6";
const B_I7: &str = "B-I7";
const B_I8: &str = "B-I8";
const B_I9: &str = "B-I9";
const B_I10: &str = "B-I10";
const B_L2: &str = "B-L2";

/// B-I1 to B-I10 and B-L2, with what they must remember.
#[derive(Debug)]
pub struct PbftInvariants {
    rules: Rules,
    nodes: Vec<Node>,
    /// Those that have never lied.
    correct: NodeSet,
    /// What these believe is their own affair.
    lying_clients: BTreeSet<ClientId>,
    /// Whether more has to be remembered than there is room for: then nothing is judged.
    is_blind: bool,
    /// Whether every request is executed before anybody may lose patience.
    is_prompt: bool,
    places: Places,
    requests: Requests,
    /// The last NEW-VIEWs in which nothing was wrong: at most [`NEW_VIEWS_MAX`].
    sound: VecDeque<Arc<NewView>>,
}

/// All replicas are told of one NEW-VIEW at a time.
const NEW_VIEWS_MAX: usize = 4;

/// What the configuration demands: counted anew, since what is planted in the replicas is none of this.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// n.
    nodes: u16,
    /// Q: any two sets of so many have f + 1 in common.
    quorum: u32,
    /// f + 1: one of them is correct.
    weak: u32,
    /// How many equal answers a client needs.
    answers: u32,
    /// L: so many sequence numbers after a stable checkpoint are under way.
    window: u64,
    /// Whether what is prepared can be shown to others.
    is_signed: bool,
    /// How long a replica waits for a request at least.
    patience_us: u64,
}

impl Watched for Pbft {
    type Invariants = PbftInvariants;
}

impl Invariants<Pbft> for PbftInvariants {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        (B_I1, "for a view and a sequence number one digest is prepared at correct replicas"),
        (
            B_I2,
            "what is committed at one correct replica is what all commit and execute at that sequence \
             number, and what is prepared there in later views",
        ),
        (
            B_I3,
            "correct replicas execute one sequence number after the other, all the same history with \
             the same state",
        ),
        (
            B_I4,
            "its client sent every request that a correct replica accepts and executes, each takes \
             effect once, and those of a client in the order of their numbers",
        ),
        (
            B_I5,
            "a certificate that a correct replica sends or goes by has a quorum of signers, and those \
             of them who are correct have said what it says",
        ),
        (
            B_I6,
            "the proposals of a NEW-VIEW that a correct replica sends or goes by follow from its \
             VIEW-CHANGEs",
        ),
        (
            B_I7,
            "a correct replica discards what is before a checkpoint of which a quorum has the same \
             state, and nothing else; it accepts nothing beyond its watermarks",
        ),
        (
            B_I8,
            "no correct replica votes twice in one way for a view and a sequence number, over all its \
             lives, and it votes for what is on its disk",
        ),
        (B_I9, "a correct replica that has left a view does nothing new in it"),
        (
            B_I10,
            "a client takes a request for done by as many answers as are needed, and the outcome is \
             that of the execution",
        ),
        (
            B_L2,
            "a correct replica goes on from a view that has not begun only once a quorum wants it, or f + 1 \
             want later ones; and where nothing goes wrong but what clients say, no view is left",
        ),
    ];

    fn new(config: &Config) -> Self {
        let mut watch = Self {
            rules: Rules::of(config),
            nodes: Vec::new(),
            correct: NodeSet::EMPTY,
            lying_clients: BTreeSet::new(),
            is_blind: false,
            is_prompt: false,
            places: Places::new(),
            requests: Requests::new(),
            sound: VecDeque::new(),
        };
        Invariants::<Pbft>::reset(&mut watch, config);
        watch
    }

    fn reset(&mut self, config: &Config) {
        self.rules = Rules::of(config);
        self.nodes.resize_with(usize::from(config.nodes), Node::new);
        self.nodes.iter_mut().for_each(Node::reset);
        self.correct = NodeSet::all(config.nodes);
        self.lying_clients.clear();
        self.is_blind = false;
        self.is_prompt = false;
        self.places.reset();
        self.requests.reset();
        self.sound.clear();
    }

    fn promise(&mut self, prompt: Prompt) {
        self.is_prompt = self.rules.is_served_in_time(prompt);
    }

    fn see(&mut self, seen: &Seen<'_, Pbft>, broken: &mut Vec<Broken>) {
        match *seen {
            Seen::Started { node, incarnation: _ } => self.started(node),
            Seen::Found { node, record } => self.found(node, record),
            Seen::Persisted { node, ticket, record } => {
                if self.judges(node, broken) {
                    self.persisted(node, ticket, record, broken);
                }
            }
            Seen::Durable { node, ticket } => {
                if self.judges(node, broken) {
                    self.durable(node, ticket);
                }
            }
            Seen::Sent { from: Who::Client(client), to: _, message } => {
                self.asked(client, message);
            }
            Seen::Sent { from: Who::Node(node), to, message } => {
                if self.judges(node, broken) {
                    self.said(node, to, &message.body, broken);
                }
            }
            Seen::Observed { by: Who::Client(client), observation } => {
                self.client_told(client, observation, broken);
            }
            Seen::Observed { by: Who::Node(node), observation } => {
                if self.judges(node, broken) {
                    self.told(node, observation, broken);
                }
            }
            Seen::Lies { who: Who::Node(node) } => self.correct.remove(node),
            Seen::Lies { who: Who::Client(client) } => {
                self.lying_clients.insert(client);
            }
        }
    }

    fn progress(&self) -> u64 {
        self.cases()
    }
}

impl Rules {
    fn of(config: &Config) -> Self {
        let (nodes, faulty) = (u32::from(config.nodes), u32::from(config.f));
        // Any two sets of Q have 2Q - n in common.
        let quorum = (1..=nodes).find(|quorum| 2 * quorum > nodes + faulty).unwrap_or(nodes);
        let weak = faulty + 1;
        let is_early = match (config.reads, config.execution) {
            (Reads::Log, Execution::Committed) => false,
            (Reads::ReadOnly, _) | (_, Execution::Tentative) => true,
        };
        Self {
            nodes: config.nodes,
            quorum,
            weak,
            answers: config.replies.unwrap_or(if is_early { quorum } else { weak }),
            window: 2 * config.checkpoint_every,
            is_signed: config.authentication == Authentication::Signatures,
            patience_us: config.timeout.0,
        }
    }

    fn is_quorum(self, set: NodeSet) -> bool {
        set.intersection(NodeSet::all(self.nodes)).len() >= self.quorum
    }

    fn primary(self, view: View) -> NodeId {
        view.primary(self.nodes)
    }

    /// Whether a request is executed everywhere, and answered, before a replica that waits for it may leave its view, or
    /// its client gives it up, where all others are as prompt as that. A sequence number takes PRE-PREPARE, PREPARE and
    /// COMMIT, and three more messages where a checkpoint must be stable before the next; before each of them something
    /// is written. At worst they come one after the other: two requests of each client, since one that lies may leave one
    /// behind, and as much again as two of them take, for a request to be passed on and answered.
    fn is_served_in_time(self, prompt: Prompt) -> bool {
        const STEPS: u64 = 6;
        let Prompt { clients, operation_us, message_us, sync_us } = prompt;
        let requests = 2 * u64::from(clients) + 2;
        requests * STEPS * (message_us + sync_us) < self.patience_us.min(operation_us)
    }
}

impl PbftInvariants {
    fn node(&mut self, node: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(usize::from(node.0))
    }

    /// Whether what a node does is to be judged. Its first deed in a life ends its start.
    fn judges(&mut self, by: NodeId, broken: &mut Vec<Broken>) -> bool {
        if self.is_blind || !self.correct.contains(by) {
            return false;
        }
        if self.node(by).is_some_and(|node| node.standing == Standing::Starting) {
            self.end_start(by, broken);
        }
        true
    }

    /// A client's message left.
    fn asked(&mut self, client: ClientId, message: &Message) {
        if let Body::Request(request) = &message.body {
            self.requests.asked(client, request);
        }
    }

    /// A replica's message left.
    fn said(&mut self, by: NodeId, to: Who, body: &Body, broken: &mut Vec<Broken>) {
        match body {
            Body::Reply { view: _, number, outcome, how } => {
                if let Who::Client(client) = to {
                    self.answered(by, (client, *number), (outcome, *how), broken);
                }
            }
            Body::PrePrepare { view, seq, digest, batch: _ } => {
                self.votes(by, Kind::PrePrepare, (*view, *seq, *digest), broken);
            }
            Body::Prepare { view, seq, digest } => {
                self.votes(by, Kind::Prepare, (*view, *seq, *digest), broken);
            }
            Body::Commit { view, seq, digest } => {
                self.votes(by, Kind::Commit, (*view, *seq, *digest), broken);
            }
            Body::Checkpoint { seq, digest } => self.tells_state(by, *seq, *digest, broken),
            Body::ViewChange(wanted) => self.wants(by, wanted, broken),
            Body::NewView(view) => self.begins(by, view, broken),
            Body::Committed { seq, digest } => self.tells_committed(by, *seq, *digest, broken),
            Body::Stable(certificate) => self.shows_stable(by, certificate, broken),
            Body::State { certificate, snapshot } => {
                self.shows_state(by, certificate, snapshot.index, broken);
            }
            // These promise nothing.
            Body::Request(_)
            | Body::Status { .. }
            | Body::Fetch { .. }
            | Body::Fetched { .. }
            | Body::GetState { .. } => {}
        }
    }

    /// A client told of a transition.
    fn client_told(&mut self, by: ClientId, observation: &Observation, broken: &mut Vec<Broken>) {
        if let Observation::Accepted { number, outcome, how, replicas } = observation
            && !self.is_blind
            && !self.lying_clients.contains(&by)
        {
            self.accepted((by, *number), (outcome, *how), *replicas, broken);
        }
    }

    /// A replica told of a transition.
    fn told(&mut self, by: NodeId, observation: &Observation, broken: &mut Vec<Broken>) {
        match observation {
            Observation::Prepared { view, seq, digest, voters, ticket: _ } => {
                self.prepared(by, (*view, *seq, *digest), *voters, broken);
            }
            Observation::Committed { view, seq, digest, voters } => {
                self.committed(by, (*view, *seq, *digest), *voters, broken);
            }
            Observation::Learned { seq, digest, voters } => {
                self.learned(by, (*seq, *digest), *voters, broken);
            }
            Observation::Executed { seq, digest, chain, requests } => {
                self.executed(by, (*seq, *digest, *chain), requests, broken);
            }
            Observation::TentativelyExecuted { view, seq, digest } => {
                self.tried(by, (*view, *seq, *digest), broken);
            }
            Observation::CheckpointTaken { seq, digest } => {
                self.took_state(by, *seq, *digest, broken);
            }
            Observation::CheckpointStable { seq, digest, voters, ticket: _ } => {
                self.stable(by, (*seq, *digest), *voters, broken);
            }
            Observation::StateInstalled { seq, digest, chain } => {
                self.installed(by, (*seq, *digest, *chain), broken);
            }
            Observation::ReadServed { executed } => self.read_served(by, *executed, broken),
            // What becomes of these is seen by what is made durable. Only clients accept.
            Observation::ViewLeft { .. }
            | Observation::ViewEntered { .. }
            | Observation::PrePrepared { .. }
            | Observation::Accepted { .. } => {}
        }
    }
}

/// Something that a node has broken.
fn broke(invariant: &'static str, by: NodeId, what: String) -> Broken {
    Broken { invariant, by: vec![Who::Node(by)], what }
}

/// Something that two nodes have broken between them.
fn both_broke(invariant: &'static str, first: NodeId, by: NodeId, what: String) -> Broken {
    Broken { invariant, by: vec![Who::Node(first), Who::Node(by)], what }
}

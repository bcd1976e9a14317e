//! The invariants of quorum registers; docs/quorum.md says what each looks at.
//!
//! ```text
//! Started, Found, Persisted, Durable ──► disks       what each node holds durably under each key
//!                                          ▲
//! Sent acknowledgements ─── Q-I1, Q-I8 ────┤
//! Observed completions ──── Q-I2, 3, 7 ────┘ operations
//! Observed fates of lock writes ── Q-I6 ──► writes
//! Observed configurations ── Q-I4 ──► meeting
//! ```

mod asked;
mod disks;
mod keys;
mod meeting;
mod nodes;
mod operations;
mod pairs;
mod progress;
#[cfg(test)]
mod tests;
mod writes;

use quorate_systems::contract::{Key, NodeId, Value};
use quorate_systems::quorum::{
    Config, Construction, Message, Observation, Phase, Quorum, Timestamp, WriteId,
};

use self::asked::{Asked, Change};
use self::keys::Keys;
use self::meeting::Configurations;
use self::nodes::{Node, Standing};
use self::pairs::{Memory, Pairs};
use self::writes::Writes;
use super::{Broken, Invariants, Seen, Watched, Who};

impl Watched for Quorum {
    type Invariants = QuorumInvariants;
}

const Q_I1: &str = "Q-I1";
const Q_I2: &str = "Q-I2";
const Q_I3: &str = "Q-I3";
const Q_I4: &str = "Q-I4";
const Q_I5: &str = "Q-I5";
const Q_I6: &str = "Q-I6";
const Q_I7: &str = "Q-I7";
const Q_I8: &str = "Q-I8";

/// Q-I1 to Q-I8, with what they must remember.
///
/// Bounded are the keys, the pairs of each, the open questions, votes and lock writes. Each forgets the oldest,
/// and knows where it may have: what is forgotten counts as right.
#[derive(Debug)]
pub struct QuorumInvariants {
    configurations: Configurations,
    trust: Trust,
    nodes: Vec<Node>,
    /// Whether more nodes have lied than the quorums bear: then nothing is promised of what is stored.
    is_overwhelmed: bool,
    keys: Keys,
    asked: Asked,
    writes: Writes,
}

/// Why a coordinator may believe what servers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Nobody lies.
    Everybody,
    /// Writers sign; so many servers may lie.
    Signed(u16),
    /// More than so many say the same.
    Outvoted(u16),
}

impl Invariants<Quorum> for QuorumInvariants {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        (Q_I1, "what a server holds under a key, durably, never gets an older timestamp"),
        (Q_I2, "there is one value for each key and timestamp"),
        (
            Q_I3,
            "when an operation is complete, a write quorum holds its pair or a newer one durably",
        ),
        (Q_I4, "quorums that must meet do, in one configuration and from one to the next"),
        (
            Q_I5,
            "the history of each key is linearizable; checked over the history, not during the run",
        ),
        (Q_I6, "all who commit a lock write give it one timestamp, and nobody aborts it"),
        (
            Q_I7,
            "among liars, what is chosen or returned was written, and enough servers vouch for it",
        ),
        (Q_I8, "no acknowledgement leaves a node before what it acknowledges is durable"),
    ];

    fn new(config: &Config) -> Self {
        let nodes = config.nodes;
        Self {
            configurations: Configurations::new(config),
            trust: Trust::of(config),
            nodes: (0..nodes).map(|_| Node::new()).collect(),
            is_overwhelmed: false,
            keys: Keys::new(nodes),
            asked: Asked::new(),
            writes: Writes::new(),
        }
    }

    fn reset(&mut self, config: &Config) {
        let nodes = config.nodes;
        self.configurations.reset(config);
        self.trust = Trust::of(config);
        self.nodes.iter_mut().for_each(Node::reset);
        self.nodes.resize_with(nodes.into(), Node::new);
        self.is_overwhelmed = false;
        self.keys.reset(nodes);
        self.asked.reset();
        self.writes.reset();
    }

    fn see(&mut self, seen: &Seen<'_, Quorum>, broken: &mut Vec<Broken>) {
        self.configurations.tell(broken);
        match *seen {
            Seen::Started { node, incarnation: _ } => self.on_started(node),
            Seen::Found { node, record } => self.on_found(node, record, broken),
            Seen::Persisted { node, ticket, record } => {
                if self.judges(Who::Node(node), broken) {
                    self.on_persisted((node, ticket), record, broken);
                }
            }
            Seen::Durable { node, ticket } => {
                if self.judges(Who::Node(node), broken) {
                    self.on_durable(node, ticket, broken);
                }
            }
            Seen::Sent { from, to, message } => self.on_sent((from, to), message, broken),
            Seen::Observed { by, observation } => self.on_observed(by, observation, broken),
            Seen::Lies { who } => self.on_lies(who),
        }
    }

    fn progress(&self) -> u64 {
        progress::of(self)
    }
}

impl Trust {
    fn of(config: &Config) -> Self {
        match config.quorums.construction() {
            Construction::Dissemination { b } => Self::Signed(*b),
            Construction::Masking { b } => Self::Outvoted(*b),
            Construction::Majority
            | Construction::Counts { .. }
            | Construction::Weighted { .. }
            | Construction::Grid { .. } => Self::Everybody,
        }
    }

    /// How many servers may lie.
    fn liars(self) -> usize {
        match self {
            Self::Everybody => 0,
            Self::Signed(b) | Self::Outvoted(b) => b.into(),
        }
    }
}

impl QuorumInvariants {
    fn on_lies(&mut self, who: Who) {
        let is_client = match who {
            Who::Client(_) => true,
            Who::Node(node) => {
                if let Some(node) = self.node(node) {
                    node.standing = Standing::Lying;
                }
                false
            }
        };
        let liars = self.nodes.iter().filter(|node| node.standing == Standing::Lying).count();
        // It believes its clients.
        self.is_overwhelmed |= liars > self.trust.liars() || is_client;
    }

    fn node(&mut self, node: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(usize::from(node.0))
    }

    /// Whether what `who` does is to be judged; its first deed in a life ends its recovery.
    fn judges(&mut self, who: Who, broken: &mut Vec<Broken>) -> bool {
        let Who::Node(node) = who else { return true };
        match self.node(node).map(|node| node.standing) {
            Some(Standing::Judged) => true,
            Some(Standing::Recovering) => {
                self.end_recovery(node, broken);
                true
            }
            Some(Standing::Lost | Standing::Lying) | None => false,
        }
    }

    /// Messages that no invariant speaks of cost nothing but the look at their kind.
    fn on_sent(&mut self, (from, to): (Who, Who), message: &Message, broken: &mut Vec<Broken>) {
        match message {
            Message::Update { op, key, pair, configuration: _ } => {
                if self.judges(from, broken) {
                    self.asked.note(*op, *key, pair.ts);
                }
            }
            Message::Commit { op: _, key, pair, below: _ } => {
                if let Some(write) = WriteId::of(pair.ts)
                    && self.judges(from, broken)
                {
                    self.on_commit(write, pair.ts, Some(*key), from, broken);
                }
            }
            Message::UpdateOk { .. }
            | Message::CommitOk { .. }
            | Message::QueryOk { .. }
            | Message::Ok { .. } => {
                if let Who::Node(node) = from
                    && self.judges(from, broken)
                {
                    self.on_answer(node, to, message, broken);
                }
            }
            Message::Configure { op, configuration } => {
                // A coordinator that tells a server of a configuration asks for no acknowledgement of that.
                if op.phase == Phase::Change && self.judges(from, broken) {
                    self.asked.note_change(*op, || Change::Configure(configuration.id));
                }
            }
            Message::Install { op, configuration: _, pairs } => {
                if self.judges(from, broken) {
                    let pairs = || pairs.iter().map(|(key, pair)| (*key, pair.ts)).collect();
                    self.asked.note_change(*op, || Change::Install(pairs()));
                }
            }
            Message::WrongConfig { .. }
            | Message::ConfigureOk { .. }
            | Message::FetchOk { .. }
            | Message::InstallOk { .. } => {
                if let Who::Node(node) = from
                    && self.judges(from, broken)
                {
                    self.on_change_answer((node, to), message, broken);
                }
            }
            Message::Request { .. }
            | Message::Answer { .. }
            | Message::WrongIncarnation { .. }
            | Message::Query { .. }
            | Message::Propose { .. }
            | Message::No { .. }
            | Message::Abort { .. }
            | Message::Terminate { .. }
            | Message::Fetch { .. } => {}
        }
    }

    /// What the world sees for itself, stored pairs and acknowledgements, is not taken from a core's word.
    fn on_observed(&mut self, by: Who, observation: &Observation, broken: &mut Vec<Broken>) {
        match observation {
            Observation::Stored { .. }
            | Observation::Acknowledged { .. }
            | Observation::Voted { .. }
            | Observation::Refused { .. }
            | Observation::Adopted { .. } => {}
            Observation::Chosen { .. }
            | Observation::Completed { .. }
            | Observation::Configured { .. }
            | Observation::Decided { .. }
            | Observation::Committed { .. }
            | Observation::Aborted { .. } => {
                if self.judges(by, broken) {
                    self.on_transition(by, observation, broken);
                }
            }
        }
    }

    fn on_transition(&mut self, by: Who, observation: &Observation, broken: &mut Vec<Broken>) {
        match *observation {
            Observation::Chosen { op, key, ts, value, vouchers } => {
                self.on_chosen((by, op), (key, ts, value), vouchers, broken);
            }
            Observation::Completed { op: _, key, ts, value, holders: _, configuration } => {
                self.on_completed(by, configuration, (key, ts, value), broken);
            }
            Observation::Configured { ref configuration, ticket: _ } => {
                // Where too many lie, servers may be led into whatever configuration.
                if !self.is_overwhelmed {
                    self.configurations.install(configuration, broken);
                }
            }
            Observation::Decided { write, ts, voters: _ } => {
                let clash = self.writes.decide(write, ts, by);
                broken.extend(clash.map(|clash| clash.told(write, "decides on", Some(ts), by)));
            }
            Observation::Committed { write, ts } => self.on_commit(write, ts, None, by, broken),
            Observation::Aborted { write } => self.on_abort(write, by, broken),
            Observation::Stored { .. }
            | Observation::Acknowledged { .. }
            | Observation::Voted { .. }
            | Observation::Refused { .. }
            | Observation::Adopted { .. } => {}
        }
    }

    fn on_commit(
        &mut self,
        write: WriteId,
        ts: Timestamp,
        key: Option<Key>,
        by: Who,
        broken: &mut Vec<Broken>,
    ) {
        let clash = self.writes.commit(write, ts, key, by);
        broken.extend(clash.map(|clash| clash.told(write, "commits", Some(ts), by)));
    }

    fn on_abort(&mut self, write: WriteId, by: Who, broken: &mut Vec<Broken>) {
        let clash = self.writes.abort(write, by);
        broken.extend(clash.map(|clash| clash.told(write, "aborts", None, by)));
    }

    /// A pair that a correct server stores or an honest coordinator speaks of (Q-I2).
    fn note_pair(
        &mut self,
        by: Who,
        (key, ts, value): (Key, Timestamp, Option<Value>),
        broken: &mut Vec<Broken>,
    ) {
        if ts == Timestamp::ZERO || self.is_overwhelmed {
            return;
        }
        let Some(first) = self.keys.slot(key).pairs.note(ts, value, by) else { return };
        let what = format!(
            "under k{}, timestamp {ts} stands for {} at {by} and for {} at {}",
            key.0,
            show_value(value),
            show_value(first.value),
            first.by
        );
        broken.push(Broken { invariant: Q_I2, by: vec![first.by, by], what });
    }
}

/// `5 @3.c0.1.2`, as far as the value is known.
fn show_pair(pairs: &Pairs, ts: Timestamp) -> String {
    match pairs.recall(ts) {
        _ if ts == Timestamp::ZERO => String::from("nothing"),
        Memory::Known(known) => format!("{} @{ts}", show_value(known.value)),
        Memory::Unused | Memory::Forgotten => format!("@{ts}"),
    }
}

fn show_value(value: Option<Value>) -> String {
    value.map_or_else(|| String::from("nil"), |value| value.0.to_string())
}

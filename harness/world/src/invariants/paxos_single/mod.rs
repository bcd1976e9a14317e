//! The invariants of single-decree Paxos; docs/paxos-single.md says what each looks at.
//!
//! ```text
//! Started, Found, Persisted, Durable ──► disks        what each acceptor has promised and accepted, durably
//!                                          ▲
//! Sent answers ─────── P-I1, P-I10 ────────┤
//! Observed decisions ─ P-I6, 7, 11 ────────┘ decisions
//! Sent bids, Observed proposals ─ P-I3, 4, 5 ──► bids
//! ```

mod bids;
mod decisions;
mod disks;
mod instances;
mod nodes;
mod progress;
#[cfg(test)]
mod tests;

use quorate_systems::contract::{NodeId, Value};
use quorate_systems::paxos_single::{
    Accepted, Ballot, Config, Message, Observation, PaxosSingle, Rules,
};

use self::instances::Instances;
use self::nodes::{Node, Standing};
use super::{Broken, Invariants, Seen, Watched, Who};

impl Watched for PaxosSingle {
    type Invariants = PaxosSingleInvariants;
}

const P_I1: &str = "P-I1";
const P_I2: &str = "P-I2";
const P_I3: &str = "P-I3";
const P_I4: &str = "P-I4";
const P_I5: &str = "P-I5";
const P_I6: &str = "P-I6";
const P_I7: &str = "P-I7";
const P_I10: &str = "P-I10";
const P_I11: &str = "P-I11";

/// P-I1 to P-I7, P-I10 and P-I11, with what they must remember.
///
/// Bounded are the instances, and the numbers and values of each. What is forgotten counts as right.
#[derive(Debug)]
pub struct PaxosSingleInvariants {
    config: Config,
    nodes: Vec<Node>,
    /// Whether a node has lied: then nothing is promised.
    is_overwhelmed: bool,
    instances: Instances,
}

impl Invariants<PaxosSingle> for PaxosSingleInvariants {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        (P_I1, "what an acceptor has promised never gets lower, and it accepts nothing below it"),
        (P_I2, "an acceptor has promised what it accepts"),
        (P_I3, "there is one value for each instance and number"),
        (P_I4, "a number is used by one life of one proposer"),
        (
            P_I5,
            "a proposal stands on a majority of promises for its number, and has the value of the \
             highest number among what they told, or a submitted one where they told none",
        ),
        (P_I6, "one value is decided in each instance"),
        (P_I7, "what is decided was submitted by a client"),
        (P_I10, "no promise and no acceptance leaves an acceptor before it is durable"),
        (
            P_I11,
            "when a value is known to be decided, a majority holds it durably, with that number or a \
             higher one",
        ),
    ];

    fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            nodes: (0..config.nodes).map(|_| Node::new()).collect(),
            is_overwhelmed: false,
            instances: Instances::new(config.nodes),
        }
    }

    fn reset(&mut self, config: &Config) {
        self.config = config.clone();
        self.nodes.iter_mut().for_each(Node::reset);
        self.nodes.resize_with(config.nodes.into(), Node::new);
        self.is_overwhelmed = false;
        self.instances.reset(config.nodes);
    }

    fn see(&mut self, seen: &Seen<'_, PaxosSingle>, broken: &mut Vec<Broken>) {
        match *seen {
            Seen::Started { node, incarnation } => self.on_started(node, incarnation),
            Seen::Found { node, record } => self.on_found(node, record),
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
            Seen::Sent { from, to, message } => {
                if self.judges(from, broken) {
                    self.on_sent((from, to), message, broken);
                }
            }
            Seen::Observed { by, observation } => {
                if self.judges(by, broken) {
                    self.on_observed(by, observation, broken);
                }
            }
            Seen::Lies { who } => {
                if let Who::Node(node) = who
                    && let Some(node) = self.node(node)
                {
                    node.standing = Standing::Lying;
                }
                self.is_overwhelmed = true;
            }
        }
    }

    fn progress(&self) -> u64 {
        progress::of(self)
    }
}

impl PaxosSingleInvariants {
    fn node(&mut self, node: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(usize::from(node.0))
    }

    /// Whether what `who` does is to be judged; its first deed in a life ends its recovery.
    fn judges(&mut self, who: Who, broken: &mut Vec<Broken>) -> bool {
        if self.is_overwhelmed {
            return false;
        }
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

    fn on_sent(&mut self, (from, to): (Who, Who), message: &Message, broken: &mut Vec<Broken>) {
        match (message, from) {
            (Message::Prepare { key, n }, _) => self.on_bid(from, (*key, *n), broken),
            (Message::Accept { key, n, value }, _) => {
                let proposal = Accepted { n: *n, value: *value };
                self.on_bid(from, (*key, *n), broken);
                self.on_valued(from, *key, proposal, broken);
                self.require_proposed(from, *key, proposal, broken);
            }
            (Message::PrepareOk { key, n, accepted }, Who::Node(node)) => {
                self.on_prepare_ok((node, to), (*key, *n), *accepted, broken);
            }
            (Message::AcceptOk { key, n, value }, Who::Node(node)) => {
                self.on_accept_ok((node, to), *key, Accepted { n: *n, value: *value }, broken);
            }
            (
                Message::Request { .. }
                | Message::Answer { .. }
                | Message::PrepareOk { .. }
                | Message::AcceptOk { .. }
                | Message::Nack { .. }
                | Message::Learn { .. }
                | Message::Decided { .. },
                _,
            ) => {}
        }
    }

    fn on_observed(&mut self, by: Who, observation: &Observation, broken: &mut Vec<Broken>) {
        match *observation {
            Observation::Submitted { key, value } => self.instances.get(key).submit(value),
            Observation::Promised { key, n, accepted, ticket: _ } => {
                self.on_promised(by, (key, n), accepted);
            }
            Observation::Accepted { key, n, value: _, np, ticket: _ } => {
                if np < n {
                    let what = format!("{by} accepts {n} under k{}, and has promised {np}", key.0);
                    broken.push(Broken { invariant: P_I2, by: vec![by], what });
                }
            }
            Observation::Proposed { key, n, value, promisers } => {
                self.on_proposed(by, key, Accepted { n, value }, promisers, broken);
            }
            Observation::Decided { key, n, value, acceptors: _ } => {
                self.on_decided(by, key, Accepted { n, value }, broken);
            }
        }
    }

    /// Whether there are numbers that mean something, and promises.
    fn has_promises(&self) -> bool {
        match self.config.rules {
            Rules::Paxos | Rules::Slide(_) => true,
            Rules::FirstProposal => false,
        }
    }
}

fn show(value: Option<Value>) -> String {
    value.map_or_else(|| String::from("nothing"), |value| value.0.to_string())
}

fn show_accepted(accepted: Option<Accepted>) -> String {
    accepted.map_or_else(|| String::from("nothing"), |accepted| accepted.to_string())
}

fn show_number(n: Option<Ballot>) -> String {
    n.map_or_else(|| String::from("nothing"), |n| n.to_string())
}

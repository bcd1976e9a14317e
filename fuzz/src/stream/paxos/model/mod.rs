//! One node of Multi-Paxos, judged by PROTOCOLS A2.2: what it makes durable, sends and tells must follow from what it
//! holds and was told. It shares types with the core, and no code.

mod acceptor;
mod client;
mod proposer;

use quorate_systems::contract::{Incarnation, Input, NodeId};
use quorate_systems::paxos::{Ballot, Config, Entry, Message, Observation, Paxos, Reads, Record};
use quorate_systems::smr::{Request, Slot};

use self::acceptor::Acceptor;
pub(super) use self::client::PaxosClientModel;
use self::proposer::Proposer;
use crate::stream::{Cluster, Expected, Model, OnDisk};

/// What is known of one node.
#[derive(Clone, Debug)]
pub struct PaxosModel(Option<Node>);

#[derive(Clone, Debug)]
pub(super) struct Node {
    me: NodeId,
    config: Config,
    incarnation: Incarnation,
    /// What the present step is about.
    cause: Cause,
    /// Whom it must answer in the present step, and in which ballot.
    owes: Option<(NodeId, Ballot)>,
    acceptor: Acceptor,
    proposer: Proposer,
    /// As learner: the last slot that it executed.
    executed: Slot,
    /// Entries that others have said are decided.
    told: Vec<(Slot, Entry)>,
}

/// What an acceptor is asked.
#[derive(Clone, Debug, PartialEq)]
enum Cause {
    P1a { ballot: Ballot, first: Slot },
    P2a { ballot: Ballot, slot: Slot, entry: Entry, commit: Slot },
    Heartbeat { ballot: Ballot, commit: Slot },
    Other,
}

/// A slot further beyond the snapshot is not taken.
const SPAN_MAX: u64 = 8_192;

/// The slots from here on, as many as there are numbers.
fn slots_from(first: Slot) -> impl Iterator<Item = Slot> {
    (first.0..u64::MAX).map(Slot)
}

/// Ballots by their order: round, node, life.
fn rank(ballot: Ballot) -> (u64, u16, u64) {
    (ballot.round, ballot.node.0, ballot.incarnation.0)
}

fn is_below(one: Ballot, other: Ballot) -> bool {
    rank(one) < rank(other)
}

impl PaxosModel {
    /// The node that is modelled.
    pub(super) fn node(&self) -> Option<&Node> {
        self.0.as_ref()
    }
}

impl Model<Paxos> for PaxosModel {
    fn new() -> Self {
        Self(None)
    }

    fn reset(&mut self, cluster: &Cluster<Paxos>, me: NodeId) {
        self.0 = Some(Node {
            me,
            config: cluster.config.clone(),
            incarnation: Incarnation(0),
            cause: Cause::Other,
            owes: None,
            acceptor: Acceptor::default(),
            proposer: Proposer::default(),
            executed: Slot(0),
            told: Vec::new(),
        });
    }

    fn start(
        &mut self,
        incarnation: u64,
        disk: &OnDisk<'_, Record>,
        expected: &mut Expected<Paxos>,
    ) {
        expected.know_nothing();
        if let Some(node) = &mut self.0 {
            node.start(incarnation, disk);
        }
    }

    fn step(&mut self, input: &Input<Message>, expected: &mut Expected<Paxos>) {
        expected.know_nothing();
        if let Some(node) = &mut self.0 {
            node.step(input);
        }
    }

    fn may_choose(&mut self, _message: &Message, _nodes: u64) -> bool {
        false
    }

    fn has_persisted(&mut self, record: &Record) {
        if let Some(node) = &mut self.0 {
            node.has_persisted(record);
        }
    }

    fn has_sent(&mut self, to: NodeId, message: &Message, after: u64) {
        if let Some(node) = &mut self.0 {
            node.has_sent(to, message, after);
        }
    }

    fn has_told(&mut self, observation: &Observation) {
        if let Some(node) = &mut self.0 {
            node.has_told(observation);
        }
    }

    fn is_over(&mut self) {
        if let Some(Node { owes: Some((to, ballot)), cause, .. }) = &self.0 {
            panic!("the core has not answered {to} in {ballot}: {cause:?}");
        }
    }

    /// Whoever does not lead waits for a leader, and whoever leads beats.
    fn timers_min(&self) -> usize {
        1
    }

    fn state(&self) -> u64 {
        self.0.as_ref().map_or(0, Node::state)
    }
}

impl Node {
    /// The highest ballot that it has promised.
    pub(super) const fn promised(&self) -> Ballot {
        self.acceptor.promised
    }

    /// Every slot up to it is decided, as far as it knows.
    pub(super) fn commit(&self) -> Slot {
        self.acceptor.commit()
    }

    /// The last slot that only its snapshot tells of.
    pub(super) const fn base(&self) -> Slot {
        self.acceptor.base
    }

    fn start(&mut self, incarnation: u64, disk: &OnDisk<'_, Record>) {
        let ever = Acceptor::recovered(disk.written);
        let mut found = Acceptor::recovered(disk.checkpoint);
        for record in disk.log {
            found.recover(record);
        }
        ever.assert_kept(&found);
        self.incarnation = Incarnation(incarnation);
        self.acceptor = found;
        self.executed = self.acceptor.base;
        self.proposer = Proposer::default();
        self.cause = Cause::Other;
        self.owes = None;
        self.told.clear();
    }

    fn step(&mut self, input: &Input<Message>) {
        self.cause = Cause::Other;
        self.owes = None;
        match input {
            Input::Message { from, message } => self.on_message(*from, message),
            Input::Request { client, message: Message::Request { number, command } } => {
                let (client, number, command) = (*client, *number, command.clone());
                self.proposer.asked.push(Entry::Request(Request { client, number, command }));
            }
            Input::Request { .. } | Input::Persisted(_) | Input::Timer(_) => {}
        }
    }

    fn on_message(&mut self, from: NodeId, message: &Message) {
        let promised = self.acceptor.promised;
        match message {
            Message::P1a { ballot, from: first } if ballot.node == from => {
                self.cause = Cause::P1a { ballot: *ballot, first: *first };
                // Whoever has granted a lease to another may keep silent.
                let may_withhold = matches!(self.config.reads, Reads::Lease(_));
                self.owes = (!may_withhold).then_some((from, *ballot));
            }
            Message::P2a { ballot, slot, entry, commit } if ballot.node == from => {
                let is_too_far = slot.0.saturating_sub(self.acceptor.base.0) > SPAN_MAX;
                if !is_too_far || is_below(*ballot, promised) {
                    self.owes = Some((from, *ballot));
                }
                let (ballot, slot, commit) = (*ballot, *slot, *commit);
                self.cause = Cause::P2a { ballot, slot, entry: entry.clone(), commit };
            }
            Message::Heartbeat { ballot, commit, .. } if ballot.node == from => {
                self.owes = Some((from, *ballot));
                self.cause = Cause::Heartbeat { ballot: *ballot, commit: *commit };
            }
            Message::P1b { ballot, promise } => {
                let decided = promise.reports.iter().filter(|report| report.is_decided);
                self.told.extend(decided.map(|report| (report.slot, report.entry.clone())));
                self.proposer.on_p1b(from, *ballot, promise);
            }
            Message::P2b { ballot, slot, ok: true, .. } => {
                self.proposer.votes.push((from, *ballot, *slot));
            }
            Message::HeartbeatOk { ballot, round } => {
                self.proposer.beats.push((from, *ballot, *round));
            }
            Message::Relay { client, number, command } => {
                let (client, number, command) = (*client, *number, command.clone());
                self.proposer.asked.push(Entry::Request(Request { client, number, command }));
            }
            Message::FetchOk { from: first, entries } => {
                self.told.extend(slots_from(*first).zip(entries.iter().cloned()));
            }
            _ => {}
        }
    }

    /// Whether a ballot is one of this life.
    fn is_own(&self, ballot: Ballot) -> bool {
        (ballot.node, ballot.incarnation) == (self.me, self.incarnation)
    }

    fn has_persisted(&mut self, record: &Record) {
        match record {
            Record::Promised { ballot } => {
                let is_asked = match &self.cause {
                    Cause::P1a { ballot: asked, .. } | Cause::P2a { ballot: asked, .. } => {
                        asked == ballot
                    }
                    Cause::Heartbeat { .. } | Cause::Other => false,
                };
                assert!(is_asked || self.is_own(*ballot), "nobody asks to promise {ballot}");
            }
            Record::Accepted { slot, ballot, entry } => {
                let is_asked = matches!(&self.cause, Cause::P2a { ballot: b, slot: s, entry: e, .. }
                    if (b, s, e) == (ballot, slot, entry));
                let is_own = self.proposer.is_leading(*ballot);
                assert!(is_asked || is_own, "nobody asks to accept {entry} in {ballot} {slot}");
            }
            Record::Decided { slot, entry } => {
                let is_told = self.told.iter().any(|(s, e)| (s, e) == (slot, entry));
                assert!(is_told, "nobody has said that {entry} is decided in {slot}");
            }
            Record::Snapshot { .. } => {}
        }
        self.acceptor.has_persisted(record);
    }

    fn has_sent(&mut self, to: NodeId, message: &Message, after: u64) {
        let acceptor = &self.acceptor;
        match message {
            Message::P1b { ballot, promise } => {
                let first = match &self.cause {
                    Cause::P1a { ballot: asked, first } if asked == ballot => *first,
                    _ => self.proposer.first_of(*ballot),
                };
                acceptor.judge_promise(*ballot, first, promise, after);
                self.answered(to, *ballot);
            }
            Message::Nack { ballot, promised }
            | Message::P2b { ballot, slot: _, ok: false, promised } => {
                acceptor.judge_refusal(*ballot, *promised);
                self.answered(to, *ballot);
            }
            Message::P2b { ballot, slot, ok: true, promised } => {
                acceptor.judge_acceptance((*ballot, *slot, *promised), after);
                self.answered(to, *ballot);
            }
            Message::HeartbeatOk { ballot, .. } => {
                assert!(!is_below(*ballot, acceptor.promised), "it follows {ballot}: {acceptor:?}");
                self.answered(to, *ballot);
            }
            Message::P1a { ballot, .. } => assert!(self.proposer.is_candidate(*ballot), "{ballot}"),
            Message::P2a { ballot, slot, entry, commit } => {
                self.proposer.judge_proposal(*ballot, *slot, entry);
                assert!(*commit <= self.commit(), "not all up to {commit} is decided");
            }
            Message::Heartbeat { ballot, commit, .. } => {
                assert!(self.proposer.is_leading(*ballot), "it does not lead {ballot}");
                assert!(*commit <= self.commit(), "not all up to {commit} is decided");
            }
            Message::FetchOk { from, entries } => acceptor.judge_entries(*from, entries),
            Message::Snapshot { snapshot } => {
                assert!(snapshot.index == acceptor.base, "{}", snapshot.index);
            }
            Message::Fetch { .. } => {}
            Message::Relay { client, number, command } => {
                let (client, number, command) = (*client, *number, command.clone());
                let request = Entry::Request(Request { client, number, command });
                assert!(self.proposer.asked.contains(&request), "nobody has asked: {message}");
            }
            Message::Request { .. } | Message::Reply { .. } | Message::Redirect { .. } => {
                panic!("not for a node: {message}");
            }
        }
    }

    fn answered(&mut self, to: NodeId, ballot: Ballot) {
        assert!(to == ballot.node, "what is about {ballot} goes to {to}");
        if self.owes == Some((to, ballot)) {
            self.owes = None;
        }
    }

    fn has_told(&mut self, observation: &Observation) {
        match *observation {
            Observation::BallotUsed { ballot, from } => {
                assert!(self.is_own(ballot), "{ballot} is not a ballot of this life");
                assert!(is_below(self.acceptor.promised, ballot), "{ballot}: {:?}", self.acceptor);
                self.proposer.campaign(ballot, from);
            }
            Observation::Elected { ballot, voters, commit, adopted } => {
                let majority = u32::from(self.config.nodes / 2 + 1);
                assert!(commit == self.commit(), "{commit} is not what it knows to be decided");
                self.proposer.elect(ballot, voters, majority, (commit, adopted));
            }
            Observation::Proposed { ballot, slot, entry, adopted } => {
                // Beyond that it may know of a decision that no promise told of, which there cannot be.
                assert!(slot > self.commit(), "{slot} is decided");
                self.proposer.propose(ballot, slot, entry, adopted);
            }
            Observation::Decided { ballot, slot, entry, voters } => {
                let majority = u32::from(self.config.nodes / 2 + 1);
                self.proposer.judge_decision(ballot, slot, voters, majority);
                self.acceptor.decide(slot, ballot, entry);
            }
            Observation::Learned { slot, entry, ballot: Some(ballot) } => {
                let is_said = match &self.cause {
                    Cause::P2a { ballot: b, commit, .. }
                    | Cause::Heartbeat { ballot: b, commit } => *b == ballot && slot <= *commit,
                    Cause::P1a { .. } | Cause::Other => false,
                };
                assert!(is_said, "{ballot} has not said that {slot} is decided: {:?}", self.cause);
                self.acceptor.decide(slot, ballot, entry);
            }
            Observation::Learned { slot, entry, ballot: None } => {
                let is_this = |(s, e): &&(Slot, Entry)| *s == slot && e.digest() == entry;
                let told = self.told.iter().find(is_this);
                let (_, told) = told.unwrap_or_else(|| panic!("nobody has said so of {slot}"));
                self.acceptor.settle_equal(slot, told);
            }
            Observation::Executed { slot, .. } => {
                assert!(slot.0 == self.executed.0 + 1, "{slot} after {}", self.executed);
                assert!(self.acceptor.is_decided(slot), "{slot} is not decided");
                self.executed = slot;
            }
            Observation::SnapshotTaken { index, .. } => {
                assert!(index == self.executed, "{index} is not {}", self.executed);
            }
            Observation::SnapshotInstalled { index, .. } => {
                assert!(index > self.executed, "{index} is not above {}", self.executed);
                self.executed = index;
            }
            Observation::ReadServed { ballot, applied, by_lease } => {
                self.judge_read(ballot, applied, by_lease);
            }
            Observation::LeaseTaken { ballot, round, micros, voters } => {
                let majority = u32::from(self.config.nodes / 2 + 1);
                self.judge_lease(micros);
                self.proposer.judge_round(self.me, (ballot, round), voters, majority);
            }
            Observation::SteppedDown { ballot } => self.proposer.step_down(ballot),
            Observation::Promised { ballot, ticket } => {
                assert!(ballot == self.acceptor.promised, "{ballot}: {:?}", self.acceptor);
                assert!(ticket == self.acceptor.tickets, "{ticket}: {:?}", self.acceptor);
            }
            Observation::Accepted { slot, ticket, .. } => {
                assert!(ticket == self.acceptor.tickets, "{slot}, {ticket}: {:?}", self.acceptor);
            }
            Observation::LeaseGranted { .. } => {
                assert!(matches!(self.config.reads, Reads::Lease(_)), "there are no leases");
            }
        }
    }

    fn judge_read(&self, ballot: Ballot, applied: Slot, by_lease: bool) {
        assert!(self.proposer.is_leading(ballot), "it does not lead {ballot}");
        assert!(applied == self.executed, "{applied} is not {}", self.executed);
        assert!(applied >= self.proposer.adopted, "what was adopted is not executed");
        let is_allowed = match self.config.reads {
            Reads::Log => false,
            Reads::ReadIndex => !by_lease,
            Reads::Lease(_) => true,
        };
        assert!(is_allowed, "a read is served outside the log (lease: {by_lease})");
    }

    /// It counts from the moment of sending, on a clock that may be too slow.
    fn judge_lease(&self, micros: u64) {
        let Reads::Lease(lease) = self.config.reads else { panic!("there are no leases") };
        let held = lease.length.0 - lease.length.0 * lease.drift_ppm / 1_000_000;
        assert!(micros <= held, "a lease of {micros} us, and {held} are the most");
    }

    /// Which kind of state this is: how many of each thing there are, and how far they have come.
    fn state(&self) -> u64 {
        let mut state = Spread(self.config.nodes.into());
        state.add(self.config.window);
        state.add(self.incarnation.0.min(3));
        state.add(self.executed.0.min(5));
        state.add(self.told.len().min(3) as u64);
        self.acceptor.add_to(&mut state);
        self.proposer.add_to(&mut state);
        state.0
    }
}

/// A hash that is as quick as it has to be.
struct Spread(u64);

impl Spread {
    fn add(&mut self, part: u64) {
        self.0 = (self.0 ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}

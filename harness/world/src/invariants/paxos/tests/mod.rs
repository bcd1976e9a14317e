//! For each invariant what it must refuse, and what comes nearest to that and is right.

mod bounds;
mod refusals;

use quorate_systems::contract::{ClientId, Command, Incarnation, Key, NodeId, Value};
use quorate_systems::paxos::{Ballot, Entry, Message, Observation, Paxos, Promise, Record, Report};
use quorate_systems::smr::{Chain, Request, RequestNumber, Slot, Snapshot};

use crate::invariants::testing::{self, c, n};
use crate::invariants::{Invariants, Seen, Who};

type Watch = testing::Watch<Paxos>;

impl Watch {
    fn store(&mut self, node: u16, record: &Record) -> &mut Self {
        self.persist(node, record).sync(node)
    }

    /// A client asks for its request of this number.
    fn submit(&mut self, client: u32, seq: u64) -> &mut Self {
        let command = write(seq);
        self.send(c(client), n(0), &Message::Request { number: number(seq), command })
    }

    /// The node promises durably, and tells.
    fn promise(&mut self, node: u16, ballot: Ballot, reports: &[Report]) -> &mut Self {
        self.store(node, &Record::Promised { ballot });
        self.send(n(node), n(ballot.node.0), &p1b(ballot, 0, reports))
    }

    /// The node accepts durably, and tells.
    fn accept(&mut self, node: u16, slot: u64, ballot: Ballot, entry: &Entry) -> &mut Self {
        self.store(node, &accepted(slot, ballot, entry));
        self.send(n(node), n(ballot.node.0), &p2b(slot, ballot))
    }

    /// The ballot's node begins with it, promises it to itself, has the promises of others, who report
    /// nothing, and leads.
    fn lead(&mut self, ballot: Ballot, others: &[u16]) -> &mut Self {
        self.campaign(ballot);
        for node in others {
            self.promise(*node, ballot, &[]);
        }
        self.elect(ballot, others)
    }

    fn campaign(&mut self, ballot: Ballot) -> &mut Self {
        let by = ballot.node.0;
        self.observe(n(by), &Observation::BallotUsed { ballot, from: Slot(1) });
        self.store(by, &Record::Promised { ballot })
    }

    /// It leads by its own promise and those of others.
    fn elect(&mut self, ballot: Ballot, others: &[u16]) -> &mut Self {
        let voters = others.iter().copied().map(NodeId).chain([ballot.node]).collect();
        let (commit, adopted) = (Slot::ZERO, Slot::ZERO);
        self.observe(n(ballot.node.0), &Observation::Elected { ballot, voters, commit, adopted })
    }

    /// A leader proposes, sends that to another node, and accepts it itself.
    fn propose(&mut self, slot: u64, ballot: Ballot, entry: &Entry) -> &mut Self {
        let by = ballot.node.0;
        self.observe(n(by), &proposed(slot, ballot, entry));
        self.send(n(by), n((by + 1) % 3), &p2a(slot, ballot, entry));
        self.store(by, &accepted(slot, ballot, entry))
    }

    /// The leader knows that these have accepted.
    fn decide(&mut self, slot: u64, ballot: Ballot, entry: &Entry, voters: &[u16]) -> &mut Self {
        let (entry, voters) = (entry.digest(), voters.iter().copied().map(NodeId).collect());
        let slot = Slot(slot);
        self.observe(n(ballot.node.0), &Observation::Decided { ballot, slot, entry, voters })
    }

    /// A node is told what is decided.
    fn learn(&mut self, node: u16, slot: u64, entry: &Entry) -> &mut Self {
        let (slot, entry) = (Slot(slot), entry.digest());
        self.observe(n(node), &Observation::Learned { slot, entry, ballot: None })
    }

    /// A node executes a slot with its request, whose history is called by a number.
    fn execute(&mut self, node: u16, slot: u64, chain: u64, seq: Option<u64>) -> &mut Self {
        self.run(node, slot, chain, seq, true)
    }

    fn run(
        &mut self,
        node: u16,
        slot: u64,
        chain: u64,
        seq: Option<u64>,
        is_first: bool,
    ) -> &mut Self {
        let request = seq.map(|seq| (ClientId(0), number(seq)));
        let (slot, chain) = (Slot(slot), Chain(chain));
        let is_first = is_first && request.is_some();
        self.observe(n(node), &Observation::Executed { slot, chain, request, is_first })
    }

    fn read_by_lease(&mut self, node: u16, ballot: Ballot) -> &mut Self {
        let applied = Slot::ZERO;
        self.observe(n(node), &Observation::ReadServed { ballot, applied, by_lease: true })
    }
}

/// A ballot of a node's first life.
fn ballot(round: u64, node: u16) -> Ballot {
    Ballot { round, node: NodeId(node), incarnation: Incarnation(1) }
}

const fn number(seq: u64) -> RequestNumber {
    RequestNumber { incarnation: Incarnation(1), seq }
}

const fn write(seq: u64) -> Command {
    Command::Write { key: Key(1), value: Value(seq) }
}

/// What client 0 asks for by [`Watch::submit`].
fn entry(seq: u64) -> Entry {
    Entry::Request(Request { client: ClientId(0), number: number(seq), command: write(seq) })
}

fn accepted(slot: u64, ballot: Ballot, entry: &Entry) -> Record {
    Record::Accepted { slot: Slot(slot), ballot, entry: entry.clone() }
}

fn snapshot(index: u64, chain: u64) -> Record {
    let (index, chain) = (Slot(index), Chain(chain));
    Record::Snapshot { snapshot: Box::new(Snapshot { index, chain, ..Snapshot::default() }) }
}

fn told(slot: u64, ballot: Ballot, entry: &Entry) -> Report {
    Report { slot: Slot(slot), ballot, entry: entry.clone(), is_decided: false }
}

fn p1b(ballot: Ballot, snapshot: u64, reports: &[Report]) -> Message {
    let promise = Promise { snapshot: Slot(snapshot), reports: reports.to_vec() };
    Message::P1b { ballot, promise: Box::new(promise) }
}

fn p2a(slot: u64, ballot: Ballot, entry: &Entry) -> Message {
    Message::P2a { ballot, slot: Slot(slot), entry: entry.clone(), commit: Slot::ZERO }
}

fn p2b(slot: u64, ballot: Ballot) -> Message {
    Message::P2b { ballot, slot: Slot(slot), ok: true, promised: ballot }
}

fn proposed(slot: u64, ballot: Ballot, entry: &Entry) -> Observation {
    Observation::Proposed { ballot, slot: Slot(slot), entry: entry.digest(), adopted: None }
}

/// What is said of the node in place of `{}`, so that a digest needs not be known.
fn short(entry: &Entry) -> String {
    format!("entry {:08x}", entry.digest() >> 32)
}

#[test]
fn a_calm_run_breaks_nothing() {
    let mut run = Watch::new(3, &[]);
    let b = ballot(1, 0);
    run.start(0, 1).start(1, 1).start(2, 1).submit(0, 1).lead(b, &[1]);
    run.propose(1, b, &entry(1)).accept(1, 1, b, &entry(1));
    run.decide(1, b, &entry(1), &[0, 1]).execute(0, 1, 11, Some(1));
    run.learn(2, 1, &entry(1)).execute(2, 1, 11, Some(1)).holds();
    run.see(&Seen::Lies { who: Who::Node(NodeId(2)) }).execute(1, 9, 0, None).holds();
}

#[test]
fn progress_tells_telling_cases_apart_and_not_which_node_it_is() {
    let seen = |nodes: [u16; 2]| {
        let b = ballot(1, 0);
        let mut run = Watch::new(5, &[]);
        let mut seen = Vec::new();
        let mut look = |run: &mut Watch| seen.push(run.invariants.progress());
        look(&mut run);
        look(run.submit(0, 1).campaign(b));
        look(run.promise(nodes[0], b, &[]).promise(nodes[1], b, &[]).elect(b, &nodes));
        look(run.propose(1, b, &entry(1)));
        look(run.accept(nodes[0], 1, b, &entry(1)));
        look(run.accept(nodes[1], 1, b, &entry(1)));
        look(run.propose(3, b, &Entry::Noop));
        look(run.decide(1, b, &entry(1), &[0, nodes[0], nodes[1]]).execute(0, 1, 11, Some(1)));
        look(run.store(0, &snapshot(1, 11)));
        look(run.start(nodes[0], 2));
        run.holds();
        seen
    };
    let mut one = seen([1, 2]);
    assert_eq!(one, seen([4, 3]));
    one.sort_unstable();
    one.dedup();
    assert_eq!(one.len(), 10, "{one:?}");
}

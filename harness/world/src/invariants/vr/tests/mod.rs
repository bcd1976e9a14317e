//! For each invariant what it must refuse, and what comes nearest to that and is right.

mod bounds;
mod refusals;
mod restarts;

use quorate_systems::contract::{ClientId, Command, Incarnation, Key, NodeId, Outcome, Value};
use quorate_systems::parties::NodeSet;
use quorate_systems::smr::{Chain, Request, RequestNumber, Slot, Snapshot};
use quorate_systems::vr::{
    CrashVector, Entry, Logged, Members, Message, Observation, Reconfiguration, Record, State,
    Status, Suffix, View, Vr,
};

use crate::invariants::testing::{self, c, n};
use crate::invariants::{Invariants, Seen, Who};

type Watch = testing::Watch<Vr>;

impl Watch {
    fn store(&mut self, node: u16, record: &Record) -> &mut Self {
        self.persist(node, record).sync(node)
    }

    /// The primary tells all to append the entry of this number, and does so itself, durably.
    fn prepare(&mut self, view: View, op: u64, seq: u64) -> &mut Self {
        let by = primary(view);
        self.append(by, view, op, seq);
        self.send(n(by), n((by + 1) % 3), &prepare(view, op, &entry(seq)))
    }

    /// A replica has the entry of this number in its log, durably.
    fn append(&mut self, node: u16, view: View, op: u64, seq: u64) -> &mut Self {
        self.persist(node, &prepared(view, op, seq));
        self.observe(n(node), &appended(view, op, seq)).sync(node)
    }

    /// A backup appends, durably, and says so.
    fn acknowledge(&mut self, node: u16, view: View, op: u64, seq: u64) -> &mut Self {
        self.append(node, view, op, seq).ok(node, view, op)
    }

    fn ok(&mut self, node: u16, view: View, op: u64) -> &mut Self {
        let op = Slot(op);
        self.send(n(node), n(primary(view)), &Message::PrepareOk { view, op })
    }

    fn commit(&mut self, view: View, op: u64, voters: &[u16]) -> &mut Self {
        let (op, voters) = (Slot(op), set(voters));
        self.observe(n(primary(view)), &Observation::Committed { view, op, voters })
    }

    fn learn(&mut self, node: u16, view: View, commit: u64) -> &mut Self {
        self.observe(n(node), &Observation::Learned { view, commit: Slot(commit) })
    }

    /// A replica executes an op-number with the request of this number; its history is called by a number too.
    fn execute(&mut self, node: u16, op: u64, chain: u64, seq: u64) -> &mut Self {
        self.run(node, op, chain, seq, true)
    }

    fn run(&mut self, node: u16, op: u64, chain: u64, seq: u64, is_first: bool) -> &mut Self {
        let (op, chain, request) = (Slot(op), Chain(chain), (ClientId(0), number(seq)));
        self.observe(n(node), &Observation::Executed { op, chain, request, is_first })
    }

    fn status(&mut self, node: u16, status: Status, view: View, last_normal: View) -> &mut Self {
        self.observe(n(node), &Observation::Status { status, view, last_normal })
    }

    /// A replica leaves its view for another, durably.
    fn leave(&mut self, node: u16, view: View, last_normal: View) -> &mut Self {
        self.persist(node, &Record::View { view });
        self.status(node, Status::ViewChange, view, last_normal).sync(node)
    }

    /// And tells its log, from its beginning.
    fn vote(&mut self, node: u16, view: View, last_normal: View, log: &[(View, u64)]) -> &mut Self {
        self.leave(node, view, last_normal);
        self.send(n(node), n(primary(view)), &do_view_change(view, last_normal, 0, log))
    }

    /// A replica takes up a view with this log, durably.
    fn adopt(&mut self, node: u16, view: View, log: &[(View, u64)], commit: u64) -> &mut Self {
        self.adopt_after(node, view, 0, log, commit)
    }

    fn adopt_after(
        &mut self,
        node: u16,
        view: View,
        after: u64,
        log: &[(View, u64)],
        commit: u64,
    ) -> &mut Self {
        self.persist(node, &adopted_record(view, after, log, commit));
        self.observe(n(node), &adopted(view, after, log, commit)).sync(node)
    }

    fn begin(&mut self, view: View, voters: &[u16]) -> &mut Self {
        let voters = set(voters);
        self.observe(n(primary(view)), &Observation::ViewStarted { view, voters })
    }

    /// n0 leads v0, and the first of these entries is committed on n0 and n1, the next only prepared there.
    fn one_committed_and_one_prepared(&mut self) -> &mut Self {
        self.prepare(V0, 1, 1).acknowledge(1, V0, 1, 1).commit(V0, 1, &[0, 1]);
        self.prepare(V0, 2, 2).acknowledge(1, V0, 2, 2)
    }
}

const V0: View = view(0);
const V1: View = view(1);
const V2: View = view(2);

const fn view(number: u64) -> View {
    View { epoch: 0, number }
}

/// Of three replicas, in any epoch.
fn primary(view: View) -> u16 {
    u16::try_from(view.number % 3).unwrap()
}

fn set(nodes: &[u16]) -> NodeSet {
    nodes.iter().copied().map(NodeId).collect()
}

fn members(nodes: &[u16]) -> Members {
    set(nodes).try_into().unwrap()
}

const fn number(seq: u64) -> RequestNumber {
    RequestNumber { incarnation: Incarnation(1), seq }
}

fn entry(seq: u64) -> Entry {
    let command = Command::Write { key: Key(1), value: Value(seq) };
    Entry::Request(Request { client: ClientId(0), number: number(seq), command })
}

/// Client 0 asks for n0, n1 and n3 in place of what there is.
fn reconfiguration(seq: u64) -> Entry {
    let (client, number) = (ClientId(0), number(seq));
    Entry::Reconfiguration(Reconfiguration { client, number, members: members(&[0, 1, 3]) })
}

fn state(after: u64, log: &[(View, u64)], commit: u64) -> State {
    let logged = |&(view, seq): &(View, u64)| Logged { view, entry: entry(seq) };
    let log = Suffix { after: Slot(after), entries: log.iter().map(logged).collect() };
    State { log, commit: Slot(commit), held: Slot::ZERO }
}

fn prepare(view: View, op: u64, entry: &Entry) -> Message {
    let (op, entry) = (Slot(op), entry.clone());
    Message::Prepare { view, op, entry, commit: Slot::ZERO, held: Slot::ZERO }
}

fn do_view_change(view: View, last_normal: View, after: u64, log: &[(View, u64)]) -> Message {
    let crashes = CrashVector::new();
    let state = Box::new(state(after, log, 0));
    Message::DoViewChange { view, last_normal, state, crashes }
}

fn start_view(view: View, log: &[(View, u64)]) -> Message {
    let state = Box::new(state(0, log, 0));
    Message::StartView { view, state, crashes: CrashVector::new() }
}

fn reply(view: View, op: u64, is_committed: bool) -> Message {
    let outcome = Outcome::Written;
    Message::Reply { view, op: Slot(op), number: number(1), outcome, is_committed }
}

fn prepared(view: View, op: u64, seq: u64) -> Record {
    Record::Prepared { view, op: Slot(op), entry: entry(seq), commit: Slot::ZERO }
}

fn adopted_record(view: View, after: u64, log: &[(View, u64)], commit: u64) -> Record {
    Record::Adopted { view, state: Box::new(state(after, log, commit)), snapshot: None }
}

fn checkpoint(index: u64, chain: u64) -> Record {
    let (index, chain) = (Slot(index), Chain(chain));
    Record::Checkpoint { snapshot: Box::new(Snapshot { index, chain, ..Snapshot::default() }) }
}

fn appended(view: View, op: u64, seq: u64) -> Observation {
    Observation::Appended { view, op: Slot(op), entry: entry(seq).digest(), ticket: 0 }
}

fn adopted(view: View, after: u64, log: &[(View, u64)], commit: u64) -> Observation {
    let entries = log.iter().map(|(view, seq)| (*view, entry(*seq).digest())).collect();
    let (after, commit) = (Slot(after), Slot(commit));
    Observation::Adopted { view, after, entries, commit, ticket: 0 }
}

fn taken(index: u64, chain: u64) -> Observation {
    let (index, chain) = (Slot(index), Chain(chain));
    Observation::CheckpointTaken { index, chain, ticket: 0 }
}

fn installed(index: u64, chain: u64) -> Observation {
    let (index, chain) = (Slot(index), Chain(chain));
    Observation::CheckpointInstalled { index, chain, ticket: 0 }
}

/// What is said of the entry of this number.
fn short(seq: u64) -> String {
    format!("entry {:08x}", entry(seq).digest() >> 32)
}

#[test]
fn a_calm_run_breaks_nothing() {
    let mut run = Watch::new(3, &[]);
    run.start(0, 1).start(1, 1).start(2, 1).one_committed_and_one_prepared();
    run.execute(0, 1, 11, 1).send(n(0), c(0), &reply(V0, 1, true));
    run.acknowledge(2, V0, 1, 1).learn(2, V0, 1).execute(2, 1, 11, 1);
    run.learn(1, V0, 1)
        .execute(1, 1, 11, 1)
        .store(1, &checkpoint(1, 11))
        .observe(n(1), &taken(1, 11));
    run.holds();
    // n2 had not yet heard of the second; n1, which leads next, had.
    run.vote(2, V1, V0, &[(V0, 1)]).leave(1, V1, V0);
    run.adopt(1, V1, &[(V0, 1), (V0, 2)], 1).begin(V1, &[1, 2]);
    run.send(n(1), n(2), &start_view(V1, &[(V0, 1), (V0, 2)]));
    run.adopt_after(2, V1, 1, &[(V0, 2)], 1).ok(2, V1, 2).commit(V1, 2, &[1, 2]);
    run.execute(1, 2, 12, 2).learn(2, V1, 2).execute(2, 2, 12, 2).prepare(V1, 3, 3).holds();
    run.acknowledge(2, V1, 3, 3).commit(V1, 3, &[1, 2]).holds();
    // n0 is late, and does not know yet that it leads no more.
    run.prepare(V0, 3, 4).holds();
    run.adopt_after(0, V1, 1, &[(V0, 2), (V1, 3)], 2).execute(0, 2, 12, 2).ok(0, V1, 3).holds();
}

#[test]
fn a_liar_is_not_judged_and_nobody_after_it() {
    let mut run = Watch::new(3, &[]);
    run.see(&Seen::Lies { who: Who::Node(NodeId(2)) });
    run.execute(1, 9, 0, 1).commit(V0, 5, &[0]).append(1, V2, 7, 1).ok(1, V2, 9).holds();
}

#[test]
fn progress_tells_telling_cases_apart_and_not_which_node_it_is() {
    let seen = |backups: [u16; 2]| {
        let [near, far] = backups;
        let mut run = Watch::new(3, &[]);
        let mut seen = Vec::new();
        let mut look = |run: &mut Watch| seen.push(run.invariants.progress());
        look(&mut run);
        look(run.prepare(V0, 1, 1));
        look(run.acknowledge(near, V0, 1, 1));
        look(run.commit(V0, 1, &[0, near]));
        look(run.prepare(V0, 2, 2).persist(near, &prepared(V0, 2, 2)));
        look(run.sync(near).leave(far, V1, V0));
        look(run.leave(near, V1, V0));
        look(run.leave(far, view(6), V0));
        look(run.start(0, 2));
        run.holds();
        seen
    };
    let mut one = seen([1, 2]);
    assert_eq!(one, seen([2, 1]));
    one.sort_unstable();
    one.dedup();
    assert_eq!(one.len(), 9, "{one:?}");
}

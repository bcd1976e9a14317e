//! For each invariant what it must refuse, and what comes nearest to that and is right.

mod bounds;
mod proposals;
mod refusals;
mod restarts;

use std::sync::Arc;

use quorate_systems::contract::{ClientId, Command, Incarnation, Key, NodeId, Outcome, Value};
use quorate_systems::parties::NodeSet;
use quorate_systems::pbft::{
    Batch, Body, Certificate, Digest, How, Message, NewView, Observation, Pbft, PrePrepared,
    Prepared, Proof, Proposal, Record, SignedRequest, SignedViewChange, View, ViewChange, Vote,
};
use quorate_systems::smr::{Chain, Request, RequestNumber, Slot, Snapshot};

use crate::invariants::testing::{self, c, n};
use crate::invariants::{Invariants, Prompt, Seen, Who};

type Watch = testing::Watch<Pbft>;

/// Four replicas, one of which may lie: three are a quorum. A batch is called by a number, which is that of its only
/// request as well; 0 is the NULL request.
impl Watch {
    fn store(&mut self, node: u16, record: &Record) -> &mut Self {
        self.persist(node, record).sync(node)
    }

    fn lie(&mut self, node: u16) -> &mut Self {
        self.see(&Seen::Lies { who: Who::Node(NodeId(node)) })
    }

    fn tell(&mut self, node: u16, body: Body) -> &mut Self {
        self.send(n(node), n((node + 1) % 4), &message(body))
    }

    /// Client 0 asks for what is in a batch.
    fn ask(&mut self, batch: u64) -> &mut Self {
        self.send(c(0), n(0), &message(Body::Request(Arc::new(request(batch)))))
    }

    /// A replica has it pre-prepared, durably, and says so.
    fn accept(&mut self, node: u16, view: View, seq: u64, batch: u64) -> &mut Self {
        self.store(node, &accepted(view, seq, batch)).vote(node, view, seq, batch)
    }

    /// A PRE-PREPARE by the primary, a PREPARE by others.
    fn vote(&mut self, node: u16, view: View, seq: u64, batch: u64) -> &mut Self {
        let body = if primary(view) == node {
            pre_prepare(view, seq, batch)
        } else {
            prepare(view, seq, batch)
        };
        self.tell(node, body)
    }

    /// A replica has it prepared, durably, and says so.
    fn prepare(&mut self, node: u16, (view, seq, batch): At, voters: &[u16]) -> &mut Self {
        self.persist(node, &certified(view, seq, batch));
        self.certify(node, (view, seq, batch), voters).sync(node);
        self.tell(node, commit(view, seq, batch))
    }

    fn certify(&mut self, node: u16, (view, seq, batch): At, voters: &[u16]) -> &mut Self {
        let (seq, digest, voters) = (Slot(seq), digest(batch), set(voters));
        self.observe(n(node), &Observation::Prepared { view, seq, digest, voters, ticket: 0 })
    }

    /// A replica has it committed.
    fn commit(&mut self, node: u16, (view, seq, batch): At, voters: &[u16]) -> &mut Self {
        let (seq, digest, voters) = (Slot(seq), digest(batch), set(voters));
        self.persist(node, &Record::Committed { seq, digest });
        self.observe(n(node), &Observation::Committed { view, seq, digest, voters })
    }

    /// All that a calm request takes, on these replicas, the primary among them, up to its being prepared there.
    fn agree(&mut self, at: At, nodes: &[u16]) -> &mut Self {
        let (view, seq, batch) = at;
        self.ask(batch);
        for node in nodes {
            self.accept(*node, view, seq, batch);
        }
        for node in nodes {
            self.prepare(*node, at, nodes);
        }
        self
    }

    /// And executed.
    fn order(&mut self, at: At, nodes: &[u16]) -> &mut Self {
        self.agree(at, nodes);
        for node in nodes {
            self.commit(*node, at, nodes).execute(*node, at.1, at.2);
        }
        self
    }

    fn execute(&mut self, node: u16, seq: u64, batch: u64) -> &mut Self {
        self.run(node, (seq, batch, 100 + seq), true)
    }

    /// The history up to there is called by a number too.
    fn run(
        &mut self,
        node: u16,
        (seq, batch, chain): (u64, u64, u64),
        is_first: bool,
    ) -> &mut Self {
        let (seq, digest, chain) = (Slot(seq), digest(batch), Chain(chain));
        let requests = (batch != 0).then(|| (ClientId(0), number(batch), is_first));
        let requests = requests.into_iter().collect();
        self.observe(n(node), &Observation::Executed { seq, digest, chain, requests })
    }

    fn reply(&mut self, node: u16, seq: u64, value: u64, how: How) -> &mut Self {
        let (view, number, outcome) = (V0, number(seq), Outcome::Read(Some(Value(value))));
        self.send(n(node), c(0), &message(Body::Reply { view, number, outcome, how }))
    }

    fn done(&mut self, seq: u64, value: u64, how: How, replicas: &[u16]) -> &mut Self {
        let (number, outcome) = (number(seq), Outcome::Read(Some(Value(value))));
        let replicas = set(replicas);
        self.observe(c(0), &Observation::Accepted { number, outcome, how, replicas })
    }

    /// A replica has this state, and tells the others.
    fn take(&mut self, node: u16, seq: u64, state: u64) -> &mut Self {
        let (seq, digest) = (Slot(seq), digest(state));
        self.observe(n(node), &Observation::CheckpointTaken { seq, digest });
        self.tell(node, Body::Checkpoint { seq, digest })
    }

    /// A checkpoint is stable, durably.
    fn stabilise(&mut self, node: u16, seq: u64, state: u64, voters: &[u16]) -> &mut Self {
        self.store(node, &stable(seq, state, voters));
        let (seq, digest, voters) = (Slot(seq), digest(state), set(voters));
        let stable = Observation::CheckpointStable { seq, digest, voters, ticket: 0 };
        self.observe(n(node), &stable)
    }

    /// A replica leaves its view, durably, and says what it has.
    fn want(&mut self, node: u16, wanted: &Arc<ViewChange>) -> &mut Self {
        self.store(node, &Record::ViewLeft { view: wanted.view });
        self.tell(node, Body::ViewChange(wanted.clone()))
    }

    /// A replica goes by a NEW-VIEW, durably.
    fn enter(&mut self, node: u16, new: &Arc<NewView>) -> &mut Self {
        self.store(node, &entered(new))
    }

    /// Its primary begins the view, durably, and says so.
    fn begin(&mut self, new: &Arc<NewView>) -> &mut Self {
        let by = primary(new.view);
        self.enter(by, new).tell(by, Body::NewView(new.clone()))
    }
}

/// A batch in a view.
type At = (View, u64, u64);

const V0: View = View(0);
const V1: View = View(1);
const V2: View = View(2);

fn primary(view: View) -> u16 {
    u16::try_from(view.0 % 4).unwrap()
}

fn set(nodes: &[u16]) -> NodeSet {
    nodes.iter().copied().map(NodeId).collect()
}

const fn number(seq: u64) -> RequestNumber {
    RequestNumber { incarnation: Incarnation(1), seq }
}

fn digest(batch: u64) -> Digest {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&(batch << 32).to_be_bytes());
    Digest(digest)
}

fn request_to(seq: u64, value: u64) -> SignedRequest {
    let command = Command::Write { key: Key(1), value: Value(value) };
    let request = Request { client: ClientId(0), number: number(seq), command };
    let (signature, authenticator) = (Proof::Itself, Vec::new());
    SignedRequest { request, is_read_only: false, signature, authenticator }
}

fn request(batch: u64) -> SignedRequest {
    request_to(batch, batch)
}

fn batch(batch: u64) -> Arc<Batch> {
    Arc::new(Batch((batch != 0).then(|| request(batch)).into_iter().collect()))
}

fn message(body: Body) -> Message {
    Message { body, proof: Proof::Itself }
}

fn pre_prepare(view: View, seq: u64, of: u64) -> Body {
    Body::PrePrepare { view, seq: Slot(seq), digest: digest(of), batch: batch(of) }
}

fn prepare(view: View, seq: u64, batch: u64) -> Body {
    Body::Prepare { view, seq: Slot(seq), digest: digest(batch) }
}

fn commit(view: View, seq: u64, batch: u64) -> Body {
    Body::Commit { view, seq: Slot(seq), digest: digest(batch) }
}

fn accepted(view: View, seq: u64, of: u64) -> Record {
    let (seq, digest, batch, proof) = (Slot(seq), digest(of), batch(of), Proof::Itself);
    Record::PrePrepared { view, seq, digest, batch, proof }
}

fn certified(view: View, seq: u64, batch: u64) -> Record {
    Record::Prepared { view, seq: Slot(seq), digest: digest(batch), votes: Vec::new() }
}

fn votes(nodes: &[u16]) -> Vec<Vote> {
    nodes.iter().map(|node| Vote { by: NodeId(*node), proof: Proof::Itself }).collect()
}

fn certificate(seq: u64, state: u64, voters: &[u16]) -> Certificate {
    Certificate { seq: Slot(seq), digest: digest(state), votes: votes(voters) }
}

/// The history is called 100 more than its end.
fn snapshot(seq: u64) -> Arc<Snapshot> {
    Arc::new(Snapshot { index: Slot(seq), chain: Chain(100 + seq), ..Snapshot::default() })
}

fn stable(seq: u64, state: u64, voters: &[u16]) -> Record {
    let certificate = Arc::new(certificate(seq, state, voters));
    Record::Stable { certificate, snapshot: snapshot(seq) }
}

/// With these prepared, each by a quorum.
fn view_change(view: View, stable: Certificate, prepared: &[(At, &[u16])]) -> Arc<ViewChange> {
    let claim = |&((view, seq, batch), voters): &(At, &[u16])| {
        let (seq, digest) = (Slot(seq), digest(batch));
        Prepared { view, seq, digest, votes: votes(voters) }
    };
    let prepared = prepared.iter().map(claim).collect();
    Arc::new(ViewChange { view, stable, prepared, pre_prepared: Vec::new() })
}

/// The same with MACs: claims are not proven, and what is pre-prepared is told.
fn claims(view: View, prepared: &[At], pre_prepared: &[At]) -> Arc<ViewChange> {
    let prepared: Vec<(At, &[u16])> = prepared.iter().map(|at| (*at, &[][..])).collect();
    let pre_prepared = pre_prepared.iter().map(|&(view, seq, batch)| PrePrepared {
        seq: Slot(seq),
        digest: digest(batch),
        view,
    });
    let mut wanted = view_change(view, Certificate::default(), &prepared);
    Arc::make_mut(&mut wanted).pre_prepared = pre_prepared.collect();
    wanted
}

fn new_view(votes: &[(u16, &Arc<ViewChange>)], proposals: &[(u64, u64)]) -> Arc<NewView> {
    let view = votes[0].1.view;
    let vote = |&(by, body): &(u16, &Arc<ViewChange>)| SignedViewChange {
        by: NodeId(by),
        body: body.clone(),
        proof: Proof::Itself,
    };
    let votes = votes.iter().map(vote).collect();
    let proposal = |&(seq, batch): &(u64, u64)| Proposal {
        seq: Slot(seq),
        digest: digest(batch),
        proof: None,
    };
    let proposals = proposals.iter().map(proposal).collect();
    Arc::new(NewView { view, votes, proposals })
}

fn entered(new: &Arc<NewView>) -> Record {
    let by = NodeId(primary(new.view));
    Record::ViewEntered { new_view: new.clone(), by, proof: Proof::Itself }
}

/// The checkpoint with which all begin.
const START: fn() -> Certificate = Certificate::default;

#[test]
fn a_calm_run_breaks_nothing() {
    let mut run = Watch::new(4, &[("checkpoint_every", "2")]);
    for node in 0..4 {
        run.start(node, 1);
    }
    run.order((V0, 1, 1), &[0, 1, 2, 3]).order((V0, 2, 2), &[0, 1, 2, 3]);
    run.reply(0, 1, 7, How::Committed).reply(3, 1, 7, How::Committed);
    run.done(1, 7, How::Committed, &[0, 3]).holds();
    for node in 0..3 {
        run.take(node, 2, 50);
    }
    run.stabilise(0, 2, 50, &[0, 1, 2]).stabilise(1, 2, 50, &[0, 1, 2]).holds();
    // n3 missed the next, and n0 commits it alone.
    run.agree((V0, 3, 3), &[0, 1, 2]).commit(0, (V0, 3, 3), &[0, 1, 2]).execute(0, 3, 3);
    run.ask(4).accept(0, V0, 4, 4).accept(1, V0, 4, 4).holds();
    let all: &[u16] = &[0, 1, 2, 3];
    let (first, second, third) =
        (((V0, 1, 1), all), ((V0, 2, 2), all), ((V0, 3, 3), &[0, 1, 2][..]));
    let one = view_change(V1, certificate(2, 50, &[0, 1, 2]), &[third]);
    let two = view_change(V1, START(), &[first, second, third]);
    let three = view_change(V1, START(), &[first, second]);
    run.want(3, &three).want(2, &two).want(1, &one).holds();
    let new = new_view(&[(1, &one), (2, &two), (3, &three)], &[(3, 3)]);
    run.begin(&new).enter(2, &new).enter(3, &new).holds();
    for node in [2, 3] {
        run.vote(node, V1, 3, 3);
    }
    for node in [1, 2, 3] {
        run.prepare(node, (V1, 3, 3), &[1, 2, 3]);
    }
    for node in [1, 2, 3] {
        run.commit(node, (V1, 3, 3), &[1, 2, 3]).execute(node, 3, 3);
    }
    run.order((V1, 4, 4), &[1, 2, 3]).holds();
    // n0 is late, and does not know yet that it leads no more.
    run.ask(5).accept(0, V0, 5, 5).holds();
}

#[test]
fn a_calm_run_with_macs_breaks_nothing() {
    let mut run = Watch::new(4, &[("authentication", "hmac"), ("execution", "tentative")]);
    let at = (V0, 1, 1);
    run.agree(at, &[0, 1, 2, 3]);
    for node in 0..4 {
        let (view, seq, digest) = (V0, Slot(1), digest(1));
        run.observe(n(node), &Observation::TentativelyExecuted { view, seq, digest });
    }
    for node in 1..4 {
        run.reply(node, 1, 7, How::Tentative);
    }
    run.done(1, 7, How::Tentative, &[1, 2, 3]);
    for node in 1..4 {
        run.commit(node, at, &[1, 2, 3]).execute(node, 1, 1);
    }
    run.reply(1, 1, 7, How::Committed).ask(2).accept(0, V0, 2, 2).accept(1, V0, 2, 2).holds();
    let both: &[At] = &[(V0, 1, 1), (V0, 2, 2)];
    let wanted = [claims(V1, &both[..1], both), claims(V1, &both[..1], &both[..1])];
    run.want(1, &wanted[0]).want(2, &wanted[1]).want(3, &wanted[1]).holds();
    let new = new_view(&[(1, &wanted[0]), (2, &wanted[1]), (3, &wanted[1])], &[(1, 1)]);
    run.begin(&new).enter(2, &new).enter(3, &new).vote(2, V1, 1, 1).holds();
    // n0 catches up, since two say what is committed.
    for node in [2, 3] {
        run.tell(node, Body::Committed { seq: Slot(1), digest: digest(1) });
    }
    let (seq, digest, voters) = (Slot(1), digest(1), set(&[2, 3]));
    run.persist(0, &Record::Committed { seq, digest });
    run.observe(n(0), &Observation::Learned { seq, digest, voters }).execute(0, 1, 1).holds();
}

#[test]
fn a_liar_is_not_judged_and_what_it_says_counts_for_nobody() {
    let mut run = Watch::new(4, &[]);
    run.ask(1).ask(2).lie(0).vote(0, V0, 1, 1).vote(0, V0, 1, 2);
    run.accept(1, V0, 1, 1).accept(2, V0, 1, 1).holds();
    run.prepare(0, (V0, 9, 9), &[]).execute(0, 7, 7).reply(0, 1, 9, How::Committed);
    run.done(1, 9, How::Committed, &[0, 3]).breaks(super::B_I10);
    run.start(0, 2).find(0, &accepted(V0, 1, 2)).prepare(1, (V0, 1, 1), &[0, 1, 2]).holds();
}

#[test]
fn progress_tells_telling_cases_apart_and_not_which_node_it_is() {
    let seen = |backups: [u16; 2]| {
        let [near, far] = backups;
        let mut run = Watch::new(4, &[]);
        let mut seen = Vec::new();
        let mut look = |run: &mut Watch| seen.push(run.invariants.progress());
        look(&mut run);
        look(run.ask(1).accept(0, V0, 1, 1));
        look(run.accept(near, V0, 1, 1).accept(3, V0, 1, 1).prepare(
            near,
            (V0, 1, 1),
            &[0, near, 3],
        ));
        look(run.persist(far, &accepted(V0, 1, 1)));
        look(run.sync(far).prepare(0, (V0, 1, 1), &[0, near, 3]).prepare(
            3,
            (V0, 1, 1),
            &[0, near, 3],
        ));
        look(run.commit(near, (V0, 1, 1), &[0, near, 3]).execute(near, 1, 1));
        look(run.store(far, &Record::ViewLeft { view: V1 }));
        look(run.store(far, &Record::ViewLeft { view: View(7) }));
        look(run.start(0, 2));
        look(run.lie(0));
        // Nobody else wants the first of its views; how far apart they are is told all the same.
        run.breaks(super::B_L2);
        seen
    };
    let mut one = seen([1, 2]);
    assert_eq!(one, seen([2, 1]));
    one.sort_unstable();
    one.dedup();
    assert_eq!(one.len(), 10, "{one:?}");
}

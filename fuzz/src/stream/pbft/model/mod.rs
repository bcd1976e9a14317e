//! One replica of PBFT, judged by PROTOCOLS A5: what it makes durable, sends and tells must follow from what it holds and from
//! what others have proven to have said. It shares types with the core, and of its code signatures and digests only.

mod client;
mod duties;
mod heard;
mod proofs;
mod sayings;
mod state;
mod tellings;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use quorate_systems::contract::{ClientId, Command, Input, NodeId, Outcome};
use quorate_systems::parties::{NodeSet, Party};
use quorate_systems::pbft::{
    Batch, Body, Certificate, Config, Digest, Message, NewView, Observation, Pbft, Record, View,
    ViewChange,
};
use quorate_systems::smr::{RequestNumber, Slot, Snapshot};

pub(super) use self::client::PbftClientModel;
use self::heard::{Heard, Kind};
pub(super) use self::proofs::quorum;
use self::state::State;
use super::kit::Kit;
use crate::stream::{Cluster, Expected, Model, OnDisk};

/// What is known of one replica.
#[derive(Clone, Debug)]
pub struct PbftModel(Option<Node>);

#[derive(Clone, Debug)]
pub(super) struct Node {
    me: NodeId,
    kit: Rc<Kit>,
    pub(super) view: View,
    /// Whether that has begun for it.
    pub(super) is_active: bool,
    /// How the last view began that did.
    begun: Option<Arc<NewView>>,
    /// The last stable checkpoint.
    pub(super) stable: Arc<Certificate>,
    stable_state: Arc<Snapshot>,
    places: BTreeMap<Slot, Place>,
    /// Every batch that it heard of.
    pub(super) batches: BTreeMap<Digest, Arc<Batch>>,
    /// Those of them that it made durable.
    held: BTreeSet<Digest>,
    /// Those that it may have discarded since.
    discarded: BTreeSet<Digest>,
    state: State,
    /// What is executed and may be taken back.
    ahead: Option<State>,
    /// Its states at checkpoints.
    pub(super) checkpoints: BTreeMap<Slot, Digest>,
    heard: Heard,
    /// What the present step is about.
    cause: Cause,
    /// How many records it has asked to be made durable in this life.
    tickets: u64,
    /// What it asked others for.
    fetched: Vec<Digest>,
    /// What it made durable as committed, and has not given a reason for.
    unfounded: Option<(Slot, Digest)>,
    /// What it answered clients in this step, of what is executed.
    answers: Vec<(ClientId, RequestNumber, Outcome)>,
    /// What must come of this step.
    owed: Vec<(NodeId, Slot, Digest)>,
    /// Reads: what was asked, and up to where all must be executed first.
    /// A client that lies asks for several things by one number.
    reads: BTreeMap<(ClientId, RequestNumber), Vec<(Command, Slot)>>,
    /// The VIEW-CHANGE that was found to be right last.
    wanted: Option<Arc<ViewChange>>,
    /// Over all its lives.
    past: Past,
}

/// What no crash takes.
#[derive(Clone, Debug, Default)]
struct Past {
    /// What those who do not lie, the replica among them, vote for in a view and sequence number.
    agreed: BTreeMap<(View, Slot), Digest>,
    /// What it has taken for committed.
    committed: BTreeMap<Slot, Digest>,
    /// What it has taken for the state after a checkpoint.
    states: BTreeMap<Slot, Digest>,
    /// Others have let two things be committed in one place.
    is_absurd: bool,
}

/// One sequence number.
#[derive(Clone, Debug, Default)]
struct Place {
    accepted: BTreeMap<View, Digest>,
    prepared: Option<(View, Digest)>,
    committed: Option<Digest>,
}

/// Why a step happens.
#[derive(Clone, Debug, Default)]
enum Cause {
    /// For nothing that anybody has proven to have said.
    #[default]
    Nothing,
    Timer,
    Heard(Party, Body),
}

impl PbftModel {
    /// The replica that is modelled.
    pub(super) fn node(&self) -> Option<&Node> {
        self.0.as_ref()
    }
}

impl Model<Pbft> for PbftModel {
    fn new() -> Self {
        Self(None)
    }

    fn reset(&mut self, cluster: &Cluster<Pbft>, me: NodeId) {
        self.0 = Some(Node::new(&cluster.kit, me));
    }

    fn start(
        &mut self,
        _incarnation: u64,
        disk: &OnDisk<'_, Record>,
        expected: &mut Expected<Pbft>,
    ) {
        expected.know_nothing();
        if let Some(node) = &mut self.0 {
            node.start(disk);
        }
    }

    fn step(&mut self, input: &Input<Message>, expected: &mut Expected<Pbft>) {
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

    fn has_sent(&mut self, to: NodeId, message: &Message, _after: u64) {
        if let Some(node) = &mut self.0 {
            node.has_sent(to, message);
        }
    }

    fn has_answered(&mut self, client: ClientId, message: &Message, after: u64) {
        if let Some(node) = &mut self.0 {
            node.has_answered(client, message, after);
        }
    }

    fn has_told(&mut self, observation: &Observation) {
        if let Some(node) = &mut self.0 {
            node.has_told(observation);
        }
    }

    fn is_over(&mut self) {
        if let Some(node) = self.0.as_mut().filter(|node| !node.past.is_absurd) {
            node.is_over();
        }
    }

    fn is_absurd(&self) -> bool {
        self.0.as_ref().is_some_and(|node| node.past.is_absurd)
    }

    /// It tells the others from time to time what it has.
    fn timers_min(&self) -> usize {
        usize::from(!self.is_absurd())
    }

    fn state(&self) -> u64 {
        self.0.as_ref().map_or(0, Node::spread)
    }
}

impl Node {
    fn new(kit: &Rc<Kit>, me: NodeId) -> Self {
        Self {
            me,
            kit: kit.clone(),
            view: View::FIRST,
            is_active: true,
            begun: None,
            stable: Arc::default(),
            stable_state: Arc::default(),
            places: BTreeMap::new(),
            batches: BTreeMap::from([(Digest::NULL, Arc::default())]),
            held: BTreeSet::from([Digest::NULL]),
            discarded: BTreeSet::new(),
            state: State::default(),
            ahead: None,
            checkpoints: BTreeMap::new(),
            heard: Heard::default(),
            cause: Cause::Nothing,
            tickets: 0,
            fetched: Vec::new(),
            unfounded: None,
            answers: Vec::new(),
            owed: Vec::new(),
            reads: BTreeMap::new(),
            wanted: None,
            past: Past::default(),
        }
    }

    fn config(&self) -> &Config {
        &self.kit.config
    }

    fn primary_of(&self, view: View) -> NodeId {
        view.primary(self.config().nodes)
    }

    /// Whether it leads the view in which it takes part.
    fn leads(&self) -> bool {
        self.is_active && self.primary_of(self.view) == self.me
    }

    fn quorum(&self) -> usize {
        quorum(self.config())
    }

    fn is_in_window(&self, seq: Slot) -> bool {
        let low = self.stable.seq;
        low < seq && seq <= low.plus(2 * self.config().checkpoint_every)
    }

    pub(super) const fn executed(&self) -> Slot {
        self.state.executed()
    }

    /// What it took for this view and sequence number.
    pub(super) fn accepted(&self, view: View, seq: Slot) -> Option<Digest> {
        self.places.get(&seq)?.accepted.get(&view).copied()
    }

    fn prepared(&self, seq: Slot) -> Option<(View, Digest)> {
        self.places.get(&seq)?.prepared
    }

    fn committed(&self, seq: Slot) -> Option<Digest> {
        self.places.get(&seq)?.committed
    }

    /// What those who do not lie vote for there, if any has.
    pub(super) fn agreed(&self, view: View, seq: Slot) -> Option<Digest> {
        self.past.agreed.get(&(view, seq)).copied()
    }

    fn agree(&mut self, view: View, seq: Slot, digest: Digest) {
        self.past.agreed.entry((view, seq)).or_insert(digest);
    }

    /// It comes up, with nothing but its disk.
    fn start(&mut self, disk: &OnDisk<'_, Record>) {
        let past = std::mem::take(&mut self.past);
        *self = Self { past, ..Self::new(&self.kit, self.me) };
        for record in disk.checkpoint.iter().chain(disk.log) {
            self.recover(record);
        }
        self.state = State::load((*self.stable_state).clone());
    }

    fn recover(&mut self, record: &Record) {
        match record {
            Record::ViewLeft { view } => (self.view, self.is_active) = (*view, false),
            Record::ViewEntered { new_view, .. } => {
                (self.view, self.is_active) = (new_view.view, true);
                self.begun = Some(new_view.clone());
                self.take_up();
            }
            Record::PrePrepared { view, seq, digest, batch, .. } => {
                self.hold(*digest, batch);
                self.accept(*view, *seq, *digest);
            }
            Record::Fetched { batch } => self.hold(self.kit.any().batch_digest(batch), batch),
            Record::Prepared { view, seq, digest, .. } => {
                self.place(*seq).prepared = Some((*view, *digest));
            }
            Record::Committed { seq, digest } => self.place(*seq).committed = Some(*digest),
            Record::Stable { certificate, snapshot } => {
                self.release(certificate, snapshot);
                self.take_up();
            }
        }
    }

    /// It has what its view began with, as far as its watermarks reach.
    fn take_up(&mut self) {
        let Some(begun) = self.begun.clone().filter(|begun| begun.view == self.view) else {
            return;
        };
        for proposal in &begun.proposals {
            if self.is_in_window(proposal.seq) {
                self.accept(begun.view, proposal.seq, proposal.digest);
            }
        }
    }

    fn place(&mut self, seq: Slot) -> &mut Place {
        self.places.entry(seq).or_default()
    }

    fn accept(&mut self, view: View, seq: Slot, digest: Digest) {
        self.place(seq).accepted.insert(view, digest);
    }

    /// All up to there is in this state.
    fn release(&mut self, certificate: &Arc<Certificate>, snapshot: &Arc<Snapshot>) {
        (self.stable, self.stable_state) = (certificate.clone(), snapshot.clone());
        self.places.retain(|seq, _| *seq > certificate.seq);
        self.checkpoints.retain(|seq, _| *seq >= certificate.seq);
        self.heard.release(certificate.seq);
        let named = |place: &Place| {
            let prepared = place.prepared.map(|(_, digest)| digest);
            [place.accepted.get(&self.view).copied(), prepared, place.committed]
        };
        let named: BTreeSet<Digest> = self.places.values().flat_map(named).flatten().collect();
        let is_needless = |digest: &&Digest| **digest != Digest::NULL && !named.contains(*digest);
        self.discarded.extend(self.held.iter().filter(is_needless));
    }

    fn hold(&mut self, digest: Digest, batch: &Arc<Batch>) {
        self.batches.insert(digest, batch.clone());
        self.held.insert(digest);
        self.discarded.remove(&digest);
    }

    fn hear_of(&mut self, batch: &Arc<Batch>) {
        let digest = self.kit.any().batch_digest(batch);
        self.batches.insert(digest, batch.clone());
    }

    fn step(&mut self, input: &Input<Message>) {
        self.cause = Cause::Nothing;
        self.answers.clear();
        self.owed.clear();
        match input {
            Input::Message { from, message } => self.on_message(*from, message),
            Input::Request { client, message } => {
                if let Body::Request(signed) = &message.body
                    && self.kit.of_node(self.me).is_direct_request_authentic(*client, signed)
                {
                    self.on_request(signed, true);
                    self.cause = Cause::Heard(Party::Client(*client), message.body.clone());
                }
            }
            Input::Timer(_) => self.cause = Cause::Timer,
            Input::Persisted(_) => {}
        }
    }

    /// Somebody says something; nothing follows from it unless that is proven.
    fn on_message(&mut self, from: NodeId, message: &Message) {
        let author = match &message.body {
            Body::NewView(new) => self.primary_of(new.view),
            _ => from,
        };
        let keys = self.kit.of_node(self.me);
        if from != self.me && !keys.is_authentic(Party::Node(author), message) {
            return;
        }
        self.hear(from, &message.body);
        self.cause = Cause::Heard(Party::Node(from), message.body.clone());
    }

    fn hear(&mut self, from: NodeId, body: &Body) {
        let is_honest = !self.kit.liars(self.me).contains(from);
        let counts = |node: &Self, view: View, seq| view >= node.view && node.is_in_window(seq);
        match body {
            Body::Request(signed) => {
                if self.kit.any().is_request_authentic(signed) {
                    self.on_request(signed, false);
                }
            }
            Body::PrePrepare { view, seq, digest, batch } => {
                self.hear_of(batch);
                if is_honest && from == self.primary_of(*view) {
                    self.agree(*view, *seq, *digest);
                }
            }
            Body::Prepare { view, seq, digest } => {
                let counts = counts(self, *view, *seq) && from != self.primary_of(*view);
                self.heard.vote(Kind::Prepare, (*view, *seq, *digest), from, counts);
                if is_honest {
                    self.agree(*view, *seq, *digest);
                }
            }
            Body::Commit { view, seq, digest } => {
                let counts = counts(self, *view, *seq);
                self.heard.vote(Kind::Commit, (*view, *seq, *digest), from, counts);
                if is_honest {
                    self.agree(*view, *seq, *digest);
                }
            }
            Body::Checkpoint { seq, digest } => self.heard.checkpoint(*seq, *digest, from),
            Body::ViewChange(wanted) => {
                if wanted.view <= View::LAST && proofs::is_view_change(&self.kit, wanted) {
                    self.heard.want(from, wanted.view);
                }
            }
            Body::Status { executed, .. } => self.on_status(from, *executed),
            Body::Committed { seq, digest } => {
                let counts = self.is_in_window(*seq) && self.committed(*seq).is_none();
                self.heard.tell_committed(*seq, *digest, from, counts);
            }
            Body::Fetched { batch } => self.hear_of(batch),
            Body::NewView(_)
            | Body::Stable(_)
            | Body::Fetch { .. }
            | Body::GetState { .. }
            | Body::State { .. }
            | Body::Reply { .. } => {}
        }
    }

    /// Which kind of state this is: how many of each thing there are, and how far they have come.
    fn spread(&self) -> u64 {
        let mut state = Spread(self.config().nodes.into());
        let few = |number: u64| number.min(3);
        let (view, executed) = (self.view, self.executed());
        let count = |is: &dyn Fn(&Place) -> bool| {
            few(self.places.values().filter(|place| is(place)).count() as u64)
        };
        for part in [
            self.config().checkpoint_every,
            few(view.0),
            u64::from(self.is_active),
            u64::from(self.leads()),
            few(executed.0),
            few(executed.since(self.stable.seq)),
            count(&|place| place.accepted.contains_key(&view)),
            count(&|place| place.prepared.is_some_and(|(of, _)| of == view)),
            count(&|place| place.prepared.is_some_and(|(of, _)| of < view)),
            count(&|place| place.committed.is_some()),
            u64::from(self.ahead.is_some()),
            few(self.fetched.len() as u64),
            few(self.reads.len() as u64),
        ] {
            state.add(part);
        }
        self.heard.counts().into_iter().for_each(|count| state.add(count));
        state.0
    }
}

/// Nodes of which something is so.
fn those(nodes: NodeSet, is_so: impl Fn(NodeId) -> bool) -> NodeSet {
    nodes.iter().filter(|node| is_so(*node)).collect()
}

/// A hash that is as quick as it has to be.
struct Spread(u64);

impl Spread {
    fn add(&mut self, part: u64) {
        self.0 = (self.0 ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}

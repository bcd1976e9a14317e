//! One replica of Viewstamped Replication, judged by PROTOCOLS A3: what it makes its own, sends and tells must follow
//! from what it holds and was told. It shares types with the core, and no code.

mod client;
mod duties;
mod log;
mod offers;
mod primary;
mod sayings;
mod tellings;

use std::collections::{BTreeMap, BTreeSet};

use quorate_systems::contract::{ClientId, Input, NodeId};
use quorate_systems::smr::{RequestNumber, Slot, Snapshot};
use quorate_systems::vr::{
    Config, CrashVector, Entry, Logged, Members, Message, Observation, Persistence, Record, State,
    Status, View, Vr,
};

pub(super) use self::client::VrClientModel;
use self::log::Log;
use self::offers::{Answer, Offers, Vote};
use self::primary::Primary;
use crate::stream::{Cluster, Expected, Model, OnDisk};

/// What is known of one node.
#[derive(Clone, Debug)]
pub struct VrModel(Option<Node>);

#[derive(Clone, Debug)]
pub(super) struct Node {
    me: NodeId,
    config: Config,
    incarnation: u64,
    now: u64,
    pub(super) members: Members,
    pub(super) view: View,
    last_normal: View,
    status: Status,
    pub(super) log: Log,
    executed: Slot,
    /// The last request of each client that took effect.
    table: BTreeMap<ClientId, RequestNumber>,
    /// How far its checkpoint reaches.
    checkpoint: Slot,
    /// What it has made durable in this life, or asked to.
    tickets: u64,
    /// What must be durable before it speaks for its view.
    view_ticket: u64,
    /// What the present step is about.
    cause: Option<(NodeId, Message)>,
    /// What others have said is committed, as far as it may go by that.
    told: Slot,
    /// With witnesses: what others have said that all who execute have.
    held: Slot,
    /// Which life of whom is known, with crash vectors.
    lives: BTreeMap<NodeId, u64>,
    offers: Offers,
    /// With which number it asks for a log, and of which view.
    asked: Option<(u64, View)>,
    /// With which number it asks for everything.
    recovering: Option<u64>,
    primary: Option<Primary>,
    /// The view that it led, and gave up without a view change.
    lost: Option<View>,
    /// To whom it has granted a lease, and until when.
    grant: (Option<NodeId>, u64),
    /// The request that must have an op-number by the end of the step.
    owes: Option<(ClientId, RequestNumber)>,
    /// What it tells others to append in this step.
    prepares: Vec<(View, Slot, u64)>,
    requested: BTreeSet<(ClientId, RequestNumber)>,
    /// Others have told a log that there cannot be.
    is_absurd: bool,
}

/// So close to the last view that there can be there may be none to wait for.
const FEW_VIEWS: u64 = 64;

/// Whoever executes, and leads, of these replicas.
pub(super) fn leaders(config: &Config, members: Members) -> Members {
    if config.has_witnesses { members.actives() } else { members }
}

impl VrModel {
    /// The node that is modelled.
    pub(super) fn node(&self) -> Option<&Node> {
        self.0.as_ref()
    }
}

impl Model<Vr> for VrModel {
    fn new() -> Self {
        Self(None)
    }

    fn reset(&mut self, cluster: &Cluster<Vr>, me: NodeId) {
        self.0 = Some(Node::new(&cluster.config, me));
    }

    fn at(&mut self, now: u64) {
        if let Some(node) = &mut self.0 {
            node.now = now;
        }
    }

    fn start(&mut self, incarnation: u64, disk: &OnDisk<'_, Record>, expected: &mut Expected<Vr>) {
        expected.know_nothing();
        if let Some(node) = &mut self.0 {
            node.start(incarnation, disk);
        }
    }

    fn step(&mut self, input: &Input<Message>, expected: &mut Expected<Vr>) {
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
        if let Some(node) = &mut self.0 {
            node.is_over();
        }
    }

    fn is_absurd(&self) -> bool {
        self.0.as_ref().is_some_and(|node| node.is_absurd)
    }

    /// Whoever is in an epoch waits for somebody, or leads; where there are no more views nobody waits for one.
    fn timers_min(&self) -> usize {
        let is_out = |node: &Node| {
            node.is_absurd
                || node.status == Status::Outside
                || node.view.number >= View::NUMBER_MAX - FEW_VIEWS
        };
        usize::from(!self.0.as_ref().is_none_or(is_out))
    }

    fn state(&self) -> u64 {
        self.0.as_ref().map_or(0, Node::state)
    }
}

impl Node {
    fn new(config: &Config, me: NodeId) -> Self {
        Self {
            me,
            config: config.clone(),
            incarnation: 0,
            now: 0,
            members: config.members,
            view: View::FIRST,
            last_normal: View::FIRST,
            status: Status::Normal,
            log: Log::default(),
            executed: Slot::ZERO,
            table: BTreeMap::new(),
            checkpoint: Slot::ZERO,
            tickets: 0,
            view_ticket: 0,
            cause: None,
            told: Slot::ZERO,
            held: Slot::ZERO,
            lives: BTreeMap::new(),
            offers: Offers::default(),
            asked: None,
            recovering: None,
            primary: None,
            lost: None,
            grant: (None, 0),
            owes: None,
            prepares: Vec::new(),
            requested: BTreeSet::new(),
            is_absurd: false,
        }
    }

    /// The entries of its log after `after`.
    pub(super) fn entries_after(&self, after: Slot) -> Vec<Logged> {
        self.log.after(after)
    }

    /// With which number it asks for everything, or 0.
    pub(super) fn recovery_nonce(&self) -> u64 {
        self.recovering.unwrap_or(0)
    }

    /// With which number it asks for a log, or 0.
    pub(super) fn transfer_nonce(&self) -> u64 {
        self.asked.map_or(0, |(nonce, _)| nonce)
    }

    fn primary_of(&self, view: View) -> NodeId {
        leaders(&self.config, self.members).primary(view)
    }

    /// Whether it stores for others, and executes nothing.
    fn is_witness(&self) -> bool {
        self.members.contains(self.me) && !leaders(&self.config, self.members).contains(self.me)
    }

    fn is_over_life(&self, node: NodeId, life: u64) -> bool {
        self.config.persistence == Persistence::CrashVector
            && self.lives.get(&node).is_some_and(|known| life < *known)
    }

    /// It comes up, with nothing but its disk.
    fn start(&mut self, incarnation: u64, disk: &OnDisk<'_, Record>) {
        let requested = std::mem::take(&mut self.requested);
        let is_absurd = self.is_absurd;
        let (now, mut log) = (self.now, std::mem::take(&mut self.log));
        log.clear();
        *self = Self {
            incarnation,
            now,
            log,
            requested,
            is_absurd,
            ..Self::new(&self.config, self.me)
        };
        if let Some(lease) = self.config.lease
            && incarnation > 1
        {
            self.grant = (None, now + duties::granted(lease));
        }
        if self.config.persistence == Persistence::CrashVector {
            self.lives.insert(self.me, incarnation);
        }
        for record in disk.checkpoint.iter().chain(disk.log) {
            self.recover(record);
        }
        let is_normal = self.view == self.last_normal;
        self.status = if is_normal { Status::Normal } else { Status::ViewChange };
        self.told = self.log.commit;
        self.is_absurd |= self.log.is_absurd();
    }

    fn recover(&mut self, record: &Record) {
        match record {
            Record::View { view } => self.view = self.view.max(*view),
            Record::Prepared { view, op, entry, commit } => {
                self.log.hear(entry);
                if *op == self.log.last().next() {
                    self.log.push(*view, entry.digest());
                    self.log.raise_commit(*commit);
                }
            }
            Record::Adopted { view, state, snapshot } => {
                if let Some(snapshot) = snapshot {
                    self.log.restart(snapshot.index);
                    self.load(snapshot);
                }
                self.hold(state.held);
                self.log.replace(state.log.clone());
                self.log.raise_commit(state.commit);
                (self.view, self.last_normal) = (*view, *view);
            }
            Record::Checkpoint { snapshot } => {
                self.log.release(snapshot.index);
                self.load(snapshot);
            }
            Record::Held { op } => self.hold(*op),
            Record::Epoch { view, op, new, has_executed, is_normal, .. } => {
                if *has_executed {
                    self.log.raise_commit(*op);
                }
                (self.members, self.view) = (*new, *view);
                if *is_normal {
                    self.last_normal = *view;
                }
            }
        }
    }

    /// The state that a checkpoint stands for.
    fn load(&mut self, snapshot: &Snapshot) {
        self.checkpoint = snapshot.index;
        if !self.is_witness() {
            self.executed = snapshot.index;
            let clients = snapshot.clients.iter();
            self.table = clients.map(|(client, session)| (*client, session.number)).collect();
        }
    }

    fn hold(&mut self, held: Slot) {
        self.held = self.held.max(held);
        if self.is_witness() {
            self.log.release(held);
        }
    }

    fn step(&mut self, input: &Input<Message>) {
        self.cause = None;
        self.owes = None;
        self.prepares.clear();
        match input {
            Input::Message { from, message } => {
                self.hear_of_entries(message);
                self.on_message(*from, message);
                self.cause = Some((*from, message.clone()));
            }
            Input::Request { client, message } => self.on_request(*client, message),
            Input::Persisted(_) | Input::Timer(_) => {}
        }
    }

    fn hear_of_entries(&mut self, message: &Message) {
        match message {
            Message::Prepare { entry, .. } => self.log.hear(entry),
            Message::DoViewChange { state, .. }
            | Message::StartView { state, .. }
            | Message::NewState { state, .. }
            | Message::RecoveryResponse { state: Some(state), .. } => self.log.hear_of(state),
            Message::Relay { client, number, command } => {
                let (client, number, command) = (*client, *number, command.clone());
                self.requested.insert((client, number));
                self.log.hear(&Entry::Request(quorate_systems::smr::Request {
                    client,
                    number,
                    command,
                }));
            }
            _ => {}
        }
    }

    fn on_message(&mut self, from: NodeId, message: &Message) {
        if sayings::view_of(message).is_some_and(|view| view.epoch != self.view.epoch) {
            return;
        }
        if let Some(crashes) = sayings::crashes_of(message)
            && !self.learns_lives(from, crashes)
        {
            return;
        }
        match message {
            Message::Prepare { view, commit, held, .. }
            | Message::Commit { view, commit, held, .. } => {
                self.on_word_of_primary(from, *view, (*commit, *held));
            }
            Message::PrepareOk { view, op } => {
                if let Some(primary) = &mut self.primary
                    && primary.view == *view
                    && *op <= self.log.last()
                {
                    primary.on_prepare_ok(from, *op);
                }
            }
            Message::CommitOk { view, round } => {
                if let Some(primary) = &mut self.primary
                    && primary.view == *view
                {
                    primary.on_commit_ok(from, *round);
                }
            }
            Message::DoViewChange { view, last_normal, state, crashes } => {
                let life = crashes.get(from).0;
                let (last_normal, state) = (*last_normal, State::clone(state));
                self.on_vote(from, *view, Vote { last_normal, state, life });
            }
            Message::StartView { view, state, .. } => self.on_start_view(from, *view, state),
            Message::StartEpoch { view, assigned, op, .. } => {
                let has_it = self.log.get(*op).is_some_and(|(view, _)| view == *assigned);
                if *view == self.view.next_epoch() && has_it {
                    self.told = self.told.max(*op);
                }
            }
            Message::NewState { view, nonce, state } => self.on_new_state(*view, *nonce, state),
            Message::RecoveryResponse { nonce, view, state, crashes } => {
                let is_possible = self.members.contains(from) && view.is_possible();
                if self.recovering == Some(*nonce) && from != self.me && is_possible {
                    let state = state.as_deref().cloned();
                    self.on_answer(from, Answer { view: *view, state, life: crashes.get(from).0 });
                }
            }
            _ => {}
        }
    }

    fn on_word_of_primary(&mut self, from: NodeId, view: View, (commit, held): (Slot, Slot)) {
        if view == self.view && from == self.primary_of(view) {
            self.told = self.told.max(commit);
            self.held = self.held.max(held);
        }
    }

    fn on_start_view(&mut self, from: NodeId, view: View, state: &State) {
        if from == self.primary_of(view) && from != self.me && view >= self.view {
            self.held = self.held.max(state.held);
            self.offers.offer(view, state.clone());
        }
    }

    fn on_new_state(&mut self, view: View, nonce: u64, state: &State) {
        if self.asked.is_some_and(|(asked, least)| asked == nonce && view >= least) {
            self.told = self.told.max(state.commit);
            self.held = self.held.max(state.held);
            self.offers.offer(view, state.clone());
        }
    }

    /// With crash vectors: whether a message counts, and what it tells of lives.
    fn learns_lives(&mut self, from: NodeId, crashes: &CrashVector) -> bool {
        if self.config.persistence != Persistence::CrashVector {
            return true;
        }
        if self.is_over_life(from, crashes.get(from).0) {
            return false;
        }
        for (node, life) in crashes.iter() {
            let known = self.lives.entry(node).or_default();
            *known = life.0.max(*known);
        }
        true
    }

    fn on_vote(&mut self, from: NodeId, view: View, vote: Vote) {
        let takes_part =
            matches!(self.status, Status::Normal | Status::ViewChange | Status::StateTransfer);
        let is_for_it = self.primary_of(view) == self.me && self.members.contains(from);
        let is_open = view > self.view || (view == self.view && self.status == Status::ViewChange);
        if !takes_part || !is_for_it || !is_open || !view.is_possible() {
            return;
        }
        self.held = self.held.max(vote.state.held);
        let (me, members, lives) = (self.me, self.members, self.lives.clone());
        let is_guarded = self.config.persistence == Persistence::CrashVector;
        let is_over = |node: NodeId, life: u64| {
            is_guarded && lives.get(&node).is_some_and(|known| life < *known)
        };
        self.offers.vote(view, (from, vote), (me, members), is_over);
    }

    fn on_answer(&mut self, from: NodeId, answer: Answer) {
        let leading = leaders(&self.config, self.members);
        let (members, lives) = (self.members, self.lives.clone());
        let is_guarded = self.config.persistence == Persistence::CrashVector;
        let is_over = |node: NodeId, life: u64| {
            is_guarded && lives.get(&node).is_some_and(|known| life < *known)
        };
        if let Some(state) = &answer.state {
            self.held = self.held.max(state.held);
        }
        self.offers.answer((from, answer), members, |view| leading.primary(view), is_over);
    }

    fn has_persisted(&mut self, record: &Record) {
        self.tickets += 1;
        let is_kept = match self.config.persistence {
            Persistence::Durable => true,
            Persistence::DurableView => {
                matches!(record, Record::View { .. } | Record::Epoch { .. })
            }
            Persistence::CrashVector | Persistence::Paper => false,
        };
        assert!(is_kept, "nothing of this is kept on disk: {record:?}");
        if let Record::Prepared { entry, .. } = record {
            self.log.hear(entry);
        }
    }

    fn is_over(&mut self) {
        if self.is_absurd {
            return;
        }
        if let Some(owed) = self.owes {
            panic!("it leads, and has not prepared {owed:?}: {:?}", self.primary);
        }
        for (view, op, entry) in std::mem::take(&mut self.prepares) {
            let has = self.log.get(op);
            let is_gone = op <= self.log.base;
            // What an earlier primary has prepared is prepared anew.
            let has = has.filter(|(assigned, _)| *assigned <= view).map(|(_, entry)| entry);
            assert!(is_gone || has == Some(entry), "{op} of {view} is prepared, not {has:?}");
        }
    }

    /// Which kind of state this is: how many of each thing there are, and how far they have come.
    fn state(&self) -> u64 {
        let mut state = Spread(self.config.nodes.into());
        let few = |number: u64| number.min(3);
        for part in [
            self.config.window,
            self.config.checkpoint_every,
            self.incarnation.min(3),
            self.status as u64,
            few(self.view.number),
            few(self.view.epoch),
            few(self.view.number.saturating_sub(self.last_normal.number)),
            few(self.log.last().since(self.log.commit)),
            few(self.log.commit.since(self.log.base)),
            few(self.executed.0),
            few(self.told.since(self.log.last())),
            u64::from(self.primary.is_some()),
            u64::from(self.asked.is_some()),
            u64::from(self.now < self.grant.1),
        ] {
            state.add(part);
        }
        self.offers.counts().into_iter().for_each(|count| state.add(count));
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

//! The replica core: what it holds, how it starts, and what it does with what comes in.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Pbft;
use super::authentication::Keys;
use super::catch_up::Catching;
use super::checkpoints::Checkpoints;
use super::log::{Accepted, Assignment, Cast, Log};
use super::message::{Body, Certificate, Message, NewView, Observation, Record, SignedViewChange};
use super::options::{Config, Execution};
use super::primary::Primary;
use super::proof::Proof;
use super::reads::WaitingReads;
use super::requests::Patience;
use super::view::View;
use super::view_change::Change;
use crate::contract::{
    ClientId, Incarnation, Input, LocalTime, NodeId, Outbox, Recovered, Replica, Start, StartError,
    TimerId,
};
use crate::parties::Party;
use crate::smr::{Machine, Slot, Snapshot};

/// One replica of the state machine.
#[derive(Debug)]
pub struct PbftReplica {
    pub(super) me: NodeId,
    pub(super) config: Config,
    pub(super) keys: Keys,
    pub(super) view: View,
    /// Whether its view has begun for it. Otherwise it has left all lower ones, and takes part in none.
    pub(super) is_active: bool,
    /// How the last view began that has begun for it, unless that is the first.
    pub(super) beginning: Option<Box<Beginning>>,
    /// What is held for the sequence numbers after the last stable checkpoint.
    pub(super) log: Log,
    /// The state after all that is committed without a gap.
    pub(super) machine: Machine,
    /// With tentative execution: the state after what is prepared, too.
    pub(super) ahead: Option<Box<Machine>>,
    /// The last checkpoint that is known to be stable, with the state there.
    pub(super) stable: Arc<Certificate>,
    pub(super) stable_state: Arc<Snapshot>,
    /// Checkpoints that are not known to be stable.
    pub(super) checkpoints: Checkpoints,
    /// What it does as primary of its view.
    pub(super) primary: Option<Box<Primary>>,
    /// Reads that wait.
    pub(super) reads: WaitingReads,
    /// Whom it waits with.
    pub(super) patience: Patience,
    /// Who wants which view.
    pub(super) change: Change,
    /// What it asks others for.
    pub(super) catching: Catching,
}

/// How a view began.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) new_view: Arc<NewView>,
    pub(super) by: NodeId,
    pub(super) proof: Proof,
}

/// Fires when a request has waited for too long, or a view for its beginning.
pub(super) const VIEW: TimerId = TimerId(0);
/// Fires when it is time to tell others what is here.
pub(super) const STATUS: TimerId = TimerId(1);

impl Replica<Pbft> for PbftReplica {
    fn start(start: Start<Pbft>, out: &mut Outbox<Pbft>) -> Result<Self, StartError> {
        let Start { me, incarnation, config, keys, records, .. } = start;
        let keys = Keys::new(&config, &keys, Party::Node(me));
        let mut replica = Self {
            me,
            config,
            keys,
            view: View::FIRST,
            is_active: true,
            beginning: None,
            log: Log::default(),
            machine: Machine::default(),
            ahead: None,
            stable: Arc::default(),
            stable_state: Arc::default(),
            checkpoints: Checkpoints::default(),
            primary: None,
            reads: WaitingReads::default(),
            patience: Patience::default(),
            change: Change::default(),
            catching: Catching::default(),
        };
        for record in records {
            match record {
                Recovered::Intact(record) => replica.recover(record),
                // It may be a vote that others rely on.
                Recovered::Corrupt { place } => return Err(StartError::CorruptRecord { place }),
            }
        }
        replica.machine = Machine::new((*replica.stable_state).clone());
        replica.begin(incarnation > Incarnation(1), out);
        replica.assert_invariants();
        Ok(replica)
    }

    fn step(&mut self, _now: LocalTime, input: Input<Message>, out: &mut Outbox<Pbft>) {
        match input {
            Input::Message { from, message } => self.on_message(from, message, out),
            Input::Request { client, message } => self.on_client_message(client, message, out),
            // Nothing is done on durability but to send what waited for it.
            Input::Persisted(_) => {}
            Input::Timer(VIEW) => self.on_view_timer(out),
            Input::Timer(STATUS) => self.on_status_timer(out),
            Input::Timer(_) => out.ignore("timer without a meaning"),
        }
        self.execute_what_came(out);
        self.hurry_if_waiting(out);
        self.assert_invariants();
    }

    fn checkpoint(&self) -> Vec<Record> {
        let mut records = Vec::new();
        if self.stable.seq > Slot::ZERO {
            let (certificate, snapshot) = (self.stable.clone(), self.stable_state.clone());
            records.push(Record::Stable { certificate, snapshot });
        }
        let batches = self.log.batches().map(|(_, batch)| batch.clone());
        records.extend(batches.map(|batch| Record::Fetched { batch }));
        if let Some(Beginning { new_view, by, proof }) = self.beginning.as_deref() {
            let (new_view, by, proof) = (new_view.clone(), *by, proof.clone());
            records.push(Record::ViewEntered { new_view, by, proof });
        }
        self.log.places().for_each(|(seq, place)| self.record_place(seq, place, &mut records));
        if !self.is_active {
            records.push(Record::ViewLeft { view: self.view });
        }
        records
    }
}

impl PbftReplica {
    /// What is to be known of one sequence number.
    fn record_place(&self, seq: Slot, place: &super::log::Place, records: &mut Vec<Record>) {
        for (digest, view) in Log::vouched_at(place) {
            let Some(batch) = self.log.batch(digest).cloned() else { continue };
            let last = place.accepted_in(view).filter(|accepted| accepted.digest == digest);
            // What was accepted before is never shown to anybody again.
            let proof = last.map_or(Proof::Itself, |accepted| accepted.proof.clone());
            records.push(Record::PrePrepared { view, seq, digest, batch, proof });
        }
        if let Some(prepared) = &place.prepared {
            let (view, digest, votes) = (prepared.view, prepared.digest, prepared.votes.clone());
            records.push(Record::Prepared { view, seq, digest, votes });
        }
        if let Some(digest) = place.committed {
            records.push(Record::Committed { seq, digest });
        }
    }

    fn recover(&mut self, record: Record) {
        match record {
            Record::ViewLeft { view } => {
                self.view = view;
                self.is_active = false;
            }
            Record::ViewEntered { new_view, by, proof } => {
                self.view = new_view.view;
                self.is_active = true;
                self.beginning = Some(Box::new(Beginning { new_view, by, proof }));
                self.recover_proposals();
            }
            Record::PrePrepared { view, seq, digest, batch, proof } => {
                self.log.hold(digest, batch);
                self.recover_accepted(Assignment { view, seq, digest }, proof);
                self.recover_vouched(digest);
            }
            Record::Fetched { batch } => {
                let digest = self.keys.batch_digest(&batch);
                self.log.hold(digest, batch);
                self.recover_vouched(digest);
            }
            Record::Prepared { view, seq, digest, votes } => {
                self.recover_prepared(Assignment { view, seq, digest }, votes);
            }
            Record::Committed { seq, digest } => {
                if seq > self.log.low() {
                    self.log.place(seq).committed = Some(digest);
                }
            }
            Record::Stable { certificate, snapshot } => {
                self.log.truncate(certificate.seq);
                self.stable = certificate;
                self.stable_state = snapshot;
                self.recover_proposals();
            }
        }
    }

    /// Takes up what it was.
    fn begin(&mut self, is_again: bool, out: &mut Outbox<Pbft>) {
        self.execute_committed(false, out);
        self.roll_back();
        if self.is_active && self.config.primary(self.view) == self.me {
            self.lead();
        }
        self.set_status_timer(is_again, out);
        if !self.is_active {
            self.ask_for_view(out);
        } else if is_again {
            out.mark("restarted");
            self.repeat_votes_to_itself(out);
        }
    }

    /// What a node sends.
    fn on_message(&mut self, from: NodeId, message: Message, out: &mut Outbox<Pbft>) {
        if !self.config.has(from) {
            return out.ignore("from outside the cluster");
        }
        if let Some(why) = self.needless(from, &message.body) {
            return out.ignore(why);
        }
        let author = self.author(from, &message.body);
        // What a replica tells itself has not been on any link.
        if from != self.me && !self.keys.is_authentic(author, &message) {
            return out.ignore("not authentic");
        }
        let Message { body, proof } = message;
        match body {
            Body::Request(signed) => self.on_request(Party::Node(from), signed, out),
            Body::PrePrepare { view, seq, digest, batch } => {
                let assignment = Assignment { view, seq, digest };
                self.on_pre_prepare(from, assignment, batch, proof, out);
            }
            Body::Prepare { view, seq, digest } => {
                self.on_prepare(from, seq, Cast { view, digest, proof }, out);
            }
            Body::Commit { view, seq, digest } => {
                self.on_commit(from, seq, Cast { view, digest, proof }, out);
            }
            Body::Checkpoint { seq, digest } => self.on_checkpoint(from, seq, (digest, proof), out),
            Body::ViewChange(body) => {
                self.on_view_change(SignedViewChange { by: from, body, proof }, out);
            }
            Body::NewView(new_view) => self.on_new_view(new_view, proof, out),
            Body::Status { view, is_active, stable, executed } => {
                self.on_status(from, (view, is_active), (stable, executed), out);
            }
            Body::Committed { seq, digest } => self.on_committed(from, seq, digest, out),
            Body::Stable(certificate) => self.on_stable(&certificate, out),
            Body::Fetch { digest } => self.on_fetch(from, digest, out),
            Body::Fetched { batch } => self.on_fetched(batch, out),
            Body::GetState { seq } => self.on_get_state(from, seq, out),
            Body::State { certificate, snapshot } => self.on_state(certificate, snapshot, out),
            Body::Reply { .. } => out.ignore("not for a replica"),
        }
    }

    /// Who must have said it: NEW-VIEWs are passed on by others.
    fn author(&self, from: NodeId, body: &Body) -> Party {
        match body {
            Body::NewView(new_view) => Party::Node(self.config.primary(new_view.view)),
            _ => Party::Node(from),
        }
    }

    /// Why a message need not be looked at: most of those that come late are found out before anything is verified.
    fn needless(&self, from: NodeId, body: &Body) -> Option<&'static str> {
        match body {
            Body::PrePrepare { view, seq, digest, .. } => {
                let is_known = |known: &Accepted| known.is_vouched && known.digest == *digest;
                self.needless_vote(*view, *seq, |place| {
                    place.accepted_in(*view).is_some_and(is_known)
                })
            }
            Body::Prepare { view, seq, .. } => {
                self.needless_vote(*view, *seq, |place| place.prepared_in(*view).is_some())
            }
            Body::Commit { view, seq, .. } => {
                self.needless_vote(*view, *seq, |place| place.committed.is_some())
            }
            Body::Checkpoint { seq, .. } => {
                (*seq <= self.stable.seq).then_some("CHECKPOINT before one that is stable")
            }
            Body::ViewChange(view_change) => self.needless_view_change(from, view_change),
            Body::NewView(new_view) => self.needless_new_view(new_view.view),
            Body::Request(_)
            | Body::Reply { .. }
            | Body::Status { .. }
            | Body::Committed { .. }
            | Body::Stable(_)
            | Body::Fetch { .. }
            | Body::Fetched { .. }
            | Body::GetState { .. }
            | Body::State { .. } => None,
        }
    }

    fn on_client_message(&mut self, client: ClientId, message: Message, out: &mut Outbox<Pbft>) {
        match message.body {
            Body::Request(signed) => self.on_request(Party::Client(client), signed, out),
            _ => out.ignore("not from a client"),
        }
    }

    /// Tells every other replica.
    pub(super) fn tell_others(&self, body: &Body, out: &mut Outbox<Pbft>) {
        self.tell_each(self.others(), body, out);
    }

    /// Tells every replica, itself as well: its own vote counts once it is durable, as any other.
    pub(super) fn tell_all(&self, body: &Body, out: &mut Outbox<Pbft>) {
        self.tell_each(self.config.nodes(), body, out);
    }

    fn tell_each(&self, nodes: impl Iterator<Item = NodeId>, body: &Body, out: &mut Outbox<Pbft>) {
        let shared = self.keys.prove_to_all(body);
        for node in nodes {
            let proof = shared.clone();
            let proof = proof.unwrap_or_else(|| self.keys.prove(Party::Node(node), body));
            out.send(node, Message { body: body.clone(), proof });
        }
    }

    /// Tells one replica.
    pub(super) fn tell(&self, to: NodeId, body: Body, out: &mut Outbox<Pbft>) {
        let proof = self.keys.prove(Party::Node(to), &body);
        out.send(to, Message { body, proof });
    }

    /// All other replicas.
    pub(super) fn others(&self) -> impl Iterator<Item = NodeId> + use<> {
        let me = self.me;
        self.config.nodes().filter(move |node| *node != me)
    }

    /// The last sequence number that is executed.
    pub(super) fn executed(&self) -> Slot {
        self.machine.applied()
    }

    /// Forgets what was executed and is not committed.
    pub(super) fn roll_back(&mut self) {
        self.ahead = (self.config.execution == Execution::Tentative)
            .then(|| Box::new(Machine::new(self.machine.snapshot())));
    }

    pub(super) fn observe_left(&self, ticket: u64, out: &mut Outbox<Pbft>) {
        out.observe(Observation::ViewLeft { view: self.view, ticket });
    }

    fn assert_invariants(&self) {
        assert!(self.log.low() == self.stable.seq, "what is discarded is stable, and all of it");
        assert!(self.executed() >= self.stable.seq, "what is stable here is executed here");
        assert!(self.stable_state.index == self.stable.seq, "the state is that of the checkpoint");
        assert!(self.primary.is_none() || self.is_active, "a primary takes part in its view");
        assert!(
            self.patience.awaited.is_none() || self.is_active,
            "requests are waited for where they can be executed"
        );
    }
}

//! The replica core: what it holds, how it starts, and what it does with what comes in.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Vr;
use super::adoption::Adoption;
use super::crashes::CrashVector;
use super::entry::{Entry, Logged, Suffix};
use super::epochs::Handover;
use super::message::{Message, Observation, Record, State, Status};
use super::options::{Config, Guard, Persistence};
use super::primary::Primary;
use super::recovery::Recovery;
use super::transfer::Transfer;
use super::view::{Members, View};
use super::view_change::Change;
use crate::contract::{
    After, ClientId, Incarnation, Input, LocalTime, Micros, NodeId, Outbox, Recovered, Replica,
    Start, StartError, Ticket, TimerId,
};
use crate::mutant::Mutant;
use crate::smr::{Grant, Log, Machine, Relay, Request, RequestNumber, Slot, Snapshot, later};

/// One replica of the state machine, or a node that waits to become one.
#[derive(Debug)]
pub struct VrReplica {
    pub(super) me: NodeId,
    pub(super) config: Config,
    /// The local clock at the present step.
    pub(super) now: LocalTime,
    pub(super) status: Status,
    pub(super) view: View,
    /// The last view in which it was in status normal: its log is of that view.
    pub(super) last_normal: View,
    /// The replicas of its epoch.
    pub(super) members: Members,
    /// How its epoch began, unless it is the first.
    pub(super) handover: Option<Handover>,
    /// Entries with the views in which they were assigned; its commit index is the commit-number.
    pub(super) log: Log<View, Entry>,
    /// The state after all that is committed and executed.
    pub(super) machine: Machine,
    /// With replies at prepare: the state after all that is in the log.
    pub(super) ahead: Option<Box<Machine>>,
    /// The state that stands for what is no longer in the log; a witness's log has nothing before it.
    pub(super) checkpoint: Box<Snapshot>,
    /// With witnesses: every replica that executes has all up to here.
    pub(super) held: Slot,
    /// With crash vectors: which life of whom is the last that it knows of.
    pub(super) crashes: CrashVector,
    /// The last request of each client that it has prepared, and not executed.
    pub(super) in_flight: BTreeMap<ClientId, RequestNumber>,
    /// Entries of its view that came before the one before them.
    pub(super) early: BTreeMap<Slot, Entry>,
    /// Every entry up to it is committed, as the primary said.
    pub(super) heard_commit: Slot,
    /// To whom it has granted a lease.
    pub(super) grant: Grant,
    /// As whom clients ask that do not reach the primary.
    pub(super) relay: Relay,
    /// What it does as primary of its view, in status normal.
    pub(super) primary: Option<Box<Primary>>,
    /// Who wants which view, and who has voted for its own.
    pub(super) change: Change,
    /// A log that waits for the checkpoint before it.
    pub(super) adoption: Option<Box<Adoption>>,
    /// What it asked for, in status state-transfer or transitioning.
    pub(super) transfer: Option<Transfer>,
    /// What it was answered, in status recovering.
    pub(super) recovery: Option<Box<Recovery>>,
    /// Whether it has heard from the primary since the view timer was set.
    pub(super) is_primary_heard: bool,
    /// Whether the timer runs after which a gap is none of order any more.
    pub(super) is_gap_timed: bool,
    /// Whether it has asked how its view began since the timer was set.
    pub(super) is_start_asked: bool,
    /// How many views in a row have not begun.
    pub(super) fruitless: u32,
    /// The record by which its view began for it.
    pub(super) view_ticket: Option<Ticket>,
    entropy: u64,
    questions: u64,
}

/// Fires when no primary was heard.
pub(super) const VIEW: TimerId = TimerId(0);
/// The primary's: begin the next round.
pub(super) const COMMIT: TimerId = TimerId(1);
/// Send again what was not answered.
pub(super) const RESEND: TimerId = TimerId(2);
/// A gap is one.
pub(super) const GAP: TimerId = TimerId(3);

/// How long an answer may take.
pub(super) const PATIENCE: (Micros, Micros) = (Micros(80_000), Micros(120_000));
/// How long nobody leads before a backup asks for another view. A wide span: not all need ask.
const VIEW_SPAN: (Micros, Micros) = (Micros(300_000), Micros(600_000));
/// So often may that span double while no view begins.
const DOUBLINGS_MAX: u32 = 2;

impl Replica<Vr> for VrReplica {
    fn start(start: Start<Vr>, out: &mut Outbox<Vr>) -> Result<Self, StartError> {
        let Start { me, incarnation, config, entropy, now, records, .. } = start;
        let is_again = incarnation > Incarnation(1);
        // An earlier life may have granted a lease, and nothing of that is on disk.
        let grant = match config.lease {
            Some(lease) if is_again => Grant::unknown(later(now, lease.granted())),
            Some(_) | None => Grant::default(),
        };
        let members = config.members;
        let mut replica = Self {
            me,
            config,
            now,
            status: Status::Normal,
            view: View::FIRST,
            last_normal: View::FIRST,
            members,
            handover: None,
            log: Log::default(),
            machine: Machine::default(),
            ahead: None,
            checkpoint: Box::default(),
            held: Slot::ZERO,
            crashes: CrashVector::new(),
            in_flight: BTreeMap::new(),
            early: BTreeMap::new(),
            heard_commit: Slot::ZERO,
            grant,
            relay: Relay::default(),
            primary: None,
            change: Change::default(),
            adoption: None,
            transfer: None,
            recovery: None,
            is_primary_heard: false,
            is_gap_timed: false,
            is_start_asked: false,
            fruitless: 0,
            view_ticket: None,
            entropy,
            questions: 0,
        };
        if replica.config.guard() == Guard::Crashes {
            replica.crashes.raise(me, incarnation);
        }
        for record in records {
            match record {
                Recovered::Intact(record) => replica.recover(record),
                Recovered::Corrupt { .. } if replica.config.mutants.deviates(Mutant::V20) => {}
                // What it said may have been prepared: nobody may take that for undone.
                Recovered::Corrupt { place } => return Err(StartError::CorruptRecord { place }),
            }
        }
        replica.machine = Machine::new((*replica.checkpoint).clone());
        replica.begin(is_again, out);
        replica.assert_invariants();
        Ok(replica)
    }

    fn step(&mut self, now: LocalTime, input: Input<Message>, out: &mut Outbox<Vr>) {
        self.now = now;
        match input {
            Input::Message { from, message } => self.on_message(from, message, out),
            Input::Request { client, message } => self.on_client_message(client, message, out),
            // Nothing is done on durability but to send what waited for it.
            Input::Persisted(_) => {}
            Input::Timer(id) => self.on_timer(id, out),
        }
        self.assert_invariants();
    }

    fn remembers(&self) -> bool {
        // Who is outside now may still have to tell others what was before their epoch.
        let has_lost_it = |handover: &Handover| {
            handover.old.contains(self.me) && self.machine.applied() < handover.op
        };
        match self.status {
            Status::Recovering => false,
            Status::Outside => !self.handover.as_ref().is_some_and(has_lost_it),
            Status::Normal | Status::ViewChange | Status::StateTransfer | Status::Transitioning => {
                true
            }
        }
    }

    fn checkpoint(&self) -> Vec<Record> {
        let mut records = Vec::new();
        // How far it has executed stands in the next record.
        let is_normal = self.last_normal.epoch == self.view.epoch;
        let first = View { number: 0, ..self.view };
        records.extend(self.epoch_record(first, false, is_normal));
        if self.config.persistence == Persistence::Durable {
            let snapshot = (self.checkpoint.index > Slot::ZERO).then(|| self.checkpoint.clone());
            let state = Box::new(self.state_after(self.log.base()));
            records.push(Record::Adopted { view: self.last_normal, state, snapshot });
        }
        if self.view > self.last_normal || self.config.persistence == Persistence::DurableView {
            records.push(Record::View { view: self.view });
        }
        records
    }
}

impl VrReplica {
    fn recover(&mut self, record: Record) {
        match record {
            Record::View { view } => self.view = self.view.max(view),
            Record::Prepared { view, op, entry, commit } => {
                if op == self.log.last().next() {
                    self.log.push(view, entry);
                    self.log.set_commit(commit.max(self.log.commit()));
                }
            }
            Record::Adopted { view, state, snapshot } => {
                if let Some(snapshot) = snapshot {
                    self.log.restart(snapshot.index);
                    self.checkpoint = snapshot;
                }
                let State { log, commit, held } = *state;
                self.hold(held);
                self.replace_log(log);
                self.log.set_commit(commit.max(self.log.commit()));
                (self.view, self.last_normal) = (view, view);
            }
            Record::Checkpoint { snapshot } => {
                self.log.truncate(snapshot.index);
                self.checkpoint = snapshot;
            }
            Record::Held { op } => self.hold(op),
            Record::Epoch { view, assigned, op, old, new, has_executed, is_normal } => {
                if has_executed {
                    self.log.set_commit(op.max(self.log.commit()));
                }
                self.members = new;
                self.handover = Some(Handover::new((assigned, op), old));
                self.view = view;
                if is_normal {
                    self.last_normal = view;
                }
            }
        }
    }

    /// Puts the entries of a suffix in place of whatever its log has there, but for what is committed.
    pub(super) fn replace_log(&mut self, log: Suffix) {
        let log = log.beyond(self.log.commit());
        // A witness has nothing before what all others have.
        if log.after > self.log.last() {
            self.log.restart(log.after);
        }
        self.log.cut(log.after);
        for (_, Logged { view, entry }) in log.numbered() {
            self.log.push(view, entry);
        }
    }

    /// Takes up what it was, as far as it knows that.
    fn begin(&mut self, is_again: bool, out: &mut Outbox<Vr>) {
        let is_diskless = self.config.persistence.is_diskless();
        if is_diskless && is_again && self.members.contains(self.me) {
            return self.begin_recovery(out);
        }
        if !self.members.contains(self.me) || self.last_normal.epoch < self.view.epoch {
            self.status = Status::Outside;
            self.execute_committed(out);
            if self.members.contains(self.me) {
                return self.begin_transition(out);
            }
            self.observe_status(out);
            return self.begin_handover(out);
        }
        let epoch = self.view.epoch;
        if self.view > self.last_normal {
            self.status = Status::ViewChange;
        }
        self.observe_status(out);
        self.know_in_flight();
        self.execute_committed(out);
        if self.view.epoch > epoch {
            return;
        }
        self.roll_back();
        self.set_view_timer(out);
        if self.status == Status::ViewChange {
            return self.vote(out);
        }
        if self.primary_of(self.view) != self.me {
            return self.execute_tail_ahead(out);
        }
        if is_again {
            // Backups may have entries of this view that it has forgotten.
            out.mark("primary-restarted");
            return self.leave_for(self.view.next(), out);
        }
        self.lead(out);
    }

    fn on_message(&mut self, from: NodeId, message: Message, out: &mut Outbox<Vr>) {
        if from.0 >= self.config.nodes {
            return out.ignore("from outside the cluster");
        }
        match message {
            Message::Relay { client, number, command } => {
                self.on_relay(from, Request { client, number, command }, out);
            }
            Message::RelayReply { client, number, outcome } => {
                self.on_relay_reply(client, (number, outcome), out);
            }
            Message::GetCheckpoint { op } => self.on_get_checkpoint(from, op, out),
            Message::Checkpoint { snapshot } => self.on_checkpoint(snapshot, out),
            Message::StartEpoch { view, assigned, op, old, new } => {
                self.on_start_epoch(from, view, (assigned, op), (old, new), out);
            }
            Message::EpochStarted { epoch } => self.on_epoch_started(from, epoch, out),
            Message::Request { .. }
            | Message::Reconfiguration { .. }
            | Message::Reply { .. }
            | Message::Redirect { .. }
            | Message::NewEpoch { .. } => out.ignore("not for a node"),
            other @ (Message::Prepare { .. }
            | Message::PrepareOk { .. }
            | Message::Commit { .. }
            | Message::CommitOk { .. }
            | Message::StartViewChange { .. }
            | Message::DoViewChange { .. }
            | Message::StartView { .. }
            | Message::GetStartView { .. }
            | Message::Recovery { .. }
            | Message::RecoveryResponse { .. }
            | Message::GetState { .. }
            | Message::NewState { .. }) => self.on_message_of_a_view(from, other, out),
        }
    }

    fn on_message_of_a_view(&mut self, from: NodeId, message: Message, out: &mut Outbox<Vr>) {
        if !self.is_of_epoch(from, &message, out) {
            return;
        }
        match message {
            Message::Prepare { view, op, entry, commit, held } => {
                self.on_prepare(from, view, (op, entry), (commit, held), out);
            }
            Message::PrepareOk { view, op } => self.on_prepare_ok(from, view, op, out),
            Message::Commit { view, round, commit, held } => {
                self.on_commit(from, (view, round), (commit, held), out);
            }
            Message::CommitOk { view, round } => self.on_commit_ok(from, view, round, out),
            Message::StartViewChange { view, has_left, crashes } => {
                if self.is_of_last_life(from, &crashes, out) {
                    self.on_start_view_change(from, view, has_left, out);
                }
            }
            Message::DoViewChange { view, last_normal, state, crashes } => {
                if self.is_of_last_life(from, &crashes, out) {
                    let life = crashes.get(from);
                    self.on_do_view_change(from, view, (last_normal, state, life), out);
                }
            }
            Message::StartView { view, state, crashes } => {
                if self.is_of_last_life(from, &crashes, out) {
                    self.on_start_view(from, view, *state, out);
                }
            }
            Message::GetStartView { view } => self.on_get_start_view(from, view, out),
            Message::Recovery { nonce, view, crashes } => {
                if self.is_of_last_life(from, &crashes, out) {
                    self.on_recovery(from, nonce, view, out);
                }
            }
            Message::RecoveryResponse { nonce, view, state, crashes } => {
                if self.is_of_last_life(from, &crashes, out) {
                    let life = crashes.get(from);
                    self.on_recovery_response(from, nonce, (view, state, life), out);
                }
            }
            Message::GetState { view, op, nonce, is_joining } => {
                self.on_get_state(from, (view, op), nonce, is_joining, out);
            }
            Message::NewState { view, nonce, state } => {
                self.on_new_state(from, view, nonce, *state, out);
            }
            Message::Request { .. }
            | Message::Reconfiguration { .. }
            | Message::Reply { .. }
            | Message::Redirect { .. }
            | Message::NewEpoch { .. }
            | Message::Relay { .. }
            | Message::RelayReply { .. }
            | Message::GetCheckpoint { .. }
            | Message::Checkpoint { .. }
            | Message::StartEpoch { .. }
            | Message::EpochStarted { .. } => out.ignore("of no view"),
        }
    }

    fn on_timer(&mut self, id: TimerId, out: &mut Outbox<Vr>) {
        match id {
            VIEW => self.on_view_timer(out),
            COMMIT => self.on_commit_timer(out),
            RESEND => self.on_resend_timer(out),
            GAP => self.on_gap_timer(out),
            _ => out.ignore("timer without a meaning"),
        }
    }

    /// Sends again what was not answered, which its status says.
    fn on_resend_timer(&mut self, out: &mut Outbox<Vr>) {
        if self.adoption.is_some() {
            return self.ask_for_checkpoint(out);
        }
        match self.status {
            Status::Normal if self.primary.is_some() => self.prepare_again(out),
            Status::Normal => out.ignore("nothing to send again"),
            Status::ViewChange => self.vote_again(out),
            Status::Recovering => self.ask_to_recover(out),
            Status::StateTransfer | Status::Transitioning => self.ask_for_state(out),
            Status::Outside => self.hand_over(out),
        }
    }

    /// Waits for a primary to be heard: the longer, the more views have not begun. A view may have to wait for a lease
    /// before it begins: nobody must give it up sooner.
    pub(super) fn set_view_timer(&mut self, out: &mut Outbox<Vr>) {
        self.is_primary_heard = false;
        let factor = 1 << self.fruitless.min(DOUBLINGS_MAX);
        let (min, max) = VIEW_SPAN;
        let is_beginning = self.status == Status::ViewChange;
        let leased = self.config.lease.filter(|_| is_beginning);
        let leased = leased.map_or(0, |lease| lease.granted().0);
        out.set_timer(VIEW, Micros(min.0 + leased), Micros(max.0 * factor + leased));
    }

    pub(super) fn observe_status(&self, out: &mut Outbox<Vr>) {
        let Self { status, view, last_normal, .. } = *self;
        out.observe(Observation::Status { status, view, last_normal });
    }

    /// Makes a record durable where its persistence asks for it; the last record that there is, otherwise.
    pub(super) fn keep(&self, record: Record, out: &mut Outbox<Vr>) -> Ticket {
        let is_kept = match (self.config.persistence, &record) {
            (Persistence::Durable, _) | (Persistence::DurableView, Record::Epoch { .. }) => true,
            (Persistence::DurableView, Record::View { .. }) => self.config.guard() == Guard::View,
            (Persistence::DurableView, Record::Adopted { view, .. }) => {
                return self.keep(Record::View { view: *view }, out);
            }
            (Persistence::DurableView | Persistence::CrashVector | Persistence::Paper, _) => false,
        };
        if is_kept { out.persist(record) } else { out.last_ticket() }
    }

    /// What must be durable before anybody is told of something that its primary does in its view.
    pub(super) fn after_view(&self) -> After {
        self.view_ticket.filter(|ticket| ticket.0 > 0).map_or(After::Nothing, After::Ticket)
    }

    /// A number that it has not asked with before, in no life.
    pub(super) fn nonce(&mut self) -> u64 {
        self.questions += 1;
        self.entropy.wrapping_add(self.questions)
    }

    /// Who leads a view of its epoch.
    pub(super) fn primary_of(&self, view: View) -> NodeId {
        self.executors().primary(view)
    }

    /// Those replicas that execute, and lead.
    pub(super) fn executors(&self) -> Members {
        self.config.executors(self.members)
    }

    /// Whether it executes what is committed. Without witnesses everybody does, also who is outside: others may need
    /// its state.
    pub(super) fn executes(&self) -> bool {
        !self.config.has_witnesses || self.executors().contains(self.me)
    }

    /// All other replicas of its epoch.
    pub(super) fn others(&self) -> impl Iterator<Item = NodeId> + use<> {
        let me = self.me;
        self.members.set().without(crate::parties::NodeSet::of(me)).iter()
    }

    /// Its log after `op`, as far as it has that, with what else a replica needs of it.
    pub(super) fn state_after(&self, op: Slot) -> State {
        let after = op.min(self.log.last()).max(self.log.base());
        let entries = self.log.suffix(after.next());
        let entries = entries
            .map(|(_, place)| Logged { view: place.ballot, entry: place.entry.clone() })
            .collect();
        State { log: Suffix { after, entries }, commit: self.log.commit(), held: self.held }
    }

    fn assert_invariants(&self) {
        assert!(self.last_normal <= self.view, "it was never in a later view");
        assert!(self.log.commit() <= self.log.last(), "what is committed is in the log");
        assert!(
            self.primary.is_none() || self.status == Status::Normal,
            "a primary is in status normal"
        );
        assert!(
            self.status != Status::Normal || self.view == self.last_normal,
            "a replica in status normal has the log of its view"
        );
        assert!(
            (self.status == Status::Recovering) == self.recovery.is_some(),
            "who recovers has asked"
        );
    }
}

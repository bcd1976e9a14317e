//! The normal case (`VRR §4.1`): requests, and what backups do with them.

use super::Vr;
use super::entry::{Entry, Reconfiguration};
use super::message::{Message, Observation, Status};
use super::options::Replies;
use super::reads::{Read, Reads};
use super::replica::{GAP, VrReplica};
use super::view::View;
use crate::contract::{After, ClientId, Micros, NodeId, Outbox, Outcome};
use crate::mutant::Mutant;
use crate::smr::{Request, RequestNumber, Slot, Standing, is_read, later};

/// How long a gap may be the work of messages that overtook each other.
const GAP_SPAN: (Micros, Micros) = (Micros(20_000), Micros(40_000));
/// Entries so far beyond the end of the log are of no use yet.
const AHEAD_MAX: u64 = 1_024;

impl VrReplica {
    pub(super) fn on_client_message(
        &mut self,
        client: ClientId,
        message: Message,
        out: &mut Outbox<Vr>,
    ) {
        let (epoch, entry) = match message {
            Message::Request { epoch, number, command } => {
                (epoch, Entry::Request(Request { client, number, command }))
            }
            Message::Reconfiguration { epoch, number, members } => {
                match self.reconfiguration(Reconfiguration { client, number, members }) {
                    Ok(entry) => (epoch, entry),
                    Err(_) => return out.ignore("RECONFIGURATION to replicas that there are not"),
                }
            }
            Message::Reply { .. }
            | Message::Redirect { .. }
            | Message::NewEpoch { .. }
            | Message::Relay { .. }
            | Message::RelayReply { .. }
            | Message::Prepare { .. }
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
            | Message::NewState { .. }
            | Message::GetCheckpoint { .. }
            | Message::Checkpoint { .. }
            | Message::StartEpoch { .. }
            | Message::EpochStarted { .. } => return out.ignore("not from a client"),
        };
        if self.answer_again(&entry, out) {
            return;
        }
        let (_, number) = entry.asked();
        if epoch < self.view.epoch || self.status == Status::Outside {
            let (view, members) = (self.view, self.members);
            let reply = Message::NewEpoch { number, view, members };
            return out.reply_after(After::Nothing, client, reply);
        }
        if epoch > self.view.epoch {
            return out.ignore("a request of a later epoch");
        }
        if self.primary.is_none() {
            return self.on_request_elsewhere(entry, out);
        }
        if let Entry::Request(Request { client, number, command }) = &entry
            && is_read(command)
        {
            let read = || Read::new(*client, *number, command.clone());
            match self.reads() {
                Reads::Log => {}
                Reads::Lease => return self.on_read(read(), out),
                Reads::Unproved => return self.serve(&read(), true, out),
            }
        }
        self.enqueue(entry, out);
    }

    /// Answers what it has executed, or prepared where that is enough; true if there is no more to be done.
    pub(super) fn answer_again(&self, entry: &Entry, out: &mut Outbox<Vr>) -> bool {
        let (client, number) = entry.asked();
        match self.machine.standing(client, number) {
            Standing::Old => {
                out.ignore("REQUEST before the client's last");
                true
            }
            Standing::Executed(outcome) => {
                let (view, op, outcome) = (self.view, self.log.commit(), outcome.clone());
                let reply = Message::Reply { view, op, number, outcome, is_committed: true };
                out.reply_after(After::Nothing, client, reply);
                true
            }
            Standing::New => {
                self.answer_prepared(client, number, out);
                false
            }
        }
    }

    pub(super) fn on_prepare(
        &mut self,
        from: NodeId,
        view: View,
        (op, entry): (Slot, Entry),
        (commit, held): (Slot, Slot),
        out: &mut Outbox<Vr>,
    ) {
        if !self.is_current(from, view, out) {
            return;
        }
        self.release(held, out);
        let last = self.log.last();
        if op > last && op != last.next() && !self.config.mutants.deviates(Mutant::V11) {
            if op.since(last) > AHEAD_MAX {
                return out.ignore("PREPARE far beyond the log");
            }
            out.mark("early-prepare");
            self.early.insert(op, entry);
        } else {
            if op > last {
                self.store(entry, out);
                self.append_early(out);
            }
            // Also where it was there before: the acknowledgement may have been lost.
            out.send(from, Message::PrepareOk { view, op: self.log.last().max(op) });
        }
        self.learn(commit, out);
    }

    /// Appends an entry, unless it is a witness that stores nothing.
    fn store(&mut self, entry: Entry, out: &mut Outbox<Vr>) {
        if !self.executes() {
            out.mark("witness-stored");
        }
        if self.stores() {
            self.append(self.view, entry, out);
        }
    }

    /// Appends entries that came before their turn.
    fn append_early(&mut self, out: &mut Outbox<Vr>) {
        while let Some((op, entry)) = self.early.pop_first() {
            let next = self.log.last().next();
            if op > next {
                self.early.insert(op, entry);
                return;
            }
            if op == next {
                self.store(entry, out);
            }
        }
    }

    pub(super) fn on_commit(
        &mut self,
        from: NodeId,
        (view, round): (View, u64),
        (commit, held): (Slot, Slot),
        out: &mut Outbox<Vr>,
    ) {
        if !self.is_current(from, view, out) {
            return;
        }
        self.release(held, out);
        if let Some(lease) = self.config.lease {
            let micros = lease.granted();
            self.grant.extend(from, later(self.now, micros));
            out.observe(Observation::LeaseGranted { view, round, micros: micros.0 });
        }
        out.send_after(After::Nothing, from, Message::CommitOk { view, round });
        self.learn(commit, out);
    }

    /// Whether what the primary of a view says is for this replica now. Whoever is behind finds out what it lacks.
    fn is_current(&mut self, from: NodeId, view: View, out: &mut Outbox<Vr>) -> bool {
        if view < self.view {
            out.ignore("of a lower view");
            return false;
        }
        if from == self.me || from != self.primary_of(view) {
            out.ignore("not from the primary of the view");
            return false;
        }
        match self.status {
            Status::Recovering | Status::Transitioning | Status::Outside => {
                out.ignore("of a view in which it does not take part");
                false
            }
            Status::Normal if view == self.view => {
                self.is_primary_heard = true;
                true
            }
            Status::ViewChange if view == self.view => {
                self.ask_for_start_view(from, out);
                false
            }
            Status::Normal | Status::ViewChange | Status::StateTransfer => {
                self.is_primary_heard |= self.status == Status::StateTransfer;
                self.follow(view, from, out);
                false
            }
        }
    }

    /// Takes the primary's commit-number, as far as it has the entries: they are those of the same view.
    pub(super) fn learn(&mut self, commit: Slot, out: &mut Outbox<Vr>) {
        self.heard_commit = self.heard_commit.max(commit);
        let known = commit.min(self.log.last());
        if known > self.log.commit() {
            self.log.set_commit(known);
            out.observe(Observation::Learned { view: self.view, commit: known });
            self.execute_committed(out);
        }
        self.watch_gap(out);
    }

    /// Whether entries are missing that others have.
    fn has_gap(&self) -> bool {
        // A witness is not told what it need not store.
        let is_told = self.executes() || !self.early.is_empty();
        (is_told && self.heard_commit > self.log.last()) || !self.early.is_empty()
    }

    fn watch_gap(&mut self, out: &mut Outbox<Vr>) {
        if self.has_gap() && !self.is_gap_timed && self.status == Status::Normal {
            self.is_gap_timed = true;
            out.set_timer(GAP, GAP_SPAN.0, GAP_SPAN.1);
        }
    }

    /// What has not come by now is lost, and must be asked for.
    pub(super) fn on_gap_timer(&mut self, out: &mut Outbox<Vr>) {
        self.is_gap_timed = false;
        if self.status != Status::Normal || self.primary.is_some() || !self.has_gap() {
            return out.ignore("gap timer without a gap");
        }
        self.follow(self.view, self.primary_of(self.view), out);
    }

    /// How reads are answered.
    fn reads(&self) -> Reads {
        if self.config.mutants.deviates(Mutant::V23) {
            Reads::Unproved
        } else if self.config.lease.is_some() {
            Reads::Lease
        } else {
            Reads::Log
        }
    }

    /// A request that comes to a replica that does not lead.
    fn on_request_elsewhere(&mut self, entry: Entry, out: &mut Outbox<Vr>) {
        let (client, number) = entry.asked();
        let (view, primary) = (self.view, self.primary_of(self.view));
        let is_normal = self.status == Status::Normal;
        if self.relay.ask(client, number)
            && is_normal
            && let Entry::Request(Request { command, .. }) = entry
        {
            out.mark("relayed");
            let relay = Message::Relay { client, number, command };
            out.send_after(After::Nothing, primary, relay);
        }
        out.reply_after(After::Nothing, client, Message::Redirect { number, view });
    }

    /// A request that another replica passes on, and will answer once it has executed it. A witness never has, and
    /// passes it on again.
    pub(super) fn on_relay(&mut self, from: NodeId, request: Request, out: &mut Outbox<Vr>) {
        if self.primary.is_none() {
            return out.ignore("RELAY to a replica that does not lead");
        }
        let Request { client, number, .. } = request;
        match self.machine.standing(client, number) {
            Standing::New => self.enqueue(Entry::Request(request), out),
            Standing::Executed(outcome) if !self.executors().contains(from) => {
                let outcome = outcome.clone();
                let reply = Message::RelayReply { client, number, outcome };
                out.send_after(After::Nothing, from, reply);
            }
            Standing::Executed(_) | Standing::Old => out.ignore("RELAY of what was executed"),
        }
    }

    /// What came of a request that it passed on, and does not execute itself.
    pub(super) fn on_relay_reply(
        &mut self,
        client: ClientId,
        (number, outcome): (RequestNumber, Outcome),
        out: &mut Outbox<Vr>,
    ) {
        if !self.relay.executed(client, number) {
            return out.ignore("RELAYREPLY for nobody who waits");
        }
        let (view, op) = (self.view, self.log.commit());
        let reply = Message::Reply { view, op, number, outcome, is_committed: true };
        out.reply_after(After::Nothing, client, reply);
    }

    /// With replies at prepare: tells a client again what came of a request that is prepared here.
    fn answer_prepared(&self, client: ClientId, number: RequestNumber, out: &mut Outbox<Vr>) {
        if self.config.replies != Replies::Prepare || self.status != Status::Normal {
            return;
        }
        let Some(ahead) = &self.ahead else { return };
        let tail = self.log.suffix(self.log.commit().next());
        let Some((op, _)) =
            tail.filter(|(_, place)| place.entry.asked() == (client, number)).last()
        else {
            return;
        };
        if let Standing::Executed(outcome) = ahead.standing(client, number) {
            let (view, outcome) = (self.view, outcome.clone());
            out.reply(client, Message::Reply { view, op, number, outcome, is_committed: false });
        }
    }
}

//! How a replica makes the log of a view its own: by a view change, a state transfer, a recovery, a new epoch.
//!
//! ```text
//!   log that comes              after ├──── entries ────┤
//!   log that is here   ├── committed ──┤─ may be wrong ─┤       what is committed is the same in both
//!   log that is here   ├─ committed ─┤                          there is a gap: a checkpoint must come first
//! ```

use alloc::boxed::Box;

use super::Vr;
use super::message::{Message, Observation, Record, State, Status};
use super::replica::{PATIENCE, RESEND, VrReplica};
use super::view::View;
use crate::contract::{After, NodeId, Outbox};
use crate::mutant::Mutant;
use crate::parties::NodeSet;
use crate::smr::{Machine, Slot, Snapshot};

/// A log that is to be adopted.
#[derive(Debug)]
pub(super) struct Adoption {
    pub(super) view: View,
    pub(super) state: State,
    /// Who told it.
    pub(super) from: NodeId,
    pub(super) goal: Goal,
}

/// What comes after it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// These have voted: the replica leads.
    Lead { voters: NodeSet },
    /// The replica is a backup.
    Follow,
    /// The replica has joined the epoch.
    Join,
}

impl VrReplica {
    /// Adopts a log, once it has what is before it.
    pub(super) fn adopt(&mut self, adoption: Adoption, out: &mut Outbox<Vr>) {
        self.release(adoption.state.held, out);
        if self.executes() {
            // What all who execute have is committed, and here it is.
            self.know_committed(self.held, out);
        }
        if adoption.state.log.after <= self.log.commit() {
            return self.complete(adoption, None, out);
        }
        self.adoption = Some(Box::new(adoption));
        self.ask_for_checkpoint(out);
    }

    /// All up to `commit` is committed, and as far as its log goes, that has it.
    fn know_committed(&mut self, commit: Slot, out: &mut Outbox<Vr>) {
        let known = commit.min(self.log.last());
        if known > self.log.commit() {
            self.log.set_commit(known);
            out.observe(Observation::Learned { view: self.last_normal, commit: known });
        }
    }

    /// Asks for the state before the log that it is to adopt: whom the log is from first, then one after the other.
    pub(super) fn ask_for_checkpoint(&mut self, out: &mut Outbox<Vr>) {
        let Some(mut adoption) = self.adoption.take() else { return };
        let op = adoption.state.log.after;
        out.send_after(After::Nothing, adoption.from, Message::GetCheckpoint { op });
        adoption.from = self.source_after(adoption.from);
        self.adoption = Some(adoption);
        out.set_timer(RESEND, PATIENCE.0, PATIENCE.1);
    }

    /// What is executed is committed, whatever the status: there is no wrong moment to tell it.
    pub(super) fn on_get_checkpoint(&mut self, from: NodeId, op: Slot, out: &mut Outbox<Vr>) {
        if self.checkpoint.index < op {
            return out.ignore("GETCHECKPOINT beyond its own");
        }
        let snapshot = self.checkpoint.clone();
        out.send_after(After::Nothing, from, Message::Checkpoint { snapshot });
    }

    pub(super) fn on_checkpoint(&mut self, snapshot: Box<Snapshot>, out: &mut Outbox<Vr>) {
        let Some(adoption) = &self.adoption else {
            return out.ignore("CHECKPOINT that it did not ask for");
        };
        let log = &adoption.state.log;
        if snapshot.index > Slot::LAST {
            return out.ignore("CHECKPOINT beyond the end of all logs");
        }
        if snapshot.index < log.after {
            return out.ignore("CHECKPOINT that does not reach");
        }
        if snapshot.index > log.last() {
            // Others have gone on: what it was about to adopt is too old, and is asked for again.
            self.adoption = None;
            return out.ignore("CHECKPOINT beyond the log that it belongs to");
        }
        if let Some(adoption) = self.adoption.take() {
            // Where the replica has learned more by itself meanwhile, the snapshot would take that back.
            let is_news = snapshot.index > self.log.commit();
            self.complete(*adoption, is_news.then_some(snapshot), out);
        }
    }

    /// It has all that it needs: one record says so, and all else follows.
    fn complete(
        &mut self,
        adoption: Adoption,
        snapshot: Option<Box<Snapshot>>,
        out: &mut Outbox<Vr>,
    ) {
        let Adoption { view, state, from: _, goal } = adoption;
        let last = state.log.last();
        let told = state.commit.min(last);
        if let Some(snapshot) = &snapshot {
            self.install(snapshot);
        }
        let before = self.log.commit();
        let log = state.log.beyond(before);
        if self.stores() {
            let is_dropping = self.log.suffix(before.next()).any(|(op, place)| {
                let index = usize::try_from(op.since(log.after)).unwrap_or_default();
                let kept = index.checked_sub(1).and_then(|index| log.entries.get(index));
                kept.is_none_or(|kept| kept.entry != place.entry)
            });
            if is_dropping {
                out.mark("tail-dropped");
                if self.ahead.is_some() {
                    out.mark("rolled-back");
                }
            }
            self.replace_log(log.clone());
        }
        let commit =
            if self.config.mutants.deviates(Mutant::V10) { told } else { told.max(before) };
        self.log.set_commit(commit);
        (self.view, self.last_normal) = (view, view);
        self.status = Status::Normal;
        let entries = log.entries.iter().map(|logged| (logged.view, logged.entry.digest()));
        let (after, entries) = (log.after, entries.collect());
        let state = Box::new(State { log, commit, held: self.held });
        let installed = snapshot.as_ref().map(|snapshot| (snapshot.index, snapshot.chain));
        let ticket = self.keep(Record::Adopted { view, state, snapshot }, out);
        self.view_ticket = Some(ticket);
        let ticket = ticket.0;
        if let Some((index, chain)) = installed {
            out.mark("checkpoint-installed");
            out.observe(Observation::CheckpointInstalled { index, chain, ticket });
        }
        out.observe(Observation::Adopted { view, after, entries, commit, ticket });
        self.observe_status(out);
        self.begin_anew();
        self.take_part(goal, last, out);
        self.execute_committed(out);
        if self.view == view {
            self.roll_back();
            self.execute_tail_ahead(out);
        }
    }

    /// Another's state takes the place of its own, which is older.
    fn install(&mut self, snapshot: &Snapshot) {
        self.log.restart(snapshot.index);
        *self.checkpoint = snapshot.clone();
        if self.executes() {
            self.machine = Machine::new(snapshot.clone());
        }
    }

    /// What hangs on the log is made anew: it has changed.
    fn begin_anew(&mut self) {
        self.early.clear();
        self.adoption = None;
        self.transfer = None;
        self.recovery = None;
        self.heard_commit = self.log.commit();
        self.end_change();
        if !self.config.mutants.deviates(Mutant::V16) {
            self.know_in_flight();
        }
        if self.config.mutants.deviates(Mutant::V15) {
            self.machine.forget_clients();
        }
    }

    fn take_part(&mut self, goal: Goal, last: Slot, out: &mut Outbox<Vr>) {
        let view = self.view;
        match goal {
            Goal::Lead { voters } => {
                out.observe(Observation::ViewStarted { view, voters });
                for node in self.others() {
                    let state = Box::new(self.state_after(self.log.base()));
                    let crashes = self.crashes.clone();
                    out.send(node, Message::StartView { view, state, crashes });
                }
                self.lead(out);
            }
            Goal::Follow | Goal::Join => {
                self.stop_leading(out);
                out.cancel_timer(RESEND);
                self.set_view_timer(out);
                let primary = self.primary_of(view);
                if last > self.log.commit() && primary != self.me {
                    out.send(primary, Message::PrepareOk { view, op: last });
                }
                if matches!(goal, Goal::Join) {
                    self.has_joined(out);
                }
            }
        }
    }

    /// Whether it keeps entries: a witness that does not has nothing to vote with.
    pub(super) fn stores(&self) -> bool {
        self.executes() || !self.config.mutants.deviates(Mutant::V27)
    }

    /// With witnesses: everybody who executes has all up to here, which a witness need not keep.
    pub(super) fn release(&mut self, held: Slot, out: &mut Outbox<Vr>) {
        if held <= self.held || held > Slot::LAST {
            return;
        }
        self.hold(held);
        if !self.executes() {
            out.mark("witness-released");
            self.keep(Record::Held { op: held }, out);
            out.observe(Observation::Released { op: held });
        }
    }

    /// As [`Self::release`], without a word.
    pub(super) fn hold(&mut self, held: Slot) {
        self.held = self.held.max(held);
        if !self.executes() {
            self.log.truncate(self.held);
        }
    }
}

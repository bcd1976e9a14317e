//! Reconfiguration (`VRR §7`): the last entry of an epoch names the replicas of the next.
//!
//! ```text
//!   e.v     RECONFIGURATION is committed; nothing is prepared after it
//!   e+1.v0  who was in e has all of it, and goes on at once, or is outside
//!           who is new ── GETSTATE ──► all of e and e+1 ── NEWSTATE ──► has all of it, and goes on
//!           who is outside ── STARTEPOCH ──► all of e+1, until a quorum ── EPOCHSTARTED ──► it is let go
//! ```

use super::Vr;
use super::adoption::Adoption;
use super::describe::view_of;
use super::message::{Message, Observation, Record, Status};
use super::replica::{COMMIT, GAP, PATIENCE, RESEND, VIEW, VrReplica};
use super::view::{Members, View};
use crate::contract::{After, NodeId, Outbox};
use crate::parties::NodeSet;
use crate::smr::Slot;

/// How an epoch began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handover {
    /// The view in which the last op-number of the epoch before was assigned.
    assigned: View,
    /// That op-number.
    pub(super) op: Slot,
    /// The replicas of the epoch before.
    pub(super) old: Members,
    /// Which replicas of the epoch have begun with it.
    started: NodeSet,
}

impl Handover {
    pub(super) fn new((assigned, op): (View, Slot), old: Members) -> Self {
        Self { assigned, op, old, started: NodeSet::EMPTY }
    }
}

impl VrReplica {
    /// Whether a message is of the replica's epoch. If not, one of the two is told.
    pub(super) fn is_of_epoch(
        &mut self,
        from: NodeId,
        message: &Message,
        out: &mut Outbox<Vr>,
    ) -> bool {
        let Some(view) = view_of(message) else { return false };
        if view.epoch == self.view.epoch {
            return true;
        }
        if view.epoch > self.view.epoch {
            out.ignore("of a later epoch");
            // To a question of an earlier epoch the answer is how the later one began.
            let (view, op) = (self.view, self.log.commit());
            let question = Message::GetState { view, op, nonce: 0, is_joining: true };
            out.send_after(After::Nothing, from, question);
            return false;
        }
        out.ignore("of an earlier epoch");
        self.tell_epoch(from, out);
        false
    }

    /// Tells a node how the epoch began.
    fn tell_epoch(&self, node: NodeId, out: &mut Outbox<Vr>) {
        let Some(Handover { assigned, op, old, .. }) = self.handover else { return };
        let view = View { number: 0, ..self.view };
        out.send(node, Message::StartEpoch { view, assigned, op, old, new: self.members });
    }

    /// The last entry of its epoch was executed.
    pub(super) fn end_epoch(&mut self, op: Slot, new: Members, out: &mut Outbox<Vr>) {
        let assigned = self.log.get(op).map_or(self.view, |place| place.ballot);
        if assigned.epoch != self.view.epoch {
            // It executes what others have done in epochs that are over.
            return;
        }
        out.mark("epoch-ended");
        let (old, has_led) = (self.members, self.primary.is_some());
        if has_led {
            self.begin_round(out);
        }
        let view = self.view.next_epoch();
        self.enter_epoch(view, (assigned, op), (old, new), out);
        out.observe(Observation::EpochEnded { view, op, new });
        self.begin_epoch(out);
        if has_led {
            for node in new.set().without(NodeSet::of(self.me)).iter() {
                self.tell_epoch(node, out);
            }
        }
    }

    /// Everything that it did in its epoch is over.
    fn enter_epoch(
        &mut self,
        view: View,
        last: (View, Slot),
        (old, new): (Members, Members),
        out: &mut Outbox<Vr>,
    ) {
        self.stop_leading(out);
        self.members = new;
        self.view = view;
        self.handover = Some(Handover::new(last, old));
        self.transfer = None;
        self.adoption = None;
        self.recovery = None;
        self.early.clear();
        self.end_change();
        for timer in [VIEW, COMMIT, RESEND, GAP] {
            out.cancel_timer(timer);
        }
        self.is_gap_timed = false;
    }

    /// Takes up its part in an epoch of which it has all that came before, or has none.
    fn begin_epoch(&mut self, out: &mut Outbox<Vr>) {
        let Some(Handover { op, .. }) = self.handover else { return };
        let view = self.view;
        let is_normal = self.members.contains(self.me);
        self.status = if is_normal { Status::Normal } else { Status::Outside };
        if is_normal {
            self.last_normal = view;
        }
        let record = self.epoch_record(view, self.machine.applied() >= op, is_normal);
        self.view_ticket = record.map(|record| self.keep(record, out));
        self.observe_status(out);
        if !is_normal {
            return self.begin_handover(out);
        }
        self.log.cut(self.log.commit());
        self.heard_commit = self.log.commit();
        self.know_in_flight();
        self.roll_back();
        self.set_view_timer(out);
        self.tell_started(out);
        if self.primary_of(view) == self.me {
            self.lead(out);
        }
    }

    /// Those who are outside now wait for this.
    fn tell_started(&self, out: &mut Outbox<Vr>) {
        let Some(Handover { old, .. }) = self.handover else { return };
        let epoch = self.view.epoch;
        for node in old.set().without(self.members.set()).iter() {
            out.send(node, Message::EpochStarted { epoch });
        }
    }

    pub(super) fn on_start_epoch(
        &mut self,
        from: NodeId,
        view: View,
        last: (View, Slot),
        (old, new): (Members, Members),
        out: &mut Outbox<Vr>,
    ) {
        if !view.is_possible() || !NodeSet::all(self.config.nodes).includes(new.set()) {
            return out.ignore("STARTEPOCH of what there cannot be");
        }
        if view.epoch < self.view.epoch {
            out.ignore("STARTEPOCH of an earlier epoch");
            // Its sender waits for word that it has begun, which nobody will give any more.
            return self.tell_epoch(from, out);
        }
        if view.epoch == self.view.epoch {
            let has_begun = self.last_normal.epoch == view.epoch && self.members.contains(self.me);
            if has_begun && !self.members.contains(from) {
                return out.send(from, Message::EpochStarted { epoch: view.epoch });
            }
            return out.ignore("STARTEPOCH of an epoch that it knows of");
        }
        if view == self.view.next_epoch() && self.has_entry(last) {
            // Perhaps nobody else is left who has all of its epoch.
            return self.learn(last.1, out);
        }
        let has_forgotten = self.status == Status::Recovering;
        self.enter_epoch(view, last, (old, new), out);
        if has_forgotten && new.contains(self.me) {
            // It may have taken part in this one.
            self.keep_epoch(out);
            return self.begin_recovery(out);
        }
        if !new.contains(self.me) {
            return self.begin_epoch(out);
        }
        self.keep_epoch(out);
        self.begin_transition(out);
    }

    /// Whether it has this viewstamp in its log: then all before it is what others have there.
    fn has_entry(&self, (assigned, op): (View, Slot)) -> bool {
        self.log.get(op).is_some_and(|place| place.ballot == assigned)
    }

    /// Makes durable that there is a new epoch, in which it is not in status normal yet.
    fn keep_epoch(&mut self, out: &mut Outbox<Vr>) {
        if let Some(record) = self.epoch_record(self.view, false, false) {
            self.keep(record, out);
        }
    }

    /// How its epoch began, with this view, to be made durable; nothing in the first.
    pub(super) fn epoch_record(
        &self,
        view: View,
        has_executed: bool,
        is_normal: bool,
    ) -> Option<Record> {
        let Handover { assigned, op, old, .. } = self.handover?;
        let new = self.members;
        Some(Record::Epoch { view, assigned, op, old, new, has_executed, is_normal })
    }

    /// Asks for what was before its epoch.
    pub(super) fn begin_transition(&mut self, out: &mut Outbox<Vr>) {
        self.status = Status::Transitioning;
        self.observe_status(out);
        let first = self.handover.and_then(|handover| handover.old.iter().next());
        self.begin_transfer(self.view, first.unwrap_or(self.me), out);
    }

    /// What was before the epoch has come.
    pub(super) fn join(&mut self, adoption: Adoption, out: &mut Outbox<Vr>) {
        let begins_after = self.handover.map_or(Slot::ZERO, |handover| handover.op);
        if adoption.state.commit < begins_after {
            return out.ignore("NEWSTATE without all of the epoch before");
        }
        self.adopt(adoption, out);
    }

    /// It has joined the epoch. If it is the primary of the first view, that needs no view change.
    pub(super) fn has_joined(&mut self, out: &mut Outbox<Vr>) {
        out.mark("epoch-joined");
        self.tell_started(out);
        if self.primary_of(self.view) != self.me {
            return;
        }
        if self.view.number == 0 {
            self.lead(out);
        } else {
            self.leave_for(self.view.next(), out);
        }
    }

    /// A replica that is in no epoch any more keeps its state for those who are, until enough of them have it.
    pub(super) fn begin_handover(&mut self, out: &mut Outbox<Vr>) {
        let Some(handover) = self.handover else { return };
        if self.machine.applied() >= handover.op && handover.old.contains(self.me) {
            self.hand_over(out);
        }
    }

    pub(super) fn hand_over(&mut self, out: &mut Outbox<Vr>) {
        let Some(Handover { started, .. }) = self.handover else { return };
        if self.members.is_quorum(started) {
            return out.ignore("it has been let go");
        }
        for node in self.members.set().without(started).iter() {
            self.tell_epoch(node, out);
        }
        out.set_timer(RESEND, PATIENCE.0, PATIENCE.1);
    }

    pub(super) fn on_epoch_started(&mut self, from: NodeId, epoch: u64, out: &mut Outbox<Vr>) {
        let members = self.members;
        let is_outside = self.status == Status::Outside;
        let Some(handover) = self.handover.as_mut().filter(|_| is_outside) else {
            return out.ignore("EPOCHSTARTED to a replica that is in the epoch");
        };
        if epoch != self.view.epoch || !members.contains(from) {
            return out.ignore("EPOCHSTARTED of another epoch");
        }
        if handover.started.insert(from) && members.is_quorum(handover.started) {
            out.mark("epoch-left");
            out.cancel_timer(RESEND);
        }
    }
}

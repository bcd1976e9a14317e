//! State transfer, in its corrected form (`VRR §5.2`; Vanlightly 2022; PROTOCOLS A3.6).
//!
//! A replica that lacks entries cuts nothing and takes on no view before it has what is to stand in their place: it may
//! leave the transfer at any time, and vote with the log that it has.

use super::Vr;
use super::adoption::{Adoption, Goal};
use super::entry::{Logged, Suffix};
use super::message::{Message, State, Status};
use super::replica::{PATIENCE, RESEND, VrReplica};
use super::view::View;
use crate::contract::{After, NodeId, Outbox};
use crate::mutant::Mutant;
use crate::parties::NodeSet;
use crate::smr::Slot;

/// What a replica has asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    /// The view whose log it needs, or that of a later one.
    pub(super) view: View,
    nonce: u64,
    /// Whom it asks next.
    next: NodeId,
}

impl VrReplica {
    /// Others are ahead: in its view, or in a later one.
    pub(super) fn follow(&mut self, view: View, from: NodeId, out: &mut Outbox<Vr>) {
        if !view.is_possible() {
            return out.ignore("of a view that there cannot be");
        }
        if self.transfer.is_some_and(|transfer| transfer.view >= view) {
            return out.ignore("of a view whose log is asked for");
        }
        out.mark("state-transfer");
        if self.primary.is_some() {
            self.stop_leading(out);
            self.set_view_timer(out);
        }
        self.adoption = None;
        self.status = Status::StateTransfer;
        self.early.clear();
        if self.config.mutants.deviates(Mutant::V02) {
            self.log.cut(self.log.commit());
            self.roll_back();
        }
        if self.config.mutants.deviates(Mutant::V03) {
            (self.view, self.last_normal) = (view, view);
        }
        self.observe_status(out);
        // Whoever asks in vain again and again must lose patience nevertheless: the view timer runs on.
        self.begin_transfer(view, from, out);
    }

    /// Asks for the log of a view.
    pub(super) fn begin_transfer(&mut self, view: View, from: NodeId, out: &mut Outbox<Vr>) {
        self.transfer = Some(Transfer { view, nonce: self.nonce(), next: from });
        self.ask_for_state(out);
    }

    /// Asks one after the other.
    pub(super) fn ask_for_state(&mut self, out: &mut Outbox<Vr>) {
        let Some(Transfer { view, nonce, next }) = self.transfer else { return };
        let is_joining = self.status == Status::Transitioning;
        let is_same_view = view == self.view && !is_joining;
        // Of another view it keeps what is committed, and nothing else.
        let op = if is_same_view { self.log.last() } else { self.log.commit() };
        out.send_after(After::Nothing, next, Message::GetState { view, op, nonce, is_joining });
        self.transfer = Some(Transfer { view, nonce, next: self.source_after(next) });
        out.set_timer(RESEND, PATIENCE.0, PATIENCE.1);
    }

    /// Whom to ask after `node` has not answered: all replicas in turn, and who was one if it is new itself.
    pub(super) fn source_after(&self, node: NodeId) -> NodeId {
        let is_joining = self.status == Status::Transitioning;
        let former = self.handover.filter(|_| is_joining).map(|handover| handover.old.set());
        let sources = self.members.set().union(former.unwrap_or_default());
        let mut sources = sources.without(NodeSet::of(self.me)).iter();
        let first = sources.next();
        let following = first.into_iter().chain(sources).find(|source| *source > node);
        following.or(first).unwrap_or(node)
    }

    /// Tells its log to a replica that lacks some of it. Who joins an epoch needs no more than what is committed, which
    /// whoever has executed all of the epoch before can tell.
    pub(super) fn on_get_state(
        &mut self,
        from: NodeId,
        (view, op): (View, Slot),
        nonce: u64,
        is_joining: bool,
        out: &mut Outbox<Vr>,
    ) {
        if self.status == Status::Normal && self.view >= view {
            let state = self.state_after(op).into();
            let view = self.view;
            // A view that it forgets in a crash may begin anew with another log.
            let after = self.after_view();
            return out.send_after(after, from, Message::NewState { view, nonce, state });
        }
        let begins_after = self.handover.map_or(Slot::ZERO, |handover| handover.op);
        if !is_joining || self.machine.applied() < begins_after {
            return out.ignore("GETSTATE of what it cannot tell");
        }
        let State { log: Suffix { after, mut entries }, commit, held } = self.state_after(op);
        entries.truncate(usize::try_from(commit.since(after)).unwrap_or(usize::MAX));
        let state = State { log: Suffix { after, entries }, commit, held }.into();
        out.send_after(After::Nothing, from, Message::NewState { view, nonce, state });
    }

    pub(super) fn on_new_state(
        &mut self,
        from: NodeId,
        view: View,
        nonce: u64,
        state: State,
        out: &mut Outbox<Vr>,
    ) {
        let asked = self.transfer.filter(|transfer| transfer.nonce == nonce);
        let Some(transfer) = asked else {
            return out.ignore("NEWSTATE that it did not ask for");
        };
        if view < transfer.view || !view.is_possible() {
            return out.ignore("NEWSTATE of a lower view");
        }
        if state.log.last() < self.log.commit() {
            return out.ignore("NEWSTATE without what is committed here");
        }
        if self.status == Status::Transitioning {
            return self.join(Adoption { view, state, from, goal: Goal::Join }, out);
        }
        out.mark("state-transferred");
        if view == self.last_normal && state.log.after <= self.log.last() {
            return self.extend(state, out);
        }
        self.adopt(Adoption { view, state, from, goal: Goal::Follow }, out);
    }

    /// Appends what is beyond its own log of the same view, and never cuts: the answer may be from a shorter one.
    fn extend(&mut self, state: State, out: &mut Outbox<Vr>) {
        self.transfer = None;
        // Another answer may wait for its checkpoint: it would cut what is acknowledged from now on.
        self.adoption = None;
        self.status = Status::Normal;
        out.cancel_timer(RESEND);
        self.observe_status(out);
        let (view, commit) = (self.view, state.commit);
        // Some may be of the log that the view began with.
        for (_, Logged { view: assigned, entry }) in state.log.beyond(self.log.last()).numbered() {
            self.append(assigned, entry, out);
        }
        let primary = self.primary_of(view);
        if primary != self.me {
            out.send(primary, Message::PrepareOk { view, op: self.log.last() });
        }
        self.learn(commit, out);
    }
}

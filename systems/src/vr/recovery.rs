//! Recovery of a replica that has forgotten everything (`VRR §4.3`), and what makes it safe.
//!
//! As the paper has it, a replica forgets what it vowed in a view change, and a late DOVIEWCHANGE of its former life
//! makes a quorum that there is none of (PROTOCOLS F-V3). Either its view is on disk, and it takes part in no lower one,
//! so that whoever it asks must follow it there; or everybody whom it asks learns that it is in another life, and counts nothing of the former one.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use super::Vr;
use super::adoption::{Adoption, Goal};
use super::crashes::CrashVector;
use super::message::{Message, State, Status};
use super::options::Guard;
use super::replica::{PATIENCE, RESEND, VrReplica};
use super::view::View;
use crate::contract::{After, Incarnation, NodeId, Outbox};
use crate::mutant::Mutant;
use crate::parties::NodeSet;

/// What a replica that recovers was answered.
#[derive(Debug)]
pub(super) struct Recovery {
    nonce: u64,
    answers: BTreeMap<NodeId, Answer>,
}

#[derive(Debug)]
struct Answer {
    view: View,
    /// The log, from the primary of the view.
    state: Option<Box<State>>,
    /// Which life of its sender it is from, with crash vectors.
    life: Incarnation,
}

impl VrReplica {
    /// Takes part in nothing until enough others have told it what it must know.
    pub(super) fn begin_recovery(&mut self, out: &mut Outbox<Vr>) {
        self.status = Status::Recovering;
        self.observe_status(out);
        let nonce = self.nonce();
        self.recovery = Some(Box::new(Recovery { nonce, answers: BTreeMap::new() }));
        self.ask_to_recover(out);
    }

    pub(super) fn ask_to_recover(&mut self, out: &mut Outbox<Vr>) {
        let Some(recovery) = &self.recovery else { return };
        let (nonce, view) = (recovery.nonce, self.view);
        for node in self.others() {
            let crashes = self.crashes.clone();
            out.send_after(After::Nothing, node, Message::Recovery { nonce, view, crashes });
        }
        out.set_timer(RESEND, PATIENCE.0, PATIENCE.1);
    }

    pub(super) fn on_recovery(
        &mut self,
        from: NodeId,
        nonce: u64,
        left_for: View,
        out: &mut Outbox<Vr>,
    ) {
        if left_for > self.view && self.takes_votes(from, left_for, out) {
            // Its sender takes part in no lower view any more: without it, perhaps nobody would ever begin this one.
            out.mark("recovery-too-low");
            return self.leave_for(left_for, out);
        }
        if self.status != Status::Normal || !self.members.contains(from) {
            return out.ignore("RECOVERY to a replica that is not in status normal");
        }
        let (view, crashes) = (self.view, self.crashes.clone());
        let state = self.primary.is_some().then(|| Box::new(self.state_after(self.log.base())));
        out.send(from, Message::RecoveryResponse { nonce, view, state, crashes });
    }

    pub(super) fn on_recovery_response(
        &mut self,
        from: NodeId,
        nonce: u64,
        (view, state, life): (View, Option<Box<State>>, Incarnation),
        out: &mut Outbox<Vr>,
    ) {
        let (members, me) = (self.members, self.me);
        let is_stale_taken = self.config.mutants.deviates(Mutant::V06);
        let Some(recovery) = &mut self.recovery else {
            return out.ignore("RECOVERYRESPONSE to a replica that does not recover");
        };
        if recovery.nonce != nonce && !is_stale_taken {
            return out.ignore("RECOVERYRESPONSE to another question");
        }
        if from == me || !members.contains(from) || !view.is_possible() {
            return out.ignore("RECOVERYRESPONSE from no replica");
        }
        recovery.answers.insert(from, Answer { view, state, life });
        self.recover_if_answered(out);
    }

    /// Enough others have answered, and the primary of the highest view that they are in has told its log.
    fn recover_if_answered(&mut self, out: &mut Outbox<Vr>) {
        if self.adoption.is_some() {
            return;
        }
        let Some(recovery) = &self.recovery else { return };
        let answers = recovery.answers.iter();
        let answers = answers.filter(|(node, answer)| self.is_last_life(**node, answer.life));
        let voters: NodeSet = answers.clone().map(|(node, _)| *node).collect();
        let Some(view) = answers.clone().map(|(_, answer)| answer.view).max() else { return };
        if !self.members.is_quorum(voters) {
            return;
        }
        if view < self.view {
            return out.ignore("RECOVERYRESPONSEs of lower views than its own");
        }
        let from = self.primary_of(view);
        let primary = answers.clone().find(|(node, answer)| **node == from && answer.view == view);
        let Some(state) = primary.and_then(|(_, answer)| answer.state.as_deref().cloned()) else {
            return;
        };
        out.mark("recovered");
        self.adopt(Adoption { view, state, from, goal: Goal::Follow }, out);
    }

    /// Whether what a life of `node` said counts: with crash vectors, only of the last that anybody has told of.
    pub(super) fn is_last_life(&self, node: NodeId, life: Incarnation) -> bool {
        self.config.guard() != Guard::Crashes || life >= self.crashes.get(node)
    }

    /// Whether a message is of its sender's last life, as [`Self::is_last_life`] has it; what it knows of others' lives
    /// is taken over.
    pub(super) fn is_of_last_life(
        &mut self,
        from: NodeId,
        crashes: &CrashVector,
        out: &mut Outbox<Vr>,
    ) -> bool {
        if !self.is_last_life(from, crashes.get(from)) {
            out.mark("former-life-refused");
            out.ignore("of a life that is over");
            return false;
        }
        if self.config.guard() == Guard::Crashes {
            self.crashes.merge(crashes);
        }
        true
    }
}

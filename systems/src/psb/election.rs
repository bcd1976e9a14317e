//! Leader election: views that are attempted, views that are installed, and the timers that decide when.
//!
//! To attempt a view promises nothing, so that a server can take it back; to install one promises that
//! nothing of earlier views is accepted any more (F-P9).

use alloc::boxed::Box;

use super::Psb;
use super::leader::UpdateQueue;
use super::message::{Message, Observation, Record};
use super::prepare::Preparing;
use super::replica::{PROGRESS, PsbReplica, RETRANSMIT, State, VC_PROOF};
use super::view::View;
use crate::contract::{After, Micros, NodeId, Outbox};
use crate::mutant::Mutant;
use crate::parties::NodeSet;
use crate::smr::Slot;

/// What a server knows in `LEADER_ELECTION`.
#[derive(Debug, Default)]
pub(super) struct Election {
    /// Who attempts the same view.
    votes: NodeSet,
    /// Whether a majority does: the view is about to be installed, and the progress timer runs.
    is_preinstalled: bool,
    /// The leader's, once it has installed the view.
    pub(super) preparing: Option<Box<Preparing>>,
}

impl Election {
    /// The leader prepares the view that it has installed.
    pub(super) fn to_prepare(preparing: Preparing) -> Self {
        let preparing = Some(Box::new(preparing));
        Self { votes: NodeSet::EMPTY, is_preinstalled: true, preparing }
    }
}

/// The progress timer. It is not set anew with each slot, which would cost more than it tells: when it goes
/// off and there was progress meanwhile, it gets another span.
#[derive(Debug, Default)]
pub(super) struct Progress {
    is_set: bool,
    /// Since the timer was set, something was executed, or there was a time without anything to do.
    pub(super) is_made: bool,
}

/// So often may the progress timer double: the longest span decides how soon all is well after a healing.
const DOUBLINGS_MAX: u32 = 2;
/// How long a `View_Change` may be unanswered.
const PATIENCE: (Micros, Micros) = (Micros(80_000), Micros(120_000));
/// How often a server tells its view.
const VC_PROOF_SPAN: (Micros, Micros) = (Micros(100_000), Micros(150_000));

impl PsbReplica {
    /// Attempts `view`: `Shift_to_Leader_Election` of the paper.
    pub(super) fn shift_to_leader_election(&mut self, view: View, out: &mut Outbox<Psb>) {
        assert!(view > self.installed, "a view is attempted before it is installed");
        self.step_down(out);
        self.attempted = view;
        let votes = NodeSet::of(self.me);
        self.state = State::LeaderElection(Election { votes, ..Election::default() });
        if self.progress.is_set {
            self.progress.is_set = false;
            out.cancel_timer(PROGRESS);
        }
        self.repeat_view_change(out);
        self.preinstall_if_ready(out);
    }

    pub(super) fn repeat_view_change(&mut self, out: &mut Outbox<Psb>) {
        let attempted = self.attempted;
        for node in self.others() {
            out.send_after(After::Nothing, node, Message::ViewChange { attempted });
        }
        if self.config.nodes > 1 {
            out.set_timer(RETRANSMIT, PATIENCE.0, PATIENCE.1);
        }
    }

    /// Joins an attempt at a later view only while no progress timer runs: whoever gets on, or waits for a
    /// view to be installed, is not to be disturbed. One voice counts more: that of its own leader, which
    /// leads no longer.
    pub(super) fn on_view_change(&mut self, from: NodeId, attempted: View, out: &mut Outbox<Psb>) {
        if attempted <= self.installed {
            self.tell_view(from, out);
            return out.ignore("View_Change to a view that is installed");
        }
        if attempted > self.attempted && self.may_join(from) {
            out.mark("joined");
            self.shift_to_leader_election(attempted, out);
        }
        match &mut self.state {
            State::LeaderElection(election) if attempted == self.attempted => {
                election.votes.insert(from);
                self.preinstall_if_ready(out);
            }
            State::LeaderElection(_) | State::RegLeader(_) | State::RegNonleader => {
                out.ignore("View_Change to a view that is not attempted here");
            }
        }
    }

    fn may_join(&self, from: NodeId) -> bool {
        let is_left = from == self.installed.leader(self.config.nodes)
            && matches!(self.state, State::RegNonleader);
        is_left || !(self.progress.is_set && self.has_work())
    }

    /// A majority attempts the view: waits for it to be installed, and installs it if it is its leader.
    fn preinstall_if_ready(&mut self, out: &mut Outbox<Psb>) {
        let State::LeaderElection(election) = &mut self.state else { return };
        if election.is_preinstalled || election.votes.len() < self.config.majority() {
            return;
        }
        election.is_preinstalled = true;
        self.fruitless = self.fruitless.saturating_add(1);
        self.set_progress_timer(out);
        if self.leads(self.attempted) {
            self.shift_to_prepare(self.attempted, out);
        }
    }

    /// Another server tells which view it has installed, and how far it has got.
    pub(super) fn on_vc_proof(
        &mut self,
        from: NodeId,
        installed: View,
        aru: Slot,
        out: &mut Outbox<Psb>,
    ) {
        self.follow(installed, out);
        self.hear(aru, from, out);
    }

    /// Goes to a later view, if it is one, that another server must have installed: `VC_Proof`s say so, and
    /// Proposals and Accepts prove it.
    pub(super) fn follow(&mut self, view: View, out: &mut Outbox<Psb>) {
        if view > self.installed {
            out.mark("pulled");
            self.shift_to(view, out);
        }
    }

    /// Installs a later view, if it is one, whoever leads it.
    pub(super) fn shift_to(&mut self, view: View, out: &mut Outbox<Psb>) {
        if view <= self.installed {
            return;
        }
        if self.leads(view) {
            self.shift_to_prepare(view, out);
        } else {
            self.install(view, out);
        }
    }

    /// Installs a view that another server leads: `Shift_to_Reg_Non_Leader` of the paper.
    fn install(&mut self, view: View, out: &mut Outbox<Psb>) {
        self.raise(view, out);
        self.state = State::RegNonleader;
        self.enter_regular(out);
    }

    /// The view is installed, durably before anybody is told.
    pub(super) fn raise(&mut self, view: View, out: &mut Outbox<Psb>) {
        assert!(view > self.installed, "installed views go up");
        if matches!(self.state, State::RegLeader(_)) {
            out.mark("leader-deposed");
        }
        self.step_down(out);
        (self.installed, self.attempted) = (view, view);
        if !self.config.mutants.deviates(Mutant::P02) {
            out.persist(Record::Installed { view });
        }
        out.observe(Observation::Promised { view, ticket: out.last_ticket().0 });
    }

    /// Gives up the view that it leads or prepares, if it does, and what it had queued for it.
    fn step_down(&mut self, out: &mut Outbox<Psb>) {
        self.queue = UpdateQueue::default();
        match self.state {
            State::LeaderElection(Election { preparing: Some(_), .. }) | State::RegLeader(_) => {
                out.observe(Observation::SteppedDown { view: self.installed });
            }
            State::LeaderElection(Election { preparing: None, .. }) | State::RegNonleader => {}
        }
    }

    /// The installed view goes on while another one was attempted in vain: goes back to it. The attempt has
    /// promised nothing. Without this, a server that lost patience alone would never be let in again.
    pub(super) fn go_back(&mut self, out: &mut Outbox<Psb>) {
        let is_alone = matches!(
            self.state,
            State::LeaderElection(Election { preparing: None, is_preinstalled: false, .. })
        );
        if is_alone && !self.leads(self.installed) {
            out.mark("went-back");
            self.attempted = self.installed;
            self.state = State::RegNonleader;
            self.enter_regular(out);
        }
    }

    /// `REG_NONLEADER` begins: the leader gets what this server is responsible for.
    fn enter_regular(&mut self, out: &mut Outbox<Psb>) {
        out.cancel_timer(RETRANSMIT);
        self.progress.is_made = true;
        self.forward_pending(out);
    }

    /// Whether anything is to be done for which the progress timer must run.
    pub(super) fn has_work(&self) -> bool {
        match &self.state {
            State::LeaderElection(election) => election.is_preinstalled,
            State::RegLeader(_) | State::RegNonleader => {
                !self.queue.is_empty()
                    || !self.pending.is_empty()
                    || self.log.last() > self.log.commit()
            }
        }
    }

    /// Sets the progress timer if there is something to do; a time without is no lost time.
    pub(super) fn watch_progress(&mut self, out: &mut Outbox<Psb>) {
        if !self.has_work() {
            self.progress.is_made = true;
        } else if !self.progress.is_set {
            self.set_progress_timer(out);
        }
    }

    fn set_progress_timer(&mut self, out: &mut Outbox<Psb>) {
        self.progress = Progress { is_set: true, is_made: false };
        let span = self.config.progress.0 << self.fruitless.min(DOUBLINGS_MAX);
        out.set_timer(PROGRESS, Micros(span), Micros(span + span / 2));
    }

    pub(super) fn on_progress_timer(&mut self, out: &mut Outbox<Psb>) {
        if !self.progress.is_set {
            return out.ignore("progress timer that is not set");
        }
        self.progress.is_set = false;
        // If there is something to do, it is set again at the end of this step.
        if self.has_work() && !self.progress.is_made {
            out.mark("lost-patience");
            self.shift_to_leader_election(self.attempted.next(), out);
        }
    }

    pub(super) fn set_vc_proof_timer(out: &mut Outbox<Psb>) {
        out.set_timer(VC_PROOF, VC_PROOF_SPAN.0, VC_PROOF_SPAN.1);
    }

    pub(super) fn on_vc_proof_timer(&mut self, out: &mut Outbox<Psb>) {
        Self::set_vc_proof_timer(out);
        for node in self.others() {
            self.tell_view(node, out);
        }
    }

    /// Both that a view is installed and that slots are ordered no crash takes back.
    pub(super) fn tell_view(&self, node: NodeId, out: &mut Outbox<Psb>) {
        let (installed, aru) = (self.installed, self.log.commit());
        out.send_after(After::Nothing, node, Message::VcProof { installed, aru });
    }
}

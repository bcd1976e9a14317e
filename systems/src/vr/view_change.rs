//! View changes (`VRR §4.2`).
//!
//! ```text
//!   hears nothing ── STARTVIEWCHANGE ──► all       it wants the next view, and stays where it is
//!   a quorum wants it, or somebody has left:       it leaves its view for good
//!       ── DOVIEWCHANGE, its log ──► new primary   once its lease to another has run out
//!   new primary, with a quorum of these:           the log of the last view that was normal, the longest of those
//!       ── STARTVIEW, that log ──► all
//! ```
//!
//! That a replica which hears nothing stays in its view until a quorum wants the next keeps one that is half cut off
//! from interrupting the others again and again (tigerbeetle #476).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use super::Vr;
use super::adoption::{Adoption, Goal};
use super::message::{Message, Record, State, Status};
use super::replica::{PATIENCE, RESEND, VrReplica};
use super::view::View;
use crate::contract::{After, Incarnation, Micros, NodeId, Outbox};
use crate::mutant::Mutant;
use crate::parties::NodeSet;

/// Who wants which view, and who has voted for the one that the replica has left its last for.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// The highest view that each replica wants.
    wanted: BTreeMap<NodeId, View>,
    /// As primary of the view: the votes.
    votes: BTreeMap<NodeId, Vote>,
    /// Whether its own vote has gone out.
    has_voted: bool,
}

/// What a DOVIEWCHANGE says.
#[derive(Debug)]
struct Vote {
    last_normal: View,
    state: Box<State>,
    /// Which life of its sender it is from, with crash vectors.
    life: Incarnation,
}

impl VrReplica {
    pub(super) fn on_view_timer(&mut self, out: &mut Outbox<Vr>) {
        match self.status {
            Status::Normal if self.primary.is_some() => {
                // It is set anew when it leads no more.
            }
            Status::Normal | Status::StateTransfer if self.is_primary_heard => {
                self.change.wanted.clear();
                self.set_view_timer(out);
            }
            Status::ViewChange => {
                self.fruitless = self.fruitless.saturating_add(1);
                self.want_next(out);
            }
            Status::Normal | Status::StateTransfer => self.want_next(out),
            Status::Recovering | Status::Transitioning | Status::Outside => {
                out.ignore("view timer of a replica that takes part in none");
            }
        }
    }

    /// Asks all for a view after every one that it knows of.
    fn want_next(&mut self, out: &mut Outbox<Vr>) {
        let known = self.transfer.as_ref().map_or(self.view, |transfer| transfer.view);
        let wanted = self.change.wanted.values().copied().max().unwrap_or_default();
        let view = known.max(self.view).next().max(wanted);
        if !view.is_possible() {
            return out.ignore("there are no more views");
        }
        self.change.wanted.insert(self.me, view);
        self.tell_wanted(view, false, out);
        self.set_view_timer(out);
        self.leave_if_wanted(out);
    }

    fn tell_wanted(&self, view: View, has_left: bool, out: &mut Outbox<Vr>) {
        for node in self.others() {
            let crashes = self.crashes.clone();
            out.send(node, Message::StartViewChange { view, has_left, crashes });
        }
    }

    pub(super) fn on_start_view_change(
        &mut self,
        from: NodeId,
        view: View,
        has_left: bool,
        out: &mut Outbox<Vr>,
    ) {
        if !self.takes_votes(from, view, out) {
            return;
        }
        if view <= self.view {
            return out.ignore("STARTVIEWCHANGE for no later view");
        }
        if has_left {
            return self.leave_for(view, out);
        }
        let wanted = self.change.wanted.entry(from).or_default();
        *wanted = view.max(*wanted);
        self.leave_if_wanted(out);
    }

    /// Whether it may go by what another replica says of views.
    pub(super) fn takes_votes(&self, from: NodeId, view: View, out: &mut Outbox<Vr>) -> bool {
        let why = match self.status {
            Status::Recovering | Status::Transitioning | Status::Outside => {
                "of a view change in which it does not take part"
            }
            _ if !self.members.contains(from) => "of a view change, from no replica",
            _ if !view.is_possible() => "of a view that there cannot be",
            Status::Normal | Status::ViewChange | Status::StateTransfer => return true,
        };
        out.ignore(why);
        false
    }

    /// Leaves its view for the highest that a quorum wants, or one beyond.
    fn leave_if_wanted(&mut self, out: &mut Outbox<Vr>) {
        let mut wanted: alloc::vec::Vec<View> =
            self.change.wanted.values().copied().filter(|view| *view > self.view).collect();
        wanted.sort_unstable_by(|one, other| other.cmp(one));
        let nth = usize::try_from(self.members.quorum() - 1).unwrap_or(usize::MAX);
        if let Some(view) = wanted.get(nth) {
            self.leave_for(*view, out);
        }
    }

    /// Takes part in no lower view any more.
    pub(super) fn leave_for(&mut self, view: View, out: &mut Outbox<Vr>) {
        if self.status == Status::StateTransfer {
            out.mark("transfer-abandoned");
        }
        self.stop_leading(out);
        self.transfer = None;
        self.adoption = None;
        self.early.clear();
        self.view = view;
        self.status = Status::ViewChange;
        self.view_ticket = Some(self.keep(Record::View { view }, out));
        self.observe_status(out);
        let me = self.me;
        if self.change.wanted.get(&me).is_none_or(|wanted| *wanted < view) {
            self.change.wanted.insert(me, view);
            self.tell_wanted(view, true, out);
        }
        self.change.votes.clear();
        self.set_view_timer(out);
        self.vote(out);
    }

    /// Sends its log to the primary of the view that it has left its last for, once no lease is in the way.
    pub(super) fn vote(&mut self, out: &mut Outbox<Vr>) {
        out.set_timer(RESEND, PATIENCE.0, PATIENCE.1);
        let primary = self.primary_of(self.view);
        self.change.has_voted = false;
        if let Some(left) = self.grant.withholds_from(primary, self.now)
            && !self.config.mutants.deviates(Mutant::V24)
        {
            out.mark("lease-withheld");
            return out.set_timer(RESEND, left, Micros(left.0 + PATIENCE.0.0));
        }
        self.change.has_voted = true;
        let (view, last_normal, crashes) = (self.view, self.last_normal, self.crashes.clone());
        let mut state = self.state_after(self.log.base());
        if self.config.mutants.deviates(Mutant::V19) {
            state.log.entries.clear();
        }
        let state = Box::new(state);
        out.send(primary, Message::DoViewChange { view, last_normal, state, crashes });
    }

    /// Its vote, or the word that it has left, may have been lost.
    pub(super) fn vote_again(&mut self, out: &mut Outbox<Vr>) {
        self.is_start_asked = false;
        if self.change.has_voted {
            self.tell_wanted(self.view, true, out);
        }
        self.vote(out);
    }

    pub(super) fn on_do_view_change(
        &mut self,
        from: NodeId,
        view: View,
        (last_normal, state, life): (View, Box<State>, Incarnation),
        out: &mut Outbox<Vr>,
    ) {
        if !self.takes_votes(from, view, out) {
            return;
        }
        if self.primary_of(view) != self.me {
            return out.ignore("DOVIEWCHANGE for a view of another primary");
        }
        if view < self.view {
            return out.ignore("DOVIEWCHANGE for a lower view");
        }
        if view > self.view {
            self.leave_for(view, out);
        }
        match self.status {
            // It has begun, and its sender has not heard of it.
            Status::Normal => return self.on_get_start_view(from, view, out),
            Status::ViewChange if self.adoption.is_none() => {}
            _ => return out.ignore("DOVIEWCHANGE once there were enough"),
        }
        self.change.votes.insert(from, Vote { last_normal, state, life });
        self.start_view_if_elected(out);
    }

    /// With the votes of a quorum, its own among them, it takes the right log, and leads.
    fn start_view_if_elected(&mut self, out: &mut Outbox<Vr>) {
        let voters = self.voters(out);
        if !self.members.is_quorum(voters) || !voters.contains(self.me) {
            return;
        }
        let counted = || self.change.votes.iter().filter(|(node, _)| voters.contains(**node));
        let is_length_only = self.config.mutants.deviates(Mutant::V01);
        let rank = |(node, vote): &(&NodeId, &Vote)| {
            let last_normal = if is_length_only { View::FIRST } else { vote.last_normal };
            // Of equal ones its own, which it need not ask anybody about.
            (last_normal, vote.state.log.last(), **node == self.me)
        };
        let Some((from, best)) = counted().max_by_key(rank) else { return };
        let commit = counted().map(|(_, vote)| vote.state.commit).max().unwrap_or_default();
        let held = counted().map(|(_, vote)| vote.state.held).max().unwrap_or_default();
        let state = State { log: best.state.log.clone(), commit, held };
        let from = *from;
        if from != self.me {
            out.mark("own-log-outvoted");
        }
        let view = self.view;
        self.adopt(Adoption { view, state, from, goal: Goal::Lead { voters } }, out);
    }

    /// Whose votes count: with crash vectors, none of a life that is over.
    fn voters(&self, out: &mut Outbox<Vr>) -> NodeSet {
        let votes = &self.change.votes;
        let is_counted = |(node, vote): &(&NodeId, &Vote)| self.is_last_life(**node, vote.life);
        if !votes.iter().all(|vote| is_counted(&vote)) {
            out.mark("former-life-refused");
        }
        votes.iter().filter(is_counted).map(|(node, _)| *node).collect()
    }

    pub(super) fn on_start_view(
        &mut self,
        from: NodeId,
        view: View,
        state: State,
        out: &mut Outbox<Vr>,
    ) {
        if !self.takes_votes(from, view, out) {
            return;
        }
        if from == self.me || from != self.primary_of(view) {
            return out.ignore("STARTVIEW not from the primary of the view");
        }
        if view < self.view {
            return out.ignore("STARTVIEW of a lower view");
        }
        let has_begun = view == self.view && self.status != Status::ViewChange;
        if has_begun {
            out.mark("start-view-again");
            // What was prepared since is not in it.
            if !self.config.mutants.deviates(Mutant::V31) {
                return out.ignore("STARTVIEW of a view that has begun");
            }
        }
        if state.log.last() < self.log.commit() {
            return out.ignore("STARTVIEW without what is committed here");
        }
        self.is_primary_heard = true;
        self.adopt(Adoption { view, state, from, goal: Goal::Follow }, out);
    }

    /// Its view has begun, and the STARTVIEW was lost, or is late.
    pub(super) fn ask_for_start_view(&mut self, primary: NodeId, out: &mut Outbox<Vr>) {
        if self.is_start_asked || self.adoption.is_some() {
            return out.ignore("of a view of which the beginning is asked for");
        }
        self.is_start_asked = true;
        out.mark("start-view-asked");
        out.send_after(After::Nothing, primary, Message::GetStartView { view: self.view });
    }

    pub(super) fn on_get_start_view(&mut self, from: NodeId, view: View, out: &mut Outbox<Vr>) {
        if self.primary.is_none() || view != self.view || from == self.me {
            return out.ignore("GETSTARTVIEW of a view that it does not lead");
        }
        let state = Box::new(self.state_after(self.log.base()));
        let crashes = self.crashes.clone();
        out.send_after(self.after_view(), from, Message::StartView { view, state, crashes });
    }

    /// Forgets what was wanted in views that are over.
    pub(super) fn end_change(&mut self) {
        let view = self.view;
        self.change.wanted.retain(|_, wanted| *wanted > view);
        self.change.votes.clear();
        self.is_start_asked = false;
        self.fruitless = 0;
    }
}

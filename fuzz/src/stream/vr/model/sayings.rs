//! What a replica says to others, and whether it is so.

use quorate_systems::contract::NodeId;
use quorate_systems::vr::{CrashVector, Message, Persistence, State, Status, View};

use super::Node;

/// The view that decides whether a message is of the receiver's epoch.
pub(super) fn view_of(message: &Message) -> Option<View> {
    match message {
        Message::Prepare { view, .. }
        | Message::PrepareOk { view, .. }
        | Message::Commit { view, .. }
        | Message::CommitOk { view, .. }
        | Message::StartViewChange { view, .. }
        | Message::DoViewChange { view, .. }
        | Message::StartView { view, .. }
        | Message::GetStartView { view }
        | Message::Recovery { view, .. }
        | Message::RecoveryResponse { view, .. }
        | Message::GetState { view, .. }
        | Message::NewState { view, .. } => Some(*view),
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
        | Message::EpochStarted { .. } => None,
    }
}

/// What a message says of lives, if it is of a kind that does.
pub(super) fn crashes_of(message: &Message) -> Option<&CrashVector> {
    match message {
        Message::StartViewChange { crashes, .. }
        | Message::DoViewChange { crashes, .. }
        | Message::StartView { crashes, .. }
        | Message::Recovery { crashes, .. }
        | Message::RecoveryResponse { crashes, .. } => Some(crashes),
        _ => None,
    }
}

impl Node {
    /// It sends to a node, once the ticket `after` is durable.
    pub(super) fn has_sent(&mut self, to: NodeId, message: &Message, after: u64) {
        if let Some(crashes) = crashes_of(message) {
            self.judge_lives(crashes, message);
        }
        match message {
            Message::Prepare { .. } | Message::Commit { .. } | Message::StartView { .. } => {
                self.judge_primary(message, after);
            }
            Message::PrepareOk { .. } | Message::CommitOk { .. } => {
                self.judge_backup(to, message, after);
            }
            Message::StartViewChange { .. }
            | Message::DoViewChange { .. }
            | Message::GetStartView { .. } => self.judge_change(to, message),
            Message::Recovery { nonce, view, .. } => {
                assert!(self.status == Status::Recovering, "{message}: {:?}", self.status);
                assert!(*view == self.view, "{message} in {}", self.view);
                if self.recovering.replace(*nonce) != Some(*nonce) {
                    self.offers.clear();
                }
            }
            Message::GetState { .. } => self.judge_question(message),
            Message::NewState { .. } | Message::RecoveryResponse { .. } => {
                self.judge_answer(to, message);
            }
            Message::GetCheckpoint { .. } => {}
            Message::Checkpoint { snapshot } => {
                assert!(snapshot.index == self.checkpoint, "{message}: {}", self.checkpoint);
            }
            Message::Relay { client, number, .. } => {
                assert!(self.requested.contains(&(*client, *number)), "nobody asks for {message}");
                assert!(to == self.primary_of(self.view), "{message} goes to {to}");
            }
            Message::RelayReply { client, number, .. } => {
                let done = self.table.get(client);
                assert!(done == Some(number), "{message}, and has executed {done:?}");
            }
            Message::StartEpoch { view, new, .. } => {
                let is_own = view.epoch == self.view.epoch && *new == self.members;
                assert!(is_own, "{message} in {} of {}", self.view, self.members);
            }
            Message::EpochStarted { epoch } => {
                let is_in = *epoch == self.view.epoch && self.members.contains(self.me);
                assert!(is_in, "{message} in {} of {}", self.view, self.members);
            }
            Message::Request { .. }
            | Message::Reconfiguration { .. }
            | Message::Reply { .. }
            | Message::Redirect { .. }
            | Message::NewEpoch { .. } => panic!("not for a node: {message}"),
        }
    }

    /// With crash vectors everybody says which life of whom is the last that he knows of, his own among them.
    fn judge_lives(&self, crashes: &CrashVector, message: &Message) {
        if self.config.persistence != Persistence::CrashVector {
            assert!(crashes.is_empty(), "{message}: there are no crash vectors");
            return;
        }
        let is_told = self.lives.iter().all(|(node, life)| crashes.get(*node).0 == *life);
        assert!(is_told, "{message}, and it knows of {:?}", self.lives);
    }

    fn judge_primary(&mut self, message: &Message, after: u64) {
        let view = view_of(message).unwrap_or_default();
        assert!(self.leads(view), "{message} by a replica that does not lead: {:?}", self.status);
        let ticket = self.view_ticket;
        assert!(after >= ticket, "{message} waits for {after}, and should for {ticket}");
        match message {
            Message::Prepare { view, op, entry, commit, .. } => {
                assert!(*commit <= self.log.commit, "{message}: {}", self.log.commit);
                self.prepares.push((*view, *op, entry.digest()));
            }
            Message::Commit { round, commit, .. } => {
                assert!(*commit <= self.log.commit, "{message}: {}", self.log.commit);
                let now = self.now;
                if let Some(primary) = &mut self.primary {
                    primary.has_sent_round(*round, now);
                }
            }
            Message::StartView { state, .. } => self.log.judge_whole(state),
            _ => {}
        }
    }

    fn judge_backup(&self, to: NodeId, message: &Message, after: u64) {
        let view = view_of(message).unwrap_or_default();
        let is_in = self.status == Status::Normal && view == self.view;
        assert!(is_in, "{message} in {} {:?}", self.view, self.status);
        assert!(to == self.primary_of(view), "{message} goes to {to}");
        match message {
            Message::PrepareOk { op, .. } => {
                let (last, ticket) = (self.log.last(), self.log.ticket);
                assert!(*op <= last, "{message}, and its log ends with {last}");
                assert!(after >= ticket, "{message} waits for {after}, and should for {ticket}");
            }
            Message::CommitOk { round, .. } => {
                let is_asked = matches!(&self.cause, Some((from, Message::Commit { view: v, round: r, .. }))
                    if (*from, *v, r) == (to, view, round));
                assert!(is_asked, "{message}: {:?}", self.cause);
            }
            _ => {}
        }
    }

    fn judge_change(&self, to: NodeId, message: &Message) {
        let has_left = self.status == Status::ViewChange;
        match message {
            Message::StartViewChange { view, has_left: false, .. } => {
                assert!(*view > self.view, "{message} in {}", self.view);
            }
            Message::StartViewChange { view, has_left: true, .. } => {
                assert!(has_left && *view == self.view, "{message} in {}", self.view);
            }
            Message::DoViewChange { view, last_normal, state, .. } => {
                assert!(has_left && *view == self.view, "{message} in {}", self.view);
                assert!(*last_normal == self.last_normal, "{message}: {}", self.last_normal);
                assert!(to == self.primary_of(*view), "{message} goes to {to}");
                self.log.judge_whole(state);
                let (holder, until) = self.grant;
                let is_bound = self.now < until && holder != Some(to);
                assert!(!is_bound, "{message} to {to}, and {holder:?} has its lease until {until}");
            }
            Message::GetStartView { view } => {
                assert!(has_left && *view == self.view, "{message} in {}", self.view);
                assert!(to == self.primary_of(*view), "{message} goes to {to}");
            }
            _ => {}
        }
    }

    fn judge_question(&mut self, message: &Message) {
        let Message::GetState { view, op, nonce, is_joining } = message else { return };
        let is_transferring = self.status == Status::StateTransfer && !*is_joining;
        let is_entering = self.status == Status::Transitioning && *is_joining;
        if *nonce == 0 && !is_transferring && !is_entering {
            // How did the later epoch begin?
            let is_own = *is_joining && *view == self.view;
            return assert!(is_own, "{message} in {}", self.view);
        }
        if *nonce == 0 {
            return;
        }
        assert!(is_transferring || is_entering, "{message} {:?}", self.status);
        let is_same = *view == self.view && !*is_joining;
        let has = if is_same { self.log.last() } else { self.log.commit };
        assert!(*op == has, "{message}, and it has all up to {has}");
        self.asked = Some((*nonce, *view));
    }

    fn judge_answer(&self, to: NodeId, message: &Message) {
        let view = view_of(message).unwrap_or_default();
        match (message, &self.cause) {
            (
                Message::NewState { nonce, state, .. },
                Some((from, Message::GetState { nonce: asked, view: least, is_joining, .. })),
            ) if (*from, nonce) == (to, asked) => {
                self.log.judge(state);
                let is_normal =
                    (self.status, self.view) == (Status::Normal, view) && view >= *least;
                let State { log, commit, .. } = &**state;
                let is_whole = log.last() == self.log.last();
                let is_enough =
                    *is_joining && view == *least && log.last() <= (*commit).max(log.after);
                assert!((is_normal && is_whole) || is_enough, "{message} {:?}", self.status);
            }
            (
                Message::RecoveryResponse { nonce, state, .. },
                Some((from, Message::Recovery { nonce: asked, .. })),
            ) if (*from, nonce) == (to, asked) => {
                let is_in = (self.status, self.view) == (Status::Normal, view);
                assert!(is_in, "{message} in {} {:?}", self.view, self.status);
                let leads = self.leads(view);
                assert!(state.is_some() == leads, "{message}: it leads: {leads}");
                if let Some(state) = state {
                    self.log.judge_whole(state);
                }
            }
            _ => panic!("{message} to {to}, which has not asked: {:?}", self.cause),
        }
    }
}

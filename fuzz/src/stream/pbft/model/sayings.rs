//! What a replica sends, and whether it is so.

use quorate_systems::contract::{ClientId, Command, NodeId};
use quorate_systems::parties::Party;
use quorate_systems::pbft::{Authentication, Body, Digest, How, Message, View, ViewChange};
use quorate_systems::smr::Slot;

use super::{Cause, Node, proofs};

impl Node {
    pub(super) fn has_sent(&mut self, to: NodeId, message: &Message) {
        let Message { body, .. } = message;
        let author = match body {
            Body::NewView(new) => self.primary_of(new.view),
            _ => self.me,
        };
        // What it tells itself is on no link.
        let is_proven =
            to == self.me || self.kit.of_node(to).is_authentic(Party::Node(author), message);
        assert!(is_proven, "{to} cannot know who sent {message}");
        match body {
            Body::Fetch { .. }
            | Body::Fetched { .. }
            | Body::GetState { .. }
            | Body::State { .. } => {
                self.has_sent_of_transfer(to, message);
            }
            Body::Request(signed) => {
                let is_primary = to == self.primary_of(self.view) && to != self.me;
                let asked = (signed.request.client, signed.request.number);
                let is_asked = self.heard.direct.contains_key(&asked.0);
                assert!(is_primary && is_asked, "{message} is passed on to {to}");
            }
            Body::PrePrepare { view, seq, digest, batch } => {
                assert!(self.leads(), "{message} to {to}: it does not lead {}", self.view);
                self.require_taken((*view, *seq, *digest), message);
                let right = self.kit.any().batch_digest(batch);
                assert!(right == *digest, "{message} carries {right}");
                self.agree(*view, *seq, *digest);
            }
            Body::Prepare { view, seq, digest } => {
                let is_alone = self.quorum() == 1;
                assert!(!self.leads() || is_alone, "{message} to {to}: it leads {}", self.view);
                self.require_taken((*view, *seq, *digest), message);
                assert!(self.held.contains(digest), "{message} to {to}, and it does not have that");
                self.agree(*view, *seq, *digest);
            }
            Body::Commit { view, seq, digest } => {
                let known = self.prepared(*seq);
                let is_in = self.is_active && *view == self.view;
                assert!(is_in && known == Some((*view, *digest)), "{message} to {to}: {known:?}");
                self.agree(*view, *seq, *digest);
            }
            Body::Checkpoint { seq, digest } => {
                let known = self.checkpoints.get(seq);
                assert!(known == Some(digest), "{message} to {to}: {known:?}");
            }
            Body::ViewChange(wanted) => {
                if self.wanted.as_ref() != Some(wanted) {
                    self.judge_view_change(wanted);
                    self.wanted = Some(wanted.clone());
                }
            }
            Body::NewView(new) => {
                let is_own = self.begun.as_ref() == Some(new) && self.is_active;
                assert!(is_own, "{message} to {to}, and it is in {}", self.view);
            }
            Body::Status { view, is_active, stable, executed } => {
                let is_so = (*view, *is_active) == (self.view, self.is_active)
                    && (*stable, *executed) == (self.stable.seq, self.executed());
                assert!(is_so, "{message} to {to} by {self:?}");
            }
            Body::Committed { seq, digest } => {
                let known = self.committed(*seq);
                assert!(known == Some(*digest), "{message} to {to}: {known:?}");
                self.owed.retain(|owed| *owed != (to, *seq, *digest));
            }
            Body::Stable(certificate) => {
                let is_own = *certificate == self.stable;
                assert!(is_own, "{message} to {to}, and it has {:?}", self.stable);
            }
            Body::Reply { .. } => panic!("{message} to {to}, which is no client"),
        }
    }

    /// What it lacks, and what others do.
    fn has_sent_of_transfer(&mut self, to: NodeId, message: &Message) {
        match &message.body {
            Body::Fetch { digest } => {
                assert!(to != self.me, "it asks itself for {digest}");
                self.fetched.push(*digest);
            }
            Body::Fetched { batch } => {
                let digest = self.kit.any().batch_digest(batch);
                let is_asked = matches!(&self.cause, Cause::Heard(Party::Node(from), Body::Fetch { digest: of })
                    if (*from, *of) == (to, digest));
                assert!(is_asked, "{message} to {to}, which has not asked for {digest}");
            }
            Body::GetState { seq } => {
                let has = self.executed();
                assert!(to != self.me && *seq > has, "{message} to {to}, and it has {has}");
            }
            Body::State { certificate, snapshot } => {
                let is_own = *certificate == self.stable && *snapshot == self.stable_state;
                assert!(is_own, "{message} to {to}, and it has {:?}", self.stable);
            }
            _ => unreachable!("{message} transfers nothing"),
        }
    }

    fn require_taken(&self, (view, seq, digest): (View, Slot, Digest), message: &Message) {
        let known = self.accepted(view, seq);
        let is_in = self.is_active && view == self.view;
        assert!(is_in && known == Some(digest), "{message} in {}: {known:?}", self.view);
    }

    /// Its VIEW-CHANGE is of its view, and tells all that is prepared at it, with proof.
    fn judge_view_change(&self, wanted: &ViewChange) {
        let is_in = wanted.view == self.view && !self.is_active;
        assert!(is_in, "it wants {}, and is in {}", wanted.view, self.view);
        assert!(wanted.stable == *self.stable, "it shows {:?}", wanted.stable);
        let prepared = self.places.iter().filter_map(|(seq, place)| Some((*seq, place.prepared?)));
        let told = wanted.prepared.iter().map(|claim| (claim.seq, (claim.view, claim.digest)));
        assert!(told.eq(prepared), "it says that this is prepared: {wanted}");
        assert!(proofs::is_view_change(&self.kit, wanted), "it does not prove {wanted}");
        if self.config().authentication == Authentication::Hmac {
            for claim in &wanted.pre_prepared {
                let place = self.places.get(&claim.seq);
                let known = place.and_then(|place| place.accepted.get(&claim.view));
                assert!(known == Some(&claim.digest), "it says that it took {claim:?}: {known:?}");
            }
        }
    }

    /// It answers a client, once the ticket `after` is durable.
    pub(super) fn has_answered(&mut self, client: ClientId, message: &Message, after: u64) {
        let Body::Reply { view, number, outcome, how } = &message.body else {
            panic!("not for a client: {message}");
        };
        let keys = self.kit.keys_of(Party::Client(client));
        let is_proven = keys.is_authentic(Party::Node(self.me), message);
        assert!(is_proven, "{client} cannot know who sent {message}");
        assert!(*view == self.view, "{message} to {client} in {}", self.view);
        let all = self.tickets;
        let must_be_kept = self.config().has_early_answers();
        assert!(!must_be_kept || after == all, "{message} waits for {after} of {all}");
        match how {
            How::Committed => self.answers.push((client, *number, outcome.clone())),
            How::Tentative => {
                let known = self.ahead.as_ref().and_then(|ahead| ahead.outcome(client, *number));
                assert!(known == Some(outcome), "{message} to {client}: {known:?}");
            }
            How::ReadOnly => {
                let has = self.executed();
                let is_true = |(command, least): &(Command, Slot)| {
                    let right = self.state.snapshot.store.look(command);
                    has >= *least && right.as_ref() == Some(outcome)
                };
                let asked = self.reads.get(&(client, *number));
                let is_asked = asked.is_some_and(|asked| asked.iter().any(is_true));
                assert!(is_asked, "{message} to {client} after {has}, which asked for {asked:?}");
            }
        }
    }
}

//! What a replica owes others: what is due, and must have come when a step is over.

use std::sync::Arc;

use quorate_systems::contract::NodeId;
use quorate_systems::parties::Party;
use quorate_systems::pbft::{Batch, Body, Digest, Execution, Reads, SignedRequest, View, decide};
use quorate_systems::smr::Slot;

use super::{Cause, Kind, Node, proofs};

/// What comes later can be asked for later.
const TOLD_AT_ONCE: u64 = 32;

impl Node {
    /// A client asks, or somebody passes on what it asked.
    pub(super) fn on_request(&mut self, signed: &Arc<SignedRequest>, is_direct: bool) {
        let request = &signed.request;
        if !signed.is_read_only {
            self.heard.asked.insert((request.client, request.number));
            if is_direct {
                let last = self.heard.direct.entry(request.client).or_insert(request.number);
                *last = request.number.max(*last);
            }
            return;
        }
        let is_read = self.state.snapshot.store.look(&request.command).is_some();
        if self.config().reads == Reads::ReadOnly && is_read {
            let least = self.told();
            let asked = self.reads.entry((request.client, request.number)).or_default();
            if asked.iter().all(|(command, _)| *command != request.command) {
                asked.push((request.command.clone(), least));
            }
        }
    }

    /// Up to where clients may count on what it told them.
    fn told(&self) -> Slot {
        let (executed, next) = (self.executed(), self.executed().next());
        let is_told = self.config().execution == Execution::Tentative;
        if is_told && self.prepared(next).is_some() { next } else { executed }
    }

    /// `Berger, Reiser, Bessani 2021`: whoever has missed what is committed is told, of what it can execute next.
    pub(super) fn on_status(&mut self, from: NodeId, executed: Slot) {
        let missed = self.places.range(executed.next()..=executed.plus(TOLD_AT_ONCE));
        let missed = missed.filter_map(|(seq, place)| Some((from, *seq, place.committed?)));
        self.owed = missed.collect();
    }

    /// Nothing more comes of this step.
    pub(super) fn is_over(&mut self) {
        assert!(self.owed.is_empty(), "it keeps to itself what is committed: {:?}", self.owed);
        let unfounded = self.unfounded;
        assert!(unfounded.is_none(), "it stores as committed, for no reason: {unfounded:?}");
        for (client, number, outcome) in std::mem::take(&mut self.answers) {
            let known = self.state.outcome(client, number);
            assert!(
                known == Some(&outcome),
                "it answers {number} of {client} with {outcome}, and that ended so: {known:?}"
            );
        }
        self.require_acceptance();
        self.require_entering();
        self.require_votes();
        self.require_execution();
        self.require_joining();
    }

    /// `PBFT OSDI'99 §4.2`: a PRE-PREPARE of its view and primary is taken, unless something speaks against it.
    fn require_acceptance(&self) {
        let Cause::Heard(Party::Node(from), Body::PrePrepare { view, seq, digest, batch }) =
            &self.cause
        else {
            return;
        };
        let is_due = self.is_active
            && *view == self.view
            && *from == self.primary_of(*view)
            && *from != self.me
            && self.is_in_window(*seq)
            && self.committed(*seq).is_none_or(|committed| committed == *digest)
            && *digest == self.kit.any().batch_digest(batch)
            && self.are_requests_good(batch);
        let taken = self.accepted(*view, *seq);
        assert!(!is_due || taken.is_some(), "it does not take {seq} of {view} as {digest}");
    }

    /// `PBFT OSDI'99 §4.4`: a view begins with a NEW-VIEW of its primary that follows from a quorum's VIEW-CHANGEs.
    fn require_entering(&self) {
        let Cause::Heard(_, Body::NewView(new)) = &self.cause else { return };
        let proposed = new.proposals.iter().map(|proposal| (proposal.seq, proposal.digest));
        let follows = || {
            let decision = decide(self.config(), &new.votes);
            decision.is_some_and(|decision| proposed.eq(decision.proposals))
        };
        let is_due = self.primary_of(new.view) != self.me
            && new.view > self.view
            && proofs::is_new_view(&self.kit, new)
            && follows();
        assert!(!is_due, "it stays in {}, and {} begins by {:?}", self.view, new.view, new.votes);
    }

    /// What has enough votes is prepared, and committed.
    fn require_votes(&self) {
        if !self.is_active {
            return;
        }
        let (view, me) = (self.view, self.me);
        for (seq, place) in &self.places {
            let Some(digest) = place.accepted.get(&view).copied() else { continue };
            let at = (view, *seq, digest);
            let is_vouched = self.leads() || self.heard.has_voted(Kind::Prepare, at, me);
            let is_prepared = place.prepared == Some((view, digest));
            let takers = self.heard.count(Kind::Prepare, at);
            let is_due = is_vouched && takers + 1 >= self.quorum() && self.quorum() > 1;
            assert!(!is_due || is_prepared, "{seq} of {view} has {takers} PREPAREs: {place:?}");
            let commits = self.heard.count(Kind::Commit, at);
            let is_due = is_prepared && commits >= self.quorum();
            let is_committed = place.committed.is_some();
            assert!(!is_due || is_committed, "{seq} of {view} has {commits} COMMITs: {place:?}");
        }
        let weak = proofs::weak(self.config());
        let open = self.stable.seq.next().through(self.stable.seq.plus(self.window()));
        for seq in open.filter(|seq| self.committed(*seq).is_none()) {
            let agreed = self.heard.agreed(seq, weak);
            assert!(agreed.is_none(), "{weak} say that {seq} is committed: {agreed:?}");
        }
    }

    pub(super) fn window(&self) -> u64 {
        2 * self.config().checkpoint_every
    }

    /// What is committed and known is executed.
    fn require_execution(&self) {
        let next = self.executed().next();
        let is_known =
            |digest: &Digest| self.held.contains(digest) && !self.discarded.contains(digest);
        let committed = self.committed(next).filter(is_known);
        assert!(committed.is_none(), "{next} is committed, and not executed: {committed:?}");
    }

    /// `PBFT OSDI'99 §4.5.2`: f + 1 others have gone on, one of whom is correct.
    fn require_joining(&self) {
        let gone_on = self.heard.wanted_above(self.view, self.me).count();
        let is_due = gone_on >= proofs::weak(self.config());
        assert!(!is_due, "{gone_on} others want later views than {}", self.view);
    }

    /// Whether clients signed all of this, to be ordered.
    pub(super) fn are_requests_good(&self, batch: &Batch) -> bool {
        let keys = self.kit.any();
        batch.0.iter().all(|signed| !signed.is_read_only && keys.is_request_authentic(signed))
    }

    /// It makes durable that it leaves for this view, while it is still in its own.
    pub(super) fn leaves(&self, view: View) {
        let now = self.view;
        assert!(view > now, "it leaves {now} for {view}");
        match &self.cause {
            Cause::Timer => {
                assert!(view == now.next(), "time is over in {now}, and it leaves for {view}");
                let is_open = |(client, number): (&_, &_)| self.state.is_new(*client, *number);
                let is_asked = self.heard.direct.iter().any(is_open);
                let leaving = self.heard.count_leaving(now, self.me) + 1;
                assert!(!self.is_active || is_asked, "it leaves {now}, and nobody waits");
                assert!(
                    self.is_active || leaving >= self.quorum(),
                    "it leaves {now}, which has not begun, and {leaving} want that"
                );
            }
            Cause::Heard(_, Body::ViewChange(_)) => {
                let wanted: Vec<View> = self.heard.wanted_above(now, self.me).collect();
                let is_enough = wanted.len() >= proofs::weak(self.config());
                let lowest = wanted.iter().min().copied();
                assert!(
                    is_enough && lowest == Some(view),
                    "it leaves {now} for {view}, and others want {wanted:?}"
                );
            }
            other => panic!("it leaves {now} for {view}, for no reason: {other:?}"),
        }
    }

    /// What it orders itself was asked for, is new, and stands in the next sequence number.
    pub(super) fn orders(&self, seq: Slot, digest: Digest) {
        let batch = self.batches.get(&digest).cloned().unwrap_or_default();
        let view = self.view;
        assert!(!batch.0.is_empty(), "it orders nothing as {seq}");
        assert!(batch.0.len() <= self.config().batch, "{} requests in {seq}", batch.0.len());
        let in_flight = seq.since(self.executed());
        assert!(in_flight <= self.config().in_flight, "{in_flight} are under way with {seq}");
        let proposed = self.begun.as_deref().filter(|begun| begun.view == view);
        let proposed = proposed.and_then(|begun| begun.proposals.last());
        let before = Slot(seq.0 - 1);
        let follows = before <= self.stable.seq
            || self.accepted(view, before).is_some()
            || proposed.is_some_and(|last| before <= last.seq);
        assert!(follows, "{seq} of {view} is given away before {before}");
        for signed in &batch.0 {
            let (client, number) = (signed.request.client, signed.request.number);
            let is_asked = self.heard.asked.contains(&(client, number));
            assert!(is_asked, "{number} of {client} is ordered, and nobody asked for that");
            assert!(self.state.is_new(client, number), "{number} of {client} is executed");
            let is_same = |(other, place): (&Slot, &super::Place)| {
                let digest = place.accepted.get(&view).filter(|_| *other != seq);
                let batch = digest.and_then(|digest| self.batches.get(digest));
                let mut all = batch.into_iter().flat_map(|batch| &batch.0);
                all.any(|of| (of.request.client, of.request.number) == (client, number))
            };
            let mut open = self.places.range(self.executed().next()..);
            assert!(!open.any(is_same), "{number} of {client} is ordered twice in {view}");
        }
    }
}

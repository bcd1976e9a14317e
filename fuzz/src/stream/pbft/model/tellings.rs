//! What a replica makes durable, and tells of itself, and whether there is a reason for it.

use std::sync::Arc;

use quorate_systems::parties::{NodeSet, Party};
use quorate_systems::pbft::{
    Authentication, Batch, Body, Certificate, Digest, Execution, NewView, Observation, Prepared,
    Proof, Reads, Record, View, Vote,
};
use quorate_systems::smr::{Slot, Snapshot};

use super::{Cause, Kind, Node, State, proofs, those};

type At = (View, Slot, Digest);

impl Node {
    pub(super) fn has_persisted(&mut self, record: &Record) {
        self.tickets += 1;
        match record {
            Record::ViewLeft { view } => {
                self.leaves(*view);
                (self.view, self.is_active, self.ahead) = (*view, false, None);
            }
            Record::ViewEntered { new_view, by, proof } => {
                let is_primary = *by == self.primary_of(new_view.view);
                assert!(is_primary, "{by} begins {}", new_view.view);
                self.enters(new_view, proof);
            }
            Record::PrePrepared { view, seq, digest, batch, proof: _ } => {
                self.accepts((*view, *seq, *digest), batch);
            }
            Record::Fetched { batch } => {
                let digest = self.kit.any().batch_digest(batch);
                assert!(self.fetched.contains(&digest), "{digest} was not asked for");
                self.hold(digest, batch);
            }
            Record::Prepared { view, seq, digest, votes } => {
                self.proves((*view, *seq, *digest), votes);
            }
            Record::Committed { seq, digest } => self.unfounded = Some((*seq, *digest)),
            Record::Stable { certificate, snapshot } => self.discards(certificate, snapshot),
        }
    }

    pub(super) fn has_told(&mut self, observation: &Observation) {
        match observation {
            Observation::ViewLeft { view, ticket } => {
                self.require_ticket(*ticket);
                let is_so = *view == self.view && !self.is_active;
                assert!(is_so, "it has left for {view}, and is in {}", self.view);
            }
            Observation::ViewEntered { view, voters: _, ticket } => {
                self.require_ticket(*ticket);
                let is_so = *view == self.view && self.is_active;
                assert!(is_so, "it takes part in {view}, and is in {}", self.view);
            }
            Observation::PrePrepared { view, seq, digest, ticket } => {
                self.require_ticket(*ticket);
                self.took((*view, *seq, *digest));
            }
            Observation::Prepared { view, seq, digest, voters, ticket } => {
                self.require_ticket(*ticket);
                self.is_prepared((*view, *seq, *digest), *voters);
            }
            Observation::Committed { view, seq, digest, voters } => {
                self.is_committed((*view, *seq, *digest), *voters);
            }
            Observation::Learned { seq, digest, voters } => {
                self.has_learned(*seq, *digest, *voters);
            }
            Observation::Executed { seq, digest, chain, requests } => {
                let batch = self.next_batch(*seq, *digest);
                let committed = self.committed(*seq);
                assert!(committed == Some(*digest), "{digest} is executed: {committed:?}");
                let effects = self.state.execute(*digest, &batch);
                assert!(effects == *requests, "{seq} comes to {effects:?}, not {requests:?}");
                let right = self.state.snapshot.chain;
                assert!(*chain == right, "the history up to {seq} is {right}, not {chain}");
                self.ahead = None;
            }
            Observation::TentativelyExecuted { view, seq, digest } => {
                self.tries((*view, *seq, *digest));
            }
            Observation::CheckpointTaken { seq, digest } => self.took_checkpoint(*seq, *digest),
            Observation::CheckpointStable { seq, digest, voters: _, ticket } => {
                self.require_ticket(*ticket);
                let known = (self.stable.seq, self.stable.digest);
                assert!(known == (*seq, *digest), "{seq} is stable, and it stored {known:?}");
            }
            Observation::StateInstalled { seq, digest, chain } => {
                self.has_installed(*seq, *digest);
                let right = self.state.snapshot.chain;
                assert!(*chain == right, "the history up to {seq} is {right}, not {chain}");
            }
            Observation::ReadServed { executed } => {
                let has = self.executed();
                assert!(self.config().reads == Reads::ReadOnly, "a read is served out of order");
                assert!(*executed == has, "a read is served after {executed}, not {has}");
            }
            Observation::Accepted { .. } => panic!("a replica is no client: {observation:?}"),
        }
    }

    fn require_ticket(&self, ticket: u64) {
        assert!(ticket == self.tickets, "it waits for {ticket} of {}", self.tickets);
    }

    fn enters(&mut self, new: &Arc<NewView>, proof: &Proof) {
        let (view, now) = (new.view, self.view);
        let is_new = view > now || (view == now && !self.is_active);
        assert!(is_new, "{view} begins for it, which is in {now}");
        let said = quorate_systems::pbft::Said::NewView(new);
        let primary = self.primary_of(view);
        assert!(self.kit.any().vote_holds(primary, &said, proof), "{primary} did not say so");
        assert!(proofs::is_new_view(&self.kit, new), "{view} begins by {new:?}");
        if primary == self.me {
            assert!(view == now, "it begins {view}, and wants {now}");
        }
        (self.view, self.is_active, self.ahead) = (view, true, None);
        self.begun = Some(new.clone());
    }

    /// A PRE-PREPARE, of its primary or its own.
    fn accepts(&mut self, at: At, batch: &Arc<Batch>) {
        let (view, seq, digest) = at;
        let is_in = self.is_active && view == self.view;
        assert!(is_in, "it takes {seq} of {view}, and is in {}", self.view);
        assert!(self.is_in_window(seq), "it takes {seq}, after {}", self.stable.seq);
        self.require_undisputed(at);
        let right = self.kit.any().batch_digest(batch);
        assert!(right == digest, "it takes {seq} as {digest}, and that is {right}");
        assert!(self.are_requests_good(batch), "not all of {batch} is asked for, in {seq}");
        self.hold(digest, batch);
        if self.leads() {
            self.orders(seq, digest);
        } else {
            let primary = Party::Node(self.primary_of(view));
            let is_told = matches!(
                &self.cause,
                Cause::Heard(from, Body::PrePrepare { view: of, seq: place, digest: known, .. })
                    if (*from, *of, *place, *known) == (primary, view, seq, digest)
            );
            assert!(is_told, "{primary} did not propose {digest} as {seq} of {view}");
        }
        self.accept(view, seq, digest);
    }

    /// Nothing else was taken there, or is committed.
    fn require_undisputed(&self, (view, seq, digest): At) {
        let (taken, committed) = (self.accepted(view, seq), self.committed(seq));
        let is_free = |known: Option<Digest>| known.is_none_or(|known| known == digest);
        assert!(is_free(taken), "it takes {seq} of {view} as {digest}, after {taken:?}");
        // What a view begins with is taken, whatever is committed; and who still leads a view that others have left may
        // learn what they have made of a sequence number that it has not given away.
        let is_begun = self.is_proposed((view, seq, digest));
        assert!(
            is_begun || self.leads() || is_free(committed),
            "it takes {seq} of {view} as {digest}, and {committed:?} is committed"
        );
    }

    /// Whether its view began with this.
    fn is_proposed(&self, (view, seq, digest): At) -> bool {
        let begun = self.begun.as_deref().filter(|begun| begun.view == view);
        let proposed = begun.into_iter().flat_map(|begun| &begun.proposals);
        proposed.into_iter().any(|known| (known.seq, known.digest) == (seq, digest))
    }

    /// It tells that it took a PRE-PREPARE, which it made durable, or which its view began with.
    fn took(&mut self, at: At) {
        let (view, seq, digest) = at;
        if self.accepted(view, seq) == Some(digest) {
            return;
        }
        assert!(self.is_proposed(at), "it took {seq} of {view} as {digest}, which nobody proposed");
        assert!(view == self.view && self.is_in_window(seq), "it took {seq} of {view}");
        self.require_undisputed(at);
        self.accept(view, seq, digest);
    }

    /// What it stores of a certificate: with signatures, what proves it.
    fn proves(&self, (view, seq, digest): At, votes: &[Vote]) {
        let claim = Prepared { view, seq, digest, votes: votes.to_vec() };
        let is_proven = match self.config().authentication {
            Authentication::Signatures => proofs::is_prepared(&self.kit, &claim),
            Authentication::Hmac => votes.is_empty(),
        };
        assert!(is_proven, "that {seq} of {view} is prepared is not proven: {claim:?}");
    }

    fn is_prepared(&mut self, at: At, voters: NodeSet) {
        let (view, seq, digest) = at;
        let is_in = self.is_active && view == self.view;
        assert!(is_in, "{seq} of {view} is prepared, in {}", self.view);
        let taken = self.accepted(view, seq);
        assert!(taken == Some(digest), "{digest} is prepared as {seq} of {view}: {taken:?}");
        let primary = self.primary_of(view);
        let silent =
            those(voters, |node| node != primary && !self.heard.has_voted(Kind::Prepare, at, node));
        assert!(silent.is_empty(), "{silent} did not prepare {seq} of {view} as {digest}");
        let is_enough = voters.len() as usize >= self.quorum() && voters.contains(primary);
        assert!(is_enough, "{seq} of {view} is prepared by {voters}");
        self.place(seq).prepared = Some((view, digest));
    }

    fn is_committed(&mut self, at: At, voters: NodeSet) {
        let (view, seq, digest) = at;
        let is_in = self.is_active && view == self.view;
        assert!(is_in, "{seq} of {view} is committed, in {}", self.view);
        let known = self.prepared(seq);
        assert!(known == Some((view, digest)), "{seq} of {view} is committed: {known:?}");
        let silent = those(voters, |node| !self.heard.has_voted(Kind::Commit, at, node));
        assert!(silent.is_empty(), "{silent} did not commit {seq} of {view} as {digest}");
        assert!(voters.len() as usize >= self.quorum(), "{seq} is committed by {voters}");
        self.settles(seq, digest);
    }

    fn has_learned(&mut self, seq: Slot, digest: Digest, voters: NodeSet) {
        let silent = those(voters, |node| !self.heard.has_told(seq, digest, node));
        assert!(silent.is_empty(), "{silent} did not say that {seq} is committed as {digest}");
        let is_enough = voters.len() as usize >= proofs::weak(self.config());
        assert!(is_enough && !voters.contains(self.me), "{seq} is committed, say {voters}");
        self.settles(seq, digest);
    }

    fn settles(&mut self, seq: Slot, digest: Digest) {
        let stored = self.unfounded.take();
        assert!(stored == Some((seq, digest)), "{seq} is committed, and it stored {stored:?}");
        assert!(self.is_in_window(seq), "{seq} is committed, after {}", self.stable.seq);
        self.place(seq).committed = Some(digest);
        let first = *self.past.committed.entry(seq).or_insert(digest);
        self.past.is_absurd |= first != digest;
    }

    /// What is executed next.
    fn next_batch(&self, seq: Slot, digest: Digest) -> Arc<Batch> {
        let next = self.executed().next();
        assert!(seq == next, "{seq} is executed, and {next} is next");
        let batch = self.batches.get(&digest).filter(|_| self.held.contains(&digest));
        batch.cloned().unwrap_or_else(|| panic!("{digest} is executed, and nobody told it"))
    }

    fn tries(&mut self, (view, seq, digest): At) {
        let is_allowed = self.config().execution == Execution::Tentative;
        assert!(is_allowed, "{seq} is executed before it is committed");
        let known = self.prepared(seq);
        let is_in = self.is_active && view == self.view && known == Some((view, digest));
        assert!(is_in, "{seq} of {view} is tried as {digest}: {known:?}");
        let batch = self.next_batch(seq, digest);
        let mut ahead = self.state.clone();
        ahead.execute(digest, &batch);
        self.ahead = Some(ahead);
    }

    fn took_checkpoint(&mut self, seq: Slot, digest: Digest) {
        let has = self.executed();
        let is_due = seq.0.is_multiple_of(self.config().checkpoint_every);
        assert!(seq == has && is_due, "a checkpoint at {seq}, and {has} is executed");
        let right = self.kit.any().snapshot_digest(&self.state.snapshot);
        assert!(right == digest, "the state after {seq} is {right}, not {digest}");
        self.checkpoints.insert(seq, digest);
        self.has_state(seq, digest);
    }

    fn has_state(&mut self, seq: Slot, digest: Digest) {
        let first = *self.past.states.entry(seq).or_insert(digest);
        self.past.is_absurd |= first != digest;
    }

    /// A checkpoint is stable: its own, or that of a state which somebody told.
    fn discards(&mut self, certificate: &Arc<Certificate>, snapshot: &Arc<Snapshot>) {
        let (seq, digest) = (certificate.seq, certificate.digest);
        assert!(seq > self.stable.seq, "{seq} is stable, after {}", self.stable.seq);
        assert!(proofs::is_stable(&self.kit, certificate), "{seq} is stable by {certificate:?}");
        let right = self.kit.any().snapshot_digest(snapshot);
        let is_state = snapshot.index == seq && right == digest;
        assert!(is_state, "the state after {seq} is {right}, not {digest}");
        let is_own = self.checkpoints.get(&seq) == Some(&digest);
        let is_told = matches!(&self.cause, Cause::Heard(_, Body::State { certificate: told, .. })
            if told == certificate);
        assert!(is_own || is_told, "{seq} is stable, and it is not there: {:?}", self.checkpoints);
        self.release(certificate, snapshot);
    }

    fn has_installed(&mut self, seq: Slot, digest: Digest) {
        let (stable, has) = (self.stable.seq, self.executed());
        assert!(seq == stable && seq > has, "{seq} is installed, after {has} and {stable}");
        self.state = State::load((*self.stable_state).clone());
        self.ahead = None;
        self.has_state(seq, digest);
    }
}

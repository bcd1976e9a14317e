//! What travels, what is made durable, and what is told of it.
//!
//! A message is a [`Body`] and the [`Proof`] that its sender made it. Whatever must be believed by somebody who did not
//! hear it from its author (requests, votes in certificates, view changes) is carried with its author's own proof.

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::proof::{Authenticator, Proof};
use super::view::View;
use crate::contract::{ClientId, NodeId, Outcome};
use crate::parties::NodeSet;
use crate::smr::{Chain, Request, RequestNumber, Slot, Snapshot};

/// Whatever travels between nodes, and between nodes and clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// What it says.
    pub body: Body,
    /// That its sender says it, to this receiver.
    pub proof: Proof,
}

/// What a message says. Sequence numbers are [`Slot`]s, called `seq`; digests are of batches, or of snapshots where
/// checkpoints are spoken of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Body {
    /// A client asks for this. A replica passes it on to the primary as it is.
    Request(Arc<SignedRequest>),
    /// The request ended so at the sender, which is in this view.
    Reply { view: View, number: RequestNumber, outcome: Outcome, how: How },
    /// The primary gives this batch a sequence number.
    PrePrepare { view: View, seq: Slot, digest: Digest, batch: Arc<Batch> },
    /// The sender, a backup, has accepted the PRE-PREPARE of this digest, and accepts no other.
    Prepare { view: View, seq: Slot, digest: Digest },
    /// The batch is prepared at the sender.
    Commit { view: View, seq: Slot, digest: Digest },
    /// The sender has executed all up to `seq`, and its state is this.
    Checkpoint { seq: Slot, digest: Digest },
    /// The sender has left all lower views.
    ViewChange(Arc<ViewChange>),
    /// The view begins.
    NewView(Arc<NewView>),
    /// The sender waits for something; this is what it has. Who has more tells it.
    Status { view: View, is_active: bool, stable: Slot, executed: Slot },
    /// At the sender this is committed, in whatever view. Of f + 1 who say so one is correct.
    Committed { seq: Slot, digest: Digest },
    /// This checkpoint is stable.
    Stable(Arc<Certificate>),
    /// What batch has this digest?
    Fetch { digest: Digest },
    /// This one has the digest that was asked for.
    Fetched { batch: Arc<Batch> },
    /// What is the state at this stable checkpoint, or a later one?
    GetState { seq: Slot },
    /// This is.
    State { certificate: Arc<Certificate>, snapshot: Arc<Snapshot> },
}

/// How a request ended that a REPLY tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum How {
    /// It is executed, and all up to it is committed.
    Committed,
    /// It is executed, all before it is committed, and it is prepared (`PBFT OSDI'99 §5.1`).
    Tentative,
    /// It changes nothing, and was answered outside the order (`PBFT OSDI'99 §5.1`).
    ReadOnly,
}

/// A request with its client's word for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SignedRequest {
    /// What is asked for.
    pub request: Request,
    /// Whether it is to be answered outside the order.
    pub is_read_only: bool,
    /// The client's signature of both.
    pub signature: Proof,
    /// With `authentication=hmac` one word for each replica besides, which costs less to look at: whoever hears the
    /// client itself drops what has a wrong one. It proves nothing to anybody else.
    pub authenticator: Authenticator,
}

/// Requests that share a sequence number, executed in this order. Without any it is the NULL request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Batch(pub Vec<SignedRequest>);

/// One replica's word for something that stands elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Vote {
    /// Whose.
    pub by: NodeId,
    /// The proof of its message.
    pub proof: Proof,
}

/// That a checkpoint is stable: CHECKPOINTs of a quorum, which are always signed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Certificate {
    /// Up to where.
    pub seq: Slot,
    /// Of the snapshot after it.
    pub digest: Digest,
    /// Who says so. Nobody need for the beginning, sequence number 0.
    pub votes: Vec<Vote>,
}

/// That a batch was prepared: an element of P (`PBFT OSDI'99 §4.4`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Prepared {
    /// The last view in which it was.
    pub view: View,
    /// Its sequence number.
    pub seq: Slot,
    /// Its digest.
    pub digest: Digest,
    /// With signatures: the PRE-PREPARE of that view's primary, then PREPAREs of Q - 1 others. With MACs, which nobody
    /// else can check, none.
    pub votes: Vec<Vote>,
}

/// That a batch was pre-prepared: an element of Q, which is needed where P is not proven (Castro, Liskov 2002, TOCS,
/// 3.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PrePrepared {
    /// Its sequence number.
    pub seq: Slot,
    /// Its digest.
    pub digest: Digest,
    /// The last view in which it was pre-prepared with this digest.
    pub view: View,
}

/// A replica has left all views below `view`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ViewChange {
    /// The view that it wants.
    pub view: View,
    /// Its last stable checkpoint: C.
    pub stable: Certificate,
    /// What is prepared at it beyond that, one element for each sequence number, in order: P.
    pub prepared: Vec<Prepared>,
    /// With MACs, what is pre-prepared at it beyond that, in order: Q.
    pub pre_prepared: Vec<PrePrepared>,
}

/// A view-change message as others pass it on; it is always signed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SignedViewChange {
    /// Who wants the view.
    pub by: NodeId,
    /// What it says.
    pub body: Arc<ViewChange>,
    /// Its signature.
    pub proof: Proof,
}

/// A sequence number in a view that begins: an element of O. It is a PRE-PREPARE without the batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Proposal {
    /// The sequence number.
    pub seq: Slot,
    /// Of the batch; [`Digest::NULL`] where nothing can have been committed.
    pub digest: Digest,
    /// With signatures, the primary's for the PRE-PREPARE.
    pub proof: Option<Proof>,
}

/// A view begins. It is always signed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NewView {
    /// Which.
    pub view: View,
    /// A quorum wants it: V.
    pub votes: Vec<SignedViewChange>,
    /// All that may have been committed, one element for each sequence number after the highest stable checkpoint in V,
    /// in order: O.
    pub proposals: Vec<Proposal>,
}

impl NewView {
    /// The last sequence number that it proposes something for; 0 without any.
    pub(super) fn last(&self) -> Slot {
        self.proposals.last().map_or(Slot::ZERO, |proposal| proposal.seq)
    }
}

/// What a replica makes durable. Replaying them in order gives its durable state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Record {
    /// It has left all lower views, and `view` has not begun for it.
    ViewLeft { view: View },
    /// The view began, and all its proposals are pre-prepared.
    ViewEntered { new_view: Arc<NewView>, by: NodeId, proof: Proof },
    /// It accepted (as primary: made) this PRE-PREPARE, and no other for this view and sequence number.
    PrePrepared { view: View, seq: Slot, digest: Digest, batch: Arc<Batch>, proof: Proof },
    /// A batch that it needed and did not have.
    Fetched { batch: Arc<Batch> },
    /// It is prepared: what is pre-prepared has the PREPAREs of these.
    Prepared { view: View, seq: Slot, digest: Digest, votes: Vec<Vote> },
    /// It is committed, in whatever view.
    Committed { seq: Slot, digest: Digest },
    /// The checkpoint is stable, and all up to there is in the snapshot.
    Stable { certificate: Arc<Certificate>, snapshot: Arc<Snapshot> },
}

/// What a core tells of its transitions; the invariants are stated over these. `ticket` is the last record that must be
/// durable before anybody may be told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Observation {
    /// A replica has left all lower views.
    ViewLeft { view: View, ticket: u64 },
    /// A replica takes part in a view: its primary had the VIEW-CHANGEs of `voters`.
    ViewEntered { view: View, voters: NodeSet, ticket: u64 },
    /// A replica accepted a PRE-PREPARE, or a NEW-VIEW's proposal.
    PrePrepared { view: View, seq: Slot, digest: Digest, ticket: u64 },
    /// A batch is prepared at a replica: `voters` are the primary and those whose PREPAREs it has.
    Prepared { view: View, seq: Slot, digest: Digest, voters: NodeSet, ticket: u64 },
    /// A batch is committed-local at a replica: it has the COMMITs of `voters`.
    Committed { view: View, seq: Slot, digest: Digest, voters: NodeSet },
    /// A replica takes a batch for committed, since f + 1 say that it is.
    Learned { seq: Slot, digest: Digest, voters: NodeSet },
    /// A replica executed a committed batch. `chain` stands for all that it has executed; `requests` are whose and which,
    /// each with whether it took effect now.
    Executed {
        seq: Slot,
        digest: Digest,
        chain: Chain,
        requests: Vec<(ClientId, RequestNumber, bool)>,
    },
    /// A replica executed a batch that is prepared, and may have to take that back.
    TentativelyExecuted { view: View, seq: Slot, digest: Digest },
    /// A replica's state after `seq`, of which it tells the others.
    CheckpointTaken { seq: Slot, digest: Digest },
    /// A checkpoint is stable at a replica, by the word of `voters`: what is before it is discarded.
    CheckpointStable { seq: Slot, digest: Digest, voters: NodeSet, ticket: u64 },
    /// A replica took over another's state.
    StateInstalled { seq: Slot, digest: Digest, chain: Chain },
    /// A replica answers a read outside the order, from its state after all up to `executed`.
    ReadServed { executed: Slot },
    /// A client takes a request for done, since `replicas` gave it this outcome.
    Accepted { number: RequestNumber, outcome: Outcome, how: How, replicas: NodeSet },
}

// A message is copied several times on its way: it should be small enough to be copied without a call.
const _: () = assert!(size_of::<Message>() <= 128);

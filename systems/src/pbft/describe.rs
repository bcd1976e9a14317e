//! What messages and observations show of themselves to rules, to the weather and to people. Nothing is said of proofs:
//! that they hold is the rule, and they differ from run to run where nothing else does.

use core::fmt;

use super::digest::Digest;
use super::message::{
    Batch, Body, Certificate, How, Message, NewView, Observation, SignedRequest, ViewChange,
};
use super::view::View;
use crate::contract::{Describe, Identify, Outcome};
use crate::smr::{Slot, mix, request_field, request_identity};

impl Describe for Message {
    fn kind(&self) -> &'static str {
        match &self.body {
            Body::Request(_) => "REQUEST",
            Body::Reply { .. } => "REPLY",
            Body::PrePrepare { .. } => "PRE-PREPARE",
            Body::Prepare { .. } => "PREPARE",
            Body::Commit { .. } => "COMMIT",
            Body::Checkpoint { .. } => "CHECKPOINT",
            Body::ViewChange(_) => "VIEW-CHANGE",
            Body::NewView(_) => "NEW-VIEW",
            Body::Status { .. } => "STATUS",
            Body::Committed { .. } => "COMMITTED",
            Body::Stable(_) => "STABLE",
            Body::Fetch { .. } => "FETCH",
            Body::Fetched { .. } => "FETCHED",
            Body::GetState { .. } => "GETSTATE",
            Body::State { .. } => "STATE",
        }
    }

    fn field(&self, name: &str) -> Option<u64> {
        match name {
            "view" => view_of(&self.body).map(|view| view.0),
            "seq" => seq_of(&self.body).map(|seq| seq.0),
            "digest" => digest_of(&self.body).map(|digest| digest.short()),
            _ => own_field(&self.body, name),
        }
    }
}

/// A field that few have.
fn own_field(body: &Body, name: &str) -> Option<u64> {
    match (body, name) {
        (Body::Request(signed), "read_only") => Some(u64::from(signed.is_read_only)),
        (Body::Request(signed), _) => field_of_request(signed, name),
        (Body::Reply { number, .. }, "number") => Some(number.seq),
        (Body::Reply { how, .. }, "how") => Some(how.certainty()),
        (Body::Reply { outcome: Outcome::Read(value), .. }, "value") => value.map(|value| value.0),
        (Body::PrePrepare { batch, .. }, "requests") => Some(batch.0.len() as u64),
        // One request is the rule that rules are about.
        (Body::PrePrepare { batch, .. }, _) => {
            batch.0.first().and_then(|signed| field_of_request(signed, name))
        }
        (Body::ViewChange(view_change), "stable") => Some(view_change.stable.seq.0),
        (Body::ViewChange(view_change), "prepared") => Some(view_change.prepared.len() as u64),
        (Body::NewView(new_view), "proposals") => Some(new_view.proposals.len() as u64),
        (Body::Status { is_active, .. }, "active") => Some(u64::from(*is_active)),
        (Body::Status { stable, .. }, "stable") => Some(stable.0),
        (Body::Status { executed, .. }, "executed") => Some(executed.0),
        _ => None,
    }
}

/// `seq` is a sequence number here; a request's own number is `number`.
fn field_of_request(signed: &SignedRequest, name: &str) -> Option<u64> {
    match name {
        "number" => Some(signed.request.number.seq),
        "seq" => None,
        _ => request_field(&signed.request, name),
    }
}

fn view_of(body: &Body) -> Option<View> {
    match body {
        Body::Reply { view, .. }
        | Body::PrePrepare { view, .. }
        | Body::Prepare { view, .. }
        | Body::Commit { view, .. }
        | Body::Status { view, .. } => Some(*view),
        Body::ViewChange(view_change) => Some(view_change.view),
        Body::NewView(new_view) => Some(new_view.view),
        Body::Request(_)
        | Body::Checkpoint { .. }
        | Body::Committed { .. }
        | Body::Stable(_)
        | Body::Fetch { .. }
        | Body::Fetched { .. }
        | Body::GetState { .. }
        | Body::State { .. } => None,
    }
}

/// The sequence number that a message is about.
fn seq_of(body: &Body) -> Option<Slot> {
    match body {
        Body::PrePrepare { seq, .. }
        | Body::Prepare { seq, .. }
        | Body::Commit { seq, .. }
        | Body::Checkpoint { seq, .. }
        | Body::Committed { seq, .. }
        | Body::GetState { seq } => Some(*seq),
        Body::Stable(certificate) | Body::State { certificate, .. } => Some(certificate.seq),
        Body::Request(_)
        | Body::Reply { .. }
        | Body::ViewChange(_)
        | Body::NewView(_)
        | Body::Status { .. }
        | Body::Fetch { .. }
        | Body::Fetched { .. } => None,
    }
}

fn digest_of(body: &Body) -> Option<Digest> {
    match body {
        Body::PrePrepare { digest, .. }
        | Body::Prepare { digest, .. }
        | Body::Commit { digest, .. }
        | Body::Checkpoint { digest, .. }
        | Body::Committed { digest, .. }
        | Body::Fetch { digest } => Some(*digest),
        Body::Stable(certificate) | Body::State { certificate, .. } => Some(certificate.digest),
        Body::Request(_)
        | Body::Reply { .. }
        | Body::ViewChange(_)
        | Body::NewView(_)
        | Body::Status { .. }
        | Body::Fetched { .. }
        | Body::GetState { .. } => None,
    }
}

impl How {
    /// Its number in rules: more is more certain.
    pub(super) const fn certainty(self) -> u64 {
        match self {
            Self::ReadOnly => 0,
            Self::Tentative => 1,
            Self::Committed => 2,
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Committed => "committed",
            Self::Tentative => "tentative",
            Self::ReadOnly => "read-only",
        })
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind())?;
        match &self.body {
            Body::Request(signed) => write!(f, "{signed}"),
            Body::Reply { view, number, outcome, how } => {
                write!(f, "{number} {outcome} {view} {how}")
            }
            Body::PrePrepare { view, seq, digest, batch } => {
                write!(f, "{view} {seq} {digest} {batch}")
            }
            Body::Prepare { view, seq, digest } | Body::Commit { view, seq, digest } => {
                write!(f, "{view} {seq} {digest}")
            }
            Body::Checkpoint { seq, digest } | Body::Committed { seq, digest } => {
                write!(f, "{seq} {digest}")
            }
            Body::ViewChange(view_change) => write!(f, "{view_change}"),
            Body::NewView(new_view) => write!(f, "{new_view}"),
            Body::Status { view, is_active, stable, executed } => {
                let has_left = if *is_active { "" } else { " not begun" };
                write!(f, "{view}{has_left} stable {stable} executed {executed}")
            }
            Body::Stable(certificate) => write!(f, "{certificate}"),
            Body::Fetch { digest } => write!(f, "{digest}"),
            Body::Fetched { batch } => write!(f, "{batch}"),
            Body::GetState { seq } => write!(f, "{seq}"),
            Body::State { certificate, snapshot } => {
                write!(f, "{certificate} {}", snapshot.chain)
            }
        }
    }
}

impl fmt::Display for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = &self.request;
        write!(f, "{}.{} {}", request.client, request.number, request.command)?;
        f.write_str(if self.is_read_only { " read-only" } else { "" })
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        listed(f, &self.0, |f, request| write!(f, "{request}"))?;
        f.write_str("]")
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} by {{", self.seq, self.digest)?;
        listed(f, &self.votes, |f, vote| write!(f, "{}", vote.by))?;
        f.write_str("}")
    }
}

impl fmt::Display for ViewChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} stable {} prepared [", self.view, self.stable.seq)?;
        listed(f, &self.prepared, |f, claim| {
            write!(f, "{} {} {}", claim.seq, claim.view, claim.digest)
        })?;
        f.write_str("]")?;
        if self.pre_prepared.is_empty() {
            return Ok(());
        }
        f.write_str(" pre-prepared [")?;
        listed(f, &self.pre_prepared, |f, claim| {
            write!(f, "{} {} {}", claim.seq, claim.view, claim.digest)
        })?;
        f.write_str("]")
    }
}

impl fmt::Display for NewView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {{", self.view)?;
        listed(f, &self.votes, |f, vote| write!(f, "{}", vote.by))?;
        f.write_str("} [")?;
        listed(f, &self.proposals, |f, proposal| {
            write!(f, "{} {}", proposal.seq, proposal.digest)
        })?;
        f.write_str("]")
    }
}

/// All of a list, with commas between them.
fn listed<T>(
    f: &mut fmt::Formatter<'_>,
    list: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (place, item) in list.iter().enumerate() {
        if place > 0 {
            f.write_str(", ")?;
        }
        write(f, item)?;
    }
    Ok(())
}

impl Describe for Observation {
    fn kind(&self) -> &'static str {
        match self {
            Self::ViewLeft { .. } => "view-left",
            Self::ViewEntered { .. } => "view-entered",
            Self::PrePrepared { .. } => "pre-prepared",
            Self::Prepared { .. } => "prepared",
            Self::Committed { .. } => "committed",
            Self::Learned { .. } => "learned",
            Self::Executed { .. } => "executed",
            Self::TentativelyExecuted { .. } => "tentatively-executed",
            Self::CheckpointTaken { .. } => "checkpoint-taken",
            Self::CheckpointStable { .. } => "checkpoint-stable",
            Self::StateInstalled { .. } => "state-installed",
            Self::ReadServed { .. } => "read-served",
            Self::Accepted { .. } => "accepted",
        }
    }

    fn field(&self, name: &str) -> Option<u64> {
        match name {
            "view" => self.view().map(|view| view.0),
            "seq" => self.place().map(|(seq, _)| seq.0),
            "digest" => self.place().and_then(|(_, digest)| digest).map(|digest| digest.short()),
            _ => None,
        }
    }
}

impl Observation {
    fn view(&self) -> Option<View> {
        match self {
            Self::ViewLeft { view, .. }
            | Self::ViewEntered { view, .. }
            | Self::PrePrepared { view, .. }
            | Self::Prepared { view, .. }
            | Self::Committed { view, .. }
            | Self::TentativelyExecuted { view, .. } => Some(*view),
            Self::Learned { .. }
            | Self::Executed { .. }
            | Self::CheckpointTaken { .. }
            | Self::CheckpointStable { .. }
            | Self::StateInstalled { .. }
            | Self::ReadServed { .. }
            | Self::Accepted { .. } => None,
        }
    }

    /// The sequence number that it is about, and what is there.
    fn place(&self) -> Option<(Slot, Option<Digest>)> {
        match self {
            Self::PrePrepared { seq, digest, .. }
            | Self::Prepared { seq, digest, .. }
            | Self::Committed { seq, digest, .. }
            | Self::Learned { seq, digest, .. }
            | Self::Executed { seq, digest, .. }
            | Self::TentativelyExecuted { seq, digest, .. }
            | Self::CheckpointTaken { seq, digest }
            | Self::CheckpointStable { seq, digest, .. }
            | Self::StateInstalled { seq, digest, .. } => Some((*seq, Some(*digest))),
            Self::ReadServed { executed } => Some((*executed, None)),
            Self::ViewLeft { .. } | Self::ViewEntered { .. } | Self::Accepted { .. } => None,
        }
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind())?;
        match self {
            Self::ViewLeft { view, ticket } => write!(f, "for {view} #{ticket}"),
            Self::ViewEntered { view, voters, ticket } => {
                write!(f, "{view} by {voters} #{ticket}")
            }
            Self::PrePrepared { view, seq, digest, ticket } => {
                write!(f, "{view} {seq} {digest} #{ticket}")
            }
            Self::Prepared { view, seq, digest, voters, ticket } => {
                write!(f, "{view} {seq} {digest} by {voters} #{ticket}")
            }
            Self::Committed { view, seq, digest, voters } => {
                write!(f, "{view} {seq} {digest} by {voters}")
            }
            Self::Learned { seq, digest, voters } => write!(f, "{seq} {digest} by {voters}"),
            Self::Executed { seq, digest, chain, requests } => {
                write!(f, "{seq} {digest} [")?;
                listed(f, requests, |f, (client, number, is_first)| {
                    let again = if *is_first { "" } else { " not again" };
                    write!(f, "{client}.{number}{again}")
                })?;
                write!(f, "] {chain}")
            }
            Self::TentativelyExecuted { view, seq, digest } => {
                write!(f, "{view} {seq} {digest}")
            }
            Self::CheckpointTaken { seq, digest } => write!(f, "{seq} {digest}"),
            Self::CheckpointStable { seq, digest, voters, ticket } => {
                write!(f, "{seq} {digest} by {voters} #{ticket}")
            }
            Self::StateInstalled { seq, digest, chain } => write!(f, "{seq} {digest} {chain}"),
            Self::ReadServed { executed } => write!(f, "at {executed}"),
            Self::Accepted { number, outcome, how, replicas } => {
                write!(f, "{number} {outcome} {how} by {replicas}")
            }
        }
    }
}

impl Identify for Message {
    fn identity(&self) -> u64 {
        match &self.body {
            Body::Request(signed) => {
                let client = u64::from(signed.request.client.0);
                mix(request_identity(1, signed.request.number), client)
            }
            Body::Reply { number, .. } => request_identity(2, *number),
            Body::PrePrepare { view, seq, .. } => in_view(3, *view, *seq),
            Body::Prepare { view, seq, .. } => in_view(4, *view, *seq),
            Body::Commit { view, seq, .. } => in_view(5, *view, *seq),
            Body::Checkpoint { seq, .. } => mix(6, seq.0),
            Body::ViewChange(view_change) => mix(7, view_change.view.0),
            Body::NewView(new_view) => mix(8, new_view.view.0),
            Body::Status { view, executed, .. } => in_view(9, *view, *executed),
            Body::Committed { seq, .. } => mix(10, seq.0),
            Body::Stable(certificate) => mix(11, certificate.seq.0),
            // Which batch is meant, only its content says.
            Body::Fetch { .. } => mix(12, 0),
            Body::Fetched { .. } => mix(13, 0),
            Body::GetState { seq } => mix(14, seq.0),
            Body::State { certificate, .. } => mix(15, certificate.seq.0),
        }
    }
}

fn in_view(kind: u64, view: View, seq: Slot) -> u64 {
    mix(mix(kind, view.0), seq.0)
}

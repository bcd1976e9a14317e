//! Votes: one for each view and sequence number, and only for what is on the voter's disk (B-I8); none that is new in
//! a view that was left (B-I9).

use quorate_systems::contract::NodeId;
use quorate_systems::parties::NodeSet;
use quorate_systems::pbft::{Digest, View};
use quorate_systems::smr::Slot;

use super::nodes::Deed;
use super::places::Ballot;
use super::{B_I5, B_I7, B_I8, B_I9, PbftInvariants, broke};
use crate::invariants::Broken;

/// How a replica votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    PrePrepare,
    Prepare,
    Commit,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::PrePrepare => "PRE-PREPARE",
            Self::Prepare => "PREPARE",
            Self::Commit => "COMMIT",
        }
    }

    /// Those who have voted so.
    const fn voters(self, ballot: &Ballot) -> NodeSet {
        match self {
            Self::PrePrepare | Self::Prepare => ballot.prepares,
            Self::Commit => ballot.commits,
        }
    }

    /// One voter more; false if it is known.
    fn count(self, ballot: &mut Ballot, by: NodeId) -> bool {
        match self {
            Self::PrePrepare | Self::Prepare => ballot.prepares.insert(by),
            Self::Commit => ballot.commits.insert(by),
        }
    }

    /// Those on whose disks is what they vote for.
    const fn grounds(self, ballot: &Ballot) -> NodeSet {
        match self {
            Self::PrePrepare | Self::Prepare => ballot.accepted,
            Self::Commit => ballot.certified,
        }
    }
}

impl PbftInvariants {
    /// A vote left.
    pub(super) fn votes(
        &mut self,
        by: NodeId,
        kind: Kind,
        (view, seq, digest): (View, Slot, Digest),
        broken: &mut Vec<Broken>,
    ) {
        let name = kind.name();
        let primary = self.rules.primary(view);
        if (kind == Kind::PrePrepare && by != primary) || (kind == Kind::Prepare && by == primary) {
            let what = format!("{by} sends a {name} for {seq} of {view}, which is {primary}'s");
            broken.push(broke(B_I8, by, what));
            return;
        }
        let wanted = self.node(by).map(|node| node.wanted);
        let Some(place) = self.places.get(seq) else { return };
        let Some(ballot) = place.vote(view, digest) else { return };
        if !kind.count(ballot, by) {
            return;
        }
        let is_founded = kind.grounds(ballot).contains(by);
        let is_rival = |other: &&Ballot| {
            other.view == view && other.digest != digest && kind.voters(other).contains(by)
        };
        if let Some(rival) = place.ballots().find(is_rival) {
            let other = rival.digest;
            let what =
                format!("{by} sends a {name} for {seq} of {view} as {digest}, and as {other}");
            broken.push(broke(B_I8, by, what));
        } else if !is_founded {
            let what = format!(
                "{by} sends a {name} for {seq} of {view} as {digest}, and its disk does not hold that"
            );
            broken.push(broke(B_I8, by, what));
        } else if let Some(wanted) = wanted.filter(|wanted| *wanted > view) {
            let what =
                format!("{by} sends a {name} for {seq} of {view}, after a VIEW-CHANGE to {wanted}");
            broken.push(broke(B_I9, by, what));
        }
    }

    /// A replica pre-prepares a batch.
    pub(super) fn accepts(
        &mut self,
        by: NodeId,
        (view, seq, digest): (View, Slot, Digest),
        broken: &mut Vec<Broken>,
    ) {
        self.require_active(by, "pre-prepares", view, seq, broken);
        let window = self.rules.window;
        let Some(node) = self.node(by) else { return };
        let (low, cell) = (node.memory.stable, node.memory.log.get(seq));
        if let Some((_, other)) =
            cell.accepted.filter(|(known, other)| *known == view && *other != digest)
        {
            let what = format!("{by} pre-prepares {seq} of {view} as {digest}, and as {other}");
            broken.push(broke(B_I8, by, what));
        } else if seq.since(low) > window {
            let what = format!(
                "{by} pre-prepares {seq}, more than {window} after its stable checkpoint {low}"
            );
            broken.push(broke(B_I7, by, what));
        }
    }

    /// A replica writes down that a batch is prepared.
    pub(super) fn certifies(
        &mut self,
        by: NodeId,
        (view, seq, digest): (View, Slot, Digest),
        broken: &mut Vec<Broken>,
    ) {
        self.require_active(by, "prepares", view, seq, broken);
        let Some(node) = self.node(by) else { return };
        let accepted = node.memory.log.get(seq).accepted;
        if seq > node.memory.stable && accepted != Some((view, digest)) {
            let what = match accepted {
                Some((known, other)) if known == view => {
                    format!("{by} prepares {seq} of {view} as {digest}, and has accepted {other}")
                }
                Some(_) | None => format!("{by} prepares {seq} of {view} and has not accepted it"),
            };
            broken.push(broke(B_I5, by, what));
        }
    }

    /// B-I9: a replica does something in the view in which it takes part.
    fn require_active(
        &mut self,
        by: NodeId,
        does: &str,
        view: View,
        seq: Slot,
        broken: &mut Vec<Broken>,
    ) {
        let Some(node) = self.node(by) else { return };
        let now = node.memory.view;
        if node.memory.active() == Some(view) {
            return;
        }
        let what = if view < now {
            format!("{by} {does} {seq} of {view}, and has left it for {now}")
        } else {
            format!("{by} {does} {seq} of {view}, which has not begun for it")
        };
        broken.push(broke(B_I9, by, what));
    }

    /// Something is on a replica's disk, for ever.
    pub(super) fn is_durable(&mut self, by: NodeId, deed: &Deed) {
        match deed {
            Deed::Entered(new) => {
                for proposal in &new.proposals {
                    let at = (new.view, proposal.seq, proposal.digest);
                    self.grounds(by, at, |ballot| &mut ballot.accepted);
                }
            }
            Deed::Accepted(view, seq, digest) => {
                self.grounds(by, (*view, *seq, *digest), |ballot| &mut ballot.accepted);
            }
            Deed::Prepared(view, seq, digest) => {
                self.grounds(by, (*view, *seq, *digest), |ballot| &mut ballot.certified);
            }
            Deed::Left(_) | Deed::Committed(..) | Deed::Stable(_) | Deed::Fetched => {}
        }
    }

    fn grounds(
        &mut self,
        by: NodeId,
        (view, seq, digest): (View, Slot, Digest),
        of: impl Fn(&mut Ballot) -> &mut NodeSet,
    ) {
        let place = self.places.get(seq);
        if let Some(ballot) = place.and_then(|place| place.vote(view, digest)) {
            of(ballot).insert(by);
        }
    }
}

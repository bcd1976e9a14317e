//! What others have proven to have said, in one life of the replica.

use std::collections::{BTreeMap, BTreeSet};

use quorate_systems::contract::{ClientId, NodeId};
use quorate_systems::pbft::{Digest, View};
use quorate_systems::smr::{RequestNumber, Slot};

/// How a replica votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Prepare,
    Commit,
}

/// Everything that may be gone by.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    votes: BTreeSet<(Kind, View, Slot, Digest, NodeId)>,
    /// The vote of each replica that counts: that of the last view, and the first of those.
    counted: BTreeMap<(Kind, Slot, NodeId), (View, Digest)>,
    committed: BTreeSet<(Slot, Digest, NodeId)>,
    /// What each replica said last is committed.
    told: BTreeMap<(Slot, NodeId), Digest>,
    checkpoints: BTreeSet<(Slot, Digest, NodeId)>,
    /// The highest view that each replica wants.
    wanted: BTreeMap<NodeId, View>,
    /// Requests of which it heard from anybody.
    pub(super) asked: BTreeSet<(ClientId, RequestNumber)>,
    /// The last request that each client put to the replica itself.
    pub(super) direct: BTreeMap<ClientId, RequestNumber>,
}

impl Heard {
    pub(super) fn vote(
        &mut self,
        kind: Kind,
        (view, seq, digest): (View, Slot, Digest),
        by: NodeId,
        does_count: bool,
    ) {
        self.votes.insert((kind, view, seq, digest, by));
        if does_count {
            let counted = self.counted.entry((kind, seq, by)).or_insert((view, digest));
            if counted.0 < view {
                *counted = (view, digest);
            }
        }
    }

    /// Whether this replica has ever voted so.
    pub(super) fn has_voted(
        &self,
        kind: Kind,
        (view, seq, digest): (View, Slot, Digest),
        by: NodeId,
    ) -> bool {
        self.votes.contains(&(kind, view, seq, digest, by))
    }

    /// How many replicas have voted so, and have not contradicted themselves before.
    pub(super) fn count(&self, kind: Kind, (view, seq, digest): (View, Slot, Digest)) -> usize {
        let all = (kind, seq, NodeId(0))..=(kind, seq, NodeId(u16::MAX));
        self.counted.range(all).filter(|(_, vote)| **vote == (view, digest)).count()
    }

    pub(super) fn tell_committed(&mut self, seq: Slot, digest: Digest, by: NodeId, counts: bool) {
        self.committed.insert((seq, digest, by));
        if counts {
            self.told.insert((seq, by), digest);
        }
    }

    /// Whether this replica has ever said that this is committed.
    pub(super) fn has_told(&self, seq: Slot, digest: Digest, by: NodeId) -> bool {
        self.committed.contains(&(seq, digest, by))
    }

    /// What so many replicas say is committed.
    pub(super) fn agreed(&self, seq: Slot, least: usize) -> Option<Digest> {
        let all = (seq, NodeId(0))..=(seq, NodeId(u16::MAX));
        let said: Vec<Digest> = self.told.range(all).map(|(_, digest)| *digest).collect();
        let count = |digest: &Digest| said.iter().filter(|other| *other == digest).count();
        said.iter().find(|digest| count(digest) >= least).copied()
    }

    pub(super) fn checkpoint(&mut self, seq: Slot, digest: Digest, by: NodeId) {
        self.checkpoints.insert((seq, digest, by));
    }

    pub(super) fn want(&mut self, by: NodeId, view: View) {
        let wanted = self.wanted.entry(by).or_insert(view);
        *wanted = view.max(*wanted);
    }

    /// Which views above `view` others want.
    pub(super) fn wanted_above(&self, view: View, me: NodeId) -> impl Iterator<Item = View> {
        let others = self.wanted.iter().filter(move |(node, _)| **node != me);
        others.map(|(_, wanted)| *wanted).filter(move |wanted| *wanted > view)
    }

    /// How many others want this view or a later one.
    pub(super) fn count_leaving(&self, view: View, me: NodeId) -> usize {
        self.wanted.iter().filter(|(node, wanted)| **node != me && **wanted >= view).count()
    }

    /// All up to `seq` is discarded.
    pub(super) fn release(&mut self, seq: Slot) {
        self.counted.retain(|(_, of, _), _| *of > seq);
        self.told.retain(|(of, _), _| *of > seq);
    }

    /// How many of each there are.
    pub(super) fn counts(&self) -> [u64; 4] {
        let (votes, told) = (self.counted.len(), self.told.len());
        [votes, told, self.checkpoints.len(), self.wanted.len()].map(|len| len.min(4) as u64)
    }
}

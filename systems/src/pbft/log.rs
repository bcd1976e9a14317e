//! What a replica holds for each sequence number.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::digest::Digest;
use super::message::{Batch, PrePrepared, Prepared, Vote};
use super::proof::Proof;
use super::view::View;
use crate::contract::NodeId;
use crate::parties::NodeSet;
use crate::smr::Slot;

/// That a view gives a sequence number to a batch: what votes are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) view: View,
    pub(super) seq: Slot,
    pub(super) digest: Digest,
}

/// What a primary has assigned, and the replica has accepted.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) view: View,
    pub(super) digest: Digest,
    /// The PRE-PREPARE's.
    pub(super) proof: Proof,
    /// Whether the replica has, or had, the batch, and so answers for it: what a NEW-VIEW assigns, it may have to ask
    /// for first.
    pub(super) is_vouched: bool,
}

/// A PREPARE or a COMMIT.
#[derive(Clone, Debug)]
pub(super) struct Cast {
    pub(super) view: View,
    pub(super) digest: Digest,
    pub(super) proof: Proof,
}

/// What came of a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// It is held.
    New,
    /// It is known, or one of a later view is.
    Known,
    /// The same replica has voted for something else in that view.
    Contradicts,
}

/// The last vote of each replica, by place. No replica goes back to a lower view.
#[derive(Clone, Debug, Default)]
pub(super) struct Votes(Vec<Option<Cast>>);

impl Votes {
    /// Takes the vote of one of so many replicas.
    pub(super) fn cast(&mut self, by: NodeId, nodes: u16, vote: Cast) -> Counted {
        self.0.resize(usize::from(nodes), None);
        let Some(held) = self.0.get_mut(usize::from(by.0)) else { return Counted::Known };
        match held {
            Some(held) if held.view == vote.view && held.digest != vote.digest => {
                Counted::Contradicts
            }
            Some(held) if held.view >= vote.view => Counted::Known,
            Some(_) | None => {
                *held = Some(vote);
                Counted::New
            }
        }
    }

    /// Who has voted in this view, and for this digest if one is given.
    pub(super) fn of(
        &self,
        view: View,
        digest: Option<Digest>,
    ) -> impl Iterator<Item = (NodeId, &Proof)> {
        let votes = (0..).map(NodeId).zip(&self.0);
        let votes = votes.filter_map(|(node, vote)| Some((node, vote.as_ref()?)));
        let is_meant = move |vote: &Cast| {
            vote.view == view && digest.is_none_or(|digest| vote.digest == digest)
        };
        votes.filter(move |(_, vote)| is_meant(vote)).map(|(node, vote)| (node, &vote.proof))
    }
}

/// What is held for one sequence number.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// The last that was accepted.
    pub(super) accepted: Option<Accepted>,
    /// With MACs: the last view in which each digest was vouched for, the latest last.
    vouched: Vec<(Digest, View)>,
    /// What was prepared here last.
    pub(super) prepared: Option<Prepared>,
    pub(super) prepares: Votes,
    pub(super) commits: Votes,
    /// What is committed, in whatever view.
    pub(super) committed: Option<Digest>,
    /// What others say is committed.
    pub(super) told: BTreeMap<NodeId, Digest>,
}

/// So many digests are remembered that were vouched for in one sequence number: one more for each view that does
/// not get on.
const VOUCHED_MAX: usize = 32;

impl Place {
    /// Accepts what is assigned. Whether it is vouched for is said by [`Place::vouch`].
    pub(super) fn accept(&mut self, view: View, digest: Digest, proof: Proof) {
        let accepted = Accepted { view, digest, proof, is_vouched: false };
        self.accepted = Some(accepted);
    }

    /// The replica has the batch that it accepted last. `is_remembered` is whether that is to be remembered when it
    /// accepts another.
    pub(super) fn vouch(&mut self, is_remembered: bool) {
        let Some(accepted) = &mut self.accepted else { return };
        accepted.is_vouched = true;
        let (view, digest) = (accepted.view, accepted.digest);
        if is_remembered {
            self.remember(view, digest);
        }
    }

    /// It vouched for this batch in this view.
    pub(super) fn remember(&mut self, view: View, digest: Digest) {
        let is_older = |(held, last): &(Digest, View)| *held == digest && *last >= view;
        if self.vouched.iter().any(is_older) {
            return;
        }
        self.vouched.retain(|(held, _)| *held != digest);
        if self.vouched.len() >= VOUCHED_MAX {
            self.vouched.remove(0);
        }
        self.vouched.push((digest, view));
        // A disk may bring back the last first.
        self.vouched.sort_unstable_by_key(|(_, view)| *view);
    }

    /// What is accepted in this view.
    pub(super) fn accepted_in(&self, view: View) -> Option<&Accepted> {
        self.accepted.as_ref().filter(|accepted| accepted.view == view)
    }

    /// What is prepared in this view.
    pub(super) fn prepared_in(&self, view: View) -> Option<&Prepared> {
        self.prepared.as_ref().filter(|prepared| prepared.view == view)
    }

    /// Whose word for `digest` it has that it is committed.
    pub(super) fn told_by(&self, digest: Digest) -> NodeSet {
        self.told.iter().filter(|(_, told)| **told == digest).map(|(node, _)| *node).collect()
    }

    /// Every digest that it speaks of.
    fn digests(&self) -> impl Iterator<Item = Digest> {
        let accepted = self.accepted.as_ref().map(|accepted| accepted.digest);
        let prepared = self.prepared.as_ref().map(|prepared| prepared.digest);
        let vouched = self.vouched.iter().map(|(digest, _)| *digest);
        accepted.into_iter().chain(prepared).chain(self.committed).chain(vouched)
    }
}

/// ```text
///   … stable: discarded … │ committed, prepared, accepted, voted on, or nothing │
///                        low                                                 low + L
/// ```
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    /// h: the last stable checkpoint.
    low: Slot,
    places: BTreeMap<Slot, Place>,
    /// What digests stand for.
    batches: BTreeMap<Digest, Arc<Batch>>,
    /// What [`Digest::NULL`] stands for.
    null: Arc<Batch>,
}

impl Log {
    /// h: nothing is held up to there.
    pub(super) fn low(&self) -> Slot {
        self.low
    }

    pub(super) fn get(&self, seq: Slot) -> Option<&Place> {
        self.places.get(&seq)
    }

    /// The place of a sequence number, made if need be.
    pub(super) fn place(&mut self, seq: Slot) -> &mut Place {
        assert!(seq > self.low, "what is stable is discarded");
        self.places.entry(seq).or_default()
    }

    /// What is held, in order.
    pub(super) fn places(&self) -> impl DoubleEndedIterator<Item = (Slot, &Place)> {
        self.places.iter().map(|(seq, place)| (*seq, place))
    }

    /// What is held after `seq`, in order.
    pub(super) fn after(&self, seq: Slot) -> impl Iterator<Item = (Slot, &Place)> {
        self.places.range(seq.next()..).map(|(seq, place)| (*seq, place))
    }

    pub(super) fn committed(&self, seq: Slot) -> Option<Digest> {
        self.get(seq)?.committed
    }

    /// The last sequence number in which something is committed, or accepted in this view.
    pub(super) fn last(&self, view: View) -> Slot {
        let is_open =
            |place: &Place| place.committed.is_some() || place.accepted_in(view).is_some();
        self.places().rev().find(|(_, place)| is_open(place)).map_or(self.low, |(seq, _)| seq)
    }

    /// What a digest stands for, if it is known.
    pub(super) fn batch(&self, digest: Digest) -> Option<&Arc<Batch>> {
        if digest == Digest::NULL { Some(&self.null) } else { self.batches.get(&digest) }
    }

    /// Keeps a batch that has this digest.
    pub(super) fn hold(&mut self, digest: Digest, batch: Arc<Batch>) {
        if digest != Digest::NULL {
            self.batches.insert(digest, batch);
        }
    }

    /// All batches that are held.
    pub(super) fn batches(&self) -> impl Iterator<Item = (Digest, &Arc<Batch>)> {
        self.batches.iter().map(|(digest, batch)| (*digest, batch))
    }

    /// P: what was prepared, with proof where that proves anything to others.
    pub(super) fn prepared(&self) -> Vec<Prepared> {
        self.places().filter_map(|(_, place)| place.prepared.clone()).collect()
    }

    /// Q: what was vouched for.
    pub(super) fn vouched(&self) -> Vec<PrePrepared> {
        let mut all = Vec::new();
        for (seq, place) in self.places() {
            let start = all.len();
            let vouched = place.vouched.iter();
            all.extend(vouched.map(|&(digest, view)| PrePrepared { seq, digest, view }));
            if let Some(added) = all.get_mut(start..) {
                added.sort_unstable();
            }
        }
        all
    }

    /// What was vouched for in one sequence number, the latest last; without MACs only the last that was accepted.
    pub(super) fn vouched_at(place: &Place) -> Vec<(Digest, View)> {
        let mut vouched = place.vouched.clone();
        let last = place.accepted.as_ref().filter(|accepted| accepted.is_vouched);
        let last = last.map(|accepted| (accepted.digest, accepted.view));
        vouched.extend(last.filter(|last| !place.vouched.contains(last)));
        vouched
    }

    /// The checkpoint at `seq` is stable, and tells all of what is before it.
    pub(super) fn truncate(&mut self, seq: Slot) {
        self.low = self.low.max(seq);
        self.discard(seq);
    }

    /// Drops what is held up to `seq`.
    pub(super) fn discard(&mut self, seq: Slot) {
        self.places = self.places.split_off(&seq.next());
        let named: BTreeSet<Digest> = self.places.values().flat_map(Place::digests).collect();
        self.batches.retain(|digest, _| named.contains(digest));
    }
}

/// Votes as certificates have them.
pub(super) fn votes<'a>(votes: impl Iterator<Item = (NodeId, &'a Proof)>) -> Vec<Vote> {
    votes.map(|(by, proof)| Vote { by, proof: proof.clone() }).collect()
}

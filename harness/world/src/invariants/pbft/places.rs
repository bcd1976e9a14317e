//! What is remembered of each sequence number, over all replicas.

use std::collections::VecDeque;
use std::sync::Arc;

use quorate_systems::contract::{ClientId, NodeId};
use quorate_systems::parties::NodeSet;
use quorate_systems::pbft::{Batch, Digest, View};
use quorate_systems::smr::{RequestNumber, Slot};

use crate::invariants::executed::Executed;

/// The sequence numbers in use: the last [`PLACES_MAX`] of them. Those before them are forgotten as later ones come
/// into use.
#[derive(Debug)]
pub(super) struct Places {
    /// The first of them.
    first: Slot,
    seqs: VecDeque<Place>,
}

const PLACES_MAX: usize = 1_024;

/// One sequence number.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// Who has done what for which digest in which view; the lowest views are forgotten first.
    ballots: [Option<Ballot>; BALLOTS_MAX],
    /// The highest view of those that are forgotten.
    forgotten: Option<View>,
    /// What was committed first.
    pub(super) committed: Option<Committed>,
    /// Who has told others that it is committed.
    pub(super) told: NodeSet,
    /// Batches by their digests: others than the first are forgotten when there are too many.
    batches: [Option<(Digest, Arc<Batch>)>; BATCHES_MAX],
    /// The history up to here.
    pub(super) executed: Executed,
    /// What came of the requests here, and who said so first.
    pub(super) effects: Option<(Vec<Effect>, NodeId)>,
    /// The states after it, with those who had them.
    states: [Option<(Digest, NodeSet)>; STATES_MAX],
}

const BALLOTS_MAX: usize = 6;
const BATCHES_MAX: usize = 3;
const STATES_MAX: usize = 3;

/// A request, and whether it took effect.
pub(super) type Effect = (ClientId, RequestNumber, bool);

/// What correct replicas have done for one digest in one view.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ballot {
    pub(super) view: View,
    pub(super) digest: Digest,
    /// They have sent a PRE-PREPARE, or a NEW-VIEW with this proposal, or a PREPARE.
    pub(super) prepares: NodeSet,
    /// They have sent a COMMIT.
    pub(super) commits: NodeSet,
    /// It is pre-prepared on their disks, or was.
    pub(super) accepted: NodeSet,
    /// It is prepared on their disks, or was.
    pub(super) certified: NodeSet,
    /// It was prepared at them.
    pub(super) prepared: NodeSet,
}

/// Something that is committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Committed {
    /// The lowest view in which it is known to be.
    pub(super) view: Option<View>,
    pub(super) digest: Digest,
    /// At whom it was first.
    pub(super) by: NodeId,
}

impl Places {
    pub(super) const fn new() -> Self {
        Self { first: Slot(1), seqs: VecDeque::new() }
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self) {
        self.first = Slot(1);
        self.seqs.clear();
    }

    /// What is remembered of `seq`; nothing where it is forgotten.
    pub(super) fn get(&mut self, seq: Slot) -> Option<&mut Place> {
        if self.index(seq).is_none() {
            self.extend(seq)?;
        }
        let index = self.index(seq)?;
        self.seqs.get_mut(index)
    }

    /// As [`Self::get`], and nothing where nothing was ever said of it.
    pub(super) fn look(&self, seq: Slot) -> Option<&Place> {
        self.seqs.get(self.index(seq)?)
    }

    /// Those of `nodes` who have certainly not done this for a digest in a view.
    pub(super) fn lacking(
        &self,
        (view, seq, digest): (View, Slot, Digest),
        done: impl Fn(&Ballot) -> NodeSet,
        nodes: NodeSet,
    ) -> NodeSet {
        let Some(place) = self.look(seq) else { return self.unless_forgotten(seq, nodes) };
        match place.ballot(view, digest) {
            Some(ballot) => nodes.without(done(ballot)),
            None if place.forgotten.is_some_and(|forgotten| view <= forgotten) => NodeSet::EMPTY,
            None => nodes,
        }
    }

    /// Whether this node has certainly voted for a digest in a view.
    pub(super) fn has_voted(&self, (view, seq, digest): (View, Slot, Digest), by: NodeId) -> bool {
        let ballot = self.look(seq).and_then(|place| place.ballot(view, digest));
        ballot.is_some_and(|ballot| ballot.prepares.contains(by))
    }

    /// Those of `nodes` who have certainly not had this state after `seq`.
    pub(super) fn lacking_state(&self, seq: Slot, digest: Digest, nodes: NodeSet) -> NodeSet {
        match self.look(seq) {
            Some(place) => nodes.without(place.state(digest)),
            None => self.unless_forgotten(seq, nodes),
        }
    }

    fn unless_forgotten(&self, seq: Slot, nodes: NodeSet) -> NodeSet {
        if seq < self.first { NodeSet::EMPTY } else { nodes }
    }

    fn index(&self, seq: Slot) -> Option<usize> {
        let index = usize::try_from(seq.0.checked_sub(self.first.0)?).ok()?;
        (index < self.seqs.len()).then_some(index)
    }

    fn last(&self) -> Slot {
        Slot(self.first.0 - 1).plus(self.seqs.len() as u64)
    }

    /// Brings all sequence numbers up to `seq` into use, and forgets as many as must be.
    fn extend(&mut self, seq: Slot) -> Option<()> {
        if seq < self.first {
            return None;
        }
        if seq.since(self.last()) >= PLACES_MAX as u64 {
            self.seqs.clear();
            self.first = seq;
        }
        while self.last() < seq {
            if self.seqs.len() == PLACES_MAX {
                self.seqs.pop_front();
                self.first = self.first.next();
            }
            self.seqs.push_back(Place::default());
        }
        Some(())
    }
}

impl Place {
    /// What was done for a digest in a view, if it is known.
    fn ballot(&self, view: View, digest: Digest) -> Option<&Ballot> {
        self.ballots().find(|ballot| ballot.view == view && ballot.digest == digest)
    }

    /// All that is known of.
    pub(super) fn ballots(&self) -> impl Iterator<Item = &Ballot> {
        self.ballots.iter().flatten()
    }

    /// The same, to add to it; nothing where the view is forgotten.
    pub(super) fn vote(&mut self, view: View, digest: Digest) -> Option<&mut Ballot> {
        let same = |ballot: &Option<Ballot>| {
            ballot.is_some_and(|ballot| ballot.view == view && ballot.digest == digest)
        };
        if let Some(known) = self.ballots.iter().position(same) {
            return self.ballots.get_mut(known)?.as_mut();
        }
        if self.forgotten.is_some_and(|forgotten| view <= forgotten) {
            return None;
        }
        let lowest = self.ballots.iter_mut().min_by_key(|ballot| ballot.map(|known| known.view))?;
        if let Some(gone) = lowest.filter(|gone| gone.view >= view) {
            // There are more digests than there is room for.
            self.forgotten = Some(gone.view);
            return None;
        }
        self.forgotten = self.forgotten.max(lowest.map(|gone| gone.view));
        Some(lowest.insert(Ballot::new(view, digest)))
    }

    /// The batch that has this digest, if it is known.
    pub(super) fn batch(&self, digest: Digest) -> Option<&Arc<Batch>> {
        let mut known = self.batches.iter().flatten();
        known.find(|(same, _)| *same == digest).map(|(_, batch)| batch)
    }

    /// A batch has this digest.
    pub(super) fn learn_batch(&mut self, digest: Digest, batch: &Arc<Batch>) {
        let free = self.batches.iter().position(Option::is_none).unwrap_or(BATCHES_MAX - 1);
        if let Some(place) = self.batches.get_mut(free) {
            *place = Some((digest, batch.clone()));
        }
    }

    /// Who has had this state after it.
    fn state(&self, digest: Digest) -> NodeSet {
        let mut known = self.states.iter().flatten();
        known.find(|(same, _)| *same == digest).map_or(NodeSet::EMPTY, |(_, nodes)| *nodes)
    }

    /// The other states after it, with those who have had them.
    pub(super) fn other_states(&self, digest: Digest) -> impl Iterator<Item = (Digest, NodeSet)> {
        self.states.iter().flatten().copied().filter(move |(other, _)| *other != digest)
    }

    /// A replica has this state after it. Since more than two are many too many, the last one is forgotten when there
    /// is no room.
    pub(super) fn learn_state(&mut self, digest: Digest, by: NodeId) {
        let is_same =
            |state: &Option<(Digest, NodeSet)>| state.is_none_or(|(same, _)| same == digest);
        let place = self.states.iter().position(is_same).unwrap_or(STATES_MAX - 1);
        if let Some(place) = self.states.get_mut(place) {
            let nodes = place.filter(|(same, _)| *same == digest).map(|(_, nodes)| nodes);
            *place = Some((digest, nodes.unwrap_or_default().union(NodeSet::of(by))));
        }
    }
}

impl Ballot {
    fn new(view: View, digest: Digest) -> Self {
        let none = NodeSet::EMPTY;
        Self {
            view,
            digest,
            prepares: none,
            commits: none,
            accepted: none,
            certified: none,
            prepared: none,
        }
    }

    /// Those whose PRE-PREPARE or PREPARE others can have: their own disk tells them to send it.
    pub(super) fn who_prepare(&self) -> NodeSet {
        self.prepares.union(self.accepted)
    }

    /// Those whose COMMIT others can have.
    pub(super) fn who_commit(&self) -> NodeSet {
        self.commits.union(self.certified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn digest(of: u8) -> Digest {
        Digest([of; 32])
    }

    #[test]
    fn the_first_sequence_numbers_are_forgotten_when_there_are_too_many() {
        let (one, all) = ((View(0), Slot(1), digest(1)), NodeSet::all(2));
        let mut places = Places::new();
        let ballot = places.get(Slot(1)).unwrap().vote(View(0), digest(1)).unwrap();
        ballot.commits.insert(NodeId(0));
        let lacking = |places: &Places, vote| places.lacking(vote, |ballot| ballot.commits, all);
        assert_eq!(lacking(&places, one), NodeSet::of(NodeId(1)));
        assert_eq!(lacking(&places, (View(0), Slot(1), digest(2))), all);
        assert_eq!(lacking(&places, (View(0), Slot(9), digest(1))), all, "nobody said anything");
        places.get(Slot(PLACES_MAX as u64 + 1)).unwrap();
        assert!(places.get(Slot(1)).is_none() && places.get(Slot::ZERO).is_none());
        assert_eq!(lacking(&places, one), NodeSet::EMPTY);
        assert_eq!(places.lacking_state(Slot(1), digest(1), all), NodeSet::EMPTY);
        let far = Slot(1 << 40);
        places.get(far).unwrap();
        assert_eq!((places.first, places.last()), (far, far));
    }

    #[test]
    fn the_lowest_views_of_a_sequence_number_are_forgotten_first() {
        let mut places = Places::new();
        let all = NodeSet::all(1);
        let place = places.get(Slot(1)).unwrap();
        for view in 1..=BALLOTS_MAX as u64 {
            assert!(place.vote(View(2 * view), digest(1)).is_some());
        }
        assert!(place.vote(View(4), digest(1)).is_some(), "it is known");
        assert!(place.vote(View(3), digest(2)).is_some());
        assert!(place.vote(View(2), digest(1)).is_none());
        let lacking = |places: &Places, view, of| {
            let vote = (View(view), Slot(1), digest(of));
            !places.lacking(vote, |ballot| ballot.commits, all).is_empty()
        };
        assert!(lacking(&places, 3, 2) && !lacking(&places, 2, 1) && !lacking(&places, 1, 9));
        let place = places.get(Slot(1)).unwrap();
        assert!(place.vote(View(3), digest(3)).is_none(), "there is no room for it");
        assert!(!lacking(&places, 3, 3) && lacking(&places, 5, 1));
    }

    #[test]
    fn states_and_batches_are_known_by_their_digests() {
        let mut place = Place::default();
        for of in 1..=4 {
            place.learn_state(digest(of), NodeId(of.into()));
            place.learn_batch(digest(of), &Arc::default());
        }
        place.learn_state(digest(1), NodeId(7));
        assert_eq!(place.state(digest(1)), [1, 7].into_iter().map(NodeId).collect());
        let others: Vec<_> = place.other_states(digest(1)).map(|(other, _)| other).collect();
        assert_eq!(others, [digest(2), digest(4)]);
        assert!(place.batch(digest(1)).is_some() && place.batch(digest(3)).is_none());
    }
}

//! The log of one replica, by the digests of its entries.

use std::collections::BTreeMap;

use quorate_systems::contract::ClientId;
use quorate_systems::smr::{RequestNumber, Slot};
use quorate_systems::vr::{Entry, Logged, Members, State, Suffix, View};

/// What the replica has, and what anybody has ever said of entries.
#[derive(Clone, Debug, Default)]
pub(in crate::stream::vr) struct Log {
    /// What is before it stands in a checkpoint, or nowhere.
    pub(in crate::stream::vr) base: Slot,
    /// Its commit-number.
    pub(in crate::stream::vr) commit: Slot,
    /// After the base, without a gap: the views in which they were assigned, and digests.
    places: Vec<(View, u64)>,
    /// Whoever is told of its end waits for this ticket.
    pub(super) ticket: u64,
    /// Every entry that was heard of.
    known: BTreeMap<u64, Entry>,
}

impl Log {
    /// As new.
    pub(super) fn clear(&mut self) {
        (self.base, self.commit, self.ticket) = (Slot::ZERO, Slot::ZERO, 0);
        self.places.clear();
    }

    /// Somebody speaks of an entry.
    pub(super) fn hear(&mut self, entry: &Entry) {
        self.known.entry(entry.digest()).or_insert_with(|| entry.clone());
    }

    /// Somebody speaks of a log.
    pub(super) fn hear_of(&mut self, state: &State) {
        state.log.entries.iter().for_each(|logged| self.hear(&logged.entry));
    }

    pub(super) fn has_heard(&self, digest: u64) -> bool {
        self.known.contains_key(&digest)
    }

    /// The op-number of its last entry.
    pub(in crate::stream::vr) fn last(&self) -> Slot {
        self.base.plus(self.places.len() as u64)
    }

    fn index(&self, op: Slot) -> Option<usize> {
        usize::try_from(op.since(self.base).checked_sub(1)?).ok()
    }

    /// The view and the digest of what stands there.
    pub(super) fn get(&self, op: Slot) -> Option<(View, u64)> {
        self.places.get(self.index(op)?).copied()
    }

    /// What stands there.
    pub(super) fn entry(&self, op: Slot) -> Option<&Entry> {
        self.get(op).and_then(|(_, digest)| self.known.get(&digest))
    }

    /// Who asked for what stands there.
    pub(super) fn asked(&self, op: Slot) -> Option<(ClientId, RequestNumber)> {
        self.entry(op).map(Entry::asked)
    }

    /// The replicas of the next epoch, if `op` is the end of this one.
    pub(super) fn ends_with(&self, op: Slot, epoch: u64) -> Option<Members> {
        let (view, _) = self.get(op).filter(|(view, _)| view.epoch == epoch)?;
        let reconfiguration = self.entry(op)?.reconfiguration()?;
        (view.epoch == epoch).then_some(reconfiguration.members)
    }

    /// Whether something stands behind the end of an epoch, and is of that epoch.
    pub(super) fn is_absurd(&self) -> bool {
        let pairs = self.places.iter().zip(self.places.iter().skip(1));
        let ends = |digest: &u64| {
            self.known.get(digest).is_some_and(|entry| entry.reconfiguration().is_some())
        };
        pairs.into_iter().any(|((view, entry), (next, _))| view.epoch == next.epoch && ends(entry))
    }

    /// The entries after `after`, as far as it has them.
    pub(in crate::stream::vr) fn after(&self, after: Slot) -> Vec<Logged> {
        let skipped = usize::try_from(after.since(self.base)).unwrap_or(usize::MAX);
        let places = self.places.iter().skip(skipped);
        let logged = |(view, digest): &(View, u64)| {
            self.known.get(digest).map(|entry| Logged { view: *view, entry: entry.clone() })
        };
        places.map_while(logged).collect()
    }

    /// One entry more.
    pub(super) fn push(&mut self, view: View, digest: u64) {
        self.places.push((view, digest));
    }

    /// These entries stand after `after`, and nothing else does.
    pub(super) fn adopt(&mut self, after: Slot, entries: impl Iterator<Item = (View, u64)>) {
        if after > self.last() {
            self.restart(after);
        }
        self.cut(after);
        let skipped = usize::try_from(self.base.since(after)).unwrap_or(usize::MAX);
        self.places.extend(entries.skip(skipped));
    }

    /// All that is committed stays; behind it stands what the suffix has there.
    pub(super) fn replace(&mut self, log: Suffix) {
        let log = log.beyond(self.commit);
        log.entries.iter().for_each(|logged| self.hear(&logged.entry));
        let entries: Vec<(View, u64)> =
            log.entries.iter().map(|logged| (logged.view, logged.entry.digest())).collect();
        self.adopt(log.after, entries.into_iter());
    }

    /// Nothing stands behind `op`.
    pub(super) fn cut(&mut self, op: Slot) {
        let kept = usize::try_from(op.since(self.base)).unwrap_or(usize::MAX);
        self.places.truncate(kept);
    }

    /// What is up to `op` need not be kept.
    pub(super) fn release(&mut self, op: Slot) {
        let gone = usize::try_from(op.since(self.base)).unwrap_or(usize::MAX);
        self.places.drain(..gone.min(self.places.len()));
        self.base = self.base.max(op);
        self.commit = self.commit.max(op);
    }

    /// A checkpoint stands for all up to `index`, and nothing follows it.
    pub(super) fn restart(&mut self, index: Slot) {
        self.places.clear();
        (self.base, self.commit) = (index, index);
    }

    /// All up to there is committed, as far as it goes.
    pub(super) fn raise_commit(&mut self, commit: Slot) {
        self.commit = self.commit.max(commit.min(self.last()));
    }

    /// That what is told of it is so.
    pub(super) fn judge(&self, state: &State) {
        assert!(state.commit == self.commit, "it tells {state}, and has {}", self.commit);
        let told = (1..).map(|nth| state.log.after.plus(nth)).zip(&state.log.entries);
        for (op, Logged { view, entry }) in told {
            let has = self.get(op);
            assert!(has == Some((*view, entry.digest())), "it tells {state}, and has {has:?}");
        }
    }

    /// As [`Self::judge`], and that nothing is left out at its end.
    pub(super) fn judge_whole(&self, state: &State) {
        self.judge(state);
        let last = self.last();
        assert!(state.log.last() == last, "it tells {state}, and has all up to {last}");
        assert!(state.log.after <= self.base.max(self.commit), "it leaves out too much: {state}");
    }
}

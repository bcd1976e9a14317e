//! Logs: one entry for each view and op-number (V-I3), the same up to what is committed (V-I4), without holes
//! (V-I8), and as long as what is committed of them (V-I2).

use quorate_systems::contract::NodeId;
use quorate_systems::smr::Slot;
use quorate_systems::vr::{Entry, State, Status, View};

use super::nodes::Deed;
use super::{V_I1, V_I2, V_I3, V_I4, V_I5, V_I8, VrInvariants, broke, numbered, short};
use crate::invariants::{Broken, Who};

impl VrInvariants {
    /// Somebody says what an op-number stands for in the log of a view.
    pub(super) fn valued(
        &mut self,
        by: NodeId,
        (view, op): (View, Slot),
        entry: u64,
        broken: &mut Vec<Broken>,
    ) {
        let Some(place) = self.places.get(op) else { return };
        let Some(first) = place.value(view, entry, by) else { return };
        let what = format!(
            "{op} of {view} is {} at {by}, and {} at {}",
            short(entry),
            short(first.entry),
            first.by
        );
        let by = vec![Who::Node(first.by), Who::Node(by)];
        broken.push(Broken { invariant: V_I3, by, what });
    }

    /// As [`Self::valued`], of what is in a replica's memory: where it keeps its log on disk that may still be lost in a
    /// crash before anybody hears of it, and then another may take its place.
    pub(super) fn valued_in_memory(
        &mut self,
        by: NodeId,
        at: (View, Slot),
        entry: u64,
        broken: &mut Vec<Broken>,
    ) {
        let (view, op) = at;
        let is_known = self.places.look(op).is_some_and(|place| place.valued(view).is_some());
        if is_known || !self.is_durable() {
            self.valued(by, at, entry, broken);
        }
    }

    /// As [`Self::valued`], of what has come to a disk: nothing else takes its place any more.
    pub(super) fn valued_on_disk(&mut self, by: NodeId, deed: &Deed, broken: &mut Vec<Broken>) {
        match deed {
            Deed::Prepared { op, entry: (view, entry), .. } => {
                self.valued(by, (*view, *op), *entry, broken);
            }
            Deed::Adopted { view, after, entries, commit, .. } => {
                for (op, (assigned, entry)) in numbered(*after, entries.iter().copied()) {
                    self.valued(by, (assigned, op), entry, broken);
                    // Of one view there is one log, whatever earlier views its entries are of.
                    if op > *commit && assigned != *view {
                        self.valued(by, (*view, op), entry, broken);
                    }
                }
            }
            Deed::Left(_) | Deed::Checkpoint(_) | Deed::Held(_) | Deed::Epoch { .. } => {}
        }
    }

    /// A node tells others of a log.
    pub(super) fn tells(&mut self, by: NodeId, state: &State, broken: &mut Vec<Broken>) {
        for (op, (view, entry)) in numbered(state.log.after, super::entries(&state.log)) {
            self.valued(by, (view, op), entry, broken);
        }
    }

    /// A primary tells others to append an entry.
    pub(super) fn prepared(
        &mut self,
        by: NodeId,
        (view, op): (View, Slot),
        entry: &Entry,
        broken: &mut Vec<Broken>,
    ) {
        if !self.leads(by, view, broken) {
            return;
        }
        self.valued(by, (view, op), entry.digest(), broken);
        let Some(node) = self.node(by) else { return };
        // It may have been made before what the replica knows now.
        if node.is_settled || node.memory.view == view {
            self.require_open(by, "prepares", (view, op), broken);
        }
    }

    /// A replica appended an entry to its log.
    pub(super) fn appended(
        &mut self,
        by: NodeId,
        (view, op): (View, Slot),
        entry: u64,
        broken: &mut Vec<Broken>,
    ) {
        self.require_open(by, "appends", (view, op), broken);
        self.valued_in_memory(by, (view, op), entry, broken);
        let (is_witness, is_durable) = (self.is_witness(by), self.is_durable());
        let Some(node) = self.node(by) else { return };
        let memory = &mut node.memory;
        let last = memory.log.last();
        let of = memory.log_view.max(view);
        if memory.log_view < view {
            let of = memory.log_view;
            let what = format!("{by} appends {op} of {view} to its log of {of}");
            broken.push(broke(V_I8, by, what));
        } else if op != last.next() && !is_witness {
            let what = format!("{by} appends {op} to a log that ends with {last}");
            broken.push(broke(V_I8, by, what));
        }
        memory.log.adopt(Slot(op.0.saturating_sub(1)), std::iter::once((view, entry)));
        node.reach.raise(of, op);
        if !is_durable {
            node.ever.raise(of, op);
        }
        // It may be of the log with which the view began.
        if of != view {
            self.valued_in_memory(by, (of, op), entry, broken);
        }
        self.uses_first_view(by, view);
    }

    /// A replica took the log of a view for its own.
    pub(super) fn adopted(
        &mut self,
        by: NodeId,
        view: View,
        (after, entries): (Slot, &[(View, u64)]),
        commit: Slot,
        broken: &mut Vec<Broken>,
    ) {
        for (op, (assigned, entry)) in numbered(after, entries.iter().copied()) {
            self.valued_in_memory(by, (assigned, op), entry, broken);
            // Of one view there is one log, whatever earlier views its entries are of.
            if op > commit && assigned != view {
                self.valued_in_memory(by, (view, op), entry, broken);
            }
        }
        self.replace(by, view, (after, entries), broken);
        let Some(node) = self.node(by) else { return };
        let known = node.memory.commit;
        if commit < known {
            let what = format!("{by} goes back to commit-number {commit} from {known} in {view}");
            broken.push(broke(V_I1, by, what));
        }
        self.commit_to(by, commit, after, broken);
        self.require_acknowledged(by, view, broken);
    }

    fn replace(
        &mut self,
        by: NodeId,
        view: View,
        (after, entries): (Slot, &[(View, u64)]),
        broken: &mut Vec<Broken>,
    ) {
        let (is_witness, is_durable) = (self.is_witness(by), self.is_durable());
        let Some(node) = self.node(by) else { return };
        let memory = &mut node.memory;
        let last = memory.log.last();
        if after > last && !is_witness {
            let what = format!(
                "{by} takes up {view} with what comes after {after}, and its log ends with {last}"
            );
            broken.push(broke(V_I8, by, what));
        }
        memory.log.adopt(after, entries.iter().copied());
        let last = memory.log.last();
        if let Some(reached) = node.reach.get(view).filter(|reached| *reached > last) {
            let what =
                format!("{by} cuts its log of {view} to {last}, and it went on to {reached}");
            broken.push(broke(V_I8, by, what));
        }
        node.reach.raise(view, last);
        if !is_durable {
            node.ever.raise(view, last);
        }
        if let Some(acknowledged) = node.recovering.take().filter(|op| *op > last) {
            let what = format!(
                "{by} recovers with a log that ends with {last}, and up to {acknowledged} all was \
                 acknowledged before it asked"
            );
            broken.push(broke(V_I5, by, what));
        }
        self.status(by, Status::Normal, (view, view), broken);
        if let Some(node) = self.node(by) {
            node.memory.log_view = view;
        }
    }

    /// A replica was told how much is committed.
    pub(super) fn learned(&mut self, by: NodeId, commit: Slot, broken: &mut Vec<Broken>) {
        let Some(node) = self.node(by) else { return };
        let known = node.memory.commit;
        if commit < known {
            let what = format!("{by} goes back to commit-number {commit} from {known}");
            broken.push(broke(V_I1, by, what));
        }
        self.commit_to(by, commit, known, broken);
    }

    /// A replica knows that all up to `commit` is committed; what it has after `from` is new to it.
    pub(super) fn commit_to(
        &mut self,
        by: NodeId,
        commit: Slot,
        from: Slot,
        broken: &mut Vec<Broken>,
    ) {
        let is_witness = self.is_witness(by);
        let Some(node) = self.node(by) else { return };
        let (first, last) = (from.max(node.memory.log.base()).next(), node.memory.log.last());
        let commit = commit.max(node.memory.commit);
        node.memory.commit = commit;
        if commit > last && !is_witness {
            let what = format!(
                "{by} takes all up to {commit} for committed, and its log ends with {last}"
            );
            broken.push(broke(V_I2, by, what));
        }
        for op in first.through(commit.min(last)) {
            let log = self.nodes.get(usize::from(by.0)).map(|node| &node.memory.log);
            if let Some((_, entry)) = log.and_then(|log| log.get(op)) {
                self.settle(by, op, entry, broken);
            }
        }
    }

    /// A replica has this entry, committed.
    fn settle(&mut self, by: NodeId, op: Slot, entry: u64, broken: &mut Vec<Broken>) {
        let Some(place) = self.places.get(op) else { return };
        if let Some((first, other)) = place.committed {
            if first != entry {
                let what = format!(
                    "{op} is committed as {} at {by}, and as {} at {other}",
                    short(entry),
                    short(first)
                );
                let by = vec![Who::Node(other), Who::Node(by)];
                broken.push(Broken { invariant: V_I4, by, what });
            }
            return;
        }
        place.committed = Some((entry, by));
        if let Some((view, first)) = place.acknowledged.filter(|(_, first)| *first != entry) {
            let what = format!(
                "{op} is committed as {} at {by}, and was acknowledged as {} in {view}",
                short(entry),
                short(first)
            );
            broken.push(broke(V_I5, by, what));
        }
    }
}

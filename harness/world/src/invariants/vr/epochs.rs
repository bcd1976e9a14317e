//! Epochs: who takes part in each, and that an epoch ends where it ends (V-I12).

use std::collections::VecDeque;

use quorate_systems::contract::{ClientId, NodeId};
use quorate_systems::parties::NodeSet;
use quorate_systems::smr::Slot;
use quorate_systems::vr::{Entry, Members, Message, Reconfiguration, View};

use super::{V_I12, VrInvariants, broke};
use crate::invariants::{Broken, Who};

/// The last epochs, at most [`EPOCHS_MAX`].
#[derive(Debug)]
pub(super) struct Epochs {
    known: VecDeque<Epoch>,
    /// The digests of the last RECONFIGURATIONs that were asked for.
    asked: VecDeque<u64>,
}

const EPOCHS_MAX: usize = 32;
const ASKED_MAX: usize = 32;

/// One epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch {
    number: u64,
    /// It begins after this op-number.
    after: Slot,
    members: Members,
    /// Who said so first.
    by: NodeId,
}

impl Epochs {
    pub(super) const fn new() -> Self {
        Self { known: VecDeque::new(), asked: VecDeque::new() }
    }

    /// These are the replicas of the first epoch, and of more nothing is known.
    pub(super) fn reset(&mut self, members: Members) {
        self.known.clear();
        self.asked.clear();
        self.known.push_back(Epoch { number: 0, after: Slot::ZERO, members, by: NodeId(0) });
    }

    /// The replicas of an epoch, if they are known.
    pub(super) fn members(&self, number: u64) -> Option<Members> {
        let mut known = self.known.iter().rev();
        known.find(|epoch| epoch.number == number).map(|epoch| epoch.members)
    }

    /// The replicas of the latest epoch that is known.
    pub(super) fn latest(&self) -> NodeSet {
        self.known.back().map_or(NodeSet::EMPTY, |epoch| epoch.members.set())
    }

    /// Somebody tells of an epoch: what was told first, where that is another.
    fn learn(&mut self, told: Epoch) -> Option<Epoch> {
        if let Some(first) = self.known.iter().rev().find(|epoch| epoch.number == told.number) {
            let is_same = first.after == told.after && first.members == told.members;
            return Some(*first).filter(|_| !is_same);
        }
        if self.known.back().is_some_and(|last| told.number > last.number) {
            if self.known.len() == EPOCHS_MAX {
                self.known.pop_front();
            }
            self.known.push_back(told);
        }
        None
    }

    /// A client asks for something.
    pub(super) fn asked(&mut self, client: ClientId, message: &Message) {
        let Message::Reconfiguration { number, members, epoch: _ } = message else { return };
        let (number, members) = (*number, *members);
        let entry = Entry::Reconfiguration(Reconfiguration { client, number, members }).digest();
        if self.asked.contains(&entry) {
            return;
        }
        if self.asked.len() == ASKED_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back(entry);
    }

    /// Whether an entry is a RECONFIGURATION that was asked for of late.
    fn ends(&self, entry: u64) -> bool {
        self.asked.contains(&entry)
    }
}

impl VrInvariants {
    /// A replica's epoch is over.
    pub(super) fn epoch_ended(
        &mut self,
        by: NodeId,
        (view, op): (View, Slot),
        new: Members,
        broken: &mut Vec<Broken>,
    ) {
        self.agree(by, (view, op), new, broken);
        let is_durable = self.is_durable();
        let Some(node) = self.node(by) else { return };
        node.memory.ended = Some((view, op));
        let last = node.memory.log.last();
        // One that does not know what is committed may have entries that are about to go.
        if last > op && node.memory.commit >= op {
            let what = format!("{by} ends an epoch after {op}, and its log goes on to {last}");
            broken.push(broke(V_I12, by, what));
        }
        node.memory.log.cut(op);
        // Whoever lacks the end of it adopts the log first.
        if new.contains(by) && last >= op && node.memory.log_view < view {
            node.memory.log_view = view;
            node.memory.view = node.memory.view.max(view);
            node.memory.last_normal = node.memory.last_normal.max(view);
            node.reach.raise(view, op);
            if !is_durable {
                node.ever.raise(view, op);
            }
            node.change();
        }
    }

    /// Somebody says where an epoch begins, and with whom.
    pub(super) fn agree(
        &mut self,
        by: NodeId,
        (view, op): (View, Slot),
        members: Members,
        broken: &mut Vec<Broken>,
    ) {
        let told = Epoch { number: view.epoch, after: op, members, by };
        if let Some(Epoch { number, after, members: first, by: other }) = self.epochs.learn(told) {
            let what = format!(
                "epoch {number} begins after {op} with {members} at {by}, and after {after} with \
                 {first} at {other}"
            );
            let by = vec![Who::Node(other), Who::Node(by)];
            broken.push(Broken { invariant: V_I12, by, what });
        }
    }

    /// V-I12: a replica does something with an op-number in a view, and the epoch of that is not over.
    pub(super) fn require_open(
        &mut self,
        by: NodeId,
        does: &str,
        (view, op): (View, Slot),
        broken: &mut Vec<Broken>,
    ) {
        let Some(node) = self.nodes.get(usize::from(by.0)) else { return };
        if let Some((next, last)) = node.memory.ended
            && view.epoch < next.epoch
            && op > last
        {
            let what = format!("{by} {does} {op} in {view}, and its epoch has ended with {last}");
            broken.push(broke(V_I12, by, what));
            return;
        }
        let before = Slot(op.0.saturating_sub(1));
        if let Some((earlier, entry)) = node.memory.log.get(before)
            && earlier.epoch == view.epoch
            && self.epochs.ends(entry)
        {
            let what = format!(
                "{by} {does} {op} in {view}, and {before} is a RECONFIGURATION of its epoch"
            );
            broken.push(broke(V_I12, by, what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_epochs_are_forgotten_when_there_are_too_many() {
        let members = |nodes| Members::try_from(NodeSet::all(nodes)).unwrap();
        let told = |number, nodes| Epoch {
            number,
            after: Slot(number),
            members: members(nodes),
            by: NodeId(1),
        };
        let mut epochs = Epochs::new();
        epochs.reset(members(3));
        for number in 1..EPOCHS_MAX as u64 {
            assert_eq!(epochs.learn(told(number, 5)), None);
        }
        assert_eq!(epochs.members(0), Some(members(3)));
        assert_eq!(epochs.learn(told(EPOCHS_MAX as u64, 4)), None);
        assert_eq!((epochs.members(0), epochs.members(1)), (None, Some(members(5))));
        assert_eq!(epochs.learn(told(0, 7)), None);
        assert_eq!(epochs.members(0), None);
        assert_eq!(epochs.learn(told(1, 4)), Some(told(1, 5)));
        assert_eq!(epochs.learn(told(1, 5)), None);
    }
}

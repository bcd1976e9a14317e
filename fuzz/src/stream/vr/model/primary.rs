//! What a replica may do while it leads a view.

use std::collections::{BTreeMap, BTreeSet};

use quorate_systems::contract::{ClientId, NodeId};
use quorate_systems::parties::NodeSet;
use quorate_systems::smr::{RequestNumber, Slot};
use quorate_systems::vr::{Members, View};

/// What a primary was told in its view.
#[derive(Clone, Debug)]
pub(super) struct Primary {
    pub(super) view: View,
    /// The end of its log when it began.
    pub(super) began: Slot,
    /// Up to where each replica has acknowledged.
    acknowledged: BTreeMap<NodeId, Slot>,
    /// Who has answered which round.
    rounds: BTreeMap<u64, NodeSet>,
    /// When it sent each round.
    sent: BTreeMap<u64, u64>,
    pub(super) lease_until: u64,
    /// Reads that wait: up to where all must be executed first.
    reads: BTreeMap<(ClientId, RequestNumber), Slot>,
    /// Requests that have no op-number yet.
    pub(super) waiting: BTreeSet<(ClientId, RequestNumber)>,
}

impl Primary {
    pub(super) fn new(view: View, began: Slot) -> Self {
        Self {
            view,
            began,
            acknowledged: BTreeMap::new(),
            rounds: BTreeMap::new(),
            sent: BTreeMap::new(),
            lease_until: 0,
            reads: BTreeMap::new(),
            waiting: BTreeSet::new(),
        }
    }

    pub(super) fn on_prepare_ok(&mut self, from: NodeId, op: Slot) {
        let known = self.acknowledged.entry(from).or_default();
        *known = op.max(*known);
    }

    pub(super) fn on_commit_ok(&mut self, from: NodeId, round: u64) {
        self.rounds.entry(round).or_insert(NodeSet::EMPTY).insert(from);
    }

    pub(super) fn has_sent_round(&mut self, round: u64, now: u64) {
        self.sent.entry(round).or_insert(now);
    }

    /// A read comes, and must see all up to `index`; asked again it may be answered as when it was asked first.
    pub(super) fn on_read(&mut self, client: ClientId, number: RequestNumber, index: Slot) {
        self.reads.entry((client, number)).or_insert(index);
    }

    /// What a read must see.
    pub(super) fn index_of(&self, client: ClientId, number: RequestNumber) -> Option<Slot> {
        self.reads.get(&(client, number)).copied()
    }

    /// That a quorum has acknowledged all up to `op`.
    pub(super) fn judge_commit(&self, op: Slot, voters: NodeSet, members: Members) {
        assert!(members.is_quorum(voters), "{op} is committed by {voters} of {members}");
        let has = |node| self.acknowledged.get(&node).is_some_and(|known| *known >= op);
        let silent: NodeSet = voters.iter().filter(|node| !has(*node)).collect();
        assert!(silent.is_empty(), "{silent} have not acknowledged {op}: {self:?}");
    }

    /// That a quorum, itself included, has answered this round, and that it counts from the moment of sending.
    pub(super) fn take_lease(
        &mut self,
        (me, members): (NodeId, Members),
        (round, voters): (u64, NodeSet),
        (now, micros, held): (u64, u64, u64),
    ) {
        let answered = self.rounds.get(&round).copied().unwrap_or(NodeSet::EMPTY);
        let answered = answered.union(NodeSet::of(me));
        assert!(members.is_quorum(voters), "a lease of {voters} of {members}");
        assert!(answered.includes(voters), "{voters} have not answered {round}: {answered}");
        let sent = self.sent.get(&round).copied().unwrap_or(now);
        let until = self.lease_until.max(sent + held);
        assert!(
            now + micros <= until,
            "its lease lasts until {}, and not beyond {until}",
            now + micros
        );
        self.lease_until = now + micros;
    }
}

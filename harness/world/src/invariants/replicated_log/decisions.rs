//! Decisions: one for each slot (P-I6), submitted by somebody (P-I7), and held by a majority (P-I11).

use quorate_systems::contract::NodeId;
use quorate_systems::parties::NodeSet;
use quorate_systems::paxos::Ballot;
use quorate_systems::smr::Slot;

use super::{P_I6, P_I7, P_I11, ReplicatedLog, Who, name, short};
use crate::invariants::Broken;

impl ReplicatedLog {
    /// A node knows that `voters` accepted in this ballot, and that these are enough.
    pub(in crate::invariants) fn decided(
        &mut self,
        by: NodeId,
        (slot, ballot): (Slot, Ballot),
        entry: u64,
        voters: NodeSet,
        broken: &mut Vec<Broken>,
    ) {
        self.known(by, slot, entry, broken);
        if !self.is_majority(voters) {
            let what = format!("{by} takes {slot} for decided by {voters}, no majority");
            broken.push(Broken { invariant: P_I11, by: vec![Who::Node(by)], what });
            return;
        }
        self.require_held(by, (slot, ballot), entry, broken);
    }

    /// A node was told what is decided, and not in which ballot: perhaps in an earlier one than that of whoever
    /// told.
    pub(in crate::invariants) fn learned(
        &mut self,
        by: NodeId,
        slot: Slot,
        entry: u64,
        broken: &mut Vec<Broken>,
    ) {
        self.known(by, slot, entry, broken);
        if self.places.look(slot).is_some_and(|place| !place.is_held) {
            self.require_held(by, (slot, Ballot::ZERO), entry, broken);
        }
    }

    /// Somebody says what is decided.
    pub(super) fn known(&mut self, by: NodeId, slot: Slot, entry: u64, broken: &mut Vec<Broken>) {
        let Some(place) = self.places.get(slot) else { return };
        let Some((first, who)) = place.decided else {
            place.decided = Some((entry, Who::Node(by)));
            if entry != self.noop && self.submitted.lacks(entry) {
                let entry = short(entry);
                let what = format!(
                    "{by} knows that {entry} is decided in {slot}, which no client has submitted"
                );
                broken.push(Broken { invariant: P_I7, by: vec![Who::Node(by)], what });
            }
            return;
        };
        if first != entry {
            let (entry, first) = (short(entry), short(first));
            let what =
                format!("{by} knows that {entry} is decided in {slot}, and {who} that {first} is");
            broken.push(Broken { invariant: P_I6, by: vec![who, Who::Node(by)], what });
        }
    }

    /// P-I11: a majority holds the entry durably, accepted in `ballot` or a higher one, decided, or by a
    /// snapshot.
    fn require_held(
        &mut self,
        by: NodeId,
        (slot, ballot): (Slot, Ballot),
        entry: u64,
        broken: &mut Vec<Broken>,
    ) {
        let Some(holders) = self.places.holders(slot) else { return };
        let mut holding = 0;
        for ((node, held), bit) in self.nodes.iter().zip(holders).zip(0..) {
            let held = held.durable;
            let has_accepted =
                !held.ballot.is_zero() && held.ballot >= ballot && held.entry == entry;
            let holds = node.durable.snapshot >= slot || held.is_decided || has_accepted;
            holding |= u64::from(holds) << bit;
        }
        let holding = NodeSet::from_bits(holding);
        if self.is_majority(holding) {
            if let Some(place) = self.places.get(slot) {
                place.is_held = true;
            }
            return;
        }
        let of = if ballot.is_zero() { String::new() } else { format!(" of {}", name(ballot)) };
        let what = format!(
            "{by} knows that {}{of} is decided in {slot}, and only {holding} hold it durably",
            short(entry)
        );
        broken.push(Broken { invariant: P_I11, by: vec![Who::Node(by)], what });
    }
}

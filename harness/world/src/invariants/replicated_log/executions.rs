//! Execution: one slot after the other, and one history (P-I8); each request once (P-I9).

use quorate_systems::contract::{ClientId, NodeId};
use quorate_systems::smr::{Chain, RequestNumber, Slot};

use super::{P_I8, P_I9, ReplicatedLog, Who};
use crate::invariants::Broken;
use crate::invariants::executed::{Demands, Effect};

const DEMANDS: Demands = Demands { one_history: P_I8, once: P_I9, preposition: "in" };

impl ReplicatedLog {
    /// A replica executed a slot. `request` is what stood there, unless it was a NOOP, and `is_first` says whether
    /// it took effect.
    pub(in crate::invariants) fn executed(
        &mut self,
        by: NodeId,
        (slot, chain): (Slot, Chain),
        request: Option<(ClientId, RequestNumber)>,
        is_first: bool,
        broken: &mut Vec<Broken>,
    ) {
        let Some(node) = self.node(by) else { return };
        let before = std::mem::replace(&mut node.applied, slot);
        if slot != before.next() {
            let what = format!("{by} executes {slot} after {before}");
            broken.push(Broken { invariant: P_I8, by: vec![Who::Node(by)], what });
        }
        self.history(by, slot, chain, broken);
        self.effect(by, slot, Effect { request, is_first }, broken);
    }

    /// A replica's snapshot stands for all slots up to `index`, its own or one that it took over.
    pub(in crate::invariants) fn snapshot(
        &mut self,
        by: NodeId,
        index: Slot,
        chain: Chain,
        broken: &mut Vec<Broken>,
    ) {
        self.history(by, index, chain, broken);
        if let Some(node) = self.node(by) {
            node.applied = node.applied.max(index);
        }
    }

    fn history(&mut self, by: NodeId, slot: Slot, chain: Chain, broken: &mut Vec<Broken>) {
        if let Some(place) = self.places.get(slot) {
            DEMANDS.history(&mut place.executed, (slot, chain), by, broken);
        }
    }

    fn effect(&mut self, by: NodeId, slot: Slot, effect: Effect, broken: &mut Vec<Broken>) {
        if let Some(place) = self.places.get(slot) {
            let known = (&mut place.executed, &mut self.effects);
            DEMANDS.effect(known, (slot, effect), by, broken);
        }
    }
}

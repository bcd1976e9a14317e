//! Execution: one op-number after the other, one history, each request once (V-I7), and nothing that is not
//! committed (V-I2).

use quorate_systems::contract::{ClientId, NodeId};
use quorate_systems::smr::{Chain, RequestNumber, Slot};

use super::{V_I1, V_I2, V_I7, V_I12, VrInvariants, broke};
use crate::invariants::Broken;
use crate::invariants::executed::{Demands, Effect};

const DEMANDS: Demands = Demands { one_history: V_I7, once: V_I7, preposition: "at" };

impl VrInvariants {
    /// A replica executed a committed entry. `request` is what stood there, with whether it took effect.
    pub(super) fn executed(
        &mut self,
        by: NodeId,
        (op, chain): (Slot, Chain),
        request: ((ClientId, RequestNumber), bool),
        broken: &mut Vec<Broken>,
    ) {
        let Some(node) = self.node(by) else { return };
        let memory = &mut node.memory;
        let before = std::mem::replace(&mut memory.executed, op);
        if op != before.next() {
            let what = format!("{by} executes {op} after {before}");
            broken.push(broke(V_I7, by, what));
        } else if op > memory.commit {
            let commit = memory.commit;
            let what = format!("{by} executes {op}, and its commit-number is {commit}");
            broken.push(broke(V_I2, by, what));
        }
        if let Some((next, last)) = memory.ended
            && op > last
            && let Some((view, _)) = memory.log.get(op).filter(|(view, _)| view.epoch < next.epoch)
        {
            let what = format!("{by} executes {op} of {view}, whose epoch has ended with {last}");
            broken.push(broke(V_I12, by, what));
        }
        self.history(by, op, chain, broken);
        let (request, is_first) = request;
        self.effect(by, op, Effect { request: Some(request), is_first }, broken);
    }

    /// A replica put its own state in place of the log up to `index`.
    pub(super) fn checkpoint_taken(
        &mut self,
        by: NodeId,
        index: Slot,
        chain: Chain,
        broken: &mut Vec<Broken>,
    ) {
        self.history(by, index, chain, broken);
        let Some(node) = self.node(by) else { return };
        node.memory.log.release(index);
        let executed = node.memory.executed;
        if index > executed {
            let what = format!("{by} has executed all up to {executed}, and keeps what {index} is");
            broken.push(broke(V_I7, by, what));
        }
    }

    /// A replica took over another's state.
    pub(super) fn checkpoint_installed(
        &mut self,
        by: NodeId,
        index: Slot,
        chain: Chain,
        broken: &mut Vec<Broken>,
    ) {
        self.history(by, index, chain, broken);
        let Some(node) = self.node(by) else { return };
        let memory = &mut node.memory;
        memory.log.release(index);
        memory.commit = memory.commit.max(index);
        let executed = std::mem::replace(&mut memory.executed, index);
        if index < executed {
            let what = format!("{by} goes back to the state after {index} from {executed}");
            broken.push(broke(V_I1, by, what));
        }
    }

    fn history(&mut self, by: NodeId, op: Slot, chain: Chain, broken: &mut Vec<Broken>) {
        if let Some(place) = self.places.get(op) {
            DEMANDS.history(&mut place.executed, (op, chain), by, broken);
        }
    }

    fn effect(&mut self, by: NodeId, op: Slot, effect: Effect, broken: &mut Vec<Broken>) {
        if let Some(place) = self.places.get(op) {
            let known = (&mut place.executed, &mut self.effects);
            DEMANDS.effect(known, (op, effect), by, broken);
        }
    }
}

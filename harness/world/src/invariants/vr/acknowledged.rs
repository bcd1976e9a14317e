//! What was acknowledged is not lost (V-I5).

use quorate_systems::contract::{ClientId, NodeId};
use quorate_systems::parties::NodeSet;
use quorate_systems::smr::Slot;
use quorate_systems::vr::View;

use super::{V_I5, VrInvariants, broke, short};
use crate::invariants::{Broken, Who};

impl VrInvariants {
    /// A primary knows that all up to `op` is prepared at `voters`.
    pub(super) fn committed(
        &mut self,
        by: NodeId,
        (view, op): (View, Slot),
        voters: NodeSet,
        broken: &mut Vec<Broken>,
    ) {
        if !self.leads(by, view, broken) {
            return;
        }
        if let Some(why) = self.objection((view, op), voters) {
            let what = format!("{by} takes {op} of {view} for committed by {voters}, {why}");
            broken.push(broke(V_I5, by, what));
            return;
        }
        let Some(node) = self.node(by) else { return };
        let known = node.memory.commit;
        self.commit_to(by, op, known, broken);
        for op in known.next().through(op) {
            let log = self.nodes.get(usize::from(by.0)).map(|node| &node.memory.log);
            if let Some((_, entry)) = log.and_then(|log| log.get(op)) {
                self.acknowledge(Who::Node(by), (view, op), entry, broken);
            }
        }
    }

    /// A client takes a request for done that is prepared at `replicas`.
    pub(super) fn accepted(
        &mut self,
        client: ClientId,
        (view, op): (View, Slot),
        replicas: NodeSet,
        broken: &mut Vec<Broken>,
    ) {
        let by = Who::Client(client);
        if let Some(why) = self.objection((view, op), replicas) {
            let what = format!("{client} takes {op} of {view} for done by {replicas}, {why}");
            broken.push(Broken { invariant: V_I5, by: vec![by], what });
            return;
        }
        let Some(place) = self.places.look(op) else { return };
        let (valued, committed) = (place.valued(view), place.committed);
        let Some(entry) = valued else { return };
        if let Some((other, at)) = committed.filter(|(other, _)| *other != entry) {
            let what = format!(
                "{client} takes {op} of {view} for done as {}, and it is committed as {} at {at}",
                short(entry),
                short(other)
            );
            broken.push(Broken { invariant: V_I5, by: vec![by], what });
            return;
        }
        self.acknowledge(by, (view, op), entry, broken);
    }

    /// What speaks against an acknowledgement by `voters`.
    fn objection(&self, (view, op): (View, Slot), voters: NodeSet) -> Option<String> {
        let members = self.epochs.members(view.epoch)?;
        if !members.is_quorum(voters) {
            return Some("no quorum".to_owned());
        }
        let holders = self.holders(view, op).intersection(members.set());
        let durably = if self.is_durable() { " durably" } else { "" };
        (!members.is_quorum(holders)).then(|| format!("and only {holders} have had it{durably}"))
    }

    /// From here on this entry may not be lost: logs of later views have it.
    fn acknowledge(
        &mut self,
        who: Who,
        (view, op): (View, Slot),
        entry: u64,
        broken: &mut Vec<Broken>,
    ) {
        let Some(place) = self.places.get(op) else { return };
        if place.acknowledged.is_some_and(|(first, _)| first <= view) {
            return;
        }
        place.acknowledged = Some((view, entry));
        self.places.acknowledged = self.places.acknowledged.max(op);
        let mut nodes = (0..).map(NodeId).zip(&self.nodes).filter(|(_, node)| {
            let memory = &node.memory;
            let has = memory.log.get(op).is_some_and(|(_, known)| known == entry);
            memory.log_view > view && op > memory.log.base() && !has
        });
        if let Some((without, node)) = nodes.next() {
            let later = node.memory.log_view;
            let what = format!(
                "{op} of {view}, which is acknowledged at {who}, is not in the log of {later} at \
                 {without}"
            );
            let by = vec![who, Who::Node(without)];
            broken.push(Broken { invariant: V_I5, by, what });
        }
    }

    /// A replica has taken up a view: its log has all that was acknowledged in lower ones.
    pub(super) fn require_acknowledged(
        &mut self,
        by: NodeId,
        view: View,
        broken: &mut Vec<Broken>,
    ) {
        let Some(node) = self.nodes.get(usize::from(by.0)) else { return };
        let memory = &node.memory;
        // What is committed here is judged by V-I4.
        for op in self.places.acknowledged_after(memory.log.base().max(memory.commit)) {
            let place = self.places.look(op);
            let Some((in_view, entry)) = place.and_then(|place| place.acknowledged) else {
                continue;
            };
            let has = memory.log.get(op).map(|(_, known)| known);
            if in_view >= view || has == Some(entry) {
                continue;
            }
            let how = if has.is_some() { "with another" } else { "without" };
            let what = format!("{by} takes up {view} {how} {op}, which {in_view} has acknowledged");
            broken.push(broke(V_I5, by, what));
            return;
        }
    }

    /// A witness dropped what all who execute have.
    pub(super) fn released(&mut self, by: NodeId, op: Slot, broken: &mut Vec<Broken>) {
        let Some(node) = self.node(by) else { return };
        node.memory.log.release(op);
        node.reach.raise(node.memory.log_view, op);
        node.memory.commit = node.memory.commit.max(op);
        let epoch = node.memory.view.epoch;
        let Some(members) = self.epochs.members(epoch) else { return };
        for active in members.actives().iter() {
            let Some(node) = self.nodes.get(usize::from(active.0)) else { continue };
            let last = node.disk.log.last();
            if last < op {
                let what = format!(
                    "{by} drops its log up to {op}, and the disk of {active} holds it up to {last}"
                );
                broken.push(broke(V_I5, by, what));
                return;
            }
        }
    }
}

//! What is durable at each acceptor: a promise is for good (P-I1), and nobody is told of what is not durable
//! (P-I10).
//!
//! The image of a disk is what was found on it at the last start and what has become durable since, and never
//! what a node has in memory only.

use quorate_systems::contract::{Incarnation, Key, NodeId, Ticket};
use quorate_systems::paxos_single::{Accepted, Ballot, Record};

use super::instances::Disk;
use super::nodes::{Deed, Node, Standing};
use super::{P_I1, P_I10, PaxosSingleInvariants, show_accepted, show_number};
use crate::invariants::{Broken, Who};

impl PaxosSingleInvariants {
    /// A node comes up: what was not durable may be gone, and what its disk holds will be told.
    pub(super) fn on_started(&mut self, node: NodeId, incarnation: Incarnation) {
        let Some(state) = self.node(node) else { return };
        if state.standing == Standing::Lying {
            return;
        }
        state.start(incarnation);
        for (_, instance) in self.instances.all() {
            if let Some(image) = instance.image(node) {
                image.found = Disk::default();
            }
        }
    }

    pub(super) fn on_found(&mut self, node: NodeId, record: &Record) {
        let (key, deed) = deed(record);
        let Some(instance) = self.instances.known(key) else {
            // Remembering all keys of a long run here would push out those in use.
            return self.instances.miss(key);
        };
        if let Some(image) = instance.image(node) {
            image.found.add(deed);
        }
    }

    /// The node shows its first sign of life: all that its disk holds was told.
    pub(super) fn end_recovery(&mut self, node: NodeId, broken: &mut Vec<Broken>) {
        let Some(state) = self.node(node) else { return };
        state.standing = Standing::Judged;
        for (key, instance) in self.instances.all() {
            let Some(image) = instance.image(node) else { continue };
            let (before, found) = (image.durable, image.found);
            image.durable = found;
            let had = before.np.max(image.told);
            // Said once, and not again with every answer.
            image.told = image.told.min(found.np);
            if found.np < had || found.na < before.na {
                let what = format!(
                    "{node} restarts with promise {} and acceptance {} under k{}, and had {} and {}",
                    show_number(found.np),
                    show_accepted(found.accepted),
                    key.0,
                    show_number(had),
                    show_accepted(before.accepted)
                );
                broken.push(Broken { invariant: P_I1, by: vec![Who::Node(node)], what });
            }
        }
    }

    pub(super) fn on_persisted(
        &mut self,
        (node, ticket): (NodeId, Ticket),
        record: &Record,
        broken: &mut Vec<Broken>,
    ) {
        let (key, deed) = deed(record);
        if let Deed::Accepted(accepted) = deed {
            self.on_valued(Who::Node(node), key, accepted, broken);
        }
        if let Some(state) = self.node(node) {
            state.persist(ticket, key, deed);
        }
    }

    pub(super) fn on_durable(&mut self, node: NodeId, ticket: Ticket, broken: &mut Vec<Broken>) {
        let Some(state) = self.node(node) else { return };
        state.advance(ticket);
        while let Some((key, deed)) = self.node(node).and_then(Node::next_durable) {
            self.on_durable_deed(node, key, deed, broken);
        }
    }

    fn on_durable_deed(&mut self, node: NodeId, key: Key, deed: Deed, broken: &mut Vec<Broken>) {
        let has_promises = self.has_promises();
        let Some(image) = self.instances.get(key).image(node) else { return };
        let np = image.durable.np;
        image.durable.add(deed);
        let (does, n) = match deed {
            Deed::Promised(n) => ("promises", n),
            Deed::Accepted(accepted) => ("accepts", accepted.n),
        };
        if has_promises && np > Some(n) {
            let what =
                format!("{node} {does} {n} under k{}, and had promised {}", key.0, show_number(np));
            broken.push(Broken { invariant: P_I1, by: vec![Who::Node(node)], what });
        }
    }

    /// An acceptor promises.
    pub(super) fn on_prepare_ok(
        &mut self,
        (node, to): (NodeId, Who),
        (key, n): (Key, Ballot),
        accepted: Option<Accepted>,
        broken: &mut Vec<Broken>,
    ) {
        if let Some(accepted) = accepted {
            self.on_valued(Who::Node(node), key, accepted, broken);
        }
        let has_promises = self.has_promises();
        let instance = self.instances.get(key);
        if let Some(bid) = instance.bid(n) {
            bid.promises.insert(node, accepted);
        }
        let is_partial = instance.is_partial;
        let Some(image) = instance.image(node) else { return };
        let (told, disk) = (image.told, image.durable);
        image.told = told.max(Some(n));
        let by = vec![Who::Node(node)];
        if !has_promises {
            return;
        }
        if told > Some(n) {
            let told = show_number(told);
            let what =
                format!("{node} promises {n} under k{} to {to}, and had promised {told}", key.0);
            broken.push(Broken { invariant: P_I1, by: by.clone(), what });
        }
        if is_partial {
            return;
        }
        if disk.np < Some(n) {
            let np = show_number(disk.np);
            let what =
                format!("{node} promises {n} under k{} to {to}, and its disk holds {np}", key.0);
            broken.push(Broken { invariant: P_I10, by, what });
        } else if disk.na < accepted.map(|accepted| accepted.n) {
            let (said, holds) = (show_accepted(accepted), show_accepted(disk.accepted));
            let what = format!(
                "{node} tells {to} that it has accepted {said} under k{}, and its disk holds {holds}",
                key.0
            );
            broken.push(Broken { invariant: P_I10, by, what });
        }
    }

    /// An acceptor has accepted.
    pub(super) fn on_accept_ok(
        &mut self,
        (node, to): (NodeId, Who),
        key: Key,
        accepted: Accepted,
        broken: &mut Vec<Broken>,
    ) {
        self.on_valued(Who::Node(node), key, accepted, broken);
        let instance = self.instances.get(key);
        let is_partial = instance.is_partial;
        let Some(image) = instance.image(node) else { return };
        if is_partial || image.durable.na >= Some(accepted.n) {
            return;
        }
        let holds = show_accepted(image.durable.accepted);
        let what = format!(
            "{node} tells {to} that it has accepted {accepted} under k{}, and its disk holds {holds}",
            key.0
        );
        broken.push(Broken { invariant: P_I10, by: vec![Who::Node(node)], what });
    }
}

const fn deed(record: &Record) -> (Key, Deed) {
    match *record {
        Record::Promised { key, n } => (key, Deed::Promised(n)),
        Record::Accepted { key, n, value } => (key, Deed::Accepted(Accepted { n, value })),
    }
}

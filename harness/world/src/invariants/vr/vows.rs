//! What replicas vow: a PREPAREOK tells of what they have (V-I8), a DOVIEWCHANGE of their last log (V-I9), and
//! who has forgotten or lacks something vows nothing (V-I10).

use quorate_systems::contract::NodeId;
use quorate_systems::smr::Slot;
use quorate_systems::vr::{State, Status, View};

use super::log::Log;
use super::nodes::Memory;
use super::{V_I1, V_I5, V_I8, V_I9, V_I10, VrInvariants, broke, numbered};
use crate::invariants::Broken;

impl VrInvariants {
    /// A PREPAREOK left.
    pub(super) fn acknowledges(
        &mut self,
        by: NodeId,
        (view, op): (View, Slot),
        broken: &mut Vec<Broken>,
    ) {
        let Some(node) = self.node(by) else { return };
        let is_transferring = node.memory.status == Status::StateTransfer && node.is_settled;
        let left = Some(node.memory.view).filter(|now| *now > view && node.is_settled);
        if node.recovering.is_some() {
            let what = format!("{by} acknowledges {op} of {view} while it recovers");
            broken.push(broke(V_I10, by, what));
        } else if is_transferring {
            let what = format!("{by} acknowledges {op} of {view} while it transfers state");
            broken.push(broke(V_I10, by, what));
        } else if let Some(left) = left {
            let what = format!("{by} acknowledges {op} of {view}, and has left it for {left}");
            broken.push(broke(V_I1, by, what));
        } else {
            self.require_reach(by, "acknowledges", (view, op), broken);
        }
    }

    /// A replica answered a client for what it has prepared.
    pub(super) fn answers_early(
        &mut self,
        by: NodeId,
        (view, op): (View, Slot),
        broken: &mut Vec<Broken>,
    ) {
        self.require_reach(by, "answers", (view, op), broken);
    }

    /// V-I8.
    fn require_reach(
        &mut self,
        by: NodeId,
        does: &str,
        (view, op): (View, Slot),
        broken: &mut Vec<Broken>,
    ) {
        let is_durable = self.is_durable();
        let Some(node) = self.node(by) else { return };
        let reach = if is_durable { &node.ever } else { &node.reach };
        let Some(reached) = reach.get(view).filter(|reached| *reached < op) else { return };
        let whose = if is_durable { "on its disk its" } else { "its" };
        let what =
            format!("{by} {does} {op} of {view}, and {whose} log of that ends with {reached}");
        broken.push(broke(V_I8, by, what));
    }

    /// A replica answered a client for what is committed.
    pub(super) fn answers(&mut self, by: NodeId, op: Slot, broken: &mut Vec<Broken>) {
        let Some(node) = self.node(by) else { return };
        let commit = node.memory.commit;
        if op > commit {
            let what =
                format!("{by} answers for {op} as committed, and its commit-number is {commit}");
            broken.push(broke(V_I5, by, what));
        }
    }

    /// A replica said that it has left all views below this one: its disk must know that.
    pub(super) fn has_left(&mut self, by: NodeId, view: View, broken: &mut Vec<Broken>) {
        if !self.keeps_view() {
            return;
        }
        let Some(node) = self.node(by) else { return };
        let holds = node.disk.view;
        if holds < view {
            let what = format!("{by} leaves all below {view}, and its disk holds {holds}");
            broken.push(broke(V_I1, by, what));
        }
    }

    /// A DOVIEWCHANGE left.
    pub(super) fn votes(
        &mut self,
        by: NodeId,
        view: View,
        (last_normal, state): (View, &State),
        broken: &mut Vec<Broken>,
    ) {
        self.has_left(by, view, broken);
        let (is_durable, is_witness) = (self.is_durable(), self.is_witness(by));
        let Some(node) = self.node(by) else { return };
        node.voted = node.voted.max(view);
        if node.recovering.is_some() {
            let what = format!("{by} votes for {view} while it recovers");
            broken.push(broke(V_I10, by, what));
            return;
        }
        let (memory, told) = (&node.memory, state.log.last());
        if memory.view > view && node.is_settled {
            let what = format!("{by} votes for {view}, and has left it for {}", memory.view);
            broken.push(broke(V_I1, by, what));
            return;
        }
        // While it waits for the view its log stays as it is; later it may have another.
        if memory.view != view || memory.log_view >= view {
            return;
        }
        // But that a witness may have been told since that all that it holds, and more, is held by who executes.
        let is_released =
            is_witness && told < memory.log.last() && memory.log.base() == memory.log.last();
        if is_released && memory.log_view == last_normal {
            return;
        }
        let why = differs(memory, last_normal, state).or_else(|| {
            let disk = &node.disk;
            let holds = disk.log.last();
            if !is_durable {
                None
            } else if disk.last_normal != last_normal {
                Some(format!("and its disk holds one of {}", disk.last_normal))
            } else {
                (holds != told).then(|| format!("and its disk holds it up to {holds}"))
            }
        });
        if let Some(why) = why {
            let what =
                format!("{by} votes for {view} with its log of {last_normal} up to {told}, {why}");
            broken.push(broke(V_I9, by, what));
        }
    }
}

/// How what a replica tells of its log differs from that.
fn differs(memory: &Memory, last_normal: View, state: &State) -> Option<String> {
    let log = &memory.log;
    if memory.log_view != last_normal {
        return Some(format!("and has one of {}", memory.log_view));
    }
    if state.log.last() != log.last() {
        return Some(format!("and has it up to {}", log.last()));
    }
    if state.log.after > memory.commit.max(log.base()) {
        return Some(format!("and leaves out what it has up to {}", state.log.after));
    }
    first_other(log, state).map(|op| format!("and has another {op}"))
}

fn first_other(log: &Log, state: &State) -> Option<Slot> {
    let told = numbered(state.log.after, super::entries(&state.log));
    let mut known = told.filter(|(op, _)| *op > log.base());
    known.find(|(op, entry)| log.get(*op) != Some(*entry)).map(|(op, _)| op)
}

//! Views: a replica never goes back to a lower one (V-I1), a primary leads each (V-I6), and while it answers
//! reads by itself nobody leads a higher one (V-I11).

use quorate_systems::contract::NodeId;
use quorate_systems::parties::NodeSet;
use quorate_systems::vr::{Persistence, Status, View};

use super::{V_I1, V_I6, V_I11, VrInvariants, broke};
use crate::invariants::Broken;

/// The highest views that have begun.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leaders {
    highest: (View, NodeId),
    /// The highest of another node than the highest's.
    other: (View, NodeId),
    /// The highest in which a lease was taken.
    leased: Option<View>,
}

impl Leaders {
    fn begun(&mut self, view: View, by: NodeId) {
        if by == self.highest.1 {
            self.highest.0 = self.highest.0.max(view);
        } else if view > self.highest.0 {
            self.other = std::mem::replace(&mut self.highest, (view, by));
        } else if view > self.other.0 {
            self.other = (view, by);
        }
    }

    /// The highest view of another node than `node`.
    fn besides(&self, node: NodeId) -> (View, NodeId) {
        if self.highest.1 == node { self.other } else { self.highest }
    }

    /// A primary holds a lease.
    pub(super) fn leased(&mut self, view: View) {
        self.leased = self.leased.max(Some(view));
    }

    /// The highest view that has begun, and whether a lease was taken in it.
    pub(super) fn highest(&self) -> (View, bool) {
        let view = self.highest.0;
        (view, self.leased == Some(view))
    }
}

impl VrInvariants {
    /// A replica has another status or view.
    pub(super) fn status(
        &mut self,
        by: NodeId,
        status: Status,
        (view, last_normal): (View, View),
        broken: &mut Vec<Broken>,
    ) {
        let Some(node) = self.node(by) else { return };
        let memory = &mut node.memory;
        if view < memory.view {
            let what = format!("{by} goes back to {view} from {}", memory.view);
            broken.push(broke(V_I1, by, what));
        } else if last_normal < memory.last_normal {
            let had = memory.last_normal;
            let what = format!("{by} goes back to last normal view {last_normal} from {had}");
            broken.push(broke(V_I1, by, what));
        }
        let has_changed = (memory.status, memory.view) != (status, view);
        (memory.status, memory.view, memory.last_normal) = (status, view, last_normal);
        if has_changed {
            node.change();
        }
    }

    /// Who leads a view, if the members of its epoch are known: one of those who execute.
    fn primary(&self, view: View) -> Option<NodeId> {
        let members = self.epochs.members(view.epoch)?;
        let leading = if self.has_witnesses { members.actives() } else { members };
        Some(leading.primary(view))
    }

    /// V-I6: whoever speaks for a view leads it. False where another does.
    pub(super) fn leads(&mut self, by: NodeId, view: View, broken: &mut Vec<Broken>) -> bool {
        let Some(primary) = self.primary(view) else { return true };
        if primary == by {
            return true;
        }
        let Some(node) = self.node(by) else { return true };
        if node.usurped.replace(view) != Some(view) {
            let what = format!("{by} leads in {view}, which is {primary}'s");
            broken.push(broke(V_I6, by, what));
        }
        false
    }

    /// A primary begins its view, since `voters` have left lower ones.
    pub(super) fn started_view(
        &mut self,
        by: NodeId,
        view: View,
        voters: NodeSet,
        broken: &mut Vec<Broken>,
    ) {
        if !self.leads(by, view, broken) {
            return;
        }
        self.leaders.begun(view, by);
        let members = self.epochs.members(view.epoch);
        let silent = (0..).map(NodeId).zip(&self.nodes);
        let silent = silent.filter(|(name, node)| *name != by && node.voted < view);
        let silent = silent.map(|(name, _)| name).collect::<NodeSet>().intersection(voters);
        let Some(node) = self.node(by) else { return };
        let is_again = node.started.replace(view) == Some(view);
        let log_view = node.memory.log_view;
        let what = if is_again {
            format!("{by} begins {view} again")
        } else if members.is_some_and(|members| !members.is_quorum(voters)) {
            format!("{by} begins {view} by the votes of {voters}, no quorum")
        } else if !silent.is_empty() {
            format!("{by} begins {view} by votes that {silent} did not give for it")
        } else if log_view != view {
            format!("{by} begins {view} with a log of {log_view}")
        } else {
            return;
        };
        broken.push(broke(V_I6, by, what));
    }

    /// The first view of an epoch needs no votes: it has begun once its primary does something in it.
    pub(super) fn uses_first_view(&mut self, by: NodeId, view: View) {
        if view.number == 0 && self.primary(view) == Some(by) {
            self.leaders.begun(view, by);
        }
    }

    /// A primary answered a read without the log.
    pub(super) fn read_served(&mut self, by: NodeId, view: View, broken: &mut Vec<Broken>) {
        if !self.leads(by, view, broken) {
            return;
        }
        self.uses_first_view(by, view);
        let (later, other) = self.leaders.besides(by);
        if later > view {
            let what = format!("{by} answers a read in {view}, and {other} has begun {later}");
            broken.push(broke(V_I11, by, what));
        }
    }

    /// Whether replicas keep their view over restarts.
    pub(super) fn keeps_view(&self) -> bool {
        match self.persistence {
            Persistence::Durable | Persistence::DurableView => true,
            Persistence::CrashVector | Persistence::Paper => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_view_of_another_node_is_known() {
        let mut leaders = Leaders::default();
        for (number, node, besides) in
            [(1, 1, 1), (2, 1, 2), (3, 0, 2), (5, 0, 2), (4, 2, 4), (6, 2, 6), (7, 2, 7)]
        {
            leaders.begun(View { epoch: 0, number }, NodeId(node));
            assert_eq!(leaders.besides(NodeId(0)).0.number, besides, "after {number}");
        }
        assert_eq!(leaders.besides(NodeId(2)), (View { epoch: 0, number: 5 }, NodeId(0)));
        assert_eq!(leaders.highest(), (View { epoch: 0, number: 7 }, false));
    }
}

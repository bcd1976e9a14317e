//! How far apart the replicas are: the abstract state of a cluster.

use quorate_systems::contract::NodeId;
use quorate_systems::smr::Slot;
use quorate_systems::vr::{Status, View};

use super::VrInvariants;
use super::nodes::{Memory, Node, Standing};

/// So many op-numbers behind are far.
const FAR: u64 = 32;

impl VrInvariants {
    /// How far apart the views of the members are, and their epochs; how many have the highest view, whether it
    /// has begun, and whether a lease was taken in it. How many do something else than take part in their view,
    /// and how many different things. After the highest commit-number: how many logs go on, in how many ways, and
    /// whether entries of several views stand there. How many are behind, near and far, and beyond whose log
    /// others have gone. Whether nodes come up, and have something on its way to the disk. Each as none, one, or
    /// more.
    pub(super) fn cases(&self) -> u64 {
        let mut number = 0;
        let mut digit = |count: u64, base: u64| number = number * base + count.min(base - 1);
        let members = || self.members_now();
        let memories = || members().map(|node| &node.memory);
        let count = |is: &dyn Fn(&Node) -> bool| {
            let all = members().filter(|node| is(node)).count();
            u64::try_from(all).unwrap_or(u64::MAX)
        };
        let top = memories().map(|memory| memory.view).max().unwrap_or_default();
        let low = memories().map(|memory| memory.view).min().unwrap_or_default();
        digit(top.epoch - low.epoch, 3);
        digit(if top.epoch == low.epoch { top.number - low.number } else { 2 }, 3);
        digit(count(&|node| node.memory.view == top), 4);
        let (begun, is_leased) = self.leaders.highest();
        digit(u64::from(begun == top) + u64::from(begun == top && is_leased), 3);
        digit(count(&|node| node.memory.status != Status::Normal), 4);
        digit(u64::from(statuses(memories()).count_ones()), 3);
        let commit = memories().map(|memory| memory.commit).max().unwrap_or_default();
        digit(count(&|node| node.memory.log.last() > commit), 4);
        let (ways, views) = beyond(memories(), commit);
        digit(ways, 4);
        digit(views, 3);
        digit(count(&|node| node.memory.commit < commit), 3);
        digit(count(&|node| commit.since(node.memory.commit) >= FAR), 2);
        let base = memories().map(|memory| memory.log.base()).max().unwrap_or_default();
        digit(count(&|node| node.memory.log.last() < base), 3);
        digit(count(&|node| node.standing == Standing::Starting), 2);
        digit(count(&Node::is_syncing), 2);
        number
    }

    /// The members of the latest epoch that is known.
    fn members_now(&self) -> impl Iterator<Item = &Node> {
        let members = self.epochs.latest();
        let nodes = (0..).map(NodeId).zip(&self.nodes);
        nodes.filter(move |(name, _)| members.contains(*name)).map(|(_, node)| node)
    }
}

/// A bit for each status other than normal that somebody has.
fn statuses<'a>(memories: impl Iterator<Item = &'a Memory>) -> u32 {
    memories.fold(0, |bits, memory| {
        bits | match memory.status {
            Status::Normal => 0,
            Status::ViewChange => 1,
            Status::Recovering => 2,
            Status::StateTransfer => 4,
            Status::Transitioning => 8,
            Status::Outside => 16,
        }
    })
}

/// In how many ways logs go on after `commit`, to end there being one of them, and in how many different views
/// what stands next was assigned. More than one may be more than two.
fn beyond<'a>(memories: impl Iterator<Item = &'a Memory>, commit: Slot) -> (u64, u64) {
    let (mut ways, mut views) = (0, 0);
    let (mut last_way, mut last_view): (Option<(Slot, u64)>, Option<View>) = (None, None);
    for memory in memories.filter(|memory| memory.log.last() > commit) {
        let Some((view, entry)) = memory.log.get(commit.next()) else { continue };
        let way = (memory.log.last(), entry);
        ways += u64::from(last_way.replace(way) != Some(way));
        views += u64::from(last_view.replace(view) != Some(view));
    }
    (ways, views)
}

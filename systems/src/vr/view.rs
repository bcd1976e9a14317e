//! Views, and who takes part in them.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::NodeId;
use crate::parties::NodeSet;

/// The number of one attempt to lead, and of all that is prepared in it. Epochs are compared first: views are
/// counted anew, from 0, in each. With an op-number it is what the papers call a viewstamp.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct View {
    /// Which configuration, counted from 0.
    pub epoch: u64,
    /// Which view in it, counted from 0.
    pub number: u64,
}

impl View {
    /// Where everything begins: no view change leads to it.
    pub const FIRST: Self = Self { epoch: 0, number: 0 };
    /// No epoch and no view has a higher number: whoever speaks of one is mistaken.
    pub const NUMBER_MAX: u64 = 1 << 48;

    /// The view after it, in the same epoch.
    #[must_use]
    pub fn next(self) -> Self {
        Self { number: self.number.saturating_add(1), ..self }
    }

    /// The first view of the next epoch.
    #[must_use]
    pub fn next_epoch(self) -> Self {
        Self { epoch: self.epoch.saturating_add(1), number: 0 }
    }

    /// Whether there can be such a view.
    pub fn is_possible(self) -> bool {
        self.epoch <= Self::NUMBER_MAX && self.number <= Self::NUMBER_MAX
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.epoch {
            0 => write!(f, "v{}", self.number),
            epoch => write!(f, "e{epoch}.v{}", self.number),
        }
    }
}

/// The replicas of one epoch, in the order of their names: `VRR §2` calls them the configuration. There is at least
/// one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "NodeSet", into = "NodeSet")]
pub struct Members(NodeSet);

/// A configuration without replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a configuration has at least one replica")]
pub struct NoMembers;

impl TryFrom<NodeSet> for Members {
    type Error = NoMembers;

    fn try_from(nodes: NodeSet) -> Result<Self, NoMembers> {
        if nodes.is_empty() { Err(NoMembers) } else { Ok(Self(nodes)) }
    }
}

impl From<Members> for NodeSet {
    fn from(members: Members) -> Self {
        members.0
    }
}

impl Members {
    /// How many there are: 2f + 1, or 2f + 2.
    pub fn count(self) -> u32 {
        self.0.len()
    }

    /// How many are more than half: f + 1, or f + 2 of 2f + 2.
    pub fn quorum(self) -> u32 {
        self.0.len() / 2 + 1
    }

    /// How many may fail at once.
    pub fn failures(self) -> u32 {
        self.count() - self.quorum()
    }

    /// Whether a node is one of them.
    pub fn contains(self, node: NodeId) -> bool {
        self.0.contains(node)
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        self.0.iter()
    }

    /// As a set.
    pub fn set(self) -> NodeSet {
        self.0
    }

    /// Whether more than half of them are among `nodes`.
    pub fn is_quorum(self, nodes: NodeSet) -> bool {
        nodes.intersection(self.0).len() >= self.quorum()
    }

    /// The first `quorum` of them: where there are witnesses, these execute, and the others do not (Liskov et al.
    /// 1991, Harp).
    #[must_use]
    pub fn actives(self) -> Self {
        let actives = usize::try_from(self.quorum()).unwrap_or(usize::MAX);
        Self(self.0.iter().take(actives).collect())
    }

    /// Who leads a view.
    pub fn primary(self, view: View) -> NodeId {
        let place = view.number.checked_rem(u64::from(self.count())).unwrap_or_default();
        let nth = usize::try_from(place).unwrap_or_default();
        self.0.iter().nth(nth).unwrap_or_default()
    }
}

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn members(nodes: &[u16]) -> Members {
        let nodes: NodeSet = nodes.iter().copied().map(NodeId).collect();
        nodes.try_into().unwrap()
    }

    #[test]
    fn views_are_led_in_turn_by_those_who_are_members() {
        let members = members(&[1, 4, 6]);
        let led: [u16; 4] = [0, 1, 2, 3].map(|number| members.primary(View { epoch: 7, number }).0);
        assert_eq!(led, [1, 4, 6, 1]);
    }

    #[test]
    fn a_later_epoch_comes_after_all_views_of_an_earlier_one() {
        let view = View { epoch: 1, number: 9 };
        assert!(view.next_epoch() > view.next() && view.next() > view);
        assert_eq!(view.next_epoch().to_string(), "e2.v0");
        assert_eq!(View::FIRST.next().to_string(), "v1");
    }

    #[test]
    fn quorums_meet_and_leave_room_for_failures() {
        for (count, quorum, failures) in [(1, 1, 0), (2, 2, 0), (3, 2, 1), (4, 3, 1), (5, 3, 2)] {
            let nodes: alloc::vec::Vec<u16> = (0..count).collect();
            let members = members(&nodes);
            assert_eq!((members.quorum(), members.failures()), (quorum, failures));
            assert_eq!(members.actives().count(), quorum);
        }
        assert!(Members::try_from(NodeSet::EMPTY).is_err());
    }
}

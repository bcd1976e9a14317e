//! Views: the number of one attempt to lead, and of all that is proposed in it.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::NodeId;

/// A view, counted from 1. Who leads it follows from its number, so that no two servers lead the same.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct View(pub u64);

impl View {
    /// Before the first: nothing is installed, nothing proposed.
    pub const ZERO: Self = Self(0);
    /// There are no later ones: whoever speaks of them is mistaken.
    pub const LAST: Self = Self(1 << 48);

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Who leads it in a cluster of `nodes`, of which there is at least one.
    pub fn leader(self, nodes: u16) -> NodeId {
        assert!(nodes > 0, "a cluster has nodes");
        let place = self.0.checked_rem(u64::from(nodes)).unwrap_or_default();
        NodeId(u16::try_from(place).unwrap_or_default())
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_led_in_turn() {
        let leaders: [u16; 4] = [1, 2, 3, 4].map(|view| View(view).leader(3).0);
        assert_eq!(leaders, [1, 2, 0, 1]);
        assert_eq!(View(7).leader(1), NodeId(0));
    }
}

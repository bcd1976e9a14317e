//! Views.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::NodeId;

/// The reign of one primary.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct View(pub u64);

impl View {
    /// The one in which every cluster begins.
    pub const FIRST: Self = Self(0);

    /// There are no later ones: whoever speaks of one is mistaken.
    pub const LAST: Self = Self(1 << 48);

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Who leads it, in a cluster of `nodes`.
    pub fn primary(self, nodes: u16) -> NodeId {
        let place = self.0 % u64::from(nodes.max(1));
        NodeId(u16::try_from(place).expect("less than a number of that width"))
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

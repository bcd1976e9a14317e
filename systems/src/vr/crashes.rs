//! Crash vectors: which life of each replica is known (Michael, Ports, Sharma, Szekeres 2017).
//!
//! ```text
//!   n1, first life   DOVIEWCHANGE ──────────── late ─────────────────► thrown away: n1 is in its second life
//!   n1, second life          RECOVERY [n1 2] ──► n0, n2: their answers, and all they say later, tell of it
//! ```
//!
//! A replica that has crashed has forgotten what it vowed. So its vows of the life before must not count once it
//! has recovered: whoever has helped it to knows that, and every quorum has one of those in it.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::{Incarnation, NodeId};

/// The highest life that is known of each replica; those of whom nothing is known are not in it. Sorted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct CrashVector(Vec<(NodeId, Incarnation)>);

impl CrashVector {
    /// Nothing is known.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Which life of `node` is known.
    pub fn get(&self, node: NodeId) -> Incarnation {
        let place = self.0.binary_search_by_key(&node, |(node, _)| *node);
        place.ok().and_then(|place| self.0.get(place)).map_or(Incarnation(0), |(_, life)| *life)
    }

    /// This life of `node` is known.
    pub fn raise(&mut self, node: NodeId, life: Incarnation) {
        match self.0.binary_search_by_key(&node, |(node, _)| *node) {
            Ok(place) => {
                if let Some((_, known)) = self.0.get_mut(place) {
                    *known = life.max(*known);
                }
            }
            Err(place) => self.0.insert(place, (node, life)),
        }
    }

    /// Everything that is known by either.
    pub fn merge(&mut self, other: &Self) {
        for (node, life) in &other.0 {
            self.raise(*node, *life);
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every replica of which something is known, with its life.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, Incarnation)> {
        self.0.iter().copied()
    }
}

impl fmt::Display for CrashVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (place, (node, life)) in self.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { ", " })?;
            write!(f, "{node} {}", life.0)?;
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_higher_life_of_each_is_known() {
        let mut one = CrashVector::new();
        one.raise(NodeId(2), Incarnation(3));
        one.raise(NodeId(0), Incarnation(1));
        let mut other = CrashVector::new();
        other.raise(NodeId(2), Incarnation(2));
        other.raise(NodeId(1), Incarnation(4));
        one.merge(&other);
        assert_eq!(one.to_string(), "[n0 1, n1 4, n2 3]");
        assert_eq!((one.get(NodeId(2)), one.get(NodeId(9))), (Incarnation(3), Incarnation(0)));
    }
}

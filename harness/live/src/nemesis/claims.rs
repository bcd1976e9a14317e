//! Who does what to which node: faults that would fight over one node exclude each other.

use std::collections::{BTreeMap, BTreeSet};

use quorate_plan::Part;

/// Which fault holds which part of which node.
#[derive(Debug)]
pub(super) struct Claims {
    held: BTreeMap<(Part, u16), u32>,
    /// The nodes that have lied in this run.
    liars: BTreeSet<u16>,
    /// So many nodes may lie in one run.
    liars_max: usize,
}

impl Claims {
    /// Nothing is held yet.
    pub(super) fn new(liars_max: u16) -> Self {
        let liars_max = usize::from(liars_max);
        Self { held: BTreeMap::new(), liars: BTreeSet::new(), liars_max }
    }

    /// Gives `fault` hold of `part` of those of `nodes` where it is free. The reason if it is free at none,
    /// or if a node more would lie than may. Who has stopped lying still counts: one operation may hear an
    /// old lie of one node and a new one of another, and no system promises to bear that.
    pub(super) fn take(
        &mut self,
        fault: u32,
        part: Part,
        nodes: &BTreeSet<u16>,
    ) -> Result<BTreeSet<u16>, String> {
        let free: BTreeSet<u16> =
            nodes.iter().copied().filter(|node| self.holder(part, *node).is_none()).collect();
        if free.is_empty() {
            return Err(self.who_holds(part, nodes));
        }
        if part == Part::Tongue {
            let (known, new) = (self.liars.len(), free.difference(&self.liars).count());
            if known + new > self.liars_max {
                let max = self.liars_max;
                return Err(format!("{known} + {new} liars in one run, and {max} are tolerated"));
            }
            self.liars.extend(&free);
        }
        self.held.extend(free.iter().map(|node| ((part, *node), fault)));
        Ok(free)
    }

    /// `fault` lets go of all that it holds.
    pub(super) fn release(&mut self, fault: u32) {
        self.held.retain(|_, holder| *holder != fault);
    }

    /// What keeps a fault from `part` of `node`, and which fault that is. A node that is down or stopped,
    /// or about to be, takes no orders.
    fn holder(&self, part: Part, node: u16) -> Option<(Part, u32)> {
        let held = |part| Some((part, *self.held.get(&(part, node))?));
        held(part).or_else(|| held(Part::Life))
    }

    fn who_holds(&self, part: Part, nodes: &BTreeSet<u16>) -> String {
        let holders: Vec<String> = nodes
            .iter()
            .filter_map(|node| Some((node, self.holder(part, *node)?)))
            .map(|(node, (part, fault))| {
                format!("n{node}'s {} is held by fault {fault}", part.name())
            })
            .collect();
        if holders.is_empty() { "it names no node".to_owned() } else { holders.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(list: &[u16]) -> BTreeSet<u16> {
        list.iter().copied().collect()
    }

    #[test]
    fn a_fault_gets_those_nodes_that_are_free() {
        let mut claims = Claims::new(0);
        assert_eq!(claims.take(1, Part::Life, &nodes(&[0, 1])), Ok(nodes(&[0, 1])));
        assert_eq!(claims.take(2, Part::Life, &nodes(&[1, 2])), Ok(nodes(&[2])));
        let refused = claims.take(3, Part::Life, &nodes(&[1, 2])).unwrap_err();
        assert_eq!(refused, "n1's process is held by fault 1, n2's process is held by fault 2");
    }

    #[test]
    fn what_was_let_go_is_free_again() {
        let mut claims = Claims::new(0);
        claims.take(1, Part::Life, &nodes(&[0, 1])).unwrap();
        claims.take(2, Part::Life, &nodes(&[2])).unwrap();
        claims.release(1);
        assert_eq!(claims.take(3, Part::Life, &nodes(&[0, 2])), Ok(nodes(&[0])));
    }

    #[test]
    fn a_node_that_is_down_takes_no_orders_but_one_with_a_wrong_clock_can_be_killed() {
        let mut claims = Claims::new(0);
        claims.take(1, Part::Life, &nodes(&[0])).unwrap();
        assert_eq!(claims.take(2, Part::Clock, &nodes(&[0, 1])), Ok(nodes(&[1])));
        let refused = claims.take(3, Part::Clock, &nodes(&[0, 1])).unwrap_err();
        assert_eq!(refused, "n0's process is held by fault 1, n1's clock is held by fault 2");
        assert_eq!(claims.take(4, Part::Life, &nodes(&[0, 1])), Ok(nodes(&[1])));
    }

    #[test]
    fn no_more_nodes_lie_in_one_run_than_may() {
        let mut claims = Claims::new(1);
        claims.take(1, Part::Tongue, &nodes(&[0])).unwrap();
        let refused = claims.take(2, Part::Tongue, &nodes(&[3])).unwrap_err();
        assert_eq!(refused, "1 + 1 liars in one run, and 1 are tolerated");
        claims.release(1);
        assert!(
            claims.take(2, Part::Tongue, &nodes(&[3])).is_err(),
            "n0's lies may be on their way"
        );
        assert!(claims.take(2, Part::Tongue, &nodes(&[0])).is_ok());
    }
}

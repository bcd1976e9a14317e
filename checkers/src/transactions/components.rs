//! Strongly connected components: places each of which can be reached from each other.

use super::graph::Walks;
use super::table::{Spot, Table};

/// Calls `found` for each component, those first from which no other can be reached: Tarjan's algorithm (SIAM J.
/// Comput. 1972), with a stack of its own instead of recursion.
pub(super) fn components(walks: &Walks<'_>, mut found: impl FnMut(&[Spot])) {
    let mut search = Search {
        walks,
        low: Table::filled(walks.spots() as usize, UNSEEN),
        seen: UNSEEN,
        open: Vec::new(),
        path: Vec::new(),
    };
    for spot in search.low.ids() {
        if search.low[spot] == UNSEEN {
            search.enter(spot);
            while search.step(&mut found) {}
        }
    }
}

/// The components of more than one place, in the order of [`components`], each sorted.
pub(super) fn knots(walks: &Walks<'_>) -> Vec<Vec<Spot>> {
    let mut knots = Vec::new();
    components(walks, |component| {
        if component.len() > 1 {
            let mut knot = component.to_vec();
            knot.sort_unstable();
            knots.push(knot);
        }
    });
    knots
}

/// The mark of what was not come to yet.
const UNSEEN: u32 = 0;
/// The mark of what belongs to a component that was told.
const TOLD: u32 = u32::MAX;

struct Search<'w, 'g> {
    walks: &'w Walks<'g>,
    /// The earliest open place that can be reached, by the count at which it was come to; at first the own count.
    low: Table<Spot, u32>,
    /// How many were come to.
    seen: u32,
    /// Come to, and not yet told.
    open: Vec<Spot>,
    /// From the start to here.
    path: Vec<Visit>,
}

struct Visit {
    spot: Spot,
    /// The count at which it was come to.
    count: u32,
    /// The next edge to look at.
    edge: u32,
}

impl Search<'_, '_> {
    fn enter(&mut self, spot: Spot) {
        self.seen += 1;
        self.low[spot] = self.seen;
        self.open.push(spot);
        self.path.push(Visit { spot, count: self.seen, edge: 0 });
    }

    /// Follows one edge, or goes back. Whether there is more to do.
    fn step(&mut self, found: &mut impl FnMut(&[Spot])) -> bool {
        let Some(visit) = self.path.last_mut() else { return false };
        let spot = visit.spot;
        if let Some((edge, _, to)) = self.walks.from(spot, visit.edge).next() {
            visit.edge = edge + 1;
            match self.low[to] {
                UNSEEN => self.enter(to),
                TOLD => {}
                low => self.low[spot] = self.low[spot].min(low),
            }
            return true;
        }
        let count = visit.count;
        self.path.pop();
        let low = self.low[spot];
        if low == count {
            self.tell(spot, found);
        } else if let Some(parent) = self.path.last() {
            self.low[parent.spot] = self.low[parent.spot].min(low);
        }
        true
    }

    /// A component is all that is open from its first place on.
    fn tell(&mut self, first: Spot, found: &mut impl FnMut(&[Spot])) {
        let begin = self.open.iter().rposition(|spot| *spot == first).unwrap_or_default();
        let component = self.open.get(begin..).unwrap_or_default();
        for spot in component {
            self.low[*spot] = TOLD;
        }
        found(component);
        self.open.truncate(begin);
    }
}

//! Circles among transactions: which kinds there are, and a short one of each.

use std::collections::{BTreeMap, VecDeque};

use super::components::{components, knots};
use super::dependencies::{dependencies, transaction};
use super::findings::Findings;
use super::graph::{Edge, Graph, Kind, Kinds, Walks};
use super::record::Recorded;
use super::table::{Node, Spot, Table, TransactionId};
use super::{Anomaly, Circle, Consistency, Order, circle};

/// Why one transaction of a circle comes before the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) from: TransactionId,
    pub(super) to: TransactionId,
    pub(super) kind: Kind,
    /// The append or read of the edge.
    pub(super) why: u32,
    /// The append that the second half of the edge leads to, where it leads over a key's end.
    pub(super) append: Option<u32>,
}

/// Finds the circles that a consistency forbids. Whether there are any circles at all, forbidden or not.
pub(super) fn search(
    recorded: &Recorded<'_>,
    graph: &Graph,
    consistency: Consistency,
    findings: &mut Findings,
) -> bool {
    let all = Walks { graph, kinds: EVERY.kinds(), apart: false };
    let knots = knots(&all);
    let nodes = |knot: &Vec<Spot>| knot.iter().map(|spot| all.node(*spot)).collect();
    let sets: Vec<Vec<Node>> = knots.iter().map(nodes).collect();
    for (part, original) in graph.parts(&sets) {
        let part = Part { recorded, graph: &part, original: &original };
        let mut told = Told::default();
        for class in CLASSES.iter().filter(|class| class.forbidden_from <= consistency) {
            part.search(*class, &mut told, findings);
        }
    }
    !sets.is_empty()
}

/// Whether the appends that nobody read can be put in an order with which snapshot isolation holds. One order is tried.
pub(super) fn can_be_settled(recorded: &mut Recorded<'_>) -> bool {
    let graph = dependencies(recorded, Consistency::SnapshotIsolation);
    let walks = Walks { graph: &graph, kinds: EVERY.kinds(), apart: true };
    let mut rank = Table::filled(recorded.is_committed.count() as usize, 0);
    let mut next = u32::MAX;
    components(&walks, |component| {
        // Components come last ones first. Of the two places of a transaction the later one counts.
        for spot in component {
            let id = transaction(recorded, walks.node(*spot));
            if let Some(rank) = id.map(|id| &mut rank[id]) {
                *rank = next.max(*rank);
            }
        }
        next -= 1;
    });
    recorded.settle(&rank);
    let graph = dependencies(recorded, Consistency::SnapshotIsolation);
    knots(&Walks { graph: &graph, kinds: EVERY.kinds(), apart: true }).is_empty()
}

/// A kind of circle that is looked for.
#[derive(Clone, Copy, Debug)]
struct Class {
    kinds: &'static [Kind],
    apart: bool,
    forbidden_from: Consistency,
}

impl Class {
    const fn new(kinds: &'static [Kind], apart: bool, forbidden_from: Consistency) -> Self {
        Self { kinds, apart, forbidden_from }
    }

    fn kinds(&self) -> Kinds {
        Kinds::of(self.kinds)
    }
}

/// Every edge.
const EVERY: Class = {
    use Kind::{Process, RealTime, Rw, Wr, Ww};
    Class::new(&[Ww, Wr, Rw, Process, RealTime], false, Consistency::SnapshotIsolation)
};

/// The worst first.
const CLASSES: [Class; 12] = {
    use Consistency::{
        Serializable, SnapshotIsolation, StrictSerializable, StrongSessionSerializable,
    };
    use Kind::{Process, RealTime, Rw, Wr, Ww};
    [
        Class::new(&[Ww], false, SnapshotIsolation),
        Class::new(&[Ww, Wr], false, SnapshotIsolation),
        Class::new(&[Ww, Wr, Rw], true, SnapshotIsolation),
        Class::new(&[Ww, Wr, Rw], false, Serializable),
        Class::new(&[Ww, Process], false, StrongSessionSerializable),
        Class::new(&[Ww, Wr, Process], false, StrongSessionSerializable),
        Class::new(&[Ww, Wr, Rw, Process], true, StrongSessionSerializable),
        Class::new(&[Ww, Wr, Rw, Process], false, StrongSessionSerializable),
        Class::new(&[Ww, RealTime], false, StrictSerializable),
        Class::new(&[Ww, Wr, RealTime], false, StrictSerializable),
        Class::new(&[Ww, Wr, Rw, RealTime], true, StrictSerializable),
        Class::new(&[Ww, Wr, Rw, RealTime], false, StrictSerializable),
    ]
};

/// Transactions each of which comes before each other.
struct Part<'p, 'a> {
    recorded: &'p Recorded<'a>,
    graph: &'p Graph,
    original: &'p Table<Node, Node>,
}

impl Part<'_, '_> {
    /// Tells of one short circle in each knot of a class, unless a worse one that lies within was told of already.
    fn search(&self, class: Class, told: &mut Told, findings: &mut Findings) {
        let walks = Walks { graph: self.graph, kinds: class.kinds(), apart: class.apart };
        let mut breadth = Breadth { part: self, walks: &walks, came: Table::new(), knot: &[] };
        breadth.came = Table::filled(walks.spots() as usize, None);
        for knot in &knots(&walks) {
            let of_spot = |spot: &Spot| self.transaction(walks.node(*spot));
            let mut members: Vec<TransactionId> = knot.iter().filter_map(of_spot).collect();
            members.dedup();
            if told.has_circle_of(&members) {
                continue;
            }
            breadth.knot = knot;
            let steps = self.steps(&breadth.shortest_circle());
            let anomaly = name(&steps);
            findings.add(anomaly, || circle::example(self.recorded, &steps));
            told.add(&steps);
        }
    }

    fn transaction(&self, node: Node) -> Option<TransactionId> {
        transaction(self.recorded, self.original[node])
    }

    /// Coming to a transaction counts, coming to a node between does not.
    fn cost(&self, node: Node) -> u32 {
        u32::from(self.transaction(node).is_some())
    }

    /// Joins the halves of edges. The circle begins at a transaction.
    fn steps(&self, circle: &[Edge]) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut begun: Option<(TransactionId, Edge)> = None;
        for edge in circle {
            let (from, first) = match (self.transaction(edge.from), begun) {
                (Some(from), _) => (from, *edge),
                (None, Some(begun)) => begun,
                (None, None) => continue,
            };
            begun = Some((from, first));
            if let Some(to) = self.transaction(edge.to) {
                let append = (edge.kind == Kind::Onward).then_some(edge.why);
                steps.push(Step { from, to, kind: first.kind, why: first.why, append });
            }
        }
        steps
    }
}

/// The circles that were told of, each under the first of its transactions.
#[derive(Debug, Default)]
struct Told(BTreeMap<TransactionId, Vec<Vec<TransactionId>>>);

impl Told {
    fn add(&mut self, steps: &[Step]) {
        let circle: Vec<TransactionId> = steps.iter().map(|step| step.from).collect();
        if let Some(first) = circle.first() {
            self.0.entry(*first).or_default().push(circle);
        }
    }

    /// Whether some circle is of these transactions alone. They are sorted.
    fn has_circle_of(&self, members: &[TransactionId]) -> bool {
        let is_member = |id: &TransactionId| members.binary_search(id).is_ok();
        let circles = members.iter().filter_map(|first| self.0.get(first)).flatten();
        circles.into_iter().any(|circle| circle.iter().all(is_member))
    }
}

/// From how many places of a knot the shortest circle is looked for.
const STARTS: usize = 64;

/// A search in breadth, for the nearest way back.
struct Breadth<'b, 'p, 'a> {
    part: &'b Part<'p, 'a>,
    walks: &'b Walks<'b>,
    /// How each place was come to, and after how many transactions.
    came: Table<Spot, Option<(Spot, Edge, u32)>>,
    /// Sorted: no way leads out and back in.
    knot: &'b [Spot],
}

impl Breadth<'_, '_, '_> {
    /// The shortest circle through some places of the knot, through all of them where they are few.
    fn shortest_circle(&mut self) -> Vec<Edge> {
        let is_start = |spot: &&Spot| self.part.cost(self.walks.node(**spot)) > 0;
        let starts: Vec<Spot> = self.knot.iter().filter(is_start).copied().collect();
        let stride = starts.len().div_ceil(STARTS).max(1);
        let mut best: Option<Vec<Edge>> = None;
        for start in starts.iter().step_by(stride) {
            let length =
                |circle: &Vec<Edge>| circle.iter().map(|edge| self.part.cost(edge.to)).sum();
            let bound = best.as_ref().map_or(u32::MAX, length);
            best = self.circle(*start, bound).or(best);
        }
        best.expect("each place of a knot lies on a circle")
    }

    /// The shortest way from a place back to it, if it is shorter than the bound.
    fn circle(&mut self, start: Spot, bound: u32) -> Option<Vec<Edge>> {
        for spot in self.knot {
            self.came[*spot] = None;
        }
        let mut next = VecDeque::from([(start, 0)]);
        while let Some((spot, length)) = next.pop_front() {
            if length >= bound {
                return None;
            }
            if spot == start && length > 0 {
                return Some(self.way_back(start));
            }
            // It may have been come to by a shorter way meanwhile.
            if self.came[spot].is_some_and(|(_, _, shorter)| shorter < length) {
                continue;
            }
            for (_, edge, to) in self.walks.from(spot, 0) {
                let reached = length + self.part.cost(edge.to);
                let is_known = self.came[to].is_some_and(|(_, _, known)| known <= reached);
                if is_known || self.knot.binary_search(&to).is_err() {
                    continue;
                }
                self.came[to] = Some((spot, *edge, reached));
                if reached == length {
                    next.push_front((to, reached));
                } else {
                    next.push_back((to, reached));
                }
            }
        }
        None
    }

    fn way_back(&self, start: Spot) -> Vec<Edge> {
        let mut way = Vec::new();
        let mut spot = start;
        while let Some((before, edge, _)) = self.came[spot] {
            way.push(edge);
            spot = before;
            if spot == start {
                break;
            }
        }
        way.reverse();
        way
    }
}

/// What a circle is called.
fn name(steps: &[Step]) -> Anomaly {
    let is = |kind: Kind| move |step: &&Step| step.kind == kind;
    let has = |kind: Kind| steps.iter().any(|step| step.kind == kind);
    let after = steps.iter().cycle().skip(1);
    let in_a_row = |(one, other): (&Step, &Step)| one.kind == Kind::Rw && other.kind == Kind::Rw;
    let circle = match steps.iter().filter(is(Kind::Rw)).count() {
        0 if has(Kind::Wr) => Circle::G1c,
        0 => Circle::G0,
        1 => Circle::GSingle,
        _ if steps.iter().zip(after).any(in_a_row) => Circle::G2Item,
        _ => Circle::GNonadjacent,
    };
    let order = if has(Kind::RealTime) {
        Order::RealTime
    } else if has(Kind::Process) {
        Order::Process
    } else {
        Order::Data
    };
    Anomaly::Cycle(order, circle)
}

//! Who must come before whom, as a graph, and the walks through it that matter.

use super::table::{Id, Node, Spot, Table};

/// Why one comes before the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// It appended what the other appended after.
    Ww,
    /// It appended what the other read last in a list.
    Wr,
    /// It read a list up to what the other appended next.
    Rw,
    /// Both are of one process, which did them in this order.
    Process,
    /// It completed before the other began.
    RealTime,
    /// The second half of an edge that leads over a node which is no transaction.
    Onward,
}

impl Kind {
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Several kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    /// These, and second halves.
    pub(super) fn of(kinds: &[Kind]) -> Self {
        Self(kinds.iter().fold(Kind::Onward.bit(), |all, kind| all | kind.bit()))
    }

    pub(super) const fn contains(self, kind: Kind) -> bool {
        self.0 & kind.bit() != 0
    }
}

/// An edge. The order puts those of a node together, and the kinds that say most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) from: Node,
    pub(super) to: Node,
    pub(super) kind: Kind,
    /// The append or read that it comes from, by its number; 0 where there is none.
    pub(super) why: u32,
}

/// Nodes and edges.
#[derive(Debug)]
pub(super) struct Graph {
    edges: Vec<Edge>,
    /// Where the edges of each node begin, and after the last one where they end.
    first: Vec<u32>,
}

impl Graph {
    /// A graph of this many nodes.
    pub(super) fn new(nodes: u32, mut edges: Vec<Edge>) -> Self {
        edges.sort_unstable();
        edges.dedup();
        let mut first = Vec::with_capacity(nodes as usize + 1);
        let mut rest = edges.iter().peekable();
        let mut passed = 0;
        for number in 0..nodes {
            first.push(passed);
            while rest.next_if(|edge| edge.from.number() == number).is_some() {
                passed += 1;
            }
        }
        first.push(passed);
        Self { edges, first }
    }

    pub(super) fn node_count(&self) -> u32 {
        u32::try_from(self.first.len()).expect("it was made of fewer") - 1
    }

    pub(super) fn edge_count(&self) -> u32 {
        self.first.last().copied().unwrap_or_default()
    }

    /// The edges from a node.
    pub(super) fn from(&self, node: Node) -> &[Edge] {
        let bound = |number: usize| self.first.get(number).copied().unwrap_or_default() as usize;
        let number = node.number() as usize;
        self.edges.get(bound(number)..bound(number + 1)).unwrap_or_default()
    }

    /// The part within each of these sets of nodes, with the nodes that its own stand for. No node is in two sets.
    pub(super) fn parts(&self, sets: &[Vec<Node>]) -> Vec<(Self, Table<Node, Node>)> {
        let mut place: Table<Node, Option<(u32, Node)>> =
            Table::filled(self.node_count() as usize, None);
        let mut parts = Vec::with_capacity(sets.len());
        for (number, set) in (0..).zip(sets) {
            let mut original = Table::new();
            for node in set {
                place[*node] = Some((number, original.push(*node)));
            }
            let inside = |node: Node| place[node].filter(|(set, _)| *set == number);
            let inner = set.iter().flat_map(|node| self.from(*node)).filter_map(|edge| {
                let (from, to) = (inside(edge.from)?.1, inside(edge.to)?.1);
                Some(Edge { from, to, ..*edge })
            });
            parts.push((Self::new(original.count(), inner.collect()), original));
        }
        parts
    }
}

/// Which walks through a graph are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walks<'g> {
    pub(super) graph: &'g Graph,
    /// Only over these edges.
    pub(super) kinds: Kinds,
    /// Never over two [`Kind::Rw`] in a row. A place is then a node and whether it was come to over such an edge, so that
    /// closed walks are cycles of places (Cerone and Gotsman 2018).
    pub(super) apart: bool,
}

impl Walks<'_> {
    /// How many places there are.
    pub(super) fn spots(&self) -> u32 {
        self.graph.node_count() * if self.apart { 2 } else { 1 }
    }

    /// The node of a place.
    pub(super) fn node(&self, spot: Spot) -> Node {
        Node::new(if self.apart { spot.number() / 2 } else { spot.number() })
    }

    /// Where one can go from a place: the number of the edge among those of its node, the edge, the new place.
    pub(super) fn from(&self, spot: Spot, edge: u32) -> impl Iterator<Item = (u32, &Edge, Spot)> {
        let edges = self.graph.from(self.node(spot));
        let rest = edges.get(edge as usize..).unwrap_or_default();
        (edge..)
            .zip(rest)
            .filter_map(move |(number, edge)| Some((number, edge, self.follow(spot, edge)?)))
    }

    fn follow(&self, spot: Spot, edge: &Edge) -> Option<Spot> {
        if !self.kinds.contains(edge.kind) {
            return None;
        }
        if !self.apart {
            return Some(Spot::new(edge.to.number()));
        }
        let after_rw = spot.number() % 2;
        let after = match edge.kind {
            Kind::Onward => after_rw,
            Kind::Rw if after_rw == 1 => return None,
            Kind::Rw => 1,
            Kind::Ww | Kind::Wr | Kind::Process | Kind::RealTime => 0,
        };
        Some(Spot::new(2 * edge.to.number() + after))
    }
}

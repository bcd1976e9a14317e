//! Quorum constructions: which sets of nodes suffice for what.

use alloc::vec::Vec;

use super::draw::Draw;
use super::nodes::NodeSet;
use crate::contract::NodeId;
use crate::mutant::{Mutant, Mutants};

/// What a set of nodes is asked to suffice for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// What these nodes report includes every completed write.
    Read,
    /// What these nodes store is seen by every later read quorum and timestamp quorum.
    Write,
    /// A writer that has heard these nodes may choose a timestamp.
    Timestamp,
}

impl Purpose {
    /// Its name in a sentence.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read quorum",
            Self::Write => "write quorum",
            Self::Timestamp => "timestamp quorum",
        }
    }
}

/// How quorums are formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Construction {
    /// More than half of the nodes, for everything.
    Majority,
    /// So many nodes for a read, so many for a write (Gifford 1979, one vote each).
    Counts {
        /// Size of a read quorum.
        read: u16,
        /// Size of a write quorum.
        write: u16,
    },
    /// More than half of the votes (Gifford 1979). A node without votes only observes.
    Weighted {
        /// The votes of each node.
        weights: Vec<u32>,
    },
    /// Nodes in rows and columns; node `i` stands in row `i / cols` and column `i % cols`.
    Grid {
        /// Which lines make a quorum.
        form: GridForm,
        /// How many rows.
        rows: u16,
        /// How many columns.
        cols: u16,
    },
    /// Signed data, up to `b` liars: any two quorums meet in a correct node (Malkhi and Reiter 1998).
    Dissemination {
        /// How many nodes may lie.
        b: u16,
    },
    /// Unsigned data, up to `b` liars: where two quorums meet, the correct nodes outvote the liars (Malkhi
    /// and Reiter 1998).
    Masking {
        /// How many nodes may lie.
        b: u16,
    },
}

/// Which lines of a grid make a quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GridForm {
    /// A write needs a full row, a read and a timestamp query a full column. Two rows do not meet.
    RowColumn,
    /// Everything needs a full row and a full column.
    Symmetric,
    /// A read needs one node of every column; a write one full column and one node of every other (Cheung,
    /// Ammar, Ahamad 1992).
    Cover,
}

/// Which sets of nodes are quorums. All three predicates are monotone: a superset of a quorum is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorums {
    nodes: u16,
    construction: Construction,
    mutants: Mutants,
}

impl Quorums {
    /// The quorums of a cluster of `nodes`; whether they meet is not checked here.
    pub fn new(nodes: u16, construction: Construction, mutants: Mutants) -> Self {
        Self { nodes, construction, mutants }
    }

    /// The same quorums without the planted bug: what a start-up check that shares the mistake sees.
    pub(super) fn as_intended(&self) -> Self {
        Self { mutants: Mutants::NONE, ..self.clone() }
    }

    /// The planted bug, if any.
    pub(super) fn mutants(&self) -> Mutants {
        self.mutants
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> u16 {
        self.nodes
    }

    /// How quorums are formed.
    pub fn construction(&self) -> &Construction {
        &self.construction
    }

    /// How many nodes may lie.
    pub fn liars(&self) -> u16 {
        match self.construction {
            Construction::Dissemination { b } | Construction::Masking { b } => b,
            Construction::Majority
            | Construction::Counts { .. }
            | Construction::Weighted { .. }
            | Construction::Grid { .. } => 0,
        }
    }

    /// Whether `set` suffices for `purpose`.
    pub fn suffices(&self, purpose: Purpose, set: NodeSet) -> bool {
        match purpose {
            Purpose::Read => self.is_read_quorum(set),
            Purpose::Write => self.is_write_quorum(set),
            Purpose::Timestamp => self.is_timestamp_quorum(set),
        }
    }

    /// Whether what these nodes report includes every completed write.
    pub fn is_read_quorum(&self, set: NodeSet) -> bool {
        match self.construction {
            Construction::Counts { read, .. } => set.len() >= u32::from(read),
            Construction::Grid { form, rows, cols } => {
                let grid = Grid { rows, cols };
                match form {
                    GridForm::RowColumn => grid.has_full_column(set),
                    GridForm::Symmetric => grid.has_full_row(set) && grid.has_full_column(set),
                    GridForm::Cover => grid.touches_every_column(set),
                }
            }
            Construction::Majority
            | Construction::Weighted { .. }
            | Construction::Dissemination { .. }
            | Construction::Masking { .. } => self.is_write_quorum(set),
        }
    }

    /// Whether what these nodes store is seen by every later read quorum and timestamp quorum.
    pub fn is_write_quorum(&self, set: NodeSet) -> bool {
        let nodes = u32::from(self.nodes);
        match &self.construction {
            Construction::Majority => 2 * set.len() > nodes,
            Construction::Counts { write, .. } => set.len() >= u32::from(*write),
            Construction::Weighted { weights } => self.is_majority_of_votes(weights, set),
            Construction::Grid { form, rows, cols } => {
                let grid = Grid { rows: *rows, cols: *cols };
                match form {
                    GridForm::RowColumn => grid.has_full_row(set),
                    GridForm::Symmetric => grid.has_full_row(set) && grid.has_full_column(set),
                    GridForm::Cover => grid.has_full_column(set) && grid.touches_every_column(set),
                }
            }
            Construction::Dissemination { b } => 2 * set.len() > nodes + u32::from(*b),
            Construction::Masking { b } => 2 * set.len() > nodes + 2 * u32::from(*b),
        }
    }

    /// Whether a writer that has heard these nodes may choose a timestamp: above that of every completed
    /// write, so that they must meet every write quorum, as a read quorum does.
    pub fn is_timestamp_quorum(&self, set: NodeSet) -> bool {
        let by_row = matches!(
            self.construction,
            Construction::Grid { form: GridForm::RowColumn, rows: _, cols: _ }
        );
        if by_row && self.mutants.deviates(Mutant::Q08) {
            return self.is_write_quorum(set);
        }
        self.is_read_quorum(set)
    }

    /// Exact integers, and never a division: half of an odd total does not exist.
    fn is_majority_of_votes(&self, weights: &[u32], set: NodeSet) -> bool {
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let votes: u64 = set
            .iter()
            .filter_map(|node| weights.get(usize::from(node.0)))
            .map(|weight| u64::from(*weight))
            .sum();
        if self.mutants.deviates(Mutant::Q10) { 2 * votes >= total } else { 2 * votes > total }
    }

    /// A minimal quorum inside `set`, which is a quorum: members go in the given order, last first, as far
    /// as they can.
    pub(super) fn shrink(&self, purpose: Purpose, set: NodeSet, order: &[NodeId]) -> NodeSet {
        assert!(self.suffices(purpose, set));
        let mut quorum = set;
        for node in order.iter().rev() {
            let rest = quorum.without(NodeSet::of(*node));
            if self.suffices(purpose, rest) {
                quorum = rest;
            }
        }
        quorum
    }

    /// A minimal quorum drawn at random.
    pub(super) fn draw(&self, purpose: Purpose, draw: &mut Draw) -> NodeSet {
        let mut order: Vec<NodeId> = (0..self.nodes).map(NodeId).collect();
        for last in (1..order.len()).rev() {
            // Fisher and Yates; at most 16 nodes, so that nothing is cut.
            let other = draw.below(last as u64 + 1);
            order.swap(last, usize::try_from(other).expect("below the number of nodes"));
        }
        self.shrink(purpose, NodeSet::all(self.nodes), &order)
    }
}

/// Nodes in rows and columns.
#[derive(Clone, Copy)]
struct Grid {
    rows: u16,
    cols: u16,
}

impl Grid {
    fn row(self, row: u16) -> NodeSet {
        (0..self.cols).map(|col| NodeId(row * self.cols + col)).collect()
    }

    fn column(self, col: u16) -> NodeSet {
        (0..self.rows).map(|row| NodeId(row * self.cols + col)).collect()
    }

    fn has_full_row(self, set: NodeSet) -> bool {
        (0..self.rows).any(|row| set.includes(self.row(row)))
    }

    fn has_full_column(self, set: NodeSet) -> bool {
        (0..self.cols).any(|col| set.includes(self.column(col)))
    }

    fn touches_every_column(self, set: NodeSet) -> bool {
        (0..self.cols).all(|col| !set.intersection(self.column(col)).is_empty())
    }
}

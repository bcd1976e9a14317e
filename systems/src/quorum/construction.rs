//! Quorum constructions: which sets of nodes suffice for what.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::draw::Draw;
use super::intersection::NODES_MAX;
use crate::contract::NodeId;
use crate::mutant::{Mutant, Mutants};
use crate::parties::NodeSet;

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

/// How quorums are formed over an ordered list of members.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Construction {
    /// More than half of the members, for everything.
    Majority,
    /// So many members for a read, so many for a write (Gifford 1979, one vote each).
    Counts {
        /// Size of a read quorum.
        read: u16,
        /// Size of a write quorum.
        write: u16,
    },
    /// More than half of the votes (Gifford 1979). A member without votes only observes.
    Weighted {
        /// The votes of each member.
        weights: Vec<u32>,
    },
    /// Members in rows and columns; member `i` stands in row `i / cols` and column `i % cols`.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GridForm {
    /// A write needs a full row, a read and a timestamp query a full column. Two rows do not meet.
    RowColumn,
    /// Everything needs a full row and a full column.
    Symmetric,
    /// A read needs one node of every column; a write one full column and one node of every other (Cheung,
    /// Ammar, Ahamad 1992).
    Cover,
}

/// Who takes part, and how quorums are formed of them: the shape of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Form {
    /// The members, in the order in which the construction counts them. All others only run.
    pub members: Vec<NodeId>,
    /// How quorums are formed.
    pub construction: Construction,
}

impl Form {
    /// Whether members and sizes fit each other in a cluster of `nodes`. That its quorums meet is checked
    /// where a form comes into being, not again wherever one arrives.
    pub fn is_sound(&self, nodes: u16) -> bool {
        let Ok(count) = u16::try_from(self.members.len()) else { return false };
        let everyone: NodeSet = self.members.iter().copied().collect();
        let sizes_fit = match &self.construction {
            Construction::Majority => true,
            Construction::Counts { read, write } => {
                (1..=count).contains(read) && (1..=count).contains(write)
            }
            Construction::Weighted { weights } => {
                weights.len() == self.members.len() && weights.iter().any(|weight| *weight > 0)
            }
            Construction::Grid { form: _, rows, cols } => {
                u32::from(*rows) * u32::from(*cols) == u32::from(count)
            }
            Construction::Dissemination { b } => u32::from(count) > 3 * u32::from(*b),
            Construction::Masking { b } => u32::from(count) > 4 * u32::from(*b),
        };
        let are_distinct = everyone.len() == u32::from(count);
        let are_few = (1..=NODES_MAX).contains(&count);
        are_few && are_distinct && sizes_fit && self.members.iter().all(|member| member.0 < nodes)
    }
}

/// Which sets of nodes are quorums of a form. All three predicates are monotone: a superset of a quorum is
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorums {
    form: Form,
    everyone: NodeSet,
    /// The lines of a grid; none where there is no grid.
    grid: Grid,
    mutants: Mutants,
}

impl Quorums {
    /// The quorums of a cluster whose `nodes` nodes are all members; whether they meet is not checked here.
    pub fn new(nodes: u16, construction: Construction, mutants: Mutants) -> Self {
        Self::of(Form { members: (0..nodes).map(NodeId).collect(), construction }, mutants)
    }

    /// The quorums of `form`, which is sound; whether they meet is not checked here.
    pub fn of(form: Form, mutants: Mutants) -> Self {
        let everyone = form.members.iter().copied().collect();
        let grid = match form.construction {
            Construction::Grid { form: _, rows, cols } => Grid::new(&form.members, rows, cols),
            Construction::Majority
            | Construction::Counts { .. }
            | Construction::Weighted { .. }
            | Construction::Dissemination { .. }
            | Construction::Masking { .. } => Grid::default(),
        };
        Self { form, everyone, grid, mutants }
    }

    /// The same quorums without the planted bug: what a start-up check that shares the mistake sees.
    pub(super) fn as_intended(&self) -> Self {
        Self { mutants: Mutants::NONE, ..self.clone() }
    }

    /// The planted bug, if any.
    pub(super) fn mutants(&self) -> Mutants {
        self.mutants
    }

    /// All members.
    pub fn everyone(&self) -> NodeSet {
        self.everyone
    }

    /// Members and construction.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// How quorums are formed.
    pub fn construction(&self) -> &Construction {
        &self.form.construction
    }

    /// How many nodes may lie.
    pub fn liars(&self) -> u16 {
        match self.form.construction {
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
        let set = set.intersection(self.everyone);
        match self.form.construction {
            Construction::Counts { read, .. } => set.len() >= u32::from(read),
            Construction::Grid { form, .. } => match form {
                GridForm::RowColumn => self.grid.has_full_column(set),
                GridForm::Symmetric => {
                    self.grid.has_full_row(set) && self.grid.has_full_column(set)
                }
                GridForm::Cover => self.grid.touches_every_column(set),
            },
            Construction::Majority
            | Construction::Weighted { .. }
            | Construction::Dissemination { .. }
            | Construction::Masking { .. } => self.is_write_quorum(set),
        }
    }

    /// Whether what these nodes store is seen by every later read quorum and timestamp quorum.
    pub fn is_write_quorum(&self, set: NodeSet) -> bool {
        let set = set.intersection(self.everyone);
        let members = self.everyone.len();
        match &self.form.construction {
            Construction::Majority => 2 * set.len() > members,
            Construction::Counts { write, .. } => set.len() >= u32::from(*write),
            Construction::Weighted { weights } => self.is_majority_of_votes(weights, set),
            Construction::Grid { form, .. } => match form {
                GridForm::RowColumn => self.grid.has_full_row(set),
                GridForm::Symmetric => {
                    self.grid.has_full_row(set) && self.grid.has_full_column(set)
                }
                GridForm::Cover => {
                    self.grid.has_full_column(set) && self.grid.touches_every_column(set)
                }
            },
            Construction::Dissemination { b } => 2 * set.len() > members + u32::from(*b),
            Construction::Masking { b } => 2 * set.len() > members + 2 * u32::from(*b),
        }
    }

    /// Whether a writer that has heard these nodes may choose a timestamp: above that of every completed
    /// write, so that they must meet every write quorum, as a read quorum does.
    pub fn is_timestamp_quorum(&self, set: NodeSet) -> bool {
        let by_row = matches!(
            self.form.construction,
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
        let votes: u64 = self
            .form
            .members
            .iter()
            .zip(weights)
            .filter(|(member, _)| set.contains(**member))
            .map(|(_, weight)| u64::from(*weight))
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
        let mut places = [NodeId(0); NODES_MAX as usize];
        let count = self.form.members.len();
        let order = places.get_mut(..count).expect("no more members than are checked at start");
        order.copy_from_slice(&self.form.members);
        for last in (1..count).rev() {
            // Fisher and Yates; at most 16 members, so that nothing is cut.
            let other = draw.below(last as u64 + 1);
            order.swap(last, usize::try_from(other).expect("below the number of members"));
        }
        self.shrink(purpose, self.everyone, order)
    }
}

/// The lines of members in rows and columns.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Grid {
    rows: Vec<NodeSet>,
    columns: Vec<NodeSet>,
}

impl Grid {
    fn new(members: &[NodeId], rows: u16, cols: u16) -> Self {
        let line = |is_in: &dyn Fn(usize) -> bool| -> NodeSet {
            let places = members.iter().enumerate();
            places.filter(|(place, _)| is_in(*place)).map(|(_, member)| *member).collect()
        };
        let (height, width) = (usize::from(rows), usize::from(cols));
        Self {
            rows: (0..height).map(|row| line(&|place| place / width == row)).collect(),
            columns: (0..width).map(|col| line(&|place| place % width == col)).collect(),
        }
    }

    fn has_full_row(&self, set: NodeSet) -> bool {
        self.rows.iter().any(|row| set.includes(*row))
    }

    fn has_full_column(&self, set: NodeSet) -> bool {
        self.columns.iter().any(|column| set.includes(*column))
    }

    fn touches_every_column(&self, set: NodeSet) -> bool {
        self.columns.iter().all(|column| !set.intersection(*column).is_empty())
    }
}

//! Configurations: who takes part and how quorums are formed of them, one after the other while the system
//! runs.
//!
//! They are numbered: even ones are stable, and between two of them stands a joint one in which every phase
//! needs a quorum of both. `change` says how the system gets from one to the next.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::construction::{Construction, Form, Purpose, Quorums};
use super::draw::Draw;
use crate::mutant::Mutants;
use crate::parties::NodeSet;

/// What all agree on for a while. It travels, and a server makes it durable before it acts by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Configuration {
    /// Counts up from 0, at start.
    pub id: u32,
    /// Who takes part, and how.
    pub stage: Stage,
}

/// One form, or the change from one to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Even ids: quorums of this form.
    Stable(Form),
    /// Odd ids: a quorum of each form, the old one and the new one, for everything.
    Joint(Form, Form),
}

/// No cluster changes so often: a message with a higher id is not believed, so that two more always fit.
const ID_MAX: u32 = 1 << 30;

impl Configuration {
    /// That of the start.
    pub fn initial(form: Form) -> Self {
        Self { id: 0, stage: Stage::Stable(form) }
    }

    /// Whether it can be what it says in a cluster of `nodes`.
    pub fn is_sound(&self, nodes: u16) -> bool {
        let fits = match &self.stage {
            Stage::Stable(form) => self.id.is_multiple_of(2) && form.is_sound(nodes),
            Stage::Joint(old, new) => {
                !self.id.is_multiple_of(2) && old.is_sound(nodes) && new.is_sound(nodes)
            }
        };
        fits && self.id <= ID_MAX
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stage {
            Stage::Stable(form) => write!(f, "config {} {form}", self.id),
            Stage::Joint(old, new) => write!(f, "config {} {old} and {new}", self.id),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members: NodeSet = self.members.iter().copied().collect();
        match &self.construction {
            Construction::Majority => write!(f, "majority")?,
            Construction::Counts { read, write } => write!(f, "counts {read}/{write}")?,
            Construction::Weighted { weights } => write!(f, "weighted {weights:?}")?,
            Construction::Grid { form, rows, cols } => write!(f, "{form:?} grid {rows}x{cols}")?,
            Construction::Dissemination { b } => write!(f, "dissemination b={b}")?,
            Construction::Masking { b } => write!(f, "masking b={b}")?,
        }
        write!(f, " of {members}")
    }
}

/// A configuration with its quorums worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    configuration: Configuration,
    old: Quorums,
    /// The form that is coming, while the configuration is joint.
    new: Option<Quorums>,
}

impl Epoch {
    /// The quorums of `configuration`, which is sound.
    pub fn new(configuration: Configuration, mutants: Mutants) -> Self {
        let (old, new) = match &configuration.stage {
            Stage::Stable(form) => (form, None),
            Stage::Joint(old, new) => (old, Some(Quorums::of(new.clone(), mutants))),
        };
        let old = Quorums::of(old.clone(), mutants);
        Self { configuration, old, new }
    }

    /// The number of the configuration.
    pub fn id(&self) -> u32 {
        self.configuration.id
    }

    /// The configuration.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The quorums of the only form, or of the one that is going.
    pub fn old(&self) -> &Quorums {
        &self.old
    }

    /// The quorums of the form that is coming, while the configuration is joint.
    pub fn coming(&self) -> Option<&Quorums> {
        self.new.as_ref()
    }

    /// All members of any form.
    pub fn everyone(&self) -> NodeSet {
        let new = self.new.as_ref().map_or(NodeSet::EMPTY, Quorums::everyone);
        self.old.everyone().union(new)
    }

    /// How quorums are formed; of the only form where liars are borne, which no change goes with.
    pub fn construction(&self) -> &Construction {
        self.old.construction()
    }

    /// Whether `set` suffices for `purpose`: in every form.
    pub fn suffices(&self, purpose: Purpose, set: NodeSet) -> bool {
        let suffices_in = |quorums: &Quorums| quorums.suffices(purpose, set);
        suffices_in(&self.old) && self.new.as_ref().is_none_or(suffices_in)
    }

    /// Whether what these nodes report includes every completed write.
    pub fn is_read_quorum(&self, set: NodeSet) -> bool {
        self.suffices(Purpose::Read, set)
    }

    /// Whether what these nodes store is seen by every later read quorum and timestamp quorum.
    pub fn is_write_quorum(&self, set: NodeSet) -> bool {
        self.suffices(Purpose::Write, set)
    }

    /// Whether every quorum, for whatever purpose, has a member in `set`.
    pub fn is_met_by(&self, set: NodeSet) -> bool {
        let rest = self.everyone().without(set);
        [Purpose::Read, Purpose::Write, Purpose::Timestamp]
            .into_iter()
            .all(|purpose| !self.suffices(purpose, rest))
    }

    /// A quorum drawn at random: minimal in each form.
    pub(super) fn draw(&self, purpose: Purpose, draw: &mut Draw) -> NodeSet {
        let old = self.old.draw(purpose, draw);
        self.new.as_ref().map_or(old, |new| old.union(new.draw(purpose, draw)))
    }
}

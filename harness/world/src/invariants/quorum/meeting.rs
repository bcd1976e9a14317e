//! Whether quorums meet (Q-I4): inside one configuration, and between one and the next.

use std::fmt::Write;

use quorate_systems::contract::NodeId;
use quorate_systems::mutant::Mutants;
use quorate_systems::quorum::{Config, Construction, NodeSet, Protocol, Purpose, Quorums};

use super::Q_I4;
use crate::invariants::Broken;

/// The configurations of a run, and what is wrong with them.
#[derive(Debug)]
pub(super) struct Configurations {
    /// The last [`CONFIGURATIONS_MAX`], by number.
    known: Vec<Configuration>,
    /// What is wrong with the first.
    at_start: Vec<Broken>,
    /// Whether that was said.
    is_told: bool,
}

#[derive(Debug)]
struct Configuration {
    id: u32,
    config: Config,
    /// Its quorums without the planted bug: what an operation that is complete must have reached.
    intended: Quorums,
}

/// An operation of an older configuration is not judged.
const CONFIGURATIONS_MAX: usize = 16;

impl Configurations {
    pub(super) fn new(config: &Config) -> Self {
        let mut new = Self { known: Vec::new(), at_start: Vec::new(), is_told: false };
        new.begin(config);
        new
    }

    /// As new. The same cluster again is not looked through again.
    pub(super) fn reset(&mut self, config: &Config) {
        self.is_told = false;
        self.known.truncate(1);
        if self.known.first().is_none_or(|first| first.id != 0 || first.config != *config) {
            self.begin(config);
        }
    }

    fn begin(&mut self, config: &Config) {
        self.known.clear();
        let mut at_start = Vec::new();
        self.install(0, config, &mut at_start);
        self.at_start = at_start;
    }

    /// Adds what is wrong with the first configuration, once.
    pub(super) fn tell(&mut self, broken: &mut Vec<Broken>) {
        if !self.is_told {
            self.is_told = true;
            broken.extend_from_slice(&self.at_start);
        }
    }

    /// Configuration `id` comes into force. Its quorums must meet each other, and those of the one before,
    /// which operations still run in; a joint configuration between two is one of its own.
    pub(super) fn install(&mut self, id: u32, config: &Config, broken: &mut Vec<Broken>) {
        if self.known.iter().any(|known| known.id == id) {
            return;
        }
        let mutants = Mutants::NONE;
        let construction = config.quorums.construction().clone();
        let intended = Quorums::new(config.quorums.nodes(), construction, mutants);
        let new = Configuration { id, config: config.clone(), intended };
        let before = id.checked_sub(1);
        let before = self.known.iter().find(|known| Some(known.id) == before);
        let pairs = before.map(|before| [(before, &new), (&new, before)]);
        for (first, second) in pairs.into_iter().flatten().chain([(&new, &new)]) {
            broken.extend(check(first, second));
        }
        if self.known.len() == CONFIGURATIONS_MAX {
            self.known.remove(0);
        }
        self.known.push(new);
    }

    /// What suffices for what in configuration `id`; none if it is not known.
    pub(super) fn intended(&self, id: u32) -> Option<&Quorums> {
        self.known.iter().rev().find(|known| known.id == id).map(|known| &known.intended)
    }
}

/// Everything that asks a quorum of `first` must hear of what a write quorum of `second` stores.
fn check(first: &Configuration, second: &Configuration) -> Option<Broken> {
    let is_lock = first.config.protocol == Protocol::Lock;
    let asking = [Purpose::Read, Purpose::Timestamp, Purpose::Write];
    let asking = asking.into_iter().filter(|purpose| *purpose != Purpose::Write || is_lock);
    let meet = must_share(&first.config.quorums).max(must_share(&second.config.quorums));
    asking.into_iter().find_map(|purpose| {
        let (one, other) =
            apart(&first.config.quorums, purpose, &second.config.quorums, meet as usize)?;
        let mut what = format!("the {} {one}", purpose.name());
        if first.id != second.id {
            let _ = write!(what, " of configuration {}", first.id);
        }
        let _ = write!(what, " and the write quorum {other}");
        if first.id != second.id {
            let _ = write!(what, " of configuration {}", second.id);
        }
        let _ = match one.intersection(other).len() {
            0 => write!(what, " do not meet"),
            shared => write!(what, " share {shared} of the {meet} nodes that they must share"),
        };
        Some(Broken { invariant: Q_I4, by: Vec::new(), what })
    })
}

/// In how many nodes quorums must meet, so that liars among them do not matter.
fn must_share(quorums: &Quorums) -> u32 {
    match quorums.construction() {
        Construction::Masking { b } => 2 * u32::from(*b) + 1,
        Construction::Dissemination { b } => u32::from(*b) + 1,
        Construction::Majority
        | Construction::Counts { .. }
        | Construction::Weighted { .. }
        | Construction::Grid { .. } => 1,
    }
}

/// A quorum of `first` for `purpose`, and a write quorum of `second`, that share fewer than `meet` nodes. It
/// is enough to look at those of `first` from which no node can be taken, each with the largest set that
/// shares too few nodes with it.
fn apart(
    first: &Quorums,
    purpose: Purpose,
    second: &Quorums,
    meet: usize,
) -> Option<(NodeSet, NodeSet)> {
    let all = NodeSet::all(second.nodes());
    subsets(NodeSet::all(first.nodes())).filter(|one| is_minimal(first, purpose, *one)).find_map(
        |one| {
            let size = (meet - 1).min(one.len() as usize);
            let other = subsets(one)
                .filter(|shared| shared.len() as usize == size)
                .map(|shared| all.without(one).union(shared.intersection(all)))
                .find(|other| second.is_write_quorum(*other))?;
            Some((one, shrink(second, other)))
        },
    )
}

fn is_minimal(quorums: &Quorums, purpose: Purpose, set: NodeSet) -> bool {
    let without = |node: NodeId| set.without(NodeSet::of(node));
    quorums.suffices(purpose, set)
        && set.iter().all(|node| !quorums.suffices(purpose, without(node)))
}

/// A smallest write quorum inside `set`, which is one.
fn shrink(quorums: &Quorums, set: NodeSet) -> NodeSet {
    set.iter().fold(set, |quorum, node| {
        let rest = quorum.without(NodeSet::of(node));
        if quorums.is_write_quorum(rest) { rest } else { quorum }
    })
}

/// All subsets of `set`, in the order of their bits: of at most 16 nodes.
fn subsets(set: NodeSet) -> impl Iterator<Item = NodeSet> {
    let members: Vec<NodeId> = set.iter().collect();
    (0..1_u64 << members.len()).map(move |chosen| {
        let is_chosen = |(place, _): &(usize, &NodeId)| chosen & (1 << place) != 0;
        members.iter().enumerate().filter(is_chosen).map(|(_, node)| *node).collect()
    })
}

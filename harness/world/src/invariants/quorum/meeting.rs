//! Whether quorums meet (Q-I4): inside one configuration, and between one and the next.

use std::fmt::Write;

use quorate_systems::contract::NodeId;
use quorate_systems::mutant::Mutants;
use quorate_systems::quorum::{
    Config, Configuration, Construction, Epoch, NodeSet, Protocol, Purpose,
};

use super::Q_I4;
use crate::invariants::Broken;

/// The configurations of a run, and what is wrong with them.
#[derive(Debug)]
pub(super) struct Configurations {
    /// The cluster at its start.
    config: Config,
    /// The last [`CONFIGURATIONS_MAX`], by number.
    known: Vec<Known>,
    /// What is wrong with the first.
    at_start: Vec<Broken>,
    /// Whether that was said.
    is_told: bool,
}

/// One configuration.
#[derive(Debug)]
struct Known {
    configuration: Configuration,
    /// Its quorums, as the system forms them.
    epoch: Epoch,
    /// Its quorums without the planted bug: what an operation that is complete must have reached.
    intended: Epoch,
    /// Whether the number was given to another one as well: a crash can take back what nobody was told of.
    /// Then it cannot be told which of them is meant.
    is_ambiguous: bool,
}

/// An operation of an older configuration is not judged.
const CONFIGURATIONS_MAX: usize = 16;

impl Configurations {
    pub(super) fn new(config: &Config) -> Self {
        let config = config.clone();
        let mut new = Self { config, known: Vec::new(), at_start: Vec::new(), is_told: false };
        new.begin();
        new
    }

    /// As new. The same cluster again is not looked through again.
    pub(super) fn reset(&mut self, config: &Config) {
        self.is_told = false;
        self.known.truncate(1);
        let is_initial = |first: &Known| first.configuration.id == 0 && !first.is_ambiguous;
        if self.config != *config || !self.known.first().is_some_and(is_initial) {
            self.config.clone_from(config);
            self.begin();
        }
    }

    fn begin(&mut self) {
        self.known.clear();
        let mut at_start = Vec::new();
        let initial = Configuration::initial(self.config.quorums.form().clone());
        self.install(&initial, &mut at_start);
        self.at_start = at_start;
    }

    /// Adds what is wrong with the first configuration, once.
    pub(super) fn tell(&mut self, broken: &mut Vec<Broken>) {
        if !self.is_told {
            self.is_told = true;
            broken.extend_from_slice(&self.at_start);
        }
    }

    /// A configuration comes into force. Its quorums must meet each other, and those of the one before, which
    /// operations still run in: that is the joint one between two others, unless it was left out.
    pub(super) fn install(&mut self, configuration: &Configuration, broken: &mut Vec<Broken>) {
        let Some(place) = self.note(configuration) else { return };
        let (before, rest) = self.known.split_at(place);
        let Some(new) = rest.first() else { return };
        let before = before.last().filter(|before| !before.is_ambiguous);
        let pairs = before.map(|before| [(before, new), (new, before)]);
        let is_lock = self.config.protocol == Protocol::Lock;
        for pair in pairs.into_iter().flatten().chain([(new, new)]) {
            broken.extend(check(pair, is_lock));
        }
    }

    /// Remembers a configuration; gives its place if it is new.
    pub(super) fn note(&mut self, configuration: &Configuration) -> Option<usize> {
        let place = match self.find(configuration.id) {
            Ok(place) => {
                let known = self.known.get_mut(place)?;
                known.is_ambiguous |= known.configuration != *configuration;
                return None;
            }
            Err(place) => place,
        };
        let is_full = self.known.len() == CONFIGURATIONS_MAX;
        if is_full && place == 0 {
            return None;
        }
        let new = Known {
            configuration: configuration.clone(),
            epoch: Epoch::new(configuration.clone(), self.config.mutants),
            intended: Epoch::new(configuration.clone(), Mutants::NONE),
            is_ambiguous: false,
        };
        self.known.insert(place, new);
        if is_full {
            self.known.remove(0);
        }
        Some(if is_full { place - 1 } else { place })
    }

    /// What suffices for what in configuration `id`; none if that cannot be told.
    pub(super) fn intended(&self, id: u32) -> Option<&Epoch> {
        let known = self.known.get(self.find(id).ok()?)?;
        (!known.is_ambiguous).then_some(&known.intended)
    }

    fn find(&self, id: u32) -> Result<usize, usize> {
        self.known.binary_search_by_key(&id, |known| known.configuration.id)
    }
}

/// Everything that asks a quorum of `first` must hear of what a write quorum of `second` stores.
fn check((first, second): (&Known, &Known), is_lock: bool) -> Option<Broken> {
    let (first, second) = (&first.epoch, &second.epoch);
    let asking = [Purpose::Read, Purpose::Timestamp, Purpose::Write];
    let asking = asking.into_iter().filter(|purpose| *purpose != Purpose::Write || is_lock);
    let meet = must_share(first).max(must_share(second));
    asking.into_iter().find_map(|purpose| {
        let (one, other) = apart(first, purpose, second, meet)?;
        let mut what = format!("the {} {one}", purpose.name());
        if first.id() != second.id() {
            let _ = write!(what, " of configuration {}", first.id());
        }
        let _ = write!(what, " and the write quorum {other}");
        if first.id() != second.id() {
            let _ = write!(what, " of configuration {}", second.id());
        }
        let _ = match one.intersection(other).len() {
            0 => write!(what, " do not meet"),
            shared => write!(what, " share {shared} of the {meet} nodes that they must share"),
        };
        Some(Broken { invariant: Q_I4, by: Vec::new(), what })
    })
}

/// In how many nodes quorums must meet, so that liars among them do not matter.
fn must_share(epoch: &Epoch) -> u32 {
    match epoch.construction() {
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
fn apart(first: &Epoch, purpose: Purpose, second: &Epoch, meet: u32) -> Option<(NodeSet, NodeSet)> {
    let all = second.everyone();
    let mut ones = subsets(first.everyone()).filter(|one| is_minimal(first, purpose, *one));
    ones.find_map(|one| {
        let size = (meet - 1).min(one.len());
        let sharable = if size == 0 { NodeSet::EMPTY } else { one };
        let other = subsets(sharable)
            .filter(|shared| shared.len() == size)
            .map(|shared| all.without(one).union(shared.intersection(all)))
            .find(|other| second.is_write_quorum(*other))?;
        Some((one, shrink(second, other)))
    })
}

fn is_minimal(quorums: &Epoch, purpose: Purpose, set: NodeSet) -> bool {
    let without = |node: NodeId| set.without(NodeSet::of(node));
    quorums.suffices(purpose, set)
        && set.iter().all(|node| !quorums.suffices(purpose, without(node)))
}

/// A smallest write quorum inside `set`, which is one.
fn shrink(quorums: &Epoch, set: NodeSet) -> NodeSet {
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

//! For tests of invariants: a run told event by event.

use std::collections::BTreeMap;

use quorate_systems::contract::{ClientId, Incarnation, NodeId, Ticket};
use quorate_systems::mutant::Mutants;

use super::{Broken, Invariants, Seen, Watched, Who};

/// What the invariants of a system say of the run so far.
pub(super) struct Watch<S: Watched> {
    pub(super) invariants: S::Invariants,
    broken: Vec<Broken>,
    /// The last ticket of each node.
    tickets: BTreeMap<u16, u64>,
}

/// A configuration by its options.
pub(super) fn config<S: Watched>(
    nodes: u16,
    options: &[(&str, &str)],
    mutants: Mutants,
) -> S::Config {
    let options = options.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    S::configure(nodes, &options.collect::<BTreeMap<_, _>>(), mutants).unwrap()
}

impl<S: Watched> Watch<S> {
    pub(super) fn new(nodes: u16, options: &[(&str, &str)]) -> Self {
        Self::with(&config::<S>(nodes, options, Mutants::NONE))
    }

    pub(super) fn with(config: &S::Config) -> Self {
        let invariants = S::Invariants::new(config);
        Self { invariants, broken: Vec::new(), tickets: BTreeMap::new() }
    }

    pub(super) fn see(&mut self, seen: &Seen<'_, S>) -> &mut Self {
        self.invariants.see(seen, &mut self.broken);
        self
    }

    /// So far all is well.
    pub(super) fn holds(&mut self) -> &mut Self {
        assert_eq!(self.broken, []);
        self
    }

    /// Since it was last asked this invariant broke once, and no other; gives what was said.
    pub(super) fn breaks(&mut self, invariant: &str) -> String {
        let broken = std::mem::take(&mut self.broken);
        let names: Vec<&str> = broken.iter().map(|broken| broken.invariant).collect();
        assert_eq!(names, [invariant], "{broken:?}");
        broken[0].what.clone()
    }

    /// As [`Self::breaks`], whatever breaks besides.
    pub(super) fn breaks_first(&mut self, invariant: &str) -> String {
        let broken = std::mem::take(&mut self.broken);
        assert_eq!(broken.first().map(|broken| broken.invariant), Some(invariant), "{broken:?}");
        broken[0].what.clone()
    }

    pub(super) fn start(&mut self, node: u16, incarnation: u64) -> &mut Self {
        self.tickets.insert(node, 0);
        let incarnation = Incarnation(incarnation);
        self.see(&Seen::Started { node: NodeId(node), incarnation })
    }

    pub(super) fn find(&mut self, node: u16, record: &S::Record) -> &mut Self {
        self.see(&Seen::Found { node: NodeId(node), record })
    }

    pub(super) fn persist(&mut self, node: u16, record: &S::Record) -> &mut Self {
        let ticket = self.tickets.entry(node).or_default();
        *ticket += 1;
        let ticket = Ticket(*ticket);
        self.see(&Seen::Persisted { node: NodeId(node), ticket, record })
    }

    /// All that the node has asked for is durable.
    pub(super) fn sync(&mut self, node: u16) -> &mut Self {
        let ticket = Ticket(self.tickets.get(&node).copied().unwrap_or(0));
        self.see(&Seen::Durable { node: NodeId(node), ticket })
    }

    pub(super) fn send(&mut self, from: Who, to: Who, message: &S::Message) -> &mut Self {
        self.see(&Seen::Sent { from, to, message })
    }

    pub(super) fn observe(&mut self, by: Who, observation: &S::Observation) -> &mut Self {
        self.see(&Seen::Observed { by, observation })
    }
}

pub(super) fn n(node: u16) -> Who {
    Who::Node(NodeId(node))
}

pub(super) fn c(client: u32) -> Who {
    Who::Client(ClientId(client))
}

//! Stands in for the system as long as there is none.

use std::collections::BTreeMap;

use quorate_systems::contract::{Incarnation, NodeId, Ticket};
use quorate_systems::mutant::Mutants;
use quorate_systems::parties::NodeSet;
use quorate_systems::vr::{Config, Members, Message, Observation, Persistence, Record, Replies};

use crate::invariants::vr::VrInvariants;
use crate::invariants::{Broken, Who};

pub(super) struct Watch {
    pub(super) invariants: VrInvariants,
    broken: Vec<Broken>,
    tickets: BTreeMap<u16, u64>,
}

pub(super) fn config(nodes: u16, options: &[(&str, &str)]) -> Config {
    let option = |name| options.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
    let members = option("members").map_or(NodeSet::all(nodes), |names| {
        names.split(',').map(|name| NodeId(name[1..].parse().unwrap())).collect()
    });
    Config {
        nodes,
        members: Members::try_from(members).unwrap(),
        persistence: match option("persistence") {
            None => Persistence::Durable,
            Some("durable-view") => Persistence::DurableView,
            Some("crash-vector") => Persistence::CrashVector,
            Some(other) => panic!("{other}"),
        },
        replies: Replies::Commit,
        lease: None,
        has_witnesses: option("witnesses") == Some("yes"),
        window: 16,
        checkpoint_every: 256,
        mutants: Mutants::NONE,
    }
}

impl Watch {
    pub(super) fn new(nodes: u16, options: &[(&str, &str)]) -> Self {
        let invariants = VrInvariants::with(&config(nodes, options));
        Self { invariants, broken: Vec::new(), tickets: BTreeMap::new() }
    }

    pub(super) fn holds(&mut self) -> &mut Self {
        assert_eq!(self.broken, []);
        self
    }

    pub(super) fn breaks(&mut self, invariant: &str) -> String {
        let broken = std::mem::take(&mut self.broken);
        let names: Vec<&str> = broken.iter().map(|broken| broken.invariant).collect();
        assert_eq!(names, [invariant], "{broken:?}");
        broken[0].what.clone()
    }

    /// As [`Self::breaks`], whatever else broke after it.
    pub(super) fn breaks_first(&mut self, invariant: &str) -> String {
        let broken = std::mem::take(&mut self.broken);
        assert_eq!(broken.first().map(|broken| broken.invariant), Some(invariant), "{broken:?}");
        broken[0].what.clone()
    }

    pub(super) fn forget_tickets(&mut self) -> &mut Self {
        self.tickets.clear();
        self
    }

    pub(super) fn start(&mut self, node: u16, incarnation: u64) -> &mut Self {
        self.tickets.insert(node, 0);
        self.invariants.started(NodeId(node), Incarnation(incarnation));
        self
    }

    pub(super) fn find(&mut self, node: u16, record: &Record) -> &mut Self {
        self.invariants.found(NodeId(node), record);
        self
    }

    pub(super) fn persist(&mut self, node: u16, record: &Record) -> &mut Self {
        let ticket = self.tickets.entry(node).or_default();
        *ticket += 1;
        self.invariants.persisted(NodeId(node), Ticket(*ticket), record, &mut self.broken);
        self
    }

    pub(super) fn sync(&mut self, node: u16) -> &mut Self {
        let ticket = Ticket(self.tickets.get(&node).copied().unwrap_or(0));
        self.invariants.durable(NodeId(node), ticket, &mut self.broken);
        self
    }

    pub(super) fn send(&mut self, from: Who, _to: Who, message: &Message) -> &mut Self {
        self.invariants.sent(from, message, &mut self.broken);
        self
    }

    pub(super) fn observe(&mut self, by: Who, observation: &Observation) -> &mut Self {
        self.invariants.observed(by, observation, &mut self.broken);
        self
    }
}

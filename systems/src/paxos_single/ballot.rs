//! Proposal numbers.

use alloc::collections::BTreeMap;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::options::{Config, Line};
use crate::contract::{ClientId, Key, NodeId};
use crate::mutant::Mutant;
use crate::parties::Party;

/// A proposal number: compared field by field. The proposer and its life make it unique, so that a proposer
/// that restarts and forgets what it did never uses a number again; the life is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ballot {
    /// Counts up from 1, for each instance.
    pub round: u64,
    /// Who proposes.
    pub proposer: Party,
    /// Which life of the proposer.
    pub incarnation: u64,
}

impl Ballot {
    /// No honest proposer comes near: a message with a higher round is not believed, so that one more can
    /// always be added.
    pub const ROUND_MAX: u64 = 1 << 62;

    /// The place of the proposer among the nodes, or among the clients.
    pub const fn place(self) -> u64 {
        match self.proposer {
            Party::Node(NodeId(place)) => place as u64,
            Party::Client(ClientId(place)) => place as u64,
        }
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.round, self.proposer, self.incarnation)
    }
}

/// The numbers that one life of a proposer gives out.
#[derive(Debug)]
pub(super) struct Numbers {
    party: Party,
    incarnation: u64,
    /// The last round of each instance that this life proposed in.
    rounds: BTreeMap<Key, u64>,
}

impl Numbers {
    pub(super) const fn new(party: Party, incarnation: u64) -> Self {
        Self { party, incarnation, rounds: BTreeMap::new() }
    }

    /// A number that this proposer has not used for `key`, in a round above `seen`.
    pub(super) fn next(&mut self, config: &Config, key: Key, seen: u64) -> Ballot {
        let last = self.rounds.entry(key).or_default();
        *last = 1 + (*last).max(seen);
        let round = *last;
        // The slide only asks for a number above np: F-P5.
        if config.mutants.deviates(Mutant::P07) || config.takes_literally(Line::NotUnique) {
            return Ballot { round, proposer: Party::Node(NodeId(0)), incarnation: 0 };
        }
        Ballot { round, proposer: self.party, incarnation: self.incarnation }
    }
}

//! The invariants of Multi-Paxos.

use quorate_systems::paxos::{Config, Paxos};

use super::{Broken, Invariants, Seen, Watched};

impl Watched for Paxos {
    type Invariants = PaxosInvariants;
}

/// P-I1 to P-I12, with what they must remember.
#[derive(Debug)]
pub struct PaxosInvariants {}

impl Invariants<Paxos> for PaxosInvariants {
    const NAMES: &'static [(&'static str, &'static str)] = &[];

    fn new(_config: &Config) -> Self {
        Self {}
    }

    fn reset(&mut self, _config: &Config) {}

    fn see(&mut self, _seen: &Seen<'_, Paxos>, _broken: &mut Vec<Broken>) {}
}

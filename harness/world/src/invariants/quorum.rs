//! The invariants of quorum registers.

use quorate_systems::quorum::{Config, Quorum};

use super::{Broken, Invariants, Seen, Watched};

impl Watched for Quorum {
    type Invariants = QuorumInvariants;
}

/// Q-I1 to Q-I8.
#[derive(Debug)]
pub struct QuorumInvariants {}

impl Invariants<Quorum> for QuorumInvariants {
    const NAMES: &'static [(&'static str, &'static str)] = &[];

    fn new(_config: &Config) -> Self {
        Self {}
    }

    fn reset(&mut self, _config: &Config) {}

    fn see(&mut self, _seen: &Seen<'_, Quorum>, _broken: &mut Vec<Broken>) {}
}

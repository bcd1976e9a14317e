//! The milestones that cores of real processes came to: marks leave no trace but in what a core does again.

use std::collections::BTreeMap;

use quorate_systems::contract::{ClientEffect, Effect, Milestone, System};
use quorate_world::inputs::{Step, What};

use super::again::Notes;

/// How often each milestone was reached, by name.
#[derive(Debug, Default)]
pub(super) struct Milestones(pub(super) BTreeMap<&'static str, u64>);

impl Notes for Milestones {
    fn note<S: System>(&mut self, step: &Step<'_, S>) {
        match &step.what {
            What::Started { effects, .. } | What::Took { effects, .. } => {
                effects.iter().for_each(|effect| self.see(effect));
            }
            What::ClientTook { effects, .. } => {
                effects.iter().for_each(|effect| self.see_of_client(effect));
            }
            What::Refused(_) | What::ClientStarted | What::Panicked { .. } | What::Lies(_) => {}
        }
    }
}

impl Milestones {
    fn see<S: System>(&mut self, effect: &Effect<S>) {
        if let Effect::Mark(milestone) = effect {
            self.count(*milestone);
        }
    }

    fn see_of_client<S: System>(&mut self, effect: &ClientEffect<S>) {
        if let ClientEffect::Mark(milestone) = effect {
            self.count(*milestone);
        }
    }

    fn count(&mut self, milestone: Milestone) {
        *self.0.entry(milestone.0).or_default() += 1;
    }
}

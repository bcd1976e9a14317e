//! Liars with a character: the same nodes lie in the same way through the whole run, and somebody may be away besides,
//! for whom one of them steps in.
//!
//! One lie after the other, as they are drawn otherwise, is seldom the right one just when it is a liar's turn to lead.

use std::collections::BTreeSet;

use quorate_plan::{Bearing, Fault, FaultClass, Liveness, Plan, PlannedFault};

use super::{Draw, pace};

/// One in so many seeds of a system that bears liars.
const ONE_IN: u64 = 4;
/// Runs last so long at least, in milliseconds: a leader that is away must be missed.
const LASTS_MS: [u64; 3] = [1_000, 2_000, 4_000];

/// The liars of a seed with characters.
pub(super) struct Character {
    liars: BTreeSet<u16>,
    draw: Draw,
}

/// Whether a seed has such liars.
pub(super) fn is_drawn(seed: u64, bearing: Bearing) -> bool {
    bearing.liars > 0 && Draw::new(seed, "character").one_in(ONE_IN)
}

/// Puts liars with one lie in place of all others. With `may_end`, processes end too.
pub(super) fn add(plan: &mut Plan, bearing: Bearing, lies: &[String], may_end: bool) -> Character {
    let mut draw = Draw::new(plan.seed, "characters");
    let nodes = plan.system.nodes;
    let count = u16::try_from(draw.between(1, u64::from(bearing.liars))).expect("few");
    // Those with the lowest names lead first, in most systems, and then the next.
    let first = if draw.one_in(2) { draw.of(&[0, 1, 1, 2]) % nodes } else { draw.node(nodes) };
    let liars: BTreeSet<u16> = (0..count).map(|place| (first + place) % nodes).collect();
    let place = draw.below(lies.len() as u64);
    let lie = usize::try_from(place).ok().and_then(|place| lies.get(place));
    let lie = lie.expect("a lie among some").clone();
    let lasts_ms = draw.of(&LASTS_MS);
    pace::lasts(plan, lasts_ms, &mut draw);
    let limit_ms = plan.durations.time_limit_ms;
    plan.faults.retain(|planned| planned.fault.class() != FaultClass::Byzantine);
    let at_ms = if draw.one_in(2) { 0 } else { draw.below(limit_ms / 4) };
    let fault = Fault::Byzantine { nodes: liars.clone(), lie };
    plan.faults.push(PlannedFault { when: None, at_ms, for_ms: limit_ms - at_ms, fault });
    if draw.one_in(2) {
        let before = [(first + nodes - 1) % nodes].into();
        let at_ms = draw.between(limit_ms / 20, limit_ms / 2);
        let for_ms = draw.between(limit_ms / 4, limit_ms);
        let is_end = draw.one_in(2) && may_end;
        let fault = if is_end {
            Fault::Kill { nodes: before, after_effects: None }
        } else {
            Fault::Pause { nodes: before }
        };
        plan.faults.push(PlannedFault { when: None, at_ms, for_ms, fault });
    }
    plan.faults.sort_by_key(|planned| planned.at_ms);
    Character { liars, draw }
}

impl Character {
    /// In half of them all others must suffice while these go on lying.
    pub(super) fn outlives(mut self, plan: &mut Plan) {
        if self.draw.one_in(2) {
            let core = (0..plan.system.nodes).filter(|node| !self.liars.contains(node)).collect();
            plan.liveness = Some(Liveness { core: Some(core), bound_ms: 30_000 });
        }
    }
}

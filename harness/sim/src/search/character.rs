//! Liars with a character: the same nodes lie in the same way through the whole run, and somebody may be away besides,
//! for whom one of them steps in.
//!
//! One lie after the other, as they are drawn otherwise, is seldom the right one just when it is a liar's turn to lead.

use std::collections::BTreeSet;

use quorate_plan::{Fault, FaultClass, Liveness, Plan, PlannedFault};

use super::{BOUND_MS, Draw, pace};

/// One in so many seeds of a system that bears liars.
const ONE_IN: u64 = 2;
/// Lies by saying too little, or too late: each by itself is no harm, and only the whole run shows what they come to.
const QUIET: [&str; 3] = ["silent", "slow", "starve"];
/// Runs last so long at least, in milliseconds: a leader that is away must be missed.
const LASTS_MS: [u64; 3] = [1_000, 2_000, 4_000];

/// Whether a seed of a system that bears so many liars has such.
pub(super) fn is_drawn(seed: u64, liars: u16) -> bool {
    liars > 0 && Draw::new(seed, "character").one_in(ONE_IN)
}

/// Puts liars, `most` at most, with one lie in place of all others, and has everybody else suffice while they go on. With
/// `may_end`, processes end too.
pub(super) fn add(plan: &mut Plan, most: u16, lies: &[String], may_end: bool) {
    let mut draw = Draw::new(plan.seed, "characters");
    let nodes = plan.system.nodes;
    // Mostly as many as may: then the others can do without nobody.
    let count = if draw.one_in(4) {
        u16::try_from(draw.between(1, u64::from(most))).expect("few")
    } else {
        most
    };
    // Those with the lowest names lead first, in most systems, and then the next.
    let first = if draw.one_in(4) { draw.node(nodes) } else { draw.of(&[0, 0, 0, 1, 2]) % nodes };
    let liars: BTreeSet<u16> = (0..count).map(|place| (first + place) % nodes).collect();
    let lie = draw_lie(lies, &mut draw);
    let lasts_ms = draw.of(&LASTS_MS);
    pace::lasts(plan, lasts_ms, &mut draw);
    let limit_ms = plan.durations.time_limit_ms;
    // In half of them nothing else goes wrong but what is below.
    let is_alone = draw.one_in(2);
    plan.faults.retain(|planned| !is_alone && planned.fault.class() != FaultClass::Byzantine);
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
    let core = (0..nodes).filter(|node| !liars.contains(node)).collect();
    plan.liveness = Some(Liveness { core: Some(core), bound_ms: BOUND_MS });
}

/// Half of the time a lie by saying too little, where there is one.
fn draw_lie(lies: &[String], draw: &mut Draw) -> String {
    let is_quiet = draw.one_in(2);
    let is_meant = |lie: &&String| QUIET.contains(&lie.as_str()) == is_quiet;
    let mut meant: Vec<&String> = lies.iter().filter(is_meant).collect();
    if meant.is_empty() {
        meant = lies.iter().collect();
    }
    draw.of(&meant).clone()
}

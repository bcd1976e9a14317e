//! Runs in which only clients lie, and everybody else is prompt: what they bring about shows by itself.

use std::collections::BTreeSet;

use quorate_plan::{Delay, Fault, Plan, PlannedFault, Weather};

use super::{Draw, pace};

/// One in so many seeds of a system that does not believe its clients.
const ONE_IN: u64 = 16;
/// The longest delays, in microseconds.
const DELAYS_US: [u64; 2] = [500, 1_500];
/// The longest syncs, in microseconds.
const SYNC_US: u64 = 300;
/// Runs last so long at least, in milliseconds.
const LASTS_MS: u64 = 1_000;

/// Whether in a seed only clients lie.
pub(super) fn is_drawn(seed: u64) -> bool {
    Draw::new(seed, "only clients").one_in(ONE_IN)
}

/// Some clients lie, in one way, and nothing else goes wrong.
pub(super) fn add(plan: &mut Plan, lies: &[String]) {
    let mut draw = Draw::new(plan.seed, "clients that lie");
    let delay = Delay::Uniform { min_us: 100, max_us: draw.of(&DELAYS_US) };
    plan.weather = Some(Weather {
        delay,
        sync_min_us: 100,
        sync_max_us: SYNC_US,
        ..plan.weather.map_or(Weather::CALM, |weather| Weather { loss_per_mille: 0, ..weather })
    });
    pace::lasts(plan, LASTS_MS, &mut draw);
    let all = plan.workload.clients;
    let count = draw.between(1, u64::from(all / 2).max(1));
    let first = draw.below(u64::from(all));
    let clients = (0..count).map(|place| (first + place) % u64::from(all));
    let clients: BTreeSet<u32> = clients.filter_map(|client| u32::try_from(client).ok()).collect();
    let lies: Vec<&String> = lies.iter().collect();
    let lie = draw.of(&lies).clone();
    let for_ms = plan.durations.time_limit_ms;
    let fault = Fault::ByzantineClients { clients, lie };
    plan.faults = vec![PlannedFault { when: None, at_ms: 0, for_ms, fault }];
    plan.liveness = None;
}

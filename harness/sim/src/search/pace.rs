//! How long a run is that has to last for something, and how busy.

use quorate_plan::Plan;
use quorate_systems::vocabulary::Vocabulary;

use super::{Draw, OPERATIONS, round_trip_us};

/// The run lasts so long at least, and aims at as many operations as others do.
pub(super) fn lasts(plan: &mut Plan, limit_ms: u64, draw: &mut Draw) {
    let limit_ms = limit_ms.max(plan.durations.time_limit_ms);
    let operations = draw.between(OPERATIONS.0, OPERATIONS.1);
    plan.durations.time_limit_ms = limit_ms;
    plan.workload.rate_per_s =
        u32::try_from(operations * 1_000 / limit_ms).unwrap_or(u32::MAX).max(1);
}

/// So many operations of a client are done in a run that is patient, if nothing is in their way.
const PATIENCE: u64 = 8;

/// A run that would be over before its first operations are, lasts longer. It aims at as many operations.
pub(crate) fn be_patient(plan: &mut Plan, system: &Vocabulary) {
    let round_trips_us = plan.weather.map_or(0, |weather| PATIENCE * round_trip_us(weather));
    let least_ms = system.warm_up_ms + round_trips_us / 1_000;
    if plan.durations.time_limit_ms < least_ms {
        lasts(plan, least_ms, &mut Draw::new(plan.seed, "patience"));
    }
}

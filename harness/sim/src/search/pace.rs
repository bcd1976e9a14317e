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
const OPERATIONS_EACH: u64 = 8;
/// Each is waited for as long as so many of them take: nodes send clients on, and messages are lost.
const WAITED_FOR: u64 = 3;

/// A run that would be over before its first operations are, lasts longer, and aims at as many operations. Clients that would
/// give each of them up before its answer can be there wait longer.
pub(crate) fn be_patient(plan: &mut Plan, system: &Vocabulary) {
    let round_trip_us = plan.weather.map_or(0, round_trip_us);
    let waited_ms = WAITED_FOR * round_trip_us / 1_000;
    plan.durations.operation_timeout_ms = plan.durations.operation_timeout_ms.max(waited_ms);
    let least_ms = system.warm_up_ms + OPERATIONS_EACH * round_trip_us / 1_000;
    if plan.durations.time_limit_ms < least_ms {
        lasts(plan, least_ms, &mut Draw::new(plan.seed, "patience"));
    }
}

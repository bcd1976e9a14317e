//! How long a run is that has to last for something, and how busy.

use quorate_plan::Plan;

use super::{Draw, OPERATIONS};

/// The run lasts so long at least, and aims at as many operations as others do.
pub(super) fn lasts(plan: &mut Plan, limit_ms: u64, draw: &mut Draw) {
    let limit_ms = limit_ms.max(plan.durations.time_limit_ms);
    let operations = draw.between(OPERATIONS.0, OPERATIONS.1);
    plan.durations.time_limit_ms = limit_ms;
    plan.workload.rate_per_s =
        u32::try_from(operations * 1_000 / limit_ms).unwrap_or(u32::MAX).max(1);
}

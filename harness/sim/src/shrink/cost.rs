//! How much there is in a plan: what a reader has to take in. Less is better.

use quorate_plan::{
    Act, Fault, MessageMatch, Moment, Plan, PlannedFault, RIGHT_RATE_PPM, Rule, Weather,
};

/// The sizes of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Size {
    /// How many operations clients run, if they have scripts; where they are drawn, how many a run has.
    pub operations: u64,
    /// How many faults.
    pub faults: u64,
    /// How many rules for messages, and entries of a trace.
    pub rules: u64,
    /// How many clients.
    pub clients: u64,
    /// How many nodes.
    pub nodes: u64,
    /// Whether every message takes the same time, and none is lost but by a fault or a rule.
    pub is_calm: bool,
}

impl Size {
    /// Of a plan; `drawn` is how many operations a run of it has, for clients without a script.
    pub fn of(plan: &Plan, drawn: u64) -> Self {
        let is_scripted = plan.scripts.len() == plan.workload.clients as usize;
        Self {
            operations: if is_scripted { scripted(plan) } else { drawn },
            faults: plan.faults.len() as u64,
            rules: (plan.rules.len() + plan.trace.len()) as u64,
            clients: u64::from(plan.workload.clients),
            nodes: u64::from(plan.system.nodes),
            is_calm: is_calm(&plan.weather.unwrap_or_default()),
        }
    }
}

fn scripted(plan: &Plan) -> u64 {
    plan.scripts.iter().map(|script| script.operations.len() as u64).sum()
}

/// Whether nothing about messages is drawn.
pub(super) const fn is_calm(weather: &Weather) -> bool {
    matches!(weather.delay, quorate_plan::Delay::Constant { .. })
        && weather.loss_per_mille == 0
        && weather.duplicate_per_mille == 0
}

/// What a part of a transaction weighs, beside what it says: less than an operation.
const PART: u64 = 50;

/// One number for all of it. An operation, a fault, a rule weigh most; then nodes and clients, then what each of
/// them says.
pub(super) fn cost(plan: &Plan) -> u64 {
    let Plan { system, workload, scripts, weather, faults, rules, trace, .. } = plan;
    let weather = weather.unwrap_or_default();
    let drawn = u64::from(workload.clients) - scripts.len() as u64;
    let mut cost = 100 * scripted(plan) + 10_000 * drawn;
    let operations = scripts.iter().flat_map(|script| &script.operations);
    for operation in operations {
        cost += operation.when.as_ref().map_or(0, moment)
            + bits(operation.key.unwrap_or_default())
            + bits(operation.value.unwrap_or_default())
            + operation.expected.map_or(0, bits);
        for part in &operation.parts {
            let values = [part.value, part.expected].into_iter().flatten();
            cost += PART + bits(part.key) + values.map(bits).sum::<u64>();
        }
    }
    cost += faults.iter().map(fault).sum::<u64>() + rules.iter().map(rule).sum::<u64>();
    cost += 200 * trace.len() as u64;
    cost += 60 * u64::from(system.nodes) + 40 * u64::from(workload.clients);
    cost += system.options.values().map(|value| 10 + value.len() as u64).sum::<u64>();
    cost += if is_calm(&weather) { 0 } else { 3_000 };
    cost += u64::from(weather != Weather::CALM);
    cost += u64::from(weather.loss_per_mille > 0) + u64::from(weather.duplicate_per_mille > 0);
    cost += u64::from(weather.sync_min_us != weather.sync_max_us);
    cost += if plan.liveness.is_some() { 50 } else { 0 } + 5 * plan.fault_classes.len() as u64;
    let durations = plan.durations;
    cost += digits(durations.time_limit_ms) + digits(durations.operation_timeout_ms);
    cost + bits(plan.seed.saturating_sub(1))
}

fn fault(planned: &PlannedFault) -> u64 {
    let PlannedFault { when, at_ms, for_ms, fault } = planned;
    let time = when.as_ref().map_or(0, moment) + 2 * digits(*at_ms) + digits(*for_ms);
    let what = match fault {
        Fault::Partition { grudge, .. } => {
            5 + 5 * grudge.values().map(|shunned| shunned.len() as u64).sum::<u64>()
        }
        Fault::Kill { nodes, after_effects } => {
            4 * nodes.len() as u64 + u64::from(after_effects.is_some())
        }
        Fault::PowerLoss { nodes, after_effects } => {
            4 * nodes.len() as u64 + 2 + u64::from(after_effects.is_some())
        }
        Fault::Pause { nodes } | Fault::Byzantine { nodes, .. } => 4 * nodes.len() as u64,
        Fault::ByzantineClients { clients, .. } => 4 * clients.len() as u64,
        Fault::Clock { nodes, offset_ms, rate_ppm } => {
            let is_fast = u64::from(*rate_ppm != RIGHT_RATE_PPM);
            4 * nodes.len() as u64 + digits(offset_ms.unsigned_abs()) + is_fast
        }
        Fault::Disk { .. } => 5,
        Fault::Delay { ends, .. }
        | Fault::Loss { ends, .. }
        | Fault::Duplicate { ends, .. }
        | Fault::Reorder { ends, .. }
        | Fault::Corrupt { ends, .. } => 10 + 4 * ends.len() as u64,
        Fault::Reconfigure { options } => {
            options.values().map(|value| 2 + value.len() as u64).sum()
        }
    };
    100 + time + what
}

fn rule(rule: &Rule) -> u64 {
    let Rule { message: asked, after, until, act } = rule;
    let moments = [after, until].into_iter().flatten().map(moment).sum::<u64>();
    let act = match act {
        Act::Drop => 0,
        Act::Hold => 2,
        Act::Corrupt => 3,
        Act::HoldUntil(until) => 4 + moment(until),
        Act::DelayMs(ms) | Act::DuplicateAfterMs(ms) => 10 + digits(*ms),
        Act::DelayUs(us) => 20 + digits(*us),
    };
    80 + message(asked) + moments + act
}

/// What names a message best is its kind and both ends; which of several is one thing more.
fn message(asked: &MessageMatch) -> u64 {
    let MessageMatch { kind, from, to, fields, nth } = asked;
    let missing = [(kind.is_none(), 4), (from.is_none(), 6), (to.is_none(), 6)];
    missing.into_iter().filter(|(is_missing, _)| *is_missing).map(|(_, cost)| cost).sum::<u64>()
        + 3 * fields.len() as u64
        + nth.map_or(0, |nth| 3 + bits(nth))
}

fn moment(moment: &Moment) -> u64 {
    match moment {
        Moment::Completed(asked) => 4 + asked.nth.map_or(0, |nth| 1 + bits(nth)),
        Moment::Invoked(asked) => 5 + asked.nth.map_or(0, |nth| 1 + bits(nth)),
        Moment::Started(asked) | Moment::Crashed(asked) => {
            5 + asked.nth.map_or(0, |nth| 1 + bits(nth))
        }
        Moment::Observed(asked) => 6 + 3 * asked.fields.len() as u64,
        Moment::Sent(asked) | Moment::Delivered(asked) => 6 + message(asked),
        Moment::AtMs(ms) => 16 + digits(*ms),
    }
}

const fn bits(number: u64) -> u64 {
    (u64::BITS - number.leading_zeros()) as u64
}

/// How much there is to read of a number: its digits but for zeros at the end, twice, and its length once.
fn digits(number: u64) -> u64 {
    let mut rest = number;
    while rest > 0 && rest.is_multiple_of(10) {
        rest /= 10;
    }
    let lead = rest % 10;
    let is_round = u64::from(rest >= 10 || ![0, 1, 2, 5].contains(&lead));
    let length = |number: u64| number.checked_ilog10().map_or(0, |log| u64::from(log) + 1);
    2 * length(rest) + length(number) + is_round
}

//! Plans in which nothing goes wrong but what clients say: then more may be demanded of a system.

use quorate_plan::{Delay, FaultClass, Plan, Weather};
use quorate_world::invariants::Prompt;

/// How prompt nodes and links are in the whole run, if the plan leaves nothing else to chance.
pub(crate) fn of(plan: &Plan) -> Option<Prompt> {
    let weather = plan.weather.unwrap_or_default();
    let is_of_clients = plan.faults.iter().all(|planned| {
        let class = planned.fault.class();
        class == FaultClass::ByzantineClients
    });
    let is_prompt = is_of_clients
        && weather.loss_per_mille == 0
        && plan.rules.is_empty()
        && plan.trace.is_empty();
    if !is_prompt {
        return None;
    }
    // Once everything is healed the weather is calm, which may be slower.
    Some(Prompt {
        clients: plan.workload.clients,
        operation_us: plan.durations.operation_timeout_ms * 1_000,
        message_us: longest_us(weather.delay)?.max(longest_us(Weather::CALM.delay)?),
        sync_us: weather.sync_max_us,
    })
}

/// The longest delay, where there is one that is not far longer than most.
const fn longest_us(delay: Delay) -> Option<u64> {
    match delay {
        Delay::Constant { us } | Delay::Uniform { max_us: us, .. } => Some(us),
        Delay::Exponential { .. } | Delay::Priorities { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use quorate_plan::{
        Act, Durations, Fault, MessageMatch, PlannedFault, Rule, SystemPlan, WorldKind,
    };

    use super::*;

    fn plan() -> Plan {
        let system = SystemPlan { kind: "pbft".to_owned(), nodes: 4, options: [].into() };
        let delay = Delay::Uniform { min_us: 500, max_us: 3_000 };
        let weather = Weather { delay, sync_max_us: 400, ..Weather::CALM };
        let durations = Durations { operation_timeout_ms: 700, ..Durations::default() };
        let plan = Plan::new("prompt", 1, WorldKind::Sim, system);
        Plan { weather: Some(weather), durations, ..plan }
    }

    fn with(fault: Fault) -> Plan {
        let planned = PlannedFault { when: None, at_ms: 1, for_ms: 1, fault };
        Plan { faults: vec![planned], ..plan() }
    }

    #[test]
    fn a_plan_in_which_only_clients_lie_is_prompt() {
        let prompt = Some(Prompt {
            clients: plan().workload.clients,
            operation_us: 700_000,
            message_us: 3_000,
            sync_us: 400,
        });
        assert_eq!(of(&plan()), prompt);
        let lie = Fault::ByzantineClients { clients: [0].into(), lie: "equivocate".to_owned() };
        assert_eq!(of(&with(lie)), prompt);
        let delay = Delay::Constant { us: 10 };
        let quick = Plan { weather: Some(Weather { delay, ..Weather::CALM }), ..plan() };
        assert_eq!(
            of(&quick).map(|prompt| prompt.message_us),
            Some(1_000),
            "as when all is healed"
        );
    }

    #[test]
    fn whatever_else_goes_wrong_is_promised_by_nobody() {
        let pause = Fault::Pause { nodes: [0].into() };
        let lie = Fault::Byzantine { nodes: [0].into(), lie: "silent".to_owned() };
        let rule =
            Rule { message: MessageMatch::default(), after: None, until: None, act: Act::Hold };
        let under = |change: &dyn Fn(&mut Weather)| {
            let mut plan = plan();
            plan.weather.iter_mut().for_each(change);
            plan
        };
        for plan in [
            with(pause),
            with(lie),
            Plan { rules: vec![rule], ..plan() },
            under(&|weather| weather.loss_per_mille = 1),
            under(&|weather| weather.delay = Delay::Exponential { mean_us: 10 }),
        ] {
            assert_eq!(of(&plan), None, "{plan:?}");
        }
    }
}

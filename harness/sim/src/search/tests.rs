use std::collections::BTreeSet;

use quorate_plan::{Fault, FaultClass, Plan, PlannedFault, WorkloadKind};
use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};

use super::{Wishes, character, clients, relay, round_trip_us};
use crate::hunt::Hunter;
use crate::queue::QueueKind;
use crate::simulator::simulator;
use crate::{Simulator, prompt};

/// The plans of those of so many seeds that are meant.
fn plans(kind: SystemKind, seeds: u64, is_meant: impl Fn(&Plan) -> bool) -> Vec<Plan> {
    let mut simulator: Box<dyn Simulator> = simulator(kind, QueueKind::default());
    let plans = (0..seeds).map(|seed| simulator.draw(seed));
    let plans: Vec<Plan> = plans.filter(|plan| is_meant(plan)).collect();
    assert!(!plans.is_empty());
    for plan in &plans {
        plan.validate().unwrap();
    }
    plans
}

fn of_class(plan: &Plan, class: FaultClass) -> Vec<&PlannedFault> {
    plan.faults.iter().filter(|planned| planned.fault.class() == class).collect()
}

/// Whether nothing but the relay takes nodes away.
fn is_relay(plan: &Plan) -> bool {
    relay::is_drawn(plan.seed, plan.system.nodes)
}

#[test]
fn in_a_relay_each_goes_away_as_the_one_before_comes_back() {
    let away = |planned: &&PlannedFault| {
        let class = planned.fault.class();
        class.ends_processes() || matches!(class, FaultClass::Partition | FaultClass::Pause)
    };
    let mut partitions = 0;
    for plan in plans(SystemKind::Vr, 400, is_relay) {
        let relay: Vec<&PlannedFault> = plan.faults.iter().filter(away).collect();
        assert!((2..=4).contains(&relay.len()));
        for pair in relay.windows(2) {
            assert_eq!(pair[0].at_ms + pair[0].for_ms, pair[1].at_ms);
        }
        let last = relay.last().unwrap();
        assert!(last.at_ms + last.for_ms < plan.durations.time_limit_ms, "it goes on after that");
        partitions += of_class(&plan, FaultClass::Partition).len();
    }
    assert!(partitions > 0);
}

#[test]
fn where_nodes_keep_their_memory_in_themselves_no_relay_ends_any() {
    let forgets = |plan: &Plan| {
        is_relay(plan) && plan.system.options.get("persistence").is_some_and(|how| how != "durable")
    };
    for plan in plans(SystemKind::Vr, 800, forgets) {
        assert!(plan.faults.iter().all(|planned| !planned.fault.class().ends_processes()));
    }
}

#[test]
fn a_liar_with_a_character_keeps_to_one_lie_and_all_others_must_suffice() {
    let is_meant = |plan: &Plan| {
        let liars = (plan.system.nodes - 1) / 3;
        character::is_drawn(plan.seed, liars) && !clients::is_drawn(plan.seed)
    };
    let mut lies = BTreeSet::new();
    for plan in plans(SystemKind::Pbft, 400, is_meant) {
        let [lying] = of_class(&plan, FaultClass::Byzantine)[..] else { panic!("{plan:?}") };
        let Fault::Byzantine { nodes, lie } = &lying.fault else { panic!("{lying:?}") };
        assert!((1..=(usize::from(plan.system.nodes) - 1) / 3).contains(&nodes.len()));
        assert_eq!(lying.at_ms + lying.for_ms, plan.durations.time_limit_ms, "up to the end");
        let core = plan.liveness.as_ref().unwrap().core.as_ref().unwrap();
        assert!(core.is_disjoint(nodes));
        assert_eq!(core.len() + nodes.len(), usize::from(plan.system.nodes));
        lies.insert(lie.clone());
    }
    assert!(lies.len() > 8, "{lies:?}");
}

#[test]
fn who_has_lied_is_not_among_those_who_must_suffice() {
    let has_both =
        |plan: &Plan| plan.liveness.is_some() && !of_class(plan, FaultClass::Byzantine).is_empty();
    for kind in [SystemKind::Pbft, SystemKind::Quorum] {
        for plan in plans(kind, 300, has_both) {
            let core = plan.liveness.as_ref().unwrap().core.as_ref().unwrap();
            for lying in of_class(&plan, FaultClass::Byzantine) {
                let Fault::Byzantine { nodes, .. } = &lying.fault else { panic!("{lying:?}") };
                assert!(core.is_disjoint(nodes), "seed {}: {core:?} {nodes:?}", plan.seed);
            }
        }
    }
}

/// Where only clients lie, replicas must not leave their views: those who check a client's word to them only, and so
/// refuse what others have taken, do.
#[test]
fn where_only_clients_lie_everything_else_is_prompt_and_shows_what_they_bring_about() {
    let mut hunter = Hunter::new(SystemKind::Pbft);
    let mut found = BTreeSet::new();
    for plan in plans(SystemKind::Pbft, 800, |plan| clients::is_drawn(plan.seed)) {
        assert!(prompt::of(&plan).is_some(), "{plan:?}");
        assert_eq!(plan.faults.len(), of_class(&plan, FaultClass::ByzantineClients).len());
        let correct = hunter.judge_plan(&plan, Mutants::NONE).unwrap();
        assert_eq!(correct.found, None, "seed {}", plan.seed);
        found.extend(hunter.judge_plan(&plan, Mutants(Some(Mutant::B31))).unwrap().found);
    }
    assert!(found.contains("B-L2"), "{found:?}");
}

#[test]
fn a_patient_run_has_time_for_a_leader_and_every_other_one_is_as_it_was() {
    let mut simulator = simulator(SystemKind::Paxos, QueueKind::default());
    let patient = Wishes { is_patient: true, ..Wishes::default() };
    let (mut longer, mut same) = (0_u32, 0_u32);
    for seed in 0..100 {
        let (usual, plan) = (simulator.draw(seed), simulator.draw_as(seed, &patient).unwrap());
        plan.validate().unwrap();
        assert!(plan.durations.time_limit_ms >= SystemKind::Paxos.vocabulary().warm_up_ms);
        assert!(plan.durations.time_limit_ms >= usual.durations.time_limit_ms);
        let (timeout, usual_timeout) =
            (plan.durations.operation_timeout_ms, usual.durations.operation_timeout_ms);
        assert!(
            timeout >= usual_timeout && timeout * 1_000 >= round_trip_us(plan.weather.unwrap())
        );
        same += u32::from(plan == usual);
        longer += u32::from(plan.durations.time_limit_ms > usual.durations.time_limit_ms);
    }
    assert!(longer > 20 && same > 10, "{longer} longer, {same} the same");
}

#[test]
fn what_is_wished_is_so_in_every_plan_and_nothing_wished_changes_nothing() {
    let mut simulator = simulator(SystemKind::Vr, QueueKind::default());
    let wishes = Wishes {
        nodes: Some(5),
        options: [("persistence".to_owned(), "durable".to_owned())].into(),
        workload: Some(WorkloadKind::Append),
        faults: Some(vec![FaultClass::Kill, FaultClass::Loss]),
        is_patient: false,
    };
    let mut drawn = BTreeSet::new();
    for seed in 0..100 {
        assert_eq!(simulator.draw_as(seed, &Wishes::default()).unwrap(), simulator.draw(seed));
        let plan = simulator.draw_as(seed, &wishes).unwrap();
        plan.validate().unwrap();
        assert_eq!((plan.system.nodes, plan.workload.kind), (5, WorkloadKind::Append));
        let persistence = plan.system.options.get("persistence");
        assert!(persistence.is_none_or(|value| value == "durable"), "{persistence:?}");
        let is_wished = |planned: &PlannedFault| {
            wishes.faults.as_ref().unwrap().contains(&planned.fault.class())
        };
        assert!(!plan.faults.is_empty() && plan.faults.iter().all(is_wished));
        drawn.insert(plan.system.options);
    }
    assert!(drawn.len() > 5, "the other options are drawn: {drawn:?}");
    let none = Wishes { faults: Some(Vec::new()), ..Wishes::default() };
    assert!((0..50).all(|seed| simulator.draw_as(seed, &none).unwrap().faults.is_empty()));
    let never = Wishes { options: [("no-such".to_owned(), "1".to_owned())].into(), ..none };
    assert!(simulator.draw_as(1, &never).is_err());
}

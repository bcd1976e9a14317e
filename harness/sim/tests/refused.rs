//! What must be refused, and is: operations that do not complete in time, cores that panic, plans beyond what a
//! system promises.

use quorate_checkers::history::{Violation, What};
use quorate_plan::{
    Delay, Durations, Fault, Liveness, Plan, PlannedFault, SystemPlan, Weather, Workload, WorldKind,
};
use quorate_sim::{Run, SimError, run};
use quorate_systems::mutant::Mutants;

fn plan(nodes: u16, options: &[(&str, &str)]) -> Plan {
    let options = options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let system = SystemPlan { kind: "quorum".to_owned(), nodes, options };
    Plan {
        workload: Workload { clients: 2, keys: 1, rate_per_s: 20, ..Workload::for_nodes(nodes) },
        durations: Durations { time_limit_ms: 1_000, ..Durations::default() },
        weather: Some(Weather::CALM),
        ..Plan::new("refused", 1, WorldKind::Sim, system)
    }
}

fn violations(run: &Run) -> Vec<Violation> {
    let events = run.history.events().iter();
    let found = events.filter_map(|event| match &event.what {
        What::Violation(violation) => Some(violation.clone()),
        What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Nemesis(_) => None,
    });
    found.collect()
}

#[test]
fn operations_that_take_too_long_after_healing_are_named() {
    // A message takes a millisecond, and an operation two or four of them and a sync: two are too few.
    let mut plan = plan(3, &[]);
    plan.liveness = Some(Liveness { core: None, bound_ms: 2 });
    let late = run(&plan, Mutants::NONE).unwrap();
    let found = violations(&late);
    assert!(!found.is_empty());
    for violation in &found {
        assert_eq!(violation.demand, Violation::LIVENESS);
        assert!(violation.what.contains("key 0"), "{violation:?}");
        assert!(violation.what.contains("2 ms after healing"), "{violation:?}");
    }
    assert!(found.iter().any(|violation| violation.targets == ["c0"]), "{found:?}");
    plan.liveness = Some(Liveness { core: None, bound_ms: 200 });
    assert_eq!(violations(&run(&plan, Mutants::NONE).unwrap()), []);
}

#[test]
fn a_core_that_suffices_must_go_on_and_one_that_does_not_need_not() {
    let kill = |nodes: &[u16]| PlannedFault {
        when: None,
        at_ms: 100,
        for_ms: 900,
        fault: Fault::Kill { nodes: nodes.iter().copied().collect(), after_effects: None },
    };
    let mut plan = plan(5, &[]);
    plan.faults = vec![kill(&[0, 1])];
    plan.liveness = Some(Liveness { core: Some([2, 3, 4].into()), bound_ms: 10_000 });
    let enough = run(&plan, Mutants::NONE).unwrap();
    assert_eq!((violations(&enough), enough.outcome.notes.len()), (vec![], 0));
    plan.faults = vec![kill(&[0, 1, 2])];
    plan.liveness = Some(Liveness { core: Some([3, 4].into()), bound_ms: 10_000 });
    let few = run(&plan, Mutants::NONE).unwrap();
    assert_eq!(violations(&few), []);
    assert!(few.outcome.notes[0].contains("not demanded"), "nothing is demanded of two of five");
}

#[test]
fn more_liars_than_are_tolerated_need_a_plan_that_says_what_it_expects() {
    let mut plan = plan(5, &[("quorum", "masking")]);
    plan.faults = vec![PlannedFault {
        when: None,
        at_ms: 10,
        for_ms: 900,
        fault: Fault::Byzantine { nodes: [0, 1].into(), lie: "wrong-value".to_owned() },
    }];
    let refusal = run(&plan, Mutants::NONE).unwrap_err();
    assert!(matches!(refusal, SimError::Regime(_)), "{refusal}");
    assert!(refusal.to_string().contains("2 nodes lie, and it tolerates 1"), "{refusal}");
}

#[test]
fn the_same_message_has_the_same_fate_when_something_else_is_left_out() {
    let delay = Delay::Uniform { min_us: 500, max_us: 50_000 };
    let mut plan = plan(3, &[]);
    plan.weather = Some(Weather { delay, ..Weather::CALM });
    plan.workload.clients = 1;
    let alone = run(&plan, Mutants::NONE).unwrap();
    // The pause of a node that is not waited for changes nothing for the others.
    plan.faults = vec![PlannedFault {
        when: None,
        at_ms: 999,
        for_ms: 1,
        fault: Fault::Pause { nodes: [2].into() },
    }];
    let other = run(&plan, Mutants::NONE).unwrap();
    let until = |run: &Run| -> Vec<_> {
        let events = run.history.events().iter();
        events.filter(|event| event.time.0 < 999_000_000).cloned().collect()
    };
    assert_eq!(until(&alone), until(&other));
    assert!(until(&alone).len() > 10);
}

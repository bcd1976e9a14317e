//! What is demanded of a system that keeps its memory in its nodes, and what is done to it.

mod toy;

use std::collections::BTreeSet;

use quorate_checkers::history::{Violation, What};
use quorate_plan::{
    Durations, Fault, Liveness, Plan, PlannedFault, SystemPlan, Weather, Workload, WorldKind,
};
use quorate_systems::mutant::Mutants;

use crate::milestones;
use crate::queue::QueueKind;
use crate::sim::Outcome;
use crate::simulator::simulator_of;
use crate::witness::Checks;

use toy::Toy;

/// The longest that a fault can last: until its node is healed.
const LIMIT_MS: u64 = 1_000;

/// Two clients at work for a second, and these nodes are killed for so long in the middle of it.
fn plan(nodes: u16, special: &[&str], killed: &[u16], for_ms: u64) -> Plan {
    let options = special.iter().map(|name| ((*name).to_owned(), String::new())).collect();
    let system = SystemPlan { kind: "toy".to_owned(), nodes, options };
    let fault = Fault::Kill { nodes: killed.iter().copied().collect(), after_effects: None };
    Plan {
        workload: Workload { clients: 2, rate_per_s: 20, ..Workload::default() },
        durations: Durations { time_limit_ms: LIMIT_MS, ..Durations::default() },
        weather: Some(Weather::CALM),
        faults: vec![PlannedFault { when: None, at_ms: LIMIT_MS / 2, for_ms, fault }],
        liveness: Some(Liveness { core: None, bound_ms: 5_000 }),
        ..Plan::new("forgetting", 1, WorldKind::Sim, system)
    }
}

/// What was demanded and not met, in words, and what else there is to say of the run.
fn run(plan: &Plan) -> (Vec<String>, Outcome) {
    let mut unmet = Vec::new();
    let outcome = simulator_of::<Toy>(QueueKind::default())
        .run(plan, Mutants::NONE, Checks::ALL, &mut |_, what| {
            if let What::Violation(violation) = what {
                assert_eq!(violation.demand, Violation::LIVENESS);
                unmet.push(violation.what);
            }
            Ok(())
        })
        .unwrap();
    (unmet, outcome)
}

/// How often too many nodes had forgotten when a phase began.
fn too_many_forgot(outcome: &Outcome) -> u64 {
    let name = milestones::TOO_MANY_FORGOT.0;
    outcome.milestones.iter().find(|(other, _)| *other == name).map_or(0, |(_, count)| *count)
}

const AT_THE_END: &str = "liveness was not demanded once everything was healed: too many nodes had forgotten what they \
     knew";
const OF_THE_CORE: &str = "liveness was not demanded while only the core was healed: too many nodes of it had forgotten \
     what they knew";

#[test]
fn where_too_many_have_forgotten_nothing_is_demanded_and_the_run_says_so() {
    for killed in [&[0, 1][..], &[0, 1, 2]] {
        let (unmet, outcome) = run(&plan(3, &[], killed, 100));
        assert_eq!((unmet, too_many_forgot(&outcome)), (vec![], 1), "{killed:?}");
        assert_eq!(outcome.notes, [AT_THE_END]);
        // Of a system that says nothing of it everything is demanded.
        let (unmet, outcome) = run(&plan(3, &["hides"], killed, 100));
        assert!(unmet.iter().any(|what| what.contains("is not complete")), "{unmet:?}");
        assert_eq!((outcome.notes, outcome.milestones), (vec![], vec![]));
    }
}

#[test]
fn where_enough_remember_all_must_come_to_an_end_however_the_others_are() {
    // Back in time to be told what it knew; or not.
    for for_ms in [100, LIMIT_MS / 2] {
        let (unmet, outcome) = run(&plan(3, &[], &[0], for_ms));
        assert_eq!((unmet, outcome.notes, outcome.milestones), (vec![], vec![], vec![]));
        let (unmet, outcome) = run(&plan(3, &["deaf"], &[0], for_ms));
        assert!(unmet.iter().any(|what| what.contains("is not complete")), "{unmet:?}");
        assert_eq!(outcome.notes, [""; 0]);
    }
}

#[test]
fn each_closing_phase_looks_at_its_own_nodes_when_it_begins() {
    let with_core = |special: &[&str], killed: &[u16], core: &[u16]| {
        let mut plan = plan(5, special, killed, 60_000);
        let core = Some(core.iter().copied().collect());
        plan.liveness = Some(Liveness { core, bound_ms: 5_000 });
        run(&plan)
    };
    // n0 is started as the core is healed: of its nodes only n1 and n2 remember. At the end all do.
    let (unmet, outcome) = with_core(&[], &[0], &[0, 1, 2]);
    assert_eq!((unmet, too_many_forgot(&outcome)), (vec![], 1));
    assert_eq!(outcome.notes, [OF_THE_CORE]);
    // What is not demanded of the core is demanded at the end.
    let (unmet, outcome) = with_core(&["deaf"], &[0], &[0, 1, 2]);
    assert_ne!(unmet, [""; 0]);
    assert_eq!(outcome.notes, [OF_THE_CORE]);
    // The core remembers all, and those of whom enough for it are still down do not matter.
    let (unmet, outcome) = with_core(&[], &[0, 1], &[2, 3, 4]);
    assert_eq!((unmet, too_many_forgot(&outcome), outcome.notes), (vec![], 0, vec![]));
    // Neither then nor at the end.
    let (unmet, outcome) = with_core(&[], &[0, 1, 2], &[2, 3, 4]);
    assert_eq!((unmet, too_many_forgot(&outcome)), (vec![], 2));
    assert_eq!(outcome.notes, [OF_THE_CORE, AT_THE_END]);
}

#[test]
fn a_node_that_has_forgotten_owes_nobody_an_answer() {
    let (unmet, outcome) = run(&plan(3, &["lost"], &[0], 100));
    assert_eq!((unmet, outcome.notes), (vec![], vec![]));
    let (unmet, _) = run(&plan(3, &["lost", "hides"], &[0], 100));
    assert!(unmet.iter().all(|what| what.starts_with("n0 is down, or was asked")), "{unmet:?}");
    assert_eq!(unmet.len(), 1);
}

#[test]
fn in_two_of_three_drawn_plans_no_more_forget_than_may() {
    let mut simulator = simulator_of::<Toy>(QueueKind::default());
    let (mut within, mut beyond) = (0, Vec::new());
    for seed in 0..360 {
        let plan = simulator.draw(seed);
        let ends = |planned: &&PlannedFault| planned.fault.class().ends_processes();
        let killing: Vec<_> = plan.faults.iter().filter(ends).collect();
        assert!(!killing.iter().any(|planned| planned.fault.class().is_of_disk()), "seed {seed}");
        let ended: BTreeSet<u16> =
            killing.iter().flat_map(|planned| planned.fault.nodes()).collect();
        if ended.len() > usize::from((plan.system.nodes - 1) / 2) {
            beyond.push(seed);
        } else {
            within += usize::from(!ended.is_empty());
        }
    }
    assert!(beyond.iter().all(|seed| seed / 3 % 3 == 0), "{beyond:?}");
    let kinds: BTreeSet<u64> = beyond.iter().map(|seed| seed % 3).collect();
    assert_eq!(kinds.len(), 3, "with every kind of search: {beyond:?}");
    assert!(within > 60 && beyond.len() > 15, "{within}, {beyond:?}");
}

#[test]
fn a_drawn_plan_is_never_held_against_a_system_that_stands_still_by_design() {
    let mut simulator = simulator_of::<Toy>(QueueKind::default());
    let mut stood_still = 0;
    for seed in 0..150 {
        let plan = simulator.draw(seed);
        let outcome = simulator.run(&plan, Mutants::NONE, Checks::ALL, &mut |_, _| Ok(())).unwrap();
        assert_eq!(outcome.violations, 0, "seed {seed}: {:?}", outcome.notes);
        let is_demanded = !outcome.notes.iter().any(|note| note == AT_THE_END);
        assert!(is_demanded || seed / 3 % 3 == 0, "seed {seed} keeps within what may forget");
        stood_still += u64::from(!is_demanded);
    }
    assert!(stood_still > 3, "{stood_still}");
}

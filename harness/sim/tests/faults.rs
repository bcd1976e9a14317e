//! What planned faults do to nodes, and what the history says of it.

use quorate_checkers::history::{NemesisPhase, What};
use quorate_plan::{
    Durations, Fault, Plan, PlannedFault, SystemPlan, Weather, Workload, WorldKind,
};
use quorate_sim::{Run, run};
use quorate_systems::mutant::Mutants;

fn plan(nodes: u16, options: &[(&str, &str)], faults: Vec<PlannedFault>) -> Plan {
    let options = options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let system = SystemPlan { kind: "quorum".to_owned(), nodes, options };
    Plan {
        workload: Workload { clients: 2, keys: 1, rate_per_s: 20, ..Workload::for_nodes(nodes) },
        durations: Durations { time_limit_ms: 1_000, ..Durations::default() },
        weather: Some(Weather::CALM),
        faults,
        ..Plan::new("faults", 1, WorldKind::Sim, system)
    }
}

const fn planned(at_ms: u64, for_ms: u64, fault: Fault) -> PlannedFault {
    PlannedFault { when: None, at_ms, for_ms, fault }
}

/// The phases of all faults, each with its targets.
fn recorded(run: &Run) -> Vec<(String, NemesisPhase, Vec<String>)> {
    let events = run.history.events().iter();
    let faults = events.filter_map(|event| match &event.what {
        What::Nemesis(fault) if !fault.is_fault() => None,
        What::Nemesis(fault) => Some((fault.kind.clone(), fault.phase, fault.targets.clone())),
        What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Violation(_) => None,
    });
    faults.collect()
}

/// ```text
/// n0   ──kill▓▓▓▓▓▓▓▓▓▓▓▓▓▓──
/// n1   ─────────pause▓▓▓▓▓▓▓▓▓▓──
/// ```
#[test]
fn a_fault_that_gets_some_of_its_nodes_is_recorded_with_those() {
    let kill = Fault::Kill { nodes: [0].into(), after_effects: None };
    let pause = Fault::Pause { nodes: [0, 1].into() };
    let plan = plan(5, &[], vec![planned(100, 400, kill), planned(200, 500, pause)]);
    let recorded = recorded(&run(&plan, Mutants::NONE).unwrap());
    let of = |kind: &str, phase, target: &str| (kind.to_owned(), phase, vec![target.to_owned()]);
    assert_eq!(
        recorded,
        [
            of("kill", NemesisPhase::Begin, "n0"),
            of("pause", NemesisPhase::Begin, "n1"),
            of("kill", NemesisPhase::End, "n0"),
            of("pause", NemesisPhase::End, "n1"),
        ]
    );
}

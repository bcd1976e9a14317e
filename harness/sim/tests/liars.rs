//! Replicas and clients that lie, in every way that PBFT knows: within what it bears nothing breaks, all goes on, and
//! each lie is told.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::BTreeSet;

use quorate_checkers::history::{NemesisPhase, Step, What};
use quorate_checkers::judge::{Demands, Results, judge};
use quorate_checkers::linearizability::Budget;
use quorate_checkers::verdict::Verdict;
use quorate_plan::{
    CLIENT_LIES, Durations, Fault, LIES, Liveness, Plan, PlannedFault, SystemPlan, Weather,
    Workload, WorldKind,
};
use quorate_sim::{Run, SimError};
use quorate_systems::mutant::{Mutant, Mutants};

const WAYS: [&str; 2] = ["signatures", "hmac"];
const CLIENTS: u32 = 3;
/// When the faults end.
const LIMIT_MS: u64 = 3_000;

/// Four replicas in calm weather, of which all but `outside` must suffice at the end.
fn plan(way: &str, outside: Option<u16>, faults: Vec<PlannedFault>) -> Plan {
    let options = [("authentication", way), ("checkpoint_every", "4"), ("batch", "2")];
    let options = options.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let system = SystemPlan { kind: "pbft".to_owned(), nodes: 4, options };
    let core: BTreeSet<u16> = (0..4).filter(|node| Some(*node) != outside).collect();
    Plan {
        workload: Workload { clients: CLIENTS, keys: 1, rate_per_s: 40, ..Workload::for_nodes(4) },
        durations: Durations {
            time_limit_ms: LIMIT_MS,
            operation_timeout_ms: 600,
            ..Durations::default()
        },
        weather: Some(Weather::CALM),
        liveness: Some(Liveness { core: Some(core), bound_ms: 20_000 }),
        faults,
        ..Plan::new("liars", 1, WorldKind::Sim, system)
    }
}

/// To the end.
fn from(at_ms: u64, fault: Fault) -> PlannedFault {
    PlannedFault { when: None, at_ms, for_ms: LIMIT_MS, fault }
}

fn run(plan: &Plan, mutants: Mutants) -> (Run, Results) {
    let run = quorate_sim::run(plan, mutants).unwrap();
    let demands = Demands {
        model: "register".to_owned(),
        fault_classes: Vec::new(),
        budget: Budget::default(),
    };
    let results = judge(&run.history, &demands);
    (run, results)
}

/// How often faults of this class bit.
fn bites(run: &Run, kind: &str) -> u64 {
    let ends = run.history.events().iter().filter_map(|event| match &event.what {
        What::Nemesis(nemesis) if nemesis.kind == kind && nemesis.phase == NemesisPhase::End => {
            Some(nemesis.bites)
        }
        _ => None,
    });
    ends.sum()
}

#[test]
fn whatever_one_of_four_replicas_says_the_others_agree_and_go_on() {
    for way in WAYS {
        for lie in LIES {
            let mut told = 0;
            for liar in [0, 1, 2] {
                let lies = Fault::Byzantine { nodes: [liar].into(), lie: (*lie).to_owned() };
                let mut faults = vec![from(10, lies)];
                if liar != 0 {
                    // Views change only where a primary seems to be gone.
                    let pause = Fault::Pause { nodes: [0].into() };
                    faults.push(PlannedFault { for_ms: 900, ..from(700, pause) });
                }
                let (run, results) = run(&plan(way, Some(liar), faults), Mutants::NONE);
                assert_eq!(results.verdict, Verdict::Valid, "{way} {lie} n{liar}: {results:?}");
                told += bites(&run, "byzantine");
            }
            assert!(told > 0, "{way} {lie}");
        }
    }
}

/// How the operations of lying clients ended, and how many others were done.
fn ends(run: &Run, liars: &[u64]) -> (Vec<What>, usize) {
    let is_liar = |step: &Step| liars.contains(&(step.process.0 % u64::from(CLIENTS)));
    let ended = run.history.events().iter().filter_map(|event| match &event.what {
        What::Ok(step) | What::Fail(step) | What::Info(step) => Some((&event.what, is_liar(step))),
        What::Invoke(_) | What::Nemesis(_) | What::Violation(_) => None,
    });
    let (of_liars, others): (Vec<_>, Vec<_>) = ended.partition(|(_, is_liar)| *is_liar);
    let done = others.iter().filter(|(what, _)| matches!(what, What::Ok(_))).count();
    (of_liars.into_iter().map(|(what, _)| what.clone()).collect(), done)
}

#[test]
fn whatever_clients_say_others_are_served_and_nothing_is_demanded_of_liars() {
    for way in WAYS {
        for lie in CLIENT_LIES {
            let lies = Fault::ByzantineClients { clients: [0, 2].into(), lie: (*lie).to_owned() };
            let (run, results) = run(&plan(way, None, vec![from(0, lies)]), Mutants::NONE);
            assert_eq!(results.verdict, Verdict::Valid, "{way} {lie}: {results:?}");
            assert!(bites(&run, "byzantine-clients") > 0, "{way} {lie}");
            let (of_liars, done) = ends(&run, &[0, 2]);
            assert!(of_liars.len() > 5 && done > 20, "{} {done}", of_liars.len());
            for what in of_liars {
                assert!(!matches!(what, What::Ok(_)), "{what:?}");
            }
        }
    }
}

#[test]
fn a_client_that_has_stopped_lying_is_answered_again() {
    let lies = Fault::ByzantineClients { clients: [0].into(), lie: "equivocate".to_owned() };
    let fault = PlannedFault { for_ms: 1_000, ..from(0, lies) };
    let (run, results) = run(&plan("hmac", None, vec![fault]), Mutants::NONE);
    assert_eq!(results.verdict, Verdict::Valid, "{results:?}");
    let (of_liar, _) = ends(&run, &[0]);
    assert!(of_liar.iter().any(|what| matches!(what, What::Ok(_))));
    assert!(!matches!(of_liar.first(), Some(What::Ok(_))));
}

#[test]
fn a_client_whose_words_are_good_for_some_only_costs_replicas_that_rely_on_them_a_view_each_time() {
    let lie = "spoil-authenticator".to_owned();
    let lies = Fault::ByzantineClients { clients: [0].into(), lie };
    let done = |mutant| {
        let plan = plan("hmac", None, vec![from(0, lies.clone())]);
        let (run, _) = run(&plan, Mutants(mutant));
        ends(&run, &[0]).1
    };
    let (calm, slow) = (done(None), done(Some(Mutant::B31)));
    assert!(calm > 3 * slow && slow > 0, "{calm} {slow}");
}

#[test]
fn lies_that_a_system_does_not_know_are_refused() {
    let system = SystemPlan { kind: "quorum".to_owned(), nodes: 5, options: [].into() };
    let refusal = |fault| {
        let faults = vec![from(0, fault)];
        let plan = Plan { faults, ..Plan::new("liars", 1, WorldKind::Sim, system.clone()) };
        let refusal = quorate_sim::run(&plan, Mutants::NONE).unwrap_err();
        assert!(matches!(refusal, SimError::Regime(_)), "{refusal}");
        refusal.to_string()
    };
    let of_node = refusal(Fault::Byzantine { nodes: [0].into(), lie: "mutate".to_owned() });
    assert!(of_node.contains("a node of the system as configured cannot lie so (`mutate`)"));
    let lie = "equivocate".to_owned();
    let of_client = refusal(Fault::ByzantineClients { clients: [0].into(), lie });
    assert!(of_client.contains("cannot lie so (`equivocate`); allowed are none"), "{of_client}");
}

use std::collections::BTreeSet;

use proptest::prelude::*;
use quorate_plan::{FaultClass, ScriptedOperation, check_names, from_toml, to_toml};
use quorate_systems::mutant::Mutants;
use quorate_world::registry;

use super::bytes::LEN_MAX;
use super::{PAXOS, PAXOS_SINGLE, PBFT, PSB, QUORUM, SCHEDULES, VR, plan_of};
use crate::TARGETS;
use crate::commands::workloads;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_string_of_bytes_is_a_plan_that_its_system_takes(
        bytes in prop::collection::vec(any::<u8>(), 0..LEN_MAX + 8)
    ) {
        for (target, kind) in SCHEDULES {
            let plan = plan_of(target, &bytes).unwrap();
            prop_assert_eq!(plan.validate(), Ok(()));
            prop_assert_eq!(check_names(&plan, &registry::vocabulary(*kind)), Ok(()));
            prop_assert!(registry::check_regime(*kind, &plan, Mutants::NONE).is_ok());
            prop_assert_eq!(from_toml(&to_toml(&plan)).unwrap(), plan);
        }
    }
}

#[test]
fn every_schedule_is_a_target() {
    for (name, _) in SCHEDULES {
        assert!(TARGETS.iter().any(|target| target.name == *name), "{name}");
    }
    assert_eq!(plan_of("frames", &[]), None);
}

#[test]
fn the_seeds_have_names_of_their_own_and_every_class_of_faults() {
    // What no other system bears.
    let few = [FaultClass::Byzantine, FaultClass::ByzantineClients, FaultClass::Reconfigure];
    for (target, without) in [
        (QUORUM, [FaultClass::ByzantineClients].as_slice()),
        (PAXOS_SINGLE, &few),
        (PAXOS, &few),
        (PSB, &few),
        (VR, &[FaultClass::Byzantine, FaultClass::ByzantineClients]),
        (PBFT, &[FaultClass::Reconfigure]),
    ] {
        let seeds = (target.seeds)();
        let names: BTreeSet<&str> = seeds.iter().map(|seed| seed.name.as_str()).collect();
        assert_eq!(names.len(), seeds.len());
        let plans = seeds.iter().filter_map(|seed| plan_of(target.name, &seed.bytes));
        let classes: BTreeSet<FaultClass> =
            plans.flat_map(|plan| plan.faults).map(|planned| planned.fault.class()).collect();
        let all = FaultClass::ALL.iter().filter(|class| !without.contains(class));
        assert_eq!(classes, all.copied().collect(), "{}", target.name);
    }
}

#[test]
fn the_seeds_call_every_function_of_every_workload() {
    for (target, kind) in SCHEDULES {
        let seeds = TARGETS.iter().find(|of| of.name == *target).map(|of| (of.seeds)()).unwrap();
        let plans: Vec<_> = seeds.iter().filter_map(|seed| plan_of(target, &seed.bytes)).collect();
        for workload in workloads(kind.vocabulary()) {
            let scripts = plans.iter().filter(|plan| plan.workload.kind == workload);
            let operations: Vec<_> = scripts
                .flat_map(|plan| &plan.scripts)
                .flat_map(|script| &script.operations)
                .map(ScriptedOperation::planned)
                .collect();
            for function in workload.functions() {
                let is_called = operations.iter().any(|operation| {
                    let mut parts = operation.parts().iter();
                    operation.function() == *function
                        || parts.any(|part| part.function() == *function)
                });
                assert!(is_called, "{target}: {} of {}", function.name(), workload.name());
            }
        }
    }
}

#[test]
fn an_input_is_shown_as_its_plan_and_what_comes_of_it() {
    let shown = (QUORUM.show)(&[]);
    assert!(shown.contains("name = \"quorum-schedule\""), "{shown}");
    assert!(shown.contains("# nothing is broken"), "{shown}");
}

//! Plans as text, and which ones make sense.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

use std::collections::{BTreeMap, BTreeSet};

use quorate_plan::{
    CLIENT_LIES, Endpoint, Fault, FaultClass, FaultRequest, Grudge, LIES, PartitionShape, Plan,
    PlanError, PlannedFault, SystemPlan, Workload, WorldKind, faults,
};

fn kill(at_ms: u64) -> PlannedFault {
    PlannedFault {
        when: None,
        at_ms,
        for_ms: 100,
        fault: Fault::Kill { nodes: BTreeSet::from([0]), after_effects: None },
    }
}

fn plan() -> Plan {
    let system = SystemPlan { kind: "quorum".to_owned(), nodes: 3, options: BTreeMap::new() };
    Plan {
        workload: Workload { clients: 2, ..Workload::default() },
        fault_classes: vec![FaultClass::Partition, FaultClass::Kill],
        faults: vec![partition(), kill(2_000)],
        ..Plan::new("quorum-majority", 7, WorldKind::Live, system)
    }
}

fn partition() -> PlannedFault {
    let ends = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
    let grudge = Grudge::from([
        (Endpoint::Node(0), ends(&["n1", "n2", "c1"])),
        (Endpoint::Client(1), ends(&["n0"])),
    ]);
    let fault = Fault::Partition { shape: PartitionShape::IsolateOne, grudge };
    PlannedFault { when: None, at_ms: 1_000, for_ms: 2_500, fault }
}

/// What is said of the plan after this change to it.
fn complaint(change: impl FnOnce(&mut Plan)) -> String {
    let mut plan = plan();
    change(&mut plan);
    let complaint = plan.validate().unwrap_err().to_string();
    assert!(!complaint.contains('\n'), "one line");
    complaint
}

#[test]
fn the_format_is_this_one() {
    let golden = concat!(
        r#"{"name":"quorum-majority","seed":7,"world":"live","#,
        r#""system":{"kind":"quorum","nodes":3,"options":{}},"#,
        r#""workload":{"kind":"register","clients":2,"rate_per_s":200,"keys":3,"#,
        r#""operations_per_key":300,"read_percent":50,"values":"unique"},"#,
        r#""durations":{"time_limit_ms":30000,"operation_timeout_ms":1000,"final_reads_ms":30000},"#,
        r#""fault_classes":["partition","kill"],"faults":["#,
        r#"{"at_ms":1000,"for_ms":2500,"fault":{"kind":"partition","shape":"isolate-one","#,
        r#""grudge":{"n0":["n1","n2","c1"],"c1":["n0"]}}},"#,
        r#"{"at_ms":2000,"for_ms":100,"fault":{"kind":"kill","nodes":[0]}}]}"#,
    );
    assert_eq!(serde_json::to_string(&plan()).unwrap(), golden);
    assert_eq!(serde_json::from_str::<Plan>(golden).unwrap(), plan());
}

#[test]
fn a_plan_survives_being_written_as_toml_and_read_again() {
    for seed in [0, 1, u64::MAX] {
        let mut plan = plan();
        plan.seed = seed;
        plan.system.options.insert("quorum".to_owned(), "majority".to_owned());
        let classes = FaultClass::ALL.to_vec();
        plan.faults = faults(&FaultRequest {
            seed,
            classes,
            nodes: 5,
            clients: 15,
            time_limit_ms: 30_000,
            liars: 1,
            lies: LIES.iter().map(|lie| (*lie).to_owned()).collect(),
            client_lies: CLIENT_LIES.iter().map(|lie| (*lie).to_owned()).collect(),
            drift_ppm: None,
            memory: None,
            changes: vec![BTreeMap::new()],
            mid_step: true,
        })
        .unwrap();
        let text = toml::to_string(&plan).unwrap();
        assert_eq!(toml::from_str::<Plan>(&text).unwrap(), plan);
    }
}

#[test]
fn a_short_toml_written_by_hand_is_a_plan() {
    let text = r#"
        name = "mine"
        seed = 1
        world = "live"
        system = { kind = "quorum", nodes = 5 }
        workload = { read_percent = 80 }

        [[faults]]
        at_ms = 1000
        for_ms = 2000
        fault = { kind = "kill", nodes = [0, 4] }
    "#;
    let plan: Plan = toml::from_str(text).unwrap();
    assert_eq!(plan.validate(), Ok(()));
    assert_eq!(plan.workload, Workload { read_percent: 80, ..Workload::default() });
    assert_eq!(
        plan.faults[0].fault,
        Fault::Kill { nodes: BTreeSet::from([0, 4]), after_effects: None }
    );
}

#[test]
fn a_misspelt_field_is_not_passed_over() {
    let text =
        "name = 'm'\nseed = 1\nworld = 'live'\nsystem = { kind = 'q', nodes = 5 }\nfauls = []";
    assert!(toml::from_str::<Plan>(text).unwrap_err().to_string().contains("fauls"));
}

#[test]
fn a_good_plan_passes() {
    assert_eq!(plan().validate(), Ok(()));
}

#[test]
fn names_that_are_no_folder_are_refused() {
    for name in ["", ".", "..", "a/b", "a b", "-rf", "latest", "ü", &"x".repeat(65)] {
        let complaint = complaint(|plan| plan.name = name.to_owned());
        assert!(complaint.starts_with(&format!("name: `{name}` cannot name a folder")));
    }
}

#[test]
fn numbers_out_of_bounds_are_named_with_what_is_allowed() {
    assert_eq!(
        complaint(|plan| plan.system.nodes = 0),
        "system.nodes: 0 is out of bounds; allowed are 1 to 12"
    );
    assert_eq!(
        complaint(|plan| plan.workload.read_percent = 101),
        "workload.read_percent: 101 is out of bounds; allowed are 0 to 100"
    );
    assert_eq!(
        complaint(|plan| plan.durations.operation_timeout_ms = 0),
        "durations.operation_timeout_ms: 0 is out of bounds; allowed are 1 to 86400000"
    );
    assert_eq!(
        complaint(|plan| plan.faults[1].at_ms = 30_000),
        "faults[1].at_ms: 30000 is out of bounds; allowed are 0 to 29999"
    );
    for change in [
        (|plan| plan.system.nodes = 13) as fn(&mut Plan),
        |plan| plan.workload.clients = 0,
        |plan| plan.workload.clients = 1_001,
        |plan| plan.workload.keys = 0,
        |plan| plan.workload.operations_per_key = 0,
        |plan| plan.durations.time_limit_ms = 0,
        |plan| plan.durations.final_reads_ms = 0,
        |plan| plan.faults[1].for_ms = 0,
    ] {
        assert!(complaint(change).contains("out of bounds"));
    }
}

fn fault_complaint(fault: Fault) -> String {
    complaint(|plan| plan.faults[1].fault = fault)
}

#[test]
fn faults_must_be_aimed_at_somebody_who_is_there() {
    assert_eq!(
        fault_complaint(Fault::Kill { nodes: BTreeSet::from([1, 3]), after_effects: None }),
        "faults[1].fault.nodes: there is no n3; the plan has 3 nodes (n0 …) and 2 clients (c0 …)"
    );
    assert_eq!(
        fault_complaint(Fault::Kill { nodes: BTreeSet::new(), after_effects: None }),
        "faults[1].fault.nodes: is empty; it must name at least one node"
    );
    let ends = BTreeSet::from([Endpoint::Client(2)]);
    assert!(fault_complaint(Fault::Loss { ends, per_mille: 5 }).contains("there is no c2"));
}

#[test]
fn faults_must_be_possible() {
    let ends = BTreeSet::from([Endpoint::Node(0)]);
    let nodes = BTreeSet::from([0]);
    assert!(
        fault_complaint(Fault::Corrupt { ends: ends.clone(), per_mille: 1_001 })
            .contains("per_mille: 1001 is out of bounds; allowed are 1 to 1000")
    );
    assert_eq!(
        fault_complaint(Fault::Delay { ends, min_ms: 5, max_ms: 4 }),
        "faults[1].fault: min_ms 5 is more than max_ms 4"
    );
    assert!(
        fault_complaint(Fault::Clock { nodes: nodes.clone(), offset_ms: 0, rate_ppm: 0 })
            .contains("rate_ppm: 0 is out of bounds")
    );
    assert_eq!(
        fault_complaint(Fault::Byzantine { nodes: nodes.clone(), lie: "polite".to_owned() }),
        "faults[1].fault.lie: nobody knows the lie `polite`; allowed are wrong-value, \
             wrong-timestamp, silent, equivocate, replay, lie-to-clients, twins, slow, starve, \
             forge-request, mutate, false-checkpoint, omit-certificates, invent-certificates"
    );
    assert_eq!(
        fault_complaint(Fault::Byzantine { nodes, lie: "twins".to_owned() }),
        "faults[1].fault.lie: `twins` are two copies of a replica, which only the simulated world \
             runs; allowed in a live one are all other lies"
    );
    let of_clients = |clients, lie: &str| Fault::ByzantineClients { clients, lie: lie.to_owned() };
    assert_eq!(
        fault_complaint(of_clients([0].into(), "twins")),
        "faults[1].fault.lie: nobody knows the lie `twins`; allowed are equivocate, spoil-authenticator"
    );
    assert!(fault_complaint(of_clients([].into(), "equivocate")).contains("client"));
    assert!(fault_complaint(of_clients([99].into(), "equivocate")).contains("there is no c99"));
}

#[test]
fn grudges_are_about_links_that_exist() {
    let grudge = |from: &str, to: &str| {
        let grudge = Grudge::from([(to.parse().unwrap(), BTreeSet::from([from.parse().unwrap()]))]);
        Fault::Partition { shape: PartitionShape::Random, grudge }
    };
    assert!(fault_complaint(grudge("c0", "c1")).contains("there is no link from c0 to c1"));
    assert!(fault_complaint(grudge("n1", "n1")).contains("there is no link from n1 to n1"));
    assert!(fault_complaint(grudge("n1", "n5")).contains("there is no n5"));
    let nobody = Fault::Partition { shape: PartitionShape::Random, grudge: Grudge::new() };
    assert!(fault_complaint(nobody).contains("at least one link to cut"));
}

#[test]
fn faults_stand_in_order() {
    assert_eq!(
        complaint(|plan| plan.faults[1].at_ms = 999),
        "faults[1].at_ms: 999 is before the fault above it, at 1000; faults stand in order of at_ms"
    );
}

#[test]
fn a_class_that_must_bite_needs_a_fault() {
    let mut plan = plan();
    plan.fault_classes.push(FaultClass::Pause);
    assert_eq!(plan.validate(), Err(PlanError::ClassWithoutFault(FaultClass::Pause)));
    plan.fault_classes = vec![FaultClass::Kill, FaultClass::Kill];
    assert_eq!(plan.validate(), Err(PlanError::ClassTwice(FaultClass::Kill)));
}

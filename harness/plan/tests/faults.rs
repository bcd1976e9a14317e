//! What may be relied on in every schedule of faults.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quorate_plan::{
    Bearing, CLIENT_LIES, Durations, Fault, FaultChoice, FaultClass, FaultRequest, FaultsError,
    LIES, PartitionShape, Plan, PlannedFault, SystemPlan, TWINS, Workload, WorldKind, faults,
};

fn all_classes(liars: u16) -> Vec<FaultClass> {
    let bearing =
        Bearing { liars, lying_clients: true, drift_ppm: None, memory: None, is_changing: true };
    FaultChoice::All.classes(bearing).unwrap()
}

fn requests() -> impl Strategy<Value = FaultRequest> {
    let classes = prop::sample::subsequence(FaultClass::ALL.to_vec(), 0..=17);
    let sizes = (any::<u64>(), 1..=12_u16, 1..=40_u32, 0..=3_u16);
    let limits = prop_oneof![20..2_000_u64, 5_000..90_000_u64, Just(3_600_000_u64)];
    (sizes, limits, classes).prop_map(|((seed, nodes, clients, liars), time_limit_ms, classes)| {
        let liars = liars.min(nodes);
        let mut classes = classes;
        classes.retain(|class| liars > 0 || *class != FaultClass::Byzantine);
        let changes = vec![BTreeMap::new()];
        let lies = lies();
        FaultRequest {
            seed,
            classes,
            nodes,
            clients,
            time_limit_ms,
            liars,
            lies,
            client_lies: client_lies(),
            drift_ppm: None,
            memory: None,
            changes,
            mid_step: true,
        }
    })
}

/// Every lie.
fn lies() -> Vec<String> {
    LIES.iter().map(|lie| (*lie).to_owned()).collect()
}

/// Every lie of clients.
fn client_lies() -> Vec<String> {
    CLIENT_LIES.iter().map(|lie| (*lie).to_owned()).collect()
}

fn plan(request: &FaultRequest) -> Plan {
    let system =
        SystemPlan { kind: "any".to_owned(), nodes: request.nodes, options: BTreeMap::new() };
    Plan {
        workload: Workload { clients: request.clients, ..Workload::default() },
        durations: Durations { time_limit_ms: request.time_limit_ms, ..Durations::default() },
        fault_classes: request.classes.clone(),
        faults: faults(request).unwrap(),
        ..Plan::new("any", request.seed, WorldKind::Sim, system)
    }
}

fn end(fault: &PlannedFault) -> u64 {
    fault.at_ms + fault.for_ms
}

fn first_of(faults: &[PlannedFault], class: FaultClass) -> Option<&PlannedFault> {
    faults.iter().find(|planned| planned.fault.class() == class)
}

/// The nodes that do not serve while this fault lasts.
fn down(fault: &Fault) -> BTreeSet<u16> {
    match fault {
        Fault::Kill { nodes, .. } | Fault::PowerLoss { nodes, .. } | Fault::Pause { nodes } => {
            nodes.clone()
        }
        Fault::Disk { node, .. } => BTreeSet::from([*node]),
        _ => BTreeSet::new(),
    }
}

proptest! {
    #[test]
    fn whatever_is_asked_for_makes_a_valid_plan_in_which_every_class_has_its_turn(
        request in requests(),
    ) {
        // Fewer milliseconds than classes leave no room.
        prop_assume!(request.time_limit_ms > 100);
        let plan = plan(&request);
        prop_assert_eq!(plan.validate(), Ok(()));
        for planned in &plan.faults {
            prop_assert!(request.classes.contains(&planned.fault.class()));
            prop_assert!(end(planned) <= request.time_limit_ms);
        }
    }

    #[test]
    fn the_same_request_gives_the_same_faults(request in requests()) {
        prop_assert_eq!(faults(&request), faults(&request));
    }

    #[test]
    fn in_thirty_seconds_every_class_is_over_once_before_twenty_for_any_cluster(
        seed: u64, nodes in 1..=12_u16,
    ) {
        let classes = all_classes(1);
        let request =
            FaultRequest { nodes, liars: 1, ..request(seed, &classes) };
        let faults = faults(&request).unwrap();
        for class in FaultClass::ALL {
            let first = first_of(&faults, *class).expect("has its turn");
            prop_assert!(end(first) <= 18_000, "{class} ends at {}", end(first));
            prop_assert!(first.for_ms >= 1_000, "{class} lasts {}", first.for_ms);
        }
        prop_assert!(faults[0].at_ms >= 1_000, "operations come before faults");
        prop_assert!(faults.iter().map(end).max().unwrap() <= 29_000, "and after them");
    }

    #[test]
    fn at_most_a_minority_is_down_at_once_or_all_are_killed_for_a_moment(request in requests()) {
        let faults = faults(&request).unwrap();
        let down_max = usize::from(((request.nodes - 1) / 2).max(1));
        for planned in faults.iter().filter(|planned| !down(&planned.fault).is_empty()) {
            let meanwhile: Vec<&PlannedFault> = faults
                .iter()
                .filter(|other| other.at_ms <= planned.at_ms && planned.at_ms < end(other))
                .filter(|other| !down(&other.fault).is_empty())
                .collect();
            let of_all: Vec<u16> = meanwhile.iter().flat_map(|other| down(&other.fault)).collect();
            let distinct: BTreeSet<u16> = of_all.iter().copied().collect();
            prop_assert_eq!(distinct.len(), of_all.len(), "no node is taken down twice");
            let kills_all = matches!(&planned.fault, Fault::Kill { nodes, .. }
                if nodes.len() == usize::from(request.nodes));
            if kills_all && request.nodes > 1 {
                prop_assert_eq!(meanwhile.len(), 1);
                prop_assert!(planned.for_ms <= 1_500);
            } else {
                prop_assert!(of_all.len() <= down_max);
            }
        }
    }

    #[test]
    fn the_liars_are_the_same_few_through_the_whole_run(request in requests()) {
        let mut liars = BTreeSet::new();
        for planned in faults(&request).unwrap() {
            if let Fault::Byzantine { nodes, .. } = planned.fault {
                liars.extend(nodes);
            }
        }
        prop_assert!(liars.len() <= usize::from(request.liars));
    }
}

/// A request for nodes that keep their memory in themselves, of which fewer than half may forget.
fn forgetful(request: FaultRequest) -> FaultRequest {
    let memory = request.nodes.saturating_sub(1) / 2;
    let mut classes = request.classes;
    classes.retain(|class| !class.is_of_disk() && (memory > 0 || !class.ends_processes()));
    FaultRequest { classes, memory: Some(memory), ..request }
}

/// The nodes whose processes end, in all of these faults together.
fn ended<'a>(faults: impl IntoIterator<Item = &'a PlannedFault>) -> BTreeSet<u16> {
    let ends = |planned: &&PlannedFault| planned.fault.class().ends_processes();
    faults.into_iter().filter(ends).flat_map(|planned| planned.fault.nodes()).collect()
}

proptest! {
    #[test]
    fn processes_end_in_as_many_nodes_only_as_may_forget(request in requests()) {
        let request = forgetful(request);
        let faults = faults(&request).unwrap();
        prop_assert!(ended(&faults).len() <= usize::from(request.memory.unwrap()));
        for planned in &faults {
            let is_aimed = planned.fault.part().is_none() || !planned.fault.nodes().is_empty();
            prop_assert!(is_aimed, "{}", planned.fault);
        }
        prop_assert_eq!(plan(&request).validate(), Ok(()));
    }
}

#[test]
fn who_may_forget_differs_from_run_to_run_and_all_of_them_do_at_once_now_and_then() {
    let classes = [FaultClass::Kill, FaultClass::PowerLoss, FaultClass::Pause];
    let (mut sets, mut at_once, mut paused) = (BTreeSet::new(), 0, BTreeSet::new());
    for seed in 0..100 {
        let faults = faults(&forgetful(request(seed, &classes))).unwrap();
        let mortals = ended(&faults);
        at_once += faults.iter().filter(|planned| ended([*planned]) == mortals).count();
        let stopped = faults.iter().filter(|planned| planned.fault.class() == FaultClass::Pause);
        paused.extend(stopped.flat_map(|planned| planned.fault.nodes()).map(|node| {
            let is_mortal = mortals.contains(&node);
            (node, is_mortal)
        }));
        sets.insert(mortals);
    }
    let pairs = sets.iter().filter(|set| set.len() == 2).count();
    assert_eq!(pairs, 10, "any two of five: {sets:?}");
    assert!(at_once > 50, "{at_once}");
    assert_eq!(paused.len(), 10, "who is stopped forgets nothing, so that it may be anybody");
}

#[test]
fn bad_disks_need_a_system_that_relies_on_them() {
    let asked = FaultRequest { memory: Some(2), ..request(1, &[FaultClass::CutTail]) };
    let error = faults(&asked).unwrap_err().to_string();
    assert!(error.contains("keeps its memory in its nodes, and not on their disks"), "{error}");
}

#[test]
fn liars_lie_only_as_they_may() {
    let drawn = |lies: &[&str]| {
        let lies: Vec<_> = lies.iter().map(|lie| (*lie).to_owned()).collect();
        let classes = [FaultClass::Byzantine];
        let mut told = BTreeSet::new();
        for seed in 0..80 {
            let request = FaultRequest { liars: 1, lies: lies.clone(), ..request(seed, &classes) };
            for planned in faults(&request)? {
                if let Fault::Byzantine { lie, .. } = planned.fault {
                    told.insert(lie);
                }
            }
        }
        Ok(told)
    };
    let all = |lies: &[&str]| lies.iter().map(|lie| (*lie).to_owned()).collect();
    assert_eq!(drawn(LIES), Ok(all(LIES)));
    let live: Vec<&str> = LIES.iter().copied().filter(|lie| *lie != TWINS).collect();
    assert_eq!(drawn(&live), Ok(all(&live)));
    assert_eq!(drawn(&["replay"]), Ok(all(&["replay"])));
    let class = FaultClass::Byzantine;
    assert_eq!(drawn(&[]), Err(FaultsError::NoLies { class }));
}

#[test]
fn no_more_than_half_of_the_clients_lie_in_a_run_and_only_as_they_may() {
    let (mut told, mut who) = (BTreeSet::new(), BTreeSet::new());
    for seed in 0..40 {
        let mut liars = BTreeSet::new();
        for planned in faults(&request(seed, &[FaultClass::ByzantineClients])).unwrap() {
            let Fault::ByzantineClients { clients, lie } = planned.fault else { panic!() };
            liars.extend(clients);
            told.insert(lie);
        }
        assert!((1..=7).contains(&liars.len()), "{liars:?}");
        who.extend(liars);
    }
    assert_eq!(told, client_lies().into_iter().collect());
    assert_eq!(who.len(), 15);
    let believed =
        FaultRequest { client_lies: vec![], ..request(1, &[FaultClass::ByzantineClients]) };
    assert_eq!(faults(&believed), Err(FaultsError::NoLyingClientsTolerated));
}

fn request(seed: u64, classes: &[FaultClass]) -> FaultRequest {
    let classes = classes.to_vec();
    FaultRequest {
        seed,
        classes,
        nodes: 5,
        clients: 15,
        time_limit_ms: 30_000,
        liars: 0,
        lies: lies(),
        client_lies: client_lies(),
        drift_ppm: None,
        memory: None,
        changes: vec![BTreeMap::new()],
        mid_step: false,
    }
}

#[test]
fn clocks_that_may_only_drift_do_not_jump_and_keep_their_bounds() {
    let mut rates = BTreeSet::new();
    for seed in 0..50 {
        let asked = FaultRequest { drift_ppm: Some(1_000), ..request(seed, &[FaultClass::Clock]) };
        for planned in faults(&asked).unwrap() {
            let Fault::Clock { offset_ms, rate_ppm, .. } = planned.fault else { panic!() };
            assert_eq!(offset_ms, 0);
            assert!((999_000..=1_001_000).contains(&rate_ppm), "{rate_ppm}");
            rates.insert(rate_ppm);
        }
    }
    assert!(rates.contains(&999_000) && rates.contains(&1_001_000) && rates.len() > 5);
    let asked = FaultRequest { drift_ppm: Some(0), ..request(1, &[FaultClass::Clock]) };
    assert_eq!(faults(&asked), Err(FaultsError::NoDriftTolerated));
}

fn shapes(request: &FaultRequest) -> Vec<PartitionShape> {
    let shape = |planned: PlannedFault| match planned.fault {
        Fault::Partition { shape, .. } => Some(shape),
        _ => None,
    };
    faults(request).unwrap().into_iter().filter_map(shape).collect()
}

#[test]
fn a_run_with_only_partitions_shows_several_shapes_and_all_come_equally_often() {
    let mut counts: BTreeMap<PartitionShape, usize> = BTreeMap::new();
    for seed in 0..300 {
        let shapes = shapes(&request(seed, &[FaultClass::Partition]));
        let distinct: BTreeSet<_> = shapes.iter().collect();
        assert!(distinct.len() >= 3, "seed {seed}: {shapes:?}");
        for shape in shapes {
            *counts.entry(shape).or_default() += 1;
        }
    }
    let mean = counts.values().sum::<usize>() / counts.len();
    assert_eq!(counts.len(), PartitionShape::ALL.len());
    assert!(counts.values().all(|count| count.abs_diff(mean) < mean / 5), "{counts:?}");
}

#[test]
fn faults_overlap_and_leave_quiet_gaps() {
    let faults = faults(&request(7, &all_classes(0))).unwrap();
    let at = |ms: u64| faults.iter().filter(|f| f.at_ms <= ms && ms < end(f)).count();
    assert!((0..30_000).step_by(50).any(|ms| at(ms) >= 3), "several at once");
    let last = faults.last().unwrap().at_ms;
    assert!((faults[0].at_ms..last).step_by(50).any(|ms| at(ms) == 0), "none for a while");
}

#[test]
fn a_run_of_five_seconds_still_has_every_default_class() {
    for seed in 0..200 {
        let short = FaultRequest { time_limit_ms: 5_000, ..request(seed, FaultClass::DEFAULT) };
        let faults = faults(&short).unwrap();
        for class in FaultClass::DEFAULT {
            let first = first_of(&faults, *class).expect("has its turn");
            assert!(first.for_ms >= 400, "seed {seed}: {class} lasts {}", first.for_ms);
        }
    }
}

#[test]
fn killing_everybody_happens_but_is_rare() {
    let kills = |seed| {
        let faults = faults(&request(seed, &[FaultClass::Kill])).unwrap();
        faults.into_iter().map(|planned| down(&planned.fault).len()).collect::<Vec<_>>()
    };
    let all: Vec<usize> = (0..100).flat_map(kills).collect();
    let everybody = all.iter().filter(|count| **count == 5).count();
    assert!(
        everybody * 3 < all.len() && everybody * 12 > all.len(),
        "{everybody} of {}",
        all.len()
    );
    assert!(all.contains(&1) && all.contains(&2));
}

#[test]
fn lies_need_a_system_that_tolerates_them() {
    let error = faults(&request(1, &[FaultClass::Byzantine])).unwrap_err();
    assert!(error.to_string().contains("tolerates no lying node"), "{error}");
}

#[test]
fn a_longer_run_has_more_faults_but_not_without_bound() {
    let count = |time_limit_ms| {
        let long = FaultRequest { time_limit_ms, ..request(3, &all_classes(0)) };
        faults(&long).unwrap().len()
    };
    assert!(count(120_000) > 2 * count(30_000));
    assert!(count(24 * 3_600_000) < 2_000);
}

#[test]
fn only_where_it_is_asked_for_do_crashes_come_in_the_middle_of_a_step() {
    let classes = [FaultClass::Kill, FaultClass::PowerLoss, FaultClass::Pause, FaultClass::Loss];
    let (mut between, mut in_the_middle) = ([0; 2], [0; 2]);
    for seed in 0..50 {
        let without = request(seed, &classes);
        let with = faults(&FaultRequest { mid_step: true, ..without.clone() }).unwrap();
        let mut same = with.clone();
        for planned in &mut same {
            if let Fault::Kill { after_effects, .. } | Fault::PowerLoss { after_effects, .. } =
                &mut planned.fault
            {
                *after_effects = None;
            }
        }
        assert_eq!(faults(&without).unwrap(), same, "nothing else depends on it");
        for planned in &with {
            let (place, after_effects) = match &planned.fault {
                Fault::Kill { after_effects, .. } => (0, after_effects),
                Fault::PowerLoss { after_effects, .. } => (1, after_effects),
                _ => continue,
            };
            match after_effects {
                Some(effects) => {
                    assert!((1..=4).contains(effects));
                    in_the_middle[place] += 1;
                }
                None => between[place] += 1,
            }
        }
    }
    for place in 0..2 {
        let all = between[place] + in_the_middle[place];
        assert!((40..=60).contains(&(100 * in_the_middle[place] / all)), "about half");
    }
}

#[test]
fn a_time_limit_has_room_for_every_class_or_is_refused_with_one_that_has() {
    for (nodes, liars) in [(1, 0), (2, 1), (3, 1), (5, 1), (12, 3)] {
        for classes in [FaultClass::DEFAULT.to_vec(), all_classes(liars)] {
            for time_limit_ms in 1..=30 {
                for seed in 0..20 {
                    let asked =
                        FaultRequest { nodes, liars, time_limit_ms, ..request(seed, &classes) };
                    if let Err(error) = faults(&asked) {
                        let FaultsError::TooShort { at_least_ms, .. } = error else {
                            panic!("{error}")
                        };
                        assert!((time_limit_ms + 1..=20).contains(&at_least_ms), "{error}");
                        let longer = FaultRequest { time_limit_ms: at_least_ms, ..asked };
                        assert_eq!(plan(&longer).validate(), Ok(()));
                    } else {
                        assert_eq!(plan(&asked).validate(), Ok(()), "{asked:?}");
                    }
                }
            }
        }
    }
}

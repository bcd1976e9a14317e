//! From bytes to a plan that makes sense, whatever they are.

use std::collections::BTreeSet;

use quorate_plan::{
    Delay, Durations, Fault, Liveness, Plan, PlannedFault, Script, SystemPlan, ValueChoice,
    Weather, Workload, WorkloadKind, WorldKind,
};
use quorate_systems::contract::System;
use quorate_systems::mutant::Mutants;
use quorate_world::weather;

use super::bytes::{Head, Parts, Record, dice, one_of};
use super::parts::{Cast, FaultDraft, Timed};

/// When the run ends at the latest, in virtual milliseconds; most end with their scripts.
const LIMIT_MS: u64 = 3_000;
/// The longest back-off of any core is far shorter, as for a hunt.
const BOUND_MS: u64 = 30_000;
/// More of these are not taken: each is looked at for every message.
const RULES_MAX: usize = 8;
const FAULTS_MAX: usize = 8;
/// Beside those that follow from the head.
const OPERATIONS_MAX: usize = 12;

/// The plan of an input.
pub(super) fn plan<S: System>(bytes: &[u8]) -> Plan {
    let Parts { head, dice: thrown, records } = Parts::of(bytes);
    let (nodes, options) = S::draw_cluster(&mut dice(&thrown));
    let seed = u64::from(head.seed);
    let cast = cast::<S>(head, nodes);
    let system = SystemPlan { kind: S::KIND.name().to_owned(), nodes, options };
    let faults = of_sort(&records, 5..10).take(FAULTS_MAX).filter_map(|record| cast.fault(record));
    let faults = settled::<S>(faults.collect(), &system);
    Plan {
        workload: workload(head, &cast),
        scripts: scripts(head, &cast, of_sort(&records, 0..5)),
        durations: durations(head),
        weather: Some(weather_of(head)),
        faults,
        rules: of_sort(&records, 10..16).take(RULES_MAX).map(|record| cast.rule(record)).collect(),
        liveness: liveness(head, nodes),
        ..Plan::new(&format!("{}-schedule", S::KIND), seed, WorldKind::Sim, system)
    }
}

fn of_sort(records: &[Record], sorts: std::ops::Range<u8>) -> impl Iterator<Item = Record> {
    records.iter().copied().filter(move |record| sorts.contains(&record.sort()))
}

fn cast<S: System>(head: Head, nodes: u16) -> Cast {
    Cast {
        vocabulary: S::vocabulary(),
        nodes,
        clients: 1 + u32::from(head.load.wrapping_add(1) & 3),
        keys: 1 + (head.load >> 2 & 1),
        limit_ms: LIMIT_MS,
        few_values: head.reads & 7 == 7,
    }
}

fn workload(head: Head, cast: &Cast) -> Workload {
    Workload {
        kind: WorkloadKind::Register,
        clients: cast.clients,
        rate_per_s: 0,
        keys: cast.keys.into(),
        operations_per_key: 100,
        read_percent: read_percent(head),
        values: if cast.few_values { ValueChoice::Few } else { ValueChoice::Unique },
    }
}

fn read_percent(head: Head) -> u8 {
    one_of(&[50, 20, 40, 60, 80], head.reads >> 3).unwrap_or(50)
}

fn durations(head: Head) -> Durations {
    let operation_timeout_ms = one_of(&[1_000, 200, 600, 3_000], head.end >> 2).unwrap_or(1_000);
    Durations { time_limit_ms: LIMIT_MS, operation_timeout_ms, ..Durations::default() }
}

/// Some operations of each client that follow from the seed, then those that are written out.
fn scripts(head: Head, cast: &Cast, records: impl Iterator<Item = Record>) -> Vec<Script> {
    let mut scripts: Vec<Script> =
        (0..cast.clients).map(|client| Script { client, operations: Vec::new() }).collect();
    let mut nth = 0;
    for script in &mut scripts {
        for _ in 0..head.load >> 3 & 3 {
            let draw = weather::draw(head.seed.into(), "operation", &[nth]);
            let reads = draw % 100 < u64::from(read_percent(head));
            let key = draw / 100 % u64::from(cast.keys);
            script.operations.push(cast.command(reads, key, nth, None));
            nth += 1;
        }
    }
    for record in records.take(OPERATIONS_MAX) {
        let (client, operation) = cast.operation(record, nth);
        nth += 1;
        if let Some(script) = scripts.iter_mut().find(|script| script.client == client) {
            script.operations.push(operation);
        }
    }
    scripts
}

fn weather_of(head: Head) -> Weather {
    let scale_us = one_of(&[1_000, 5_000, 20_000, 60_000], head.delay >> 2).unwrap_or(1_000);
    let delay = match head.delay & 3 {
        0 => {
            let parts = one_of(&[4, 1, 20], head.delay >> 4).unwrap_or(1);
            Delay::Uniform { min_us: scale_us / parts, max_us: scale_us }
        }
        1 => Delay::Exponential { mean_us: scale_us / 3 },
        2 => Delay::Priorities {
            base_us: scale_us / 10,
            ranks: 2 + head.ranks % 5,
            changes: head.ranks >> 4 & 3,
        },
        _ => Delay::Constant { us: scale_us },
    };
    Weather {
        delay,
        loss_per_mille: one_of(&[0, 0, 20, 100], head.rough).unwrap_or(0),
        duplicate_per_mille: one_of(&[0, 0, 50, 200], head.rough >> 2).unwrap_or(0),
        sync_min_us: 100,
        sync_max_us: one_of(&[200, 2_000, 20_000, 200], head.rough >> 4).unwrap_or(200),
    }
}

/// In one run of four a majority is healed first, and must suffice where it can.
fn liveness(head: Head, nodes: u16) -> Option<Liveness> {
    let first = u16::from(head.end >> 4) % nodes;
    let core = (0..=nodes / 2).map(|place| (first + place) % nodes).collect();
    (head.end & 3 == 3).then_some(Liveness { core: Some(core), bound_ms: BOUND_MS })
}

/// In the order in which they must stand; no more liars than the system bears, and only changes that it can make.
fn settled<S: System>(mut drafts: Vec<Timed>, system: &SystemPlan) -> Vec<PlannedFault> {
    drafts.sort_by_key(|draft| (draft.when.is_some(), draft.at_ms));
    let mut regime = None;
    let settle = |draft: &Timed| {
        let fault = match &draft.fault {
            FaultDraft::Plain(fault) => fault.clone(),
            // To check a configuration takes longer than all else here, and most plans do not need it.
            FaultDraft::Lie { node, lie } => {
                regime.get_or_insert_with(|| Regime::<S>::of(system)).lie(*node, lie)?
            }
            FaultDraft::Change(bytes) => {
                regime.get_or_insert_with(|| Regime::<S>::of(system)).change(bytes)?
            }
        };
        Some(draft.planned(fault))
    };
    drafts.iter().filter_map(settle).collect()
}

/// What the system can do and bears, after the faults so far.
struct Regime<S: System> {
    config: S::Config,
    tolerated: usize,
    liars: BTreeSet<u16>,
}

impl<S: System> Regime<S> {
    fn of(system: &SystemPlan) -> Self {
        let config = S::configure(system.nodes, &system.options, Mutants::NONE);
        let config = config.expect("a system can be what it draws");
        let tolerated = S::liars_tolerated(&config).into();
        Self { config, tolerated, liars: BTreeSet::new() }
    }

    /// This node lies, or another one if there would be too many liars.
    fn lie(&mut self, node: u16, lie: &str) -> Option<Fault> {
        if self.liars.len() < self.tolerated {
            self.liars.insert(node);
        }
        let node = if self.liars.contains(&node) { node } else { *self.liars.first()? };
        Some(Fault::Byzantine { nodes: [node].into(), lie: lie.to_owned() })
    }

    fn change(&mut self, thrown: &[u8]) -> Option<Fault> {
        let options = S::draw_change(&self.config, &mut dice(thrown))?;
        self.config =
            S::change(&self.config, &options).expect("a system can change to what it draws");
        Some(Fault::Reconfigure { options })
    }
}

//! From bytes to a plan that makes sense, whatever they are.

use std::collections::BTreeSet;

use quorate_plan::{
    Delay, Durations, Fault, Liveness, Plan, PlannedFault, RIGHT_RATE_PPM, Script,
    ScriptedOperation, SystemPlan, ValueChoice, Weather, Workload, WorkloadKind, WorldKind,
};
use quorate_systems::contract::{NodeId, System};
use quorate_systems::mutant::Mutants;
use quorate_systems::vocabulary::Vocabulary;
use quorate_world::weather;

use super::bytes::{Head, Parts, Record, dice, one_of};
use super::parts::{Cast, FaultDraft, Timed};
use crate::commands::workloads;

/// When the run ends at the latest, in virtual milliseconds; most end with their scripts.
const LIMIT_MS: u64 = 3_000;
/// The longest back-off of any core is far shorter, as for a hunt.
const BOUND_MS: u64 = 30_000;
/// More of these are not taken: each is looked at for every message.
const RULES_MAX: usize = 6;
const FAULTS_MAX: usize = 6;
/// Of all clients together: some ten events each.
const OPERATIONS_MAX: u64 = 10;

/// The plan of an input.
pub(super) fn plan<S: System>(bytes: &[u8]) -> Plan {
    let Parts { head, dice: thrown, records } = Parts::of(bytes);
    let (nodes, options) = S::draw_cluster(&mut dice(&thrown));
    let seed = u64::from(head.seed);
    let cast = cast::<S>(head, nodes);
    let system = SystemPlan { kind: S::KIND.name().to_owned(), nodes, options };
    let faults = of_sort(&records, 5..10).take(FAULTS_MAX).filter_map(|record| cast.fault(record));
    let mut regime = Regime::<S>::of(&system);
    let faults = settled(faults.collect(), &mut regime);
    let liveness = liveness(head, &mut regime);
    Plan {
        workload: workload(head, &cast),
        scripts: scripts(head, &cast, of_sort(&records, 0..5)),
        durations: durations(head),
        weather: Some(weather_of(head)),
        faults,
        rules: of_sort(&records, 10..16).take(RULES_MAX).map(|record| cast.rule(record)).collect(),
        liveness,
        ..Plan::new(&format!("{}-schedule", S::KIND), seed, WorldKind::Sim, system)
    }
}

fn of_sort(records: &[Record], sorts: std::ops::Range<u8>) -> impl Iterator<Item = Record> {
    records.iter().copied().filter(move |record| sorts.contains(&record.sort()))
}

fn cast<S: System>(head: Head, nodes: u16) -> Cast {
    Cast {
        vocabulary: S::vocabulary(),
        kind: workload_kind(S::vocabulary(), head),
        nodes,
        clients: 1 + u32::from(head.load.wrapping_add(1) & 3),
        keys: 1 + (head.load >> 2 & 1),
        limit_ms: LIMIT_MS,
        few_values: head.reads & 7 == 7,
    }
}

/// One of the workloads that the system can serve.
fn workload_kind(vocabulary: &Vocabulary, head: Head) -> WorkloadKind {
    let kinds: Vec<WorkloadKind> = workloads(vocabulary).collect();
    one_of(&kinds, head.load >> 5).unwrap_or(WorkloadKind::Register)
}

fn workload(head: Head, cast: &Cast) -> Workload {
    Workload {
        kind: cast.kind,
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
    for _ in 0..head.load >> 3 & 3 {
        for script in &mut scripts {
            if nth == OPERATIONS_MAX {
                break;
            }
            let draw = weather::draw(head.seed.into(), "operation", &[nth]);
            let reads = draw % 100 < u64::from(read_percent(head));
            let key = draw / 100 % u64::from(cast.keys);
            let choice = u8::try_from(draw >> 32 & 0xFF).expect("a byte");
            let operation = cast.command(reads, (key, nth), choice);
            script.operations.push(ScriptedOperation::of(&operation, None));
            nth += 1;
        }
    }
    for (record, nth) in records.zip(nth..OPERATIONS_MAX) {
        let (client, operation) = cast.operation(record, nth);
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

/// In one run of four a majority is healed first, and must suffice. Where it cannot there is no core: nobody would be held
/// to anything while most of the run's time went by.
fn liveness<S: System>(head: Head, regime: &mut Regime<'_, S>) -> Option<Liveness> {
    if head.end & 3 != 3 {
        return None;
    }
    let nodes = regime.system.nodes;
    let first = u16::from(head.end >> 4) % nodes;
    let core: BTreeSet<u16> = (0..=nodes / 2).map(|place| (first + place) % nodes).collect();
    let core = regime.lives_with(&core).then_some(core)?;
    Some(Liveness { core: Some(core), bound_ms: BOUND_MS })
}

/// In the order in which they must stand; no more liars than the system bears, clocks no further off, no bad disks where
/// nothing is on them, and only changes that it can make.
fn settled<S: System>(mut drafts: Vec<Timed>, regime: &mut Regime<'_, S>) -> Vec<PlannedFault> {
    drafts.sort_by_key(|draft| (draft.when.is_some(), draft.at_ms));
    let settle = |draft: &Timed| {
        let fault = match &draft.fault {
            FaultDraft::Plain(fault) => regime.bears(fault.clone())?,
            FaultDraft::Lie { node, client, how } => regime.lie(*node, *client, *how)?,
            FaultDraft::Change(bytes) => regime.change(bytes)?,
        };
        Some(draft.planned(fault))
    };
    drafts.iter().filter_map(settle).collect()
}

/// From this choice on it is a client that lies, where the system bears that.
const CLIENTS_FROM: u8 = 192;

/// What the system can do and bears, after the faults so far.
struct Regime<'a, S: System> {
    system: &'a SystemPlan,
    /// Every configuration that it may come to. To check one takes longer than all else here, and most plans need
    /// none: empty until somebody asks.
    configs: Vec<S::Config>,
    liars: BTreeSet<u16>,
}

impl<'a, S: System> Regime<'a, S> {
    const fn of(system: &'a SystemPlan) -> Self {
        Self { system, configs: Vec::new(), liars: BTreeSet::new() }
    }

    fn configs(&mut self) -> &mut Vec<S::Config> {
        if self.configs.is_empty() {
            let SystemPlan { nodes, options, .. } = self.system;
            let first = S::configure(*nodes, options, Mutants::NONE);
            self.configs.push(first.expect("a system can be what it draws"));
        }
        &mut self.configs
    }

    /// This node lies, or another one if there would be too many liars; or the client, where the system bears that,
    /// once in a few times.
    fn lie(&mut self, node: u16, client: u32, how: u8) -> Option<Fault> {
        let config = self.configs().first()?;
        let (lies, client_lies) = (S::lies(config), S::client_lies(config));
        if let Some(lie) = one_of(client_lies, how).filter(|_| how >= CLIENTS_FROM) {
            let (clients, lie) = ([client].into(), lie.name().to_owned());
            return Some(Fault::ByzantineClients { clients, lie });
        }
        let lie = one_of(lies, how)?;
        let tolerated = self.configs().first().map_or(0, S::liars_tolerated);
        if self.liars.len() < tolerated.into() {
            self.liars.insert(node);
        }
        let node = if self.liars.contains(&node) { node } else { *self.liars.first()? };
        Some(Fault::Byzantine { nodes: [node].into(), lie: lie.name().to_owned() })
    }

    /// The fault, no worse than the system bears: where it counts on clocks, they run no further off than it allows for,
    /// and do not jump; where nodes keep their memory in themselves, disks are no matter. Processes may end as they
    /// like: where too many forget, nobody is held to end anything.
    fn bears(&mut self, fault: Fault) -> Option<Fault> {
        if fault.class().is_of_disk() {
            let is_on_disk = |config| S::forgetting_tolerated(config).is_none();
            return self.configs().first().is_none_or(is_on_disk).then_some(fault);
        }
        let Fault::Clock { nodes, offset_ms, rate_ppm } = fault else { return Some(fault) };
        let Some(drift) = self.configs().first().and_then(S::drift_tolerated) else {
            return Some(Fault::Clock { nodes, offset_ms, rate_ppm });
        };
        let (least, most) =
            (RIGHT_RATE_PPM.saturating_sub(drift), RIGHT_RATE_PPM.saturating_add(drift));
        Some(Fault::Clock { nodes, offset_ms: 0, rate_ppm: rate_ppm.clamp(least, most) })
    }

    fn change(&mut self, thrown: &[u8]) -> Option<Fault> {
        let configs = self.configs();
        let last = configs.last()?;
        let options = S::draw_change(last, &mut dice(thrown))?;
        let next = S::change(last, &options).expect("a system can change to what it draws");
        configs.push(next);
        Some(Fault::Reconfigure { options })
    }

    /// Whether these nodes suffice, whatever the system comes to.
    fn lives_with(&mut self, nodes: &BTreeSet<u16>) -> bool {
        let nodes: Vec<NodeId> = nodes.iter().copied().map(NodeId).collect();
        self.configs().iter().all(|config| S::is_live(config, &nodes))
    }
}

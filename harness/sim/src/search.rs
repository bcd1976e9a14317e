//! From a seed to a Plan: what a campaign runs.
//!
//! First the swarm configuration is drawn: the cluster, how long, how busy, which kind of search, which faults
//! at all (Groce et al., "Swarm Testing", 2012). Then the faults are. Three searches take turns, since none wins
//! everywhere: uniform delays (swarm), memoryless ones (a random walk among the interleavings), and ranked links
//! with a few changes (priorities). Some seeds have a pattern besides: nodes that go away one after the other
//! (`relay`), liars that keep to one lie (`character`), or clients that lie where nothing else goes wrong (`clients`):
//! what has to come together for it is too seldom drawn piece by piece. Everything follows from the seed and the
//! system's kind; nothing here knows what is planted.

mod character;
mod clients;
mod pace;
mod relay;
mod wishes;

use quorate_plan::{
    Bearing, Delay, Durations, Fault, FaultClass, FaultRequest, Liveness, Plan, PlannedFault,
    SystemPlan, ValueChoice, Weather, Workload, WorkloadKind, WorldKind, faults,
};
use quorate_systems::contract::{Lie, Options};
use quorate_systems::vocabulary::Vocabulary;
use quorate_world::weather::{self, Purpose};

pub(crate) use pace::be_patient;
pub use wishes::Wishes;

/// The fewest and the most operations that a plan aims at. Small runs: what can be found is mostly found by few
/// operations, and many runs are different runs.
const OPERATIONS: (u64, u64) = (8, 48);

/// Within what time everybody must be done once a core is healed, in milliseconds.
const BOUND_MS: u64 = 30_000;

/// Draws one number after the other, each for what it is named.
struct Draw {
    purpose: Purpose,
    count: u64,
}

impl Draw {
    fn new(seed: u64, name: &str) -> Self {
        Self { purpose: Purpose::new(seed, name), count: 0 }
    }

    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.count += 1;
        weather::between(self.purpose.draw([self.count]), 0, bound.max(1) - 1)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        let place = self.below(choices.len() as u64);
        let place = usize::try_from(place).expect("below a length");
        *choices.get(place).expect("a choice among some")
    }

    fn between(&mut self, min: u64, max: u64) -> u64 {
        min + self.below(max - min + 1)
    }

    fn node(&mut self, nodes: u16) -> u16 {
        u16::try_from(self.below(u64::from(nodes))).expect("a node")
    }
}

/// The dice for a system to draw a cluster with.
pub(crate) fn cluster_dice(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut draw = Draw::new(seed, "cluster");
    move |bound| draw.below(bound)
}

/// The dice for the nth change of a system that runs.
pub(crate) fn change_dice(seed: u64, nth: u64) -> impl FnMut(u64) -> u64 {
    let mut draw = Draw::new(weather::draw(seed, "change", &[nth]), "change");
    move |bound| draw.below(bound)
}

/// One of the workloads that a system lists; nothing is drawn where there is no choice.
fn draw_workload(system: &Vocabulary, draw: &mut Draw) -> WorkloadKind {
    let is_listed = |kind: &&WorkloadKind| system.workloads.contains(&kind.name());
    let listed: Vec<WorkloadKind> = WorkloadKind::ALL.iter().filter(is_listed).copied().collect();
    match listed.as_slice() {
        [] => WorkloadKind::Register,
        [only] => *only,
        several => draw.of(several),
    }
}

/// Everything but the faults.
pub(crate) fn draw_calm(
    seed: u64,
    system: &Vocabulary,
    cluster: (u16, Options),
    workload: Option<WorkloadKind>,
) -> Plan {
    let (nodes, options) = cluster;
    let mut draw = Draw::new(seed, "run");
    let weather = draw_weather(seed, &mut draw);
    let clients = u32::try_from(draw.between(2, 5)).expect("few");
    let operations = draw.between(OPERATIONS.0, OPERATIONS.1);
    let round_trip_us = round_trip_us(weather);
    // Half of the runs are as busy as they can be; the others have time for faults between operations.
    let busy = draw.one_in(2);
    let time_limit_ms = if busy {
        (operations * round_trip_us / (u64::from(clients) * 1_000)).clamp(20, 20_000)
    } else {
        draw.of(&[300, 1_000, 3_000])
    };
    let rate = (operations * 1_000 / time_limit_ms).max(1);
    let drawn = draw_workload(system, &mut draw);
    let kind = workload.unwrap_or(drawn);
    let keys = u32::try_from(draw.between(1, 2)).expect("few");
    let operations_per_key = draw.of(&[10, 30, 100]);
    let workload = Workload {
        kind,
        clients,
        rate_per_s: if busy { 0 } else { u32::try_from(rate).unwrap_or(u32::MAX) },
        keys,
        operations_per_key: match kind {
            // Once something is decided there is little left to see: more instances are more decisions.
            WorkloadKind::Consensus => operations_per_key / 5 + 1,
            WorkloadKind::Register
            | WorkloadKind::CasRegister
            | WorkloadKind::Append
            | WorkloadKind::Transaction
            | WorkloadKind::Set
            | WorkloadKind::Counter => operations_per_key,
        },
        read_percent: draw.of(&[20, 40, 50, 60, 80]),
        values: if draw.one_in(8) { ValueChoice::Few } else { ValueChoice::Unique },
    };
    let durations = Durations {
        time_limit_ms,
        operation_timeout_ms: draw.of(&[200, 600, 1_000, 3_000]),
        ..Durations::default()
    };
    let name = format!("{}-hunt", system.name);
    let system = SystemPlan { kind: system.name.to_owned(), nodes, options };
    Plan {
        workload,
        durations,
        weather: Some(weather),
        ..Plan::new(&name, seed, WorldKind::Sim, system)
    }
}

/// The searches take turns by the seed.
fn draw_weather(seed: u64, draw: &mut Draw) -> Weather {
    let scale_us = draw.of(&[1_000, 5_000, 20_000, 60_000, 200_000]);
    let delay = match seed % 3 {
        0 => Delay::Uniform { min_us: scale_us / draw.of(&[1, 4, 20]), max_us: scale_us },
        1 => Delay::Exponential { mean_us: scale_us / 3 },
        _ => Delay::Priorities {
            base_us: scale_us / 10,
            ranks: u8::try_from(draw.between(2, 6)).expect("few"),
            changes: u8::try_from(draw.between(0, 4)).expect("few"),
        },
    };
    Weather {
        delay,
        loss_per_mille: draw.of(&[0, 0, 0, 20, 100]),
        duplicate_per_mille: draw.of(&[0, 0, 0, 50, 200]),
        sync_min_us: 100,
        sync_max_us: draw.of(&[200, 2_000, 20_000]),
    }
}

/// About how long an operation takes that nothing is in the way of.
const fn round_trip_us(weather: Weather) -> u64 {
    4 * mean_us(weather.delay) + weather.sync_max_us
}

const fn mean_us(delay: Delay) -> u64 {
    match delay {
        Delay::Constant { us } => us,
        Delay::Uniform { min_us, max_us } => u64::midpoint(min_us, max_us),
        Delay::Exponential { mean_us } => mean_us,
        // About the middle of the ranks.
        Delay::Priorities { base_us, ranks, .. } => base_us << (ranks / 2),
    }
}

/// How those may lie who lie.
pub(crate) struct Lies {
    pub(crate) nodes: Vec<Lie>,
    pub(crate) clients: Vec<Lie>,
}

fn names(lies: &[Lie]) -> Vec<String> {
    lies.iter().map(|lie| lie.name().to_owned()).collect()
}

/// Which faults there are, if any at all, and what they are. `change` gives the options of one change after
/// the other, and is only asked where there are changes. With `wished` only faults of these classes.
pub(crate) fn draw_faults(
    plan: &mut Plan,
    bearing: Bearing,
    lies: &Lies,
    wished: Option<&[FaultClass]>,
    change: impl FnMut(u64) -> Option<Options>,
) {
    if let Some(wished) = wished {
        let mut draw = Draw::new(plan.seed, "wished faults");
        let classes = some_of(wished, bearing, &mut draw);
        return fill(plan, bearing, lies, classes, &mut draw, change);
    }
    if bearing.lying_clients && clients::is_drawn(plan.seed) {
        return clients::add(plan, &names(&lies.clients));
    }
    draw_mixture(plan, bearing, lies, change);
    // Where nodes keep their memory in themselves, only so many of them may end.
    let may_end = bearing.memory.is_none();
    if relay::is_drawn(plan.seed, plan.system.nodes) {
        relay::add(plan, may_end);
    }
    if character::is_drawn(plan.seed, bearing.liars) {
        character::add(plan, bearing.liars, &names(&lies.nodes), may_end);
    }
}

/// Faults of some classes, or none.
fn draw_mixture(
    plan: &mut Plan,
    bearing: Bearing,
    lies: &Lies,
    change: impl FnMut(u64) -> Option<Options>,
) {
    let seed = plan.seed;
    let mut draw = Draw::new(seed, "faults");
    if draw.one_in(5) {
        return;
    }
    let one_in = draw.of(&[2, 3, 5, 8]);
    let mut classes = Vec::new();
    let mut late = Draw::new(seed, "late faults");
    for class in FaultClass::ALL {
        // Drawn for every class, so that what one system cannot bear does not change the others.
        let is_on = match class {
            // Drawn apart: it came late, and what a seed meant before must stay.
            FaultClass::ByzantineClients => late.one_in(one_in),
            FaultClass::Partition
            | FaultClass::Delay
            | FaultClass::Loss
            | FaultClass::Duplicate
            | FaultClass::Reorder
            | FaultClass::Corrupt
            | FaultClass::Kill
            | FaultClass::PowerLoss
            | FaultClass::Pause
            | FaultClass::Clock
            | FaultClass::DiskFull
            | FaultClass::IoError
            | FaultClass::FlippedBit
            | FaultClass::CutTail
            | FaultClass::Byzantine
            | FaultClass::Reconfigure => draw.one_in(one_in),
        };
        if is_on && bearing.check(*class).is_ok() {
            classes.push(*class);
        }
    }
    fill(plan, bearing, lies, classes, &mut draw, change);
}

/// Some of those of the classes that the system bears, or all of them.
fn some_of(wished: &[FaultClass], bearing: Bearing, draw: &mut Draw) -> Vec<FaultClass> {
    let is_borne = |class: &FaultClass| bearing.check(*class).is_ok();
    let borne: Vec<FaultClass> = wished.iter().copied().filter(is_borne).collect();
    let some: Vec<FaultClass> = borne.iter().copied().filter(|_| draw.one_in(2)).collect();
    if some.is_empty() { borne } else { some }
}

/// Faults of these classes.
fn fill(
    plan: &mut Plan,
    bearing: Bearing,
    lies: &Lies,
    mut classes: Vec<FaultClass>,
    draw: &mut Draw,
    change: impl FnMut(u64) -> Option<Options>,
) {
    let seed = plan.seed;
    let reconfigures = classes.contains(&FaultClass::Reconfigure);
    let changes: Vec<Options> =
        if reconfigures { (0..CHANGES).map_while(change).collect() } else { Vec::new() };
    if changes.is_empty() {
        classes.retain(|class| *class != FaultClass::Reconfigure);
    }
    let request = FaultRequest {
        seed,
        classes,
        nodes: plan.system.nodes,
        clients: plan.workload.clients,
        time_limit_ms: plan.durations.time_limit_ms,
        liars: bearing.liars,
        lies: names(&lies.nodes),
        client_lies: names(&lies.clients),
        drift_ppm: bearing.drift_ppm,
        memory: if spares_memory(seed) { bearing.memory } else { None },
        changes,
        mid_step: true,
    };
    plan.faults = faults(&request).expect("only what makes sense is asked for");
    limit_changes(plan);
    if draw_handover(seed) {
        hand_over(plan);
    }
    if draw.one_in(4) {
        plan.liveness = Some(draw_liveness(plan, bearing, draw));
        outlast(plan, draw);
    }
}

/// Whether processes end in so few nodes only that all goes on, where nodes keep their memory in themselves: in two
/// of three seeds. In the others the system may forget too much and stand still, and must be safe. Each kind of
/// search takes turns with it.
const fn spares_memory(seed: u64) -> bool {
    !(seed / 3).is_multiple_of(3)
}

/// Whether partitions end as processes do: in one of three seeds, each kind of search among them.
fn draw_handover(seed: u64) -> bool {
    Draw::new(seed, "handover").one_in(3)
}

/// A process ends at most so long before a partition that ends with it: at once, or long enough for others to miss it.
const HANDOVER_MS: [u64; 2] = [150, 1_000];

/// Each partition lasts until a process has ended, and a little longer: whoever was cut off, and does not know what
/// happened meanwhile, is back just when somebody goes away who does.
fn hand_over(plan: &mut Plan) {
    let takes_away = |planned: &&PlannedFault| {
        let class = planned.fault.class();
        class.ends_processes() || class == FaultClass::Pause
    };
    let ends: Vec<u64> = plan.faults.iter().filter(takes_away).map(|end| end.at_ms).collect();
    let is_partition = |planned: &PlannedFault| planned.fault.class() == FaultClass::Partition;
    let begins: Vec<u64> =
        plan.faults.iter().filter(|planned| is_partition(planned)).map(|it| it.at_ms).collect();
    let limit = plan.durations.time_limit_ms;
    let mut draw = Draw::new(plan.seed, "handovers");
    for partition in plan.faults.iter_mut().filter(|planned| is_partition(planned)) {
        let late = draw.of(&HANDOVER_MS);
        let late = draw.below(late);
        let next = begins.iter().copied().filter(|at| *at > partition.at_ms).min();
        let until = ends.iter().copied().filter(|at| *at > partition.at_ms).min();
        if let Some(until) = until.map(|at| at + late)
            && until <= next.unwrap_or(limit).min(limit)
        {
            partition.for_ms = until - partition.at_ms;
        }
    }
}

/// Some of the later faults last until everything is healed: while only the core is, something must be broken.
fn outlast(plan: &mut Plan, draw: &mut Draw) {
    let limit = plan.durations.time_limit_ms;
    for planned in &mut plan.faults {
        let is_change = planned.fault.class() == FaultClass::Reconfigure;
        let lasts = draw.one_in(2) && planned.at_ms >= limit / 2 && !is_change;
        if lasts {
            planned.for_ms = (limit - planned.at_ms).max(1);
        }
    }
}

/// More changes than this are not drawn for one run.
const CHANGES: u64 = 3;

/// As many changes as were drawn, and no change twice.
fn limit_changes(plan: &mut Plan) {
    let mut seen = 0;
    plan.faults.retain(|planned| {
        let is_change = planned.fault.class() == FaultClass::Reconfigure;
        seen += u64::from(is_change);
        !is_change || seen <= CHANGES
    });
}

/// A majority is healed first, and must suffice where it can; where nodes may lie, all but as many as may. Who lies in
/// the plan is not relied on: what it said may still stand in the others' way, and with another one away more would be
/// faulty than the system bears.
fn draw_liveness(plan: &Plan, bearing: Bearing, draw: &mut Draw) -> Liveness {
    let nodes = plan.system.nodes;
    let first = u16::try_from(draw.below(u64::from(nodes))).expect("a node");
    let majority = nodes / 2 + 1;
    let count = if bearing.liars > 0 { majority.max(nodes - bearing.liars) } else { majority };
    let lies = |node: &u16| {
        let lying = plan.faults.iter().filter_map(|planned| match &planned.fault {
            Fault::Byzantine { nodes, .. } => Some(nodes),
            _ => None,
        });
        lying.flatten().any(|liar| liar == node)
    };
    let around = || (0..nodes).map(|place| (first + place) % nodes);
    let honest = around().filter(|node| !lies(node));
    let core = honest.chain(around().filter(lies)).take(usize::from(count)).collect();
    Liveness { core: Some(core), bound_ms: BOUND_MS }
}

#[cfg(test)]
mod tests;

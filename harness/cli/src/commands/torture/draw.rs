//! From a run's number to its plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_plan::{Durations, FaultClass, FaultsError, Plan, PlanError, Workload, WorldKind};
use quorate_sim::{QueueKind, Simulator};
use quorate_systems::SystemKind;
use quorate_systems::contract::ConfigError;
use quorate_world::{registry, weather};

use super::campaign::Campaign;
use crate::commands::run::arguments::{give_faults, millis};

/// A run that is to be done.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    pub(super) index: u64,
    pub(super) system: SystemKind,
    pub(super) plan: Plan,
}

/// Why there is no plan: only what nobody foresaw, since the campaign was checked.
#[derive(Debug)]
pub(super) enum DrawError {
    Options(ConfigError),
    Faults(FaultsError),
    Plan(PlanError),
}

impl std::fmt::Display for DrawError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Options(error) => error.fmt(f),
            Self::Faults(error) => error.fmt(f),
            Self::Plan(error) => error.fmt(f),
        }
    }
}

/// Draws plans, and keeps a simulated world of each system for them to run in.
pub(super) struct Drawer {
    campaign: Arc<Campaign>,
    simulators: BTreeMap<SystemKind, Box<dyn Simulator>>,
}

/// A live run has faults of so many classes at most, so that each has time to bite.
const LIVE_CLASSES: usize = 3;

impl Drawer {
    pub(super) fn new(campaign: Arc<Campaign>) -> Self {
        Self { campaign, simulators: BTreeMap::new() }
    }

    /// The plan of a run. A simulated one is what the hunt draws from the same seed; a live one has the same cluster and
    /// workload, and sizes for real time.
    pub(super) fn draw(&mut self, index: u64) -> Result<Drawn, DrawError> {
        let campaign = Arc::clone(&self.campaign);
        let dealt = campaign.deal().run(index);
        let system = campaign.systems.get(dealt.system).copied().unwrap_or(SystemKind::Quorum);
        let drawn = self.simulator(system).draw_as(dealt.seed, &campaign.wishes);
        let mut plan = drawn.map_err(DrawError::Options)?;
        plan.name = format!("torture-{system}");
        if dealt.world == WorldKind::Live {
            plan = live(plan, system, &campaign)?;
        }
        Ok(Drawn { index, system, plan })
    }

    /// The world in which simulated runs of a system are done.
    pub(super) fn simulator(&mut self, system: SystemKind) -> &mut Box<dyn Simulator> {
        let make = || quorate_sim::simulator(system, QueueKind::default());
        self.simulators.entry(system).or_insert_with(make)
    }
}

/// The live plan with the cluster and the workload of a simulated one.
fn live(drawn: Plan, system: SystemKind, campaign: &Campaign) -> Result<Plan, DrawError> {
    let seed = drawn.seed;
    let of = |what: &str, choices: &[u32]| {
        let last = choices.len().saturating_sub(1) as u64;
        let place = weather::between(weather::draw(seed, what, &[]), 0, last);
        let chosen = usize::try_from(place).ok().and_then(|place| choices.get(place));
        chosen.copied().unwrap_or_default()
    };
    let classes = classes(&drawn, campaign);
    let nodes = u32::from(drawn.system.nodes);
    let mut plan = Plan {
        workload: Workload {
            clients: nodes * of("live clients", &[1, 2, 3]),
            rate_per_s: of("live rate", &[100, 200, 400]),
            keys: of("live keys", &[2, 3, 5]),
            operations_per_key: drawn.workload.kind.operations_per_key(),
            ..drawn.workload
        },
        durations: Durations { time_limit_ms: millis(campaign.time_limit), ..Durations::default() },
        ..Plan::new(&drawn.name, seed, WorldKind::Live, drawn.system)
    };
    plan.validate().map_err(DrawError::Plan)?;
    let options = &plan.system.options;
    let promises = registry::promises(system, plan.system.nodes, options, campaign.mutants, seed)
        .map_err(DrawError::Options)?;
    let bearing = promises.bearing();
    let mut classes: Vec<FaultClass> =
        classes.into_iter().filter(|class| bearing.check(*class).is_ok()).collect();
    loop {
        match give_faults(&mut plan, classes.clone(), promises.clone()) {
            Err(FaultsError::TooShort { .. }) if classes.pop().is_some() => {}
            given => return given.map(|()| plan).map_err(DrawError::Faults),
        }
    }
}

/// A few of the classes that the simulated plan has, or that are wished.
fn classes(drawn: &Plan, campaign: &Campaign) -> Vec<FaultClass> {
    let mut classes = campaign.wishes.faults.clone().unwrap_or_else(|| {
        let has =
            |class: &FaultClass| drawn.faults.iter().any(|planned| planned.fault.class() == *class);
        FaultClass::ALL.iter().copied().filter(has).collect()
    });
    let place = |class: &FaultClass| weather::draw(drawn.seed, "live classes", &[*class as u64]);
    classes.sort_by_key(place);
    classes.truncate(LIVE_CLASSES);
    classes.sort_unstable();
    classes
}

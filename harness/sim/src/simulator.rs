//! A simulated world for a system whose type is known only at run time.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use quorate_checkers::history::{Builder, History, Time, Violation, What};
use quorate_plan::{Bearing, Expectation, Plan, PlanError};
use quorate_systems::SystemKind;
use quorate_systems::contract::{ConfigError, Options};
use quorate_systems::mutant::Mutants;
use quorate_world::invariants::Watched;
use quorate_world::regime::{self, RegimeError};
use quorate_world::registry::{self, UnknownSystem, WithWatched};

use crate::queue::QueueKind;
use crate::remote::Remote;
use crate::search::{self, Lies, Wishes};
use crate::sim::{Outcome, Sim, Sink};
use crate::states::States;
use crate::tape::{Detail, Tape};
use crate::witness::{Checks, endpoint};

/// Why there is no run: the plan or the harness is at fault, not the system.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The plan makes no sense.
    #[error("the plan: {0}")]
    Plan(#[from] PlanError),
    /// The plan names a system that there is not.
    #[error(transparent)]
    System(#[from] UnknownSystem),
    /// The system refuses its options.
    #[error(transparent)]
    Options(#[from] ConfigError),
    /// The plan asks for more than the system can do or promises to bear.
    #[error("the plan: {0}")]
    Regime(Box<RegimeError>),
    /// Nobody could record an event.
    #[error("the run was given up because its history cannot be written: {0}")]
    Recording(String),
    /// The simulator itself failed: no verdict.
    #[error("the simulator failed: {0}")]
    Harness(String),
}

impl From<RegimeError> for SimError {
    fn from(error: RegimeError) -> Self {
        Self::Regime(Box::new(error))
    }
}

/// A simulated world of one system. It can run any number of plans, one after the other; each run depends on
/// its plan alone.
pub trait Simulator: Send {
    /// The plan of a seed: swarm configuration first, then faults. A pure function of the seed and the kind of
    /// system.
    fn draw(&mut self, seed: u64) -> Plan {
        self.draw_beyond(seed, 0)
    }

    /// As [`Self::draw`], with what is wished in place of what would be drawn; refuses what the system cannot be.
    fn draw_as(&mut self, seed: u64, wishes: &Wishes) -> Result<Plan, ConfigError>;

    /// As [`Self::draw`], where so many nodes more may lie than the system bears, if it bears any in the cluster that is
    /// drawn. Such a plan expects harm.
    fn draw_beyond(&mut self, seed: u64, liars: u16) -> Plan;

    /// Runs a plan that [`Plan::validate`] accepts, and hands the events of its history to `sink` as they
    /// happen. A core that panics ends the run, and that is a violation.
    fn run(
        &mut self,
        plan: &Plan,
        mutants: Mutants,
        checks: Checks,
        sink: &mut Sink<'_>,
    ) -> Result<Outcome, SimError>;

    /// As [`Self::run`], and records what happens. The run is the same.
    fn run_taped(
        &mut self,
        plan: &Plan,
        mutants: Mutants,
        checks: Checks,
        detail: Detail,
        sink: &mut Sink<'_>,
    ) -> Result<(Outcome, Tape), SimError>;

    /// Lets another thread see how far the runs are that begin from now on, and stop them.
    fn attach(&mut self, remote: Arc<Remote>);

    /// Has `reached` told of the abstract states that the runs come to which begin from now on: a hash of each,
    /// with all bits well spread, as often as the run comes to it. The runs are the same.
    fn watch_states(&mut self, reached: fn(u64));
}

/// A world for a system, with a queue of this kind.
pub fn simulator(kind: SystemKind, queue: QueueKind) -> Box<dyn Simulator> {
    registry::with_watched(kind, Make(queue))
}

struct Make(QueueKind);

impl WithWatched for Make {
    type Out = Box<dyn Simulator>;

    fn with<S: Watched>(self) -> Self::Out {
        let Self(queue) = self;
        simulator_of::<S>(queue)
    }
}

/// As [`simulator`], for a system whose type is known.
pub(crate) fn simulator_of<S: Watched>(queue: QueueKind) -> Box<dyn Simulator> {
    Box::new(Typed::<S> { queue, sim: Sim::new(queue), configs: BTreeMap::new() })
}

/// A run with its history in memory.
#[derive(Clone, Debug)]
pub struct Run {
    /// What happened.
    pub history: History,
    /// And what else there is to say of it.
    pub outcome: Outcome,
}

/// Runs one plan in a world of its own.
pub fn run(plan: &Plan, mutants: Mutants) -> Result<Run, SimError> {
    plan.validate()?;
    let kind = registry::find(&plan.system.kind)?;
    let mut history = Builder::new();
    let mut sink = |time: Time, what: What| push(&mut history, time, what);
    let outcome =
        simulator(kind, QueueKind::default()).run(plan, mutants, Checks::ALL, &mut sink)?;
    Ok(Run { history: history.finish(), outcome })
}

/// Takes an event of a run into a history in memory: what a [`Sink`] does that keeps everything.
pub(crate) fn push(history: &mut Builder, time: Time, what: What) -> Result<(), String> {
    history.push(time, what).map(|_| ()).map_err(|error| error.to_string())
}

struct Typed<S: Watched> {
    queue: QueueKind,
    sim: Sim<S>,
    /// Configurations that were checked: a search comes to the same few again and again.
    configs: BTreeMap<(u16, Options, Option<&'static str>), S::Config>,
}

/// More configurations than this are not kept.
const CONFIGS_MAX: usize = 4_096;

impl<S: Watched> Simulator for Typed<S> {
    fn draw_beyond(&mut self, seed: u64, liars: u16) -> Plan {
        self.draw_wished(seed, liars, &Wishes::default()).expect("what a system draws it can be")
    }

    fn draw_as(&mut self, seed: u64, wishes: &Wishes) -> Result<Plan, ConfigError> {
        self.draw_wished(seed, 0, wishes)
    }

    fn run(
        &mut self,
        plan: &Plan,
        mutants: Mutants,
        checks: Checks,
        sink: &mut Sink<'_>,
    ) -> Result<Outcome, SimError> {
        let config = self.config(plan, mutants)?;
        regime::check::<S>(plan, &config)?;
        let sim = &mut self.sim;
        let ran = catch_unwind(AssertUnwindSafe(|| sim.run(plan, &config, checks, sink)));
        match ran {
            Ok(outcome) => outcome.map_err(SimError::Recording),
            Err(panic) => {
                // What a panic leaves behind is not to be trusted.
                let mut broken = std::mem::replace(&mut self.sim, Sim::new(self.queue));
                self.sim.remote.clone_from(&broken.remote);
                self.sim.states = broken.states.take();
                let ended = after_panic(&mut broken, panic.as_ref(), sink);
                self.sim.stage.witness.tape = broken.stage.witness.tape.take();
                ended
            }
        }
    }

    fn run_taped(
        &mut self,
        plan: &Plan,
        mutants: Mutants,
        checks: Checks,
        detail: Detail,
        sink: &mut Sink<'_>,
    ) -> Result<(Outcome, Tape), SimError> {
        let tape = Tape::new(plan.system.nodes, plan.workload.clients, detail);
        self.sim.stage.witness.tape = Some(Box::new(tape));
        let ran = self.run(plan, mutants, checks, sink);
        let tape = self.sim.stage.witness.tape.take();
        Ok((ran?, tape.map_or_else(Tape::default, |tape| *tape)))
    }

    fn attach(&mut self, remote: Arc<Remote>) {
        self.sim.remote = Some(remote);
    }

    fn watch_states(&mut self, reached: fn(u64)) {
        self.sim.states = Some(Box::new(States::new(reached)));
    }
}

impl<S: Watched> Typed<S> {
    fn draw_wished(&mut self, seed: u64, liars: u16, wishes: &Wishes) -> Result<Plan, ConfigError> {
        let cluster = wishes.cluster(seed, S::vocabulary(), |dice| S::draw_cluster(dice));
        let mut plan = search::draw_calm(seed, S::vocabulary(), cluster, wishes.workload);
        if wishes.is_patient {
            search::be_patient(&mut plan, S::vocabulary());
        }
        let config = self.config(&plan, Mutants::NONE)?;
        let tolerated = S::liars_tolerated(&config);
        let beyond = if tolerated > 0 { liars } else { 0 };
        let bearing = Bearing {
            liars: tolerated + beyond,
            lying_clients: !S::client_lies(&config).is_empty(),
            drift_ppm: S::drift_tolerated(&config),
            memory: S::forgetting_tolerated(&config),
            is_changing: S::draw_change(&config, &mut search::change_dice(seed, 0)).is_some(),
        };
        let lies =
            Lies { nodes: S::lies(&config).to_vec(), clients: S::client_lies(&config).to_vec() };
        let mut last = config;
        let only = wishes.faults.as_deref();
        search::draw_faults(&mut plan, bearing, &lies, only, |nth| {
            let options = S::draw_change(&last, &mut search::change_dice(seed, nth))?;
            last = S::change(&last, &options).expect("what a system draws it can change to");
            Some(options)
        });
        if beyond > 0 {
            plan.expect = Expectation::Invalid;
        }
        Ok(plan)
    }

    fn config(&mut self, plan: &Plan, mutants: Mutants) -> Result<S::Config, ConfigError> {
        let mutant = mutants.0.map(quorate_systems::mutant::Mutant::name);
        let key = (plan.system.nodes, plan.system.options.clone(), mutant);
        if let Some(config) = self.configs.get(&key) {
            return Ok(config.clone());
        }
        let config = S::configure(plan.system.nodes, &plan.system.options, mutants)?;
        if self.configs.len() == CONFIGS_MAX {
            self.configs.clear();
        }
        self.configs.insert(key, config.clone());
        Ok(config)
    }
}

/// A panic within a core is a finding; any other one is ours.
fn after_panic<S: Watched>(
    sim: &mut Sim<S>,
    panic: &(dyn Any + Send),
    sink: &mut Sink<'_>,
) -> Result<Outcome, SimError> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("a panic without a message").replace('\n', " ");
    let Some(who) = sim.stage.acting else { return Err(SimError::Harness(text)) };
    let who = endpoint(who).to_string();
    let what = format!("the core of {who} panicked: {text}");
    sim.stage.witness.violation(sim.stage.now, PANIC, vec![who], what);
    sim.finish(sink).map_err(SimError::Recording)
}

/// The demand that no core panics, whatever it is told.
const PANIC: &str = "no-panic";

/// A violation that ends a run at once says so in its demand; these names are the simulator's own.
pub const DEMANDS: &[(&str, &str)] = &[
    (
        Violation::LIVENESS,
        "once everything is healed, operations complete and replicas answer in time",
    ),
    (PANIC, "no core panics, whatever it is told"),
    ("restart", "a replica starts from a disk that nothing has happened to"),
];

//! One run from its Plan to its history.

mod clients;
pub(crate) mod stage;

use std::fs::File;
use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use quorate_checkers::history::{Header, WriteError, Writer};
use quorate_checkers::stream::Undecided;
use quorate_plan::{Fault, Plan, PlanError, TWINS};
use quorate_systems::SystemKind;
use quorate_systems::contract::ConfigError;
use quorate_systems::mutant::Mutants;
use quorate_world::inputs::RunId;
use quorate_world::regime::RegimeError;
use quorate_world::registry::{self, Promises, UnknownSystem};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use crate::client;
use crate::cluster::{Cluster, Death};
use crate::fail_fast::FailFast;
use crate::inputs;
use crate::nemesis::{Means, Nemesis};
use crate::observed::{self, Judgement, Scene, SharedLog};
use crate::progress::{Dashboard, Listener, RunPhase};
use crate::proxy::Traffic;
use crate::recorder::{Counts, Recorder};
use crate::sweep::Lock;

use stage::{Parts, Stage};

/// How long final reads may go on after an interruption: somebody is waiting.
const HURRIED_READS: Duration = Duration::from_secs(2);
/// How long healing may take before the run goes on without it; all its parts have bounds of their own.
const HEALING_MAX: Duration = Duration::from_mins(1);

/// All that a run needs.
pub struct RunSetup {
    /// What to do.
    pub plan: Plan,
    /// The planted bug, if any: beside the plan, not in it.
    pub mutants: Mutants,
    /// The run's folder in the store. It exists; `history.jsonl` and `nodes/` will be made in it.
    pub folder: PathBuf,
    /// The program that is a node when it is called as `PROGRAM node --config FILE`.
    pub executable: PathBuf,
    /// This program and its version, for the history's header.
    pub program: String,
    /// When the run began, in UTC, for the history's header.
    pub started: String,
    /// Told of progress about four times a second.
    pub progress: Listener,
    /// Ends the run as it is at the first violation that its clients have certainly seen: within a second, without
    /// healing and without final reads.
    pub fail_fast: bool,
    /// Once this is true the run heals, reads less than usual, and ends properly before its time.
    pub stop: watch::Receiver<bool>,
}

/// What there is after a run.
#[derive(Debug)]
pub struct RunSummary {
    /// The file of the history, which has no footer yet.
    pub history: PathBuf,
    /// The history as it was written; whoever judges it finishes it.
    pub writer: Writer<File>,
    /// How many operations ended how.
    pub counts: Counts,
    /// Nodes that ended without being made to. Such a run must not be called valid.
    pub deaths: Vec<Death>,
    /// What else did not go as it must: faults that could not be put right, nodes that did not end, cores
    /// that panicked. Such a run must not be called valid.
    pub troubles: Vec<String>,
    /// What happened on each link.
    pub traffic: Vec<Traffic>,
    /// Whether it was stopped before its time.
    pub interrupted: bool,
    /// Whether a violation stopped it.
    pub violated: bool,
    /// Keys that were too much to be watched to the end for a violation that would have stopped it.
    pub unwatched: Vec<Undecided>,
}

/// Why there is no run: the harness failed, not the system.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The plan makes no sense.
    #[error("the plan: {0}")]
    Plan(#[from] PlanError),
    /// The plan asks for what real processes cannot do.
    #[error(
        "{0}: only the simulated world can do that; take it out of the plan, or take `--world sim`"
    )]
    OnlySimulated(&'static str),
    /// The plan names a system that there is not.
    #[error(transparent)]
    System(#[from] UnknownSystem),
    /// Failing fast, with a model that cannot tell before the end.
    #[error("the model `{0}` judges whole histories only: a run cannot fail fast by it")]
    NoFailFast(&'static str),
    /// The system refuses its options.
    #[error(transparent)]
    Options(#[from] ConfigError),
    /// The plan asks of the system what that cannot do, or has not promised to bear.
    #[error("the plan: {0}")]
    Regime(#[from] RegimeError),
    /// The program that nodes are started from cannot be started.
    #[error("{} cannot be started as a node: {why}", path.display())]
    Executable {
        /// The program.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Something cannot be written in the run's folder.
    #[error("cannot write {}: {error}", path.display())]
    Folder {
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The history cannot be begun.
    #[error("{}: {error}", path.display())]
    History {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        error: WriteError,
    },
    /// The links cannot be set up.
    #[error("cannot listen on 127.0.0.1 for the links of the nodes: {0}")]
    Links(io::Error),
    /// A node cannot be started.
    #[error("cannot start the nodes: {0}")]
    Start(String),
    /// The clients cannot be started.
    #[error("cannot start the clients: {0}")]
    Clients(String),
    /// An event could not be recorded: what there is of the history ends there.
    #[error("the run was given up because its history cannot be written: {0}")]
    Recording(String),
}

/// Carries out a plan with real processes. They are all gone when this returns, and when it is dropped.
pub async fn run(setup: RunSetup) -> Result<RunSummary, LiveError> {
    setup.plan.validate()?;
    refuse_what_only_simulators_can(&setup.plan)?;
    let kind = registry::find(&setup.plan.system.kind)?;
    let system = &setup.plan.system;
    let promises =
        registry::promises(kind, system.nodes, &system.options, setup.mutants, setup.plan.seed)?;
    registry::check_regime(kind, &setup.plan, setup.mutants)?;
    check_executable(&setup.executable)?;
    open_many_files();
    let in_folder = |error| LiveError::Folder { path: setup.folder.clone(), error };
    let lock = Lock::take(&setup.folder).map_err(in_folder)?;
    let path = setup.folder.join("history.jsonl");
    let header = header(&setup);
    let recorder = Recorder::create(&path, &header)
        .map_err(|error| LiveError::History { path: path.clone(), error })?;
    let recording = Recording { recorder: &recorder, path: &path, run: inputs::run_id(&header) };
    let ended = run_recorded(&setup, kind, promises, recording).await;
    if ended.is_err() && recorder.counts().invoked == 0 {
        // A history in which nothing happens helps nobody.
        recorder.close();
        let _ = std::fs::remove_file(&path);
    }
    drop(lock);
    ended
}

/// Where a run is recorded.
struct Recording<'a> {
    recorder: &'a Recorder,
    /// The file of the history.
    path: &'a std::path::Path,
    /// What tells the run from others.
    run: RunId,
}

async fn run_recorded(
    setup: &RunSetup,
    kind: SystemKind,
    promises: Promises,
    recording: Recording<'_>,
) -> Result<RunSummary, LiveError> {
    let Recording { recorder, path, run } = recording;
    let time_limit = Duration::from_millis(setup.plan.durations.time_limit_ms);
    let dashboard = Arc::new(Dashboard::new(Arc::clone(&setup.progress), time_limit));
    let (heal, healing) = watch::channel(false);
    let mut fail_fast = fail_fast(setup, recorder)?;
    let parts = Parts::of(setup, kind, recorder, run)?;
    let watch = Watch { scene: scene(setup, kind, recorder), clients: Arc::clone(&parts.observed) };
    let mut stage = Stage::build(&parts).await?;
    let means = Means {
        machines: Arc::clone(&stage.cluster),
        rules: Arc::clone(stage.proxy.rules()),
        administrator: stage.clients.administrator.clone(),
        tongues: Arc::clone(&parts.tongues),
        happenings: Arc::clone(&parts.happenings),
        recorder: recorder.clone(),
    };
    let required = setup.plan.fault_classes.iter().copied();
    let nemesis = Nemesis::new(means, required, promises.liars_tolerated, healing);
    let mut helpers = JoinSet::new();
    let shown = nemesis.clone();
    helpers.spawn(Arc::clone(&dashboard).show(recorder.clone(), move || shown.current()));
    let deaths = stage.watch_deaths(nemesis.coroner());
    let acts = act(&parts, &mut stage, &nemesis, &heal, &dashboard);
    let mut violated = false;
    let (interrupted, mut troubles) = tokio::select! {
        acted = acts => acted,
        // The rest is cleaning up; the damage is told below.
        _ = recorder.broken() => (true, Vec::new()),
        () = fail_fast.violated() => {
            violated = true;
            (true, Vec::new())
        }
    };
    dashboard.enter(RunPhase::Stopping);
    let traffic = stage.proxy.traffic();
    troubles.extend(nemesis.troubles());
    // What still holds on to the nodes would keep the last news of them waiting.
    drop((helpers, nemesis));
    troubles.extend(stage.tear_down().await);
    let deaths = deaths.finish().await;
    let unwritten = parts.inputs.finish();
    troubles.extend(unwritten.map(|why| format!("the run cannot be replayed: {why}")));
    let (sealed, unread) = inputs::seal(&setup.folder, setup.plan.system.nodes);
    troubles.extend(unread);
    troubles.extend(watch.judge(recorder).await);
    let counts = recorder.counts();
    let writer = recorder.close();
    match (recorder.damage(), writer) {
        (None, Some(mut writer)) => {
            writer.seal(sealed);
            let history = path.to_owned();
            let summary = RunSummary {
                history,
                writer,
                counts,
                deaths,
                troubles,
                traffic,
                interrupted,
                violated,
                unwatched: fail_fast.undecided(),
            };
            Ok(summary)
        }
        (damage, _) => Err(LiveError::Recording(damage.unwrap_or_default())),
    }
}

/// Who ends the run at the first violation, if that is wanted.
fn fail_fast(setup: &RunSetup, recorder: &Recorder) -> Result<FailFast, LiveError> {
    if !setup.fail_fast {
        return Ok(FailFast::never());
    }
    let model = setup.plan.workload.kind.model();
    FailFast::watch(recorder, model).ok_or(LiveError::NoFailFast(model))
}

/// The run itself: work under faults, healing, final reads. Whether it was interrupted, and what went wrong.
async fn act(
    parts: &Parts<'_>,
    stage: &mut Stage,
    nemesis: &Nemesis<Cluster>,
    heal: &watch::Sender<bool>,
    dashboard: &Dashboard,
) -> (bool, Vec<String>) {
    let Parts { setup, happenings, scripts, .. } = parts;
    let durations = setup.plan.durations;
    let mut troubles = Vec::new();
    dashboard.enter(RunPhase::Running);
    let began = Instant::now();
    stage.clients.start();
    let faults = nemesis.run(setup.plan.faults.clone(), began);
    tokio::pin!(faults);
    let mut stop = setup.stop.clone();
    let limit = sleep(Duration::from_millis(durations.time_limit_ms));
    let nothing_left = async { tokio::join!(scripts.played(), nemesis.over()) };
    let clock = async {
        happenings.keep_time(began).await;
        pending::<()>().await;
    };
    let interrupted = tokio::select! {
        biased;
        Ok(_) = stop.wait_for(|stop| *stop) => true,
        () = limit => false,
        _ = nothing_left => false,
        () = clock => unreachable!("it goes on for ever"),
        () = &mut faults => unreachable!("the nemesis ends when all is to heal"),
    };
    dashboard.enter(RunPhase::Healing);
    stage.clients.enter(client::Phase::Rest);
    nemesis.tell_healing();
    heal.send_replace(true);
    happenings.heal();
    if timeout(HEALING_MAX, faults).await.is_err() {
        troubles.push(format!("healing was not over after {} s", HEALING_MAX.as_secs()));
    }
    dashboard.enter(RunPhase::FinalReads);
    let mut reads = Duration::from_millis(durations.final_reads_ms);
    if interrupted {
        reads = reads.min(HURRIED_READS);
    }
    troubles.extend(stage.clients.read_finally(Instant::now() + reads).await);
    if !interrupted {
        troubles.extend(scripts.untold());
    }
    (interrupted, troubles)
}

/// What the invariants will judge.
struct Watch {
    scene: Scene,
    clients: Arc<SharedLog>,
}

impl Watch {
    /// Has the invariants look at the whole run, whose processes have ended, and records what they find; why
    /// that is not all, if it is not.
    async fn judge(self, recorder: &Recorder) -> Option<String> {
        if let Some(damage) = self.clients.damage() {
            return Some(format!("the invariants have not seen the run: {damage}"));
        }
        let scene = self.scene;
        match tokio::task::spawn_blocking(|| observed::judge(scene)).await {
            Ok(Judgement { violations, trouble }) => {
                for violation in violations {
                    recorder.violation(violation);
                }
                trouble
            }
            Err(error) => Some(format!("the invariants failed: {}", panic_text(error))),
        }
    }
}

fn scene(setup: &RunSetup, kind: SystemKind, recorder: &Recorder) -> Scene {
    Scene {
        folder: setup.folder.clone(),
        kind,
        system: setup.plan.system.clone(),
        mutants: setup.mutants,
        began: observed::now().saturating_sub(recorder.now().0),
    }
}

/// Lets this process open as many files as it may at all: a client has a stream to every node, and each
/// stream passes the proxy.
fn open_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If that is forbidden, a run that needs more says so.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// A trace needs a world in which nothing happens by itself; so does an end of which only a part is healed,
/// and a node that lives twice.
fn refuse_what_only_simulators_can(plan: &Plan) -> Result<(), LiveError> {
    let is_twin = |fault: &Fault| matches!(fault, Fault::Byzantine { lie, .. } if lie == TWINS);
    if !plan.trace.is_empty() {
        return Err(LiveError::OnlySimulated("trace: explicit deliveries and wakes"));
    }
    if plan.liveness.is_some() {
        return Err(LiveError::OnlySimulated("liveness: a bound on virtual time"));
    }
    if plan.faults.iter().any(|planned| is_twin(&planned.fault)) {
        return Err(LiveError::OnlySimulated("faults: a node with a twin"));
    }
    Ok(())
}

fn header(setup: &RunSetup) -> Header {
    Header {
        program: setup.program.clone(),
        started: setup.started.clone(),
        mutant: setup.mutants.0.map(|mutant| mutant.name().to_owned()),
        model: setup.plan.workload.kind.model().to_owned(),
        plan: serde_json::to_value(&setup.plan).expect("a plan is plain data"),
    }
}

fn check_executable(path: &std::path::Path) -> Result<(), LiveError> {
    use std::os::unix::fs::PermissionsExt;
    let refuse = |why: String| LiveError::Executable { path: path.to_owned(), why };
    let about = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?;
    if !about.is_file() || about.permissions().mode() & 0o111 == 0 {
        return Err(refuse("it is no executable file".to_owned()));
    }
    Ok(())
}

fn panic_text(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else {
        return "it was cut off".to_owned();
    };
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it does not say why").to_owned()
}

#[cfg(test)]
mod tests {
    use quorate_plan::{
        Endpoint, Liveness, PlannedFault, SystemPlan, TraceEntry, TraceStep, WorldKind,
    };

    use super::*;

    fn plan() -> Plan {
        let system = SystemPlan { kind: "quorum".to_owned(), nodes: 5, options: [].into() };
        Plan::new("test", 1, WorldKind::Sim, system)
    }

    fn refused(plan: &Plan) -> Option<String> {
        refuse_what_only_simulators_can(plan).err().map(|error| error.to_string())
    }

    #[test]
    fn a_plan_of_the_simulated_world_runs_unless_it_asks_for_what_real_processes_cannot_do() {
        assert_eq!(refused(&plan()), None);
        let liveness = Some(Liveness { core: None, bound_ms: 1 });
        assert!(refused(&Plan { liveness, ..plan() }).unwrap().starts_with("liveness: "));
        let step = TraceStep::Wake { who: Endpoint::Node(0), timer: 1 };
        let trace = vec![TraceEntry { at_us: 0, step }];
        assert!(refused(&Plan { trace, ..plan() }).unwrap().starts_with("trace: "));
        let fault = Fault::Byzantine { nodes: [0].into(), lie: TWINS.to_owned() };
        let faults = vec![PlannedFault { when: None, at_ms: 0, for_ms: 1, fault }];
        let why = refused(&Plan { faults, ..plan() }).unwrap();
        assert!(why.contains("twin") && why.contains("only the simulated world"), "{why}");
    }
}

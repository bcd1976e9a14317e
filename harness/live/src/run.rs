//! One run from its Plan to its history.

use std::fs::File;
use std::future::{Future, pending};
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quorate_checkers::history::{Header, WriteError, Writer};
use quorate_plan::{Fault, Plan, PlanError};
use quorate_systems::contract::{ConfigError, Keyring, System};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::mutant::Mutants;
use quorate_systems::{SystemKind, WithSystem, with_system};
use quorate_world::registry::{self, Promises, UnknownSystem};
use quorate_world::weather;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::client::{self, Administrator, Client, ClientsConfig, Operations, Scripts};
use crate::cluster::{Cluster, ClusterConfig, Death};
use crate::happenings::{self, Eyes, Happenings, Onlooker};
use crate::nemesis::{Coroner, Means, Nemesis};
use crate::observed::{self, Judgement, Scene, SharedLog};
use crate::progress::{Dashboard, Listener, RunPhase};
use crate::proxy::{self, Proxy, Rules, Traffic};
use crate::recorder::{Counts, Recorder};
use crate::sweep::Lock;

/// A run reads so many keys at its end; a longer one has left most of its keys long ago, and each was
/// checked by the reads that the workload made.
const FINAL_KEYS_MAX: usize = 50;
/// How long final reads may go on after an interruption: somebody is waiting.
const HURRIED_READS: Duration = Duration::from_secs(2);
/// How long healing may take before the run goes on without it; all its parts have bounds of their own.
const HEALING_MAX: Duration = Duration::from_mins(1);
/// How long clients may take to end after their time is over.
const CLIENTS_END_MAX: Duration = Duration::from_secs(2);
/// How long the last news of nodes that ended may take.
const NEWS_MAX: Duration = Duration::from_secs(2);

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
    /// The system refuses its options.
    #[error(transparent)]
    Options(#[from] ConfigError),
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
    check_executable(&setup.executable)?;
    open_many_files();
    let in_folder = |error| LiveError::Folder { path: setup.folder.clone(), error };
    let lock = Lock::take(&setup.folder).map_err(in_folder)?;
    let path = setup.folder.join("history.jsonl");
    let recorder = Recorder::create(&path, &header(&setup, &promises))
        .map_err(|error| LiveError::History { path: path.clone(), error })?;
    let ended = run_recorded(&setup, kind, promises, &recorder, &path).await;
    if ended.is_err() && recorder.counts().invoked == 0 {
        // A history in which nothing happens helps nobody.
        recorder.close();
        let _ = std::fs::remove_file(&path);
    }
    drop(lock);
    ended
}

async fn run_recorded(
    setup: &RunSetup,
    kind: SystemKind,
    promises: Promises,
    recorder: &Recorder,
    path: &std::path::Path,
) -> Result<RunSummary, LiveError> {
    let time_limit = Duration::from_millis(setup.plan.durations.time_limit_ms);
    let dashboard = Arc::new(Dashboard::new(Arc::clone(&setup.progress), time_limit));
    let (heal, healing) = watch::channel(false);
    let parts = Parts::of(setup, kind, recorder)?;
    let watch = Watch { scene: scene(setup, kind), clients: Arc::clone(&parts.observed) };
    let mut stage = Stage::build(&parts).await?;
    let means = Means {
        machines: Arc::clone(&stage.cluster),
        rules: Arc::clone(stage.proxy.rules()),
        administrator: stage.clients.administrator.clone(),
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
    let (interrupted, mut troubles) = tokio::select! {
        acted = acts => acted,
        // The rest is cleaning up; the damage is told below.
        _ = recorder.broken() => (true, Vec::new()),
    };
    dashboard.enter(RunPhase::Stopping);
    let traffic = stage.proxy.traffic();
    troubles.extend(nemesis.troubles());
    // What still holds on to the nodes would keep the last news of them waiting.
    drop((helpers, nemesis));
    troubles.extend(stage.tear_down().await);
    let deaths = deaths.finish().await;
    troubles.extend(watch.judge(recorder).await);
    let counts = recorder.counts();
    let writer = recorder.close();
    match (recorder.damage(), writer) {
        (None, Some(writer)) => Ok(RunSummary {
            history: path.to_owned(),
            writer,
            counts,
            deaths,
            troubles,
            traffic,
            interrupted,
        }),
        (damage, _) => Err(LiveError::Recording(damage.unwrap_or_default())),
    }
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
                violations.into_iter().for_each(|violation| recorder.violation(violation));
                trouble
            }
            Err(error) => Some(format!("the invariants failed: {}", panic_text(error))),
        }
    }
}

fn scene(setup: &RunSetup, kind: SystemKind) -> Scene {
    Scene {
        folder: setup.folder.clone(),
        kind,
        system: setup.plan.system.clone(),
        mutants: setup.mutants,
        began: observed::now(),
    }
}

/// What all that is started for a run has in common.
struct Parts<'a> {
    setup: &'a RunSetup,
    kind: SystemKind,
    recorder: &'a Recorder,
    /// What happens to the clients' cores.
    observed: Arc<SharedLog>,
    happenings: Arc<Happenings>,
    onlooker: Arc<dyn Onlooker>,
    scripts: Arc<Scripts>,
    keys: ClusterKeys,
}

impl<'a> Parts<'a> {
    fn of(
        setup: &'a RunSetup,
        kind: SystemKind,
        recorder: &'a Recorder,
    ) -> Result<Self, LiveError> {
        let Plan { seed, system, .. } = &setup.plan;
        let observed = SharedLog::open(&setup.folder.join(observed::CLIENTS))
            .map_err(|error| LiveError::Clients(error.to_string()))?;
        let happenings = Arc::new(Happenings::of(&setup.plan));
        let clients = doors(&setup.plan);
        Ok(Self {
            setup,
            kind,
            recorder,
            observed: Arc::new(observed),
            onlooker: with_system(kind, MakeOnlooker(Arc::clone(&happenings))),
            scripts: Arc::new(Scripts::of(&setup.plan, &happenings)),
            happenings,
            keys: ClusterKeys::from_seed(&key_seed(*seed), system.nodes, clients),
        })
    }
}

/// How many clients there are, the administrator included: it is the one after the last, and there only
/// where the system is to change.
fn doors(plan: &Plan) -> u32 {
    plan.workload.clients + u32::from(has_administrator(plan))
}

fn has_administrator(plan: &Plan) -> bool {
    plan.faults.iter().any(|planned| matches!(planned.fault, Fault::Reconfigure { .. }))
}

/// Makes the onlooker of a system whose type is known only here.
struct MakeOnlooker(Arc<Happenings>);

impl WithSystem for MakeOnlooker {
    type Out = Arc<dyn Onlooker>;

    fn with<S: System>(self) -> Self::Out {
        Arc::new(Eyes::<S::Message, S::Observation>::new(self.0, S::vocabulary()))
    }
}

/// All that is started for a run.
struct Stage {
    proxy: Arc<Proxy>,
    cluster: Arc<Cluster>,
    clients: Clients,
    deaths: Option<mpsc::UnboundedReceiver<Death>>,
}

impl Stage {
    async fn build(parts: &Parts<'_>) -> Result<Self, LiveError> {
        let Parts { setup, kind, onlooker, happenings, keys, .. } = parts;
        let Plan { seed, system, .. } = &setup.plan;
        let vocabulary = kind.vocabulary();
        let eyes = happenings.looks_into_messages().then(|| Arc::clone(onlooker));
        let rules = Arc::new(network(&setup.plan));
        let proxy = Proxy::start(system.nodes, doors(&setup.plan), rules, eyes, vocabulary);
        let proxy = Arc::new(proxy.await.map_err(LiveError::Links)?);
        let (died, deaths) = mpsc::unbounded_channel();
        let config = ClusterConfig {
            executable: setup.executable.clone(),
            folder: setup.folder.clone(),
            system: *kind,
            options: system.options.clone(),
            mutants: setup.mutants,
            watched: happenings::watched_kinds(&setup.plan, vocabulary),
            onlooker: Arc::clone(onlooker),
            happenings: Arc::clone(happenings),
            keys: keys.nodes.clone(),
            seed: weather::draw(*seed, "cluster", &[]),
        };
        let cluster = Cluster::start(config, Arc::clone(&proxy), died)
            .await
            .map_err(|trouble| LiveError::Start(trouble.to_string()))?;
        match Clients::open(parts, &proxy).await {
            Ok(clients) => {
                Ok(Self { proxy, cluster: Arc::new(cluster), clients, deaths: Some(deaths) })
            }
            Err(error) => {
                cluster.shut_down().await;
                Err(error)
            }
        }
    }

    fn watch_deaths(&mut self, coroner: Coroner) -> Deaths {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&seen);
        let news = self.deaths.take();
        let task = tokio::spawn(async move {
            let Some(mut news) = news else { return };
            while let Some(death) = news.recv().await {
                coroner.record(&death);
                list.lock().unwrap_or_else(PoisonError::into_inner).push(death);
            }
        });
        Deaths { seen, task }
    }

    /// Ends the clients, then the nodes; what did not end as it should.
    async fn tear_down(self) -> Vec<String> {
        drop(self.clients);
        let troubles = self.cluster.shut_down().await;
        troubles.iter().map(ToString::to_string).collect()
    }
}

/// The deaths of a run, as they come.
struct Deaths {
    seen: Arc<Mutex<Vec<Death>>>,
    task: JoinHandle<()>,
}

impl Deaths {
    /// All of them, once every node has ended.
    async fn finish(self) -> Vec<Death> {
        let Self { seen, mut task } = self;
        let _ = timeout(NEWS_MAX, &mut task).await;
        task.abort();
        std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The clients of a run. Dropping this ends them.
struct Clients {
    /// Open and waiting for their start.
    waiting: Vec<Task>,
    running: JoinSet<()>,
    administrator: Option<Administrator>,
    /// Where the administrator runs.
    office: JoinSet<()>,
    operations: Arc<Operations>,
    phase: watch::Sender<client::Phase>,
}

impl Clients {
    async fn open(parts: &Parts<'_>, proxy: &Proxy) -> Result<Self, LiveError> {
        let Parts { setup, kind, recorder, observed, happenings, scripts, keys, .. } = parts;
        let Plan { seed, system, workload, durations, .. } = &setup.plan;
        let operations = Arc::new(Operations::new(workload, *seed));
        let (phase, phases) = watch::channel(client::Phase::Work);
        let config = ClientsConfig {
            clients: workload.clients,
            rate_per_s: workload.rate_per_s,
            operation_timeout: Duration::from_millis(durations.operation_timeout_ms),
            seed: weather::draw(*seed, "clients", &[]),
            doors: (0..system.nodes).filter_map(|node| proxy.door_of(node)).collect(),
            http: proxy::client().map_err(|error| LiveError::Clients(error.to_string()))?,
            recorder: (*recorder).clone(),
            observed: Arc::clone(observed),
            happenings: Arc::clone(happenings),
            scripts: Arc::clone(scripts),
            operations: Arc::clone(&operations),
            phase: phases,
        };
        let job = OpenClients {
            config,
            plan: setup.plan.system.clone(),
            mutants: setup.mutants,
            keys: keys.clients.clone(),
            with_administrator: has_administrator(&setup.plan),
        };
        let Opened { clients, administrator } = with_system(*kind, job).await?;
        let mut office = JoinSet::new();
        let administrator = administrator.map(|(whom, work)| {
            office.spawn(work);
            whom
        });
        let running = JoinSet::new();
        Ok(Self { waiting: clients, running, administrator, office, operations, phase })
    }

    fn start(&mut self) {
        for client in self.waiting.drain(..) {
            self.running.spawn(client);
        }
    }

    fn enter(&self, phase: client::Phase) {
        self.phase.send_replace(phase);
    }

    /// Has every key that was used lately read, and waits for the clients' end; what went wrong with them.
    async fn read_finally(&mut self, until: Instant) -> Vec<String> {
        let keys = Arc::new(self.operations.last_keys(FINAL_KEYS_MAX));
        self.enter(client::Phase::FinalReads { keys, until });
        let mut troubles = Vec::new();
        let all = async {
            while let Some(ended) = self.running.join_next().await {
                troubles.extend(ended.err().map(describe_panic));
            }
        };
        if timeout_at(until + CLIENTS_END_MAX, all).await.is_err() {
            troubles.push("some clients did not end".to_owned());
        }
        // It ends before the run only where its core breaks an assertion.
        troubles.extend(self.office.try_join_next().and_then(Result::err).map(describe_panic));
        troubles
    }
}

/// How long one client may take to open its streams to all nodes.
const OPENING_MAX: Duration = Duration::from_secs(10);
/// Why it may take longer: a proxy that may open no more files leaves connections waiting.
const NO_STREAM: &str = "its streams to the nodes do not open; if the limit on open files \
                         (ulimit -n) is low, raise it or take fewer clients";

/// An error together with the one at its bottom, which says most.
fn with_cause(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.last().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// Lets this process open as many files as it may at all: a client has a stream to every node, and each
/// stream passes the proxy.
fn open_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If that is forbidden, a run that needs more says so.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Opens the clients of a system whose type is known only here.
struct OpenClients {
    config: ClientsConfig,
    plan: quorate_plan::SystemPlan,
    mutants: Mutants,
    keys: Vec<Keyring>,
    with_administrator: bool,
}

/// What a client does, from beginning to end.
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Clients whose links are open.
struct Opened {
    clients: Vec<Task>,
    administrator: Option<(Administrator, Task)>,
}

impl WithSystem for OpenClients {
    type Out = Pin<Box<dyn Future<Output = Result<Opened, LiveError>> + Send>>;

    fn with<S: System>(self) -> Self::Out {
        Box::pin(async move {
            let Self { config, plan, mutants, keys, with_administrator } = self;
            let system = S::configure(plan.nodes, &plan.options, mutants)?;
            let mut opened = Opened { clients: Vec::new(), administrator: None };
            for (me, keys) in (0..).zip(keys) {
                let client = open_client::<S>(me, &config, &system, keys).await?;
                if me < config.clients {
                    opened.clients.push(Box::pin(client.run()));
                } else if with_administrator {
                    let (whom, asked) = Administrator::new();
                    let work = client.administer(asked, system.clone());
                    opened.administrator = Some((whom, Box::pin(work)));
                }
            }
            Ok(opened)
        })
    }
}

async fn open_client<S: System>(
    me: u32,
    config: &ClientsConfig,
    system: &S::Config,
    keys: Keyring,
) -> Result<Client<S>, LiveError> {
    let cannot = |why| LiveError::Clients(format!("c{me}: {why}"));
    let opening = Client::<S>::open(me, config.clone(), system.clone(), keys);
    timeout(OPENING_MAX, opening)
        .await
        .map_err(|_| cannot(NO_STREAM.to_owned()))?
        .map_err(|error| cannot(with_cause(&error)))
}

/// What the links of a plan obey, no fault being in force.
fn network(plan: &Plan) -> Rules {
    let rules = Rules::new(weather::draw(plan.seed, "network", &[]));
    let time_limit = Duration::from_millis(plan.durations.time_limit_ms);
    match plan.weather {
        Some(weather) => rules.with_weather(weather, time_limit, plan.system.nodes),
        None => rules,
    }
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

/// The lie of a node that lives twice.
const TWINS: &str = "twins";

fn header(setup: &RunSetup, promises: &Promises) -> Header {
    Header {
        program: setup.program.clone(),
        started: setup.started.clone(),
        mutant: setup.mutants.0.map(|mutant| mutant.name().to_owned()),
        model: promises.model.to_owned(),
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

/// The seed of all keys of a run.
fn key_seed(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (part, chunk) in (0_u64..).zip(bytes.chunks_exact_mut(8)) {
        chunk.copy_from_slice(&weather::draw(seed, "keys", &[part]).to_le_bytes());
    }
    bytes
}

fn describe_panic(error: JoinError) -> String {
    format!("the core of a client panicked: {}", panic_text(error))
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

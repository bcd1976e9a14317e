//! All that is started for a run: links, nodes, clients.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quorate_plan::{Fault, Plan};
use quorate_systems::contract::System;
use quorate_systems::keys::ClusterKeys;
use quorate_systems::{SystemKind, WithSystem, with_system};
use quorate_world::inputs::{Owner, RunId, Title};
use quorate_world::weather;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::clients::Clients;
use super::{LiveError, RunSetup};
use crate::client::{Scripts, Tongues};
use crate::cluster::{Cluster, ClusterConfig, Death};
use crate::happenings::{self, Eyes, Happenings, Onlooker};
use crate::inputs::{CLIENT_INPUTS, SharedInputs};
use crate::nemesis::Coroner;
use crate::observed::{self, SharedLog};
use crate::proxy::{Proxy, Rules};
use crate::recorder::Recorder;

/// How long the last news of nodes that ended may take.
const NEWS_MAX: Duration = Duration::from_secs(2);

/// What all that is started for a run has in common.
pub(super) struct Parts<'a> {
    pub(super) setup: &'a RunSetup,
    pub(super) kind: SystemKind,
    pub(super) recorder: &'a Recorder,
    /// What happens to the clients' cores.
    pub(super) observed: Arc<SharedLog>,
    /// Their inputs.
    pub(super) inputs: Arc<SharedInputs>,
    /// What tells the run from others.
    pub(super) run: RunId,
    pub(super) happenings: Arc<Happenings>,
    pub(super) onlooker: Arc<dyn Onlooker>,
    pub(super) scripts: Arc<Scripts>,
    /// How clients are to lie.
    pub(super) tongues: Arc<Tongues>,
    pub(super) keys: ClusterKeys,
}

impl<'a> Parts<'a> {
    pub(super) fn of(
        setup: &'a RunSetup,
        kind: SystemKind,
        recorder: &'a Recorder,
        run: RunId,
    ) -> Result<Self, LiveError> {
        let Plan { seed, system, .. } = &setup.plan;
        let observed = SharedLog::open(&setup.folder.join(observed::CLIENTS))
            .map_err(|error| LiveError::Clients(error.to_string()))?;
        let title = Title { run: run.clone(), of: Owner::Clients };
        let inputs = SharedInputs::open(&setup.folder.join(CLIENT_INPUTS), &title)
            .map_err(|error| LiveError::Clients(error.to_string()))?;
        let happenings = Arc::new(Happenings::of(&setup.plan));
        let clients = doors(&setup.plan);
        Ok(Self {
            setup,
            kind,
            recorder,
            observed: Arc::new(observed),
            inputs: Arc::new(inputs),
            run,
            onlooker: with_system(kind, MakeOnlooker(Arc::clone(&happenings))),
            scripts: Arc::new(Scripts::of(&setup.plan, &happenings)),
            tongues: Arc::new(Tongues::new(setup.plan.workload.clients)),
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

/// Whether the system is to change while it runs.
pub(crate) fn has_administrator(plan: &Plan) -> bool {
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
pub(super) struct Stage {
    pub(super) proxy: Arc<Proxy>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) clients: Clients,
    deaths: Option<mpsc::UnboundedReceiver<Death>>,
}

impl Stage {
    pub(super) async fn build(parts: &Parts<'_>) -> Result<Self, LiveError> {
        let Parts { setup, kind, onlooker, happenings, keys, run, .. } = parts;
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
            run: run.clone(),
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

    pub(super) fn watch_deaths(&mut self, coroner: Coroner) -> Deaths {
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
    pub(super) async fn tear_down(self) -> Vec<String> {
        self.clients.end().await;
        let troubles = self.cluster.shut_down().await;
        troubles.iter().map(ToString::to_string).collect()
    }
}

/// The deaths of a run, as they come.
pub(super) struct Deaths {
    seen: Arc<Mutex<Vec<Death>>>,
    task: JoinHandle<()>,
}

impl Deaths {
    /// All of them, once every node has ended.
    pub(super) async fn finish(self) -> Vec<Death> {
        let Self { seen, mut task } = self;
        let _ = timeout(NEWS_MAX, &mut task).await;
        task.abort();
        std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
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

/// The seed of all keys of a run.
fn key_seed(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (part, chunk) in (0_u64..).zip(bytes.chunks_exact_mut(8)) {
        chunk.copy_from_slice(&weather::draw(seed, "keys", &[part]).to_le_bytes());
    }
    bytes
}

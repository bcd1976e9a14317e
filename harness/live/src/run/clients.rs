//! The clients of a run, the administrator among them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use quorate_plan::{Plan, SystemPlan};
use quorate_systems::contract::{Keyring, System};
use quorate_systems::mutant::Mutants;
use quorate_systems::{WithSystem, with_system};
use quorate_world::weather;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};

use super::stage::{Parts, has_administrator};
use super::{LiveError, panic_text};
use crate::client::{self, Administrator, Client, ClientsConfig, Operations};
use crate::proxy::{self, Proxy};

/// A run reads so many keys at its end; a longer one has left most of its keys long ago, and each was
/// checked by the reads that the workload made.
const FINAL_KEYS_MAX: usize = 50;
/// How long clients may take to end after their time is over.
const CLIENTS_END_MAX: Duration = Duration::from_secs(2);

/// The clients of a run. Dropping this ends them.
pub(super) struct Clients {
    /// Open and waiting for their start.
    waiting: Vec<Task>,
    running: JoinSet<()>,
    pub(super) administrator: Option<Administrator>,
    /// Where the administrator runs.
    office: JoinSet<()>,
    operations: Arc<Operations>,
    phase: watch::Sender<client::Phase>,
}

impl Clients {
    pub(super) async fn open(parts: &Parts<'_>, proxy: &Proxy) -> Result<Self, LiveError> {
        let Parts { setup, kind, recorder, observed, inputs, happenings, .. } = parts;
        let Parts { scripts, tongues, keys, .. } = parts;
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
            inputs: Arc::clone(inputs),
            happenings: Arc::clone(happenings),
            scripts: Arc::clone(scripts),
            operations: Arc::clone(&operations),
            tongues: Arc::clone(tongues),
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

    pub(super) fn start(&mut self) {
        for client in self.waiting.drain(..) {
            self.running.spawn(client);
        }
    }

    /// Ends them; nothing of them goes on when this returns.
    pub(super) async fn end(mut self) {
        self.running.shutdown().await;
        self.office.shutdown().await;
    }

    pub(super) fn enter(&self, phase: client::Phase) {
        self.phase.send_replace(phase);
    }

    /// Has every key that was used lately read, and waits for the clients' end; what went wrong with them.
    pub(super) async fn read_finally(&mut self, until: Instant) -> Vec<String> {
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

/// Opens the clients of a system whose type is known only here.
struct OpenClients {
    config: ClientsConfig,
    plan: SystemPlan,
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

fn describe_panic(error: JoinError) -> String {
    format!("the core of a client panicked: {}", panic_text(error))
}

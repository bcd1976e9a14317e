//! The node processes of one run: started, told, stopped, killed and started again.

mod damage;
mod faults;
mod process;
mod spawner;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_systems::SystemKind;
use quorate_systems::contract::{Keyring, Lie};
use quorate_systems::mutant::Mutants;
use quorate_world::inputs::RunId;
use quorate_world::weather;
use rustix::process::Signal;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::happenings::{Happenings, Onlooker};
use crate::inputs::INPUTS;
use crate::nemesis::Machines;
use crate::observed::OBSERVED;
use crate::protocol::{Control, InputsFile, NodeConfig};
use crate::proxy::Proxy;

use damage::Flipped;
use process::Process;
pub(crate) use process::{Exit, Expected};
use spawner::Spawner;

/// How long a node may take to end when it is told to.
const SHUTDOWN_MAX: Duration = Duration::from_secs(5);
/// How much of the end of a log is looked at, in bytes.
const LOG_TAIL: u64 = 4_096;

/// What the node processes of a run have in common.
#[derive(Clone, Debug)]
pub(crate) struct ClusterConfig {
    /// The program that is started as `executable node --config FILE`.
    pub(crate) executable: PathBuf,
    /// The run's folder; the nodes live in `nodes/n0`, `nodes/n1`, … below it.
    pub(crate) folder: PathBuf,
    /// What they run.
    pub(crate) system: SystemKind,
    /// Its options.
    pub(crate) options: BTreeMap<String, String>,
    /// The planted bug.
    pub(crate) mutants: Mutants,
    /// Observations of these kinds are told as they come.
    pub(crate) watched: BTreeSet<String>,
    /// To whom.
    pub(crate) onlooker: Arc<dyn Onlooker>,
    /// Who is told of starts and ends of nodes.
    pub(crate) happenings: Arc<Happenings>,
    /// One for each node.
    pub(crate) keys: Vec<Keyring>,
    /// What tells the run from others.
    pub(crate) run: RunId,
    /// Entropy of nodes and of damage is drawn from it.
    pub(crate) seed: u64,
}

/// The node processes of one run. Dropping it kills them all.
#[derive(Debug)]
pub(crate) struct Cluster {
    config: ClusterConfig,
    proxy: Arc<Proxy>,
    spawner: Spawner,
    nodes: Vec<Node>,
    deaths: mpsc::UnboundedSender<Death>,
}

/// A node that ended without being made to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// Which.
    pub node: u16,
    /// How, in one line, with the last line of its log.
    pub how: String,
}

/// What cannot be done with a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// The operating system refuses.
    #[error("n{node}: cannot {what}: {error}")]
    System { node: u16, what: String, error: String },
    /// It ended before it served.
    #[error("n{node} did not come up: {exit}; its log ends with: {log}")]
    Stillborn { node: u16, exit: Exit, log: String },
    /// It does not get ready.
    #[error("n{node} did not come up within {seconds} s; its log ends with: {log}")]
    NotReady { node: u16, seconds: u64, log: String },
    /// It serves from a disk that the harness has damaged.
    #[error("n{node} started on a damaged disk instead of refusing to")]
    AcceptedDamage { node: u16 },
    /// There is no process to do it with.
    #[error("n{node} is down")]
    Down { node: u16 },
    /// Its process is stopped; it will obey when it goes on.
    #[error("n{node} is stopped")]
    Stopped { node: u16 },
    /// It does not do it in time.
    #[error("n{node} did not {what} within {seconds} s")]
    TooSlow { node: u16, what: &'static str, seconds: u64 },
}

#[derive(Debug)]
struct Node {
    folder: PathBuf,
    process: Mutex<Option<Arc<Process>>>,
    /// What it is told again at each start, as long as it is so.
    ailments: Mutex<Ailments>,
    flipped: Mutex<Option<Flipped>>,
    /// It has ended on its own account in this run: its disk is evidence.
    died: Arc<AtomicBool>,
    flips: AtomicU64,
}

/// What is wrong with a node beyond its process's life.
#[derive(Clone, Debug, Default)]
struct Ailments {
    /// Offset and rate of its clock.
    clock: Option<(i64, u32)>,
    lie: Option<Lie>,
}

impl Cluster {
    /// Writes every node's configuration and starts all nodes; they serve when this returns. Ends of nodes
    /// that nobody asked for are told through `deaths`. On an error all nodes started so far are killed.
    pub(crate) async fn start(
        config: ClusterConfig,
        proxy: Arc<Proxy>,
        deaths: mpsc::UnboundedSender<Death>,
    ) -> Result<Self, Trouble> {
        let spawner = Spawner::start().map_err(|error| Trouble::System {
            node: 0,
            what: "start the thread that starts processes".to_owned(),
            error: error.to_string(),
        })?;
        let count = u16::try_from(config.keys.len()).unwrap_or(u16::MAX);
        let nodes = (0..count).map(|node| Node::new(&config.folder, node)).collect();
        let cluster = Self { config, proxy, spawner, nodes, deaths };
        for node in 0..count {
            cluster.prepare(node)?;
        }
        let started = (0..count).map(|node| cluster.start_node(node));
        let results = futures_util::future::join_all(started).await;
        match results.into_iter().find_map(Result::err) {
            None => Ok(cluster),
            Some(trouble) => {
                cluster.kill_all().await;
                Err(trouble)
            }
        }
    }

    /// Ends every node as it should end, or kills it; what did not go as it should is returned. The data
    /// folders of nodes that never died on their own account are removed.
    pub(crate) async fn shut_down(&self) -> Vec<Trouble> {
        let nodes = 0..self.count();
        let ends =
            futures_util::future::join_all(nodes.map(|node| self.shut_down_node(node))).await;
        for member in &self.nodes {
            if !member.died.load(Ordering::Relaxed) {
                // What cannot be removed is swept by the next start.
                let _ = fs::remove_dir_all(member.folder.join(DATA));
            }
        }
        ends.into_iter().filter_map(Result::err).collect()
    }

    async fn shut_down_node(&self, node: u16) -> Result<(), Trouble> {
        let Ok(process) = self.process(node) else { return Ok(()) };
        process.expect(Expected::Code(0));
        process.signal(Signal::CONT);
        drop(process.order(Control::Shutdown));
        if timeout(SHUTDOWN_MAX, process.ended()).await.is_ok() {
            return Ok(());
        }
        self.kill(node).await?;
        let seconds = SHUTDOWN_MAX.as_secs();
        Err(Trouble::TooSlow { node, what: "end when it was told to", seconds })
    }

    async fn kill_all(&self) {
        futures_util::future::join_all((0..self.count()).map(|node| self.kill(node))).await;
    }

    /// Writes a node's folder and configuration.
    fn prepare(&self, node: u16) -> Result<(), Trouble> {
        let member = self.node(node).ok_or(Trouble::Down { node })?;
        let config = self.node_config(node, &member.folder);
        let file = member.folder.join("config.json");
        let bytes = serde_json::to_vec_pretty(&config).map_err(io::Error::from);
        fs::create_dir_all(&member.folder)
            .and_then(|()| fs::write(&file, bytes?))
            .map_err(|error| system(node, &format!("write {}", file.display()), &error))
    }

    fn node_config(&self, node: u16, folder: &Path) -> NodeConfig {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        NodeConfig {
            node,
            nodes: self.count(),
            system: self.config.system,
            options: self.config.options.clone(),
            mutants: self.config.mutants,
            data: folder.join(DATA),
            observed: Some(folder.join(OBSERVED)),
            inputs: Some(InputsFile { path: folder.join(INPUTS), run: self.config.run.clone() }),
            watched: self.config.watched.clone(),
            peer_listen: anywhere,
            client_listen: anywhere,
            peers: self.proxy.peers_of(node),
            keys: self.config.keys.get(usize::from(node)).cloned().unwrap_or_default(),
            entropy: weather::draw(self.config.seed, "node entropy", &[u64::from(node)]),
            parent: Some(std::process::id()),
        }
    }

    async fn launch(&self, node: u16) -> Result<Arc<Process>, Trouble> {
        let member = self.node(node).ok_or(Trouble::Down { node })?;
        let failed = |what: &str, error: &io::Error| system(node, what, error);
        let log = File::options()
            .create(true)
            .append(true)
            .open(member.folder.join(LOG))
            .map_err(|error| failed("open its log", &error))?;
        let mut command = Command::new(&self.config.executable);
        command
            .arg("node")
            .arg("--config")
            .arg(member.folder.join("config.json"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl-C is for the harness; it decides when its nodes end.
            .process_group(0)
            .kill_on_drop(true);
        let start = format!("start {}", self.config.executable.display());
        let child = self.spawner.spawn(command).await.map_err(|error| failed(&start, &error))?;
        let notices = member.folder.join("notices.jsonl");
        let process =
            Process::adopt(child, &notices, self.on_observed(node), self.on_exit(node, member))
                .map_err(|error| failed("take charge of its process", &error))?;
        let process = Arc::new(process);
        *lock(&member.process) = Some(Arc::clone(&process));
        Ok(process)
    }

    /// What is to be done when a node tells of a transition.
    fn on_observed(&self, node: u16) -> impl Fn(&serde_json::Value) + Send + 'static {
        let onlooker = Arc::clone(&self.config.onlooker);
        move |observation| onlooker.observed(node, observation)
    }

    /// What is to be done when a node's process ends.
    fn on_exit(&self, node: u16, member: &Node) -> impl FnOnce(&Exit) + Send + 'static {
        let proxy = Arc::clone(&self.proxy);
        let happenings = Arc::clone(&self.config.happenings);
        let deaths = self.deaths.clone();
        let log = member.folder.join(LOG);
        let died = Arc::clone(&member.died);
        move |exit| {
            proxy.node_is_at(node, None);
            happenings.crashed(node);
            if !exit.expected {
                died.store(true, Ordering::Relaxed);
                // Nobody listens any more: the run is over.
                let _ = deaths.send(Death { node, how: describe_death(exit, &log) });
            }
        }
    }

    /// A node that ended instead of serving: its disk is kept.
    fn stillborn(&self, node: u16, exit: Exit) -> Trouble {
        if let Some(member) = self.node(node) {
            member.died.store(true, Ordering::Relaxed);
        }
        Trouble::Stillborn { node, exit, log: self.log_tail(node) }
    }

    fn node(&self, node: u16) -> Option<&Node> {
        self.nodes.get(usize::from(node))
    }

    /// The node's process, if it has not ended.
    fn process(&self, node: u16) -> Result<Arc<Process>, Trouble> {
        self.last_process(node).filter(|process| process.lives()).ok_or(Trouble::Down { node })
    }

    fn last_process(&self, node: u16) -> Option<Arc<Process>> {
        lock(&self.node(node)?.process).clone()
    }

    fn log_tail(&self, node: u16) -> String {
        self.node(node).map(|member| last_lines(&member.folder.join(LOG), 3)).unwrap_or_default()
    }
}

impl Node {
    fn new(run: &Path, node: u16) -> Self {
        Self {
            folder: run.join(NODES).join(format!("n{node}")),
            process: Mutex::default(),
            ailments: Mutex::default(),
            flipped: Mutex::default(),
            died: Arc::default(),
            flips: AtomicU64::new(0),
        }
    }
}

/// The folder of all nodes, within a run's.
pub(crate) const NODES: &str = "nodes";
/// A node's disk, within its folder.
pub(crate) const DATA: &str = "data";
/// What a node wrote to standard error, within its folder.
const LOG: &str = "log";

fn system(node: u16, what: &str, error: &io::Error) -> Trouble {
    Trouble::System { node, what: what.to_owned(), error: error.to_string() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn describe_death(exit: &Exit, log: &Path) -> String {
    let tail = last_lines(log, 3);
    // What a Rust program's exit code is after a panic; its log says where.
    let mut how = if exit.code == Some(101) || tail.contains("panicked at") {
        "a panic: ".to_owned()
    } else {
        String::new()
    };
    let _ = write!(how, "{exit}");
    if !tail.is_empty() {
        let _ = write!(how, "; its log ends with: {tail}");
    }
    how
}

/// The last lines of a file that are not empty, joined into one.
fn last_lines(file: &Path, count: usize) -> String {
    let mut bytes = Vec::new();
    let tail = File::open(file).and_then(|mut file| {
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(LOG_TAIL)))?;
        file.read_to_end(&mut bytes)
    });
    if tail.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.len().saturating_sub(count);
    lines.get(last..).unwrap_or_default().join(" | ")
}

//! Node processes, and a cluster of them without a proxy between.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use quorate_live::protocol::{Control, NodeConfig, Notice, Order, Ready, Status};
use quorate_systems::SystemKind;
use quorate_systems::keys::ClusterKeys;
use quorate_systems::mutant::Mutants;

const PATIENCE: Duration = Duration::from_secs(20);

/// A node process under test; killed when it goes out of scope.
pub(crate) struct Process {
    pub(crate) child: Child,
    orders: Option<ChildStdin>,
    notices: Receiver<Notice>,
    last_order: u64,
}

/// The command that runs this config as a node.
pub(crate) fn command(config: &NodeConfig) -> Command {
    let path = config.data.with_extension("json");
    std::fs::write(&path, serde_json::to_vec(config).unwrap()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(["node", "--config"]).arg(path);
    command
}

impl Process {
    pub(crate) fn start(config: &NodeConfig) -> Self {
        Self::spawn(command(config))
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (heard, notices) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if heard.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        let orders = child.stdin.take();
        Self { child, orders, notices, last_order: 0 }
    }

    pub(crate) fn notice(&self) -> Notice {
        self.notices.recv_timeout(PATIENCE).expect("the node says something")
    }

    pub(crate) fn ready(&self) -> Ready {
        match self.notice() {
            Notice::Ready(ready) => ready,
            other => panic!("not ready: {other:?}"),
        }
    }

    /// Why it ends, and with which exit code.
    pub(crate) fn ending(&mut self) -> (String, i32) {
        let why = match self.notice() {
            Notice::Ending { why } => why,
            other => panic!("not ending: {other:?}"),
        };
        (why, self.wait().code().unwrap())
    }

    pub(crate) fn order(&mut self, what: Control) {
        self.last_order += 1;
        let order = Order { id: self.last_order, what };
        let line = serde_json::to_string(&order).unwrap();
        writeln!(self.orders.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Gives an order and waits until it is carried out.
    pub(crate) fn obey(&mut self, what: Control) -> Status {
        self.order(what);
        match self.notice() {
            Notice::Done { id, status } if id == self.last_order => status,
            other => panic!("not done: {other:?}"),
        }
    }

    pub(crate) fn close_orders(&mut self) {
        self.orders = None;
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.wait();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the node does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The configs of a cluster whose nodes send to each other directly, with their data below `folder`.
pub(crate) fn cluster(folder: &Path, nodes: u16) -> Vec<NodeConfig> {
    let keys = ClusterKeys::from_seed(&[7; 32], nodes, 1);
    let peers: Vec<_> = (0..nodes).map(|_| free_address()).collect();
    keys.nodes
        .into_iter()
        .zip(0..)
        .map(|(keys, node)| NodeConfig {
            node,
            nodes,
            system: SystemKind::Quorum,
            options: BTreeMap::new(),
            mutants: Mutants::NONE,
            data: folder.join(format!("n{node}")),
            observed: None,
            inputs: None,
            watched: BTreeSet::new(),
            peer_listen: peers[usize::from(node)],
            client_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            peers: peers.clone(),
            keys,
            entropy: u64::from(node),
            parent: None,
        })
        .collect()
}

/// One node that is a cluster of its own.
pub(crate) fn single(folder: &Path) -> NodeConfig {
    cluster(folder, 1).remove(0)
}

/// An address that was free a moment ago, for nodes that have to know each other's before they start.
fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

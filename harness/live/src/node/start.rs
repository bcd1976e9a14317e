//! From a config to a node that is ready to serve.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use quorate_systems::contract::{LocalTime, NodeId, Outbox, Replica, Start, System};
use quorate_world::gate::Gate;
use quorate_world::invariants::Who;
use quorate_world::liar::Liar;
use quorate_world::weather;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::clients::{self, Office, Streams};
use super::clock::Clock;
use super::console::Log;
use super::diary::Diary;
use super::ending::Ending;
use super::folder::Folder;
use super::inputs::Inputs;
use super::peers::{self, Inbox, Peers};
use super::recovery::recover;
use super::runtime::{Ask, Counts, Node, Sources};
use super::storage::Storage;
use crate::protocol::{NodeConfig, Notice, Ready};
use crate::timers::Timers;

/// How many messages wait for the core; senders of more have to wait themselves.
const ARRIVALS_MAX: usize = 1_024;

/// A node that has come up and serves as soon as it is let.
pub(super) struct Started<S: System> {
    pub(super) node: Node<S>,
    pub(super) sources: Sources<S>,
    pub(super) ready: Notice,
}

/// Brings a node up. The ports come first: a node that cannot have them leaves no trace.
pub(super) async fn start<S: System>(
    config: &NodeConfig,
    asks: mpsc::Sender<Ask>,
    asked: mpsc::Receiver<Ask>,
    log: Log,
) -> Result<Started<S>, Ending> {
    let system = S::configure(config.nodes, &config.options, config.mutants)
        .map_err(|error| Ending::CannotStart(error.to_string()))?;
    let (peer_listener, peer_address) = bind(config.peer_listen, "peers").await?;
    let (client_listener, client_address) = bind(config.client_listen, "clients").await?;

    let (folder, incarnation) = Folder::open(config)?;
    let mut recovery =
        recover(folder.path()).map_err(|error| Ending::no_folder("read", folder.path(), &error))?;
    let (records, torn_bytes) = (recovery.intact(), recovery.torn_bytes);
    let mut diary = Diary::open(config)?;
    diary.boot(incarnation, &recovery.records);
    let seed = weather::draw(config.entropy, "node", &[incarnation.0]);
    let me = NodeId(config.node);
    let mut outbox = Outbox::default();
    let mut inputs = Inputs::open(config)?;
    let start = Start {
        me,
        incarnation,
        config: system.clone(),
        keys: config.keys.clone(),
        entropy: weather::draw(seed, "core", &[]),
        now: LocalTime(0),
        records: std::mem::take(&mut recovery.records),
    };
    let replica = raise::<S>(start, &mut inputs, &mut outbox)?;
    // A node that refuses to start has not come up, and has nothing to tell.
    diary.write()?;
    let (reporter, reports) = mpsc::unbounded_channel();
    let storage = Storage::open(folder, &recovery, seed, reporter)
        .map_err(|error| Ending::CannotStart(error.to_string()))?;
    let ready =
        Ready { incarnation: incarnation.0, peer_address, client_address, records, torn_bytes };
    tell_boot(&ready, &log);

    let counts = Counts::default();
    let streams = Arc::new(Streams::default());
    let (arrived, arrivals) = mpsc::channel(ARRIVALS_MAX);
    let mut tasks = JoinSet::new();
    let inbox = Inbox::<S> {
        me,
        nodes: config.nodes,
        arrived: arrived.clone(),
        undecodable: Arc::clone(&counts.undecodable),
    };
    tasks.spawn(peers::listen(peer_listener, Arc::new(inbox)));
    let office = Office::<S> {
        streams: Arc::clone(&streams),
        arrived,
        asks,
        undecodable: Arc::clone(&counts.undecodable),
    };
    tasks.spawn(clients::listen(client_listener, Arc::new(office)));
    let peers = Peers::connect(me, &config.peers, &mut tasks);

    let node = Node {
        me,
        incarnation,
        replica,
        outbox,
        gate: Gate::default(),
        clock: Clock::new(Instant::now()),
        timers: Timers::new(seed),
        storage,
        liar: Liar::new(Who::Node(me), seed),
        system,
        keys: config.keys.clone(),
        late: VecDeque::new(),
        inputs,
        diary,
        peers,
        streams,
        local: VecDeque::new(),
        counts,
        has_parent: config.parent.is_some(),
        log,
    };
    let sources = Sources { asks: asked, reports, arrivals, tasks };
    Ok(Started { node, sources, ready: Notice::Ready(ready) })
}

/// Tells people what it came up with.
fn tell_boot(ready: &Ready, log: &Log) {
    let Ready { incarnation, peer_address, client_address, records, torn_bytes } = ready;
    log.say(format_args!(
        "boot {incarnation}: {records} records on disk, peers at {peer_address}, clients at {client_address}"
    ));
    if *torn_bytes > 0 {
        log.say(format_args!("cut a torn tail of {torn_bytes} bytes"));
    }
}

/// Starts the core, after what it starts from was written down.
fn raise<S: System>(
    start: Start<S>,
    inputs: &mut Inputs,
    outbox: &mut Outbox<S>,
) -> Result<S::Replica, Ending> {
    inputs.starts(&start)?;
    S::Replica::start(start, outbox).map_err(|error| {
        inputs.refused(&error);
        Ending::Refused(error.to_string())
    })
}

async fn bind(address: SocketAddr, whom: &str) -> Result<(TcpListener, SocketAddr), Ending> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let real = listener.local_addr()?;
        Ok::<_, std::io::Error>((listener, real))
    };
    bound.await.map_err(|error| {
        let mend = match error.kind() {
            std::io::ErrorKind::AddrInUse => "stop what uses it, or take port 0 for a free one",
            std::io::ErrorKind::PermissionDenied => "take a port above 1023",
            _ => "take an address of this machine",
        };
        Ending::CannotStart(format!("cannot listen for {whom} at {address}: {error}; {mend}"))
    })
}

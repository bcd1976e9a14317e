//! Every link between processes runs through here, so that every message can be dropped, delayed, doubled,
//! overtaken or damaged without privileges or containers.
//!
//! ```text
//!  node i ──TCP──► listener (i→j) ──► Link: rules, queue ──TCP──► node j, wherever it listens now
//!  client c ─POST─► door of node j ──► Link (c→j) ─────────POST─► node j
//!           ◄─GET── door of node j ◄── Link (j→c) ◄─────────GET── node j
//! ```

mod background;
mod frames;
mod http;
mod link;
mod peer;
#[cfg(test)]
mod ruled;
mod rules;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::serve::ListenerExt;
use quorate_plan::Endpoint;
use quorate_systems::vocabulary::Vocabulary;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use http::messages_of;
pub use link::Traffic;
pub use rules::{Harm, NetworkRule, Rules};

use crate::happenings::Onlooker;
use http::{Door, Outlet, Visitor};
use link::Link;

/// The proxy of one run: its listeners, links and the tasks that move the messages. All of it ends when
/// this is dropped.
#[derive(Debug)]
pub struct Proxy {
    rules: Arc<Rules>,
    onlooker: Option<Arc<dyn Onlooker>>,
    links: Vec<Arc<Link>>,
    nodes: Vec<NodeEnds>,
    /// Held for its drop, which ends all tasks.
    tasks: JoinSet<()>,
    /// Held for its drop, which closes the doors' connections.
    open: watch::Sender<()>,
}

/// Where a node is, and where its links begin.
#[derive(Debug)]
struct NodeEnds {
    /// Where it sends its frames for each other node, by place; its own entry leads nowhere.
    peers: Vec<SocketAddr>,
    /// Where clients come to speak with it.
    door: SocketAddr,
    /// Where it really listens for peers.
    peer_address: watch::Sender<Option<SocketAddr>>,
    /// Where it really listens for clients.
    client_address: watch::Sender<Option<SocketAddr>>,
}

impl Proxy {
    /// Opens all listeners, on free ports of the loopback interface, for so many nodes and clients.
    /// No node is there yet. Messages are looked into only where there is an onlooker.
    pub async fn start(
        nodes: u16,
        clients: u32,
        rules: Arc<Rules>,
        onlooker: Option<Arc<dyn Onlooker>>,
        vocabulary: &'static Vocabulary,
    ) -> io::Result<Self> {
        let http = client()?;
        let (open, _) = watch::channel(());
        let mut proxy = Self {
            rules,
            onlooker,
            links: Vec::new(),
            nodes: Vec::new(),
            tasks: JoinSet::new(),
            open,
        };
        for node in 0..nodes {
            let door = proxy.open_door(node, clients, &http).await?;
            proxy.nodes.push(door);
        }
        for from in 0..nodes {
            proxy.open_peer_links(from, vocabulary).await?;
        }
        if let Some(onlooker) = &proxy.onlooker {
            proxy.tasks.spawn(let_go(proxy.links.clone(), onlooker.turns()));
        }
        Ok(proxy)
    }

    /// Where `node` is to send its frames for each node, by place: what its configuration lists as peers.
    pub fn peers_of(&self, node: u16) -> Vec<SocketAddr> {
        self.ends(node).map(|ends| ends.peers.clone()).unwrap_or_default()
    }

    /// Where clients come to speak with `node`.
    pub fn door_of(&self, node: u16) -> Option<SocketAddr> {
        self.ends(node).map(|ends| ends.door)
    }

    /// From now on `node` listens for peers and for clients here; `None`: it is gone.
    pub fn node_is_at(&self, node: u16, at: Option<(SocketAddr, SocketAddr)>) {
        if let Some(ends) = self.ends(node) {
            ends.peer_address.send_replace(at.map(|(peers, _)| peers));
            ends.client_address.send_replace(at.map(|(_, clients)| clients));
        }
    }

    /// The table of faults that the links obey.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// What happened on each link so far, by sender and receiver.
    pub fn traffic(&self) -> Vec<Traffic> {
        let mut traffic: Vec<_> = self.links.iter().map(|link| link.traffic()).collect();
        traffic.sort_by_key(|link| (link.from, link.to));
        traffic
    }

    fn ends(&self, node: u16) -> Option<&NodeEnds> {
        self.nodes.get(usize::from(node))
    }

    async fn open_door(
        &mut self,
        node: u16,
        clients: u32,
        http: &reqwest::Client,
    ) -> io::Result<NodeEnds> {
        let listener = listen().await?;
        let ends = NodeEnds {
            peers: Vec::new(),
            door: listener.local_addr()?,
            peer_address: watch::Sender::new(None),
            client_address: watch::Sender::new(None),
        };
        let visitors = (0..clients)
            .map(|client| self.receive(node, client, http, &ends.client_address))
            .collect();
        let routes = http::routes(Arc::new(Door { clients: visitors }));
        let listener = listener.tap_io(|stream| {
            // Without it a message may wait for the acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
        });
        let mut open = self.open.subscribe();
        let closed = async move { while open.changed().await.is_ok() {} };
        self.tasks.spawn(async move {
            let _ = axum::serve(listener, routes).with_graceful_shutdown(closed).await;
        });
        Ok(ends)
    }

    /// Sets up both directions between a client and a node.
    fn receive(
        &mut self,
        node: u16,
        client: u32,
        http: &reqwest::Client,
        address: &watch::Sender<Option<SocketAddr>>,
    ) -> Visitor {
        let (node, end) = (Endpoint::Node(node), Endpoint::Client(client));
        let up = self.link(end, node, http::damage);
        let down = self.link(node, end, http::damage);
        let outlet = Arc::new(Outlet::default());
        let at = || address.subscribe();
        self.tasks.spawn(http::post_messages(Arc::clone(&up), client, http.clone(), at()));
        self.tasks.spawn(http::follow_stream(Arc::clone(&down), client, http.clone(), at()));
        self.tasks.spawn(http::hand_over(down, Arc::clone(&outlet)));
        Visitor { up, outlet }
    }

    async fn open_peer_links(
        &mut self,
        from: u16,
        vocabulary: &'static Vocabulary,
    ) -> io::Result<()> {
        let mut peers = Vec::new();
        let addresses: Vec<_> =
            self.nodes.iter().map(|ends| ends.peer_address.subscribe()).collect();
        for (to, address) in (0_u16..).zip(addresses) {
            if to == from {
                peers.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
                continue;
            }
            let listener = listen().await?;
            peers.push(listener.local_addr()?);
            let link = self.link(Endpoint::Node(from), Endpoint::Node(to), frames::damage);
            self.tasks.spawn(peer::take(listener, Arc::clone(&link), vocabulary));
            self.tasks.spawn(peer::hand_over(link, address));
        }
        if let Some(ends) = self.nodes.get_mut(usize::from(from)) {
            ends.peers = peers;
        }
        Ok(())
    }

    fn link(&mut self, from: Endpoint, to: Endpoint, damage: link::Damage) -> Arc<Link> {
        let link =
            Arc::new(Link::new(from, to, Arc::clone(&self.rules), self.onlooker.clone(), damage));
        self.links.push(Arc::clone(&link));
        link
    }
}

/// Lets messages that rules hold back go on when their time has come.
async fn let_go(links: Vec<Arc<Link>>, mut turns: watch::Receiver<u64>) {
    while turns.changed().await.is_ok() {
        links.iter().for_each(|link| link.let_go());
    }
}

async fn listen() -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

/// An HTTP client for loopback: connections are kept, and no proxy from the environment comes between.
pub(crate) fn client() -> io::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().map_err(io::Error::other)
}

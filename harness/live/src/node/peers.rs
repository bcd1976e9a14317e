//! Links to the other nodes: one connection out to each, for what this node says, and any number in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quorate_systems::contract::{Input, NodeId, System};
use quorate_systems::wire::{self, HEADER_LEN};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How many frames wait for a connection that is slow or gone. More are dropped, as a network would: the
/// protocols send again what matters.
const QUEUE_MAX: usize = 1_024;

/// How many frames go out in one write at most.
const BATCH_MAX: usize = 256;

/// The first pause after a connection failed; it doubles up to the longest.
const BACKOFF_MIN: Duration = Duration::from_millis(10);

/// The longest pause between attempts to connect: a healed link carries messages again this much later.
const BACKOFF_MAX: Duration = Duration::from_millis(200);

/// On loopback an answer that takes longer never comes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Ways out to all other nodes.
#[derive(Debug)]
pub(super) struct Peers {
    queues: BTreeMap<NodeId, mpsc::Sender<Vec<u8>>>,
}

impl Peers {
    /// Begins to connect to every node but `me`; `addresses` has one for each place.
    pub(super) fn connect(me: NodeId, addresses: &[SocketAddr], tasks: &mut JoinSet<()>) -> Self {
        let mut queues = BTreeMap::new();
        for (place, address) in (0..).zip(addresses) {
            let peer = NodeId(place);
            if peer != me {
                let (queue, frames) = mpsc::channel(QUEUE_MAX);
                tasks.spawn(keep_sending(*address, frames));
                queues.insert(peer, queue);
            }
        }
        Self { queues }
    }

    /// Sends a frame, or drops it where it cannot go.
    pub(super) fn send(&self, to: NodeId, frame: Vec<u8>) {
        if let Some(queue) = self.queues.get(&to) {
            // Full: the link is slower than the node, and loses messages, as links may.
            let _ = queue.try_send(frame);
        }
    }
}

/// Connects again and again, and sends what is queued, until nobody can queue anything any more.
async fn keep_sending(to: SocketAddr, mut frames: mpsc::Receiver<Vec<u8>>) {
    let mut backoff = BACKOFF_MIN;
    while !frames.is_closed() {
        if let Ok(Ok(stream)) = timeout(CONNECT_TIMEOUT, TcpStream::connect(to)).await
            && send_until_it_breaks(stream, &mut frames).await
        {
            backoff = BACKOFF_MIN;
        }
        sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// Whether anything was sent before the connection broke.
async fn send_until_it_breaks(stream: TcpStream, frames: &mut mpsc::Receiver<Vec<u8>>) -> bool {
    // Without this the kernel may hold small frames back; if it cannot be set, they are merely slow.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let mut sent = false;
    tokio::select! {
        () = send_all(writer, frames, &mut sent) => {}
        () = wait_for_end(reader) => {}
    }
    sent
}

async fn send_all(
    mut writer: OwnedWriteHalf,
    frames: &mut mpsc::Receiver<Vec<u8>>,
    sent: &mut bool,
) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while frames.recv_many(&mut batch, BATCH_MAX).await > 0 {
        if writer.write_all(&batch.concat()).await.is_err() {
            return;
        }
        batch.clear();
        *sent = true;
    }
}

/// The other end never says anything on this connection: whatever is read, it is over. Without this a
/// closed connection would swallow a message before it is noticed.
async fn wait_for_end(mut reader: OwnedReadHalf) {
    let _ = reader.read(&mut [0]).await;
}

/// Takes connections, and hands the messages of all of them to `arrived`.
pub(super) async fn listen<S: System>(listener: TcpListener, inbox: Arc<Inbox<S>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(read_frames(stream, Arc::clone(&inbox)));
                }
                // Out of file descriptors, or the caller is gone already: the next one may do better.
                Err(_) => sleep(BACKOFF_MIN).await,
            },
            Some(ended) = connections.join_next() => {
                ended.expect("reading frames never panics");
            }
        }
    }
}

/// Where frames go that arrive.
#[derive(Debug)]
pub(super) struct Inbox<S: System> {
    pub(super) me: NodeId,
    pub(super) nodes: u16,
    pub(super) arrived: mpsc::Sender<Input<S::Message>>,
    /// Frames that were no frames.
    pub(super) undecodable: Arc<AtomicU64>,
}

/// Reads frames until the connection ends, or until it is no longer known where the next frame begins.
async fn read_frames<S: System>(stream: TcpStream, inbox: Arc<Inbox<S>>) {
    let mut stream = BufReader::new(stream);
    let mut header = [0; HEADER_LEN];
    while stream.read_exact(&mut header).await.is_ok() {
        let Ok(header) = wire::parse_header(&header) else {
            inbox.count_undecodable();
            return;
        };
        let mut body = Vec::new();
        let mut rest = (&mut stream).take(header.body_len() as u64);
        match rest.read_to_end(&mut body).await {
            Ok(len) if len == header.body_len() => {}
            Ok(_) | Err(_) => return,
        }
        if !inbox.take(&header, &body).await {
            return;
        }
    }
}

impl<S: System> Inbox<S> {
    /// Hands one message over; false when the node has ended.
    async fn take(&self, header: &wire::Header, body: &[u8]) -> bool {
        match wire::decode_body::<S::Message>(S::vocabulary(), header, body) {
            Ok(envelope) if self.is_peer(envelope.from) => {
                let input = Input::Message { from: envelope.from, message: envelope.message };
                self.arrived.send(input).await.is_ok()
            }
            Ok(_) | Err(_) => {
                self.count_undecodable();
                true
            }
        }
    }

    /// What a node says to itself does not come over the network.
    fn is_peer(&self, from: NodeId) -> bool {
        from != self.me && from.0 < self.nodes
    }

    fn count_undecodable(&self) {
        self.undecodable.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const ME: NodeId = NodeId(0);
    const PEER: NodeId = NodeId(1);

    /// A node of two, whose peer is at this address.
    fn connect(address: SocketAddr) -> (Peers, JoinSet<()>) {
        let mut tasks = JoinSet::new();
        let peers = Peers::connect(ME, &[address, address], &mut tasks);
        (peers, tasks)
    }

    async fn read(stream: &mut TcpStream, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        timeout(Duration::from_secs(20), stream.read_exact(&mut bytes)).await.unwrap().unwrap();
        bytes
    }

    #[tokio::test]
    async fn frames_arrive_in_order_and_a_node_has_no_link_to_itself() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (peers, _tasks) = connect(listener.local_addr().unwrap());
        peers.send(PEER, vec![1, 2]);
        peers.send(ME, vec![9]);
        peers.send(PEER, vec![3]);
        let (mut stream, _) = listener.accept().await.unwrap();
        assert_eq!(read(&mut stream, 3).await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_broken_connection_is_made_again() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (peers, _tasks) = connect(listener.local_addr().unwrap());
        for round in 0..3 {
            let (mut stream, _) = listener.accept().await.unwrap();
            peers.send(PEER, vec![round]);
            assert_eq!(read(&mut stream, 1).await, [round]);
        }
    }

    #[tokio::test]
    async fn a_peer_that_is_not_there_yet_is_found_when_it_comes() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let (peers, _tasks) = connect(address);
        peers.send(PEER, vec![7]);
        sleep(BACKOFF_MIN * 3).await;
        let listener = TcpListener::bind(address).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        assert_eq!(read(&mut stream, 1).await, [7]);
    }

    #[tokio::test]
    async fn what_a_slow_link_cannot_take_is_dropped_and_nobody_waits() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (peers, _tasks) = connect(listener.local_addr().unwrap());
        let frame = vec![0; 1 << 16];
        for _ in 0..QUEUE_MAX * 2 {
            peers.send(PEER, frame.clone());
        }
        let queue = peers.queues.get(&PEER).unwrap();
        assert_eq!(queue.capacity(), 0);
    }
}

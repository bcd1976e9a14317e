//! The proxy between real sockets, with stand-ins for nodes and clients.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::routing::post;
use quorate_plan::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc};
use tokio::time::timeout;

use super::frames::Splitter;
use super::{Harm, NetworkRule, Proxy, Rules, client, messages_of};
use crate::protocol::ClientEnvelope;
use crate::samples::{Note, VOCABULARY, frame, note_in};

const SOON: Duration = Duration::from_secs(5);
/// Long enough for what must not come to have come.
const A_WHILE: Duration = Duration::from_millis(150);

fn ends(list: &[Endpoint]) -> BTreeSet<Endpoint> {
    list.iter().copied().collect()
}

async fn proxy(clients: u32) -> Proxy {
    Proxy::start(2, clients, Arc::new(Rules::new(7)), None, &VOCABULARY).await.unwrap()
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A node that only listens to peers: what it reads of each connection.
async fn peer() -> (SocketAddr, mpsc::UnboundedReceiver<u64>) {
    let (listener, address) = listen().await;
    let (heard, notes) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let heard = heard.clone();
            tokio::spawn(async move {
                let mut splitter = Splitter::default();
                while let Ok(1..) = stream.read_buf(splitter.buffer()).await {
                    for frame in splitter.frames().unwrap() {
                        heard.send(note_in(&frame.bytes).unwrap_or(u64::MAX)).unwrap();
                    }
                }
            });
        }
    });
    (address, notes)
}

async fn next(notes: &mut mpsc::UnboundedReceiver<u64>) -> u64 {
    timeout(SOON, notes.recv()).await.expect("a note comes soon").unwrap()
}

fn to_node_1(proxy: &Proxy) -> super::Traffic {
    let from = Endpoint::Node(0);
    proxy.traffic().into_iter().find(|t| (t.from, t.to) == (from, Endpoint::Node(1))).unwrap()
}

#[tokio::test]
async fn frames_pass_in_whatever_pieces_they_come() {
    let proxy = proxy(0).await;
    let (address, mut notes) = peer().await;
    proxy.node_is_at(1, Some((address, address)));
    let mut sender = TcpStream::connect(proxy.peers_of(0)[1]).await.unwrap();
    let bytes: Vec<u8> = (0..5).flat_map(frame).collect();
    for piece in bytes.chunks(7) {
        sender.write_all(piece).await.unwrap();
        sender.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    for expected in 0..5 {
        assert_eq!(next(&mut notes).await, expected);
    }
    assert_eq!(to_node_1(&proxy).delivered, 5);
}

#[tokio::test]
async fn a_node_that_moves_is_found_again_and_what_came_meanwhile_is_lost_and_counted() {
    let proxy = proxy(0).await;
    let (address, mut notes) = peer().await;
    proxy.node_is_at(1, Some((address, address)));
    let mut sender = TcpStream::connect(proxy.peers_of(0)[1]).await.unwrap();
    sender.write_all(&frame(1)).await.unwrap();
    assert_eq!(next(&mut notes).await, 1);

    proxy.node_is_at(1, None);
    sender.write_all(&frame(2)).await.unwrap();
    timeout(SOON, async {
        while to_node_1(&proxy).undeliverable == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();

    let (address, mut elsewhere) = peer().await;
    proxy.node_is_at(1, Some((address, address)));
    sender.write_all(&frame(3)).await.unwrap();
    assert_eq!(next(&mut elsewhere).await, 3);
    assert!(notes.try_recv().is_err());
    assert_eq!(to_node_1(&proxy).undeliverable, 1);
}

#[tokio::test]
async fn bytes_that_are_no_frames_close_the_connection_and_the_next_one_is_taken() {
    let proxy = proxy(0).await;
    let (address, mut notes) = peer().await;
    proxy.node_is_at(1, Some((address, address)));
    let mut sender = TcpStream::connect(proxy.peers_of(0)[1]).await.unwrap();
    sender.write_all(&[0xFF; 64]).await.unwrap();
    let end = timeout(SOON, sender.read(&mut [0; 8])).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "closed");
    let mut sender = TcpStream::connect(proxy.peers_of(0)[1]).await.unwrap();
    sender.write_all(&frame(4)).await.unwrap();
    assert_eq!(next(&mut notes).await, 4);
    assert_eq!(to_node_1(&proxy).unreadable, 1);
}

#[tokio::test]
async fn a_damaged_frame_is_refused_by_its_checksum_and_the_next_one_is_read() {
    let proxy = proxy(0).await;
    let (address, mut notes) = peer().await;
    proxy.node_is_at(1, Some((address, address)));
    let mut sender = TcpStream::connect(proxy.peers_of(0)[1]).await.unwrap();
    let harm = Harm::Corrupt;
    let ends = ends(&[Endpoint::Node(1)]);
    proxy.rules().begin(1, NetworkRule::Some { ends, per_mille: 1_000, harm });
    sender.write_all(&frame(1)).await.unwrap();
    assert_eq!(next(&mut notes).await, u64::MAX, "refused");
    assert_eq!(proxy.rules().end(1), 1);
    sender.write_all(&frame(2)).await.unwrap();
    assert_eq!(next(&mut notes).await, 2);
}

/// A node that listens to clients: every message that is posted comes back on every open stream.
async fn echo() -> SocketAddr {
    async fn take(
        State(lines): State<broadcast::Sender<Bytes>>,
        body: Bytes,
    ) -> axum::http::StatusCode {
        let mut line = body.to_vec();
        line.push(b'\n');
        let _ = lines.send(line.into());
        axum::http::StatusCode::ACCEPTED
    }
    async fn stream(State(lines): State<broadcast::Sender<Bytes>>) -> Body {
        let lines = futures_util::stream::unfold(lines.subscribe(), async |mut lines| {
            Some((lines.recv().await, lines))
        });
        Body::from_stream(lines)
    }
    let (listener, address) = listen().await;
    let routes = axum::Router::new()
        .route("/clients/{client}/messages", post(take).get(stream))
        .with_state(broadcast::Sender::new(64));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

/// Client 0 at the door of node 1.
struct Visitor {
    http: reqwest::Client,
    url: reqwest::Url,
    stream: reqwest::Response,
}

impl Visitor {
    async fn come(proxy: &Proxy) -> Self {
        let http = client().unwrap();
        let url = messages_of(0, proxy.door_of(1)).unwrap();
        let stream = http.get(url.clone()).send().await.unwrap();
        Self { http, url, stream }
    }

    async fn say(&self, note: u64) -> u16 {
        let line = ClientEnvelope::seal(&Note(note)).to_line();
        let answer = self.http.post(self.url.clone()).body(line).send().await.unwrap();
        answer.status().as_u16()
    }

    /// The next line; `None` if its checksum is wrong, or if none comes.
    async fn hear(&mut self, within: Duration) -> Option<u64> {
        let chunk = timeout(within, self.stream.chunk()).await.ok()?.unwrap().unwrap();
        let envelope: ClientEnvelope = serde_json::from_slice(&chunk).ok()?;
        envelope.open::<Note>().ok().map(|note| note.0)
    }

    /// Says something again and again, until it is heard: streams open in their own time.
    async fn settle(&mut self) {
        for _ in 0..100 {
            self.say(0).await;
            if self.hear(Duration::from_millis(50)).await.is_some() {
                while self.hear(A_WHILE).await.is_some() {}
                return;
            }
        }
        panic!("nothing comes back");
    }
}

#[tokio::test]
async fn a_clients_message_goes_to_the_node_and_the_answer_comes_back() {
    let proxy = proxy(1).await;
    let node = echo().await;
    proxy.node_is_at(1, Some((node, node)));
    let mut visitor = Visitor::come(&proxy).await;
    visitor.settle().await;
    for note in 1..20 {
        assert_eq!(visitor.say(note).await, 202);
        assert_eq!(visitor.hear(SOON).await, Some(note));
    }
}

#[tokio::test]
async fn a_client_is_on_a_side_of_a_partition_in_each_direction() {
    let proxy = proxy(1).await;
    let node = echo().await;
    proxy.node_is_at(1, Some((node, node)));
    let mut visitor = Visitor::come(&proxy).await;
    visitor.settle().await;
    let (client, node) = (Endpoint::Client(0), Endpoint::Node(1));
    for (from, to) in [(client, node), (node, client)] {
        proxy.rules().begin(1, NetworkRule::Cut([(to, ends(&[from]))].into()));
        assert_eq!(visitor.say(1).await, 202, "the sender notices nothing");
        assert_eq!(visitor.hear(A_WHILE).await, None);
        assert_eq!(proxy.rules().end(1), 1, "{from} to {to}");
        visitor.say(2).await;
        assert_eq!(visitor.hear(SOON).await, Some(2));
    }
}

#[tokio::test]
async fn a_damaged_envelope_is_refused_by_its_checksum() {
    let proxy = proxy(1).await;
    let node = echo().await;
    proxy.node_is_at(1, Some((node, node)));
    let mut visitor = Visitor::come(&proxy).await;
    visitor.settle().await;
    let rule = NetworkRule::Some {
        ends: ends(&[Endpoint::Client(0)]),
        per_mille: 1_000,
        harm: Harm::Corrupt,
    };
    proxy.rules().begin(1, rule);
    visitor.say(12_345).await;
    let chunk = timeout(SOON, visitor.stream.chunk()).await.unwrap().unwrap().unwrap();
    let envelope: ClientEnvelope = serde_json::from_slice(&chunk).unwrap();
    assert!(envelope.open::<Note>().is_err(), "{envelope:?}");
    assert_eq!(proxy.rules().end(1), 2, "there and back");
}

#[tokio::test]
async fn what_is_no_envelope_is_refused() {
    let proxy = proxy(1).await;
    let visitor = Visitor::come(&proxy).await;
    let post = |body: &'static str| visitor.http.post(visitor.url.clone()).body(body).send();
    assert_eq!(post("{}").await.unwrap().status(), 400);
    assert_eq!(post("no JSON").await.unwrap().status(), 400);
    let nobody = messages_of(9, proxy.door_of(1)).unwrap();
    assert_eq!(visitor.http.get(nobody).send().await.unwrap().status(), 404);
}

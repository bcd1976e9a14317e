//! A client's links to all nodes: what it sends, and what it hears.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Bytes;
use reqwest::Url;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::proxy::messages_of;

/// Messages that wait to be sent to one node. The proxy takes them at once; a client that has so many
/// waiting is not heard anyway.
const OUTGOING_MAX: usize = 256;
/// Messages that wait for the client's core.
const INCOMING_MAX: usize = 1_024;
/// How long to wait before a stream that broke is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(20);

/// The links of one client. Dropping it ends them.
#[derive(Debug)]
pub(super) struct Links {
    outgoing: Vec<mpsc::Sender<Bytes>>,
    incoming: mpsc::Receiver<(u16, Bytes)>,
    /// Held for its drop, which ends the tasks.
    _tasks: JoinSet<()>,
}

impl Links {
    /// Opens the links of `client` through these doors, one for each node by place. All its streams are
    /// open when this returns.
    pub(super) async fn open(
        client: u32,
        doors: &[SocketAddr],
        http: &reqwest::Client,
    ) -> reqwest::Result<Self> {
        let (heard, incoming) = mpsc::channel(INCOMING_MAX);
        let mut tasks = JoinSet::new();
        let mut outgoing = Vec::new();
        for (node, door) in (0_u16..).zip(doors) {
            let Some(url) = messages_of(client, Some(*door)) else { continue };
            let (sender, queue) = mpsc::channel(OUTGOING_MAX);
            outgoing.push(sender);
            tasks.spawn(post_all(queue, http.clone(), url.clone()));
            let first = http.get(url.clone()).send().await?;
            tasks.spawn(listen(node, first, heard.clone(), http.clone(), url));
        }
        Ok(Self { outgoing, incoming, _tasks: tasks })
    }

    /// Sends a message, or loses it, as links do.
    pub(super) fn send(&self, node: u16, message: Bytes) {
        if let Some(queue) = self.outgoing.get(usize::from(node)) {
            // A full queue is a link that loses messages.
            let _ = queue.try_send(message);
        }
    }

    /// The next message from any node.
    pub(super) async fn hear(&mut self) -> (u16, Bytes) {
        match self.incoming.recv().await {
            Some(heard) => heard,
            // Only once all streams are gone for good, with the run.
            None => std::future::pending().await,
        }
    }
}

/// Posts messages one after the other, so that they keep their order.
async fn post_all(mut queue: mpsc::Receiver<Bytes>, http: reqwest::Client, url: Url) {
    while let Some(message) = queue.recv().await {
        // An error means that the message is lost; the core asks again.
        let _ = http.post(url.clone()).body(message).send().await;
    }
}

/// Reads a stream, and opens it again whenever it breaks.
async fn listen(
    node: u16,
    first: reqwest::Response,
    heard: mpsc::Sender<(u16, Bytes)>,
    http: reqwest::Client,
    url: Url,
) {
    let mut stream = Some(first);
    loop {
        if let Some(stream) = stream.take()
            && read_lines(node, stream, &heard).await.is_err()
        {
            return;
        }
        sleep(REOPEN_PAUSE).await;
        stream = http.get(url.clone()).send().await.ok();
    }
}

/// Hands on line by line, until the stream ends or nobody wants to know any more (an error).
async fn read_lines(
    node: u16,
    mut stream: reqwest::Response,
    heard: &mpsc::Sender<(u16, Bytes)>,
) -> Result<(), ()> {
    let mut unread = Vec::new();
    while let Ok(Some(chunk)) = stream.chunk().await {
        unread.extend_from_slice(&chunk);
        while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
            let line: Bytes = unread.drain(..=end).collect();
            heard.send((node, line)).await.map_err(drop)?;
        }
    }
    Ok(())
}
